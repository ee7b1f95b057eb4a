# SPDX-License-Identifier: MIT
"""The arithmetic of tests/tally.py, and the second run of tests/twice.py: a failure is a failure."""
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import twice  # noqa: E402
from tally import Tally  # noqa: E402

# One passes at the second run, one never.
TESTS = """
from pathlib import Path

def test_good():
    pass

def test_flaky():
    mark = Path(__file__).with_name("mark")
    was_there = mark.exists()
    mark.touch()
    assert was_there

def test_bad():
    assert False
"""
CASE = '<testcase classname="a" name="{}">{}</testcase>'
WRONG = '<failure message="it broke&#10;at length">how\nit came to it</failure>'


@pytest.fixture
def report(tmp_path):
    def write(name, **cases):
        file = tmp_path / name
        file.write_text(f"<t>{''.join(CASE.format(*case) for case in cases.items())}</t>")
        return file
    return write


def count(tally):
    return tally.passed, tally.failed, tally.skipped


def test_what_passes_at_the_second_run_has_passed_and_is_named(report, capsys):
    tally = Tally()
    report("first-again.xml", flaky="", bad=WRONG)
    tally.add(report("first.xml", good="", flaky=WRONG, bad=WRONG), "suite")
    assert count(tally) == (2, 1, 0)
    assert tally.finish() == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "FAILED suite: a::bad: it broke"
    assert printed[1:] == ["PASSED AT THE SECOND RUN suite: a::flaky: it broke",
                           "FAILED suite: a::bad: it broke", "    how", "    it came to it",
                           "2 passed, 1 failed, 0 skipped"]


def test_what_failed_elsewhere_is_named_in_the_sum(report, capsys):
    tally, guest = Tally(), Tally()
    guest.add(report("first.xml", bad=WRONG), "guest")
    tally.merge(guest)
    capsys.readouterr()
    assert tally.finish() == 1
    assert capsys.readouterr().out.splitlines()[0] == "FAILED guest: a::bad: it broke"


def test_a_second_run_without_a_report_helps_nobody(report):
    tally = Tally()
    tally.add(report("first.xml", bad=WRONG), "suite")
    assert count(tally) == (0, 1, 0)


def test_a_missing_report_is_a_failure(tmp_path):
    tally = Tally()
    tally.add(tmp_path / "missing.xml", "suite")
    assert count(tally) == (0, 1, 0)


def test_expect_all_makes_skips_failures(report, monkeypatch):
    monkeypatch.setenv("EXPECT_ALL", "1")
    tally = Tally()
    tally.add(report("first.xml", good="", left='<skipped message="no TBF"/>'), "suite")
    assert count(tally) == (1, 0, 1)
    assert tally.finish() == 1


@pytest.mark.parametrize("again", [True, False])
def test_what_failed_runs_once_more_alone(tmp_path, again):
    tests, runs, tally = tmp_path / "test_three.py", [], Tally()
    tests.write_text(TESTS)

    def run(command, name):
        runs.append(name)
        return subprocess.run(command, cwd=tmp_path, stdout=subprocess.DEVNULL).returncode

    twice.run_pytest(run, tmp_path / "three.xml", ["-q", tests], again=again)
    tally.add(tmp_path / "three.xml", "suite")
    assert runs == (["three", "three-again"] if again else ["three"])
    assert count(tally) == ((2, 1, 0) if again else (1, 2, 0)) and len(tally.again) == again


def test_what_waits_for_ever_has_failed(tmp_path, monkeypatch):
    monkeypatch.setattr(twice, "TIMEOUT_S", 1)
    tests, tally = tmp_path / "test_waiting.py", Tally()
    tests.write_text("def test_waits():\n    import os\n    os.read(os.pipe()[0], 1)\n")
    twice.run_pytest(lambda command, _: subprocess.run(command, cwd=tmp_path, timeout=60,
                                                       stdout=subprocess.DEVNULL).returncode,
                     tmp_path / "waiting.xml", ["-q", tests], again=False)
    tally.add(tmp_path / "waiting.xml", "suite")
    assert count(tally) == (0, 1, 0)
