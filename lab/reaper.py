# SPDX-License-Identifier: MIT
"""Takes a lab down when its owner closes it or dies, however it dies.

A process and session of its own: standard input is a pipe whose other end only the owner holds, so
that its end of file is the one signal that SIGKILL cannot withhold. Stands alone: nothing of this
package is imported, so that it also works after the tree has changed or gone.

usage: reaper.py PREFIX CGROUP DIRECTORY
"""
import os
import shutil
import signal
import subprocess
import sys
import time

NETNS = "/run/netns"
KEPT = "/sys/fs/bpf"  # where is what subflowd leaves to its successor
GRACE_S = 3.0
LIMIT_S = 15.0
TICK_S = 0.02


def namespaces(prefix):
    names = os.listdir(NETNS) if os.path.isdir(NETNS) else []
    return [os.path.join(NETNS, name) for name in names if name.startswith(prefix)]


def identity(path):
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def members(cgroup):
    """Pids in the cgroup and its descendants."""
    pids = set()
    for directory, _, _ in os.walk(cgroup):
        try:
            with open(os.path.join(directory, "cgroup.procs")) as file:
                pids.update(int(line) for line in file)
        except OSError:
            pass
    return pids


def inhabitants(prefix):
    """Pids in the lab's namespaces; people enter them by hand, outside the lab's cgroup."""
    inodes = {identity(path) for path in namespaces(prefix)} - {None}
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())
    return {pid for pid in pids if inodes and identity(f"/proc/{pid}/ns/net") in inodes}


def send(pids, number):
    for pid in pids - {os.getpid()}:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def stop(prefix, cgroup):
    """SIGTERM, so that a daemon can put back what it changed; SIGKILL for what is left."""
    deadline = time.monotonic() + GRACE_S
    send(members(cgroup) | inhabitants(prefix), signal.SIGTERM)
    while members(cgroup) and time.monotonic() < deadline:
        time.sleep(TICK_S)
    send(members(cgroup) | inhabitants(prefix), signal.SIGKILL)


def forget(directory):
    """What daemons of the lab have left to successors: folders that their sockets name."""
    names = os.listdir(KEPT) if os.path.isdir(KEPT) else []
    for name in names:
        if f"_2f{os.path.basename(directory)}_2f" in name:
            path = os.path.join(KEPT, name)
            for kept in os.listdir(path):
                os.unlink(os.path.join(path, kept))
            os.rmdir(path)


def sweep(prefix, cgroup, directory):
    """One attempt at removing everything; True when nothing is left."""
    send(members(cgroup) | inhabitants(prefix), signal.SIGKILL)
    for path, _, _ in os.walk(cgroup, topdown=False):
        try:
            os.rmdir(path)
        except OSError:
            pass
    # The cgroup goes first: a straggler that was still to join it now cannot start anything.
    if os.path.exists(cgroup):
        return False
    for path in namespaces(prefix):
        subprocess.run(["ip", "netns", "delete", os.path.basename(path)],
                       stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    forget(directory)
    shutil.rmtree(directory, ignore_errors=True)
    return not namespaces(prefix) and not os.path.exists(directory)


def main():
    prefix, cgroup, directory = sys.argv[1:]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 4096):
        pass
    stop(prefix, cgroup)
    deadline = time.monotonic() + LIMIT_S
    while not sweep(prefix, cgroup, directory):
        if time.monotonic() > deadline:
            sys.exit(f"lab: could not remove all of {prefix}*, {cgroup}, {directory}")
        time.sleep(TICK_S)


if __name__ == "__main__":
    main()
