# SPDX-License-Identifier: MIT
"""subflow-lab leaves the host's own network as it was: during a run, after it, and however it ended."""
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import labs
import pytest
from conftest import ROOT
from lab.lab import places
from lab.netns import wait_until

SHAPE = ["leaf-spine", "--spines", 2, "--leaves", 2, "--hosts", 1, "--rate", 20]


@pytest.fixture
def command(tmp_path):
    command = labs.Command(tmp_path)
    before = labs.host()
    yield command
    if command.note.exists():
        command("down")
    assert labs.changes(before, labs.host()) == {}


def wait_gone(prefix):
    wait_until(lambda: not labs.namespaces(prefix) and not labs.reapers(prefix), "all of it is gone", 30)
    assert not [path for path in (f"/tmp/{prefix.rstrip('-')}",) if os.path.exists(path)]


def begun(command):
    """The note of a lab that is being made, some of its namespaces there."""
    wait_until(command.note.exists, "it is begun", 30)
    note = json.loads(command.note.read_text())
    wait_until(lambda: len(labs.namespaces(note["prefix"])) > 1, "some namespaces", 30)
    return note


def test_a_lab_that_is_up_is_nowhere_on_the_host(command):
    before = labs.host()
    assert command("up", *SHAPE)[0] == 0
    assert labs.changes(before, labs.host()) == {}
    note = json.loads(command.note.read_text())
    assert command("shell", "host0", "ip", "link", "add", "mine", "type", "bridge")[0] == 0
    assert command("down")[0] == 0
    wait_gone(note["prefix"])


def test_a_run_is_nowhere_on_the_host(command):
    before = labs.host()
    process = command.start(*command.run("stride1", "--system", "subflow", "--seeds", 1, "--seconds", 1,
                                         "--busy"))
    assert process.stdout.readline().startswith("seed 1: ")
    assert labs.changes(before, labs.host()) == {}, "while traffic runs"
    _, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    wait_gone(f"sf{process.pid}-")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_up_that_is_interrupted_leaves_nothing(command, number):
    process = command.start("up", "fat-tree", "--rate", 20)
    note = begun(command)
    os.kill(process.pid, number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 128 + number and "\n" not in error.rstrip(), error
    assert not command.note.exists()
    wait_gone(note["prefix"])


def test_down_after_an_up_that_was_killed(command):
    """While it is made: its keeper goes on, or is killed as well, with and without its reaper."""
    for victims in ((), ("keeper",), ("keeper", "reaper")):
        process = command.start("up", "fat-tree", "--rate", 20)
        note = begun(command)
        process.kill()
        process.communicate()
        if "reaper" in victims:
            for pid in labs.reapers(note["prefix"]):
                os.kill(pid, signal.SIGKILL)
        if "keeper" in victims:
            os.kill(note["pid"], signal.SIGKILL)
        status, output, error = command("down")
        assert status == 0 and output.startswith("fat-tree k=4"), error
        wait_gone(note["prefix"])
        assert not command.note.exists()


def test_down_after_the_keeper_was_killed(command):
    assert command("up", *SHAPE)[0] == 0
    note = json.loads(command.note.read_text())
    os.kill(note["pid"], signal.SIGKILL)
    assert command("down")[0] == 0
    wait_gone(note["prefix"])


def is_building(process):
    return len(labs.namespaces(f"sf{process.pid}-")) > 1


def is_measuring(process):
    return process.stdout.readline().startswith("seed 1")


@pytest.mark.parametrize("phase", [is_building, is_measuring])
@pytest.mark.parametrize("signals", [[signal.SIGINT], [signal.SIGINT, signal.SIGINT], [signal.SIGTERM],
                                     [signal.SIGKILL]], ids=lambda s: "-".join(n.name for n in s))
def test_a_run_that_is_interrupted_leaves_nothing(command, phase, signals):
    """Twice: also while it takes its fabric down."""
    process = command.start(*command.hasty("stride1", "--system", "subflow", "--seeds", 1, "--busy"))
    wait_until(lambda: phase(process), phase.__name__, 60)
    for number in signals:
        os.kill(process.pid, number)
    _, error = process.communicate(timeout=60)
    assert process.returncode in (130, 143, -9) or len(signals) > 1
    wait_gone(f"sf{process.pid}-")


def test_down_after_a_run_that_was_killed_with_its_reaper(command):
    process = command.start(*command.hasty("stride1", "--system", "subflow", "--seeds", 1, "--busy"))
    assert process.stdout.readline().startswith("seed 1: ")
    prefix = f"sf{process.pid}-"
    for pid in labs.reapers(prefix):
        os.kill(pid, signal.SIGKILL)
    process.kill()
    process.communicate()
    assert labs.namespaces(prefix)
    status, output, error = command("down")
    assert status == 0 and "killed labs left: removed" in output, error
    wait_gone(prefix)


def test_down_where_nobody_waits_for_who_has_died(command):
    """Its parent is not told yet, as where the first process of a container waits for no children."""
    process = command.start(*command.hasty("stride1", "--system", "subflow", "--seeds", 1, "--busy"))
    assert process.stdout.readline().startswith("seed 1: ")
    prefix = f"sf{process.pid}-"
    assert command("down") == (1, "", "subflow-lab: no lab is up\n"), "it is a run's"
    for pid in labs.reapers(prefix):
        os.kill(pid, signal.SIGKILL)
    process.kill()
    wait_until(lambda: Path(f"/proc/{process.pid}/stat").read_text().split()[2] == "Z", "it is dead")
    status, output, error = command("down")
    process.communicate()
    assert status == 0 and "killed labs left: removed" in output, error
    wait_gone(prefix)


def test_down_where_a_pid_is_somebody_elses_by_now(command):
    other = subprocess.Popen(["sleep", "600"])
    cgroup, directory = places(f"sf{other.pid}-0-")
    try:
        directory.mkdir()
        assert command("down")[0] == 1, "it may be the one that has made it"
        os.utime(directory, (time.time() - 60,) * 2)
        status, output, error = command("down")
        assert status == 0 and "killed labs left: removed" in output, error
        assert not directory.exists() and not cgroup.exists()
    finally:
        other.kill()
        other.wait()


BEGUN = """
import signal
from lab.lab import Lab

class Begun(Lab):
    def build(self):
        print("begun", flush=True)
        signal.pause()

with Begun():
    pass
"""


def test_down_after_a_lab_was_killed_before_its_first_namespace(command):
    process = subprocess.Popen([sys.executable, "-c", BEGUN], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "begun\n"
    prefix = f"sf{process.pid}-0-"
    for pid in labs.reapers(prefix):
        os.kill(pid, signal.SIGKILL)
    process.kill()
    process.communicate()
    assert labs.namespaces(prefix) == [] and all(path.exists() for path in places(prefix))
    status, output, error = command("down")
    assert status == 0 and "killed labs left: removed" in output, error
    assert not [path for path in places(prefix) if path.exists()]
