# SPDX-License-Identifier: MIT
"""Who sees and who may do what on the control socket."""
import json
import socket
import subprocess
import sys

from app import ADD
from conftest import BUILD
from lab.netns import wait_until

SUBFLOW = BUILD / "cli" / "subflow"
OPERATORS = 4711
SOMEBODY = 61111


def as_user(uid, *groups):
    groups = ["--groups=" + ",".join(map(str, groups))] if groups else ["--clear-groups"]
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", *groups]


def tokens(daemon, prefix=()):
    """The connections that `subflow status` shows to whom @prefix makes of us."""
    done = subprocess.run([*prefix, SUBFLOW, "status", "--json"], env=daemon.environment,
                          capture_output=True, text=True, check=True)
    return {c["token"] for c in json.loads(done.stdout)["connections"]
            if c["namespace"].endswith("client")}


def test_everybody_is_shown_what_is_theirs(pair):
    daemon = pair.serve({"control": {"group": OPERATORS}})
    pair.sink()
    mine = pair.app(pair.client, uid=SOMEBODY).connect(pair.far.ip4)
    others = pair.app(pair.client).connect(pair.far.ip4)
    roots = pair.app(pair.client, uid=0).connect(pair.far.ip4)
    ours = {app.connid() for app in (mine, others, roots)}
    assert tokens(daemon) == ours
    assert tokens(daemon, as_user(SOMEBODY)) == {mine.connid()}
    assert tokens(daemon, as_user(SOMEBODY + 1)) == set()
    assert tokens(daemon, as_user(SOMEBODY + 1, OPERATORS)) == ours
    assert tokens(daemon, as_user(SOMEBODY + 1, 5, OPERATORS, 6)) == ours
    assert {c["token"]: c["uid"] for c in daemon.status()["connections"]
            if c["namespace"].endswith("client")}[mine.connid()] == SOMEBODY


def test_without_a_group_root_alone_is_shown_all(served):
    served.sink()
    app = served.app(served.client).connect(served.far.ip4)
    assert tokens(served.daemon) == {app.connid()}
    assert tokens(served.daemon, as_user(SOMEBODY, 0, OPERATORS)) == set()


def test_a_client_that_stalls_keeps_nobody_waiting(served):
    stalled = []
    for _ in range(40):
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(served.daemon.socket))
        client.send(b"stat")
        stalled.append(client)
    counters = served.daemon.status()["daemon"]["counters"]
    assert counters["clients_refused"] >= 40 - 32
    for client in stalled:
        client.close()


FLOOD = """
import socket, sys, threading
def ask():
    while True:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(sys.argv[1])
            client.sendall(b"status\\n")
            while client.recv(1 << 20):
                pass
for _ in range(8):
    threading.Thread(target=ask).start()
"""


def test_who_asks_all_the_time_waits_and_nobody_else(served):
    """A status costs, whoever is shown how much of it; what others wait for is done meanwhile."""
    served.sink()
    app = served.app(served.client).connect(served.far.ip4)
    app(f"""
socks = [socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) for _ in range(300)]
for one in socks:
    one.connect(({served.far.ip4!r}, 7000))
    one.send(b"x")
""")
    flood = served.popen([*as_user(SOMEBODY), sys.executable, "-c", FLOOD, served.daemon.socket])

    def deferred():
        return served.daemon.status()["daemon"]["counters"]["clients_deferred"]

    wait_until(lambda: deferred() > 10, "it waits")
    for subflows in range(2, 5):
        app.set(ADD, 1)
        app.wait_subflows(subflows)
    assert flood.poll() is None
    assert len(tokens(served.daemon, as_user(SOMEBODY + 1))) == 0, "another user is answered"
    assert len(tokens(served.daemon)) == 301
