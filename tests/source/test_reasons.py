# SPDX-License-Identifier: MIT
"""Whatever may be given as the last decision about a connection, or as the reason why it is left alone, a test expects."""
import ast
import re
from pathlib import Path

import pytest
from test_troubleshooting import CONVERSION, LEAST, LITERAL, decisions, piece

TESTS = Path(__file__).parents[1]
# Shorter literals of a test are parts of everything.
TELLING = 10


def expected_in_c(path):
    return LITERAL.findall(re.sub(r'"\s*"', "", path.read_text()))


def expected_in_python(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "\0" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def expected():
    for path in (TESTS / "unit").rglob("*.c"):
        yield from expected_in_c(path)
    for path in (TESTS / "e2e").glob("*.py"):
        yield from expected_in_python(path)


EXPECTED = sorted({text.strip(" .:\n") for text in expected() if len(text.strip(" .:\n")) >= TELLING})


def is_expected(reason):
    """Whether a test has a part of the reason, or the reason as it is when it is filled in."""
    parts = [part.strip(" ;:,()") for part in CONVERSION.split(reason)]
    longest = max(parts, key=len)
    return any(text in part for part in parts for text in EXPECTED) or any(
        longest in text for text in EXPECTED)


def reasons():
    return sorted({reason for reason in decisions() if len(piece(reason)) >= LEAST})


@pytest.mark.parametrize("reason", reasons())
def test_a_test_expects_it(reason):
    assert is_expected(reason)


def test_what_nobody_says_is_not_expected():
    assert len(reasons()) > 70
    assert not is_expected("no subflow, for it is %s today")
