# SPDX-License-Identifier: MIT
"""Which runs count: how many joins a run may have had."""
import pytest
from lab import gates


@pytest.mark.parametrize("joins, counters, said", [
    (6, {}, []), (8, {}, []), (5, {}, ["5 joins and not 6 to 8"]), (9, {}, ["9 joins and not 6 to 8"]),
    (9, {"repairs": 1}, []), (10, {"moved": 1, "moves_failed": 1}, []), (9, {"replaced": 1}, []),
    (9, {"splits": 1}, ["9 joins and not 6 to 8"])])
def test_joins_that_take_the_place_of_others_are_as_intended(joins, counters, said):
    result = {"mptcp": {"MPJoinSynAckRx": joins}, "counters": counters}
    assert gates.missed_joins(result, 6, 8) == said
