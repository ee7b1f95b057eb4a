# SPDX-License-Identifier: MIT
"""The coupled congestion control: who gets it, and that it goes with the daemon.

What it does for a neighbour is a figure of bench/harmless: a few seconds say too little.
"""
import re
from pathlib import Path

import pytest
from app import ADD
from cli import lacks
from lab.netns import wait_until

# On a busy machine a subflow may fall silent, and another take its place.
COUPLED = {"fairness": {"coupled": "yes"}, "repair": {"rto_min_ms": 0}}
NAME = "subflow"
PORT = 7000


def is_known():
    """Whether the kernel knows it."""
    return NAME in Path("/proc/sys/net/ipv4/tcp_available_congestion_control").read_text().split()


def controls(node):
    """The congestion control of each connection to the port."""
    shown = node.run(["ss", "-tinH", "state", "established", "dport", "=", f":{PORT}"])
    return re.findall(r"^\s+(\S+) ", shown, re.MULTILINE)


def spread(pair, more):
    app = pair.app(pair.client).connect(pair.far.ip4)
    app.set(ADD, more)
    app.wait_subflows(1 + more)
    return app


def test_subflows_that_have_siblings_get_it_while_it_is_wanted(pair):
    daemon = pair.serve(COUPLED)
    pair.sink()
    if not daemon.status()["daemon"]["coupled"]:
        assert "this kernel cannot have it" in daemon.log.read_text()
        spread(pair, 1)
        assert controls(pair.client) == ["reno"] * 2
        assert lacks("coupled-control")
        pytest.skip("coupled-control: not in the kernel")
    assert not lacks("coupled-control")
    alone = pair.app(pair.client).connect(pair.far.ip4)
    spread(pair, 3)
    assert controls(pair.client).count(NAME) >= 3
    # What has begun goes on with it, what comes then does not get it.
    pair.run([daemon.cli, "set", "fairness.coupled", "no"], env=daemon.environment)
    wait_until(lambda: not is_known(), "the kernel knows it no more")
    assert daemon.status()["daemon"]["coupled"] is False
    before = controls(pair.client).count(NAME)
    spread(pair, 1)
    assert controls(pair.client).count(NAME) == before
    alone("send(s, 1000000)")


def test_it_goes_with_the_daemon_however_that_ends(pair):
    daemon = pair.serve(COUPLED)
    pair.sink()
    app = spread(pair, 3)
    daemon.process.kill()
    daemon.process.wait()
    wait_until(lambda: not is_known(), "the kernel knows it no more")
    app("send(s, 10000000)")
