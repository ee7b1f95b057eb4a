# SPDX-License-Identifier: MIT
"""The lab's troubles by their names: each comes about, is borne, and starts no storm."""
import json
import threading

import pytest
from conftest import BUILD
from labs import Command
from lab import experiment, fabric, failures, systems, troubles, workloads
from lab.netns import wait_until

# The counter of subflowd that shows, besides the trouble's own signs, that it came about.
SHOWN = {"flapping": "repairs", "refused": "refused_by_peer"}


@pytest.mark.parametrize("name", troubles.TROUBLES)
def test_a_trouble_is_borne(tmp_path, name):
    command = Command(tmp_path)
    status, output, error = command("run", name, "--system", "subflow", "--busy", "--results",
                                    command.results)
    assert status == 0 and "1 of 1 runs " in output, output + error
    _, result = command.kept()
    options = workloads.WORKLOADS[name].options
    assert result["discarded"] == "" and result["failed"] == []
    assert result["settings"]["fail"] == options["fail"]
    assert {c["bytes"] for c in result["completions"]} == {round(options["size"] * workloads.MB)}
    assert result["counters"]["elephants"] > 0
    if name in SHOWN:
        assert result["counters"][SHOWN[name]] > 0
    if name in ("stalled", "resting"):
        assert result["completions"][0]["s"] > troubles.PAUSE_MS / 1000
    if name == "crowd":
        assert len(result["completions"]) == 1000 and result["counters"]["thresholds"] >= 1000


@pytest.fixture(scope="module")
def small():
    with fabric.leaf_spine(2, 2, 1, rate_mbit=20, seed=4) as lab:
        yield lab


def measure(lab, system, trouble, *steps, size=1000000):
    steps = tuple(failures.parse(step, lab.topology) for step in steps)
    scenario = experiment.Scenario(steps=steps, trouble=trouble, rule=systems.Rule(200000, 100000, 600000))
    try:
        return experiment.measure(lab, BUILD, systems.SYSTEMS[system], [workloads.Flow(0, 1, size)], scenario,
                                  has_sizes=True)
    finally:
        lab.heal()


def test_one_that_did_not_come_about_is_no_run(small):
    result = measure(small, "tcp", troubles.Trouble(signs=("TcpExtTCPToZeroWindowAdv",)))
    assert "did not come about: no TcpExtTCPToZeroWindowAdv" in result["discarded"]


def test_a_storm_is_no_run(small):
    result = measure(small, "subflow", troubles.Trouble(bounds={"thresholds": 0}))
    assert "thresholds and not at most 0" in result["discarded"]


class Mortal(systems.Elephant):
    """Its subflowd is killed while flows are there."""

    def start(self, lab, build, rule):
        daemon = super().start(lab, build, rule)
        threading.Timer(1.5, daemon.process.kill).start()
        return daemon


@pytest.mark.parametrize("trouble", [None, troubles.Trouble()])
def test_a_run_whose_daemon_ended_by_itself_is_thrown_away(small, trouble):
    result = experiment.measure(small, BUILD, Mortal("mortal", "dies"), [workloads.Flow(0, 1, 8000000 * bool(trouble))],
                                experiment.Scenario(trouble=trouble), has_sizes=bool(trouble))
    assert "subflowd ended by itself (-9): " in result["discarded"] and result["counters"] == {}


def test_joins_are_refused_until_it_is_over(small):
    refused = measure(small, "random4", troubles.Trouble(), "0:refuse:host1", size=4000000)
    assert refused["counters"]["refused_by_peer"] > 0 and refused["failed"] == []
    assert refused["mptcp"].get("MPJoinSynAckRx", 0) == 0
    assert measure(small, "random4", troubles.Trouble())["mptcp"]["MPJoinSynAckRx"] == 3


REORDERED = ("TcpExtTCPSACKReorder", "TcpExtTCPTSReorder", "TcpExtTCPRenoReorder")


@pytest.mark.parametrize("family", ["ip4", "ip6"])
def test_one_flow_takes_both_ways_until_it_is_over(small, family):
    def carried(*steps):
        trouble = troubles.Trouble(signs=REORDERED)
        scenario = experiment.Scenario(family=family, trouble=trouble, steps=tuple(
            failures.parse(step, small.topology) for step in steps))
        result = experiment.measure(small, BUILD, systems.SYSTEMS["tcp"], [workloads.Flow(0, 1, 3000000)],
                                    scenario, has_sizes=True)
        early, late = (result["series"][i]["links"] for i in (0, -1))
        return [late[f"leaf0>spine{i}"] - early[f"leaf0>spine{i}"] > 300000 for i in (0, 1)], result

    both, result = carried("0:spray:leaf0")
    assert both == [True, True] and sum(result["signs"].values()) > 0
    assert small.nodes["leaf0"].run(["ip", "rule", "show"]).count("fwmark") == 2
    small.heal()
    assert small.nodes["leaf0"].run(["ip", "rule", "show"]).count("fwmark") == 0
    assert sum(carried()[0]) == 1


SEND = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    for _ in range(400):
        s.sendto(b"x", (sys.argv[1], 9))
"""


def entered(lab):
    """(packets that came to the spines, how many of them a program dropped)."""
    told = [json.loads(lab.nodes[spine].run(["tc", "-s", "-j", "qdisc", "show", "dev", "leaf0"]))
            for spine in ("spine0", "spine1")]
    clsact = [qdisc for queues in told for qdisc in queues if qdisc["kind"] == "clsact"]
    return sum(q["packets"] for q in clsact), sum(q["drops"] for q in clsact)


@pytest.mark.parametrize("share", [.5, 1])
def test_a_share_of_the_packets_is_lost_by_lot(small, share):
    for spine in ("spine0", "spine1"):
        small.drop("leaf0", spine, share)
    small.host(0).run(["/usr/bin/python3", "-c", SEND, small.host(1).ip4])
    packets, drops = wait_until(lambda: (found := entered(small))[0] >= 400 and found, "all are there")
    small.heal()
    assert share - .15 < drops / packets < share + .15
    assert entered(small) == (0, 0)
