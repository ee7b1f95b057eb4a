#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# In the manner of the scripts of 2014, after 2to3 and nothing else. Knows
# nothing of Subflow; run it with `subflow run`.

import socket
import sys

sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
sock.bind(("", int(sys.argv[1])))
sock.listen(5)

conn, addr = sock.accept()
print("connection from %s:%d" % addr)
received = 0
while True:
    data = conn.recv(65536)
    if not data:
        break
    received += len(data)
conn.sendall(("%d" % received).encode())
conn.close()
sock.close()
