# SPDX-License-Identifier: MIT
"""Lists of local addresses before connect: the first subflow leaves from them too."""
import errno
import signal
import socket

import pytest
from app import ADD, NDIFFPORTS, REMOVE
from lists import PORT, ends, fails, homes, locals_of, wait_locals  # noqa: F401

MSG_FASTOPEN, TCP_FASTOPEN_CONNECT = 0x20000000, 30
# connect(2) to AF_UNSPEC, which Python cannot.
DISCONNECT = """
import ctypes
assert ctypes.CDLL(None).connect(s.fileno(), bytes(16), 16) == 0
"""


@pytest.mark.parametrize("family", ["ip4", "ip6", "mapped"])
@pytest.mark.parametrize("blocking", [True, False])
def test_before_connect_the_list_is_a_restriction(homes, family, blocking):
    """The first subflow too leaves from the list, in which the route's own address is not."""
    prefix, kind = ("::ffff:", "ip4") if family == "mapped" else ("", family)
    near, near2, far = (getattr(e, kind) for e in (homes.near, homes.near2, homes.far))
    app = homes.app(homes.client).open(socket.AF_INET if family == "ip4" else socket.AF_INET6)
    app.set(ADD, ends(near2, near2))
    if not blocking:
        app("s.setblocking(False)")
        fails(errno.EINPROGRESS, app, f"s.connect(({prefix + far!r}, {PORT}))")
        app("import select; select.select([], [s], []); s.setblocking(True)")
    else:
        app(f"s.connect(({prefix + far!r}, {PORT}))")
    app("s.send(b'x')")
    assert app("s.getsockname()[0]") == prefix + near2
    wait_locals(app, prefix + near2, prefix + near2)
    app.set(ADD, 2)
    wait_locals(app, *[prefix + near2] * 4)
    app.set(ADD, ends(near))
    wait_locals(app, prefix + near, *[prefix + near2] * 4)


def test_before_connect_as_many_are_listed_as_there_may_be(homes):
    """The first subflow is one of them."""
    near2 = homes.near2.ip4
    app = homes.app(homes.client).open()
    fails(errno.EDQUOT, app.set, ADD, ends(*[near2] * 9))
    app.set(ADD, ends(*[near2] * 8))
    fails(errno.EDQUOT, app.set, ADD, ends(near2))
    fails(errno.EDQUOT, app.set, ADD, 1)
    app(f"s.connect(({homes.far.ip4!r}, {PORT})); s.send(b'x')")
    wait_locals(app, *[near2] * 8)
    app.open().set(ADD, ends(*[near2] * 7))
    app.set(ADD, 1)
    fails(errno.EDQUOT, app.set, ADD, 1)


def test_first_port_of_the_restriction(homes):
    app = homes.app(homes.client).open()
    app.set(ADD, ends((homes.near2.ip4, 5005), homes.near.ip4))
    app(f"s.connect(({homes.far.ip4!r}, {PORT})); s.send(b'x')")
    assert app("s.getsockname()") == (homes.near2.ip4, 5005)
    wait_locals(app, homes.near.ip4, homes.near2.ip4)


def test_a_restriction_is_lifted_before_connect(homes):
    app = homes.app(homes.client).open()
    app.set(ADD, ends(homes.near2.ip4))
    fails(errno.EADDRNOTAVAIL, app.set, REMOVE, ends(homes.near.ip4))
    app.set(REMOVE, ends(homes.near2.ip4))
    app(f"s.connect(({homes.far.ip4!r}, {PORT})); s.send(b'x')")
    app.set(ADD, 1)
    wait_locals(app, homes.near.ip4, homes.near.ip4)


def test_a_socket_that_connects_again_leaves_from_what_is_left(homes):
    """Its first slot still holds the address that was taken away: the daemon has not heard of it."""
    app = homes.app(homes.client).connect(homes.far.ip4)
    app.set(ADD, ends(homes.near.ip4, homes.near2.ip4))
    wait_locals(app, homes.near.ip4, homes.near.ip4, homes.near2.ip4)
    homes.daemon.process.send_signal(signal.SIGSTOP)
    app.set(REMOVE, ends(homes.near.ip4))
    app(DISCONNECT)
    app.set(ADD, ends(homes.near2.ip4))
    app(f"s.connect(({homes.far.ip4!r}, {PORT})); s.send(b'x')")
    assert locals_of(app) == [homes.near2.ip4]
    homes.daemon.process.send_signal(signal.SIGCONT)


