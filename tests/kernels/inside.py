#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs in the guest: suites, with a JUnit file of each in the directory of results.

usage: inside.py RESULTS --suites NAME,NAME...    or    inside.py RESULTS ARGUMENTS OF PYTEST
"""
import os
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
# What the options promise, and what applications have asked for while daemons come and go.
CONTRACT = ("test_options.py", "test_enable.py", "test_preload.py", "test_rfc6897*.py", "test_lists.py", "test_ndiffports.py",
            "test_restriction.py", "test_run.py", "test_outlive.py")
# What docs/rfc6897.md names of other files, which take too long under emulation.
CONTRACT_TESTS = tuple(f"test_{test}" for test in (
    "announce.py::test_a_download_is_announced_by_who_receives_it", "announce.py::test_an_announced_elephant_is_split_at_once",
    "announce.py::test_bulk_is_an_elephant_from_its_start", "announce.py::test_interactive_and_off_are_never_split",
    "elephant.py::test_defaults_are_those_of_the_paper", "elephant.py::test_a_mouse_is_left_alone",
    "join_race.py", "policy.py::test_an_address_that_goes_takes_its_subflows_with_it",
    "policy.py::test_announced_addresses_are_shown_but_not_used_without_fullmesh",
    "policy.py::test_fullmesh_leaves_from_every_interface", "policy.py::test_fullmesh_respects_an_explicit_bind",
    "policy.py::test_ndiffports_opens_them_from_the_start", "quiet.py::test_a_peer_that_reads_meanwhile_is_not_harmed",
    "run_programs.py::test_run_makes_sockets_mptcp"))
# What else the socket API rests on; the manual's programs take a compiler, which is slow there, and are among the rest.
CONFORMANCE = ("test_listener.py", "test_bursts.py", "test_backup.py", "test_announce.py", "test_states.py",
               "test_storage.py", "test_policy.py", "test_ports.py", "test_run_programs.py", "test_python.py",
               "test_examples.py", "test_fuzz_options.py", "test_flood.py")
# They are about the lab's emulation and measuring, or build the whole anew, of which an emulated machine has too little.
LEFT_OUT = ("test_benefit.py", "test_experiment.py", "test_extending.py", "test_fabric.py", "test_lab.py",
            "test_lab_failures.py", "test_lab_host.py", "test_lab_machine.py", "test_lab_programs.py",
            "test_lab_report.py", "test_lab_runs.py", "test_lab_troubles.py", "test_upgrade.py")
# On Debian, the limit of descriptors that a service or a login may raise its own to.
DESCRIPTORS = 524288


def suites():
    """{name: files} of the end-to-end tests."""
    contract, conformance = (sorted(file for pattern in patterns for file in E2E.glob(pattern))
                             for patterns in (CONTRACT, CONFORMANCE))
    demo = [E2E / "test_demo.py"]
    rest = set(E2E.glob("test_*.py")) - {*contract, *conformance, *demo}
    return {"contract": [*contract, *(E2E / test for test in CONTRACT_TESTS)], "demo": demo, "conformance": conformance,
            "e2e": sorted(file for file in rest if file.name not in LEFT_OUT)}


SUITES = ("unit", *suites())
# In s, what a suite may take in one of two guests on two cores that have other work: a guest that takes longer hangs.
LONGEST_S = {"unit": 600, "contract": 2700, "demo": 600, "conformance": 2700, "e2e": 7200}
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
    results, selection = Path(sys.argv[1]), sys.argv[2:]
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
