# SPDX-License-Identifier: MIT
"""Workloads: who sends to whom, sizes as published, the load that was asked for."""
import random

import pytest
from lab import command, workloads
from lab.netns import LabError

HOSTS = 16


@pytest.mark.parametrize("seed", range(20))
def test_a_permutation_has_no_fixed_point(seed):
    flows = workloads.permutation(HOSTS, random.Random(seed))
    assert sorted(f.source for f in flows) == sorted(f.target for f in flows) == list(range(HOSTS))
    assert all(f.source != f.target for f in flows)


def test_stride():
    assert [(f.source, f.target) for f in workloads.stride(4, 1)] == [(0, 1), (1, 2), (2, 3), (3, 0)]


@pytest.mark.parametrize("words, remedy", [
    (("stride8", "--leaves", 2, "--hosts", 2), "stride8: host 0 of 4 would send to itself: take a fabric of another"),
    (("stride", "--step", 16), "stride: host 0 of 16 would send to itself: .*another --step"),
    (("permutation", "--leaves", 1, "--hosts", 1), "one host has nobody to send to: .*--leaves 2"),
    (("websearch", "--leaves", 1, "--hosts", 1), "one host has nobody to send to"),
    (("paper", "--leaves", 1, "--hosts", 1), "one host has nobody to send to"),
    (("websearch", "--load", .001, "--seconds", .01), "no flow begins within 0.01 s: take more --seconds or --load")])
def test_nobody_sends_to_himself(tmp_path, words, remedy):
    """Over the loopback device it would pass no link, and count."""
    options = command.parse(["run", *map(str, words), "--topology", "leaf-spine",
                             "--results", str(tmp_path / "none")])
    with pytest.raises(LabError, match=remedy):
        command.campaign.Campaign(options, command.fabric.topology_of(options), "", None)


def test_a_permutation_of_one_has_an_end():
    with pytest.raises(LabError, match="one host has nobody to send to"):
        workloads.permutation(1, random.Random(1))


@pytest.mark.parametrize("words, edge, pod, near, within", [
    (("--k", 4), 2, 4, .2, .5), (("--k", 6), 3, 9, .2, .5), (("--k", 2), 1, 1, 0, 0),
    (("--topology", "leaf-spine"), 4, 4, .2, .2),
    (("--topology", "leaf-spine", "--leaves", 2, "--hosts", 3), 3, 3, .2, .2),
    (("--topology", "leaf-spine", "--leaves", 1, "--hosts", 5), 5, 5, 1, 1)])
def test_staggered_has_its_shares_on_every_fabric(words, edge, pod, near, within):
    """edge, pod: how many hosts they have. Where there are none to send to, it goes further."""
    options = command.parse(["run", "staggered", *map(str, words)])
    hosts = len(command.fabric.topology_of(options).hosts)
    flows = [f for seed in range(3200 // hosts)
             for f in workloads.WORKLOADS["staggered"].flows(hosts, random.Random(seed), options)]
    for size, share in ((edge, near), (pod, within)):
        assert sum(f.source // size == f.target // size for f in flows) / len(flows) == pytest.approx(share, abs=.03)
    assert {f.source for f in flows} == set(range(hosts))


@pytest.mark.parametrize("words, rate", [
    ((), 50), (("--rate", 20), 20), (("--topology", "leaf-spine", "--hosts", 2), 100)])
def test_shuffle_is_all_to_all_and_as_much_as_hosts_can_send(words, rate):
    options = command.parse(["run", "shuffle", *map(str, words)])
    hosts = len(command.fabric.topology_of(options).hosts)
    flows = workloads.WORKLOADS["shuffle"].flows(hosts, random.Random(1), options)
    assert len({(f.source, f.target) for f in flows}) == hosts * (hosts - 1) == len(flows)
    batch_s = 4 * 2 * 8 / rate
    starts = sorted(f.start_s for f in flows if f.source == 0)
    assert starts == pytest.approx([i // 4 * batch_s for i in range(hosts - 1)])


def test_hotspot_has_one():
    flows = workloads.hotspot(HOSTS, random.Random(1))
    hits = [sum(f.target == host for f in flows) for host in range(HOSTS)]
    assert max(hits) in (4, 5) and all(f.source != f.target for f in flows)


@pytest.mark.parametrize("points", [workloads.WEBSEARCH, workloads.DATA_MINING])
def test_sizes_follow_the_published_points(points):
    rng = random.Random(1)
    sizes = [workloads.draw(points, rng) for _ in range(20000)]
    for size, share in points[1:]:
        assert sum(s <= size for s in sizes) / len(sizes) == pytest.approx(share, abs=.02)
    assert min(sizes) >= workloads.SMALLEST


def test_a_mix_has_the_load_that_was_asked_for():
    flows = workloads.mix(workloads.WEBSEARCH, HOSTS, random.Random(1), .6, 50, 400)
    offered = sum(f.bytes for f in flows) * 8 / 400 / (HOSTS * 50e6)
    assert offered == pytest.approx(.6, rel=.1)
    assert all(0 < f.start_s < 400 and f.source != f.target for f in flows)


def test_a_mix_can_be_cut_off():
    flows = workloads.mix(workloads.DATA_MINING, HOSTS, random.Random(1), .6, 50, 60, 30e6)
    assert max(f.bytes for f in flows) <= 30e6
