# SPDX-License-Identifier: MIT
"""What a transfer is measured by: the rule's splits, and not the repairs between and after them."""
import pytest
from lab import measure
from lab.netns import LabError

RATE = 12_500_000  # bytes / s of one path
SPLITS_S = (3.0, 4.0, 5.0)


class Source:
    joins = 0

    def netstat(self):
        return {"MPTcpExtMPJoinSynAckRx": self.joins}


class Fabric:
    sent = (0, 0, 0, 0)

    def uplink_bytes(self, _):
        return self.sent


def connection(live, splits, closing=0):
    states = ["established"] * live + ["closing"] * closing
    return {"subflows": [{"state": state} for state in states],
            "thresholds": [{"subflows": n + 2} for n in range(splits)] + [{"subflows": 0}]}


def samples_of(repairs_s, monkeypatch, end_s=12.0):
    """A transfer in which a subflow is replaced at these times, a second after it fell silent."""
    now, source, fabric = 0.0, Source(), Fabric()
    monkeypatch.setattr(measure.time, "monotonic", lambda: now)
    live = splits = 1
    recorder = measure.Recorder(fabric, source, lambda: connection(live, splits))
    while now < end_s:
        splits = sum(when <= now for when in SPLITS_S)
        dead = sum(when - 1 <= now < when for when in repairs_s)
        live = 1 + splits - dead
        source.joins = splits + sum(when <= now for when in repairs_s)
        fabric.sent = tuple(sent + RATE / 10 * (path < live) for path, sent in enumerate(fabric.sent))
        recorder.take()
        now = round(now + .1, 1)
    return recorder


def rate(window):
    return sum(measure.rates(*window)) / (RATE * 8e-6)


def test_without_repairs(monkeypatch):
    before, after = measure.windows(samples_of([], monkeypatch).samples)
    assert (rate(before), rate(after)) == (pytest.approx(1), pytest.approx(4))
    assert after[0].time_s == pytest.approx(SPLITS_S[-1] + measure.SETTLE_S)


@pytest.mark.parametrize("when_s", [4.5, 5.0, 9.0, 11.9])
def test_a_repair_moves_no_window_and_hides_no_loss(monkeypatch, when_s):
    recorder = samples_of([when_s], monkeypatch)
    before, after = measure.windows(recorder.samples)
    assert before[-1].time_s < SPLITS_S[0]
    assert after[0].time_s == pytest.approx(SPLITS_S[-1] + measure.SETTLE_S)
    assert len(measure.splits(recorder.samples)) == 3
    lost = max(0, min(when_s, after[1].time_s) - max(when_s - 1, after[0].time_s))
    span_s = after[1].time_s - after[0].time_s
    assert rate(after) == pytest.approx(4 - lost / span_s, abs=.04)
    assert measure.live_of(recorder.fullest) == 4


def test_what_is_closing_or_was_never_established_is_not_counted():
    assert measure.live_of(connection(3, 3, closing=2)) == 3
    assert measure.splits_of(connection(4, 3)) == 3
    assert (measure.live_of(None), measure.splits_of(None)) == (0, 0)


def test_another_connection_does_not_take_the_place_of_a_closed_one(monkeypatch):
    found = [connection(4, 3), connection(1, 0), None]
    recorder = measure.Recorder(Fabric(), Source(), lambda: found.pop(0))
    assert [(s.splits, s.live) for s in (recorder.take() for _ in range(3))] == [(3, 4)] * 3


def test_a_connection_that_was_never_split(monkeypatch):
    recorder = samples_of([], monkeypatch, end_s=2.5)
    with pytest.raises(LabError, match="never split"):
        measure.windows(recorder.samples)
