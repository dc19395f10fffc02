# SPDX-License-Identifier: MIT
"""The server of these tests, whose program is their first argument."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from served import Served, read_all  # noqa: E402

# A sanitizer makes everything slower, and memory what it likes.
SANITIZED = 'ASAN_OPTIONS' in os.environ or 'TSAN_OPTIONS' in os.environ


def get(target, fields='', method='GET'):
    return f'{method} {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n'.encode()


class Server(Served):
    def __init__(self, *options, **popen):
        super().__init__([sys.argv[1], *options], **popen)

    def answers(self, client):
        client.sendall(get('/', 'Connection: close\r\n'))
        return read_all(client).endswith(b'\r\n\r\nhello')

    def url(self, target):
        return f'http://127.0.0.1:{self.port}{target}'

    def stats(self):
        """What the server has counted, and what a page has reported."""
        with self.connect() as client:
            client.sendall(get('/stats', 'Connection: close\r\n'))
            lines = read_all(client).decode('latin-1').split('\r\n\r\n', 1)[1].splitlines()
        words = dict(line.split(' ', 1) for line in lines)
        return {name: int(value) if value.isdigit() else value for name, value in words.items()}
