# SPDX-License-Identifier: MIT
"""What Subflow is measured by: every figure with its goal, what it is without, and its limit."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One line of the table. The goal is that of the median of the rounds."""
    row: int
    bench: str     # the command under bench/ that measures it
    key: str
    what: str
    goal: float
    baseline: str  # what there was without Subflow, or with the obvious way; "-" for nothing
    limit: str     # what no system could surpass
    worst: float = None    # goal of the worst round, where that has one of its own
    smaller: bool = False  # whether less is better
    unit: str = ""

    def meets(self, value, goal):
        return value <= goal if self.smaller else value >= goal


def less(*arguments, **options):
    return Figure(*arguments, smaller=True, **options)


FIGURES = [
    Figure(1, "fabric", "goodput", "goodput / ceiling, at most 4 subflows", .98,
           "TCP .59, 4 random ports .865, 8 random .87", "1", worst=.95),
    Figure(2, "fabric", "over-ecmp", "goodput / that of TCP over ECMP", 1.65, "1", "1.68"),
    Figure(2, "fabric", "over-4-random", "goodput / that of 4 random ports", 1.14, "1", "1.16"),
    Figure(2, "fabric", "over-8-random", "goodput / that of 8 random ports", 1.10, "1", "1.06"),
    Figure(3, "fabric", "worst-flow", "worst flow / fair share", .93,
           "TCP .20-.42, 4 random .46-.67", "1"),
    Figure(4, "spread", "distinct-4", "distinct paths / possible, 4 of 4", 1.0, ".684", "1"),
    Figure(4, "spread", "distinct-8", "distinct paths / possible, 8 of 8", 1.0, ".656", "1"),
    less(4, "spread", "wasted-syn", "SYNs that led to no new path", 0, "-", "0"),
    less(5, "spread", "probes-first-4", "probes to know 4 paths with 99 %", 28, "-", "0"),
    less(5, "spread", "probes-first-8", "probes to know 8 paths with 99 %", 58, "-", "0"),
    less(5, "spread", "probes-known", "probes a further connection, known prefix", 2, "-", "0"),
    less(6, "detect", "late", "bytes past the threshold, p99, in RTTs of data", 1,
         "10 Hz poll at 1 Gbit/s: 12.5 MB", "one skb"),
    Figure(7, "detect", "precision", "precision, websearch and data-mining", 1.0, "-", "1"),
    Figure(7, "detect", "recall", "recall, websearch and data-mining", 1.0, "-", "1"),
    less(8, "react", "p50", "threshold to first byte on the new subflow, p50, beyond 2 RTT", 150,
         "netlink and handshake alone: 60", "0", unit="us"),
    less(8, "react", "p99", "the same, p99, beyond 3 RTT", 1000, "-", "0", unit="us"),
    Figure(9, "tax", "requests", "requests / s of mice, hooks attached / not", .995,
           "byte counter in tc .974, tcpdump .924", "1"),
    Figure(9, "tax", "requests-tcp", "the same of TCP", .995, "-", "1"),
    Figure(9, "tax", "connects", "connects / s of mice, hooks attached / not", .99,
           "byte counter in tc .952, tcpdump .945", "what the kernel takes to tell of them"),
    Figure(9, "tax", "connects-tcp", "the same of TCP", .99, "-", "1"),
    less(9, "tax", "mouse", "one run of the detection hook, a mouse", 40, "228", "0", unit="ns"),
    less(9, "tax", "mouse-net", "the same, beyond a program beside it that does nothing", 10, "-", "0",
         unit="ns"),
    less(9, "tax", "elephant", "one run of the detection hook, an elephant", 250, "228", "0",
         unit="ns"),
    less(10, "tax", "inside", "any sockopt call in the cgroup / with an empty program", 1.05,
         "1.6-2.1 of no program", "1"),
    less(10, "tax", "outside", "any sockopt call outside the cgroup / without hooks", 1.02, "-",
         "1"),
    less(11, "tax", "options", "our options / TCP_NODELAY, same socket", 1.5, "-", "1"),
    less(11, "tax", "add", "an accepted ADD / TCP_NODELAY, same socket", 1.5, "-", "1"),
    less(11, "tax", "early-add", "the same before connect", 1.5, "-", "1"),
    less(12, "idle", "10k", "CPU of the daemon, 10 000 idle connections", .1,
         "10 Hz sock_diag poll: 12", "0", unit="%"),
    less(12, "idle", "100k", "CPU of the daemon, 100 000 idle connections", .1,
         "10 Hz sock_diag poll: 118", "0", unit="%"),
    less(13, "recover", "stall", "longest stall, one of 4 paths black-holed", 50, "212",
         "2 to 3 RTT", unit="ms"),
    less(13, "recover", "back", "until 90 % of what is left", 150, "1030", "2 to 3 RTT", unit="ms"),
    less(13, "recover", "whole", "until 4 subflows on live paths", 300, "never", "2 to 3 RTT",
         unit="ms"),
    Figure(14, "harmless", "unsplit", "goodput of unsplit flows, with / without the daemon", .97,
           ".50", "1"),
    Figure(15, "harmless", "single-path", "pairs with one path, split / never touched", .995,
           ".94-.99", "1"),
    Figure(16, "harmless", "neighbour", "one TCP flow beside 4 subflows: share / fair share", .9,
           ".33", "1"),
    Figure(17, "mix", "elephants", "completion of elephants, TCP over ECMP / Subflow", 1.6, "1",
           "non-blocking fabric"),
    less(17, "mix", "mice", "p99 completion of mice, Subflow / TCP over ECMP", 1.0, "1",
         "non-blocking fabric"),
    Figure(18, "bulk", "goodput", "one fast link: Subflow / MPTCP with 1 subflow", .99,
           "22.0 of 25.4 Gbit/s (MPTCP / TCP)", "1"),
]


def of(bench):
    """{key: Figure} of one command."""
    return {figure.key: figure for figure in FIGURES if figure.bench == bench}
