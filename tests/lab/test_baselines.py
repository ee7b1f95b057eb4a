# SPDX-License-Identifier: MIT
"""What prototypes gave comes out again, or the page says why it does not, or that this is not explained."""
import dataclasses
import json
import math

import baselines
import kept
import numpy
import pytest
import summary
from conftest import ROOT
from lab import model

TCP = baselines.BASELINES[0]


def left(median, name="TCP"):
    return {"fabric": {"rounds": [{}] * 5, "figures": [
        {"key": "goodput", "without": {name: {"values": [median - .2, median, median + .1]}}}]}}


# Measured somewhere, with a reason for some medians.
REASONED = [b for b in baselines.BASELINES if b.measured and b.why]


def with_why(monkeypatch, why, **more):
    baseline = dataclasses.replace(TCP, **{"why": why, "explains": baselines.ANYTHING, **more})
    monkeypatch.setattr(baselines, "BASELINES", (baseline,))
    return baseline


def said(found):
    return "\n".join(summary.again(found))


def test_the_page_has_no_figure_without_a_reason():
    """Of goals that are not met, and of goals and baselines that are not measured."""
    assert summary.UNKNOWN not in summary.markdown(kept.read(kept.RESULTS))


def test_whatever_the_next_rounds_give_something_is_said():
    assert [b.what for b in baselines.BASELINES if not b.why and (not b.measured or not b.known)] == []


@pytest.mark.parametrize("baseline", REASONED, ids=lambda b: f"{b.row}, {b.what}")
def test_a_reason_is_known_and_holds_for_some_medians(baseline):
    """What is likely, or explains anything, is no explanation: that is what is known, for what it is worth."""
    assert "not known" not in baseline.why and "likely" not in baseline.why
    low, high = baseline.explains
    assert all(map(math.isfinite, (low, high))), "whatever comes out would be explained"
    assert low < baseline.low or high > baseline.high, "nothing that is out of range would be"
    for median in (low, high):
        assert baseline.verdict(median) in (baselines.EXPLAINED, baselines.AGAIN)
    for median in (min(low, baseline.low) - .001, max(high, baseline.high) + .001):
        assert baseline.verdict(median) == baselines.UNEXPLAINED


STRIDE8 = (numpy.arange(16) + 8) % 16
SEEDS = 200


def goodput(subflows):
    """Of rounds of bench/fabric, by theory: stride8 and a permutation."""
    return [(model.goodput(4, subflows, model.random_paths, seed, STRIDE8)
             + model.goodput(4, subflows, model.random_paths, SEEDS + seed)) / 2 for seed in range(SEEDS)]


def unsplit(seed):
    """What every other flow keeps of a permutation where the others have four subflows, over what it had."""
    is_whole = numpy.arange(16) % 2 == 1
    targets = model.permutation(16, numpy.random.default_rng(seed))
    split, whole = (model.rates(4, subflows, model.random_paths, SEEDS * subflows + seed, targets, is_whole)[is_whole].mean()
                    for subflows in (4, 1))
    return split / whole


def distinct(size):
    """Of rounds of bench/spread: 30 connections, of as many subflows as there are paths."""
    drawn = numpy.sort(numpy.random.default_rng(size).integers(size, size=(SEEDS, 30, size)))
    return ((numpy.diff(drawn) > 0).sum(axis=2) + 1).mean(axis=1) / size


@pytest.mark.parametrize("what, drawn, rounds", [
    ("TCP over ECMP, goodput / ceiling", lambda: goodput(1), 5),
    ("4 random ports, goodput / ceiling", lambda: goodput(4), 5),
    ("unsplit flows where everybody else is split", lambda: [unsplit(seed) for seed in range(SEEDS)], 5),
    ("the kernel's ports, distinct paths, 4 of 4", lambda: distinct(4), 7),
    ("the kernel's ports, distinct paths, 8 of 8", lambda: distinct(8), 7)])
