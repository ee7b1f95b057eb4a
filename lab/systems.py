# SPDX-License-Identifier: MIT
"""What is compared: ways to carry a flow over a fabric. A system is one small class."""
from dataclasses import dataclass

from lab.daemon import Daemon


@dataclass(frozen=True)
class Rule:
    """The elephant rule's figures, bytes."""
    start: int
    step: int
    stop: int

    def __str__(self):
        return "/".join(f"{size / 1e6:g}" for size in (self.start, self.step, self.stop)) + " MB"

    @classmethod
    def parse(cls, text):
        """From START/STEP/STOP in MB; ValueError."""
        start, step, stop = (round(float(word) * 1e6) for word in text.split("/"))
        if not 0 < start <= stop or step <= 0:
            raise ValueError(text)
        return cls(start, step, stop)

    def passed(self, size):
        """How many thresholds a flow of this many bytes passes; 0 bytes: it has no end."""
        size = min(size or self.stop, self.stop)
        return 0 if size < self.start else 1 + (size - self.start) // self.step


PAPER = Rule(100_000_000, 50_000_000, 300_000_000)
# A hundredth: at the lab's 50 Mbit/s, 100 MB would be sixteen seconds.
SCALED = Rule(1_000_000, 500_000, 3_000_000)
# Of a thousand elephants at once.
TINY = Rule(100_000, 50_000, 300_000)


class System:
    """Plain TCP, and what the others share. `more` is how many subflows a long flow gets."""
    name = "tcp"
    about = "TCP over ECMP"
    protocol = "tcp"
    more = 0

    def joins(self, topology, flow, rule):
        """How many subflows this flow gets beyond the first, at most."""
        return 0 if flow.is_plain else self.more

    def least_joins(self, topology, flow, rule):
        """How many of these have to come about for a run to count, if the flow lasts."""
        return self.joins(topology, flow, rule)

    def config(self, rule):
        """Sections of subflowd's configuration; None: it does not run."""
        return None

    def start(self, lab, build, rule):
        """The running daemon that serves all hosts, or None."""
        sections = self.config(rule)
        if sections is None:
            return None
        sections["namespaces"] = {"serve": f"{lab.prefix}host*"}
        daemon = Daemon(lab, build, sections)
        daemon.start([lab.nodes[label] for label in lab.topology.hosts])
        return daemon


class Mptcp(System):
    """One subflow, the in-kernel path manager: what MPTCP itself costs."""
    name = "mptcp"
    about = "MPTCP with one subflow"
    protocol = "mptcp"


class Random(System):
    """ndiffports: N subflows from the start, for everybody, on ports that the kernel chooses."""
    protocol = "mptcp"

    def __init__(self, subflows):
        self.name = f"random{subflows}"
        self.about = f"{subflows} subflows from the start, the kernel's ports"
        self.more = subflows - 1

    def config(self, rule):
        return {"elephant": {"max_subflows": 1}, "policy": {"ndiffports": self.more + 1},
                "placement": {"mode": "kernel"}, "repair": {"rto_min_ms": 0}}


class Elephant(System):
    """Subflow's rule: elephants only, as they grow. `sections`: more of subflowd.conf."""
    protocol = "mptcp"
    more = 3

    def __init__(self, name, about, **sections):
        self.name = name
        self.about = about
        self.sections = sections

    def joins(self, topology, flow, rule):
        hosts = topology.hosts
        is_worth_it = topology.paths(hosts[flow.source], hosts[flow.target]) > 1
        return min(super().joins(topology, flow, rule), rule.passed(flow.bytes)) if is_worth_it else 0

    def least_joins(self, topology, flow, rule):
        """Those on paths of their own. One that has to share a path may be taken back, and then no
        other is opened for a while."""
        hosts = topology.hosts
        apart = topology.paths(hosts[flow.source], hosts[flow.target]) - 1
        return min(self.joins(topology, flow, rule), apart)

    def config(self, rule):
        elephant = {"start": rule.start, "step": rule.step, "stop": rule.stop,
                    "max_subflows": self.more + 1}
        return {"elephant": elephant, **{k: dict(v) for k, v in self.sections.items()}}


class Judged(Elephant):
    """The same rule where each subflow has to raise the rate, on a path of its own as well."""

    def __init__(self, name, about):
        super().__init__(name, about, benefit={"own_paths": "yes"})

    def least_joins(self, topology, flow, rule):
        """One: where that is in vain no other is opened for a while."""
        return min(self.joins(topology, flow, rule), 1)


class Unplaced(Elephant):
    """The same rule where nobody looks for paths: what choosing them is worth. A path is then never
    known, so that each subflow would have to prove itself; here all of them stay."""

    def __init__(self, name, about, mode):
        super().__init__(name, about, placement={"mode": mode}, benefit={"margin_percent": 0})

    def joins(self, topology, flow, rule):
        """Also where there is one path only: nobody looked."""
        return 0 if flow.is_plain else min(self.more, rule.passed(flow.bytes))

    def least_joins(self, topology, flow, rule):
        return self.joins(topology, flow, rule)


SYSTEMS = {system.name: system for system in (
    System(), Mptcp(), Random(4), Random(8),
    Unplaced("rule-kernel", "the elephant rule, the kernel's ports", "kernel"),
    Unplaced("rule-random", "the elephant rule, ports by lot", "random"),
    Elephant("subflow", "Subflow: the elephant rule, up to 4 subflows on paths of their own"),
    Elephant("coupled", "Subflow, and a coupled congestion control for shared last links",
             fairness={"coupled": "yes", "last_hop": "no"}),
    Judged("judged", "Subflow where each subflow has to raise the rate, on a path of its own as well"),
)}
