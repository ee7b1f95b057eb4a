# SPDX-License-Identifier: MIT
"""The far end of MPTCP connections, without any state of them, for bench/idle; not a benchmark by itself.

peer.py DEVICE      answers what comes in through the device and is not for the host itself

A connection takes one of the kernel's tokens at each end that is a socket: this end is none, so there
is room for twice as many. It acknowledges the first data, which makes the connection a whole one (RFC
8684, 3.1), and resets what is closed. A SYN without MP_CAPABLE it refuses.
"""
import hashlib
import socket
import struct
import sys

ETH_P_IP = 0x800
MPTCP, MP_CAPABLE, DSS = 30, 0, 2
# Version 1, HMAC-SHA256, the key of this end; DATA_ACK of 8 octets; DATA_FIN.
OF_SYN = bytes((MPTCP, 12, MP_CAPABLE << 4 | 1, 1)) + b"bench/id"
OF_ACK = bytes((MPTCP, 12, DSS << 4, 3))
DATA_FIN = 0x10
FIN, SYN, RST, ACK = 1, 2, 4, 16
WINDOW = 65535
RECEIVE_BYTES = 1 << 24
SO_RCVBUFFORCE = 33


def mptcp_option(tcp, size):
    """The first one in a header of that size; zeros where there is none."""
    at = 20
    while at < size and tcp[at]:
        if tcp[at] == MPTCP:
            return tcp[at:at + tcp[at + 1]]
        at += 1 if tcp[at] == 1 else tcp[at + 1]
    return bytes(4)


def answer(tcp):
    """(flags, sequence number, acknowledgement, option) of what a segment is answered by, or None."""
    sequence, acknowledged, offset, flags = struct.unpack_from("!IIBB", tcp, 4)
    size = (offset >> 4) * 4
    option, length = mptcp_option(tcp, size), len(tcp) - size
    is_capable = option[0] == MPTCP and option[2] >> 4 == MP_CAPABLE
    if flags & RST:
        return None
    if flags & SYN:
        return (SYN | ACK, 0, sequence + 1, OF_SYN) if is_capable else (RST | ACK, 0, sequence + 1, b"")
    if is_capable and length:
        # The least 64 bits of the key's hash, and one for MP_CAPABLE itself.
        first = int.from_bytes(hashlib.sha256(option[4:12]).digest()[-8:], "big") + 1
        return ACK, acknowledged, sequence + length, OF_ACK + struct.pack("!Q", first + length & 2**64 - 1)
    if flags & FIN or (option[2] >> 4 == DSS and option[3] & DATA_FIN):
        return RST, acknowledged, 0, b""
    return None


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    return ~(total % 0xffff) & 0xffff


def packet_of(source, target, ports, flags, sequence, acknowledged, option):
    size = 20 + len(option)
    tcp = struct.pack("!4sIIBBHHH", ports, sequence, acknowledged & 0xffffffff, size << 2, flags, WINDOW, 0,
                      0) + option
    total = checksum(struct.pack("!4s4sHH", source, target, socket.IPPROTO_TCP, size) + tcp)
    tcp = tcp[:16] + struct.pack("!H", total) + tcp[18:]
    ip = struct.pack("!BBHIBBH4s4s", 0x45, 0, 20 + size, 0, 64, socket.IPPROTO_TCP, 0, source, target)
    return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + tcp


def main():
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP)) as wire:
        wire.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BYTES)
        wire.bind((sys.argv[1], ETH_P_IP))
        print("ready", flush=True)
        while True:
            packet, sender = wire.recvfrom(1 << 16)
            if packet[9] != socket.IPPROTO_TCP:
                continue
            source, target = packet[12:16], packet[16:20]
            # Without what fills a frame up.
            tcp = packet[(packet[0] & 15) * 4:int.from_bytes(packet[2:4], "big")]
            if (said := answer(tcp)) is not None:
                wire.sendto(packet_of(target, source, tcp[2:4] + tcp[:2], *said), sender)


if __name__ == "__main__":
    main()
