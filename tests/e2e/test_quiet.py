# SPDX-License-Identifier: MIT
"""A subflow that has joined carries nothing until the peer can have finished with its join."""
import re
import signal

import pytest
from app import ADD, BACKUP, backup, packed
from lab.netns import wait_until
from pinned import HOW
from test_join_race import KB, held_join, second, verdict

OWN = 41000
LONG = {"joins": {"quiet_ms": 2000}}


def flags(homes):
    """What `ss` says of the subflow at both ends: b, this end has made it a backup; B, the other."""
    far = homes.server.run(["ss", "-tnHi", "dst", homes.near2.ip4])
    return [set(re.search(r"flags:(\w*)", text)[1]) if "flags:" in text else set()
            for text in (second(homes), far)]


def is_over(homes):
    near, far = flags(homes)
    return near and far and "b" not in near and "B" not in far


def join(homes):
    """From a port that is known: Linux 6.1 has to be told by it."""
    app = homes.app(homes.client).connect(homes.far.ip4)
    app.set(ADD, packed((homes.near2.ip4, OWN)))
    app.wait_subflows(2)
    return app


def test_a_peer_that_reads_meanwhile_is_not_harmed(homes):
    """The play of test_join_race.py, by which the same kernel corrupts the stream."""
    homes.daemon = homes.serve(LONG, serve=[homes.client])

    def join(app):
        app.set(ADD, packed(homes.near2.ip4))
        app.wait_subflows(2)
        homes.daemon.process.send_signal(signal.SIGSTOP)  # however slow this machine is

    def end(app):
        homes.daemon.process.send_signal(signal.SIGCONT)
        wait_until(lambda: is_over(homes), "it may send")

    outcome = held_join(homes, join, carries=False, then=end)
    assert verdict(outcome) == "intact"
    assert homes.client.tx_bytes()["server2"] > 16 * KB, "it was used after that"


# What answers the last packet of a join, and nothing of its handshake, is lost.
LATE = f"""
table ip late {{
    chain input {{
        type filter hook input priority 0;
        tcp dport {OWN} tcp flags & (syn | ack) == ack drop
    }}
}}
"""


def test_a_join_that_takes_longer_than_its_time_carries_in_the_end(homes):
    """The kernel refuses to be told that a subflow is no backup before its join is finished."""
    homes.daemon = homes.serve(serve=[homes.client])
    homes.sink()
    homes.client.run(["nft", "-f", "-"], input=LATE)
    app = homes.app(homes.client).connect(homes.far.ip4)
    app.set(ADD, packed((homes.near2.ip4, OWN)))
    wait_until(lambda: homes.daemon.log.read_text().count("SET_FLAGS") >= 2, "the kernel refuses")
    homes.client.run(["nft", "delete", "table", "ip", "late"])
    wait_until(lambda: is_over(homes), "it may send")


def test_its_time_ends(homes):
    homes.daemon = homes.serve(serve=[homes.client])
    homes.sink()
    app = join(homes)
    wait_until(lambda: is_over(homes), "it may send")
    # Once more on a kernel that lacks "joins-as-backup".
    wait_until(lambda: homes.server.netstat()["MPTcpExtMPPrioRx"] >= 2, "that is said twice")
    assert not any(s["backup"] for s in homes.connection(homes.daemon, app)["subflows"])


def test_an_application_s_backup_stays_one(homes):
    homes.daemon = homes.serve({"joins": {"quiet_ms": 200}}, serve=[homes.client])
    homes.sink()
    app = join(homes)
    app.set(BACKUP, backup(homes.near2.ip4, 1))
    first = homes.server.netstat()["MPTcpExtMPPrioRx"]
    app.set(ADD, 1)
    wait_until(lambda: homes.server.netstat()["MPTcpExtMPPrioRx"] >= first + 2,
               "the time of a later one is over")
    near, far = flags(homes)
    assert "b" in near and "B" in far
    app.set(BACKUP, backup(homes.near2.ip4, 0))
    wait_until(lambda: is_over(homes), "not any more")


@pytest.mark.parametrize("value_ms", [0, 10000])
def test_how_long_is_a_setting(homes, value_ms):
    homes.daemon = homes.serve({"joins": {"quiet_ms": value_ms}}, serve=[homes.client])
    homes.sink()
    join(homes)
    assert is_over(homes) == (value_ms == 0)


@HOW
def test_a_daemon_that_ends_meanwhile_leaves_none(kept, how):
    pair = kept.pair
    kept.start(joins={"quiet_ms": 10000})
    kept.sink = pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app.set(ADD, packed((pair.near.ip4, OWN)))
    app.wait_subflows(2)

    def has_backup():
        return re.search(r"flags:\w*b", pair.client.run(["ss", "-tnHi", "dport", "7000"]))

    assert has_backup()
    kept.end(how)
    if how == signal.SIGKILL:
        assert has_backup()
        kept.start()
    wait_until(lambda: not has_backup(), "no subflow is a backup")
