# SPDX-License-Identifier: MIT
"""The arithmetic of tests/tally.py: a failure is a failure, whatever came before and after."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from tally import Tally  # noqa: E402

CASE = '<testcase classname="a" name="{}">{}</testcase>'
WRONG = '<failure message="it broke&#10;at length"/>'


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
    tally.add(report("first.xml", good="", flaky=WRONG, bad=WRONG), "suite",
              again=report("again.xml", flaky="", bad=WRONG))
    assert count(tally) == (2, 1, 0)
    assert tally.finish() == 1
    printed = capsys.readouterr().out.splitlines()
    assert "FAILED suite: a::bad: it broke" in printed
    assert "PASSED AT THE SECOND RUN suite: a::flaky: it broke" in printed
    assert printed[-1] == "2 passed, 1 failed, 0 skipped"


def test_a_second_run_without_a_report_helps_nobody(report, tmp_path):
    tally = Tally()
    tally.add(report("first.xml", bad=WRONG), "suite", again=tmp_path / "missing.xml")
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
