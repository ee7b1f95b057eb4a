# SPDX-License-Identifier: MIT
"""subflow.py, used by an unprivileged program."""
import errno
import re
import shutil
import signal
import time

import pytest

from conftest import ROOT
from app import MPTCP
from lab.netns import wait_until
from test_repair import kill_all


def program(lab, node):
    """An application that has the module and a way to name what it raises."""
    shutil.copy(ROOT / "python" / "subflow.py", lab.directory)
    app = lab.app(node)
    app(f"import sys; sys.path.insert(0, {str(lab.directory)!r}); import subflow")
    app("""
def attempt(function, *arguments):
    try:
        function(*arguments)
    except Exception as error:
        return type(error).__name__, getattr(error, "errno", None)
""")
    return app


@pytest.fixture
def talk(served):
    """A connection `s` of such an application."""
    served.peer = served.sink()
    app = program(served, served.client).connect(served.far.ip4)
    app.lab = served
    return app


def test_four_subflows_and_back(talk):
    assert talk("subflow.enabled(s)") is True
    talk("subflow.add(s, 3)")
    pairs = talk("[tuple(pair) for pair in subflow.wait(s, 4, 10)]")
    assert pairs == talk.subflows()
    assert len({local for local, _ in pairs}) == 4
    assert pairs[0] == (talk("s.getsockname()"), talk("s.getpeername()"))
    assert talk("subflow.connid(s)") == talk.connid()
    talk("subflow.remove(s, 3)")
    talk.wait_subflows(1)


def test_addresses_totals_and_backups(talk):
    near = talk("s.getsockname()[0]")
    assert talk("subflow.ndiffports(s)") == 0
    talk(f"subflow.add(s, [{near!r}, ({near!r}, 20001)])")
    pairs = talk("[tuple(pair) for pair in subflow.wait(s, 3, 10)]")
    assert (near, 20001) in [local for local, _ in pairs]
    talk(f"subflow.remove(s, [({near!r}, 20001)])")
    talk.wait_subflows(2)
    talk("subflow.set_ndiffports(s, 4)")
    talk.wait_subflows(4)
    assert talk("subflow.ndiffports(s)") == 4
    assert talk(f"attempt(subflow.set_backup, s, ({near!r}, 20001))") == (
        "OSError", errno.EADDRNOTAVAIL)
    talk(f"subflow.set_backup(s, {near!r})")
    # B: the other end has made it a backup.
    wait_until(lambda: len(re.findall(r"flags:\w*B", talk.lab.server.run(["ss", "-tnHi"]))) == 4,
               "the peer was told")


def test_more_than_python_itself_can_fetch(pair):
    pair.serve({"limits": {"max_subflows": 64}})
    pair.sink()
    app = program(pair, pair.client).connect(pair.far.ip4)
    app("subflow.add(s, 39)")
    assert app("len({pair.local for pair in subflow.wait(s, 40, 10)})") == 40
    with pytest.raises(OSError) as error:
        app.subflows()
    assert error.value.errno == errno.ERANGE


def test_ipv6_has_the_form_of_getsockname(served):
    served.sink(address="::", family=10)
    app = program(served, served.client).connect(served.far.ip6)
    assert app("[tuple(pair) for pair in subflow.subflows(s)]") == [
        (app("s.getsockname()"), app("s.getpeername()"))]
    assert app("subflow.subflows(s)[0].local[0]") == served.near.ip6


def test_a_wait_without_end_has_one(talk):
    talk("""
looks, look = [], subflow.subflows
def counted(sock):
    looks.append(sock)
    return look(sock)
subflow.subflows = counted
""")
    assert talk("attempt(subflow.wait, s, 2, 0.5)") == ("TimeoutError", errno.ETIMEDOUT)
    # 1, 2, 4 ... 32 ms and then 50 ms apart; fewer on a machine that is late.
    assert 2 <= talk("len(looks)") <= 17


def test_wait_returns_at_once_what_is_there(talk):
    assert talk("len(subflow.wait(s, 1, 0))") == 1


def test_a_connection_that_has_lost_its_last_subflow_is_waited_for(talk):
    """The daemon, which is to replace it, stands still for a while."""
    talk("subflow.add(s, 1)")
    talk("subflow.wait(s, 2, 10)")
    # A join that is reset within its first second was refused.
    begun = time.monotonic()
    wait_until(lambda: talk("s.send(b'x')") and time.monotonic() > begun + 1.5, "a second")
    talk.lab.daemon.process.send_signal(signal.SIGSTOP)
    kill_all(talk.lab.server)
    wait_until(lambda: talk("attempt(subflow.subflows, s)") == ("OSError", errno.ENOTCONN), "none is left")
    assert talk("attempt(subflow.wait, s, 1, 0.2)") == ("TimeoutError", errno.ETIMEDOUT)
    talk.lab.daemon.process.send_signal(signal.SIGCONT)
    assert talk("len(subflow.wait(s, 2, 30))") == 2


def test_what_cannot_come_is_not_waited_for(talk):
    talk("subflow.add(s, 1)")
    talk("t = socket.socket(socket.AF_INET, socket.SOCK_STREAM, subflow.IPPROTO_MPTCP)")
    assert talk("attempt(subflow.wait, t, 1, 600)") == ("OSError", errno.ENOTCONN)
    talk("t = socket.socket()")
    assert talk("attempt(subflow.wait, t, 1, 600)") == ("OSError", errno.EOPNOTSUPP)
    talk("t.close()")
    assert talk("attempt(subflow.wait, t, 1, 600)") == ("OSError", errno.EBADF)


def test_errors_are_those_of_the_options(talk):
    assert talk("attempt(subflow.add, s, 0)") == ("OSError", errno.EINVAL)
    assert talk("attempt(subflow.add, s, 64)") == ("OSError", errno.EDQUOT)
    assert talk("attempt(subflow.remove, s, 1)") == ("OSError", errno.EBUSY)
    assert talk("attempt(subflow.enable, s, False)") == ("OSError", errno.EOPNOTSUPP)
    assert talk("attempt(subflow.enable, s)") is None
    assert talk("subflow.enabled(socket.socket())") is False


def test_addresses_that_are_none(talk):
    for address in (("nowhere", 0), ("10.0.0.1", 65536), ("10.0.0.1", 0, 0, 0), ("::1%nowhere", 0)):
        name, _ = talk(f"attempt(subflow.add, s, [{address!r}])")
        assert name in ("OSError", "ValueError"), address
    assert len(talk.subflows()) == 1


def test_without_a_daemon(pair):
    pair.sink()
    app = program(pair, pair.client).connect(pair.far.ip4)
    for call in ("subflow.add, s, 1", "subflow.subflows, s", "subflow.wait, s, 1, 600"):
        name, number = app(f"attempt({call})")
        assert name == "OSError" and number in (errno.ENOPROTOOPT, errno.EOPNOTSUPP), call
    assert app("subflow.IPPROTO_MPTCP") == MPTCP
