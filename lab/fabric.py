# SPDX-License-Identifier: MIT
"""Fabrics of routers with equal-cost paths, in namespaces, with the kernel's own forwarding."""
import collections
import dataclasses
import functools
import json
import random
import re
from dataclasses import dataclass

from lab.lab import Lab
from lab.netns import LabError, Namespace

# Policy 1 would use skb->hash, which on a packet from a local socket is a random number of its
# sender. Policy 3 always dissects: addresses, protocol and ports (0x37), no flow label.
ROUTER = {
    "net.ipv4.ip_forward": 1,
    "net.ipv6.conf.all.forwarding": 1,
    # Switches limit what their control plane answers in all, not to one host. Linux would send a
    # host one message a second after the first six.
    "net.ipv4.icmp_ratelimit": 0,
    "net.ipv6.icmp.ratelimit": 0,
    "net.ipv4.fib_multipath_hash_policy": 3,
    "net.ipv4.fib_multipath_hash_fields": 0x37,
    "net.ipv6.fib_multipath_hash_policy": 3,
    "net.ipv6.fib_multipath_hash_fields": 0x37,
}
SEED = "net.ipv4.fib_multipath_hash_seed"  # of both families; since Linux 6.11

HOST = {
    "net.mptcp.enabled": 1,
    "net.mptcp.allow_join_initial_addr_port": 1,
    "net.mptcp.blackhole_timeout": 0,
    "net.ipv4.tcp_no_metrics_save": 1,
}
OPTIONAL = (SEED, "net.mptcp.blackhole_timeout")

# A frame of Ethernet, and the most that every kernel takes.
GSO_MIN, GSO_MAX = 1514, 65536

# A node's name is that of the devices that lead to it: linux/if.h:IFNAMSIZ.
NAME = re.compile(r"[A-Za-z][\w.-]{0,14}", re.ASCII)

# What troubles are made of, besides loss: each packet is marked by lot, or joins are reset.
TABLE = """table inet trouble {{
    chain entry {{
        type filter hook {hook};
        {rule}
    }}
}}
"""
REFUSE = TABLE.format(hook="input priority filter", rule="tcp option mptcp subtype 1 tcp flags & (syn | ack) == syn"
                      " reject with tcp reset")
SPRAY_TABLE = 100


def spray_of(ways):
    return TABLE.format(hook="prerouting priority mangle", rule=f"meta mark set numgen random mod {ways} offset 1")


@dataclass(frozen=True)
class Topology:
    """A fabric as data. Links are (label, label, Mbit/s, or None for unshaped)."""
    routers: list
    hosts: list
    links: list
    is_checked: bool = True  # False: links may be lost, or a host have several, with routes of its own

    def __post_init__(self):
        fault = next(self._faults(), None) if self.is_checked else None
        if fault:
            raise LabError(f"no fabric can be made of this topology: {fault}")

    def _faults(self):
        """What a Fabric, the devices of its nodes and a subflowd for its hosts could not bear."""
        nodes, hosts = collections.Counter(self.routers + self.hosts), set(self.hosts)
        for label, times in nodes.items():
            if not NAME.fullmatch(label) or label == "lo":
                yield (f"{label} is no name for a device: a letter and at most 14 more, digits, dots, dashes"
                       " or underlines")
            if times > 1:
                yield f"{label} is there twice"
            if (label in hosts) != label.startswith("host"):
                yield f"{label}: the names of hosts begin with host, and no others"
        if not self.hosts:
            yield "it has no host"
        yield from self._faults_of_links(set(nodes))
        linked = self.distances(self.hosts[0])
        for label in self.routers:
            if label not in linked:
                yield f"no links lead from {self.hosts[0]} to {label}"

    def _faults_of_links(self, nodes):
        for a, b, _ in self.links:
            if not {a, b} <= nodes or a == b:
                yield f"a link leads from {a} to {b}: it takes two of its routers and hosts"
        pairs = collections.Counter(frozenset(link[:2]) for link in self.links)
        for a, b, _ in self.links:
            if pairs[frozenset((a, b))] > 1:
                yield f"there are several links between {a} and {b}: one with the rate of all does as well"
        links = collections.Counter(label for link in self.links for label in link[:2])
        for host in self.hosts:
            if links[host] != 1 or self.neighbours(host)[0].startswith("host"):
                yield f"{host} has {links[host]} links: a host has one, and that to a router"

    @functools.cached_property
    def _nearby(self):
        nearby = collections.defaultdict(list)
        for a, b, _ in self.links:
            nearby[a].append(b)
            nearby[b].append(a)
        return nearby

    def neighbours(self, label):
        return list(self._nearby.get(label, ()))

    def paths(self, source, target):
        """How many shortest paths lead from one host to another; labels."""
        hops = self.next_hops(target)
        near = self.neighbours(target)

        def count(router):
            return 1 if router in near else sum(map(count, hops[router]))

        return sum(map(count, self.neighbours(source)))

    def distances(self, to):
        """{router: how many links it is from this host}, of those that are linked with it."""
        distance, queue, routers = {to: 0}, collections.deque([to]), set(self.routers)
        while queue:
            label = queue.popleft()
            for neighbour in self.neighbours(label):
                if neighbour not in distance and neighbour in routers:
                    distance[neighbour] = distance[label] + 1
                    queue.append(neighbour)
        return distance

    def next_hops(self, to):
        """{router: its neighbours on the shortest paths to this host}."""
        distance = self.distances(to)
        return {router: [neighbour for neighbour in self.neighbours(router)
                         if distance.get(neighbour) == distance[router] - 1]
                for router in self.routers if router in distance}


