# SPDX-License-Identifier: MIT
"""subflow-lab: a fabric that stays, experiments that can be interrupted, things that break."""
import json
import os
import signal
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest
from conftest import BUILD, ROOT
from lab import experiment, fabric, failures, programs, systems, workloads
from lab.netns import LabError, wait_until

SMALL = ["--topology", "leaf-spine", "--spines", 2, "--leaves", 2, "--hosts", 1, "--rate", 20]


class Command:
    """subflow-lab with a note and results of its own."""

    def __init__(self, directory):
        self.results = directory / "results.jsonl"
        self.environment = {**os.environ, "SUBFLOW_LAB_DIRECTORY": str(directory / "run"),
                            "SUBFLOW_BUILD": str(BUILD)}
        self.note = directory / "run" / "state.json"

    def start(self, *words):
        return subprocess.Popen([ROOT / "lab" / "subflow-lab", *map(str, words)],
                                env=self.environment, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, start_new_session=True)

    def __call__(self, *words):
        """(exit status, output, error)."""
        process = self.start(*words)
        output, error = process.communicate(timeout=120)
        return process.returncode, output, error

    def run(self, *words):
        return "run", *words, *SMALL, "--results", self.results

    def kept(self):
        text = self.results.read_text() if self.results.exists() else ""
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def command(tmp_path):
    command = Command(tmp_path)
    yield command
    if command.note.exists():
        assert command("down")[0] == 0


def namespaces(prefix):
    return [name for name in os.listdir("/run/netns") if name.startswith(prefix)]


def test_up_shell_down(command):
    assert command("up", "leaf-spine", "--spines", 2, "--leaves", 2, "--hosts", 1)[0] == 0
    note = json.loads(command.note.read_text())
    assert len(namespaces(note["prefix"])) == 6
    address = note["hosts"]["host1"]["ip4"]
    status, output, error = command("shell", "host0", "ip", "route", "get", address)
    assert status == 0 and "via" in output, error
    status, _, error = command("up", "fat-tree")
    assert (status, error.count("\n")) == (1, 1) and "subflow-lab down" in error
    status, _, error = command("shell", "nobody")
    assert (status, error.count("\n")) == (1, 1) and "host0, host1" in error
    assert command("down")[0] == 0
    assert namespaces(note["prefix"]) == [] and not os.path.exists(note["cgroup"])
    status, _, error = command("down")
    assert (status, error) == (1, "subflow-lab: no lab is up\n")


def test_down_cleans_up_after_everything_was_killed(command):
    assert command("up", "leaf-spine", "--spines", 1, "--leaves", 1, "--hosts", 2)[0] == 0
    note = json.loads(command.note.read_text())
    for proc in os.listdir("/proc"):
        if proc.isdigit() and proc != str(os.getpid()):
            try:
                line = open(f"/proc/{proc}/cmdline").read()
            except OSError:
                continue
            if "reaper.py" in line and note["prefix"] in line:
                os.kill(int(proc), signal.SIGKILL)
    os.kill(note["pid"], signal.SIGKILL)
    assert namespaces(note["prefix"])
    assert command("down")[0] == 0
    assert namespaces(note["prefix"]) == [] and not os.path.exists(note["directory"])


@pytest.mark.parametrize("words, remedy", [
    (["up", "fat-tree", "--rate", "5000"], "take --rate"),
    (["up", "fat-tree", "--k", "3"], "k is even"),
    (["up", "leaf-spine", "--asymmetry", "spine9=10"], "no link is called spine9"),
    (["up", "leaf-spine", "--gso", "100"], "at least 1514"),
    (["run", "stride1", "--fail", "2:explode:leaf0"], "die:NODE"),
    (["run", "stride1", "--fail", "2:die:spine0"], "the topology has no spine0"),
    (["run", "stride1", "--fail", "soon:notice"], "no time"),
    (["model", "--k", "5"], "k is even"),
    (["report", "--results", "/nowhere"], "subflow-lab run"),
])
def test_what_cannot_be_is_said_in_one_line(command, words, remedy):
    status, _, error = command(*words)
    assert status == 1 and error.count("\n") == 1 and remedy in error, error
    assert not command.note.exists()


def test_without_root(command):
    process = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", "/usr/bin/python3", "-m",
                              "lab", "up", "fat-tree"], cwd=ROOT, env=command.environment,
                             capture_output=True, text=True)
    assert process.returncode == 1 and process.stderr.endswith("run this with sudo\n")


