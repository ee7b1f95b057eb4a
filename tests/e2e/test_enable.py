# SPDX-License-Identifier: MIT
"""ENABLE end to end: connections of libsubflow and of programs under the preload object."""

import errno
import json
import os
import pathlib
import re
import secrets
import subprocess

import pytest

REPO = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SUBFLOW_BUILD", REPO / "build")).resolve()
LIBRARY = BUILD / "lib" / "libsubflow.so"
PRELOAD = BUILD / "lib" / "libsubflow-preload.so"
PYTHON = "/usr/bin/python3"
DEADLINE_S = 30 * float(os.environ.get("SUBFLOW_PATIENCE", 1))

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")


def sanitizer_runtimes():
    """What must be loaded before an instrumented library, into a program that is not."""
    linked = subprocess.run(["ldd", LIBRARY], capture_output=True, text=True, check=True).stdout
    runtimes = re.findall(r"lib[at]san\.so\S* => (\S+)", linked)
    symbols = subprocess.run(
        ["nm", "-D", "-u", LIBRARY], capture_output=True, text=True, check=True).stdout
    if "__asan_init" in symbols and not runtimes:
        arch = os.uname().machine
        found = subprocess.run(
            ["clang", f"-print-file-name=libclang_rt.asan-{arch}.so"],
            capture_output=True, text=True, check=True)
        runtimes = [found.stdout.strip()]
    return runtimes


def environment(preload, program):
    """What we wrote loads the library, which may be instrumented; what is called by name does not."""
    objects = sanitizer_runtimes() if "/" in str(program) else []
    objects += [str(PRELOAD)] if preload else []
    env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    env["LIBRARY"] = str(LIBRARY)
    # Python leaves to the end of the process what it allocated.
    env["ASAN_OPTIONS"] = "detect_leaks=0"
    if objects:
        env["LD_PRELOAD"] = ":".join(objects)
    return env


class Namespace:
    """A network namespace of its own, with only a loopback device."""

    def __init__(self):
        self.name = "sf-enable-" + secrets.token_hex(3)

    def __enter__(self):
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.ip("link", "set", "lo", "up")
        return self

    def __exit__(self, *_):
        subprocess.run(["ip", "netns", "del", self.name], check=True)

    def ip(self, *arguments):
        subprocess.run(["ip", "-n", self.name, *arguments], check=True)

    # Not `ip netns exec`, which hides the cgroup tree.
    def command(self, arguments):
        return ["nsenter", f"--net=/run/netns/{self.name}", *arguments]

    def run(self, *arguments, preload=False):
        done = subprocess.run(
            self.command(arguments), env=environment(preload, arguments[0]), capture_output=True,
            text=True, timeout=DEADLINE_S, check=False)
        report = f"{arguments}\n{done.stdout}\n{done.stderr}\n{self.state()}"
        assert done.returncode == 0, report
        return done

    def start(self, *arguments, preload=False):
        return subprocess.Popen(
            self.command(arguments), env=environment(preload, arguments[0]), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)

    def python(self, script, *arguments, preload=False):
        """What the script prints, as JSON; neither it nor a library may complain."""
        done = self.run(PYTHON, "-c", PROLOGUE + script, *arguments, preload=preload)
        assert done.stderr == ""
        return json.loads(done.stdout)

    def counter(self, name):
        out = subprocess.run(
            self.command(["nstat", "-asz", "--json", name]), capture_output=True, text=True,
            check=True).stdout
        return json.loads(out)["kernel"][name]

    def state(self):
        out = ""
        for command in (["ss", "-nitaM"], ["nstat", "-as", "MPTcp*"]):
            out += subprocess.run(
                self.command(command), capture_output=True, text=True, check=False).stdout
        return out


@pytest.fixture(name="netns")
def netns_fixture():
    with Namespace() as namespace:
        yield namespace