def test_a_connect_that_failed_binds_to_nothing(homes):
    """The kernel keeps the address that the first subflow was given; the next try is by the list of then."""
    near, near2, far = homes.near.ip4, homes.near2.ip4, homes.far.ip4
    app = homes.app(homes.client).open()
    app.set(ADD, ends(near))
    fails(errno.ECONNREFUSED, app, f"s.connect(({far!r}, 1))")
    app.set(REMOVE, ends(near))
    app.set(ADD, ends(near2))
    fails(errno.ECONNREFUSED, app, f"s.connect(({far!r}, 1))")
    app.set(ADD, ends(near))
    app.set(REMOVE, ends(near2))
    app(f"s.connect(({far!r}, {PORT})); s.send(b'x')")
    assert app("s.getsockname()[0]") == near
    app.set(ADD, 1)
    wait_locals(app, near, near)
    # A list that is empty by then restricts nothing: the route chooses.
    app = homes.app(homes.client).open()
    app.set(ADD, ends(near2))
    fails(errno.ECONNREFUSED, app, f"s.connect(({far!r}, 1))")
    app.set(REMOVE, ends(near2))
    app(f"s.connect(({far!r}, {PORT})); s.send(b'x')")
    assert app("s.getsockname()[0]") == near
    # What the application has bound it to itself, it stays bound to.
    app = homes.app(homes.client).open()
    app(f"s.bind(({near2!r}, 0))")
    app.set(ADD, ends(near))
    fails(errno.ECONNREFUSED, app, f"s.connect(({far!r}, 1))")
    app(f"s.connect(({far!r}, {PORT})); s.send(b'x')")
    assert app("s.getsockname()[0]") == near2


def test_a_number_is_of_one_connection(homes):
    """A socket that is connected anew begins without; its lists it keeps."""
    app = homes.app(homes.client).open()
    for _ in range(4):
        app.set(ADD, 2)
        app(f"s.connect(({homes.far.ip4!r}, {PORT})); s.send(b'x')")
        app.wait_subflows(3)
        app.set(ADD, 1)
        app.wait_subflows(4)
        app(DISCONNECT)
    app(f"s.connect(({homes.far.ip4!r}, {PORT})); s.send(b'x')")
    app.set(ADD, 7)
    assert len(app.wait_subflows(8)) == 8
    app(DISCONNECT)
    app.set(NDIFFPORTS, 3)
    fails(errno.ECONNREFUSED, app, f"s.connect(({homes.far.ip4!r}, 1))")
    app(f"s.connect(({homes.far.ip4!r}, {PORT})); s.send(b'x')")
    app.wait_subflows(3)


@pytest.mark.parametrize("how", ["MSG_FASTOPEN", "TCP_FASTOPEN_CONNECT"])
@pytest.mark.parametrize("family", ["ip4", "ip6"])
def test_the_restriction_holds_without_a_connect_of_its_own(homes, family, how):
    """Sent with the SYN, or as if: the first subflow is restricted all the same."""
    near2, far = getattr(homes.near2, family), getattr(homes.far, family)
    app = homes.app(homes.client).open(socket.AF_INET if family == "ip4" else socket.AF_INET6)
    app.set(ADD, ends(near2, near2))
    try:
        if how == "MSG_FASTOPEN":
            app(f"s.sendto(b'x', {MSG_FASTOPEN}, ({far!r}, {PORT}))")
        else:
            app(f"s.setsockopt(6, {TCP_FASTOPEN_CONNECT}, 1); s.connect(({far!r}, {PORT})); s.send(b'x')")
    except OSError as error:
        assert error.errno in (errno.EOPNOTSUPP, errno.ENOPROTOOPT)
        pytest.skip("enable-carries: MPTCP sockets do not know fast open here")
    wait_locals(app, near2, near2)
    assert app("s.getsockname()[0]") == near2


