# SPDX-License-Identifier: MIT
"""The command `subflow` itself: its usage, and where its output goes."""
import subprocess

import pytest
from cli import DEADLINE_S, SUBFLOW, subflow


def test_usage():
    assert "subflow VERB" in subflow("--help").stdout
    assert subflow("--version").stdout.startswith("subflow ")
    for verb in ("status", "doctor", "run"):
        done = subflow(verb, "--help")
        assert done.returncode == 0 and done.stdout.startswith(f"Usage: subflow {verb}")
        assert subflow("help", verb).stdout == done.stdout


@pytest.mark.parametrize("arguments", [
    (), ("nonsense",), ("status", "--nonsense"), ("status", "1", "2"), ("status", "--socket"),
    ("status", "--timeout", "soon"), ("status", "--timeout", "nan"), ("status", "--timeout", "0"),
    ("doctor", "--nonsense"), ("doctor", "now"),
])
def test_misuse(arguments):
    done = subflow(*arguments)
    assert done.returncode == 2
    assert done.stdout == "" and done.stderr != ""


def test_output_that_is_lost_is_an_error():
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([SUBFLOW, "status", "--help"], stdout=full, stderr=subprocess.PIPE,
                              text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 1 and "No space left" in done.stderr
