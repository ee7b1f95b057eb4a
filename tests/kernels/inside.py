#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs in the guest: suites, with a JUnit file of each in the directory of results.

usage: inside.py RESULTS

A file there holds, a line each: --suites and their NAME,NAME..., or arguments of pytest.
"""
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import twice  # noqa: E402

BUILD = ROOT / "build"
E2E = ROOT / "tests" / "e2e"
# Emulated, a guest is some ten times slower than what the deadlines in tests are made for.
PATIENCE = "6"
DEMO_SCALE = "0.2"
# What the options promise, and each errno of theirs, besides what docs/rfc6897.md names.
CONTRACT = ("test_options.py", "test_lists.py", "test_restriction.py", "test_ndiffports.py")
PAGE = ROOT / "docs" / "rfc6897.md"
# Of what it names: a fabric at its full rate and its deadlines are too much for an emulated machine.
TOO_MUCH = ("test_repair.py",)
# The rest of these files, and what else the socket API rests on; the manual's programs take a compiler, which is slow
# there, and are among the rest.
CONFORMANCE = ("test_enable.py", "test_preload.py", "test_rfc6897*.py", "test_run.py", "test_outlive.py",
               "test_listener.py", "test_bursts.py",
               "test_backup.py", "test_announce.py", "test_states.py", "test_storage.py", "test_policy.py",
               "test_ports.py", "test_run_programs.py", "test_python.py", "test_examples.py", "test_fuzz_options.py",
               "test_flood.py", "test_flood_latency.py")
# They are about the lab's emulation and measuring, or build the whole anew, of which an emulated machine has too little.
LEFT_OUT = ("test_bench.py", "test_benefit.py", "test_experiment.py", "test_extending.py", "test_fabric.py", "test_lab.py",
            "test_lab_failures.py", "test_lab_host.py", "test_lab_machine.py", "test_lab_programs.py",
            "test_lab_report.py", "test_lab_runs.py", "test_lab_troubles.py", "test_upgrade.py")
# The name of that file.
ARGUMENTS = "arguments"
# On Debian, the limit of descriptors that a service or a login may raise its own to.
DESCRIPTORS = 524288


def promised():
    """The end-to-end tests that docs/rfc6897.md names, as pytest does."""
    return sorted(set(re.findall(r"`(tests/e2e/[^`]+::\w+)`", PAGE.read_text())))


def suites():
    """{name: arguments of pytest} of the end-to-end tests."""
    contract, conformance = (sorted(file for pattern in patterns for file in E2E.glob(pattern))
                             for patterns in (CONTRACT, CONFORMANCE))
    demo = [E2E / "test_demo.py"]
    rest = set(E2E.glob("test_*.py")) - {*contract, *conformance, *demo}
    elsewhere = {*CONTRACT, *TOO_MUCH, *(file.name for file in demo)}
    named = [test for test in promised() if Path(test.split("::")[0]).name not in elsewhere]
    once = [f"--deselect={test}" for test in named]
    return {"contract": [*contract, *named], "demo": demo, "conformance": [*conformance, *once],
            "e2e": [*sorted(file for file in rest if file.name not in LEFT_OUT), *once]}


SUITES = ("unit", *suites())
# In s, what a suite may take in one of two guests on two cores that have other work: a guest that takes longer hangs.
LONGEST_S = {"unit": 600, "contract": 2400, "demo": 600, "conformance": 5400, "e2e": 21600}
# What the old kernels must do whatever else, in the time that CI has: the contract of the options, and the main job.
EVERY_TIME = ("unit", "contract", "demo")


def run(command, output):
    """Runs a command; what it prints goes to a file and to the console. Its exit status."""
    print("==", output.name, flush=True)
    environment = {**os.environ, "SUBFLOW_BUILD": str(BUILD), "SUBFLOW_PATIENCE": PATIENCE,
                   "SUBFLOW_DEMO_SCALE": DEMO_SCALE}
    with output.open("w") as file, subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace") as process:
        for line in process.stdout:
            file.write(line)
            file.flush()
            print(line, end="", flush=True)
    return process.returncode


def main():
    results = Path(sys.argv[1])
    selection = (results / ARGUMENTS).read_text().splitlines()
    if selection[:1] == ["--suites"]:
        wanted, selection = selection[1].split(","), []
    else:
        wanted = ["selection"]
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, DESCRIPTORS))
    run([BUILD / "cli" / "subflow", "doctor"], results / "doctor.txt")
    if "unit" in wanted:
        run(["meson", "test", "-C", BUILD, "--no-rebuild", "--print-errorlogs", "--suite", "unit",
             "--no-suite", "pure", "--timeout-multiplier", PATIENCE], results / "unit.txt")
        shutil.copy(BUILD / "meson-logs" / "testlog.junit.xml", results / "unit.xml")
    for name, files in {**suites(), "selection": selection}.items():
        if name in wanted:
            twice.run_pytest(lambda command, run_name: run(command, results / f"{run_name}.txt"),
                             results / f"{name}.xml", ["-v", "--durations=10", *files],
                             patience=int(PATIENCE))


if __name__ == "__main__":
    main()
