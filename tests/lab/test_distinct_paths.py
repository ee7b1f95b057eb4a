# SPDX-License-Identifier: MIT
"""What a run keeps of its connections, and how it counts their paths."""
from types import SimpleNamespace

import pytest
from lab import experiment
from lab.measure import live_of


class Daemon:
    """subflowd, as it answers one question after another."""

    def __init__(self, *answers):
        self.answers = [*answers]

    def ask(self):
        return {"connections": self.answers.pop(0)}

    def cpu_s(self):
        return 0


class Lab:
    nodes = {}


def connection(live, sent, token=1, role="client", closed=0):
    return {"namespace": "host0", "token": token, "role": role, "decision": f"at {sent}", "bytes_sent": sent,
            "subflows": [{"state": "established"}] * live + [{"state": "closing"}] * closed}


def watched(*answers, **keeps):
    watch = experiment.Watch(Lab, Daemon(*answers), **keeps)
    for _ in answers:
        watch.take()
    return watch


def test_a_connection_that_ends_is_kept_as_it_was_with_most_subflows():
    watch = watched([connection(1, 1)], [connection(3, 2), connection(1, 9, token=2)],
                    [connection(3, 3), connection(4, 3, token=2, role="server")], [connection(1, 4, closed=2)], [],
                    keeps=True)
    assert {name: (live_of(found), found["bytes_sent"]) for name, found in watch.fullest.items()} == {
        "host0 00000001": (3, 3), "host0 00000002": (1, 9)}
    assert watch.decisions == []


def test_what_is_decided_is_kept_once():
    watch = watched([connection(1, 1)], [connection(1, 1)], [connection(2, 2)], follows=True)
    assert [(line["bytes"], line["subflows"]) for line in watch.decisions] == [(1, 1), (2, 2)]
    assert watch.fullest == {}


def test_nobody_is_asked_for_nothing():
    assert watched([connection(1, 1)]).daemon.answers == [[connection(1, 1)]]
    assert experiment.clients(None) == []


class Fabric:
    """Two hosts with four paths between them: the one that the client's port says."""

    def __init__(self):
        self.topology = SimpleNamespace(hosts=("host0", "host1"), paths=lambda source, target: 4)
        self.nodes = {"host0": SimpleNamespace(ip4="10.0.1.1"), "host1": SimpleNamespace(ip4="10.0.2.1")}
        self.asked = []

    def path_of(self, source, target, sport, dport):
        self.asked.append((source.ip4, target.ip4, sport, dport))
        return [sport % 4, dport % 4]


@pytest.mark.parametrize("is_download, ends", [(False, ("10.0.1.1", "10.0.2.1", 1, 80)),
                                               (True, ("10.0.2.1", "10.0.1.1", 80, 1))])
def test_paths_are_those_of_the_data(is_download, ends):
    lab, ports = Fabric(), {1: "established", 2: "established", 5: "established", 4: "established", 7: "closing"}
    subflows = [{"state": state, "local": f"10.0.1.1:{port}", "remote": "10.0.2.1:80"} for port, state in ports.items()]
    found = experiment.paths_of(lab, [{"subflows": subflows}, {"subflows": []}], is_download)
    assert found == {"subflows": 4, "distinct": 3, "possible": 4} and lab.asked[0] == ends


def test_where_no_subflow_was_seen_no_paths_are_told():
    assert experiment.paths_of(Fabric(), []) is None
