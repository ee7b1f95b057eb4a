# SPDX-License-Identifier: MIT
"""RFC 6897 sections 3 and 4: what applications that know nothing of Multipath TCP may rely on."""
import re

import pytest

from app import ADD, ENABLE
from lab.netns import wait_until

PORT = 7000


def rows(node, *flags):
    """One line of `ss` for each TCP flow that is established."""
    return node.run(["ss", "-tnHO", *flags, "state", "established"]).splitlines()


def open_four(lab, **options):
    app = lab.app(lab.client, **options).connect(lab.far.ip4)
    app.set(ADD, 3)
    app.wait_subflows(4)
    return app


def test_addresses_of_the_socket_stay_those_of_the_first_subflow(served):
    """4.2.2, also when the first subflow has gone and others go on."""
    served.sink()
    app = open_four(served)
    names = app("s.getsockname(), s.getpeername()")
    assert names == app.subflows()[0]
    served.client.run(["ss", "-K", "src", f"{names[0][0]}:{names[0][1]}"])
    wait_until(lambda: names not in app.subflows(), "the first subflow is gone")
    assert app("s.getsockname(), s.getpeername()") == names
    app("s.send(b'still here')")


def hosts(ends):
    return sorted(local[0] for local, _ in ends)


@pytest.mark.parametrize("bound", ["near", "near2"])
def test_a_socket_bound_to_an_address_uses_no_other(homes, bound):
    """4.2.1: Multipath TCP stays on, on that address alone, though every connection is to use all."""
    homes.serve({"policy": {"fullmesh": "yes"}}, [homes.client])
    homes.sink()
    address = getattr(homes, bound).ip4
    app = homes.app(homes.client).open()
    app(f"s.bind(({address!r}, 0)); s.connect(({homes.far.ip4!r}, {PORT})); s.send(b'x')")
    app.set(ADD, 3)
    assert hosts(app.wait_subflows(4)) == [address] * 4
    # The same connection without: both addresses. By then the other one has had its turn.
    other = homes.app(homes.client).connect(homes.far.ip4)
    assert hosts(other.wait_subflows(2)) == sorted([homes.near.ip4, homes.near2.ip4])
    assert hosts(app.subflows()) == [address] * 4


def test_a_socket_bound_to_a_device_uses_no_other(homes):
    """4.2.1, and 3.1.1 and 3.1.3: not even where every connection is to use all devices."""
    homes.serve({"policy": {"fullmesh": "yes"}}, [homes.client])
    homes.sink()
    app = homes.app(homes.client).open()
    app(f"""
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"server2")
s.connect(({homes.far2.ip4!r}, {PORT}))
s.send(b"x")
""")
    before = homes.client.tx_bytes()
    app.set(ADD, 2)
    assert {local[0] for local, _ in app.wait_subflows(3)} == {homes.near2.ip4}
    app(f"send(s, {4 << 20})")
    after = wait_until(lambda: (now := homes.client.tx_bytes())["server2"] > 4 << 20 and now,
                       "4 MiB left the client")
    assert after["server"] - before["server"] < 1 << 20
    # The same connection without: both devices.
    other = homes.app(homes.client).connect(homes.far.ip4)
    wait_until(lambda: {local[0] for local, _ in other.subflows()} == {
        homes.near.ip4, homes.near2.ip4}, "a subflow from each address")


def test_close_ends_every_subflow(served):
    """4.3.1"""
    server = served.sink()
    app = open_four(served)
    assert len(rows(served.client)) == 4
    wait_until(lambda: server("drained") == 1, "the byte is read")
    app.close()
    assert server("accepted[0].recv(1)") == b""
    server("accepted.pop().close()")
    wait_until(lambda: not rows(served.client) and not rows(served.server), "every flow is closed")


def test_shutdown_closes_one_direction_of_all_subflows(served):
    """4.3.2"""
    served.server_app = served.app(served.server)
    served.server_app(f"""
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
listener.bind(("", {PORT}))
listener.listen()
""")
    app = served.app(served.client).connect(served.far.ip4)
    app.set(ADD, 3)
    served.server_app("t, _ = listener.accept()")
    app.wait_subflows(4)
    app("s.shutdown(socket.SHUT_WR)")
    assert served.server_app("t.recv(100), t.recv(100)") == (b"x", b"")
    served.server_app("t.sendall(b'answer'); t.close()")
    assert app("s.recv(100), s.recv(100)") == (b"answer", b"")


def test_abort_resets_every_subflow(served):
    """4.3.2: what SO_LINGER with no time does to a TCP connection."""
    server = served.sink()
    app = open_four(served)
    app("s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); s.close()")
    wait_until(lambda: not rows(served.client) and not rows(served.server), "every flow is closed")
    with pytest.raises(OSError):
        server("accepted[0].send(b'x'), accepted[0].send(b'x')")


