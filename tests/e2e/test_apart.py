# SPDX-License-Identifier: MIT
"""Elephants whose subflows share a path are moved apart, and then stay where they are."""
import subprocess

import pytest
from app import ADD, MPTCP, App
from lab import fabric
from lab.netns import wait_until
from pinned import Kept
from test_benefit import NO_REPAIR, POUR
from test_placement import Scene
from test_restart import deafen, kill

MB = 1000000
HASHED, FOREIGN = 7002, 7001
# Rates tell of paths only while the CPU has time to spare.
SLOW_MBIT = 25
# Two subflows each: of 8 paths at least 5 stay free.
RULE = {"start": "2MB", "step": "1MB", "stop": "100GB", "max_subflows": 2}


@pytest.fixture
def lab():
    with fabric.leaf_spine(8) as lab:
        yield lab


def spines(scene, *apps):
    return [scene.lab.path_of(scene.source, scene.target, local[1], remote[1])[1]
            for app in apps for local, remote in app.subflows()]


def collide(scene):
    """Two connections whose first subflows take one path, by the kernel's own choice of ports."""
    taken = {}
    while True:
        app = scene.connect()
        other = taken.setdefault(spines(scene, app)[0], app)
        if other is not app:
            return other, app


def are_apart(scene, *apps):
    taken = spines(scene, *apps)
    return len(taken) == 4 and len(set(taken)) == 4


def explain(scene, app):
    return subprocess.run([scene.daemon.cli, "explain", f"{scene.source.name}/{app.connid():08x}"],
                          env=scene.daemon.environment, capture_output=True, text=True,
                          check=True).stdout


def test_two_elephants_whose_first_subflows_collide_are_moved_apart(lab):
    scene = Scene(lab, {"elephant": RULE, "apart": {"slow_percent": 0}})
    apps = collide(scene)
    for app in apps:
        app(POUR)
    wait_until(lambda: are_apart(scene, *apps), "four subflows on four paths", timeout_s=30)
    counters = scene.counters()
    assert (counters["moved"], counters["moves_failed"]) == (1, 0)
    moved = [app for app in apps if scene.status(app)["apart"]["moved"]]
    assert len(moved) == 1
    assert "moved to a path of its own: 1." in explain(scene, moved[0])


