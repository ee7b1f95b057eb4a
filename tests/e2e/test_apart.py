# SPDX-License-Identifier: MIT
"""Elephants whose subflows share a path are moved apart, and then stay where they are."""
import subprocess
import time

import pytest
from lab import fabric
from lab.netns import wait_until
from test_benefit import POUR
from test_placement import Scene

# Two subflows each: of 8 paths at least 5 stay free.
RULE = {"start": "2MB", "step": "1MB", "stop": "100GB", "max_subflows": 2}


@pytest.fixture
def lab():
    with fabric.leaf_spine(8) as lab:
        yield lab


def spine(scene, port):
    return scene.routers(port)[1]


def first(app):
    return app.subflows()[0][0][1]


def collide(scene):
    """Two connections whose first subflows take one path, by the kernel's own choice of ports."""
    taken = {}
    while True:
        app = scene.connect()
        other = taken.setdefault(spine(scene, first(app)), app)
        if other is not app:
            return other, app


def spines(scene, *apps):
    return [spine(scene, local[1]) for app in apps for local, _ in app.subflows()]


def are_apart(scene, *apps):
    taken = spines(scene, *apps)
    return len(taken) == 4 and len(set(taken)) == 4


def explain(scene, app):
    return subprocess.run([scene.daemon.cli, "explain", f"{scene.source.name}/{app.connid():08x}"],
                          env=scene.daemon.environment, capture_output=True, text=True,
                          check=True).stdout


def test_two_elephants_whose_first_subflows_collide_are_moved_apart(lab):
    scene = Scene(lab, {"elephant": RULE})
    apps = collide(scene)
    for app in apps:
        app(POUR)
    wait_until(lambda: are_apart(scene, *apps), "four subflows on four paths", timeout_s=30)
    counters = scene.counters()
    assert (counters["moved"], counters["moves_failed"]) == (1, 0)
    moved = [app for app in apps if scene.status(app)["apart"]["moved"]]
    assert len(moved) == 1
    assert "moved to a path of its own: 1." in explain(scene, moved[0])
