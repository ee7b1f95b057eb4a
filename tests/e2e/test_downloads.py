# SPDX-License-Identifier: MIT
"""The elephant rule where the client receives: its host opens the subflows."""
import pytest
from lab.netns import wait_until
from test_elephant import MB, config, joins
from test_explain import explain


def download(pair, megabytes):
    """The server sends through a fresh connection of a client that reads it all."""
    server = pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app("threading.Thread(target=drain, args=(s.dup(),), daemon=True).start()")
    wait_until(lambda: server("len(accepted)"), "the server accepts")
    server(f"send(accepted[0], {megabytes * MB})")
    return app, server


@pytest.mark.parametrize("ends", ["client", "both"])
def test_a_download_is_an_elephant_too(pair, ends):
    """Both ends running Subflow do not double the subflows."""
    served = [pair.client, pair.server] if ends == "both" else [pair.client]
    pair.server.run(["ip", "mptcp", "limits", "set", "subflows", "8"])
    daemon = pair.serve(config(start=10, step=5, stop=100, max_subflows=4), served)
    app, server = download(pair, 60)
    app.wait_subflows(4)
    connection = pair.connection(daemon, app)
    steps = connection["thresholds"]
    assert [step["threshold"] for step in steps] == [10 * MB, 15 * MB, 20 * MB]
    for step in steps:
        assert step["threshold"] <= step["bytes"] < step["threshold"] + 20 * MB
    assert (connection["bytes_sent"] or 0) < MB  # kernels before 6.5 do not count
    server(f"send(accepted[0], {60 * MB})")
    assert joins(pair) == 3
    counters = daemon.status()["daemon"]["counters"]
    assert counters["elephants"] == counters["creates"] == 3


def test_stop_ends_it(pair):
    daemon = pair.serve(config(start=10, step=10, stop=25, max_subflows=8))
    app, _ = download(pair, 80)
    app.wait_subflows(3)
    assert daemon.status()["daemon"]["counters"]["thresholds"] == 2, "no record at or after stop"


def test_the_two_directions_are_not_added_up(pair):
    daemon = pair.serve(config(start=20, step=10, stop=100, max_subflows=4))
    app, server = download(pair, 15)
    app(f"send(s, {15 * MB})")
    assert daemon.status()["daemon"]["counters"]["thresholds"] == 0
    server(f"send(accepted[0], {10 * MB})")
    app.wait_subflows(2)


def test_downloads_can_be_left_alone(pair):
    rule = config(start=5, step=5, stop=100, max_subflows=4)
    rule["elephant"]["downloads"] = "no"
    daemon = pair.serve(rule)
    app, _ = download(pair, 30)
    assert len(app.subflows()) == 1
    assert daemon.status()["daemon"]["counters"]["thresholds"] == 0
    assert "The elephant rule gives it one more at 5 MB.\n" in explain(daemon, app)
    app(f"send(s, {30 * MB})")
    app.wait_subflows(4)
