# SPDX-License-Identifier: MIT
"""A systemd of a test's own: first process in namespaces of its own, with our unit as it is shipped."""
import json
import subprocess
from pathlib import Path

from conftest import BUILD
from lab.netns import wait_until

SYSTEMD = Path("/lib/systemd/systemd")
UNIT = BUILD / "dist" / "subflowd.service"

# What is the machine's is covered (unshare has cut the mounts off). Mounts reach services, as on a host. Each target is one that the unit, or every unit, is tied to.
BEGIN = r"""
set -e
mount --make-rshared /
umount --recursive /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mount -t bpf -o mode=700 bpf /sys/fs/bpf
for folder in /run /usr/lib/systemd/system /usr/lib/systemd/system-generators /etc/systemd/system; do
    mount -t tmpfs -o mode=755 none $folder
done
units=/run/systemd/system
mkdir -p $units/subflowd.service.d
for target in sysinit basic shutdown umount final network-pre network multi-user; do
    printf '[Unit]\nDefaultDependencies=no\n' >$units/$target.target
done
cp "$1" $units/subflowd.service
cp "$2" $units/subflowd.service.d/test.conf
exec env -i container=test PATH="$PATH" "$3" --unit=basic.target --log-target=console --log-level=notice \
    --show-status=no
"""


class Manager:
    """In the network namespace of a node. The daemon's own namespace is the node's."""

    def __init__(self, lab, node, config, lines=()):
        """config: that of the daemon. lines: what else the unit is to have in [Service]."""
        self.lab, self.node = lab, node
        self.log = lab.directory / "subflowd.log"
        self.config = lab.directory / "unit.conf"
        self.config.write_text(config)
        extra = lab.directory / "test.conf"
        # Where a checkout and a lab are, the unit hides everything.
        extra.write_text("\n".join([
            "[Service]", "ExecStart=",
            f"ExecStart={BUILD / 'daemon' / 'subflowd'} --verbose --config {self.config}",
            f"BindReadOnlyPaths={BUILD} {lab.directory}",
            f"StandardOutput=append:{self.log}", f"StandardError=append:{self.log}", *lines, ""]))
        self._script = ["sh", "-c", BEGIN, "sh", UNIT, extra, SYSTEMD]
        self._process = None

    def __enter__(self):
        output = open(self.lab.directory / "systemd.log", "ab")
        self._process = self.node.popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--cgroup", "--ipc", "--uts",
             "--mount-proc", *self._script], stdout=output, stderr=output)
        wait_until(lambda: self._ctl("is-system-running").stdout.strip() in ("running", "degraded"),
                   "systemd runs", 30)
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    @property
    def pid(self):
        """Of systemd, outside."""
        path = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return int(wait_until(lambda: path.read_text().split(), "the first process")[0])

    def call(self, command):
        return subprocess.run(
            ["nsenter", "--target", str(self.pid), "--mount", "--pid", "--cgroup", "--net", "--",
             *map(str, command)], capture_output=True, text=True, timeout=60)

    def _ctl(self, *words):
        return self.call(["systemctl", *words])

    def systemctl(self, *words):
        done = self._ctl(*words)
        assert done.returncode == 0, done.stderr

    def show(self, name):
        """A property of the unit."""
        return self._ctl("show", "--value", f"--property={name}", "subflowd").stdout.strip()

    def is_served(self, name):
        return any(entry["name"] == name and entry["state"] == "served"
                   for entry in self.status().get("namespaces", []))

    def status(self):
        answer = self.call([BUILD / "cli" / "subflow", "status", "--json"])
        return json.loads(answer.stdout) if answer.returncode == 0 else {}