def of_links(links):
    """The topology of these links, which was checked when it was made."""
    nodes = list(dict.fromkeys(label for a, b, _ in links for label in (a, b)))
    is_host = [label.startswith("host") for label in nodes]
    return Topology([label for label, is_one in zip(nodes, is_host) if not is_one],
                    [label for label, is_one in zip(nodes, is_host) if is_one], links, is_checked=False)


def with_rates(topology, rates):
    """The topology with some links of another rate: {"router" or "node:node": Mbit/s}."""
    def rate_of(a, b, rate_mbit):
        for name in (f"{a}:{b}", f"{b}:{a}", a, b):
            if name in rates:
                used.add(name)
                return rates[name]
        return rate_mbit

    used = set()
    links = [(a, b, rate_of(a, b, rate_mbit)) for a, b, rate_mbit in topology.links]
    if unknown := set(rates) - used:
        raise LabError(f"no link is called {sorted(unknown)[0]}: say NODE, or NODE:NODE")
    return dataclasses.replace(topology, links=links)


def leaf_spine_topology(spines, leaves, hosts, rate_mbit, host_mbit=None):
    """Every leaf is linked to every spine; hosts are numbered from leaf to leaf.

    Without host_mbit the links of hosts are not shaped, so that those of the spines are the bottleneck:
    flows that stay on a leaf are then as fast as the machine.
    """
    leaf = [f"leaf{i}" for i in range(leaves)]
    spine = [f"spine{i}" for i in range(spines)]
    host = [f"host{i}" for i in range(leaves * hosts)]
    links = [(name, leaf[i // hosts], host_mbit) for i, name in enumerate(host)]
    links += [(low, high, rate_mbit) for low in leaf for high in spine]
    return Topology(leaf + spine, host, links)


def fat_tree_topology(k, rate_mbit):
    """k pods of k/2 edge and k/2 aggregation routers, (k/2)^2 cores, k^3/4 hosts, all links alike.

    Al-Fares, Loukissas, Vahdat, SIGCOMM 2008. Aggregation router n of every pod is linked to the
    k/2 cores n * k/2 and following; hosts are numbered from edge to edge and pod to pod.
    """
    if k < 2 or k % 2:
        raise LabError(f"a fat-tree of k = {k} does not exist: k is even, and 2 or more")
    half = k // 2
    edge = [f"edge{pod}-{i}" for pod in range(k) for i in range(half)]
    aggregation = [f"agg{pod}-{i}" for pod in range(k) for i in range(half)]
    core = [f"core{i}" for i in range(half * half)]
    host = [f"host{i}" for i in range(k * half * half)]
    links = [(name, edge[i // half], rate_mbit) for i, name in enumerate(host)]
    links += [(edge[pod * half + low], aggregation[pod * half + high], rate_mbit)
              for pod in range(k) for low in range(half) for high in range(half)]
    links += [(aggregation[pod * half + low], core[low * half + high], rate_mbit)
              for pod in range(k) for low in range(half) for high in range(half)]
    return Topology(edge + aggregation + core, host, links)


# name: function of the command's options that returns a Topology
TOPOLOGIES = {
    "fat-tree": lambda options: fat_tree_topology(options.k, options.rate),
    "leaf-spine": lambda options: leaf_spine_topology(options.spines, options.leaves, options.hosts,
                                                      options.rate, leaf_host_mbit(options)),
}


def leaf_host_mbit(options):
    """The rate of a leaf's hosts; None: not shaped. By itself what lets a leaf's uplinks carry all that
    its hosts send."""
    if options.host_rate is None:
        return max(1, options.spines * options.rate // options.hosts)
    return options.host_rate or None


def topology_of(options):
    return with_rates(TOPOLOGIES[options.topology](options), dict(options.asymmetry or ()))


def host_mbit(options):
    """The rate of a host's link, asymmetry aside; that of the others where it is not shaped."""
    topology = TOPOLOGIES[options.topology](options)
    return max((rate for a, b, rate in topology.links if rate and {a, b} & set(topology.hosts)),
               default=options.rate)


def fat_tree(k=4, rate_mbit=50, gso_max_size=8192, **options):
    """A fat-tree Fabric; for `with`. Two cores carry 16 hosts of 50 Mbit/s with GSO packets."""
    return Fabric(fat_tree_topology(k, rate_mbit), gso_max_size=gso_max_size, **options)


def leaf_spine(spines=4, leaves=2, hosts=1, rate_mbit=100, host_mbit=None, **options):
    """A leaf-spine Fabric with `hosts` hosts a leaf; for `with`."""
    return Fabric(leaf_spine_topology(spines, leaves, hosts, rate_mbit, host_mbit), **options)


class Host(Namespace):
    """A Namespace with addresses of its own and the one router that it hangs on."""
    ip4 = ip6 = router = None


class Fabric(Lab):
    """A Topology made real. `seed` decides how the routers hash; None: differently every time.

    polarised: all routers hash alike, as a fabric of identical switches left at their defaults
    does: what one tier has sent one way, the next tier sends one way too.

    congestion_control: reno is allowed in new namespaces everywhere. With bbr, two subflows that
    share a path stall the whole connection for some 100 ms now and then (on 2 of 4 paths: 138 of
    190 Mbit/s); reno and cubic do not.
    """

    def __init__(self, topology, gso_max_size=16384, congestion_control="reno", seed=None,
                 polarised=False):
        super().__init__()
        self.topology = topology
        self.gso_max_size = gso_max_size
        self.congestion_control = congestion_control
        self.seed = seed
        self.polarised = polarised
        self.lost = set()
        self._troubled = set()  # labels of nodes with a table of nftables

    def host(self, number):
        """Counted from 0, or from the last one: -1."""
        hosts = self.topology.hosts
        if not -len(hosts) <= number < len(hosts):
            raise LabError(f"there is no host {number}: this fabric has {len(hosts)}, counted from 0")
        return self.nodes[hosts[number]]

    def lose(self, a, b, on=True):
        """The link between two nodes loses everything in both directions, or works again."""
        for at, to in ((a, b), (b, a)):
            self.black_hole(at, to, on)
        (self.lost.add if on else self.lost.discard)(frozenset((a, b)))

    def spray(self, label):
        """The router chooses a way for each packet by lot, whatever flow it is of: flows are reordered.

        Way i has routes of its own, to every host that there are several ways to.
        """
        node, hops = self.nodes[label], {
            host: nexts for host in self.topology.hosts
            if len(nexts := self.topology.next_hops(host).get(label, ())) > 1}
        ways = max(map(len, hops.values()), default=0)
        if ways < 2:
            raise LabError(f"{label} has one way to each host and cannot choose: spray a router that has several")
        for way in range(ways):
            ends = {host: self.end(nexts[way % len(nexts)], label) for host, nexts in hops.items()}
            node.ip(*(f"route replace {getattr(self.nodes[host], family)} via {getattr(end, family)}"
                      f" table {SPRAY_TABLE + way}"
                      for host, end in ends.items() for family in ("ip4", "ip6")))
            for family in ("-4", "-6"):
                node.run(["ip", family, "rule", "add", "fwmark", way + 1, "table", SPRAY_TABLE + way])
        self._trouble(label, spray_of(ways))

    def refuse_joins(self, label):
        """The host resets every SYN that is to join a connection."""
        self._trouble(label, REFUSE)

    def _trouble(self, label, table):
        self.nodes[label].run(["nft", "-f", "-"], input=table)
        self._troubled.add(label)

    def calm(self, label):
        """The node does neither of these any more."""
        if label not in self._troubled:
            return
        node = self.nodes[label]
        node.run(["nft", "delete", "table", "inet", "trouble"])
        for family in ("-4", "-6"):
            for rule in json.loads(node.run(["ip", family, "-j", "rule", "show"])):
                if "fwmark" in rule:
                    node.run(["ip", family, "rule", "delete", "fwmark", rule["fwmark"]])
        self._troubled.discard(label)

    def heal(self):
        """All is as it was built, whatever has been broken."""
        self.drop_nothing()
        for label in list(self._troubled):
            self.calm(label)
        self.lost.clear()
        self.reroute()

    def reroute(self):
        """What a routing protocol does in the end: routes go around the links that were lost."""
        left = [link for link in self.topology.links if frozenset(link[:2]) not in self.lost]
        self._route(dataclasses.replace(self.topology, links=left, is_checked=False))

    def build(self):
        seeds = random.Random(self.seed)
        seed = seeds.randrange(1, 1 << 32)
        for label in self.topology.routers:
            self.netns(label).sysctl({**ROUTER, SEED: seed}, OPTIONAL)
            if not self.polarised:
                seed = seeds.randrange(1, 1 << 32)
        for label in self.topology.hosts:
            # Never the host's default: only "allowed" ones may be set in a new namespace.
            control = {"net.ipv4.tcp_congestion_control": self.congestion_control}
            self.netns(label, Host).sysctl({**HOST, **control}, OPTIONAL)
        for a, b, rate_mbit in self.topology.links:
            self.veth(self.nodes[a], self.nodes[b], rate_mbit=rate_mbit,
                      gso_max_size=self.gso_max_size)
        self._route(self.topology)

    def _route(self, topology):
        far = {(near.node.label, end.node.label): end
               for pair in self.links for near, end in (pair, pair[::-1])}
        routes = collections.defaultdict(list)
        for label in self.topology.hosts:
            host, (router,) = self.nodes[label], self.topology.neighbours(label)
            end = far[router, label]
            host.ip4, host.ip6, host.router = end.ip4, end.ip6, self.nodes[router]
            gateway = far[label, router]
            routes[label] += [f"route replace default via {gateway.ip4}",
                              f"route replace default via {gateway.ip6}"]
            for hop, nexts in topology.next_hops(label).items():
                if hop == router:
                    continue
                for family in ("ip4", "ip6"):
                    via = " ".join(f"nexthop via {getattr(far[hop, n], family)}" for n in nexts)
                    routes[hop].append(f"route replace {getattr(end, family)} {via}")
        for label, lines in routes.items():
            self.nodes[label].ip(*lines)

    def add_address(self, host, ip4):
        """A further address of a host, in the prefix of its first one and on the same ways."""
        host.ip(f"address add {ip4}/32 dev {host.router.label}")
        for hop, nexts in self.topology.next_hops(host.label).items():
            if hop != host.router.label:
                via = " ".join(f"nexthop via {self.end(n, hop).ip4}" for n in nexts)
                self.nodes[hop].ip(f"route replace {ip4} {via}")

    def uplinks(self, host):
        """Devices of the host's router that lead into the fabric: the first step of each path."""
        return [label for label in self.topology.neighbours(host.router.label)
                if label in self.topology.routers]

    def uplink_bytes(self, host):
        """Bytes sent on each of the uplinks, by the router's own counters, in their order."""
        sent = host.router.tx_bytes()
        return [sent[device] for device in self.uplinks(host)]

    def path_of(self, source, target, sport, dport):
        """Labels of the routers that a TCP packet passes, as the routers themselves say.

        IPv4 only: for IPv6 the kernel answers without building a packet, and under hash policy 3
        comes to another hash than for the packet (net/ipv6/route.c:rt6_multipath_custom_hash_fl6).
        There the counters are the only truth.
        """
        flow = f"ipproto tcp sport {sport} dport {dport}".split()
        path, before, here = [], source, source.router
        while here is not target:
            path.append(here.label)
            answer = self.run(["ip", "-n", here.name, "-j", "route", "get", target.ip4,
                               "from", source.ip4, "iif", before.label, *flow])
            before, here = here, self.nodes[json.loads(answer)[0]["dev"]]
        return path