def test_luck_explains_what_is_drawn_and_no_more(what, drawn, rounds):
    """From what all but a hundredth of the medians are above to what as many are below."""
    (baseline,) = [b for b in baselines.BASELINES if b.what == what]
    medians = numpy.median(numpy.random.default_rng(1).choice(drawn(), (1000, rounds)), axis=1)
    low, high = numpy.percentile(medians, [1, 99])
    assert baseline.explains == pytest.approx((low, high), abs=.02)


@pytest.mark.parametrize("found", [left(.5), left(.7)])
def test_a_reason_that_is_missing_is_noticed(monkeypatch, found):
    with_why(monkeypatch, "")
    assert summary.UNKNOWN in said(found) and "(out of range, not explained)" in said(found)
    with_why(monkeypatch, "The moon was full.")
    assert "(out of range, explained). The moon was full." in said(found)
    assert "**0 again; 1 out of range, explained; 0 out of range, not explained; 0 not measured.**" in said(found)


@pytest.mark.parametrize("median, word", [(.5, "not explained"), (.55, "explained"), (.7, "not explained")])
def test_out_of_its_span_a_reason_explains_nothing(monkeypatch, median, word):
    with_why(monkeypatch, "The moon was full.", explains=(.53, .6), known="There was a moon.")
    text = said(left(median))
    marked = f"**out of range, {word}**" if word == "not explained" else f"out of range, {word}"
    assert f"| 1 | TCP over ECMP, goodput / ceiling | {median:.3f} | 0.572 to 0.608 | {marked} |" in text
    assert (f"(out of range, {word})."
            + (" There was a moon. Only 0.530 to 0.600 would be explained:" if word == "not explained" else "")
            + " The moon was full.") in text
    with_why(monkeypatch, "", known="There was a moon.")
    assert "(out of range, not explained). There was a moon.\n" in said(left(median))


def test_a_stall_that_is_longer_or_shorter_than_the_prototype_s_is_not_explained():
    for median in (45, 245):
        found = {"recover": {"rounds": [{}] * 5, "figures": [
            {"key": "stall", "without": {"repair off": {"values": [median] * 5}}}]}}
        assert f"| 13 | longest stall, ms | {median} | 205.6 to 218.4 | **out of range, not explained** |" in said(found)


def test_what_comes_out_again_needs_no_reason(monkeypatch):
    with_why(monkeypatch, "")
    text = said(left(.59))
    assert "| 1 | TCP over ECMP, goodput / ceiling | 0.590 | 0.572 to 0.608 | again |" in text
    assert summary.UNKNOWN not in text and "**Row" not in text


def test_what_is_measured_somewhere_and_is_not_there_has_the_reason_of_today(monkeypatch):
    """What the reason of a baseline says of what comes out is not said where nothing did."""
    with_why(monkeypatch, "The moon was full.")
    assert "(not measured). There are no results of `bench/fabric`." in said({})
    text = said(left(.59, "4 random ports"))
    assert "(not measured). `bench/fabric` was measured before the command was changed: its rounds have no" in text
    assert "The moon" not in text
    with_why(monkeypatch, "Nobody has one.", measured=None)
    assert "(not measured). Nobody has one." in said({})


def test_mptcp_s_own_price_is_that_of_rounds_without_subflow():
    (requests,) = [b for b in baselines.BASELINES if b.what.startswith("MPTCP / TCP, requests")]
    rounds = [{"bare": {"tcp": {"requests": 100}, "mptcp": {"requests": value}}} for value in (80, 90, 70)]
    assert requests.values({"rounds": rounds}) == [.8, .9, .7]


def test_each_baseline_is_of_a_figure_that_there_is():
    """What is looked for in what a command leaves is there under that name."""
    for baseline in baselines.BASELINES:
        assert (ROOT / "bench" / baseline.bench).exists()
        if isinstance(baseline.measured, tuple):
            key, name = baseline.measured
            assert key in summary.rows.of(baseline.bench)
            assert json.dumps(name)[1:-1] in (ROOT / "bench" / baseline.bench).read_text(), baseline
