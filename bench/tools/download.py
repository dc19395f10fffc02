#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""download.py PORT PATH COUNT: fetches a file again and again on one connection, and prints ns per MiB.

The bytes are dropped by the kernel (MSG_TRUNC), so that the server is the slower one.
"""

import socket
import sys
import time

PIECE = 1 << 20


def fetch(client, path, room):
    """The size of the body, which must have been announced."""
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head = b""
    # Peeked at: what is behind the head is part of the body.
    while b"\r\n\r\n" not in head:
        more = client.recv(4096, socket.MSG_PEEK)
        if not more:
            sys.exit("the server closed the connection")
        end = (head + more).find(b"\r\n\r\n")
        head += client.recv(len(more) if end < 0 else end + 4 - len(head))
    lines = head.decode("latin-1").lower().split("\r\n")
    sizes = [int(line[15:]) for line in lines if line.startswith("content-length:")]
    if not lines[0].startswith("http/1.1 200") or len(sizes) != 1:
        sys.exit(f"no file: {lines}")
    left = sizes[0]
    while left > 0:
        count = client.recv_into(room, min(left, PIECE), socket.MSG_TRUNC)
        if count == 0:
            sys.exit(f"{left} bytes are missing")
        left -= count
    return sizes[0]


def main():
    port, path, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    room = bytearray(PIECE)
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        begin = time.monotonic_ns()
        size = sum(fetch(client, path, room) for _ in range(count))
        print((time.monotonic_ns() - begin) / (size / 2**20))


if __name__ == "__main__":
    main()
