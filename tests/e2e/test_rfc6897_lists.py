# SPDX-License-Identifier: MIT
"""RFC 6897 section 5.3.3: ADD and REMOVE of lists of local addresses, with and without ports."""
import errno
import re
import socket

import pytest
from app import ADD, BACKUP, REMOVE, backup, packed
from lab.netns import wait_until

PORT = 7000


@pytest.fixture(name="served_homes")
def served_homes_fixture(homes):
    """Two links; every connection is to use all addresses, so that it shows where one may not."""
    homes.daemon = homes.serve({"policy": {"fullmesh": "yes"}}, [homes.client])
    homes.sink()
    return homes


@pytest.fixture(name="plain_homes")
def plain_homes_fixture(homes):
    """Two links and no policy: what is there the application has asked for."""
    homes.daemon = homes.serve(serve=[homes.client])
    homes.sink()
    return homes


def connect(app, lab):
    app(f"s.connect(({lab.far.ip4!r}, {PORT})); s.send(b'x')")
    return app


def hosts(ends):
    return sorted(local[0] for local, _ in ends)


def refused(expected, app, option, value):
    with pytest.raises(OSError) as error:
        app.set(option, value)
    assert errno.errorcode[error.value.errno] == errno.errorcode[expected]


def test_a_list_before_connect_restricts_the_connection(served_homes):
    """REQ2: no subflow from another address, the first one included, whoever opens it."""
    lab = served_homes
    app = lab.app(lab.client).open()
    app.set(ADD, packed(lab.near2.ip4, lab.near2.ip4))
    connect(app, lab)
    assert app("s.getsockname()[0]") == lab.near2.ip4, "the route would have chosen the other one"
    app.wait_subflows(2)
    app.set(ADD, 2)
    assert hosts(app.wait_subflows(4)) == [lab.near2.ip4] * 4
    # A connection without the list uses both.
    other = lab.app(lab.client).connect(lab.far.ip4)
    assert hosts(other.wait_subflows(2)) == sorted([lab.near.ip4, lab.near2.ip4])


def test_each_entry_is_a_subflow(plain_homes):
    """The first one is the connection's own."""
    lab = plain_homes
    app = lab.app(lab.client).open()
    app.set(ADD, packed(lab.near.ip4, lab.near2.ip4, lab.near2.ip4))
    connect(app, lab)
    ends = app.wait_subflows(3)
    assert ends[0][0][0] == lab.near.ip4
    assert hosts(ends) == sorted([lab.near.ip4, lab.near2.ip4, lab.near2.ip4])


def test_a_port_is_bound_to_exactly(plain_homes):
    """5.3.1 and 5.3.3: of the first subflow and of further ones, each another one."""
    lab = plain_homes
    app = lab.app(lab.client).open()
    app.set(ADD, packed((lab.near.ip4, 20001), (lab.near2.ip4, 20002)))
    connect(app, lab)
    app.wait_subflows(2)
    app.set(ADD, packed((lab.near2.ip4, 20003)))
    assert [local for local, _ in app.wait_subflows(3)] == [
        (lab.near.ip4, 20001), (lab.near2.ip4, 20002), (lab.near2.ip4, 20003)]


def test_add_during_the_connection_widens_a_restriction(served_homes):
    """5.3.1"""
    lab = served_homes
    app = lab.app(lab.client).open()
    app.set(ADD, packed(lab.near.ip4))
    connect(app, lab)
    assert hosts(app.wait_subflows(1)) == [lab.near.ip4]
    app.set(ADD, packed(lab.near2.ip4))
    assert hosts(app.wait_subflows(2)) == sorted([lab.near.ip4, lab.near2.ip4])


def test_remove_before_connect_takes_an_address_from_the_list(served_homes):
    """5.3.1"""
    lab = served_homes
    app = lab.app(lab.client).open()
    app.set(ADD, packed(lab.near2.ip4, lab.near.ip4))
    app.set(REMOVE, packed(lab.near.ip4))
    connect(app, lab)
    app.set(ADD, 1)
    assert hosts(app.wait_subflows(2)) == [lab.near2.ip4] * 2


