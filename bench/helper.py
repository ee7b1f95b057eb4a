# SPDX-License-Identifier: MIT
"""Processes that a benchmark talks to or looks at; not a benchmark by itself."""
import subprocess
import time
from pathlib import Path

import runner


class Helper:
    """A program in a namespace that answers a line with a line."""

    def __init__(self, node, *command):
        self.process = node.popen([str(word) for word in command], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)

    def __call__(self, line):
        print(line, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise runner.LabError(f"{self.process.args[4:]} has ended")
        return answer

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)


def inside(cgroup, *command):
    """The command, to be run in another cgroup than the lab's."""
    return ["sh", "-c", 'echo 0 >"$0" && exec "$@"', cgroup / "cgroup.procs", *command]


def family(pid):
    """The process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def packet_threads():
    """The kernel's threads that take what interrupts leave to do."""
    return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/comm")
            if name_of(path).startswith("ksoftirqd/")]


def name_of(path):
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def cpu_ns(*pids):
    """CPU that these processes have used, by the scheduler's own count."""
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids)


def own_s(*labs):
    """CPU that these labs, the kernel's threads for packets, and we ourselves have used; for runner.quiet_machine()."""
    stats = [dict(line.split() for line in (lab.cgroup / "cpu.stat").read_text().splitlines()) for lab in labs]
    return (sum(int(stat["usage_usec"]) for stat in stats) / 1e6 + cpu_ns(*packet_threads()) / 1e9
            + time.process_time())
