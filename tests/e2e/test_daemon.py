# SPDX-License-Identifier: MIT
"""subflowd as an operator meets it: its start, its end, and what it says when it cannot work."""
import errno
import json
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from app import ADD, SUBFLOWS
from conftest import BUILD, ROOT, wait_guardian_gone
from lab.daemon import Daemon
from lab.lab import cgroup2_root
from lab.netns import PATIENCE, wait_until
from names import Names
from test_control import SOMEBODY, as_user
from test_downloads import download

SUBFLOWD = BUILD / "daemon" / "subflowd"


def run(pair, text=None, wrap=(), timeout=20):
    """Runs subflowd, in the client's namespace, until it ends by itself."""
    command = [*wrap, SUBFLOWD]
    if text is not None:
        path = pair.directory / "bad.conf"
        path.write_text(text)
        path.chmod(0o644)
        command += ["--config", path]
    process = pair.client.popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        _, error = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, error


@pytest.mark.parametrize("text, parts", [
    ("[elephant]\nstart = 100 parsecs\n", [":2:", "start", "number of bytes", "MB"]),
    ("[elephant]\nstart =\n", [":2:", "start"]),
    ("[elephant]\n\nmax_subflows = 65\n", [":3:", "max_subflows", "1 to 64"]),
    ("[elephant]\nstart = 10MB\nstop = 5MB\n", [":3:", "stop", "start (10000000) or more"]),
    ("[elephants]\nstart = 1\n", [":2:", "[elephants]", "[elephant]"]),
    ("[elephant]\nbegin = 1\n", [":2:", "begin", "start step stop backlog max_subflows"]),
    ("[namespaces]\ntake_over = maybe\n", [":2:", "take_over", "yes or no"]),
    ("[namespaces]\nserve =\n", [":2:", "serve", "own, all, or names"]),
    ("[elephant]\nstart = 1GB\n", [":2:", "start", "up to stop (300000000)"]),
    ("[hooks]\n\ncgroup = /tmp\n", [":3:", "cgroup = /tmp", "folder of the cgroup2 file system",
                                      "nsenter --net=FILE"]),
    ("[hooks]\ncgroup = here\n", [":2:", "cgroup", "absolute path"]),
    ("[hooks]\nring_size = 5000\n", [":2:", "ring_size", "power of two"]),
    ("[control]\nsocket = relative\n", [":2:", "socket", "absolute path"]),
    ("just words\n", [":1:", "key = value"]),
])
def test_a_bad_config_names_file_line_key_and_what_is_allowed(pair, text, parts):
    status, error = run(pair, text)
    assert status == os.EX_CONFIG
    assert error.count("\n") == 1 and error.startswith("subflowd: error: ")
    for part in [str(pair.directory / "bad.conf"), *parts]:
        assert part in error


def test_a_config_that_is_not_there(pair):
    process = pair.client.popen([SUBFLOWD, "--config", "/nowhere/at/all"], stderr=subprocess.PIPE,
                                text=True)
    assert process.wait(10) == os.EX_CONFIG
    assert process.stderr.read() == "subflowd: error: /nowhere/at/all: No such file or directory\n"


def test_an_empty_config_is_the_defaults_at_the_start_alone(pair):
    """It says so, and goes on: here up to what nobody without privilege may do."""
    pair.directory.chmod(0o755)
    (pair.directory / "empty.conf").touch()
    process = pair.client.popen([*as_user(SOMEBODY), SUBFLOWD, "--config", pair.directory / "empty.conf"],
                                stderr=subprocess.PIPE, text=True)
    assert process.wait(10) == 1
    warning, error = process.stderr.read().splitlines()
    assert f"{pair.directory / 'empty.conf'}: empty, as a full disk leaves it" in warning
    assert warning.endswith("for now every key has it") and "error: cannot " in error


