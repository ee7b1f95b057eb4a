# SPDX-License-Identifier: MIT
"""Ways to see an elephant: the same traffic gives the same decisions with each."""
import ctypes
import errno
import json
import os
import re
import shlex
import struct
import subprocess
from pathlib import Path

import pytest
from app import ADD
from cli import doctor
from conftest import BUILD, Pair
from lab.daemon import Daemon
from lab.netns import LabError, wait_until
from test_daemon import WITHOUT, run
from test_downloads import download
from test_elephant import MB, NO_REPAIR, config, joins, upload

SOURCES = ["bpf", "capture", "diag"]


def detect(source, rule=NO_REPAIR, **values):
    return {**rule, "detect": {"source": source, **values}}


def serve(pair, source, rule=NO_REPAIR, **values):
    """A daemon in the client's namespace: what it captures it captures there."""
    if source == "capture":
        values.setdefault("interface", pair.near.device)
    return pair.serve(detect(source, rule, **values), within=pair.client)


@pytest.fixture(params=SOURCES)
def source(request):
    return request.param


def looks(daemon):
    return daemon.status()["daemon"]["counters"]["looks"]


def test_the_decisions_are_the_same(pair, source):
    """The paper's rule: the same thresholds, each seen in time, and the same subflows."""
    daemon = serve(pair, source)
    app, connection = upload(pair, daemon, 320)
    app.wait_subflows(4)
    connection = pair.connection(daemon, app)
    steps = connection["thresholds"]
    assert [step["threshold"] for step in steps] == [100 * MB, 150 * MB, 200 * MB]
    assert [step["subflows"] for step in steps] == [2, 3, 4]
    for step in steps:
        assert step["threshold"] <= step["bytes"] < step["threshold"] + 50 * MB
    wait_until(lambda: daemon.status()["daemon"]["counters"]["thresholds"] == 4,
               "100, 150, 200 and 250 MB are seen")
    assert "max_subflows" in pair.connection(daemon, app)["decision"]
    assert joins(pair) == 3
    assert daemon.status()["daemon"]["source"] == source


def test_downloads(pair, source):
    daemon = serve(pair, source, config(start=20, step=20, stop=1000, max_subflows=3))
    app, _ = download(pair, 100)
    app.wait_subflows(3)
    steps = pair.connection(daemon, app)["thresholds"]
    assert [step["threshold"] for step in steps] == [20 * MB, 40 * MB]


def test_downloads_can_be_left_alone(pair, source):
    rule = config(start=10, step=10, stop=1000, max_subflows=3)
    rule["elephant"]["downloads"] = "no"
    daemon = serve(pair, source, rule)
    app, _ = download(pair, 50)
    app(f"send(s, {15 * MB})")
    app.wait_subflows(2)
    assert joins(pair) == 1


def test_stop(pair, source):
    daemon = serve(pair, source, config(start=20, step=20, stop=50, max_subflows=8))
    app, _ = upload(pair, daemon, 120)
    app.wait_subflows(3)
    assert daemon.status()["daemon"]["counters"]["thresholds"] == 2, "none at stop or after"
    assert joins(pair) == 2


def test_two_namespaces_are_asked(pair, source):
    """Each of the two is the other one's client."""
    daemon = serve(pair, source, config(start=10, step=10, stop=1000, max_subflows=2))
    app, _ = upload(pair, daemon, 40)
    pair.sink(pair.client)
    back = pair.app(pair.server).connect(pair.near.ip4)
    back(f"send(s, {40 * MB})")
    app.wait_subflows(2)
    back.wait_subflows(2)


def test_diag_asks_nothing_without_connections(pair):
    daemon = serve(pair, "diag", interval_ms=10)
    assert looks(daemon) == 0
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    wait_until(lambda: looks(daemon) > 2, "an idle connection is looked at now and then")
    app.close()
    wait_until(lambda: is_still(daemon), "nothing is asked any more")


def is_still(daemon):
    """Between two questions that each take longer than the interval."""
    before = looks(daemon)
    for _ in range(20):
        daemon.status()
    return looks(daemon) == before


def test_diag_leaves_what_has_passed_stop(pair):
    rule = config(start=1, step=1000, stop=1000, max_subflows=2)
    daemon = serve(pair, "diag", rule, interval_ms=10)
    app, _ = upload(pair, daemon, 10)
    app.wait_subflows(2)
    wait_until(lambda: is_still(daemon), "nothing is asked any more")


