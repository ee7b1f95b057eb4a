# SPDX-License-Identifier: MIT
"""How long flows that end are waited for: as long as what they carry may take, and no longer."""
import types

import pytest
from lab import experiment, fabric, workloads

MB = 1_000_000
TREE = fabric.fat_tree_topology(4, 50)
LEAST_S = experiment.LEAD_S + experiment.PATIENCE_S


def test_a_small_run_is_waited_for_a_minute():
    flows = [workloads.Flow(0, 8, 1000), workloads.Flow(1, 9, 1000, 12.5)]
    assert experiment.deadline(TREE, flows) == pytest.approx(12.5 + LEAST_S, abs=.01)


@pytest.mark.parametrize("flows, slow, carried_s", [
    (workloads.stride(16, 8, 1000 * MB), {}, 160),
    (workloads.stride(16, 8, 1000 * MB), {"core0": 10}, 800),
    ([workloads.Flow(0, to, 100 * MB) for to in range(1, 16)], {}, 240),
    ([workloads.Flow(of, 0, 100 * MB) for of in range(1, 16)], {}, 240)])
def test_a_large_one_as_long_as_it_may_take(flows, slow, carried_s):
    """By what one host sends, or receives, over the slowest link, with four flows on it."""
    found = experiment.deadline(fabric.with_rates(TREE, slow), flows)
    assert 4 * carried_s + LEAST_S < found < 6 * carried_s + LEAST_S


def test_where_no_link_has_a_rate_there_is_an_end_all_the_same():
    topology = fabric.leaf_spine_topology(2, 2, 1, None)
    assert LEAST_S < experiment.deadline(topology, [workloads.Flow(0, 1, 1000 * MB)]) < 600


class Clock:
    """Time passes while samples are taken, and flows end at their times."""

    def __init__(self, ends_s):
        self.now, self.ends_s = 1000.0, ends_s
        self.lab = types.SimpleNamespace(topology=TREE)

    def monotonic(self):
        return self.now

    def until(self, origin_s, when_s):
        self.now = max(self.now, origin_s + when_s)
        return {"s": self.now}

    def records(self):
        return [{"flow": number, "end_ns": 1} for number, end_s in enumerate(self.ends_s) if 1000 + end_s <= self.now]


@pytest.mark.parametrize("size, ends_s, took_s", [
    (1000 * MB, (170, 590), 590), (1000 * MB, (170, 1e9), LEAST_S + 800), (1000, (1, 2), 2), (1000, (1, 1e9), LEAST_S)])
def test_a_run_ends_with_its_flows_and_a_hung_one_at_the_deadline(monkeypatch, size, ends_s, took_s):
    clock = Clock(ends_s)
    monkeypatch.setattr(experiment.time, "monotonic", clock.monotonic)
    flows = workloads.stride(16, 8, size)[:2]
    last = experiment.finish(clock, clock, clock.now, flows)
    assert last["s"] - 1000 == pytest.approx(took_s, abs=2 * experiment.LINKS_EVERY_S)
