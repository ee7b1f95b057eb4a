# SPDX-License-Identifier: MIT
"""What Subflow is measured by: every figure with its goal, what was said of it before, and its limit.

What it is without Subflow each benchmark measures in the same rounds, where that can be done.
"""
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One line of the table. The goal is that of the median of the rounds."""
    row: int
    bench: str     # the command under bench/ that measures it
    key: str
    what: str
    goal: float
    known: str     # without Subflow, or the obvious way, as published or as prototypes gave; "-"
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
    Figure(4, "spread", "distinct-2", "distinct paths / possible, 2 of 2", 1.0, "-", "1"),
    Figure(4, "spread", "distinct-4", "distinct paths / possible, 4 of 4", 1.0, ".684", "1"),
    Figure(4, "spread", "distinct-8", "distinct paths / possible, 8 of 8", 1.0, ".656", "1"),
    less(4, "spread", "wasted-syn", "SYNs that led to no new path", 0, "-", "0"),
    less(5, "spread", "probes-first-4", "probes to know 4 paths with 99 %", 28, "-", "0"),
    less(5, "spread", "probes-first-8", "probes to know 8 paths with 99 %", 58, "-", "0"),
    less(5, "spread", "probes-next-4", "the same, a further address of the prefix, 4 paths", 28, "-", "0"),
    less(5, "spread", "probes-next-8", "the same, 8 paths", 58, "-", "0"),
    less(5, "spread", "placing", "a port is chosen of 64 candidates, 8 paths", 20, "-", "0", unit="us"),
    less(5, "spread", "map", "memory for what is known of one destination", 4096, "-", "0", unit="bytes"),
    less(5, "spread", "probes-known", "probes a further connection, known prefix", 2, "-", "0"),
    less(5, "spread", "probes-beside", "the same, while the first connection goes on", 2, "-", "0"),
    less(5, "spread", "probes-spent", "the same, its predecessors' ports in TIME-WAIT", 2, "-", "a port"),
    Figure(4, "spread", "distinct-spent", "distinct paths / possible there, the least of 2, 4, 8", 1.0, "-", "1"),
    less(6, "detect", "late", "bytes past the threshold, p99, in RTTs of data", 1,
         "10 Hz poll at 1 Gbit/s: 12.5 MB", "one skb"),
    Figure(7, "detect", "precision", "precision, websearch and data-mining, 1 MB", 1.0, "-", "1"),
    Figure(7, "detect", "recall", "recall, websearch and data-mining, 1 MB", 1.0, "-", "1"),
    Figure(7, "detect", "precision-paper", "precision, data-mining, 100 MB", 1.0, "-", "1"),
    Figure(7, "detect", "recall-paper", "recall, data-mining, 100 MB", 1.0, "-", "1"),
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
    less(9, "tax", "near", "the same, near the first threshold", 250, "228", "0", unit="ns"),
    less(10, "tax", "inside", "any sockopt call in the cgroup / with an empty program", 1.05,
         "1.6-2.1 of no program", "1"),
    less(10, "tax", "outside", "any sockopt call outside the cgroup / without hooks", 1, "-", "1"),
    less(11, "tax", "options", "our options / TCP_NODELAY, same socket", 1.5, "-", "1"),
    less(11, "tax", "add", "an accepted ADD / TCP_NODELAY, same socket", 1.5, "-", "1"),
    less(11, "tax", "early-add", "the same before connect", 1.5, "-", "1"),
    less(12, "idle", "10k", "CPU of the daemon, 10 000 idle connections", .1,
         "10 Hz sock_diag poll: 12", "0", unit="%"),
    less(12, "idle", "100k", "CPU of the daemon, 100 000 idle connections", .1,
         "10 Hz sock_diag poll: 118", "0", unit="%"),
    less(13, "recover", "stall", "longest stall, one of 4 paths black-holed", 50, "212",
         "2 to 3 RTT", unit="ms"),
    less(13, "recover", "paced", "slowest message of a paced stream, the same", 50, "202-204",
         "2 to 3 RTT", unit="ms"),
    less(13, "recover", "back", "until 90 % of what is left", 150, "1030", "2 to 3 RTT", unit="ms"),
    less(13, "recover", "whole", "until 4 subflows on live paths", 300, "never", "2 to 3 RTT",
         unit="ms"),
    less(13, "recover", "stall-fat-tree", "longest stall, one of 4 paths black-holed, fat-tree", 50, "-",
         "2 to 3 RTT", unit="ms"),
    less(13, "recover", "paced-fat-tree", "slowest message of a paced stream, fat-tree", 50, "-",
         "2 to 3 RTT", unit="ms"),
    less(13, "recover", "back-fat-tree", "until 90 % of what is left, fat-tree", 150, "-", "2 to 3 RTT",
         unit="ms"),
    less(13, "recover", "whole-fat-tree", "until 4 subflows on live paths, fat-tree", 300, "-",
         "2 to 3 RTT", unit="ms"),
    Figure(14, "harmless", "unsplit", "goodput of unsplit flows, with / without the daemon", .97,
           ".50", "1"),
    Figure(14, "harmless", "unsplit-leaf-spine", "the same, leaf-spine", .97, ".50", "1"),
    Figure(14, "harmless", "unsplit-coupled", "the same, fat-tree, [fairness] coupled = yes", .97, ".50", "1"),
    Figure(14, "harmless", "unsplit-judged", "the same, fat-tree, [benefit] own_paths = yes", .97, ".50", "1"),
    Figure(15, "harmless", "single-path", "pairs with one path, split / never touched", .995,
           ".94-.99", "1"),
    Figure(15, "harmless", "single-path-leaf-spine", "the same, leaf-spine", .995, ".94-.99", "1"),
    Figure(16, "harmless", "neighbour", "one TCP flow beside 4 subflows: share / fair share", .9,
           ".33", "1"),
    Figure(16, "harmless", "last-hop", "the same on a last hop that 4 paths lead to", .9, ".40", "1"),
    Figure(16, "harmless", "last-hop-fat-tree", "the same, fat-tree", .9, ".40", "1"),
    Figure(16, "harmless", "last-hop-coupled", "the same, leaf-spine, [fairness] coupled = yes", .9, ".40", "1"),
    Figure(17, "mix", "elephants", "completion of elephants, TCP over ECMP / Subflow", 1.6, "1",
           "non-blocking fabric: 1.20"),
    less(17, "mix", "mice", "p99 completion of mice, Subflow / TCP over ECMP", 1.0, "1",
         "non-blocking fabric"),
    Figure(17, "mix", "elephants-leaf-spine", "completion of elephants, leaf-spine, TCP over ECMP / Subflow",
           1.6, "1", "non-blocking fabric: 1.09"),
    less(17, "mix", "mice-leaf-spine", "p99 completion of mice, leaf-spine, Subflow / TCP over ECMP", 1.0,
         "1", "non-blocking fabric"),
    Figure(18, "bulk", "goodput", "one fast link: Subflow / MPTCP with 1 subflow", .99,
           "TCP 1.15 (25.4 of 22.0 Gbit/s)", "1"),
    less(18, "bulk", "cpu", "the same: CPU a byte, Subflow / MPTCP with 1 subflow", 1.01, "-", "1"),
    Figure(18, "bulk", "spread", "the same where 4 fast paths lead there", .99, "-", "1"),
]


def of(bench):
    """{key: Figure} of one command."""
    return {figure.key: figure for figure in FIGURES if figure.bench == bench}

# Why a figure falls short: (bench, key): sentences, true of any rounds. Shown only where that is so. What was measured
# they quote from there: {median}, {worst}, {low}, {high}, {each} of the figure itself, {without[NAME][median]} of what
# is beside it, {of[KEY][median]} of another figure of the same command.
LIMITS = {
    ("fabric", "goodput"): "The ceiling is plain TCP's. MPTCP's options take their part of each packet, also where no"
    " flow meets another ({without[MPTCP that meets nobody][median]}); the rest is what four congestion controls lose"
    " on the way to a full link.",
    ("fabric", "over-ecmp"): "What row 1 lacks, over what luck gives TCP in the same rounds"
    " ({of[goodput][without][TCP][low]} to {of[goodput][without][TCP][high]} of the ceiling); by max-min theory 1.68 is"
    " all that there is (`subflow-lab model`).",
    ("fabric", "over-4-random"): "What row 1 lacks: by max-min theory 1.16 is all that there is (`subflow-lab model`).",
    ("fabric", "worst-flow"): "It is the lowest of 32 flows, of two workloads, and lacks what row 1 lacks. Each elephant is on"
    " four paths, so several meet on each link, and reno does not divide a link evenly: which one gets least, and how much"
    " less, is chance.",
    ("fabric", "over-8-random"): "With 8 subflows on random ports a fat-tree of k = 4 is so full that by max-min theory there"
    " is 1.06 to be won (`subflow-lab model`). Here these have {of[goodput][without][8 random ports][median]} of the"
    " ceiling, where theory leaves them .94; the rest is what row 1 lacks.",
    ("spread", "probes-first-4"): "The figure is all packets until the first survey of a fabric is over. The rule"
    " of the Multipath Detection Algorithm alone asks for 28 at 99 %, and fewer do not give that certainty. Three more find"
    " out how far it is, one of them behind the last router; seven find out whether ports decide the way at all, with 99 % also"
    " where that shows in every other answer only. No subflow waits for these ten, and a further address of the prefix takes none of them.",
    ("spread", "probes-first-8"): "As for 4 paths; the rule alone asks for 58.",
    ("spread", "probes-next-4"): "How many ports have to be asked until one was found for each path is chance.",
    ("spread", "probes-next-8"): "As for 4 paths.",
    ("spread", "placing"): "A time by itself: that of one machine on one day.",
    ("spread", "probes-spent"): "30 connections of 8 subflows need 210 ports within a minute, of which the first survey"
    " knows some 60: each further one has to be asked where it leads.",
    ("detect", "late"): "It is the latest of 40. The hook looks once a round trip of each subflow, and what is in flight"
    " then was sent already.",
    ("react", "p50"): "20 ms of it are `[joins] quiet_ms`: sooner, a Linux peer may put the data into a wrong"
    " place of the stream (docs/kernels.md). The rest, which stands beside it, is what it takes the daemon to hear, to"
    " decide and to be heard by the kernel; and then the kernel gives a new subflow data when the next acknowledgement"
    " comes on one of the others.",
    ("react", "p99"): "As for the median.",
    ("tax", "requests"): "The hook runs once a round trip and once for each packet that a client receives, and returns nearly"
    " always at once. What chance makes of the same rates in the same rounds is beside"
    " it.",
    ("tax", "requests-tcp"): "No program of ours runs for a request over TCP: what is left of it is likely chance. The"
    " rounds gave {low} to {high}, and the same without anything, once more, {without[chance][low]} to"
    " {without[chance][high]}.",
    ("tax", "connects"): "The kernel makes three events at each end of an MPTCP connection as soon as anybody listens:"
    " that alone leaves {without[the kernel's events alone][median]}. The rest is the hooks', of which TCP is left"
    " {of[connects-tcp][median]} (next line), and the daemon's: it reads the events, on one of the two CPUs that the"
    " mice fill as well.",
    ("tax", "connects-tcp"): "Each connection makes one setsockopt call, whose price in a cgroup with hooks is the"
    " kernel's (row 10), and passes three programs that return at once.",
    ("tax", "mouse"): "The kernel's statistics charge a program of two instructions"
    " {without[a program that does nothing][median]} ns; what the hook adds to that is in the next line.",
    ("tax", "mouse-net"): "A difference of two times, {of[mouse][median]} and"
    " {of[mouse][without][a program that does nothing][median]} ns, of which the kernel's own clock takes most; what"
    " chance makes of them is in it: the rounds gave {low} to {high}.",
    ("tax", "near"): "From half of the threshold on each callback goes the way of an elephant's, and within four windows"
    " of it each packet calls.",
    ("tax", "elephant"): "Each callback finds what is known of its connection, and counts; beside it what a program that does"
    " nothing is charged.",
    ("tax", "inside"): "Our program returns at once where an option is none of ours, so it differs from an empty one by little"
    " more than chance: a call takes some hundred nanoseconds.",
    ("tax", "outside"): "No program of ours runs there, and the two times are of two runs: it is chance.",
    ("tax", "options"): "An option of ours reads or writes what is known of its socket; the rest of both calls is the kernel's"
    " (row 10). Each takes some hundred nanoseconds, so that what else a CPU does is in it.",
    ("tax", "early-add"): "As for our options.",
    ("harmless", "unsplit-coupled"): "Which elephants meet which others is drawn anew each round, and a congestion control"
    " that looks at its subflows leaves a link to others only as far as it loses packets there.",
    ("harmless", "unsplit-leaf-spine"): "As on the fat-tree; of permutations alone. The rounds gave {each}.",
    ("harmless", "unsplit-judged"): "An elephant that meets nobody is left with one subflow here; one that does meet somebody"
    " is not, and its subflows take of each path what others have there. The rounds gave {each}.",
    ("harmless", "single-path-leaf-spine"): "As on the fat-tree.",
    ("harmless", "last-hop-fat-tree"): "As on the leaf-spine. The rounds gave {each}.",
    ("harmless", "single-path"): "What has one path is not split; what chance gives in the same rounds is beside it.",
    ("harmless", "neighbour"): "Two flows of reno do not divide a link with a short queue evenly: what one subflow leaves it is"
    " beside it.",
    ("harmless", "last-hop"): "As for one link. Elephants are split here until the look at the last hop tells that it is full.",
    ("harmless", "last-hop-coupled"): "Nobody looks at the last hop here, as is done in the line above"
    " ({of[last-hop][median]}): what the subflows leave there is for the congestion control to feel. The rounds gave"
    " {each}.",
    ("harmless", "unsplit"): "It is the worse of a round's two workloads, and the rounds gave {each}: which elephants"
    " meet which others is drawn anew each round. In one round every flow leaves from the same port, whoever is"
    " measured, so what chance gives is little. Where every subflow takes what one TCP flow takes, .81 is what a"
    " permutation keeps by max-min"
    " theory (`subflow-lab model`): an elephant's link is full, and a quarter of it passes each path, whoever else"
    " needs that. Only congestion controls that look at each other leave it: the next line.",
    ("tax", "add"): "The hook's own part is in the line below ({of[early-add][median]}). The rest is the daemon: its"
    " record wakes it, which the"
    " kernel does within the call, and it then works on the same connection.",
    ("recover", "stall"): "Silence is all that a black hole tells: first a timeout has to pass ([repair] rto_min_ms, or more"
    " where round trips vary). Where the receiver's window is full of what the dead path holds, nobody else may send either,"
    " and what is lost once more waits for one more timeout. The rounds took {each} ms.",
    ("recover", "paced"): "As for the stall: a message on the dead path waits for a timeout.",
    ("recover", "whole"): "After the timeouts that tell that a path is dead it takes a port on a live one, and a handshake among"
    " the packets of the others.",
    **{("recover", f"{key}-fat-tree"): "As on the leaf-spine. The rounds took {each} ms."
       for key in ("stall", "paced", "back", "whole")},
    ("recover", "back"): "The rounds took {each} ms; why the longest took {worst} is not known. It goes with what each"
    " subflow may hold and has not sent (`[elephant] unsent`): likely as that is sent again too, and what is sent again"
    " waits behind it. With a quarter of the default it took half the time, but a short run on a fast link then carried"
    " a fraction of what it does (by hand, 2026-11-27, 19 rounds on a busy machine).",
    ("mix", "elephants"): "At load .6 a fabric without any bottleneck would have them done 1.20 times sooner by max-min"
    " theory, and the rule 1.12 times (`subflow-lab model --mix`): most of their time the host's own link is what"
    " is full, and a third of them are below 2 MB, where the fourth subflow comes. The rounds gave {each}; MPTCP with"
    " one subflow, beside it, {without[1 subflow][median]}.",
    ("mix", "elephants-leaf-spine"): "A leaf-spine has one tier less in which flows can meet: at load .6 one without any"
    " bottleneck would have them done 1.09 times sooner by max-min theory, and the rule 1.05 times (`subflow-lab model"
    " --mix`). The rounds gave {each}. What MPTCP itself takes is in that, and not measured here: on the fat-tree MPTCP"
    " with one subflow gave {of[elephants][without][1 subflow][median]}.",
    ("mix", "mice"): "An elephant on several links meets more mice than one on a single link: it is"
    " {without[1 subflow][median]} with one subflow, and {without[4 random ports][median]} with four at random ports,"
    " which go up at once. With `[fairness] coupled = yes` it is {without[coupled = yes][median]}. The rounds gave {each}.",
    ("mix", "mice-leaf-spine"): "As on the fat-tree: it is {without[4 random ports][median]} with four at random ports;"
    " with one subflow it is not measured here. The rounds gave {each}.",
    ("bulk", "goodput"): "Chance gives {without[chance][median]} in the same run. What the rest is is not known: it is"
    " no subflow, as none is opened, and it was the same with `[elephant] unsent = 0` (by hand, 2026-11-27, six rounds"
    " of each).",
    ("bulk", "cpu"): "That an elephant holds no more than 128 kB that it has not sent ([elephant] unsent) costs CPU where a link"
    " is that fast: with 0 nearly all of it was gone (by hand, 2026-11-27, six rounds of each); chance gives"
    " {without[chance][median]} in the same run. Without the limit a new"
    " subflow waits for what the first one holds.",
    ("bulk", "spread"): "Here a CPU forwards the packets as well, and to a sender that looks like a path that is full: so"
    " most get the subflows of the rule, and these cost some CPU.",
}

SCOPE = """\
- Hardware. All hosts and routers are namespaces of one machine with two CPUs; links of 24 to 1,000 Mbit/s are
  shaped by the kernel, and round trips are some 0.1 ms. Ratios carry over better than times; rates of
  10 Gbit/s and more were not seen on wires.
- Switches. Linux routers hash the five fields with a seed of their own each; real ones use other
  functions, may polarise, and may answer probes seldom or never.
- Scale. A fat-tree of k = 4 has 16 hosts; `lab/model.py` has what theory says of larger ones.
- Other congestion controls than reno, and applications other than the lab's generators; `subflow-lab run` has more.
- Long times: the longest run is of minutes. `bench/soak` is for hours. By hand, 2026-11-27, on the same kernel and machine:
  of 10,000 namespaces that came and went in 107 s, every second of them served and with a connection of two subflows, the
  daemon kept no descriptor and 4 kB (`bench/soak --namespaces 10000`); and of 1,000 kills under traffic, in 220 s, all 1,003
  joins that were asked for came about, each once, every byte arrived, and the options answered again after 166 ms by the
  median (worst 247) (`bench/soak --rounds 1000`)."""
