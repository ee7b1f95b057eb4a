# SPDX-License-Identifier: MIT
"""The options of RFC 6897 as an unprivileged program with raw setsockopt and getsockopt meets them."""
import errno
import signal
import socket
import struct

import pytest
from app import (ADD, BACKUP, CONNID, ENABLE, EXPECTED, INTENT, MPTCP, NDIFFPORTS, REMOVE, SUBFLOWS, TCP, backup,
                 packed)
from lab.netns import PATIENCE, wait_until
from race import Race
from test_orders import does

MPTCP_INFO = (284, 1)
CLONE_NEWNET = 0x40000000


def fails(expected, call, *arguments):
    with pytest.raises(OSError) as caught:
        call(*arguments)
    assert errno.errorcode[caught.value.errno] == errno.errorcode[expected]


def token_of_mptcp_info(app):
    return struct.unpack_from("=I", app(f"s.getsockopt({MPTCP_INFO[0]}, {MPTCP_INFO[1]}, 256)"), 12)[0]


@pytest.mark.parametrize("family", ["ip4", "ip6"])
def test_add_list_and_remove(served, family):
    served.sink(family=socket.AF_INET if family == "ip4" else socket.AF_INET6)
    near, far = getattr(served.near, family), getattr(served.far, family)
    app = served.app(served.client).connect(far)
    assert app("s.getsockopt(6, 10002)") == 1
    assert app.connid() == token_of_mptcp_info(app)
    first = app.subflows()
    assert first == [(app("s.getsockname()[:2]"), (far, 7000))]

    app.set(ADD, 3)
    pairs = app.wait_subflows(4)
    assert pairs[0] == first[0]
    assert {local[0] for local, _ in pairs} == {near}
    assert {remote for _, remote in pairs} == {(far, 7000)}
    assert len({local[1] for local, _ in pairs}) == 4

    app.set(REMOVE, 1)
    assert app.wait_subflows(3) == pairs[:3], "the youngest goes first"
    assert served.connection(served.daemon, app)["decision"] == "as the application asked: 3 in all"


def test_v4_mapped_pairs_have_the_family_of_the_socket(served):
    served.sink()
    app = served.app(served.client).connect("::ffff:" + served.far.ip4)
    app.set(ADD, 1)
    pairs = app.wait_subflows(2)
    assert pairs[0][0] == app("s.getsockname()[:2]")
    assert {remote for _, remote in pairs} == {("::ffff:" + served.far.ip4, 7000)}
    app.set(REMOVE, 1)
    assert app.wait_subflows(1) == pairs[:1]


def test_the_subflows_are_on_the_wire_and_carry_data(served):
    """Not only what the hook says: the kernels of both ends count the joins, and the data arrives."""
    sink = served.sink()
    app = served.app(served.client).connect(served.far.ip4)
    app.set(ADD, 3)
    app.wait_subflows(4)
    app("send(s, 3000000)")
    app.close()
    assert served.client.netstat()["MPTcpExtMPJoinSynAckRx"] == 3
    assert served.server.netstat()["MPTcpExtMPJoinAckRx"] == 3
    assert sink("len(accepted)") == 1


def test_a_program_with_only_socket_and_struct(served):
    """The same without the machinery of these tests: a script as a user would write it."""
    served.sink()
    script = f"""
import socket, struct, time
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, {MPTCP})
s.connect(("{served.far.ip4}", 7000))
s.setsockopt(socket.IPPROTO_TCP, 10003, 3)
s.send(b"x")
deadline = time.monotonic() + {10 * PATIENCE}
while len(s.getsockopt(socket.IPPROTO_TCP, 10005, 1024)) < 4 * 56 and time.monotonic() < deadline:
    pass
pairs = s.getsockopt(socket.IPPROTO_TCP, 10005, 1024)
print(len(pairs) // 56, struct.unpack("!H", pairs[2:4])[0] == s.getsockname()[1])
"""
    output = served.client.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                                "/usr/bin/python3", "-c", script])
    assert output == "4 True\n"


@pytest.mark.parametrize("when", ["before connect", "after connect, before a byte"])
def test_add_before_the_connection_is_fully_established(served, when):
    served.sink()
    app = served.app(served.client).open()
    if when == "before connect":
        app.set(ADD, 3)
    app(f"s.connect(({served.far.ip4!r}, 7000))")
    if when != "before connect":
        app.set(ADD, 3)
    app("s.send(b'x')")
    app.wait_subflows(4)
    counters = served.daemon.status()["daemon"]["counters"]
    assert counters["retries"] == 0, "the daemon waits for the event, it does not poll"
    assert counters["creates"] == 3


