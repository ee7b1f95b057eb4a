# SPDX-License-Identifier: MIT
"""A path that swallows what it is given: its subflow is closed and replaced, the transfer goes on."""
import collections
import re
import subprocess
import time

import pytest
from app import ADD, NDIFFPORTS, App
from conftest import BUILD
from lab.daemon import Daemon
from lab.fabric import leaf_spine
from lab.netns import wait_until
from test_benefit import POUR
from test_watch import Watch

MB = 1000000
PORT = 7000


@pytest.fixture
def fabric():
    with leaf_spine(4) as lab:
        yield lab


def serve(fabric, **repair):
    hosts = [fabric.host(0), fabric.host(1)]
    daemon = Daemon(fabric, BUILD, {"namespaces": {"serve": " ".join(h.name for h in hosts)},
                                    "repair": repair})
    daemon.start(hosts)
    return daemon


def spread(fabric):
    """An application that sends over 8 subflows, the one that reads, a path, the local ports on it."""
    source, target = fabric.host(0), fabric.host(1)
    sink = App(target)
    sink.sink(PORT)
    while True:
        app = App(source).connect(target.ip4, PORT)
        app.set(ADD, 7)
        app("s.send(b'x')")
        ports = [local[1] for local, _ in app.wait_subflows(8)]
        paths = collections.defaultdict(list)
        for port in ports:
            paths[fabric.path_of(source, target, port, PORT)[1]].append(port)
        first = next(path for path, own in paths.items() if ports[0] in own)
        others = [path for path in paths if path != first]
        # Most subflows must be elsewhere: the daemon holds its hand when many fall silent.
        least = min(others, key=lambda path: len(paths[path]), default=None)
        if least and len(paths[least]) <= 3:
            return app, sink, least, paths[least]
        app.close()


def repairs(daemon):
    return daemon.status()["daemon"]["counters"]["repairs"]


def test_a_black_hole_is_left_at_once_and_nothing_is_lost(fabric):
    daemon = serve(fabric)
    app, sink, path, ports = spread(fabric)
    app(f"t = threading.Thread(target=send, args=(s, {150 * MB}), daemon=True)")
    app("t.start()")
    wait_until(lambda: sum(fabric.uplink_bytes(fabric.host(0))) > 20 * MB, "data flows")
    fabric.black_hole(path, fabric.host(1).router.label)
    wait_until(lambda: not {local[1] for local, _ in app.subflows()} & set(ports),
               "the subflows on the dead path are gone")
    assert repairs(daemon) >= len(ports)
    wait_until(lambda: app("not t.is_alive()"), "all is sent", 60)
    wait_until(lambda: sink("drained") >= 150 * MB, "all is received", 60)
    assert daemon.status()["daemon"]["counters"]["destroys"] == repairs(daemon)


@pytest.mark.parametrize("when", ["from the start", "while it runs"])
def test_repair_can_be_switched_off(fabric, when):
    daemon = serve(fabric, **({"rto_min_ms": 0} if when == "from the start" else {}))
    app, _, path, ports = spread(fabric)
    if when == "while it runs":
        subprocess.run([daemon.cli, "set", "repair.rto_min_ms", "0"], env=daemon.environment, check=True,
                       capture_output=True)
    app(f"t = threading.Thread(target=send, args=(s, {60 * MB}), daemon=True)")
    app("t.start()")
    fabric.black_hole(path, fabric.host(1).router.label)
    wait_until(lambda: app("not t.is_alive()"), "all is sent, by the kernel's own means", 60)
    assert repairs(daemon) == 0
    assert set(ports) <= {local[1] for local, _ in app.subflows()}


REFUSE = """table ip refusing {{
 chain input {{
  type filter hook input priority filter;
  tcp flags & (syn|ack) == syn counter {rule}
 }}
}}
"""


def kill_all(node):
    """The peer's kernel resets all our subflows at once."""
    node.run(["ss", "-tK", "state", "established", "sport", "=", f":{PORT}"])


