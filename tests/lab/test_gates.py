# SPDX-License-Identifier: MIT
"""Which runs count: how many joins a run may have had."""
import contextlib
import re
import types

import pytest
from lab import campaign, command, experiment, fabric, failures, gates, results, systems, workloads
from lab.netns import LabError
from lab.troubles import TROUBLES, Trouble


@pytest.mark.parametrize("joins, counters, said", [
    (6, {}, []), (8, {}, []), (5, {}, ["5 joins and not 6 to 8"]), (9, {}, ["9 joins and not 6 to 8"]),
    (9, {"repairs": 1}, []), (10, {"moved": 1, "moves_failed": 1}, []), (9, {"replaced": 1}, []),
    (9, {"last_hop_given": 1}, []), (5, {"last_hop_withheld": 1}, []),
    (9, {"splits": 1}, ["9 joins and not 6 to 8"])])
def test_joins_that_take_the_place_of_others_are_as_intended(joins, counters, said):
    result = {"mptcp": {"MPJoinSynAckRx": joins}, "counters": counters}
    assert gates.missed_joins(result, 6, 8) == said


IDLE = {**dict.fromkeys(("creates", "retries", "rounds", "probes", "last_hop_asked", "last_hop_taken"), 0),
        **dict.fromkeys(gates.REPLACING, 0)}


@pytest.mark.parametrize("counters, seconds, bounds, said", [
    ({}, 5, {}, []), ({"creates": 6}, 5, {}, []), ({"creates": 7}, 5, {}, ["7 creates and not at most 6"]),
    ({"creates": 9, "retries": 2, "moved": 1}, 5, {}, []), ({"retries": 48}, 5, {}, []),
    ({"retries": 49}, 5, {}, ["49 retries and not at most 48"]),
    ({"creates": 22, "repairs": 16}, 9.9, {}, []), ({"repairs": 17}, 9.9, {}, ["17 repairs and not at most 16"]),
    ({"repairs": 17}, 10, {}, []), ({"creates": 3}, 5, {"creates": 1}, ["3 creates and not at most 2"]),
    ({"replaced": 1}, 5, {"replaced": 0}, ["1 replaced and not at most 0"]),
    ({"moved": 3, "moves_failed": 1}, 57, {}, []), ({"moved": 3, "moves_failed": 2}, 58, {}, []),
    ({"moved": 3, "moves_failed": 2}, 57, {}, ["5 moves and not at most 4"]),
    ({"replaced": 12}, 5, {}, []), ({"replaced": 13}, 5, {}, ["13 replaced and not at most 12"]),
    ({"replaced": 14, "last_hop_taken": 1, "last_hop_given": 1}, 5, {}, []),
    ({"last_hop_taken": 8, "last_hop_given": 8}, 5, {}, []),
    ({"last_hop_taken": 9}, 5, {}, ["9 last_hop_taken and not at most 8"]), ({"last_hop_taken": 9}, 58, {}, []),
    ({"last_hop_taken": 2, "last_hop_given": 3}, 5, {}, ["3 last_hop_given and not at most 2"]),
    ({"rounds": 2800}, 5, {}, []), ({"rounds": 2801}, 5, {}, ["2801 rounds and not at most 2800"]),
    ({"rounds": 20, "last_hop_asked": 40}, 5, {}, []),
    ({"rounds": 20, "last_hop_asked": 41}, 5, {}, ["41 last_hop_asked and not at most 40"]),
    ({"probes": 8000}, 5, {}, []), ({"probes": 8001}, 5, {}, ["8001 probes and not at most 8000"])])
def test_a_storm_is_more_than_was_promised(counters, seconds, bounds, said):
    """Of two connections, with six subflows in all."""
    result = {"counters": {**IDLE, **counters}, "seconds": seconds, "daemon_cpu_s": seconds * .1}
    assert gates.storms(result, 6, 2, Trouble(bounds=bounds)) == said