def test_add_during_a_nonblocking_connect(served):
    served.sink()
    app = served.app(served.client).open()
    app("s.setblocking(False)")
    with pytest.raises(OSError):
        app(f"s.connect(({served.far.ip4!r}, 7000))")
    app.set(ADD, 2)
    app("import select; select.select([], [s], []); s.setblocking(True)")
    app("s.send(b'x')")
    app.wait_subflows(3)


def test_requests_add_up(served):
    served.sink()
    app = served.app(served.client).open()
    app.set(ADD, 1)
    app.set(ADD, 2)
    app.set(REMOVE, 1)
    app(f"s.connect(({served.far.ip4!r}, 7000))")
    app.set(ADD, 1)
    app("s.send(b'x')")
    app.wait_subflows(4)
    app.set(REMOVE, 3)
    app.wait_subflows(1)
    app.set(ADD, 7)
    app.wait_subflows(8)


@pytest.mark.parametrize("option", [ADD, REMOVE, ENABLE])
def test_malformed_values_are_refused_and_change_nothing(served, option):
    served.sink()
    app = served.app(served.client).connect(served.far.ip4)
    for length in (0, 3, 5, 4097):
        fails(errno.EINVAL, app.set, option, bytes([1]) * length)
    for number in (0, -1, -2**31) if option != ENABLE else (2, -1):
        fails(errno.EINVAL, app.set, option, number)
    if option == ADD:
        for number in (8, 63, 64, 10**6, 2**31 - 1):
            fails(errno.EDQUOT, app.set, option, number)
    if option == REMOVE:
        for number in (1, 2, 10**6, 2**31 - 1):
            fails(errno.EBUSY, app.set, option, number)
    assert len(app.subflows()) == 1
    counters = served.daemon.status()["daemon"]["counters"]
    assert counters["requests"] == counters["creates"] == counters["destroys"] == 0


def test_get_with_a_small_buffer(served):
    served.sink()
    app = served.app(served.client).connect(served.far.ip4)
    fails(errno.ERANGE, app.get, SUBFLOWS, 55)
    assert len(app.get(SUBFLOWS, 56)) == 56
    fails(errno.EINVAL, app.get, CONNID, 3)
    fails(errno.EOPNOTSUPP, app.get, ADD, 4)
    fails(errno.EOPNOTSUPP, app.get, REMOVE, 4)


def test_sockets_that_have_no_subflows(served):
    served.sink()
    app = served.app(served.client).open()
    assert app.get(ENABLE) == 0, "1 only while the connection runs MPTCP"
    fails(errno.ENOTCONN, app.get, SUBFLOWS, 1024)
    fails(errno.ENOTCONN, app.get, CONNID, 4)
    fails(errno.EBUSY, app.set, REMOVE, 1)
    app("s.bind(('', 0)); s.listen()")
    fails(errno.ENOTCONN, app.get, SUBFLOWS, 1024)
    fails(errno.EOPNOTSUPP, app.set, ADD, 1)


def test_plain_tcp(served):
    served.sink()
    app = served.app(served.client).connect(served.far.ip4, protocol=0)
    assert app.get(ENABLE) == 0
    app.set(ENABLE, 0)
    fails(errno.EOPNOTSUPP, app.set, ENABLE, 1)
    fails(errno.EOPNOTSUPP, app.set, ADD, 1)
    fails(errno.EOPNOTSUPP, app.set, REMOVE, 1)
    for option in (ADD, REMOVE, NDIFFPORTS):
        fails(errno.EINVAL, app.set, option, 0)  # on no socket is that a number of subflows
    fails(errno.EOPNOTSUPP, app.get, SUBFLOWS, 1024)
    fails(errno.EOPNOTSUPP, app.get, CONNID, 4)


def test_a_connection_that_fell_back(served):
    served.sink(protocol=0)
    app = served.app(served.client).open()
    app.set(ADD, 1)
    app(f"s.connect(({served.far.ip4!r}, 7000))")
    app("s.send(b'x')")
    assert app.get(ENABLE) == 0
    app.set(ENABLE, 0)
    fails(errno.EOPNOTSUPP, app.set, ENABLE, 1)
    fails(errno.EOPNOTSUPP, app.set, ADD, 1)
    fails(errno.EOPNOTSUPP, app.get, SUBFLOWS, 1024)
    fails(errno.EOPNOTSUPP, app.get, CONNID, 4)


