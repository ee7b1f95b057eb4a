# SPDX-License-Identifier: MIT
"""Benchmarks on a small scale: that they run and what they leave for machines, not what comes out."""
import itertools
import json
import socket
import subprocess
import sys

import pytest
from conftest import BUILD, ROOT
from lab import fabric
from lab.netns import PATIENCE

sys.path.insert(0, str(ROOT / "bench"))
import runner  # noqa: E402: the path comes first

ATTEMPTS = 3
# Of what takes too long otherwise: enough for all subflows to come about.
SCALE = ".2"


@pytest.mark.parametrize("name", ["fabric", "harmless", "idle", "spread", "mix", "recover"])
def test_nobody_begins_no_round(name):
    done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", "env", "PYTHONDONTWRITEBYTECODE=1",
                           ROOT / "bench" / name, "--quick"], capture_output=True, text=True,
                          env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SUBFLOW_BUILD": str(BUILD)})
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == f"{name}: network namespaces need root: run this with sudo"


def measured(tmp_path, name, *words):
    """What bench/`name` writes. A machine that is too busy for its gates is given more attempts."""
    file = tmp_path / "figures.json"
    for _ in range(ATTEMPTS):
        done = subprocess.run([ROOT / "bench" / name, "--quick", "--rounds", "1", "--busy", "--json", file,
                               *words], capture_output=True, text=True, timeout=400 * PATIENCE,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SUBFLOW_BUILD": str(BUILD),
                                   "SUBFLOW_PATIENCE": str(PATIENCE)})
        if done.returncode == 0 or "no round passed its gates" not in done.stderr:
            break
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("1 of 1 rounds; ")
    return json.loads(file.read_text())


def check(data, name, keys):
    assert data["bench"] == name and data["quick"] is True and isinstance(data["busy"], bool)
    assert data["commit"] and data["kernel"] and data["cpus"] > 0 and data["seconds"] > 0
    assert [line["key"] for line in data["figures"]] == keys
    for line in data["figures"]:
        assert len(line["values"]) == 1 and line["median"] == line["worst"] == line["values"][0]
        assert isinstance(line["median"], (int, float)) and isinstance(line["met"], bool)
        assert line["what"] in (ROOT / "bench" / "rows.py").read_text()


def test_idle(tmp_path):
    data = measured(tmp_path, "idle", "--scale", ".01")
    check(data, "idle", ["10k"])
    assert data["options"] == {"scale": .01}
    (measured_round,) = data["rounds"]
    assert {name: figures["opened"] for name, figures in measured_round.items()} == {"1k": 10, "10k": 100}
    for figures in measured_round.values():
        assert set(figures) == {"opened", "refused", "known", "resident_kb", "answered_kb", "status_s", "each_bytes",
                                "most_bytes", "cpu_percent", "calls_s", "poll_percent"}
        assert figures["known"] == figures["opened"] and 0 <= figures["refused"]
        assert figures["resident_kb"] > 1000 and 0 <= figures["cpu_percent"] <= 100
        assert figures["poll_percent"] > 0 and figures["status_s"] > 0
        assert 0 < figures["each_bytes"] <= figures["most_bytes"]


def test_detect(tmp_path):
    data = measured(tmp_path, "detect")
    check(data, "detect", ["late", "precision", "recall", "precision-paper", "recall-paper"])
    (measured_round,) = data["rounds"]
    assert set(measured_round) == {"late", "fast", "cost", "websearch", "data-mining", "paper"}
    assert set(measured_round["late"]) == {"late", "late_median", "polled", "polled_median"}
    assert 0 < measured_round["fast"]["between"] < 20 and 0 < measured_round["fast"]["past"] < 20
    assert set(measured_round["cost"]) == {"bpf", "diag", "capture"}
    assert min(measured_round["cost"].values()) > 0
    for name in ("websearch", "data-mining", "paper"):
        mix = measured_round[name]
        assert 0 < mix["elephants"] <= mix["flows"] and 0 <= mix["rightly"] <= mix["told"]
        assert 0 <= mix["polled_rightly"] <= mix["polled"]
    polled = {"10 Hz poll"}
    assert [set(line["without"]) for line in data["figures"]] == [
        polled | {"MB past it by a 10 Hz poll at 1 Gbit/s"}, *[polled] * 4]
    assert all(0 <= line["median"] <= 1 for line in data["figures"][1:])


