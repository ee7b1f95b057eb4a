# SPDX-License-Identifier: MIT
"""ENABLE end to end: connections of libsubflow and of programs under the preload object."""

import errno

import pytest
from enabling import netns_fixture  # noqa: F401

BOTH_ENDS = """
family, how, first, on_client, on_server = sys.argv[1:]
change = enable if how == "library" else enable_option
listener, client = stream(family, int(first)), stream(family, int(first))
results = [change(client, int(on_client)), change(listener, int(on_server))]
server = connect(listener, client)
tell(results=results, client=[protocol(client), info(client)],
     server=[protocol(server), info(server)])
"""


def each(test):
    """Of both families, in both ways."""
    return pytest.mark.parametrize("family", ["AF_INET", "AF_INET6"])(
        pytest.mark.parametrize("how", ["library", "preload"])(test))


def run(netns, family, how, first, on_client, on_server):
    """What both ends are in the end.

    Under the preload object a socket starts as MPTCP whatever is asked: the program turns it off first, so that both
    directions are gone through.
    """
    return netns.python(BOTH_ENDS, family, how, str(first), str(on_client), str(on_server), preload=how == "preload")


@each
def test_on(netns, family, how):
    result = run(netns, family, how, 6, 1, 1)
    assert result["results"] == [0, 0]
    assert result["client"] == [262, 2]
    assert result["server"] == [262, 2]
    assert netns.counter("MPTcpExtMPCapableSYNTX") == 1
    assert netns.counter("MPTcpExtMPCapableACKRX") == 1


@each
def test_off(netns, family, how):
    result = run(netns, family, how, 262, 0, 0)
    assert result["results"] == [0, 0]
    assert result["client"] == [6, None]
    assert result["server"] == [6, None]
    assert netns.counter("MPTcpExtMPCapableSYNTX") == 0


@each
def test_falls_back_where_the_server_has_none(netns, family, how):
    result = run(netns, family, how, 262, 1, 0)
    assert result["results"] == [0, 0]
    # A socket that has fallen back keeps its protocol and loses its MPTCP_INFO.
    assert result["client"] == [262, None]
    assert result["server"] == [6, None]
    assert netns.counter("MPTcpExtMPCapableSYNTX") == 1
    assert netns.counter("MPTcpExtMPCapableACKRX") == 0


@each
def test_server_takes_plain_clients(netns, family, how):
    result = run(netns, family, how, 262, 0, 1)
    assert result["results"] == [0, 0]
    assert result["client"] == [6, None]
    assert netns.counter("MPTcpExtMPCapableSYNTX") == 0


@pytest.mark.parametrize("how", ["library", "preload"])
@pytest.mark.parametrize("on", [1, 0])
def test_carries_what_was_set(netns, how, on):
    result = netns.python("""
on = int(sys.argv[2])
change = enable if sys.argv[1] == "library" else enable_option
sock = stream("AF_INET", TCP if on else MPTCP)
if on:
    change(sock, 0)

def look():
    return [
        sock.getsockname(), fcntl.fcntl(sock, fcntl.F_GETFL), fcntl.fcntl(sock, fcntl.F_GETFD),
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF),
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR),
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8).hex(),
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16).hex(),
        sock.getsockopt(TCP, socket.TCP_NODELAY), sock.getsockopt(TCP, socket.TCP_KEEPIDLE),
        sock.getsockopt(TCP, socket.TCP_CONGESTION, 16).hex()]

fresh = look()
sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 40000)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 7))
sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("qq", 3, 0))
sock.setsockopt(TCP, socket.TCP_NODELAY, 1)
sock.setsockopt(TCP, socket.TCP_KEEPIDLE, 77)
sock.setsockopt(TCP, socket.TCP_CONGESTION, b"reno")
sock.setblocking(False)
os.set_inheritable(sock.fileno(), True)
sock.bind(("127.0.0.3", 0))
before, was = look(), protocol(sock)
r = change(sock, on)
tell(r=r, protocols=[was, protocol(sock)], before=before, after=look(),
     unchanged=sum(a == b for a, b in zip(fresh, before)))
""", how, str(on), preload=how == "preload")
    assert result["r"] == 0
    assert result["protocols"] == ([6, 262] if on else [262, 6])
    assert result["after"] == result["before"]
    assert result["unchanged"] == 1, "all but SO_REUSEADDR were to be changed"


def test_carries_the_scope_of_a_link_local_address(netns):
    netns.ip("link", "add", "one", "type", "veth", "peer", "name", "two")
    netns.ip("link", "set", "one", "up")
    netns.ip("link", "set", "two", "up")
    netns.ip("addr", "add", "fe80::77/64", "dev", "one", "nodad")
    result = netns.python("""
scope = socket.if_nametoindex("one")
out = {}
for case, proto, device in ("on", TCP, b""), ("off", MPTCP, b""), ("off, device", MPTCP, b"one"):
    sock = stream("AF_INET6", proto)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device + bytes(1))
    sock.bind(("fe80::77", 0, 0, scope))
    before = sock.getsockname()
    out[case] = [enable(sock, proto == TCP), protocol(sock), before, sock.getsockname()]
tell(**out, scope=scope)
""")
    r, proto, before, after = result["on"]
    assert (r, proto) == (0, 262)
    assert before[3] == result["scope"]
    assert after == before
    r, proto, before, after = result["off, device"]
    assert (r, proto) == (0, 6)
    assert before[3] == result["scope"]
    assert after == before
    # Otherwise the kernel does not tell the scope of an MPTCP socket: it cannot be carried.
    r, proto, before, after = result["off"]
    assert (r, proto) == (-errno.EOPNOTSUPP, 262)
    assert after == before


