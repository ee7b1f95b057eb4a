# SPDX-License-Identifier: MIT
"""`subflow watch`: what an elephant goes through, as it happens; who is told what."""
import json
import os
import signal
import socket
import subprocess

import pytest
from conftest import BUILD
from lab.netns import wait_until
from test_control import SOMEBODY, as_user
from test_elephant import MB, config

SUBFLOW = BUILD / "cli" / "subflow"


class Watch:
    """A `subflow watch --json` that is subscribed; .events() is what it was told so far."""

    def __init__(self, lab, daemon, prefix=(), arguments=("--json",)):
        self.path = lab.directory / f"watch{len(list(lab.directory.glob('watch*')))}"
        with self.path.open("wb") as out:
            self.process = lab.popen([*prefix, SUBFLOW, "watch", *arguments], stdout=out,
                                     stderr=subprocess.STDOUT, env=daemon.environment)
        if "--json" in arguments:
            self.wait("watching")

    def events(self):
        return [json.loads(line) for line in self.path.read_text().splitlines(keepends=True)
                if line.endswith("\n") and line.startswith("{")]

    def wait(self, event, **values):
        """The first event of this kind with these values."""
        def find():
            return [e for e in self.events() if e["event"] == event
                    and all(e[key] == value for key, value in values.items())]
        return wait_until(find, f"{event} {values} among {self.events()}")[0]

    def kinds(self, token):
        return [e["event"] for e in self.events() if e.get("token") == token
                and e["namespace"].endswith("client")]


@pytest.fixture(name="watched")
def fixture_watched(pair):
    pair.daemon = pair.serve(config(start=10, step=10, stop=100, max_subflows=3))
    return pair


def elephant(pair, **options):
    pair.sink()
    app = pair.app(pair.client, **options).connect(pair.far.ip4)
    app(f"send(s, {35 * MB})")
    app.wait_subflows(3)
    return app


def test_an_elephant_as_it_happens(watched):
    watch = Watch(watched, watched.daemon)
    app = elephant(watched)
    token = app.connid()
    app.close()
    watch.wait("closed", token=token, namespace=watched.client.name)
    kinds = watch.kinds(token)
    assert kinds[:2] == ["connection", "established"]
    assert kinds[-1] == "closed"
    for kind in ("threshold", "subflow_asked", "subflow_up"):
        assert kinds.count(kind) >= 2, kinds
    first, second = [e for e in watch.events() if e["event"] == "threshold"][:2]
    assert (first["threshold"], second["threshold"]) == (10 * MB, 20 * MB)
    assert first["bytes"] >= 10 * MB
    up = watch.wait("subflow_up", token=token, namespace=watched.client.name)
    assert up["asked_by"] == "elephant" and up["local"] != first["local"]
    times = [e["time_us"] for e in watch.events()]
    assert times == sorted(times)


def test_for_people(watched):
    watch = Watch(watched, watched.daemon, arguments=())
    wait_until(lambda: "watching" in watch.path.read_text(), "the watch begins")
    app = elephant(watched)
    name = f"{watched.client.name}/{app.connid():08x}: "
    wait_until(lambda: watch.path.read_text().count(name + "subflow up") == 2, "two subflows")
    assert f"{name}threshold" in watch.path.read_text()
    assert "10 MB passed at 1" in watch.path.read_text()


def test_one_connection_alone(watched):
    watched.sink()
    apps = [watched.app(watched.client).connect(watched.far.ip4) for _ in range(2)]
    watch = Watch(watched, watched.daemon, arguments=("--json", f"{apps[0].connid():x}"))
    for app in reversed(apps):
        app.set(10003, 1)
    watch.wait("subflow_up", token=apps[0].connid())
    assert {e.get("token") for e in watch.events()[1:]} == {apps[0].connid()}


def test_users_are_told_of_their_own(watched):
    watched.sink()
    early = watched.app(watched.client, uid=SOMEBODY).connect(watched.far.ip4)
    watch = Watch(watched, watched.daemon, as_user(SOMEBODY))
    other = watched.app(watched.client).connect(watched.far.ip4)
    mine = watched.app(watched.client, uid=SOMEBODY).connect(watched.far.ip4)
    for app in (other, early, mine):
        app.set(10003, 1)
    watch.wait("subflow_up", token=early.connid())
    watch.wait("subflow_up", token=mine.connid())
    token = mine.connid()
    mine.close()
    watch.wait("closed", token=token)
    assert watch.kinds(token)[0] == "connection"
    assert watch.kinds(other.connid()) == []


def test_namespaces_come_and_go(pair):
    daemon = pair.serve({"namespaces": {"serve": pair.prefix + "*"}})
    watch = Watch(pair, daemon)
    late = pair.netns("late")
    watch.wait("namespace_served", namespace=late.name)
    pair.run(["ip", "netns", "delete", pair.nodes.pop("late").name])
    watch.wait("namespace_ended", namespace=late.name)


def test_a_slow_watcher_is_told_what_it_missed(watched):
    """And the daemon goes on meanwhile."""
    slow = socket.socket(socket.AF_UNIX)
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    slow.connect(str(watched.daemon.socket))
    slow.send(b"watch\n")
    lines = slow.makefile()
    assert json.loads(lines.readline())["event"] == "watching"
    watched.sink()
    app = watched.app(watched.client)

    def untold():
        app(f"""
for _ in range(200):
    t = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
    t.connect(({watched.far.ip4!r}, 7000))
    t.send(b'x')
    t.close()
""")
        return watched.daemon.status()["daemon"]["counters"]["events_untold"]

    wait_until(untold, "events are lost")
    lost = 0
    for line in lines:
        event = json.loads(line)
        if event["event"] == "lost":
            lost = event["count"]
            break
    assert lost > 0
    slow.close()


def test_it_ends_with_the_daemon(watched):
    watch = Watch(watched, watched.daemon)
    watched.daemon.stop()
    wait_until(lambda: watch.process.poll() is not None, "subflow watch ends")
    assert watch.process.returncode == 1
    assert "has ended" in watch.path.read_text().splitlines()[-1]


def test_it_is_ended_by_ctrl_c(watched):
    watch = Watch(watched, watched.daemon)
    os.kill(watch.process.pid, signal.SIGINT)
    wait_until(lambda: watch.process.poll() is not None, "subflow watch ends")
    wait_until(lambda: watched.daemon.status()["daemon"]["watchers"] == 0, "it is forgotten")
