# SPDX-License-Identifier: MIT
"""The model: what max-min is, what paths are, and the figures that theory is known for."""
import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy
import pytest
from lab import command, compared, fabric, model, results
from lab.netns import LabError


def rates(links, n_links):
    return model.max_min(numpy.array(links), n_links).tolist()


def test_max_min():
    assert rates([[0, -1], [0, -1]], 1) == [.5, .5]
    # Three on link 0, one of them over link 1 with a fourth: that one gets what is left there.
    found = rates([[0, -1], [0, -1], [0, 1], [1, -1]], 2)
    assert found == pytest.approx([1 / 3, 1 / 3, 1 / 3, 2 / 3])
    assert rates([[-1, 2], [1, -1]], 3) == [1, 1]


@pytest.mark.parametrize("seed", range(5))
def test_nobody_can_have_more_without_another_having_less(seed):
    rng = numpy.random.default_rng(seed)
    links = rng.integers(-1, 12, size=(60, 4))
    links[:, 0] = rng.integers(12, size=60)
    links = numpy.array([[link if link not in row[:i] else -1 for i, link in enumerate(row)]
                         for row in links.tolist()])
    found = model.max_min(links, 12)
    loads = [sum(r for r, row in zip(found, links) if link in row) for link in range(12)]
    assert max(loads) < 1 + 1e-9
    for rate, row in zip(found, links):
        full = [link for link in row if link >= 0 and loads[link] > 1 - 1e-9]
        assert any(rate >= max(r for r, other in zip(found, links) if link in other) - 1e-9
                   for link in full), "each is among the fastest of a full link"


@pytest.mark.parametrize("topology, tree", [
    (fabric.fat_tree_topology(4, 50), model.Tree(4)),
    (fabric.leaf_spine_topology(4, 4, 4, 50), model.LeafSpine(2))])
def test_paths_are_those_of_the_topology(topology, tree):
    """The same number of links on the way as the lab's fabric has, and as many paths, for every pair."""
    sources, targets = numpy.repeat(numpy.arange(16), 16), numpy.tile(numpy.arange(16), 16)
    zero = numpy.zeros(256, dtype=int)
    for source, target, row in zip(sources, targets, tree.links(sources, targets, zero, zero)):
        if source == target:
            continue
        here, hops = topology.neighbours(topology.hosts[source])[0], 1
        while f"host{target}" not in topology.neighbours(here):
            here, hops = topology.next_hops(f"host{target}")[here][0], hops + 1
        assert (row >= 0).sum() == hops + 1
    choices = [tree.links(sources, targets, zero + up, zero + core) for up in (0, 1) for core in (0, 1)]
    assert max(links.max() for links in choices) == tree.n_links - 1
    for source, target, *ways in zip(sources, targets, *map(numpy.ndarray.tolist, choices)):
        if source != target:
            ends = topology.hosts[source], topology.hosts[target]
            assert len(set(map(tuple, ways))) == topology.paths(*ends)


@pytest.mark.parametrize("choose", [model.distinct_paths, model.balanced_paths])
def test_chosen_paths_differ(choose):
    tree = model.Tree(8)
    up, core = choose(tree, 8, numpy.random.default_rng(1))
    assert all(len(set(zip(*pair))) == 8 for pair in zip(up.tolist(), core.tolist()))
    if choose is model.balanced_paths:
        assert all(sorted(row) == [0, 0, 1, 1, 2, 2, 3, 3] for row in up.tolist())


@pytest.mark.parametrize("k, name, expected", [
    (4, "tcp", .596), (4, "random4", .859), (4, "random8", .941), (4, "subflow", 1),
    (8, "random8", .886), (8, "distinct8", .926), (8, "balanced8", .965)])
def test_figures_of_theory(k, name, expected):
    (found,) = [(subflows, choose) for n, _, subflows, choose in model.CHOICES if n == name]
    shares = [model.goodput(k, *found, seed) for seed in range(200 if k == 4 else 8)]
    assert sum(shares) / len(shares) == pytest.approx(expected, abs=.015)


def table_of_the_document():
    """[(what, k, figure)] of docs/lab.md."""
    text = (Path(__file__).parents[2] / "docs" / "lab.md").read_text()
    head, _, *rows = re.search(r"^\| \| k = 4 .*?\n\n", text, re.M | re.S).group(0).strip().splitlines()
    sizes = [int(k) for k in re.findall(r"k = (\d+)", head)]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return [(what, k, float(figure)) for what, *figures in cells for k, figure in zip(sizes, figures)]


