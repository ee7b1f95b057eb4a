# SPDX-License-Identifier: MIT
"""The gates: how many subflows each system promises, what a ceiling is, what is excused."""
import pytest
from lab import ceiling, fabric, gates, programs, systems, workloads
from lab.workloads import Flow

TREE = fabric.fat_tree_topology(4, 50)
RULE = systems.Rule(100, 50, 300)


@pytest.mark.parametrize("size, passed", [(99, 0), (100, 1), (149, 1), (150, 2), (299, 4), (300, 5),
                                          (9999, 5), (0, 5)])
def test_thresholds_that_a_flow_passes(size, passed):
    assert RULE.passed(size) == passed


@pytest.mark.parametrize("name, flows, expected", [
    ("tcp", [Flow(0, 8)], (0, 0)), ("mptcp", [Flow(0, 8, 1000)], (0, 0)),
    ("random4", [Flow(0, 8)], (3, 3)), ("random8", [Flow(0, 8), Flow(1, 9)], (14, 14)),
    ("random4", [Flow(0, 8, 50)], (0, 3)), ("random4", [Flow(0, 8, is_plain=True)], (0, 0)),
    ("subflow", [Flow(0, 8)], (3, 3)), ("subflow", [Flow(0, 2)], (1, 3)), ("subflow", [Flow(0, 1)], (0, 0)),
    ("subflow", [Flow(0, 8, 99)], (0, 0)), ("subflow", [Flow(0, 8, 120)], (0, 1)),
    ("subflow", [Flow(0, 8, 400)], (3, 3)), ("subflow", [Flow(0, 8, 400)] * 20, (1, 60)),
    ("rule-random", [Flow(0, 1)], (3, 3)), ("rule-kernel", [Flow(0, 8, 160)], (0, 2)),
])
def test_what_is_intended(name, flows, expected):
    """Not all of them are sure to come about before a flow ends; a mouse never has any of the rule."""
    assert gates.intended(systems.SYSTEMS[name], flows, RULE, TREE) == expected


def test_a_programs_control_connection_has_subflows_too():
    iperf3, rsync = (next(p for p in programs.PROGRAMS if p.name == n) for n in ("iperf3", "rsync"))
    for name, program, expected in (("random4", iperf3, (3, 6)), ("random4", rsync, (3, 3)),
                                    ("subflow", iperf3, (3, 3))):
        rule = systems.Rule(2000, 500, 3000)
        assert gates.intended(systems.SYSTEMS[name], [Flow(0, 8, 4000)], rule, TREE, program) == expected


@pytest.mark.parametrize("idle, discarded, excused", [
    (.1, "only 10% of the CPU was idle", True), (.1, "only 10% of the CPU was idle; 3 flows failed", False),
    (.5, "3 flows failed", False), (.5, "", False)])
def test_only_the_cpu_is_excused(idle, discarded, excused):
    assert gates.missed_cpu_only({"cpu_idle": idle, "discarded": discarded}) is excused


def test_the_ceiling_is_all_links_or_one_flow():
    """Where hosts' links are not shaped, or some are slower, neighbours say nothing of the fabric."""
    assert ceiling.flows_of(TREE) == workloads.stride(16, 1)
    spines = fabric.leaf_spine_topology(4, 2, 2, 100)
    assert ceiling.flows_of(spines) == [Flow(0, 3)]
    assert ceiling.flows_of(fabric.with_rates(TREE, {"core0": 10})) == [Flow(0, 15)]


def test_the_rate_of_a_path_is_that_of_its_slowest_link():
    topology = fabric.with_rates(fabric.leaf_spine_topology(2, 2, 1, 100), {"spine1": 10})
    links = {f"{x}>{y}": 0 for a, b, _ in topology.links for x, y in ((a, b), (b, a))}
    for spine, rate in (("spine0", 100), ("spine1", 10)):
        used = {"host0>leaf0": 9, f"leaf0>{spine}": 9, f"{spine}>leaf1": 9, "leaf1>host1": 9}
        assert ceiling.path_rate(topology, {**links, **used}, 9) == rate
    assert ceiling.path_rate(topology, links, 9) is None


def ceiling_of(monkeypatch, mean_mbps, idle):
    class Lab:
        topology = TREE

    result = {"flows_mbps": [mean_mbps] * 16, "mean_mbps": mean_mbps, "cpu_idle": idle, "series": [],
              "decisions": [], "discarded": "" if idle >= .15 else "only 5% of the CPU was idle",
              "links_mbps": {f"{x}>{y}": mean_mbps for a, b, _ in TREE.links for x, y in ((a, b), (b, a))}}
    monkeypatch.setattr(ceiling.experiment, "measure", lambda *_: result)
    return ceiling.measure(Lab, None)


@pytest.mark.parametrize("mean_mbps, idle, missed", [
    (48, .5, ""), (48, .05, ""), (46.5, .5, "is 0.930 of the links' rate and not 0.94"),
    (20, .05, "is 0.400 of the links' rate")])
def test_a_ceiling_that_is_too_low_is_said(monkeypatch, mean_mbps, idle, missed):
    found = ceiling_of(monkeypatch, mean_mbps, idle)
    assert missed in found["discarded"] and bool(missed) == bool(found["discarded"])
    assert found["share"] == mean_mbps / 50 and "series" not in found
