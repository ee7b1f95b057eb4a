# SPDX-License-Identifier: MIT
"""MPTCP connections that are open and idle, for bench/idle; not a benchmark by itself.

hold.py ADDRESS PORT   for each line on standard input so many more, each with one byte; when all are
                       acknowledged, it writes a line: how many there are and how many were refused; ends
                       with its standard input
"""
import contextlib
import fcntl
import resource
import socket
import sys
import time

MPTCP, SIOCOUTQ = 262, 0x5411
LIMIT_S = 60
# By chance several in a row find their chain in the kernel's table of tokens full, and are TCP.
REFUSED_MAX = 50


def dial(address):
    """A connection, and how many were refused before."""
    for refused in range(REFUSED_MAX):
        with contextlib.suppress(ConnectionRefusedError):
            made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, MPTCP)
            made.connect(address)
            made.send(b"x")
            return made, refused
    raise SystemExit("the kernel's table of MPTCP tokens (one slot of 4 a MB of memory) is full")


def wait_for_acknowledgements(held):
    """By the connection's sequence numbers, not the subflow's: what they lack is sent again and again."""
    deadline = time.monotonic() + LIMIT_S
    for made in held:
        while any(fcntl.ioctl(made, SIOCOUTQ, bytes(4))):
            if time.monotonic() > deadline:
                raise SystemExit("the peer does not acknowledge the data of a connection")
            time.sleep(.01)


def main():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    address, held, refused = (sys.argv[1], int(sys.argv[2])), [], 0
    for line in sys.stdin:
        for _ in range(int(line)):
            made, more = dial(address)
            held.append(made)
            refused += more
        wait_for_acknowledgements(held)
        print(len(held), refused, flush=True)


if __name__ == "__main__":
    main()
