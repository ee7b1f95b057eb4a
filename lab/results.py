# SPDX-License-Identifier: MIT
"""Results as JSON lines, one a run: kept as soon as they are there, and not measured twice."""
import json
import platform
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What makes two runs the same, beside the settings.
IDENTITY = ("workload", "system", "seed", "settings")


def commit():
    """The commit that is measured, with + when the tree differs from it; None outside git."""
    def git(*words):
        return subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True).stdout
    name = git("rev-parse", "--short=12", "HEAD").strip()
    return (name + ("+" if git("status", "--porcelain") else "")) or None


def versions():
    """What the figures depend on, and the commit of Subflow."""
    ip = subprocess.run(["ip", "-V"], capture_output=True, text=True).stdout
    return {"commit": commit(), "kernel": platform.release(), "python": platform.python_version(),
            "iproute2": ip.strip().rpartition("-")[2]}


def read(path):
    """All results of a file; a line that was cut off by a crash is left out."""
    found = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def valid(results):
    return [result for result in results if not result["discarded"]]


class Store:
    """A file of results that grows."""

    def __init__(self, path):
        self.path = path
        self._known = {self._name(result) for result in valid(read(path))}
        self._versions = versions()

    @staticmethod
    def _name(result):
        return json.dumps([result[key] for key in IDENTITY], sort_keys=True)

    def has(self, **identity):
        """Whether such a run is there and passed its gates."""
        return self._name(identity) in self._known

    def add(self, result):
        result = {**self._versions, **result}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = self.path.read_bytes() if self.path.exists() else b""
        with self.path.open("a") as file:
            # After a crash the last line may have no end.
            file.write(("\n" if text and not text.endswith(b"\n") else "")
                       + json.dumps(result) + "\n")
        if not result["discarded"]:
            self._known.add(self._name(result))
