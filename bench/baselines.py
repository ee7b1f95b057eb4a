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
    # What is said whatever comes out: what is known, where that is no explanation. It may quote {low} and {high} of the
    # rounds, and the median {also} of what is made of a round.
    known: str = ""
    also: Any = None
    # The same, after it: how it is measured in another way than the prototype's was.
    note: str = ""

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

    def quotable(self, data):
        """What is known may quote that."""
        values = self.values(data)
        return {"low": min(values), "high": max(values),
                **({"also": statistics.median(map(self.also, data["rounds"]))} if self.also else {})}

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
         " when the least RTO of 200 ms has passed, behind what its siblings hold by then. So it goes with the"
         " buffers, and with the congestion control: it was longer with tcp_rmem and tcp_wmem of 1 MB, and much shorter"
         " with cubic than with reno, which it is here (by hand, 2026-11-27); bbr makes no difference, 245 on the leaf-spine and"
         " 250 on the fat-tree, medians of five (by hand, 2026-11-28). Here it is {low} to {high}; rounds below"
         " the RTO are those whose timer a loss probe had set. Which of all these the prototype had is not known.")
LISTING = ("It is ten times the CPU that one listing takes; the prototype took 1.0 to 1.2 us a connection. A time by itself"
           " is that of one machine on one day.")
SHARE = ("Five reno flows that share evenly leave it .40; the prototype's were below that. The four that it is beside are"
         " those of subflowd's `[policy] ndiffports`, from the start and on ports that the kernel chooses; [fairness] leaves"
         " alone what was asked for so.")
# {}: the medians of what was measured in larger packets.
PACKETS = ("It goes with the queue: packets of these two cases are 4 kB here, of which it holds 15, and not 16 kB, of"
           " which it holds four, as in the other emulations of 100 Mbit/s. With those it was {} and {} (five rounds each,"
           " `git show cc9d440:bench/results/harmless.json`, and of fb0c5d0).")
