# SPDX-License-Identifier: MIT
"""The tree as a packager meets it: make install, and a tree that says nothing of this machine."""
import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = os.environ.get("SUBFLOW_BUILD", str(ROOT / "build"))


def install(tmp_path):
    subprocess.run(["make", "install", f"BUILD={BUILD}", f"DESTDIR={tmp_path}"], cwd=ROOT, check=True,
                   capture_output=True)
    return {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if not path.is_dir()}


def test_install_puts_everything_in_its_place(tmp_path):
    files = install(tmp_path)
    for name in ("bin/subflow", "sbin/subflowd", "include/subflow.h", "share/man/man1/subflow.1",
                 "share/man/man3/libsubflow.3", "share/man/man5/subflowd.conf.5",
                 "share/man/man5/subflow.conf.5", "share/man/man7/subflow.7",
                 "share/man/man8/subflowd.8"):
        assert f"usr/local/{name}" in files, sorted(files)
    assert any(name.endswith("/subflowd.service") for name in files)
    assert any(name.startswith("usr/local/lib/python3") and name.endswith("/dist-packages/subflow.py")
               for name in files), sorted(files)
    assert any(name.endswith("/libsubflow.so") for name in files)
    assert any(name.endswith("/subflowd.conf") for name in files)


def test_install_keeps_a_configuration_that_is_there(tmp_path):
    (conf,) = [name for name in install(tmp_path) if name.endswith("/subflowd.conf")]
    (tmp_path / conf).write_text("# mine\n")
    install(tmp_path)
    assert (tmp_path / conf).read_text() == "# mine\n"


def test_every_source_file_has_its_licence():
    listed = subprocess.run(["git", "ls-files", "*.c", "*.h", "*.py"], cwd=ROOT, capture_output=True,
                            text=True, check=True).stdout.split()
    for path in listed:
        head = (ROOT / path).read_text().splitlines()[:2]
        assert any("SPDX-License-Identifier: MIT" in line for line in head), path


def test_c_is_formatted():
    listed = subprocess.run(["git", "ls-files", "*.c", "*.h"], cwd=ROOT, capture_output=True,
                            text=True, check=True).stdout.split()
    process = subprocess.run(["clang-format", "--dry-run", "-Werror", *listed], cwd=ROOT,
                             capture_output=True, text=True)
    places = re.findall(r"^\S+:\d+", process.stderr, re.M)
    assert process.returncode == 0, places[:20]
