# SPDX-License-Identifier: MIT
"""One user floods with requests: those of others are carried out all the same."""
import errno
import signal
import socket
import statistics
import subprocess

import pytest
from app import ADD, PAIR, REMOVE, SUBFLOWS, App
from conftest import BUILD
from lab.netns import PATIENCE, wait_until
from test_watch import Watch

FLOODER = 65533
ROUNDS = 10
# Connections of the flood, and how many times as long somebody else's request may take during it: he waits for one of
# them, not for all.
FLOODED = 300
SLOWER = 10


# One subflow comes and goes again; how long that takes.
ASK = f"""
import time
def wait(count):
    end = time.monotonic() + {10 * PATIENCE}
    while len(s.getsockopt(6, {SUBFLOWS}, 1024)) != count * {PAIR}:
        assert time.monotonic() < end, f"not {{count}} subflows"
        time.sleep(0.0005)
def ask():
    began = time.monotonic()
    for option, count in ({ADD}, 2), ({REMOVE}, 1):
        s.setsockopt(6, option, 1)
        wait(count)
    return time.monotonic() - began
"""


def test_a_flood_of_one_user_keeps_no_other_waiting(pair):
    daemon = pair.serve({"limits": {"calls_per_second": 1000000,
                                    "calls_per_second_of_user": 1000000}})
    pair.sink(address="::", family=socket.AF_INET6)
    app = App(pair.client).connect(pair.far.ip4)
    app(ASK)

    def requests():
        return daemon.status()["daemon"]["counters"]["requests"]

    flooder = App(pair.client, uid=FLOODER)
    # It gives way to the daemon where there are few processors: what is measured are the queues of the latter.
    flooder(f"""
import os
os.nice(19)
flood = [socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) for _ in range({FLOODED})]
for s in flood:
    s.connect(({pair.far.ip4!r}, 7000))
    s.send(b"x")
def pour():
    while True:
        for option in {ADD}, {REMOVE}:
            for s in flood:
                s.setsockopt(6, option, 1)
threading.Thread(target=pour, daemon=True).start()
""")
    took = {signal.SIGSTOP: [], signal.SIGCONT: []}
    try:
        wait_until(lambda: requests() > 10 * FLOODED, "a flood")
        # In turns, so that whatever else this machine does befalls both.
        for _ in range(ROUNDS):
            for order, times in took.items():
                flooder.process.send_signal(order)
                before = requests()
                if order == signal.SIGCONT:
                    wait_until(lambda: requests() > before + FLOODED, "it floods again")
                times += app("[ask() for _ in range(3)]")
                assert flooder.process.poll() is None
    finally:
        flooder.process.kill()
    quiet, flooded = (statistics.median(times) for times in took.values())
    assert flooded < SLOWER * quiet, took
    # And when it is over nothing is left of it.
    app("ask()")


def test_the_calls_of_one_user_are_bounded(pair):
    """However many sockets; another user's and root's are not."""
    pair.serve({"limits": {"calls_per_second": 1000000, "calls_per_second_of_user": 20}})
    flooder = App(pair.client, uid=FLOODER)
    flooder("sockets = [socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) for _ in range(100)]")
    flood = f"[s.setsockopt(6, {ADD}, 1) for s in sockets]"
    with pytest.raises(OSError) as caught:
        for _ in range(5):
            flooder(flood)
    assert caught.value.errno == errno.EAGAIN
    App(pair.client).open().set(ADD, 1)
    root = App(pair.client, uid=0)
    root("sockets = [socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) for _ in range(100)]")
    root(flood)


def test_users_take_turns(pair):
    """All of it waits: the last of three users to ask is third, and each has a turn before anybody
    has his second."""
    daemon = pair.serve()
    pair.sink()
    flooder = App(pair.client, uid=FLOODER)
    flooder(f"""
flood = [socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) for _ in range(60)]
for s in flood:
    s.connect(({pair.far.ip4!r}, 7000))
    s.send(b"x")
""")
    others = [App(pair.client, uid=FLOODER - number).connect(pair.far.ip4) for number in (1, 2)]
    tokens = [app.connid() for app in others]
    wait_until(lambda: len([c for c in daemon.status()["connections"]
                            if c["namespace"] == pair.client.name]) == 62, "all are known")
    watch = Watch(pair, daemon)
    daemon.process.send_signal(signal.SIGSTOP)
    flooder(f"[s.setsockopt(6, {ADD}, 1) for s in flood]")
    for app in others:
        app.set(ADD, 1)
    daemon.process.send_signal(signal.SIGCONT)

    def asked():
        order = [e["token"] for e in watch.events() if e["event"] == "request"]
        return order if len(order) == 62 else None

    order = wait_until(asked, "all were heard")
    assert order[1:3] == tokens
