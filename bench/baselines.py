# SPDX-License-Identifier: MIT
"""What prototypes gave before there was Subflow, and why it does not come out again where it does not."""
import math
import statistics
from dataclasses import dataclass
from typing import Any

# To either side of a baseline that was one value.
TOLERANCE = .03


@dataclass(frozen=True)
class Baseline:
    row: int
    bench: str
    what: str
    low: float
    high: float
    # Where it is measured: (key in rows.py, name of the other way), or a function of a round; None: nowhere.
    measured: Any
    # Shown where it is out of range or not measured.
    why: str = ""

    def values(self, data):
        """One a round of what a command has left; [] if it is not in there."""
        if callable(self.measured):
            return [self.measured(one) for one in data["rounds"]]
        return next((line["without"][self.measured[1]]["values"] for line in data["figures"]
                     if self.measured and line["key"] == self.measured[0] and self.measured[1] in line["without"]),
                    [])

    def median(self, found):
        """Of all rounds; None if there are none."""
        values = self.values(found[self.bench]) if self.bench in found else []
        return statistics.median(values) if values else None

    def is_again(self, median):
        return median is not None and self.low <= median <= self.high


def one(value):
    return value * (1 - TOLERANCE), value * (1 + TOLERANCE)


def own_price(what):
    """MPTCP's of mice, where nothing of Subflow runs."""
    return lambda r: r["bare"]["mptcp"][what] / r["bare"]["tcp"][what]


NATIVE = ("Times by themselves are those of one machine on one day: a call that no hook sees takes 361 ns there."
          " What attached hooks add to a call is about 270 and 300 ns here, and was 274.")
CALL = (" Ratios in the same process are row 10, which comes out again.")
BISTABLE = ("It has two values: in four of nine rounds the receiver stands still for 245 ms, the least RTO of 200 ms"
            " and what follows it; in the other five for 55 to 80. Repair is off, and no subflow was replaced; the kernel's own"
            " reinjection works all the same. Why it comes early in five rounds is not known; likely its timer was set by"
            " a loss probe of a subflow and not by an RTO. The prototype's 212 is of the first kind, and so is every"
            " round of the paced stream.")
SHARE = ("Five reno flows that share evenly would leave it .40. The figure is of the kernel's own four subflows, which"
         " [fairness] leaves alone. It")
SHARED = (" Not known why; likely the queue, 60 kB and so four packets of 16 kB, is what decides: in it the one flow"
          " that shares with nobody's subflows is at times ahead, and at times behind.")

