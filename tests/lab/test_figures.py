# SPDX-License-Identifier: MIT
"""What benchmarks make of their rounds, where running one takes too long for a test."""
import argparse

import pytest
import rows
from lab import experiment, systems
from runner import load as bench
from runner import scenario


def test_a_mix_is_held_against_tcp_on_the_same_fabric():
    mix = bench("mix")

    def result(elephant_s, mouse_s):
        flows = [(2_000_000, elephant_s), *[(50_000, mouse_s)] * 9]
        return {"completions": [{"bytes": size, "s": s} for size, s in flows]}

    took = {"fat-tree": {"tcp": (4, .2), "mptcp": (4, .1), "random4": (2, .4), "coupled": (1, .2),
                         "subflow": (1, .3)},
            "leaf-spine": {"tcp": (3, .5), "random4": (1.5, 1), "subflow": (1, .25)}}
    found = mix.figures([{f"{where} {name}": result(*s) for where, systems in took.items()
                          for name, s in systems.items()}] * 2)
    assert found == {
        "elephants": ([4, 4], {"1 subflow": [1, 1], "4 random ports": [2, 2], "coupled = yes": [4, 4]}),
        "mice": ([pytest.approx(1.5)] * 2, {"1 subflow": [pytest.approx(.5)] * 2,
                                            "4 random ports": [pytest.approx(2)] * 2,
                                            "coupled = yes": [pytest.approx(1)] * 2}),
        "elephants-leaf-spine": ([3, 3], {"4 random ports": [2, 2]}),
        "mice-leaf-spine": ([pytest.approx(.5)] * 2, {"4 random ports": [pytest.approx(2)] * 2}),
    }
    assert set(found) == set(rows.of("mix"))
    assert set(took["fat-tree"]) == set(mix.PLACES["fat-tree"].compared)
    assert set(took["leaf-spine"]) == set(mix.PLACES["leaf-spine"].compared)


def test_both_fabrics_of_a_mix_have_as_many_hosts_and_paths():
    for place in bench("mix").PLACES.values():
        hosts = place.topology.hosts
        assert len(hosts) == 16 and place.topology.paths(hosts[0], hosts[-1]) == 4
        assert {rate for *_, rate in place.topology.links} == {40}


def test_the_fabrics_of_a_black_hole_have_four_paths_and_each_a_bottleneck_of_its_own():
    for topology in bench("recover").FABRICS.values():
        source, target = topology.hosts[0], topology.hosts[-1]
        assert topology.paths(source, target) == 4
        shaped = [link for *link, rate in topology.links if rate]
        assert {top for _, top in shaped} == set(topology.routers[-4:])


def test_chance_is_what_is_measured_twice_over_itself():
    harmless = bench("harmless")
    value = {"mptcp": 4, "random4": 2, "subflow": 3, "coupled": 5, "judged": 3.8, "again": 3.6}
    found = harmless.figures([{name: {case: value[name] for case in cases}
                               for name, (_, cases) in harmless.MEASURED.items()}])
    assert set(found) == set(rows.of("harmless"))
    beside = {"always split": [.5], "chance": [.9]}
    assert found["unsplit"] == ([.75], beside) and found["unsplit-coupled"] == ([1.25], beside)
    assert found["unsplit-leaf-spine"] == ([.75], beside) and found["unsplit-judged"] == ([.95], beside)
    assert found["single-path"] == ([.75], beside) and found["single-path-leaf-spine"] == ([.75], beside)
    assert harmless.MEASURED["again"][0] == "mptcp"


def test_a_fabric_s_goodput_is_held_against_its_ceiling_and_against_others():
    fabric = bench("fabric")

    def result(mean, worst):
        return {"mean_mbps": mean, "flows_mbps": [mean, worst]}

    def both(mean, worst):
        return {"stride8": result(mean, worst), "permutation": result(mean + 2, worst + 1)}

    found = fabric.figures([{"ceiling": result(20, 20), "alone": result(19, 19), "tcp": both(9, 2),
                             "random4": both(15, 8), "random8": both(17, 12), "subflow": both(18, 16)}] * 2)
    others = {"TCP": [.5] * 2, "4 random ports": [.8] * 2, "8 random ports": [.9] * 2}
    assert found == {
        "goodput": ([.95] * 2, {**others, "MPTCP that meets nobody": [.95] * 2}),
        "over-ecmp": [1.9] * 2, "over-4-random": [19 / 16] * 2, "over-8-random": [19 / 18] * 2,
        "worst-flow": ([.8] * 2, {"TCP": [.1] * 2, "4 random ports": [.4] * 2, "8 random ports": [.6] * 2})}
    assert set(found) == set(rows.of("fabric"))


def test_a_mouse_is_far_from_its_threshold_and_another_one_near():
    tax, at, begun = bench("tax"), 0, {}
    for name, size in tax.STRETCHES:
        begun[name] = (at, at := at + size)
    start = int(tax.CONFIG["elephant"]["start"].removesuffix("MB"))
    assert begun["mouse"][1] < start / 2 < begun["near"][0] < begun["near"][1] < start < begun["elephant"][0]


def test_a_scale_is_of_times_and_thresholds_and_by_default_of_none():
    def of(scale, quick=False):
        return scenario(argparse.Namespace(scale=scale, quick=quick))

    assert of(1) == experiment.Scenario(settle_s=2.5, window_s=8, rule=systems.SCALED)
    assert of(1, quick=True) == experiment.Scenario(settle_s=2.5, window_s=3, rule=systems.SCALED)
    assert of(.2) == experiment.Scenario(settle_s=.5, window_s=1.6, rule=systems.Rule(200_000, 100_000, 600_000))


def test_how_far_past_its_threshold_a_poll_finds_a_flow():
    """Up to what is sent between two looks; a threshold that no look finds passed is none."""
    detect = bench("detect")
    assert detect.overshoots([0, 5, 12, 0], 2) == [3, 1, 6, 4, 2, 0]
    assert detect.overshoots([], 2) == detect.overshoots([0, 1], 2) == []
