# SPDX-License-Identifier: MIT
"""tests/kernels/matrix.py: a guest has the time that its suites may take."""
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from kernels import matrix  # noqa: E402
from kernels.inside import LONGEST_S, SUITES  # noqa: E402

ALL_S = sum(LONGEST_S.values())


@pytest.mark.parametrize("suites, selection, deadline_s", [
    (SUITES, [], ALL_S), (("unit", "demo"), [], LONGEST_S["unit"] + LONGEST_S["demo"]),
    (SUITES, ["tests/e2e/test_demo.py"], ALL_S)], ids=["all", "some", "selection"])
def test_a_guest_has_the_time_that_its_suites_may_take(monkeypatch, tmp_path, suites, selection, deadline_s):
    given = []
    (tmp_path / "6.1").mkdir()
    monkeypatch.setattr(matrix, "ROOT", tmp_path)
    monkeypatch.setattr(matrix, "CACHE", tmp_path)
    monkeypatch.setattr(matrix.guest, "boot", lambda *arguments: given.append(arguments[-1]))
    matrix.run_guest("6.1", SimpleNamespace(release="6.1.0"), suites, selection)
    assert given == [deadline_s]
