# SPDX-License-Identifier: MIT
"""What prototypes gave before there was Subflow, and why it does not come out again where that is known."""
import math
import statistics
from dataclasses import dataclass
from typing import Any

# To either side of a baseline that was one value.
TOLERANCE = .03
ANYTHING = -math.inf, math.inf
# What becomes of one.
VERDICTS = AGAIN, EXPLAINED, UNEXPLAINED, UNMEASURED = (
    "again", "out of range, explained", "out of range, not explained", "not measured")


@dataclass(frozen=True)
class Baseline:
    row: int
    bench: str
    what: str
    low: float
    high: float
    # Where it is measured: (key in rows.py, name of the other way), or a function of a round; None: nowhere.
    measured: Any
    # What differs. Of one that is measured nowhere: why.
    why: str = ""
    # The medians of which that is the explanation.
    explains: tuple = ANYTHING
    # What is said of other medians: what is known, where that is no explanation.
    known: str = ""

    def values(self, data):
        """One a round of what a command has left; [] if it is not in there."""
        if callable(self.measured):
            return [self.measured(one) for one in data["rounds"]]
        return next((line["without"][self.measured[1]]["values"] for line in data["figures"]
                     if self.measured and line["key"] == self.measured[0] and self.measured[1] in line["without"]),
                    [])

    @property
    def words(self):
        """What names it in what the command says of itself, if anything does."""
        return self.measured if isinstance(self.measured, tuple) else ()

    def median(self, found):
        """Of all rounds; None if there are none."""
        values = self.values(found[self.bench]) if self.bench in found else []
        return statistics.median(values) if values else None

    def verdict(self, median):
        if median is None:
            return UNMEASURED
        if self.low <= median <= self.high:
            return AGAIN
        return EXPLAINED if self.why and self.explains[0] <= median <= self.explains[1] else UNEXPLAINED


def one(value):
    return value * (1 - TOLERANCE), value * (1 + TOLERANCE)


def times(factor, value):
    """From this many times less to this many times more."""
    return value / factor, value * factor


def luck(low, high):
    """Reason and span of what is drawn: from one median of five to another, by theory."""
    short, long = (f"{value:.2f}".lstrip("0") for value in (low, high))
    return ("It is luck, of which a few rounds have little: each round draws one permutation and the switches' hashes anew."
            f" By max-min theory the median of five such rounds is {short} to {long}. All that row 2 compares was drawn"
            " alike."), (low, high)


def own_price(what):
    """MPTCP's of mice, where nothing of Subflow runs."""
    return lambda r: r["bare"]["mptcp"][what] / r["bare"]["tcp"][what]


PORTS = ("It is luck: the paths of a few hundred subflows a round, on ports that nobody chose.")
# Of a time that was taken on another machine, or on another day.
MACHINES = 2
NATIVE = ("Times by themselves are those of one machine on one day. What attached hooks add to a call, the difference of"
          " these two lines, was 274 ns. Ratios in the same process are row 10.")
STALL = ("Repair is off, and nothing takes the place of the subflow: what ends the stall is the kernel's own reinjection,"
         " when the least RTO of 200 ms has passed, and what the receiver still waits for then is in it as well. Some rounds"
         " end in less than half of that RTO; likely its timer was set by a loss probe of a subflow. What made the"
         " prototype's 12 ms longer than the RTO, and what makes it longer or shorter here, is not known.")
LISTING = ("It is ten times the CPU that one listing takes; the prototype took 1.0 to 1.2 us a connection. A time by itself"
           " is that of one machine on one day.")
SHARE = ("Five reno flows that share evenly would leave it .40. The four that it is beside are those of subflowd's"
         " `[policy] ndiffports`, from the start and on ports that the kernel chooses; [fairness] leaves alone what was"
         " asked for so. The figure differs from one round to the next, as what one subflow leaves does (row 16 has the"
         " worst of both).")
SHARED = (" Why is not known; likely the queue, 60 kB and so four packets of 16 kB, is what decides: in it the one flow"
          " that shares with nobody's subflows is at times ahead, and at times behind.")
