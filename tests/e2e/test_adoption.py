# SPDX-License-Identifier: MIT
"""Connections whose beginning the daemon did not see: it takes them up."""
import os
import signal

import pytest
from app import ADD, REMOVE
from conftest import BUILD
from lab.daemon import Daemon
from lab.netns import wait_until
from test_detect import SOURCES
from test_detect import serve as serve_with
from test_explain import explain

MB = 1000000


def adopted(daemon):
    return daemon.status()["daemon"]["counters"]["adopted"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_after_a_restart_open_connections_are_served_again(pair, how):
    daemon = pair.serve()
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app.set(ADD, 2)
    before = app.wait_subflows(3)
    daemon.process.send_signal(how)
    daemon.process.wait(10)
    daemon.start([pair.client, pair.server])
    assert app.subflows() == before
    assert adopted(daemon) == 2, "both ends"
    connection = pair.connection(daemon, app)
    assert connection["role"] == "client" and connection["state"] == "served"
    assert len(connection["subflows"]) == 3
    app.set(ADD, 1)
    app.wait_subflows(4)
    app.set(REMOVE, 2)
    app.wait_subflows(2)
    app(f"send(s, {5 * MB})")


def test_an_elephant_goes_on_where_it_was(pair):
    """Subflows that it got from the daemon before are counted: none is made twice."""
    rule = {"elephant": {"start": "10MB", "step": "10MB", "stop": "100MB", "max_subflows": 4}}
    daemon = pair.serve(rule)
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app(f"send(s, {25 * MB})")
    app.wait_subflows(3)
    daemon.process.kill()
    daemon.process.wait(10)
    daemon.start([pair.client, pair.server])
    assert "The elephant rule gives it one more at 30 MB.\n" in explain(daemon, app)
    app(f"send(s, {40 * MB})")
    app.wait_subflows(4)
    assert pair.client.netstat()["MPTcpExtMPJoinSynAckRx"] == 3


@pytest.mark.parametrize("source", SOURCES)
def test_a_restart_between_two_thresholds_opens_nothing(pair, source):
    """Nor do several: only the next threshold does."""
    rule = {"elephant": {"start": "10MB", "step": "10MB", "stop": "100MB", "max_subflows": 5}}
    daemon = serve_with(pair, source, rule)
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app(f"send(s, {12 * MB})")
    app.wait_subflows(2)
    for _ in range(2):
        daemon.process.kill()
        daemon.process.wait(10)
        daemon.start([pair.client, pair.server], pair.client)
        app(f"send(s, {3 * MB})")
    assert len(app.subflows()) == 2
    app(f"send(s, {4 * MB})")
    app.wait_subflows(3)
    assert pair.client.netstat()["MPTcpExtMPJoinSynAckRx"] == 2
    assert [step["threshold"] for step in pair.connection(daemon, app)["thresholds"]] == [20 * MB]


def test_a_connection_of_the_in_kernel_path_manager_is_known_as_such(pair):
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    daemon = pair.serve()
    connection = pair.connection(daemon, app)
    assert connection["state"] == "in-kernel path manager"
    assert "older than" in connection["decision"]


def test_events_that_the_kernel_dropped_are_made_up_for(pair):
    """The daemon stands still while more happens than its socket holds."""
    daemon = pair.serve()
    pair.sink()
    app = pair.app(pair.client)
    old = pair.app(pair.client).connect(pair.far.ip4)
    wait_until(lambda: daemon.status()["daemon"]["tables"]["connections"]["used"] == 2, "both ends are known")
    os.kill(daemon.process.pid, signal.SIGSTOP)
    for _ in range(20):
        app(f"""
for _ in range(1000):
    c = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.connect(({pair.far.ip4!r}, 7000))
    c.send(b"x")
    c.close()
""")
        if has_overrun(daemon):
            break
    app.connect(pair.far.ip4)
    old.close()
    os.kill(daemon.process.pid, signal.SIGCONT)
    wait_until(lambda: daemon.status()["daemon"]["counters"]["events_overruns"], "it overran")
    # A request would have the daemon search for its connection by itself.
    wait_until(lambda: pair.connection(daemon, app)["state"] == "served", "it is taken up")
    assert adopted(daemon)
    app.set(ADD, 2)
    app.wait_subflows(3)
    # The status lists what the kernel does. What the daemon itself remembers, it counts: of thousands some that
    # the server has not closed yet, at most.
    wait_until(lambda: daemon.status()["daemon"]["tables"]["connections"]["used"] < 20, "the others are forgotten")


def has_overrun(daemon):
    """Whether a netlink socket of the daemon has dropped messages."""
    sockets = {os.readlink(f"/proc/{daemon.process.pid}/fd/{fd}")
               for fd in os.listdir(f"/proc/{daemon.process.pid}/fd")}
    rows = [line.split() for line in open("/proc/net/netlink").readlines()[1:]]
    return any(int(row[8]) for row in rows if f"socket:[{row[9]}]" in sockets)


def test_the_daemons_own_namespace_may_be_served_by_its_name(pair):
    daemon = Daemon(pair, BUILD, {"namespaces": {"serve": pair.client.name}})
    with daemon.log.open("ab") as log:
        daemon.process = pair.client.popen(
            [daemon.binary, "--config", pair.directory / "subflowd.conf"], stdout=log, stderr=log)
    [namespace] = wait_until(lambda: daemon.status().get("namespaces"), "it is served")
    assert namespace["state"] == "served"
    pair.server.run(["ip", "mptcp", "limits", "set", "subflows", "3"])
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app.set(ADD, 2)
    app.wait_subflows(3)


def test_a_request_that_finds_nobody_is_carried_out_all_the_same(pair):
    """A connection made between the switch of the path manager and the first event."""
    pair.client.sysctl({"net.mptcp.pm_type": 1})
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    daemon = pair.serve(serve=[pair.client])
    app.set(ADD, 1)
    app.wait_subflows(2)
    assert adopted(daemon) == 1