def test_so_is_a_daemon_that_takes_too_much_of_the_cpu():
    result = {"counters": IDLE, "seconds": 10, "daemon_cpu_s": 2.6}
    assert gates.storms(result, 6, 2, Trouble(cpu_most=.26)) == []
    assert gates.storms(result, 6, 2, Trouble(cpu_most=.25)) == [
        "subflowd took 26% of a CPU and not at most 25%"]
    most = {name: workload.trouble.cpu_most for name, workload in TROUBLES.items()}
    assert most.pop("crowd") == .5 and set(most.values()) == {.1}


class Quiet:
    """A fabric of one host, on which nothing goes wrong."""
    topology = fabric.Topology([], ["host0"], [], is_checked=False)
    congestion_control = "reno"
    nodes = {"host0": types.SimpleNamespace(control=lambda: "reno")}


@pytest.mark.parametrize("silence, counters, said", [
    (None, {}, []), ("", IDLE, []), ("", {**IDLE, "probes": 9000}, ["9000 probes and not at most 8000"]),
    ("subflowd ended by itself (-9): ready", {}, ["subflowd ended by itself (-9): ready"])])
def test_without_counters_a_run_of_a_daemon_does_not_count(silence, counters, said):
    result = {"mptcp": {}, "cpu_idle": 1, "failed": [], "signs": {}, "steps_left": [], "silence": silence, "counters": counters,
              "seconds": 5, "daemon_cpu_s": 0}
    for trouble in (Trouble(), None):
        scenario = experiment.Scenario(trouble=trouble)
        missed = gates.missed(result, systems.SYSTEMS["tcp"], [], scenario, Quiet)
        assert missed == (said if trouble or silence else []), "a storm is one in a trouble only"


def test_a_step_that_came_too_late_is_no_run():
    result = {"mptcp": {}, "cpu_idle": 1, "failed": [], "silence": None, "counters": {}, "steps_left": ["8:die:core0"]}
    assert gates.missed(result, systems.SYSTEMS["tcp"], [], experiment.Scenario(), Quiet) == [
        "1 steps came too late (8:die:core0)"]


@pytest.mark.parametrize("when", ["soon", "-1", "nan", "inf", ""])
def test_a_step_has_a_time(when):
    topology = fabric.leaf_spine_topology(2, 2, 1, 20)
    assert str(failures.parse("2.5:cut:leaf0:spine1", topology)) == "2.5:cut:leaf0:spine1"
    with pytest.raises(LabError, match="no time"):
        failures.parse(f"{when}:die:spine0", topology)


FINE = {"mptcp": {}, "cpu_idle": 1, "failed": [], "signs": {}, "steps_left": [], "silence": "", "counters": IDLE,
        "seconds": 5, "daemon_cpu_s": 0}
MANY = [workloads.Flow(0, 0, 1000)] * 20


def said_of(flows=(), trouble=None, lab=Quiet, **wrong):
    """What is said of a run with this wrong about it."""
    return gates.missed({**FINE, **wrong}, systems.SYSTEMS["tcp"], list(flows), experiment.Scenario(trouble=trouble), lab)


class Cubic(Quiet):
    nodes = {"host0": types.SimpleNamespace(control=lambda: "cubic")}


WRONG = {
    "stop what else runs": dict(cpu_idle=.03),
    "let it break earlier": dict(steps_left=["8:die:core0"]),
    "see what it said last": dict(silence="subflowd ended by itself (-9): ready"),
    "see what it said": dict(silence="subflowd did not answer in the end"),
    "lower --load or --size": dict(failed=[{"error": "3 did not end in time"}] * 3),
    "the word of who carried it": dict(failed=[{"error": "curl: (22) The requested URL returned error: 404"}]),
    "serves every host": dict(mptcp={"MPJoinRejected": 3}),
    "joins() and least_joins()": dict(mptcp={"MPJoinSynAckRx": 3}),
    "full queues": dict(mptcp={"MPCapableFallbackACK": 3}, flows=MANY),
    "take more --size, so": dict(trouble=Trouble(signs=("A",)), signs={"A": 0}),
    "is a finding": dict(trouble=Trouble(), counters={**IDLE, "probes": 9000}),
    "which is a finding": dict(trouble=Trouble(), daemon_cpu_s=4),
    "tcp_congestion_control": dict(lab=Cubic),
}


