# SPDX-License-Identifier: MIT
"""What each option answers in each state of a socket, as subflow.h and subflow(7) have it."""
import errno

import pytest
from app import (ADD, BACKUP, CONNID, ENABLE, EXPECTED, INTENT, NDIFFPORTS, REMOVE, SUBFLOWS, backup,
                 packed)
from lab.netns import wait_until

PORT, PLAIN_PORT, NO_PORT = 7000, 7001, 7002
CALLS = ("ADD n", "ADD list", "REMOVE n", "REMOVE list", "NDIFFPORTS set", "NDIFFPORTS get", "BACKUP",
         "SUBFLOWS", "CONNID", "ENABLE get", "EXPECTED set", "EXPECTED get", "INTENT set", "INTENT get")
# Python has another name for the same number.
NO = errno.errorcode[errno.EOPNOTSUPP]
GONE, LAST, NONE = "ENOTCONN", "EBUSY", "EADDRNOTAVAIL"
# A number is what get answers, and of set 0: accepted. SUBFLOWS: how many; CONNID: 1 for any.
ANSWERS = {
    "fallen back": (NO, NO, NO, NO, NO, NO, NO, NO, NO, 0, NO, NO, NO, NO),
    "connecting": (0, 0, LAST, LAST, 0, 0, GONE, GONE, GONE, 0, 0, 0, 0, 0),
    "listener": (NO, 0, NO, NONE, NO, 0, GONE, GONE, GONE, 0, NO, 0, NO, 0),
    "accepted": (NO, 0, LAST, LAST, NO, 0, 0, 1, 1, 1, NO, 0, NO, 0),
    "closed by the peer": (GONE, GONE, LAST, LAST, GONE, 0, 0, 1, 1, 1, GONE, 0, GONE, 0),
    "aborted by the peer": (GONE, GONE, GONE, GONE, GONE, 0, GONE, GONE, GONE, 0, GONE, 0, GONE, 0),
    "refused": (0, 0, LAST, NONE, 0, 0, GONE, GONE, GONE, 0, 0, 0, 0, 0),
    "after fork": (0, 0, LAST, LAST, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0),
}


def expressions(local):
    def set_to(option, value):
        return f"s.setsockopt(6, {option}, {value!r}) or 0"

    values = (set_to(ADD, 1), set_to(ADD, packed(local)), set_to(REMOVE, 1),
              set_to(REMOVE, packed(local)), set_to(NDIFFPORTS, 2), f"s.getsockopt(6, {NDIFFPORTS})",
              set_to(BACKUP, backup(local, 1)), f"len(s.getsockopt(6, {SUBFLOWS}, 1024)) // 56",
              f"int(s.getsockopt(6, {CONNID}, 4) != bytes(4))", f"s.getsockopt(6, {ENABLE})",
              set_to(EXPECTED, bytes(8)), f"int(s.getsockopt(6, {EXPECTED}, 8) != bytes(8))",
              set_to(INTENT, 3), f"s.getsockopt(6, {INTENT})")
    return dict(zip(CALLS, values))


def ask(app, expression):
    try:
        return app(expression)
    except OSError as error:
        return errno.errorcode[error.errno]


def ask_child(app, expression):
    """The call is made by a child; its answer comes through a pipe."""
    app(f"""
import os
out, into = os.pipe()
if not os.fork():
    try:
        said = 0, {expression}
    except OSError as error:
        said = error.errno, 0
    os.write(into, repr(said).encode())
    os._exit(0)
os.close(into)
os.wait()
said = os.read(out, 100).decode()
os.close(out)
""")
    error, answer = app("eval(said)")
    return errno.errorcode[error] if error else answer


def accepted(server):
    """The server's end of the newest connection, as its `s`."""
    wait_until(lambda: server("len(accepted)") == 1, "accepted")
    server("s = accepted.pop()")
    wait_until(lambda: server.get(ENABLE) == 1, "established")
    return server


def abort(lab, app, server):
    """The server closes with a byte unread, which the kernel makes an MP_FASTCLOSE of."""
    server("door = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262); door.bind(('', 0))")
    server("door.listen()")
    app.connect(lab.far.ip4, server("door.getsockname()[1]"))
    server("end, _ = door.accept(); end.recv(1, socket.MSG_PEEK); end.close(); door.close()")
    with pytest.raises(ConnectionResetError):
        app("s.recv(1)")


def enter(state, lab, app, server):
    """A fresh socket in that state. Returns the application whose `s` it is."""
    if state == "connecting":
        nowhere = lab.near.ip4.rpartition(".")[0] + ".77"
        lab.client.ip(f"neigh replace {nowhere} lladdr 02:00:00:00:00:77 dev {lab.near.device}")
        app.open()("s.setblocking(False)")
        assert app(f"s.connect_ex(({nowhere!r}, {PORT}))") == errno.EINPROGRESS
    elif state == "listener":
        app.open()("s.listen()")
    elif state == "refused":
        with pytest.raises(ConnectionRefusedError):
            app.connect(lab.far.ip4, NO_PORT)
    elif state == "aborted by the peer":
        abort(lab, app, server)
    elif state == "fallen back":
        app.connect(lab.far.ip4, PLAIN_PORT)
    else:
        app.connect(lab.far.ip4, PORT)
        accepted(server)
    if state == "closed by the peer":
        server("s.shutdown(socket.SHUT_WR); s.close()")
        assert app("s.recv(1)") == b""
    return server if state == "accepted" else app


@pytest.mark.parametrize("state", ANSWERS)
def test_each_option(served, state):
    """Each on a socket of its own, so that none sees what another has done."""
    plain = served.app(served.server)
    plain.sink(PLAIN_PORT, protocol=0)
    server, app = served.sink(port=PORT), served.app(served.client)
    local = (served.far if state == "accepted" else served.near).ip4
    answers = {}
    for name, expression in expressions(local).items():
        asked = enter(state, served, app, server)
        answers[name] = (ask_child if state == "after fork" else ask)(asked, expression)
    assert answers == dict(zip(CALLS, ANSWERS[state]))


@pytest.mark.parametrize("option", [ADD, NDIFFPORTS])
def test_what_a_child_asks_for_the_parent_has(served, option):
    served.sink()
    app = served.app(served.client).connect(served.far.ip4)
    assert ask_child(app, f"s.setsockopt(6, {option}, 2) or 0") == 0
    app.wait_subflows(3 if option == ADD else 2)
    assert app.get(NDIFFPORTS) == (2 if option == NDIFFPORTS else 0)
