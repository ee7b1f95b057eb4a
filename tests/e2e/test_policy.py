# SPDX-License-Identifier: MIT
"""[policy]: what every connection gets from its start, whatever the application does."""
import signal
import socket
import subprocess

import pytest
from app import ADD, EXPECTED, MPTCP
from lab.netns import PATIENCE, wait_until
from lists import ends
from pinned import HOW
from test_watch import Watch

MB = 1000000


def test_ndiffports_opens_them_from_the_start(pair):
    daemon = pair.serve({"policy": {"ndiffports": 4}})
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    ends = app.wait_subflows(4)
    assert {(near[0], far) for near, far in ends} == {(pair.near.ip4, (pair.far.ip4, 7000))}
    assert len({near[1] for near, _ in ends}) == 4, "four ports"
    assert pair.connection(daemon, app)["decision"] == "ndiffports = 4: 4 in all"
    counters = daemon.status()["daemon"]["counters"]
    assert counters["policies"] == counters["creates"] == counters["established"] == 3


def test_ndiffports_counts_what_the_application_asked_for(pair):
    daemon = pair.serve({"policy": {"ndiffports": 4}})
    pair.sink()
    app = pair.app(pair.client).open()
    app.set(ADD, 2)
    app(f"s.connect(({pair.far.ip4!r}, 7000))")
    app("s.send(b'x')")
    app.wait_subflows(4)
    assert daemon.status()["daemon"]["counters"]["policies"] == 1
    app.set(ADD, 2)
    app.wait_subflows(6)


def serve_client(homes, **policy):
    return homes.serve({"policy": policy}, [homes.client])


def announce(homes, address, identity):
    homes.server.run(["ip", "mptcp", "endpoint", "add", address, "dev", "client2",
                      "id", str(identity), "signal"])


def addresses(ends):
    return {(near[0], far[0]) for near, far in ends}


@pytest.mark.parametrize("family", ["ip4", "ip6"])
def test_fullmesh_leaves_from_every_interface(homes, family):
    serve_client(homes, fullmesh="yes")
    homes.sink(family=socket.AF_INET if family == "ip4" else socket.AF_INET6)
    near, near2, far = (getattr(end, family) for end in (homes.near, homes.near2, homes.far))
    app = homes.app(homes.client).connect(far)
    assert addresses(app.wait_subflows(2)) == {(near, far), (near2, far)}
    before = homes.client.tx_bytes()
    homes.narrow(50)
    app(f"send(s, {40 * MB})")
    after = wait_until(lambda: sent_all(homes, before, 40 * MB), "40 MB left the client")
    # More than what a handshake takes.
    for device in ("server", "server2"):
        assert after[device] - before[device] > MB / 10, device


def sent_all(homes, before, size):
    after = homes.client.tx_bytes()
    return sum(after[device] - before[device] for device in after) >= size and after


def test_fullmesh_goes_to_what_the_server_announces(homes):
    announce(homes, homes.far2.ip4, 7)
    daemon = serve_client(homes, fullmesh="yes")
    homes.sink()
    app = homes.app(homes.client).connect(homes.far.ip4)
    near, near2, far, far2 = (end.ip4 for end in (homes.near, homes.near2, homes.far, homes.far2))
    assert addresses(app.wait_subflows(4)) == {(a, b) for a in (near, near2) for b in (far, far2)}
    connection = homes.connection(daemon, app)
    assert connection["announced"] == [{"remote": f"{far2}:7000", "id": 7}]
    assert connection["decision"] == "fullmesh: 4 in all"
    # RFC 8684 3.4.2: the server withdraws it, and with it go its subflows.
    homes.server.run(["ip", "mptcp", "endpoint", "delete", "id", "7"])
    assert addresses(app.wait_subflows(2)) == {(near, far), (near2, far)}
    connection = wait_until(lambda: (c := homes.connection(daemon, app))["announced"] == [] and c,
                            "status forgets the address")
    assert f"withdrawn its address {far2}:7000" in connection["decision"]
    assert daemon.status()["daemon"]["counters"]["refused_by_peer"] == 0
    # Announced again, it is used again.
    announce(homes, homes.far2.ip4, 9)
    app.wait_subflows(4)


