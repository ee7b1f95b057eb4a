# SPDX-License-Identifier: MIT
"""TCP_MULTIPATH_ADD and REMOVE with lists of local addresses, as sctp_bindx(3) packs them."""
import errno
import signal
import socket
import struct

import pytest
from app import ADD, REMOVE
from lab.netns import wait_until

PORT = 7000
MSG_FASTOPEN, TCP_FASTOPEN_CONNECT = 0x20000000, 30
# connect(2) to AF_UNSPEC, which Python cannot.
DISCONNECT = """
import ctypes
assert ctypes.CDLL(None).connect(s.fileno(), bytes(16), 16) == 0
"""


def end(address, port=0):
    """A struct sockaddr_in or sockaddr_in6."""
    if ":" in address:
        return struct.pack("=HxxI16sI", socket.AF_INET6, 0,
                           socket.inet_pton(socket.AF_INET6, address), 0)[:2] + struct.pack(
            "!H", port) + struct.pack("=I16sI", 0, socket.inet_pton(socket.AF_INET6, address), 0)
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_pton(
        socket.AF_INET, address) + bytes(8)


def ends(*addresses):
    return b"".join(end(*a) if isinstance(a, tuple) else end(a) for a in addresses)


def fails(expected, call, *arguments):
    with pytest.raises(OSError) as caught:
        call(*arguments)
    assert errno.errorcode[caught.value.errno] == errno.errorcode[expected]


@pytest.fixture
def homes(served):
    """Both ends have a second address on a link of its own, which is taken by what leaves with the
    client's second address."""
    served.near2, served.far2 = served.veth(served.client, served.server, "server2", "client2",
                                            rate_mbit=1000)
    for family, near, far in (("-4", served.near2.ip4, served.far2.ip4),
                              ("-6", served.near2.ip6, served.far2.ip6)):
        served.client.run(["ip", family, "rule", "add", "from", near, "lookup", "102"])
        served.client.run(["ip", family, "route", "add", "default", "via", far, "dev", "server2",
                           "table", "102"])
    wait_until(lambda: "tentative" not in served.client.run(["ip", "-6", "address"]),
               "addresses are there")
    served.sink(address="::", family=socket.AF_INET6)
    return served


def locals_of(app):
    return sorted(near[0] for near, _ in app.subflows())


def wait_locals(app, *addresses):
    wait_until(lambda: locals_of(app) == sorted(addresses),
               lambda: f"subflows from {addresses}, there are {app.subflows()}")


def done(app, option, value):
    try:
        app.set(option, value)
        return True
    except OSError as error:
        # ENOBUFS: the daemon has not heard yet of what was taken away.
        assert error.errno in (errno.EAGAIN, errno.EADDRNOTAVAIL, errno.ENOBUFS)
        return False


def added(app, value):
    return done(app, ADD, value)


def is_told(homes):
    """The kernel says once that an address goes, with whichever packet leaves next: while much is
    sent, a full queue drops that one now and then. Not all kernels count what they say."""
    return homes.client.netstat().get("MPTcpExtRmAddrTx") or homes.server.netstat()["MPTcpExtRmAddr"]


@pytest.mark.parametrize("family", ["ip4", "ip6"])
def test_one_more_from_each_address(homes, family):
    near, near2, far = (getattr(e, family) for e in (homes.near, homes.near2, homes.far))
    app = homes.app(homes.client).connect(far)
    before = homes.client.tx_bytes()["server2"]
    app.set(ADD, ends(near2, near, near2))
    wait_locals(app, near, near, near2, near2)
    app("send(s, 20000000)")
    wait_until(lambda: homes.client.tx_bytes()["server2"] - before > 2000000,
               "the second link carries data")
    app.set(REMOVE, ends(near2))
    wait_locals(app, near, near)
    wait_until(lambda: is_told(homes), "the peer is told")
    app.set(ADD, ends(near2))
    wait_locals(app, near, near, near2)


