# SPDX-License-Identifier: MIT
"""Systems beside each other, seed by seed: a seed is one fabric and the same flows for all of them."""
import statistics


def by_seed(runs, measure):
    """{seed: measure(run)}, of those runs for which there is one."""
    found = {run["seed"]: measure(run) for run in runs}
    return {seed: value for seed, value in found.items() if value is not None}


def both(one, other):
    """Two {seed: value}, without the seeds that only one of them has."""
    seeds = sorted(one.keys() & other.keys())
    return [{seed: side[seed] for seed in seeds} for side in (one, other)]


def ratio(ours, theirs):
    """The median over the seeds that both have; None if there is none."""
    ratios = [a / b for a, b in zip(*(side.values() for side in both(ours, theirs))) if b]
    return statistics.median(ratios) if ratios else None


def common(runs):
    """The runs of the seeds that all of these systems have."""
    seeds = [{run["seed"] for run in runs if run["system"] == name} for name in {run["system"] for run in runs}]
    return [run for run in runs if all(run["seed"] in has for has in seeds)]


def gaps(runs):
    """{seed: systems that have no run of it}, where others have one."""
    names = list(dict.fromkeys(run["system"] for run in runs))
    there = {(run["seed"], run["system"]) for run in runs}
    found = {seed: [name for name in names if (seed, name) not in there] for seed in sorted({seed for seed, _ in there})}
    return {seed: missing for seed, missing in found.items() if missing}


def told(found):
    """gaps() for people; "" where there are none."""
    return "; ".join(f"seed {seed} by {', '.join(missing)}" for seed, missing in found.items())
