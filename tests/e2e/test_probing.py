# SPDX-License-Identifier: MIT
"""What stands between the daemon and its probes: firewalls, reserved ports, ICMP that nobody asked for."""
import concurrent.futures
import json
import random
import socket
import struct
import subprocess
import threading

import pytest
from app import ADD, App
from lab import fabric
from lab.netns import wait_until
from test_placement import PORT, Scene, forged


def shown(scene):
    """The only path map, once it is known."""
    def read():
        run = subprocess.run([scene.daemon.cli, "paths", "--json"], env=scene.daemon.environment,
                             capture_output=True, text=True)
        maps = json.loads(run.stdout)["paths"]
        return maps[0] if maps and maps[0]["state"] == "known" else None

    return wait_until(read, "the paths are known")


@pytest.mark.parametrize("family", ["ip4", "ip6"])
def test_a_firewall_of_the_host_that_refuses_probes(family):
    """As one that drops what belongs to no connection does: sendto(2) says EPERM."""
    with fabric.leaf_spine(4) as lab:
        lab.host(0).run(["nft", "-f", "-"], input="""
            table inet wall {
              chain out {
                type filter hook output priority 0
                ip ttl < 16 meta l4proto tcp drop
                ip6 hoplimit < 16 meta l4proto tcp drop
              }
            }""")
        scene = Scene(lab)
        if family == "ip6":
            scene.sink6 = App(scene.target)
            scene.sink6.sink(PORT, scene.target.ip6, socket.AF_INET6)
        app = App(scene.source).connect(getattr(scene.target, family), PORT)
        app.set(ADD, 3)
        app.wait_subflows(4)
        assert scene.status(app)["unplaced"] == "a firewall of this host refuses probes"
        assert scene.counters()["probes"] == 1, "one was enough to know"
        assert scene.counters()["placed_blind"] == 3


def drop_invalid(node, hook):
    """As many a firewall begins: a probe belongs to no connection, and its checksum is wrong."""
    node.run(["nft", "-f", "-"], input=f"""
        table inet invalid {{
          chain wall {{
            type filter hook {hook} priority 0
            ct state invalid drop
          }}
        }}""")


def test_a_firewall_of_the_host_that_drops_what_is_invalid():
    """Some probes of a connection that is there pass for its own; of others none does."""
    with fabric.leaf_spine(4) as lab:
        host = lab.host(0)
        drop_invalid(host, "output")
        host.sysctl({"net.netfilter.nf_conntrack_tcp_loose": 0})
        scene = Scene(lab)
        app = scene.connect()
        app.set(ADD, 3)
        app.wait_subflows(4)
        assert scene.status(app)["unplaced"] == "a firewall of this host refuses probes"
        assert scene.counters()["probes"] <= 8
        assert scene.counters()["placed_blind"] == 3


def test_a_firewall_of_the_host_that_lets_in_what_it_has_sent_for():
    """As most do: answers to probes are related to what the probes have made it remember, and that
    does not stand in the way of the subflows from these ports."""
    with fabric.leaf_spine(4) as lab:
        lab.host(0).run(["nft", "-f", "-"], input="""
            table inet wall {
              chain in {
                type filter hook input priority 0; policy drop;
                ct state invalid drop
                ct state established,related accept
              }
            }""")
        scene = Scene(lab)
        for _ in range(2):
            assert len(set(scene.spread(scene.connect(), 4))) == 4
        assert scene.counters()["placed"] == 6
        assert scene.source.netstat().get("TcpExtTCPSynRetrans", 0) == 0


@pytest.mark.parametrize("family", ["ip4", "ip6"])
def test_a_firewall_on_the_way_makes_no_single_path(family):
    """Only the router before it answers; what the peer sends has passed more than that one."""
    rule = {"start": "1MB", "step": "500kB", "stop": "3MB"}
    with fabric.leaf_spine(4) as lab:
        drop_invalid(lab.nodes["leaf0"], "forward")
        scene = Scene(lab, {"elephant": rule})
        if family == "ip6":
            scene.sink6 = App(scene.target)
            scene.sink6.sink(PORT, scene.target.ip6, socket.AF_INET6)
        app = App(scene.source).connect(getattr(scene.target, family), PORT)
        app("send(s, 4000000)")
        app.wait_subflows(2)
        assert scene.status(app)["unplaced"] == "the routers in the middle do not answer"
        assert scene.counters()["single_paths"] == 0


