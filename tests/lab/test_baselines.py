# SPDX-License-Identifier: MIT
"""What prototypes gave comes out again, or the page says why it does not."""
import dataclasses
import json

import baselines
import kept
import pytest
import summary
from conftest import ROOT

TCP = baselines.BASELINES[0]


def left(median, name="TCP"):
    return {"fabric": {"rounds": [{}] * 5, "figures": [
        {"key": "goodput", "without": {name: {"values": [median - .2, median, median + .1]}}}]}}


def with_why(monkeypatch, why, **more):
    baseline = dataclasses.replace(TCP, why=why, **more)
    monkeypatch.setattr(baselines, "BASELINES", (baseline,))
    return baseline


def test_what_is_out_of_range_or_not_measured_is_explained():
    """A figure that leaves its range wants a reason: put one into bench/baselines.py."""
    assert baselines.unexplained(kept.read(kept.RESULTS)) == []


def test_the_page_has_no_figure_without_a_reason():
    """Of goals that are not met, and of goals and baselines that are not measured."""
    assert summary.UNKNOWN not in summary.markdown(kept.read(kept.RESULTS))


def test_whatever_the_next_rounds_give_there_is_a_reason():
    assert [b.what for b in baselines.BASELINES if not b.why] == []


@pytest.mark.parametrize("found", [left(.5), left(.7)])
def test_a_reason_that_is_missing_is_noticed(monkeypatch, found):
    baseline = with_why(monkeypatch, "")
    assert baselines.unexplained(found) == [baseline]
    assert "No reason is known yet." in "\n".join(summary.again(found))
    baseline = with_why(monkeypatch, "The moon was full.")
    assert baselines.unexplained(found) == []
    text = "\n".join(summary.again(found))
    assert "The moon was full." in text and "(out of range)" in text


def test_what_is_measured_somewhere_and_is_not_there_has_the_reason_of_today(monkeypatch):
    """What the reason of a baseline says of what comes out is not said where nothing did."""
    with_why(monkeypatch, "The moon was full.")
    assert "(not measured). There are no results of `bench/fabric`." in "\n".join(summary.again({}))
    text = "\n".join(summary.again(left(.59, "4 random ports")))
    assert "(not measured). `bench/fabric` was measured before the command was changed: its rounds have no" in text
    assert "The moon" not in text
    with_why(monkeypatch, "Nobody has one.", measured=None)
    assert "(not measured). Nobody has one." in "\n".join(summary.again({}))


def test_what_comes_out_again_needs_no_reason(monkeypatch):
    with_why(monkeypatch, "")
    assert baselines.unexplained(left(.59)) == []
    text = "\n".join(summary.again(left(.59)))
    assert "| 1 | TCP over ECMP, goodput / ceiling | 0.590 | 0.572 to 0.608 | again |" in text
    assert "No reason" not in text and "**Row" not in text


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
