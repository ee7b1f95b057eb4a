# SPDX-License-Identifier: MIT
"""A host within this one, for daemons that serve every namespace of theirs."""
import subprocess
from pathlib import Path

from lab.daemon import Daemon
from lab.netns import LabError, wait_until

# Every second namespace lives until it is served and its connection, over the loopback device, has got
# the subflow that it asks for; the others have one socket, and are gone at once. Says how many were served.
SHORT_LIVED = """
import ctypes, fcntl, os, socket, struct, sys, time
def wait(condition):
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            os._exit(1)
        time.sleep(.001)
def connect():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as up:
        fcntl.ioctl(up, 0x8914, struct.pack("16sH22x", b"lo", 1))
    listener, s = (socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) for _ in range(2))
    listener.bind(("127.0.0.1", 7000))
    listener.listen()
    s.connect(("127.0.0.1", 7000))
    s.send(b"x")
    return s, listener.accept()[0], listener
def has_asked(s):
    try:
        s.setsockopt(6, 10003, 1)
    except OSError:
        return False
    return True
def live():
    wait(lambda: open("/proc/sys/net/mptcp/pm_type").read() == "1\\n")
    s, *others = connect()
    wait(lambda: has_asked(s))
    wait(lambda: len(s.getsockopt(6, 10005, 1024)) == 2 * 56)
served = 0
for number in range(int(sys.argv[1])):
    child = os.fork()
    if not child:
        ctypes.CDLL(None).unshare(0x40000000)
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
        if number % 2 == 0:
            live()
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        break
    served += number % 2 == 0
print(served)
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
        """Makes this many short-lived network namespaces, one after the other, until one that waits for it is
        not served; how many were, when it is done."""
        script = self.popen(["/usr/bin/python3", "-c", SHORT_LIVED, str(number)], stdout=subprocess.PIPE, text=True)
        said, _ = script.communicate()
        if script.returncode:
            raise LabError("no network namespace could be made")
        return int(said)
