# SPDX-License-Identifier: MIT
"""What benchmarks make of their rounds, where running one takes too long for a test."""
import pytest
import rows
from runner import load as bench


def test_a_mix_is_held_against_tcp_on_the_same_fabric():
    mix = bench("mix")

    def result(elephant_s, mouse_s):
        flows = [(2_000_000, elephant_s), *[(50_000, mouse_s)] * 9]
        return {"completions": [{"bytes": size, "s": s} for size, s in flows]}

    took = {"fat-tree": {"tcp": (4, .2), "mptcp": (4, .1), "random4": (2, .4), "subflow": (1, .3)},
            "leaf-spine": {"tcp": (3, .5), "random4": (1.5, 1), "subflow": (1, .25)}}
    found = mix.figures([{f"{where} {name}": result(*s) for where, systems in took.items()
                          for name, s in systems.items()}] * 2)
    assert found == {
        "elephants": ([4, 4], {"1 subflow": [1, 1], "4 random ports": [2, 2]}),
        "mice": ([pytest.approx(1.5)] * 2, {"1 subflow": [pytest.approx(.5)] * 2,
                                            "4 random ports": [pytest.approx(2)] * 2}),
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
    value = {"mptcp": 4, "random4": 2, "subflow": 3, "coupled": 5, "again": 3.6}
    found = harmless.figures([{name: {case: value[name] for case in cases}
                               for name, (_, cases) in harmless.MEASURED.items()}])
    assert set(found) == set(rows.of("harmless"))
    beside = {"always split": [.5], "chance": [.9]}
    assert found["unsplit"] == ([.75], beside) and found["unsplit-coupled"] == ([1.25], beside)
    assert found["single-path"] == ([.75], beside)
    assert harmless.MEASURED["again"][0] == "mptcp"