def test_ports_are_those_of_the_namespace_and_not_reserved():
    low, high, reserved = 40000, 40299, "40000-40099,40150-40249"
    free = set(range(40100, 40150)) | set(range(40250, 40300))
    with fabric.leaf_spine(4) as lab:
        lab.host(0).sysctl({"net.ipv4.ip_local_port_range": f"{low} {high}",
                            "net.ipv4.ip_local_reserved_ports": reserved})
        scene = Scene(lab)
        app = scene.connect()
        assert len(set(scene.spread(app, 4))) == 4
        assert {local[1] for local, _ in app.subflows()} <= free
        tried = {port for way in shown(scene)["ways"] for port in way["ports"]}
        assert len(tried) >= 28 and tried <= free


def test_a_long_list_of_reserved_ports_is_heeded_and_so_is_a_new_one():
    """Two ports of three are reserved, in a text of 85 KB; then most of the others are too."""
    low, high = 40000, 41199
    pairs = ",".join(f"{port}-{port + 1}" for port in range(20000, high, 3))
    free = set(range(20002, high + 1, 3)) & set(range(low, high + 1))
    with fabric.leaf_spine(4) as lab:
        host = lab.host(0)
        host.sysctl({"net.ipv4.ip_local_port_range": f"{low} {high}",
                     "net.ipv4.ip_local_reserved_ports": pairs})
        scene = Scene(lab)
        first = scene.connect()
        assert len(set(scene.spread(first, 4))) == 4
        assert {local[1] for local, _ in first.subflows()} <= free
        assert {port for way in shown(scene)["ways"] for port in way["ports"]} <= free
        host.sysctl({"net.ipv4.ip_local_reserved_ports": f"{pairs},{low}-40799"})
        free -= set(range(low, 40800))
        second = scene.connect()
        assert len(set(scene.spread(second, 4))) == 4
        assert {local[1] for local, _ in second.subflows()} <= free
        assert scene.counters()["placed_blind"] == 0


def test_a_port_that_somebody_has_bound_is_no_loss():
    """Half of the range is taken: EADDRINUSE, and the next candidate."""
    with fabric.leaf_spine(4) as lab:
        lab.host(0).sysctl({"net.ipv4.ip_local_port_range": "40000 40127"})
        scene = Scene(lab)
        app, squatter = scene.connect(), App(scene.source)
        own = app.subflows()[0][0][1]
        squatter(f"""
kept = []
for port in range(40000, 40128, 2):
    if port != {own}:
        kept.append(socket.socket())
        kept[-1].bind(("", port))
""")
        for _ in range(2):
            assert len(set(scene.spread(app, 4))) == 4
            app = scene.connect()
        ids = [subflow["id"] for subflow in scene.status(app)["subflows"]]
        assert len(set(ids)) == len(ids)


def pseudo_sum(source, target, data):
    packet = source + target + struct.pack("!II", len(data), 58) + data
    total = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    while total >> 16:
        total = (total >> 16) + (total & 0xffff)
    return ~total & 0xffff


def forged6(source, target, port, random_):
    """As forged() makes them, over IPv6: nothing in the quoted header tells that it is not ours."""
    near, far = socket.inet_pton(10, source), socket.inet_pton(10, target)
    liar = socket.inet_pton(10, f"fd66::{random_.randrange(1, 255):x}")
    quoted = struct.pack("!IHBB", 6 << 28, 20, 6, 1) + near + far
    quoted += struct.pack("!HHIIHHHH", port, PORT, random_.randrange(1 << 32), 0, 0x5010, 0, 0, 0)
    icmp = struct.pack("!BBHI", 3, 0, 0, 0) + quoted
    icmp = icmp[:2] + struct.pack("!H", pseudo_sum(liar, near, icmp)) + icmp[4:]
    return struct.pack("!IHBB", 6 << 28, len(icmp), 58, 64) + liar + near + icmp


def spoiled(packet, header, random_):
    """The same cut short, drawn out, or with wrong bits."""
    kind = random_.randrange(3)
    if kind == 0:
        packet = packet[:random_.randrange(header + 8, len(packet))]
    elif kind == 1:
        packet += random_.randbytes(random_.randrange(1, 900))
    else:
        at = random_.randrange(header, len(packet))
        packet = packet[:at] + bytes([packet[at] ^ 1 << random_.randrange(8)]) + packet[at + 1:]
    if header == 20:
        return packet[:2] + struct.pack("!H", len(packet)) + packet[4:]
    return packet[:4] + struct.pack("!H", len(packet) - header) + packet[6:]


