# SPDX-License-Identifier: MIT
"""The daemon dies in every phase, under traffic: nothing is lost, nothing is done twice."""
import os
import signal
import subprocess

import pytest
from app import ADD, CONNID, NDIFFPORTS, REMOVE, packed
from conftest import BUILD, ROUNDS, Pair
from lab.daemon import Daemon
from lab.netns import LabError, wait_until
from pinned import Kept

RULE = {"elephant": {"start": "1MB", "step": "1MB", "stop": "1000GB", "max_subflows": 4},
        "repair": {"rto_min_ms": 0}}
# Sends until it is told to stop, and counts.
POUR = """
is_pouring, sent = [True], [0]
def pour():
    block = bytes(1 << 16)
    while is_pouring[0]:
        sent[0] += s.send(block)
thread = threading.Thread(target=pour, daemon=True)
thread.start()
"""


class Slow(Pair):
    """A link that leaves the machine time for other things."""

    def build(self):
        self.client, self.server = self.netns("client"), self.netns("server")
        self.near, self.far = self.veth(self.client, self.server, rate_mbit=100)


@pytest.fixture
def pair():
    with Slow() as lab:
        yield lab


@pytest.fixture(params=["pinned", "forgotten"])
def within(pair, request):
    """Where the daemons run: what applications have asked for outlives them there, or does not."""
    return Kept(pair, is_there=request.param == "pinned")


def kill(daemon):
    daemon.process.kill()
    daemon.process.wait(10)


def joins(lab):
    """Joins that the server has answered."""
    return lab.client.netstat()["MPTcpExtMPJoinSynAckRx"]


def assert_opened(lab, daemon, most):
    """By its predecessors; only what a machine that hardly runs has kept unanswered for too long was replaced by this one."""
    counters = daemon.status()["daemon"]["counters"]
    assert counters["creates"] == counters["repairs"]
    assert joins(lab) <= most + counters["repairs"]


def failures(lab):
    """Counters of either end that say that a join, or a whole connection, came to nothing."""
    names = ["MPJoinRejected", "MPJoinSynTxBindErr", "MPJoinSynTxConnectErr", "MPFallbackTokenInit",
             "MPFailTx", "MPFailRx", "MPFastcloseTx", "MPFastcloseRx", "DataCsumErr"]
    return {(node.name, name): count for node in (lab.client, lab.server) for name in names
            if (count := node.netstat().get(f"MPTcpExt{name}"))}


def assert_known(lab, daemon, app):
    """Status names the subflows that the socket has."""
    def shown():
        return sorted(subflow["local"] for subflow in lab.connection(daemon, app)["subflows"])

    wait_until(lambda: shown() == sorted(f"{address}:{port}" for (address, port), _ in app.subflows()),
               "status and socket show the same")


def deafen(node, is_deaf=True):
    """It answers no SYN any more, or does so again."""
    if not is_deaf:
        node.run(["nft", "delete", "table", "ip", "deaf"])
        return
    try:
        node.run(["nft", "-f", "-"], input="""table ip deaf {
 chain input {
  type filter hook input priority filter;
  tcp flags & (syn|ack) == syn counter drop
 }
}
""")
    except LabError:
        pytest.skip("this kernel has no nftables")


def answers(app):
    try:
        return app.connid()
    except OSError:
        return None


def test_twenty_kills_under_traffic(pair, within):
    daemon = pair.serve(RULE, within=within)
    nodes = [pair.client, pair.server]
    sink = pair.sink()
    elephant = pair.app(pair.client).connect(pair.far.ip4)
    elephant(POUR)
    elephant.wait_subflows(4)
    asker = pair.app(pair.client).connect(pair.far.ip4)
    asker.set(ADD, 2)
    asker.wait_subflows(3)
    before = joins(pair)
    assert before == 5
    for _ in range(ROUNDS):
        kill(daemon)
        daemon.start(nodes, within)
        wait_until(lambda: answers(asker), "the options answer again")
        asker.set(ADD, 1)
        assert len(asker.wait_subflows(4)) == 4
        asker.set(REMOVE, 1)
        asker.wait_subflows(3)
        assert len(elephant.subflows()) == 4
        assert_known(pair, daemon, asker)
    assert joins(pair) == before + ROUNDS, "no subflow was opened but those that were asked for"
    assert pair.server.netstat()["MPTcpExtMPJoinAckRx"] == before + ROUNDS, "each came about"
    assert not failures(pair)
    elephant("is_pouring.clear(); is_pouring.append(False); thread.join()")
    sent = elephant("sent[0]")
    elephant.close()
    wait_until(lambda: sink("drained") == sent + 2, "every byte has arrived", timeout_s=30)


def test_twenty_kills_and_what_applications_have_asked_for(pair, kept):
    """A restriction, a total and used address ids: each successor keeps to them."""
    pair.client.ip(f"address add 10.0.1.3/24 dev {pair.near.device}")
    daemon = kept.start(**RULE)
    pair.sink()
    held = pair.app(pair.client).open()
    held.set(ADD, packed("10.0.1.3"))
    held(f"s.connect(({pair.far.ip4!r}, 7000)); s.send(b'x')")
    total = pair.app(pair.client).connect(pair.far.ip4)
    total.set(NDIFFPORTS, 3)
    total.wait_subflows(3)
    ids = {0}
    for turn in range(ROUNDS):
        daemon = kept.again(signal.SIGKILL, **RULE)
        assert total.get(NDIFFPORTS) == 3
        total.set(NDIFFPORTS, 3)
        held.set(ADD, 1)
        held.wait_subflows(2)
        held.set(REMOVE, 1)
        held.wait_subflows(1)
        held.set(ADD, packed(("10.0.1.3", 20000 + turn)))
        assert {address for (address, _), _ in held.wait_subflows(2)} == {"10.0.1.3"}
        [fresh] = [subflow["id"] for subflow in pair.connection(daemon, held)["subflows"]
                   if subflow["local"] == f"10.0.1.3:{20000 + turn}"]
        assert fresh not in ids
        ids.add(fresh)
        held.set(REMOVE, packed(("10.0.1.3", 20000 + turn)))
        held.wait_subflows(1)
        assert_known(pair, daemon, total)
    assert joins(pair) == 2 + 2 * ROUNDS, "no subflow was opened but those that were asked for"
    assert not failures(pair)