def test_an_elephant_leaves_a_link_that_is_slower_than_the_others():
    """Whether others load it, or there is no more of it: of paths the map says which there are, and rates tell the rest."""
    with fabric.Fabric(fabric.with_rates(fabric.leaf_spine_topology(4, 2, 1, SLOW_MBIT),
                                         {"spine0": SLOW_MBIT // 5})) as lab:
        scene = Scene(lab, {"elephant": RULE})
        app = scene.connect()
        while spines(scene, app) != ["spine0"]:
            app = scene.connect()
        app(POUR)
        wait_until(lambda: len(taken := spines(scene, app)) == 2 and "spine0" not in taken,
                   "two subflows on two of the three other spines", timeout_s=60)
        assert scene.counters()["moved"] == 1
        assert len(set(spines(scene, app))) == 2


def test_a_move_that_a_kill_cuts_short_is_carried_to_its_end(lab):
    """The daemon dies between make and break: the next one knows which subflow is one too many."""
    scene = Scene(lab, {"elephant": RULE, "apart": {"slow_percent": 0}})
    hosts, within = [scene.source, scene.target], Kept(lab)
    scene.daemon.stop()
    scene.daemon.start(hosts, within)
    apps = collide(scene)
    for app in apps:
        app.set(ADD, 1)
        app.wait_subflows(2)
    deafen(scene.target)
    for app in apps:
        app(POUR)

    def moving():
        return [subflow for app in apps for subflow in scene.status(app)["subflows"]
                if (subflow["asked_by"], subflow["state"]) == ("move", "opening")]

    wait_until(moving, "a SYN is on its way", timeout_s=30)
    kill(scene.daemon)
    scene.daemon.start(hosts, within)
    assert moving(), "the next one knows what it is for"
    deafen(scene.target, False)
    wait_until(lambda: are_apart(scene, *apps), "four subflows on four paths", timeout_s=30)
    wait_until(lambda: scene.counters()["moved"] == 1, "the old one is closed")
    assert scene.counters()["creates"] == 0


def stranger(lab, source, target, on_spine):
    """An elephant of plain TCP, of a host that nobody serves, over this spine."""
    port = FOREIGN
    sink, app = App(target), App(source)
    sink.sink(port, protocol=0)
    sport = next(sport for sport in range(20000, 30000)
                 if lab.path_of(source, target, sport, port)[1] == on_spine)
    app.open(protocol=0)(f"s.bind(('', {sport}))")
    app(f"s.connect(({target.ip4!r}, {port}))")
    app(POUR)
    return app, sink


SEND = """
import hashlib, random
digest, sent, is_over = hashlib.sha256(), 0, False
def pour():
    global sent
    block = random.randbytes(1 << 16)
    while not is_over:
        number = sent.to_bytes(8, "big")
        s.sendall(number + block)
        digest.update(number + block)
        sent += len(number + block)
    s.shutdown(socket.SHUT_WR)
thread = threading.Thread(target=pour, daemon=True)
thread.start()
"""
RECEIVE = f"""
import hashlib
digest, received = hashlib.sha256(), 0
hashing = socket.socket(socket.AF_INET, socket.SOCK_STREAM, {MPTCP})
hashing.bind(("", {HASHED}))
hashing.listen()
def receive():
    global received
    connection, _ = hashing.accept()
    while block := connection.recv(1 << 20):
        digest.update(block)
        received += len(block)
threading.Thread(target=receive, daemon=True).start()
"""


def test_an_elephant_that_meets_somebody_elses_leaves_it_the_path():
    """And is at rest then; what it carries meanwhile arrives as it was sent."""
    with fabric.leaf_spine(8, hosts=2, rate_mbit=SLOW_MBIT) as lab:
        scene = Scene(lab, {"elephant": {**RULE, "max_subflows": 4}, **NO_REPAIR})
        scene.sink(RECEIVE)
        app = App(scene.source).connect(scene.target.ip4, HASHED, talk=False)
        app(SEND)
        wait_until(lambda: len(set(spines(scene, app))) == 4, "four paths", timeout_s=30)
        shared = spines(scene, app)[-1]
        stranger_app, stranger_sink = stranger(lab, lab.host(1), lab.host(2), shared)

        def has_left():
            taken = spines(scene, app)
            return len(taken) == 4 and shared not in taken

        wait_until(has_left, "all subflows are elsewhere", timeout_s=30)
        moved = scene.counters()["moved"]
        assert 1 <= moved <= 2
        assert 1 <= scene.counters()["slow"] <= 2
        sent = app("sent")
        wait_until(lambda: app("sent") > sent + 40 * MB, "it goes on", timeout_s=60)
        assert scene.counters()["moved"] <= 2
        assert shared not in spines(scene, app)
        assert stranger_sink("drained") > MB
        app("is_over = True")
        wait_until(lambda: not app("thread.is_alive()"), "all is sent", timeout_s=30)
        wait_until(lambda: scene.sink("received") == app("sent"), "all is received")
        assert scene.sink("digest.hexdigest()") == app("digest.hexdigest()")
        assert stranger_app("s.fileno()") >= 0


def ways_back(scene, app):
    """{local port: the spine over which its subflow receives}."""
    return {local[1]: scene.lab.path_of(scene.target, scene.source, remote[1], local[1])[1]
            for local, remote in app.subflows()}


def test_a_download_leaves_somebody_elses_elephant_too():
    """What the port decides of the way back nobody asks: it may take a second move."""
    with fabric.leaf_spine(8, hosts=2, rate_mbit=SLOW_MBIT) as lab:
        scene = Scene(lab, {"elephant": RULE, **NO_REPAIR})
        for number in range(20):
            app = scene.connect()
            app("threading.Thread(target=drain, args=(s.dup(),), daemon=True).start()")
            wait_until(lambda: scene.sink("len(accepted)") > number, "it is accepted")
            scene.sink(f"s = accepted[{number}]")
            scene.sink(POUR)
            app.wait_subflows(2)
            ways = ways_back(scene, app)
            if len(set(ways.values())) == 2:
                break
            app.stop()
        slow = list(ways)[-1]
        assert scene.counters()["slow"] == 0
        _, sink = stranger(lab, lab.host(2), lab.host(1), ways[slow])
        wait_until(lambda: slow not in ways_back(scene, app), "the subflow is moved", 60)
        assert scene.counters()["slow"] >= 1
        assert 1 <= scene.counters()["moved"] <= 2
        assert scene.status(app)["apart"]["moved"] >= 1
        assert sink("drained") > 0
