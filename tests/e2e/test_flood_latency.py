# SPDX-License-Identifier: MIT
"""How long somebody else waits while one user floods with requests: figures, so nothing else may run meanwhile."""
import signal
import socket
import statistics

import pytest
from app import ADD, PAIR, REMOVE, SUBFLOWS, App
from lab.netns import PATIENCE, wait_until
from test_flood import FLOODER

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
