# SPDX-License-Identifier: MIT
"""What a fabric carries in theory: max-min fairness among subflows, at sizes no machine emulates.

A permutation (everybody sends to one and receives from one), all links alike. Each subflow is a TCP
flow that gets its max-min fair share of its path; a connection gets the sum of its subflows. No
round trips, no queues, no loss, no CPU: what is left is how paths are chosen.
"""
import functools

import numpy

ASSUMPTIONS = (
    "every flow is endless, and every subflow gets its max-min fair share at once",
    "a connection takes what its subflows get, without limit by its windows",
    "links are alike and lose nothing to headers; switches hash perfectly at random",
    "paths are drawn for each connection by itself: nobody knows where the others are",
)


class Tree:
    """A fat-tree's links as numbers. The path of a subflow is an aggregation router and a core."""

    def __init__(self, k):
        if k < 4 or k % 2:
            raise ValueError(f"k = {k}: even, from 4")
        self.k, self.half = k, k // 2
        self.hosts = k * self.half ** 2
        self.edge_hosts = self.half
        self.n_links = 6 * self.hosts

    def links(self, sources, targets, up, core):
        """[subflows][6] links passed, -1 for none; `core` is one of those above `up`."""
        half, pod_hosts = self.half, self.half ** 2
        edges = sources // half, targets // half
        pods = sources // pod_hosts, targets // pod_hosts
        far, near = edges[0] != edges[1], pods[0] == pods[1]
        tier = self.hosts  # as many links in each tier and direction
        columns = [sources, numpy.where(far, tier + edges[0] * half + up, -1)]
        for place, pod in ((2, pods[0]), (3, pods[1])):
            columns.append(numpy.where(~near, place * tier + (pod * half + up) * half + core, -1))
        columns += [numpy.where(far, 4 * tier + edges[1] * half + up, -1), 5 * tier + targets]
        return numpy.stack(columns, axis=1)


class LeafSpine:
    """A leaf-spine's links as numbers: as many leaves, and hosts on each, as spines. Which spine a subflow
    passes is told in two numbers below `half`, as paths of a fat-tree are."""

    def __init__(self, half):
        self.half = half
        self.spines = self.edge_hosts = half ** 2
        self.hosts = self.spines ** 2
        self.n_links = 4 * self.hosts

    def links(self, sources, targets, up, core):
        """[subflows][4] links passed, -1 for none."""
        leaves = sources // self.edge_hosts, targets // self.edge_hosts
        spine, far = up * self.half + core, leaves[0] != leaves[1]
        return numpy.stack([
            sources,
            *(numpy.where(far, place * self.hosts + leaf * self.spines + spine, -1)
              for place, leaf in ((1, leaves[0]), (2, leaves[1]))),
            3 * self.hosts + targets], axis=1)


def max_min(links, n_links):
    """The rate of each subflow where every link carries 1."""
    rates = numpy.zeros(len(links))
    left, live = numpy.ones(n_links), numpy.arange(len(links))
    while len(live):
        passed = links[live]
        is_real = passed >= 0
        count = numpy.bincount(passed[is_real], minlength=n_links)
        share = numpy.where(count > 0, left / numpy.maximum(count, 1), numpy.inf)
        own = numpy.where(is_real, share[passed], numpy.inf).min(axis=1)
        # A link is a bottleneck when none of its subflows is held up more elsewhere: all such
        # are settled in one turn.
        is_held = is_real & (own[:, None] < share[passed] * (1 - 1e-12))
        is_bottleneck = (count > 0) & (numpy.bincount(passed[is_held], minlength=n_links) == 0)
        is_settled = (is_real & is_bottleneck[passed]).any(axis=1)
        rates[live[is_settled]] = own[is_settled]
        done, amount = passed[is_settled], own[is_settled]
        for column in range(links.shape[1]):
            real = done[:, column] >= 0
            left -= numpy.bincount(done[real, column], weights=amount[real], minlength=n_links)
        left = numpy.maximum(left, 0)
        live = live[~is_settled]
    return rates


def permutation(hosts, rng):
    while True:
        targets = rng.permutation(hosts)
        if (targets != numpy.arange(hosts)).all():
            return targets


