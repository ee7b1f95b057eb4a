# SPDX-License-Identifier: MIT
"""Subflows on paths of their own: what the product chose, against what the routers say."""
import collections
import concurrent.futures
import json
import random
import re
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest
from conftest import BUILD
from app import ADD, App, NDIFFPORTS, packed
from lab import fabric
from lab.daemon import Daemon
from lab.netns import wait_until

PORT = 7000


class Scene:
    """A fabric with a daemon for two hosts at its far ends, and connections between them."""

    def __init__(self, lab, config=None):
        self.lab = lab
        self.source, self.target = lab.host(0), lab.host(len(lab.topology.hosts) - 1)
        hosts = [self.source, self.target]
        sections = {"namespaces": {"serve": " ".join(host.name for host in hosts)},
                    "limits": {"max_subflows": 32}}
        for section, values in (config or {}).items():
            sections.setdefault(section, {}).update(values)
        self.daemon = Daemon(lab, BUILD, sections)
        self.daemon.start(hosts)
        self.sink = App(self.target)
        self.sink.sink(PORT)

    def connect(self):
        return App(self.source).connect(self.target.ip4, PORT)

    def spread(self, app, count):
        """Adds subflows up to so many in all; returns the routers that each one passes."""
        app.set(ADD, count - 1)
        return [self.routers(local[1]) for local, _ in app.wait_subflows(count)]

    def routers(self, port):
        return tuple(self.lab.path_of(self.source, self.target, port, PORT))

    def counters(self):
        return self.daemon.status()["daemon"]["counters"]

    def map(self):
        """What `subflow paths` says of the one destination."""
        return json.loads(paths(self, "--json")[1])["paths"][0]

    def status(self, app):
        token = app.connid()
        return wait_until(lambda: [c for c in self.daemon.status().get("connections", [])
                                   if c["token"] == token and c["role"] == "client"],
                          f"status shows connection {token:08x}")[0]

    def label_of(self, address):
        """The router that has this address."""
        ends = {end.ip4: end.node.label for link in self.lab.links for end in link}
        return ends[address]


def balance(paths, tier):
    """How many paths pass each router of a tier, fewest first."""
    return sorted(collections.Counter(path[tier] for path in paths).values())


@pytest.mark.parametrize("spines, count", [(2, 2), (2, 4), (4, 4), (4, 3), (8, 8)])
def test_every_subflow_has_a_spine_of_its_own(spines, count):
    with fabric.leaf_spine(spines) as lab:
        scene = Scene(lab)
        for _ in range(3):
            paths = scene.spread(scene.connect(), count)
            assert len(set(paths)) == min(spines, count), paths
            used = balance(paths, 1)
            assert used[-1] - used[0] <= 1, f"as many subflows on each spine as on any: {paths}"
        assert scene.counters()["placed_blind"] == 0


def test_what_is_asked_for_as_ndiffports_is_placed_too():
    with fabric.leaf_spine(4) as lab:
        scene = Scene(lab)
        app = scene.connect()
        app.set(NDIFFPORTS, 4)
        assert len({scene.routers(local[1]) for local, _ in app.wait_subflows(4)}) == 4
        assert scene.counters()["placed"] == 3


def test_ports_that_the_application_gave_are_obeyed_and_counted():
    with fabric.leaf_spine(4) as lab:
        scene = Scene(lab)
        app, given = scene.connect(), (45000, 45001)
        app.set(ADD, packed(*((scene.source.ip4, port) for port in given)))
        app.wait_subflows(3)

        def known():
            told = {int(s["local"].rsplit(":", 1)[1]): s["path"] for s in scene.status(app)["subflows"]}
            return told if all(told.get(port) for port in given) else None

        told = wait_until(known, "the paths of both are known")
        for port in given:
            labels = tuple(scene.label_of(address) for address in told[port])
            assert labels == scene.routers(port)[:2]
        ways = json.loads(paths(scene, "--json")[1])["paths"][0]["ways"]
        on = {port: way["load"] for way in ways for port in way["ports"]}
        assert all(on[port] >= 1 for port in given)
        app.set(ADD, 1)
        app.wait_subflows(4)
        assert scene.counters()["placed_shared"] == 0


def test_status_shows_the_paths_that_the_routers_confirm():
    with fabric.leaf_spine(4) as lab:
        scene = Scene(lab)
        app = scene.connect()
        scene.spread(app, 4)
        subflows = scene.status(app)["subflows"]
        for subflow in subflows:
            port = int(subflow["local"].rsplit(":", 1)[1])
            labels = tuple(scene.label_of(address) for address in subflow["path"])
            assert labels == scene.routers(port)[:2], subflow
        assert len({subflow["id"] for subflow in subflows}) == 4


