# SPDX-License-Identifier: MIT
"""MPTCP connections that are open and idle, for bench/idle; not a benchmark by itself.

hold.py serve PORT          accepts what comes
hold.py dial ADDRESS PORT   for each line on standard input so many more, each with one byte
Both write a line for what they have done, and end with their standard input.
"""
import resource
import selectors
import socket
import sys

MPTCP = 262


def open_socket():
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM, MPTCP)


def serve(port):
    waiting, held, listener = selectors.DefaultSelector(), [], open_socket()
    listener.bind(("", port))
    listener.listen(4096)
    waiting.register(listener, selectors.EVENT_READ)
    waiting.register(sys.stdin, selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        for key, _ in waiting.select():
            if key.fileobj is sys.stdin:
                return
            held.append(listener.accept()[0])


def dial(address, port):
    held = []
    for line in sys.stdin:
        for _ in range(int(line)):
            held.append(open_socket())
            held[-1].connect((address, port))
            held[-1].send(b"x")
        print(len(held), flush=True)


def main():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    verb, *words = sys.argv[1:]
    if verb == "serve":
        serve(int(words[0]))
    else:
        dial(words[0], int(words[1]))


if __name__ == "__main__":
    main()