def test_what_was_taken_away_takes_no_room_from_others(homes):
    """It is remembered for a daemon to come where a slot is free, and no call fails for that."""
    app = homes.app(homes.client).connect(homes.far.ip4)
    hosts = [f"127.0.1.{i}" for i in range(1, 9)]
    for _ in range(2):
        for host in (*hosts, homes.near2.ip4):
            wait_until(lambda host=host: added(app, ends(host)), "the limit on calls lets it by")
            wait_until(lambda host=host: done(app, REMOVE, ends(host)), "and that")
    six = ends(*[(homes.near2.ip4, 5000 + i) for i in range(6)])
    wait_until(lambda: added(app, six), "the daemon has heard what was taken away")
    wait_locals(app, homes.near.ip4, *[homes.near2.ip4] * 6)


def test_a_refused_call_forgets_nothing(kept):
    """Of what was taken away it could have had all the slots: the next daemon knows of it still."""
    first, second = kept.pair.near.ip4, kept.pair.near.ip4.rpartition(".")[0] + ".99"
    kept.pair.client.ip(f"address add {second}/24 dev {kept.pair.near.device}")
    app, others = kept.connect(), ends(*[f"127.0.1.{i}" for i in range(1, 7)])
    wait_until(lambda: added(app, ends(second)), "it is local")
    wait_locals(app, first, second)
    app.set(ADD, others)
    app.set(REMOVE, others)
    app.set(REMOVE, ends(first))
    wait_locals(app, second)

    def refusal(value):
        with pytest.raises(OSError) as caught:
            app.set(ADD, value)
        return caught.value.errno

    seven = [(second, 5000 + i) for i in range(7)]
    wait_until(lambda: refusal(ends(*seven, "192.0.2.1")) == errno.EADDRNOTAVAIL,
               "the daemon has heard what was taken away")
    kept.again(signal.SIGKILL)
    app.set(ADD, 1)
    wait_locals(app, second, second)


def test_what_is_removed_is_one_of_the_addresses(pair):
    """Where as many are listed as there may be, one of them goes first."""
    pair.serve({"limits": {"max_subflows": 16}})
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    other = pair.near.ip4.rpartition(".")[0] + ".99"
    pair.client.ip(f"address add {other}/24 dev {pair.near.device}")
    wait_until(lambda: added(app, ends(*[(other, 5000 + i) for i in range(8)])), "it is local")
    wait_locals(app, pair.near.ip4, *[other] * 8)
    fails(errno.ENOBUFS, app.set, REMOVE, ends(pair.near.ip4))
    wait_locals(app, pair.near.ip4, *[other] * 8)
    app.set(REMOVE, ends((other, 5000)))
    wait_until(lambda: done(app, REMOVE, ends(pair.near.ip4)), "the daemon has heard of that one")
    wait_locals(app, *[other] * 7)


def test_an_address_that_is_added_again_counts(homes):
    """Its subflows are among those that may not be too many, also the one that names a port."""
    near, near2 = homes.near.ip4, homes.near2.ip4
    app = homes.app(homes.client).connect(homes.far.ip4)
    for again in (near2, (near2, 5001)):
        app.set(ADD, ends(near2))
        wait_locals(app, near, near2)
        app.set(REMOVE, ends(near2))
        wait_locals(app, near)
        app.set(ADD, ends(again))
        wait_locals(app, near, near2)
        fails(errno.EDQUOT, app.set, ADD, 7)
        fails(errno.EBUSY, app.set, REMOVE, 2)
        app.set(REMOVE, ends(near2))
        wait_locals(app, near)


def test_a_v4_mapped_address_is_ipv4(homes):
    app = homes.app(homes.client).connect("::ffff:" + homes.far.ip4)
    app.set(ADD, ends("::ffff:" + homes.near2.ip4, homes.near2.ip4))
    mapped, mapped2 = "::ffff:" + homes.near.ip4, "::ffff:" + homes.near2.ip4
    wait_locals(app, mapped, mapped2, mapped2)
    app.set(REMOVE, ends(homes.near2.ip4))
    wait_locals(app, mapped)


