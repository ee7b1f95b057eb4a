# SPDX-License-Identifier: MIT
"""The last link to a peer, which four paths lead to: what an elephant takes there from others."""
import contextlib

import pytest
from app import App
from lab import fabric
from lab.netns import wait_until
from test_apart import explain
from test_benefit import POUR
from test_placement import Scene

MB = 1000000
NEIGHBOUR = 7001
RATE_MBIT = 30  # rates tell of links only while the CPU has time to spare
RULE = {"start": "1MB", "step": "500kB", "stop": "100GB", "max_subflows": 4}
APART = {"elephant": RULE, "repair": {"rto_min_ms": 0}, "apart": {"moves": 0}}
UNEQUAL = {**APART, "fairness": {"last_hop": "no"}}
COUPLED = {**APART, "fairness": {"last_hop": "no", "coupled": "yes"}}
# After so many bytes of both together slow start is over; then so many are counted.
SETTLED, COUNTED = 8 * MB, 24 * MB


@contextlib.contextmanager
def equal_links():
    """Three hosts on leaves of their own; no link carries more than another."""
    topology = fabric.leaf_spine_topology(spines=4, leaves=3, hosts=1, rate_mbit=RATE_MBIT)
    links = [(a, b, RATE_MBIT) for a, b, _ in topology.links]
    with fabric.Fabric(fabric.Topology(topology.routers, topology.hosts, links)) as lab:
        yield lab


def neighbour(scene):
    """One TCP flow of another host to the same one; what its sink tells."""
    sink, app = App(scene.target), App(scene.lab.host(1))
    sink.sink(NEIGHBOUR, protocol=0)
    app.open(protocol=0)(f"s.connect(({scene.target.ip4!r}, {NEIGHBOUR}))")
    app(POUR)
    return app, sink


def begin(scene):
    beside = neighbour(scene)
    app = scene.connect()
    app(POUR)
    return app, beside


def carry(counts, least):
    """Waits until both together have carried so much more; what each has by then."""
    begun = counts()
    wait_until(lambda: sum(counts()) >= sum(begun) + least, f"{least} more bytes", 60)
    return counts()


def share_beside(config):
    """What the neighbour gets of what both get; None: the daemon does not do what is asked for."""
    with equal_links() as lab:
        scene = Scene(lab, config)
        if config is COUPLED and not scene.daemon.status()["daemon"]["coupled"]:
            return None
        app, (_, sink) = begin(scene)
        app.wait_subflows(4)

        def counts():
            return scene.sink("drained"), sink("drained")

        begun = carry(counts, SETTLED)
        ended = carry(counts, COUNTED)
        return (ended[1] - begun[1]) / (sum(ended) - sum(begun))


def test_coupled_subflows_leave_a_neighbour_more_than_others_do():
    coupled = share_beside(COUPLED)
    if coupled is None:
        pytest.skip("coupled-control: not in the kernel")
    assert coupled > 1.3 * share_beside(UNEQUAL)


def test_an_elephant_that_the_last_link_holds_back_is_whole_again():
    with equal_links() as lab:
        scene = Scene(lab, APART)
        app, _ = begin(scene)
        wait_until(lambda: scene.counters()["last_hop_taken"] == 3, "three are taken back", 60)
        app.wait_subflows(1)
        assert 0 < scene.status(app)["last_hop_s"] <= 60
        assert "The last link to its peer is what held it back" in explain(scene, app)
        answered = scene.counters()["last_hop_answered"]
        wait_until(lambda: scene.counters()["last_hop_answered"] >= answered + 8, "a further look", 60)
        # Its packets may wait elsewhere for a while: then one comes back on trial, and goes where it takes from others.
        assert scene.counters()["last_hop_given"] <= 1

        def is_settled():
            counters = scene.counters()
            return len(app.subflows()) == 4 - counters["last_hop_taken"] + counters["last_hop_given"]
        wait_until(is_settled, "there is what was taken and what was given", 10)


def test_one_that_its_own_link_holds_back_keeps_all_its_subflows():
    with equal_links() as lab:
        scene = Scene(lab, APART)
        app = scene.connect()
        app(POUR)
        app.wait_subflows(4)
        wait_until(lambda: scene.counters()["last_hop_answered"] >= 12, "several looks", 90)
        assert scene.counters()["last_hop_taken"] == 0
        assert len(app.subflows()) == 4
