# SPDX-License-Identifier: MIT
"""RFC 6897 appendix A: what an advanced interface might offer; where there is none, what happens instead."""
import errno
import re

import pytest

from app import ADD
from lab.netns import wait_until

# Resolves the group of path-manager events and joins it: linux/genetlink.h, linux/mptcp.h.
LISTEN = r"""
GENERIC, CONTROL, GETFAMILY, REQUEST, NAME, ID, GROUPS, GROUP_NAME, GROUP_ID = 16, 16, 3, 1, 2, 1, 7, 1, 2

def attributes(data):
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        yield kind & 0x3fff, data[4:size]
        data = data[(size + 3) & ~3:]

def listen():
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, GENERIC)
    name = struct.pack("=HH12s", 4 + 9, NAME, b"mptcp_pm")
    netlink.send(struct.pack("=IHHIIBBH", 20 + len(name), CONTROL, REQUEST, 0, 0, GETFAMILY, 1, 0) + name)
    for kind, value in attributes(netlink.recv(65536)[20:]):
        if kind != GROUPS:
            continue
        for _, group in attributes(value):
            group = dict(attributes(group))
            if group[GROUP_NAME] == b"mptcp_pm_events\0":
                netlink.setsockopt(270, 1, struct.unpack("=I", group[GROUP_ID])[0])
                return "listening"
"""


def test_events_of_the_kernel_need_privilege(pair):
    """REQ14: no push interface: applications without privilege can only look. See subflow_wait()."""
    app = pair.app(pair.client)
    app(LISTEN)
    with pytest.raises(OSError) as error:
        app("listen()")
    assert error.value.errno == errno.EPERM
    root = pair.app(pair.client, uid=0)
    root(LISTEN)
    assert root("listen()") == "listening"


def test_only_ip_addresses_name_an_end(pair):
    """REQ5: no family but IPv4 and IPv6 has Multipath TCP sockets."""
    app = pair.app(pair.client)
    app("""
def has_multipath(family):
    try:
        socket.socket(family, socket.SOCK_STREAM, 262).close()
    except OSError:
        return False
    return True
""")
    assert app("[family for family in range(128) if has_multipath(family)]") == [2, 10]


def test_each_subflow_can_be_measured(served):
    """REQ6: the kernel's own MPTCP_TCPINFO (linux/mptcp.h), for any application."""
    sink, size = served.sink(), 16 << 20
    app = served.app(served.client).connect(served.far.ip4)
    app.set(ADD, 3)
    app.wait_subflows(4)
    app(f"send(s, {size})")
    wait_until(lambda: sink("drained") == 1 + size, "all has arrived")
    # The sizes of struct mptcp_subflow_data and tcp_info; bytes_acked is at offset 120 of the latter.
    app("""
import ctypes
value = ctypes.create_string_buffer(struct.pack("=IIII", 16, 0, 0, 128), 1024)
length = ctypes.c_uint32(1024)
result = ctypes.CDLL(None).getsockopt(s.fileno(), 284, 2, value, ctypes.byref(length))
""")
    assert app("result") == 0
    assert app("struct.unpack_from('=II', value.raw)") == (16, 4)
    acked = app("[struct.unpack_from('=Q', value.raw, 16 + 128 * n + 120)[0] for n in range(4)]")
    assert sum(acked) > 4 << 20 and sum(size > 0 for size in acked) > 1, acked


def test_no_option_takes_a_profile(served):
    """REQ8, REQ9: neither performance wishes nor a duration nor a rate can be told."""
    served.sink()
    app = served.app(served.client).connect(served.far.ip4)
    for option in (*range(9990, 10002), *range(10011, 10100)):
        for call in (app.set, app.get):
            with pytest.raises(OSError) as error:
                call(option, 4)
            assert error.value.errno in (errno.ENOPROTOOPT, errno.EOPNOTSUPP), option


def test_no_byte_is_sent_twice_on_purpose(served):
    """REQ12: the kernel's scheduler knows no redundancy: four subflows carry one copy."""
    sink, size = served.sink(), 4 << 20
    app = served.app(served.client).connect(served.far.ip4)
    app.set(ADD, 3)
    app.wait_subflows(4)
    app(f"send(s, {size})")
    wait_until(lambda: sink("drained") == 1 + size, "all has arrived")
    flows = served.client.run(["ss", "-tnHOi", "state", "established"])
    sent = sum(map(int, re.findall(r" bytes_sent:(\d+)", flows)))
    assert size < sent < 2 * size