READER = ("The reader here is `[detect] source = capture` and not tcpdump: another program, with a filter of its own. How"
          " much it takes from the mice depends on which of the two CPUs it runs, which they fill as well: of both it can"
          " take half.")

BASELINES = (
    Baseline(1, "fabric", "TCP over ECMP, goodput / ceiling", *one(.59), ("goodput", "TCP"), *luck(.55, .67)),
    Baseline(1, "fabric", "4 random ports, goodput / ceiling", *one(.865), ("goodput", "4 random ports"),
             *luck(.83, .91)),
    Baseline(1, "fabric", "8 random ports, goodput / ceiling", *one(.87), ("goodput", "8 random ports"),
             known="By max-min theory it is .94 (`subflow-lab model`), which the baseline is far below. All 112 further"
             " subflows came about in each round here, and some of the CPU was idle, which are gates. How it was with the"
             " prototype is not known; likely its links, of 50 Mbit/s and not of 24, left it too little CPU."),
    Baseline(3, "fabric", "TCP over ECMP, worst flow / fair share", .20, .42, ("worst-flow", "TCP"),
             known="Here it is the worst of 32 flows, of stride8 and of a permutation, over 8 s. What max-min theory leaves"
             " the worst of these is .33 (.25 to .50); TCP does not divide a link evenly, and reno with small windows"
             " and many losses least of all. Of how many flows the prototype took the worst is not known."),
    Baseline(3, "fabric", "4 random ports, worst flow / fair share", .46, .67, ("worst-flow", "4 random ports"),
             known="As for TCP it is the worst of 32 flows, of two workloads: a minimum of what was drawn, where one flow with"
             " two or three of its subflows on full links is enough. Five rounds may all be below or above what others drew."
             " Of how many flows the prototype took the worst is not known."),
    Baseline(4, "spread", "the kernel's ports, distinct paths, 4 of 4", *one(.684), ("distinct-4", "the kernel's ports"),
             PORTS + " What is expected is .684, and a median of seven is .65 to .72.", (.65, .72)),
    Baseline(4, "spread", "the kernel's ports, distinct paths, 8 of 8", *one(.656), ("distinct-8", "the kernel's ports"),
             PORTS + " What is expected is .656, and a median of seven is .64 to .68.", (.64, .68)),
    Baseline(6, "detect", "10 Hz poll, MB past the threshold at 1 Gbit/s", *one(12.5), None,
             "12.5 MB are what 1 Gbit/s carries in the tenth of a second between two looks. `bench/detect` has a link of"
             " 100 Mbit/s, where that is 1.25 MB, and counts in windows of the flow: the poller's is in the table."
             " How many bytes these were is not kept."),
    Baseline(8, "react", "netlink and handshake alone, us", *one(60), None,
             "It was one call over one veth. The bench has no such line: the time until its SYN leaves (under"
             " `bench/react`) is the daemon's waking, its decision and its choice of a port as well, and its handshake is"
             " over four links."),
    Baseline(9, "tax", "MPTCP / TCP, requests, no Subflow", *one(.82), own_price("requests"),
             known="This is MPTCP's own price, and none of Subflow. One process asks, one request after the other, of 128 bytes"
             " and of 1,024 back, so that most of a request is two processes waking each other up, which both pay. What the"
             " prototype sent, and over how many connections, is not known; likely it kept the CPUs busier, so that the"
             " stack's work counted more."),
    Baseline(9, "tax", "MPTCP / TCP, connects, no Subflow", *one(.73), own_price("connects"),
             known="This is MPTCP's own price, and none of Subflow. Each connection makes a request of 128 bytes and is ended by"
             " the server. Why it is not the prototype's is not known; likely that one connected and closed without any data."),
    Baseline(9, "tax", "byte counter in tc, requests", *one(.974), None,
             "No benchmark has that prototype: Subflow counts no bytes in tc. `bench/tax` has a reader of every packet"
             " (by capture) in its place."),
    Baseline(9, "tax", "byte counter in tc, connects", *one(.952), None, "As for requests."),
    Baseline(9, "tax", "reader of every packet, requests (tcpdump)", *one(.924), ("requests", "by capture"),
             READER, (.5, 1)),
    Baseline(9, "tax", "reader of every packet, connects (tcpdump)", *one(.945), ("connects", "by capture"),
             READER, (.5, 1)),
    Baseline(9, "tax", "naive callback of every round trip, ns", *one(228), None,
             "No benchmark has that prototype. The hook that took its place is in the table, beside a program that"
             " does nothing."),
    Baseline(10, "tax", "a call in a cgroup with an empty program / without", 1.6, 2.1, ("inside", "an empty one / none"),
             known="It is the kernel's: what it takes to run any program at a socket option, over a call without. Both are some"
             " hundred nanoseconds of one machine; that of the prototypes is not there to be asked."),
    Baseline(11, "tax", "getsockopt(TCP_NODELAY), no hooks, ns", *one(776),
             lambda r: r["bare"]["calls"]["native_get"], NATIVE, times(MACHINES, 776)),
    Baseline(11, "tax", "getsockopt(TCP_NODELAY), hooks attached, ns", *one(1050),
             lambda r: r["hooks"]["calls"]["native_get"], NATIVE, times(MACHINES, 1050)),
    Baseline(12, "idle", "10 Hz poll of 10 000, % of a CPU", *one(12), ("10k", "10 Hz poll"),
             LISTING, times(MACHINES, 12)),
    Baseline(12, "idle", "10 Hz poll of 100 000, % of a CPU", *one(118), ("100k", "10 Hz poll"),
             LISTING, times(MACHINES, 118)),
    Baseline(13, "recover", "longest stall, ms", *one(212), ("stall", "repair off"), known=STALL),
    Baseline(13, "recover", "slowest message of a paced stream, ms", 202, 204, ("paced", "repair off"),
             "It is the kernel's least RTO of 200 ms and a round trip or two. The stream fills a third of one path, so that"
             " these pass empty queues, and are short between namespaces.", (200, 202)),
    Baseline(13, "recover", "until 90 % of what is left, ms", *one(1030), ("back", "repair off"),
             known="It follows the stall, and is long where the stall was. How the prototype measured is"
             " not known; likely it took rates over more than the 50 ms of here."),
    Baseline(13, "recover", "until 4 subflows on live paths, ms: never", 3000, math.inf, ("whole", "repair off"),
             known="3,000 ms are never: so long it is looked for. A kernel that opens other subflows by itself would do so"
             " earlier; this one was not known to."),
    Baseline(14, "harmless", "unsplit flows where everybody else is split", *one(.50), ("unsplit", "always split"),
             "The half was lost where an elephant took a neighbour's only uplink as one of its paths, on a fabric of which"
             " nothing is kept: no edge router of the"
             " fat-tree here has one uplink only. In stride1 the elephants here are those between two hosts of one edge router,"
             " which have one path, and the others lose next to nothing. So the figure is of permutations, one a round: by max-min"
             " theory the median of five is .55 to .92.", (.55, .92)),
    Baseline(15, "harmless", "pairs with one path, split all the same", .94, .99, ("single-path", "always split"),
             known="Rates are taken for 8 s, after the first 2.5 s; what it takes until then is not"
             " in it. Whether it was in the prototype's is not known; likely so, or its queue was shorter."),
    Baseline(16, "harmless", "one TCP flow beside 4 subflows, one link", *one(.33), ("neighbour", "always split"),
             known=SHARE + SHARED),
    Baseline(16, "harmless", "the same on a last hop", *one(.40), ("last-hop", "always split"),
             known=f"{SHARE} Here they are over two or three of the four"
             f" paths, each of which can carry all that the last link does.{SHARED}"),
    Baseline(18, "bulk", "TCP / MPTCP with 1 subflow", *one(25.4 / 22.0), ("goodput", "TCP"),
             "Here it is the median of pairs, one process on each CPU; that of the prototype was of two rates, and single pairs"
             " differ by a tenth and more.", (1.04, 1.27)),
    Baseline(18, "bulk", "MPTCP / TCP at 100 Gbit/s, as published", *one(10 / 43), None,
             "No such hardware was there: both ends and their link are one machine."),
)
