#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Builds everything and runs every test. The last line is `N passed, N failed, N skipped`.

A build that fails is a failed test. EXPECT_ALL=1 makes each skipped test a failure.
"""
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SANITIZE = ["-Db_sanitize=address,undefined"]
# directory, compiler, options of Meson, suites that run on it; `fuzz` takes FUZZ_SECONDS a fuzzer
BUILDS = [
    ("build", "gcc", [], ["source", "lab", "unit", "e2e"]),
    ("build-clang", "clang", [], ["fuzz"]),
    ("build-sanitize", "gcc", SANITIZE, ["unit", "e2e"]),
]
OF_MESON = {"unit", "fuzz"}


class Tally:
    passed = failed = skipped = 0
    skips = []

    def add(self, report, name):
        """Counts what a JUnit file says; a file that is missing or empty is one failure."""
        try:
            cases = list(ElementTree.parse(report).iter("testcase"))
        except (OSError, ElementTree.ParseError):
            cases = []
        if not cases:
            print(f"check: {name} ran no test", flush=True)
            self.failed += 1
        for case in cases:
            label = f"{case.get('classname', '')}::{case.get('name')}"
            kinds = {child.tag: child for child in case}
            if "failure" in kinds or "error" in kinds:
                self.failed += 1
                print(f"FAILED {name}: {label}", flush=True)
            elif "skipped" in kinds:
                self.skipped += 1
                self.skips.append(f"{name}: {label}: {kinds['skipped'].get('message') or ''}")
            else:
                self.passed += 1


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
    subprocess.run(["meson", "test", "-C", ROOT / directory, "--quiet", "--print-errorlogs",
                    "--suite", suite])
    tally.add(report, f"{directory}, {suite}")


def run_pytest(directory, suite, tally):
    report = ROOT / directory / f"{suite}.xml"
    report.unlink(missing_ok=True)
    subprocess.run(["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rs",
                    f"--junit-xml={report}", ROOT / "tests" / suite], cwd=ROOT,
                   env={**os.environ, "SUBFLOW_BUILD": str(ROOT / directory)})
    tally.add(report, f"{directory}, {suite}")


def main():
    tally, started = Tally(), time.monotonic()
    for directory, compiler, options, suites in BUILDS:
        print(f"== {directory}: {compiler} {' '.join(options)}", flush=True)
        if not build(directory, compiler, options):
            print(f"FAILED {directory} does not build", flush=True)
            tally.failed += 1
            continue
        tally.passed += 1
        for suite in suites:
            (run_meson if suite in OF_MESON else run_pytest)(directory, suite, tally)
    for skip in tally.skips:
        print(f"SKIPPED {skip}")
    if os.environ.get("EXPECT_ALL") == "1" and tally.skipped:
        print("EXPECT_ALL=1: each skipped test is a failure")
        tally.failed, tally.skipped = tally.failed + tally.skipped, 0
    print(f"in {time.monotonic() - started:.0f} s")
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped", flush=True)
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
