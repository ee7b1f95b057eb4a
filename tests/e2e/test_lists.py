# SPDX-License-Identifier: MIT
"""TCP_MULTIPATH_ADD and REMOVE with lists of local addresses, on connections."""
import errno
import json
import signal
import socket

import pytest
from app import ADD, REMOVE
from lab.netns import wait_until
from lists import added, done, end, ends, fails, homes, wait_locals  # noqa: F401


def is_told(homes):
    """The kernel says once that an address goes, with whichever packet leaves next: while much is
    sent, a full queue drops that one now and then. Not all kernels count what they say."""
    return homes.client.netstat().get("MPTcpExtRmAddrTx") or homes.server.netstat()["MPTcpExtRmAddr"]


@pytest.mark.parametrize("family", ["ip4", "ip6"])
def test_one_more_from_each_address(homes, family):
    near, near2, far = (getattr(e, family) for e in (homes.near, homes.near2, homes.far))
    app = homes.app(homes.client).connect(far)
    before = homes.client.tx_bytes()["server2"]
    homes.narrow(50)
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


def test_addresses_of_one_call_take_no_room_from_one_another(homes):
    """All room is taken by what was taken away: what is asked for again keeps its own."""
    near = homes.near.ip4
    hosts = [near.rpartition(".")[0] + f".{100 + i}" for i in range(9)]
    homes.client.ip(*(f"address add {host}/24 dev {homes.near.device}" for host in hosts))
    app = homes.app(homes.client).connect(homes.far.ip4)
    for host in hosts[:8]:
        wait_until(lambda host=host: added(app, ends(host)), "it is local")
        wait_until(lambda host=host: done(app, REMOVE, ends(host)), "the limit on calls lets it by")
    wait_locals(app, near)
    for again in hosts[0], hosts[7]:
        wait_until(lambda again=again: added(app, ends(again, hosts[8])), "the daemon has heard what was taken away")
        wait_locals(app, near, again, hosts[8])
        app.set(REMOVE, ends(again, hosts[8]))
        wait_locals(app, near)


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


def test_what_is_taken_away_counts_as_gone_at_once(homes):
    """Also while the daemon, which stands still, has not heard of it."""
    near, near2 = homes.near.ip4, homes.near2.ip4
    app = homes.app(homes.client).connect(homes.far.ip4)
    app.set(ADD, ends(*[near2] * 7))
    wait_locals(app, near, *[near2] * 7)
    homes.daemon.process.send_signal(signal.SIGSTOP)
    app.set(REMOVE, ends(near2))
    fails(errno.EBUSY, app.set, REMOVE, ends(near))
    fails(errno.EBUSY, app.set, REMOVE, 1)
    app.set(ADD, 7)
    fails(errno.EDQUOT, app.set, ADD, 1)
    homes.daemon.process.send_signal(signal.SIGCONT)
    wait_locals(app, *[near] * 8)


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


def test_a_port_of_an_address_that_was_taken_away_counts(homes):
    """The daemon, which stands still, hears of both at once: the address was taken away before."""
    near, near2 = homes.near.ip4, homes.near2.ip4
    app = homes.app(homes.client).connect(homes.far.ip4)
    app.set(ADD, ends(near2))
    wait_locals(app, near, near2)
    homes.daemon.process.send_signal(signal.SIGSTOP)
    app.set(REMOVE, ends(near2))
    app.set(ADD, ends((near2, 5001)))
    homes.daemon.process.send_signal(signal.SIGCONT)
    wait_until(lambda: (near2, 5001) in [local for local, _ in app.subflows()], "the one with the port")
    wait_locals(app, near, near2)
    homes.connection(homes.daemon, app)  # it has told the hooks by now
    fails(errno.EDQUOT, app.set, ADD, 7)
    app.set(REMOVE, 1)
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


def link_local(node):
    shown = json.loads(node.run(["ip", "-j", "-6", "address", "show", "scope", "link"]))
    return next(address["local"] for device in shown for address in device.get("addr_info", ())
                if "local" in address)


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
    # Nor one that is local: it would need a device.
    fails(errno.EADDRNOTAVAIL, app.set, ADD, ends(link_local(homes.client)))
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
    if family != socket.AF_INET:
        return
    # What another route takes from a prefix that is local.
    homes.client.ip(f"route add local {net} dev lo")
    wait_until(lambda: can_add(app), "it is local")
    homes.client.ip(f"route add unreachable {host} table local")
    wait_until(lambda: not can_add(app), "it is taken from the prefix")
    fails(errno.EADDRNOTAVAIL, app.open().set, ADD, ends("127.255.255.255"))


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