@pytest.mark.parametrize("about, k, figure", table_of_the_document())
def test_figures_of_the_document(about, k, figure):
    (found,) = [(subflows, choose) for _, text, subflows, choose in model.CHOICES if text == about]
    shares = [model.goodput(k, *found, seed) for seed in range(max(1, 12000 // k ** 3))]
    assert sum(shares) / len(shares) == pytest.approx(figure, abs=.015)


def test_the_document_has_all_sizes():
    assert {k for _, k, _ in table_of_the_document()} == set(model.SIZES)


def test_flows_that_are_not_split_have_one_path():
    is_whole = numpy.arange(16) % 2 == 1
    both = [model.rates(4, 4, model.balanced_paths, 1, is_whole=mask)
            for mask in (is_whole, None)]
    assert both[1].tolist() == pytest.approx([1] * 16) and both[0][is_whole].min() < .7
    assert both[0].sum() < both[1].sum()


def test_what_others_pay_in_theory():
    assert model.unsplit(4) == pytest.approx(.81, abs=.03)


def test_a_tree_without_a_choice():
    with pytest.raises(ValueError, match="even, from 4"):
        model.Tree(2)


def emulated(system, seed, mean_mbps, **more):
    return {"workload": "permutation", "system": system, "seed": seed, "mean_mbps": mean_mbps,
            "ceiling_mbps": 50.0, "settings": {"fabric": "fat-tree k=4, 50 Mbit/s", "fail": []},
            "shape": {"topology": "fat-tree", "k": 4, "asymmetry": None}, **more}


def test_the_emulation_is_held_against_its_own_permutations():
    rows = compared.compare([emulated("tcp", seed, 30.0) for seed in range(1, 6)]
                            + [emulated("subflow", 1, 50.0), emulated("subflow", 2, 40.0),
                               emulated("subflow", 3, 1.0, workload="stride8")])
    assert [(k, system, count) for k, system, count, *_ in rows] == [(4, "subflow", 2), (4, "tcp", 5)]
    (_, _, _, got, said, allowed), tcp = rows
    assert (got, said, allowed) == (pytest.approx(.9), pytest.approx(1), compared.TOLERANCE)
    assert compared.differs(rows[0]) and not compared.differs(tcp), "four paths have no luck"
    assert tcp[4] == pytest.approx(.6, abs=.08) and compared.TOLERANCE < tcp[5] < 2 * compared.TOLERANCE


def test_what_a_busy_machine_measured_is_left_out_and_said_to_be(tmp_path, capsys):
    path, common = tmp_path / "r.jsonl", {"discarded": "", **dict.fromkeys(results.VERSIONS, "1")}
    busy = [emulated("subflow", seed, 1.0, busy="only 3 % of the CPU was idle", **common) for seed in (2, 3)]
    options = SimpleNamespace(check=path)
    path.write_text("".join(json.dumps(run) + "\n" for run in [emulated("subflow", 1, 48.0, **common), *busy]))
    assert command.check_model(options) == 0
    assert capsys.readouterr().out.endswith("\n2 runs that --busy kept are left out: subflow-lab run without it"
                                            " measures them again\n")
    path.write_text("".join(json.dumps(run) + "\n" for run in busy))
    with pytest.raises(LabError, match="no permutations over fat-trees that count: 2 runs that --busy kept are left out"):
        command.check_model(options)


@pytest.mark.parametrize("more", [
    {"busy": "only 3 % of the CPU was idle"}, {"workload": "stride8"}, {"system": "mine"}, {"shape": {"topology": "ring", "k": 4, "asymmetry": None}},
    {"shape": {"topology": "fat-tree", "k": 4, "asymmetry": [["core0", 5]]}},
    {"settings": {"fabric": "fat-tree k=4, 50 Mbit/s, polarised", "fail": []}},
    {"settings": {"fabric": "fat-tree k=4, 50 Mbit/s", "fail": ["1:notice"]}}])
def test_what_the_model_says_nothing_of(more):
    assert compared.compare([{**emulated("tcp", 1, 30.0), **more}]) == []