@pytest.mark.parametrize("when", ["before connect", "before the subflows", "after the subflows"])
def test_socket_options_hold_for_every_subflow(served, when):
    """4.4.1 and 4.4.4: set once on the socket, before or after a subflow was opened."""
    served.sink()
    kernel = served.client.run(["sysctl", "-n", "net.ipv4.tcp_available_congestion_control"])
    control = next(name for name in kernel.split() if name != "reno")
    app = served.app(served.client, uid=0).open()
    settings = f"""
s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"{control}")
"""
    if when == "before connect":
        app(settings)
    app(f"s.connect(({served.far.ip4!r}, {PORT})); s.send(b'x')")
    if when == "before the subflows":
        app(settings)
    app.set(ADD, 3)
    app.wait_subflows(4)
    if when == "after the subflows":
        app(settings)

    def is_everywhere():
        flows = rows(served.client, "-io")
        return len(flows) == 4 and all("keepalive" in flow and f" {control} " in flow
                                       for flow in flows)

    wait_until(is_everywhere, f"four flows with keepalive and {control}")


def test_nagle_is_off_for_the_connection(served):
    """4.4.2: small writes leave at once, whatever is still to be acknowledged."""
    served.sink()
    app = open_four(served)

    def segments():
        """Those that left, but for what a slow machine made leave again."""
        shown = "".join(rows(served.client, "-i"))
        return sum(map(int, re.findall(r" data_segs_out:(\d+)", shown))) - \
            sum(map(int, re.findall(r" retrans:\d+/(\d+)", shown)))

    def send():
        before = segments()
        app("for _ in range(8): s.send(b'x')")
        wait_until(lambda: all("notsent" not in row and "unacked" not in row
                               for row in rows(served.client, "-i")), "all is acknowledged")
        return segments() - before

    assert app("s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)") == 0
    app("s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)")
    assert app("s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)") == 1
    # Fewer than the congestion window: that makes segments wait, and merges them, too.
    assert send() == 8


def test_nagle_off_leaves_the_scheduler_alone(served):
    """4.4.2: the kernel might send over one subflow only, and does not."""
    served.sink()
    served.narrow(20)
    app = open_four(served)
    app("s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)")
    app(f"send(s, {4 << 20})")
    # A subflow that has sent nothing has no such word: the scheduler may leave one alone.
    sent = [sum(map(int, re.findall(r" bytes_sent:(\d+)", row))) for row in rows(served.client, "-i")]
    assert len(sent) == 4 and sum(size > 100000 for size in sent) > 1, sent


def test_small_buffers_do_not_switch_it_off(served):
    """4.4.3: the kernel might take them for a wish not to use Multipath TCP, and does not."""
    served.sink()
    app = served.app(served.client).open()
    app("s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1);"
        "s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)")
    app(f"s.connect(({served.far.ip4!r}, {PORT})); s.send(b'x')")
    app.set(ADD, 1)
    app.wait_subflows(2)
    assert app.get(ENABLE) == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_buffer_sizes_are_those_of_the_connection(served, when):
    """4.4.3: what the application sets is what it reads, and no subflow falls below it."""
    served.sink()
    app = served.app(served.client).open()
    settings = "s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 40000);" \
               "s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 50000)"
    if when == "before":
        app(settings)
    app(f"s.connect(({served.far.ip4!r}, {PORT})); s.send(b'x')")
    app.set(ADD, 3)
    app.wait_subflows(4)
    if when == "after":
        app(settings)
    assert app("s.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)") == 80000
    assert app("s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)") == 100000

    def sizes():
        found = [re.search(r"rb(\d+),t\d+,tb(\d+)", row) for row in rows(served.client, "-m")]
        return {(int(size[1]), int(size[2])) for size in found}

    wait_until(lambda: sizes() == {(100000, 80000)}, lambda: f"four flows with these buffers: {sizes()}")


def test_a_stream_stays_in_order_over_four_subflows(served):
    """3 and 4.1: the byte stream of TCP, whichever way the bytes go."""
    # The kernel gives nothing to a further subflow while the others send as fast as it has data.
    served.narrow(20)
    server = served.app(served.server)
    server(f"""
import hashlib
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
listener.bind(("", {PORT}))
listener.listen()
""")
    app = served.app(served.client).connect(served.far.ip4)
    app.set(ADD, 3)
    server("t, _ = listener.accept()")
    app.wait_subflows(4)
    server("""
digest, size = hashlib.sha256(), 0
def read():
    global size
    while block := t.recv(1 << 16):
        digest.update(block)
        size += len(block)
reader = threading.Thread(target=read)
reader.start()
""")
    app("""
import hashlib, random
sent = hashlib.sha256(b"x")
def go_on():
    data = random.randbytes(1 << 20)
    sent.update(data)
    s.sendall(data)
""")

    # A subflow carries data once the fourth packet of its handshake is acknowledged.
    def all_carry():
        app("go_on()")
        return sum(" bytes_sent:" in flow for flow in rows(served.client, "-i")) == 4

    wait_until(all_carry, "data over all four subflows")
    app("s.shutdown(socket.SHUT_WR)")
    server("reader.join()")
    assert server("size") % (1 << 20) == 1
    assert server("digest.hexdigest()") == app("sent.hexdigest()")
