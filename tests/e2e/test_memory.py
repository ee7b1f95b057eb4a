# SPDX-License-Identifier: MIT
"""What the daemon gives back when it needs it no more."""
from test_control import resident_kb, with_many_connections


def test_an_answer_leaves_nothing_behind(pair):
    """What is written for 700 connections was some 6 MB, and stayed; they themselves take one or two."""
    daemon, before = with_many_connections(pair)
    for _ in range(5):
        assert len(daemon.status()["connections"]) == 700
    assert resident_kb(daemon) - before < 3000
