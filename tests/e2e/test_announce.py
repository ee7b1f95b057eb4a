# SPDX-License-Identifier: MIT
"""TCP_MULTIPATH_EXPECTED and TCP_MULTIPATH_INTENT: elephants that say so, and what is to be left;
and those that are found by what waits to be sent ([elephant] backlog)."""
import errno
import shutil
import socket
import struct
import subprocess

import pytest
from app import ADD, EXPECTED, INTENT, REMOVE
from conftest import ROOT
from lab.netns import PATIENCE, wait_until
from pinned import HOW
from test_elephant import MB, NO_REPAIR, joins
from lists import PORT, fails

DEFAULT, BULK, INTERACTIVE, OFF = range(4)
SMALL = {"elephant": {"start": "10MB", "step": "10MB", "stop": "60MB", "max_subflows": 4}, **NO_REPAIR}


def size(megabytes):
    return struct.pack("=Q", megabytes * MB)


def told(app, socket_name="s"):
    """What get returns of both options."""
    return struct.unpack("=Q", app.get(EXPECTED, 8, socket_name))[0], app.get(INTENT, None, socket_name)


def explain(daemon, app):
    return subprocess.run([daemon.cli, "explain", f"{app.node.name}/{app.connid():08x}"], text=True,
                          env=daemon.environment, capture_output=True, check=True).stdout