def test_subflows_that_are_reset_are_replaced_even_all_of_them(pair):
    daemon = pair.serve()
    pair.sink(port=PORT)
    app = pair.app(pair.client).connect(pair.far.ip4, PORT)
    app.set(ADD, 2)
    before = {local[1] for local, _ in app.wait_subflows(3)}
    # A join that is reset within its first second was refused.
    begun = time.monotonic()
    wait_until(lambda: app("s.send(b'x')") and time.monotonic() > begun + 1.5, "a second")
    kill_all(pair.server)

    def is_whole():
        try:
            after = {local[1] for local, _ in app.subflows()}
        except OSError:  # there is none at all
            return False
        return len(after) == 3 and not before & after

    wait_until(is_whole, "three others")
    assert repairs(daemon) == 3
    app("send(s, 1000000)")


@pytest.mark.parametrize("rule", ["reject with tcp reset", "drop"])
def test_a_last_subflow_whose_replacement_is_refused_is_tried_again(pair, rule):
    """The kernel keeps a connection without any for a minute, and the daemon tries for as long."""
    daemon = pair.serve()
    sink = pair.sink(port=PORT)
    app = pair.app(pair.client).connect(pair.far.ip4, PORT)
    app.set(ADD, 1)
    before = {local[1] for local, _ in app.wait_subflows(2)}
    begun = time.monotonic()
    wait_until(lambda: app("s.send(b'x')") and time.monotonic() > begun + 1.5, "a second")
    pair.server.run(["nft", "-f", "-"], input=REFUSE.format(rule=rule))
    kill_all(pair.server)
    # Those that take their place at once, and then one more at least.
    name, least = ("refused_by_peer", 3) if "reset" in rule else ("repairs", 4)
    wait_until(lambda: daemon.status()["daemon"]["counters"][name] >= least, f"{name}: {least}", 30)
    pair.server.run(["nft", "delete", "table", "ip", "refusing"])
    sent = sink("drained") + MB
    app(f"send(s, {MB})")
    wait_until(lambda: sink("drained") >= sent, "it goes on", 30)
    assert not before & {local[1] for local, _ in app.subflows()}


def test_a_total_has_those_in_it_that_have_died(pair):
    """What could not be replaced is tried again, until its application says how many there are to be."""
    daemon = pair.serve()
    pair.sink(port=PORT)
    app = pair.app(pair.client).connect(pair.far.ip4, PORT)
    app.set(NDIFFPORTS, 4)
    first, *others = app.wait_subflows(4)
    begun = time.monotonic()
    wait_until(lambda: app("s.send(b'x')") and time.monotonic() > begun + 1.5, "a second")
    pair.server.run(["nft", "-f", "-"], input=REFUSE.format(rule="reject with tcp reset"))
    for local, _ in others:
        pair.server.run(["ss", "-tK", "dport", "=", f":{local[1]}"])
    wait_until(lambda: daemon.status()["daemon"]["counters"]["refused_by_peer"] >= 3, "three are refused")
    assert app.subflows() == [first]
    pair.server.run(["nft", "delete", "table", "ip", "refusing"])
    app.set(NDIFFPORTS, 3)
    app.wait_subflows(3)
    # One that has come up and was not refused in its first second would bring the others.
    begun, most = time.monotonic(), 3
    while time.monotonic() < begun + 2.5:
        most = max(most, len(app.subflows()))
    assert most == 3


def timeouts(node):
    """The retransmission timeout of each connection to the port, ms."""
    shown = node.run(["ss", "-tinH", "dport", "=", f":{PORT}"])
    return [float(rto) for rto in re.findall(r"\brto:([0-9.]+)", shown)]