def test_the_shipped_config_is_valid_and_holds_the_defaults(pair):
    shipped = (ROOT / "dist" / "subflowd.conf").read_text()
    keys = [line.lstrip("#").split("=")[0].strip() for line in shipped.splitlines()
            if "=" in line and not line.startswith("# ")]
    assert {"start", "step", "stop", "max_subflows", "serve", "take_over", "cgroup", "ring_size",
            "socket", "calls_per_second", "max_connections"} <= set(keys)
    everything = "\n".join(line.lstrip("#") if "=" in line and not line.startswith("# ") else line
                           for line in shipped.splitlines())
    everything = "\n".join(
        f"cgroup = {pair.cgroup}" if line.startswith("cgroup") else
        f"socket = {pair.directory / 'control'}" if line.startswith("socket") else line
        for line in everything.splitlines())
    path = pair.directory / "shipped.conf"
    path.write_text(everything)
    daemon = Daemon(pair, BUILD)
    log = open(daemon.log, "ab")
    pair.client.popen([SUBFLOWD, "--config", path], stdout=log, stderr=log)
    rule = wait_until(daemon.status, "subflowd answers")["daemon"]["elephant"]
    assert rule == {"start": 100000000, "step": 50000000, "stop": 300000000, "max_subflows": 4,
                    "backlog": 0}


WITHOUT = {
    "cgroup2": (["unshare", "--mount", "sh", "-c", f'umount {cgroup2_root()} && exec "$@"', "-"],
                ["cgroup2", "mount", "nsenter --net=FILE"]),
    "BTF": (["unshare", "--mount", "sh", "-c",
             'mount -t tmpfs none /sys/kernel/btf && exec "$@"', "-"], ["BTF", "CONFIG_DEBUG_INFO_BTF"]),
    "CAP_BPF": (["setpriv", "--bounding-set=-bpf", "--inh-caps=-bpf"], ["CAP_BPF", "root"]),
    "root": (["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"], ["CAP_BPF", "root"]),
}


@pytest.mark.parametrize("missing", WITHOUT)
def test_what_is_missing_is_said_in_one_line(pair, missing):
    wrap, parts = WITHOUT[missing]
    pair.directory.chmod(0o1777)
    status, error = run(pair, f"[control]\nsocket = {pair.directory / 'control'}\n", wrap)
    assert status == 1
    assert error.count("\n") == 1
    for part in parts:
        assert part in error


def test_who_may_not_lock_is_told_to_be_root(pair):
    pair.directory.chmod(0o755)
    status, error = run(pair, f"[control]\nsocket = {pair.directory / 'control'}\n", WITHOUT["root"][0])
    assert status == 1
    assert "cannot lock" in error and error.endswith("run subflowd as root\n")


def test_the_cgroup_must_be_one(pair):
    for cgroup in ("/tmp", f"{pair.cgroup}/missing"):
        status, error = run(pair, f"[hooks]\ncgroup = {cgroup}\n"
                                  f"[control]\nsocket = {pair.directory / 'control'}\n")
        assert status == os.EX_CONFIG and error.count("\n") == 1
        assert f"bad.conf:2: cgroup = {cgroup}: " in error and "cgroup2" in error


def test_streams_that_are_closed_are_nothing_elses(pair):
    daemon = Daemon(pair, BUILD)
    process = pair.client.popen(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "-", SUBFLOWD, "--config",
                                 pair.directory / "subflowd.conf", "--verbose"])
    counters = wait_until(daemon.status, "subflowd answers")["daemon"]["counters"]
    assert counters["log_lines_lost"] > 0
    for fd in range(3):
        assert os.readlink(f"/proc/{process.pid}/fd/{fd}") == "/dev/null"
    process.terminate()
    assert process.wait(10) == 0


def test_the_start_says_where_the_hooks_are_and_what_they_cost(pair):
    daemon = pair.serve()
    log = daemon.log.read_text()
    assert f"hooks attached to {pair.cgroup}" in log
    assert "half a microsecond" in log and "[hooks] cgroup" in log


