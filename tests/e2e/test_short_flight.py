# SPDX-License-Identifier: MIT
"""How soon a dead path is left by who has little to send: on a busy machine his other subflows are late as well."""
import re
import time

import pytest
from app import ADD, App
from lab.fabric import leaf_spine
from lab.netns import wait_until
from test_repair import PORT, repairs, serve

# Three packets every 2 ms.
PACE = """
def pace():
    import time
    while True:
        s.sendall(bytes(4000))
        time.sleep(.002)
threading.Thread(target=pace, daemon=True).start()
"""


@pytest.fixture
def fabric():
    with leaf_spine(4) as lab:
        yield lab


def sent_again(node):
    """How many packets, so far."""
    return int(re.search(r"TcpRetransSegs +(\d+)", node.run(["nstat", "-asz", "TcpRetransSegs"]))[1])


def most_loaded(fabric):
    """The spine over which most goes; by then what was sent again before is over."""
    before = fabric.uplink_bytes(fabric.host(0))
    time.sleep(.5)
    grown = [now - then for now, then in zip(fabric.uplink_bytes(fabric.host(0)), before)]
    return fabric.uplinks(fabric.host(0))[grown.index(max(grown))]


def test_a_short_flight_is_given_up_at_the_first_timeout_after_a_probe(fabric):
    """Three packets may be lost in a full queue; where the kernel's probe is lost too, it is the path."""
    daemon, (source, target) = serve(fabric), (fabric.host(0), fabric.host(1))
    App(target).sink(PORT)
    app = App(source).connect(target.ip4, PORT)
    app.set(ADD, 3)
    app.wait_subflows(4)
    app(PACE)
    again = []
    # On a busy machine the siblings are late as well, and the second timeout decides.
    for _ in range(10):
        path = most_loaded(fabric)
        before = repairs(daemon), sent_again(source)
        fabric.black_hole(source.router.label, path)
        wait_until(lambda: repairs(daemon) > before[0], "a repair")
        again.append((sent_again(source) - before[1]) / (repairs(daemon) - before[0]))
        fabric.black_hole(source.router.label, path, on=False)
        if again[-1] <= 2:
            return
        app.wait_subflows(4)
    raise AssertionError(f"packets sent again before the path was left: {again}")