def test_one_direction_shut_down(served):
    """The connection goes on the other way: all but ADD works, at both ends."""
    server = served.sink()
    app = served.app(served.client).connect(served.far.ip4)
    app.set(ADD, 3)
    app.wait_subflows(4)
    wait_until(lambda: server("len(accepted)") == 1, "accepted")
    server.wait_subflows(4, "accepted[0]")
    wait_until(lambda: server("drained") == 1, "the byte is read")
    app("s.shutdown(socket.SHUT_WR)")
    assert server("accepted[0].recv(1)") == b""
    for end, name in ((app, "s"), (server, "accepted[0]")):
        assert end.get(ENABLE, socket_name=name) == 1
        assert end.connid(name)
        assert len(end.subflows(name)) == 4
    fails(errno.ENOTCONN, app.set, ADD, 1)
    app.set(REMOVE, 1)
    app.wait_subflows(3)
    server.wait_subflows(3, "accepted[0]")


def test_a_full_table_is_said_inside_the_call(pair):
    """Both ends of one connection are all that the daemon has room for."""
    daemon = pair.serve({"limits": {"max_connections": 2}})
    sink = pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    pair.connection(daemon, app)
    other = pair.app(pair.client).connect(pair.far.ip4)
    fails(errno.ENOBUFS, other.set, ADD, 1)
    fails(errno.ENOBUFS, other.open().set, ADD, 1)
    app.set(ADD, 1)  # it is one of the two
    app.wait_subflows(2)
    app.close()
    wait_until(lambda: sink("len(accepted)") == 2, "both are accepted")
    sink("while accepted: accepted.pop().close()")
    wait_until(lambda: not daemon.status()["connections"], "the table is empty")
    app.open().set(ADD, 1)
    app(f"s.connect(({pair.far.ip4!r}, 7000)); s.send(b'x')")
    app.wait_subflows(2)
    app.set(ADD, 1)  # it has been served before
    app.wait_subflows(3)
    other = pair.app(pair.client).connect(pair.far.ip4)
    fails(errno.ENOBUFS, other.set, ADD, 1)
    fails(errno.ENOBUFS, other.open().set, ADD, 1)


def test_enable_of_what_the_socket_is(served):
    app = served.app(served.client).open()
    app.set(ENABLE, 1)
    fails(errno.EOPNOTSUPP, app.set, ENABLE, 0)


def test_an_accepted_connection_cannot_add_but_remove(served):
    sink = served.sink()
    app = served.app(served.client).connect(served.far.ip4)
    app.set(ADD, 1)
    app.wait_subflows(2)
    wait_until(lambda: sink("len(accepted)") == 1, "accepted")
    sink("s = accepted[0]")
    sink.wait_subflows(2)
    fails(errno.EOPNOTSUPP, sink.set, ADD, 1)
    sink.set(REMOVE, 1)
    sink.wait_subflows(1)
    app.wait_subflows(1)


def test_more_calls_than_allowed(pair):
    daemon = pair.serve({"limits": {"calls_per_second": 5}})
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    assert app("""[0 if not s.setsockopt(6, 10003 + i % 2, 1) else 1 for i in range(4)]""") == [0] * 4
    fails(errno.EAGAIN, app, "[s.setsockopt(6, 10003 + i % 2, 1) for i in range(50)]")
    assert daemon.status()["daemon"]["counters"]["options_refused"] == 1


def test_applications_that_may_not_ask(pair):
    """EPERM from inside the call; what they may look at is there."""
    daemon = pair.serve({"limits": {"applications": "no"}})
    pair.sink()
    app = pair.app(pair.client).open()
    fails(errno.EPERM, app.set, ADD, 1)
    app.connect(pair.far.ip4)
    for option, value in ((ADD, 1), (REMOVE, 1), (NDIFFPORTS, 2), (ADD, packed(pair.near.ip4)),
                          (REMOVE, packed(pair.near.ip4)), (BACKUP, backup(pair.near.ip4, 1)),
                          (EXPECTED, bytes(8)), (INTENT, 1)):
        fails(errno.EPERM, app.set, option, value)
    assert app.get(ENABLE) == 1 and app.get(NDIFFPORTS) == 0
    assert app.connid() and len(app.subflows()) == 1
    does(daemon, "set", "limits.applications", "yes")
    app.set(ADD, 1)
    app.wait_subflows(2)


def test_the_limit_holds_when_threads_race(served):
    """16 threads ask for one subflow each: the limit of 8 lets exactly 7 through."""
    served.sink()
    app = served.app(served.client)

    def meet():
        race = Race(app.connect(served.far.ip4), [(ADD, 1)], threads=16)
        assert race.answers_to(ADD, 1) == {0: 7, errno.EDQUOT: 9}
        return race.overlaps

    wait_until(meet, "some of them are in the kernel at one time")
    app.wait_subflows(8)


