# SPDX-License-Identifier: MIT
"""A host with several links to its fabric: the first choice on the way is its own."""
import collections
import json
import socket

import pytest
from app import ADD, App
from cli import lacks
from conftest import BUILD
from lab.daemon import Daemon
from lab.fabric import Fabric, Topology
from lab.netns import wait_until
from trace import Trace

PORT = 7000
L3, L4 = 0, 1  # net.*.fib_multipath_hash_policy of a host: addresses alone, or ports too


def topology(spines=2):
    """host0 hangs on leaf0 and leaf1, host1 on leaf2."""
    spine, leaf = [f"spine{i}" for i in range(spines)], ["leaf0", "leaf1", "leaf2"]
    links = [("host0", "leaf0", None), ("host0", "leaf1", None), ("host1", "leaf2", None)]
    links += [(low, high, 100) for low in leaf for high in spine]
    return Topology(leaf + spine, ["host0", "host1"], links, is_checked=False)


class Homed(Fabric):
    """Hosts have an address of their own, which every link of theirs leads to."""

    def _route(self, topology):
        far = {(near.node.label, end.node.label): end
               for pair in self.links for near, end in (pair, pair[::-1])}
        routes = collections.defaultdict(list)

        def add(at, to, nexts):
            for family in ("ip4", "ip6"):
                via = " ".join(f"nexthop via {getattr(far[at, n], family)}" for n in nexts)
                source = getattr(self.nodes[at], family, None) if to == "default" else None
                source = f" src {source}" if source else ""
                routes[at].append(f"route replace {getattr(to, family, to)}{source} {via}")

        for number, label in enumerate(self.topology.hosts):
            host = self.nodes[label]
            host.ip4, host.ip6 = f"10.200.0.{number + 1}", f"fd00:c8::{number + 1}"
            host.ip(f"address replace {host.ip4}/32 dev lo", f"address replace {host.ip6}/128 dev lo")
            add(label, "default", topology.neighbours(label))
            for hop, nexts in topology.next_hops(label).items():
                add(hop, host, nexts)
        for label, lines in routes.items():
            self.nodes[label].ip(*lines)


class Ruled(Homed):
    """host0 leaves by leaf0, and by leaf1 with what it sends from a second address."""
    second = {"ip4": "10.201.0.1", "ip6": "fd00:c9::1"}

    def _route(self, topology):
        super()._route(topology)
        host, via = self.nodes["host0"], self.end("leaf0", "host0")
        host.ip(f"route replace default src {host.ip4} via {via.ip4}",
                f"route replace default src {host.ip6} via {via.ip6}")
        ends, nexts = self.end("leaf1", "host0"), {"leaf1": ["host0"], "leaf2": ["spine0", "spine1"],
                                                   "spine0": ["leaf1"], "spine1": ["leaf1"]}
        for family, flag, bits in (("ip4", "-4", 32), ("ip6", "-6", 128)):
            second = self.second[family]
            host.ip(f"address add {second}/{bits} dev lo")
            host.run(["ip", flag, "rule", "add", "from", second, "lookup", "102"])
            host.ip(f"route add default via {getattr(ends, family)} table 102")
            for hop, following in nexts.items():
                via = " ".join(f"nexthop via {getattr(self.end(n, hop), family)}" for n in following)
                self.nodes[hop].ip(f"route replace {second} {via}")


class Scene:
    """Every connection from host0 sends over all of its subflows; no path fails meanwhile."""

    def __init__(self, lab, policy=L4):
        self.lab, self.source, self.target = lab, lab.host(0), lab.host(1)
        self.source.sysctl({f"net.{family}.fib_multipath_hash_policy": policy
                            for family in ("ipv4", "ipv6")})
        for label in lab.topology.routers:
            # From the address of the link by which the probe came, as most switches do. Linux
            # takes that of the link back, and there are several.
            lab.nodes[label].sysctl({"net.ipv4.icmp_errors_use_inbound_ifaddr": 1})
        self.trace = Trace(lab)
        hosts = [self.source, self.target]
        self.daemon = Daemon(lab, BUILD, {"namespaces": {"serve": " ".join(h.name for h in hosts)},
                                          "limits": {"max_subflows": 32},
                                          "repair": {"rto_min_ms": 0}})
        self.daemon.start(hosts)
        self.sink = App(self.target)

    def spread(self, family, count):
        """The way that each subflow of a new connection takes up to the spine, by the routers, and
        the numbers of the devices by which they leave, as the daemon shows them."""
        address = getattr(self.target, family)
        app = App(self.source).connect(address, PORT)
        app.set(ADD, count - 1)
        ways = self.ways(app, count)
        shown = self.devices(app.connid())
        app.close()
        assert shown == {port: way["host0"] for port, way in ways.items()}
        return [(way["host0"], way[way["host0"]]) for way in ways.values()]

    def ways(self, app, count):
        """{source port of each subflow: {router or host0: what it hands the data to}}."""
        ports = [local[1] for local, _ in app.wait_subflows(count)]
        links = {}

        def are_seen():
            links.update(self.trace.links())
            return all(len(links.get(port, ())) == 4 for port in ports)

        app("t = threading.Thread(target=send, args=(s, 40000000), daemon=True)")
        app("t.start()")
        wait_until(are_seen, "data on all subflows")
        return {port: dict(links[port]) for port in ports}

    def client(self, token):
        """The connection, as the daemon shows it."""
        (shown,) = [c for c in self.daemon.status()["connections"]
                    if c["token"] == token and c["role"] == "client"]
        return shown

    def shown(self, token):
        """{source port of each subflow: its path, as the daemon says it}."""
        return {int(subflow["local"].rsplit(":", 1)[1]): subflow["path"]
                for subflow in self.client(token)["subflows"]}

    def unplaced(self, token):
        """Why nothing is known of its paths."""
        return self.client(token)["unplaced"]

    def devices(self, token):
        """{source port of each subflow: the device by which the daemon says it leaves}."""
        names = {link["ifindex"]: link["ifname"] for link in json.loads(
            self.source.run(["ip", "-j", "link"]))}
        return {port: names[int(path[0].removeprefix("device "))]
                for port, path in self.shown(token).items()}

    def counters(self):
        return self.daemon.status()["daemon"]["counters"]


