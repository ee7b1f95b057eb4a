# SPDX-License-Identifier: MIT
"""One run: a workload by a system over a fabric, all that was measured, and its gates."""
import collections
import statistics
import time
from dataclasses import dataclass

from lab import gates, systems
from lab.measure import cpu_ticks, live_of
from lab.netns import LabError
from lab.programs import Transfers
from lab.traffic import LEAD_S, Traffic

SAMPLE_MS = 100
LINKS_EVERY_S = 0.25
# Up to so many flows, what subflowd decides about each is kept, and which subflows those had that end. To ask
# about more would be a load.
FOLLOWED_MAX, KEPT_MAX = 8, 16
# After the last flow should have begun, for those that are still on their way: so long, and so many times what the
# slowest link takes for all that one host sends or receives: those of four may meet on one link (a fat-tree of k = 4).
PATIENCE_S, TIMES = 60.0, 5
UNSHAPED_MBIT = 100  # what links without a rate carry at least


@dataclass(frozen=True)
class Scenario:
    """What is the same for all systems of a comparison."""
    settle_s: float = 2.5   # until all subflows are there and slow start is over
    window_s: float = 5.0
    rule: systems.Rule = systems.SCALED
    family: str = "ip4"
    steps: tuple = ()       # failures: lab.failures
    tells_paths: bool = False  # asks the routers which paths the subflows took; takes seconds
    trouble: object = None  # a Trouble of lab.troubles


def counters(lab):
    """Sums over all hosts."""
    total = {}
    for label in lab.topology.hosts:
        node = lab.nodes[label]
        for name, value in {**node.netstat(), **node.snmp()}.items():
            total[name] = total.get(name, 0) + value
    return total


def link_bytes(lab):
    """{"from>to": bytes sent}, of every link in both directions."""
    return {f"{label}>{device}": sent for label, node in lab.nodes.items()
            for device, sent in node.tx_bytes().items() if device in lab.nodes}


def mptcp_counters(total):
    """{name: value} of MPTCP's own that are not 0."""
    return {name.removeprefix("MPTcpExt"): value for name, value in total.items()
            if name.startswith("MPTcpExt") and value}


def changes(before, after):
    return {name: value - before.get(name, 0) for name, value in after.items() if value != before.get(name, 0)}


def clients(daemon):
    """What subflowd says of the connections at the hosts that opened them."""
    return [connection for connection in (daemon.ask() if daemon else {}).get("connections", [])
            if connection["role"] == "client"]


class Watch:
    """The counters of links and CPU while a run goes on, and what subflowd decides. follows: keeps the
    decisions; keeps: each connection as it was when most of its subflows were established."""

    def __init__(self, lab, daemon, steps=(), follows=False, keeps=False):
        self.lab = lab
        self.daemon = daemon
        self.series = []
        self.decisions = []
        self.fullest = {}
        self._told = {}
        self._follows, self._keeps = follows, keeps
        self._steps = sorted(steps, key=lambda step: step.at_s)
        self._done = 0

    def take(self):
        idle, ticks = cpu_ticks()
        self.series.append({"s": time.monotonic(), "links": link_bytes(self.lab), "idle": idle,
                            "ticks": ticks, "daemon_s": self.daemon.cpu_s() if self.daemon else 0})
        for connection in clients(self.daemon) if self._follows or self._keeps else ():
            name = f"{connection['namespace']} {connection['token']:08x}"
            if self._follows:
                self._follow(name, connection, self.series[-1]["s"])
            if self._keeps and live_of(connection) >= live_of(self.fullest.get(name)):
                self.fullest[name] = connection
        return self.series[-1]

    def _follow(self, name, connection, when_s):
        """One line for each time that it has others subflows or a new decision."""
        told = {"connection": name, "subflows": live_of(connection), "decision": connection["decision"]}
        if self._told.get(name) != told:
            self._told[name] = told
            self.decisions.append({"s": when_s, "bytes": connection["bytes_sent"], **told})

    def left(self):
        """The steps that did not happen."""
        return self._steps[self._done:]

    def until(self, origin_s, when_s):
        """Samples until this time after the origin; failures are made to happen on the way."""
        while (left := origin_s + when_s - time.monotonic()) > 0:
            if self._done < len(self._steps):
                step = self._steps[self._done]
                due = origin_s + step.at_s - time.monotonic() if step.at_s > 0 else 0
                if due <= 0:
                    step.happen(self.lab)
                    self._done += 1
                    continue
                left = min(left, due)
            time.sleep(min(left, LINKS_EVERY_S))
            self.take()
        return self.take()


