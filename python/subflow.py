# SPDX-License-Identifier: MIT
"""Control of the subflows of a Multipath TCP connection, by the socket options of RFC 6897.

    import socket, subflow

    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, subflow.IPPROTO_MPTCP)
    s.connect(("server", 7000))
    subflow.add(s, 3)                          # three more subflows
    for local, remote in subflow.wait(s, 4, timeout=5):
        print(local, "->", remote)

One file, nothing but the standard library: it may be copied into a project. The options are
answered inside the system call wherever subflowd(8) serves the network namespace of the socket;
subflow(7) specifies them. Where no daemon does, every function raises OSError with ENOPROTOOPT or
EOPNOTSUPP.

A socket is whatever has fileno(): socket.socket, ssl.SSLSocket, the transport sockets of asyncio.
Addresses are tuples as the socket module has them: (host, port) for IPv4, (host, port) or
(host, port, flowinfo, scope_id) for IPv6, with numeric hosts: names are not looked up. A local
address may be the host alone, which is as much as port 0: whichever port. All functions may be
called from any thread, keep no state, and raise OSError with the errno of the option that
subflow(7) lists.
"""
import ctypes
import enum
import errno
import os
import socket
import struct
import time
from typing import Iterable, List, NamedTuple, Protocol, Tuple, Union

__all__ = ["IPPROTO_MPTCP", "TCP_MULTIPATH_ENABLE", "TCP_MULTIPATH_ADD", "TCP_MULTIPATH_REMOVE",
           "TCP_MULTIPATH_SUBFLOWS", "TCP_MULTIPATH_CONNID", "TCP_MULTIPATH_NDIFFPORTS",
           "TCP_MULTIPATH_BACKUP", "TCP_MULTIPATH_EXPECTED", "TCP_MULTIPATH_INTENT",
           "Address", "Intent", "LocalAddress", "Pair", "add", "connid", "enable", "enabled",
           "expected", "intent", "ndiffports", "remove", "set_backup", "set_expected",
           "set_intent", "set_ndiffports", "subflows", "wait"]

IPPROTO_MPTCP = 262

# The numbers of subflow.h, at level IPPROTO_TCP.
TCP_MULTIPATH_ENABLE = 10002
TCP_MULTIPATH_ADD = 10003
TCP_MULTIPATH_REMOVE = 10004
TCP_MULTIPATH_SUBFLOWS = 10005
TCP_MULTIPATH_CONNID = 10006
TCP_MULTIPATH_NDIFFPORTS = 10007
TCP_MULTIPATH_BACKUP = 10008
TCP_MULTIPATH_EXPECTED = 10009
TCP_MULTIPATH_INTENT = 10010

Address = Union[Tuple[str, int], Tuple[str, int, int, int]]
LocalAddress = Union[str, Address]


class Pair(NamedTuple):
    """One subflow: its two ends, in the form in which getsockname() gives those of the socket."""
    local: Address
    remote: Address


class Intent(enum.IntEnum):
    """What a connection is for."""
    DEFAULT = 0  # split by what it carries, and by what was announced
    BULK = 1  # an elephant from its start, however large
    INTERACTIVE = 2  # delay is what counts: not split by itself
    OFF = 3  # not split by itself


class _Socket(Protocol):
    def fileno(self) -> int:
        """The descriptor."""


# struct sockaddr_in and sockaddr_in6 of Linux; a pair is two of the larger one's size.
_IN4 = struct.Struct("=H2s4s8x")
_IN6 = struct.Struct("=H2s4s16sI")
_PAIR_BYTES = 2 * _IN6.size
# The largest value of an option, one page. socket.getsockopt() takes no more than 1024 bytes.
_VALUE_BYTES = 4096

# How long wait() sleeps between two looks, in seconds.
_FIRST_PAUSE = 0.001
_LONGEST_PAUSE = 0.05

_libc = ctypes.CDLL(None, use_errno=True)
_libc.getsockopt.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_void_p,
                             ctypes.POINTER(ctypes.c_uint32)]
_libc.setsockopt.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_char_p,
                             ctypes.c_uint32]


def _check(result: int) -> None:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def _set(sock: _Socket, option: int, value: bytes) -> None:
    _check(_libc.setsockopt(sock.fileno(), socket.IPPROTO_TCP, option, value, len(value)))


def _get(sock: _Socket, option: int, size: int) -> bytes:
    value, length = ctypes.create_string_buffer(size), ctypes.c_uint32(size)
    _check(_libc.getsockopt(sock.fileno(), socket.IPPROTO_TCP, option, value,
                            ctypes.byref(length)))
    return value.raw[:length.value]


def _get_int(sock: _Socket, option: int) -> int:
    value: int = struct.unpack("=i", _get(sock, option, 4))[0]
    return value


def _pack_address(address: LocalAddress) -> bytes:
    host, port, *rest = (address, 0) if isinstance(address, str) else address
    if not 0 <= port <= 65535:
        raise ValueError(f"port {port} is not within 0 to 65535")
    port_be = struct.pack("!H", port)
    if ":" not in host:
        if rest:
            raise ValueError(f"{address}: an IPv4 address has a host and a port")
        return _IN4.pack(socket.AF_INET, port_be, socket.inet_pton(socket.AF_INET, host))
    host, _, device = host.partition("%")
    flowinfo, scope_id = rest if rest else (0, 0)
    if device:
        scope_id = socket.if_nametoindex(device)
    return _IN6.pack(socket.AF_INET6, port_be, struct.pack("!I", flowinfo),
                     socket.inet_pton(socket.AF_INET6, host), scope_id)


