# SPDX-License-Identifier: MIT
"""The model held against the emulation: the same permutations, run by run."""
import random
import statistics

import numpy

from lab import model, workloads

# The emulation is TCP with queues, losses and headers: it may be so far from max-min on average.
TOLERANCE = 0.08
DRAWS = 60
# (subflows, how their paths are chosen) of the lab's systems.
OF_SYSTEM = {"mptcp": (1, model.random_paths), "rule-kernel": (4, model.random_paths),
             "rule-random": (4, model.random_paths),
             **{name: (subflows, choose) for name, _, subflows, choose in model.CHOICES}}


def is_comparable(result):
    """Whether the run counts, and the model is of such a one."""
    return "busy" not in result and is_modelled(result)


def is_modelled(result):
    """Whether the model is of such a fabric: all links alike, routers that hash differently."""
    return (result["workload"] == "permutation" and result["shape"]["topology"] == "fat-tree"
            and result["shape"]["k"] >= 4 and not result["shape"]["asymmetry"]
            and not result["settings"]["fail"] and "polarised" not in result["settings"]["fabric"]
            and result["system"] in OF_SYSTEM)


def predicted(k, system, seed):
    """(mean, standard deviation) of what max-min gives this seed's permutation, over lots of paths."""
    hosts = model.Tree(k).hosts
    targets = numpy.array([flow.target for flow in workloads.permutation(hosts, random.Random(seed))])
    draws = [model.goodput(k, *OF_SYSTEM[system], draw, targets) for draw in range(DRAWS)]
    return statistics.mean(draws), statistics.pstdev(draws)


def compare(runs):
    """[(k, system, runs, emulated, predicted, allowed difference)]; shares of the ceiling."""
    groups = {}
    for result in filter(is_comparable, runs):
        groups.setdefault((result["shape"]["k"], result["system"]), []).append(result)
    rows = []
    for (k, system), group in sorted(groups.items()):
        shares = [r["mean_mbps"] / r["ceiling_mbps"] for r in group]
        means, deviations = zip(*(predicted(k, system, r["seed"]) for r in group))
        # Each run has one lot of paths: so far may the mean of all be from that of many lots.
        luck = 2 * sum(d * d for d in deviations) ** .5 / len(group)
        rows.append((k, system, len(group), statistics.mean(shares), statistics.mean(means),
                     TOLERANCE + luck))
    return rows


def differs(row):
    return abs(row[3] - row[4]) > row[5]