def test_diag_sees_what_a_daemon_before_it_has_left(pair):
    """A connection is taken up with what it has sent: hooks would not tell of it any more."""
    rule = config(start=20, step=20, stop=1000, max_subflows=3)
    daemon = serve(pair, "diag", rule)
    app, _ = upload(pair, daemon, 15)
    daemon.process.kill()
    daemon.process.wait(10)
    daemon.start([pair.client, pair.server], pair.client)
    app(f"send(s, {10 * MB})")
    app.wait_subflows(2)
    assert [step["threshold"] for step in pair.connection(daemon, app)["thresholds"]] == [20 * MB]


def untreated(daemon):
    return daemon.status().get("untreated", [])


def counters(daemon):
    return daemon.status()["daemon"]["counters"]


@pytest.mark.parametrize("source", ["bpf", "diag"])
def test_plain_tcp_is_shown_and_never_touched(pair, source):
    values = {"plain_tcp": "yes"} if source == "bpf" else {}
    daemon = serve(pair, source, config(start=10, step=10, stop=1000, max_subflows=4), **values)
    pair.sink()
    mouse = pair.app(pair.client).connect(pair.far.ip4, protocol=0)
    mouse(f"send(s, {5 * MB})")
    app = pair.app(pair.client).connect(pair.far.ip4, protocol=0)
    app(f"send(s, {20 * MB})")
    # The kernel has no callback for what plain TCP receives.
    ends = {"own"} if source == "bpf" else {"own", pair.server.name}
    whole = [("own", "bytes_sent"), (pair.server.name, "bytes_received")][:len(ends)]

    def find():
        at = {flow["namespace"]: flow for flow in untreated(daemon)}
        return set(at) == ends and all(at[name][key] >= 20 * MB for name, key in whole) and at

    at = wait_until(find, "the ends of the flow are shown, with all its bytes")
    assert len(untreated(daemon)) == len(ends)
    assert at["own"]["local"].startswith(f"{pair.near.ip4}:")
    assert at["own"]["remote"] == f"{pair.far.ip4}:7000"
    assert joins(pair) == 0
    app.close()
    wait_until(lambda: not [f for f in untreated(daemon) if f["namespace"] == "own"],
               "what has ended is not shown any more")


def test_plain_tcp_costs_nothing_if_it_is_not_asked_for(pair):
    """No callback, no record, no list; until the operator asks for it."""
    daemon = serve(pair, "bpf", config(start=10, step=10, stop=1000, max_subflows=4))
    pair.sink()
    first = pair.app(pair.client).connect(pair.far.ip4, protocol=0)
    first(f"send(s, {20 * MB})")
    records = counters(daemon)["records"]
    does = subprocess.run([daemon.cli, "set", "detect.plain_tcp", "yes"], env=daemon.environment,
                          capture_output=True, text=True)
    assert does.returncode == 0, does.stderr
    assert not untreated(daemon) and records == 0
    second = pair.app(pair.client).connect(pair.far.ip4, protocol=0)
    second(f"send(s, {20 * MB})")
    wait_until(lambda: untreated(daemon), "the flow is shown")


