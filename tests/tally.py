# SPDX-License-Identifier: MIT
"""Counts the tests of JUnit files, and says what failed."""
import os
import xml.etree.ElementTree as ElementTree


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.skips = []

    def add(self, report, name):
        """Counts what a JUnit file says; a file that is missing or empty is one failure."""
        try:
            cases = list(ElementTree.parse(report).iter("testcase"))
        except (OSError, ElementTree.ParseError):
            cases = []
        if not cases:
            self.fail(f"{name} ran no test")
        for case in cases:
            label = f"{case.get('classname', '')}::{case.get('name')}"
            kinds = {child.tag: child for child in case}
            wrong = kinds.get("failure", kinds.get("error"))
            if wrong is not None:
                message = (wrong.get("message") or "").splitlines()
                self.fail(": ".join([f"{name}: {label}", *message[:1]]))
            elif "skipped" in kinds:
                self.skipped += 1
                self.skips.append(f"{name}: {label}: {kinds['skipped'].get('message') or ''}")
            else:
                self.passed += 1

    def fail(self, what):
        print(f"FAILED {what}", flush=True)
        self.failed += 1

    def merge(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.skips += other.skips

    def finish(self):
        """Prints the closing lines and returns the exit status."""
        for skip in self.skips:
            print(f"SKIPPED {skip}")
        if os.environ.get("EXPECT_ALL") == "1" and self.skipped:
            print("EXPECT_ALL=1: each skipped test is a failure")
            self.failed, self.skipped = self.failed + self.skipped, 0
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)
        return 1 if self.failed or not self.passed else 0
