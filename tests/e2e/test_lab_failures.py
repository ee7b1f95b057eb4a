# SPDX-License-Identifier: MIT
"""Things break in the lab's fabrics when they are to, and flows notice."""
import re

import pytest
from conftest import BUILD
from labs import breakable  # noqa: F401
from lab import experiment, failures, systems, workloads
from lab.netns import LabError

SPINES = ("spine0", "spine1")


class Run:
    """Some TCP flows from one leaf to the other, while things break."""

    def __init__(self, lab, *steps, flows=12, seconds=6.0):
        steps = tuple(failures.parse(step, lab.topology) for step in steps)
        scenario = experiment.Scenario(settle_s=1.0, window_s=seconds - 1, steps=steps)
        try:
            self.result = experiment.measure(lab, BUILD, systems.SYSTEMS["tcp"],
                                             [workloads.Flow(0, 1)] * flows, scenario)
        finally:
            lab.heal()

    def passed(self, first_s, last_s):
        """(bytes that each spine gave the receivers' leaf) between two times."""
        early = next(s for s in self.result["series"] if s["s"] >= first_s)
        late = next(s for s in self.result["series"] if s["s"] >= last_s or s is self.result["series"][-1])
        return tuple(late["links"][f"{spine}>leaf1"] - early["links"][f"{spine}>leaf1"]
                     for spine in SPINES)


MUCH, LITTLE = 100000, 10000


def test_all_is_well_without_steps(breakable):
    assert min(Run(breakable, seconds=2).passed(1, 2)) > MUCH, "both spines carry"


@pytest.mark.parametrize("spine", [0, 1])
def test_a_spine_dies_is_noticed_and_comes_back(breakable, spine):
    """The flows go on over the other one, and return when the routers hear that it lives."""
    run = Run(breakable, f"1:die:spine{spine}", "1.5:notice", f"3:revive:spine{spine}", "4.5:notice")
    before, dead, alive, noticed = (run.passed(*times) for times in ((.3, .9), (2, 3), (3.2, 4.4), (5, 6)))
    assert min(before) > MUCH
    assert dead[spine] < LITTLE and dead[1 - spine] > MUCH
    assert alive[spine] < LITTLE and alive[1 - spine] > MUCH, "nobody told the routers yet"
    assert min(noticed) > MUCH
    assert breakable.lost == set()


@pytest.mark.parametrize("steps", [["1:drop:leaf0:spine0"], ["1:cut:leaf0:spine0"], ["1:drop:leaf0:spine0"] * 2],
                         ids=["drop", "cut", "drop-drop"])
def test_what_is_lost_silently_stalls_until_it_is_mended(breakable, steps):
    run = Run(breakable, *steps, "2:mend:leaf0:spine0", seconds=7)
    before, lost, mended = run.passed(.3, .9), run.passed(1.2, 2), run.passed(5, 7)
    assert min(before) > MUCH and lost[0] < LITTLE and lost[1] > MUCH
    assert min(mended) > MUCH, "the flows there have waited for their timers"
    assert max(run.result["gap_ms"]) > 900


ANSWER = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], 9), float(sys.argv[2]))
except ConnectionRefusedError:
    print("refused")
except TimeoutError:
    print("silence")
"""


def test_a_drop_has_one_direction_and_the_sender_is_not_told(breakable):
    """A full queue would be no loss on the way: the sender's kernel hears of it."""
    ends = breakable.host(0), breakable.host(1)

    def answer(source, target, patience_s):
        return source.run(["/usr/bin/python3", "-c", ANSWER, target.ip4, patience_s]).strip()

    breakable.black_hole("host0", "leaf0")
    assert answer(*ends, 1) == "silence"
    assert not re.search(r"dropped [1-9]", ends[0].run(["tc", "-s", "qdisc", "show", "dev", "leaf0"]))
    before = ends[0].snmp()["TcpInSegs"]
    assert answer(*ends[::-1], 1) == "silence" and ends[0].snmp()["TcpInSegs"] > before
    breakable.black_hole("host0", "leaf0", on=False)
    assert answer(*ends, 20) == answer(*ends[::-1], 20) == "refused"


def test_all_paths_dropped_stall_everything(breakable):
    run = Run(breakable, "1:drop:leaf0:spine0", "1:drop:leaf0:spine1", flows=1, seconds=3)
    # Two seconds, less what a busy machine is late by.
    assert sum(run.passed(1.5, 3)) == 0 and run.result["gap_ms"][0] > 500


def test_things_break_for_flows_that_end_as_well(breakable):
    """Both paths are dead from before any flow can have ended."""
    steps = tuple(failures.parse(step, breakable.topology) for step in (
        "0.5:drop:leaf0:spine0", "0.5:drop:leaf0:spine1", "3:mend:leaf0:spine0", "3:mend:leaf0:spine1"))
    flows = [workloads.Flow(0, 1, 3 * workloads.MB)] * 2
    try:
        result = experiment.measure(breakable, BUILD, systems.SYSTEMS["tcp"], flows,
                                    experiment.Scenario(steps=steps), has_sizes=True)
    finally:
        breakable.heal()
    assert [c["bytes"] for c in result["completions"]] == [3 * workloads.MB] * 2
    assert min(c["start_s"] + c["s"] for c in result["completions"]) > 3


def test_what_should_break_after_the_last_flow_did_not(breakable):
    steps = tuple(failures.parse(step, breakable.topology) for step in ("0:lossy:spine0", "60:die:spine0"))
    try:
        result = experiment.measure(breakable, BUILD, systems.SYSTEMS["tcp"], [workloads.Flow(0, 1, 1000)],
                                    experiment.Scenario(steps=steps), has_sizes=True)
    finally:
        breakable.heal()
    assert "1 steps came too late (60:die:spine0)" in result["discarded"]


def test_steps_are_checked(breakable):
    for text, why in (("1:cut:leaf0:host1", "not linked"), ("1:die:nobody", "no nobody"),
                      ("1:cut:leaf0", "cut:NODE:NODE"), ("1:spray:host0", "host0 is no router"),
                      ("1:refuse:leaf0", "leaf0 is no host")):
        with pytest.raises(LabError, match=why):
            failures.parse(text, breakable.topology)
