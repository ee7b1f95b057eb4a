# SPDX-License-Identifier: MIT
"""Who sends how much to whom, and when: workloads as lists of flows.

A workload is a function of the number of hosts and a random.Random that returns Flows; those of 0
bytes go on until the end. Adding one is one function and a line in WORKLOADS.
"""
import itertools
from dataclasses import dataclass, field

from lab import fabric, programs, systems
from lab.netns import LabError

MB = 1000000
# (bytes, cumulative probability); in between it is linear. Websearch: Alizadeh et al., DCTCP,
# SIGCOMM 2010; data-mining: Greenberg et al., VL2, SIGCOMM 2009.
WEBSEARCH = ((0, 0), (10e3, .15), (20e3, .2), (30e3, .3), (50e3, .4), (80e3, .53), (200e3, .6),
             (1e6, .7), (2e6, .8), (5e6, .9), (10e6, .97), (30e6, 1))
DATA_MINING = ((100, 0), (180, .1), (216, .2), (560, .3), (900, .4), (1100, .5), (1870, .6),
               (3160, .7), (10e3, .8), (400e3, .9), (3.16e6, .95), (100e6, .98), (1e9, 1))
# The generator's header, and so its smallest flow.
SMALLEST = 24


@dataclass(frozen=True)
class Flow:
    source: int  # number of the host
    target: int
    bytes: int = 0  # 0: until the end
    start_s: float = 0.0
    port: int = 0  # from which it leaves; 0: the kernel chooses
    is_plain: bool = False  # TCP, whatever the system compared makes of the others


def stride(hosts, step, size=0):
    """Host x sends to x + step."""
    return [Flow(x, (x + step) % hosts, size) for x in range(hosts)]


def permutation(hosts, rng):
    """Everybody sends to one, and receives from one, and nobody from himself."""
    check_hosts(hosts)
    while True:
        targets = rng.sample(range(hosts), hosts)
        if all(source != target for source, target in enumerate(targets)):
            return [Flow(*pair) for pair in enumerate(targets)]


def circles(topology, source):
    """Numbers of the other hosts by how far they are from this one: (at its router, its pod's others,
    beyond). Beyond is as far as it goes: on a leaf-spine there is nobody in between."""
    distance = topology.distances(topology.hosts[source])
    far = [distance[topology.neighbours(label)[0]] for label in topology.hosts]
    others = [target for target in range(len(far)) if target != source]
    return ([target for target in others if far[target] == 1],
            [target for target in others if 1 < far[target] < max(far)],
            [target for target in others if 1 < far[target] == max(far)])


def staggered(topology, rng, near=.2, middle=.3):
    """To a host of the own edge with probability `near`, of the own pod `middle`, else beyond."""
    flows = []
    for source in range(len(topology.hosts)):
        edge, pod, beyond = circles(topology, source)
        throw = rng.random()
        circle = edge if throw < near else pod if throw < near + middle else beyond
        flows.append(Flow(source, rng.choice(circle or beyond or edge)))
    return flows


