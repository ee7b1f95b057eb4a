# SPDX-License-Identifier: MIT
"""Fabrics that do not show their paths, or have none that ports decide: it is found out, and said."""
import json
import socket
import subprocess

import pytest
from app import ADD, App
from lab import fabric
from lab.fabric import Fabric, Topology
from lab.netns import LabError, wait_until
from test_benefit import POUR, filter_icmp
from test_placement import PORT, Scene, state_of

# At 100 Mbit/s a step is .4 s.
RULE = {"start": "5MB", "step": "5MB", "stop": "10GB", "max_subflows": 4}
UNDECIDED = "ports do not decide the way there"


def nft(node, rules):
    try:
        node.run(["nft", "-f", "-"], input=rules)
    except LabError as error:
        if "Could not process rule: No such file" not in str(error):
            raise
        pytest.skip(f"this kernel's nftables cannot do it: {error}")


def spray(lab):
    """leaf0 sends each packet to another spine, by lot."""
    leaf = lab.nodes["leaf0"]
    spines = [label for label in lab.topology.routers if label.startswith("spine")]
    nft(leaf, f"""
        table ip spray {{
          chain lots {{
            type filter hook prerouting priority -150
            iifname "host0" meta mark set numgen random mod {len(spines)} offset 1
          }}
        }}""")
    for number, spine in enumerate(spines, 1):
        leaf.ip(f"rule add fwmark {number} lookup {100 + number}",
                f"route add default via {lab.end(spine, 'leaf0').ip4} table {100 + number}")


def hash_labels(lab):
    """As many fabrics do: the IPv6 flow label counts."""
    for label in lab.topology.routers:
        lab.nodes[label].sysctl({"net.ipv6.fib_multipath_hash_fields": 0x3f})


def disguise(lab):
    """Each answer of a spine has another address."""
    for label in lab.topology.routers:
        if label.startswith("spine"):
            nft(lab.nodes[label], """
                table ip disguise {
                  chain out {
                    type filter hook output priority 0
                    icmp type time-exceeded ip saddr set numgen random mod 4 map { \
                      0 : 10.66.0.1, 1 : 10.66.0.2, 2 : 10.66.0.3, 3 : 10.66.0.4 }
                  }
                }""")


def rename(lab):
    """The same, of more addresses than a map has room for."""
    lots = ", ".join(f"{i} : 10.66.0.{i}" for i in range(256))
    for label in lab.topology.routers:
        if label.startswith("spine"):
            nft(lab.nodes[label], f"""
                table ip aliases {{
                  chain out {{
                    type filter hook output priority 0
                    icmp type time-exceeded ip saddr set numgen random mod 256 map {{ {lots} }}
                  }}
                }}""")


def connect(scene, family):
    return App(scene.source).connect(getattr(scene.target, family), PORT)


def is_found_out(lab, family):
    """False: luck has sent each flow that was asked again where it was before, and all is believed."""
    scene = Scene(lab)
    if family == "ip6":
        scene.sink6 = App(scene.target)
        scene.sink6.sink(PORT, scene.target.ip6, socket.AF_INET6)
    for _ in range(3):
        app = connect(scene, family)
        app.set(ADD, 3)
        app.wait_subflows(4)
        wait_until(lambda: state_of(scene, PORT) in ("known", "silent"), "the survey is over")
        if state_of(scene, PORT) == "known":
            return False
        assert scene.status(app)["unplaced"] == UNDECIDED
        # What was thought at first, while the survey went on, is forgotten.
        assert all(subflow["path"] == [] for subflow in scene.status(app)["subflows"])
        app.close()
    counters = scene.counters()
    assert counters["placed_blind"] >= 6
    assert counters["probes"] <= 160, "what a map has no room for is not looked for"
    assert counters["placed"] + counters["placed_shared"] + counters["placed_blind"] == 9
    return True


@pytest.mark.parametrize("spines", [2, 4])
@pytest.mark.parametrize("trouble, family", [(spray, "ip4"), (hash_labels, "ip6"), (disguise, "ip4"),
                                             (rename, "ip4")])
def test_a_fabric_whose_paths_no_port_decides(trouble, family, spines):
    """Found out with 99 %: of two fabrics one in ten thousand times both are not."""
    for _ in range(2):
        with fabric.leaf_spine(spines) as lab:
            trouble(lab)
            if is_found_out(lab, family):
                return
    pytest.fail("it is believed that ports decide")


def share(lab):
    """All spines answer with one address."""
    for label in lab.topology.routers:
        if label.startswith("spine"):
            nft(lab.nodes[label], """
                table ip share {
                  chain out {
                    type filter hook output priority 0
                    icmp type time-exceeded ip saddr set 10.66.0.1
                  }
                }""")


def test_routers_that_share_an_address_are_one():
    """As the manual says: no elephant is split, applications may, and nothing is claimed of the paths."""
    with fabric.leaf_spine(4) as lab:
        share(lab)
        scene = Scene(lab, {"elephant": RULE})
        app, other = scene.connect(), scene.connect()
        app(POUR)
        wait_until(lambda: scene.counters()["single_paths"], "an elephant", 30)
        assert scene.counters()["creates"] == 0
        other.set(ADD, 3)
        other.wait_subflows(4)
        assert scene.counters()["placed"] == 0


