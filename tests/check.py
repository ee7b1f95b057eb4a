#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Builds everything and runs every test. The last line is `N passed, N failed, N skipped`.

A build that fails is a failed test. EXPECT_ALL=1 makes each skipped test a failure. With --kernels
the suites of the contract on Debian's stock kernels follow, and the last line is the sum.
"""
import os
import subprocess
import sys
import time
from pathlib import Path

from kernels.inside import CONTRACT
from kernels.matrix import run_kernels
from tally import Tally

ROOT = Path(__file__).resolve().parents[1]
SANITIZE = ["-Db_sanitize=address,undefined", "-Dc_args=-fno-sanitize-recover=undefined"]
# directory, compiler, options of Meson, suites that run on it; `fuzz` takes FUZZ_SECONDS a fuzzer
BUILDS = [
    ("build", "gcc", [], ["source", "lab", "unit", "e2e"]),
    ("build-clang", "clang", [], ["fuzz"]),
    ("build-sanitize", "gcc", SANITIZE, ["unit", "e2e"]),
]
OF_MESON = {"unit", "fuzz"}
# A fuzzer takes its time whatever it has of the processors.
FUZZERS_AT_ONCE = 4
# They are about the lab, which is not sanitized: once is enough.
ONCE = [f"tests/e2e/test_{name}.py" for name in ("demo", "experiment", "extending", "fabric", "lab")]


def build(directory, compiler, options):
    path = ROOT / directory
    if not (path / "build.ninja").exists():
        setup = subprocess.run(["meson", "setup", path, ROOT, *options],
                               env={**os.environ, "CC": compiler}, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
        if setup.returncode:
            print(setup.stdout)
            return False
    # Unit tests and fuzzers are built on request only; `test` below asks for them.
    return subprocess.run(["ninja", "-C", path, "--quiet"]).returncode == 0


def run_meson(directory, suite, tally):
    report = ROOT / directory / "meson-logs" / "testlog.junit.xml"
    report.unlink(missing_ok=True)
    at_once = ["--num-processes", str(FUZZERS_AT_ONCE)] if suite == "fuzz" else []
    subprocess.run(["meson", "test", "-C", ROOT / directory, "--quiet", "--print-errorlogs",
                    "--suite", suite, *at_once])
    tally.add(report, f"{directory}, {suite}")


def run_pytest(directory, suite, tally):
    report = ROOT / directory / f"{suite}.xml"
    report.unlink(missing_ok=True)
    left_out = [f"--ignore={ROOT / path}" for path in ONCE] if directory != "build" else []
    subprocess.run(["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rs",
                    f"--junit-xml={report}", *left_out, ROOT / "tests" / suite], cwd=ROOT,
                   env={**os.environ, "SUBFLOW_BUILD": str(ROOT / directory)})
    tally.add(report, f"{directory}, {suite}")


def main():
    tally, started = Tally(), time.monotonic()
    for directory, compiler, options, suites in BUILDS:
        print(f"== {directory}: {compiler} {' '.join(options)}", flush=True)
        if not build(directory, compiler, options):
            tally.fail(f"{directory} does not build")
            continue
        tally.passed += 1
        for suite in suites:
            (run_meson if suite in OF_MESON else run_pytest)(directory, suite, tally)
    if "--kernels" in sys.argv[1:]:
        run_kernels(tally, suites=CONTRACT)
    print(f"in {time.monotonic() - started:.0f} s")
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main())