@pytest.mark.parametrize("family", ["ip4", "ip6"])
def test_a_flood_of_icmp_leaves_the_map_right(family):
    """As fast as they can be made, whole and spoiled, about the flows that are looked at; and when
    nothing is looked at, none of them reaches the daemon."""
    with fabric.leaf_spine(4) as lab:
        scene = Scene(lab)
        is_v4 = family == "ip4"
        source, target = getattr(scene.source, family), getattr(scene.target, family)
        if not is_v4:
            scene.sink6 = App(scene.target)
            scene.sink6.sink(PORT, target, socket.AF_INET6)
        app = App(scene.source).connect(target, PORT)
        random_ = random.Random(1)
        ports = [app.subflows()[0][0][1]] + list(range(32768, 33768))
        lies = [(forged if is_v4 else forged6)(source, target, random_.choice(ports), random_)
                for _ in range(5000)]
        lies += [spoiled(lie, 20 if is_v4 else 40, random_) for lie in lies]
        raw = lab.nodes["leaf0"].inside(
            socket.socket, socket.AF_INET if is_v4 else socket.AF_INET6, socket.SOCK_RAW,
            socket.IPPROTO_RAW)
        is_over, sent = threading.Event(), []

        def lie():
            while not is_over.is_set() or len(sent) < len(lies):
                for packet in lies:
                    raw.sendto(packet, (source, 0) if is_v4 else (source, 0, 0, 0))
                    sent.append(1)

        with raw, concurrent.futures.ThreadPoolExecutor(1) as pool:
            liar = pool.submit(lie)
            try:
                app.set(ADD, 3)
                app.wait_subflows(4)
                map_ = shown(scene)
                heard = scene.counters()["probe_strangers"]
                seen = len(sent)
                wait_until(lambda: len(sent) >= seen + 10000 or liar.done(), "10,000 more", 30)
                # What was in the socket's queue when the survey ended was read at once.
                assert scene.counters()["probe_strangers"] == heard
            finally:
                is_over.set()
            liar.result()
        addresses = {getattr(end, family) for pair in lab.links for end in pair}
        assert {router for way in map_["ways"] for router in way["routers"]} <= addresses
        assert len(map_["ways"]) == 4
        paths = [subflow["path"] for subflow in scene.status(app)["subflows"]]
        assert len({tuple(path) for path in paths}) == 4
        assert scene.counters()["placed_blind"] == 0
        scene.daemon.check()


def test_a_flood_of_icmp_costs_little_cpu():
    """Of IPv6, where the kernel cannot tell them from answers: each is read, a few at a time.
    subflowd.conf(5) says what 10,000 a second take at most; a machine that tests may be slow."""
    most, per_second, count = 2 * .2, 10000, 40000
    with fabric.leaf_spine(4) as lab:
        scene = Scene(lab, {"placement": {"probes_per_second": 1}})
        source, target = scene.source.ip6, scene.target.ip6
        scene.sink6 = App(scene.target)
        scene.sink6.sink(PORT, target, socket.AF_INET6)
        app = App(scene.source).connect(target, PORT)
        random_ = random.Random(1)
        lies = [forged6(source, target, 32768 + i, random_) for i in range(1000)]
        app.set(ADD, 1)
        wait_until(lambda: scene.counters()["probes"] > 0, "a survey is under way")
        heard, used_s, pause = scene.counters()["probe_strangers"], scene.daemon.cpu_s(), threading.Event()
        with lab.nodes["leaf0"].inside(socket.socket, socket.AF_INET6, socket.SOCK_RAW,
                                       socket.IPPROTO_RAW) as raw:
            for i in range(0, count, 10):
                for packet in lies[i % 1000:i % 1000 + 10]:
                    raw.sendto(packet, (source, 0, 0, 0))
                pause.wait(10 / per_second)
        used_s = scene.daemon.cpu_s() - used_s
        heard = scene.counters()["probe_strangers"] - heard
        assert heard >= count / 2, "the survey was open all the time"
        assert used_s / heard * per_second < most, "of a CPU"