class Tunnelled(Fabric):
    """host0 and host1 on gateways, whose packets to each other go in VXLAN over leaves and spines."""

    def __init__(self, spines):
        spine = [f"spine{i}" for i in range(spines)]
        links = [("host0", "vtep0", None), ("vtep0", "leaf0", None), ("host1", "vtep1", None),
                 ("vtep1", "leaf1", None)]
        links += [(leaf, name, 100) for leaf in ("leaf0", "leaf1") for name in spine]
        super().__init__(Topology(["vtep0", "vtep1", "leaf0", "leaf1"] + spine, ["host0", "host1"], links))

    def build(self):
        super().build()
        for leaf, gateway, host in (("leaf0", "vtep0", "host0"), ("leaf1", "vtep1", "host1")):
            for at, to in ((gateway, leaf), (leaf, gateway)):
                self.nodes[at].ip(f"link set {self.end(at, to).device} mtu 1600")
            for end in (end for pair in self.links for end in pair if end.rate_mbit):
                end.node.ip(f"link set {end.device} mtu 1600")
        ends = {f"vtep{i}": self.end(f"vtep{i}", f"leaf{i}") for i in (0, 1)}
        for near, far in (("vtep0", "vtep1"), ("vtep1", "vtep0")):
            self._underlay(ends[far])
        for number, (near, far) in enumerate((("vtep0", "vtep1"), ("vtep1", "vtep0"))):
            host = self.nodes[f"host{far[-1]}"]
            self.nodes[near].ip(
                f"link add vx type vxlan id 7 dstport 4789 nolearning local {ends[near].ip4} "
                f"remote {ends[far].ip4}",
                f"link set vx mtu 1500 up", f"address add 172.16.0.{number + 1}/24 dev vx",
                f"route replace {ends[far].ip4} via {self.end(near.replace('vtep', 'leaf'), near).ip4}",
                f"route replace {host.ip4} via 172.16.0.{2 - number}")

    def _underlay(self, end):
        """Leaves and spines know the way to this gateway."""
        near = end.node.label.replace("vtep", "leaf")
        other = "leaf1" if near == "leaf0" else "leaf0"
        spines = [label for label in self.topology.routers if label.startswith("spine")]
        for spine in spines:
            self.nodes[spine].ip(f"route replace {end.ip4} via {self.end(near, spine).ip4}")
        via = " ".join(f"nexthop via {self.end(spine, other).ip4}" for spine in spines)
        self.nodes[other].ip(f"route replace {end.ip4} {via}")


def test_packets_that_are_sprayed_lead_to_no_back_and_forth():
    """One more subflow is tried at most so often as [benefit] says, and that was it."""
    with fabric.leaf_spine(4) as lab:
        spray(lab)
        scene = Scene(lab, {"elephant": RULE, "repair": {"rto_min_ms": 0}, "benefit": {"tries": 2}})
        app = scene.connect()
        app(POUR)
        wait_until(lambda: scene.counters()["thresholds"] >= 12, "an elephant", 30)
        tried = scene.counters()["creates"]
        # Each of the three further subflows once, and two more ports for each.
        assert 0 < tried <= 9
        wait_until(lambda: scene.counters()["thresholds"] >= 24, "a larger one", 30)
        counters = scene.counters()
        assert counters["creates"] <= 9
        assert counters["taken_back"] <= 3
        assert scene.status(app)["unplaced"] == UNDECIDED


def test_a_tunnel_hides_the_paths_and_what_helps_is_found_by_trying():
    with Tunnelled(4) as lab:
        scene = Scene(lab, {"elephant": RULE})
        app = scene.connect()
        app(POUR)
        wait_until(lambda: scene.counters()["creates"], "a subflow is tried", 20)
        assert "tunnel" in scene.status(app)["unplaced"]
        assert scene.counters()["single_paths"] == 0
        wait_until(lambda: scene.counters()["helped"] + scene.counters()["taken_back"], "a verdict", 30)


@pytest.mark.parametrize("interval_ms", [50, 200])
def test_routers_that_answer_seldom(interval_ms):
    """Six at once and then one in so long: what is shown is true, or it is said that nothing is."""
    with fabric.leaf_spine(4) as lab:
        for label in lab.topology.routers:
            lab.nodes[label].sysctl({"net.ipv4.icmp_ratelimit": interval_ms})
        scene = Scene(lab)
        taken = scene.spread(scene.connect(), 4)
        counters = scene.counters()
        if not counters["placed_blind"] + counters["placed_shared"]:
            assert len(set(taken)) == 4

        def shown():
            run = subprocess.run([scene.daemon.cli, "paths", "--json"],
                                 env=scene.daemon.environment, capture_output=True, text=True)
            (map_,) = json.loads(run.stdout)["paths"]
            return map_ if map_["state"] in ("known", "silent") else None

        map_ = wait_until(shown, "the survey ends", 40)
        assert map_["ways"] or map_["state"] == "silent" and map_["reason"]
        assert map_["is_partial"] or map_["missed"] <= .01
        for way in map_["ways"]:
            labels = tuple(scene.label_of(address) for address in way["routers"])
            assert {scene.routers(port)[:2] for port in way["ports"]} == {labels}