def test_react(tmp_path):
    data = measured(tmp_path, "react")
    check(data, "react", ["p50", "p99"])
    (measured_round,) = data["rounds"]
    assert set(measured_round) == {"poll", "subflow", "at-once", "alone"}
    alone = measured_round["alone"]
    assert alone["joins"] == 1000 and 0 < alone["median_us"] <= alone["slowest_us"]
    both = {"without [joins] quiet_ms", "10 Hz poll"}
    assert [set(line["without"]) for line in data["figures"]] == [both | {"netlink and handshake alone"}, both]
    for variant in ("subflow", "at-once"):
        assert len(measured_round[variant]["took"]) == 12 and measured_round[variant]["placed"] >= 12
    took = measured_round["subflow"]["took"]
    assert len(measured_round["poll"]["took"]) + measured_round["poll"]["missing"] == 12
    took += measured_round["poll"]["took"]
    for times in took:
        assert 0 < times["syn_us"] and 0 < times["rtt_us"]
        assert times["syn_us"] + times["rtt_us"] <= times["us"], "the data follow the answer to the SYN"


def test_bulk(tmp_path):
    data = measured(tmp_path, "bulk", "--megabytes", "1")
    check(data, "bulk", ["goodput", "cpu", "spread"])
    (measured_round,) = data["rounds"]
    turns = measured_round["turns"]
    assert set(turns) == {"tcp", "mptcp", "again", "four", "subflow", "one-wide", "wide"}
    assert {len(poured) for poured in turns.values()} == {3}
    for poured in itertools.chain(*turns.values()):
        assert poured["mbps"] > 0 and poured["cpu"] > 0
    others = {"TCP", "4 subflows", "chance"}
    assert [set(line["without"]) for line in data["figures"]] == [others, others, set()]
    assert "4 subflows" in data["said"] or "subflows beyond the first" in data["said"]


def test_spread(tmp_path):
    data = measured(tmp_path, "spread", "--connections", "2")
    check(data, "spread", ["distinct-2", "distinct-4", "distinct-8", "wasted-syn", "probes-first-4",
                           "probes-first-8", "probes-next-4", "probes-next-8", "placing", "map",
                           "probes-known", "probes-beside", "probes-spent", "distinct-spent"])
    lines = {line["key"]: line for line in data["figures"]}
    assert all(lines[f"distinct-{size}"]["median"] == 1 for size in (2, 4, 8))
    assert 1 / 8 <= lines["distinct-8"]["without"]["the kernel's ports"]["median"] < 1
    assert lines["wasted-syn"]["median"] == 0
    (measured_round,) = data["rounds"]
    for size in (2, 4, 8):
        told = measured_round["kernel"][str(size)]
        assert told["wasted"] == round(told["connections"] * size * (1 - told["distinct"])), "each subflow is a SYN"
    assert 0 < lines["probes-beside"]["median"] <= 2
    assert lines["map"]["median"] <= 4096 and lines["placing"]["median"] > 0
    for size in (4, 8):
        assert 2 * size <= lines[f"probes-next-{size}"]["median"] < lines[f"probes-first-{size}"]["median"]


def test_spread_counts_what_was_sent():
    """By the kernel, a SYN that was sent again; by the router, one uplink of two where both subflows pass it."""
    spread = runner.load("spread")
    with fabric.leaf_spine(2) as lab:
        lab.lose("leaf0", "spine0")
        lab.reroute()
        daemon = spread.serve(lab, 2, "kernel")
        with lab.host(1).inside(spread.listen) as listener:
            assert spread.connect(lab, listener, 2) == 1
        daemon.stop()
        source, before = lab.host(0), spread.syns(lab.host(0))
        lab.black_hole("leaf0", "spine1")
        with source.inside(socket.socket) as near:
            near.settimeout(1.5)
            with pytest.raises(TimeoutError):
                near.connect((lab.host(1).ip4, spread.PORT))
        assert spread.syns(source) - before == 2


