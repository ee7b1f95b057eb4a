# SPDX-License-Identifier: MIT
"""Two daemons on one host: each namespace has one, and a refused call changes nothing."""
import errno
import os
import signal

import pytest
from app import ADD
from conftest import BUILD, guardians, wait_guardian_gone
from lab.daemon import Daemon
from lab.netns import wait_until


@pytest.fixture(name="second")
def fixture_second(served):
    return start_second(served)


def start_second(served, **namespaces):
    """Another daemon for the same namespaces, attached below the first one's cgroup."""
    cgroup = served.cgroup / "second"
    cgroup.mkdir()
    daemon = Daemon(served, BUILD, {
        "hooks": {"cgroup": cgroup},
        "namespaces": {"serve": f"{served.client.name} {served.server.name}",
                       **namespaces}}, name="second")
    with daemon.log.open("ab") as log:
        daemon.process = served.popen(
            [daemon.binary, "--config", served.directory / "second.conf"], stdout=log, stderr=log)
    wait_until(lambda: len(daemon.status().get("namespaces", [])) == 2, "the second one answers")
    daemon.cgroup = cgroup
    return daemon


def test_the_second_leaves_alone_what_the_first_serves(served, second):
    for namespace in second.status()["namespaces"]:
        assert namespace["state"] == "left alone"
        assert "another subflowd" in namespace["reason"]
    second.process.terminate()
    second.process.wait(10)
    served.sink()
    app = served.app(served.client).connect(served.far.ip4)
    app.set(ADD, 1)
    app.wait_subflows(2)


def test_the_nearest_cgroups_answer_counts(served, second):
    """Of a namespace that the nearer daemon does not serve, no option is accepted, nor half done."""
    served.sink()
    app = served.app(served.client)
    app("None")  # it has answered: by now it is in the lab's cgroup, and can be moved
    (second.cgroup / "cgroup.procs").write_text(str(app.process.pid))
    app.connect(served.far.ip4)
    with pytest.raises(OSError) as error:
        app.set(ADD, 1)
    assert error.value.errno == errno.EOPNOTSUPP
    assert len(app.subflows()) == 1
    other = served.app(served.client).connect(served.far.ip4)
    other.set(ADD, 1)
    other.wait_subflows(2)
    assert len(app.subflows()) == 1


def test_a_namespace_is_free_again_when_its_daemon_is_killed(served, second):
    second.process.terminate()
    second.process.wait(10)
    served.daemon.process.kill()
    served.daemon.process.wait(10)
    served.daemon.start([served.client, served.server])


def pm_types(served):
    return [int(node.inside(lambda: open("/proc/sys/net/mptcp/pm_type").read()))
            for node in (served.client, served.server)]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_namespace_is_the_firsts_until_everything_is_put_back_there(served, how):
    """Its guardian is late: it must not undo what another daemon has set since."""
    guardian, = guardians(served)
    os.kill(guardian, signal.SIGSTOP)
    served.daemon.process.send_signal(how)
    wait_until(lambda: not served.daemon.status(), "the first one ends")
    second = start_second(served)
    for namespace in second.status()["namespaces"]:
        assert namespace["state"] == "left alone" and "another subflowd" in namespace["reason"]
    assert pm_types(served) == [1, 1]
    os.kill(guardian, signal.SIGCONT)
    wait_guardian_gone(served.daemon)
    assert pm_types(served) == [0, 0]
    second.stop()
    second.start([served.client, served.server])
    assert pm_types(served) == [1, 1]
    second.stop()
    assert pm_types(served) == [0, 0]


def test_what_is_left_alone_is_free_for_another(served):
    served.daemon.stop()
    served.client.run(["ip", "mptcp", "endpoint", "add", served.near.ip4, "subflow"])
    served.daemon.start([served.server])
    wait_until(lambda: len(served.daemon.status()["namespaces"]) == 2, "the client is left alone")
    second = start_second(served, take_over="yes")
    states = {entry["name"]: entry["state"] for entry in second.status()["namespaces"]}
    assert states == {served.client.name: "served", served.server.name: "left alone"}
