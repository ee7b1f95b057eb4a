# SPDX-License-Identifier: MIT
"""Namespaces and links between them, with their processes, removed whatever happens."""
import itertools
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lab.netns import LabError, Namespace

_serial = itertools.count()
# On shaped links: a larger packet would not fit a queue, and be lost time and again.
GSO_MAX_SIZE = 16384
# One instruction of classic BPF: return TC_ACT_SHOT.
DROP = "1,6 0 0 2"
# A random number of 32 bits; not below the limit: TC_ACT_OK, else TC_ACT_SHOT.
DROP_SOME = "4,32 0 0 4294963256,53 1 0 {limit},6 0 0 2,6 0 0 0"


def require_root():
    if os.geteuid() != 0:
        raise LabError("network namespaces need root: run this with sudo")


def cgroup2_root():
    """Where cgroup2 is mounted: not the same place on hybrid hosts."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    raise LabError("no cgroup2 is mounted: mount -t cgroup2 none /sys/fs/cgroup")


def places(prefix):
    """The cgroup and the directory of a lab."""
    name = prefix.rstrip("-")
    return cgroup2_root() / name, Path(tempfile.gettempdir(), name)


@dataclass(frozen=True)
class End:
    """One end of a link."""
    node: Namespace
    device: str
    ip4: str
    ip6: str
    rate_mbit: int = None  # of what leaves here; None: not shaped


class Lab:
    """A context manager: what is made through it is gone after it, also if we are killed."""

    def __init__(self):
        self.prefix = f"sf{os.getpid()}-{next(_serial)}-"
        self.nodes = {}
        self.links = []
        self._lost = {}  # {(at, to): share}
        self.directory = None
        self.cgroup = None
        self._reaper = None
        self._processes = []

    def __enter__(self):
        require_root()
        self.cgroup, self.directory = places(self.prefix)
        reaper = Path(__file__).with_name("reaper.py")
        self._reaper = subprocess.Popen(
            [sys.executable, reaper, self.prefix, self.cgroup, self.directory], cwd="/",
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            self.directory.mkdir(mode=0o755)
            self.cgroup.mkdir()
            self.build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def build(self):
        """For subclasses: makes what the lab consists of."""

    def close(self):
        """Ends every process and removes every namespace of the lab."""
        for node in self.nodes.values():
            node.close()
        if self._reaper:
            self._reaper.stdin.close()
            failed, self._reaper = self._reaper.wait(), None
            for process in self._processes:
                process.poll()  # or they would stay zombies for as long as we live
            if failed:
                raise LabError(f"the lab {self.prefix}* could not be removed whole")

    def popen(self, command, **options):
        """subprocess.Popen in the lab's cgroup, in the namespace that we are in.

        The process has a session of its own: Ctrl-C is for us, who then end it in good order. For
        another user, put `setpriv --reuid=...` in front: joining the cgroup takes root.
        """
        join = ["sh", "-c", 'echo 0 >"$0" && exec "$@"', self.cgroup / "cgroup.procs"]
        options = {"stdin": subprocess.DEVNULL, "start_new_session": True, **options}
        process = subprocess.Popen(join + [str(w) for w in command], **options)
        self._processes.append(process)
        return process

    def run(self, command, input="", timeout=30, **options):
        """Runs a command to its end and returns its standard output; LabError if it fails."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with self.popen(command, text=True, **pipes, **options) as process:
            try:
                output, error = process.communicate(input, timeout)
            except BaseException:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                raise
        if process.returncode:
            raise LabError(f"{' '.join(map(str, command))}: {error.strip() or process.returncode}")
        return output

    def netns(self, label, kind=Namespace):
        """Makes a namespace, with its loopback device up."""
        node = kind(self, label)
        self.run(["ip", "netns", "add", node.name])
        self.nodes[label] = node
        # Before the first link: a device takes its settings from `default` when it appears.
        node.sysctl({"net.ipv4.conf.all.rp_filter": 0,
                     "net.ipv4.conf.default.rp_filter": 0,
                     "net.ipv6.conf.default.accept_dad": 0})
        node.ip("link set lo up")
        return node

    def veth(self, a, b, device_a=None, device_b=None, rate_mbit=None, gso_max_size=None):
        """Links two namespaces and returns both Ends, up and with addresses.

        Link n is 10.0.n.0/24 and fd00:n::/64, with .1 at `a` and .2 at `b`. A device is named
        after the namespace at its other end. rate_mbit shapes both directions.
        """
        if rate_mbit and not gso_max_size:
            gso_max_size = GSO_MAX_SIZE
        number = len(self.links) + 1
        ends = (End(a, device_a or b.label, *link_addresses(number, 1), rate_mbit),
                End(b, device_b or a.label, *link_addresses(number, 2), rate_mbit))
        # Both ends are born where they belong: the host never sees them.
        self.run(["ip", "link", "add", ends[0].device, "netns", a.name, "type", "veth",
                  "peer", "name", ends[1].device, "netns", b.name])
        for end in ends:
            gso = f" gso_max_size {gso_max_size}" if gso_max_size else ""
            end.node.ip(f"link set {end.device} up{gso}",
                        f"address add {end.ip4}/24 dev {end.device}",
                        f"address add {end.ip6}/64 dev {end.device} nodad")
            if rate_mbit:
                shape(end)
        self.links.append(ends)
        return ends

    def end(self, at, to):
        """The End at a node of the link to another; both are labels."""
        return next(near for pair in self.links for near, far in (pair, pair[::-1])
                    if (near.node.label, far.node.label) == (at, to))

    def black_hole(self, at, to, on=True):
        """What the node `at` sends to its neighbour `to` is lost, and nobody is told.

        A program at the far end drops it: what is lost in a queue, the sender's kernel is told of.
        """
        self.drop(at, to, 1 if on else 0)

    def drop(self, at, to, share):
        """The same of a share of the packets, each by lot; 0: of none any more."""
        if share == self._lost.get((at, to), 0):
            return
        end = self.end(to, at)
        if self._lost.pop((at, to), 0):
            end.node.tc(f"qdisc delete dev {end.device} clsact")
        if share:
            code = DROP if share == 1 else DROP_SOME.format(limit=round(share * 2**32))
            end.node.tc(f"qdisc add dev {end.device} clsact",
                        f"filter add dev {end.device} ingress bpf bytecode \"{code}\" direct-action")
            self._lost[at, to] = share

    def drop_nothing(self):
        """Every link carries again what is sent."""
        for at, to in list(self._lost):
            self.drop(at, to, 0)


def link_addresses(number, end):
    return f"10.{number >> 8}.{number & 255}.{end}", f"fd00:{number:x}::{end}"


def shape(end):
    """Limits what leaves this end, with a queue of 4 ms, or some GSO packets where that is less.

    HTB and not TBF, which would cut GSO packets up at the cost of the machine's CPU; a queue
    counted in bytes, because one counted in packets would hold 64 MB of GSO packets.
    """
    rate = f"rate {end.rate_mbit}mbit ceil {end.rate_mbit}mbit burst 16k cburst 16k quantum 3028"
    queue_bytes = max(60000, 500 * end.rate_mbit)
    end.node.tc(f"qdisc add dev {end.device} root handle 1: htb default 1",
                f"class add dev {end.device} parent 1: classid 1:1 htb {rate}",
                f"qdisc add dev {end.device} parent 1:1 bfifo limit {queue_bytes}")
