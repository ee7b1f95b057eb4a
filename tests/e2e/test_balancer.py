# SPDX-License-Identifier: MIT
"""A service of several hosts behind one address: joins that reach another host than theirs."""
import os
import subprocess

import ipvs
import pytest
from app import ADD
from conftest import Pair
from lab.lab import Lab
from lab.netns import wait_until

SERVICE = "192.0.2.1"
RULES = """table ip service {{
 chain prerouting {{
  type nat hook prerouting priority dstnat;
  ip daddr {service} tcp dport 7000 dnat to {choice} map {{ {backends} }}
 }}
}}
"""


class Service(Pair):
    """client - balancer - one, two. The balancer gives each new flow to the next of its turns."""

    def build(self):
        self.client, self.balancer = self.netns("client"), self.netns("balancer")
        self.backends = [self.netns("one"), self.netns("two")]
        _, gate = self.veth(self.client, self.balancer)
        links = [self.veth(self.balancer, backend) for backend in self.backends]
        self.balancer.sysctl({"net.ipv4.ip_forward": 1})
        self.client.ip(f"route add default via {gate.ip4}")
        for near, far in links:
            far.node.ip(f"route add default via {near.ip4}")
        self.addresses = [far.ip4 for _, far in links]
        self.server = self.backends[0]

    def balance(self, turns):
        """turns: for each new flow in its turn, the number of the backend that it goes to."""
        backends = ", ".join(f"{i} : {self.addresses[turn]}" for i, turn in enumerate(turns))
        rules = RULES.format(service=SERVICE, choice=f"numgen inc mod {len(turns)}",
                             backends=backends)
        self.balancer.run(["nft", "-f", "-"], input=rules)

    def retire(self, backend):
        """New flows go to the other one."""
        self.balancer.run(["nft", "flush", "chain", "ip", "service", "prerouting"])
        self.balancer.run(["nft", "add", "rule", "ip", "service", "prerouting", "ip", "daddr", SERVICE, "dnat", "to",
                           self.addresses[1 - backend]])

    def begin(self, turns, config=None):
        self.balance(turns)
        return self.start(config)

    def start(self, config=None):
        daemon = self.serve({"placement": {"mode": "kernel"}, **(config or {})},
                            serve=[self.client, *self.backends])
        for backend in self.backends:
            self.sink(backend)
        return daemon


def can_translate():
    """Whether this kernel has what the balancer is made of."""
    with Lab() as lab:
        node = lab.netns("nat")
        rules = RULES.format(service=SERVICE, choice="numgen inc mod 1", backends="0 : 192.0.2.2")
        return subprocess.run(["nsenter", f"--net={node.path}", "nft", "-f", "-"], text=True,
                              input=rules, capture_output=True).returncode == 0


@pytest.fixture(scope="module", autouse=True)
def nat():
    if os.geteuid() == 0 and not can_translate():
        pytest.skip("this kernel has no nftables with NAT and numgen")


@pytest.fixture
def pair():
    with Service() as lab:
        yield lab


def counters(daemon):
    return daemon.status()["daemon"]["counters"]


def syns(lab):
    """SYNs of joins that reached a backend, wherever."""
    return sum(node.snmp()["TcpPassiveOpens"] + node.netstat()["MPTcpExtMPJoinNoTokenFound"]
               for node in lab.backends)


def test_joins_that_reach_another_host_are_given_up(pair):
    """After so many in a row none is sent, whoever asks; it is shown; others are not concerned."""
    daemon = pair.begin([0, 1, 1, 1, 1, 1, 1, 1], {"joins": {"refusals": 3, "hold_s": 3600}})
    app = pair.app(pair.client).connect(SERVICE)
    app.set(ADD, 3)
    wait_until(lambda: counters(daemon)["refused_by_peer"] == 3, "three are refused")
    sent = syns(pair)
    app.set(ADD, 2)
    wait_until(lambda: counters(daemon)["withheld"] == 2, "two are not tried")
    assert syns(pair) == sent and len(app.subflows()) == 1
    app(f"send(s, {1 << 20})")
    connection = pair.connection(daemon, app)
    assert "refused the last 3 joins (Connection refused)" in connection["decision"]
    assert connection["refusals"]["in_a_row"] == 3 and connection["refusals"]["hold_s"] > 0
    [destination] = daemon.status()["refusing"]
    assert destination["remote"] == f"{SERVICE}:7000"
    assert destination["namespace"] == pair.client.name
    told = subprocess.run([daemon.cli, "explain", f"{app.connid():08x}"], text=True,
                          env=daemon.environment, capture_output=True, check=True).stdout
    assert "refused the last 3 joins" in told
    shown = subprocess.run([daemon.cli, "status"], text=True, env=daemon.environment,
                           capture_output=True, check=True).stdout
    assert "Destinations that refuse joins" in shown
    # By its own address the same host is another destination.
    direct = pair.app(pair.client).connect(pair.addresses[0])
    direct.set(ADD, 1)
    direct.wait_subflows(2)


