# SPDX-License-Identifier: MIT
"""Pytest, and once more, alone, what failed: a busy or emulated machine delays a timer now and then.

What passes only then is said by name (tally.py). Nothing whose figures count is run so.
"""
# What takes longer waits for what does not come: the longest takes a quarter of it on a busy machine.
TIMEOUT_S = 300
# Of pytest: some tests failed, none of it was pytest's own fault.
TESTS_FAILED = 1


def second_of(report):
    """The JUnit file of the second run, beside that of the first."""
    return report.with_name(f"{report.stem}-again.xml")


def run_pytest(run, report, arguments, *, first=(), again=True, patience=1):
    """run(command, name of the run): its exit status. first: arguments for the first run only.

    patience: how many times slower than others this machine is.
    """
    second = second_of(report)
    for file in (report, second):
        file.unlink(missing_ok=True)
    command = ["/usr/bin/python3", "-m", "pytest", "-rs", *arguments,
               f"--timeout={TIMEOUT_S * patience}", "-o",
               f"cache_dir={report.with_suffix('.cache')}"]
    if run([*command, f"--junit-xml={report}", *first], report.stem) == TESTS_FAILED and again:
        run([*command, f"--junit-xml={second}", "--last-failed"], second.stem)
