# SPDX-License-Identifier: MIT
"""`subflow doctor` in prepared namespaces."""
import json
import os
import pty
import subprocess
import time

import pytest
from cli import DEADLINE_S, FeignedDaemon, NOBODY, STATUS, doctor, needs_root, subflow


@needs_root
def test_doctor_as_root(namespace):
    before = namespace.state()
    checks = doctor(namespace.enter)
    assert namespace.state() == before
    assert {"mptcp-sockets", "net.mptcp.enabled", "userspace-pm", "btf", "cgroup2",
            "bpf-sockopt", "bpf-sock_ops", "bpf-iterator", "mptcp-sock_diag",
            "byte-counters", "joins-as-backup", "link-local-joins", "coupled-control", "enable-carries", "packet-sockets", "mptcp-by-bpf"} <= set(checks)
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
@pytest.mark.parametrize("name", ["net_admin", "sys_admin", "net_broadcast"])
def test_doctor_root_without_capabilities(namespace, name):
    check = doctor([*namespace.enter, "setpriv", "--bounding-set", f"-{name}"])["capabilities"]
    assert check["state"] == "fail"
    assert check["detail"] == f"this root has no CAP_{name.upper()}"


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