def test_a_kill_in_every_phase_of_its_beginning(pair, within):
    """Each time a little later; the next one finds whatever the last one has left."""
    daemon = pair.serve(RULE, within=within)
    nodes = [pair.client, pair.server]
    pair.sink()
    elephant = pair.app(pair.client).connect(pair.far.ip4)
    elephant(POUR)
    elephant.wait_subflows(4)
    command = [daemon.binary, "--config", pair.directory / "subflowd.conf"]
    for step in range(10):
        kill(daemon)
        with daemon.log.open("ab") as log:
            daemon.process = within.popen(command, stdout=log, stderr=log)
        try:
            daemon.process.wait(.03 * step)
            raise LabError("subflowd ended by itself")
        except subprocess.TimeoutExpired:
            continue
    kill(daemon)
    daemon.start(nodes, within)
    connection = pair.connection(daemon, elephant)
    assert connection["state"] == "served" and len(connection["subflows"]) == 4
    assert len(elephant.subflows()) == 4 and joins(pair) == 3
    daemon.stop()
    for node in nodes:
        assert "1" not in node.run(["sysctl", "-n", "net.mptcp.pm_type"])


def test_a_kill_while_a_subflow_is_being_opened(pair, within):
    """Its SYN is not answered yet: the next daemon counts it, and opens no other in its place."""
    rule = {"elephant": {**RULE["elephant"], "max_subflows": 2}, "placement": {"mode": "kernel"}}
    daemon = pair.serve(rule, within=within)
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    deafen(pair.server)
    app(f"send(s, {1500000})")
    wait_until(lambda: opening(pair, app), "a SYN is on its way")
    kill(daemon)
    daemon.start([pair.client, pair.server], within)
    subflows = pair.connection(daemon, app)["subflows"]
    assert [s["state"] for s in subflows] == ["established", "opening"]
    app(f"send(s, {3000000})")
    wait_until(lambda: daemon.status()["daemon"]["counters"]["thresholds"], "another threshold")
    assert opening(pair, app) == 1
    deafen(pair.server, False)
    wait_until(lambda: len(app.subflows()) == 2, "it is answered in the end", timeout_s=30)
    app(f"send(s, {3000000})")
    assert len(app.subflows()) == 2
    assert_opened(pair, daemon, 1)


def test_a_kill_while_what_was_asked_for_is_being_opened(pair):
    """By a peer that is slow to answer: the next daemon knows what was carried out, and does the rest."""
    within = Kept(pair)
    daemon = pair.serve(within=within)
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    wait_until(lambda: pair.connection(daemon, app)["state"] == "served", "it is known")
    deafen(pair.server)
    for n in range(1, 4):
        app.set(NDIFFPORTS, 1 + n)
        wait_until(lambda: opening(pair, app) == n, "a SYN is on its way")
        kill(daemon)
        daemon.start([pair.client, pair.server], within)
        states = [s["state"] for s in pair.connection(daemon, app)["subflows"]]
        assert states == ["established"] + n * ["opening"]
    app.set(NDIFFPORTS, 3)
    deafen(pair.server, False)
    wait_until(lambda: len(app.subflows()) == 3 and not opening(pair, app), "they are answered", timeout_s=30)
    assert_opened(pair, daemon, 3)
    assert_known(pair, daemon, app)


def opening(lab, app):
    """Subflows of the client whose SYN has no answer."""
    return len(lab.client.run(["ss", "-Htn", "state", "syn-sent"]).splitlines())


def test_a_kill_between_request_and_completion(pair, within):
    """The connection lives, and is served."""
    daemon = pair.serve(within=within)
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    wait_until(lambda: pair.connection(daemon, app)["state"] == "served", "it is known")
    os.kill(daemon.process.pid, signal.SIGSTOP)
    app.set(ADD, 2)
    kill(daemon)
    daemon.start([pair.client, pair.server], within)
    app.set(ADD, 1)
    wait_until(lambda: len(app.subflows()) >= 2, "the next request is carried out")
    app(f"send(s, {1 << 20})")


def test_options_fail_at_once_while_there_is_no_daemon(pair):
    """And again answer with the next: upgraded to a build elsewhere."""
    daemon = pair.serve()
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    kill(daemon)
    with pytest.raises(OSError):
        app.get(CONNID, 4)
    (pair.directory / "daemon").mkdir()
    (pair.directory / "cli").mkdir()
    for part in ("daemon/subflowd", "cli/subflow"):
        (pair.directory / part).write_bytes((BUILD / part).read_bytes())
        (pair.directory / part).chmod(0o755)
    other = Daemon(pair, pair.directory, {"namespaces": {"serve": f"{pair.client.name} "
                                                                  f"{pair.server.name}"}})
    other.start([pair.client, pair.server])
    app.set(ADD, 1)
    app.wait_subflows(2)
