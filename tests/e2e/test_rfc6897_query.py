# SPDX-License-Identifier: MIT
"""RFC 6897 sections 5.3.2, 5.3.4 and 5.3.5: what an application can ask about its connection."""
import errno

import pytest

from app import ADD, CONNID, ENABLE, SUBFLOWS
from lab.netns import wait_until

MANY = 40


def test_subflows_are_listed_once_they_are_established(served):
    """5.3.4: not while the handshake is under way."""
    served.sink()
    app = served.app(served.client).connect(served.far.ip4)
    served.server.ip(f"route add blackhole {served.near.ip4}")
    app.set(ADD, 1)
    wait_until(lambda: served.client.run(["ss", "-tnH", "state", "syn-sent"]), "a SYN is on its way")
    assert len(app.subflows()) == 1
    served.server.ip(f"route del blackhole {served.near.ip4}")
    assert len(app.wait_subflows(2)) == 2


def test_both_ends_list_the_same_subflows(served):
    """5.3.4: of the client's pairs, the server's are the mirror."""
    sink = served.sink()
    app = served.app(served.client).connect(served.far.ip4)
    app.set(ADD, 3)
    app.wait_subflows(4)
    wait_until(lambda: sink("len(accepted)") == 1, "accepted")
    sink("s = accepted[0]")
    assert {(remote, local) for local, remote in sink.wait_subflows(4)} == set(app.subflows())


def test_an_identifier_names_one_connection(served):
    """5.3.5: of the connections of a host, and whatever happens to their subflows."""
    sink = served.sink()
    app = served.app(served.client)
    app(f"""
many = []
for _ in range({MANY}):
    many.append(socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262))
    many[-1].connect(({served.far.ip4!r}, 7000))
    many[-1].send(b"x")
""")
    wait_until(lambda: sink("len(accepted)") == MANY, "all are accepted")
    read = f"struct.unpack('=I', c.getsockopt(6, {CONNID}, 4))[0]"
    ours, theirs = app(f"[{read} for c in many]"), sink(f"[{read} for c in accepted]")
    assert len(set(ours)) == len(set(theirs)) == MANY
    app("s = many[0]")
    app.set(ADD, 3)
    app.wait_subflows(4)
    assert app.connid() == ours[0]


def test_enable_cannot_be_changed_any_more(served):
    """5.3.2: once the connection is up it can be read; setting what it is does nothing."""
    served.sink()
    app = served.app(served.client).connect(served.far.ip4)
    before = app.connid()
    app.set(ENABLE, 1)
    with pytest.raises(OSError) as error:
        app.set(ENABLE, 0)
    assert error.value.errno == errno.EOPNOTSUPP
    assert app.get(ENABLE) == 1
    assert app.connid() == before


def test_queries_change_nothing(served):
    """5.3.1: SUBFLOWS and CONNID are there to be read."""
    served.sink()
    app = served.app(served.client).connect(served.far.ip4)
    for option in (SUBFLOWS, CONNID):
        with pytest.raises(OSError) as error:
            app.set(option, 1)
        assert error.value.errno in (errno.ENOPROTOOPT, errno.EOPNOTSUPP)
    assert len(app.subflows()) == 1


@pytest.mark.parametrize("first", ["client", "server"])
def test_the_first_byte_may_go_in_either_direction(served, first):
    """What was asked for at once is opened when data has been acknowledged, whose ever it is."""
    sink = served.sink()
    app = served.app(served.client).connect(served.far.ip4, talk=False)
    app.set(ADD, 1)
    wait_until(lambda: sink("len(accepted)") == 1, "accepted")
    if first == "client":
        app("s.send(b'x')")
    else:
        sink("accepted[0].send(b'x')")
    app.wait_subflows(2)
