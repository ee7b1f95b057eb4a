# SPDX-License-Identifier: MIT
"""tests/kernels/matrix.py: a guest has the time that its suites may take, and is told all that it is to run."""
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from kernels import matrix  # noqa: E402
from kernels.inside import ARGUMENTS, LONGEST_S, SUITES  # noqa: E402

ALL_S = sum(LONGEST_S.values())


def boot(monkeypatch, tmp_path, suites, selection):
    """What guest.boot() is given."""
    given = []
    (tmp_path / "6.1").mkdir()
    monkeypatch.setattr(matrix, "ROOT", tmp_path)
    monkeypatch.setattr(matrix, "CACHE", tmp_path)
    monkeypatch.setattr(matrix.guest, "boot", lambda *arguments: given.extend(arguments))
    matrix.run_guest("6.1", SimpleNamespace(release="6.1.0"), suites, selection)
    return given


@pytest.mark.parametrize("suites, selection, deadline_s", [
    (SUITES, [], ALL_S), (("unit", "demo"), [], LONGEST_S["unit"] + LONGEST_S["demo"]),
    (SUITES, ["tests/e2e/test_demo.py"], ALL_S)], ids=["all", "some", "selection"])
def test_a_guest_has_the_time_that_its_suites_may_take(monkeypatch, tmp_path, suites, selection, deadline_s):
    assert boot(monkeypatch, tmp_path, suites, selection)[-1] == deadline_s


def test_more_is_selected_than_a_kernel_has_room_for_on_its_command_line(monkeypatch, tmp_path):
    words = [f"tests/e2e/test_{number}.py" for number in range(100)]
    _, _, results, command, *_ = boot(monkeypatch, tmp_path, SUITES, ["-k", "a or b", *words])
    assert len(command.split()) == 2
    assert (results / ARGUMENTS).read_text().splitlines() == ["-k", "a or b", *words]