def test_what_another_program_has_asked_for_stays(pair):
    """The callbacks of a socket are everybody's: who asks for none of its own takes none away."""
    other = pair.client.popen([BUILD / "bench" / "prototype", "rounds", pair.cgroup], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "ready\n"
    serve(pair, "diag", config(start=10, step=10, stop=1000, max_subflows=2))
    pair.sink()
    pair.app(pair.client).connect(pair.far.ip4)(f"send(s, {4 * MB})")
    noted = [flow["formatted"]["value"] for path in Path(f"/proc/{other.pid}/fdinfo").iterdir()
             for number in re.findall(r"^map_id:\s*(\d+)$", path.read_text(), re.M)
             for flow in json.loads(pair.run(["bpftool", "-j", "map", "dump", "id", number]))]
    assert max(noted) > MB, "its callbacks come after the first one, which is of the handshake"
    other.stdin.close()
    assert other.wait(10) == 0


def test_split_elephants_are_not_among_those_that_cannot_be(pair):
    daemon = serve(pair, "diag", config(start=10, step=10, stop=1000, max_subflows=2))
    pair.sink()
    plain = pair.app(pair.client).connect(pair.far.ip4, protocol=0)
    plain(f"send(s, {20 * MB})")
    app = pair.app(pair.client).connect(pair.far.ip4)
    app(f"send(s, {40 * MB})")
    app.wait_subflows(2)
    wait_until(lambda: len(untreated(daemon)) == 2, "the plain flow is shown")
    port = plain("s.getsockname()[1]")
    assert {f["local"].rpartition(":")[2] for f in untreated(daemon)} == {str(port), "7000"}


def test_capture_counts_what_is_on_the_wire_and_no_more(pair):
    """Every byte once: the packets of a transfer, and a mouse is none."""
    daemon = serve(pair, "capture", config(start=30, step=10, stop=1000, max_subflows=4))
    app, _ = upload(pair, daemon, 29)
    assert joins(pair) == 0
    assert counters(daemon)["packets"] > 100
    assert counters(daemon)["packets_malformed"] == 0
    app(f"send(s, {5 * MB})")
    app.wait_subflows(2)


def test_capture_knows_connections_that_it_has_not_seen_begin(pair):
    rule = config(start=20, step=20, stop=1000, max_subflows=3)
    daemon = serve(pair, "capture", rule)
    app, _ = upload(pair, daemon, 5)
    daemon.process.kill()
    daemon.process.wait(10)
    daemon.start([pair.client, pair.server], pair.client)
    app(f"send(s, {25 * MB})")
    app.wait_subflows(2)


def test_capture_shows_plain_tcp_that_passes_by(pair):
    daemon = serve(pair, "capture", config(start=10, step=10, stop=1000, max_subflows=4))
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4, protocol=0)
    app(f"send(s, {20 * MB})")
    [flow] = wait_until(lambda: untreated(daemon), "the flow is shown")
    assert flow["namespace"] is None
    assert f"{pair.far.ip4}:7000" in (flow["local"], flow["remote"])
    assert flow["bytes_sent"] + flow["bytes_received"] >= 20 * MB
    assert "cannot be treated passes by" in daemon.log.read_text()
    assert joins(pair) == 0
    app.close()
    wait_until(lambda: not untreated(daemon), "what has ended is not shown any more", 30)


def test_capture_waits_for_an_interface(pair):
    daemon = serve(pair, "capture", config(start=10, step=10, stop=1000, max_subflows=2),
                   interface=f"later {pair.near.device}")
    assert "[detect] interface = later cannot be listened on" in daemon.log.read_text()
    pair.client.ip("link add later type veth peer name peer", "link set later up")
    wait_until(lambda: "listening on later" in daemon.log.read_text(), "it is listened on")
    pair.client.ip("link delete later")
    wait_until(lambda: "later cannot be listened on any more" in daemon.log.read_text(),
               "its end is noticed")
    app, _ = upload(pair, daemon, 30)
    app.wait_subflows(2)


def test_flows_of_virtual_machines_behind_a_bridge_are_shown():
    """Their host sees them, on a bridge in promiscuous mode; they are none of its namespaces."""
    with Pair() as lab:
        host = lab.netns("host")
        host.ip("link add bridge type bridge", "link set bridge up")
        for label, name in (("client", "one"), ("server", "two")):
            node = getattr(lab, label)
            lab.run(["ip", "link", "add", name, "netns", host.name, "type", "veth",
                     "peer", "name", "eth0", "netns", node.name])
            host.ip(f"link set {name} master bridge up")
            node.ip("link set eth0 up",
                    f"address add 10.9.0.{1 if name == 'one' else 2}/24 dev eth0")
        rule = config(start=10, step=10, stop=1000, max_subflows=4)
        daemon = lab.serve(detect("capture", rule, interface="bridge"), serve=[host], within=host)
        lab.sink()
        for protocol in (0, None):
            options = {} if protocol is None else {"protocol": protocol}
            app = lab.app(lab.client).connect("10.9.0.2", **options)
            app(f"send(s, {20 * MB})")
        shown = wait_until(lambda: [e for e in [untreated(daemon)] if len(e) == 2],
                           "both flows are shown")[0]
        assert all("10.9.0.2:7000" in (flow["local"], flow["remote"]) for flow in shown)
        assert joins(lab) == 0