# What the programs in the namespace share. MPTCP_INFO: include/uapi/linux/mptcp.h.
PROLOGUE = """
import ctypes, errno, fcntl, json, os, select, socket, struct, sys

TCP, MPTCP, ENABLE = socket.IPPROTO_TCP, 262, 10002

def enable(sock, on):
    library = ctypes.CDLL(os.environ["LIBRARY"])
    return library.subflow_enable(sock.fileno(), ctypes.c_bool(on))

def enable_option(sock, on):
    try:
        sock.setsockopt(TCP, ENABLE, on)
    except OSError as e:
        return -e.errno
    return 0

def protocol(sock):
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL)

def info(sock):
    "The flags of MPTCP_INFO: 2 is remote key received; None without MPTCP."
    try:
        return struct.unpack_from("=I", sock.getsockopt(284, 1, 64), 8)[0]
    except OSError:
        return None

def stream(family, proto):
    # Python sees a preloaded socket() as TCP; the raw number says what is meant.
    return socket.socket(getattr(socket, family), socket.SOCK_STREAM, proto)

def connect(listener, client):
    listener.bind(("::1" if listener.family == socket.AF_INET6 else "127.0.0.1", 0))
    listener.listen()
    client.connect(listener.getsockname())
    server, _ = listener.accept()
    client.sendall(b"over there")
    assert server.recv(100) == b"over there"
    server.sendall(b"and back")
    assert client.recv(100) == b"and back"
    return server

def tell(**what):
    print(json.dumps(what))
"""

BOTH_ENDS = """
family, how, first, on_client, on_server = sys.argv[1:]
change = enable if how == "library" else enable_option
listener, client = stream(family, int(first)), stream(family, int(first))
results = [change(client, int(on_client)), change(listener, int(on_server))]
server = connect(listener, client)
tell(results=results, client=[protocol(client), info(client)],
     server=[protocol(server), info(server)])
"""


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6"])
@pytest.mark.parametrize("how", ["library", "preload"])
class TestConnections:
    # Under the preload object a socket starts as MPTCP whatever is asked: the
    # program turns it off first, so that both directions are gone through.
    @staticmethod
    def run(netns, family, how, first, on_client, on_server):
        return netns.python(
            BOTH_ENDS, family, how, str(first), str(on_client), str(on_server),
            preload=how == "preload")

    def test_on(self, netns, family, how):
        result = self.run(netns, family, how, 6, 1, 1)
        assert result["results"] == [0, 0]
        assert result["client"] == [262, 2]
        assert result["server"] == [262, 2]
        assert netns.counter("MPTcpExtMPCapableSYNTX") == 1
        assert netns.counter("MPTcpExtMPCapableACKRX") == 1

    def test_off(self, netns, family, how):
        result = self.run(netns, family, how, 262, 0, 0)
        assert result["results"] == [0, 0]
        assert result["client"] == [6, None]
        assert result["server"] == [6, None]
        assert netns.counter("MPTcpExtMPCapableSYNTX") == 0

    def test_falls_back_where_the_server_has_none(self, netns, family, how):
        result = self.run(netns, family, how, 262, 1, 0)
        assert result["results"] == [0, 0]
        # A socket that has fallen back keeps its protocol and loses its MPTCP_INFO.
        assert result["client"] == [262, None]
        assert result["server"] == [6, None]
        assert netns.counter("MPTcpExtMPCapableSYNTX") == 1
        assert netns.counter("MPTcpExtMPCapableACKRX") == 0

    def test_server_takes_plain_clients(self, netns, family, how):
        result = self.run(netns, family, how, 262, 0, 1)
        assert result["results"] == [0, 0]
        assert result["client"] == [6, None]
        assert netns.counter("MPTcpExtMPCapableSYNTX") == 0


def test_off_and_on_again_under_the_preload(netns):
    """A plain program that knows nothing but setsockopt."""
    result = netns.python("""
sock, listener = socket.socket(), socket.socket()
seen = [protocol(sock)]
for on in (0, 0, 1, 1):
    sock.setsockopt(socket.IPPROTO_TCP, 10002, on)
    seen.append(protocol(sock))
server = connect(listener, sock)
tell(seen=seen, info=[info(sock), info(server)])
""", preload=True)
    assert result == {"seen": [262, 6, 6, 262, 262], "info": [2, 2]}


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


def test_malformed_values_under_the_preload(netns):
    result = netns.python("""
def attempt(value):
    try:
        sock.setsockopt(TCP, ENABLE, value)
    except OSError as e:
        return e.errno

sock = socket.socket()
before = os.fstat(sock.fileno()).st_ino
errors = [attempt(b"\\0" * n) for n in (0, 3, 5, 4097)] + [attempt(n) for n in (-1, 2, 10**6)]
tell(errors=errors, same=before == os.fstat(sock.fileno()).st_ino)
""", preload=True)
    assert result == {"errors": [errno.EINVAL] * 7, "same": True}


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


