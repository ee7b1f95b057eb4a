# SPDX-License-Identifier: MIT
"""What outlives a daemon, in a BPF file system of a test's own."""
import signal
import subprocess
from pathlib import Path

import pytest
from app import ADD, packed
from lab.netns import PATIENCE

RULE = {"elephant": {"start": "1MB", "step": "1MB", "stop": "1000GB", "max_subflows": 4}}
# A slow machine has time for one of them: an end in good order has less to make up for, and tests besides.
HOW = pytest.mark.parametrize("how", [signal.SIGKILL] if PATIENCE > 1 else [signal.SIGTERM, signal.SIGKILL])


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
        self.daemon = self.sink = self.build = None

    def start(self, **sections):
        self.daemon = self.pair.serve(sections, within=self, build=self.build)
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

    def restrict(self):
        """An application on an elephant's way, which leaves from 10.0.1.3 only, twice."""
        self.pair.client.ip(f"address add 10.0.1.3/24 dev {self.pair.near.device}")
        self.start(**RULE)
        self.sink = self.pair.sink()
        app = self.pair.app(self.pair.client).open()
        app.set(ADD, packed("10.0.1.3"))
        app(f"s.connect(({self.pair.far.ip4!r}, 7000)); s.send(b'x')")
        app.set(ADD, packed("10.0.1.3"))
        app.wait_subflows(2)
        return app

    def popen(self, command, **options):
        return self.pair.popen([*self.enter, *command], **options)

    def end(self, how):
        self.daemon.process.send_signal(how)
        self.daemon.process.wait(10 * PATIENCE)

    def again(self, how, **sections):
        self.end(how)
        return self.start(**sections)

    def maps(self):
        """What is kept: names without folders."""
        return sorted(path.name for path in self.root.glob("subflow_*/*"))

    def joins(self):
        return self.pair.client.netstat()["MPTcpExtMPJoinSynAckRx"]

    def is_clean(self):
        return not list(self.root.glob("subflow_*"))