def test_the_default_is_the_root_of_cgroup2(pair):
    """And SIGTERM takes everything away again. The root is the lab's cgroup, by a cgroup namespace."""
    root = cgroup2_root()
    daemon = Daemon(pair, BUILD, {"namespaces": {"serve": pair.client.name}})
    path = pair.directory / "subflowd.conf"
    path.write_text(path.read_text().replace(f"cgroup = {pair.cgroup}\n", ""))
    with daemon.log.open("ab") as log:
        daemon.process = pair.popen(
            ["unshare", "--cgroup", "--mount", "sh", "-c",
             f'umount {root} && mount -t cgroup2 none {root} && exec "$@"', "-",
             SUBFLOWD, "--config", path], stdout=log, stderr=log)

    def attached():
        return pair.run(["bpftool", "cgroup", "show", pair.cgroup])

    wait_until(lambda: daemon.status().get("namespaces"), "the client is served")
    assert daemon.status()["daemon"]["cgroup"] == str(root)
    assert all(name in attached() for name in ("subflow_get", "subflow_set", "subflow_sockops"))
    daemon.process.terminate()
    assert daemon.process.wait(10) == 0
    assert "subflow_" not in attached()


def test_hooks_answer_only_in_their_cgroup(served):
    """[hooks] cgroup narrows it: a process elsewhere meets the bare kernel."""
    served.sink()
    app = served.app(served.client).connect(served.far.ip4)
    app.set(ADD, 1)
    (cgroup2_root() / "cgroup.procs").write_text(str(app.process.pid))
    app.connect(served.far.ip4)  # a socket belongs to the cgroup that it was made in
    with pytest.raises(OSError):
        app.get(SUBFLOWS, 1024)


def test_a_second_daemon_is_refused(served):
    before = served.daemon.status()["daemon"]["pid"]
    status, error = run(served, f"[control]\nsocket = {served.daemon.socket}\n")
    assert status == 1 and error.count("\n") == 1 and "another subflowd" in error
    status, error = run(served, f"[hooks]\ncgroup = {served.cgroup}\n"
                                f"[control]\nsocket = {served.directory / 'other'}\n")
    assert status == 1 and error.count("\n") == 1 and "another subflowd" in error
    assert served.daemon.status()["daemon"]["pid"] == before
    served.sink()
    app = served.app(served.client).connect(served.far.ip4)
    app.set(ADD, 1)
    app.wait_subflows(2)


def test_a_stale_socket_file_is_replaced_and_other_files_are_not(pair):
    path = pair.directory / "control"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    daemon = pair.serve()
    daemon.process.terminate()
    daemon.process.wait(10)
    assert not path.exists()
    path.write_text("precious")
    status, error = run(pair, f"[hooks]\ncgroup = {pair.cgroup}\n[control]\nsocket = {path}\n")
    assert status == 1 and str(path) in error
    assert path.read_text() == "precious"


def test_a_socket_where_others_may_write_is_refused(pair):
    """They could put their own in its place, and a link where the lock is."""
    config = f"[hooks]\ncgroup = {pair.cgroup}\n[control]\nsocket = {pair.directory / 'control'}\n"
    pair.directory.chmod(0o777)
    status, error = run(pair, config)
    assert status == 1 and error.count("\n") == 1
    assert f"the folder {pair.directory} is somebody else's, or others may write to it" in error
    pair.directory.chmod(0o755)
    elsewhere = pair.directory / "elsewhere"
    (pair.directory / "control.lock").symlink_to(elsewhere)
    status, error = run(pair, config)
    assert status == 1 and error.count("\n") == 1
    assert "control.lock: Too many levels of symbolic links" in error
    assert not elsewhere.exists()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_after_its_end_connections_live_and_options_are_gone(pair, how):
    """At once and with the kernel's own errno; new connections get joins as before it ran."""
    daemon = pair.serve()
    sink = pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app.set(ADD, 3)
    app.wait_subflows(4)
    daemon.process.send_signal(how)
    daemon.process.wait(10)

    def is_gone():
        try:
            app.get(SUBFLOWS, 1024)
        except OSError as error:
            return error.errno in (errno.ENOPROTOOPT, errno.EOPNOTSUPP)
        return False

    wait_until(is_gone, "the options are gone")
    with pytest.raises(OSError):
        app.set(ADD, 1)
    app("send(s, 5000000)")
    assert len(pair.client.run(["ss", "-HMn", "state", "established"]).splitlines()) == 1

    # As before it ran: the in-kernel path manager accepts joins of new connections.
    wait_guardian_gone(daemon)
    sink.sink(7001)
    pair.client.run(["ip", "mptcp", "endpoint", "add", pair.near.ip4, "subflow", "fullmesh"])
    pair.client.ip(f"address add {pair.near.ip4[:-1]}9/24 dev {pair.near.device}")
    pair.client.run(["ip", "mptcp", "endpoint", "add", pair.near.ip4[:-1] + "9", "subflow"])
    before = pair.server.netstat().get("MPTcpExtMPJoinAckRx", 0)
    other = pair.app(pair.client).connect(pair.far.ip4, 7001)
    wait_until(lambda: pair.server.netstat()["MPTcpExtMPJoinAckRx"] > before, "a join is accepted")
    other.close()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_works_at_once(pair, how):
    daemon = pair.serve()
    pair.sink()
    for _ in range(3):
        daemon.process.send_signal(how)
        daemon.start([pair.client, pair.server])
        fresh = pair.app(pair.server)
        fresh.sink(7100 + _)
        app = pair.app(pair.client).connect(pair.far.ip4, 7100 + _)
        app.set(ADD, 2)
        app.wait_subflows(3)