def test_the_first_subflow_of_several_notices_as_soon_as_the_others(pair):
    pair.serve({"elephant": {"start": "100GB", "stop": "200GB"}})
    pair.sink(port=PORT)
    app = pair.app(pair.client).connect(pair.far.ip4, PORT)
    app("send(s, 1000000)")
    assert timeouts(pair.client)[0] > 200  # the kernel's least
    app.set(ADD, 1)
    app.wait_subflows(2)

    def are_short():
        app("send(s, 1000000)")
        found = timeouts(pair.client)
        return len(found) == 2 and max(found) < 200

    wait_until(are_short, "both have the timeout that is configured")


def test_an_outage_of_everything_is_not_for_us_to_mend(fabric):
    """Every path silent at once: closing subflows would leave the connection without any. It is told."""
    daemon = serve(fabric)
    watch = Watch(fabric, daemon)
    app, _, _, _ = spread(fabric)
    app("t = threading.Thread(target=send, args=(s, 40000000), daemon=True)")
    app("t.start()")
    wait_until(lambda: sum(fabric.uplink_bytes(fabric.host(0))) > 10 * MB, "data flows")
    router = fabric.host(1).router
    fabric.black_hole(router.label, fabric.host(1).label)
    timeouts = fabric.host(0).netstat()["TcpExtTCPTimeouts"]
    wait_until(lambda: fabric.host(0).netstat()["TcpExtTCPTimeouts"] >= timeouts + 16, "timeouts")
    # On a busy machine one may have been far behind the others before.
    assert repairs(daemon) <= 1
    assert len(app.subflows()) >= 7
    wait_until(lambda: any("left to the kernel" in event.get("why", "") for event in watch.events()),
               "it is told")
    assert daemon.status()["daemon"]["counters"]["outages"] >= 1
    fabric.black_hole(router.label, fabric.host(1).label, on=False)
    wait_until(lambda: app("not t.is_alive()"), "it goes on where it was", 60)


def test_of_an_elephant_too_and_it_is_told_to_those_who_ask(fabric):
    """An elephant has all its subflows again, on paths that are alive, and what befell one is told."""
    source, target = fabric.host(0), fabric.host(1)
    daemon = Daemon(fabric, BUILD, {
        "namespaces": {"serve": f"{source.name} {target.name}"},
        "elephant": {"start": "1MB", "step": "500kB", "stop": "100GB", "max_subflows": 3},
        "apart": {"moves": 0}})
    daemon.start([source, target])
    watch = Watch(fabric, daemon)
    App(target).sink(PORT)
    app = App(source).connect(target.ip4, PORT)
    app(POUR)
    begun = app.wait_subflows(3)

    def spine(ends):
        return fabric.path_of(source, target, ends[0][1], PORT)[1]

    dead = spine(begun[-1])
    before = repairs(daemon)
    fabric.black_hole(dead, target.router.label)
    told = watch.wait("subflow_repair", token=app.connid(), namespace=source.name)
    assert "is silent: replaced" in told["why"]

    def is_whole():
        spines = {spine(ends) for ends in app.subflows()}
        return len(app.subflows()) == 3 and dead not in spines

    wait_until(is_whole, "three on live paths", 30)
    assert repairs(daemon) > before
    ways = subprocess.run([daemon.cli, "paths", "--json"], env=daemon.environment, check=True,
                          capture_output=True, text=True).stdout
    assert re.search(r'"shunned_s": ?[1-9]', ways), ways


