# SPDX-License-Identifier: MIT
"""The preload object: programs that know nothing of libsubflow, and what it shows of itself."""

import errno
import json
import subprocess

import pytest
from conftest import BUILD, ROOT
from enabling import LIBRARY, PRELOAD, PROLOGUE, PYTHON, netns_fixture  # noqa: F401


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


def test_the_debug_and_enabled_of_patched_kernels(netns):
    """By number, on either end, before connect and listen."""
    result = netns.python("""
sock, listener = socket.socket(), socket.socket()
seen = []
for each in (listener, sock):
    each.setsockopt(TCP, 10001, 0)
    seen.append(protocol(each))
    for on in (0, 1, 1):
        each.setsockopt(TCP, 26, on)
        seen.append(protocol(each))
server = connect(listener, sock)
tell(seen=seen, info=[info(sock), info(server)])
""", preload=True)
    assert result == {"seen": [262, 6, 262, 262] * 2, "info": [2, 2]}


def test_what_these_numbers_are_in_mainline_stays(netns):
    """TCP_CC_INFO can be read, and not set; what is no int, or no TCP socket, is the kernel's."""
    program = """
def attempt(sock, option, value):
    try:
        sock.setsockopt(TCP, option, value)
    except OSError as e:
        return e.errno

plain, other = stream("AF_INET", 6), stream("AF_INET", 262)
enable_option(plain, 0)
unix, gone = socket.socket(socket.AF_UNIX), stream("AF_INET", 6)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
os.close(gone.fileno())
answers = [attempt(sock, option, value) for sock in (plain, other, udp, unix, gone) for option in (26, 10001)
           for value in (b"", b"cubic", b"\\0" * 8)]
answers += [attempt(sock, option, 1) for sock in (udp, unix, gone) for option in (26, 10001, 10011)]
plain.setsockopt(TCP, socket.TCP_CONGESTION, b"cubic")
gone.detach()
tell(answers=answers, protocols=[protocol(plain), protocol(other)], info=len(plain.getsockopt(TCP, 26, 64)))
"""
    as_ever = netns.python(program)
    assert None not in as_ever["answers"]
    assert as_ever["protocols"] == [6, 262]
    assert netns.python(program, preload=True) == as_ever


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
            [compiler, "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/include", f"-DCHANGE={change}",
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
