# SPDX-License-Identifier: MIT
"""What looks like a failure and is none, or is one that nobody can mend: no storm comes of it."""
import json
import socket
import subprocess
import time

import pytest
from app import ADD, App
from lab import fabric, gates
from lab.netns import PATIENCE, wait_until
from test_benefit import POUR
from test_placement import PORT, Scene, state_of

MB = 1000000
# Names of what the daemon does to subflows.
ACTS = ("creates", "destroys", "repairs", "replaced", "taken_back", "retries")
SMALL = {"elephant": {"start": "2MB", "step": "1MB", "stop": "6MB"}}


@pytest.fixture
def lab():
    with fabric.leaf_spine(4) as leaf_spine:
        yield leaf_spine


def acts(scene):
    return {name: value for name, value in scene.counters().items() if name in ACTS}


def last(seconds):
    """For so long nothing is to happen."""
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= end, "the time passes", seconds + 10)


def budget(begun):
    """Repairs that one connection may have had since then."""
    return gates.repairs_most(time.monotonic() - begun)


def test_a_receiver_that_stalls_is_no_black_hole(lab):
    """Zero window: no subflow is closed, taken back or replaced."""
    scene = Scene(lab, SMALL)
    reader = App(scene.target)
    reader("l = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)")
    reader(f"l.bind(('', {PORT + 1})); l.listen()")
    app = App(scene.source).connect(scene.target.ip4, PORT + 1)
    reader("c = l.accept()[0]")
    app("sent = 1")
    app(f"s.setsockopt({socket.IPPROTO_TCP}, {ADD}, 3)")
    app.wait_subflows(4)
    app("s.setblocking(False)")

    def is_shut():
        """Whether nothing more is taken, and the receiver has said so."""
        try:
            app("sent += s.send(bytes(1 << 16))")
            return False
        except BlockingIOError:
            return scene.target.netstat()["TcpExtTCPToZeroWindowAdv"] > 0

    before = acts(scene)
    wait_until(is_shut, "the window is shut", 60)
    last(3)
    assert acts(scene) == before
    assert len(app.subflows()) == 4
    reader("threading.Thread(target=drain, args=(c,), daemon=True).start()")
    wait_until(lambda: reader("drained") == app("sent"), "all arrives in the end", 60)
    assert acts(scene)["repairs"] == 0


def test_an_application_that_is_idle_has_not_failed(lab):
    scene = Scene(lab)
    app = scene.connect()
    app.set(ADD, 3)
    subflows = app.wait_subflows(4)
    app(f"send(s, {MB})")
    # The last subflow may be there before the survey has seen flows enough.
    wait_until(lambda: state_of(scene, PORT) == "known", "the paths are known")
    before = scene.counters()
    last(3)
    after = scene.counters()
    assert {name: after[name] for name in ACTS} == {name: before[name] for name in ACTS}
    assert after["probes"] == before["probes"]
    app(f"send(s, {MB})")
    wait_until(lambda: scene.sink("drained") >= 2 * MB, "it goes on")
    assert app.subflows() == subflows


def send_until(scene, app, timeouts, before):
    """Sends on until so many retransmission timeouts have been there, and all has arrived."""
    def found():
        return scene.source.netstat()["TcpExtTCPTimeouts"] - before["TcpExtTCPTimeouts"]

    sent = scene.sink("drained")
    for _ in range(30):
        app(f"send(s, {5 * MB})")
        sent += 5 * MB
        wait_until(lambda: scene.sink("drained") >= sent, "all arrives", 60)
        if found() >= timeouts:
            return found()
    raise AssertionError(f"{found()} timeouts, and not {timeouts}: this shows nothing")


def suspected(scene):
    """How many of them were taken for a dead path, whatever was done about it."""
    counters = scene.counters()
    return sum(counters[name] for name in ("repairs", "repairs_denied", "false_alarms"))


