# SPDX-License-Identifier: MIT
"""subflowd and subflow of a build directory, run for a lab on a control socket of its own."""
import json
import os
import socket
import subprocess
from pathlib import Path

from lab.netns import PATIENCE, LabError, wait_until


class Daemon:
    """One subflowd. Its files are in the lab's directory, its hooks at the lab's cgroup only."""

    def __init__(self, lab, build, config=None, name="subflowd", verbose=True, record=None):
        """config: {section: {key: value}}, over what a lab sets by itself. One name a daemon. record:
        the file that subflow-replay plays."""
        self.options = ["--verbose"] * verbose + (["--record", record] if record else [])
        self.lab = lab
        self.cli = build / "cli" / "subflow"
        self.binary = build / "daemon" / "subflowd"
        for path in (self.cli, self.binary):
            if not path.exists():
                raise LabError(f"{path} does not exist: run make first")
        self.socket = lab.directory / ("control" if name == "subflowd" else f"{name}.control")
        self.log = lab.directory / f"{name}.log"
        self.environment = {**os.environ, "SUBFLOW_SOCKET": str(self.socket)}
        self.process = None
        self._config = lab.directory / f"{name}.conf"
        sections = {"hooks": {"cgroup": lab.cgroup}, "control": {"socket": self.socket}}
        for section, values in (config or {}).items():
            sections.setdefault(section, {}).update(values)
        self._config.write_text("".join(
            f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())
            for section, values in sections.items()))

    def start(self, serve=(), within=None):
        """Starts it, in a namespace of its own if one is given, and returns when these namespaces
        are served."""
        with self.log.open("ab") as log:
            command = [self.binary, "--config", self._config]
            self.process = (within or self.lab).popen(command + self.options,
                                          stdout=log, stderr=log)
        names = {"own" if node is within else node.name for node in serve}

        def is_serving():
            self.check()
            if not self.socket.exists():  # no process is started in vain
                return False
            served = {entry["name"] for entry in self.status().get("namespaces", [])
                      if entry["state"] == "served"}
            return names <= served

        wait_until(is_serving, "subflowd serves " + ", ".join(sorted(names)))

    def stop(self):
        """Ends it in good order; what it changed is put back when this returns."""
        self.process.terminate()
        wait_until(lambda: self.process.poll() is not None, "subflowd ends")

    def cpu_s(self):
        """Seconds of CPU that it has used."""
        words = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def check(self):
        """LabError when it is no longer there."""
        if self.process.poll() is not None:
            raise LabError(f"subflowd ended by itself ({self.process.returncode}): {self.tail(1)}")

    def status(self):
        """What `subflow status --json` prints; {} when there is no answer."""
        try:
            answer = subprocess.run([self.cli, "status", "--json"], env=self.environment,
                                    capture_output=True, timeout=5 * PATIENCE)
            return json.loads(answer.stdout) if answer.returncode == 0 else {}
        except (subprocess.TimeoutExpired, ValueError):
            return {}

    def ask(self, timeout_s=5, line="status"):
        """What the control socket answers: no process for each question, for frequent ones."""
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(timeout_s)
                client.connect(str(self.socket))
                client.sendall(f"{line}\n".encode())
                return json.loads(b"".join(iter(lambda: client.recv(1 << 20), b"")))
        except (OSError, ValueError):
            return {}

    def run(self, node, command, **options):
        """`subflow run` of a command in a namespace: a Popen."""
        return node.popen([self.cli, "run", "--", *command], env=self.environment, **options)

    def tail(self, lines=12):
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
