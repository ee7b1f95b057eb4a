# SPDX-License-Identifier: MIT
"""What daemons of a lab have left to successors goes with the lab."""
from lab import reaper


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_what_others_have_left_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(reaper, "KEPT", str(tmp_path))
    others = ["maps.debug", "subflow_2frun_2fsubflow_2fcontrol", "subflow_2ftmp_2fsf7-11_2fhost0_2fcontrol"]
    for name in others + ["subflow_2ftmp_2fsf7-1_2fhost0_2fcontrol"]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "wishes-1").touch()
    reaper.forget("/tmp/sf7-1")
    assert names(tmp_path) == others
    assert names(tmp_path / others[-1]) == ["wishes-1"]