def at(records, flow, when_ns):
    """Bytes that this flow's receiver had at a time, linear between two samples."""
    before = after = None
    for record in records.get(flow, ()):
        if record["sample_ns"] <= when_ns:
            before = record
        else:
            after = record
            break
    if before is None:
        return 0
    if after is None:
        return before["bytes"]
    part = (when_ns - before["sample_ns"]) / (after["sample_ns"] - before["sample_ns"])
    return before["bytes"] + part * (after["bytes"] - before["bytes"])


def goodput(records, flows, first_ns, last_ns):
    """[Mbit/s that the receiver of each flow had in order]."""
    told = {}
    for record in records:
        if "sample_ns" in record:
            told.setdefault(record["flow"], []).append(record)
    return [(at(told, i, last_ns) - at(told, i, first_ns)) * 8e3 / (last_ns - first_ns)
            for i in range(len(flows))]


def ended(records, flows, seconds):
    """[Mbit/s of each flow over all this time], of flows that end by themselves."""
    rates = [0.0] * len(flows)
    for record in records:
        if "end_ns" in record:
            rates[record["flow"]] = record["bytes"] * 8e-6 / seconds
    return rates


def of_hosts(labels, flows, rates):
    """{host: goodput of what it sent, and of what it received}, from that of each flow."""
    found = {label: {"sent": 0.0, "received": 0.0} for label in labels}
    for flow, rate in zip(flows, rates):
        found[labels[flow.source]]["sent"] += rate
        found[labels[flow.target]]["received"] += rate
    return {label: {way: round(rate, 3) for way, rate in ways.items()} for label, ways in found.items()}


def paths_of(lab, connections, is_download=False):
    """How many paths the data of these clients takes, by the routers' own answers; IPv4."""
    names = {lab.nodes[label].ip4: label for label in lab.topology.hosts}
    subflows = distinct = possible = 0
    for connection in connections:
        taken = set()
        live = [s for s in connection["subflows"] if s["state"] == "established"]
        for subflow in live:
            ends = ("remote", "local") if is_download else ("local", "remote")
            (source, sport), (target, dport) = (subflow[end].rsplit(":", 1) for end in ends)
            if source not in names or target not in names:
                return None
            ends = lab.nodes[names[source]], lab.nodes[names[target]]
            taken.add(tuple(lab.path_of(*ends, int(sport), int(dport))))
        if live:
            subflows += len(live)
            distinct += len(taken)
            possible += min(len(live), lab.topology.paths(names[source], names[target]))
    return {"subflows": subflows, "distinct": distinct, "possible": possible} if subflows else None


def jain(rates):
    """Jain's index of fairness: 1 when all are alike."""
    squares = sum(rate * rate for rate in rates)
    return sum(rates) ** 2 / (len(rates) * squares) if squares else 0.0


def silence_of(daemon, status):
    """Why there are no counters of subflowd; "" where there are, None where none runs."""
    if daemon is None:
        return None
    try:
        daemon.check()
    except LabError as error:
        return str(error)
    return "" if status else "subflowd did not answer in the end"


def last_words(daemon, build):
    """Where the end of its log is kept: the lab's own directory goes with the lab."""
    path = build / "lab" / "subflowd.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(daemon.tail() + "\n")
    return path


def carrier(lab, build, system, scenario, has_sizes, program):
    """What carries the flows."""
    if program:
        return Transfers(lab, build, program, system.protocol, scenario.family)
    pauses = scenario.trouble.pauses if scenario.trouble else ()
    return Traffic(lab, build, system.protocol, 0 if has_sizes else SAMPLE_MS, scenario.family,
                   options=pauses)


