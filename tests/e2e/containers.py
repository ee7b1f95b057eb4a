# SPDX-License-Identifier: MIT
"""A host within this one, and network namespaces in it that have no name, as those of containers."""
import os
import subprocess
from pathlib import Path

from conftest import BUILD
from lab.daemon import Daemon
from lab.netns import wait_until


class Container:
    """A network namespace without a name, and a process that keeps it: what App takes for a node."""

    def __init__(self, host, command=("sleep", "infinity")):
        self.host = host
        process = host.popen(["unshare", "--net", "sh", "-c",
                              'ip link set lo up && echo up && exec "$@"', "sh", *command],
                             stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "up\n"
        self.pid = host.inner(process)
        self.inode = os.stat(f"/proc/{self.pid}/ns/net").st_ino
        self.name = f"net:[{self.inode}]"

    def popen(self, command, **options):
        return self.host.popen(["nsenter", f"--net=/proc/{self.host.number(self.pid)}/ns/net",
                                "--", *command], **options)

    def pm_type(self):
        return int(subprocess.run(
            ["nsenter", f"--net=/proc/{self.pid}/ns/net", "cat", "/proc/sys/net/mptcp/pm_type"],
            capture_output=True, text=True, check=True).stdout)


class Host:
    """Processes and mounts of its own, in the client's network namespace.

    A daemon in it sees no other namespaces of this machine.
    """

    def __init__(self, lab):
        self.lab = lab
        keeper = lab.client.popen(["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c",
                            "mount -t proc proc /proc && mkdir -p /run/netns && "
                            "mount -t tmpfs none /run/netns && echo ready && "
                            # The first process of its kind gets no signal that it does not ask for.
                            "trap 'exit 0' TERM && { sleep infinity & wait; }"],
                           stdout=subprocess.PIPE)
        assert keeper.stdout.readline() == b"ready\n"
        first = self.child(keeper.pid)
        self.enter = ["nsenter", f"--mount=/proc/{first}/ns/mnt", f"--pid=/proc/{first}/ns/pid",
                      f"--net={lab.client.path}"]

    def popen(self, command, **options):
        return self.lab.popen([*self.enter, "--", *command], **options)

    @staticmethod
    def child(pid):
        path = Path(f"/proc/{pid}/task/{pid}/children")
        return int(wait_until(lambda: path.read_text().split(), "a child")[0])

    def inner(self, process):
        """The process that nsenter has started, by its number outside."""
        return self.child(process.pid)

    @staticmethod
    def number(pid):
        """And by its number inside."""
        line = next(line for line in open(f"/proc/{pid}/status") if line.startswith("NSpid:"))
        return int(line.split()[-1])

    def start(self, serve="all", **sections):
        """A daemon in it, when it answers; `host_pid` is its process."""
        daemon = Daemon(self.lab, BUILD, {"namespaces": {"serve": serve}, **sections})
        log = daemon.log.open("ab")
        daemon.process = self.lab.popen(
            [*self.enter, "--", daemon.binary, "--config",
             self.lab.directory / "subflowd.conf", "--verbose"], stdout=log, stderr=log)
        wait_until(daemon.status, "subflowd answers")
        daemon.host_pid = self.inner(daemon.process)
        return daemon