def serve(scene, family):
    scene.sink.sink(PORT, getattr(scene.target, family),
                    socket.AF_INET6 if family == "ip6" else socket.AF_INET)


@pytest.mark.parametrize("family", ["ip4", "ip6"])
def test_every_subflow_takes_an_uplink_and_a_spine_of_its_own(family):
    """The first one too, whose device the kernel chose before it had a port."""
    with Homed(topology()) as lab:
        scene = Scene(lab)
        serve(scene, family)
        for _ in range(4):
            ways = scene.spread(family, 4)
            assert len(set(ways)) == 4, ways
        assert scene.counters()["placed_blind"] == 0


@pytest.mark.parametrize("family", ["ip4", "ip6"])
def test_a_host_that_hashes_addresses_alone_has_one_uplink_for_all(family):
    """But for the first subflow over IPv6, for which it was looked up without a source address."""
    with Homed(topology()) as lab:
        scene = Scene(lab, L3)
        serve(scene, family)
        first, *others = scene.spread(family, 5)
        assert len({uplink for uplink, _ in others}) == 1
        is_alone = first[0] != others[0][0]
        assert not (is_alone and family == "ip4")
        assert len(set(others)) == 2
        assert max(collections.Counter([first] + others).values()) <= (2 if is_alone else 3)
        assert scene.counters()["placed_blind"] == 0


@pytest.mark.parametrize("family", ["ip4", "ip6"])
def test_the_ways_of_an_address_are_those_that_its_rule_leads_to(family):
    """Probes take the way of what is sent from their address, not that of their destination."""
    with Ruled(topology()) as lab:
        scene = Scene(lab)
        serve(scene, family)
        app = App(scene.source)
        app.open(socket.AF_INET6 if family == "ip6" else socket.AF_INET)
        app(f"s.bind(({Ruled.second[family]!r}, 0))")
        app(f"s.connect(({getattr(scene.target, family)!r}, {PORT})); s.send(b'x')")
        app.set(ADD, 3)
        spines = collections.Counter()
        ways = scene.ways(app, 4)
        shown = scene.shown(app.connid())
        for port, way in ways.items():
            assert way["host0"] == "leaf1"
            assert shown[port] == [getattr(lab.end(at, before), family) for before, at in
                                              (("host0", "leaf1"), ("leaf1", way["leaf1"]))]
            spines[way["leaf1"]] += 1
        assert spines == {"spine0": 2, "spine1": 2}


@pytest.mark.parametrize("family", ["ip4", "ip6"])
def test_of_a_socket_that_leaves_by_another_device_no_paths_are_told(family):
    """It is bound to one, and so are its subflows; probes would take the way that its address has by itself."""
    if lacks("link-local-joins"):
        pytest.skip("link-local-joins: not in the kernel")
    with Ruled(topology()) as lab:
        scene = Scene(lab)
        serve(scene, family)
        source, uplink = getattr(scene.source, family), lab.end("host0", "leaf1").device
        # Answers that come by another device are not the socket's.
        for spine in ("spine0", "spine1"):
            lab.nodes[spine].ip(f"route replace {source} via {getattr(lab.end('leaf1', spine), family)}")
        scene.source.ip(f"route add default src {source} via {getattr(lab.end('leaf1', 'host0'), family)} metric 2000")
        app = App(scene.source)
        app.open(socket.AF_INET6 if family == "ip6" else socket.AF_INET)
        app(f"s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, {uplink.encode()!r})")
        app(f"s.connect(({getattr(scene.target, family)!r}, {PORT})); s.send(b'x')")
        app.set(ADD, 2)
        ways = scene.ways(app, 3)
        assert {way["host0"] for way in ways.values()} == {"leaf1"}
        assert set(map(tuple, scene.shown(app.connid()).values())) == {()}
        assert scene.unplaced(app.connid()) == "its socket leaves by another device than its addresses do"
        assert scene.counters()["probes"] == 0


@pytest.mark.parametrize("family", ["ip4", "ip6"])
def test_of_a_socket_that_its_mark_sends_elsewhere_neither(family):
    """Its subflows get the mark when they are up; a rule of the host has its own way for it."""
    with Ruled(topology()) as lab:
        scene = Scene(lab)
        serve(scene, family)
        scene.source.run(["ip", "-4" if family == "ip4" else "-6", "rule", "add", "fwmark", "7", "lookup", "102"])
        app = App(scene.source, uid=0)
        app.open(socket.AF_INET6 if family == "ip6" else socket.AF_INET)
        app(f"s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 7); s.bind(({getattr(scene.source, family)!r}, 0))")
        app(f"s.connect(({getattr(scene.target, family)!r}, {PORT})); s.send(b'x')")
        app.set(ADD, 1)
        app.wait_subflows(2)
        assert scene.unplaced(app.connid()) == "its socket leaves by another device than its addresses do"
        assert scene.counters()["probes"] == 0
