# SPDX-License-Identifier: MIT
"""The elephant rule on real transfers: when subflows come, and when no more do."""
import re
import socket
import statistics
import subprocess

import pytest
from cli import lacks
from conftest import BUILD, Pair
from lab.netns import wait_until

MB = 1000000


# On a slow machine a timeout that is nobody's fault would be mended by one more join.
NO_REPAIR = {"repair": {"rto_min_ms": 0}}
NOTICED = re.compile(r"threshold token [0-9a-f]{8} threshold (\d+) bytes (\d+)")


def config(start, step, stop, max_subflows):
    return {"elephant": {"start": f"{start}MB", "step": f"{step}MB", "stop": f"{stop}MB",
                         "max_subflows": max_subflows}, **NO_REPAIR}


def joins(pair):
    return pair.client.netstat().get("MPTcpExtMPJoinSynAckRx", 0)


def upload(pair, daemon, megabytes, family="ip4"):
    """Sends through a fresh connection; returns what status says of it before it closes."""
    pair.sink(family=socket.AF_INET if family == "ip4" else socket.AF_INET6)
    app = pair.app(pair.client).connect(getattr(pair.far, family))
    app(f"send(s, {megabytes * MB})")
    return app, pair.connection(daemon, app)


def test_defaults_are_those_of_the_paper(pair):
    """100 MB, then every 50 MB, 4 subflows in all."""
    daemon = pair.serve(NO_REPAIR)
    app, connection = upload(pair, daemon, 320)
    app.wait_subflows(4)
    connection = pair.connection(daemon, app)
    steps = connection["thresholds"]
    assert [step["threshold"] for step in steps] == [100 * MB, 150 * MB, 200 * MB]
    assert [step["subflows"] for step in steps] == [2, 3, 4]
    for step in steps:
        assert step["threshold"] <= step["bytes"] < step["threshold"] + 20 * MB
    assert joins(pair) == 3
    assert "max_subflows" in connection["decision"]
    counters = daemon.status()["daemon"]["counters"]
    assert counters["elephants"] == counters["creates"] == 3
    assert counters["thresholds"] == 4, "one record per threshold crossed: 100, 150, 200 and 250 MB"


class SlowPair(Pair):
    """What waits before the link is 60 kB, which is most of a round trip of data."""

    RATE_MBIT = 20


def test_a_threshold_is_noticed_before_its_round_trip_is_over():
    """By the packets that are sent: some 2 kB late and not half of what is in flight, 30 kB."""
    with SlowPair() as pair:
        daemon = pair.serve({"elephant": {"start": "1MB", "step": "100kB", "stop": "4MB", "max_subflows": 1}})
        upload(pair, daemon, 5)
        late = [int(sent) - int(threshold) for threshold, sent in
                wait_until(lambda: NOTICED.findall(daemon.log.read_text()), "it is noticed")]
    assert len(late) == 30, "one record a threshold"
    assert 0 <= statistics.median(late) < 10_000, late


def test_an_elephant_between_link_local_addresses(pair):
    """They mean nothing without the device of the first subflow, here one of two that have them.
    Where a kernel does not take it, status says why there is no subflow."""
    is_lacking = lacks("link-local-joins")
    pair.veth(pair.client, pair.server, device_a="other", device_b="other")
    for device in (pair.near.device, "other"):
        pair.client.ip(f"address add fe80::1/64 dev {device} nodad")
    for device in (pair.far.device, "other"):
        pair.server.ip(f"address add fe80::2/64 dev {device} nodad")
    daemon = pair.serve(config(start=5, step=5, stop=15, max_subflows=3))
    pair.sink(family=socket.AF_INET6)
    app = pair.app(pair.client).open(socket.AF_INET6)
    app("s.connect(('fe80::2', 7000, 0, socket.if_nametoindex('other')))")
    app("s.send(b'x')")
    app(f"send(s, {20 * MB})")

    if is_lacking:
        wait_until(lambda: "link-local" in pair.connection(daemon, app)["decision"], "it is said why not")
    else:
        app.wait_subflows(3)
    flows = pair.client.run(["ss", "-Htn", "state", "established", "dst", "[fe80::2]"]).splitlines()
    assert all("[fe80::1]%other:" in flow for flow in flows), flows
    if is_lacking:
        pytest.skip("link-local-joins: not in the kernel")


def test_stop_binds_before_max_subflows(pair):
    daemon = pair.serve(config(start=10, step=10, stop=25, max_subflows=8))
    app, connection = upload(pair, daemon, 80)
    app.wait_subflows(3)
    assert [step["threshold"] for step in connection["thresholds"]] == [10 * MB, 20 * MB]
    assert daemon.status()["daemon"]["counters"]["thresholds"] == 2, "no record at or after stop"
    assert joins(pair) == 2


