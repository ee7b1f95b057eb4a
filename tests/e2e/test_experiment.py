# SPDX-License-Identifier: MIT
"""One run of the lab: the generator's bytes and times, the systems' subflows, the gates."""
import dataclasses
import itertools
import random
import subprocess

import pytest
from conftest import BUILD
from lab import experiment, fabric, gates, systems, workloads
from lab.netns import wait_until
from lab.traffic import Traffic

RATE_MBIT = 20
SHORT = experiment.Scenario(settle_s=1.5, window_s=1.0)


@pytest.fixture(scope="module")
def small():
    with fabric.leaf_spine(2, 2, 2, rate_mbit=RATE_MBIT, seed=3) as lab:
        yield lab


def run(lab, name, flows, scenario=SHORT, **options):
    return experiment.measure(lab, BUILD, systems.SYSTEMS[name], flows, scenario, **options)


def without_cpu(discarded, others=()):
    """The gates that were missed, but for the one that the neighbours decide, and others."""
    return [gate for gate in discarded.split("; ")
            if gate and not any(text in gate for text in ("of the CPU", *others))]


def test_rates_are_what_the_receivers_got(small):
    result = run(small, "tcp", [workloads.Flow(0, 2)])
    assert without_cpu(result["discarded"]) == []
    assert .5 * RATE_MBIT < result["mean_mbps"] < RATE_MBIT
    used = {name: rate for name, rate in result["links_mbps"].items()
            if name.startswith("leaf0>spine") and rate > 1}
    assert len(used) == 1, "one TCP flow has one path"
    assert sum(used.values()) == pytest.approx(result["mean_mbps"], rel=.25)
    assert result["hosts_mbps"]["host0"] == {"sent": result["mean_mbps"], "received": 0}
    assert result["hosts_mbps"]["host2"] == {"sent": 0, "received": result["mean_mbps"]}
    assert result["mptcp"].get("MPJoinSynAckRx", 0) == 0
    assert len(result["series"]) >= 4


@pytest.mark.parametrize("name, least, most", [("mptcp", 0, 0), ("random4", 6, 6), ("subflow", 2, 6)])
def test_systems_have_the_subflows_that_they_promise(small, name, least, most):
    """There are two paths: what has to share one may be taken back, and is then denied."""
    result = run(small, name, workloads.stride(4, 2)[:2])
    assert without_cpu(result["discarded"]) == []
    repairs = result["counters"].get("repairs", 0)
    replaced = result["counters"].get("replaced", 0)
    assert least <= result["mptcp"].get("MPJoinSynAckRx", 0) <= most + repairs + replaced
    assert not repairs or name == "subflow", "a baseline has no repair"
    if name == "subflow":
        assert 6 <= result["counters"]["elephants"] <= 8, "of four thresholds each"


@pytest.mark.parametrize("name", ["subflow", "random4"])
def test_paths_are_counted_by_what_the_routers_say(small, name):
    """Two paths, four subflows: the two are all that there are, and by lot it may be one."""
    scenario = experiment.Scenario(settle_s=2.0, window_s=1.0, tells_paths=True)
    result = run(small, name, [workloads.Flow(0, 2)], scenario)
    carried = [link for link, rate in result["links_mbps"].items()
               if link.startswith("leaf0>spine") and rate > 1]
    paths = result["paths"]
    assert 1 < paths["subflows"] <= 4 and paths["possible"] == 2
    assert paths["distinct"] == len(carried)


def test_random_ports_are_the_kernels(small):
    """What they are compared with must not choose for them."""
    result = run(small, "random4", workloads.stride(4, 2)[:2])
    assert result["counters"]["surveys"] == result["counters"]["probes"] == 0
    assert result["counters"]["policies"] == 6


def test_a_run_with_other_subflows_than_intended_is_thrown_away(small, monkeypatch):
    monkeypatch.setattr(systems.SYSTEMS["mptcp"], "more", 1)
    result = run(small, "mptcp", [workloads.Flow(0, 2)])
    assert "0 joins and not 1" in result["discarded"]


@pytest.mark.parametrize("name, joins, repairs, replaced, why", [
    ("subflow", 6, 0, 0, ""), ("subflow", 7, 1, 0, ""), ("subflow", 6, 1, 0, ""),
    ("subflow", 7, 0, 1, ""), ("subflow", 2, 0, 0, ""),
    ("subflow", 7, 0, 0, "7 joins and not 2 to 6"), ("subflow", 1, 1, 0, "1 joins and not 2 to 7"),
    ("subflow", 9, 1, 1, "9 joins and not 2 to 8"), ("random4", 5, 0, 0, "5 joins and not 6")])
def test_repairs_are_no_joins_too_many(small, name, joins, repairs, replaced, why):
    result = {"mptcp": {"MPJoinSynAckRx": joins}, "cpu_idle": 1, "failed": [], "silence": "", "steps_left": [],
              "counters": {"repairs": repairs, "replaced": replaced}}
    missed = gates.missed(result, systems.SYSTEMS[name], workloads.stride(4, 2)[:2], SHORT, small)
    assert missed == ([why] if why else [])


