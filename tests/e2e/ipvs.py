# SPDX-License-Identifier: MIT
"""The kernel's own layer-4 balancer, set up over generic netlink (linux/ip_vs.h), for the namespace of a router."""
import os
import socket
import struct

GENERIC, CONTROL, GET_FAMILY, FAMILY_ID, FAMILY_NAME = 16, 16, 3, 1, 2
REQUEST_ACK, REQUEST_CREATE, ERROR, NESTED = 5, 0x400, 2, 0x8000
NEW_SERVICE, NEW_DESTINATION, SET_DESTINATION = 1, 5, 6
SERVICE, DESTINATION = 1, 2
MASQUERADE = 0


def attribute(kind, value):
    """An int is a u32."""
    value = struct.pack("=I", value) if isinstance(value, int) else value
    return struct.pack("=HH", 4 + len(value), kind) + value.ljust((len(value) + 3) // 4 * 4, b"\0")


def nested(kind, *attributes):
    return attribute(kind | NESTED, b"".join(attributes))


def short(number):
    return struct.pack("=H", number)


def address(text):
    return socket.inet_aton(text).ljust(16, b"\0")


class Balancer:
    """A TCP service at an address of the node, whose new flows go to the backends in their turn."""

    def __init__(self, node, at, port):
        self.at, self.port, self.number = at, port, 0
        self.socket = node.inside(socket.socket, socket.AF_NETLINK, socket.SOCK_RAW, GENERIC)
        # The kernel loads the module for this question.
        answer = self._ask(CONTROL, GET_FAMILY, attribute(FAMILY_NAME, b"IPVS\0"))
        self.family = struct.unpack_from("=H", answer, answer.index(struct.pack("=HH", 6, FAMILY_ID)) + 4)[0]
        self._order(NEW_SERVICE, self._service(attribute(6, b"rr\0"), attribute(7, struct.pack("=II", 0, 0xffffffff)),
                                               attribute(8, 0), attribute(9, 0xffffffff)))

    def _service(self, *more):
        return nested(SERVICE, attribute(1, short(socket.AF_INET)), attribute(2, short(socket.IPPROTO_TCP)),
                      attribute(3, address(self.at)), attribute(4, struct.pack("!H", self.port)), *more)

    def _destination(self, command, backend, weight):
        self._order(command, self._service() + nested(
            DESTINATION, attribute(1, address(backend)), attribute(2, struct.pack("!H", self.port)),
            attribute(3, MASQUERADE), attribute(4, weight), attribute(5, 0), attribute(6, 0),
            attribute(11, short(socket.AF_INET))))

    def add(self, backend):
        self._destination(NEW_DESTINATION, backend, 1)

    def retire(self, backend):
        """What it has stays with it, new flows go to others."""
        self._destination(SET_DESTINATION, backend, 0)

    def _order(self, command, attributes):
        self._ask(self.family, command, attributes)

    def _ask(self, family, command, attributes):
        """The answer, if there is one beside that it was carried out; OSError."""
        self.number += 1
        body = struct.pack("=BBH", command, 1, 0) + attributes
        self.socket.send(struct.pack("=IHHII", 16 + len(body), family, REQUEST_ACK, self.number, 0) + body)
        answer = b""
        while True:
            message = self.socket.recv(65536)
            if struct.unpack_from("=H", message, 4)[0] != ERROR:
                answer += message
                continue
            error = -struct.unpack_from("=i", message, 16)[0]
            if error:
                raise OSError(error, os.strerror(error))
            return answer


def is_there(node):
    """Whether this kernel has it."""
    try:
        Balancer(node, "192.0.2.2", 1)
    except OSError:
        return False
    return True
