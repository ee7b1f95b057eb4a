#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Serves one connection: reads it to its end, and answers with what it saw."""
import socket
import sys

import subflow


def serve(s: socket.socket) -> None:
    count = size = 0
    while block := s.recv(1 << 16):
        size += len(block)
        if subflow.enabled(s):
            count = max(count, len(subflow.subflows(s)))
    s.sendall(f"{count} subflows, {size} bytes\n".encode())


def main() -> None:
    # The listener stays open: the kernel takes further subflows through it.
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM, subflow.IPPROTO_MPTCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("", int(sys.argv[1])))
        listener.listen()
        s, _ = listener.accept()
        with s:
            serve(s)


if __name__ == "__main__":
    main()