@pytest.mark.parametrize("kind", ["ip6", "mapped"])
def test_a_bound_ipv6_socket(homes, kind):
    near, near2, far = (e.ip6 if kind == "ip6" else f"::ffff:{e.ip4}"
                        for e in (homes.near, homes.near2, homes.far))
    app = homes.app(homes.client).open(socket.AF_INET6)
    app(f"s.bind(({near2!r}, 0)); s.connect(({far!r}, {PORT})); s.send(b'x')")
    app.set(ADD, 2)
    wait_locals(app, near2, near2, near2)
    app.set(ADD, ends(near))
    wait_locals(app, near, near2, near2, near2)
    # With a list before connect, to which it belongs.
    app = homes.app(homes.client).open(socket.AF_INET6)
    app(f"s.bind(({near2!r}, 0))")
    app.set(ADD, ends(near))
    app(f"s.connect(({far!r}, {PORT})); s.send(b'x')")
    assert app("s.getsockname()[0]") == near2
    wait_locals(app, near, near2)


def test_bound_and_restricted(homes):
    app = homes.app(homes.client).open()
    app(f"s.bind(({homes.near.ip4!r}, 0))")
    app.set(ADD, ends(homes.near2.ip4, homes.near.ip4))
    app(f"s.connect(({homes.far.ip4!r}, {PORT})); s.send(b'x')")
    wait_locals(app, homes.near.ip4, homes.near2.ip4)
    # It is the first one also where the list does not name it; and counts.
    app = homes.app(homes.client).open()
    app(f"s.bind(({homes.near.ip4!r}, 5070))")
    fails(errno.EDQUOT, app.set, ADD, ends(*[homes.near2.ip4] * 8))
    app.set(ADD, ends(homes.near2.ip4))
    app.set(ADD, ends(homes.near2.ip4))
    app(f"s.connect(({homes.far.ip4!r}, {PORT})); s.send(b'x')")
    assert app("s.getsockname()") == (homes.near.ip4, 5070)
    wait_locals(app, homes.near.ip4, homes.near2.ip4, homes.near2.ip4)
    # Bound afterwards.
    app = homes.app(homes.client).open()
    app.set(ADD, ends(homes.near2.ip4))
    app(f"s.bind(({homes.near.ip4!r}, 0))")
    fails(errno.EADDRNOTAVAIL, app, f"s.connect(({homes.far.ip4!r}, {PORT}))")
    # A port alone, which cannot be given an address any more.
    app = homes.app(homes.client).open()
    app.set(ADD, ends(homes.near2.ip4))
    app("s.bind(('', 5060))")
    fails(errno.EADDRNOTAVAIL, app, f"s.connect(({homes.far.ip4!r}, {PORT}))")
    # An address of the other family alone.
    app = homes.app(homes.client).open(socket.AF_INET6)
    app.set(ADD, ends(homes.near2.ip4))
    fails(errno.EADDRNOTAVAIL, app, f"s.connect(({homes.far.ip6!r}, {PORT}))")


def test_removed_before_connect(homes):
    near, near2 = homes.near.ip4, homes.near2.ip4
    app = homes.app(homes.client).open()
    app.set(ADD, ends(near, near2, near2))
    app.set(REMOVE, 1)
    app(f"s.connect(({homes.far.ip4!r}, {PORT})); s.send(b'x')")
    wait_locals(app, near, near2)
    # There is room for exactly as many more.
    app.set(ADD, 6)
    wait_locals(app, near2, *[near] * 7)


def test_bound_to_a_device(homes):
    app = homes.app(homes.client, uid=0).open()
    app("s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'server2')")
    app.set(ADD, ends(homes.near2.ip4, homes.near2.ip4))
    before = homes.client.tx_bytes()["server"]
    app(f"s.connect(({homes.far2.ip4!r}, {PORT})); s.send(b'x')")
    wait_locals(app, homes.near2.ip4, homes.near2.ip4)
    app("send(s, 3000000)")
    assert homes.client.tx_bytes()["server"] - before < 10000
