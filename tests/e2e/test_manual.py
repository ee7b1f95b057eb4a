# SPDX-License-Identifier: MIT
"""The programs of the manual pages, compiled and run as they stand by a user without privilege."""
import re
import shutil
import subprocess

import pytest

from app import NOBODY
from conftest import ROOT

AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


def programs():
    """[(page and number, language, text)] of all fenced blocks; each must be a whole program."""
    found = []
    for page in sorted((ROOT / "man").glob("*.scd")):
        blocks = re.findall(r"^```\n(.*?)^```$", page.read_text(), re.M | re.S)
        for number, block in enumerate(blocks, 1):
            text = re.sub(r"\\(.)", r"\1", block)  # scdoc's own escapes
            language = {"#include": "c", "import": "py"}.get(text.split()[0])
            found.append(pytest.param(language, text, id=f"{page.name.removesuffix('.scd')}-{number}"))
    return found


def build(directory, language, text, *flags):
    """The command that runs it."""
    source = directory / f"program.{language}"
    source.write_text(text)
    if language == "py":
        shutil.copy(ROOT / "python" / "subflow.py", directory)
        return ["/usr/bin/python3", source]
    # The library's sources and not a build of it, which may be instrumented.
    library = [path for path in (ROOT / "lib").glob("*.c") if path.name != "preload.c"]
    subprocess.run(["gcc", "-std=gnu17", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror",
                    f"-I{ROOT}/include", "-c", "-o", directory / "program.o", source], check=True)
    subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", f"-I{ROOT}/include", "-o",
                    directory / "program", directory / "program.o", *library, *flags], check=True)
    return [directory / "program"]


def check(lab, command):
    """Run as nobody, it prints the ports of four subflows that the server has seen."""
    lab.sink()
    output = lab.client.run([*AS_NOBODY, *command, lab.far.ip4, 7000])
    assert len({int(line) for line in output.splitlines()}) == 4
    assert lab.server.netstat()["MPTcpExtMPJoinAckRx"] == 3


@pytest.mark.parametrize("language, text", programs())
def test_a_program_of_the_manual_gets_four_subflows(served, language, text):
    check(served, build(served.directory, language, text))


@pytest.mark.parametrize("text", [pytest.param(param.values[1], id=param.id) for param in programs()
                                  if param.values[0] == "c"])
def test_a_static_program_has_the_options_too(served, text):
    """No preload object reaches it; it makes its socket Multipath TCP, or calls the library."""
    command = build(served.directory, "c", text, "-static")
    assert "INTERP" not in served.run(["readelf", "-lW", *command])
    check(served, command)


def test_the_manual_has_programs():
    languages = [param.values[0] for param in programs()]
    assert languages.count("c") >= 2 and languages.count("py") >= 2
    assert None not in languages
