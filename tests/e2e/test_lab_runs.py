# SPDX-License-Identifier: MIT
"""Workloads and systems of subflow-lab, each run once in small; and the fabrics that it leaves up."""
import json

import labs
import pytest
from lab import experiment

SHAPE = ["--topology", "leaf-spine", "--spines", 2, "--leaves", 2, "--hosts", 3, "--rate", 40, "--host-rate", 40]
HOSTS = 6
# What else this machine does is not the matter, nor that a full queue makes a connection or two plain TCP.
GATES = "from lab import gates\ngates.IDLE_MIN, gates.CEILING_MIN, gates.FALLBACKS_OF_MIX = -1, .1, .1\n"
# A lost SYN is a subflow too few; whoever measures runs it again.
TRIES = 3


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """One file of results: the ceiling is measured once."""
    directory = tmp_path_factory.mktemp("runs")
    (directory / "gates.py").write_text(GATES)
    command = labs.Command(directory)

    def run(workload, system, *words):
        for _ in range(TRIES):
            status, output, error = command("--with", directory / "gates.py", "run", workload, "--system", system,
                                            "--seeds", 1, "--seconds", 1, *SHAPE, "--results", command.results, *words)
            if status == 0:
                return command.kept()[-1]
        pytest.fail(output + error)
    return run


@pytest.mark.parametrize("workload, system, joins, words", [
    ("stride", "random8", 7 * HOSTS, ["--step", 3]),
    ("stride4", "rule-kernel", 3 * HOSTS, []),
    ("stride8", "rule-random", 3 * HOSTS, []),
    ("staggered", "subflow", 0, []),
    ("hotspot", "coupled", 1, [])])
def test_flows_without_end(command, workload, system, joins, words):
    result = command(workload, system, *words)
    assert (result["workload"], result["system"], result["discarded"]) == (workload, system, "")
    assert len(result["flows_mbps"]) == HOSTS and min(result["flows_mbps"]) > 0
    assert result["mptcp"].get("MPJoinSynAckRx", 0) >= joins
    assert result["paths"]["subflows"] >= HOSTS and 0 < result["paths"]["distinct"] <= result["paths"]["possible"]


@pytest.mark.parametrize("workload, flows, sizes, words", [
    ("shuffle", HOSTS * (HOSTS - 1), {2000000}, []),
    ("data-mining", 12, None, []),
    ("iperf3", HOSTS, {4000000}, ["--size", 4]),
    ("curl-download", HOSTS, {4000000}, ["--size", 4])])
def test_flows_that_end(command, workload, flows, sizes, words):
    """Elephants among them are split, also those of real programs, and a run of these counts."""
    result = command(workload, "subflow", *words)
    assert (result["workload"], result["discarded"]) == (workload, "")
    found = [c["bytes"] for c in result["completions"]]
    assert len(found) == flows and max(found) <= 30000000 and (sizes is None or set(found) == sizes)
    assert result["mptcp"]["MPJoinSynAckRx"] > 0 and result["counters"]["elephants"] > 0
    assert bool(result["paths"]) == (flows <= experiment.KEPT_MAX)


# Whoever refuses a connection has had a packet, and has answered it.
KNOCK = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], 9), 5)
except ConnectionRefusedError:
    print("refused")
"""


@pytest.mark.parametrize("words", [["fat-tree", "--k", 4], ["leaf-spine", "--spines", 4, "--leaves", 4, "--hosts", 4]])
def test_a_fabric_that_is_up_carries_packets_of_the_size_that_was_asked_for(tmp_path, words):
    command = labs.Command(tmp_path)
    try:
        status, output, error = command("up", *words)
        assert status == 0 and ": up; 16 hosts, host0 is" in output, error
        note = json.loads(command.note.read_text())
        for address in note["hosts"]["host15"].values():
            assert command("shell", "host0", "/usr/bin/python3", "-c", KNOCK, address)[:2] == (0, "refused\n")
        for node in ("host0", note["nodes"][0]):
            status, output, error = command("shell", node, "ip", "-d", "-j", "link", "show", "type", "veth")
            assert {link["gso_max_size"] for link in json.loads(output)} == {8192}, error
    finally:
        assert command("down")[0] == 0
    assert labs.namespaces(note["prefix"]) == []
