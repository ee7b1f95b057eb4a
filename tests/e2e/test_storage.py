# SPDX-License-Identifier: MIT
"""What the kernel keeps for a socket: nothing for one that asks for nothing and carries little."""
import contextlib
import json
import os

import pytest
from app import ADD, BUFFER, CONNID, ENABLE, EXPECTED, INTENT, NDIFFPORTS, SUBFLOWS, App, packed
from lab.netns import wait_until

SOCKET_STORAGE = 24  # include/uapi/linux/bpf.h: BPF_MAP_TYPE_SK_STORAGE
LARGEST = 256
PASSING = "befores"  # there is one only while a call lasts
PLAIN_PORT = 7001
ROUNDS = 1000
# The map is looked up by a descriptor of the process that asks.
LOOK = """
import json, subprocess, sys
def kept(sock):
    found = []
    for name, number in maps:
        done = subprocess.run(["bpftool", "-j", "map", "lookup", "id", str(number), "key", "hex",
                               *sock.fileno().to_bytes(4, sys.byteorder).hex(" ").split()],
                              pass_fds=[sock.fileno()], capture_output=True, text=True)
        entry = json.loads(done.stdout)
        if entry and "value" not in entry:
            raise AssertionError(done.stdout)
        if entry:
            found.append(name)
    return found
"""


def maps_of(daemon):
    """{name: (id, bytes)} of the storages that the daemon has."""
    found = {}
    folder = f"/proc/{daemon.process.pid}/fdinfo"
    for fd in os.listdir(folder):
        with open(f"{folder}/{fd}") as file:
            lines = dict(line.split(":", 1) for line in file if ":" in line)
        if int(lines.get("map_type", 0)) == SOCKET_STORAGE:
            number = lines["map_id"].strip()
            shown = json.loads(daemon.lab.run(["bpftool", "-j", "map", "show", "id", number]))
            found[shown["name"]] = int(number), shown["bytes_value"]
    assert len(found) == 4, found
    return found


@pytest.fixture(name="storage")
def storage_fixture(pair):
    """The pair, whose applications can say what is kept for a socket of theirs; see serve()."""
    def serve(config=None):
        pair.daemon = pair.serve(config)
        pair.maps = maps_of(pair.daemon)
        pair.server_app, pair.client_app = (app(node) for node in (pair.server, pair.client))
        pair.server_app.sink(7000)
        return pair

    def app(node):
        one = App(node, uid=0)
        one(LOOK + f"maps = {[(name, number) for name, (number, _) in pair.maps.items()]}")
        return one

    pair.serve_applications = serve
    return pair


def kept(lab):
    """At both ends of the newest connection."""
    wait_until(lambda: lab.server_app("len(accepted)") > 0, "accepted")
    return lab.client_app("kept(s)"), lab.server_app("kept(accepted[-1])")


def test_a_mouse_that_asks_for_nothing_has_none(storage):
    lab = storage.serve_applications()
    app = lab.client_app.connect(lab.far.ip4)
    app("send(s, 1000000)")
    app.get(ENABLE), app.get(CONNID, 4), app.get(SUBFLOWS, BUFFER)
    app.get(NDIFFPORTS), app.get(EXPECTED, 8), app.get(INTENT)
    wait_until(lambda: lab.server_app("drained") > 1000000, "all has arrived")
    assert kept(lab) == ([], [])
    # Nor has a socket that is no connection yet, or none any more.
    app("t = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)")
    assert app("kept(t)") == []
    app("s.shutdown(socket.SHUT_RDWR)")
    assert app("kept(s)") == []


def test_plain_tcp_has_none(storage):
    lab = storage.serve_applications({"detect": {"plain_tcp": "yes"}, "elephant": {"start": "1MB"}})
    lab.server_app.sink(PLAIN_PORT, protocol=0)
    app = lab.client_app.connect(lab.far.ip4, PLAIN_PORT, protocol=0)
    app("send(s, 20000000)")
    wait_until(lambda: lab.server_app("drained") > 20000000, "all has arrived")
    assert kept(lab) == ([], [])


def test_a_mouse_of_several_subflows_has_none(storage):
    """Its first subflow learns of the others in one callback of 64."""
    lab = storage.serve_applications({"policy": {"ndiffports": 2}})
    app = lab.client_app.connect(lab.far.ip4)
    app.wait_subflows(2)
    # One round trip for each byte, each of which may be the one.
    app(f"""
import fcntl, termios
for _ in range({ROUNDS}):
    s.send(b"x")
    while fcntl.ioctl(s, termios.TIOCOUTQ, bytes(4)) != bytes(4):
        pass
""")
    assert kept(lab) == ([], [])


def test_each_has_what_it_needs_and_no_more(storage):
    lab = storage.serve_applications({"elephant": {"start": "1MB"}})
    assert sum(size for name, (_, size) in lab.maps.items() if name != PASSING) <= LARGEST
    app = lab.client_app.connect(lab.far.ip4)
    app.set(ADD, 1)
    app.wait_subflows(2)
    assert kept(lab) == (["intents"], [])
    app.set(ADD, packed(lab.near.ip4))
    app.wait_subflows(3)
    assert set(kept(lab)[0]) == {"intents", "all_wishes"} and kept(lab)[1] == []
    for address in (lab.near.ip4, "192.0.2.1"):  # the second one is refused
        with contextlib.suppress(OSError):
            app.set(ADD, packed(address))
        assert set(kept(lab)[0]) == {"intents", "all_wishes"}

    app = lab.client_app.connect(lab.far.ip4)
    app("send(s, 20000000)")
    assert kept(lab) == (["elephants"], [])