def test_signals_while_it_starts_leave_nothing(pair):
    """SIGKILL at any moment of the start: the sysctls are as before."""
    config = Daemon(pair, BUILD, {"namespaces": {"serve": pair.client.name}})
    path = pair.directory / "subflowd.conf"
    log = open(config.log, "ab")
    for _ in range(10):
        process = pair.popen([SUBFLOWD, "--config", path], stdout=log, stderr=log)
        timer = threading.Timer(0.02 * _, process.kill)
        timer.start()
        process.wait(10)
        timer.join()
    wait_until(lambda: pair.client.inside(
        lambda: open("/proc/sys/net/mptcp/pm_type").read()) == "0\n", "put back")


def asked(daemon, request, is_whole=True):
    """What a client is answered until it is hung up on."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10 * PATIENCE)
        client.connect(str(daemon.socket))
        try:
            client.sendall(request)
            if is_whole:
                client.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: client.recv(65536), b""))
        except (BrokenPipeError, ConnectionResetError):
            return b""


def test_garbage_on_the_control_socket_does_no_harm(served):
    daemon, longest = served.daemon, 511
    for unfinished in (b"", b"status"):
        assert asked(daemon, unfinished) == b""
    # It is hung up on: nobody waits for its end.
    for no_request in (b"x" * 10000, b"status ".ljust(longest + 1, b"x") + b"\n", bytes(range(256)) + b"\n"):
        assert asked(daemon, no_request, is_whole=False) == b"", no_request
    for wrong in (b"\n", b"statu\n", b"status of all\n", b"status ".ljust(longest, b"x") + b"\n"):
        assert set(json.loads(asked(daemon, wrong))) >= {"error"}, wrong
    assert json.loads(asked(daemon, b"status\nstatus\n"))["daemon"]["pid"] == daemon.process.pid
    idle = [socket.socket(socket.AF_UNIX) for _ in range(100)]
    for client in idle:
        client.connect(str(daemon.socket))
    assert daemon.status()["daemon"]["pid"] == daemon.process.pid
    for client in idle:
        client.close()


def test_clients_that_leave_while_they_are_answered(served):
    """The answer is longer than a socket holds: subflowd writes when nobody is there any more."""
    sink = served.sink()
    app = served.app(served.client)
    app(f"""
socks = [socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) for _ in range(400)]
for s in socks:
    s.connect(({served.far.ip4!r}, 7000))
    s.send(b"x")