def test_reordering_is_no_dead_path():
    """Packets of a subflow take one of two ways by lot, and wait in two queues."""
    with fabric.leaf_spine(2, rate_mbit=20) as lab:
        lab.spray(lab.host(0).router.label)
        scene = Scene(lab, {"elephant": {"max_subflows": 1}})
        app = scene.connect()
        app.set(ADD, 3)
        app.wait_subflows(4)
        begun, before = time.monotonic(), scene.source.netstat()
        timeouts = send_until(scene, app, 10, before)
        after = scene.source.netstat()
        assert sum(after[name] - before[name] for name in
                   ("TcpExtTCPSACKReorder", "TcpExtTCPTSReorder", "TcpExtTCPRenoReorder")) > 0
        assert suspected(scene) <= timeouts / 5
        assert scene.counters()["repairs"] <= budget(begun)


def test_a_lossy_path_is_no_dead_path(lab):
    """One packet in ten is lost, on each way, and now and then all of a short flight, with its probe."""
    scene = Scene(lab, {"elephant": {"max_subflows": 1}})
    app = scene.connect()
    app.set(ADD, 3)
    app.wait_subflows(4)
    for number in range(4):
        lab.drop(scene.source.router.label, f"spine{number}", .1)
    timeouts = send_until(scene, app, 40, scene.source.netstat())
    assert suspected(scene) <= timeouts / 4


def test_a_peer_that_resets_every_join(lab):
    """It is left alone after some, whoever asks; what is being sent arrives all the same."""
    lab.refuse_joins(lab.topology.hosts[-1])
    scene = Scene(lab, {**SMALL, "joins": {"refusals": 3, "hold_s": 3600}})
    apps = [scene.connect() for _ in range(5)]
    apps[0].set(ADD, 3)
    wait_until(lambda: scene.counters()["refused_by_peer"] == 3, "three are refused")
    for app in apps[1:]:
        app.set(ADD, 3)
    for number, app in enumerate(apps, 1):
        app(f"send(s, {8 * MB})")
        wait_until(lambda: scene.sink("drained") >= 8 * MB * number, "all arrives", 60)
    counters = scene.counters()
    assert counters["refused_by_peer"] == counters["creates"] == 3 and counters["withheld"] >= 12
    assert counters["established"] == 0 and [len(app.subflows()) for app in apps] == [1] * 5


def test_a_link_that_flaps_makes_no_storm(lab):
    scene = Scene(lab)
    app = scene.connect()
    app.set(ADD, 3)
    app.wait_subflows(4)
    begun = time.monotonic()
    app(POUR)
    for number in range(12):
        before = scene.sink("drained")
        spine, target = f"spine{number % 2}", scene.target.router.label
        lab.black_hole(spine, target)
        last(.4)
        lab.black_hole(spine, target, on=False)
        wait_until(lambda: scene.sink("drained") > before + MB, "data flows", 30)
    assert scene.counters()["repairs"] <= budget(begun)
    assert scene.counters()["creates"] <= 3 + budget(begun)
    wait_until(lambda: len(app.subflows()) >= 2, "there are subflows")


def test_a_fabric_where_every_path_is_bad(lab):
    """One packet in ten is lost, wherever an elephant goes: that is for TCP to mend."""
    scene = Scene(lab, SMALL)
    for spine in lab.topology.neighbours(lab.host(0).router.label):
        if spine in lab.topology.routers:
            lab.drop(lab.host(0).router.label, spine, .1)
    app, before = scene.connect(), scene.source.netstat()
    timeouts = send_until(scene, app, 20, before)
    assert suspected(scene) <= timeouts / 3
    counters = scene.counters()
    assert counters["creates"] <= 3 + counters["retries"] + counters["repairs"] + counters["replaced"]
    assert counters["taken_back"] + counters["replaced"] <= 3


def ways(scene):
    """The paths to the target as the daemon knows them: (spine, subflows, seconds to be avoided)."""
    shown = json.loads(subprocess.run(
        [scene.daemon.cli, "paths", "--json"], env=scene.daemon.environment, check=True,
        capture_output=True, text=True).stdout)
    return [(scene.label_of(way["routers"][-1]), way["load"], way["shunned_s"])
            for paths in shown["paths"] for way in paths["ways"]]


