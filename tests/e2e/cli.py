# SPDX-License-Identifier: MIT
"""The command `subflow` as tests run it, and a daemon that is feigned."""
import json
import os
import socket
import subprocess
import threading

import pytest
from conftest import BUILD
from lab.netns import PATIENCE

SUBFLOW = str(BUILD / "cli" / "subflow")
SUBFLOWD = BUILD / "daemon" / "subflowd"
PYTHON = "/usr/bin/python3"
DEADLINE_S = 30 * PATIENCE
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
# As a shell starts its programs, and as some services and shells below them do.
SIGPIPES = [["env", "--default-signal=PIPE"], ["env", "--ignore-signal=PIPE"]]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

STATUS = {
    "daemon": {
        "version": "0.1.0", "pid": 1, "uptime_s": 12.5, "config": "/etc/subflow/subflow.conf",
        "cgroup": "/sys/fs/cgroup", "hooks": True,
        "elephant": {"start": 100000000, "step": 50000000, "stop": 300000000, "backlog": 0,
                     "max_subflows": 4},
        "downloads": True,
        "counters": {"records": 9, "records_lost": 2, "walks": 1, "creates": 3,
                     "create_failures": 0, "log_lines_lost": 0, "recording_lost": 0},
        "memory": {"connections": 2600, "connection": 1300, "subflow": 200, "connection_most": 20000,
                   "most": 1310720000, "kernel": 412, "kernel_most": 27000832},
        "tables": {"connections": {"limit": 65536, "used": 2, "refused": 0},
                   "clients": {"limit": 32, "used": 1, "refused": 4}},
        "create_us": {"count": 3, "buckets": [{"le": 10, "count": 0}, {"le": 20, "count": 3},
                                              {"le": None, "count": 0}]},
    },
    "namespaces": [
        {"name": "own", "cookie": 3, "state": "served", "reason": "", "connections": 2},
        {"name": "web", "cookie": 4, "state": "left alone", "reason": "it has endpoints",
         "connections": 0},
    ],
    "refusing": [], "untreated": [],
    "connections": [
        {"namespace": "own", "token": 305419896, "role": "client", "local": "10.0.0.1:40000",
         "remote": "[fd00::2]:5201", "bytes_sent": 123456789, "bytes_received": 0,
         "state": "served",
         "subflows": [{"local": "10.0.0.1:40000", "remote": "10.0.1.1:5201", "id": 0,
                       "state": "established", "path": ["10.0.0.254", "10.0.9.1"]},
                      {"local": "10.0.0.1:40001", "remote": "10.0.1.1:5201", "id": 1,
                       "state": "opening", "path": []}],
         "unplaced": None, "rule": None, "wanted": 0, "waived": 0,
         "next_threshold": 150000000, "is_asked": False, "expected": 0, "intent": "default",
         "thresholds": [{"threshold": 100000000, "bytes": 100034121, "backlog": 0, "foreseen": False,
                         "subflows": 2}],
         "decision": "one more subflow at 100 MB: 2 of 4"},
        {"namespace": "own", "token": 171, "role": "server", "local": "10.0.0.1:80",
         "remote": "10.0.0.9:55555", "bytes_sent": None, "bytes_received": None,
         "state": "in-kernel path manager", "subflows": [], "unplaced": None, "rule": None,
         "wanted": 0, "waived": 0, "next_threshold": None, "is_asked": False,
         "expected": 0, "intent": "default", "thresholds": [],
         "decision": "cannot be split: it is older than Subflow's service"},
    ],
}


def subflow(*arguments, prefix=(), **env):
    environment = {k: v for k, v in os.environ.items()
                   if k not in ("LD_PRELOAD", "SUBFLOW_SOCKET", "SUBFLOW_PRELOAD")}
    environment.update(env)
    return subprocess.run([*prefix, SUBFLOW, *map(str, arguments)], env=environment,
                          capture_output=True, text=True, errors="replace", timeout=DEADLINE_S,
                          check=False)


def fails(done, *words, status=1):
    """One line that says @words, and nothing on standard output."""
    assert done.returncode == status, done
    assert done.stdout == "", done
    assert len(done.stderr.splitlines()) == 1, done
    for word in words:
        assert word in done.stderr


class FeignedDaemon:
    """Listens where the daemon would; @answer(connection) does the talking."""

    def __init__(self, path, answer):
        self.path = str(path)
        self.answer = answer if callable(answer) else lambda peer: peer.sendall(answer)
        self.requests = []

    def __enter__(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        return self

    def serve(self):
        try:
            peer, _ = self.listener.accept()
        except OSError:
            return
        with peer:
            self.requests.append(peer.makefile().readline())
            try:
                self.answer(peer)
            except (BrokenPipeError, ConnectionResetError):
                pass

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(DEADLINE_S)
        os.unlink(self.path)

    def status(self, *arguments, **env):
        return subflow("status", "--socket", self.path, *arguments, **env)


def lacks(check):
    """Whether `subflow doctor` names this as what the kernel does not have."""
    return "not in the kernel" in doctor()[check]["detail"]


def doctor(prefix=(), control="/nonexistent"):
    done = subflow("doctor", "--json", prefix=prefix, SUBFLOW_SOCKET=str(control))
    assert done.stderr == "", done
    report = json.loads(done.stdout)
    states = [check["state"] for check in report["checks"]]
    assert set(states) <= {"ok", "warn", "fail", "unknown"}
    assert report["can_work"] == ("fail" not in states)
    assert done.returncode == (0 if report["can_work"] else 1)
    return {check["check"]: check for check in report["checks"]}