def test_a_port_is_bound_to_exactly(homes):
    app = homes.app(homes.client).connect(homes.far.ip4)
    app.set(ADD, ends((homes.near2.ip4, 5001), (homes.near.ip4, 5002), homes.near2.ip4))
    app.wait_subflows(4)
    assert {(homes.near2.ip4, 5001), (homes.near.ip4, 5002)} <= {near for near, _ in app.subflows()}
    app.set(REMOVE, ends((homes.near2.ip4, 5001)))
    app.wait_subflows(3)
    assert (homes.near2.ip4, 5001) not in {near for near, _ in app.subflows()}
    wait_locals(app, homes.near.ip4, homes.near.ip4, homes.near2.ip4)


@pytest.mark.parametrize("family", ["ip4", "ip6", "mapped"])
@pytest.mark.parametrize("blocking", [True, False])
def test_before_connect_the_list_is_a_restriction(homes, family, blocking):
    """The first subflow too leaves from the list, in which the route's own address is not."""
    prefix, kind = ("::ffff:", "ip4") if family == "mapped" else ("", family)
    near, near2, far = (getattr(e, kind) for e in (homes.near, homes.near2, homes.far))
    app = homes.app(homes.client).open(socket.AF_INET if family == "ip4" else socket.AF_INET6)
    app.set(ADD, ends(near2, near2))
    if not blocking:
        app("s.setblocking(False)")
        fails(errno.EINPROGRESS, app, f"s.connect(({prefix + far!r}, {PORT}))")
        app("import select; select.select([], [s], []); s.setblocking(True)")
    else:
        app(f"s.connect(({prefix + far!r}, {PORT}))")
    app("s.send(b'x')")
    assert app("s.getsockname()[0]") == prefix + near2
    wait_locals(app, prefix + near2, prefix + near2)
    app.set(ADD, 2)
    wait_locals(app, *[prefix + near2] * 4)
    app.set(ADD, ends(near))
    wait_locals(app, prefix + near, *[prefix + near2] * 4)


def test_before_connect_as_many_are_listed_as_there_may_be(homes):
    """The first subflow is one of them."""
    near2 = homes.near2.ip4
    app = homes.app(homes.client).open()
    fails(errno.EDQUOT, app.set, ADD, ends(*[near2] * 9))
    app.set(ADD, ends(*[near2] * 8))
    fails(errno.EDQUOT, app.set, ADD, ends(near2))
    fails(errno.EDQUOT, app.set, ADD, 1)
    app(f"s.connect(({homes.far.ip4!r}, {PORT})); s.send(b'x')")
    wait_locals(app, *[near2] * 8)


def test_first_port_of_the_restriction(homes):
    app = homes.app(homes.client).open()
    app.set(ADD, ends((homes.near2.ip4, 5005), homes.near.ip4))
    app(f"s.connect(({homes.far.ip4!r}, {PORT})); s.send(b'x')")
    assert app("s.getsockname()") == (homes.near2.ip4, 5005)
    wait_locals(app, homes.near.ip4, homes.near2.ip4)


def test_a_restriction_is_lifted_before_connect(homes):
    app = homes.app(homes.client).open()
    app.set(ADD, ends(homes.near2.ip4))
    fails(errno.EADDRNOTAVAIL, app.set, REMOVE, ends(homes.near.ip4))
    app.set(REMOVE, ends(homes.near2.ip4))
    app(f"s.connect(({homes.far.ip4!r}, {PORT})); s.send(b'x')")
    app.set(ADD, 1)
    wait_locals(app, homes.near.ip4, homes.near.ip4)


