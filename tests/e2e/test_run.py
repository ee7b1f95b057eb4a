# SPDX-License-Identifier: MIT
"""What a program under `subflow run` has asked for before it sets ENABLE is kept, or ENABLE refused."""
import errno
import json
import subprocess

import pytest
from app import packed
from lab.netns import wait_until

PROGRAM = """
import json, socket, struct, sys, time
TCP, ENABLE, ADD, REMOVE, SUBFLOWS = 6, 10002, 10003, 10004, 10005
server, want = sys.argv[1], int(sys.argv[2])
s = socket.socket()
said = []

def set(option, value):
    try:
        s.setsockopt(TCP, option, value)
        said.append(0)
    except OSError as error:
        said.append(error.errno)

{steps}
protocol = s.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL)
s.connect((server, 7000))
s.send(b"x")
have, deadline = 1, time.monotonic() + 60
while have < want and time.monotonic() < deadline:
    have = len(s.getsockopt(TCP, SUBFLOWS, 1024)) // 56
print(json.dumps([said, protocol, have]), flush=True)
sys.stdin.read()
"""


def run(lab, steps, want, meanwhile=lambda: None):
    """What the program prints; meanwhile() is called while it has the subflows that it wants."""
    process = lab.daemon.run(lab.client, ["/usr/bin/python3", "-c", PROGRAM.format(steps=steps),
                                          lab.far.ip4, str(want)], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    output = process.stdout.readline()
    if output:
        meanwhile()
    error = process.communicate(timeout=120)[1]
    assert (process.returncode, error) == (0, "")
    return json.loads(output)


def local_hosts(lab):
    """Where the program's subflows came from, as its server knows it: it has ended by now."""
    (connection,) = [c for c in lab.daemon.status()["connections"]
                     if c["role"] == "server" and c["namespace"] == lab.server.name]
    return {s["remote"].rpartition(":")[0] for s in connection["subflows"]}


@pytest.mark.parametrize("steps", ["set(ENABLE, 1); set(ADD, 3); set(ENABLE, 1)",
                                   "set(ENABLE, 0); set(ENABLE, 1); set(ADD, 3)"])
def test_requests_survive_enable(served, steps):
    served.sink()
    assert run(served, steps, 4) == [[0, 0, 0], 262, 4]


@pytest.mark.parametrize("request_", ["set(ADD, 3)", "set(ADD, 4); set(REMOVE, 1)"])
def test_enable_off_is_refused_where_requests_would_be_lost(served, request_):
    served.sink()
    said, protocol, have = run(served, f"{request_}; set(ENABLE, 0); set(ENABLE, 1)", 4)
    assert said[-2:] == [errno.EOPNOTSUPP, 0] and set(said[:-2]) == {0}
    assert (protocol, have) == (262, 4)


def test_enable_off_is_refused_where_a_list_of_addresses_would_be_lost(served):
    served.sink()
    other = served.near.ip4.rpartition(".")[0] + ".99"
    served.client.ip(f"address add {other}/24 dev {served.near.device}")
    steps = f"set(ADD, {packed(other, other)!r}); set(ENABLE, 0); set(ENABLE, 1)"
    assert run(served, steps, 2) == [[0, errno.EOPNOTSUPP, 0], 262, 2]
    assert local_hosts(served) == {other}


def test_requests_are_refused_once_it_is_off(served):
    """Plain TCP has no place for them: nothing that was accepted is lost by ENABLE."""
    served.sink()
    assert run(served, "set(ENABLE, 0); set(ADD, 3); set(ENABLE, 1)", 1) == [
        [0, errno.EOPNOTSUPP, 0], 262, 1]


def test_a_bound_socket_with_enable_uses_the_address_that_it_is_bound_to(pair):
    """RFC 6897 5.3.2: Multipath TCP is on, and no address is used that the program did not give,
    though every connection is to use all."""
    pair.daemon = pair.serve({"policy": {"fullmesh": "yes"}})
    pair.sink()
    other = pair.near.ip4.rpartition(".")[0] + ".99"
    pair.client.ip(f"address add {other}/24 dev {pair.near.device}")

    def hosts(*ports):
        """Where the subflows of the program come from; not those of the connections with `ports`."""
        (connection,) = [c for c in pair.daemon.status()["connections"]
                         if c["role"] == "client" and c["namespace"] == pair.client.name
                         and not any(s["local"].endswith(f":{port}") for s in c["subflows"]
                                     for port in ports)]
        return [s["local"].rpartition(":")[0] for s in connection["subflows"]]

    def an_unbound_one_uses_both():
        app = pair.app(pair.client).connect(pair.far.ip4)
        locals_ = [local for local, _ in app.wait_subflows(2)]
        assert {host for host, _ in locals_} == {pair.near.ip4, other}
        # By then the other address has had its turn.
        assert hosts(*[port for _, port in locals_]) == [other] * 4

    steps = f"set(ENABLE, 0); s.bind(({other!r}, 0)); set(ENABLE, 1); set(ADD, 3)"
    assert run(pair, steps, 4, an_unbound_one_uses_both) == [[0, 0, 0], 262, 4]


def test_enable_goes_both_ways_after_a_refused_connect(served):
    served.sink()
    steps = "assert s.connect_ex((server, 7001)) == 111; set(ENABLE, 0); set(ENABLE, 1)"
    assert run(served, steps, 1) == [[0, 0], 262, 1]


THREADS = """
import errno, json, os, select, socket, sys, threading
TCP, ENABLE, ADD, SUBFLOWS = 6, 10002, 10003, 10005
server = sys.argv[1], 7000
s = socket.socket()
s.setblocking(False)
copy = s.dup()
loop = select.epoll()
loop.register(s, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
loop.register(copy, select.EPOLLOUT | select.EPOLLET)
waiting, connecting, said = threading.Event(), threading.Event(), []

def wait():
    # An unconnected socket hangs up: what counts is what comes afterwards.
    up = set()
    while up != {s.fileno(), copy.fileno()}:
        waiting.set()
        for fd, events in loop.poll():
            if not events & select.EPOLLHUP:
                up.add(fd)
    copy.send(b"over there")

def toggle():
    for on in 0, 1, 0, 1:
        s.setsockopt(TCP, ENABLE, on)
        said.append(copy.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL))
    copy.setsockopt(TCP, ADD, 3)
    said.append(s.connect_ex(server) == errno.EINPROGRESS)

waiter, other = threading.Thread(target=wait, daemon=True), threading.Thread(target=toggle)
waiter.start()
waiting.wait()
other.start()
other.join()
waiter.join(60)
if waiter.is_alive():
    sys.exit("nobody told of the connection")
while len(copy.getsockopt(TCP, SUBFLOWS, 1024)) < 4 * 56:
    pass
print(json.dumps(said), flush=True)
"""


def test_one_thread_waits_while_another_enables_and_connects(served):
    """Registered with epoll and duplicated before; a request through the copy holds for both."""
    sink = served.sink()
    with served.daemon.run(served.client, ["/usr/bin/python3", "-c", THREADS, served.far.ip4],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        output, error = process.communicate(timeout=120)
    assert (process.returncode, error) == (0, "")
    assert json.loads(output) == [6, 262, 6, 262, True]
    wait_until(lambda: sink("drained") == len("over there"), "what the waiting thread sent")