@pytest.mark.parametrize("asker", ["elephant", "application"])
def test_a_path_that_comes_back_is_used_again(lab, asker):
    """By a connection whose subflows share what is left, when it has been avoided for long enough."""
    start = "1MB" if asker == "elephant" else "90GB"
    scene = Scene(lab, {"elephant": {"start": start, "step": "500kB", "stop": "100GB"},
                        "apart": {"slow_percent": 0}})
    app = scene.connect()
    if asker == "application":
        app.set(ADD, 3)
    app(POUR)

    def spines():
        return [scene.routers(local[1])[1] for local, _ in app.subflows()]

    wait_until(lambda: len(set(spines())) == 4, "each has a spine of its own", 30)
    dead = spines()[-1]
    lab.black_hole(dead, scene.target.router.label)
    wait_until(lambda: len(spines()) == 4 and dead not in spines(), "three spines are shared", 30)
    lab.black_hole(dead, scene.target.router.label, on=False)
    seen = set()

    def is_taken():
        """What is seen of it until then: never that it is in use while it is to be avoided."""
        seen.update((load > 0, left_s > 0) for spine, load, left_s in ways(scene) if spine == dead)
        taken = spines()
        return len(taken) == 4 == len(set(taken))

    wait_until(is_taken, "each path has a subflow, that which has come back as well", 60)
    assert (False, True) in seen and (True, True) not in seen
    assert scene.counters()["moved"] >= 1 and scene.counters()["moves_failed"] == 0


# One thread for all: it is the daemon's work that is looked at.
MANY = """
import select
def pour(host, count, size):
    conns = []
    for _ in range(count):
        c = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
        c.connect((host, 7000))
        conns.append(c)
    block = bytes(1 << 16)
    left = {c.fileno(): size for c in conns}
    byno = {c.fileno(): c for c in conns}
    poll = select.poll()
    for c in conns:
        c.setblocking(False)
        poll.register(c, select.POLLOUT)
    while left:
        for number, _ in poll.poll():
            left[number] -= byno[number].send(block[:left[number]])
            if not left[number]:
                del left[number]
                poll.unregister(number)
    space["conns"] = conns
"""
DRAIN = """
import select
def drain_all(port):
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
    listener.bind(("", port))
    listener.listen(4096)
    listener.setblocking(False)
    poll, conns = select.poll(), {}
    poll.register(listener, select.POLLIN)
    def run():
        while True:
            for number, _ in poll.poll():
                if number == listener.fileno():
                    c = listener.accept()[0]
                    conns[c.fileno()] = c
                    poll.register(c, select.POLLIN)
                    continue
                got = len(conns[number].recv(1 << 20))
                space["drained"] += got
                if not got:
                    poll.unregister(number)
                    conns.pop(number).close()
    threading.Thread(target=run, daemon=True).start()
"""


@pytest.mark.parametrize("margin", [0, 10])
def test_a_thousand_elephants_at_once(pair, margin):
    """Each passes its thresholds while all others do. A slow machine has fewer of them."""
    count, size = int(1000 / PATIENCE), 400000
    daemon = pair.serve({"elephant": {"start": "100kB", "step": "50kB", "stop": "300kB"},
                         "benefit": {"margin_percent": margin}, "repair": {"rto_min_ms": 0}})
    sink = pair.app(pair.server)
    sink(f"space = globals()\n{DRAIN}")
    sink("drain_all(7000)")
    app = pair.app(pair.client)
    app(f"space = globals()\n{MANY}")
    app(f"t = threading.Thread(target=pour, args=({pair.far.ip4!r}, {count}, {size}), daemon=True)")
    app("t.start()")
    wait_until(lambda: not app("t.is_alive()"), "all is sent", 120)
    wait_until(lambda: sink("drained") == count * size, "all is received", 120)
    status = wait_until(daemon.status, "it answers")
    counters = status["daemon"]["counters"]
    assert counters["thresholds"] >= count
    assert counters["creates"] <= 3 * count + counters["retries"]
    assert counters["destroys"] <= counters["creates"]
    assert counters["records_lost"] == 0
    clients = [c for c in status["connections"] if c["role"] == "client"]
    assert len(clients) == count
    assert max(len(c["subflows"]) for c in clients) <= 4
    if margin:
        assert counters["taken_back"] <= count
