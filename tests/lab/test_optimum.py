# SPDX-License-Identifier: MIT
"""What links that are not alike leave flows at best: the ceiling is not luck, and no more than there is."""
import itertools
import math
import random

import pytest
from lab import ceiling, fabric, optimum, workloads

TREE = fabric.fat_tree_topology(4, 50)


def rates(topology, flows):
    return [pytest.approx(rate, abs=.01) for rate in optimum.rates(topology, flows)]


@pytest.mark.parametrize("seed", range(3))
def test_where_all_links_are_alike_a_permutation_is_all_that_hosts_can_send(seed):
    assert rates(TREE, workloads.permutation(16, random.Random(seed))) == [50] * 16


@pytest.mark.parametrize("slow, each", [
    ({"core0": 25}, 175 / 4), ({"core0": 25, "core3": 10}, 135 / 4), ({"agg0-0": 10}, None), ({"edge0-0:agg0-0": 10}, None)])
def test_a_slow_link_takes_from_those_who_have_no_way_around_it(slow, each):
    """Four hosts of a pod share its four links to the cores, and two of an edge its two uplinks."""
    found = optimum.rates(fabric.with_rates(TREE, slow), workloads.stride(16, 8))
    if each:
        assert list(found) == [pytest.approx(each, abs=.01)] * 16
        return
    # Of pod 0, and of the pod that sends to it; or of the edge, and of the hosts that send to it.
    hit = 4 if "agg0-0" in slow else 2
    left = 60 / 2 if hit == 2 else (10 + 10 + 50 + 50) / 4
    assert list(found) == [pytest.approx(left if x % 8 < hit else 50, abs=.01) for x in range(16)]


def three_leaves():
    """From leaf1 one spine is reached, and from leaf0 both; the targets are at leaf2."""
    links = [("host0", "leaf0", None), ("host1", "leaf1", None), ("host2", "leaf2", None), ("host3", "leaf2", None),
             ("leaf0", "spine0", 10), ("leaf0", "spine1", 10), ("leaf1", "spine0", 10), ("leaf2", "spine0", 10),
             ("leaf2", "spine1", 10)]
    return fabric.Topology(["leaf0", "leaf1", "leaf2", "spine0", "spine1"], [f"host{i}" for i in range(4)], links)


def test_who_can_go_around_leaves_the_link_to_those_who_cannot():
    """Equal parts of the link for each subflow would give one 15 and the other 5."""
    flows = [workloads.Flow(0, 2), workloads.Flow(1, 3)]
    assert rates(three_leaves(), flows) == [10, 10]
    assert rates(three_leaves(), flows[:1]) == [20], "and where nobody needs it takes it"
    assert rates(fabric.with_rates(three_leaves(), {"leaf0:spine1": 4}), flows) == [7, 7]


def test_nobody_gets_more_than_links_carry_and_nobody_could_have_more():
    """Any rates: no link is overfull by the flows that have no other way, and the least is as much as it can be."""
    rng = random.Random(7)
    uneven = fabric.with_rates(TREE, {f"{a}:{b}": rng.choice((5, 10, 25)) for a, b, _ in TREE.links[16:]})
    found = optimum.rates(uneven, workloads.stride(16, 8))
    for edge in range(8):
        up = sum(rate for a, b, rate in uneven.links if a == TREE.routers[edge] and b.startswith("agg"))
        assert found[2 * edge] + found[2 * edge + 1] <= up + .01
        assert found[2 * edge] == pytest.approx(found[2 * edge + 1], abs=.01), "they have the same paths"
    for pod in range(4):
        up = sum(rate for a, b, rate in uneven.links if a.startswith(f"agg{pod}-") and b.startswith("core"))
        assert sum(found[4 * pod:4 * pod + 4]) <= up + .01


def test_a_flow_that_meets_no_rate_is_without_bound():
    topology = fabric.leaf_spine_topology(2, 2, 2, 20)
    assert rates(topology, [workloads.Flow(0, 1), workloads.Flow(0, 2)]) == [math.inf, 40]


def alone(mbps):
    return {"mean_mbps": mbps, "share": .96}


def test_the_ceiling_is_the_same_whichever_path_the_one_flow_took():
    """It is on the slow link or not, by lot: a half of what others are told over was luck."""
    slow, flows = fabric.with_rates(TREE, {"core0": 25}), workloads.stride(16, 8)
    assert ceiling.of_flows(slow, flows, alone(24)) == ceiling.of_flows(slow, flows, alone(48)) == 42


@pytest.mark.parametrize("spine, rate", [("spine0", 10), ("spine1", 20)])
def test_the_rate_of_a_path_is_that_of_its_slowest_link(spine, rate):
    """The counters say which links these were; acknowledgements pass the others."""
    topology = fabric.with_rates(fabric.leaf_spine_topology(2, 2, 1, 20, 40), {"spine0": 10})
    hops = ["host0", "leaf0", spine, "leaf1", "host1"]
    links = {f"{x}>{y}": .5 for a, b, _ in topology.links for x, y in ((a, b), (b, a))}
    links |= {f"{a}>{b}": 9.5 for a, b in itertools.pairwise(hops)}
    assert ceiling.path_rate(topology, links, 9.5) == rate
    assert ceiling.path_rate(fabric.leaf_spine_topology(2, 2, 1, None), links, 9.5) is None


def test_where_paths_add_up_the_ceiling_is_their_sum():
    topology = fabric.with_rates(fabric.leaf_spine_topology(2, 2, 1, 20), {"spine0": 10})
    assert ceiling.of_flows(topology, workloads.stride(2, 1), alone(9.6)) == pytest.approx(.96 * 30, abs=.001)


def test_else_the_ceiling_is_what_was_measured():
    uneven = fabric.leaf_spine_topology(2, 2, 2, 20)
    assert ceiling.of_flows(TREE, workloads.stride(16, 8), alone(47)) == 47
    assert ceiling.of_flows(uneven, [workloads.Flow(0, 2, 1000)], alone(19)) == 19
    assert ceiling.of_flows(uneven, [workloads.Flow(0, 1)], alone(19)) == 19, "within a leaf nothing bounds it"
