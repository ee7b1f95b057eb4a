# SPDX-License-Identifier: MIT
"""Privileged ports: subflowd may bind them, and does so for nobody whose kernel would refuse it."""
import errno
import socket

import pytest
from app import ADD, NOBODY, packed
from lab.netns import wait_until

PORT = 7000
LIMIT = "net.ipv4.ip_unprivileged_port_start"


def refused(app, value, name="s"):
    with pytest.raises(OSError) as caught:
        app.set(ADD, value, name)
    assert errno.errorcode[caught.value.errno] == "EACCES"


def enter(lab, state, prefix, kind, uid):
    """(application, name of its socket, an address of its namespace, namespace)"""
    near, far = (prefix + getattr(e, kind) for e in (lab.near, lab.far))
    client = lab.app(lab.client, uid=uid)
    family = socket.AF_INET6 if ":" in near else socket.AF_INET
    if state == "fresh":
        return client.open(family), "s", near, lab.client
    if state == "restricted":
        client.open(family).set(ADD, packed(near))
        return client, "s", near, lab.client
    server = lab.app(lab.server, uid=uid)
    server.sink(PORT, address="::" if ":" in near else "", family=family)
    if state == "listener":
        return server, "listener", far, lab.server
    client.connect(far)
    if state == "connected":
        return client, "s", near, lab.client
    wait_until(lambda: server("len(accepted)"), "accepted")
    return server, "accepted[0]", far, lab.server


@pytest.mark.parametrize("prefix, kind", [("", "ip4"), ("", "ip6"), ("::ffff:", "ip4")],
                         ids=["ip4", "ip6", "mapped"])
@pytest.mark.parametrize("state", ["fresh", "restricted", "connected", "listener", "accepted"])
@pytest.mark.parametrize("uid", [NOBODY, 0], ids=["nobody", "root"])
def test_no_list_has_one(served, state, prefix, kind, uid):
    """The limit is the one that the namespace of the socket has at that moment."""
    app, name, address, node = enter(served, state, prefix, kind, uid)
    other = served.server if node is served.client else served.client
    other.sysctl({LIMIT: "0"})
    for port in (1, 80, 1023):
        refused(app, packed((address, port)), name)
    # A call is refused as a whole.
    refused(app, packed(address, (address, 1024), (address, 1023)), name)
    node.sysctl({LIMIT: "2000"})
    other.sysctl({LIMIT: "1024"})
    refused(app, packed((address, 1999)), name)
    node.sysctl({LIMIT: "81"})
    refused(app, packed((address, 80)), name)
    app.set(ADD, packed((address, 81)), name)
    node.sysctl({LIMIT: "0"})
    app.set(ADD, packed((address, 1)), name)


@pytest.mark.parametrize("when", ["before connect", "on the connection"])
def test_what_is_allowed_is_bound_to(served, when):
    """And what was refused is on no subflow and waits for none."""
    served.sink()
    served.client.sysctl({LIMIT: "100"})
    app = served.app(served.client).open()
    before, after = (packed((served.near.ip4, port)) for port in (99, 100))
    if when == "on the connection":
        app(f"s.connect(({served.far.ip4!r}, {PORT})); s.send(b'x')")
    refused(app, before)
    app.set(ADD, after)
    if when == "before connect":
        app(f"s.connect(({served.far.ip4!r}, {PORT})); s.send(b'x')")
    app.set(ADD, 1)
    ports = [local[1] for local, _ in app.wait_subflows(2 + (when == "on the connection"))]
    assert 100 in ports and 99 not in ports
    assert all(port == 100 or port > 1023 for port in ports)
