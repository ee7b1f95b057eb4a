# SPDX-License-Identifier: MIT
"""What goes wrong, and has to be borne: workloads that show how much is done about it.

What looks like a failure and is none, or is one that nobody can mend, must not start a storm: whatever
happens, all bytes arrive, and subflowd does no more than so much for each connection.
"""
from dataclasses import dataclass, field

from lab import systems
from lab.workloads import MB, WORKLOADS, Flow, Workload

SPINES, FAR = 4, "leaf1"
ENDS = {"topology": "leaf-spine", "spines": SPINES, "leaves": 2, "hosts": 1, "rate": 20, "host_rate": 0,
        "seeds": 1}
PAUSE_MS = 4000
FLAPS, FLAP_S, DOWN_S = 8, .8, .4
CROWD_CPU_MOST = .5  # of one CPU: it takes .1 to .2 for 1,000 elephants


@dataclass(frozen=True)
class Trouble:
    pauses: tuple = ()  # options of the traffic generator
    signs: tuple = ()   # the hosts' counters of which one has to move, or it did not come about
    # {counter of subflowd: how much of it a connection may take}, beside what always holds: as many
    # subflows as were promised, and as many repairs as there may be (lab.gates).
    bounds: dict = field(default_factory=dict)
    cpu_most: float = .1  # of one CPU, for subflowd: it takes about .01


def flaps():
    """The spines lose in turn what they send to the receiver's leaf, and carry it again."""
    for number in range(FLAPS):
        begin, link = 1 + number * FLAP_S, f"spine{number % SPINES}:{FAR}"
        yield f"{begin:g}:drop:{link}"
        yield f"{begin + DOWN_S:g}:mend:{link}"


def trouble(name, about, size, steps=(), flows=1, apart_s=0.0, more=None, **found):
    """A Workload: so many connections of `size` MB between the two ends, each `apart_s` after another."""
    def make(hosts, rng, options):
        return [Flow(0, hosts - 1, round(options.size * MB), number * apart_s) for number in range(flows)]
    return Workload(name, about, make, True, options={**ENDS, "size": size, "fail": list(steps),
                                                      **(more or {})}, trouble=Trouble(**found))


TROUBLES = {w.name: w for w in (
    trouble("flapping", "each of four paths dies and comes back, twice", 70, flaps(),
            signs=("TcpExtTCPTimeouts",)),
    trouble("all-lossy", "every path loses one packet in fifty", 10,
            [f"0:lossy:spine{i}" for i in range(SPINES)], signs=("TcpRetransSegs",)),
    trouble("refused", "the receiver resets every join; 20 connections", 2, ["0:refuse:host1"], 20, .2,
            bounds={"creates": 1}),
    trouble("stalled", f"the receiver reads nothing for {PAUSE_MS / 1000:g} s", 20,
            pauses=("--stall", PAUSE_MS), signs=("TcpExtTCPToZeroWindowAdv",),
            bounds={"taken_back": 0, "repairs": 0}),
    trouble("resting", f"the sender sends nothing for {PAUSE_MS / 1000:g} s", 20,
            pauses=("--rest", PAUSE_MS), bounds={"taken_back": 0, "repairs": 0}),
    trouble("reordered", "the sender's leaf chooses a path for each packet", 20, ["0:spray:leaf0"],
            signs=("TcpExtTCPSACKReorder", "TcpExtTCPTSReorder", "TcpExtTCPRenoReorder")),
    trouble("crowd", "1,000 elephants of 0.3 MB at once, of one host", .3, flows=1000,
            more={"rate": 100, "rule": systems.TINY}, cpu_most=CROWD_CPU_MOST),
)}
WORKLOADS.update(TROUBLES)
