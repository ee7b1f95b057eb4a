# SPDX-License-Identifier: MIT
"""Subflows that do not help are taken back; those that do, or are on paths of their own, stay."""
import subprocess

import pytest

from app import ADD
from lab import fabric
from lab.netns import wait_until
from test_placement import Scene

# At 100 Mbit/s a step is .8 s, of which a judgement takes .4.
RULE = {"start": "5MB", "step": "10MB", "stop": "10GB"}
NO_REPAIR = {"repair": {"rto_min_ms": 0}}
POUR = """
def pour():
    block = bytes(1 << 16)
    try:
        while True:
            s.sendall(block)
    except OSError:
        pass
threading.Thread(target=pour, daemon=True).start()
"""


def filter_icmp(lab):
    """No router answers: so rarely may each tell a host that its packet died."""
    for label in lab.topology.routers:
        lab.nodes[label].sysctl({"net.ipv4.icmp_ratelimit": 1000000000})


def scene_of(lab, max_subflows, **benefit):
    return Scene(lab, {"elephant": {**RULE, "max_subflows": max_subflows}, **NO_REPAIR,
                       "benefit": benefit})


def pour(scene):
    app = scene.connect()
    app(POUR)
    return app


def wait_counter(scene, name, least):
    wait_until(lambda: scene.counters()[name] >= least, f"{name} is {least}", timeout_s=20)
    return scene.counters()


def explain(scene, app):
    return subprocess.run([scene.daemon.cli, "explain", f"{scene.source.name}/{app.connid():08x}"],
                          env=scene.daemon.environment, capture_output=True, text=True,
                          check=True).stdout


def test_one_that_shares_the_only_link_is_taken_back():
    with fabric.leaf_spine(1) as lab:
        filter_icmp(lab)
        scene = scene_of(lab, 4)
        app = pour(scene)
        counters = wait_counter(scene, "taken_back", 1)
        assert (counters["replaced"], counters["creates"], counters["helped"]) == (2, 3, 0)
        app.wait_subflows(1)
        judged = scene.status(app)["judged"]
        assert judged["verdict"] == "in vain"
        # 100 Mbit/s, less what the headers take.
        for rate in (judged["before"], judged["with"]):
            assert 8e6 < rate < 13e6
        assert "it did not help, and was closed." in explain(scene, app)
        # The thresholds that follow lead to nothing for a minute.
        counters = wait_counter(scene, "left_alone", 2)
        assert (counters["creates"], counters["taken_back"]) == (3, 1)
        assert 0 < scene.status(app)["left_alone_s"] <= 60
        assert "did not help; none is tried for another" in scene.status(app)["decision"]
        # What its application asks for is another matter.
        app.set(ADD, 1)
        app.wait_subflows(2)
        before = scene.counters()["thresholds"]
        wait_counter(scene, "thresholds", before + 2)
        assert len(app.subflows()) == 2


def test_after_the_hold_it_is_tried_again():
    with fabric.leaf_spine(1) as lab:
        filter_icmp(lab)
        scene = scene_of(lab, 2, hold_s=2, tries=0)
        pour(scene)
        counters = wait_counter(scene, "taken_back", 2)
        assert counters["replaced"] == 0
        assert counters["left_alone"] >= 1


def test_one_that_finds_another_path_blindly_stays():
    """Half of the ports take the other path."""
    with fabric.leaf_spine(2) as lab:
        filter_icmp(lab)
        scene = scene_of(lab, 2, tries=12)
        app = pour(scene)
        counters = wait_counter(scene, "helped", 1)
        assert counters["taken_back"] == 0
        paths = {scene.routers(local[1]) for local, _ in app.wait_subflows(2)}
        assert len(paths) == 2, f"after {counters['replaced']} replacements"
        before = counters["thresholds"]
        wait_counter(scene, "thresholds", before + 2)
        assert len(app.subflows()) == 2
        assert "it helps." in explain(scene, app)


def test_a_path_of_its_own_is_not_judged_and_a_shared_one_is():
    with fabric.leaf_spine(2) as lab:
        scene = scene_of(lab, 3)
        app = pour(scene)
        counters = wait_counter(scene, "taken_back", 1)
        assert (counters["helped"], counters["replaced"]) == (0, 0)
        paths = {scene.routers(local[1]) for local, _ in app.wait_subflows(2)}
        assert len(paths) == 2


@pytest.mark.parametrize("host_mbit, helps", [(100, False), (None, True)])
def test_a_path_of_its_own_is_judged_where_that_is_wanted(host_mbit, helps):
    """With a link of its own that is full already, a second path brings a host nothing."""
    with fabric.leaf_spine(2, host_mbit=host_mbit) as lab:
        scene = scene_of(lab, 2, own_paths="yes")
        app = pour(scene)
        counters = wait_counter(scene, "helped" if helps else "taken_back", 1)
        assert (counters["helped"], counters["taken_back"], counters["replaced"]) == (helps, not helps, 0)
        paths = {scene.routers(local[1]) for local, _ in app.wait_subflows(1 + helps)}
        assert len(paths) == 1 + helps


def test_without_a_margin_nothing_is_judged():
    with fabric.leaf_spine(1) as lab:
        filter_icmp(lab)
        scene = scene_of(lab, 2, margin_percent=0)
        app = pour(scene)
        app.wait_subflows(2)
        before = scene.counters()["thresholds"]
        wait_counter(scene, "thresholds", before + 2)
        assert len(app.subflows()) == 2


def test_an_application_that_pauses_proves_nothing():
    with fabric.leaf_spine(1) as lab:
        filter_icmp(lab)
        scene = scene_of(lab, 2)
        app = scene.connect()
        app("send(s, 7000000)")
        # The threshold is passed, and there is nothing more to send while the rate is measured.
        counters = wait_counter(scene, "unjudged", 1)
        assert counters["taken_back"] == counters["replaced"] == 0
        assert len(app.wait_subflows(2)) == 2
