#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# In the manner of the scripts of 2014, after 2to3 and nothing else: a plain TCP
# socket, options by bare number, bind and ADD before connect. Knows nothing of
# Subflow; run it with `subflow run`.

import socket
import struct
import sys

TCP_MULTIPATH_ADD = 10003
TCP_MULTIPATH_CONNID = 10006

if len(sys.argv) != 5:
    print("usage: %s SERVER PORT LOCAL_ADDRESS NUM_SUBFLOWS" % sys.argv[0])
    sys.exit(2)

sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
sock.bind((sys.argv[3], 0))
sock.setsockopt(socket.SOL_TCP, TCP_MULTIPATH_ADD, struct.pack("i", int(sys.argv[4])))
sock.connect((sys.argv[1], int(sys.argv[2])))
print("connected to %s:%d" % sock.getpeername())

sock.sendall(b"hello")
connid = sock.getsockopt(socket.SOL_TCP, TCP_MULTIPATH_CONNID)
print("connection id %d" % connid)

input("press return to send\n")
data = b"x" * 1400
for i in range(2000):
    sock.sendall(data)
sock.shutdown(socket.SHUT_WR)
print("server received %s bytes" % sock.recv(64).decode())
sock.close()
