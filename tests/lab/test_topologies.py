# SPDX-License-Identifier: MIT
"""Topologies as data: what links carry."""
import random

import pytest
from lab import command, fabric, workloads
from lab.netns import LabError


def options_of(*words):
    return command.parse(["run", *map(str, words)])


def leaf_spine(*words, workload="permutation"):
    return options_of(workload, "--topology", "leaf-spine", *words)


def rates(topology):
    """(rates of hosts' links, rates of the others)."""
    return tuple({rate for a, _, rate in topology.links if (a in topology.hosts) == is_host}
                 for is_host in (True, False))


@pytest.mark.parametrize("words, host, others", [
    ((), 50, 50), (("--spines", 2, "--hosts", 4, "--rate", 20), 10, 20), (("--hosts", 2, "--rate", 20), 40, 20),
    (("--spines", 1, "--hosts", 4, "--rate", 2), 1, 2), (("--host-rate", 30), 30, 50), (("--host-rate", 0), None, 50)])
def test_the_hosts_of_a_leaf_share_what_its_uplinks_carry(words, host, others):
    options = leaf_spine(*words)
    topology = fabric.topology_of(options)
    assert rates(topology) == ({host}, {others})
    assert fabric.host_mbit(options) == host or (host is None and fabric.host_mbit(options) == others)
    assert command.about(options).endswith(f", {others} Mbit/s, hosts {host or 'without a rate'}")


def test_a_host_that_is_not_there_is_named():
    with pytest.raises(LabError, match="there is no host 4: this fabric has 4, counted from 0"):
        fabric.leaf_spine(2, leaves=2, hosts=2).host(4)
    with pytest.raises(LabError, match="there is no host -5"):
        fabric.leaf_spine(2, leaves=2, hosts=2).host(-5)


@pytest.mark.parametrize("workload", ["paper", "flapping"])
def test_between_two_hosts_the_paths_are_the_bottleneck(workload):
    assert rates(fabric.topology_of(options_of(workload)))[0] == {None}


def test_who_makes_a_leaf_spine_by_hand_has_hosts_without_a_rate():
    assert rates(fabric.leaf_spine_topology(2, 2, 2, 20)) == ({None}, {20})
    assert rates(fabric.leaf_spine(2, 2, 2, 20, host_mbit=10).topology) == ({10}, {20})


def test_a_mix_loads_the_hosts_links():
    """Whatever the others carry."""
    def offered(*words):
        options = leaf_spine("--seconds", 500, "--rate", 20, *words, workload="websearch")
        flows = workloads.WORKLOADS["websearch"].make(16, random.Random(1), options)
        return sum(flow.bytes for flow in flows) * 8 / 500 / 16e6

    assert offered() == pytest.approx(.6 * 20, rel=.15)
    assert offered("--host-rate", 40) == pytest.approx(.6 * 40, rel=.15)


@pytest.mark.parametrize("words, remedy", [
    (("--rate", 100), "16 hosts of 100 Mbit/s are too much for 2 CPUs: take --rate 50 or less"),
    (("--rate", 100, "--hosts", 2), "8 hosts of 200 Mbit/s are too much for 2 CPUs: take --rate 50 or less"),
    (("--host-rate", 80), "16 hosts of 80 Mbit/s are too much for 2 CPUs: take --host-rate 50 or less")])
def test_the_machines_cpu_carries_what_hosts_send(monkeypatch, words, remedy):
    monkeypatch.setattr(command.machine.os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(command.machine, "check", lambda *_: None)
    with pytest.raises(command.LabError, match=remedy):
        command.check_machine(leaf_spine(*words))


PAIR = [("host0", "r0", 10), ("host1", "r1", 10), ("r0", "r1", 10)]


@pytest.mark.parametrize("routers, hosts, links, why", [
    (["r0", "r1"], ["host0", "host1"], PAIR[:2], "no links lead from host0 to r1"),
    (["r0", "r1", "r2"], ["host0", "host1"], PAIR, "no links lead from host0 to r2"),
    (["r0", "r1"], ["host0", "host1"], PAIR[1:], "host0 has 0 links: a host has one"),
    (["r0", "r1"], ["host0", "host1"], [*PAIR, ("host0", "r1", 10)], "host0 has 2 links: a host has one"),
    (["r0"], ["host0", "host1"], [("host0", "host1", 10)], "host0 has 1 links: a host has one, and that to a router"),
    (["r0", "r1"], ["host0", "host1"], [*PAIR, ("r1", "r0", 20)], "there are several links between r0 and r1"),
    (["r0", "r1"], ["host0", "host1"], [*PAIR, ("r1", "r9", 20)], "a link leads from r1 to r9"),
    (["r0", "r1"], ["host0", "host1"], [*PAIR, ("r1", "r1", 20)], "a link leads from r1 to r1"),
    (["r0", "r0"], ["host0"], PAIR, "r0 is there twice"),
    (["a-name-that-is-16"[:16]], ["host0"], [], "a-name-that-is-1 is no name for a device"),
    (["a b"], ["host0"], [], "a b is no name for a device"), (["r:0"], ["host0"], [], "r:0 is no name for"),
    (["r0"], ["server"], [("server", "r0", 1)], "server: the names of hosts begin with host"),
    (["hosts"], ["host0"], [("host0", "hosts", 1)], "hosts: the names of hosts begin with host"),
    (["r0"], [], [], "it has no host")])
def test_what_no_fabric_can_be_made_of_is_said(routers, hosts, links, why):
    with pytest.raises(command.LabError, match=f"no fabric can be made of this topology: {why}"):
        fabric.Topology(routers, hosts, links)


def test_what_a_fabric_can_be_made_of_is_none_the_worse():
    fabric.Topology(["r0", "r1"], ["host0", "host1"], PAIR)
    fabric.Topology(["a-name-of-15-ch"], ["host0"], [("host0", "a-name-of-15-ch", None)])
    fabric.Topology(["r0", "r1"], ["host0"], [], is_checked=False)
    for k in (2, 4, 8, 16):
        fabric.fat_tree_topology(k, 10)
