# SPDX-License-Identifier: MIT
"""docs/rfc6897.md: its rows name tests that exist, and its count is right."""
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from kernels.inside import EVERY_TIME, TOO_MUCH, promised, suites  # noqa: E402

PAGE = (ROOT / "docs" / "rfc6897.md").read_text()
ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.M)
ROWS = ROW.findall(PAGE)
# The words in capitals of sections 3 to 5, in the RFC's order; 5.3.2 has two in one sentence.
KEYWORDS = """
4.2.1 MUST, 4.2.1 MAY, 4.2.2 MUST, 4.2.2 MAY, 4.2.2 SHOULD, 4.2.2 SHOULD,
4.4.1 SHOULD, 4.4.2 SHOULD, 4.4.2 MAY, 4.4.3 MAY,
5.3.1 MAY, 5.3.2 SHOULD, 5.3.2 MUST, 5.3.2 MUST, 5.3.2 MUST NOT,
5.3.3 MUST, 5.3.3 MAY, 5.3.3 MUST, 5.3.3 MAY, 5.3.3 RECOMMENDED, 5.3.3 MAY, 5.3.3 MUST, 5.3.3 SHOULD, 5.3.3 SHOULD,
5.3.4 MUST, 5.3.4 MUST, 5.3.5 SHOULD, 5.3.5 SHOULD
"""
REQUIREMENTS = 14


def test_the_rows_are_numbered():
    lines = [line for line in PAGE.splitlines() if re.match(r"\| \d", line)]
    assert len(ROWS) == len(lines) > 30, "a row that cannot be read"
    assert [int(row[0]) for row in ROWS] == list(range(1, len(ROWS) + 1))


def test_the_count_is_right():
    count = Counter(row[3] for row in ROWS)
    assert set(count) <= {"holds", "deviates", "absent"}
    assert (f"**{len(ROWS)} rows: {count['holds']} hold, {count['deviates']} deviate, "
            f"{count['absent']} are absent.**") in PAGE


def test_each_deviation_is_explained_at_the_top():
    """And what the RFC asks for, rather than allows, and is not offered."""
    explained = re.findall(r"^- \*\*(\d+)\*\*:", PAGE.split("## Section 3")[0], re.M)
    assert explained == [row[0] for row in ROWS if row[3] == "deviates" or
                         row[3] == "absent" and re.search(r"MUST|SHOULD|RECOMMENDED", row[1])]


def test_every_requirement_has_its_row():
    named = {int(number) for row in ROWS for number in re.findall(r"REQ(\d+)", row[1])}
    assert named == set(range(1, REQUIREMENTS + 1))
    assert f"the {REQUIREMENTS} requirements" in PAGE


def test_every_word_in_capitals_has_its_row():
    words = [word.strip() for word in KEYWORDS.split(",")]
    assert [row[1] for row in ROWS if re.search(r"[A-Z]{3,}$", row[1])] == words
    assert f"Each of its {len(words)} words in capitals" in PAGE


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_row_names_tests_that_exist(row):
    named = re.findall(r"`([^`]+)::(\w+)`", row[4])
    assert named and len(named) == row[4].count("`") // 2, row[4]
    for path, name in named:
        text = (ROOT / path).read_text()
        definition = rf"^def {name}\(" if path.endswith(".py") else rf"^static void {name}\("
        assert re.search(definition, text, re.M), f"{path} has no {name}"
        # A unit test that is defined but not in the list does not run.
        assert path.endswith(".py") or re.search(rf"\b(cmocka_unit_test|TEST)\({name}\)", text)


def test_what_the_rows_name_runs_on_the_old_kernels_too():
    """The unit tests do, but for those of the pure core, which ask no kernel."""
    run = {str(argument).removeprefix(f"{ROOT}/") for suite in EVERY_TIME for argument in suites().get(suite, ())}
    missing = [test for test in promised() if not {test, test.split("::")[0]} & run]
    assert {Path(test.split("::")[0]).name for test in missing} == set(TOO_MUCH)
