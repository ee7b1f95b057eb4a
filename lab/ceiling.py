# SPDX-License-Identifier: MIT
"""What a fabric gives a flow that has its path for itself: the ceiling that others are compared to."""
import math

from lab import experiment, gates, systems, workloads

SCENARIO = experiment.Scenario(window_s=2.0)


def is_alike(topology):
    """Whether all links have one rate."""
    return len({rate for *_, rate in topology.links}) == 1


def flows_of(topology):
    """Where all links are alike, everybody sends to his neighbour by plain TCP, and no two flows share
    a link (stride1): that is all the load that there can be. Else one flow alone, as far as it goes."""
    hosts = len(topology.hosts)
    if is_alike(topology):
        return workloads.stride(hosts, 1)
    return [workloads.Flow(0, hosts - 1)]


def path_rate(topology, links_mbps, flow_mbps):
    """Mbit/s of the slowest link that carried this flow; the counters say which these were."""
    carried = [rate for a, b, rate in topology.links if rate
               and max(links_mbps[f"{a}>{b}"], links_mbps[f"{b}>{a}"]) > flow_mbps / 2]
    return min(carried, default=None)


def of_flows(topology, flows, alone):
    """Mbit/s that one of these flows may have on average. Where all links are alike it is what a flow alone has
    (measure); else the same part of what the links leave these flows at best. A flow that ends, or meets no link
    with a rate, is not bound by them."""
    if is_alike(topology) or any(flow.bytes for flow in flows):
        return alone["mean_mbps"]
    from lab import optimum  # late: numpy takes long to load
    most = float(optimum.rates(topology, flows).mean())
    return round(alone["share"] * most, 3) if math.isfinite(most) else alone["mean_mbps"]


def measure(lab, build):
    """A result as that of any run, with "share" of the links' rate; it misses a gate where that is
    too little."""
    flows = flows_of(lab.topology)
    result = experiment.measure(lab, build, systems.SYSTEMS["tcp"], flows, SCENARIO)
    del result["series"], result["decisions"]
    if gates.missed_cpu_only(result):
        result["discarded"] = ""  # others can only have lowered it
    rate = path_rate(lab.topology, result["links_mbps"], min(result["flows_mbps"]))
    result["share"] = round(result["mean_mbps"] / rate, 4) if rate else 1.0
    if result["share"] < gates.CEILING_MIN:
        why = (f"the ceiling, {result['mean_mbps']:.1f} Mbit/s, is {result['share']:.3f} of the"
               f" links' rate and not {gates.CEILING_MIN}")
        result["discarded"] = "; ".join(filter(None, (result["discarded"], why)))
    return result
