# SPDX-License-Identifier: MIT
"""A host within this one, for daemons that serve every namespace of theirs."""
import subprocess
from pathlib import Path

from lab.daemon import Daemon
from lab.netns import LabError, wait_until

# A namespace with one socket each; the process ends at once.
SHORT_LIVED = """
import ctypes, os, socket, sys
for _ in range(int(sys.argv[1])):
    child = os.fork()
    if not child:
        ctypes.CDLL(None).unshare(0x40000000)
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
        os._exit(0)
    os.waitpid(child, 0)
"""


class Host:
    """Processes and mounts of its own, in a network namespace of a lab.

    A daemon in it sees no other namespaces of this machine.
    """

    def __init__(self, lab, node, build):
        self.lab, self.build = lab, build
        keeper = node.popen(["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c",
                            "mount -t proc proc /proc && mkdir -p /run/netns && "
                            "mount -t tmpfs none /run/netns && echo ready && "
                            # The first process of its kind gets no signal that it does not ask for.
                            "trap 'exit 0' TERM && { sleep infinity & wait; }"],
                           stdout=subprocess.PIPE)
        assert keeper.stdout.readline() == b"ready\n"
        first = self.child(keeper.pid)
        self.enter = ["nsenter", f"--mount=/proc/{first}/ns/mnt", f"--pid=/proc/{first}/ns/pid",
                      f"--net={node.path}"]

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

    def start(self, serve="all", verbose=True, **sections):
        """A daemon in it, when it answers; `host_pid` is its process."""
        daemon = Daemon(self.lab, self.build, {"namespaces": {"serve": serve}, **sections})
        log = daemon.log.open("ab")
        daemon.process = self.lab.popen(
            [*self.enter, "--", daemon.binary, "--config", self.lab.directory / "subflowd.conf",
             *["--verbose"] * verbose], stdout=log, stderr=log)
        wait_until(daemon.status, "subflowd answers")
        daemon.host_pid = self.inner(daemon.process)
        return daemon

    def churn(self, number):
        """Makes this many short-lived network namespaces, one after the other; when it is done."""
        if self.popen(["/usr/bin/python3", "-c", SHORT_LIVED, str(number)]).wait():
            raise LabError("no network namespace could be made")
