# SPDX-License-Identifier: MIT
"""Unmodified programs as the lab's flows."""
import pytest
from conftest import BUILD
from labs import breakable  # noqa: F401
from lab import experiment, programs, systems, workloads
from lab.netns import LabError, wait_until

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
    asked = []
    monkeypatch.setattr(experiment, "paths_of", lambda lab, connections, is_download: asked.append(is_download))
    flows = [workloads.Flow(0, 1, 1000)]
    result = experiment.measure(breakable, BUILD, systems.SYSTEMS["tcp"], flows, has_sizes=True,
                                program=workloads.WORKLOADS["curl-download"].program)
    assert "1 flows failed (curl: (22)" in result["discarded"]
    assert asked == [True], "the paths of what is sent back"


def test_a_server_that_ends_is_said_to(breakable, monkeypatch):
    monkeypatch.setattr(programs.Iperf3, "server", lambda self, directory, label:
                        ["sh", "-c", "echo no server today; exit 1"])
    with pytest.raises(LabError, match="iperf3 on host0 ended: no server today"):
        experiment.measure(breakable, BUILD, systems.SYSTEMS["tcp"], [workloads.Flow(0, 1, 1000)],
                           has_sizes=True, program=workloads.WORKLOADS["iperf3"].program)
    assert not list(breakable.directory.glob("iperf3-*"))
