# SPDX-License-Identifier: MIT
"""What operators order: subflows of a connection, settings, and the configuration anew."""
import os
import signal
import subprocess
from pathlib import Path

import pytest
from conftest import BUILD
from lab.netns import wait_until
from test_control import OPERATORS, SOMEBODY, as_user
from test_elephant import MB, NO_REPAIR, config

SUBFLOW = BUILD / "cli" / "subflow"
NOT_PERMITTED = "not permitted"


def subflow(daemon, *words, prefix=()):
    return subprocess.run([*prefix, SUBFLOW, *map(str, words)], env=daemon.environment,
                          capture_output=True, text=True)


def does(daemon, *words, prefix=()):
    done = subflow(daemon, *words, prefix=prefix)
    assert done.returncode == 0 and not done.stderr, done
    assert len(done.stdout.splitlines()) == 1, done
    return done.stdout


def fails(daemon, *words, prefix=()):
    done = subflow(daemon, *words, prefix=prefix)
    assert done.returncode == 1 and not done.stdout, done
    assert len(done.stderr.splitlines()) == 1, done
    return done.stderr


def connected(pair, daemon):
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    pair.connection(daemon, app)
    return app, f"{pair.client.name}/{app.connid():x}"


def test_add_and_remove(pair):
    daemon = pair.serve({"limits": {"max_subflows": 4}})
    app, name = connected(pair, daemon)
    assert "as the operator asked: 3 in all" in does(daemon, "add", name, 2)
    app.wait_subflows(3)
    asked = [s["asked_by"] for s in pair.connection(daemon, app)["subflows"]]
    assert asked == [None, "operator", "operator"]
    assert "more than [limits] max_subflows" in fails(daemon, "add", name, 2)
    does(daemon, "add", name)
    app.wait_subflows(4)
    does(daemon, "remove", name, 3)
    app.wait_subflows(1)
    assert "last subflow" in fails(daemon, "remove", name)
    # The application's own requests count as before.
    app.set(10003, 3)
    app.wait_subflows(4)
    with pytest.raises(OSError):
        app.set(10003, 1)
    app.set(10004, 3)
    app.wait_subflows(1)


def test_a_server_cannot_be_given_more(served):
    app, _ = connected(served, served.daemon)
    (server,) = [c for c in served.daemon.status()["connections"] if c["role"] == "server"]
    name = f"{server['namespace']}/{server['token']:08x}"
    assert "only there" in fails(served.daemon, "add", name)
    assert "no connection" in fails(served.daemon, "add", served.client.name + "/1")
    assert "no connection" in fails(served.daemon, "remove", f"nowhere/{app.connid():x}")


def test_operators_alone_may(pair):
    daemon = pair.serve({"control": {"group": OPERATORS}})
    app, name = connected(pair, daemon)
    for words in (("add", name), ("remove", name), ("set", "elephant.start", "1MB"), ("reload",)):
        assert NOT_PERMITTED in fails(daemon, *words, prefix=as_user(SOMEBODY))
    assert len(app.subflows()) == 1
    assert daemon.status()["daemon"]["elephant"]["start"] == 100 * MB
    does(daemon, "add", name, prefix=as_user(SOMEBODY, OPERATORS))
    app.wait_subflows(2)
    does(daemon, "set", "elephant.start", "1MB", prefix=as_user(SOMEBODY, 5, OPERATORS))
    assert daemon.status()["daemon"]["elephant"]["start"] == MB


def test_a_setting_holds_at_once(pair):
    daemon = pair.serve({"elephant": {"max_subflows": 3}, **NO_REPAIR})
    assert "allowed is up to stop" in fails(daemon, "set", "elephant.start", "400MB")
    assert "no key" in fails(daemon, "set", "elephant.strat", "4MB")
    assert does(daemon, "set", "elephant.start", "5 MB") == "set\n"
    does(daemon, "set", "elephant.step", "5MB")
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app(f"send(s, {20 * MB})")
    app.wait_subflows(3)
    assert [t["threshold"] for t in pair.connection(daemon, app)["thresholds"]] == [5 * MB, 10 * MB]
    does(daemon, "set", "limits.max_subflows", 3)
    with pytest.raises(OSError):
        app.set(10003, 1)
    does(daemon, "set", "limits.max_subflows", 4)
    app.set(10003, 1)
    app.wait_subflows(4)


def test_what_cannot_change_is_said(served):
    said = fails(served.daemon, "set", "hooks.ring_size", "8192")
    assert "[hooks] ring_size cannot change while subflowd runs" in said
    assert "set" in does(served.daemon, "set", "hooks.ring_size", "262144")  # which it is
    assert served.daemon.status()["daemon"]["cgroup"] == str(served.cgroup)


def configuration(daemon):
    """The file that the daemon was started with."""
    command = Path(f"/proc/{daemon.process.pid}/cmdline").read_bytes().split(b"\0")
    return Path(command[command.index(b"--config") + 1].decode())