def measure(lab, build, system, flows, scenario=Scenario(), has_sizes=False, program=None):
    """The result of one run, as it is kept. `discarded` is empty when all gates were passed."""
    before = counters(lab)
    daemon = system.start(lab, build, scenario.rule)
    try:
        with carrier(lab, build, system, scenario, has_sizes, program) as traffic:
            watch = Watch(lab, daemon, scenario.steps, len(flows) <= FOLLOWED_MAX,
                          has_sizes and scenario.tells_paths and len(flows) <= KEPT_MAX)
            origin_ns = traffic.go(flows)
            origin_s = origin_ns / 1e9
            if has_sizes:
                first = watch.until(origin_s, 0)
                last = finish(traffic, watch, origin_s, flows)
                split = list(watch.fullest.values())  # by now they are closed
            else:
                first = watch.until(origin_s, scenario.settle_s)
                last = watch.until(origin_s, scenario.settle_s + scenario.window_s)
                split = clients(daemon) if scenario.tells_paths else []
            records = traffic.end()
            status = daemon.status() if daemon else {}
            silence = silence_of(daemon, status)
    except LabError as error:
        if not daemon:
            raise
        raise LabError(f"{error}; what subflowd said last is in {last_words(daemon, build)}") from None
    finally:
        if daemon and daemon.process.poll() is None:
            daemon.stop()
    after = counters(lab)
    span_s = last["s"] - first["s"]
    result = {
        "seconds": round(span_s, 3),
        "cpu_idle": round((last["idle"] - first["idle"])
                          / max(1, last["ticks"] - first["ticks"]), 3),
        "daemon_cpu_s": round(last["daemon_s"] - first["daemon_s"], 3),
        "retransmits": after["TcpRetransSegs"] - before["TcpRetransSegs"],
        "mptcp": changes(mptcp_counters(before), mptcp_counters(after)),
        "mptcp_before": mptcp_counters(before),
        "signs": {name: after[name] - before[name]
                  for name in (scenario.trouble.signs if scenario.trouble else ())},
        "steps_left": [str(step) for step in watch.left()],
        "silence": silence,
        "counters": (status.get("daemon") or {}).get("counters", {}),
        "links_mbps": {name: round((last["links"][name] - first["links"][name]) * 8e-6 / span_s, 2)
                       for name in last["links"] if name in first["links"]},
        "paths": paths_of(lab, split, bool(program and program.is_download)) if scenario.family == "ip4" else None,
        "failed": [record for record in records if "failed" in record
                   and not (flows[record["failed"]].bytes == 0)],
        "decisions": [{**decision, "s": round(decision["s"] - origin_s, 3)}
                      for decision in watch.decisions],
        "series": [{"s": round(s["s"] - origin_s, 3), "links": s["links"]} for s in watch.series],
    }
    if has_sizes:
        rates = ended(records, flows, span_s)
        result["completions"] = [
            {"bytes": r["bytes"], "start_s": round((r["start_ns"] - origin_ns) / 1e9, 6),
             "s": round((r["end_ns"] - r["start_ns"]) / 1e9, 6)}
            for r in records if "end_ns" in r]
        missing = len(flows) - len(result["completions"])
        if missing and not result["failed"]:
            result["failed"] = [{"error": f"{missing} did not end in time"}] * missing
    else:
        rates = goodput(records, flows, round(first["s"] * 1e9), round(last["s"] * 1e9))
        result["flows_mbps"] = [round(rate, 3) for rate in rates]
        result["mean_mbps"] = round(statistics.mean(rates), 3)
        result["jain"] = round(jain(rates), 4)
        result["gap_ms"] = [round(max((r["gap_ns"] for r in records
                                       if r.get("flow") == i and "gap_ns" in r), default=0) / 1e6, 1)
                            for i in range(len(flows))]
    result["hosts_mbps"] = of_hosts(lab.topology.hosts, flows, rates)
    result["discarded"] = "; ".join(gates.missed(result, system, flows, scenario, lab, program))
    return result


def deadline(topology, flows):
    """Seconds after the first one may begin: by then these flows have ended, or never will."""
    sizes = collections.Counter()
    for flow in flows:
        sizes["from", flow.source] += flow.bytes
        sizes["to", flow.target] += flow.bytes
    slowest = min((rate for *_, rate in topology.links if rate), default=UNSHAPED_MBIT)
    carrying_s = max(sizes.values()) * 8e-6 / slowest
    return max(flow.start_s for flow in flows) + LEAD_S + PATIENCE_S + TIMES * carrying_s


def finish(traffic, watch, origin_s, flows):
    """Waits until all flows are complete; the last sample is from then, or from the deadline."""
    until_s = origin_s + deadline(watch.lab.topology, flows)
    ended = 0
    while time.monotonic() < until_s:
        sample = watch.until(origin_s, time.monotonic() - origin_s + LINKS_EVERY_S)
        ended = sum("end_ns" in record or "failed" in record for record in traffic.records())
        if ended >= len(flows):
            break
    return sample