def test_a_socket_that_connects_again_leaves_from_what_is_left(homes):
    """Its first slot still holds the address that was taken away: the daemon has not heard of it."""
    app = homes.app(homes.client).connect(homes.far.ip4)
    app.set(ADD, ends(homes.near.ip4, homes.near2.ip4))
    wait_locals(app, homes.near.ip4, homes.near.ip4, homes.near2.ip4)
    homes.daemon.process.send_signal(signal.SIGSTOP)
    app.set(REMOVE, ends(homes.near.ip4))
    app(DISCONNECT)
    app.set(ADD, ends(homes.near2.ip4))
    app(f"s.connect(({homes.far.ip4!r}, {PORT})); s.send(b'x')")
    assert locals_of(app) == [homes.near2.ip4]
    homes.daemon.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("how", ["MSG_FASTOPEN", "TCP_FASTOPEN_CONNECT"])
@pytest.mark.parametrize("family", ["ip4", "ip6"])
def test_the_restriction_holds_without_a_connect_of_its_own(homes, family, how):
    """Sent with the SYN, or as if: the first subflow is restricted all the same."""
    near2, far = getattr(homes.near2, family), getattr(homes.far, family)
    app = homes.app(homes.client).open(socket.AF_INET if family == "ip4" else socket.AF_INET6)
    app.set(ADD, ends(near2, near2))
    try:
        if how == "MSG_FASTOPEN":
            app(f"s.sendto(b'x', {MSG_FASTOPEN}, ({far!r}, {PORT}))")
        else:
            app(f"s.setsockopt(6, {TCP_FASTOPEN_CONNECT}, 1); s.connect(({far!r}, {PORT})); s.send(b'x')")
    except OSError as error:
        assert error.errno in (errno.EOPNOTSUPP, errno.ENOPROTOOPT)
        pytest.skip("enable-carries: MPTCP sockets do not know fast open here")
    wait_locals(app, near2, near2)
    assert app("s.getsockname()[0]") == near2


@pytest.mark.parametrize("kind", ["ip6", "mapped"])
def test_a_bound_ipv6_socket(homes, kind):
    near, near2, far = (e.ip6 if kind == "ip6" else f"::ffff:{e.ip4}"
                        for e in (homes.near, homes.near2, homes.far))
    app = homes.app(homes.client).open(socket.AF_INET6)
    app(f"s.bind(({near2!r}, 0)); s.connect(({far!r}, {PORT})); s.send(b'x')")
    app.set(ADD, 2)
    wait_locals(app, near2, near2, near2)
    app.set(ADD, ends(near))
    wait_locals(app, near, near2, near2, near2)
    # With a list before connect, in which it has to be.
    app = homes.app(homes.client).open(socket.AF_INET6)
    app(f"s.bind(({near2!r}, 0))")
    fails(errno.EADDRNOTAVAIL, app.set, ADD, ends(near))
    app.set(ADD, ends(near, near2))
    app(f"s.connect(({far!r}, {PORT})); s.send(b'x')")
    assert app("s.getsockname()[0]") == near2
    wait_locals(app, near, near2)


def test_bound_and_restricted(homes):
    app = homes.app(homes.client).open()
    app(f"s.bind(({homes.near.ip4!r}, 0))")
    fails(errno.EADDRNOTAVAIL, app.set, ADD, ends(homes.near2.ip4))
    app.set(ADD, ends(homes.near2.ip4, homes.near.ip4))
    app(f"s.connect(({homes.far.ip4!r}, {PORT})); s.send(b'x')")
    wait_locals(app, homes.near.ip4, homes.near2.ip4)
    # Bound afterwards.
    app = homes.app(homes.client).open()
    app.set(ADD, ends(homes.near2.ip4))
    app(f"s.bind(({homes.near.ip4!r}, 0))")
    fails(errno.EADDRNOTAVAIL, app, f"s.connect(({homes.far.ip4!r}, {PORT}))")
    # An address of the other family alone.
    app = homes.app(homes.client).open(socket.AF_INET6)
    app.set(ADD, ends(homes.near2.ip4))
    fails(errno.EADDRNOTAVAIL, app, f"s.connect(({homes.far.ip6!r}, {PORT}))")


