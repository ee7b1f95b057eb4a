#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Sends one mebibyte over one connection of four subflows."""
import socket
import sys

import subflow

SUBFLOWS, BYTES = 4, 1 << 20


def main() -> None:
    host, port = sys.argv[1:]
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, socket.SOCK_STREAM, subflow.IPPROTO_MPTCP) as s:
        s.connect(address)
        s.sendall(b"x")    # subflows come once the server has acknowledged something
        subflow.add(s, SUBFLOWS - 1)
        for local, _ in subflow.wait(s, SUBFLOWS, timeout=10):
            print("subflow from port", local[1])
        s.sendall(bytes(BYTES - 1))
        s.shutdown(socket.SHUT_WR)
        print("the server saw", s.recv(256).decode().strip())


if __name__ == "__main__":
    main()
