# SPDX-License-Identifier: MIT
"""How long flows of all sizes take in theory: max-min fair shares that change with every arrival.

Fabrics of 16 hosts like those of `bench/mix`. What model.py says of endless flows holds here between
one event and the next: a flow comes, has sent enough for one more subflow, or is done.
"""
import random
import statistics

import numpy

from lab import model, systems, workloads

FABRICS = {"fat-tree": model.Tree(4), "leaf-spine": model.LeafSpine(2)}
# The second and third way part from the first at once, so that one more subflow is worth the most.
TURNS = ((0, 0), (1, 1), (0, 1), (1, 0))
MBIT = 1e6 / 8
SEEDS = 5
# name: (about, bytes after which each further subflow is there, whether the fabric has bottlenecks)
SPLITS = {
    "tcp": ("one path by ECMP", (), True),
    "rule": ("Subflow's rule", tuple(systems.SCALED.start + number * systems.SCALED.step
                                     for number in range(len(TURNS) - 1)), True),
    "start": ("4 paths from the start", (0,) * (len(TURNS) - 1), True),
    "ideal": ("a fabric without bottlenecks", (), False),
}


class Transfer:
    """One that is under way. Two hosts of one edge router have one path."""

    def __init__(self, flow, thresholds, edge_hosts, rng):
        self.flow, self.left = flow, flow.bytes
        self.first = rng.integers(2, size=2)
        has_choice = flow.source // edge_hosts != flow.target // edge_hosts
        self.thresholds = [t for t in thresholds if has_choice and t < flow.bytes]
        self.paths = 1
        self.split()

    def split(self):
        """Opens what it is due."""
        while self.thresholds and self.flow.bytes - self.left >= self.thresholds[0]:
            del self.thresholds[0]
            self.paths += 1

    def ways(self):
        return [self.first ^ turn for turn in TURNS[:self.paths]]

    def until_next(self):
        """Bytes until it is done, or is due one more."""
        sent = self.flow.bytes - self.left
        return min(self.left, self.thresholds[0] - sent) if self.thresholds else self.left


def shares(fabric, transfers, has_bottlenecks):
    """Of a host's link, of each."""
    hosts = [(number, t.flow, up, core) for number, t in enumerate(transfers) for up, core in t.ways()]
    numbers, flows, ups, cores = zip(*hosts)
    links = fabric.links(numpy.array([f.source for f in flows]), numpy.array([f.target for f in flows]),
                         numpy.array(ups), numpy.array(cores))
    if not has_bottlenecks:
        links[:, 1:-1] = -1
    return numpy.bincount(numbers, model.max_min(links, fabric.n_links), len(transfers))


def completions(flows, split, rate_mbit, seed, fabric=FABRICS["fat-tree"]):
    """[(bytes, seconds)] of each flow."""
    _, thresholds, has_bottlenecks = SPLITS[split]
    rng = numpy.random.default_rng(seed)
    coming = sorted(flows, key=lambda flow: -flow.start_s)
    live, done, now = [], [], 0.0
    while coming or live:
        rates = shares(fabric, live, has_bottlenecks) * rate_mbit * MBIT if live else []
        waits = [t.until_next() / rate for t, rate in zip(live, rates)]
        if coming:
            waits.append(coming[-1].start_s - now)
        nearest = int(numpy.argmin(waits))
        now += waits[nearest]
        for number, (transfer, rate) in enumerate(zip(live, rates)):
            # The one that it is about arrives exactly, whatever a float is.
            step = transfer.until_next() if number == nearest else rate * waits[nearest]
            transfer.left = max(transfer.left - step, 0)
        if nearest == len(live):
            live.append(Transfer(coming.pop(), thresholds, fabric.edge_hosts, rng))
            continue
        live[nearest].split()
        done += [(t.flow.bytes, now - t.flow.start_s) for t in live if not t.left]
        live = [t for t in live if t.left]
    return done


def sooner(fabric, load=.6, rate_mbit=40, seconds=15, seeds=SEEDS):
    """[(about, how many times sooner than over ECMP elephants are done)], medians over the seeds."""
    found = {name: [] for name in SPLITS}
    for seed in range(1, seeds + 1):
        flows = workloads.mix(workloads.WEBSEARCH, fabric.hosts, random.Random(seed), load, rate_mbit, seconds)
        for name in SPLITS:
            found[name].append(statistics.mean(
                s for size, s in completions(flows, name, rate_mbit, seed, fabric) if size >= systems.SCALED.start))
    return [(about, statistics.median(tcp / own for tcp, own in zip(found["tcp"], found[name])))
            for name, (about, _, _) in SPLITS.items()]