def test_fullmesh_ends_at_the_limit(homes):
    announce(homes, homes.far2.ip4, 7)
    daemon = homes.serve({"policy": {"fullmesh": "yes"}, "limits": {"max_subflows": 3}},
                         [homes.client])
    homes.sink()
    app = homes.app(homes.client).connect(homes.far.ip4)
    app.wait_subflows(3)
    wait_until(lambda: homes.connection(daemon, app)["announced"], "status shows the address")
    assert daemon.status()["daemon"]["counters"]["creates"] == 2
    assert len(app.subflows()) == 3


def test_fullmesh_stays_within_a_restriction(homes):
    """What the application has listed before connect holds for the policy too, and for what the
    server announces."""
    announce(homes, homes.far2.ip4, 7)
    daemon = serve_client(homes, fullmesh="yes")
    homes.sink()
    near, far, far2 = homes.near.ip4, homes.far.ip4, homes.far2.ip4
    app = homes.app(homes.client).open()
    app.set(ADD, ends(near))
    app(f"s.connect(({far!r}, 7000)); s.send(b'x')")
    assert addresses(app.wait_subflows(2)) == {(near, far), (near, far2)}
    assert homes.connection(daemon, app)["announced"]
    assert daemon.status()["daemon"]["counters"]["creates"] == 1
    # Widened, it goes on from there; the entry itself is one of the pairs.
    app.set(ADD, ends(homes.near2.ip4))
    app.wait_subflows(4)
    assert addresses(app.subflows()) == {(a, b) for a in (near, homes.near2.ip4) for b in (far, far2)}


def test_fullmesh_respects_an_explicit_bind(homes):
    announce(homes, homes.far2.ip4, 7)
    serve_client(homes, fullmesh="yes")
    homes.sink()
    app = homes.app(homes.client).open()
    app(f"s.bind(({homes.near.ip4!r}, 0))")
    app(f"s.connect(({homes.far.ip4!r}, 7000))")
    app("s.send(b'x')")
    near, far, far2 = homes.near.ip4, homes.far.ip4, homes.far2.ip4
    assert addresses(app.wait_subflows(2)) == {(near, far), (near, far2)}


def test_a_bind_is_respected_that_the_ring_had_no_room_for(homes):
    """The daemon stands still, and others have filled the ring, when the connection comes up."""
    daemon = homes.serve({"policy": {"fullmesh": "yes"}, "hooks": {"ring_size": 4096}},
                         [homes.client])
    homes.sink()
    others = homes.app(homes.client)
    others(f"""
socks = [socket.socket(socket.AF_INET, socket.SOCK_STREAM, {MPTCP}) for _ in range(50)]
for s in socks:
    s.connect(({homes.far.ip4!r}, 7000))
    s.send(b"x")
""")
    wait_until(lambda: daemon.status()["daemon"]["counters"]["established"] == 50, "each has its mesh")
    daemon.process.send_signal(signal.SIGSTOP)
    others(f"for s in socks: s.setsockopt(6, {EXPECTED}, struct.pack('=Q', 1))")
    bound = homes.app(homes.client).open()
    bound(f"s.bind(({homes.near.ip4!r}, 0)); s.connect(({homes.far.ip4!r}, 7000)); s.send(b'x')")
    daemon.process.send_signal(signal.SIGCONT)
    homes.app(homes.client).connect(homes.far.ip4).wait_subflows(2)
    assert daemon.status()["daemon"]["counters"]["records_lost"] > 50 - 4096 // 104
    assert addresses(bound.subflows()) == {(homes.near.ip4, homes.far.ip4)}


