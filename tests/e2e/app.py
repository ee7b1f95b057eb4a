# SPDX-License-Identifier: MIT
"""An unprivileged application with nothing but `socket` and `struct`, told what to do by a test."""
import ast
import json
import select
import socket
import struct
import subprocess

from lab.netns import PATIENCE, LabError, wait_until

MPTCP = 262
TCP = socket.IPPROTO_TCP
ENABLE, ADD, REMOVE, SUBFLOWS, CONNID, NDIFFPORTS, BACKUP, EXPECTED, INTENT = \
    range(10002, 10011)
NOBODY = 65534
# Python's getsockopt takes no larger buffer; room for 18 pairs of 56 bytes.
BUFFER = 1024
PAIR = 56

PROGRAM = r"""
import json, resource, socket, struct, sys, threading
limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
space = {"socket": socket, "struct": struct, "drained": 0}

def drain(connection):
    while size := len(connection.recv(1 << 20)):
        space["drained"] += size
    connection.close()

def accept(listener):
    while True:
        connection, _ = listener.accept()
        space["accepted"].append(connection)
        threading.Thread(target=drain, args=(connection.dup(),), daemon=True).start()

def sink(family, protocol, address, port):
    listener = socket.socket(family, socket.SOCK_STREAM, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(1024)
    space["listener"], space["accepted"] = listener, []
    threading.Thread(target=accept, args=(listener,), daemon=True).start()

def send(connection, size):
    block = bytes(1 << 16)
    while size > 0:
        size -= connection.send(block[:min(size, len(block))])

space.update(sink=sink, send=send, drain=drain, threading=threading)
for line in sys.stdin:
    code, answer = json.loads(line), None
    try:
        try:
            answer = eval(compile(code, "test", "eval"), space)
        except SyntaxError:
            exec(compile(code, "test", "exec"), space)
        print(json.dumps([0, repr(answer)]), flush=True)
    except OSError as error:
        print(json.dumps([error.errno or -1, str(error)]), flush=True)
    except Exception as error:
        print(json.dumps([-1, repr(error)]), flush=True)
"""


# No call of a test takes so long.
ANSWER_S = 60


class App:
    """A process of its own in a namespace; the socket that most tests are about is its `s`."""

    def __init__(self, node, uid=NOBODY):
        self.node = node
        command = ["/usr/bin/python3", "-c", PROGRAM]
        if uid:
            command = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *command]
        self.process = node.popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, code):
        """Evaluates or executes in the application; an OSError there is one here."""
        self.process.stdin.write(json.dumps(code) + "\n")
        self.process.stdin.flush()
        if not select.select([self.process.stdout], [], [], ANSWER_S * PATIENCE)[0]:
            self.process.kill()
            raise LabError(f"the application hangs in {code.strip().splitlines()[0]}")
        error, answer = json.loads(self.process.stdout.readline())
        if error < 0:
            raise AssertionError(answer)
        if error:
            raise OSError(error, answer)
        try:
            return ast.literal_eval(answer)
        except (ValueError, SyntaxError):
            return None

    def open(self, family=socket.AF_INET, protocol=MPTCP):
        self(f"s = socket.socket({int(family)}, socket.SOCK_STREAM, {protocol})")
        return self

    def connect(self, address, port=7000, protocol=MPTCP, talk=True):
        """Opens and connects `s`; a byte is sent, so that the kernel calls it established."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.open(family, protocol)(f"s.connect(({address!r}, {port}))")
        if talk:
            self("s.send(b'x')")
        return self

    def sink(self, port, address="", family=socket.AF_INET, protocol=MPTCP):
        self(f"sink({int(family)}, {protocol}, {address!r}, {port})")

    def set(self, option, value, socket_name="s"):
        self(f"{socket_name}.setsockopt({TCP}, {option}, {value!r})")

    def get(self, option, size=None, socket_name="s"):
        arguments = f"{TCP}, {option}" + (f", {size}" if size else "")
        return self(f"{socket_name}.getsockopt({arguments})")

    def connid(self, socket_name="s"):
        return struct.unpack("=I", self.get(CONNID, 4, socket_name))[0]

    def subflows(self, socket_name="s"):
        """[((address, port), (address, port))] of the established subflows."""
        data = self.get(SUBFLOWS, BUFFER, socket_name)
        return [(_endpoint(data[i:i + 28]), _endpoint(data[i + 28:i + 56]))
                for i in range(0, len(data), PAIR)]

    def wait_subflows(self, count, socket_name="s"):
        wait_until(lambda: len(self.subflows(socket_name)) == count,
                   lambda: f"{count} subflows, there are {len(self.subflows(socket_name))}")
        return self.subflows(socket_name)

    def close(self):
        self("s.close()")

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10 * PATIENCE)


def packed(*addresses):
    """The value of ADD and REMOVE for local addresses: a host alone, or (host, port)."""
    return b"".join(map(_sockaddr, addresses))


def backup(address, is_backup):
    """The value of BACKUP: struct tcp_multipath_backup."""
    return _sockaddr(address).ljust(PAIR // 2, b"\0") + struct.pack("=I", is_backup)


def _sockaddr(address):
    host, port = (address, 0) if isinstance(address, str) else address
    if ":" in host:
        return struct.pack("=H2s4x16s4x", socket.AF_INET6, struct.pack("!H", port),
                           socket.inet_pton(socket.AF_INET6, host))
    return struct.pack("=H2s4s8x", socket.AF_INET, struct.pack("!H", port), socket.inet_aton(host))


def _endpoint(data):
    family, port = struct.unpack("=H", data[:2])[0], struct.unpack("!H", data[2:4])[0]
    address = data[4:8] if family == socket.AF_INET else data[8:24]
    return socket.inet_ntop(family, address), port