COUNTER = "It adds each packet's length to what a hash map has of its flow. What the prototype did is not known."
RATES = ("Rates of mice are good to some 5 % where seven rounds are measured, and to a tenth where one is: what is measured"
         " without anything, over itself, is in the table (chance).", (.90, 1.05))

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
             " the worst of these is .33 (.25 to .50). Of the permutations alone the median of these rounds is {also}."
             " What is worst passes two or three full queues, has 2 to 9 packets under way and loses up to a tenth of"
             " them (by hand, 2026-11-27; `ss -ti` in its host). Neither links of 50 Mbit/s (`bench/fabric --rate 50`)"
             " nor packets of 2 kB (`bench/fabric --gso 2048`) bring the worst of 32 there, nor do cubic, bbr"
             " (`lab/subflow-lab run permutation --system tcp --rate 24 --seconds 8 --control cubic`, the same of"
             " stride8) or 30 s: .01 to .10 (by hand, 2026-11-27). Of how many flows the prototype took the worst is"
             " not known.",
             also=lambda r: min(r["tcp"]["permutation"]["flows_mbps"]) / r["ceiling"]["mean_mbps"]),
    Baseline(3, "fabric", "4 random ports, worst flow / fair share", .46, .67, ("worst-flow", "4 random ports"),
             known="As for TCP it is the worst of 32 flows, of two workloads: a minimum of what was drawn, where one flow with"
             " two or three of its subflows on full links is enough. Five rounds may all be below or above what others drew."
             " Of how many flows the prototype took the worst is not known."),
    Baseline(4, "spread", "the kernel's ports, distinct paths, 4 of 4", *one(.684), ("distinct-4", "the kernel's ports"),
             PORTS + " What is expected is .684, and a median of seven is .65 to .72.", (.65, .72)),
    Baseline(4, "spread", "the kernel's ports, distinct paths, 8 of 8", *one(.656), ("distinct-8", "the kernel's ports"),
             PORTS + " What is expected is .656, and a median of seven is .64 to .68.", (.64, .68)),
    Baseline(6, "detect", "10 Hz poll, MB past the threshold at 1 Gbit/s", *one(12.5),
             ("late", "MB past it by a 10 Hz poll at 1 Gbit/s"),
             "12.5 MB are all that 1 Gbit/s carries in a tenth of a second, and of frames of 1,514 bytes 1,428 are data:"
             " 11.8 MB, which is what was seen between two polls. Of that the 99th percentile is a hundredth less.", (11.4, 11.9),
             note="The baseline is a bound, one whole interval: where in it a threshold is passed is chance, so that by theory"
             " anything from nothing up to that is as likely. What is measured is the 99th percentile, as of row 6 itself, over a"
             " threshold at each MB of one flow."),
    Baseline(8, "react", "netlink and handshake alone, us", *one(60), ("p50", "netlink and handshake alone"),
             "It goes with the pause between two calls: by hand, 2026-11-28 (medians of 1,000, five and more to a kind), it was 32 to 53"
             " us where one follows right after the other, as here, 52 to 78 with 1 ms between them, and 155 to 243 with 10 ms. The"
             " prototype's lies among these.", (30, 53)),
    Baseline(9, "tax", "MPTCP / TCP, requests, no Subflow", *one(.82), own_price("requests"),
             "This is MPTCP's own price, and none of Subflow. One process asks, one request after the other, of 128 bytes"
             " and of 1,024 back, so that most of a request is two processes waking each other up, which both pay. Where more"
             " ask at once the stack's work counts more: with four of them it was .85, with 16 .78 (by hand, 2026-11-27, medians"
             " of five: so many `build/bench/mice ask` at once), and the prototype's lies between.", (.85, 1)),
    Baseline(9, "tax", "MPTCP / TCP, connects, no Subflow", *one(.73), own_price("connects"),
             "This is MPTCP's own price, and none of Subflow. Each connection makes a request of 128 bytes and is ended by"
             " the server. What is done with a connection decides: from one that carries nothing, and that the client"
             " ends, MPTCP takes next to nothing (by hand, 2026-11-27).", (.55, .75)),
    Baseline(9, "tax", "byte counter in tc, requests", *one(.974), ("requests", "by a counter in tc"), *RATES, note=COUNTER),
    Baseline(9, "tax", "byte counter in tc, connects", *one(.952), ("connects", "by a counter in tc"), *RATES, note=COUNTER),
    Baseline(9, "tax", "tcpdump, requests", *one(.924), ("requests", "by tcpdump"), *RATES),
    Baseline(9, "tax", "tcpdump, connects", *one(.945), ("connects", "by tcpdump"), *RATES),
    Baseline(9, "tax", "naive callback of every round trip, ns", *one(228), ("mouse", "a callback for each round trip"),
             "What a program takes is what it does. This one looks a socket up in a hash map and notes what it has had"
             " acknowledged: 236 to 424 ns by hand, 2026-11-28 (three runs of 16,000 over loopback, one a kind in turn). With"
             " socket storage it was 130 to 169, and with an update of the map each time 380 to 852. The prototype's lies at the lower"
             " end of the first.", (230, 430)),
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
             known="It follows the stall, and goes with what that goes with: here it is {low} to {high}. With tcp_rmem"
             " and tcp_wmem of 1 MB it was 650 to 1,490, among which the prototype's is (by hand, 2026-11-27). Which"
             " the prototype had is not known."),
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
             "It goes with the emulation: a queue holds seven packets of 8 kB here, on links of 32 Mbit/s. With"
             " packets of 16 kB, of which it holds four, it was .99 at 50 Mbit/s and .89 at 100 (by hand, 2026-11-27,"
             " five pairs each); the prototype's lies between.", (.99, 1)),
    Baseline(16, "harmless", "one TCP flow beside 4 subflows, one link", *one(.33), ("neighbour", "always split"),
             known=SHARE + " With cubic, which the prototype may have had, it was more (by hand, 2026-11-27). With reno it"
             " was .57 in packets of 1.5 and of 2 kB and .93 in those of 8 kB, with bbr .77 in those of 4 kB and 1.06 in those"
             " of 16 kB (by hand, 2026-11-28, medians of five). None of"
             " these is the prototype's; its queue and its packets are not known.",
             note=PACKETS.format("1.13", ".89")),
    Baseline(16, "harmless", "the same on a last hop", *one(.40), ("last-hop", "always split"),
             SHARE + " It is luck which flow loses how many packets: five rounds with these queues gave a median of"
             " .543 before (`git show 732e385:bench/results/harmless.json`).", (.38, .55),
             note=PACKETS.format(".85", ".92")),
    Baseline(18, "bulk", "TCP / MPTCP with 1 subflow", *one(25.4 / 22.0), ("goodput", "TCP"),
             "Here it is the median of pairs, one process on each CPU; that of the prototype was of two rates, and single pairs"
             " differ by a tenth and more.", (1.04, 1.27)),
    Baseline(18, "bulk", "MPTCP / TCP at 100 Gbit/s, as published", *one(10 / 43), None,
             "No such hardware was there: both ends and their link are one machine."),
)
