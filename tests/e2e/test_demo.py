# SPDX-License-Identifier: MIT
"""The demo: its figures, and that nothing is left of it however it ends."""
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from conftest import BUILD, ROOT
from lab.lab import cgroup2_root
from lab.netns import wait_until

OUT = BUILD / "demo"
# Below 1 where the machine cannot forward 400 Mbit/s, as one that is emulated.
SCALE = float(os.environ.get("SUBFLOW_DEMO_SCALE", 1))


def start(**options):
    return subprocess.Popen(["/usr/bin/python3", "-m", "lab.demo", "--build", BUILD,
                             "--scale", str(SCALE)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


def traces(pid):
    """What a demo of this process leaves on the host while it runs."""
    prefix = f"sf{pid}-"
    names = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
    found = [f"namespace {name}" for name in names if name.startswith(prefix)]
    found += [str(path) for path in cgroup2_root().glob(prefix + "*")]
    found += [str(path) for path in Path("/tmp").glob(prefix + "*")]
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            if prefix in (proc / "cmdline").read_bytes().decode(errors="replace"):
                found.append(str(proc))
        except OSError:
            pass
    return found


def test_the_main_job():
    """A real iperf3, the real daemon, a fabric of four spines: the goal is met, once, on one run."""
    process = start()
    output, _ = process.communicate(timeout=180)
    assert process.returncode == 0, output
    summary = json.loads((OUT / "summary.json").read_text())
    assert summary["subflows"] == 4 and summary["repairs"] >= 0
    assert summary["distinct_paths"] == 4 == len(set(summary["subflow_paths"]))
    assert summary["ratio"] >= 0.85 * 4
    assert summary["ratio"] == pytest.approx(summary["after_mbps"] / summary["before_mbps"], 0.01)
    assert [step["subflows"] for step in summary["thresholds"]] == [2, 3, 4]
    for step, threshold in zip(summary["thresholds"], (100e6, 150e6, 200e6)):
        assert SCALE * threshold <= step["bytes"] < SCALE * threshold + 5e6
    assert (OUT / "throughput.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (OUT / "throughput.svg").read_text()
    rows = [line.split() for line in output.splitlines()]
    lines = [row for row in rows if len(row) == 8 and row[0].isdigit() and row[2].isdigit()]
    assert len(lines) > 10, "a live line a second"
    assert traces(process.pid) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_it_removes_all_that_it_made(how):
    process = start(start_new_session=True)
    for line in process.stdout:  # until data flows
        if line[:4].strip().isdigit():
            break
    assert traces(process.pid)
    os.killpg(process.pid, how)  # as the terminal does with Ctrl-C
    process.wait(30)
    wait_until(lambda: traces(process.pid) == [], "everything is removed", 20)
    process.stdout.close()