def test_the_last_subflow_goes_when_a_listed_one_is_there(homes):
    app = homes.app(homes.client).connect(homes.far.ip4)
    fails(errno.EBUSY, app.set, REMOVE, ends(homes.near.ip4))
    app.set(ADD, ends(homes.near2.ip4))
    wait_locals(app, homes.near.ip4, homes.near2.ip4)
    app.set(REMOVE, 1)
    wait_locals(app, homes.near.ip4)
    app.set(REMOVE, ends(homes.near.ip4))
    wait_locals(app, homes.near2.ip4)
    app("s.send(b'still here')")
    fails(errno.EBUSY, app.set, REMOVE, ends(homes.near2.ip4))
    # What was taken away is not used again, until it is added.
    app.set(ADD, 1)
    wait_locals(app, homes.near2.ip4, homes.near2.ip4)
    app.set(ADD, ends(homes.near.ip4))
    wait_locals(app, homes.near.ip4, homes.near2.ip4, homes.near2.ip4)


def test_removed_before_connect(homes):
    near, near2 = homes.near.ip4, homes.near2.ip4
    app = homes.app(homes.client).open()
    app.set(ADD, ends(near, near2, near2))
    app.set(REMOVE, 1)
    app(f"s.connect(({homes.far.ip4!r}, {PORT})); s.send(b'x')")
    wait_locals(app, near, near2)
    # There is room for exactly as many more.
    app.set(ADD, 6)
    wait_locals(app, near2, *[near] * 7)


def test_errors_change_nothing(homes):
    near, near2 = homes.near.ip4, homes.near2.ip4
    app = homes.app(homes.client).connect(homes.far.ip4)
    for bad in (end(near)[:15], end(near) + b"x", end("0.0.0.0"), end("::"), end(near2) * 2 + b"1234",
                end(homes.near.ip6), b"\x01\x00" + end(near)[2:], end("::ffff:0.0.0.0")):
        fails(errno.EINVAL, app.set, ADD, bad)
    for bad in ("192.0.2.1", homes.far.ip4, "224.0.0.1", "255.255.255.255"):
        fails(errno.EADDRNOTAVAIL, app.set, ADD, ends(near2, bad))
    fails(errno.EACCES, app.set, ADD, ends(near2, (near, 80)))
    # As bind(2) says it, and of the first one that is wrong.
    fails(errno.EADDRNOTAVAIL, app.set, ADD, ends(("192.0.2.1", 80)))
    fails(errno.EACCES, app.set, ADD, ends((near, 80), "192.0.2.1"))
    homes.client.sysctl({"net.ipv4.ip_unprivileged_port_start": "2000"})
    fails(errno.EACCES, app.set, ADD, ends((near, 1999)))
    fails(errno.EDQUOT, app.set, ADD, ends(*[near2] * 8))
    fails(errno.EDQUOT, app.set, ADD, ends(*[near2] * 100))
    fails(errno.ENOBUFS, app.set, ADD, ends(*[(near2, 5000 + i) for i in range(9)]))
    fails(errno.EADDRNOTAVAIL, app.set, REMOVE, ends(near2))
    fails(errno.EADDRNOTAVAIL, app.set, REMOVE, ends((near, 9)))
    assert len(app.subflows()) == 1
    counters = homes.daemon.status()["daemon"]["counters"]
    assert counters["requests"] == counters["creates"] == counters["destroys"] == 0
    app.set(ADD, ends(*[near2] * 7))
    wait_locals(app, near, *[near2] * 7)
    fails(errno.EDQUOT, app.set, ADD, ends(near))

    app = homes.app(homes.client).connect(homes.far.ip6)
    fails(errno.EADDRNOTAVAIL, app.set, ADD, ends("fe80::1"))
    plain = homes.app(homes.client).connect(homes.far.ip4, protocol=0)
    fails(errno.EOPNOTSUPP, plain.set, ADD, ends(near))
    fails(errno.EOPNOTSUPP, plain.set, REMOVE, ends(near))


