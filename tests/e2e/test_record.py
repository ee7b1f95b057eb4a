# SPDX-License-Identifier: MIT
"""What subflowd has heard and decided, written down, and played again by a user without privilege."""
import os
import re
import stat
import subprocess

import pytest
from app import ADD, NOBODY, REMOVE, App
from conftest import BUILD
from lab.daemon import Daemon
from lab.fabric import leaf_spine
from lab.netns import wait_until

MB = 1000000
REPLAY = BUILD / "daemon" / "subflow-replay"


def replay(*words):
    return subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                           REPLAY, *words], capture_output=True, text=True)


def readable(path):
    """For the one who replays it: the recording itself is its owner's."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    return path


def recorded(pair, config=None, serve=None):
    nodes = serve or [pair.client, pair.server]
    pair.directory.chmod(0o755)
    daemon = Daemon(pair, BUILD, {"namespaces": {"serve": " ".join(node.name for node in nodes)},
                                  **(config or {})}, record=pair.directory / "recording")
    daemon.start(nodes)
    return daemon, pair.directory / "recording"


@pytest.mark.parametrize("mode", ["paths", "random", "kernel"])
def test_an_elephant_is_decided_again_in_every_way_of_placing_it(mode):
    with leaf_spine(4) as fabric:
        hosts = [fabric.host(0), fabric.host(1)]
        fabric.directory.chmod(0o755)
        path = fabric.directory / "recording"
        daemon = Daemon(fabric, BUILD, {
            "namespaces": {"serve": " ".join(host.name for host in hosts)},
            # Whether ports by lot share a path is chance: none has to prove itself.
            "benefit": {"margin_percent": 0}, "placement": {"mode": mode}, "repair": {"rto_min_ms": 0},
            "elephant": {"start": "4MB", "step": "2MB", "stop": "20MB"}}, record=path)
        daemon.start(hosts)
        sink = App(hosts[1])
        sink.sink(7000)
        app = App(hosts[0]).connect(hosts[1].ip4, 7000)
        app(f"send(s, {24 * MB})")
        app.wait_subflows(4)
        ports = {local[1] for local, _ in app.subflows()}
        daemon.stop()
        played = replay(readable(path))
    assert played.returncode == 0, played.stdout + played.stderr
    assert played.stdout.endswith(" decisions, 0 differences\n")
    creates = re.findall(r"^  +[\d.]+ CREATE .* local=([\d.]+):(\d+) .*\((.*)\)$", played.stdout, re.M)
    assert len(creates) == 3
    if mode != "kernel":
        assert len(ports - {int(port) for _, port, _ in creates}) == 1, "all but the first"


def test_requests_rules_and_orders_are_decided_again(pair):
    daemon, path = recorded(pair, {"rule mine": {"uid": "root", "start": "1MB", "max_subflows": 3},
                                   "policy": {"fullmesh": "yes"}})
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app("s.send(b'x')")
    app.set(ADD, 2)
    app.wait_subflows(3)
    token = f"{pair.client.name}/{app.connid():08x}"
    for words in (("add", token, "2"), ("remove", token, "1"), ("set", "elephant.step", "3MB")):
        subprocess.run([daemon.cli, *words], env=daemon.environment, check=True, capture_output=True)
    app.wait_subflows(4)
    app(f"send(s, {4 * MB})")
    pair.client.ip(f"link set {pair.near.device} down")
    daemon.stop()
    text = path.read_text()
    for word in ("rules count=1", "rule name=mine", "hear OWNER", "hear INTENT", "add ", "remove ",
                 "addresses ", "settings start=100000000 step=3000000"):
        assert f"\n{word}" in text, word
    played = replay(readable(path))
    assert played.returncode == 0, played.stdout + played.stderr


def test_a_daemon_that_is_killed_leaves_what_can_be_played(pair):
    """And what the next one takes up can be too; the earlier recording is kept."""
    daemon, path = recorded(pair)
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app.set(ADD, 2)
    app.wait_subflows(3)
    daemon.process.kill()
    daemon.process.wait()
    assert replay(readable(path)).returncode == 0
    daemon.start([pair.client, pair.server])
    wait_until(lambda: daemon.status()["daemon"]["counters"]["adopted"] >= 2, "both ends are taken up")
    daemon.stop()
    assert (pair.directory / "recording.old").exists()
    played = replay(readable(path))
    assert played.returncode == 0 and "CLAIM" in played.stdout, played.stdout + played.stderr


def test_a_recording_is_bounded(pair):
    daemon, path = recorded(pair)
    daemon.stop()
    daemon.options += ["--record-limit", "1"]
    daemon.start([pair.client, pair.server])
    pair.sink()
    for _ in range(20):
        if "is full at 1 MB" in daemon.log.read_text():
            break
        app = pair.app(pair.client).connect(pair.far.ip4)
        app("s.setblocking(True)")
        for _ in range(40):
            app.set(ADD, 7)
            app.wait_subflows(8)
            app.set(REMOVE, 7)
            app.wait_subflows(1)
        app.close()
    assert "is full at 1 MB" in daemon.log.read_text()
    assert 0.9 * MB < path.stat().st_size <= MB and path.read_text().endswith("\nfull\n")
    daemon.stop()
    played = replay("--quiet", readable(path))
    assert played.returncode == 0 and "the recording was full" in played.stdout, played.stderr


def test_what_cannot_be_recorded_is_said_at_the_start(tmp_path):
    daemon = BUILD / "daemon" / "subflowd"
    for words, status, text in (
            (["--record", "/proc/nothing"], 1, "--record /proc/nothing: No such file or directory"),
            (["--record", tmp_path], 1, f"--record {tmp_path}: it is there, and is no file"),
            (["--record-limit", "none"], 2, "--record-limit takes a number of MB")):
        done = subprocess.run([daemon, *words], capture_output=True, text=True, timeout=30)
        assert done.returncode == status and text in done.stderr, done.stderr


@pytest.mark.parametrize("text, status, said", [
    ("", 3, "line 1: the settings are missing"),
    ("hear CLOSED\n", 3, "line 1: this is no recording"),
    ("subflow-recording 1 of x\nsettings step=1\ntick at=x\n", 3, 'line 3: at cannot be "x"'),
    ("subflow-recording 1 of x\nsettings step=1\ndo FORGET netns=1 token=1\n", 1,
     "line 3: now is decided: nothing"),
    ("subflow-recording 1 of x\nsettings step=1\nrest\ntick at=", 0, "the last line has no end"),
])
def test_what_is_wrong_is_said_by_its_line(tmp_path, text, status, said):
    path = tmp_path / "recording"
    path.write_text(text)
    for parent in (tmp_path, *tmp_path.parents):
        os.chmod(parent, parent.stat().st_mode | 0o055)
        if parent.name.startswith("pytest-of"):
            break
    played = replay(path)
    assert played.returncode == status and said in played.stderr, played.stderr
