# SPDX-License-Identifier: MIT
"""An upgrade to another build, and back: its version is another, and what it keeps is longer."""
import re
import shutil
import subprocess

import pytest
from app import ADD, NDIFFPORTS, REMOVE
from conftest import BUILD, ROOT
from pinned import RULE

PARTS = ("meson.build", "bpf", "daemon", "include")
# What an application has asked for, and the receipts: 8 bytes at the end of each.
GROWN = ("struct intent", "struct receipt")


@pytest.fixture(scope="module")
def next_build(tmp_path_factory):
    """The daemon of the version after this one, with the command of this one."""
    source = tmp_path_factory.mktemp("next")
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, source / part)
    text = (source / "meson.build").read_text()
    text = re.sub(r"version: '[0-9.]+'", "version: '99.0'", text, count=1)
    kept = [line for line in text.splitlines()
            if not re.match(r"(?!subdir\('(bpf|daemon)'\))subdir\(|if cc.get_id|  subdir|endif", line)]
    (source / "meson.build").write_text("\n".join(kept) + "\n")
    record = (source / "bpf" / "record.h").read_text()
    for name in GROWN:
        record, n = re.subn(rf"(\n{name} {{\n.*?)(\n}};)", r"\1\n\t__u64 spare;\2", record, count=1,
                            flags=re.S)
        assert n == 1, name
    record, n = re.subn(r"STORAGE_MAX 256", "STORAGE_MAX 264", record)
    assert n == 1
    (source / "bpf" / "record.h").write_text(record)
    build = source / "build"
    for command in (["meson", "setup", build], ["ninja", "-C", build, "daemon/subflowd"]):
        subprocess.run(command, cwd=source, check=True, stdout=subprocess.DEVNULL)
    (build / "cli").mkdir()
    (build / "cli" / "subflow").symlink_to(BUILD / "cli" / "subflow")
    return build


def version(daemon):
    return daemon.status()["daemon"]["version"]


def test_an_upgrade_and_back(kept, next_build):
    """Nothing is lost on the way there. On the way back no address is used that was not listed."""
    app = kept.restrict()
    app.set(NDIFFPORTS, 3)
    before = app.wait_subflows(3)
    other = kept.pair.app(kept.pair.client).connect(kept.pair.far.ip4)
    other.set(ADD, 2)
    other.set(REMOVE, 1)
    other.wait_subflows(2)
    this = version(kept.daemon)
    joins = kept.joins()
    kept.end(9)
    kept.build = next_build
    daemon = kept.start(**RULE)
    assert version(daemon) == "99.0" != this
    assert "not known any more" not in daemon.log.read_text()
    assert app.get(NDIFFPORTS) == 3 and app.subflows() == before
    app.set(NDIFFPORTS, 3)
    other.set(ADD, 1)
    other.wait_subflows(3)
    assert kept.joins() == joins + 1
    app(f"send(s, {8000000})")
    assert {local[0] for local, _ in app.wait_subflows(4)} == {"10.0.1.3"}
    kept.end(9)
    kept.build = BUILD
    daemon = kept.start(**RULE)
    assert version(daemon) == this
    assert "get no subflow until their applications list some again" in daemon.log.read_text()
    app.set(REMOVE, 2)
    app.wait_subflows(2)
    app.set(ADD, 1)
    app(f"send(s, {8000000})")
    other.set(ADD, 1)
    other.wait_subflows(4)
    assert {local[0] for local, _ in app.subflows()} == {"10.0.1.3"} and len(app.subflows()) == 2
    assert kept.joins() == joins + 3
