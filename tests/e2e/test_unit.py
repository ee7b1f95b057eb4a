# SPDX-License-Identifier: MIT
"""The unit as it is shipped, started by systemd itself: nothing that it forbids is ever needed."""
import os
from pathlib import Path

import pytest
from app import ADD, App
from lab.fabric import leaf_spine
from lab.netns import wait_until
from manager import SYSTEMD, Manager

MB = 1000000
CONFIG = """[elephant]
start = {start}
step = 1MB
stop = 100MB
max_subflows = 2
[repair]
rto_min_ms = 0
[namespaces]
serve = own other
"""

pytestmark = pytest.mark.skipif(not os.access(SYSTEMD, os.X_OK), reason="no systemd is installed")


@pytest.fixture(name="fabric")
def fixture_fabric():
    with leaf_spine(2) as fabric:
        fabric.client, fabric.server = fabric.host(0), fabric.host(1)
        fabric.server.run(["ip", "mptcp", "limits", "set", "subflows", "8"])
        yield fabric


def pm_type(node):
    return int(node.inside(Path("/proc/sys/net/mptcp/pm_type").read_text))


def counters(manager):
    return manager.status()["daemon"]["counters"]


@pytest.mark.parametrize("source", ["bpf", "diag", "capture"])
def test_from_start_to_stop(fabric, source):
    """A system call outside of its filter would kill it: as shipped it gets EPERM."""
    device = fabric.client.router.label
    config = CONFIG.format(start="4MB") + f"[detect]\nsource = {source}\ninterface = {device}\n"
    App(fabric.server).sink(7000)
    with Manager(fabric, fabric.client, config, ["SystemCallErrorNumber=kill"]) as manager:
        manager.systemctl("start", "subflowd")
        assert pm_type(fabric.client) == 1
        app = App(fabric.client).connect(fabric.server.ip4)
        app(f"send(s, {8 * MB})")
        app.wait_subflows(2)
        wait_until(lambda: counters(manager)["surveys"] > 0 and counters(manager)["probe_answers"] > 0,
                   "paths are looked for")
        app.set(ADD, 1)
        app.wait_subflows(3)
        manager.call(["ip", "netns", "add", "other"])
        wait_until(lambda: manager.is_served("other"), "a mount of the host reaches it")
        manager.config.write_text(config.replace("start = 4MB", "start = 3MB"))
        manager.systemctl("reload", "subflowd")
        wait_until(lambda: manager.status()["daemon"]["elephant"]["start"] == 3 * MB, "the new start")
        pid = manager.status()["daemon"]["pid"]
        manager.systemctl("restart", "subflowd")
        wait_until(lambda: [c for c in manager.status()["connections"] if len(c["subflows"]) == 3],
                   "the next one takes the connection up")
        assert manager.status()["daemon"]["pid"] != pid
        assert manager.show("NRestarts") == "0"
        manager.call(["ip", "netns", "delete", "other"])
        wait_until(lambda: not manager.is_served("other"), "and its end")
        manager.systemctl("stop", "subflowd")
        assert manager.show("Result") == "success"
        assert pm_type(fabric.client) == 0
    assert len(fabric.client.run(["ss", "-HMn", "state", "established"]).splitlines()) == 1


def test_it_is_started_again_when_it_is_killed(fabric):
    with Manager(fabric, fabric.client, CONFIG.format(start="100MB")) as manager:
        manager.systemctl("start", "subflowd")
        pid = manager.status()["daemon"]["pid"]
        manager.call(["kill", "-KILL", str(pid)])
        wait_until(lambda: manager.show("NRestarts") == "1"
                   and manager.is_served("own"),
                   "the next one serves")
        assert manager.status()["daemon"]["pid"] != pid
        assert pm_type(fabric.client) == 1
        # Of the second until the options answer again; bench/soak measures what the daemon takes of it.
        assert manager.show("RestartUSec") == "100ms"


# What root, without any capability, could open all doors with; and what the daemon writes to.
CLOSED = ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/overcommit_memory",
          "/proc/sys/fs/suid_dumpable", "/proc/sysrq-trigger", "/sys/kernel/uevent_helper", "/sys/kernel/profiling",
          "/sys/module/printk/parameters/time"]
OPEN = ["/proc/sys/net/mptcp/pm_type"]


def test_of_the_kernels_settings_only_those_are_open_that_it_sets(fabric):
    """By the mounts that it has: whoever takes it over is root, and owns all these files."""
    with Manager(fabric, fabric.client, CONFIG.format(start="100MB")) as manager:
        manager.systemctl("start", "subflowd")
        enter = ["nsenter", "--target", manager.show("MainPID"), "--mount", "sh", "-c"]
        there = [path for path in CLOSED if Path(path).exists()]
        assert len(there) >= 5
        for path in there:
            assert "Read-only file system" in manager.call([*enter, f": >>{path}"]).stderr, path
        for path in OPEN:
            assert manager.call([*enter, f": >>{path}"]).returncode == 0, path
        assert manager.call([*enter, "ls /sys/fs/bpf/subflow_2frun_2fsubflow_2fcontrol/*"]).returncode == 0, "its maps are kept"
        assert "does not outlive" not in manager.log.read_text()


def test_it_is_started_again_however_often_it_is_killed(fabric):
    with Manager(fabric, fabric.client, CONFIG.format(start="100MB")) as manager:
        manager.systemctl("start", "subflowd")
        for killed in range(1, 8):
            pid = manager.show("MainPID")
            manager.call(["kill", "-KILL", pid])
            wait_until(lambda: manager.show("NRestarts") == str(killed) and manager.is_served("own"),
                       "the next one serves")


def test_a_wrong_configuration_is_a_unit_that_has_failed(fabric):
    with Manager(fabric, fabric.client, "[elephant]\nstrat = 1MB\n") as manager:
        assert manager.call(["systemctl", "start", "subflowd"]).returncode != 0
        wait_until(lambda: manager.show("ActiveState") == "failed", "it has failed")
        assert manager.show("ExecMainStatus") == str(os.EX_CONFIG)
        assert manager.show("NRestarts") == "0"


def test_what_was_there_before_is_known_when_its_guardian_is_killed_too(fabric):
    with Manager(fabric, fabric.client, CONFIG.format(start="100MB")) as manager:
        manager.systemctl("start", "subflowd")
        manager.systemctl("kill", "--signal=KILL", "subflowd")
        wait_until(lambda: manager.show("NRestarts") == "1" and manager.is_served("own"), "the next one serves")
        assert pm_type(fabric.client) == 1
        manager.systemctl("stop", "subflowd")
        wait_until(lambda: pm_type(fabric.client) == 0, "put back")
        assert manager.call(["sh", "-c", "ls /run/subflow"]).stdout.split() == ["control.lock", "namespaces"]
