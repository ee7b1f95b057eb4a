# SPDX-License-Identifier: MIT
"""bench/all and bench/compare: what is not measured is shown, what is worse is said."""
import json
import subprocess

import pytest
import rows
import runner
import summary
from conftest import ROOT


def leave(directory, name="fabric", busy=False, **values):
    figures = rows.of(name)
    lines = [runner.judge(figures[key.replace("_", "-")], v) for key, v in values.items()]
    directory.mkdir(exist_ok=True)
    path = directory / f"{name}.json"
    path.write_text(json.dumps({
        "bench": name, "quick": False, "busy": busy, "commit": "abc", "kernel": "6.1", "cpus": 2,
        "started": 0, "seconds": 9, "figures": lines, "discarded": [], "rounds": [{}, {}]}))
    return path


def run(*words):
    return subprocess.run(["/usr/bin/python3", *map(str, words)], cwd=ROOT / "bench",
                          capture_output=True, text=True)


def test_every_goal_has_a_line_also_without_a_result(tmp_path):
    leave(tmp_path, goodput=[.99, .97, .98], over_ecmp=[1.2, 1.3])
    shown = run("all", "--page", "--results", tmp_path)
    assert shown.returncode == 0, shown.stderr
    body = shown.stdout.strip().splitlines()
    assert len(body) == 1 + len(rows.FIGURES) + 1
    assert body[-1] == (f"1 met, 1 fall short, 0 measured on a busy machine,"
                        f" {len(rows.FIGURES) - 2} not measured")
    assert [line for line in body if "falls short" in line][0].split()[2:4] == ["/", "that"]


def test_what_a_busy_machine_gave_does_not_count(tmp_path):
    leave(tmp_path, busy=True, goodput=[.99, .99])
    every = summary.lines(summary.read(tmp_path))
    assert summary.tally(every).startswith("0 met, 0 fall short, 1 measured on a busy machine")
    assert "met; busy machine, does not count" in summary.markdown(summary.read(tmp_path))


def test_the_page_says_what_falls_short(tmp_path):
    leave(tmp_path, over_ecmp=[1.2, 1.3])
    page = summary.markdown(summary.read(tmp_path))
    assert "| 1.250 | 1.200 | >= 1.650 | 1 | 1.68 | **falls short** |" in page
    assert "`bench/fabric`: 1970-01-01, commit abc, kernel 6.1, 2 CPUs, 2 rounds" in page


def test_the_page_in_the_tree_is_that_of_the_results_in_the_tree():
    made = summary.markdown(summary.read(summary.RESULTS))
    assert summary.PAGE.read_text() == made, "make it again: bench/all --page"


def test_an_unknown_name_is_refused():
    shown = run("all", "nothing")
    assert shown.returncode == 2 and "there is no bench/nothing; there are fabric" in shown.stderr


@pytest.mark.parametrize("bench, key, old, new, said, status", [
    ("fabric", "goodput", [.9, .95], [.8, .85], "worse", 1),
    ("fabric", "goodput", [.9, .95], [.91, .94], "", 0),
    ("fabric", "goodput", [.9, .95], [.97, .99], "better", 0),
    ("recover", "stall", [30, 40], [50, 60], "worse", 1),
    ("recover", "stall", [30, 40], [20, 25], "better", 0),
])
def test_compare(tmp_path, bench, key, old, new, said, status):
    a = leave(tmp_path / "a", bench, **{key: old})
    b = leave(tmp_path / "b", bench, **{key: new})
    for words in ((a, b), (a.parent, b.parent)):
        shown = run("compare", *words)
        assert shown.returncode == status, shown.stderr
        assert shown.stdout.splitlines()[1].split()[-1] == (said or f"{sum(new) / 2:.3f}")


def test_compare_without_a_file():
    shown = run("compare", "/nowhere", "/nowhere")
    assert shown.returncode == 2 and "there is no such file" in shown.stderr
