# SPDX-License-Identifier: MIT
"""The benchmarks' runner: turns, gates, verdicts, and what it leaves for machines."""
import argparse
import json
import sys

import pytest
import rows
import runner


def run(monkeypatch, variants, figures, *words, **options):
    monkeypatch.setattr(sys, "argv", ["fabric", *map(str, words)])
    return runner.main("fabric", "a test", lambda _: variants, figures, **options)


def test_variants_take_turns_and_the_first_changes(monkeypatch):
    calls = []
    variants = {name: lambda n, name=name: calls.append((n, name)) or {} for name in "AB"}
    assert run(monkeypatch, variants, lambda rounds: {}, rounds=3) == 0
    assert calls == [(0, "A"), (0, "B"), (1, "B"), (1, "A"), (2, "A"), (2, "B")]


def test_quick_means_fewer_rounds(monkeypatch):
    calls = []
    assert run(monkeypatch, {"A": calls.append}, lambda rounds: {}, "--quick", quick_rounds=2) == 0
    assert calls == [0, 1]


def test_median_worst_and_verdict(monkeypatch, capsys, tmp_path):
    file = tmp_path / "out.json"
    values = iter([1.0, .94, .99])
    variants = {"A": lambda _: {"x": next(values)}}
    status = run(monkeypatch, variants, lambda rounds: {"goodput": [r["A"]["x"] for r in rounds]},
                 "--json", file, rounds=3)
    assert status == 0
    data = json.loads(file.read_text())
    (line,) = data["figures"]
    assert (line["row"], line["median"], line["worst"]) == (1, .99, .94)
    assert line["met"] is False, "the median meets .98, the worst falls short of .95"
    assert data["kernel"] and data["cpus"] and data["bench"] == "fabric"
    assert [r["A"]["x"] for r in data["rounds"]] == [1.0, .94, .99]
    shown = capsys.readouterr().out.splitlines()
    assert "falls short" in shown[1] and ">= 0.980, worst >= 0.950" in shown[1]


@pytest.mark.parametrize("ticks, busy, counts", [(50, False, True), (10, False, False), (10, True, True)])
def test_a_machine_that_others_use_is_no_place_to_measure(monkeypatch, ticks, busy, counts):
    seen = iter([(1000, 5000), (1000 + ticks, 5100)])
    monkeypatch.setattr(runner, "cpu_ticks", lambda: next(seen))
    options = argparse.Namespace(busy=busy, was_busy=False)

    def measure():
        with runner.idle_machine(options):
            pass

    if counts:
        measure()
    else:
        with pytest.raises(runner.Discard, match="only 10% of the CPU"):
            measure()
    assert options.was_busy == (busy and ticks < 15)


def test_a_goal_that_is_met_is_not_marked(monkeypatch, capsys):
    variants = {"A": lambda _: {}}
    assert run(monkeypatch, variants, lambda rounds: {"over-ecmp": [1.7, 1.6, 1.66]}) == 0
    assert "falls short" not in capsys.readouterr().out


def test_a_missed_gate_is_thrown_away_tried_again_and_said(monkeypatch, capsys, tmp_path):
    calls = []

    def moody(number):
        calls.append(number)
        if len(calls) == 1:
            raise runner.Discard("only 3 % of the CPU was idle")
        return {"x": 1.7}

    file = tmp_path / "out.json"
    assert run(monkeypatch, {"A": moody}, lambda rounds: {"over-ecmp": [r["A"]["x"] for r in rounds]},
               "--json", file, rounds=2) == 0
    assert calls == [0, 0, 1]
    data = json.loads(file.read_text())
    assert data["discarded"] == [{"round": 0, "variant": "A",
                                  "reason": "only 3 % of the CPU was idle"}]
    assert len(data["rounds"]) == 2
    assert "thrown away: only 3 % of the CPU" in capsys.readouterr().err


def test_a_round_without_one_of_its_variants_does_not_count(monkeypatch, capsys):
    def never(number):
        if number == 0:
            raise runner.Discard("no")
        return {}

    seen = []
    assert run(monkeypatch, {"A": lambda n: {"n": n}, "B": never},
               lambda rounds: seen.append(rounds) or {}, rounds=2) == 0
    assert seen == [[{"A": {"n": 1}, "B": {}}]]
    assert "1 of 2 rounds; 3 runs thrown away" in capsys.readouterr().out


def test_nothing_that_passed_is_an_error(monkeypatch, capsys):
    def never(number):
        raise runner.Discard("no CPU")

    assert run(monkeypatch, {"A": never}, lambda rounds: {}) == 1
    assert "no round passed its gates (no CPU)" in capsys.readouterr().err


@pytest.mark.parametrize("value, text", [(1.0, "1"), (.9812, "0.981"), (22.04, "22.04"),
                                         (0, "0"), (None, "-"), (1234.5, "1234")])
def test_numbers_for_people(value, text):
    assert runner.number(value) == text


def test_less_is_better_where_the_row_says_so():
    stall = rows.of("recover")["stall"]
    line = runner.judge(stall, [30, 80, 40])
    assert (line["median"], line["worst"], line["met"]) == (40, 80, True)
    assert runner.judge(stall, [60, 70, 10])["met"] is False


def test_every_key_is_there_once():
    names = [(figure.bench, figure.key) for figure in rows.FIGURES]
    assert len(names) == len(set(names))
    assert {figure.row for figure in rows.FIGURES} == set(range(1, 19))
