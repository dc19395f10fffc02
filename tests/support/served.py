# SPDX-License-Identifier: MIT
"""Servers as child processes and connections to them, for tests: on loopback, bounded in time, ended by process id."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import time

SECONDS = 20  # after which anything that waits is a failure


class Served:
    """A child process that serves `port`, which it prints as the last word of its first line unless it is told here."""

    def __init__(self, command, port=None, **popen):
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=None, **popen)
        try:
            self.port = port or self._announced()
            self._wait()
        except BaseException:
            self.kill()
            raise

    def answers(self, client):
        """Whether the server does what it is for."""
        raise NotImplementedError

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
                if self.answers(client):
                    return
            time.sleep(0.02)
        raise AssertionError('the server does not answer')

    def connect(self):
        client = socket.create_connection(('127.0.0.1', self.port), SECONDS)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

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


def wait_until(condition, what):
    end = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f'not within {SECONDS} s: {what}')
        time.sleep(0.01)


def send_until_blocked(client, data, most):
    """Sends `data` again and again until nobody has taken a byte for half a second; how much went."""
    client.setblocking(False)
    sent = 0
    while sent < most and select.select([], [client], [], 0.5)[1]:
        sent += client.send(data[sent % len(data):])
    return sent


def reset(client):
    """Closes a connection so that its peer gets a reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
    client.close()
