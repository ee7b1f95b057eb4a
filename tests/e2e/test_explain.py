# SPDX-License-Identifier: MIT
"""subflow explain: why a connection has the subflows that it has, and no others, by what really happened."""
import subprocess

import pytest
from app import ADD, REMOVE
from lab.netns import wait_until
from test_elephant import MB, NO_REPAIR

RULE = {"elephant": {"start": "10MB", "step": "10MB", "stop": "60MB", "max_subflows": 3}, **NO_REPAIR}


def explain(daemon, app, node=None):
    name = f"{(node or app.node).name}/{app.connid():08x}"
    return subprocess.run([daemon.cli, "explain", name], text=True, env=daemon.environment,
                          capture_output=True, check=True).stdout


def send(daemon, app, megabytes, thresholds):
    """Returns when that many thresholds have been passed in all."""
    app(f"send(s, {megabytes * MB})")
    wait_until(lambda: daemon.status()["daemon"]["counters"]["thresholds"] >= thresholds, "it is noticed")


def test_from_its_first_byte_to_its_last_threshold(pair):
    daemon = pair.serve(RULE)
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    text = explain(daemon, app)
    assert "The elephant rule gives it one more at 10 MB.\n" in text
    assert "The last decision: too small to split.\n" in text
    send(daemon, app, 25, 2)
    app.wait_subflows(3)
    text = explain(daemon, app)
    assert "It passed 10 MB, noticed at 1" in text and ": one more subflow made 2.\n" in text
    assert text.count("established: the elephant rule asked for it.\n") == 2
    assert "The elephant rule gives no more: 3 in all.\n" in text
    send(daemon, app, 10, 3)
    assert "The last decision: no more at 30 MB: it has max_subflows (3 of 3).\n" in explain(daemon, app)


def test_one_that_was_noticed_too_late(pair):
    daemon = pair.serve({"elephant": {**RULE["elephant"], "stop": "10000001"}})
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    send(daemon, app, 12, 1)
    assert "The last decision: no more at 10 MB: it has passed stop (1 of 3).\n" in explain(daemon, app)


def test_what_its_application_has_removed(pair):
    """The rule counts it as if it were there: no more is promised than is given."""
    daemon = pair.serve(RULE)
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    send(daemon, app, 25, 2)
    app.wait_subflows(3)
    app.set(REMOVE, 1)
    app.wait_subflows(2)
    removed = "Its application has removed 1 more than it had asked for"
    wait_until(lambda: removed in explain(daemon, app), "it is told")
    assert "The elephant rule gives no more: 3 in all, with those removed.\n" in explain(daemon, app)
    send(daemon, app, 10, 3)
    text = explain(daemon, app)
    assert "The last decision: no more at 30 MB: its application has removed others (2 of 3).\n" in text
    # What it asks for itself it gets, and then has removed no more than that.
    app.set(ADD, 1)
    app.wait_subflows(3)
    wait_until(lambda: "has removed" not in explain(daemon, app).partition("The last decision")[0],
               "it is told no more")


def test_the_other_end(pair):
    daemon = pair.serve(RULE)
    server = pair.sink()
    pair.app(pair.client).connect(pair.far.ip4)
    wait_until(lambda: server("len(accepted)") == 1, "accepted")
    token = wait_until(lambda: [c["token"] for c in daemon.status().get("connections", [])
                                if c["namespace"] == pair.server.name and c["role"] == "server"],
                       "status shows the server's end")[0]
    text = subprocess.run([daemon.cli, "explain", f"{pair.server.name}/{token:08x}"], text=True,
                          env=daemon.environment, capture_output=True, check=True).stdout
    assert "The other host opened it: only there can subflows be opened.\n" in text
    assert "The last decision: accepted: only its client can open subflows.\n" in text


@pytest.mark.parametrize("route, reason", [
    (None, "no router is on the way"), ("unreachable", "there is no route to it")])
def test_why_a_port_is_the_kernels_choice(pair, route, reason):
    daemon = pair.serve()
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    if route:
        pair.client.run(["ip", "route", "add", route, pair.far.ip4])
    app.set(ADD, 1)
    wait_until(lambda: pair.connection(daemon, app)["unplaced"] == reason, "status says why")
    if route:
        pair.client.run(["ip", "route", "del", route, pair.far.ip4])
    else:
        app.wait_subflows(2)


def test_one_connection_is_asked_for_by_its_token(pair):
    """What the daemon answers does not grow with the others."""
    daemon = pair.serve(RULE)
    pair.sink()
    apps = [pair.app(pair.client).connect(pair.far.ip4) for _ in range(3)]
    app = apps[1]
    whole = pair.connection(daemon, app)

    def asked(name):
        return daemon.ask(line=f"status {name}")

    for name in (f"{app.connid():x}", f"{pair.client.name}/{app.connid():08X}"):
        answer = asked(name)
        assert set(answer) == {"daemon", "connections"}
        assert answer["connections"] == [whole]
    assert asked(f"{pair.server.name}/{app.connid():x}")["connections"] == []
    for name in ("/1", "123456789", "a b"):
        assert "a connection is [NAMESPACE/]TOKEN" in asked(name)["error"]
    token = app.connid()
    app.close()
    wait_until(lambda: asked(f"{token:x}")["connections"] == [], "it is closed")
    done = subprocess.run([daemon.cli, "explain", f"{token:x}"], env=daemon.environment, text=True,
                          capture_output=True, check=False)
    assert done.returncode == 1 and "it is closed, or was never seen" in done.stderr
