#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# In the manner of the scripts of 2014, with the addresses that RFC 6897 has for
# ADD instead of a number: a plain TCP socket, options by bare number, all before
# connect. Knows nothing of Subflow; run it with `subflow run`.

import socket
import struct
import sys

TCP_MULTIPATH_ADD = 10003
TCP_MULTIPATH_CONNID = 10006
TCP_MULTIPATH_NDIFFPORTS = 10007

if len(sys.argv) < 5:
    print("usage: %s SERVER PORT NUM_SUBFLOWS LOCAL_ADDRESS..." % sys.argv[0])
    sys.exit(2)

sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
# struct sockaddr_in, one after the other; port 0: any
addresses = b"".join(struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))
                     for address in sys.argv[4:])
sock.setsockopt(socket.SOL_TCP, TCP_MULTIPATH_ADD, addresses)
sock.setsockopt(socket.SOL_TCP, TCP_MULTIPATH_NDIFFPORTS, int(sys.argv[3]))
sock.connect((sys.argv[1], int(sys.argv[2])))
print("connected from %s:%d" % sock.getsockname())

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
