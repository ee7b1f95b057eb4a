# SPDX-License-Identifier: MIT
"""What has a limit says so when it is full: tables filled for real, and the memory of connections."""
import contextlib
import errno
import socket
import subprocess

from app import ADD, NDIFFPORTS
from cli import SUBFLOW
from conftest import Pair
from lab.netns import wait_until
from lists import fails

# More users than the hooks count calls of, each with one call: an application before connect.
USERS = f"""
import os
for uid in range(100000, 105000):
    os.seteuid(uid)
    u = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
    os.seteuid(0)
    u.setsockopt(6, {NDIFFPORTS}, 2)
    u.close()
"""


def tables(daemon):
    return daemon.status()["daemon"]["tables"]


def shown(daemon, *words):
    return subprocess.run([SUBFLOW, *(words or ["status"])], env=daemon.environment, capture_output=True, text=True,
                          check=True).stdout


def test_nothing_is_full_at_first(served):
    for name, table in tables(served.daemon).items():
        assert table["used"] <= table["limit"] and not table["refused"], name
    assert "\n  full " not in shown(served.daemon)


def test_more_connections_than_the_daemon_has_room_for(pair):
    daemon = pair.serve({"limits": {"max_connections": 2}}, serve=[pair.client])
    pair.sink()
    first = pair.app(pair.client).connect(pair.far.ip4)
    first.set(ADD, 1)
    first.wait_subflows(2)
    second = pair.app(pair.client).connect(pair.far.ip4)
    wait_until(lambda: tables(daemon)["connections"]["used"] == 2, "both are known")
    third = pair.app(pair.client).connect(pair.far.ip4)
    wait_until(lambda: tables(daemon)["connections"]["refused"], "one is refused")
    assert tables(daemon)["connections"]["used"] == tables(daemon)["connections"]["limit"] == 2
    assert tables(daemon)["receipts"] == {"limit": 2, "used": 2, "refused": 0}
    fails(errno.ENOBUFS, third, f"s.setsockopt(6, {ADD}, 1)")
    # Those that it has room for are served as ever, whether they have asked for something before or not.
    for app in (second, first):
        app.set(ADD, 1)
    second.wait_subflows(2)
    first.wait_subflows(3)
    assert len(third.subflows()) == 1
    connection = pair.connection(daemon, third)
    assert (connection["state"], connection["decision"]) == (
        "not known", "the table of connections is full ([limits] max_connections)")
    assert "subflowd does not know it, so it does not split it.\n" in shown(
        daemon, "explain", f"{third.connid():x}")
    assert "\n  full        connections (2 of 2) " in shown(daemon)
    first.close()
    wait_until(lambda: pair.connection(daemon, third)["decision"] == "not heard of yet", "there is room")


def test_more_users_than_are_counted(served):
    app = served.app(served.client, uid=0)
    app(USERS)
    users = tables(served.daemon)["users"]
    assert users["limit"] - users["used"] < users["limit"] / 4
    assert users["used"] + users["refused"] == 5000
    assert users["refused"] >= 5000 - users["limit"]


def test_more_clients_than_there_is_room_for(served):
    daemon = served.daemon
    limit = tables(daemon)["clients"]["limit"]
    with contextlib.ExitStack() as stack:
        for _ in range(limit + 3):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(str(daemon.socket))
        wait_until(lambda: tables(daemon)["clients"]["refused"] >= 3, "some gave way")
        assert tables(daemon)["clients"]["used"] <= limit


def test_more_addresses_than_a_namespace_may_have(served):
    """They are read when one changes, while there is a connection."""
    served.sink()
    served.app(served.client).connect(served.far.ip4)
    wait_until(lambda: tables(served.daemon)["connections"]["used"] == 2, "both ends are known")
    served.client.ip(*[f"address add 10.0.{2 + n // 200}.{1 + n % 200}/32 dev {served.near.device}" for n in range(70)])
    wait_until(lambda: tables(served.daemon)["addresses"]["refused"], "some find no room")
    assert tables(served.daemon)["addresses"]["used"] == tables(served.daemon)["addresses"]["limit"]
    assert "addresses (64 of 64) " in shown(served.daemon)


def test_more_users_ask_than_are_timed(served):
    """Who asked last long ago makes room, and has lost nothing."""
    limit = tables(served.daemon)["asking_users"]["limit"]
    for uid in range(100000, 100000 + limit + 10):
        subprocess.run(["setpriv", f"--reuid={uid}", SUBFLOW, "status"], env=served.daemon.environment,
                       stdout=subprocess.DEVNULL, check=True)
    assert tables(served.daemon)["asking_users"]["used"] == limit
    knocking = tables(served.daemon)["knocking_users"]
    assert knocking["used"] == knocking["limit"]


def test_memory_of_a_connection(pair: Pair):
    """It grows by what is stated, and never beyond the bound of the configuration."""
    daemon = pair.serve({"limits": {"max_connections": 100}})
    memory = daemon.status()["daemon"]["memory"]
    assert memory["connections"] == 0
    assert memory["most"] == 100 * memory["connection_most"]
    assert memory["kernel_most"] == 100 * memory["kernel"]
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    wait_until(lambda: tables(daemon)["connections"]["used"] == 2, "both ends are known")
    one = daemon.status()["daemon"]["memory"]["connections"]
    assert memory["connection"] <= one <= 2 * memory["connection"]
    app.set(ADD, 3)
    app.wait_subflows(4)
    wait_until(lambda: len(pair.connection(daemon, app)["subflows"]) == 4, "they are known")
    more = daemon.status()["daemon"]["memory"]["connections"] - one
    assert 3 <= more / memory["subflow"] <= 2 * 3
    assert one + more < 2 * memory["connection_most"]
