# SPDX-License-Identifier: MIT
"""[detect] source = capture, where somebody on the link sends what was never sent."""
import hashlib
import itertools
import random
import socket
import struct
from pathlib import Path

import pytest
from lab.netns import wait_until
from test_detect import counters, serve, untreated
from test_elephant import MB, config, joins

MULTIPATH, CAPABLE, JOIN, DSS = 30, 0, 1, 2
ACK, SYN, FIN = 16, 2, 1
# More would be no loss of the capture (daemon/core/wire.c): so much can one packet claim.
LEAP = 16 * MB
# Of nobody: the stack does not look at them, a capture does.
ETHERNET = bytes.fromhex("0200000000fe0200000000ff0800")
FLOWS_MAX = 65536


def mptcp(subtype, content):
    """The option, padded."""
    option = struct.pack("!BBBB", MULTIPATH, 4 + len(content), subtype << 4 | (subtype == CAPABLE),
                         0) + content
    return option.ljust((len(option) + 3) // 4 * 4, b"\1")


def frame(source, target, sequence=1, flags=ACK, options=b"", data=b"x", length=None):
    """A TCP packet from (address, port) to another. length: what its header says instead."""
    offset = (20 + len(options)) // 4
    tcp = struct.pack("!HHIIBBHHH", source[1], target[1], sequence & 0xffffffff, 1, offset << 4, flags,
                      1000, 0, 0) + options + data
    return ETHERNET + struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp) if length is None else length, 1, 0, 64, 6, 0,
        socket.inet_aton(source[0]), socket.inet_aton(target[0])) + tcp


@pytest.fixture(name="wire")
def fixture_wire(pair):
    """The server's end of the link, for whatever is to come out at the client's."""
    with pair.server.inside(socket.socket, socket.AF_PACKET, socket.SOCK_RAW,
                            socket.htons(3)) as wire:
        wire.bind((pair.far.device, 3))
        wire.settimeout(10)
        yield wire


def forge(daemon, wire, frames):
    """Sends them, and returns when the daemon has looked at all that it has not refused."""
    def seen():
        now = counters(daemon)
        return now["packets"] + now["packets_malformed"] + now["packets_lost"]

    frames, before = list(frames), seen()
    for chunk in range(0, len(frames), 2000):
        for each in frames[chunk:chunk + 2000]:
            wire.send(each)
        sent = min(chunk + 2000, len(frames))
        wait_until(lambda: seen() >= before + sent, "the packets have been looked at")


def ends_of(app):
    return app("s.getsockname()"), app("s.getpeername()")


def leaps(source, target, count, options=mptcp(DSS, bytes(4))):
    """A flow that seems to lose nearly all of its packets on the way to the capture."""
    return [frame(source, target, i * LEAP, options=options) for i in range(count)]


def test_what_the_kernel_has_not_counted_is_no_elephant(pair, wire):
    """Forged data of a connection in either direction, its end and its beginning."""
    daemon = serve(pair, "capture", config(start=10, step=10, stop=1000, max_subflows=3))
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    here, there = ends_of(app)
    forge(daemon, wire, leaps(here, there, 100) + leaps(there, here, 100))
    forge(daemon, wire, [frame(here, there, 7, FIN | ACK), frame(here, there, 8, SYN, data=b"")])
    forge(daemon, wire, leaps(here, there, 100))
    now = counters(daemon)
    assert now["looks"] > 0
    assert now["thresholds"] == now["creates"] == 0
    assert pair.connection(daemon, app)["decision"] == "too small to split"
    # What it really carries is found all the same.
    app(f"send(s, {40 * MB})")
    app.wait_subflows(3)
    assert counters(daemon)["thresholds"] <= 4


def keys_of(wire):
    """The two keys of the next handshake that passes."""
    while True:
        data = wire.recv(2048)
        if data[12:14] != b"\x08\0" or data[23] != socket.IPPROTO_TCP:
            continue
        options = data[54:34 + (data[46] >> 4) * 4]
        for length in (20, 22):
            at = options.find(bytes([MULTIPATH, length, CAPABLE << 4 | 1]))
            if at >= 0:
                return options[at + 4:at + 12], options[at + 12:at + 20]


def token_of(key):
    return hashlib.sha256(key).digest()[:4]


