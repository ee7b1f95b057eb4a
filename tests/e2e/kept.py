# SPDX-License-Identifier: MIT
"""What outlives a daemon, in a BPF file system of a test's own."""
import signal
import subprocess
from pathlib import Path

import pytest
from app import ADD

HOW = pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])


class Kept:
    """A BPF file system that nobody else sees, or none, and daemons that see no other."""

    def __init__(self, pair, is_there=True):
        self.pair = pair
        mount = "mount -t bpf -o mode=0700 bpf /sys/fs/bpf && " * is_there
        keeper = pair.popen(["unshare", "--mount", "sh", "-c",
                             f"umount -a -t bpf; {mount} echo ready && exec sleep infinity"],
                            stdout=subprocess.PIPE)
        assert keeper.stdout.readline() == b"ready\n"
        self.enter = ["nsenter", f"--mount=/proc/{keeper.pid}/ns/mnt", "--"]
        self.root = Path(f"/proc/{keeper.pid}/root/sys/fs/bpf")
        self.daemon = self.sink = None

    def start(self, **sections):
        self.daemon = self.pair.serve(sections, within=self)
        return self.daemon

    def connect(self, adds=0):
        """A daemon, a sink, and an application whose connection has got so many subflows more."""
        self.start()
        self.sink = self.pair.sink()
        app = self.pair.app(self.pair.client).connect(self.pair.far.ip4)
        if adds:
            app.set(ADD, adds)
            app.wait_subflows(1 + adds)
        return app

    def popen(self, command, **options):
        return self.pair.popen([*self.enter, *command], **options)

    def end(self, how):
        self.daemon.process.send_signal(how)
        self.daemon.process.wait(10)

    def again(self, how, **sections):
        self.end(how)
        return self.start(**sections)

    def maps(self):
        """What is kept: names without folders."""
        return sorted(path.name for path in self.root.glob("subflow/*/*"))

    def joins(self):
        return self.pair.client.netstat()["MPTcpExtMPJoinSynAckRx"]

    def is_clean(self):
        return not (self.root / "subflow").exists()
