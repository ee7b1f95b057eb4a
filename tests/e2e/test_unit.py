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
