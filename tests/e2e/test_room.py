# SPDX-License-Identifier: MIT
"""A peer with the kernel's own limit: it answers the SYN of a join, and resets what is beyond once that is up."""
import pytest
from app import ADD
from lab.netns import wait_until
from test_elephant import MB, NO_REPAIR
from test_explain import explain

ELEPHANT = {"elephant": {"start": "2MB", "step": "2MB", "stop": "1000MB", "max_subflows": 4}, **NO_REPAIR}


@pytest.fixture
def limited(pair):
    pair.server.run(["ip", "mptcp", "limits", "set", "subflows", "2"])
    return pair


def serve(limited, config):
    daemon = limited.serve(config, [limited.client])
    limited.sink()
    return daemon


def counters(daemon):
    return daemon.status()["daemon"]["counters"]


def withheld(daemon, least):
    wait_until(lambda: counters(daemon)["withheld"] >= least, f"{least} are not tried")


def test_an_elephant_keeps_to_what_its_peer_takes(limited):
    """One is refused, however many thresholds it passes, and no threshold is said to have made a fourth."""
    daemon = serve(limited, ELEPHANT)
    app = limited.app(limited.client).connect(limited.far.ip4)
    app(f"send(s, {30 * MB})")
    withheld(daemon, 3)
    assert counters(daemon)["refused_by_peer"] == 1 and len(app.subflows()) == 3
    text = explain(daemon, app)
    assert text.count("one more subflow made") == 2 and "made 2.\n" in text and "made 3.\n" in text
    assert "Its peer takes 3 in all, and reset what came up beyond: " in text
    assert "one more at" not in text
    assert "beyond 3 subflows of one" in text
    assert "no subflow: its peer took 3, and reset one more; none is tried before one has gone" in text


def test_what_an_application_asks_for_is_tried_and_told(limited):
    daemon = serve(limited, {"joins": {"refusals": 3, "hold_s": 3600}})
    app = limited.app(limited.client).connect(limited.far.ip4)
    app.set(ADD, 2)
    app.wait_subflows(3)
    for refused in range(1, 4):
        app.set(ADD, 1)
        wait_until(lambda: counters(daemon)["refused_by_peer"] == refused, "it is tried")
        assert "The last decision: the peer refused a subflow (reset)" in explain(daemon, app)
    for _ in range(5):
        app.set(ADD, 1)
    withheld(daemon, 5)
    assert counters(daemon)["refused_by_peer"] == 3 and len(app.subflows()) == 3
    text = explain(daemon, app)
    assert ":7000 takes 3 of a connection, and reset the last 3 beyond that (reset)" in text
    assert "refused the last 3 joins of this host's connections beyond 3 subflows of one" in text


def test_many_connections_make_no_storm_and_get_what_is_taken(limited):
    daemon = serve(limited, {"policy": {"ndiffports": 4}, "joins": {"refusals": 3, "hold_s": 3600}})
    apps = []
    for _ in range(8):
        apps.append(limited.app(limited.client).connect(limited.far.ip4))
        apps[-1].wait_subflows(3)
        wait_until(lambda: counters(daemon)["refused_by_peer"] + counters(daemon)["withheld"] == len(apps),
                   "the fourth one is refused, or not tried")
    assert counters(daemon)["refused_by_peer"] == 3
    assert [len(app.subflows()) for app in apps] == [3] * 8
    [destination] = daemon.status()["refusing"]
    assert (destination["in_a_row"], destination["beyond"]) == (3, 3) and destination["hold_s"] > 0
    assert all(limited.connection(daemon, app)["room"]["subflows"] == 3 for app in apps)


def test_a_peer_that_takes_none_is_left_alone(limited):
    limited.server.run(["ip", "mptcp", "limits", "set", "subflows", "0"])
    daemon = serve(limited, {"policy": {"ndiffports": 2}, "joins": {"refusals": 3, "hold_s": 3600}})
    for known in range(1, 7):
        limited.app(limited.client).connect(limited.far.ip4)
        wait_until(lambda: counters(daemon)["refused_by_peer"] + counters(daemon)["withheld"] == known,
                   "its second one is refused, or not tried")
    assert counters(daemon)["refused_by_peer"] == 3