@pytest.mark.parametrize("family, host, net, length", [
    (socket.AF_INET, "198.51.100.7", "198.51.100.0/24", 32),
    (socket.AF_INET6, "2001:db8:7::7", "2001:db8:7::/64", 128)], ids=["ip4", "ip6"])
def test_what_is_local_follows_the_routes(homes, family, host, net, length):
    """Those of the socket's own namespace."""
    app = homes.app(homes.client).open()
    app.set(ADD, ends("127.1.2.3"))
    app.open(family)
    fails(errno.EADDRNOTAVAIL, app.set, ADD, ends(host))
    # What is local elsewhere is not here.
    homes.server.ip(f"address add {host}/{length} dev client2 nodad")
    server = homes.app(homes.server)

    def can_add(who):
        try:
            who.open(family).set(ADD, ends(host))
            return True
        except OSError as error:
            assert error.errno == errno.EADDRNOTAVAIL
            return False

    wait_until(lambda: can_add(server), "it is local at the server")
    assert not can_add(app)
    for come, go in ((f"address add {host}/{length} dev server2 nodad",
                      f"address del {host}/{length} dev server2"),
                     (f"route add local {net} dev lo", f"route del local {net} dev lo")):
        homes.client.ip(come)
        wait_until(lambda: can_add(app), come)
        homes.client.ip(go)
        wait_until(lambda: not can_add(app), go)
    assert can_add(server)


def test_a_fork_shares_the_list(homes):
    app = homes.app(homes.client).connect(homes.far.ip4)
    app(f"""
import os
if not os.fork():
    s.setsockopt(6, {ADD}, {ends(homes.near2.ip4)!r})
    os._exit(0)
os.wait()
s.setsockopt(6, {ADD}, {ends(homes.near2.ip4)!r})
""")
    wait_locals(app, homes.near.ip4, homes.near2.ip4, homes.near2.ip4)


def test_bound_to_a_device(homes):
    app = homes.app(homes.client, uid=0).open()
    app("s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'server2')")
    app.set(ADD, ends(homes.near2.ip4, homes.near2.ip4))
    before = homes.client.tx_bytes()["server"]
    app(f"s.connect(({homes.far2.ip4!r}, {PORT})); s.send(b'x')")
    wait_locals(app, homes.near2.ip4, homes.near2.ip4)
    app("send(s, 3000000)")
    assert homes.client.tx_bytes()["server"] - before < 10000


def test_an_accepted_connection_announces(homes):
    """The client's daemon hears of it, and of its end."""
    app = homes.app(homes.client).connect(homes.far.ip4)
    token = app.connid()
    server = homes.app(homes.server)
    server.sink(PORT + 1)
    app.connect(homes.far.ip4, PORT + 1)
    wait_until(lambda: server("len(accepted)") == 1, "accepted")
    server.set(ADD, ends(homes.far2.ip4), "accepted[0]")
    connection = wait_until(lambda: [c for c in homes.daemon.status()["connections"]
                                     if c["token"] == app.connid() and c["announced"]],
                            "the client hears of the address")[0]
    assert connection["announced"][0]["remote"] == f"{homes.far2.ip4}:{PORT + 1}"
    fails(errno.EADDRNOTAVAIL, server.set, REMOVE, ends("127.0.0.1"), "accepted[0]")
    fails(errno.EBUSY, server.set, REMOVE, ends(homes.far.ip4), "accepted[0]")
    server.set(REMOVE, ends(homes.far2.ip4), "accepted[0]")
    wait_until(lambda: not homes.connection(homes.daemon, app)["announced"], "it is withdrawn")
    assert app.connid() != token