def test_a_backend_that_is_retired_keeps_its_connection_and_gets_no_joins(pair):
    """By the kernel's own balancer, IPVS, where there is one; else by what nftables make of it."""
    if ipvs.is_there(pair.balancer):
        pair.balancer.ip("link set lo up", f"address add {SERVICE}/32 dev lo")
        service = ipvs.Balancer(pair.balancer, SERVICE, 7000)
        for address in pair.addresses:
            service.add(address)
        daemon = pair.start({"joins": {"refusals": 3, "hold_s": 3600}})
    else:
        service = None
        daemon = pair.begin([0, 1], {"joins": {"refusals": 3, "hold_s": 3600}})
    app = pair.app(pair.client).connect(SERVICE)
    home, = (i for i, node in enumerate(pair.backends) if node.snmp()["TcpPassiveOpens"])
    if service:
        service.retire(pair.addresses[home])
    else:
        pair.retire(home)
    app.set(ADD, 3)
    wait_until(lambda: counters(daemon)["refused_by_peer"] == 3, "three are refused")
    app.set(ADD, 2)
    wait_until(lambda: counters(daemon)["withheld"] == 2, "two are not tried")
    assert pair.backends[1 - home].netstat()["MPTcpExtMPJoinNoTokenFound"] == 3
    assert pair.connection(daemon, app)["refusals"]["in_a_row"] == 3 and len(app.subflows()) == 1
    app(f"send(s, {1 << 20})")


def test_after_the_hold_it_is_tried_again(pair):
    daemon = pair.begin([0, 1, 0, 0], {"joins": {"refusals": 1, "hold_s": 1}})
    app = pair.app(pair.client).connect(SERVICE)
    app.set(ADD, 1)
    wait_until(lambda: counters(daemon)["refused_by_peer"] == 1, "it is refused")
    wait_until(lambda: not pair.connection(daemon, app)["refusals"]
               or not pair.connection(daemon, app)["refusals"]["hold_s"], "the hold is over")
    wait_until(lambda: try_again(app), "it is tried again, and comes up")
    wait_until(lambda: daemon.status()["refusing"] == [], "the destination is forgotten")


def try_again(app):
    app.set(ADD, 1)
    return len(app.subflows()) > 1


def test_where_some_joins_arrive_they_go_on(pair):
    """Every second one reaches the right host."""
    daemon = pair.begin([0, 1], {"joins": {"refusals": 3}})
    app = pair.app(pair.client).connect(SERVICE)
    for refused in range(1, 5):
        app.set(ADD, 2)
        app.wait_subflows(refused + 1)
        wait_until(lambda: counters(daemon)["refused_by_peer"] == refused, "and one is refused")
    assert counters(daemon)["withheld"] == 0


def test_many_connections_make_no_storm(pair):
    """[policy] ndiffports asks for every new one."""
    daemon = pair.begin([0, 1, 1, 1], {"policy": {"ndiffports": 4}, "joins": {"refusals": 3}})
    apps = [pair.app(pair.client).connect(SERVICE)]
    wait_until(lambda: counters(daemon)["refused_by_peer"] == 3, "three are refused")
    pair.retire(1)
    apps += [pair.app(pair.client).connect(SERVICE) for _ in range(5)]
    wait_until(lambda: counters(daemon)["withheld"] == 15, "no other one is tried")
    assert counters(daemon)["refused_by_peer"] == 3
    assert all(len(app.subflows()) == 1 for app in apps)