def thresholds(connection):
    return [(t["threshold"] // MB, t["foreseen"], t["subflows"]) for t in connection["thresholds"]]


@pytest.mark.parametrize("when", ["before connect", "during it", "after"])
@pytest.mark.parametrize("family", ["ip4", "mapped", "ip6"])
def test_an_announced_elephant_is_split_at_once(pair, family, when):
    """By the paper's rule 400 MB are four subflows: they are there after a byte."""
    daemon = pair.serve(NO_REPAIR)
    pair.sink(address="::", family=socket.AF_INET6)
    address = pair.far.ip6 if family == "ip6" else pair.far.ip4
    address = "::ffff:" + address if family == "mapped" else address
    app = pair.app(pair.client).open(socket.AF_INET if family == "ip4" else socket.AF_INET6)
    if when == "before connect":
        app.set(EXPECTED, size(400))
        assert told(app) == (400 * MB, DEFAULT)
    if when == "during it":
        app("s.setblocking(False)")
        fails(errno.EINPROGRESS, app, f"s.connect(({address!r}, {PORT}))")
        app.set(EXPECTED, size(400))
        app("import select; select.select([], [s], []); s.setblocking(True)")
    else:
        app(f"s.connect(({address!r}, {PORT}))")
    app("s.send(b'x')")
    if when == "after":
        app.set(EXPECTED, size(400))
    assert len({near for near, _ in app.wait_subflows(4)}) == 4
    assert told(app) == (400 * MB, DEFAULT)
    connection = pair.connection(daemon, app)
    assert connection["decision"] == "announced 400 MB: 3 more, 4 of 4"
    assert connection["expected"] == 400 * MB and connection["intent"] == "default"
    assert thresholds(connection) == [(100, True, 2), (150, True, 3), (200, True, 4)]
    assert {s["asked_by"] for s in connection["subflows"]} == {None, "elephant"}
    counters = daemon.status()["daemon"]["counters"]
    assert counters["elephants"] == counters["foreseen"] == counters["creates"] == 3
    assert counters["thresholds"] == 0
    text = explain(daemon, app)
    assert "Its application announced 400 MB.\n" in text
    assert "It is to pass 100 MB: one more subflow made 2.\n" in text
    assert "The last decision: announced 400 MB: 3 more, 4 of 4.\n" in text


def test_what_was_announced_is_not_given_twice(pair):
    """What is carried beyond it counts as ever."""
    daemon = pair.serve(SMALL)
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app.set(EXPECTED, size(15))
    app.wait_subflows(2)
    app(f"send(s, {18 * MB})")
    wait_until(lambda: daemon.status()["daemon"]["counters"]["thresholds"] == 1, "10 MB are passed")
    connection = pair.connection(daemon, app)
    assert connection["decision"] == "no more at 10 MB: it was announced (2 of 4)"
    assert "The elephant rule gives it one more at 20 MB.\n" in explain(daemon, app)
    app(f"send(s, {8 * MB})")
    app.wait_subflows(3)
    wait_until(lambda: thresholds(pair.connection(daemon, app)) == [(10, True, 2), (20, False, 3)],
               "the second threshold is noted")
    assert joins(pair) == 2


def test_a_download_is_announced_by_who_receives_it(pair):
    daemon = pair.serve(SMALL)
    server = pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app.set(EXPECTED, size(25))
    app.wait_subflows(3)
    app("threading.Thread(target=drain, args=(s.dup(),), daemon=True).start()")
    wait_until(lambda: server("len(accepted)") == 1, "accepted")
    server(f"send(accepted[0], {26 * MB})")
    wait_until(lambda: app("drained") == 26 * MB, "all has come")
    assert joins(pair) == 2 and daemon.status()["daemon"]["counters"]["thresholds"] == 2


def test_less_takes_nothing_away(pair):
    pair.serve(SMALL)
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app.set(EXPECTED, size(9))
    assert len(app.subflows()) == 1
    app.set(EXPECTED, size(25))
    app.wait_subflows(3)
    app.set(EXPECTED, size(1))
    app.set(EXPECTED, size(0))
    assert told(app) == (0, DEFAULT)
    app.set(EXPECTED, b"\xff" * 8)
    app.wait_subflows(4)
    assert told(app) == (2**64 - 1, DEFAULT)
    assert joins(pair) == 3


def test_a_lie_is_bounded(pair):
    """Never more than the rule's max_subflows, however often, and whatever was ADDed."""
    daemon = pair.serve(SMALL)
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app.set(ADD, 2)
    app("[s.setsockopt(6, %d, struct.pack('=Q', 10**12 * i)) for i in range(1, 50)]" % EXPECTED)
    app.set(INTENT, BULK)
    app.wait_subflows(4)
    app(f"send(s, {70 * MB})")
    assert len(app.subflows()) == 4 and joins(pair) == 3
    assert daemon.status()["daemon"]["counters"]["foreseen"] == 1


@pytest.mark.parametrize("when", ["before connect", "after"])
def test_bulk_is_an_elephant_from_its_start(pair, when):
    daemon = pair.serve(SMALL)
    pair.sink()
    app = pair.app(pair.client).open()
    if when == "before connect":
        app.set(INTENT, BULK)
    app(f"s.connect(({pair.far.ip4!r}, {PORT})); s.send(b'x')")
    if when == "after":
        app.set(INTENT, BULK)
    app.wait_subflows(4)
    assert told(app) == (0, BULK)
    assert pair.connection(daemon, app)["decision"] == "announced as bulk: 3 more, 4 of 4"
    assert "Its application calls it bulk: an elephant from its start.\n" in explain(daemon, app)


@pytest.mark.parametrize("intent, name, decision, sentence", [
    (INTERACTIVE, "interactive", "its application calls it interactive",
     "Its application calls it interactive: the elephant rule does not split it.\n"),
    (OFF, "off", "its application wants no split",
     "Its application wants no split by the elephant rule.\n")])
def test_interactive_and_off_are_never_split(pair, intent, name, decision, sentence):
    """Not at what was announced, not at what is sent; what the application asks for is there."""
    daemon = pair.serve(SMALL)
    pair.sink()
    app = pair.app(pair.client).open()
    app.set(INTENT, intent)
    app.set(EXPECTED, size(400))
    app(f"s.connect(({pair.far.ip4!r}, {PORT})); s.send(b'x')")
    wait_until(lambda: pair.connection(daemon, app)["decision"]
               == f"not split by the elephant rule: {decision}", "that is heard")
    app(f"send(s, {25 * MB})")
    wait_until(lambda: daemon.status()["daemon"]["counters"]["thresholds"] == 2, "it is an elephant")
    connection = pair.connection(daemon, app)
    assert connection["intent"] == name and connection["thresholds"] == []
    assert connection["decision"] == f"no more at 20 MB: {decision} (1 of 4)"
    text = explain(daemon, app)
    assert sentence in text and "The elephant rule gives" not in text
    assert joins(pair) == 0
    app.set(ADD, 1)
    app.wait_subflows(2)
    # It may think better of it.
    app.set(INTENT, DEFAULT)
    app.wait_subflows(4)


def test_the_rule_that_matches_decides(pair):
    daemon = pair.serve({**NO_REPAIR,
                         "rule small": {"port": 7001, "start": "5MB", "step": "5MB", "stop": "12MB"},
                         "rule quiet": {"port": 7002, "split": "never"}})
    apps = {}
    for port in (7000, 7001, 7002):
        pair.sink(port=port)
        apps[port] = pair.app(pair.client).open()
        apps[port].set(EXPECTED, size(20))
        apps[port](f"s.connect(({pair.far.ip4!r}, {port})); s.send(b'x')")
    apps[7001].wait_subflows(3)
    connection = pair.connection(daemon, apps[7001])
    assert connection["rule"] == "small" and thresholds(connection) == [(5, True, 2), (10, True, 3)]
    assert "announced 20 MB: 2 more, 3 of 4" in explain(daemon, apps[7001])
    decisions = [pair.connection(daemon, apps[port])["decision"] for port in (7000, 7002)]
    assert decisions == ["announced 20 MB: no elephant, which begins at 100 MB",
                         "not split: rule quiet says never"]
    assert joins(pair) == 2


def test_wrong_values_change_nothing(served):
    server = served.sink()
    app = served.app(served.client).connect(served.far.ip4)
    wait_until(lambda: server("len(accepted)") == 1, "accepted")
    app.set(EXPECTED, size(7))
    app.set(INTENT, OFF)
    for bad in (b"", bytes(4), bytes(7), bytes(9), bytes(16), 1):
        fails(errno.EINVAL, app.set, EXPECTED, bad)
    for bad in (b"", bytes(3), bytes(5), bytes(8), 4, -1, 2**31 - 1):
        fails(errno.EINVAL, app.set, INTENT, bad)
    fails(errno.EINVAL, app.get, EXPECTED, 7)
    fails(errno.EINVAL, app.get, INTENT, 3)
    assert told(app) == (7 * MB, OFF)
    # A server cannot open subflows, and its connections inherit nothing of it.
    for name in ("listener", "accepted[0]"):
        fails(errno.EOPNOTSUPP, server.set, EXPECTED, size(1), name)
        fails(errno.EOPNOTSUPP, server.set, INTENT, BULK, name)
        assert told(server, name) == (0, DEFAULT)
    plain = served.app(served.client).connect(served.far.ip4, protocol=0)
    for option, value in ((EXPECTED, size(1)), (INTENT, BULK)):
        fails(errno.EOPNOTSUPP, plain.set, option, value)
        fails(errno.EOPNOTSUPP, plain.get, option, 8)


@HOW
def test_it_outlives_the_daemon(kept, how):
    """What was opened is not opened again, and the rest is known."""
    pair = kept.pair
    kept.start(**SMALL)
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app.set(EXPECTED, size(25))
    app.wait_subflows(3)
    other = pair.app(pair.client).connect(pair.far.ip4)
    other.set(INTENT, OFF)
    daemon = kept.again(how, **SMALL)
    assert told(app) == (25 * MB, DEFAULT) and told(other) == (0, OFF)
    wait_until(lambda: pair.connection(daemon, app)["expected"] == 25 * MB, "it is known again")
    assert pair.connection(daemon, other)["intent"] == "off"
    app(f"send(s, {27 * MB})")
    other(f"send(s, {15 * MB})")
    assert len(app.subflows()) == 3 and len(other.subflows()) == 1
    assert joins(pair) == 2


@HOW
def test_what_was_removed_stays_away(kept, how):
    """Neither the thresholds that were announced nor another daemon bring it back."""
    pair = kept.pair
    kept.start(**SMALL)
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app.set(INTENT, BULK)
    app.wait_subflows(4)
    app.set(REMOVE, 2)
    app.wait_subflows(2)
    daemon = kept.again(how, **SMALL)
    wait_until(lambda: pair.connection(daemon, app)["intent"] == "bulk", "it is known again")
    # Linux 6.1 does not say what it has sent: its subflows stand for the thresholds before the last.
    left = 1 if pair.connection(daemon, app)["bytes_sent"] is None else 4
    app(f"send(s, {45 * MB})")
    wait_until(lambda: daemon.status()["daemon"]["counters"]["thresholds"] >= left, "all are passed")
    assert len(app.subflows()) == 2 and joins(pair) == 3


def test_subflow_py(served):
    served.sink()
    shutil.copy(ROOT / "python" / "subflow.py", served.directory)
    app = served.app(served.client).connect(served.far.ip4)
    app(f"import sys; sys.path.insert(0, {str(served.directory)!r}); import subflow")
    assert app("subflow.expected(s)") == 0 and app("subflow.intent(s) is subflow.Intent.DEFAULT")
    app("subflow.set_intent(s, subflow.Intent.INTERACTIVE)")
    app(f"subflow.set_expected(s, {400 * MB})")
    assert told(app) == (400 * MB, INTERACTIVE)
    assert app("subflow.intent(s) is subflow.Intent.INTERACTIVE")
    assert app("subflow.expected(s)") == 400 * MB
    app("subflow.set_intent(s, subflow.Intent.DEFAULT)")
    app(f"subflow.wait(s, 4, {10 * PATIENCE})")


def waiting(connection):
    """Of each threshold: itself, and whether it counted as passed for what waited to be sent."""
    return [(t["threshold"] // MB, t["backlog"] > 0) for t in connection["thresholds"]]


@pytest.fixture
def narrow(pair):
    pair.narrow(50)


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("family", ["ip4", "ip6"])
def test_a_backlog_is_an_early_first_threshold(pair, family):
    """Once, and the other thresholds are where they were."""
    daemon = pair.serve({"elephant": {**SMALL["elephant"], "backlog": "100kB"}, **NO_REPAIR})
    pair.sink(address="::", family=socket.AF_INET6)
    app = pair.app(pair.client).connect(getattr(pair.far, family))
    app(f"send(s, {7 * MB})")
    app.wait_subflows(2)
    connection = pair.connection(daemon, app)
    [step] = connection["thresholds"]
    assert step["threshold"] == 10 * MB and 100000 <= step["backlog"] and 0 < step["bytes"] < 7 * MB
    assert " waiting: 2 of 4" in connection["decision"]
    text = explain(daemon, app)
    assert " waited to be sent, which counts as 10 MB: one more subflow" in text
    assert "The elephant rule gives it one more at 20 MB.\n" in text
    app(f"send(s, {8 * MB})")
    assert waiting(pair.connection(daemon, app)) == [(10, True)]
    app(f"send(s, {10 * MB})")
    app.wait_subflows(3)
    assert waiting(pair.connection(daemon, app)) == [(10, True), (20, False)]
    counters = daemon.status()["daemon"]["counters"]
    assert counters["backlogs"] == 1 and counters["elephants"] == counters["thresholds"] == 2


def test_mice_have_no_backlog(pair):
    """What is sent as it comes does not wait; nor does anything count by default."""
    daemon = pair.serve({"elephant": {**SMALL["elephant"], "backlog": "100kB"}, **NO_REPAIR})
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app("""
import time
for _ in range(100):
    s.send(bytes(20000))
    time.sleep(0.005)
""")
    assert daemon.status()["daemon"]["counters"]["thresholds"] == 0
    subprocess.run([daemon.cli, "set", "elephant.backlog", "0"], env=daemon.environment, check=True,
                   stdout=subprocess.DEVNULL)
    app(f"send(s, {7 * MB})")
    assert daemon.status()["daemon"]["counters"]["thresholds"] == 0


@pytest.mark.usefixtures("narrow")
def test_a_backlog_of_its_own_rule(pair):
    daemon = pair.serve({**NO_REPAIR,
                         "rule waiting": {"port": 7001, "backlog": "100kB"},
                         "rule never": {"port": 7002, "backlog": "100kB", "split": "never"}})
    apps = {}
    for port in (7000, 7001, 7002):
        pair.sink(port=port)
        apps[port] = pair.app(pair.client).connect(pair.far.ip4, port)
        apps[port](f"send(s, {20 * MB})")
    # Whatever becomes of the subflow: the kernel resets one now and then.
    wait_until(lambda: joins(pair) == 1, "the one that waits is split")
    assert waiting(pair.connection(daemon, apps[7001])) == [(100, True)]
    assert joins(pair) == 1 and daemon.status()["daemon"]["counters"]["thresholds"] == 1


@pytest.mark.usefixtures("narrow")
def test_a_backlog_of_what_is_to_be_left(pair):
    daemon = pair.serve({"elephant": {**SMALL["elephant"], "backlog": "100kB"}, **NO_REPAIR})
    pair.sink()
    app = pair.app(pair.client).open()
    app.set(INTENT, INTERACTIVE)
    app(f"s.connect(({pair.far.ip4!r}, {PORT})); send(s, {7 * MB})")
    wait_until(lambda: daemon.status()["daemon"]["counters"]["thresholds"] == 1, "it is told")
    assert "its application calls it interactive" in pair.connection(daemon, app)["decision"]
    assert joins(pair) == 0