def shuffle(hosts, rng, rate_mbit, size=2 * MB, at_once=4):
    """Everybody sends `size` to everybody in an order of his own, `at_once` at a time.

    The generator has no flow that waits for another: the k-th batch starts when the one before would
    have ended on an idle network in which hosts have this rate, so that the load is the same for each
    system.
    """
    flows = []
    for source in range(hosts):
        targets = [target for target in range(hosts) if target != source]
        rng.shuffle(targets)
        flows += [Flow(source, target, size, (i // at_once) * at_once * size * 8 / (rate_mbit * 1e6))
                  for i, target in enumerate(targets)]
    return flows


def hotspot(hosts, rng, size=0):
    """A random permutation, but a quarter of the hosts sends to one."""
    hot = rng.randrange(hosts)
    crowd = set(rng.sample([x for x in range(hosts) if x != hot], hosts // 4))
    return [Flow(f.source, hot, size) if f.source in crowd else Flow(f.source, f.target, size)
            for f in permutation(hosts, rng)]


def check_hosts(hosts):
    if hosts < 2:
        raise LabError("one host has nobody to send to: take a fabric of 2 or more, as by --leaves 2")


def draw(points, rng):
    """A size from a distribution given as points."""
    throw = rng.random()
    for (low, before), (high, after) in itertools.pairwise(points):
        if throw <= after:
            return max(SMALLEST, round(low + (high - low) * (throw - before) / (after - before)))
    return round(points[-1][0])


def mean(points):
    return sum((low + high) / 2 * (after - before)
               for (low, before), (high, after) in itertools.pairwise(points))


def mix(points, hosts, rng, load, rate_mbit, seconds, largest=None):
    """Poisson arrivals from everybody to anybody, at this part of the hosts' rate.

    `largest` cuts the distribution off: a flow of 1 GB takes minutes at the lab's rates.
    """
    if largest:
        points = [point for point in points if point[0] < largest] + [(largest, 1)]
    per_s = load * hosts * rate_mbit * 1e6 / 8 / mean(points)
    flows, now = [], rng.expovariate(per_s)
    while now < seconds:
        source = rng.randrange(hosts)
        target = rng.choice([x for x in range(hosts) if x != source])
        flows.append(Flow(source, target, draw(points, rng), now))
        now += rng.expovariate(per_s)
    return flows


@dataclass(frozen=True)
class Workload:
    """A named workload as the command knows it: `make(hosts, rng, options)`."""
    name: str
    about: str
    make: object
    has_sizes: bool = False  # flows end by themselves: completion times, and not rates
    program: programs.Program = None  # what carries the flows; None: the lab's own generator
    options: dict = field(default_factory=dict)  # of the command, where it is not told others
    trouble: object = None  # a Trouble of lab.troubles: what goes on is no comparison, but to be borne

    def flows(self, hosts, rng, options):
        """The flows of one run; LabError where they would not pass the fabric."""
        check_hosts(hosts)
        flows = self.make(hosts, rng, options)
        if not flows:
            raise LabError(f"{self.name}: no flow begins within {options.seconds:g} s: take more --seconds or --load")
        for flow in flows:
            if flow.source == flow.target:
                raise LabError(f"{self.name}: host {flow.source} of {hosts} would send to itself: take a fabric"
                               " of another number of hosts, or another --step")
        return flows


# Two hosts, four paths between them, and thresholds in real bytes. The paths are the bottleneck, and no
# link that they share.
PAPER = {"topology": "leaf-spine", "spines": 4, "leaves": 2, "hosts": 1, "rate": 100, "host_rate": 0,
         "gso": 16384, "size": 400, "rule": systems.PAPER, "seeds": 1}


def _sized(points, largest):
    def make(hosts, rng, options):
        return mix(points, hosts, rng, options.load, fabric.host_mbit(options), options.seconds, largest)
    return make


WORKLOADS = {w.name: w for w in (
    Workload("stride1", "host x sends to x + 1: no two flows share a link",
             lambda hosts, rng, options: stride(hosts, 1)),
    Workload("stride4", "host x sends to x + 4: all flows leave their pod, k = 4",
             lambda hosts, rng, options: stride(hosts, 4)),
    Workload("stride8", "host x sends to x + 8: all flows cross the core, k = 4",
             lambda hosts, rng, options: stride(hosts, 8)),
    Workload("stride", "host x sends to x + --step",
             lambda hosts, rng, options: stride(hosts, options.step)),
    Workload("permutation", "a random permutation without fixed points",
             lambda hosts, rng, options: permutation(hosts, rng)),
    Workload("staggered", "own edge .2, own pod .3, beyond .5",
             lambda hosts, rng, options: staggered(fabric.topology_of(options), rng)),
    Workload("hotspot", "a permutation in which a quarter of the hosts sends to one",
             lambda hosts, rng, options: hotspot(hosts, rng)),
    Workload("shuffle", "everybody sends 2 MB to everybody, 4 at a time",
             lambda hosts, rng, options: shuffle(hosts, rng, fabric.host_mbit(options)), True),
    Workload("websearch", "the websearch sizes, Poisson arrivals",
             _sized(WEBSEARCH, None), True),
    Workload("data-mining", "the data-mining sizes up to 30 MB, Poisson arrivals",
             _sized(DATA_MINING, 30e6), True),
    Workload("paper", "two hosts, one connection of 400 MB, a subflow more at 100 MB and every 50 MB",
             lambda hosts, rng, options: [Flow(0, hosts - 1, round(options.size * MB))], True,
             options=PAPER),
    *(Workload(program.name, program.about + ": host x to the one opposite",
               lambda hosts, rng, options: stride(hosts, hosts // 2, round(options.size * MB)),
               True, program) for program in programs.PROGRAMS),
)}
