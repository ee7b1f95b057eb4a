# SPDX-License-Identifier: MIT
"""What applications have asked for outlives the daemon, and its successor keeps to it."""
import errno
import signal

import pytest
from app import ADD, NDIFFPORTS, REMOVE, packed
from lab.netns import PATIENCE, wait_until
from pinned import HOW, RULE
from test_orders import does


@HOW
def test_what_was_carried_out_is_not_repeated(kept, how):
    app = kept.connect(3)
    app.set(REMOVE, 1)
    app.wait_subflows(3)
    daemon = kept.again(how)
    app.set(ADD, 1)
    app.wait_subflows(4)
    assert kept.joins() == 4
    daemon = kept.again(how)
    app.set(REMOVE, 2)
    app.wait_subflows(2)
    assert kept.joins() == 4 and daemon.status()["daemon"]["counters"]["creates"] == 0


@HOW
def test_a_total_holds_on(kept, how):
    app = kept.connect()
    app.set(NDIFFPORTS, 4)
    app.wait_subflows(4)
    kept.again(how)
    assert app.get(NDIFFPORTS) == 4
    app.set(NDIFFPORTS, 4)
    app.set(NDIFFPORTS, 2)
    app.wait_subflows(2)
    assert kept.joins() == 3


@HOW
def test_a_connection_that_sends_no_more_is_one(kept, how):
    """The upload is done, the download goes on: it is listed, and keeps its receipt."""
    pair = kept.pair
    app = kept.connect(3)
    daemon = kept.daemon
    sink = kept.sink
    app("threading.Thread(target=drain, args=(s.dup(),), daemon=True).start()")
    wait_until(lambda: sink("len(accepted)"), "it is accepted")
    app("s.shutdown(socket.SHUT_WR)")
    wait_until(lambda: pair.client.run(["ss", "-Mnta", "state", "fin-wait-2"]).count("7000"),
               "the peer knows")
    sink("send(accepted[-1], 1000000)")
    assert len(pair.connection(daemon, app)["subflows"]) == 4
    daemon = kept.again(how)
    assert len(pair.connection(daemon, app)["subflows"]) == 4
    app.set(REMOVE, 1)
    app.wait_subflows(3)
    sink("send(accepted[-1], 1000000)")
    wait_until(lambda: app("drained") == 2000000, "all has come")
    assert len(app.subflows()) == 3 and kept.joins() == 3


def test_what_was_not_carried_out_is(kept):
    """The daemon stands still when it is asked, and is killed then."""
    app = kept.connect(1)
    daemon = kept.daemon
    daemon.process.send_signal(signal.SIGSTOP)
    app.set(ADD, 2)
    kept.again(signal.SIGKILL)
    app.wait_subflows(4)
    daemon = kept.daemon
    daemon.process.send_signal(signal.SIGSTOP)
    app.set(REMOVE, 3)
    kept.again(signal.SIGKILL)
    app.wait_subflows(1)
    assert kept.joins() == 3


def test_what_is_asked_while_there_is_no_daemon_is_refused(kept):
    app = kept.connect(1)
    kept.end(signal.SIGKILL)
    with pytest.raises(OSError):
        app.set(ADD, 1)
    kept.start()
    app.set(ADD, 1)
    app.wait_subflows(3)
    assert kept.joins() == 2


@HOW
def test_a_restriction_holds_on(kept, how):
    """Nothing ever leaves from an address that was not listed before connect."""
    app = kept.restrict()
    kept.again(how, **RULE)
    assert kept.joins() == 1
    app(f"send(s, {8000000})")
    subflows = app.wait_subflows(4)
    assert {local[0] for local, _ in subflows} == {"10.0.1.3"}


@HOW
@pytest.mark.parametrize("between", ["nothing", "a refused call", "an accepted call"])
def test_an_address_that_was_taken_away_stays_away(kept, how, between):
    """Its slot is kept for the daemon to come, whatever list follows: also one that is refused."""
    kept.pair.client.ip(f"address add 10.0.1.3/24 dev {kept.pair.near.device}")
    app = kept.connect()
    app.set(ADD, packed("10.0.1.3"))
    app.wait_subflows(2)
    app.set(REMOVE, packed("10.0.1.1"))
    app.wait_subflows(1)
    if between == "a refused call":
        with pytest.raises(OSError) as caught:
            app.set(ADD, packed("192.0.2.1"))
        assert caught.value.errno == errno.EADDRNOTAVAIL
    if between == "an accepted call":
        app.set(ADD, packed("10.0.1.3"))
    there = 2 if between == "an accepted call" else 1
    app.wait_subflows(there)
    kept.again(how)
    app.set(ADD, 1)
    assert {local[0] for local, _ in app.wait_subflows(there + 1)} == {"10.0.1.3"}
    # Until it is added again, be it with a port: that, too, is known to the next daemon.
    app.set(ADD, packed(("10.0.1.1", 5001)))
    assert ("10.0.1.1", 5001) in {local for local, _ in app.wait_subflows(there + 2)}
    app.set(REMOVE, packed("10.0.1.3"))
    app.wait_subflows(1)
    kept.again(how)
    app.set(ADD, 1)
    assert {local[0] for local, _ in app.wait_subflows(2)} == {"10.0.1.1"}