BASELINES = (
    Baseline(1, "fabric", "TCP over ECMP, goodput / ceiling", *one(.59), ("goodput", "TCP")),
    Baseline(1, "fabric", "4 random ports, goodput / ceiling", *one(.865), ("goodput", "4 random ports")),
    Baseline(1, "fabric", "8 random ports, goodput / ceiling", *one(.87), ("goodput", "8 random ports"),
             "By max-min theory it is .94 (`subflow-lab model`), so it is the baseline that is low. All 112 further"
             " subflows came about in each round here, which is a gate, and about a quarter of the CPU or more was idle. How it was"
             " with the prototype is not known; likely its links, of 50 Mbit/s and not of 24, left it too little CPU."),
    Baseline(3, "fabric", "TCP over ECMP, worst flow / fair share", .20, .42, ("worst-flow", "TCP"),
             "Here it is the worst of 32 flows, of stride8 and of a permutation, over 8 s. What max-min theory leaves the"
             " worst of these is .33 (.25 to .50); TCP does not divide a link evenly, and reno with some small windows and"
             " 1,900 lost packets in a run least of all. Of how many flows the prototype took the worst is not known."),
    Baseline(3, "fabric", "4 random ports, worst flow / fair share", .46, .67, ("worst-flow", "4 random ports")),
    Baseline(4, "spread", "the kernel's ports, distinct paths, 4 of 4", *one(.684), ("distinct-4", "the kernel's ports")),
    Baseline(4, "spread", "the kernel's ports, distinct paths, 8 of 8", *one(.656), ("distinct-8", "the kernel's ports")),
    Baseline(6, "detect", "10 Hz poll, MB past the threshold at 1 Gbit/s", *one(12.5), None,
             "12.5 MB are what 1 Gbit/s carries in the tenth of a second between two looks. `bench/detect` has a link of"
             " 100 Mbit/s, where that is 1.25 MB, and counts in windows of the flow: the poller's median of 34.8 is in the"
             " table. How many bytes these were is not kept."),
    Baseline(8, "react", "netlink and handshake alone, us", *one(60), None,
             "It was one call over one veth. The bench has no such line: there the SYN leaves 244 us after the threshold was"
             " noticed, which is the daemon's waking, its decision and its choice of a port as well, and the handshake over"
             " four links is a round trip of 42 us."),
    Baseline(9, "tax", "MPTCP / TCP, requests, no Subflow", *one(.82), own_price("requests"),
             "This is MPTCP's own price, and none of Subflow. One process asks, one request after the other, of 128 bytes and of 1,024"
             " back, so that most of a request is two processes waking each other up, which both pay. What the prototype"
             " sent, and over how many connections, is not known; likely it kept the CPUs busier, so that the stack's work counted more."),
    Baseline(9, "tax", "MPTCP / TCP, connects, no Subflow", *one(.73), own_price("connects"),
             "This is MPTCP's own price, and none of Subflow; it is higher here than it was, in all rounds (.63 to .66). Each"
             " connection makes a request of 128 bytes and is ended by the server. Why it is more than the prototype's is not"
             " known; likely that one connected and closed without any data."),
    Baseline(9, "tax", "byte counter in tc, requests", *one(.974), None,
             "No benchmark has that prototype: Subflow counts no bytes in tc. `bench/tax` has a reader of every packet"
             " (by capture) in its place."),
    Baseline(9, "tax", "byte counter in tc, connects", *one(.952), None, "As for requests."),
    Baseline(9, "tax", "reader of every packet, requests (tcpdump)", *one(.924), ("requests", "by capture"),
             "It is measured by `[detect] source = capture` and not by tcpdump, and the results that are kept are older than"
             " that measurement."),
    Baseline(9, "tax", "reader of every packet, connects (tcpdump)", *one(.945), ("connects", "by capture"),
             "As for requests."),
    Baseline(9, "tax", "naive callback of every round trip, ns", *one(228), None,
             "No benchmark has that prototype. The hook that took its place is in the table: 70 ns for a mouse and 156 for an"
             " elephant, of which a program that does nothing takes about 60."),
    Baseline(10, "tax", "a call in a cgroup with an empty program / without", 1.6, 2.1, ("inside", "an empty one / none")),
    Baseline(11, "tax", "getsockopt(TCP_NODELAY), no hooks, ns", *one(776),
             lambda r: r["bare"]["calls"]["native_get"], NATIVE + CALL),
    Baseline(11, "tax", "getsockopt(TCP_NODELAY), hooks attached, ns", *one(1050),
             lambda r: r["hooks"]["calls"]["native_get"], NATIVE + CALL),
    Baseline(12, "idle", "10 Hz poll of 10 000, % of a CPU", *one(12), ("10k", "10 Hz poll"),
             "It is ten times the CPU that one listing takes, .95 us a connection here, and .86 to 1.37 by round; the"
             " prototype took 1.0 to 1.2 us. A time by itself is that of one machine on one day."),
    Baseline(12, "idle", "10 Hz poll of 100 000, % of a CPU", *one(118), ("100k", "10 Hz poll"),
             "The results that are kept are older than that measurement."),
    Baseline(13, "recover", "longest stall, ms", *one(212), ("stall", "repair off"), BISTABLE),
    Baseline(13, "recover", "slowest message of a paced stream, ms", 202, 204, ("paced", "repair off"),
             "It is the kernel's least RTO of 200 ms, and a round trip and a half: half a millisecond less than it was."),
    Baseline(13, "recover", "until 90 % of what is left, ms", *one(1030), ("back", "repair off"),
             "It follows the stall: in the four rounds of a long one 500 to 878 ms, in the others 80 to 171. Why the prototype took"
             " longer still is not known; likely it took rates over more than the 50 ms of here."),
    Baseline(13, "recover", "until 4 subflows on live paths, ms: never", 3000, math.inf, ("whole", "repair off")),
    Baseline(14, "harmless", "unsplit flows where everybody else is split", *one(.50), ("unsplit", "always split"),
             "The half was lost where an elephant took a neighbour's only uplink as one of its paths. On which fabric is"
             " not known: no edge router of the"
             " fat-tree here has one uplink only. In stride1 the elephants here are those between two hosts of one edge router,"
             " which have one path: the others keep .994. So the figure is of permutations, .64 to .98, where max-min theory"
             " has .81 (`subflow-lab model`)."),
    Baseline(15, "harmless", "pairs with one path, split all the same", .94, .99, ("single-path", "always split"),
             "It is better than it was. Rates are taken for 8 s, after the first 2.5 s; what it takes until then is not"
             " in it. Whether it was in the prototype's is not known; likely so, or its queue was shorter."),
    Baseline(16, "harmless", "one TCP flow beside 4 subflows, one link", *one(.33), ("neighbour", "always split"),
             f"{SHARE} differs by a factor of two from one round to the next (.48 to 1.12), and beside one subflow from .83 to"
             f" 1.11.{SHARED}"),
    Baseline(16, "harmless", "the same on a last hop", *one(.40), ("last-hop", "always split"),
             f"{SHARE} was .84 to .95 in all rounds. The four subflows come on random ports, so over two or three of the four"
             f" paths, each of which can carry all that the last link does.{SHARED}"),
    Baseline(18, "bulk", "TCP / MPTCP with 1 subflow", *one(25.4 / 22.0), ("goodput", "TCP"),
             "By round it is 1.09 to 1.17: the baseline is within that. Here it is the median of pairs, one process on each CPU;"
             " that of the prototype was of two rates."),
    Baseline(18, "bulk", "MPTCP / TCP at 100 Gbit/s, as published", *one(10 / 43), None,
             "No such hardware was there: both ends and their link are one machine."),
)


def unexplained(found):
    """Those out of range, or not measured, of which nothing is said."""
    return [b for b in BASELINES if not b.is_again(b.median(found)) and not b.why]
