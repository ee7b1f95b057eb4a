# SPDX-License-Identifier: MIT
"""The model of a mix: what it takes can be told by hand where few flows meet."""
import numpy
import pytest

from lab import fluid, workloads

RATE = 8  # Mbit/s: a megabyte a second
MB = 1_000_000


def took(split, *flows, seed=1):
    return fluid.completions([workloads.Flow(*flow) for flow in flows], split, RATE, seed)


@pytest.mark.parametrize("split", fluid.SPLITS)
def test_one_that_meets_nobody_has_its_link(split):
    assert took(split, (0, 15, 4 * MB, 2.5)) == [(4 * MB, pytest.approx(4))]


@pytest.mark.parametrize("split", ["tcp", "start", "ideal"])
def test_two_to_one_host_share_its_link(split):
    # For two seconds each has half of it.
    found = took(split, (0, 15, 3 * MB, 0), (4, 15, 1 * MB, 1))
    assert found == [(1 * MB, pytest.approx(2)), (3 * MB, pytest.approx(4))]


def test_who_is_split_takes_more_of_a_link_that_others_need():
    assert dict(took("rule", (0, 15, 3 * MB, 0), (4, 15, 1 * MB, 1)))[1 * MB] > 2.5


def test_two_that_meet_on_the_way_are_apart_where_they_are_split():
    pair = (0, 15, 4 * MB, 0), (1, 14, 4 * MB, 0)
    worst = {split: max(max(s for _, s in took(split, *pair, seed=seed)) for seed in range(8))
             for split in fluid.SPLITS}
    assert worst["ideal"] == worst["start"] == pytest.approx(4)
    assert worst["tcp"] == pytest.approx(8) and 4 < worst["rule"] < 8


@pytest.mark.parametrize("fabric, near", [("fat-tree", 1), ("leaf-spine", 3)])
def test_flows_of_one_edge_router_have_one_path(fabric, near):
    def links(target):
        transfer = fluid.Transfer(workloads.Flow(0, target, 2 * MB), (0, 0, 0),
                                  fluid.FABRICS[fabric].edge_hosts, numpy.random.default_rng(1))
        return len(set(map(tuple, transfer.ways())))
    assert links(near) == 1 and links(near + 1) == 4


@pytest.mark.parametrize("fabric, expected", [
    ("fat-tree", [1, 1.12, 1.19, 1.2]), ("leaf-spine", [1, 1.05, 1.09, 1.09])])
def test_figures_of_theory(fabric, expected):
    found = [ratio for _, ratio in fluid.sooner(fluid.FABRICS[fabric])]
    assert found == pytest.approx(expected, abs=.02)