def test_tax(tmp_path):
    data = measured(tmp_path, "tax")
    check(data, "tax", ["requests", "requests-tcp", "connects", "connects-tcp", "mouse", "mouse-net", "elephant",
                        "near", "inside", "outside", "options", "add", "early-add"])
    (measured_round,) = data["rounds"]
    beside = {"capture": "by capture", "diag": "by diag", "tcpdump": "by tcpdump", "packets": "by a counter in tc",
              "again": "chance"}
    assert set(measured_round) == {"bare", "unheard", "hooks", "callbacks", *beside}
    lines = {line["key"]: line for line in data["figures"]}
    for key in ("requests", "connects"):
        own = [theirs for name, theirs in lines[key]["without"].items() if name.startswith("MPTCP's own price")]
        assert [theirs["median"] for theirs in own] == [
            measured_round["bare"]["mptcp"][key] / measured_round["bare"]["tcp"][key]]
        for source, name in beside.items():
            assert lines[key]["without"][name]["values"] == [
                measured_round[source]["mptcp"][key] / measured_round["bare"]["mptcp"][key]]
    assert set(lines["connects"]["without"]) > {"the kernel's events alone"}
    assert measured_round["callbacks"]["naive"] > measured_round["callbacks"]["mouse_empty"]
    assert measured_round["hooks"]["calls"]["has_hooks"] and not measured_round["bare"]["calls"]["has_hooks"]


def test_mix(tmp_path):
    data = measured(tmp_path, "mix")
    check(data, "mix", ["elephants", "mice", "elephants-leaf-spine", "mice-leaf-spine"])
    (measured_round,) = data["rounds"]
    assert set(measured_round) == {f"fat-tree {name}" for name in ("tcp", "mptcp", "random4", "coupled", "subflow")} | {
        f"leaf-spine {name}" for name in ("tcp", "random4", "subflow")}
    for place in ("fat-tree", "leaf-spine"):
        flows = [sorted(flow["bytes"] for flow in result["completions"])
                 for name, result in measured_round.items() if name.startswith(place)]
        assert len(flows[0]) > 10 and all(sizes == flows[0] for sizes in flows), "the same flows for each system"
    assert [set(line["without"]) for line in data["figures"]] == [
        {"1 subflow", "4 random ports", "coupled = yes"}] * 2 + [{"4 random ports"}] * 2


def test_fabric(tmp_path):
    data = measured(tmp_path, "fabric", "--scale", SCALE)
    check(data, "fabric", ["goodput", "over-ecmp", "over-4-random", "over-8-random", "worst-flow"])
    (measured_round,) = data["rounds"]
    has_joins = {"tcp": False, "random4": True, "random8": True, "subflow": True}
    assert set(measured_round) == {"ceiling", "alone", *has_joins}
    for name in has_joins:
        assert set(measured_round[name]) == {"stride8", "permutation"}
        for result in measured_round[name].values():
            assert len(result["flows_mbps"]) == 16 and result["mean_mbps"] > 0
            assert ("MPJoinSynAckRx" in result["mptcp"]) == has_joins[name], "how many is a gate"
    others = {"TCP", "4 random ports", "8 random ports"}
    assert [set(line["without"]) for line in data["figures"]] == [
        others | {"MPTCP that meets nobody"}, set(), set(), set(), others]


def test_harmless(tmp_path):
    data = measured(tmp_path, "harmless", "--scale", SCALE)
    check(data, "harmless", ["unsplit", "unsplit-leaf-spine", "unsplit-coupled", "unsplit-judged", "single-path",
                             "single-path-leaf-spine", "neighbour", "last-hop", "last-hop-fat-tree", "last-hop-coupled"])
    assert data["options"] == {"scale": float(SCALE)}
    (measured_round,) = data["rounds"]
    both, leaf, pairs = {"stride1", "permutation"}, {"leaf-permutation"}, {"pairs", "leaf-pairs"}
    shares = {"share", "last-hop", "tree-last-hop"}
    assert {name: set(told) for name, told in measured_round.items()} == {
        **{name: both | leaf | pairs | shares for name in ("mptcp", "random4", "subflow")},
        "coupled": both | {"last-hop"}, "judged": both, "again": both | leaf | pairs}
    for told in measured_round.values():
        assert all(told[case] > 0 for case in told.keys() - shares)
        assert all(0 <= told[case] <= 2 for case in told.keys() & shares)