def least_free(known):
    """Of the ports that are known to lead each path, those that no subflow has; where these are fewest."""
    taken = {subflow["port"] for subflow in known["subflows"]}
    return min(len(set(way["ports"]) - taken) for way in known["ways"])


def test_what_is_known_is_not_asked_again():
    """Although all of them go on, so that each takes further ports of the same paths. Where a path has none left by
    then, another is looked for: as many probes as there are paths, and again."""
    with fabric.leaf_spine(4) as lab:
        scene = Scene(lab)
        scene.spread(scene.connect(), 4)
        wait_until(lambda: scene.map()["state"] == "known", "the first survey ends")
        assert scene.counters()["probes"] >= 28, "99 % of confidence takes 28 flows"
        for number in range(4):
            before, free = scene.counters()["probes"], least_free(scene.map())
            assert free or number, "a first survey knows more ports of each path than one connection takes"
            assert len(set(scene.spread(scene.connect(), 4))) == 4
            assert scene.counters()["probes"] - before <= (2 if free else 2 + 8 * 4)


@pytest.mark.parametrize("ttl, least, most", [(64, 1, 1), (100, 3, 4)])
def test_probes_leave_the_peer_alone(ttl, least, most):
    """How far it is, what it sends tells: one hop more is asked, once. Where that is no usual time to live,
    two are, up to four times. They die of their checksum: no reset, no challenge, no fallback."""
    with fabric.leaf_spine(4) as lab:
        scene = Scene(lab)
        scene.target.sysctl({"net.ipv4.ip_default_ttl": ttl})
        app = scene.connect()
        before = scene.target.snmp()
        scene.spread(app, 4)
        after = scene.target.snmp()
        assert after["TcpOutRsts"] == before["TcpOutRsts"]
        assert least <= after["TcpInCsumErrors"] - before["TcpInCsumErrors"] <= most
        assert scene.target.netstat().get("TcpExtTCPChallengeACK", 0) == 0
        app("send(s, 1000000)")
        assert len(app.subflows()) == 4


def test_two_elephants_of_a_host_share_no_path_that_they_need_not():
    with fabric.leaf_spine(4) as lab:
        scene = Scene(lab)
        apps = [scene.connect() for _ in range(2)]
        paths = [path for app in apps for path in scene.spread(app, 2)]
        # The first subflows fall where the kernel's ports put them; only the others were placed,
        # and that of the first connection away from the second one, which nobody has split yet.
        firsts = {paths[0], paths[2]}
        assert len(set(paths)) == min(4, 2 + len(firsts))


