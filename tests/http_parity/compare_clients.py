#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The same requests by Node's client and by leat's: what a server is told, and what each makes of the answers.

  compare_clients.py --node NODE --program PROGRAM

DIFFERENCES names the cases in which leat does otherwise, with the reason; there it must really differ.
"""
import argparse
import os
import re
import socket
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))


def ok(body, fields=''):
    return f'HTTP/1.1 200 OK\r\n{fields}Content-Length: {len(body)}\r\n\r\n{body}'


TWICE = 'X-A: 1\r\nx-a: 2\r\nETag: c\r\nETag: d\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n'
# By target; the others are answered "hello". A text in a list comes before the server ends.
ANSWERS = {
    '/head': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n',
    '/chunked': 'HTTP/1.1 201 Made\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX-T: t\r\n\r\n',
    '/until-close': ['HTTP/1.1 200 OK\r\n\r\nall'],
    '/old': ['HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold'],
    '/no-content': 'HTTP/1.1 204 No Content\r\n\r\n',
    '/not-modified': 'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n',
    '/joined': ok('joined', TWICE),
    '/all-joined': ok('joined', TWICE),
    '/hints': 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n' + ok('hints'),
    '/cut': ['HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart'],
    '/hang-up': [''],
    '/bad-status': 'HTTP/1.1 2x0 OK\r\n\r\n',
    '/two-lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na',
    '/both-lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    '/no-number': 'HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\na',
    '/upgrade': 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nfirst',
    'a:1': 'HTTP/1.1 200 Connected\r\n\r\nfirst',
    'a:2': 'HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno',
}
# What is told and what comes of it, apart.
DIFFERENCES = {
    'chunked, got': 'the connection of the request before said that it closes, and does; Node keeps it',
    'both lengths, got': 'the same refusal has another code',
    'refused connect, got': 'what is no way through is an answer as others, with its body',
}


class Server:
    """Takes one connection after the other, as the clients ask one thing at a time."""

    def __init__(self):
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.told = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        self.buffer = b''
        with connection:
            try:
                while self.one(connection):
                    pass
            except (ConnectionError, EOFError):
                pass

    def until(self, connection, found):
        while not found(connection_buffer := self.buffer):
            piece = connection.recv(65536)
            if not piece:
                raise EOFError
            self.buffer = connection_buffer + piece

    def take(self, count):
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken.decode('latin1')

    def one(self, connection):
        self.until(connection, lambda b: b'\r\n\r\n' in b)
        head = self.take(self.buffer.index(b'\r\n\r\n') + 4)
        target = head.split(' ')[1]
        body = ''
        if 'Expect: 100-continue' in head:
            connection.sendall(b'HTTP/1.1 100 Continue\r\n\r\n')
        if length := re.search(r'(?im)^content-length: (\d+)', head):
            count = int(length[1])
            self.until(connection, lambda b: len(b) >= count)
            body = self.take(count)
        elif re.search(r'(?im)^transfer-encoding: chunked', head):
            end = re.compile(rb'(?s)(^|\r\n)0\r\n(?:[^\r\n]+\r\n)*\r\n')
            self.until(connection, end.search)
            body = self.take(end.search(self.buffer).end())
        self.told.append((head + body).replace(f'127.0.0.1:{self.port}', 'HOST'))
        answer = ANSWERS.get(target, ok('hello'))
        connection.sendall((answer[0] if isinstance(answer, list) else answer).encode('latin1'))
        return not isinstance(answer, list)


def results(command):
    """What the server was told and what the program says, by the name of the case."""
    server = Server()
    run = subprocess.run([*command, str(server.port)], stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    lines = [line.split(': ', 1) for line in run.stdout.splitlines()]
    if len(lines) != len(server.told):
        sys.exit(f'{command[0]}: {len(lines)} cases, {len(server.told)} requests\n{run.stdout}')
    found = {}
    for (name, said), told in zip(lines, server.told):
        found[name + ', told'] = told
        found[name + ', got'] = said
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--node', required=True)
    parser.add_argument('--program', required=True)
    options = parser.parse_args()
    nodes = results([options.node, os.path.join(HERE, 'client.js')])
    leats = results([options.program])
    wrong = []
    for name in dict.fromkeys([*nodes, *leats]):
        same = nodes.get(name) == leats.get(name)
        if same == (name in DIFFERENCES):
            wrong.append(name)
            what = 'is said to differ, and does not' if same else 'differs'
            print(f'{name} {what}\n  node {nodes.get(name)!r}\n  leat {leats.get(name)!r}')
    if len(nodes) < 60 or wrong:
        sys.exit(f'{len(wrong)} of {len(nodes)} are not as they should be')
    print(f'{len(nodes) - len(DIFFERENCES)} of {len(nodes)} are the same, the others are listed')


if __name__ == '__main__':
    main()
