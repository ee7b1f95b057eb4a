# SPDX-License-Identifier: MIT
"""A disk that is full: what is lost is said, and nothing else is."""
import json
import subprocess
from pathlib import Path

import pytest
from app import ADD, REMOVE
from conftest import BUILD
from lab.daemon import Daemon
from lab.netns import wait_until

SMALL = """
mount -t tmpfs -o size=256k none "$0" && exec "$@" 2>>"$0/log"
"""


@pytest.fixture(name="daemon")
def fixture_daemon(pair):
    """Its log and its recording are on a file system of 256 kB, `disk`, that it alone sees."""
    folder = pair.directory / "disk"
    folder.mkdir()
    daemon = Daemon(pair, BUILD, {"namespaces": {"serve": f"{pair.client.name} {pair.server.name}"},
                                  "benefit": {"margin_percent": 0}})
    daemon.process = pair.popen(
        ["unshare", "--mount", "sh", "-c", SMALL, folder, daemon.binary, "--verbose", "--config",
         pair.directory / "subflowd.conf", "--record", folder / "recording"])
    wait_until(lambda: len([n for n in daemon.status().get("namespaces", [])
                            if n["state"] == "served"]) == 2, "both are served")
    daemon.disk = Path(f"/proc/{daemon.process.pid}/root/{folder}")
    return daemon


def fill(path):
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(512))
        except OSError:
            return


def test_the_daemon_goes_on_and_says_what_was_lost(pair, daemon):
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app.set(ADD, 1)
    app.wait_subflows(2)
    assert counter(daemon, "log_lines_lost") == counter(daemon, "recording_lost") == 0
    assert doctor(daemon)["state"] == "ok"
    fill(daemon.disk / "fill")

    def is_lost():
        """Pages that were begun take some more."""
        app.set(ADD, 1)
        app.wait_subflows(3)
        app.set(REMOVE, 1)
        app.wait_subflows(2)
        return counter(daemon, "log_lines_lost") and counter(daemon, "recording_lost")

    wait_until(is_lost, "no room is left", 60)
    told = subprocess.run([daemon.cli, "status"], env=daemon.environment, capture_output=True,
                          text=True, check=True).stdout
    assert "recording_lost 1" in told and "log_lines_lost" in told
    found = doctor(daemon)
    assert found["state"] == "warn" and "make room" in found["remedy"], found
    assert found["detail"].endswith(" lines of its log could not be written"), found
    recording = pair.directory / "recording"
    recording.write_bytes((daemon.disk / "recording").read_bytes())
    assert recording.read_text().endswith("\nfull\n")
    played = subprocess.run([BUILD / "daemon" / "subflow-replay", recording], capture_output=True,
                            text=True)
    assert played.returncode == 0, played.stdout[-500:] + played.stderr
    assert played.stdout.endswith("0 differences; the recording was full, and the daemon went on\n")
    (daemon.disk / "fill").unlink()
    is_lost()
    said = (daemon.disk / "log").read_text()
    assert said.count("lines of this log could not be written\n") == 1
    daemon.stop()
    assert daemon.process.returncode == 0


def doctor(daemon):
    """What `subflow doctor` finds of the daemon."""
    run = subprocess.run([daemon.cli, "doctor", "--json"], env=daemon.environment, capture_output=True, text=True)
    return next(check for check in json.loads(run.stdout)["checks"] if check["check"] == "subflowd")


def counter(daemon, name):
    return daemon.status()["daemon"]["counters"][name]
