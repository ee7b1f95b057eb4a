# SPDX-License-Identifier: MIT
"""Elephants that the kernel's callbacks do not tell of, where these are to find them: the daemon asks how far they come."""
import subprocess

import pytest
from lab.netns import wait_until
from test_elephant import MB, config, joins
from test_explain import explain
from test_killed_both import kill_both

RULE = config(start=5, step=5, stop=1000, max_subflows=3)
ASKED = "No callback of the kernel tells how far it has come: subflowd asks now and then.\n"


def counters(daemon):
    return daemon.status()["daemon"]["counters"]


def end(pair, daemon, how):
    """The daemon ends, or is ended, with its guardian or without."""
    if how == "stop":
        daemon.stop()
    elif how == "both killed":
        kill_both(pair, daemon)
    else:
        daemon.process.kill()
        daemon.process.wait(10)


def beget(pair, how):
    """A connection that comes up while there is no daemon, and the daemon that follows."""
    if how == "preset":
        for node in (pair.client, pair.server):
            node.sysctl({"net.mptcp.pm_type": 1})
    daemon = pair.serve(RULE)
    pair.sink()
    app = pair.app(pair.client)
    if how in ("stop", "killed"):
        app.open()
    end(pair, daemon, "killed" if how == "preset" else how)
    app(f"s.connect(({pair.far.ip4!r}, 7000)); s.send(b'x')") if how in ("stop", "killed") \
        else app.connect(pair.far.ip4)
    daemon.start([pair.client, pair.server])
    return daemon, app


@pytest.mark.parametrize("how", ["stop", "killed", "both killed", "preset"])
def test_one_that_came_up_while_there_was_no_daemon(pair, how):
    daemon, app = beget(pair, how)
    text = explain(daemon, app)
    assert ASKED in text
    assert "The elephant rule gives it one more at 5 MB.\n" in text
    app(f"send(s, {8 * MB})")
    app.wait_subflows(2)
    app(f"send(s, {22 * MB})")
    app.wait_subflows(3)
    steps = pair.connection(daemon, app)["thresholds"]
    assert [step["threshold"] for step in steps] == [5 * MB, 10 * MB]
    text = explain(daemon, app)
    assert "The elephant rule gives no more: 3 in all.\n" in text


def test_what_both_tell_counts_once(pair):
    """The subflows that it gets have the callbacks: they begin with the first threshold."""
    daemon, app = beget(pair, "stop")
    app(f"send(s, {8 * MB})")
    app.wait_subflows(2)
    app(f"send(s, {15 * MB})")
    wait_until(lambda: counters(daemon)["thresholds"] == 4, "5, 10, 15 and 20 MB are seen")
    app(f"send(s, {3 * MB})")
    wait_until(lambda: counters(daemon)["thresholds"] == 5, "25 MB")
    assert joins(pair) == 2


def test_one_that_has_its_callbacks_is_not_asked_about(pair):
    daemon = pair.serve(RULE)
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    end(pair, daemon, "killed")
    daemon.start([pair.client, pair.server])
    assert ASKED not in explain(daemon, app)
    app(f"send(s, {8 * MB})")
    app.wait_subflows(2)
    assert counters(daemon)["looks"] == 0


def test_one_past_stop_goes_on_when_that_is_raised(pair):
    daemon = pair.serve(config(start=5, step=5, stop=12, max_subflows=4))
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app(f"send(s, {8 * MB})")
    app.wait_subflows(2)
    app(f"send(s, {22 * MB})")
    wait_until(lambda: counters(daemon)["thresholds"] == 2, "5 and 10 MB")
    had = len(app.subflows())
    text = explain(daemon, app)
    assert "The elephant rule gives none from 12 MB on.\n" in text and ASKED not in text
    subprocess.run([daemon.cli, "set", "elephant.stop", "1GB"], env=daemon.environment, check=True)
    app.wait_subflows(4)
    assert had < 4
    wait_until(lambda: counters(daemon)["thresholds"] == 6, "15 to 30 MB count as passed")
    assert ASKED in explain(daemon, app)
    app(f"send(s, {3 * MB})")
    assert counters(daemon)["elephants"] == joins(pair) == 3


def test_nothing_is_asked_once_they_are_gone_or_past_stop(pair):
    daemon, app = beget(pair, "stop")
    subprocess.run([daemon.cli, "set", "elephant.stop", "7MB"], env=daemon.environment, check=True)
    app(f"send(s, {8 * MB})")
    wait_until(lambda: counters(daemon)["thresholds"] == 1, "5 MB")
    looks = counters(daemon)["looks"]
    other = pair.app(pair.client).connect(pair.far.ip4)
    other(f"send(s, {8 * MB})")
    wait_until(lambda: counters(daemon)["thresholds"] == 2, "its 5 MB are seen by the callbacks")
    assert counters(daemon)["looks"] == looks