""")
    wait_until(lambda: sink("len(accepted)") == 400, "400 connections")
    wait_until(lambda: len(served.daemon.status()["connections"]) == 800, "the daemon knows them")
    assert len(json.dumps(served.daemon.status())) > 300000
    for begin in (0, 1, 1000) * 5:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(served.daemon.socket))
            client.sendall(b"status\n")
            assert len(client.recv(begin, socket.MSG_WAITALL)) == begin
    assert served.daemon.status()["daemon"]["pid"] == served.daemon.process.pid


def test_it_outlives_whoever_reads_its_log(pair):
    daemon = Daemon(pair, BUILD, {"namespaces": {"serve": pair.client.name}})
    daemon.process = pair.popen([SUBFLOWD, "--verbose", "--config", pair.directory / "subflowd.conf"],
                                stderr=subprocess.PIPE)
    wait_until(lambda: [entry for entry in daemon.status().get("namespaces", [])
                        if entry["state"] == "served"], "subflowd serves")
    daemon.process.stderr.close()
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app.set(ADD, 1)
    app.wait_subflows(2)
    daemon.stop()
    assert daemon.process.returncode == 0
    assert pair.client.inside(lambda: open("/proc/sys/net/mptcp/pm_type").read()) == "0\n"


def wait_pause(daemon, least_s):
    """Until elephants were measured in two rounds that are so far apart: the next one is as far again."""
    begun = {}

    def is_long():
        begun.setdefault(daemon.status()["daemon"]["counters"]["rounds"], time.monotonic())
        times = list(begun.values())
        return len(times) > 1 and times[-1] - times[-2] > least_s

    wait_until(is_long, f"{least_s} s between two rounds", 60)


def test_an_idle_host_costs_no_work(pair):
    """1,000 open connections, one of which is split, and nothing happening: not one system call in 10 seconds.

    In network and mount namespaces of its own, so that nothing else on the machine happens to it.
    """
    pair.server.run(["ip", "mptcp", "limits", "set", "subflows", "8"])
    daemon = Names(pair).start("own", benefit={"margin_percent": 0}, elephant={
        "start": "2MB", "step": "2MB", "stop": "100MB", "max_subflows": 2})
    elephant, sink = download(pair, 8)
    elephant.wait_subflows(2)
    app = pair.app(pair.client)
    app(f"""
socks = [socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) for _ in range(1000)]
for s in socks:
    s.connect(({pair.far.ip4!r}, 7000))
    s.send(b"x")
""")
    wait_until(lambda: sink("len(accepted)") == 1001, "1,000 connections beside it")
    wait_until(lambda: sum(c["role"] == "client" for c in daemon.status()["connections"]) == 1001,
               "the daemon knows them")
    wait_pause(daemon, 14)
    trace = pair.directory / "strace"
    subprocess.run(["timeout", "--signal=INT", "10", "strace", "-c", "-f", "-qq", "-o", trace, "-p",
                    str(daemon.process.pid)], check=False)
    rows = [line.split() for line in trace.read_text().splitlines()]
    calls = {row[-1]: int(row[3]) for row in rows if len(row) >= 5 and row[3].isdigit()}
    calls.pop("total", None)
    assert set(calls) <= {"epoll_wait"} and calls.get("epoll_wait", 0) <= 1, trace.read_text()
    assert daemon.process.poll() is None

    # The trace sees what there is to see: one more connection is work.
    tracer = subprocess.Popen(["strace", "-c", "-f", "-qq", "-o", trace, "-p",
                               str(daemon.process.pid)])
    wait_until(lambda: f"TracerPid:\t{tracer.pid}" in
               open(f"/proc/{daemon.process.pid}/status").read(), "strace is attached")
    token = app.connect(pair.far.ip4).connid()
    wait_until(lambda: token in [c["token"] for c in daemon.status()["connections"]], "known")
    tracer.send_signal(signal.SIGINT)
    tracer.wait(10)
    assert "recvmmsg" in trace.read_text()


def test_the_verifier_has_little_to_look_at(served):
    """At each start. It gives up at a million instructions, of which it counts each way through."""
    folder = Path(f"/proc/{served.daemon.process.pid}/fdinfo")
    about = [dict(line.split(":\t") for line in file.read_text().splitlines() if ":\t" in line)
             for file in folder.iterdir()]
    looked_at = [int(lines["verified_insns"]) for lines in about if "verified_insns" in lines]
    assert len(looked_at) > 5 and max(looked_at) < 100000, looked_at


def test_version_and_usage():
    def call(*arguments):
        return subprocess.run([SUBFLOWD, *arguments], capture_output=True, text=True)

    assert call("--version").stdout.startswith("subflowd ")
    assert "--config" in call("--help").stdout
    assert call("--nonsense").returncode == 2
    assert call("word").returncode == 2
    assert os.access(SUBFLOWD, os.X_OK)