@HOW
def test_what_was_announced_is_withdrawn(kept, how):
    """An accepted connection's address, which no subflow uses: its id is known to the next daemon."""
    pair, other = kept.pair, "10.0.1.99"
    pair.server.ip(f"address add {other}/24 dev {pair.far.device}")
    kept.start()
    server = pair.app(pair.server)
    server.sink(7001)
    pair.app(pair.client).connect(pair.far.ip4, 7001)
    wait_until(lambda: server("len(accepted)") == 1, "accepted")
    server.set(ADD, packed((other, 5000)), "accepted[0]")

    def heard(counter):
        return pair.client.netstat()[f"MPTcpExt{counter}"]

    wait_until(lambda: heard("AddAddr") == 1, "the client hears of it")
    kept.again(how)
    assert heard("RmAddr") == 0
    server.set(REMOVE, packed(other), "accepted[0]")
    wait_until(lambda: heard("RmAddr") == 1, "and of its end")


@HOW
def test_an_id_is_not_used_again_where_no_application_has_asked_for_anything(kept, how):
    """What is noted of a connection outlives the daemon by itself, also where it is restarted."""
    sections = {"placement": {"mode": "random"}, **RULE}
    daemon = kept.start(**sections)
    kept.sink = kept.pair.sink()
    app = kept.pair.app(kept.pair.client).connect(kept.pair.far.ip4)
    app(f"send(s, {8000000})")
    app.wait_subflows(4)
    name = f"{kept.pair.client.name}/{app.connid():x}"

    def ids():
        return {subflow["id"] for subflow in kept.pair.connection(daemon, app)["subflows"]}

    used = ids()
    assert len(used) == 4
    does(daemon, "remove", name, 2)
    app.wait_subflows(2)
    gone = used - ids()
    daemon = kept.again(how, **sections)
    does(daemon, "add", name)
    wait_until(lambda: len(ids()) >= 3, "there is another one")
    assert len(gone) == 2 and not gone & ids()


def test_nothing_is_left_where_nothing_was_asked_for(kept):
    pair = kept.pair
    app = kept.connect()
    sink = kept.sink
    assert len(kept.maps()) == 3
    kept.end(signal.SIGTERM)
    assert kept.is_clean()
    kept.start()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app.set(ADD, 1)
    app.wait_subflows(2)
    kept.end(signal.SIGTERM)
    assert len(kept.maps()) == 3, "the next one is to know"
    app.stop()
    sink.stop()

    def is_clean_after_another():
        kept.start()
        kept.end(signal.SIGTERM)
        return kept.is_clean()

    wait_until(is_clean_after_another, "the sockets are gone, and nothing is left", timeout_s=30)


def test_what_would_be_lost_is_not_accepted(kept):
    """Nothing is to be left to the next daemon: whoever asks from then on is told so."""
    app = kept.connect()
    pid = kept.daemon.process.pid
    tracer = kept.pair.popen(["strace", "-qq", "-o", "/dev/null", "-e", "trace=rmdir", "-e",
                              "inject=rmdir:delay_exit=2000000", "-p", str(pid)])
    wait_until(lambda: f"TracerPid:\t{tracer.pid}" in open(f"/proc/{pid}/status").read(), "strace is attached")
    kept.daemon.process.send_signal(signal.SIGTERM)
    wait_until(kept.is_clean, "nothing is left")
    assert kept.daemon.process.poll() is None, "it is still ending"
    with pytest.raises(OSError):
        app.set(ADD, 1)
    tracer.terminate()  # a sanitizer looks for leaks only where nobody traces it
    tracer.wait(10 * PATIENCE)
    kept.daemon.process.wait(10 * PATIENCE)
    kept.start()
    app.set(ADD, 1)
    app.wait_subflows(2)


def test_what_is_kept_of_a_namespace_that_is_not_asked_for_stays(kept):
    """Whether it has ended, as here, only a daemon that serves all can tell."""
    pair = kept.pair
    kept.start(**RULE)
    sink = pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app(f"send(s, {8000000})")
    app.wait_subflows(4)
    kept.end(signal.SIGTERM)
    assert len(kept.maps()) == 3
    app.stop()
    sink.stop()
    pair.run(["ip", "netns", "delete", pair.client.name])
    del pair.nodes["client"]
    kept.daemon = pair.serve(serve=[pair.server], within=kept)
    assert len(kept.maps()) == 3
    kept.end(signal.SIGTERM)
    assert len(kept.maps()) == 3


def test_without_a_bpf_file_system_it_says_so(pair):
    daemon = pair.serve()
    if not any(line.split()[2] == "bpf" for line in open("/proc/self/mounts")):
        assert "mount -t bpf -o mode=0700 bpf /sys/fs/bpf" in daemon.log.read_text()
