# SPDX-License-Identifier: MIT
"""Servers and connections for the tests of mini_redis: on loopback, bounded in time, ended by process id."""

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SECONDS = 20  # after which anything that waits is a failure


class Server:
    """A child process that serves `port`."""

    def __init__(self, command, port=None):
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=None)
        try:
            self.port = port or self._announced()
            self._wait()
        except BaseException:
            self.kill()
            raise

    def _announced(self):
        ready, _, _ = select.select([self.process.stdout], [], [], SECONDS)
        words = self.process.stdout.readline().split() if ready else []
        if not words or not words[-1].isdigit():
            raise AssertionError(f'the server announced no port: {words}')
        return int(words[-1])

    def _wait(self):
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError), self.connect() as client:
                client.sendall(b'PING\r\n')
                if client.recv(16).startswith(b'+PONG'):
                    return
            time.sleep(0.02)
        raise AssertionError('the server does not answer PING')

    def connect(self):
        client = socket.create_connection(('127.0.0.1', self.port), SECONDS)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    def ask(self, *commands):
        """Sends inline commands on one connection and gives all that comes back until the end."""
        with self.connect() as client:
            client.sendall(b''.join(command + b'\r\n' for command in commands))
            client.shutdown(socket.SHUT_WR)
            return read_all(client)

    def resident(self):
        """Bytes of memory in use."""
        with open(f'/proc/{self.process.pid}/statm', encoding='ascii') as statm:
            return int(statm.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')

    def sockets(self):
        """How many it has open, leaving out what it was started with."""
        folder = f'/proc/{self.process.pid}/fd'
        count = 0
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):
                count += int(name) > 2 and os.readlink(f'{folder}/{name}').startswith('socket:')
        return count

    def terminate(self):
        """Asks it to end as an operator does; gives the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self):
        try:
            return self.process.wait(SECONDS)
        finally:
            self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.kill()


def read_all(client):
    """Everything up to the end of the connection; a reset counts as the end."""
    received = bytearray()
    with contextlib.suppress(ConnectionError):
        while piece := client.recv(65536):
            received += piece
    return bytes(received)


def read_exactly(client, count):
    received = bytearray()
    while len(received) < count:
        piece = client.recv(count - len(received))
        if not piece:
            raise AssertionError(f'the connection ended after {bytes(received)!r}')
        received += piece
    return bytes(received)


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
