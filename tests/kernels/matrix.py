# SPDX-License-Identifier: MIT
"""Every suite on Debian's stock kernels, each in a guest; a table of suite x kernel."""
import concurrent.futures
import shutil
import subprocess
import time
from pathlib import Path

from kernels import guest, package
from kernels.inside import ARGUMENTS, LEFT_OUT, LONGEST_S, SUITES
from tally import Tally

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "build" / "kernels"
SERIES = ("6.1", "6.12")
CONSOLE_LINES = 30


def build():
    # The unit tests are built on request only, and there is no time for a compiler in a guest.
    for command in (["make", "--no-print-directory", "all"],
                    ["ninja", "-C", "build", "--quiet", "meson-test-prereq"]):
        if subprocess.run(command, cwd=ROOT).returncode:
            return False
    return True


def run_guest(series, kernel, suites, selection):
    """{suite: its Tally}.

    selection: arguments for pytest, to run one suite of these instead.
    """
    started = time.monotonic()
    words = selection or ["--suites", ",".join(suites)]
    # A selection may be all of them.
    deadline_s = sum(LONGEST_S.values() if selection else (LONGEST_S[suite] for suite in suites))
    suites = ("selection",) if selection else suites
    results, console = CACHE / series / "results", CACHE / series / "console.log"
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir()
    # A kernel's command line holds 32 words, and may be short.
    (results / ARGUMENTS).write_text("".join(f"{word}\n" for word in words))
    print(f"== {kernel.release}: console in {console.relative_to(ROOT)}", flush=True)
    try:
        guest.boot(kernel, ROOT, results, f"{ROOT}/tests/kernels/inside.py {results}", console,
                   deadline_s)
        if not all((results / f"{suite}.xml").exists() for suite in suites):
            raise package.KernelError("the guest ended before all suites had run")
    except package.KernelError as error:
        print(f"{kernel.release}: {error}; the end of its console:", flush=True)
        lines = console.read_text(errors="replace").splitlines() if console.exists() else []
        print("\n".join(lines[-CONSOLE_LINES:]), flush=True)
    tallies = {}
    for suite in suites:
        tallies[suite] = Tally()
        tallies[suite].add(results / f"{suite}.xml", f"{kernel.release}, {suite}")
    print(f"{kernel.release}: {time.monotonic() - started:.0f} s", flush=True)
    return tallies


def run_kernels(tally, all_series=SERIES, selection=(), suites=SUITES):
    """Adds the tests of these kernels to a Tally, and prints the table."""
    started = time.monotonic()
    rows, guests = [], {}
    if not build():
        tally.fail("build does not build")
        return
    # A guest waits more than it works: both fit on two cores.
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for series in all_series:
            try:
                kernel = package.fetch(series, CACHE)
            except package.KernelError as error:
                tally.fail(f"no kernel {series} to test on: {error}")
                rows.append(f"{series:24} -")
                continue
            guests[kernel.release] = pool.submit(run_guest, series, kernel, suites, selection)
        for release, guest_run in guests.items():
            for suite, counted in guest_run.result().items():
                tally.merge(counted)
                rows.append(f"{release:24} {suite:12} {counted.passed:7} {counted.failed:7}"
                            f" {counted.skipped:8} {len(counted.again):9}")
    print(f"\n{'kernel':24} {'suite':12} {'passed':>7} {'failed':>7} {'skipped':>8}"
          f" {'run twice':>9}")
    print("\n".join(rows))
    print(f"left out, as they are about the lab, or build anew, and need a fast machine: {', '.join(LEFT_OUT)}")
    print(f"kernels: in {time.monotonic() - started:.0f} s\n", flush=True)