REFUSALS = """
change = enable if sys.argv[1] == "library" else enable_option
out = {}

def attempt(name, sock, on):
    before = protocol(sock), os.fstat(sock.fileno()).st_ino
    out[name] = change(sock, on)
    assert before == (protocol(sock), os.fstat(sock.fileno()).st_ino), name

def fresh(on):
    sock = stream("AF_INET", MPTCP)
    assert change(sock, on) == 0
    return sock

for on in 0, 1:
    listener, client = fresh(not on), fresh(not on)
    server = connect(listener, client)
    attempt(f"listening {on}", listener, on)
    attempt(f"connected {on}", client, on)
    attempt(f"accepted {on}", server, on)

    sock = fresh(not on)
    with select.epoll() as poll:
        poll.register(sock, select.EPOLLONESHOT)
        assert poll.poll(0), "an unconnected socket hangs up"
        attempt(f"spent {on}", sock, on)
    assert change(sock, on) == 0

sock = fresh(0)
sock.setsockopt(TCP, socket.TCP_USER_TIMEOUT, 5000)
attempt("option", sock, 1)
assert sock.getsockopt(TCP, socket.TCP_USER_TIMEOUT) == 5000
tell(**out)
"""


@pytest.mark.parametrize("how", ["library", "preload"])
def test_refuses_what_cannot_be_carried(netns, how):
    result = netns.python(REFUSALS, how, preload=how == "preload")
    expected = {"option": -errno.EOPNOTSUPP}
    for on in 0, 1:
        for name in "listening", "connected", "accepted":
            expected[f"{name} {on}"] = -errno.EISCONN
        expected[f"spent {on}"] = -errno.EBUSY
    assert result == expected


@pytest.mark.parametrize("how", ["library", "preload"])
def test_needs_no_privilege(netns, how):
    result = netns.python("""
change = enable if sys.argv[1] == "library" else enable_option
sock = stream("AF_INET", MPTCP)
change(sock, 1)   # loads the library while its folder can be read
sock.close()
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
sock, results = stream("AF_INET", MPTCP), []
sock.bind(("127.0.0.1", 0))
sock.setsockopt(TCP, socket.TCP_NODELAY, 1)
for on in 0, 1:
    results += [change(sock, on), protocol(sock)]
tell(results=results)
""", how, preload=how == "preload")
    assert result == {"results": [0, 6, 0, 262]}


EVENT_LOOP = """
change = enable if sys.argv[1] == "library" else enable_option
on = int(sys.argv[2])
listener = stream("AF_INET", MPTCP)
client, copy = stream("AF_INET", TCP if on else MPTCP), None
if on:
    change(client, 0)
loop = select.epoll()
for sock in listener, client:
    sock.setblocking(False)
loop.register(listener, select.EPOLLIN | select.EPOLLET)
loop.register(client, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
copy = client.dup()
loop.register(copy, select.EPOLLOUT)
results = [change(client, on), protocol(client), protocol(copy), change(listener, on)]

listener.bind(("127.0.0.1", 0))
listener.listen()
assert client.connect_ex(listener.getsockname()) == errno.EINPROGRESS
seen, server = {}, None
while set(seen) != {listener.fileno(), client.fileno(), copy.fileno()}:
    for fd, events in loop.poll(10):
        seen[fd] = seen.get(fd, 0) | events
        if fd == listener.fileno() and not server:
            server, _ = listener.accept()
        if fd == copy.fileno():
            loop.unregister(copy)
            copy.send(b"over there")
server.setblocking(True)
tell(results=results, heard=server.recv(100).decode(), info=info(client),
     hang_ups=sum(bool(events & (select.EPOLLHUP | select.EPOLLERR)) for events in seen.values()))
"""


@pytest.mark.parametrize("how", ["library", "preload"])
@pytest.mark.parametrize("on", [1, 0])
def test_event_loop_goes_on_with_what_it_registered(netns, how, on):
    """Registered and duplicated first, then swapped, then connected without blocking."""
    result = netns.python(EVENT_LOOP, how, str(on), preload=how == "preload")
    expected = 262 if on else 6
    assert result == {"results": [0, expected, expected, 0], "heard": "over there",
                      "info": 2 if on else None, "hang_ups": 0}


def test_kernel_with_mptcp_switched_off(netns):
    netns.run("sysctl", "-qw", "net.mptcp.enabled=0")
    script = """
sock = socket.socket()
tell(made=protocol(sock), off=change(sock, 0), on=change(sock, 1), after=protocol(sock))
"""
    expected = {"made": 6, "off": 0, "on": -errno.ENOPROTOOPT, "after": 6}
    assert netns.python("change = enable" + script) == expected
    assert netns.python("change = enable_option" + script, preload=True) == expected
