# SPDX-License-Identifier: MIT
"""The kernel's counters before a run, and what the run has added."""
from lab import experiment


def test_of_a_run_it_is_kept_what_was_there_before():
    before = {"MPTcpExtMPJoinSynAckRx": 3, "MPTcpExtMPFailRx": 2, "TcpRetransSegs": 5}
    after = {"MPTcpExtMPJoinSynAckRx": 9, "MPTcpExtMPFailRx": 2, "MPTcpExtRmAddr": 1, "MPTcpExtBlackhole": 0,
             "TcpRetransSegs": 6}
    before, after = experiment.mptcp_counters(before), experiment.mptcp_counters(after)
    assert before == {"MPJoinSynAckRx": 3, "MPFailRx": 2}
    assert experiment.changes(before, after) == {"MPJoinSynAckRx": 6, "RmAddr": 1}
