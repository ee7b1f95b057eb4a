# SPDX-License-Identifier: MIT
"""What a benchmark leaves in JSON: the rounds that are done, as soon as they are, and whether they count.

FILE is written when all rounds are done. Until then FILE.part has those that are, so that an
interruption loses one round and --resume goes on with the others. What does not count stays in
FILE.part where FILE has what does.
"""
import json
import os
import platform
import time
from pathlib import Path

from lab.netns import LabError
from lab.results import benchmark, commit

RESULTS = Path(__file__).resolve().with_name("results")
# Fewer rounds than these say nothing of a median and a worst case.
ROUNDS_MIN = 5
# What makes rounds of two runs alike.
IDENTITY = ("bench", "quick", "options", "commit", "kernel", "cpus")


def part_of(path):
    return path.with_name(path.name + ".part")


def begin(name, is_quick, options=()):
    """options: {name: value} of those of the command itself that are not as they are by default."""
    return {"bench": name, "quick": is_quick, "options": dict(options), "busy": False, "commit": commit(),
            "kernel": platform.release(), "cpus": os.cpu_count(), "started": round(time.time()),
            "seconds": 0, "incomplete": True, "next": 0, "discarded": [], "rounds": []}


def resume(path, fresh):
    """The run that was interrupted, or the fresh one if there is none; LabError if they differ."""
    if not (path and part_of(path).exists()):
        return fresh
    old = benchmark(part_of(path), {*IDENTITY, "rounds", "incomplete"})
    if not old["incomplete"]:  # done, and does not count
        return fresh
    for key in IDENTITY:
        if old[key] != fresh[key]:
            raise LabError(f"{part_of(path)} is of {key} {old[key]} and not {fresh[key]}: it is not gone"
                           " on with; remove it, or leave out --resume")
    return old


def write(path, data):
    """Whole or not at all: a reader sees the old file or the new one."""
    if not path:
        return
    part = part_of(path)
    fresh = part.with_name(part.name + ".new")
    fresh.write_text(json.dumps(data, indent=1) + "\n")
    fresh.replace(part)
    if not data["incomplete"] and data["rounds"] and (counts(data) or not counts(whole(path))):
        part.replace(path)


def doubts(data):
    """Why what was measured does not count; [] if it does."""
    number = len(data["rounds"])
    return [why for why, is_so in (
        *((f"--{name} {value}", True) for name, value in data.get("options", {}).items()),
        ("--quick", data["quick"]), ("busy machine", data["busy"]),
        ("interrupted", data.get("incomplete")),
        (f"{number} round{'s' * (number != 1)} only", number < ROUNDS_MIN)) if is_so]


def counts(data):
    return bool(data and data["rounds"]) and not doubts(data)


def whole(path):
    """What FILE has, or None."""
    try:
        return benchmark(path, {"rounds", "quick", "busy"})
    except LabError:
        return None


def is_done(path, fresh):
    """Whether there is nothing to go on with: FILE is of the same, and counts, and nothing was begun since."""
    old = None if part_of(path).exists() else whole(path)
    return counts(old) and all(old.get(key) == fresh[key] for key in IDENTITY)


def read(directory):
    """{name of the command: what it left}: whole, or else what an interrupted run left."""
    found = {}
    for path in [*directory.glob("*.json.part"), *directory.glob("*.json")]:
        data = benchmark(path)
        if data["rounds"]:
            found[data["bench"]] = data
    return dict(sorted(found.items()))
