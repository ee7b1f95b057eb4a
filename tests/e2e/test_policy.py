# SPDX-License-Identifier: MIT
"""[policy]: what every connection gets from its start, whatever the application does."""
from app import ADD


def test_ndiffports_opens_them_from_the_start(pair):
    daemon = pair.serve({"policy": {"ndiffports": 4}})
    pair.sink()
    app = pair.app(pair.client).connect(pair.far.ip4)
    ends = app.wait_subflows(4)
    assert {(near[0], far) for near, far in ends} == {(pair.near.ip4, (pair.far.ip4, 7000))}
    assert len({near[1] for near, _ in ends}) == 4, "four ports"
    assert pair.connection(daemon, app)["decision"] == "ndiffports = 4: 4 in all"
    counters = daemon.status()["daemon"]["counters"]
    assert counters["policies"] == counters["creates"] == counters["established"] == 3


def test_ndiffports_counts_what_the_application_asked_for(pair):
    daemon = pair.serve({"policy": {"ndiffports": 4}})
    pair.sink()
    app = pair.app(pair.client).open()
    app.set(ADD, 2)
    app(f"s.connect(({pair.far.ip4!r}, 7000))")
    app("s.send(b'x')")
    app.wait_subflows(4)
    assert daemon.status()["daemon"]["counters"]["policies"] == 1
    app.set(ADD, 2)
    app.wait_subflows(6)
