# SPDX-License-Identifier: MIT
"""`subflow-lab run`: a workload by several systems over fabrics of several seeds, in turn.

What is there already, of the same settings, commit and versions, is not measured again.
"""
import hashlib
import os
import random

from lab import ceiling, draw, experiment, failures, gates, results, systems, workloads
from lab.netns import LabError

SHAPE = ("topology", "k", "spines", "leaves", "hosts", "rate", "host_rate", "asymmetry")


def compact(result, topology):
    """The result with its series of all links made one of the routers at the top of the paths."""
    top, series = draw.tiers(topology)[-1], result["series"]
    kept = [series[0]]
    for sample in series[1:]:
        if sample["s"] - kept[-1]["s"] > experiment.LINKS_EVERY_S / 2:
            kept.append(sample)
    pairs = list(zip(kept, kept[1:]))
    inward = {name: [link for link in series[0]["links"] if link.endswith(">" + name)]
              for name in top}
    return {**result, "series": {
        "s": [late["s"] for _, late in pairs],
        "paths": {name: [round(sum(late["links"][link] - early["links"][link] for link in links)
                               * 8e-6 / (late["s"] - early["s"]), 2)
                         for early, late in pairs] for name, links in inward.items()}}}


def shown(result):
    if result["discarded"]:
        return f"thrown away: {result['discarded']}"
    if "completions" in result:
        times = sorted(c["s"] for c in result["completions"])
        return (f"{len(times)} flows, median {times[len(times) // 2] * 1e3:.1f} ms,"
                f" p99 {times[int(.99 * len(times))] * 1e3:.0f} ms")
    return (f"mean {result['mean_mbps']:.1f} Mbit/s a flow, worst {min(result['flows_mbps']):.1f},"
            f" fairness {result['jain']:.2f}")


class Campaign:
    """All runs that one command asks for. make(seed): the Fabric to be measured on."""

    def __init__(self, options, topology, about, make):
        self.options, self.topology, self.make = options, topology, make
        self.workload = workloads.WORKLOADS[options.workload]
        rule = options.rule
        steps = tuple(failures.parse(text, topology) for text in options.fail or ())
        self.scenario = experiment.Scenario(window_s=options.seconds, rule=rule, steps=steps,
                                            family=options.family, tells_paths=not self.workload.trouble,
                                            trouble=self.workload.trouble)
        self.check_steps()
        self.chosen = options.system or list(systems.SYSTEMS)
        self.fabric = {"fabric": about, "gso": options.gso, "control": options.control,
                       "machine": {"cpus": os.cpu_count()}}
        self.settings = {**self.fabric, "rule": str(rule), "family": options.family,
                         "fail": options.fail or [],
                         **{key: getattr(options, key) for key in ("load", "seconds", "size", "step")}}
        if self.workload.program:
            self.settings["program"] = self.workload.program.version()
        if options.files:
            self.settings["with"] = [hashlib.sha256(path.read_bytes()).hexdigest()[:12]
                                     for path in options.files]
        self.flows = {seed: self.workload.flows(len(topology.hosts), random.Random(seed), options)
                      for seed in range(1, options.seeds + 1)}
        self.store = results.Store(options.results, options.busy)
        self.kept, self.busy, self.why = 0, 0, ""

    def check_steps(self):
        """LabError where flows without end would be measured before all has broken that is to."""
        lasts_s = self.scenario.settle_s + self.scenario.window_s
        for step in self.scenario.steps:
            if not self.workload.has_sizes and step.at_s >= lasts_s:
                raise LabError(f"{step}: the run is over after {lasts_s:g} s: take more --seconds")

    def run(self):
        """Prints a line a run; LabError when none is kept."""
        with self.store:
            self._run(self.options)

    def _run(self, options):
        if (self.store.versions["commit"] or "").endswith(results.OLDER):
            print(f"{options.build} is older than the tree, as the results will say: make first")
        if others := self.store.strangers():
            print(f"{options.results} has {others} results of another commit, kernel or version:"
                  " they stay there, and do not count here")
        for seed in self.flows:
            # The first one changes: whatever else the machine does hits each of them alike.
            turn = (seed - 1) % len(self.chosen)
            self.one_fabric(seed, self.chosen[turn:] + self.chosen[:turn])
        if not self.kept:
            raise LabError(f"no run counts ({self.why}): {gates.remedy(self.why)}")
        counted = f"are kept, and {self.kept - self.busy} count" if self.busy else "count"
        print(f"{self.kept} of {options.seeds * len(self.chosen)} runs {counted}; they are in"
              f" {options.results}")

    def identity(self, name, seed):
        return {"workload": self.workload.name, "system": name, "seed": seed,
                "settings": self.settings}

    def one_fabric(self, seed, names):
        known = {name: self.store.find(**self.identity(name, seed)) for name in names}
        left = [name for name in names if not known[name]]
        for name in names:
            if known[name]:
                self.count(known[name])
                print(f"seed {seed} {name}: kept from before", flush=True)
        if not left:
            return
        with self.make(seed) as lab:
            best = self.ceiling(lab, seed)
            if best["discarded"] and not self.options.busy:
                self.why = best["discarded"]
                return
            for name in left:
                self.one(lab, seed, name, best)

    def ceiling(self, lab, seed):
        """The ceiling of this seed's fabric, measured once for all workloads."""
        identity = {"workload": results.CEILING, "system": "tcp", "seed": seed, "settings": self.fabric}
        if found := self.store.find(**identity):
            return found
        result = {**identity, **ceiling.measure(lab, self.options.build), "shape": self.shape()}
        self.store.add(result)
        miss = "kept all the same (--busy)" if self.options.busy else "thrown away"
        print(f"seed {seed}: " + (f"{miss}: {result['discarded']}" if result["discarded"] else
                                  f"a flow alone gets {result['mean_mbps']:.1f} Mbit/s,"
                                  f" {result['share']:.3f} of its links' rate"), flush=True)
        return result

    def one(self, lab, seed, name, best):
        options = self.options
        result = experiment.measure(lab, options.build, systems.SYSTEMS[name], self.flows[seed],
                                    self.scenario, self.workload.has_sizes, self.workload.program)
        missed = [gate for gate in (best["discarded"], result["discarded"]) if gate]
        if options.busy and (not result["discarded"] or gates.missed_cpu_only(result)):
            result |= {"busy": "; ".join(missed), "discarded": ""} if missed else {}
        self.store.add({**self.identity(name, seed), **compact(result, self.topology),
                        "ceiling_mbps": ceiling.of_flows(self.topology, self.flows[seed], best),
                        "shape": self.shape()})
        print(f"seed {seed} {name}: {shown(result)}", flush=True)
        self.why = result["discarded"] or self.why
        self.count(result)
        if self.scenario.steps:
            lab.heal()

    def count(self, result):
        self.kept += not result["discarded"]
        self.busy += "busy" in result

    def shape(self):
        return {**{key: getattr(self.options, key) for key in SHAPE}, "links": self.topology.links}