def test_pictures(command):
    status, output, _ = command("draw", "fat-tree", "--dot")
    assert status == 0 and output.startswith("graph") and output.count(" -- ") == 48
    status, output, _ = command("draw", "leaf-spine", "--asymmetry", "spine0=10")
    lines = [e for e in ElementTree.fromstring(output).iter() if e.tag.endswith("line")]
    assert status == 0 and len(lines) == 2 * (16 + 16)


def test_the_model_needs_nothing(command):
    status, output, error = command("model", "--k", 4, "--seeds", 2)
    rows = [line.split() for line in output.splitlines()]
    assert status == 0 and ["one", "path", "by", "ECMP"] in [row[:4] for row in rows], error
    assert "assumed:" in output


def test_an_interrupted_run_keeps_what_it_has_and_goes_on(command):
    words = command.run("stride1", "--system", "tcp", "--system", "mptcp", "--seeds", 2,
                        "--seconds", 1)
    process = command.start(*words)
    first = process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130 and "the same command goes on" in error
    assert len(command.kept()) == 1 and first.startswith("seed 1 tcp")
    # Whether the machine was idle enough is not the question here.
    line = {**command.kept()[0], "discarded": ""}
    command.results.write_text(json.dumps(line) + '\n{"workload": "str')
    _, output, error = command(*words)
    assert "seed 1 tcp: kept from before" in output, error
    lines = command.results.read_text().splitlines()
    assert len(lines) == 1 + 1 + 3, "the whole one, the torn one, and three new ones"
    for line in lines[2:]:
        result = json.loads(line)
        assert result["kernel"] and result["commit"] and result["settings"]["rule"]
        assert {"mptcp", "links_mbps", "cpu_idle", "retransmits", "seed"} <= set(result)


def test_asymmetry_is_real(command):
    topology = fabric.with_rates(fabric.leaf_spine_topology(2, 2, 1, 20), {"spine0": 5})
    with fabric.Fabric(topology, seed=1) as lab:
        shown = {at: lab.nodes[at].run(["tc", "class", "show", "dev", to])
                 for at, to in (("spine0", "leaf1"), ("spine1", "leaf1"))}
    assert "rate 5Mbit" in shown["spine0"] and "rate 20Mbit" in shown["spine1"]


@pytest.fixture(scope="module")
def breakable():
    with fabric.leaf_spine(2, 2, 1, rate_mbit=20, seed=4) as lab:
        yield lab


def carried(lab, *steps):
    """{spine: bytes that leaf0 gave it late in a run of one TCP flow}, and its longest silence."""
    steps = tuple(failures.parse(step, lab.topology) for step in steps)
    scenario = experiment.Scenario(settle_s=1.0, window_s=3.0, steps=steps)
    result = experiment.measure(lab, BUILD, systems.SYSTEMS["tcp"], [workloads.Flow(0, 1)], scenario)
    late, last = result["series"][-4]["links"], result["series"][-1]["links"]
    return ({spine: last[f"leaf0>{spine}"] - late[f"leaf0>{spine}"] for spine in ("spine0", "spine1")},
            result["gap_ms"][0], result["mean_mbps"])


def test_a_spine_dies_is_noticed_and_comes_back(breakable):
    """The flow stalls where it hits its path, and goes on over the other one."""
    both = ["1:die:spine0", "1.5:notice"], ["1:die:spine1", "1.5:notice"]
    for spine, steps in zip(("spine0", "spine1"), both):
        used, _, _ = carried(breakable, *steps)
        other = {"spine0": "spine1", "spine1": "spine0"}[spine]
        assert used[other] > 200000 and used[spine] < 10000
        for a, b in [tuple(link) for link in breakable.lost]:
            breakable.lose(a, b, on=False)
        breakable.reroute()
    assert breakable.lost == set()
    used, gap_ms, rate_mbit = carried(breakable)
    assert sum(used.values()) > 200000 and rate_mbit > 10


def test_a_silent_drop_in_one_direction_stalls_the_flow(breakable):
    used, gap_ms, _ = carried(breakable, "1.5:drop:leaf0:spine0", "1.5:drop:leaf0:spine1")
    for spine in ("spine0", "spine1"):
        breakable.black_hole("leaf0", spine, on=False)
    assert sum(used.values()) == 0 and gap_ms > 1000