@pytest.mark.parametrize("missing", ["BTF", "CAP_BPF"])
def test_diag_goes_on_where_there_are_no_hooks(pair, missing):
    """Elephants, policy, rules and operators are served; what hooks alone can do is missing, and said to be."""
    wrap, parts = WITHOUT[missing]
    daemon = Daemon(pair, BUILD, {
        **config(start=10, step=10, stop=1000, max_subflows=3), "benefit": {"margin_percent": 0},
        "rule no": {"port": 7001, "split": "never"}, "detect": {"source": "diag"},
        "namespaces": {"serve": f"{pair.client.name} {pair.server.name}"}})
    script = pair.directory / "subflowd.sh"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(wrap)} {daemon.binary} "$@"\n')
    script.chmod(0o755)
    daemon.binary = script
    daemon.start([pair.client, pair.server])
    log = daemon.log.read_text()
    assert "with [detect] source = diag it goes on without the hooks" in log
    assert all(part in log for part in parts) and "hooks attached" not in log
    status = daemon.status()["daemon"]
    assert not status["hooks"] and not status["coupled"]

    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app("send(s, 60000000)")
    wait_until(lambda: len(connection_of(daemon, 7000)["subflows"]) == joins(pair) + 1 == 3, "an elephant is split")
    with pytest.raises(OSError) as caught:
        app.set(ADD, 1)
    assert caught.value.errno in (errno.ENOPROTOOPT, errno.EOPNOTSUPP)
    pair.sink(port=7001)
    never = pair.app(pair.client).connect(pair.far.ip4, 7001)
    never("send(s, 30000000)")
    assert len(connection_of(daemon, 7001)["subflows"]) == 1
    assert daemon.ask(line=f"add {pair.client.name}/{connection_of(daemon, 7001)['token']:x}")["done"]
    wait_until(lambda: len(connection_of(daemon, 7001)["subflows"]) == 2, "an operator's one comes up")
    assert connection_of(daemon, 7001)["rule"] == "no"
    assert daemon.ask(line="set elephant.start 5MB")["done"]
    check = doctor(control=daemon.socket)["subflowd"]
    assert check["state"] == "warn" and "hooks: false" in check["detail"]
    daemon.stop()
    assert daemon.process.returncode == 0
    never("s.send(b'x')")


def test_diag_needs_to_be_root_all_the_same(pair):
    """Without hooks there are namespaces to enter, and the path manager to be told."""
    wrap, parts = WITHOUT["root"]
    pair.directory.chmod(0o1777)
    status, error = run(pair, f"[control]\nsocket = {pair.directory / 'control'}\n"
                              "[detect]\nsource = diag\n", wrap)
    assert status == 1 and error.count("\n") == 1
    assert all(part in error for part in parts)


def bpf(command, attributes):
    attributes = ctypes.create_string_buffer(attributes, 128)
    result = ctypes.CDLL(None, use_errno=True).syscall(321, command, attributes, len(attributes))
    if result < 0:
        raise OSError(ctypes.get_errno(), "bpf(2)")
    return result


def attach_alone(cgroup):
    """A program that suffers no other one beside it: attached without BPF_F_ALLOW_MULTI."""
    code = ctypes.create_string_buffer(bytes.fromhex("b700000001000000 9500000000000000"))
    name = ctypes.create_string_buffer(b"MIT")
    program = bpf(5, struct.pack("=IIQQ", 25, 2, ctypes.addressof(code), ctypes.addressof(name))
                  + bytes(44) + struct.pack("=I", 22))
    folder = os.open(cgroup, os.O_RDONLY)
    bpf(8, struct.pack("=IIII", folder, program, 22, 0))
    os.close(program)
    os.close(folder)


@pytest.mark.parametrize("source", ["bpf", "diag"])
def test_hooks_that_cannot_be_attached(pair, source):
    """diag goes on, and leaves none of them behind that could be."""
    attach_alone(pair.cgroup)
    if source == "bpf":
        with pytest.raises(LabError, match="subflow_set cannot be attached"):
            pair.serve({"detect": {"source": source}})
    else:
        daemon = pair.serve({"detect": {"source": source}})
        assert "subflow_set cannot be attached" in daemon.log.read_text()
        assert not daemon.status()["daemon"]["hooks"]
    shown = pair.run(["bpftool", "cgroup", "show", pair.cgroup])
    assert "setsockopt" in shown and "subflow_" not in shown


def connection_of(daemon, port):
    return [c for c in daemon.status()["connections"]
            if c["role"] == "client" and c["remote"].endswith(f":{port}")][0]
