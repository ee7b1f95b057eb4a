# SPDX-License-Identifier: MIT
"""Lists of local addresses on the side that listens: handed down, and announced to the peer."""
import errno
import signal

import pytest
from app import ADD, REMOVE
from lab.netns import wait_until
from lists import PORT, ends, fails, homes, wait_locals  # noqa: F401


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

    def records():
        return served.daemon.status()["daemon"]["counters"]["records"]

    def is_silent():
        """A record of a connection that another test has left behind may come at any time."""
        before, accepted = records(), server("len(accepted)")
        app = served.app(served.client).connect(served.far.ip4)
        wait_until(lambda: server("len(accepted)") > accepted, "accepted")
        served.connection(served.daemon, app)
        return records() == before

    wait_until(is_silent, "a connection that no record tells of")


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
