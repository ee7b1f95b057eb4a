# SPDX-License-Identifier: MIT
"""The examples, run as they stand by a user without privilege: four subflows in one connection."""
import errno
import re
import shutil
import subprocess

import pytest

from app import NOBODY
from conftest import BUILD, ROOT
from lab.netns import wait_until

PORT = 7000
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
PYTHON = ["/usr/bin/python3", "-u"]


@pytest.fixture(name="examples")
def examples_fixture(served):
    """The lab, and the programs in a folder that everybody may read."""
    folder = served.directory / "examples"
    shutil.copytree(ROOT / "examples", folder)
    shutil.copy(ROOT / "python" / "subflow.py", folder)
    for name in ("client", "server"):
        shutil.copy(BUILD / "examples" / f"example-{name}", folder / name)
    shutil.copy(BUILD / "lib" / "libsubflow-preload.so", folder)
    shutil.copy(BUILD / "cli" / "subflow", folder / "subflow")
    served.examples = folder
    return served


def start(lab, node, *command):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return node.popen([*AS_NOBODY, "env", f"SUBFLOW_PRELOAD={lab.examples}/libsubflow-preload.so",
                       *command], text=True, **pipes)


def start_server(lab, *command):
    process = start(lab, lab.server, *command, PORT)
    wait_until(lambda: process.poll() is not None or lab.server.is_listening(PORT),
               "the server listens")
    return process


def command_of(lab, language, name):
    return [lab.examples / name] if language == "c" else [*PYTHON, lab.examples / f"{name}.py"]


@pytest.mark.parametrize("address", ["ip4", "ip6"])
@pytest.mark.parametrize("client_language", ["c", "python"])
@pytest.mark.parametrize("server_language", ["c", "python"])
def test_four_subflows_in_one_connection(examples, server_language, client_language, address):
    server = start_server(examples, *command_of(examples, server_language, "server"))
    client = start(examples, examples.client, *command_of(examples, client_language, "client"),
                   getattr(examples.far, address), PORT)
    output, error = client.communicate(timeout=30)
    assert (client.returncode, error) == (0, "")
    assert server.communicate(timeout=30) == ("", "")
    ports = re.findall(r"^subflow from port (\d+)$", output, re.M)
    assert len(set(ports)) == 4
    assert "the server saw 4 subflows, 1048576 bytes\n" in output
    assert examples.server.netstat()["MPTcpExtMPJoinAckRx"] == 3


def test_published_scripts_need_no_change(examples):
    """Plain TCP sockets, bare numbers, bind and ADD before connect."""
    run = [examples.examples / "subflow", "run", "--", *PYTHON]
    server = start_server(examples, *run, examples.examples / "published_server.py")
    client = start(examples, examples.client, *run, examples.examples / "published_client.py",
                   examples.far.ip4, PORT, examples.near.ip4, 3)
    wait_until(lambda: client.poll() is not None
               or examples.server.netstat()["MPTcpExtMPJoinAckRx"] == 3, "three more subflows")
    (connection,) = [c for c in examples.daemon.status()["connections"]
                     if c["role"] == "client" and c["namespace"] == examples.client.name]
    assert {s["local"].rpartition(":")[0] for s in connection["subflows"]} == {examples.near.ip4}
    output, error = client.communicate("\n", timeout=30)
    assert (client.returncode, error) == (0, "")
    said = server.communicate(timeout=30)[0]
    assert re.search(rf"^connection from {examples.near.ip4}:\d+$", said, re.M)
    number = int(re.search(r"^connection id (-?\d+)$", output, re.M)[1])
    assert number & 0xffffffff == connection["token"]
    assert "server received 2800005 bytes\n" in output


# The calls of scripts for patched kernels, in their order: 10001 and 26 are MPTCP_DEBUG and MPTCP_ENABLED there.
PATCHED = """
import socket, sys

def make():
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_TCP, 10001, 0)
    s.setsockopt(socket.SOL_TCP, 26, 1)
    s.setsockopt(socket.SOL_TCP, 10007, 3)
    return s
"""
PATCHED_SERVER = PATCHED + """
listener = make()
listener.bind(("", int(sys.argv[1])))
listener.listen(1)
peer, _ = listener.accept()
print(len(peer.recv(5, socket.MSG_WAITALL)))
peer.sendall(b"there")
sys.stdin.read()
"""
PATCHED_CLIENT = PATCHED + """
import struct
early = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
early.bind(("", 0))
try:
    early.getsockopt(socket.SOL_TCP, 10006)
except OSError as error:
    print("before connect:", error.errno)
s = make()
s.connect((sys.argv[1], int(sys.argv[2])))
s.sendall(b"hello")
s.recv(5)
print("connection", s.getsockopt(socket.SOL_TCP, 10006), flush=True)
sys.stdin.read()
"""


def test_calls_of_scripts_for_patched_kernels(examples):
    run = [examples.examples / "subflow", "run", "--", *PYTHON, "-c"]
    server = start_server(examples, *run, PATCHED_SERVER)
    client = start(examples, examples.client, *run, PATCHED_CLIENT, examples.far.ip4, PORT)
    wait_until(lambda: client.poll() is not None
               or examples.server.netstat()["MPTcpExtMPJoinAckRx"] == 2, "two more subflows")
    output, error = client.communicate(timeout=30)
    assert (client.returncode, error) == (0, "")
    assert re.fullmatch(rf"before connect: {errno.ENOTCONN}\nconnection -?\d+\n", output)
    assert server.communicate(timeout=30) == ("5\n", "")


def test_published_lists_of_addresses_need_no_change(examples):
    """ADD of two local addresses and a total of four, all before connect."""
    other = examples.near.ip4.rpartition(".")[0] + ".99"
    examples.client.ip(f"address add {other}/24 dev {examples.near.device}")
    run = [examples.examples / "subflow", "run", "--", *PYTHON]
    server = start_server(examples, *run, examples.examples / "published_server.py")
    client = start(examples, examples.client, *run, examples.examples / "published_addresses.py",
                   examples.far.ip4, PORT, 4, other, examples.near.ip4)
    wait_until(lambda: client.poll() is not None
               or examples.server.netstat()["MPTcpExtMPJoinAckRx"] == 3, "three more subflows")
    (connection,) = [c for c in examples.daemon.status()["connections"]
                     if c["role"] == "client" and c["namespace"] == examples.client.name]
    assert {s["local"].rpartition(":")[0] for s in connection["subflows"]} == {
        other, examples.near.ip4}
    output, error = client.communicate("\n", timeout=30)
    assert (client.returncode, error) == (0, "")
    assert re.search(rf"^connected from {other}:\d+$", output, re.M)
    assert re.search(rf"^connection from {other}:\d+$", server.communicate(timeout=30)[0], re.M)
    assert "server received 2800005 bytes\n" in output