def test_fullmesh_leaves_out_what_cannot_carry_it(homes):
    """Addresses of the loopback device, of link scope, of a device that is down."""
    homes.client.ip("address add 10.9.0.1/32 dev lo",
                    "link add d0 type veth peer name d1",
                    "address add 10.9.1.1/24 dev d0",
                    "address add 10.9.2.1/24 dev server scope link")
    daemon = serve_client(homes, fullmesh="yes")
    homes.sink()
    app = homes.app(homes.client).connect(homes.far.ip4)
    app.wait_subflows(2)
    counters = daemon.status()["daemon"]["counters"]
    assert counters["creates"] == 1 and counters["create_failures"] == 0


def test_announced_addresses_are_shown_but_not_used_without_fullmesh(homes):
    announce(homes, homes.far2.ip4, 7)
    daemon = serve_client(homes)
    homes.sink()
    app = homes.app(homes.client).connect(homes.far.ip4)
    wait_until(lambda: homes.connection(daemon, app)["announced"], "status shows the address")
    app.set(ADD, 2)
    assert addresses(app.wait_subflows(3)) == {(homes.near.ip4, homes.far.ip4)}


def test_no_join_to_the_initial_address_of_a_server_that_denies_it(homes):
    """RFC 8684 3.1, C flag: joins wait for an address that the server announces."""
    homes.server.sysctl({"net.mptcp.allow_join_initial_addr_port": 0})
    daemon = serve_client(homes)
    homes.sink()
    app = homes.app(homes.client).connect(homes.far.ip4)
    app.set(ADD, 3)
    connection = wait_until(lambda: (c := homes.connection(daemon, app))["wanted"] == 3 and c,
                            "three wait")
    assert "C flag" in connection["decision"]
    assert daemon.status()["daemon"]["counters"]["creates"] == 0
    announce(homes, homes.far2.ip4, 7)
    near, far, far2 = homes.near.ip4, homes.far.ip4, homes.far2.ip4
    assert addresses(app.wait_subflows(4)) == {(near, far), (near, far2)}


@HOW
def test_the_next_daemon_keeps_to_a_denial(homes, how):
    """And it knows of what the server has announced, where a subflow leads there."""
    homes.server.sysctl({"net.mptcp.allow_join_initial_addr_port": 0})
    daemon = serve_client(homes)
    homes.sink()
    app = homes.app(homes.client).connect(homes.far.ip4)

    def go_on():
        daemon.process.send_signal(how)
        daemon.process.wait(10 * PATIENCE)
        daemon.start([homes.client])
        app.set(ADD, 1)

    go_on()
    wait_until(lambda: "C flag" in homes.connection(daemon, app)["decision"], "it waits")
    assert daemon.status()["daemon"]["counters"]["creates"] == 0
    announce(homes, homes.far2.ip4, 7)
    near, far, far2 = homes.near.ip4, homes.far.ip4, homes.far2.ip4
    assert addresses(app.wait_subflows(2)) == {(near, far), (near, far2)}
    go_on()
    assert addresses(app.wait_subflows(3)) == {(near, far), (near, far2)}
    assert homes.connection(daemon, app)["announced"] == [{"remote": f"{far2}:7000", "id": 7}]


def closed_at_server(homes, address):
    """Whether the server has no subflow any more to this address of the client."""
    return address not in homes.server.run(["ss", "-tnH", "state", "established"])


@pytest.mark.parametrize("loss", ["device", "address", "carrier"])
def test_an_address_that_goes_takes_its_subflows_with_it(homes, loss):
    daemon = serve_client(homes, fullmesh="yes")
    homes.sink()
    near, near2, far = homes.near.ip4, homes.near2.ip4, homes.far.ip4
    app = homes.app(homes.client).connect(far)
    app.wait_subflows(2)
    node, gone, back = {
        "device": (homes.client, "link set server2 down", "link set server2 up"),
        "address": (homes.client, f"address delete {near2}/24 dev server2",
                    f"address add {near2}/24 dev server2"),
        "carrier": (homes.server, "link set client2 down", "link set client2 up"),
    }[loss]
    node.ip(gone)
    assert addresses(app.wait_subflows(1)) == {(near, far)}
    wait_until(lambda: len(homes.connection(daemon, app)["subflows"]) == 1,
               "status has one subflow left")
    decision = homes.connection(daemon, app)["decision"]
    assert near2 in decision and "has gone: 1 closed, 1 left" in decision
    wait_until(lambda: closed_at_server(homes, near2), "the server closes it too")
    app(f"send(s, {MB})")
    counters = daemon.status()["daemon"]["counters"]
    assert counters["subflows_lost"] == 1 and counters["creates"] == 1, "no retries"
    # What comes back is used again.
    node.ip(back)
    assert addresses(app.wait_subflows(2)) == {(near, far), (near2, far)}


