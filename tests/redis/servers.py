# SPDX-License-Identifier: MIT
"""Servers of Redis for the tests of mini_redis."""

import contextlib
import os
import shutil
import socket
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from served import Served, read_all  # noqa: E402


class Server(Served):
    """A server of Redis."""

    def answers(self, client):
        client.sendall(b'PING\r\n')
        return client.recv(16).startswith(b'+PONG')

    def ask(self, *commands):
        """Sends inline commands on one connection and gives all that comes back until the end."""
        with self.connect() as client:
            client.sendall(b''.join(command + b'\r\n' for command in commands))
            client.shutdown(socket.SHUT_WR)
            return read_all(client)


def mini_redis():
    return Server([sys.argv[1], '--port', '0'])


@contextlib.contextmanager
def real_redis():
    """The real server, or None where there is none. Debian's redis-tools has it under its checker's name."""
    program = shutil.which('redis-server') or shutil.which('redis-check-rdb')
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        name = os.path.join(folder, 'redis-server')
        os.symlink(program, name)
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            port = probe.getsockname()[1]
        command = [name, '--port', str(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '',
                   '--appendonly', 'no', '--loglevel', 'warning']
        with Server(command, port) as server:
            yield server


def command(*arguments):
    """A command as clients send it."""
    parts = [b'*%d\r\n' % len(arguments)]
    parts += [b'$%d\r\n%s\r\n' % (len(argument), argument) for argument in arguments]
    return b''.join(parts)