def test_a_connection_of_the_in_kernel_path_manager(pair):
    """Born before the daemon: refused from inside the call, and status says why."""
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    daemon = pair.serve()
    fails(errno.EOPNOTSUPP, app.set, ADD, 1)
    fails(errno.EOPNOTSUPP, app.set, REMOVE, 1)
    assert len(app.subflows()) == 1
    connection = pair.connection(daemon, app)
    assert connection["state"] == "in-kernel path manager"
    assert "older than" in connection["decision"]

    socket_before = pair.app(pair.client)
    socket_before.connect(pair.far.ip4).set(ADD, 1)
    socket_before.wait_subflows(2)


def test_a_socket_made_before_the_daemon_and_connected_after(pair):
    pair.sink()
    app = pair.app(pair.client).open()
    daemon = pair.serve()
    fails(errno.EOPNOTSUPP, app.set, ADD, 1)
    app(f"s.connect(({pair.far.ip4!r}, 7000))")
    app("s.send(b'x')")
    fails(errno.EOPNOTSUPP, app.set, ADD, 1)
    wait_until(lambda: pair.connection(daemon, app)["state"] == "in-kernel path manager"
               and "older than" in pair.connection(daemon, app)["decision"], "status says why")


def test_a_server_without_subflow_needs_limits(pair):
    """The peer's in-kernel path manager accepts 2 joins by default, 3 when told so."""
    daemon = pair.serve(serve=[pair.client])
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app.set(ADD, 3)
    wait_until(lambda: daemon.status()["daemon"]["counters"]["refused_by_peer"] == 1, "one refused")
    app.wait_subflows(3)
    assert "ip mptcp limits set subflows" in pair.connection(daemon, app)["decision"]

    pair.server.run(["ip", "mptcp", "limits", "set", "subflows", "3"])
    other = pair.app(pair.client).connect(pair.far.ip4)
    other.set(ADD, 3)
    other.wait_subflows(4)


def test_without_the_daemon_the_options_do_not_exist(pair):
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    for call in (lambda: app.set(ADD, 1), lambda: app.get(SUBFLOWS, 1024)):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno in (errno.ENOPROTOOPT, errno.EOPNOTSUPP)


def test_where_no_daemon_serves_the_options_do_not_exist(pair):
    """The hooks are there, for another namespace."""
    pair.serve(serve=[pair.server])
    pair.sink()
    for protocol in (MPTCP, 0):
        app = pair.app(pair.client).connect(pair.far.ip4, protocol=protocol)
        calls = [(app.get, option, 1024) for option in range(ENABLE, INTENT + 1)]
        calls += [(app.set, ENABLE, value) for value in (0, 1)]
        calls += [(app.set, option, 1) for option in (ADD, REMOVE, NDIFFPORTS, INTENT)]
        # Malformed ones as well.
        calls += [(app.set, option, value) for option in (ADD, REMOVE, NDIFFPORTS, INTENT, ENABLE, EXPECTED, BACKUP)
                  for value in (-1, 99, bytes(3), bytes(17))]
        calls += [(app.set, EXPECTED, bytes(8)), (app.set, ADD, packed(pair.near.ip4)),
                  (app.set, BACKUP, backup(pair.near.ip4, 1))]
        for call, *arguments in calls:
            with pytest.raises(OSError) as caught:
                call(*arguments)
            assert caught.value.errno in (errno.ENOPROTOOPT, errno.EOPNOTSUPP), arguments


def test_a_socket_is_served_wherever_its_process_is(served):
    """What counts is the namespace that it was made in."""
    served.sink()
    app = served.app(served.client, uid=0).connect(served.far.ip4)
    app(f"""
import ctypes, os
assert ctypes.CDLL(None).unshare({CLONE_NEWNET}) == 0
""")
    app.set(ADD, 1)
    app.wait_subflows(2)
    app(f"inner = socket.socket(socket.AF_INET, socket.SOCK_STREAM, {MPTCP})")
    with pytest.raises(OSError) as caught:
        app.get(ENABLE, None, "inner")
    assert caught.value.errno in (errno.ENOPROTOOPT, errno.EOPNOTSUPP)


def test_other_options_pass_untouched(served):
    served.sink()
    app = served.app(served.client).connect(served.far.ip4)
    app(f"s.setsockopt({TCP}, socket.TCP_NODELAY, 1)")
    assert app(f"s.getsockopt({TCP}, socket.TCP_NODELAY)") == 1
    fails(errno.ENOPROTOOPT, app.set, 10001, 1)
    fails(errno.ENOPROTOOPT, app.set, 10011, 1)


