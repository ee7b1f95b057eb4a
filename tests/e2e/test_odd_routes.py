# SPDX-License-Identifier: MIT
"""Ways that run in circles, answers that come back another way, a peer that resets what it did not ask for."""
import contextlib
import select
import socket
import struct
import threading

from app import ADD
from lab import fabric
from lab.netns import wait_until
from test_placement import PORT, Scene, checksum

ETH_P_IP = 0x0800
RST_ACK = 0x14


def detour(lab):
    """What leaf0 has for host1 goes up to spine1 and comes back, before it goes on by spine0."""
    target = lab.host(1).ip4
    lab.nodes["leaf0"].ip(f"route replace {target} via {lab.end('spine1', 'leaf0').ip4}",
                          f"route add {target} via {lab.end('spine0', 'leaf0').ip4} table 100",
                          "rule add iif spine1 lookup 100")
    lab.nodes["spine1"].ip(f"route replace {target} via {lab.end('leaf0', 'spine1').ip4}")


def test_a_way_that_runs_in_a_circle_is_no_map():
    with fabric.leaf_spine(2) as lab:
        detour(lab)
        scene = Scene(lab)
        app = scene.connect()
        app.set(ADD, 3)
        app.wait_subflows(4)
        assert scene.status(app)["unplaced"] == "the way there runs in a circle"
        assert scene.counters()["placed_blind"] == 3
        assert scene.counters()["probes"] <= 8, "nothing is looked for where nothing can be told"
        app("send(s, 1000000)")
        assert len(app.subflows()) == 4


def come_back_otherwise(lab):
    """What is for host0 comes by spine0, and what the other spines say goes down to leaf1 first."""
    source = lab.host(0).ip4
    lab.nodes["leaf1"].ip(f"route replace {source} via {lab.end('spine0', 'leaf1').ip4}")
    for label in ("spine1", "spine2", "spine3"):
        lab.nodes[label].ip(f"route replace {source} via {lab.end('leaf1', label).ip4}")


def test_answers_that_come_back_another_way():
    with fabric.leaf_spine(4) as lab:
        come_back_otherwise(lab)
        scene = Scene(lab)
        app = scene.connect()
        assert len(set(scene.spread(app, 4))) == 4
        for subflow in scene.status(app)["subflows"]:
            port = int(subflow["local"].rsplit(":", 1)[1])
            assert tuple(map(scene.label_of, subflow["path"])) == scene.routers(port)[:2]
        assert scene.counters()["placed_blind"] == 0


def reset_of(packet):
    """What answers a TCP packet that belongs to no connection (RFC 9293, 3.10.7.1); None: not one of ours."""
    at = (packet[0] & 15) * 4
    source, target, ttl = packet[12:16], packet[16:20], packet[8]
    sport, dport, sequence, acknowledged = struct.unpack("!HHII", packet[at:at + 12])
    if packet[9] != socket.IPPROTO_TCP or dport != PORT or ttl > 8:
        return None
    tcp = struct.pack("!HHIIBBHHH", dport, sport, acknowledged, sequence, 0x50, RST_ACK, 0, 0, 0)
    sum_ = checksum(target + source + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(tcp)) + tcp)
    tcp = tcp[:16] + struct.pack("!H", sum_) + tcp[18:]
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, socket.IPPROTO_TCP, 0) \
        + target + source + tcp


@contextlib.contextmanager
def resetting(host):
    """Whatever probe comes to the host is answered with a reset; yields the sources of these."""
    heard = host.inside(socket.socket, socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
    raw = host.inside(socket.socket, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    awake, sleeper = socket.socketpair()
    answered = []

    def answer():
        while sleeper not in select.select([heard, sleeper], [], [])[0]:
            packet, address = heard.recvfrom(2048)
            reset = reset_of(packet) if address[2] != socket.PACKET_OUTGOING else None
            if reset:
                raw.sendto(reset, (socket.inet_ntoa(reset[16:20]), 0))
                answered.append(reset)

    thread = threading.Thread(target=answer)
    with heard, raw, awake, sleeper:
        thread.start()
        try:
            yield answered
        finally:
            awake.send(b"x")
            thread.join()


def test_a_peer_that_resets_probes_resets_no_connection():
    """Those that count the hops come to it, where nothing tells how far it is, from the port of the
    first subflow: they acknowledge nothing, so what answers them is out of every window."""
    with fabric.leaf_spine(4) as lab:
        scene = Scene(lab)
        scene.target.sysctl({"net.ipv4.ip_default_ttl": 100})
        with resetting(scene.target) as answered:
            app = scene.connect()
            before = scene.source.snmp()["TcpEstabResets"]
            assert len(set(scene.spread(app, 4))) == 4
            wait_until(lambda: len(answered) >= 4, "probes that have come through")
            app("send(s, 1000000)")
            assert len(app.subflows()) == 4
            assert scene.source.snmp()["TcpEstabResets"] == before
        assert scene.counters()["placed_blind"] == 0
