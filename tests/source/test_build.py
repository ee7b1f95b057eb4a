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


def test_a_prefix_counts_for_a_build_that_was_configured_with_another(tmp_path):
    build = tmp_path / "build"
    make = ["make", "install", f"BUILD={build}"]
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("PREFIX", "MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS")}

    def install_to(name, *arguments, **more):
        subprocess.run([*make, f"DESTDIR={tmp_path / name}", *arguments], cwd=ROOT, check=True,
                       capture_output=True, env={**environment, **more})
        return {path.name: path for path in (tmp_path / name).rglob("*") if not path.is_dir()}

    default = install_to("first")
    assert default["subflowd"] == tmp_path / "first/usr/local/sbin/subflowd"
    for name, arguments, more in (("second", ["PREFIX=/opt/a"], {}), ("third", [], {"PREFIX": "/opt/b"}),
                                  ("fourth", [], {})):
        prefix = "/opt/a" if name == "second" else "/opt/b"  # the last one asked for stays
        files = install_to(name, *arguments, **more)
        root = tmp_path / name / prefix[1:]
        assert all(path.is_relative_to(root) for path in files.values()), files
        assert files["subflowd.conf"] == root / "etc/subflow/subflowd.conf"
        assert f"prefix={prefix}\n" in files["subflow.pc"].read_text()
        assert (f"ExecStart={prefix}/sbin/subflowd --config {prefix}/etc/subflow/subflowd.conf\n"
                in files["subflowd.service"].read_text())
        assert f"{prefix}/lib/".encode() in files["subflow"].read_bytes()  # its preload object
    system = install_to("fifth", "PREFIX=/usr")
    assert system["subflowd.conf"] == tmp_path / "fifth/etc/subflow/subflowd.conf"
    subprocess.run(["make", "uninstall", f"BUILD={build}"], cwd=ROOT, check=True, capture_output=True)
    left = [path for path in (tmp_path / "fifth").rglob("*") if not path.is_dir()]
    assert left == [system["subflowd.conf"]]


def test_packages_come_before_what_needs_them_also_with_jobs(tmp_path):
    """The Makefile itself, on programs that only write down that they were called."""
    order = tmp_path / "order"
    (tmp_path / "dist").mkdir()
    (tmp_path / "lab").mkdir()
    for path, text in (("dist/deps", f"sleep 0.5; echo deps >>{order}"),
                       ("meson", f"echo meson >>{order}"), ("ninja", f"echo ninja >>{order}"),
                       ("python", f"echo python >>{order}")):
        (tmp_path / path).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / path).chmod(0o755)
    for goal, wanted in (("demo", ["deps", "meson", "ninja", "python"]), ("check", ["deps", "python"])):
        order.unlink(missing_ok=True)
        subprocess.run(["make", "-f", ROOT / "Makefile", "-j4", f"PYTHON={tmp_path / 'python'}", goal],
                       cwd=tmp_path, check=True, capture_output=True,
                       env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
        assert order.read_text().split() == wanted


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
