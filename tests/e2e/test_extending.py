# SPDX-License-Identifier: MIT
"""The pieces of docs/extending.md, run as they stand."""
import re
import subprocess

import pytest
from conftest import ROOT
from test_lab import Command

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
    tcp, late = command.kept()
    for result in (tcp, late):
        assert result["discarded"] == "" and result["workload"] == "pairs"
        assert [c["bytes"] for c in result["completions"]] == [4000000] * 4
        assert result["settings"]["fabric"] == "ring of 4 hosts, 20 Mbit/s"
    assert (tcp["system"], late["system"]) == ("tcp", "late")
    assert late["counters"]["thresholds"] > 0 and late["counters"]["probes"] == 0
    page = tmp_path / "report.html"
    status, _, error = command(*mine, "report", "--results", command.results, "-o", page)
    assert status == 0 and "Subflow, twice as late, random ports" in page.read_text(), error
    status, output, _ = command(*mine, "list")
    assert status == 0 and {"ring", "pairs", "late"} <= set(output.split())


def test_what_is_loaded_must_be_there(tmp_path):
    status, _, error = Command(tmp_path)("--with", tmp_path / "nothing.py", "list")
    assert (status, error) == (1, f"subflow-lab: --with {tmp_path}/nothing.py: there is no such file\n")


def test_a_rule_of_ones_own_in_the_core(tmp_path):
    """The page's rule in the place of ours, driven by the page's program."""
    names = []
    for number, block in enumerate(blocks("c")):
        names.append(tmp_path / f"block{number}.c")
        names[-1].write_text(block)
    core = [path for path in (ROOT / "daemon" / "core").glob("*.c") if path.name != "elephant.c"]
    flags = ["-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/daemon",
             f"-I{ROOT}/bpf", f"-I{ROOT}/include"]
    subprocess.run(["gcc", *flags, *names, *core, "-lnettle", "-o", tmp_path / "policy"], check=True)
    output = subprocess.run([tmp_path / "policy"], capture_output=True, text=True, check=True).stdout
    assert output == ("one more from address id 0\n"
                      "no more at 0 MB: it is a pair, or none (2 of 4)\n")
