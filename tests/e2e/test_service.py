# SPDX-License-Identifier: MIT
"""subflowd as a service: what it tells its manager, and how little it may do."""
import os
import re
import signal
import socket
import subprocess

import pytest
from app import ADD, NOBODY
from conftest import BUILD, ROOT
from lab.daemon import Daemon
from lab.host import Host
from lab.netns import wait_until

SUBFLOWD = BUILD / "daemon" / "subflowd"
CAPABILITIES = {"net_admin": 12, "net_raw": 13, "net_broadcast": 11, "sys_admin": 21, "perfmon": 38,
                "bpf": 39}
NEEDED = sum(1 << bit for bit in CAPABILITIES.values())
# Of the guardian: to put back sysctls. Beside it, to find namespaces without a name: CAP_SYS_PTRACE.
OF_GUARDIAN = sum(1 << CAPABILITIES[name] for name in ("net_admin", "sys_admin"))
PTRACE = 1 << 19


def status_of(pid):
    return dict(re.findall(r"^(\w+):\t(.*)$", open(f"/proc/{pid}/status").read(), re.M))


def guardian_of(pid):
    listed = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True)
    return int(listed.stdout.split()[0])


def test_it_keeps_no_capability_that_it_does_not_need(pair):
    daemon = pair.serve()
    pid = daemon.process.pid
    for pid, needed in (pid, NEEDED), (guardian_of(pid), OF_GUARDIAN):
        status = status_of(pid)
        for which in ("CapEff", "CapPrm"):
            assert int(status[which], 16) == needed, which
        assert int(status["CapBnd"], 16) == NEEDED
        for which in ("CapInh", "CapAmb"):
            assert int(status[which], 16) == 0, which
        assert status["NoNewPrivs"] == "1"


def test_it_may_look_at_processes_only_where_namespaces_without_a_name_are_served(pair):
    """In processes of its own, or it would find every namespace of this machine."""
    daemon = Host(pair, pair.client, BUILD).start("all")
    assert int(status_of(daemon.host_pid)["CapEff"], 16) == NEEDED | PTRACE
    assert int(status_of(guardian_of(daemon.host_pid))["CapEff"], 16) == OF_GUARDIAN | PTRACE


def test_it_runs_without_root_on_these_capabilities_alone(pair):
    """And serves as ever."""
    daemon = Daemon(pair, BUILD, {"namespaces": {"serve": f"{pair.client.name} {pair.server.name}"}})
    os.chown(pair.directory, NOBODY, NOBODY)
    names = ",".join(f"+{name}" for name in CAPABILITIES)
    with daemon.log.open("ab") as log:
        daemon.process = pair.popen(
            ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
             f"--inh-caps={names}", f"--ambient-caps={names}", SUBFLOWD, "--config",
             pair.directory / "subflowd.conf"], stdout=log, stderr=log)
    wait_until(lambda: len([n for n in daemon.status().get("namespaces", [])
                            if n["state"] == "served"]) == 2, "both are served")
    assert status_of(daemon.process.pid)["Uid"].split()[0] == str(NOBODY)
    assert int(status_of(daemon.process.pid)["CapEff"], 16) == NEEDED
    assert int(status_of(guardian_of(daemon.process.pid))["CapEff"], 16) == OF_GUARDIAN
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app.set(ADD, 2)
    app.wait_subflows(3)
    daemon.process.send_signal(signal.SIGKILL)
    daemon.process.wait(10)
    wait_until(lambda: pair.client.inside(
        lambda: open("/proc/sys/net/mptcp/pm_type").read()) == "0\n", "put back by its guardian")


@pytest.fixture(name="manager")
def fixture_manager(pair):
    """The socket that a service manager listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(pair.directory / "notify"))
        listener.settimeout(10)
        yield listener


def start_under(pair, **environment):
    daemon = Daemon(pair, BUILD, {"namespaces": {"serve": pair.client.name}})
    with daemon.log.open("ab") as log:
        daemon.process = pair.popen(
            [SUBFLOWD, "--config", pair.directory / "subflowd.conf"], stdout=log, stderr=log,
            env={**os.environ, "NOTIFY_SOCKET": str(pair.directory / "notify"), **environment})
    return daemon


def test_ready_is_told_when_it_serves_and_stopping_when_it_ends(pair, manager):
    daemon = start_under(pair)
    assert manager.recv(4096) == b"READY=1"
    assert daemon.status()["namespaces"][0]["state"] == "served"
    daemon.process.terminate()
    assert manager.recv(4096) == b"STOPPING=1"
    assert daemon.process.wait(10) == 0


def test_the_watchdog_is_answered_while_the_loop_turns(pair, manager):
    daemon = start_under(pair, WATCHDOG_USEC="100000")
    assert [manager.recv(4096) for _ in range(4)] == [b"READY=1"] + 3 * [b"WATCHDOG=1"]
    daemon.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: status_of(daemon.process.pid)["State"].startswith("T"), "it stands still")
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:  # what was sent before
            manager.recv(4096)
    manager.settimeout(0.5)
    with pytest.raises(TimeoutError):
        manager.recv(4096)
    daemon.process.send_signal(signal.SIGCONT)
    manager.settimeout(10)
    assert manager.recv(4096) == b"WATCHDOG=1"


def test_the_unit_is_as_closed_as_the_manual_says():
    """As systemd-analyze counts it, from 0 (closed) to 10 (open)."""
    manual = (ROOT / "man" / "subflowd.8.scd").read_text()
    exposure = float(re.search(r"counts an exposure of ([0-9.]+) of 10", manual)[1])
    report = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager",
                             f"--threshold={exposure * 10:.0f}", BUILD / "dist" / "subflowd.service"],
                            capture_output=True, text=True)
    assert report.returncode == 0, report.stdout[-500:] + report.stderr


def test_the_unit_grants_what_the_daemon_keeps():
    unit = (BUILD / "dist" / "subflowd.service").read_text()
    granted = re.search(r"^CapabilityBoundingSet=(.*)$", unit, re.M)[1].lower().split()
    assert set(granted) == {f"cap_{name}" for name in CAPABILITIES} | {"cap_setpcap"}
