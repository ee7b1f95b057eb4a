# SPDX-License-Identifier: MIT
"""A /run/netns of a test's own, where the namespaces of the host are not, nor those of other tests."""
import subprocess

from conftest import BUILD
from lab.daemon import Daemon
from lab.netns import wait_until


class Names:
    """A mount namespace of a lab. A daemon started here sees no other names of namespaces."""

    def __init__(self, pair):
        self.pair = pair
        # Mounts that were only covered would still be taken away, and the daemon be told.
        keeper = pair.popen(["unshare", "--mount", "sh", "-c",
                             "umount --lazy --recursive /run/netns && "
                             "mount -t tmpfs none /run/netns && echo ready && exec sleep infinity"],
                            stdout=subprocess.PIPE)
        assert keeper.stdout.readline() == b"ready\n"
        self.enter = ["nsenter", f"--mount=/proc/{keeper.pid}/ns/mnt"]

    def run(self, *command):
        """A command's output."""
        return self.pair.run([*self.enter, "--", *command])

    def add(self, name):
        self.run("ip", "netns", "add", name)

    def delete(self, name):
        self.run("ip", "netns", "delete", name)

    def add_second(self, name, of):
        """Another name of a namespace that has one."""
        self.run("touch", f"/run/netns/{name}")
        self.run("mount", "--bind", f"/run/netns/{of}", f"/run/netns/{name}")

    def pm_type(self, name):
        return int(self.run("nsenter", f"--net=/run/netns/{name}", "cat",
                            "/proc/sys/net/mptcp/pm_type"))

    def start(self, serve, **sections):
        """A daemon in the client's network namespace, which is its own; returns when it answers."""
        daemon = Daemon(self.pair, BUILD, {"namespaces": {"serve": serve}, **sections})
        log = daemon.log.open("ab")
        daemon.process = self.pair.popen(
            [*self.enter, f"--net={self.pair.client.path}", "--", daemon.binary, "--config",
             self.pair.directory / "subflowd.conf"], stdout=log, stderr=log)
        wait_until(daemon.status, "subflowd answers")
        return daemon
