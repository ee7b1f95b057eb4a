# SPDX-License-Identifier: MIT
"""Fabrics of several tiers, uneven ones, and routes that change while connections run."""
import collections
import time

import pytest
from app import ADD
from lab import fabric
from lab.netns import wait_until
from test_benefit import POUR
from test_fabric import needs_seeds
from test_placement import Scene, balance
from trace import Trace


def spread(scene, count):
    app = scene.connect()
    taken = scene.spread(app, count)
    app.close()
    return taken


@needs_seeds
@pytest.mark.parametrize("count", [2, 4, 6])
def test_a_fat_tree_is_balanced_at_both_tiers(count):
    with fabric.fat_tree(k=4) as lab:
        scene = Scene(lab)
        for _ in range(3):
            taken = spread(scene, count)
            assert len(set(taken)) == min(count, 4), taken
            for tier, routers in ((1, 2), (2, 4)):
                used = balance(taken, tier)
                assert len(used) == min(count, routers) and used[-1] - used[0] <= 1, taken
        assert scene.counters()["placed_blind"] == 0


def test_routers_that_hash_alike_leave_two_cores_of_four():
    with fabric.fat_tree(k=4, polarised=True) as lab:
        scene = Scene(lab)
        taken = spread(scene, 4)
        assert len(set(taken)) == 2 and balance(taken, 1) == [2, 2]


@needs_seeds
def test_a_core_that_has_died_leaves_its_side_with_one():
    """Three ways: each is taken, and the fourth subflow is where the other tier has room."""
    with fabric.fat_tree(k=4) as lab:
        for neighbour in lab.topology.neighbours("core0"):
            lab.lose("core0", neighbour)
        lab.reroute()
        scene = Scene(lab)
        for _ in range(3):
            taken = spread(scene, 4)
            assert len(set(taken)) == 3 and "core0" not in {path[2] for path in taken}
            assert balance(taken, 1) == [2, 2], taken


@needs_seeds
def test_ipv6_takes_every_core_by_what_the_routers_saw():
    with fabric.fat_tree(k=4, seed=1) as lab:
        scene = Scene(lab)
        trace = Trace(lab)
        sink, app = scene.sink, None
        sink("sink(socket.AF_INET6, 262, %r, 7001)" % scene.target.ip6)
        app = type(scene.sink)(scene.source).connect(scene.target.ip6, 7001)
        app.set(ADD, 3)
        ports = {local[1] for local, _ in app.wait_subflows(4)}
        app("threading.Thread(target=send, args=(s, 20000000), daemon=True).start()")
        links = {}

        def are_seen():
            links.update(trace.links())
            return all(len(links.get(port, ())) == 6 for port in ports)

        wait_until(are_seen, "data on all subflows")
        cores = [after for port in ports for before, after in links[port] if after.startswith("core")]
        sides = [after for port in ports for before, after in links[port]
                 if after.startswith("agg0-")]
        assert sorted(collections.Counter(cores).values()) == [1, 1, 1, 1]
        assert sorted(collections.Counter(sides).values()) == [2, 2]


def shift(lab, spine, on):
    """The spine dies, or works again, and the routing protocol has noticed."""
    for neighbour in lab.topology.neighbours(spine):
        lab.lose(spine, neighbour, on)
    lab.reroute()


def test_a_spine_that_dies_and_comes_back_is_left_out_and_used_again():
    """While a connection runs: further ones soon know the new routes, of few probes each."""
    with fabric.leaf_spine(4) as lab:
        scene = Scene(lab)
        app = scene.connect()
        assert len(set(scene.spread(app, 4))) == 4
        app("threading.Thread(target=send, args=(s, 1 << 30), daemon=True).start()")
        for is_dead, ways in ((True, 3), (False, 4)):
            shift(lab, "spine2", is_dead)

            def is_learned():
                taken = spread(scene, 6)
                used = balance(taken, 1)
                return len(used) == ways and used[-1] - used[0] <= 1

            wait_until(is_learned, f"{ways} ways are known and used", 40)
        assert len(app.subflows()) == 4


HOLD_S = 12  # the fabric has hashed anew by then


def ways(scene, app):
    """{local port: the routers that its subflow passes}."""
    return {local[1]: scene.routers(local[1]) for local, _ in app.subflows()}


def rehash(scene, app, left):
    """The routers hash anew, so that the connection's subflows have so many paths left."""
    for seed in range(1, 1000):
        for label in scene.lab.topology.routers:
            scene.lab.nodes[label].sysctl({fabric.SEED: seed})
        if len(set(ways(scene, app).values())) == left:
            return
    raise AssertionError("no seed does that")


def shown(scene, app):
    """The same as ways(), as status shows it: without the last router."""
    return {int(subflow["local"].rsplit(":", 1)[1]): tuple(map(scene.label_of, subflow["path"]))
            for subflow in scene.status(app)["subflows"]}


@needs_seeds
def test_a_running_connection_returns_to_as_many_paths_as_it_has_subflows():
    """A path fails, and the fabric hashes anew. Its rates, which would tell in the end, are not compared."""
    with fabric.leaf_spine(4) as lab:
        scene = Scene(lab, {"elephant": {"start": "1MB", "step": "1MB", "stop": "100GB"},
                            "apart": {"slow_percent": 0, "moves": 16}, "repair": {"hold_s": HOLD_S}})
        app = scene.connect()
        app(POUR)
        wait_until(lambda: len(set(ways(scene, app).values())) == 4, "four paths", 30)
        spine = list(ways(scene, app).values())[-1][1]
        # There only: what its siblings send is acknowledged as before.
        lab.black_hole(scene.source.router.label, spine)
        wait_until(lambda: scene.counters()["repairs"], "it is repaired")
        lab.black_hole(scene.source.router.label, spine, False)
        repaired = time.monotonic()
        app.wait_subflows(4)
        rehash(scene, app, 2)
        assert time.monotonic() < repaired + HOLD_S, "too slow: it was asked while it changed"

        def is_apart():
            taken = ways(scene, app)
            told = {port: path[:2] for port, path in taken.items()}
            return len(taken) == len(set(taken.values())) == 4 and shown(scene, app) == told

        wait_until(is_apart, "four paths again, and status shows them", 60)
        assert scene.counters()["slow"] == 0
