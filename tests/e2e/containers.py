# SPDX-License-Identifier: MIT
"""Network namespaces without a name, as those of containers, in a host of the lab."""
import os
import subprocess


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