def replace(path, before, after):
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


@pytest.mark.parametrize("by", ["request", "signal"])
def test_reload(pair, by):
    daemon = pair.serve(config(start=10, step=10, stop=100, max_subflows=2))
    path = configuration(daemon)
    does(daemon, "set", "elephant.step", "7MB")
    rule = daemon.status()["daemon"]["elephant"]

    def reload():
        if by == "request":
            return subflow(daemon, "reload")
        daemon.process.send_signal(signal.SIGHUP)

    replace(path, "start = 10MB", "start = 10XB")
    done = reload()
    if done:
        assert done.returncode == 1
        assert f"{path}:" in done.stderr and "start = 10XB: allowed is" in done.stderr, done
    else:
        wait_until(lambda: "nothing was changed: " in daemon.log.read_text(), "it is said")
    assert daemon.status()["daemon"]["elephant"] == rule

    replace(path, "start = 10XB", "start = 20MB")
    done = reload()
    if done:
        assert done.stdout == f"read {path}\n" and done.returncode == 0, done
    wait_until(lambda: daemon.status()["daemon"]["elephant"]
               == {**rule, "start": 20 * MB, "step": 10 * MB}, "the file counts")


def test_a_damaged_file_is_no_configuration(pair):
    """What a full disk or a crash leaves, and what is no file at all, changes nothing and is not waited for."""
    daemon = pair.serve({"elephant": {"start": "10MB"}, "rule bulk": {"port": 5001, "start": "1MB"}})
    path = configuration(daemon)
    good = path.read_bytes()

    def state():
        told = daemon.status()["daemon"]
        return told["elephant"], told["rules"]

    before = state()
    for damaged, why in ((b"", "empty, as a full disk leaves it"), (bytes(4096), ":1: not text"),
                         (good + b"start = 5MB\0 parsecs\n", "not text, but a byte 0x00: the file is damaged"),
                         (good + b"\n" * (1 << 20), "longer than 1 MiB")):
        path.write_bytes(damaged)
        said = fails(daemon, "reload")
        assert f"{path}:" in said and why in said
        assert state() == before
        assert why in fails(daemon, "config", "test", path)
    for make in (lambda: path.symlink_to("/dev/zero"), lambda: os.mkfifo(path), path.mkdir):
        path.rmdir() if path.is_dir() else path.unlink()
        make()
        assert f"{path}: not a regular file" in fails(daemon, "reload")
        assert state() == before
        assert "not a regular file" in fails(daemon, "config", "test", path)
    path.rmdir()
    kept = path.with_suffix(".kept")
    kept.write_bytes(good)
    path.symlink_to(kept)
    assert does(daemon, "reload") == f"read {path}\n"
    assert state() == before


def test_reload_serves_more_namespaces(pair):
    late = pair.netns("late")
    daemon = pair.serve()
    replace(configuration(daemon), pair.server.name, late.name)
    said = does(daemon, "reload")
    assert "stay so until subflowd is restarted" in said
    states = {n["name"]: n["state"] for n in daemon.status()["namespaces"]}
    assert states == {n.name: "served" for n in (pair.client, pair.server, late)}


def test_a_changed_threshold_is_the_next_ones(pair):
    """What waits for a threshold goes on waiting for it; what comes after is by the new rule."""
    daemon = pair.serve(config(start=10, step=10, stop=1000, max_subflows=8))
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app(f"send(s, {15 * MB})")
    app.wait_subflows(2)
    does(daemon, "set", "elephant.step", "20MB")
    app(f"send(s, {50 * MB})")
    app.wait_subflows(5)
    thresholds = [t["threshold"] for t in pair.connection(daemon, app)["thresholds"]]
    assert thresholds == [10 * MB, 20 * MB, 40 * MB, 60 * MB]


def test_config_test(tmp_path):
    def test(text, *words):
        path = tmp_path / "subflowd.conf"
        path.write_text(text)
        return path, subprocess.run([SUBFLOW, "config", "test", path, *words], capture_output=True,
                                    text=True, env={"PATH": "/bin"})

    path, done = test("[elephant]\nstart = 1MB\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{path}: subflowd takes it\n", "")
    path, done = test("[elephant]\nstart = 1MB\nstep = no\n")
    assert done.returncode == 1 and done.stdout == ""
    assert f"{path}:3: step = no: allowed is a number of bytes" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    path, done = test("[elephant]\nstart = 400MB\n")
    assert done.returncode == 1 and f"{path}:2: start = 400000000: allowed is up to stop" in done.stderr
    _, done = test("", "more")
    assert done.returncode == 2
    gone = subprocess.run([SUBFLOW, "config", "test", tmp_path / "none"], capture_output=True, text=True)
    assert gone.returncode == 1 and "No such file" in gone.stderr