@pytest.mark.parametrize("remedy, wrong", WRONG.items())
def test_for_each_gate_that_is_missed_there_is_a_remedy_that_fits(remedy, wrong):
    (said,) = said_of(**wrong)
    assert remedy in gates.remedy(said)
    assert sum(bool(re.search(pattern, said)) for pattern, _ in gates.REMEDIES) == 1
    assert ("--rate" in gates.remedy(said)) == ("of the CPU was idle" in said), "slower links help a slow machine only"


def test_what_was_missed_together_has_the_remedies_of_each_the_likely_cause_first():
    said = "; ".join(said_of(cpu_idle=.03, mptcp={"MPJoinSynAckRx": 3}))
    assert re.search("stop what else runs here.*; run it again, since a lost SYN", gates.remedy(said))
    assert gates.remedy("what no gate says") == "run it again"


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """A campaign of one run, after `ceiling` and `run` were said of what was measured."""
    def make(ceiling, run):
        found = {"mean_mbps": 20, "share": 1, "jain": 1, "flows_mbps": [20], "series": [{"s": 0, "links": {}}]}
        monkeypatch.setattr(campaign.ceiling, "measure", lambda *_: {**found, "discarded": ceiling})
        monkeypatch.setattr(experiment, "measure", lambda *_: {**found, "discarded": run})
        options = command.parse(["run", "stride1", "--system", "tcp", "--seeds", "1", "--results",
                                 str(tmp_path / "r.jsonl")])
        return campaign.Campaign(options, fabric.topology_of(options), "a fabric", contextlib.nullcontext)
    return make


LOW = "the ceiling, 40.1 Mbit/s, is 0.802 of the links' rate and not 0.94"


@pytest.mark.parametrize("ceiling, run, remedy", [
    ("", "only 3% of the CPU was idle", "stop what else runs here"), (LOW, "", "stop what else runs here"),
    ("", "3 joins were rejected", "see that the system's subflowd")])
def test_where_no_run_counts_the_remedy_is_said(measured, ceiling, run, remedy):
    with pytest.raises(LabError, match=rf"^no run counts \({ceiling or run}\): {remedy}"):
        measured(ceiling, run).run()


@pytest.mark.parametrize("commit, is_older", [("abc", False), ("abc+12" + results.OLDER, True), (None, False)])
def test_that_the_binaries_are_older_than_the_tree_is_said_at_once(measured, monkeypatch, capsys, commit, is_older):
    monkeypatch.setattr(results, "commit", lambda: commit)
    measured("", "").run()
    first, *_ = capsys.readouterr().out.splitlines()
    assert first.endswith(" is older than the tree, as the results will say: make first") == is_older


def test_a_trouble_that_left_no_sign_is_said():
    assert gates.absent({"signs": {"A": 0, "B": 0}}) == ["the trouble did not come about: no A or B"]
    assert gates.absent({"signs": {"A": 0, "B": 1}}) == gates.absent({"signs": {}}) == []


def test_a_rule_is_read_as_it_is_shown():
    assert systems.Rule.parse("1/0.5/3") == systems.SCALED
    assert all(systems.Rule.parse(str(rule).removesuffix(" MB")) == rule for rule in (systems.PAPER, systems.TINY))
    for text in ("1/2", "a/b/c", "3/1/2", "1/0/3", "0/1/3", ""):
        with pytest.raises(ValueError):
            systems.Rule.parse(text)


def test_many_steps_are_told_in_short():
    assert failures.told(["a", "b"]) == "a, b"
    assert failures.told(list("abcdef")) == "a, b, c, d and 2 more"
