# SPDX-License-Identifier: MIT
"""Who sees and who may do what on the control socket."""
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

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


def asked(daemon, prefix, *words):
    return subprocess.run([*prefix, SUBFLOW, *words], env=daemon.environment, capture_output=True,
                          text=True, check=False)


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
    told = asked(daemon, as_user(SOMEBODY), "status").stdout
    assert re.search(r"^  and \d+ of other users, which are shown to root", told, re.M)
    assert "of other users" not in asked(daemon, (), "status").stdout
    done = asked(daemon, as_user(SOMEBODY), "explain", f"{roots.connid():x}")
    assert done.returncode == 1 and "[control] group see those of others" in done.stderr


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


MANY = """
socks = [socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) for _ in range(700)]
for one in socks:
    one.connect((PEER, 7000))
    one.send(b"x")
"""


def resident_kb(daemon):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{daemon.process.pid}/status").read_text())[1])


def with_many_connections(pair):
    """A daemon that has many connections of one user to tell of, more than a socket holds; what it took
    before it told of them."""
    daemon = pair.serve(serve=[pair.client])
    pair.sink()
    app = pair.app(pair.client, uid=SOMEBODY)
    app(MANY.replace("PEER", repr(pair.far.ip4)))
    before = resident_kb(daemon)
    wait_until(lambda: len(daemon.status()["connections"]) == 700, "the daemon knows them")
    return daemon, before


@contextlib.contextmanager
def user(uid):
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)


def dial(stack, daemon, uid, request=b""):
    client = stack.enter_context(socket.socket(socket.AF_UNIX))
    with user(uid):
        client.connect(str(daemon.socket))
    client.send(request)
    return client


def test_a_client_that_stalls_in_its_answer_is_given_up(pair):
    """One answer is kept for a user who does not read, for a while; whoever asks besides is answered."""
    pair.directory.chmod(0o755)
    daemon, _ = with_many_connections(pair)

    def told():
        return daemon.status()["daemon"]

    with contextlib.ExitStack() as stack:
        stalled = [dial(stack, daemon, SOMEBODY, b"status\n") for _ in range(20)]
        wait_until(lambda: told()["tables"]["answers"]["used"] == 1
                   and told()["counters"]["clients_deferred"] >= 19, "they wait for the first")
        assert 0 < told()["memory"]["answers"] < 50000
        assert tokens(daemon, as_user(SOMEBODY + 1)) == set()
        wait_until(lambda: told()["counters"]["answers_stalled"] >= 1, "it is given up", 30)
        assert told()["tables"]["answers"]["used"] <= 1
        del stalled
    wait_until(lambda: told()["tables"]["answers"]["used"] == 0, "nobody is left")
    assert told()["memory"]["answers"] == 0


def test_many_users_do_not_end_what_an_operator_watches(pair):
    pair.directory.chmod(0o755)
    daemon = pair.serve()
    watch = pair.popen([SUBFLOW, "watch", "--json"], env=daemon.environment, stdout=subprocess.PIPE)
    assert b"watching" in watch.stdout.readline()
    limit = daemon.status()["daemon"]["tables"]["clients"]["limit"]
    with contextlib.ExitStack() as stack:
        for i in range(2 * limit):
            dial(stack, daemon, SOMEBODY + i)
        wait_until(lambda: daemon.status()["daemon"]["counters"]["clients_refused"] >= limit, "they give way")
        assert daemon.status()["daemon"]["watchers"] == 1
    assert watch.poll() is None


KNOCK = """
import socket, sys
while True:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(sys.argv[1])
"""


def test_who_comes_all_the_time_is_hung_up_on_and_nobody_else(pair):
    pair.directory.chmod(0o755)
    daemon = pair.serve()
    flood = pair.popen([*as_user(SOMEBODY), sys.executable, "-c", KNOCK, daemon.socket])
    wait_until(lambda: daemon.status()["daemon"]["counters"]["clients_shut_out"] > 100, "it is shut out")
    assert flood.poll() is None
    for prefix in ((), as_user(SOMEBODY + 1)):
        for _ in range(5):
            assert tokens(daemon, prefix) == set()
    flood.kill()
    flood.wait()

    def is_answered():
        return subprocess.run([*as_user(SOMEBODY), SUBFLOW, "status"], env=daemon.environment,
                              capture_output=True).returncode == 0

    wait_until(is_answered, "it is let in again")