def test_max_subflows_binds_before_stop(pair):
    daemon = pair.serve(config(start=10, step=5, stop=1000, max_subflows=2))
    app, _ = upload(pair, daemon, 40)
    app.wait_subflows(2)
    assert joins(pair) == 1


def test_a_mouse_is_left_alone(pair):
    daemon = pair.serve(config(start=10, step=10, stop=100, max_subflows=4))
    app, connection = upload(pair, daemon, 9)
    assert connection["decision"] == "too small to split"
    assert joins(pair) == 0
    assert daemon.status()["daemon"]["counters"]["thresholds"] == 0


def test_the_bytes_of_all_subflows_count(pair):
    """An application that spread itself early is an elephant at the same number of bytes."""
    daemon = pair.serve(config(start=20, step=20, stop=100, max_subflows=5))
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    app.set(10003, 2)
    app.wait_subflows(3)
    app(f"send(s, {45 * MB})")
    app.wait_subflows(5)
    steps = pair.connection(daemon, app)["thresholds"]
    assert [step["threshold"] for step in steps] == [20 * MB, 40 * MB]
    for step in steps:
        assert step["bytes"] < step["threshold"] + 15 * MB


def test_ipv6(pair):
    daemon = pair.serve(config(start=10, step=10, stop=100, max_subflows=3))
    app, _ = upload(pair, daemon, 40, "ip6")
    assert {local[0] for local, _ in app.wait_subflows(3)} == {pair.near.ip6}


def test_plain_tcp_is_never_touched(pair):
    daemon = pair.serve(config(start=1, step=1, stop=100, max_subflows=4))
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4, protocol=0)
    app(f"send(s, {20 * MB})")
    assert daemon.status()["daemon"]["counters"]["thresholds"] == 0


@pytest.mark.parametrize("program", ["iperf3", "curl"])
def test_unmodified_programs(pair, program):
    """Made MPTCP by `subflow run`, with no other change."""
    daemon = pair.serve(config(start=10, step=10, stop=100, max_subflows=4))
    if program == "iperf3":
        server = daemon.run(pair.server, ["iperf3", "-s", "-1"], stdout=subprocess.DEVNULL)
        wait_until(lambda: pair.server.is_listening(5201), "iperf3 listens")
        client = ["iperf3", "-c", pair.far.ip4, "-n", str(50 * MB)]
    else:
        body = pair.directory / "body"
        body.write_bytes(bytes(50 * MB))
        server = daemon.run(pair.server, ["/usr/bin/python3", "-c", SINK_HTTP],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: pair.server.is_listening(8000), "the web server listens")
        client = ["curl", "-sS", "-f", "-T", str(body), f"http://{pair.far.ip4}:8000/body"]
    process = daemon.run(pair.client, client, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output, _ = process.communicate(timeout=60)
    server.terminate()
    assert process.returncode == 0, output
    assert joins(pair) == 3


SINK_HTTP = """
import http.server
class Sink(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        self.send_response_only(100)
        self.end_headers()
        left = int(self.headers["Content-Length"])
        while left:
            left -= len(self.rfile.read(min(left, 1 << 20)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
http.server.HTTPServer(("", 8000), Sink).serve_forever()
"""


def test_from_the_record_to_the_command_is_counted(pair):
    daemon = pair.serve(config(start=5, step=5, stop=100, max_subflows=4))
    app, _ = upload(pair, daemon, 30)
    app.wait_subflows(4)
    histogram = daemon.status()["daemon"]["create_us"]
    assert histogram["count"] == 3 == sum(bucket["count"] for bucket in histogram["buckets"])
    assert histogram["sum"] > 0
    bounds = [bucket["le"] for bucket in histogram["buckets"]]
    assert bounds[:3] == [10, 20, 30] and bounds[-1] is None


def test_two_elephants_do_not_mix(pair):
    daemon = pair.serve(config(start=10, step=10, stop=100, max_subflows=3))
    pair.sink()
    apps = [pair.app(pair.client).connect(pair.far.ip4) for _ in range(3)]
    for app in apps[:2]:
        app(f"send(s, {30 * MB})")
    for app in apps[:2]:
        app.wait_subflows(3)
    assert len(apps[2].subflows()) == 1
    assert joins(pair) == 4


def test_closed_connections_leave_status(pair):
    daemon = pair.serve(config(start=5, step=5, stop=100, max_subflows=2))
    app, connection = upload(pair, daemon, 10)
    app.close()
    token = connection["token"]
    wait_until(lambda: token not in [c["token"] for c in daemon.status()["connections"]],
               "the connection leaves status")
    text = subprocess.run([BUILD / "cli" / "subflow", "status", f"{token:08x}"],
                          env=daemon.environment, capture_output=True, text=True)
    assert text.returncode == 1 and f"{token:08x}" in text.stderr
