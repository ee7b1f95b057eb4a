# SPDX-License-Identifier: MIT
"""`subflow status`: of a feigned daemon, whatever it answers, and of a real one."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

import pytest
from cli import DEADLINE_S, FeignedDaemon, NOBODY, SIGPIPES, STATUS, SUBFLOW, SUBFLOWD, doctor, fails, needs_root, subflow


def answered(control, answer, *arguments, request="status"):
    if isinstance(answer, dict):
        answer = json.dumps(answer).encode()
    with FeignedDaemon(control, answer) as daemon:
        done = daemon.status(*arguments)
        assert daemon.requests == [f"{request}\n"]
    return done


def without(status, *path):
    copy = json.loads(json.dumps(status))
    holder = copy
    for key in path[:-1]:
        holder = holder[key]
    del holder[path[-1]]
    return copy


def changed(status, value, *path):
    copy = json.loads(json.dumps(status))
    holder = copy
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return copy


def test_status_for_people(control):
    done = answered(control, STATUS)
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("subflowd 0.1.0, pid 1, up 12 s", "/etc/subflow/subflow.conf",
                  "one more subflow at 100 MB, then every 50 MB, none after 300 MB; at most 4",
                  "records_lost 2", "left alone   0 connections: it has endpoints",
                  "12345678  own  client  10.0.0.1:40000 -> [fd00::2]:5201  served",
                  "sent       123.5 MB, received 0 B",
                  "10.0.0.1:40001 -> 10.0.1.1:5201  id 1  opening",
                  "100 MB (at 100.0 MB, 2 subflows)", "one more subflow at 100 MB: 2 of 4",
                  "000000ab  own  server", "sent       unknown, received unknown",
                  "cannot be split: it is older"):
        assert words in done.stdout
    assert "create_failures" not in done.stdout and "hooks  " not in done.stdout
    assert "wanted" not in done.stdout
    done = answered(control, changed(STATUS, 2, "connections", 0, "wanted"))
    assert "    wanted     2 more, not opened yet\n" in done.stdout
    done = answered(control, changed(STATUS, False, "daemon", "hooks"))
    assert "  hooks       false: no socket options" in done.stdout


def test_status_json_is_the_answer(control):
    done = answered(control, STATUS, "--json")
    assert done.returncode == 0 and json.loads(done.stdout) == STATUS


def test_status_socket_from_the_environment(control):
    with FeignedDaemon(control, json.dumps(STATUS).encode()):
        assert subflow("status", SUBFLOW_SOCKET=str(control)).returncode == 0


@pytest.mark.parametrize("connection", ["12345678", "0x12345678", "own/12345678"])
def test_status_of_one_connection(control, connection):
    request = f"status {connection.replace('0x', '')}"
    done = answered(control, STATUS, connection, request=request)
    assert done.returncode == 0
    assert "12345678" in done.stdout and "000000ab" not in done.stdout
    done = answered(control, STATUS, connection, "--json", request=request)
    assert json.loads(done.stdout)["connections"] == STATUS["connections"][:1]


@pytest.mark.parametrize("connection", ["12345679", "web/12345678"])
def test_status_of_unknown_connection(control, connection):
    fails(answered(control, STATUS, connection, request=f"status {connection}"), "no connection", connection.split("/")[-1])


def test_status_of_what_is_no_connection():
    fails(subflow("status", "10.0.0.1:80"), "10.0.0.1:80", "NAMESPACE/TOKEN")
    fails(subflow("status", "n" * 256 + "/1"), "NAMESPACE/TOKEN")


def test_status_without_daemon(control):
    fails(subflow("status", "--socket", control), "not running", str(control),
          "systemctl start subflowd", "--socket", "SUBFLOW_SOCKET")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(control))
        fails(subflow("status", "--socket", control), "not running", str(control))


def test_status_socket_path_too_long():
    fails(subflow("status", "--socket", "/" + "x" * 200), "File name too long")


@needs_root
def test_status_permission_denied(control):
    # tmp_path is not for others to enter.
    with FeignedDaemon(control, b"{}"):
        fails(subflow("status", "--socket", control, prefix=NOBODY), "permission denied",
              str(control))


@pytest.mark.parametrize("answer, words", [
    (b"", "hung up"),
    (b"nonsense\n", "no JSON"),
    (b"\0\0\0\0", "no JSON"),
    (b"\xff\xfe{}", "no JSON"),
    (b"[" * 100000, "no JSON"),
    (b"[]", "no JSON object"),
    (b"{} trailing", "no JSON"),
    (json.dumps(STATUS).encode()[:-1], "cut off"),
    (json.dumps(STATUS).encode()[:400], "cut off"),
    (b'{"error": "no \\u001b[2J such verb"}', "no \\u001b[2J such verb"),
    (b'{"error": 3}', "subflowd says: 3"),
], ids=lambda value: repr(value[:12]))
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "json"])
def test_status_bad_answers(control, answer, words, form):
    fails(answered(control, answer, *form), words)


@pytest.mark.parametrize("path", [
    ("daemon",), ("namespaces",), ("refusing",), ("connections",), ("daemon", "elephant"),
    ("daemon", "elephant", "stop"), ("daemon", "counters"), ("namespaces", 1, "state"),
    ("connections", 1, "token"), ("connections", 0, "subflows", 1, "local"),
    ("connections", 0, "thresholds", 0, "bytes"),
], ids=lambda path: ".".join(map(str, path)))
def test_status_unusable_keys(control, path):
    fails(answered(control, without(STATUS, *path)), f"{path[-1]} is missing")
    right = STATUS
    for key in path:
        right = right[key]
    for wrong in (True, [], {}, -1.5, "\x1b[31m"):
        if not isinstance(right, type(wrong)):
            fails(answered(control, changed(STATUS, wrong, *path)), path[-1])


def test_status_cannot_steer_the_terminal(control):
    evil = changed(STATUS, "\x1b]0;owned\x07\x9b2J\n", "connections", 0, "decision")
    done = answered(control, evil)
    assert done.returncode == 0
    assert "?]0;owned??2J?\n" in done.stdout
    assert not any(c in done.stdout for c in "\x1b\x07\x9b")


def test_status_of_many_connections(control):
    many = changed(STATUS, STATUS["connections"] * 5000, "connections")
    done = answered(control, many)
    assert done.returncode == 0
    assert done.stdout.count("12345678") == 5000


@pytest.mark.parametrize("form", [[], ["--json"]])
@pytest.mark.parametrize("sigpipe", SIGPIPES)
def test_status_ends_in_silence_when_its_reader_has_ended(control, sigpipe, form):
    reader, writer = os.pipe()
    os.close(reader)
    with FeignedDaemon(control, json.dumps(STATUS).encode()), open(writer, "wb") as output:
        done = subprocess.run([*sigpipe, SUBFLOW, "status", "--socket", control, *form],
                              stdout=output, stderr=subprocess.PIPE, timeout=DEADLINE_S,
                              check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")


@pytest.mark.parametrize("sigpipe", SIGPIPES)
def test_the_head_of_a_long_status(control, sigpipe):
    many = changed(STATUS, STATUS["connections"] * 5000, "connections")
    with FeignedDaemon(control, json.dumps(many).encode()):
        done = subprocess.run([*sigpipe, "sh", "-c", '"$0" status --socket "$1" | head -n 1',
                               SUBFLOW, control], capture_output=True, text=True,
                              timeout=DEADLINE_S, check=False)
    assert done.stdout.startswith("subflowd 0.1.0") and done.stdout.count("\n") == 1
    assert (done.returncode, done.stderr) == (0, "")


def test_status_endless_answer(control):
    def talk(peer):
        while True:
            peer.sendall(b" " * (1 << 20))

    fails(answered(control, talk, "--timeout", "25"), "longer than 256 MiB", "ask for one connection")


def test_status_deadline(control):
    """A daemon that is silent, or that never ends its answer, delays nobody."""
    over = threading.Event()

    def be_silent(peer):
        over.wait(DEADLINE_S)

    def drip(peer):
        while not over.wait(.02):
            peer.sendall(b" ")

    for answer in (be_silent, drip):
        over.clear()
        with FeignedDaemon(control, answer) as daemon:
            start = time.monotonic()
            done = daemon.status("--timeout", ".3")
            took_s = time.monotonic() - start
            over.set()
        fails(done, "within 0.3 s")
        assert .3 <= took_s < 5


def test_status_full_backlog(control):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(control))
        listener.listen(0)
        waiting = []
        while True:
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            waiting.append(client)
            if client.connect_ex(str(control)):
                break
        fails(subflow("status", "--socket", control, "--timeout", ".2"), "within 0.2 s")
        for client in waiting:
            client.close()


def cgroup2():
    for line in pathlib.Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if fields[2] == "cgroup2":
            return pathlib.Path(fields[1])
    return pytest.skip("no cgroup2 here")


@pytest.fixture(name="daemon")
def fixture_daemon(namespace, tmp_path):
    """subflowd for a namespace of its own and a cgroup without processes; its control socket."""
    if not SUBFLOWD.exists():
        pytest.skip("no daemon in this build")
    cgroup = cgroup2() / namespace.name
    control = tmp_path / "control"
    config = tmp_path / "subflowd.conf"
    config.write_text(f"[namespaces]\nserve = own\n[hooks]\ncgroup = {cgroup}\n"
                      f"[control]\nsocket = {control}\n")
    cgroup.mkdir()
    try:
        with subprocess.Popen([*namespace.enter, SUBFLOWD, "--config", config],
                              stderr=subprocess.PIPE, text=True) as daemon:
            guard = threading.Timer(DEADLINE_S, daemon.kill)
            guard.start()
            try:
                log = []
                for line in daemon.stderr:
                    log.append(line)
                    if "ready" in line:
                        break
                else:
                    pytest.fail("subflowd is not ready:\n" + "".join(log))
                yield control
            finally:
                daemon.terminate()
                daemon.stderr.read()
                daemon.wait()
                guard.cancel()
    finally:
        cgroup.rmdir()


@needs_root
def test_status_of_the_daemon(namespace, daemon):
    done = subflow("status", "--socket", daemon)
    assert (done.returncode, done.stderr) == (0, "")
    assert "own          served" in done.stdout and "Connections: none" in done.stdout
    answer = json.loads(subflow("status", "--json", "--socket", daemon).stdout)
    assert answer["namespaces"][0]["state"] == "served"
    fails(subflow("status", "12345678", "--socket", daemon), "no connection 12345678")
    checks = doctor(namespace.enter, daemon)
    assert checks["subflowd"]["state"] == "ok"
    assert "only subflowd" in checks["other-listeners"]["detail"]
