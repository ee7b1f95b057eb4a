# SPDX-License-Identifier: MIT
"""[elephant] unsent: what its subflows may hold, so that the rest is there for whichever has room."""
import re
import statistics
import time

from test_benefit import POUR
from test_elephant import MB, NO_REPAIR

RULE = {"start": "1MB", "step": "1MB", "stop": "2MB", "max_subflows": 2}
# Beyond the limit, the kernel gives a subflow up to 64 KiB at once.
LITTLE, MUCH = 350000, 450000
SO_SNDBUFFORCE = 32


def held(pair):
    """Bytes that the flow that has most has, and has not sent."""
    flows = pair.client.run(["ss", "-tnHOi", "state", "established"]).splitlines()
    return max(sum(map(int, re.findall(r" notsent:(\d+)", flow))) for flow in flows)


def send(pair, elephant):
    """What they hold, in the long run, of an elephant that gives more than the network takes."""
    pair.narrow(20)
    pair.serve({"elephant": {**RULE, **elephant}, "benefit": {"margin_percent": 0}, **NO_REPAIR})
    pair.sink()
    app = pair.app(pair.client, uid=0).open()
    app(f"s.setsockopt(socket.SOL_SOCKET, {SO_SNDBUFFORCE}, {4 * MB})")
    app(f"s.connect(({pair.far.ip4!r}, 7000))")
    app(f"send(s, {2 * MB})")
    app.wait_subflows(2)
    app(POUR)
    samples = []
    for _ in range(30):
        samples.append(held(pair))
        time.sleep(.05)
    return statistics.median(samples)


def test_subflows_leave_to_each_other_what_they_can_not_send_yet(pair):
    assert send(pair, {}) < LITTLE


def test_that_can_be_switched_off(pair):
    """The kernel gives to a subflow what its send buffer and the peer's window take."""
    assert send(pair, {"unsent": 0}) > MUCH
