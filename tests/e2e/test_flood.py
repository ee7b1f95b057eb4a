# SPDX-License-Identifier: MIT
"""One user floods with requests: those of others are carried out all the same (and how soon: test_flood_latency.py)."""
import errno
import signal

import pytest
from app import ADD, App
from lab.netns import wait_until
from test_watch import Watch

FLOODER = 65533


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
