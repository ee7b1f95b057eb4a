# SPDX-License-Identifier: MIT
"""Rates of the paths between two hosts, from the counters of the first host's router."""
import time
from dataclasses import dataclass

from lab.netns import LabError

# Slow start on an empty queue is over within some 100 ms here; the first moments of a new subflow
# too. The tail keeps the end of the transfer, when paths run dry one by one, out of the figure.
SETTLE_S = 1.0
TAIL_S = 0.5
WINDOW_MIN_S = 1.0
# Less than this between two samples is acknowledgements and iperf3's control connection.
QUIET_BYTES = 20000


@dataclass(frozen=True)
class Sample:
    time_s: float  # monotonic
    sent: tuple    # bytes on each path since the machine was made
    joins: int     # subflows established beyond the first, as the sender's kernel counts them
    splits: int    # of these, asked for by the elephant rule, as subflowd tells; others are repairs
    live: int      # subflows established now, as subflowd tells
    idle: int      # ticks of all CPUs
    ticks: int


def cpu_ticks():
    """(idle ticks, all ticks) of the machine's processors."""
    with open("/proc/stat") as file:
        cpu = [int(word) for word in file.readline().split()[1:9]]
    return cpu[3] + cpu[4], sum(cpu)


def live_of(connection):
    """Its established subflows."""
    return sum(s["state"] == "established" for s in connection["subflows"]) if connection else 0


def splits_of(connection):
    """Thresholds whose subflow came about, whether or not it still is the same one."""
    return sum(t["subflows"] > 0 for t in connection["thresholds"]) if connection else 0


class Recorder:
    """Samples of a transfer from one host of a fabric.

    find() returns its connection as the status has it, or None.
    """

    def __init__(self, fabric, source, find):
        self.fabric = fabric
        self.source = source
        self.find = find
        self.connection = None  # as found last
        self.fullest = None     # as found when most subflows were established
        self.samples = []
        self._joins = self._joined()

    def _joined(self):
        return self.source.netstat().get("MPTcpExtMPJoinSynAckRx", 0)

    def take(self):
        idle, ticks = cpu_ticks()
        sent = tuple(self.fabric.uplink_bytes(self.source))
        when, joins = time.monotonic(), self._joined() - self._joins
        found = self.find()
        # Once it is closed, another one (iperf3's control connection) must not take its place.
        if found and splits_of(found) >= splits_of(self.connection):
            self.connection = found
        splits, live = splits_of(self.connection), live_of(self.connection)
        if live >= live_of(self.fullest):
            self.fullest = self.connection
        self.samples.append(Sample(when, sent, joins, splits, live, idle, ticks))
        return self.samples[-1]


def rates(first, last):
    """Mbit/s on each path between two samples."""
    bits = [(b - a) * 8 for a, b in zip(first.sent, last.sent)]
    return [amount / (last.time_s - first.time_s) / 1e6 for amount in bits]


def cpu_idle(first, last):
    """Part of the machine's processors that was idle between two samples."""
    return (last.idle - first.idle) / max(1, last.ticks - first.ticks)


def transfer(samples):
    """The samples during which data flowed."""
    busy = [i for i in range(1, len(samples))
            if sum(samples[i].sent) - sum(samples[i - 1].sent) > QUIET_BYTES]
    if not busy:
        raise LabError("no data passed the routers")
    return samples[busy[0] - 1:busy[-1] + 1]


def splits(samples):
    """[(last sample without, first sample with)] for each time that the rule split it further."""
    return [(early, late) for early, late in zip(samples, samples[1:]) if late.splits > early.splits]


def windows(samples):
    """(first, last) samples of the time before the first split and of that after the last one.

    before: from SETTLE_S after the first data to the last sample that saw one subflow.
    after: from SETTLE_S after the last subflow of the rule was established to TAIL_S before the
    last data. A subflow that is replaced meanwhile is no split: what it costs is in the figure.
    A sample's bytes are read before its joins: no byte of a second subflow is in `before`.
    """
    samples = transfer(samples)
    steps = splits(samples)
    if not steps:
        raise LabError("the connection was never split")
    start, end = samples[0].time_s + SETTLE_S, samples[-1].time_s - TAIL_S
    before = [s for s in samples if s.joins == 0 and s.time_s >= start]
    after = [s for s in samples if steps[-1][1].time_s + SETTLE_S <= s.time_s <= end]
    for name, window in (("before the first", before), ("after the last", after)):
        if not window or window[-1].time_s - window[0].time_s < WINDOW_MIN_S:
            raise LabError(f"the time {name} split is too short to measure a rate")
    return (before[0], before[-1]), (after[0], after[-1])