def test_a_busy_machine_is_said_to_be(small, monkeypatch):
    monkeypatch.setattr(gates, "IDLE_MIN", 1.1)
    assert "of the CPU was idle" in run(small, "tcp", [workloads.Flow(0, 2)])["discarded"]


@pytest.mark.parametrize("name, family", [("tcp", "ip4"), ("subflow", "ip4"), ("subflow", "ip6")])
def test_every_flow_of_a_mix_completes_with_all_its_bytes(small, name, family):
    rng = random.Random(5)
    flows = [workloads.Flow(*rng.sample(range(4), 2), rng.choice((24, 1000, 30000, 400000)),
                            rng.random()) for _ in range(300)]
    scenario = experiment.Scenario(rule=systems.Rule(200000, 100000, 300000), family=family)
    result = run(small, name, flows, scenario, has_sizes=True)
    # Elephants of a fifth of a second have gone before a busy machine splits them.
    assert without_cpu(result["discarded"], [" joins and not "]) == []
    assert sorted(c["bytes"] for c in result["completions"]) == sorted(f.bytes for f in flows)
    assert all(c["s"] > 0 for c in result["completions"])
    for number, host in enumerate(small.topology.hosts):
        sent = sum(flow.bytes for flow in flows if flow.source == number) * 8e-6 / result["seconds"]
        assert result["hosts_mbps"][host]["sent"] == pytest.approx(sent, rel=.02)
    starts = sorted(c["start_s"] for c in result["completions"])
    assert 0 <= starts[0] and starts[-1] < 3
    if name == "subflow":
        assert result["counters"]["elephants"] > 0


@pytest.mark.parametrize("protocol", ["tcp", "mptcp"])
def test_thousands_of_flows_at_once(small, protocol):
    """From four processes; each byte arrives, and most of the flows are there at the same time."""
    rng = random.Random(7)
    flows = [workloads.Flow(*rng.sample(range(4), 2), rng.randrange(24, 9000)) for _ in range(2000)]
    with Traffic(small, BUILD, protocol, family="ip6" if protocol == "tcp" else "ip4") as traffic:
        origin_ns = traffic.go(flows)
        wait_until(lambda: sum("end_ns" in r or "failed" in r for r in traffic.records()) == len(flows),
                   "all of them end", 120)
        records = traffic.end()
    assert not [record for record in records if "failed" in record]
    ended = {r["flow"]: r for r in records if "end_ns" in r}
    assert [ended[number]["bytes"] for number in range(len(flows))] == [flow.bytes for flow in flows]
    assert min(r["start_ns"] for r in ended.values()) >= origin_ns
    moves = sorted([(r["start_ns"], 1) for r in ended.values()] + [(r["end_ns"], -1) for r in ended.values()])
    assert max(itertools.accumulate(change for _, change in moves)) > 1000


@pytest.mark.parametrize("protocol, has_token", [("mptcp", True), ("tcp", False)])
def test_the_sender_tells_which_connection_it_was(small, protocol, has_token):
    flows = [workloads.Flow(0, 2, 50000), workloads.Flow(1, 3, 60000)]
    with Traffic(small, BUILD, protocol, tells_tokens=True) as traffic:
        traffic.go(flows)
        wait_until(lambda: sum("end_ns" in r for r in traffic.records()) == 2, "both arrive", 30)
        tokens = {r["sent"]: r["token"] for r in traffic.records() if "token" in r}
    assert set(tokens) == {0, 1} and all(bool(token) == has_token for token in tokens.values())


@pytest.mark.parametrize("family", ["ip4", "ip6"])
def test_a_flow_leaves_from_the_port_that_it_is_given(small, family):
    """Again and again, as soon as the last one has ended: a comparison has the same paths each time."""
    flows = [workloads.Flow(0, target, port=40001, is_plain=target == 3) for target in (2, 3)]
    address = getattr(small.host(0), family)
    for _ in range(5):
        with Traffic(small, BUILD, "mptcp", family=family) as traffic:
            traffic.go(flows)
            wait_until(lambda: small.host(0).run(
                ["ss", "-Htn", "state", "established", "sport", "= 40001"]).count(address) == 2,
                       "both leave from there")
            assert not [record for record in traffic.end() if "failed" in record]


@pytest.mark.parametrize("order", ["flow 1 0 0 nowhere 7000 100", "flow 1 0 0 10.0.0.1 7000 23",
                                   "flow 1", "stop", "x" * 5000])
def test_the_generator_refuses_what_it_cannot_read(small, order):
    process = small.host(0).popen([BUILD / "lab" / "traffic", 7001], stdin=-1, stdout=-1, stderr=-1,
                                  text=True)
    _, error = process.communicate(order + "\n", timeout=20)
    assert process.returncode == 2 and error.startswith("traffic: ")


def test_a_connection_refused_is_told(small):
    process = small.host(0).popen([BUILD / "lab" / "traffic", 7001], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
    process.stdin.write(f"flow 7 0 0 {small.host(1).ip4} 9 100\ngo 1\n")
    process.stdin.flush()
    lines = [process.stdout.readline() for _ in range(2)]
    process.communicate("end\n", timeout=20)
    assert '"ready"' in lines[0] and '"failed": 7' in lines[1] and "refused" in lines[1]
