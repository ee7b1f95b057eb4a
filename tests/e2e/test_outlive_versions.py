# SPDX-License-Identifier: MIT
"""What was kept by a daemon of another version, or with other limits: carried over, or closed."""
import os
import signal

from app import ADD, NDIFFPORTS, packed
from lab.netns import wait_until
from pinned import HOW, RULE


def rename(kept, layout):
    """What is kept, as if by a version whose maps are of this layout."""
    [folder] = kept.root.glob("subflow_*")
    for path in folder.iterdir():
        path.rename(folder / f"{path.name.partition('-')[0]}-{layout}")


def test_what_another_version_has_kept_is_not_understood(kept):
    app = kept.connect(1)
    kept.end(signal.SIGKILL)
    names = kept.maps()
    rename(kept, "0-1")
    daemon = kept.start()
    assert "kept by another version" in daemon.log.read_text()
    assert kept.maps() == names
    app.set(ADD, 1)
    app.wait_subflows(3)


@HOW
def test_a_restriction_that_is_not_understood_is_closed(kept, how):
    """No address leaks: nothing leaves any more until the application lists some again."""
    app = kept.restrict()
    kept.end(how)
    rename(kept, "0-1")
    daemon = kept.start(**RULE)
    assert "get no subflow until their applications list some again" in daemon.log.read_text()
    app.set(ADD, 1)
    app(f"send(s, {8000000})")
    wait_until(lambda: daemon.status()["daemon"]["counters"]["thresholds"], "it is an elephant")
    daemon = kept.again(how, **RULE)
    app(f"send(s, {8000000})")
    wait_until(lambda: daemon.status()["daemon"]["counters"]["thresholds"], "it is an elephant")
    assert len(app.subflows()) == 2 and kept.joins() == 1
    app.set(ADD, packed("10.0.1.3"))
    wait_until(lambda: len(app.subflows()) > 2, "it leaves from there again")
    assert {local[0] for local, _ in app.subflows()} == {"10.0.1.3"}


@HOW
def test_what_a_smaller_version_has_kept_is_carried_over(kept, how):
    """Its values are the beginning of ours: the last 8 bytes of a request were not known to it."""
    app = kept.restrict()
    app.set(NDIFFPORTS, 3)
    app.wait_subflows(3)
    kept.end(how)
    names = kept.maps()
    version, intent, *rest = names[0].partition("-")[2].split("-")
    rename(kept, "-".join([version, str(int(intent) - 8), *rest]))
    daemon = kept.start(**RULE)
    assert "not known any more" not in daemon.log.read_text()
    assert kept.maps() == names and app.get(NDIFFPORTS) == 3
    app.set(NDIFFPORTS, 3)
    app(f"send(s, {8000000})")
    assert {local[0] for local, _ in app.wait_subflows(4)} == {"10.0.1.3"}
    assert kept.joins() == 3


@HOW
def test_a_limit_that_is_changed_forgets_nothing(kept, how):
    """A limit of the configuration is a size of a map."""
    app = kept.restrict()
    app.set(NDIFFPORTS, 3)
    app.wait_subflows(3)
    for most in (1000, 100000):
        daemon = kept.again(how, limits={"max_connections": most}, **RULE)
        assert "not known any more" not in daemon.log.read_text()
        assert app.get(NDIFFPORTS) == 3
        app.set(NDIFFPORTS, 3)
    app(f"send(s, {8000000})")
    assert {local[0] for local, _ in app.wait_subflows(4)} == {"10.0.1.3"}
    assert kept.joins() == 3
    assert [name for name in kept.maps() if not name.endswith("-100000")] == []


def test_maps_that_cannot_be_had_are_not_removed(kept):
    """It may go another time: only what does not fit is of no use any more."""
    app = kept.connect(1)
    kept.end(signal.SIGKILL)
    names = kept.maps()
    [folder] = kept.root.glob("subflow_*")
    os.rename(folder / names[0], folder.parent / "aside")
    (folder / names[0]).mkdir()
    daemon = kept.start()
    assert "does not outlive this daemon: Permission denied" in daemon.log.read_text()
    app.set(ADD, 1)
    app.wait_subflows(3)
    kept.end(signal.SIGTERM)
    assert kept.maps() == names
