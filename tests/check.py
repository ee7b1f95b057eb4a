#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Builds everything and runs every test. The last line is `N passed, N failed, N skipped`.

A build that fails is a failed test. EXPECT_ALL=1 makes each skipped test a failure. With --all the
end-to-end tests run a second time, with sanitizers, the suites of the contract on Debian's stock
kernels follow, and the last line is the sum.
"""
import concurrent.futures
import os
import subprocess
import sys
import time
from pathlib import Path

import twice
from kernels.inside import EVERY_TIME
from kernels.matrix import run_kernels
from tally import Tally

ROOT = Path(__file__).resolve().parents[1]
SANITIZE = ["-Db_sanitize=address,undefined", "-Dc_args=-fno-sanitize-recover=undefined"]
# directory, compiler, options of Meson, suites that run on it, and those that do with --all besides
BUILDS = [
    ("build", "gcc", [], ["source", "unit", "demo", "alone", "lab", "e2e"], []),
    ("build-clang", "clang", [], ["fuzz"], []),
    ("build-sanitize", "gcc", SANITIZE, ["unit"], ["e2e"]),
]
OF_MESON = {"unit", "fuzz"}
# In two rounds: a fuzzer takes FUZZ_SECONDS whatever it has of the processors. On two cores the slowest, of the
# configuration, tries some ten thousand inputs meanwhile, and most of them a hundred thousand and more.
FUZZERS_AT_ONCE = (len(list((ROOT / "tests" / "fuzz").glob("fuzz_*.c"))) + 1) // 2
E2E = ROOT / "tests" / "e2e"


def e2e(*names):
    return [E2E / f"test_{name}.py" for name in names]


DEMO = e2e("demo")
# The figures and the host's own state are what they look at: nothing else may run meanwhile.
ALONE = e2e("lab_report", "benefit", "brake", "lab_host", "flood_latency", "short_flight")
# They emulate fabrics of the lab, which is not sanitized.
FABRICS = e2e("lab", "experiment", "lab_failures", "extending", "fabric", "lab_programs", "lab_runs")
# What takes longest begins first: nobody waits for a single file in the end.
LONGEST = e2e("bench", "restart", "outlive", "detect", "announce", "daemon", "vanishing", "upgrade")
OTHERS = sorted(set(E2E.glob("test_*.py")) - {*DEMO, *ALONE, *FABRICS, *LONGEST})
FILES = {"source": [ROOT / "tests" / "source"], "lab": [ROOT / "tests" / "lab", *FABRICS],
         "alone": ALONE, "demo": DEMO, "e2e": [*LONGEST, *OTHERS]}
# What a sanitizer adds nothing to, what its own system calls would be killed for, the unit's filter, and what it
# keeps itself: memory that was given back.
UNSANITIZED = e2e("bench", "unit", "memory")
# Most of their time they wait: more of them than there are processors.
AT_ONCE = {"source": ["-n", "2"], "lab": ["-n", "2", "--dist", "loadfile"],
           "e2e": ["-n", "4", "--dist", "loadfile"]}
# While these tests wait the other builds are made, by whatever the processors have left.
BESIDE, LAST = "e2e", ("nice", "-n", "19")
# What goes wrong now and then, does so without sanitizers as well.
SANITIZED_ROUNDS = "8"


def build(directory, compiler, options, first=()):
    """Whether it builds. first: words before each command."""
    path = ROOT / directory
    if not (path / "build.ninja").exists():
        setup = subprocess.run([*first, "meson", "setup", path, ROOT, *options],
                               env={**os.environ, "CC": compiler}, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
        if setup.returncode:
            print(setup.stdout)
            return False
    # Unit tests and fuzzers are built on request only; `test` below asks for them.
    return subprocess.run([*first, "ninja", "-C", path, "--quiet"]).returncode == 0


def run_meson(directory, suite, tally):
    report = ROOT / directory / "meson-logs" / "testlog.junit.xml"
    report.unlink(missing_ok=True)
    at_once = ["--num-processes", str(FUZZERS_AT_ONCE)] if suite == "fuzz" else []
    subprocess.run(["meson", "test", "-C", ROOT / directory, "--quiet", "--print-errorlogs",
                    "--suite", suite, *at_once])
    tally.add(report, f"{directory}, {suite}")


def run_pytest(directory, suite, tally):
    report = ROOT / directory / f"{suite}.xml"
    environment, files = {**os.environ, "SUBFLOW_BUILD": str(ROOT / directory)}, FILES[suite]

    def run(command, _):
        return subprocess.run(command, cwd=ROOT, env=environment).returncode

    if directory == "build-sanitize":
        environment["SUBFLOW_ROUNDS"] = SANITIZED_ROUNDS
        files = [file for file in files if file not in UNSANITIZED]
    twice.run_pytest(run, report, ["-q", *files], first=AT_ONCE.get(suite, ()),
                     again=suite in ("alone", "lab", "e2e"))
    tally.add(report, f"{directory}, {suite}")


def traces():
    """What labs and daemons may leave on the machine: namespaces, cgroups, maps with names."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    places = [("/run/netns", "sf*"), *((where, "sf*") for _, where, kind, *_ in mounts if kind == "cgroup2"),
              *((where, "subflow_*") for _, where, kind, *_ in mounts if kind == "bpf")]
    return {str(path) for where, names in places for path in Path(where).glob(names)}


def main():
    if os.geteuid():
        print("make check: not root, and tests make network namespaces and load BPF programs: sudo make check",
              file=sys.stderr)
        return 1
    tally, started, before = Tally(), time.monotonic(), traces()
    is_all = "--all" in sys.argv[1:]
    beside, built = concurrent.futures.ThreadPoolExecutor(1), {}
    for directory, compiler, options, suites, besides in BUILDS:
        print(f"== {directory}: {compiler} {' '.join(options)}", flush=True)
        if not (built[directory].result() if built else build(directory, compiler, options)):
            tally.fail(f"{directory} does not build")
            continue
        tally.passed += 1
        for suite in [*suites, *(besides if is_all else [])]:
            begun = time.monotonic()
            if suite == BESIDE and not built:
                built = {name: beside.submit(build, name, *how, first=LAST) for name, *how, _, _ in BUILDS[1:]}
            (run_meson if suite in OF_MESON else run_pytest)(directory, suite, tally)
            print(f"{directory}, {suite}: {time.monotonic() - begun:.0f} s", flush=True)
    if is_all:
        run_kernels(tally, suites=EVERY_TIME)
    for path in sorted(traces() - before):
        tally.fail(f"{path} was left behind")
    print(f"in {time.monotonic() - started:.0f} s")
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main())
