# SPDX-License-Identifier: MIT
"""Network namespaces to try things in."""
import secrets
import subprocess


class Namespace:
    """A network namespace of its own, with only a loopback device."""

    def __init__(self):
        self.name = "sf-cli-" + secrets.token_hex(3)
        # Not `ip netns exec`, which hides the cgroup tree.
        self.enter = ["nsenter", f"--net=/run/netns/{self.name}"]

    def __enter__(self):
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        try:
            self.ip("link", "set", "lo", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        subprocess.run(["ip", "netns", "del", self.name], check=True)

    def ip(self, *arguments):
        return subprocess.run(["ip", "-n", self.name, *arguments], check=True,
                              capture_output=True, text=True).stdout

    def sysctl(self, setting):
        subprocess.run([*self.enter, "sysctl", "-qw", setting], check=True)

    def state(self):
        sysctls = subprocess.run([*self.enter, "sysctl", "net.mptcp"], check=True,
                                 capture_output=True, text=True).stdout
        return sysctls, self.ip("mptcp", "endpoint"), self.ip("mptcp", "limits"), \
            self.ip("-o", "address"), self.ip("-o", "rule")