@pytest.mark.parametrize("wanted, spare", [(4, 0), (3, 1)])
def test_two_paths_that_die_at_once(fabric, wanted, spare):
    """Nobody knows of the second one but by the join that it swallows: it is not waited for."""
    source, target = fabric.host(0), fabric.host(1)
    daemon = Daemon(fabric, BUILD, {
        "namespaces": {"serve": f"{source.name} {target.name}"},
        "elephant": {"start": "1MB", "step": "500kB", "stop": "100GB", "max_subflows": wanted},
        "apart": {"moves": 0}})
    daemon.start([source, target])
    App(target).sink(PORT)
    app = App(source).connect(target.ip4, PORT)
    app(POUR)

    def spines():
        return [fabric.path_of(source, target, local[1], PORT)[1] for local, _ in app.subflows()]

    wait_until(lambda: len(set(spines())) == wanted, "each has a spine of its own", 30)
    spare_spines = {"spine0", "spine1", "spine2", "spine3"} - set(spines())
    dead = {spines()[-1], spare_spines.pop() if spare else spines()[-2]}
    for spine in dead:
        fabric.black_hole(spine, target.router.label)

    def is_whole():
        status = daemon.status()
        states = [subflow["state"] for conn in status["connections"] if conn["role"] == "client"
                  for subflow in conn["subflows"]]
        return states == ["established"] * wanted and not dead & set(spines())

    wait_until(is_whole, f"{wanted} on live paths", 60)
    counters = daemon.status()["daemon"]["counters"]
    assert counters["refused_by_peer"] == 0
    assert counters["repairs"] >= 1


def received(node, port):
    """What each subflow to the port has received, by its own port; one that is opening, too."""
    shown = node.run(["ss", "-tianOH", "dport", "=", f":{port}"])
    return {int(line.split()[3].rsplit(":", 1)[1]):
            int((re.search(r"bytes_received:(\d+)", line) or [0, 0])[1])
            for line in shown.splitlines()}


def pour_down(fabric, lost, port):
    """A download over 4 subflows, what each of its ports passes on the way that is to be lost, and
    the one that is alone on a spine there; None where there is none."""
    client, server = fabric.host(0), fabric.host(1)
    source = App(server)
    source.sink(port)
    app = App(client).connect(server.ip4, port)
    app("threading.Thread(target=drain, args=(s.dup(),), daemon=True).start()")
    wait_until(lambda: source("len(accepted)"), "the server accepts")
    source("s = accepted[0]")
    source(POUR)
    ports = [local[1] for local, _ in app.wait_subflows(4)]

    def spine(own):
        ends = (server, client, port, own) if lost == "data" else (client, server, own, port)
        return fabric.path_of(*ends)[1]

    spines = [spine(own) for own in ports]
    alone = [own for own, at in zip(ports, spines) if spines.count(at) == 1]
    if alone:
        return app, source, spine, alone[0]
    app.stop()
    source.stop()
    return None


@pytest.mark.parametrize("lost", ["data", "acks"])
def test_of_a_download_whose_client_alone_can_replace_it(fabric, lost):
    """The client sends nothing, so no timer of its tells: its subflow brings nothing any more."""
    client, server = fabric.host(0), fabric.host(1)
    server.run(["ip", "mptcp", "limits", "set", "subflows", "8"])
    daemon = Daemon(fabric, BUILD, {
        "namespaces": {"serve": client.name},
        "elephant": {"start": "1MB", "step": "500kB", "stop": "100GB"},
        "apart": {"moves": 0}, "benefit": {"margin_percent": 0}})
    daemon.start([client])
    port, found = PORT, None
    while not found:
        port += 1
        found = pour_down(fabric, lost, port)
    app, _source, spine, own = found
    wait_until(lambda: min(received(client, port).values()) > 5 * MB, "all four bring data", 30)
    before, dead = set(received(client, port)), spine(own)
    watch = Watch(fabric, daemon)
    fabric.black_hole(dead, (client if lost == "data" else server).router.label)
    token = app.connid()

    def told():
        return [e for e in watch.events() if e["event"] == "subflow_repair" and e["token"] == token
                and e["namespace"] == client.name and f":{own} is silent: replaced" in e["why"]]

    wait_until(told, "it is told that it is replaced", 30)
    wait_until(lambda: own not in {local[1] for local, _ in app.subflows()}, "it is gone")
    new = wait_until(lambda: set(received(client, port)) - before, "another is opened").pop()
    # Which way the server's packets take nobody here chooses: it may be the dead one again.
    if spine(new) == dead:
        fabric.black_hole(dead, (client if lost == "data" else server).router.label, on=False)
    wait_until(lambda: received(client, port).get(new, 0) > MB, "the new one brings data", 30)