def test_flows_that_claim_to_be_of_a_connection(pair, wire):
    """By the keys of its handshake, and by its tokens, from addresses of their own."""
    daemon = serve(pair, "capture", config(start=10, step=10, stop=1000, max_subflows=3))
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    mine, peers = keys_of(wire)
    assert token_of(mine) == struct.pack("!I", app.connid())
    here, there = ("10.66.0.1", 40000), ("10.66.0.2", 7000)
    join = ("10.66.0.1", 40001)
    forge(daemon, wire, [
        frame(here, there, options=mptcp(CAPABLE, mine + peers), data=b""),
        frame(join, there, flags=SYN, options=mptcp(JOIN, token_of(peers) + bytes(4)), data=b""),
        frame(there, join, flags=SYN, options=mptcp(JOIN, token_of(mine) + bytes(4)), data=b""),
        *leaps(here, there, 100), *leaps(join, there, 100), *leaps(there, join, 100)])
    now = counters(daemon)
    assert now["looks"] > 0
    assert now["thresholds"] == now["creates"] == 0 and joins(pair) == 0
    assert not untreated(daemon), "they pass for packets of the connection"


def broken(here, there):
    """Headers that are cut, and such as contradict themselves."""
    whole = frame(here, there, options=mptcp(DSS, bytes(8)), data=bytes(40))
    for length in range(len(whole)):
        yield whole[:length].ljust(14, b"\0")
    for length in (0, 1, 19, 20, 39, 41, len(whole), 0x7fff, 0xffff):
        yield frame(here, there, length=length)
    for option in (b"\x1e\0\0\0", b"\x1e\1\0\0", b"\x1e\xff\0\0", b"\x1e\2\x1e\2", b"\x05\0\x1e\x0c",
                   b"\0\x1e\x14\1", mptcp(CAPABLE, b"")[:4], mptcp(JOIN, b"")[:4]):
        for flags in (ACK, SYN, SYN | ACK, FIN):
            yield frame(here, there, flags=flags, options=option)
    for offset in range(16):
        yield whole[:46] + bytes([offset << 4]) + whole[47:]
    for header in range(256):
        yield whole[:14] + bytes([header]) + whole[15:]


def test_packets_that_are_cut_or_contradict_themselves(pair, wire):
    daemon = serve(pair, "capture", config(start=10, step=10, stop=1000, max_subflows=2))
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    here, there = ends_of(app)
    draw = random.Random(1)
    noise = [ETHERNET + draw.randbytes(draw.randrange(120)) for _ in range(2000)]
    # What is no TCP by its first bytes is not even handed to the daemon.
    for each in [*broken(here, there), *noise]:
        wire.send(each)
    forge(daemon, wire, [frame(here, there)])
    wait_until(lambda: counters(daemon)["packets_malformed"] > 0, "they are counted")
    assert counters(daemon)["thresholds"] == 0
    app(f"send(s, {20 * MB})")
    app.wait_subflows(2)


def memory_of(daemon):
    """Bytes that are resident."""
    return int(Path(f"/proc/{daemon.process.pid}/statm").read_text().split()[1]) * 4096


def test_a_flood_of_flows_fills_one_table_and_no_more(pair, wire):
    """And one of elephants is neither logged at length nor looked into all the time."""
    daemon = serve(pair, "capture", config(start=10, step=10, stop=1000, max_subflows=2))
    before = memory_of(daemon)
    hosts = [f"10.{66 + i}.0.1" for i in range(2)]
    forge(daemon, wire, (frame((host, port), ("10.99.0.1", 80))
                         for host, port in itertools.product(hosts, range(1, 36000))))
    now = counters(daemon)
    assert now["wire_flows"] == FLOWS_MAX
    assert now["wire_flows_refused"] > 0
    assert memory_of(daemon) - before < 20 * MB
    # Whoever comes now is not kept out, and an elephant that grows among them is not pushed out.
    app = pair.app(pair.client)
    pair.sink()
    app.connect(pair.far.ip4)
    app(f"send(s, {5 * MB})")
    forge(daemon, wire, (frame(("10.70.0.1", port), ("10.99.0.1", 80)) for port in range(1, 20000)))
    app(f"send(s, {10 * MB})")
    app.wait_subflows(2)
    forge(daemon, wire, itertools.chain.from_iterable(
        leaps((hosts[0], port), ("10.99.0.1", 80), 3, options) for port in range(1, 2000)
        for options in (b"", mptcp(DSS, bytes(4)))))
    assert len(untreated(daemon)) <= 1024
    said = daemon.log.read_text()
    assert said.count("passes by") <= 10 * (said.count("more elephants pass by") + 1)
    assert daemon.process.poll() is None
