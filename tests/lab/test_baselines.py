# SPDX-License-Identifier: MIT
"""What prototypes gave comes out again, or the page says why it does not, or that this is not explained."""
import dataclasses
import json
import math
import re
import subprocess

import baselines
import kept
import numpy
import pytest
import summary
from conftest import ROOT
from lab import model

TCP = baselines.BASELINES[0]


def left(median, name="TCP"):
    return {"fabric": {"commit": "abc", "rounds": [{}] * 5, "figures": [
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


def test_what_theory_leaves_the_worst_of_32_flows_is_what_the_page_says():
    (baseline,) = [b for b in baselines.BASELINES if b.what == "TCP over ECMP, worst flow / fair share"]
    worst = [min(model.rates(4, 1, model.random_paths, seed, STRIDE8).min(),
                 model.rates(4, 1, model.random_paths, SEEDS + seed).min()) for seed in range(SEEDS)]
    low, median, high = (f"{value:.2f}".lstrip("0") for value in numpy.percentile(worst, [1, 50, 99]))
    assert f"leaves the worst of these is {median} ({low} to {high})." in baseline.known


def test_what_is_known_quotes_the_rounds(monkeypatch):
    """And is not said where what it quotes is not there."""
    with_why(monkeypatch, "", known="{low} to {high}, and {also} of moons.", also=lambda r: r["moons"])
    found = left(.59)
    assert f". {summary.UNKNOWN}" not in said(found) and "moons" not in said(found)
    found["fabric"]["rounds"] = [{"moons": moons} for moons in (3, 1, 2)]
    assert "(again). 0.390 to 0.690, and 2 of moons." in said(found)


TEXTS = [*summary.rows.LIMITS.values(), summary.rows.SCOPE,
         *(text for b in baselines.BASELINES for text in (b.why, b.known, b.note))]


def test_what_was_tried_by_hand_says_when():
    for text in TEXTS:
        assert len(re.findall("[Bb]y hand", text)) == len(re.findall(r"[Bb]y hand, \d{4}-\d\d-\d\d", text)), text


def test_commands_that_the_page_names_are_there_and_have_these_options():
    named = {tuple(words.split()) for text in TEXTS for words in re.findall(r"`((?:bench|lab)/\w[^`]*)`", text)
             if not words.endswith((".py", ".json"))}
    assert len(named) > 4
    for command, *words in named:
        verb = [word for word in words[:1] if command.endswith("subflow-lab")]
        shown = subprocess.run([ROOT / command, *verb, "--help"], capture_output=True, text=True)
        assert shown.returncode == 0, (command, shown.stderr)
        assert all(word in shown.stdout for word in words if word.startswith("--")), (command, words)


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
            + " There was a moon." + (" Only 0.530 to 0.600 would be explained:" if word == "not explained" else "")
            + " The moon was full.") in text
    with_why(monkeypatch, "", known="There was a moon.")
    assert "(out of range, not explained). There was a moon.\n" in said(left(median))


def test_a_stall_that_is_longer_or_shorter_than_the_prototype_s_is_not_explained():
    for median in (45, 245):
        found = {"recover": {"commit": "abc", "rounds": [{}] * 5, "figures": [
            {"key": "stall", "without": {"repair off": {"values": [median] * 5}}}]}}
        assert f"| 13 | longest stall, ms | {median} | 205.6 to 218.4 | **out of range, not explained** |" in said(found)


@pytest.mark.parametrize("median", [.59, .3])
def test_what_is_known_and_how_it_is_measured_is_said_whatever_comes_out(monkeypatch, median):
    with_why(monkeypatch, "", known="There was a moon.", note="It was another fabric.")
    text = said(left(median))
    assert "- **Row 1, TCP over ECMP, goodput / ceiling** (" in text
    assert "). There was a moon. It was another fabric.\n" in text


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


@pytest.mark.parametrize("bench, key, way, variant, explained", [
    ("detect", "late", "MB past it by a 10 Hz poll at 1 Gbit/s", "fast", 11.66),
    ("react", "p50", "netlink and handshake alone", "alone", 36)])
def test_rounds_of_before_it_was_measured_say_so(bench, key, way, variant, explained):
    (baseline,) = [b for b in baselines.BASELINES if b.measured == (key, way)]
    data = kept.read(kept.RESULTS)[bench]
    for one in data["rounds"]:
        one.pop(variant, None)
    (line,) = [line for line in data["figures"] if line["key"] == key]
    line["without"].pop(way, None)
    assert (f"- **Row {baseline.row}, {baseline.what}** (not measured). `bench/{bench}` was measured before the command was"
            f" changed: its rounds have no `{variant}`.") in said({bench: data})
    line["without"][way] = {"values": [explained] * 5}
    assert f"- **Row {baseline.row}, {baseline.what}** (out of range, explained). {baseline.why}" in said({bench: data})
