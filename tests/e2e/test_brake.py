# SPDX-License-Identifier: MIT
"""A transfer that no path holds back is left whole, however many paths there are."""
import dataclasses
import subprocess

import pytest
from lab import fabric
from lab.lab import shape
from lab.netns import wait_until
from test_benefit import explain, pour, wait_counter
from test_placement import Scene

MBIT = 100
# Which of the two processes is the slower one, the scheduler decides.
WHY = ("its sender has no more to send", "its peer takes no more")
# On a busy machine, or an emulated one, even memory is slow.
FAST = {"benefit": {"fast_mbit": MBIT // 2}}


@pytest.fixture
def unshaped():
    """Four spines, and links as fast as the CPU is."""
    with fabric.Fabric(fabric.leaf_spine_topology(4, 2, 1, None), gso_max_size=65536) as lab:
        yield lab


def scene_of(lab, **sections):
    rule = {"start": "20MB", "step": "10MB", "stop": "100GB"}
    return Scene(lab, {"elephant": rule, "repair": {"rto_min_ms": 0}, **sections})


def slow_down(lab):
    """The links into the fabric carry so much from now on."""
    for uplink in lab.uplinks(lab.host(0)):
        shape(dataclasses.replace(lab.end(lab.host(0).router.label, uplink), rate_mbit=MBIT))


def test_nothing_is_split_while_no_path_is_the_limit(unshaped):
    scene = scene_of(unshaped, **FAST)
    app = pour(scene)
    wait_counter(scene, "held", 1)
    before = scene.counters()["thresholds"]
    counters = wait_counter(scene, "thresholds", before + 3)
    assert (counters["creates"], counters["held"]) == (0, 1)
    assert len(app.subflows()) == 1
    shown = scene.status(app)
    assert shown["held"] in WHY
    assert shown["wanted"] == 3
    assert "No path holds it back" in explain(scene, app)
    slow_down(unshaped)
    app.wait_subflows(4)
    assert scene.status(app)["held"] is None
    assert scene.counters()["held"] == 1


def test_a_path_that_is_the_limit_is_shared_at_once():
    with fabric.leaf_spine(4, rate_mbit=MBIT) as lab:
        scene = scene_of(lab, **FAST)
        app = pour(scene)
        app.wait_subflows(4)
        assert scene.counters()["held"] == 0


def test_it_can_be_switched_off(unshaped):
    scene = scene_of(unshaped, benefit={"fast_mbit": 0})
    app = pour(scene)
    app.wait_subflows(4)
    assert scene.counters()["held"] == 0


def test_it_is_told_to_those_who_watch(unshaped):
    scene = scene_of(unshaped, **FAST)
    watch = subprocess.Popen([scene.daemon.cli, "watch"], env=scene.daemon.environment,
                             stdout=subprocess.PIPE, text=True)
    try:
        assert "watching" in watch.stdout.readline()
        pour(scene)
        wait_counter(scene, "held", 1)
        line = next(line for line in watch.stdout if ": held" in line)
    finally:
        watch.kill()
        watch.communicate()
    assert any(f"no path holds it back: {why}" in line for why in WHY)
