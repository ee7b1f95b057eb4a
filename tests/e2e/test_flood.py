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
ROUNDS = 5
TRIES = 3
FLOODED = int(300 / PATIENCE)  # connections; fewer where the machine is slow
# How many times as long somebody else's request may take during the flood. Without limits he waits for one of its
# requests, not for all, and shares the machine with it.
FREELY = {"calls_per_second": 1000000, "calls_per_second_of_user": 1000000}
CASES = [(FREELY, 10), ({}, 2)]


# One subflow comes and goes again; how long that takes, and how many have come in this namespace meanwhile.
ASK = f"""
import time
def wait(count):
    end = time.monotonic() + {10 * PATIENCE}
    while len(s.getsockopt(6, {SUBFLOWS}, 1024)) != count * {PAIR}:
        assert time.monotonic() < end, f"not {{count}} subflows"
        time.sleep(0.0005)
def joins():
    names, values = [line.split() for line in open("/proc/net/netstat") if line.startswith("MPTcpExt:")]
    return int(values[names.index("MPJoinSynAckRx")])
def ask():
    time.sleep(0.03)  # 100 calls a second are its own limit
    before, began = joins(), time.monotonic()
    for option, count in ({ADD}, 2), ({REMOVE}, 1):
        s.setsockopt(6, option, 1)
        wait(count)
    return time.monotonic() - began, joins() - before
"""


@pytest.mark.parametrize("limits, slower", CASES, ids=["without limits", "by default"])
def test_a_flood_of_one_user_keeps_no_other_waiting(pair, limits, slower):
    daemon = pair.serve({"limits": limits})
    pair.sink(address="::", family=socket.AF_INET6)
    app = App(pair.client).connect(pair.far.ip4)
    app(ASK)

    def requests():
        return daemon.status()["daemon"]["counters"]["requests"]

    flooder = App(pair.client, uid=FLOODER)
    # Where nothing else bounds it, it gives way to the daemon: what is measured are the queues of the latter.
    flooder(f"""
import os, time
os.nice({19 if limits else 0})
flood = [socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) for _ in range({FLOODED})]
for s in flood:
    s.connect(({pair.far.ip4!r}, 7000))
    s.send(b"x")
def pour():
    while True:
        for option in {ADD}, {REMOVE}:
            for s in flood:
                try:
                    s.setsockopt(6, option, 1)
                except BlockingIOError:
                    time.sleep(0.01)
                except OSError:
                    pass
threading.Thread(target=pour, daemon=True).start()
""")

    def ask(others):
        """None: nobody else's subflows came meanwhile, or came although nobody floods."""
        took, joins = app("ask()")
        return took if (joins > 1) == others else None

    def measure():
        """By how much longer; in turns, so that whatever else this machine does befalls both."""
        took = {signal.SIGSTOP: [], signal.SIGCONT: []}
        for _ in range(ROUNDS):
            for order, times in took.items():
                flooder.process.send_signal(order)
                others = order == signal.SIGCONT
                times += [wait_until(lambda: ask(others), "a request, amid others or alone") for _ in range(3)]
                assert flooder.process.poll() is None
        quiet, flooded = (statistics.median(times) for times in took.values())
        return flooded / quiet

    found = []
    try:
        wait_until(lambda: requests() > 10 * FLOODED, "a flood")
        while len(found) < TRIES and not (found and found[-1] < slower):
            found.append(measure())
    finally:
        flooder.process.kill()
    print(found)
    assert found[-1] < slower, found
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
