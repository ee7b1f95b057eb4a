# SPDX-License-Identifier: MIT
"""TCP_MULTIPATH_NDIFFPORTS: how many subflows there are to be in all."""
import errno
import socket

import pytest
from app import ADD, NDIFFPORTS, REMOVE
from lab.netns import wait_until
from lists import PORT, ends, fails, homes, wait_locals  # noqa: F401


def test_more_and_fewer(served):
    served.sink()
    app = served.app(served.client).connect(served.far.ip4)
    assert app.get(NDIFFPORTS) == 0
    app.set(NDIFFPORTS, 4)
    assert app.get(NDIFFPORTS) == 4
    pairs = app.wait_subflows(4)
    app.set(NDIFFPORTS, 2)
    assert app.wait_subflows(2) == pairs[:2], "the youngest go"
    app.set(NDIFFPORTS, 2)
    app.set(ADD, 1)
    app.wait_subflows(3)
    app.set(NDIFFPORTS, 1)
    app.wait_subflows(1)
    app.set(NDIFFPORTS, 8)
    app.wait_subflows(8)
    assert app.get(NDIFFPORTS) == 8
    counters = served.daemon.status()["daemon"]["counters"]
    assert counters["creates"] == 3 + 1 + 7 and counters["destroys"] == 2 + 2


@pytest.mark.parametrize("when", ["before", "during", "at once"])
def test_before_and_during_connect(served, when):
    served.sink()
    app = served.app(served.client).open()
    if when == "before":
        app.set(NDIFFPORTS, 5)
        app.set(NDIFFPORTS, 3)
        app.set(REMOVE, 1)
        app.set(NDIFFPORTS, 3)
        app(f"s.connect(({served.far.ip4!r}, {PORT}))")
    elif when == "during":
        app("s.setblocking(False)")
        fails(errno.EINPROGRESS, app, f"s.connect(({served.far.ip4!r}, {PORT}))")
        app.set(NDIFFPORTS, 3)
        app("import select; select.select([], [s], []); s.setblocking(True)")
    else:
        app(f"s.connect(({served.far.ip4!r}, {PORT})); s.setsockopt(6, {NDIFFPORTS}, 3)")
    app("s.send(b'x')")
    app.wait_subflows(3)
    assert served.daemon.status()["daemon"]["counters"]["creates"] == 2


def test_with_lists(homes):  # noqa: F811
    app = homes.app(homes.client).connect(homes.far.ip4)
    app.set(ADD, ends(homes.near2.ip4, homes.near2.ip4))
    app.set(NDIFFPORTS, 4)
    wait_locals(app, homes.near.ip4, homes.near.ip4, homes.near2.ip4, homes.near2.ip4)


def test_errors(served):
    server = served.sink(family=socket.AF_INET)
    app = served.app(served.client).connect(served.far.ip4)
    wait_until(lambda: server("len(accepted)") == 1, "accepted")
    for bad in (0, -1, bytes(3), bytes(5), bytes(16)):
        fails(errno.EINVAL, app.set, NDIFFPORTS, bad)
    fails(errno.EDQUOT, app.set, NDIFFPORTS, 9)
    fails(errno.EDQUOT, app.set, NDIFFPORTS, 2**31 - 1)
    fails(errno.EINVAL, app.get, NDIFFPORTS, 3)
    assert app.get(NDIFFPORTS) == 0 and len(app.subflows()) == 1
    fails(errno.EOPNOTSUPP, server.set, NDIFFPORTS, 2, "listener")
    fails(errno.EOPNOTSUPP, server.set, NDIFFPORTS, 2, "accepted[0]")
    plain = served.app(served.client).connect(served.far.ip4, protocol=0)
    fails(errno.EOPNOTSUPP, plain.set, NDIFFPORTS, 2)
    fails(errno.EOPNOTSUPP, plain.get, NDIFFPORTS, 4)


def test_what_subflows_shows_counts_at_once(pair):
    """No EDQUOT, no EBUSY for what has been done, however soon the application asks again."""
    pair.serve({"limits": {"calls_per_second": 1000000, "calls_per_second_of_user": 1000000}})
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app(f"""
def wait(n):
    while len(s.getsockopt(6, 10005, 1024)) != n * 56:
        pass
for _ in range(200):
    for option, n, there in (({ADD}, 7, 8), ({REMOVE}, 7, 1), ({NDIFFPORTS}, 8, 8), ({NDIFFPORTS}, 1, 1)):
        s.setsockopt(6, option, n)
        wait(there)
""")