@pytest.mark.parametrize("single_path, subflows, leaves", [("no", 1, 2), ("yes", 4, 2), ("no", 1, 1)])
def test_an_elephant_with_one_path_is_left_whole(single_path, subflows, leaves):
    """Over one spine, or within a leaf."""
    rule = {"start": "1MB", "step": "500kB", "stop": "3MB", "single_path": single_path}
    with fabric.leaf_spine(1, leaves=leaves, hosts=2 // leaves, host_mbit=100) as lab:
        scene = Scene(lab, {"elephant": rule})
        app = scene.connect()
        app("send(s, 8000000)")
        assert len(app.wait_subflows(subflows)) == subflows
        assert scene.counters()["thresholds"] == 4
        if single_path == "no":
            # Those that wait for the paths count: the fourth may be one too many at the time.
            wait_until(lambda: scene.counters()["single_paths"] >= 3, "wishes that came to nothing")
            assert scene.status(app)["subflows"][1:] == []
            assert scene.counters()["placed_shared"] == 0
            assert len(scene.spread(app, 3)) == 3, "an application may all the same"


@pytest.mark.parametrize("mode", ["random", "kernel"])
def test_the_baselines(mode):
    with fabric.leaf_spine(4) as lab:
        scene = Scene(lab, {"placement": {"mode": mode}})
        app = scene.connect()
        scene.spread(app, 8)
        subflows = scene.status(app)["subflows"]
        assert all(subflow["path"] == [] for subflow in subflows)
        assert scene.counters()["probes"] == 0
        ids = {subflow["id"] for subflow in subflows}
        assert len(ids) == (8 if mode == "random" else 1), "an id for each port that was chosen"


def test_nothing_is_sent_to_where_it_may_not():
    with fabric.leaf_spine(2) as lab:
        scene = Scene(lab, {"placement": {"probe_prefixes": "192.168.0.0/16"}})
        app = scene.connect()
        scene.spread(app, 3)
        assert scene.counters()["probes"] == 0
        assert "probe_prefixes" in scene.status(app)["unplaced"]


def paths(scene, *arguments):
    run = subprocess.run([scene.daemon.cli, "paths", *arguments], env=scene.daemon.environment,
                         capture_output=True, text=True)
    return run.returncode, run.stdout, run.stderr


def test_the_paths_to_a_destination_are_shown():
    with fabric.leaf_spine(4) as lab:
        scene = Scene(lab)
        app = scene.connect()
        assert paths(scene)[0] == 1, "nobody has asked for any yet"
        scene.spread(app, 4)
        # The last subflow may be there before the survey has seen flows enough.
        wait_until(lambda: '"state": "known"' in paths(scene, "--json")[1], "the paths are known")
        status, text, _ = paths(scene, scene.target.ip4, "--json")
        (shown,) = json.loads(text)["paths"]
        assert (status, shown["remote"]) == (0, f"{scene.target.ip4}:{PORT}")
        assert shown["missed"] <= .01
        assert [way["load"] for way in shown["ways"]] == [1] * 4
        for way in shown["ways"]:
            labels = tuple(scene.label_of(address) for address in way["routers"])
            assert {scene.routers(port)[:2] for port in way["ports"]} == {labels}
        before = scene.counters()["probes"]
        text = paths(scene, f"{app.connid():08x}")[1]
        assert f": {scene.source.ip4} to {scene.target.ip4}:{PORT}: 4 paths" in text
        assert text.count(f"of {app.connid():08x}") == 4
        common, = {way["routers"][0] for way in shown["ways"]}
        assert text.count(f"\n  {common}\n    ") == 1, "the leaf is drawn once, the spines below it"
        for way in shown["ways"]:
            assert f"    {way['routers'][1]}  path " in text
            assert re.search(rf"ports[\d\s]* {way['ports'][-1]}\s", text)
        assert "no paths are known" in paths(scene, "10.99.0.1")[2]
        status, graph, _ = paths(scene, scene.target.ip4, "--dot")
        assert status == 0 and graph.startswith("digraph paths {") and graph.endswith("}\n")
        edges = re.findall(r'"0 (\S+)" -> "0 remote" \[label="path \d: load 1\\n(\d+) ports?: [\d .]+'
                           rf'\\nport (\d+) of {app.connid():08x}"', graph)
        assert [(way["routers"][-1], str(len(way["ports"]))) for way in shown["ways"]] == [
            (router, count) for router, count, _ in edges]
        assert {int(port) for _, _, port in edges} == {local[1] for local, _ in app.subflows()}
        assert paths(scene, "--dot", "--json")[0] == 2
        assert scene.counters()["probes"] == before, "nothing is sent to show them"


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def forged(source, target, port, random_):
    """An ICMP "time exceeded" of a router that does not exist, about a packet that was not sent."""
    addresses = socket.inet_aton(source) + socket.inet_aton(target)
    quoted = struct.pack("!BBHHHBBH", 0x45, 0, 40, random_.randrange(1 << 16), 0, 1, 6, 0) + addresses
    quoted += struct.pack("!HHI", port, PORT, random_.randrange(1 << 32))
    sum_ = checksum(struct.pack("!BBHI", 11, 0, 0, 0) + quoted)
    icmp = struct.pack("!BBHI", 11, 0, sum_, 0) + quoted
    liar = socket.inet_aton(f"10.66.0.{random_.randrange(1, 255)}")
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(icmp), 0, 0, 64, 1, 0) + liar \
        + socket.inet_aton(source) + icmp


def test_forged_answers_change_nothing():
    """10,000 about a flow that is looked at, and as many more as come while it is."""
    with fabric.leaf_spine(4) as lab:
        scene = Scene(lab)
        source, target = scene.source.ip4, scene.target.ip4
        app = scene.connect()
        random_ = random.Random(1)
        port = app.subflows()[0][0][1]
        lies = [forged(source, target, port, random_) for _ in range(10000)]
        raw = lab.nodes["leaf0"].inside(socket.socket, socket.AF_INET, socket.SOCK_RAW,
                                        socket.IPPROTO_RAW)
        is_over = threading.Event()

        def lie():
            while True:
                for packet in lies:
                    raw.sendto(packet, (source, 0))
                if is_over.is_set():
                    return

        with raw, concurrent.futures.ThreadPoolExecutor(1) as pool:
            liar = pool.submit(lie)
            try:
                assert len(set(scene.spread(app, 4))) == 4
            finally:
                is_over.set()
            liar.result()
        wait_until(lambda: '"state": "known"' in paths(scene, "--json")[1], "the paths are known")
        (shown,) = json.loads(paths(scene, "--json")[1])["paths"]
        for way in shown["ways"]:
            labels = tuple(scene.label_of(address) for address in way["routers"])
            assert {scene.routers(port)[:2] for port in way["ports"]} == {labels}
        assert scene.counters()["placed_blind"] == 0
        scene.daemon.check()


