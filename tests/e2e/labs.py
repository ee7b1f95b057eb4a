# SPDX-License-Identifier: MIT
"""subflow-lab as a command, a small fabric, and what of this host both must leave as it was."""
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from conftest import BUILD, ROOT
from lab import fabric

SMALL = ["--topology", "leaf-spine", "--spines", 2, "--leaves", 2, "--hosts", 1, "--rate", 20]


class Command:
    """subflow-lab with a note and results of its own."""

    def __init__(self, directory):
        self.results = directory / "results.jsonl"
        self.environment = {**os.environ, "SUBFLOW_LAB_DIRECTORY": str(directory / "run"),
                            "SUBFLOW_BUILD": str(BUILD)}
        self.note = directory / "run" / "state.json"

    def start(self, *words, under=()):
        return subprocess.Popen([*map(str, under), ROOT / "lab" / "subflow-lab", *map(str, words)],
                                env=self.environment, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, start_new_session=True)

    def __call__(self, *words, under=()):
        """(exit status, output, error)."""
        process = self.start(*words, under=under)
        output, error = process.communicate(timeout=120)
        return process.returncode, output, error

    def run(self, *words):
        return "run", *words, *SMALL, "--results", self.results

    def hasty(self, *words):
        """The same where no subflow has to come about, and no rate is looked at."""
        return "--with", ROOT / "tests" / "e2e" / "hasty.py", *self.run(*words)

    def kept(self):
        text = self.results.read_text() if self.results.exists() else ""
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def breakable():
    with fabric.leaf_spine(2, 2, 1, rate_mbit=20, seed=4) as lab:
        yield lab


def namespaces(prefix):
    return [name for name in os.listdir("/run/netns") if name.startswith(prefix)]


def reapers(prefix):
    """Pids of the processes that take labs down."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_text()
        except OSError:
            continue
        if "reaper.py" in line and prefix in line:
            found.append(int(path.parent.name))
    return found


# They count, or tell of what others on this machine do.
RESTLESS = re.compile(r"_count$|/(ipv4|ipv6)/(neigh|conf)/[^/]*/(stable_secret|retrans)|random")


def settings():
    """{file: text} of the host's network sysctls."""
    found = {}
    for path in Path("/proc/sys/net").rglob("*"):
        if path.is_file() and not RESTLESS.search(str(path)):
            try:
                found[str(path)] = path.read_text()
            except OSError:  # not to be read, or gone
                continue
    return found


def told(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def host():
    """All that a lab could have changed here; other labs, which may come and go, left out."""
    cgroups = next(line.split()[1] for line in open("/proc/self/mounts") if line.split()[2] == "cgroup2")
    strangers = re.compile(r"sf\d+-\d+")
    trees = {"cgroups": cgroups, "pins": "/sys/fs/bpf"}
    found = {name: sorted(path for path, _, _ in os.walk(where) if not strangers.search(path))
             for name, where in trees.items()}
    for what in ("link", "address", "route show table all", "-6 route show table all", "rule", "-6 rule",
                 "neigh show nud permanent"):
        lines = told("ip", "-d", *what.split())
        found["ip " + what] = re.sub(r"(expires|valid_lft|preferred_lft) \S+", "", lines)
    found["qdiscs"] = told("tc", "qdisc", "show")
    found["nft"] = told("nft", "list", "ruleset")
    found["mounts"] = [line for line in open("/proc/self/mounts") if not strangers.search(line)]
    found["sysctls"] = settings()
    return found


def changes(before, after):
    """What differs, for people."""
    return {name: ([x for x in before[name] if x not in after[name]],
                   [x for x in after[name] if x not in before[name]])
            if isinstance(before[name], list) else (before[name], after[name])
            for name in before if before[name] != after[name]}