@pytest.mark.parametrize("by", ["its port", "its address"])
@pytest.mark.parametrize("port", [PORT + 1, 5000], ids=["the listener's port", "another port"])
def test_what_was_announced_with_a_port_is_withdrawn(homes, port, by):
    """No subflow uses it, and no other address is there: the client's daemon hears of both."""
    app, server = homes.app(homes.client), homes.app(homes.server)
    server.sink(PORT + 1)
    app.connect(homes.far.ip4, PORT + 1)
    wait_until(lambda: server("len(accepted)") == 1, "accepted")
    server.set(ADD, ends((homes.far2.ip4, port)), "accepted[0]")
    wait_until(lambda: homes.connection(homes.daemon, app)["announced"], "the client hears of it")
    server.set(REMOVE, ends((homes.far2.ip4, port if by == "its port" else 0)), "accepted[0]")
    wait_until(lambda: not homes.connection(homes.daemon, app)["announced"], "it is withdrawn")


def test_what_was_announced_is_withdrawn_whatever_has_become_of_its_subflows(pair):
    """With the first subflow that it is told to close the kernel forgets the id of its address."""
    pair.near2, pair.far2 = pair.veth(pair.client, pair.server, "server2", "client2", rate_mbit=1000)
    daemon = pair.serve({"policy": {"fullmesh": "yes"}})
    app, server = pair.app(pair.client), pair.app(pair.server)
    server.sink(PORT)
    app.connect(pair.far.ip4)
    wait_until(lambda: server("len(accepted)") == 1, "accepted")
    server.set(ADD, ends(pair.far2.ip4), "accepted[0]")
    app.wait_subflows(4)
    server.wait_subflows(4, "accepted[0]")
    server.set(REMOVE, 3, "accepted[0]")
    app.wait_subflows(1)
    assert pair.connection(daemon, app)["announced"]
    server.set(REMOVE, ends(pair.far2.ip4), "accepted[0]")
    wait_until(lambda: not pair.connection(daemon, app)["announced"], "it is withdrawn")
    wait_until(lambda: len(app.subflows()) == 1, "and nothing is left there")


def test_the_count_of_an_address_does_not_wrap(pair):
    """65535 subflows from one address, over all calls; on a listener nothing else bounds them."""
    pair.serve({"limits": {"calls_per_second": 1000000, "calls_per_second_of_user": 1000000}})
    server = pair.sink()
    many = ends(pair.far.ip4) * 64
    server(f"for _ in range(1023): listener.setsockopt(6, {ADD}, {many!r})")
    fails(errno.EDQUOT, server.set, ADD, many, "listener")
    server.set(ADD, many[16:], "listener")
    fails(errno.EDQUOT, server.set, ADD, ends(pair.far.ip4), "listener")
    server.set(REMOVE, ends(pair.far.ip4), "listener")
    server.set(ADD, many, "listener")


def test_a_list_that_is_refused_is_not_handed_down(served):
    """Else the daemon would be told of it for each connection that is accepted."""
    server = served.sink()
    fails(errno.EADDRNOTAVAIL, server.set, ADD, ends(served.near.ip4), "listener")
    app = served.app(served.client).connect(served.far.ip4)
    wait_until(lambda: server("len(accepted)"), "accepted")
    served.connection(served.daemon, app)
    assert served.daemon.status()["daemon"]["counters"]["records"] == 0


def test_a_listener_hands_its_list_down(homes):
    server = homes.app(homes.server)
    server.sink(PORT + 1)
    fails(errno.EOPNOTSUPP, server.set, ADD, 1, "listener")
    server.set(ADD, ends(homes.far.ip4, homes.far2.ip4), "listener")
    for _ in range(2):
        app = homes.app(homes.client).connect(homes.far.ip4, PORT + 1)
        wait_until(lambda: homes.connection(homes.daemon, app)["announced"],
                   "the client hears of the address")
    server.set(REMOVE, ends(homes.far.ip4, homes.far2.ip4), "listener")
    app = homes.app(homes.client).connect(homes.far.ip4, PORT + 1)
    app.set(ADD, 1)
    app.wait_subflows(2)
    assert not homes.connection(homes.daemon, app)["announced"]


