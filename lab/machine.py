# SPDX-License-Identifier: MIT
"""Whether this machine can carry a lab. What it lacks is said in one line, with the remedy."""
import os
import shutil
from pathlib import Path

from lab.fabric import REFUSE, spray_of
from lab.lab import DROP, Lab, require_root
from lab.netns import LabError

# Two cores carry some 0.8 Gbit/s over the five hops of a fat-tree with packets of 8 kB.
HOST_MBIT_OF_A_CORE = 400
PROGRAMS = ("ip", "tc", "nsenter")
ANOTHER = "boot one that has, as those of Debian 12"
# What the fabrics are made of: the name, where it shows.
SETTINGS = (("MPTCP", "net/mptcp"), ("IPv6", "net/ipv6"),
            ("multipath routes that hash as they are told", "net/ipv4/fib_multipath_hash_fields"))
# The name, the modules, what `tc` is to do on a device.
QUEUES = (("HTB queue", "sch_htb", ("qdisc add dev lo root handle 1: htb default 1",)),
          ("BPF filter of what comes in", "sch_ingress cls_bpf", (
              "qdisc add dev lo clsact",
              f"filter add dev lo ingress bpf bytecode \"{DROP}\" direct-action")))


def check(programs=(), with_nftables=False):
    """LabError unless there is all that a lab takes, and these programs as well."""
    require_root()
    for program in (*PROGRAMS, *programs, *["nft"] * with_nftables):
        if not shutil.which(program):
            raise LabError(f"there is no {program}: make deps")
    for what, where in SETTINGS:
        if not Path("/proc/sys", where).exists():
            raise LabError(f"this kernel has no {what}: {ANOTHER}")
    try:
        with Lab() as lab:
            probe = lab.netns("probe")
            _try_queues(probe)
            if with_nftables:
                _try_nftables(probe)
    except OSError as error:
        raise LabError(f"no lab can be made here ({error}): it takes root with all privileges, in a"
                       " container --privileged") from None


def _try_queues(node):
    for what, modules, lines in QUEUES:
        try:
            node.tc(*lines)
        except LabError as error:
            raise LabError(f"this kernel has no {what} ({str(error).splitlines()[0]}): modprobe"
                           f" {modules}, or {ANOTHER}") from None


def _try_nftables(node):
    for table in (REFUSE, spray_of(2)):
        try:
            node.run(["nft", "-c", "-f", "-"], input=table)
        except LabError as error:
            raise LabError("this kernel has no nftables that refuse joins and mark packets by lot"
                           f" ({str(error).splitlines()[0]}): modprobe nf_tables nft_reject_inet nft_numgen, or"
                           f" {ANOTHER}") from None


def check_cpu(hosts, rate_mbit, option="--rate", times=1):
    """LabError where so many hosts of this rate, that is `times` the option, would measure the machine,
    and not the fabric."""
    cpus = len(os.sched_getaffinity(0))
    room = HOST_MBIT_OF_A_CORE * cpus
    if hosts > room:
        raise LabError(f"{hosts} hosts are too many for {cpus} CPUs: take a smaller fabric")
    if hosts * rate_mbit > room:
        raise LabError(f"{hosts} hosts of {rate_mbit} Mbit/s are too much for {cpus}"
                       f" CPU{'s' * (cpus > 1)}: take {option} {int(room / hosts / times)} or less")


def check_control(name):
    """LabError unless hosts may have this congestion control: new namespaces take no others."""
    allowed = Path("/proc/sys/net/ipv4/tcp_allowed_congestion_control").read_text().split()
    if name not in allowed:
        raise LabError(f"--control {name}: this kernel allows {', '.join(allowed)}; sysctl"
                       " net.ipv4.tcp_allowed_congestion_control takes more")
