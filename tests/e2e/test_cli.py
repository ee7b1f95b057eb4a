# SPDX-License-Identifier: MIT
"""The command `subflow`: status against a feigned daemon, doctor in prepared namespaces, run."""

import json
import os
import pathlib
import pty
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest

REPO = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SUBFLOW_BUILD", REPO / "build")).resolve()
SUBFLOW = str(BUILD / "cli" / "subflow")
PRELOAD = BUILD / "lib" / "libsubflow-preload.so"
SUBFLOWD = BUILD / "daemon" / "subflowd"
PYTHON = "/usr/bin/python3"
DEADLINE_S = 30
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

STATUS = {
    "daemon": {
        "version": "0.1.0", "pid": 1, "uptime_s": 12.5, "config": "/etc/subflow/subflow.conf",
        "cgroup": "/sys/fs/cgroup",
        "elephant": {"start": 100000000, "step": 50000000, "stop": 300000000, "max_subflows": 4},
        "counters": {"records": 9, "records_lost": 2, "walks": 1, "creates": 3,
                     "create_failures": 0},
        "create_us": {"count": 3, "buckets": [{"le": 10, "count": 0}, {"le": 20, "count": 3},
                                              {"le": None, "count": 0}]},
    },
    "refusing": [], "untreated": [],
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
         "unplaced": None, "rule": None, "wanted": 0,
         "thresholds": [{"threshold": 100000000, "bytes": 100034121, "subflows": 2}],
         "decision": "one more subflow at 100 MB: 2 of 4"},
        {"namespace": "own", "token": 171, "role": "server", "local": "10.0.0.1:80",
         "remote": "10.0.0.9:55555", "bytes_sent": None, "bytes_received": None,
         "state": "in-kernel path manager", "subflows": [], "unplaced": None, "rule": None, "wanted": 0,
         "thresholds": [],
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


@pytest.fixture(name="control")
def fixture_control(tmp_path):
    return tmp_path / "control"


def answered(control, answer, *arguments):
    if isinstance(answer, dict):
        answer = json.dumps(answer).encode()
    with FeignedDaemon(control, answer) as daemon:
        done = daemon.status(*arguments)
        assert daemon.requests == ["status\n"]
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


# The command itself.

def test_usage():
    assert "subflow VERB" in subflow("--help").stdout
    assert subflow("--version").stdout.startswith("subflow ")
    for verb in ("status", "doctor", "run"):
        done = subflow(verb, "--help")
        assert done.returncode == 0 and done.stdout.startswith(f"Usage: subflow {verb}")
        assert subflow("help", verb).stdout == done.stdout


@pytest.mark.parametrize("arguments", [
    (), ("nonsense",), ("status", "--nonsense"), ("status", "1", "2"), ("status", "--socket"),
    ("status", "--timeout", "soon"), ("status", "--timeout", "nan"), ("status", "--timeout", "0"),
    ("doctor", "--nonsense"), ("doctor", "now"),
])
def test_misuse(arguments):
    done = subflow(*arguments)
    assert done.returncode == 2
    assert done.stdout == "" and done.stderr != ""


def test_output_that_is_lost_is_an_error():
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([SUBFLOW, "status", "--help"], stdout=full, stderr=subprocess.PIPE,
                              text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 1 and "No space left" in done.stderr


# status

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
    assert "create_failures" not in done.stdout


def test_status_json_is_the_answer(control):
    done = answered(control, STATUS, "--json")
    assert done.returncode == 0 and json.loads(done.stdout) == STATUS


def test_status_socket_from_the_environment(control):
    with FeignedDaemon(control, json.dumps(STATUS).encode()):
        assert subflow("status", SUBFLOW_SOCKET=str(control)).returncode == 0


@pytest.mark.parametrize("connection", ["12345678", "0x12345678", "own/12345678"])
def test_status_of_one_connection(control, connection):
    done = answered(control, STATUS, connection)
    assert done.returncode == 0
    assert "12345678" in done.stdout and "000000ab" not in done.stdout
    done = answered(control, STATUS, connection, "--json")
    assert json.loads(done.stdout)["connections"] == STATUS["connections"][:1]


@pytest.mark.parametrize("connection", ["12345679", "web/12345678"])
def test_status_of_unknown_connection(control, connection):
    fails(answered(control, STATUS, connection), "no connection", connection.split("/")[-1])


def test_status_of_what_is_no_connection():
    fails(subflow("status", "10.0.0.1:80"), "10.0.0.1:80", "NAMESPACE/TOKEN")


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


# As a shell starts its programs, and as some services and shells below them do.
SIGPIPES = [["env", "--default-signal=PIPE"], ["env", "--ignore-signal=PIPE"]]


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


@pytest.mark.parametrize("sigpipe, ignored", zip(SIGPIPES, (0, 1)))
def test_run_hands_down_how_sigpipe_is_taken(mark, sigpipe, ignored):
    done = subflow("run", "grep", "SigIgn", "/proc/self/status", prefix=sigpipe,
                   SUBFLOW_PRELOAD=str(mark))
    assert int(done.stdout.split()[1], 16) >> (signal.SIGPIPE - 1) & 1 == ignored


def test_status_endless_answer(control):
    def talk(peer):
        while True:
            peer.sendall(b" " * (1 << 20))

    fails(answered(control, talk, "--timeout", "25"), "longer than 64 MiB")


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


# doctor

class Namespace:
    """A network namespace of its own, with only a loopback device."""

    def __init__(self):
        self.name = "sf-cli-" + secrets.token_hex(3)
        # Not `ip netns exec`, which hides the cgroup tree.
        self.enter = ["nsenter", f"--net=/run/netns/{self.name}"]

    def __enter__(self):
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        try:
            self.ip("link", "set", "lo", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        subprocess.run(["ip", "netns", "del", self.name], check=True)

    def ip(self, *arguments):
        return subprocess.run(["ip", "-n", self.name, *arguments], check=True,
                              capture_output=True, text=True).stdout

    def sysctl(self, setting):
        subprocess.run([*self.enter, "sysctl", "-qw", setting], check=True)

    def state(self):
        sysctls = subprocess.run([*self.enter, "sysctl", "net.mptcp"], check=True,
                                 capture_output=True, text=True).stdout
        return sysctls, self.ip("mptcp", "endpoint"), self.ip("mptcp", "limits"), \
            self.ip("-o", "address"), self.ip("-o", "rule")


@pytest.fixture(name="namespace")
def fixture_namespace():
    with Namespace() as namespace:
        yield namespace


@pytest.fixture(name="open_folder")
def fixture_open_folder():
    """A folder that every user may enter, which tmp_path is not."""
    folder = tempfile.mkdtemp(prefix="sf-cli-")
    os.chmod(folder, 0o755)
    yield pathlib.Path(folder)
    shutil.rmtree(folder)


def doctor(prefix=(), control="/nonexistent"):
    done = subflow("doctor", "--json", prefix=prefix, SUBFLOW_SOCKET=str(control))
    assert done.stderr == "", done
    report = json.loads(done.stdout)
    states = [check["state"] for check in report["checks"]]
    assert set(states) <= {"ok", "warn", "fail", "unknown"}
    assert report["can_work"] == ("fail" not in states)
    assert done.returncode == (0 if report["can_work"] else 1)
    return {check["check"]: check for check in report["checks"]}


@needs_root
def test_doctor_as_root(namespace):
    before = namespace.state()
    checks = doctor(namespace.enter)
    assert namespace.state() == before
    assert {"mptcp-sockets", "net.mptcp.enabled", "userspace-pm", "btf", "cgroup2",
            "bpf-sockopt", "bpf-sock_ops", "bpf-iterator", "mptcp-sock_diag",
            "byte-counters", "enable-carries", "packet-sockets", "mptcp-by-bpf"} <= set(checks)
    essential = [name for name, check in checks.items() if check["state"] in ("fail", "unknown")]
    assert essential == [], checks
    assert checks["endpoints"]["state"] == checks["other-listeners"]["state"] == "ok"
    assert checks["subflowd"]["state"] == "warn"
    assert "/nonexistent" in checks["subflowd"]["detail"]


@needs_root
def test_doctor_text_is_one_line_a_check(namespace):
    checks = doctor(namespace.enter)
    done = subflow("doctor", prefix=namespace.enter, SUBFLOW_SOCKET="/nonexistent")
    lines = done.stdout.splitlines()
    for name, check in checks.items():
        word = check["state"].replace("fail", "FAIL")
        line = f"{word:<8} {name:<22} {check['detail']}"
        assert lines.count(line) == 1
        if check["remedy"]:
            assert lines[lines.index(line) + 1].strip() == "-> " + check["remedy"]


@needs_root
def test_doctor_leaves_no_program_or_map(tmp_path):
    """Whatever it loads goes away with its own descriptors: it pins and attaches nothing."""
    log = tmp_path / "calls"
    subflow("doctor", prefix=["strace", "-f", "-e", "trace=bpf,init_module,finit_module", "-o",
                              str(log)])
    calls = log.read_text()
    assert "BPF_PROG_LOAD" in calls
    for forbidden in ("BPF_OBJ_PIN", "BPF_PROG_ATTACH", "BPF_LINK_CREATE", "init_module"):
        assert forbidden not in calls


@needs_root
def test_doctor_unprivileged(namespace):
    checks = doctor([*namespace.enter, *NOBODY])
    assert not [check for check in checks.values() if check["state"] == "fail"]
    for name in ("capabilities", "cgroup-hooks", "bpf-sockopt", "bpf-socket-storage", "endpoints"):
        if name == "endpoints" and checks[name]["state"] == "ok":
            continue
        assert checks[name]["state"] == "unknown", checks[name]
        assert checks[name]["remedy"] == "run as root"
    for name in ("mptcp-sockets", "net.mptcp.enabled", "btf", "cgroup2"):
        assert checks[name]["state"] == "ok", checks[name]


@needs_root
def test_doctor_without_packet_sockets(namespace):
    check = doctor([*namespace.enter, "setpriv", "--bounding-set", "-net_raw"])["packet-sockets"]
    assert check["state"] == "warn" and "CAP_NET_RAW" in check["remedy"]


@needs_root
def test_doctor_root_without_capabilities(namespace):
    checks = doctor([*namespace.enter, "setpriv", "--bounding-set", "-sys_admin"])
    assert checks["capabilities"]["state"] == "fail"
    assert "CAP_SYS_ADMIN" in checks["capabilities"]["detail"]


@needs_root
def test_doctor_root_of_a_user_namespace():
    prefix = ["unshare", "--user", "--map-root-user", "--net"]
    if subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no user namespaces here")
    checks = doctor(prefix)
    assert checks["capabilities"]["state"] == checks["bpf-sockopt"]["state"] == "unknown"


@needs_root
@pytest.mark.parametrize("prepare, name, state, remedy", [
    (lambda ns: ns.sysctl("net.mptcp.enabled=0"),
     "net.mptcp.enabled", "fail", "sysctl -w net.mptcp.enabled=1"),
    (lambda ns: ns.ip("mptcp", "endpoint", "add", "127.0.0.1", "subflow"),
     "endpoints", "warn", "ip mptcp endpoint flush; or [namespaces] take_over = yes"),
    (lambda ns: ns.sysctl("net.mptcp.allow_join_initial_addr_port=0"),
     "initial-address-joins", "warn", "sysctl -w net.mptcp.allow_join_initial_addr_port=1"),
    (lambda ns: ns.ip("mptcp", "limits", "set", "subflows", "2"),
     "subflow-limit", "warn", "ip mptcp limits set subflows 3"),
], ids=["enabled", "endpoint", "join", "limits"])
def test_doctor_remedies(namespace, prepare, name, state, remedy):
    prepare(namespace)
    check = doctor(namespace.enter)[name]
    assert (check["state"], check["remedy"]) == (state, remedy)
    # The remedy mends it.
    command = remedy.split(";")[0].split()
    subprocess.run([*namespace.enter, *command], check=True, stdout=subprocess.DEVNULL)
    assert doctor(namespace.enter)[name]["state"] == "ok"


@needs_root
def test_doctor_userspace_path_manager(namespace):
    namespace.sysctl("net.mptcp.pm_type=1")
    checks = doctor(namespace.enter)
    assert "this namespace has it" in checks["userspace-pm"]["detail"]
    assert checks["subflow-limit"]["state"] == "ok"


@needs_root
def test_doctor_other_listener(namespace):
    # A terminal, or ip buffers and never says that it is ready; its socket says it.
    master, slave = pty.openpty()
    with subprocess.Popen([*namespace.enter, "ip", "mptcp", "monitor"], stdout=slave) as monitor:
        try:
            end = time.monotonic() + DEADLINE_S
            check = doctor(namespace.enter)["other-listeners"]
            while check["state"] == "ok" and time.monotonic() < end:
                check = doctor(namespace.enter)["other-listeners"]
            assert check["state"] == "warn" and "take_over = yes" in check["remedy"]
            assert f"ip (pid {monitor.pid})" in check["detail"]
            check = doctor([*namespace.enter, *NOBODY])["other-listeners"]
            assert (check["state"], check["remedy"]) == ("unknown", "run as root")
        finally:
            monitor.kill()
            os.close(master)
            os.close(slave)


@needs_root
def test_doctor_hidden_cgroup_tree(namespace):
    """`ip netns exec` mounts another /sys: the way out is said together with what is missing."""
    check = doctor(["ip", "netns", "exec", namespace.name])["cgroup2"]
    assert check["state"] == "fail" and "nsenter --net=" in check["remedy"]


def test_doctor_running_daemon(control):
    with FeignedDaemon(control, json.dumps(STATUS).encode()):
        assert doctor(control=control)["subflowd"]["state"] == "ok"
    with FeignedDaemon(control, b"nonsense"):
        assert doctor(control=control)["subflowd"]["state"] == "warn"


# run

def compile_c(path, source, *flags):
    subprocess.run(["cc", "-x", "c", "-", "-o", str(path), *flags], input=source, text=True,
                   check=True)
    os.chmod(path, 0o755)
    return path


@pytest.fixture(name="mark", scope="module")
def fixture_mark():
    """A preload object that only says that it was loaded."""
    with tempfile.TemporaryDirectory(prefix="sf-cli-") as folder:
        os.chmod(folder, 0o755)
        yield compile_c(pathlib.Path(folder) / "mark.so", """
            #include <unistd.h>
            __attribute__((constructor)) static void mark(void)
            {
                if (write(2, "loaded\\n", 7) < 0)
                    _exit(99);
            }
            """, "-shared", "-fPIC")


def test_run_program(mark):
    done = subflow("run", PYTHON, "-c", "import sys; print(sys.argv[1:]); sys.exit(7)",
                   "--", "--help", "a b", SUBFLOW_PRELOAD=str(mark))
    assert (done.returncode, done.stdout) == (7, "['--', '--help', 'a b']\n")
    assert done.stderr == "loaded\n"


def test_run_dashes_and_path(mark):
    done = subflow("run", "--", "sh", "-c", "echo $LD_PRELOAD", SUBFLOW_PRELOAD=str(mark))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{mark}\n", "loaded\n")


def test_run_keeps_what_was_preloaded(mark, tmp_path):
    other = shutil.copy(mark, tmp_path / "other.so")
    # Set inside, or the dynamic linker would load it into subflow itself.
    done = subprocess.run([SUBFLOW, "run", "sh", "-c", "echo $LD_PRELOAD"], check=False,
                          capture_output=True, text=True, timeout=DEADLINE_S,
                          env={**os.environ, "LD_PRELOAD": str(other),
                               "SUBFLOW_PRELOAD": str(mark),
                               "ASAN_OPTIONS": "verify_asan_link_order=0"})
    assert done.stdout == f"{mark}:{other}\n"


def test_run_is_found_from_any_folder(mark, tmp_path):
    """A relative SUBFLOW_PRELOAD is made absolute: the program may go elsewhere."""
    shutil.copy(mark, tmp_path / "mark.so")
    done = subprocess.run([SUBFLOW, "run", "sh", "-c", "cd / && exec sh -c :"], cwd=tmp_path,
                          env={**os.environ, "SUBFLOW_PRELOAD": "mark.so"}, check=False,
                          capture_output=True, text=True, timeout=DEADLINE_S)
    assert (done.returncode, done.stderr) == (0, "loaded\nloaded\n")


def test_run_errors(mark, tmp_path):
    fails(subflow("run", "/nonexistent/program", SUBFLOW_PRELOAD=str(mark)),
          "/nonexistent/program", "No such file", status=127)
    fails(subflow("run", "no-such-program-anywhere", SUBFLOW_PRELOAD=str(mark)),
          "no-such-program-anywhere", status=127)
    data = tmp_path / "data"
    data.write_text("no program")
    data.chmod(0o644)
    fails(subflow("run", data, SUBFLOW_PRELOAD=str(mark)), "Permission denied", status=126)
    fails(subflow("run", tmp_path, SUBFLOW_PRELOAD=str(mark)), str(tmp_path), status=126)
    fails(subflow("run", "true", SUBFLOW_PRELOAD="/nonexistent/x.so"), "/nonexistent/x.so",
          "SUBFLOW_PRELOAD", status=125)
    spaced = shutil.copy(mark, tmp_path / "a b.so")
    fails(subflow("run", "true", SUBFLOW_PRELOAD=str(spaced)), "space", status=125)
    assert subflow("run").returncode == 125
    assert subflow("run", "--nonsense", "true").returncode == 125


def test_run_warns_of_static_programs(mark, tmp_path):
    static = compile_c(tmp_path / "static", "int main(void) { return 3; }", "-static")
    done = subflow("run", static, SUBFLOW_PRELOAD=str(mark))
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1 and "statically linked" in done.stderr
    script = tmp_path / "script"
    script.write_text(f"#!{static}\n")
    script.chmod(0o755)
    done = subflow("run", script, SUBFLOW_PRELOAD=str(mark))
    assert done.returncode == 3 and "statically linked" in done.stderr


def test_run_does_not_warn_of_static_pie_loader(mark, tmp_path):
    """Position-independent programs that are linked dynamically are the usual case."""
    pie = compile_c(tmp_path / "pie", "int main(void) { return 4; }", "-pie", "-fPIE")
    done = subflow("run", pie, SUBFLOW_PRELOAD=str(mark))
    assert (done.returncode, done.stderr) == (4, "loaded\n")


@pytest.mark.parametrize("junk", [b"\x7fELF", b"\x7fELF\x02\x01\x01" + b"\xff" * 200,
                                  b"#!", b"#! \n"],
                         ids=["cut", "ones", "no interpreter", "blank interpreter"])
def test_run_odd_files(mark, tmp_path, junk):
    odd = tmp_path / "odd"
    odd.write_bytes(junk)
    odd.chmod(0o755)
    done = subflow("run", odd, SUBFLOW_PRELOAD=str(mark))
    assert done.returncode in (0, 2, 126, 127)


@needs_root
def test_run_warns_of_setuid_programs(mark, open_folder):
    setuid = compile_c(open_folder / "setuid", "int main(void) { return 5; }")
    setuid.chmod(0o4755)
    done = subflow("run", setuid, prefix=NOBODY, SUBFLOW_PRELOAD=str(mark))
    assert done.returncode == 5 and "setuid" in done.stderr
    # To its owner it is a program like any other.
    done = subflow("run", setuid, SUBFLOW_PRELOAD=str(mark))
    assert (done.returncode, done.stderr) == (5, "loaded\n")


@needs_root
def test_run_without_mptcp(mark, namespace):
    namespace.sysctl("net.mptcp.enabled=0")
    done = subflow("run", "sh", "-c", "exit 6", prefix=namespace.enter, SUBFLOW_PRELOAD=str(mark))
    assert done.returncode == 6
    warning, loaded = done.stderr.splitlines()
    assert "no Multipath TCP here" in warning and loaded == "loaded"


def test_run_makes_sockets_mptcp():
    """The real object, found beside the build tree."""
    script = "import socket as s; print(s.socket().getsockopt(s.SOL_SOCKET, 38))"
    done = subflow("run", PYTHON, "-c", script)
    assert (done.stdout, done.stderr) == ("262\n", "")


# With the real daemon

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
