# SPDX-License-Identifier: MIT
"""The pieces of docs/extending.md, run as they stand."""
import re
import subprocess

import pytest
from conftest import ROOT
from labs import Command

PAGE = (ROOT / "docs" / "extending.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)


@pytest.fixture
def extended(tmp_path):
    """A command, and the words that load the page's Python."""
    mine = tmp_path / "mine.py"
    mine.write_text("\n\n".join(blocks("python")))
    command = Command(tmp_path)
    return command, ("--with", mine)


def test_a_topology_a_workload_and_a_system_of_ones_own(extended, tmp_path):
    command, mine = extended
    assert len(blocks("python")) == 3
    status, output, error = command(*mine, "draw", "ring", "--dot")
    assert status == 0 and output.count(" -- ") == 8, error
    status, output, error = command(
        *mine, "run", "pairs", "--topology", "ring", "--system", "tcp", "--system", "late", "--seeds", 1,
        "--rate", 20, "--busy", "--results", command.results)
    assert status == 0, error
    _, tcp, late = command.kept()  # the first is the ceiling
    for result in (tcp, late):
        assert result["discarded"] == "" and result["workload"] == "pairs"
        assert [c["bytes"] for c in result["completions"]] == [4000000] * 4
        assert result["settings"]["fabric"] == "ring of 4 hosts, 20 Mbit/s"
    assert (tcp["system"], late["system"]) == ("tcp", "late")
    assert late["counters"]["thresholds"] > 0 and late["counters"]["probes"] == 0
    page = tmp_path / "report.html"
    status, _, error = command(*mine, "report", "--results", command.results, "-o", page)
    assert status == 0 and "Subflow, twice as late, random ports" in page.read_text(), error
    status, _, error = command("report", "--results", command.results, "-o", page)
    assert status == 0 and page.read_text().count("<title>r0&gt;r1: ") == 2, "two maps, without that file too: " + error
    status, output, _ = command(*mine, "list")
    assert status == 0 and {"ring", "pairs", "late"} <= set(output.split())


def test_what_is_loaded_must_be_there(tmp_path):
    status, _, error = Command(tmp_path)("--with", tmp_path / "nothing.py", "list")
    assert (status, error) == (1, f"subflow-lab: --with {tmp_path}/nothing.py: there is no such file\n")


@pytest.fixture
def build_core(tmp_path):
    """Builds a program of the core, with the page's rule in the place of ours, and these sources."""
    def build(*sources):
        own = next(block for block in blocks("c") if "elephant_decide(" in block)
        function = re.compile(r"^uint32_t elephant_decide\(.*?^}$", re.M | re.S)
        elephant = tmp_path / "elephant.c"
        text = (ROOT / "daemon" / "core" / "elephant.c").read_text()
        assert len(function.findall(text)) == 1
        elephant.write_text(function.sub(lambda _: function.search(own).group(), text))
        core = [path for path in (ROOT / "daemon" / "core").glob("*.c") if path.name != "elephant.c"]
        flags = ["-std=gnu17", "-D_GNU_SOURCE", '-DSUBFLOW_VERSION="a test"', "-Wall", "-Wextra",
                 "-Werror", f"-I{ROOT}/daemon", f"-I{ROOT}/daemon/core", f"-I{ROOT}/bpf"]
        subprocess.run(["gcc", *flags, elephant, *sources, *core, "-lnettle", "-o", tmp_path / "program"],
                       check=True)
        return tmp_path / "program"
    return build


def test_a_rule_of_ones_own_in_the_core(build_core, tmp_path):
    """Driven by the page's program."""
    driver = tmp_path / "driver.c"
    driver.write_text(next(block for block in blocks("c") if "int main(void)" in block))
    output = subprocess.run([build_core(driver)], capture_output=True, text=True, check=True).stdout
    assert output == ("one more from address id 0\n"
                      "no more at 0.00015 MB: it is a pair, or none (2 of 4)\n")


def test_what_it_would_have_done(build_core):
    """On a recording of an elephant that got three more subflows by our rule: by that one, one."""
    program = build_core(ROOT / "daemon" / "player.c")
    recording = ROOT / "tests" / "unit" / "core" / "recordings" / "elephant"
    done = subprocess.run([program, "--all", "--quiet", recording], capture_output=True, text=True)
    assert done.returncode == 1
    lines = [line for line in done.stdout.splitlines() if " CREATE " in line]
    assert [line[0] for line in lines] == ["-", "-"]
    done = subprocess.run([program, recording], capture_output=True, text=True)
    assert done.returncode == 1 and "now is decided: nothing" in done.stderr
    assert "it is a pair, or none" in done.stdout