def test_all_measures_what_it_is_asked_for_and_shows_every_goal():
    """--quick: and keeps nothing."""
    left = [ROOT / "docs" / "results.md", *sorted((ROOT / "bench" / "results").iterdir())]
    before = [path.read_bytes() for path in left]
    done = subprocess.run([ROOT / "bench" / "all", "idle", "--quick", "--rounds", "1"], capture_output=True, text=True,
                          timeout=400 * PATIENCE, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                                                       "SUBFLOW_BUILD": str(BUILD), "SUBFLOW_PATIENCE": str(PATIENCE)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "== bench/idle\n" in done.stderr
    *table, tally = done.stdout.splitlines()
    lines = {name: [line for line in table if name in line][-1] for name in ("10 000 idle", "100 000 idle")}
    assert lines["10 000 idle"].endswith("does not count: --quick, 1 round only"), "it was measured"
    assert lines["100 000 idle"].endswith("not measured")
    assert tally.startswith("0 met, 0 fall short, 1 do not count, ")
    assert [path.read_bytes() for path in left] == before


def test_recover(tmp_path):
    data = measured(tmp_path, "recover")
    keys = ["stall", "paced", "back", "whole"]
    check(data, "recover", keys + [f"{key}-fat-tree" for key in keys])
    for line in data["figures"]:
        assert line["median"] > 0 and line["without"]["repair off"]["median"] > 0
        if line["key"].startswith("whole"):
            assert line["without"]["repair off"]["median"] == 3000, "nobody takes the place of what is lost"
    (measured_round,) = data["rounds"]
    for fabric in ("leaf-spine", "fat-tree"):
        assert measured_round[f"{fabric} without"]["repairs"] == 0 < measured_round[f"{fabric} subflow"]["repairs"]


def soak(rounds, kept):
    return subprocess.run([ROOT / "bench" / "soak", "--rounds", str(rounds), "--resume", kept], text=True,
                          capture_output=True, timeout=400,
                          env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SUBFLOW_BUILD": str(BUILD)})


def test_soak_goes_on_where_it_was(tmp_path):
    """Each run leaves its rounds; what it finds, and how fast, is not the matter here."""
    for attempt in range(ATTEMPTS):
        kept = tmp_path / f"rounds{attempt}"
        done = [soak(rounds, kept) for rounds in (2, 3)]
        runs = [json.loads(line) for line in kept.read_text().splitlines()]
        if not any(isinstance(run, dict) for run in runs):
            break
    assert [len(run) for run in runs] == [2, 1], [one.stdout + one.stderr for one in done]
    for rounds, one in zip((2, 3), done):
        assert f"{rounds} rounds; the options answer again after " in one.stdout
        assert " joins, " in one.stdout


@pytest.mark.parametrize("lines, says", [
    ([[100.0, 200.0], [1000.0]], None),
    ([[100.0] * 99, [5000.0]], None),
    ([[100.0] * 98, [1000.1]], "not in order: 1 times it took more than 1000 ms\n"),
    ([[100.0] * 198, [1001.0, 5000.0, 2000.0]], "not in order: 3 times it took more than 1000 ms\n"),
    ([[100.0], {"rounds": [90.0], "wrong": "4 joins"}, [80.0]], "not in order: 4 joins\n"),
    ([[100.0, 90.0, 80.0], {"rounds": [], "wrong": "it was lost"}], "not in order: it was lost\n")])
def test_soak_forgets_nothing_that_was_not_in_order(tmp_path, lines, says):
    """All rounds were done already: there is nothing left to do but to judge them."""
    kept = tmp_path / "rounds"
    kept.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = soak(3, kept)
    rounds = sum(len(run["rounds"] if isinstance(run, dict) else run) for run in lines)
    assert " joins, " not in done.stdout and f"{rounds} of {max(rounds, 3)} rounds; the options" in done.stdout
    assert done.returncode == bool(says), done.stdout + done.stderr
    assert (says or "") in done.stdout and ("not in order" in done.stdout) == bool(says)


def test_soak_keeps_what_was_not_in_order(tmp_path):
    """A run that cannot even begin: there is no daemon."""
    kept, empty = tmp_path / "rounds", tmp_path / "build"
    empty.mkdir()
    done = subprocess.run([ROOT / "bench" / "soak", "--rounds", "1", "--resume", kept], text=True,
                          capture_output=True, timeout=400,
                          env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SUBFLOW_BUILD": str(empty)})
    assert done.returncode == 1 and "not in order: " in done.stdout, done.stdout + done.stderr
    run = json.loads(kept.read_text())
    assert run["rounds"] == [] and run["wrong"]


def test_soak_serves_namespaces_that_come_and_go():
    done = subprocess.run([ROOT / "bench" / "soak", "--namespaces", "10"], text=True, capture_output=True,
                          timeout=400, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SUBFLOW_BUILD": str(BUILD)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 namespaces came and went in " in done.stdout and " 5 of them served: " in done.stdout


@pytest.mark.parametrize("name", ["bulk", "detect", "fabric", "harmless", "idle", "mix", "react", "recover",
                                  "spread", "tax"])
def test_help_says_what_is_measured(name):
    done = subprocess.run([ROOT / "bench" / name, "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "--quick" in done.stdout and "--json" in done.stdout