def test_steps_are_checked(breakable):
    for text, why in (("1:cut:leaf0:host1", "not linked"), ("1:die:nobody", "no nobody"),
                      ("1:cut:leaf0", "cut:NODE:NODE")):
        with pytest.raises(LabError, match=why):
            failures.parse(text, breakable.topology)


# A transfer of a second does not wait for a look at the paths of a slow link.
SPLITS = systems.Elephant("splits", "by the kernel's ports", placement={"mode": "kernel"})
SMALL_RULE = systems.Rule(200000, 100000, 600000)
SIZE = 2000000


def content(path):
    """{file's name below: bytes} of a tree, or of one file."""
    if path.is_file():
        return {"": path.read_bytes()}
    return {str(f.relative_to(path)): f.read_bytes() for f in path.rglob("*") if f.is_file()}


@pytest.mark.parametrize("program, family, sent, arrived", [
    ("iperf3", "ip4", None, None), ("rsync", "ip4", "tree", "copy0"), ("rsync", "ip6", "tree", "copy0"),
    ("curl-upload", "ip6", "file", "upload0"), ("curl-download", "ip4", "file", "download0")])
def test_real_programs_are_elephants_and_lose_nothing(breakable, program, family, sent, arrived):
    """Both ends unmodified, under `subflow run`; the daemon splits what they send or fetch."""
    program = workloads.WORKLOADS[program].program
    daemon = SPLITS.start(breakable, BUILD, SMALL_RULE)
    try:
        with programs.Transfers(breakable, BUILD, program, "mptcp", family) as transfers:
            transfers.go([workloads.Flow(0, 1, SIZE)])
            (record,) = wait_until(transfers.records, f"{program.name} ends", 60)
            assert record.get("bytes") == SIZE and record["end_ns"] > record["start_ns"], record
            if sent:
                assert sum(map(len, content(transfers.directory / sent).values())) == SIZE
                assert content(transfers.directory / sent) == content(transfers.directory / arrived)
        assert daemon.status()["daemon"]["counters"]["established"] > 0
    finally:
        daemon.stop()
    assert not transfers.directory.exists()


def test_a_program_that_fails_is_a_flow_that_failed(breakable, monkeypatch):
    monkeypatch.setattr(programs.Download, "url", lambda self, address, path:
                        f"http://{address}:{self.port}/nothing")
    flows = [workloads.Flow(0, 1, 1000)]
    result = experiment.measure(breakable, BUILD, systems.SYSTEMS["tcp"], flows, has_sizes=True,
                                program=workloads.WORKLOADS["curl-download"].program)
    assert "1 flows failed (curl: (22)" in result["discarded"]


def test_a_server_that_ends_is_said_to(breakable, monkeypatch):
    monkeypatch.setattr(programs.Iperf3, "server", lambda self, directory, label:
                        ["sh", "-c", "echo no server today; exit 1"])
    with pytest.raises(LabError, match="iperf3 on host0 ended: no server today"):
        experiment.measure(breakable, BUILD, systems.SYSTEMS["tcp"], [workloads.Flow(0, 1, 1000)],
                           has_sizes=True, program=workloads.WORKLOADS["iperf3"].program)
    assert not list(breakable.directory.glob("iperf3-*"))


def test_the_papers_experiment_keeps_what_was_decided(command):
    """The real one takes minutes; this is a hundredth of it."""
    words = "run", "paper", "--no-paper-rule", "--system", "subflow", "--size", 8, "--rate", 20
    status, output, error = command(*words, "--spines", 2, "--busy", "--results", command.results)
    (result,) = command.kept()
    assert status == 0 and result["discarded"] == "", (output, error, result["discarded"])
    assert result["settings"]["rule"] == "1/0.5/3 MB" and result["settings"]["size"] == 8
    assert result["shape"]["topology"] == "leaf-spine" and result["shape"]["leaves"] == 2
    assert [c["bytes"] for c in result["completions"]] == [8000000]
    decided = result["decisions"]
    assert decided == sorted(decided, key=lambda line: line["s"])
    assert max(line["subflows"] for line in decided) > 1
    # A look each quarter of a second may miss a threshold that passes in less.
    assert decided[0]["bytes"] <= 8000000
    assert any(" more subflow at " in line["decision"] or line["decision"].startswith("no more at ")
               for line in decided), decided