def test_ring_full_loses_no_request(pair):
    """A stopped daemon and a ring of 4096 bytes: more doorbells than fit, and every ADD is done."""
    daemon = pair.serve({"hooks": {"ring_size": 4096}, "limits": {"max_subflows": 2}})
    pair.sink()
    app = pair.app(pair.client)
    count = 150
    app(f"""
socks = [socket.socket(socket.AF_INET, socket.SOCK_STREAM, {MPTCP}) for _ in range({count})]
for s in socks:
    s.connect(({pair.far.ip4!r}, 7000))
    s.send(b"x")
""")

    def established():
        connections = daemon.status()["connections"]
        return sum(c["role"] == "client" and c["namespace"] == pair.client.name
                   for c in connections) == count

    wait_until(established, "all connections in status")
    daemon.process.send_signal(signal.SIGSTOP)
    app("for s in socks: s.setsockopt(6, 10003, 1)")
    daemon.process.send_signal(signal.SIGCONT)
    wait_until(lambda: set(app(
        "[len(s.getsockopt(6, 10005, 1024)) // 56 for s in socks]")) == {2}, "every ADD is done")
    counters = daemon.status()["daemon"]["counters"]
    assert counters["records_lost"] > 0, "the ring was never full: the test shows nothing"
    assert counters["walks"] > 1
    assert counters["requests"] == counters["creates"] == count


# Opens subflows as no path manager of ours would: linux/genetlink.h, linux/mptcp.h.
OPEN_MANY = r"""
def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)

def ask(family, flags, command, data):
    netlink.send(struct.pack("=IHHIIBBH", 20 + len(data), family, flags, 0, 0, command, 1, 0) + data)
    return netlink.recv(65536)

def end(address, number=b""):
    return attribute(1, struct.pack("=H", socket.AF_INET)) + attribute(3, socket.inet_aton(address)) + number

netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
answer = ask(16, 1, 3, attribute(2, b"mptcp_pm\0"))
family = struct.unpack_from("=H", answer, answer.index(struct.pack("=HH", 6, 1), 20) + 4)[0]

def open_one(token, near, far, port):
    remote = end(far, attribute(5, struct.pack("=H", port)))
    answer = ask(family, 5, 10, attribute(4, struct.pack("=I", token))
                 + attribute(0x8001, end(near, attribute(2, b"\1"))) + attribute(0x8006, remote))
    return struct.unpack_from("=i", answer, 16)[0]
"""


def test_a_peer_may_open_more_than_we_would(pair):
    """All that a buffer of 4096 bytes holds are told, and taken away; more of them are ERANGE."""
    for node in (pair.client, pair.server):
        node.sysctl({"net.mptcp.pm_type": "1"})
    daemon = pair.serve(serve=[pair.server])
    server = pair.sink()
    # Python's getsockopt() takes no buffer of that size.
    server("""
import ctypes
def pairs():
    value, length = ctypes.create_string_buffer(4096), ctypes.c_uint32(4096)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.getsockopt(accepted[0].fileno(), 6, 10005, value, ctypes.byref(length)):
        raise OSError(ctypes.get_errno(), "SUBFLOWS")
    return length.value // 56
""")
    app = pair.app(pair.client, uid=0).connect(pair.far.ip4)
    app(OPEN_MANY)
    token = token_of_mptcp_info(app)

    def count():
        """None: more than the buffer holds."""
        try:
            return server("pairs()")
        except OSError as error:
            assert error.errno == errno.ERANGE
            return None

    def backups():
        token = server.connid("accepted[0]")
        return sum(s["backup"] for c in daemon.status()["connections"] if c["token"] == token
                   for s in c["subflows"])

    def has(most):
        """Or opens one more. Some come to nothing when many are opened at once."""
        if (there := count()) is None or there >= most:
            return True
        assert app(f"open_one({token}, {pair.near.ip4!r}, {pair.far.ip4!r}, 7000)") == 0
        return False

    wait_until(lambda: server("len(accepted)"), "accepted")
    wait_until(lambda: has(70), lambda: f"70 subflows, there are {count()}", timeout_s=30)
    assert 70 <= count() <= 73
    server.set(BACKUP, backup(pair.far.ip4, 1), "accepted[0]")
    wait_until(lambda: backups() >= 70, lambda: f"70 backups, there are {backups()}")
    wait_until(lambda: has(74), lambda: f"more than 73 subflows, there are {count()}", timeout_s=30)
    assert count() is None
    server.set(REMOVE, 64, "accepted[0]")
    wait_until(lambda: count() and count() < 20, "they are closed")
