# SPDX-License-Identifier: MIT
"""Lists of local addresses, as sctp_bindx(3) packs them, and where a connection's subflows leave from."""
import errno
import socket
import struct

import pytest
from app import ADD
from lab.netns import wait_until

PORT = 7000


def end(address, port=0):
    """A struct sockaddr_in or sockaddr_in6."""
    if ":" in address:
        return struct.pack("=HxxI16sI", socket.AF_INET6, 0,
                           socket.inet_pton(socket.AF_INET6, address), 0)[:2] + struct.pack(
            "!H", port) + struct.pack("=I16sI", 0, socket.inet_pton(socket.AF_INET6, address), 0)
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_pton(
        socket.AF_INET, address) + bytes(8)


def ends(*addresses):
    return b"".join(end(*a) if isinstance(a, tuple) else end(a) for a in addresses)


def fails(expected, call, *arguments):
    with pytest.raises(OSError) as caught:
        call(*arguments)
    assert errno.errorcode[caught.value.errno] == errno.errorcode[expected]


@pytest.fixture
def homes(served):
    """Both ends have a second address on a link of its own, which is taken by what leaves with the
    client's second address."""
    served.near2, served.far2 = served.veth(served.client, served.server, "server2", "client2",
                                            rate_mbit=1000)
    for family, near, far in (("-4", served.near2.ip4, served.far2.ip4),
                              ("-6", served.near2.ip6, served.far2.ip6)):
        served.client.run(["ip", family, "rule", "add", "from", near, "lookup", "102"])
        served.client.run(["ip", family, "route", "add", "default", "via", far, "dev", "server2",
                           "table", "102"])
    wait_until(lambda: "tentative" not in served.client.run(["ip", "-6", "address"]),
               "addresses are there")
    served.sink(address="::", family=socket.AF_INET6)
    return served


def locals_of(app):
    return sorted(near[0] for near, _ in app.subflows())


def wait_locals(app, *addresses):
    wait_until(lambda: locals_of(app) == sorted(addresses),
               lambda: f"subflows from {addresses}, there are {app.subflows()}")


def done(app, option, value):
    try:
        app.set(option, value)
        return True
    except OSError as error:
        # ENOBUFS: the daemon has not heard yet of what was taken away.
        assert error.errno in (errno.EAGAIN, errno.EADDRNOTAVAIL, errno.ENOBUFS)
        return False


def added(app, value):
    return done(app, ADD, value)