def test_what_a_listener_has_handed_down_can_be_taken_away(homes):
    """Given in several calls, as one call an address is how it is written; the connection's own
    calls are counted anew."""
    server = homes.app(homes.server)
    server.sink(PORT + 1)
    server.set(ADD, ends(homes.far.ip4), "listener")
    server.set(ADD, ends(homes.far2.ip4), "listener")
    app = homes.app(homes.client).connect(homes.far.ip4, PORT + 1)
    wait_until(lambda: homes.connection(homes.daemon, app)["announced"], "it is announced")
    server.set(REMOVE, ends(homes.far2.ip4), "accepted[0]")
    wait_until(lambda: not homes.connection(homes.daemon, app)["announced"], "it is withdrawn")


def test_a_listener_may_change_its_list_as_often_as_it_likes(pair):
    pair.serve({"limits": {"calls_per_second": 1000000, "calls_per_second_of_user": 1000000}})
    server = pair.sink()
    one = ends(pair.far.ip4)
    server(f"""
for _ in range(16500):
    listener.setsockopt(6, {ADD}, {one!r})
    listener.setsockopt(6, {REMOVE}, {one!r})
""")
    server.set(ADD, one, "listener")


def test_what_is_announced_is_no_subflow(homes):
    """Not even before the daemon has heard of it: the only one cannot go."""
    server = homes.app(homes.server)
    server.sink(PORT + 1)
    homes.app(homes.client).connect(homes.far.ip4, PORT + 1)
    wait_until(lambda: server("len(accepted)") == 1, "accepted")
    homes.daemon.process.send_signal(signal.SIGSTOP)
    server.set(ADD, ends(homes.far2.ip4), "accepted[0]")
    fails(errno.EBUSY, server.set, REMOVE, 1, "accepted[0]")
    homes.daemon.process.send_signal(signal.SIGCONT)


def test_a_listener_hands_its_restriction_down(homes):
    """Subflows that come to other addresses are closed, but for the first. What the listener held
    when the handshake was done counts, not what it is given later."""
    near, near2, far, far2 = (e.ip4 for e in (homes.near, homes.near2, homes.far, homes.far2))
    server = homes.app(homes.server)
    server.sink(PORT + 1)
    server.set(ADD, ends(far2), "listener")
    app = homes.app(homes.client).connect(far, PORT + 1)
    wait_until(lambda: server("len(accepted)") == 1, "accepted")
    server.set(REMOVE, ends(far2), "listener")
    server.set(ADD, ends(far), "listener")

    # It goes to where the first one went.
    app.set(ADD, ends(near2))
    wait_until(lambda: homes.daemon.status()["daemon"]["counters"]["destroys"], "it is closed")
    wait_locals(app, near)
    assert len(server.subflows("accepted[0]")) == 1
    assert server.subflows("accepted[0]")[0][0] == (far, PORT + 1)
    # A later connection holds the later list.
    other = homes.app(homes.client).connect(far, PORT + 1)
    wait_until(lambda: server("len(accepted)") == 2, "accepted")
    other.set(ADD, ends(near2, near))
    wait_locals(other, near, near, near2)
    assert len(server.subflows("accepted[1]")) == 3


def test_a_port_that_is_announced_is_the_applications_to_serve(homes):
    """A listener of its own is needed there; where it is, the client joins it."""
    near, near2, far, far2 = (e.ip4 for e in (homes.near, homes.near2, homes.far, homes.far2))
    homes.daemon.process.terminate()
    homes.daemon.process.wait()
    homes.daemon = homes.serve({"policy": {"fullmesh": "yes"}})
    server = homes.app(homes.server)
    server.sink(PORT + 1)
    server(f"""
door = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
door.bind(({far2!r}, 9000))
door.listen()
""")
    app = homes.app(homes.client).connect(far, PORT + 1)
    wait_until(lambda: server("len(accepted)") == 1, "accepted")
    server.set(ADD, ends((far2, 9000)), "accepted[0]")
    wait_until(lambda: {remote for _, remote in app.subflows()} == {(far, PORT + 1), (far2, 9000)},
               lambda: f"subflows to both, there are {app.subflows()}")
    assert (far2, 9000) in {local for local, _ in server.subflows("accepted[0]")}