def test_a_list_that_is_emptied_before_connect_restricts_nothing(plain_homes):
    """5.3.1: the route chooses, here the very address that was removed."""
    lab = plain_homes
    app = lab.app(lab.client).open()
    app.set(ADD, packed(lab.near.ip4))
    app.set(REMOVE, packed(lab.near.ip4))
    connect(app, lab)
    app.set(ADD, 1)
    assert hosts(app.wait_subflows(2)) == [lab.near.ip4] * 2


@pytest.mark.parametrize("when", ["before connect", "during the connection"])
def test_add_expands_an_explicit_bind(plain_homes, when):
    """5.3.2"""
    lab = plain_homes
    app = lab.app(lab.client).open()
    app(f"s.bind(({lab.near.ip4!r}, 0))")
    if when == "before connect":
        app.set(ADD, packed(lab.near2.ip4))
    connect(app, lab)
    if when != "before connect":
        app.set(ADD, packed(lab.near2.ip4))
    assert hosts(app.wait_subflows(2)) == sorted([lab.near.ip4, lab.near2.ip4])


def test_a_list_on_an_accepted_connection_is_announced(homes):
    """The client learns the address, and joins to it if it is to use all."""
    homes.daemon = homes.serve({"policy": {"fullmesh": "yes"}})
    sink = homes.sink()
    app = homes.app(homes.client).connect(homes.far.ip4)
    app.wait_subflows(2)
    wait_until(lambda: sink("len(accepted)") == 1, "accepted")
    sink("s = accepted[0]")
    assert homes.client.netstat()["MPTcpExtAddAddr"] == 0
    sink.set(ADD, packed(homes.far2.ip4))
    wait_until(lambda: [a["remote"] for a in homes.connection(homes.daemon, app)["announced"]]
               == [f"{homes.far2.ip4}:{PORT}"], "announced")
    assert {remote for _, remote in app.wait_subflows(4)} == {
        (homes.far.ip4, PORT), (homes.far2.ip4, PORT)}


def test_a_list_is_taken_whole_or_not_at_all(plain_homes):
    """5.3.3 lets an implementation select a subset. This one does not."""
    lab = plain_homes
    app = lab.app(lab.client).connect(lab.far.ip4)
    refused(errno.EADDRNOTAVAIL, app, ADD, packed(lab.near2.ip4, lab.far.ip4))
    refused(errno.EDQUOT, app, ADD, packed(*[lab.near2.ip4] * 8))
    refused(errno.EINVAL, app, ADD, packed(lab.near2.ip4) + b"\2\0")
    assert hosts(app.subflows()) == [lab.near.ip4]
    app.set(ADD, packed(lab.near2.ip4))
    assert hosts(app.wait_subflows(2)) == sorted([lab.near.ip4, lab.near2.ip4])


def test_remove_closes_the_subflows_of_an_address_and_tells_the_peer(plain_homes):
    lab = plain_homes
    app = lab.app(lab.client).connect(lab.far.ip4)
    app.set(ADD, packed(lab.near2.ip4, lab.near2.ip4, lab.near.ip4))
    app.wait_subflows(4)
    assert lab.server.netstat()["MPTcpExtRmAddr"] == 0
    app.set(REMOVE, packed(lab.near2.ip4))
    assert hosts(app.wait_subflows(2)) == [lab.near.ip4] * 2
    wait_until(lambda: lab.server.netstat()["MPTcpExtRmAddr"] > 0, "the server was told")
    app(f"send(s, {1 << 20})")


def test_a_port_narrows_remove_to_one_subflow(plain_homes):
    lab = plain_homes
    app = lab.app(lab.client).connect(lab.far.ip4)
    app.set(ADD, packed(lab.near2.ip4, lab.near2.ip4, lab.near2.ip4))
    ends = app.wait_subflows(4)
    app.set(REMOVE, packed(ends[2][0]))
    assert app.wait_subflows(3) == ends[:2] + ends[3:]
    refused(errno.EADDRNOTAVAIL, app, REMOVE, packed(ends[2][0]))


