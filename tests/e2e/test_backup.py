# SPDX-License-Identifier: MIT
"""TCP_MULTIPATH_BACKUP: subflows that carry data only while no other can (RFC 8684 3.3.8)."""
import errno
import signal
import struct

import pytest
from app import ADD, BACKUP, EXPECTED
from lab.netns import wait_until
from lists import PORT, end, ends, fails, homes, wait_locals  # noqa: F401

MB = 1000000


def value(address, port, backup):
    return end(address, port).ljust(28, b"\0") + struct.pack("=I", backup)


def backups(homes, app):  # noqa: F811
    return sorted(s["local"].rpartition(":")[0] for s in
                  homes.connection(homes.daemon, app)["subflows"] if s["backup"])


@pytest.mark.parametrize("family", ["ip4", "mapped", "ip6"])
def test_backup_and_back(homes, family):  # noqa: F811
    prefix, kind = ("::ffff:", "ip4") if family == "mapped" else ("", family)
    near, near2, far = (getattr(e, kind) for e in (homes.near, homes.near2, homes.far))
    app = homes.app(homes.client).connect(prefix + far)
    app.set(ADD, ends(near2, near2))
    wait_locals(app, prefix + near, prefix + near2, prefix + near2)
    port = app.subflows()[1][0][1]

    def told(count):
        wait_until(lambda: homes.client.netstat()["MPTcpExtMPPrioTx"] == 4 + count
                   and homes.server.netstat()["MPTcpExtMPPrioRx"] == 4 + count, f"{count} MP_PRIO")

    told(0)  # but for the two of each subflow that it has joined, and may send: test_quiet.py

    app.set(BACKUP, value(prefix + near2, 0, 1))
    told(2)
    assert len(backups(homes, app)) == 2
    app(f"send(s, {20 * MB})")
    first = homes.client.tx_bytes()
    app(f"send(s, {20 * MB})")
    after = wait_until(lambda: (now := homes.client.tx_bytes())["server"] - first["server"] > 19 * MB
                       and now, "20 MB left by the first link")
    assert after["server2"] - first["server2"] < MB
    app.set(BACKUP, value(prefix + near2, port, 0))
    told(3)
    assert len(backups(homes, app)) == 1
    app(f"send(s, {40 * MB})")
    wait_until(lambda: homes.client.tx_bytes()["server2"] - after["server2"] > 4 * MB,
               "the second link is used again")


def test_errors(homes):  # noqa: F811
    near, near2 = homes.near.ip4, homes.near2.ip4
    app = homes.app(homes.client).open()
    fails(errno.ENOTCONN, app.set, BACKUP, value(near, 0, 1))
    app(f"s.connect(({homes.far.ip4!r}, {PORT})); s.send(b'x')")
    for bad in (value(near, 0, 1)[:31], value(near, 0, 1) + b"x", value(near, 0, 2),
                b"\1" + value(near, 0, 1)[1:]):
        fails(errno.EINVAL, app.set, BACKUP, bad)
    fails(errno.EADDRNOTAVAIL, app.set, BACKUP, value(near2, 0, 1))
    fails(errno.EADDRNOTAVAIL, app.set, BACKUP, value(near, 1, 1))
    fails(errno.EOPNOTSUPP, app.get, BACKUP, 32)
    assert backups(homes, app) == []
    plain = homes.app(homes.client).connect(homes.far.ip4, protocol=0)
    fails(errno.EOPNOTSUPP, plain.set, BACKUP, value(near, 0, 1))


def test_a_call_that_finds_no_room_fails(pair):
    """A stopped daemon and a ring for 39 records: what was accepted before is carried out."""
    pair.daemon = pair.serve({"hooks": {"ring_size": 4096}})
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    near = app.subflows()[0][0][0]
    pair.daemon.process.send_signal(signal.SIGSTOP)
    app.set(BACKUP, value(near, 0, 1))
    fails(errno.ENOBUFS, app, f"for _ in range(50): s.setsockopt(6, {BACKUP}, {value(near, 0, 1)!r})")
    pair.daemon.process.send_signal(signal.SIGCONT)
    wait_until(lambda: backups(pair, app), "what was accepted is carried out")
    app.set(BACKUP, value(near, 0, 0))
    wait_until(lambda: not backups(pair, app), "there is room again")


def test_a_call_that_finds_room_for_a_part_of_it_changes_nothing(pair):
    """Of three records, with 38 in the ring that others have asked for."""
    pair.daemon = pair.serve({"hooks": {"ring_size": 4096}})
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app.set(ADD, 2)
    near = app.wait_subflows(3)[0][0][0]
    wait_until(lambda: not backups(pair, app), "they have joined")
    pair.daemon.process.send_signal(signal.SIGSTOP)
    app(f"for _ in range(38): s.setsockopt(6, {EXPECTED}, bytes(8))")
    fails(errno.ENOBUFS, app.set, BACKUP, value(near, 0, 1))
    pair.daemon.process.send_signal(signal.SIGCONT)
    app.set(ADD, 1)
    app.wait_subflows(4)
    wait_until(lambda: not backups(pair, app), "none is a backup")