def test_a_daemon_that_hardly_runs_chooses_as_well():
    """It is stopped again and again, for up to 200 ms: answers of routers wait for it meanwhile."""
    with fabric.leaf_spine(4) as lab:
        scene = Scene(lab)
        app, other = scene.connect(), scene.connect()
        random_, is_over = random.Random(1), threading.Event()

        def stutter():
            while not is_over.is_set():
                scene.daemon.process.send_signal(signal.SIGSTOP)
                is_over.wait(.2 * random_.random())
                scene.daemon.process.send_signal(signal.SIGCONT)
                is_over.wait(.002)

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            pool.submit(stutter)
            try:
                taken = scene.spread(app, 2) + scene.spread(other, 2)
            finally:
                is_over.set()
        assert len(set(taken)) == min(4, 2 + len({taken[0], taken[2]}))
        assert scene.counters()["placed_blind"] == 0


def test_one_user_makes_no_scanner_of_the_host_and_takes_nothing_from_others():
    rate, ports = 20, range(PORT + 1, PORT + 13)
    with fabric.leaf_spine(4) as lab:
        scene = Scene(lab, {"placement": {"probes_per_second_of_user": rate, "probes_per_second": 5000}})
        sink = App(scene.target)
        for port in ports:
            sink.sink(port)
        greedy, other, root = App(scene.source), App(scene.source, uid=1), App(scene.source, uid=0)
        greedy("kept = []")
        began_s = time.monotonic()
        for port in ports:
            greedy.connect(scene.target.ip4, port)
            greedy.set(ADD, 1)
            greedy("kept.append(s)")
        wait_until(lambda: scene.counters()["probes_deferred"] > 0, "probes that wait")
        # Until somebody has asked whose they are, what is there for the unknown; then its own.
        sent, elapsed_s = scene.counters()["probes"], time.monotonic() - began_s
        assert sent <= 2 * rate * (1 + elapsed_s), elapsed_s
        other.connect(scene.target.ip4, PORT)
        other.set(ADD, 1)
        other.wait_subflows(2)
        root.connect(scene.target.ip4, PORT)
        assert len(set(scene.spread(root, 4))) == 4
        sent, elapsed_s = scene.counters()["probes"], time.monotonic() - began_s
        assert sent <= 3 * rate * (1 + elapsed_s) + 100, "three users, and what root has used"


def test_one_prefix_gets_its_share_of_probes_whoever_asks():
    """The survey of each port takes 36 packets: together more than are saved."""
    rate, ports = 250, range(PORT + 1, PORT + 21)
    with fabric.leaf_spine(4) as lab:
        scene = Scene(lab, {"placement": {"probes_per_second": 100000, "probes_per_second_of_user": 100000}})
        sink, root = App(scene.target), App(scene.source, uid=0)
        root("kept = []")
        began_s = time.monotonic()
        for port in ports:
            sink.sink(port)
            root.connect(scene.target.ip4, port)
            root("kept.append(s)")
        root(f"for s in kept: s.setsockopt(6, {ADD}, 1)")
        wait_until(lambda: scene.counters()["probes_deferred"] > 0, "probes that wait")
        wait_until(lambda: {state_of(scene, port) for port in ports} == {"known"}, "all are known")
        sent, elapsed_s = scene.counters()["probes"], time.monotonic() - began_s
        assert rate < sent <= rate * (1 + elapsed_s), elapsed_s


def state_of(scene, port):
    """Of what is known of the paths to a port of the target; None: nobody has asked."""
    maps = json.loads(paths(scene, "--json")[1])["paths"]
    return {int(m["remote"].rsplit(":", 1)[1]): m["state"] for m in maps}.get(port)


def test_a_subflow_goes_up_before_the_survey_is_over():
    """It takes 67 packets, 15 a second: less than a subflow waits at most."""
    with fabric.leaf_spine(8) as lab:
        scene = Scene(lab, {"placement": {"probes_per_second": 15}})
        taken = scene.spread(scene.connect(), 2)
        assert state_of(scene, PORT) == "asking"
        assert len(set(taken)) == 2
        assert scene.counters()["placed"] == 1


def test_who_knows_nothing_is_not_kept_waiting_by_who_wants_to_know_all():
    """The first survey has most of its 67 packets still to send, ten a second."""
    with fabric.leaf_spine(8) as lab:
        scene = Scene(lab, {"placement": {"probes_per_second": 10}})
        scene.sink.sink(PORT + 1)
        app, other = scene.connect(), App(scene.source).connect(scene.target.ip4, PORT + 1)
        app.set(ADD, 1)
        wait_until(lambda: scene.counters()["probes"] >= 10, "what may be sent at once is sent")
        other.set(ADD, 1)
        other.wait_subflows(2)
        assert state_of(scene, PORT) == "asking", "the other one did not wait for its end"
        assert scene.counters()["placed_blind"] == 0
