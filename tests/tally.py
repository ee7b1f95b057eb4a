# SPDX-License-Identifier: MIT
"""Counts the tests of JUnit files, and says what failed."""
import os
import xml.etree.ElementTree as ElementTree

from twice import second_of


TEXT_LINES = 25


def read_cases(report):
    try:
        return list(ElementTree.parse(report).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return []


def label_of(case):
    return f"{case.get('classname', '')}::{case.get('name')}"


def wrong_of(case):
    """The element that says why it did not pass, or None."""
    return next((child for child in case if child.tag in ("failure", "error")), None)


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []
        self.skips = []
        self.again = []

    def add(self, report, name):
        """Counts what a JUnit file says; a file that is missing or empty is one failure.

        What passed at the second run, if there is its file, has passed, and is named.
        """
        cases = read_cases(report)
        passed_again = {label_of(case) for case in read_cases(second_of(report))
                        if wrong_of(case) is None}
        if not cases:
            self.fail(f"{name} ran no test")
        for case in cases:
            label = label_of(case)
            kinds = {child.tag: child for child in case}
            wrong = wrong_of(case)
            if wrong is not None:
                message = (wrong.get("message") or "").splitlines()
                what = ": ".join([f"{name}: {label}", *message[:1]])
                if label in passed_again:
                    self.passed += 1
                    self.again.append(what)
                else:
                    self.fail(what, wrong.text or "")
            elif "skipped" in kinds:
                self.skipped += 1
                self.skips.append(f"{name}: {label}: {kinds['skipped'].get('message') or ''}")
            else:
                self.passed += 1

    def fail(self, what, text=""):
        """text: how it came to that; its end is printed with the closing lines."""
        print(f"FAILED {what}", flush=True)
        self.failed += 1
        self.failures.append((what, text.splitlines()[-TEXT_LINES:]))

    def merge(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures += other.failures
        self.skips += other.skips
        self.again += other.again

    def finish(self):
        """Prints the closing lines and returns the exit status.

        What failed stands last: of a long log the end is what people see.
        """
        for what in self.again:
            print(f"PASSED AT THE SECOND RUN {what}")
        for skip in self.skips:
            print(f"SKIPPED {skip}")
        for what, text in self.failures:
            print("\n".join([f"FAILED {what}", *(f"    {line}" for line in text)]))
        if os.environ.get("EXPECT_ALL") == "1" and self.skipped:
            print("EXPECT_ALL=1: each skipped test is a failure")
            self.failed, self.skipped = self.failed + self.skipped, 0
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)
        return 1 if self.failed or not self.passed else 0
