# SPDX-License-Identifier: MIT
"""subflow.h on its own, and programs built against an installation of the library."""
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEADER = ROOT / "include" / "subflow.h"
STRICT = ["-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"]


@pytest.mark.parametrize("compiler, standard", [
    *((c, s) for c in ("gcc", "clang") for s in ("c99", "c11", "c17", "gnu17")),
    *((c, s) for c in ("g++", "clang++") for s in ("c++11", "c++17", "c++20"))])
def test_the_header_is_clean_by_itself(tmp_path, compiler, standard):
    """Included first and twice, and its macros used."""
    program = tmp_path / ("program.cc" if "++" in compiler else "program.c")
    program.write_text("""
#include "subflow.h"
#include "subflow.h"

size_t count(int fd);

size_t count(int fd)
{
	struct tcp_multipath_pair pairs[TCP_MULTIPATH_PAIRS_MAX], *pair;
	size_t n = 0, families = 0;

	if (subflow_list(fd, pairs, TCP_MULTIPATH_PAIRS_MAX, &n) < 0)
		return 0;
	subflow_for_each (pair, pairs, n)
		families += pair->local.sa.sa_family;
	return families;
}
""")
    subprocess.run([compiler, f"-std={standard}", *STRICT, f"-I{HEADER.parent}", "-fsyntax-only",
                    program], check=True)


def test_everything_declared_is_documented():
    text = HEADER.read_text()
    declared = re.findall(r"(\*/\n)?^(?:int|#define) (subflow_\w+|TCP_MULTIPATH_\w+)", text, re.M)
    assert len(declared) >= 13
    for comment, name in declared:
        assert comment, f"{name} has no comment before it"


def test_everything_declared_is_in_the_manual():
    text = HEADER.read_text()
    functions = re.findall(r"^int (subflow_\w+)\(", text, re.M)
    options = re.findall(r"^#define (TCP_MULTIPATH_\w+)\s+(\d{5})$", text, re.M)
    assert len(functions) >= 12 and len(options) >= 7
    library = (ROOT / "man" / "libsubflow.3.scd").read_text()
    for name in functions:
        assert f"*int {name}(" in library and f"*{name}*()" in library, name
    specification = (ROOT / "man" / "subflow.7.scd").read_text()
    table = (ROOT / "README.md").read_text()
    for name, number in options:
        assert f"|  {name}\n:  {number}\n" in specification and f"*{name}*\n" in specification, name
        assert f"| `{name}` | {number} |" in table, name


@pytest.fixture(name="installed", scope="module")
def installed_fixture(tmp_path_factory):
    """The environment of a compiler that sees an installation below a folder."""
    root = tmp_path_factory.mktemp("installed")
    build = os.environ.get("SUBFLOW_BUILD", str(ROOT / "build"))
    subprocess.run(["make", "install", f"BUILD={build}", f"DESTDIR={root}"], cwd=ROOT, check=True,
                   capture_output=True)
    (found,) = root.rglob("subflow.pc")
    return {**os.environ, "PKG_CONFIG_PATH": str(found.parent), "PKG_CONFIG_SYSROOT_DIR": str(root)}


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("kind", ["shared", "static"])
@pytest.mark.parametrize("name", ["client", "server"])
def test_the_examples_build_against_an_installation(installed, tmp_path, compiler, kind, name):
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "subflow"], env=installed,
                           capture_output=True, text=True, check=True).stdout.split()
    if kind == "static":
        flags = ["-l:libsubflow.a" if f == "-lsubflow" else f for f in flags]
    subprocess.run([compiler, "-std=gnu17", *STRICT, "-o", tmp_path / name,
                    ROOT / "examples" / f"{name}.c", *flags], check=True)
    needed = subprocess.run(["readelf", "-d", tmp_path / name], capture_output=True, text=True,
                            check=True).stdout
    assert ("libsubflow.so.0" in needed) == (kind == "shared")


def test_symbols_have_a_version(installed):
    (library,) = Path(installed["PKG_CONFIG_SYSROOT_DIR"]).rglob("libsubflow.so")
    names = subprocess.run(["nm", "-D", "--defined-only", "--with-symbol-versions", library],
                           capture_output=True, text=True, check=True).stdout
    defined = {line.split()[-1] for line in names.splitlines() if " A " not in line}
    declared = set(re.findall(r"^int (subflow_\w+)\(", HEADER.read_text(), re.M))
    assert defined == {f"{name}@@SUBFLOW_0.1" for name in declared}