def _unpack_address(data: bytes) -> Address:
    family, port_be = struct.unpack_from("=H2s", data)
    port: int = struct.unpack("!H", port_be)[0]
    if family == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, data[4:8]), port
    _, _, flowinfo_be, host, scope_id = _IN6.unpack(data)
    flowinfo: int = struct.unpack("!I", flowinfo_be)[0]
    return socket.inet_ntop(socket.AF_INET6, host), port, flowinfo, scope_id


def _pack(what: Union[int, Iterable[LocalAddress]]) -> bytes:
    if isinstance(what, int):
        return struct.pack("=i", what)
    if isinstance(what, str):
        raise TypeError(f"{what!r}: a list of addresses is wanted, such as [{what!r}]")
    return b"".join(map(_pack_address, what))


def enabled(sock: _Socket) -> bool:
    """True while the connection really runs MPTCP; false on plain TCP, before the connection is
    up, and after a fallback."""
    return _get_int(sock, TCP_MULTIPATH_ENABLE) != 0


def enable(sock: _Socket, on: bool = True) -> None:
    """Makes the socket an MPTCP socket, or with on=False a plain TCP one, before connect().

    Only under `subflow run` can it change what the socket is; otherwise that is EOPNOTSUPP: make
    the socket with IPPROTO_MPTCP instead.
    """
    _set(sock, TCP_MULTIPATH_ENABLE, struct.pack("=i", on))


def add(sock: _Socket, what: Union[int, Iterable[LocalAddress]]) -> None:
    """Asks for `what` more subflows, or for one from each of these local addresses.

    Accepted when it returns; the subflows are opened as soon as can be: see wait(). An address
    that is given twice gets two subflows. Before connect() a list restricts the connection to
    these addresses; its first subflow is then the first of them. On an accepted connection a list
    is announced to the peer.
    """
    _set(sock, TCP_MULTIPATH_ADD, _pack(what))


def remove(sock: _Socket, what: Union[int, Iterable[LocalAddress]]) -> None:
    """Takes the `what` youngest subflows away, or those of these local addresses; a port other
    than 0 narrows an address to one subflow."""
    _set(sock, TCP_MULTIPATH_REMOVE, _pack(what))


def set_ndiffports(sock: _Socket, n: int) -> None:
    """Asks for n subflows in all, the first included."""
    _set(sock, TCP_MULTIPATH_NDIFFPORTS, struct.pack("=i", n))


def ndiffports(sock: _Socket) -> int:
    """What set_ndiffports() asked for last; 0 if nothing."""
    return _get_int(sock, TCP_MULTIPATH_NDIFFPORTS)


def set_expected(sock: _Socket, size: int) -> None:
    """Says how many bytes the connection is to carry in all, to the peer or from it, whichever is
    more; 0: not known any more. An elephant that is announced so is split at once."""
    _set(sock, TCP_MULTIPATH_EXPECTED, struct.pack("=Q", size))


def expected(sock: _Socket) -> int:
    """What set_expected() said last; 0 if nothing."""
    value: int = struct.unpack("=Q", _get(sock, TCP_MULTIPATH_EXPECTED, 8))[0]
    return value


def set_intent(sock: _Socket, what: Intent) -> None:
    """Says what the connection is for, and so whether it is to be split by itself."""
    _set(sock, TCP_MULTIPATH_INTENT, struct.pack("=i", what))


def intent(sock: _Socket) -> Intent:
    """What set_intent() said last."""
    return Intent(_get_int(sock, TCP_MULTIPATH_INTENT))


def set_backup(sock: _Socket, local: LocalAddress, backup: bool = True) -> None:
    """Makes the subflows of a local address backups, which carry data only while no other can, or
    ordinary ones again; a port other than 0 narrows it to one subflow."""
    address = _pack_address(local).ljust(_IN6.size, b"\0")
    _set(sock, TCP_MULTIPATH_BACKUP, address + struct.pack("=I", backup))


def subflows(sock: _Socket) -> List[Pair]:
    """The established subflows, in the order in which they were opened."""
    data = _get(sock, TCP_MULTIPATH_SUBFLOWS, _VALUE_BYTES)
    return [Pair(_unpack_address(data[at:at + _IN6.size]),
                 _unpack_address(data[at + _IN6.size:at + _PAIR_BYTES]))
            for at in range(0, len(data), _PAIR_BYTES)]


def connid(sock: _Socket) -> int:
    """The local identifier of the connection: its MPTCP token, 32 bits."""
    value: int = struct.unpack("=I", _get(sock, TCP_MULTIPATH_CONNID, 4))[0]
    return value


def _subflows_if_any(sock: _Socket) -> List[Pair]:
    """None of them: the last one is being replaced."""
    try:
        return subflows(sock)
    except OSError as error:
        if error.errno != errno.ENOTCONN:
            raise
    connid(sock)  # of a connection that has gone there is none
    return []


def wait(sock: _Socket, n: int, timeout: float) -> List[Pair]:
    """Waits until the connection has n subflows or more, and returns them.

    TimeoutError after `timeout` seconds without. OSError at once where that cannot come: the
    connection is gone or not there yet (ENOTCONN), or has fallen back (EOPNOTSUPP). While it has
    none at all, since the last one is being replaced, it is waited for as well. No subflow comes
    before the peer has acknowledged a byte: send something first.

    The kernel tells processes without privilege nothing of subflows, so this looks, and sleeps
    longer each time: from 1 ms doubling to 50 ms.
    """
    deadline, pause = time.monotonic() + timeout, _FIRST_PAUSE
    while len(pairs := _subflows_if_any(sock)) < n:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(errno.ETIMEDOUT, f"{len(pairs)} of {n} subflows in {timeout:g} s")
        time.sleep(min(pause, left))
        pause = min(2 * pause, _LONGEST_PAUSE)
    return pairs