def test_an_alternative_is_opened_before_the_last_subflow_goes(homes):
    """The one that is listed is reset meanwhile, and not replaced."""
    lab = homes
    lab.daemon = lab.serve({"repair": {"rto_min_ms": 0}}, [lab.client])
    lab.sink()
    app = lab.app(lab.client).connect(lab.far.ip4)
    refused(errno.EBUSY, app, REMOVE, packed(lab.near.ip4))
    app.set(ADD, packed(lab.near2.ip4))
    app.wait_subflows(2)
    lab.client.run(["ss", "-K", "src", lab.near2.ip4])
    app.wait_subflows(1)
    app.set(REMOVE, packed(lab.near.ip4))
    wait_until(lambda: hosts(app.subflows()) == [lab.near2.ip4], "the alternative alone")
    app(f"send(s, {1 << 20})")


def test_both_families_in_one_call(homes):
    """An AF_INET6 socket, whose server is known by an address of each family."""
    homes.server.run(["ip", "mptcp", "endpoint", "add", homes.far2.ip4, "dev", "client2", "id", "7",
                      "signal"])
    homes.daemon = homes.serve(serve=[homes.client])
    homes.sink(family=socket.AF_INET6)
    app = homes.app(homes.client).connect(homes.far.ip6)
    wait_until(lambda: homes.connection(homes.daemon, app)["announced"], "announced")
    app.set(ADD, packed(homes.near2.ip6, homes.near2.ip4))
    assert {local[0] for local, _ in app.wait_subflows(3)} == {
        homes.near.ip6, homes.near2.ip6, f"::ffff:{homes.near2.ip4}"}
    app.set(REMOVE, packed(homes.near2.ip4, homes.near2.ip6))
    assert {local[0] for local, _ in app.wait_subflows(1)} == {homes.near.ip6}


def sent_from(lab, address):
    """Bytes on the wire, by the counter of ss, which leaves out a zero."""
    rows = lab.client.run(["ss", "-tnHOi", "state", "established", "src", address])
    return sum(map(int, re.findall(r" bytes_sent:(\d+)", rows)))


def is_backup(lab, address):
    """Whether the server has been told so of the subflow from there."""
    rows = lab.server.run(["ss", "-tnHOi", "state", "established", "dst", address])
    return "B" in re.search(r"flags:(\w*)", rows)[1]


def test_a_backup_carries_nothing_while_others_can(plain_homes):
    """Appendix A, REQ11: and is an ordinary subflow again when the application says so."""
    lab = plain_homes
    app = lab.app(lab.client).connect(lab.far.ip4)
    app.set(ADD, packed(lab.near2.ip4))
    app.wait_subflows(2)
    app.set(BACKUP, backup(lab.near2.ip4, 1))
    wait_until(lambda: is_backup(lab, lab.near2.ip4), "the server was told")
    before = sent_from(lab, lab.near2.ip4)
    app(f"send(s, {4 << 20})")
    sent = sent_from(lab, lab.near2.ip4)
    # Where the only other one stalls, the kernel repeats a segment here (mptcp_subflow_get_retrans). Looked at after
    # what was sent, or it might have been counted in between.
    repeated = 64 << 10 if lab.client.netstat()["MPTcpExtMPTCPRetrans"] else 0
    assert sent <= before + repeated
    app.set(BACKUP, backup(lab.near2.ip4, 0))
    wait_until(lambda: not is_backup(lab, lab.near2.ip4), "the server was told")
    # What the other link can not take goes over this one.
    lab.narrow(50)
    app(f"send(s, {32 << 20})")
    wait_until(lambda: sent_from(lab, lab.near2.ip4) > before + 100000, "it carries data again")
