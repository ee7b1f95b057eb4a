# SPDX-License-Identifier: MIT
"""One network namespace: processes, settings and counters inside it."""
import concurrent.futures
import ctypes
import os
import time
from pathlib import Path

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    """Something in the lab did not work; the message is one line for people."""


# Slow machines, such as emulated ones, have this times longer.
PATIENCE = float(os.environ.get("SUBFLOW_PATIENCE", 1))


def wait_until(condition, what, timeout_s=10.0):
    """Returns the first true value of condition(); LabError when there is none in time.

    what: text for people, or what makes it in the end.
    """
    timeout_s *= PATIENCE
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise LabError(f"{what() if callable(what) else what}: not within {timeout_s:g} s")
        time.sleep(0.02)
    return value


class Namespace:
    """One network namespace. `label` is its name in the lab, `name` its name for ip netns."""

    def __init__(self, lab, label):
        self.lab = lab
        self.label = label
        self.name = lab.prefix + label
        self.path = f"/run/netns/{self.name}"
        self._files = {}

    def __repr__(self):
        return f"<{self.name}>"

    def popen(self, command, **options):
        """subprocess.Popen inside. nsenter, because `ip netns exec` hides cgroup2."""
        return self.lab.popen(["nsenter", f"--net={self.path}", "--", *command], **options)

    def run(self, command, **options):
        """subprocess.run inside: text, captured; LabError unless it exits with 0."""
        return self.lab.run(["nsenter", f"--net={self.path}", "--", *command], **options)

    def ip(self, *lines):
        """Runs lines of `ip` (without the word itself) in one process."""
        return self.lab.run(["ip", "-n", self.name, "-batch", "-"], input="\n".join(lines))

    def tc(self, *lines):
        return self.lab.run(["tc", "-n", self.name, "-batch", "-"], input="\n".join(lines))

    def inside(self, function, *arguments):
        """Calls a function in a thread of ours that is inside; sockets made there stay inside."""
        def enter():
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if _libc.setns(fd, CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns " + self.path)
            finally:
                os.close(fd)
            return function(*arguments)

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            return pool.submit(enter).result()

    def sysctl(self, values, optional=()):
        """Sets {name: value}; names in `optional` may be unknown to this kernel."""
        def write():
            for name, value in values.items():
                path = Path("/proc/sys", name.replace(".", "/"))
                if not path.exists() and name in optional:
                    continue
                try:
                    path.write_text(str(value))
                except OSError as error:
                    raise LabError(f"this kernel does not take {name} = {value}"
                                   f" ({error.strerror})") from None
        self.inside(write)

    def _proc_net(self, name):
        # /proc/net of an open file is that of whoever opened it: one open, then a read a sample.
        if name not in self._files:
            self._files[name] = self.inside(os.open, f"/proc/thread-self/net/{name}", os.O_RDONLY)
        text, fd = b"", self._files[name]
        while chunk := os.pread(fd, 65536, len(text)):
            text += chunk
        return text.decode().splitlines()

    def tx_bytes(self):
        """{device: bytes sent}. A GSO packet counts its headers once."""
        rows = (line.split(":") for line in self._proc_net("dev")[2:])
        return {device.strip(): int(values.split()[8]) for device, values in rows}

    def netstat(self):
        """Counters of the namespace as nstat names them, such as MPTcpExtMPJoinAckRx."""
        return self._counters("netstat")

    def snmp(self):
        """The classical counters, such as TcpRetransSegs."""
        return self._counters("snmp")

    def _counters(self, name):
        lines = self._proc_net(name)
        return {names.split(":")[0] + name: int(value)
                for names, values in zip(lines[::2], lines[1::2])
                for name, value in zip(names.split()[1:], values.split()[1:])}

    def control(self):
        """The congestion control of new sockets."""
        path = "/proc/sys/net/ipv4/tcp_congestion_control"
        return self.inside(lambda: Path(path).read_text()).strip()

    def is_listening(self, port):
        """Whether a TCP or MPTCP socket of either family listens on this port."""
        rows = (line.split() for name in ("tcp", "tcp6") for line in self._proc_net(name)[1:])
        return any(row[3] == "0A" and int(row[1].split(":")[1], 16) == port for row in rows)

    def close(self):
        """Lets go: an open file inside would keep the namespace alive after its deletion."""
        while self._files:
            os.close(self._files.popitem()[1])
