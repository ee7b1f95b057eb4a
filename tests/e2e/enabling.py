# SPDX-License-Identifier: MIT
"""Programs in a namespace of their own, which turn MPTCP on and off by libsubflow and under the preload object."""
import json
import os
import re
import subprocess

import pytest
from conftest import BUILD
from namespace import Namespace

LIBRARY = BUILD / "lib" / "libsubflow.so"
PRELOAD = BUILD / "lib" / "libsubflow-preload.so"
PYTHON = "/usr/bin/python3"
DEADLINE_S = 30 * float(os.environ.get("SUBFLOW_PATIENCE", 1))

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


class Programs(Namespace):
    """They are handed the library, and loaded with what it needs."""

    def run(self, *arguments, preload=False):
        done = subprocess.run(
            [*self.enter, *arguments], env=environment(preload, arguments[0]), capture_output=True,
            text=True, timeout=DEADLINE_S, check=False)
        report = f"{arguments}\n{done.stdout}\n{done.stderr}\n{self.state()}"
        assert done.returncode == 0, report
        return done

    def start(self, *arguments, preload=False):
        return subprocess.Popen(
            [*self.enter, *arguments], env=environment(preload, arguments[0]), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)

    def python(self, script, *arguments, preload=False):
        """What the script prints, as JSON; neither it nor a library may complain."""
        done = self.run(PYTHON, "-c", PROLOGUE + script, *arguments, preload=preload)
        assert done.stderr == ""
        return json.loads(done.stdout)

    def counter(self, name):
        out = subprocess.run(
            [*self.enter, "nstat", "-asz", "--json", name], capture_output=True, text=True,
            check=True).stdout
        return json.loads(out)["kernel"][name]

    def state(self):
        out = ""
        for command in (["ss", "-nitaM"], ["nstat", "-as", "MPTcp*"]):
            out += subprocess.run(
                [*self.enter, *command], capture_output=True, text=True, check=False).stdout
        return out


@pytest.fixture(name="netns")
def netns_fixture():
    with Programs() as namespace:
        yield namespace