def random_paths(tree, subflows, rng):
    """Any path, each time anew: as ports by lot, and as ECMP does with one subflow."""
    shape = tree.hosts, subflows
    return rng.integers(tree.half, size=shape), rng.integers(tree.half, size=shape)


def ranks(rng, rows, columns, count):
    """[rows][count] different numbers below `columns`, in any order."""
    drawn = rng.random((rows, columns))
    if count == columns:
        return numpy.argsort(drawn, axis=1)
    return numpy.argpartition(drawn, count - 1, axis=1)[:, :count]


def distinct_paths(tree, subflows, rng):
    """Different ones, whichever they are."""
    chosen = ranks(rng, tree.hosts, tree.half ** 2, subflows)
    return chosen // tree.half, chosen % tree.half


def balanced_paths(tree, subflows, rng):
    """Different ones, and as many over each aggregation router."""
    turns = -(-subflows // tree.half)
    order = ranks(rng, tree.hosts, tree.half, tree.half)
    up = numpy.tile(order, (1, turns))[:, :subflows]
    cores = numpy.stack([ranks(rng, tree.hosts, tree.half, turns) for _ in range(tree.half)], axis=1)
    turn = numpy.arange(subflows) // tree.half
    return up, numpy.take_along_axis(
        cores.reshape(tree.hosts, -1), up * turns + turn[None, :], axis=1)


SIZES = (4, 8, 16, 48)
SEEDS_UNSPLIT = 200
# Hosts of all seeds together: a permutation of 16 hosts may be anything from .45 to .75 by ECMP.
HOSTS_MIN = 3000
# (name, about, subflows, how paths are chosen)
CHOICES = (
    ("tcp", "one path by ECMP", 1, random_paths),
    ("random4", "4 subflows on random paths", 4, random_paths),
    ("random8", "8 subflows on random paths", 8, random_paths),
    ("distinct4", "4 different paths", 4, distinct_paths),
    ("subflow", "4 different paths, balanced at each tier", 4, balanced_paths),
    ("distinct8", "8 different paths", 8, distinct_paths),
    ("balanced8", "8 different paths, balanced at each tier", 8, balanced_paths),
)


def rates(k, subflows, choose, seed, targets=None, is_whole=None):
    """Of each host / that of its link, one permutation: these targets, or some.

    is_whole: [hosts], whose flows have the first of these paths only; none without.
    """
    tree, rng = Tree(k), numpy.random.default_rng(seed)
    targets = permutation(tree.hosts, rng) if targets is None else targets
    subflows = min(subflows, tree.half ** 2) if choose is not random_paths else subflows
    up, core = choose(tree, subflows, rng)
    hosts = numpy.arange(tree.hosts)
    is_there = numpy.ones((tree.hosts, subflows), dtype=bool)
    if is_whole is not None:
        is_there[is_whole, 1:] = False
    sources = numpy.repeat(hosts, is_there.sum(axis=1))
    links = tree.links(sources, targets[sources], up[is_there], core[is_there])
    return numpy.bincount(sources, max_min(links, tree.n_links), tree.hosts)


def goodput(k, subflows, choose, seed, targets=None):
    """Mean rate of a host / that of its link."""
    return float(rates(k, subflows, choose, seed, targets).mean())


def unsplit(k, seeds=SEEDS_UNSPLIT):
    """What flows of one subflow keep, if every other flow is split as Subflow does, of what they had."""
    is_whole = numpy.arange(Tree(k).hosts) % 2 == 1
    kept, had = (sum(rates(k, subflows, choose, seed, is_whole=is_whole)[is_whole].mean()
                     for seed in range(seeds))
                 for subflows, choose in ((4, balanced_paths), (1, random_paths)))
    return kept / had


@functools.cache
def table(sizes, seeds=5):
    """[(name, about, {k: mean over the seeds})]; small trees have more of them, and a tree that is large
    enough by itself has one."""
    def mean(k, subflows, choose):
        hosts = Tree(k).hosts
        count = max(seeds, HOSTS_MIN // hosts) if hosts < HOSTS_MIN else 1
        return sum(goodput(k, subflows, choose, seed) for seed in range(count)) / count

    return [(name, about, {k: mean(k, subflows, choose) for k in sizes})
            for name, about, subflows, choose in CHOICES]
