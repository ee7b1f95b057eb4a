# SPDX-License-Identifier: MIT
"""Who includes whom, as the table of ARCHITECTURE.md allows."""
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)
# What core/ may have of the system: types, text, containers, memory. No descriptors, no clock.
PURE = {"arpa/inet.h", "assert.h", "errno.h", "inttypes.h", "linux/types.h", "netinet/in.h", "nettle/sha2.h",
        "stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "string.h",
        "sys/param.h", "sys/queue.h", "uthash.h"}
SKELETONS = {"subflow.skel.h", "carry.skel.h", "coupled.skel.h"}


def table():
    """[(files, {allowed})] from ARCHITECTURE.md, the first match counts."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    section = text.split("## Who may include whom")[1].split("\n## ")[0]
    rows = [line.split("|")[1:3] for line in section.splitlines() if line.startswith("| `")]
    return [(re.findall(r"`([^`]+)`", files), set(re.findall(r"`([^`]+)`", allowed))
             | (SKELETONS if "skeleton" in allowed else set())) for files, allowed in rows]


def sources():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.c", "*.h"], cwd=ROOT,
                            capture_output=True, text=True, check=True).stdout.split()
    return [path for path in listed if not path.startswith(("tests/", "examples/", "bench/"))
            and (ROOT / path).exists()]


def rule_of(path):
    for patterns, allowed in table():
        for pattern in patterns:
            where, _, what = pattern.rpartition("/")
            if path.startswith(pattern) if not what else (
                    str(Path(path).parent) == where and Path(path).match(what)):
                return allowed
    return None


def resolve(path, name):
    """The file of ours that this includes, relative to the root; None for a foreign one."""
    candidates = [Path(path).parent / name, Path(name), Path("bpf") / name, Path("include") / name]
    if path.startswith("daemon/"):
        candidates.insert(1, Path("daemon") / name)
    return next((str(c) for c in candidates if (ROOT / c).exists()), None)


def may(allowed, path, included):
    """Whether one of the names in the table covers the included file."""
    inner = included.removeprefix("daemon/")
    return any(
        name == Path(included).name or
        (name.endswith("/") and (included.startswith(name) or inner.startswith(name)))
        for name in allowed | ({"daemon/"} if "all of" in "".join(allowed) else set()))


@pytest.mark.parametrize("path", [p for p in sources() if not p.startswith("include/")])
def test_a_file_includes_what_the_table_allows(path):
    allowed = rule_of(path)
    assert allowed is not None, f"{path}: no row of the table in ARCHITECTURE.md is about it"
    for kind, name in INCLUDE.findall((ROOT / path).read_text()):
        included = resolve(path, name) if kind == '"' else None
        if kind == '"' and included is None:
            assert name in SKELETONS & allowed, f"{path} includes {name}"
        if included:
            assert may(allowed, path, included), f"{path} may not include {name}"
        if kind == "<" and path.startswith("daemon/core/"):
            assert name in PURE, f"{path} includes <{name}>: core/ is pure"


def test_the_public_header_stands_alone():
    for kind, name in INCLUDE.findall((ROOT / "include/subflow.h").read_text()):
        assert kind == "<", f"subflow.h includes {name}"


def test_the_table_is_read():
    """A table that cannot be read would allow everything."""
    assert rule_of("daemon/core/plan.c") == {"base/", "core/", "record.h"}
    assert not may(rule_of("daemon/core/plan.c"), "daemon/core/plan.c", "daemon/kernel/pm.h")
    assert not may(rule_of("daemon/base/log.c"), "daemon/base/log.c", "daemon/core/conn.h")
    assert not may(rule_of("daemon/hands.c"), "daemon/hands.c", "daemon/parts.h")
    assert not may(rule_of("cli/main.c"), "cli/main.c", "daemon/settings.h")
    assert len(table()) >= 8