def test_a_link_that_is_back_is_used_again_though_its_neighbour_was_given_up(homes):
    """The first join waits for the answer to a question that was asked while the link was away."""
    homes.client.sysctl({"net.ipv4.neigh.server2.mcast_solicit": 1, "net.ipv4.neigh.server2.retrans_time_ms": 2000})
    daemon = serve_client(homes, fullmesh="yes")
    homes.sink()
    app = homes.app(homes.client).connect(homes.far.ip4)
    app.wait_subflows(2)
    homes.server.ip("link set client2 down")
    wait_until(lambda: "INCOMPLETE" in homes.client.run(["ip", "neigh", "show", "dev", "server2"]), "it is asked for")
    watch = Watch(homes, daemon)
    homes.server.ip("link set client2 up")
    assert addresses(app.wait_subflows(2)) == {(homes.near.ip4, homes.far.ip4), (homes.near2.ip4, homes.far.ip4)}
    assert "no neighbour answered on the way to" in watch.wait("subflow_refused")["why"]
    assert daemon.status()["daemon"]["counters"]["refused_by_peer"] == 0


@pytest.mark.parametrize("loss", ["device", "address"])
def test_what_has_gone_while_the_kernel_dropped_the_word_of_it_is_found(homes, loss):
    daemon = serve_client(homes, fullmesh="yes")
    homes.sink()
    app = homes.app(homes.client).connect(homes.far.ip4)
    app.wait_subflows(2)
    daemon.process.send_signal(signal.SIGSTOP)
    homes.client.ip(*["address add 198.51.100.1/32 dev lo", "address delete 198.51.100.1/32 dev lo"] * 1000)
    homes.client.ip({"device": "link set server2 down",
                     "address": f"address delete {homes.near2.ip4}/24 dev server2"}[loss])
    daemon.process.send_signal(signal.SIGCONT)
    assert addresses(app.wait_subflows(1)) == {(homes.near.ip4, homes.far.ip4)}
    assert "changes of addresses; they are read anew" in daemon.log.read_text()
    assert "has gone: 1 closed, 1 left" in homes.connection(daemon, app)["decision"]


def test_the_last_subflow_stays_when_its_address_goes(homes):
    daemon = serve_client(homes)
    homes.sink()
    app = homes.app(homes.client).connect(homes.far.ip4)
    homes.client.ip("link set server down")
    wait_until(lambda: "no other subflow is left" in homes.connection(daemon, app)["decision"],
               "status says why")
    homes.client.ip("link set server up")
    app(f"send(s, {MB})")
    assert daemon.status()["daemon"]["counters"]["subflows_lost"] == 0


def test_explain_says_why_each_subflow_is_there(homes):
    daemon = serve_client(homes, fullmesh="yes")
    homes.sink()
    app = homes.app(homes.client).connect(homes.far.ip4)
    app.wait_subflows(2)
    app.set(ADD, 1)
    app.wait_subflows(3)
    token = f"{app.connid():08x}"
    run = subprocess.run([daemon.cli, "explain", token], env=daemon.environment,
                         capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    for words in (f"Connection {token} of namespace {homes.client.name}",
                  "This host opened it", "It has 3 subflows:", "the one that the connection began",
                  f"{homes.near2.ip4}:", "[policy] fullmesh asked for it",
                  "the application asked for it", "gives it one more at 100 MB"):
        assert words in run.stdout, run.stdout
    run = subprocess.run([daemon.cli, "explain"], env=daemon.environment, capture_output=True)
    assert run.returncode == 2