SERVER = """
import http.server

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps([protocol(self.connection), info(self.connection)]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.handle_request()
"""


@pytest.mark.parametrize("server_has_mptcp", [True, False])
def test_unmodified_curl(netns, server_has_mptcp):
    with netns.start(PYTHON, "-c", PROLOGUE + SERVER, preload=server_has_mptcp) as server:
        try:
            port = int(server.stdout.readline())
            done = netns.run(
                "curl", "-sS", "--noproxy", "*", f"http://127.0.0.1:{port}/", preload=True)
        finally:
            server.terminate()
    assert done.stderr == ""
    assert json.loads(done.stdout) == ([262, 2] if server_has_mptcp else [6, None])
    assert netns.counter("MPTcpExtMPCapableSYNTX") == 1
    assert netns.counter("MPTcpExtMPCapableSYNACKRX") == int(server_has_mptcp)


@pytest.mark.parametrize("server_has_mptcp", [True, False])
def test_unmodified_iperf3(netns, server_has_mptcp):
    with netns.start("iperf3", "-s", "-1", "--forceflush", preload=server_has_mptcp) as server:
        try:
            while "listening" not in server.stdout.readline():
                assert server.poll() is None, server.stderr.read()
            done = netns.run("iperf3", "-J", "-c", "127.0.0.1", "-n", "2M", preload=True)
        finally:
            server.terminate()
    assert json.loads(done.stdout)["end"]["sum_sent"]["bytes"] >= 2 << 20
    # One for control, one for the data.
    assert netns.counter("MPTcpExtMPCapableSYNTX") == 2
    assert netns.counter("MPTcpExtMPCapableACKRX") == (2 if server_has_mptcp else 0)


C_PROGRAM = """
#include <stdio.h>
#include "subflow.h"

int main(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), protocol = 0, off = 0;
	socklen_t len = sizeof(protocol);

	getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len);
	printf("%d ", protocol);
	printf("%d ", CHANGE);
	getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len);
	printf("%d", protocol);
	return 0;
}
"""


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_c_programs(netns, tmp_path, compiler):
    (tmp_path / "program.c").write_text(C_PROGRAM)

    def build(name, change, *arguments):
        subprocess.run(
            [compiler, "-Wall", "-Wextra", "-Werror", f"-I{REPO}/include", f"-DCHANGE={change}",
             "-o", tmp_path / name, tmp_path / "program.c", *arguments], check=True)
        return tmp_path / name

    plain = build("plain", "setsockopt(fd, IPPROTO_TCP, TCP_MULTIPATH_ENABLE, &off, sizeof(off))")
    assert netns.run(plain, preload=True).stdout == "262 0 6"

    linked = build(
        "linked", "subflow_enable(fd, !off)", f"-L{BUILD}/lib", f"-Wl,-rpath,{BUILD}/lib",
        "-Wl,--allow-shlib-undefined", "-lsubflow")
    assert netns.run(linked).stdout == "6 0 262"
    # Both at once: the library's own sockets are not turned by the preload object.
    both = build(
        "both", "subflow_enable(fd, off)", f"-L{BUILD}/lib", f"-Wl,-rpath,{BUILD}/lib",
        "-Wl,--allow-shlib-undefined", "-lsubflow")
    assert netns.run(both, preload=True).stdout == "262 0 6"


def exported(path):
    out = subprocess.run(
        ["nm", "-D", "--defined-only", path], capture_output=True, text=True, check=True).stdout
    # The version node, and what sanitizers export from every object.
    return {
        name.split("@")[0] for _, kind, name in map(str.split, out.splitlines())
        if kind != "A" and not name.startswith("__")}


def test_exports_nothing_else():
    assert exported(LIBRARY) == {
        "subflow_enable", "subflow_enabled", "subflow_add", "subflow_add_addrs", "subflow_remove",
        "subflow_remove_addrs", "subflow_set_ndiffports", "subflow_get_ndiffports",
        "subflow_set_backup", "subflow_set_expected", "subflow_get_expected",
        "subflow_set_intent", "subflow_get_intent", "subflow_list", "subflow_connid",
        "subflow_wait"}
    assert exported(PRELOAD) == {"socket", "setsockopt"}
