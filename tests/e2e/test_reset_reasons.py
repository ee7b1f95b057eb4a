# SPDX-License-Identifier: MIT
"""RFC 8684 section 3.6: a peer that resets a join says whether another may be tried on that path."""
import hashlib
import hmac
import socket
import struct
import subprocess
import threading

import pytest
from lab.lab import Lab
from lab.netns import wait_until
from test_elephant import MB, config
from test_forged import keys_of

MULTIPATH, JOIN, DSS, RESET = 30, 1, 2, 8
BACKUP = 1  # the B flag: as subflowd has its subflows join, but on Linux 6.1
PROHIBITED, RESOURCES, TOO_MUCH_DATA = 3, 2, 5
SYN, RST, ACK = 2, 4, 16
FIRST, NONCE = 1000, b"once"  # the peer's sequence number, and its nonce
RULE = {**config(start=1, step=1, stop=100, max_subflows=8), "placement": {"mode": "kernel"}}
# All but the first flow do not reach the server's own kernel.
DROP = """table ip joins {{
 chain input {{
  type filter hook input priority 0;
  tcp dport 7000 tcp sport != {port} drop
 }}
}}
"""


@pytest.fixture(scope="module", autouse=True)
def filter_of_packets():
    with Lab() as lab:
        node = lab.netns("filter")
        done = subprocess.run(["nsenter", f"--net={node.path}", "nft", "-f", "-"], text=True,
                              input=DROP.format(port=1), capture_output=True)
    if done.returncode:
        pytest.skip("this kernel has no nftables")


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def answer(frame, flags, sequence, option):
    """A packet without data, back to where the frame came from."""
    ip, tcp = frame[14:34], frame[34:]
    heard = struct.unpack("!I", tcp[4:8])[0] + bool(tcp[13] & SYN)
    segment = tcp[2:4] + tcp[:2] + struct.pack(
        "!IIBBHHH", sequence, heard & 0xffffffff, (20 + len(option)) // 4 << 4, flags, 64240, 0,
        0) + option
    pseudo = ip[16:20] + ip[12:16] + struct.pack("!HH", socket.IPPROTO_TCP, len(segment))
    segment = segment[:16] + struct.pack("!H", checksum(pseudo + segment)) + segment[18:]
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 0, 0, 64, socket.IPPROTO_TCP, 0,
                         ip[16:20], ip[12:16])
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return frame[6:12] + frame[:6] + frame[12:14] + header + segment


class Peer:
    """At the server's end of the link: it consents to each join as RFC 8684 section 3.2 has it, and
    resets it for a reason then. `ports` are those that have tried."""

    def __init__(self, pair, reason, is_transient):
        self.ports = set()
        self._node = pair.server
        self._reset = bytes([MULTIPATH, 4, RESET << 4 | is_transient, reason])
        self._wire = pair.server.inside(socket.socket, socket.AF_PACKET, socket.SOCK_RAW,
                                        socket.htons(3))
        self._wire.bind((pair.far.device, 3))
        self._wire.settimeout(10)
        self._is_over = False
        self._thread = threading.Thread(target=self._serve)

    def take_over(self, app):
        """All but the first flow of this connection, which has just been made."""
        self._keys = keys_of(self._wire)
        self._wire.settimeout(.1)
        port = app("s.getsockname()")[1]
        self._node.run(["nft", "-f", "-"], input=DROP.format(port=port))
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._is_over = True
        if self._thread.is_alive():
            self._thread.join()
        self._wire.close()

    def _consent(self, nonce):
        client, server = self._keys
        code = hmac.digest(server + client, NONCE + nonce, "sha256")
        return bytes([MULTIPATH, 16, JOIN << 4, 0]) + code[:8] + NONCE

    def _acknowledge(self):
        """DSS with nothing but an acknowledgement, of what the connection began with."""
        first = int.from_bytes(hashlib.sha256(self._keys[0]).digest()[-4:], "big")
        return struct.pack("!BBBBI", MULTIPATH, 8, DSS << 4, 1, first + 1 & 0xffffffff)

    def _hear(self, frame):
        at = max(frame.find(bytes([MULTIPATH, 12, JOIN << 4 | flag]), 54) for flag in (0, BACKUP))
        port = struct.unpack("!H", frame[34:36])[0]
        if frame[47] & (SYN | ACK) == SYN and at >= 0:
            self.ports.add(port)
            self._wire.send(answer(frame, SYN | ACK, FIRST, self._consent(frame[at + 8:at + 12])))
        elif port in self.ports and not frame[47] & RST:
            # Linux reads the reason of a reset once the join has had its fourth packet.
            self._wire.send(answer(frame, ACK, FIRST + 1, self._acknowledge()))
            self._wire.send(answer(frame, RST | ACK, FIRST + 1, self._reset))

    def _serve(self):
        while not self._is_over:
            try:
                frame, sender = self._wire.recvfrom(2048)
            except TimeoutError:
                continue
            is_tcp = frame[12:14] == b"\x08\0" and frame[23] == socket.IPPROTO_TCP
            if is_tcp and sender[2] != socket.PACKET_OUTGOING:
                self._hear(frame)


def begin(pair):
    daemon = pair.serve(RULE, serve=[pair.client])
    pair.sink()
    return daemon, pair.app(pair.client).connect(pair.far.ip4)


def counters(daemon):
    return daemon.status()["daemon"]["counters"]


def grow(daemon, app, thresholds):
    """One after the other, so that each is one of its own."""
    for _ in range(thresholds):
        before = counters(daemon)["thresholds"]
        # The last of them is noticed with the round trip after it.
        wait_until(lambda: app(f"send(s, {MB // 5})") or counters(daemon)["thresholds"] > before,
                   "a threshold")


@pytest.mark.parametrize("reason", [PROHIBITED, TOO_MUCH_DATA])
def test_one_for_good_is_the_last(pair, reason):
    with Peer(pair, reason, False) as peer:
        daemon, app = begin(pair)
        peer.take_over(app)
        grow(daemon, app, 1)
        wait_until(lambda: counters(daemon)["refused_by_peer"] == 1, "it is refused")
        grow(daemon, app, 6)
        assert "has refused one for good" in pair.connection(daemon, app)["decision"]
        assert len(peer.ports) == counters(daemon)["creates"] == 1


@pytest.mark.parametrize("reason", [PROHIBITED, RESOURCES])
def test_after_a_transient_one_others_are_tried(pair, reason):
    with Peer(pair, reason, True) as peer:
        daemon, app = begin(pair)
        peer.take_over(app)
        for refused in range(1, 5):
            grow(daemon, app, 1)
            wait_until(lambda: counters(daemon)["refused_by_peer"] == refused, "it is refused")
        assert f"MPTCP reset reason {reason}" in pair.connection(daemon, app)["decision"]
        assert len(peer.ports) == counters(daemon)["creates"] == 4
    pair.server.run(["nft", "delete", "table", "ip", "joins"])
    grow(daemon, app, 1)
    app.wait_subflows(2)
