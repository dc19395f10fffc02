#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""abuse_test.py SERVER: clients that are slow, greedy, gone, or too many. LEAT_HTTP_IDLE: how many are idle at once."""

import contextlib
import os
import random
import re
import resource
import selectors
import socket
import sys
import time
import unittest

from serving import SANITIZED, Server, get
from served import SECONDS, read_all, reset, send_until_blocked, wait_until

MIB = 1 << 20
MOST = (400 if SANITIZED else 16) * MIB  # of memory for a few clients that are greedy


def allow_files(count):
    """As many open files as are wanted, or as may be: for this process and the server."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (count, max(hard, count)))
            return count
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return hard
    return soft


def answer_of(client):
    """The next answer, which has a Content-Length."""
    text = b''
    while b'\r\n\r\n' not in text:
        piece = client.recv(4096)
        if not piece:
            raise AssertionError(f'the connection ended after {text!r}')
        text += piece
    head, _, body = text.partition(b'\r\n\r\n')
    size = int(re.search(rb'Content-Length: (\d+)', head)[1])
    while len(body) < size:
        body += client.recv(size - len(body))
    return head + b'\r\n\r\n' + body


class Abuse(unittest.TestCase):
    options = ()

    def setUp(self):
        self.files = allow_files(12_000)
        self.server = Server(*self.options)
        self.addCleanup(self.server.kill)
        self.clients = contextlib.ExitStack()
        self.addCleanup(self.clients.close)

    def tearDown(self):
        """Whatever was done to it, the server still answers, lost no descriptor, and ends well."""
        self.clients.close()
        with self.client() as client:
            self.good(client)
        wait_until(lambda: self.server.sockets() == 1, 'no socket open but the one that listens')
        self.assertEqual(self.server.terminate(), 0)

    def client(self):
        return self.clients.enter_context(self.server.connect())

    def many(self, count):
        """So many connections, or as many as this system lets a process have."""
        return [self.client() for _ in range(min(count, self.files - 200))]

    def good(self, client, times=1):
        for _ in range(times):
            client.sendall(get('/'))
            self.assertTrue(answer_of(client).endswith(b'\r\n\r\nhello'))


class Memory(Abuse):
    def test_idle_connections_hold_little_memory(self):
        count = int(os.environ.get('LEAT_HTTP_IDLE', 300 if SANITIZED else 1000))
        for client in self.many(200):
            self.good(client)
        before = self.server.resident()
        idle = self.many(count)
        for client in idle:
            self.good(client)
        each = (self.server.resident() - before) / len(idle)
        print(f'{each:.0f} bytes for each of {len(idle)} idle connections', file=sys.stderr)
        if not SANITIZED:
            self.assertLess(each, 4 * 1024)

    def test_clients_that_never_read_hold_little_memory(self):
        greedy = self.many(5)
        before = self.server.resident()
        for client in greedy:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            send_until_blocked(client, get('/bytes/1000000000'), 2 * MIB)
        self.assertLess(self.server.resident() - before, MOST)
        self.good(self.client(), 10)


class Slow(Abuse):
    # Long enough for all good ones, short enough to be waited for.
    options = ('headersTimeout=3000', 'connectionsCheckingInterval=200')

    def test_slow_heads_do_not_stop_good_clients_and_are_closed(self):
        slow = self.many(200 if SANITIZED else 2000)
        for client in slow:
            client.sendall(b'GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ')
        fast = self.many(100)
        # A byte of each slow one between the requests of the good ones.
        for _ in range(5):
            for client in slow:
                with contextlib.suppress(ConnectionError):
                    client.send(b'x')
            for client in fast:
                client.sendall(get('/'))
            for client in fast:
                self.assertTrue(answer_of(client).endswith(b'hello'))
        # Each is told, and closed.
        waiting = selectors.DefaultSelector()
        for client in slow:
            waiting.register(client, selectors.EVENT_READ)
        end = time.monotonic() + SECONDS
        while waiting.get_map() and time.monotonic() < end:
            for key, _ in waiting.select(1):
                waiting.unregister(key.fileobj)
                self.assertTrue(read_all(key.fileobj).startswith(b'HTTP/1.1 408 '))
        self.assertEqual(len(waiting.get_map()), 0)
        self.assertEqual(self.server.stats()['refused'], len(slow))


class Broken(Abuse):
    def test_clients_that_reset_at_any_time(self):
        seed = int(os.environ.get('LEAT_HTTP_SEED', 1))
        print(f'LEAT_HTTP_SEED={seed}', file=sys.stderr)
        dice = random.Random(seed)
        texts = [get('/'), get('/throw'), get('/bytes/1000000'), get('/trailers'), get('/') * 50,
                 get('/echo', 'Transfer-Encoding: chunked\r\n', 'POST') + b'5\r\nhello\r\n0\r\n\r\n',
                 get('/echo', 'Content-Length: 100000\r\n', 'POST') + bytes(100_000), get('/echo', 'Expect: 100-continue\r\nContent-Length: 9\r\n', 'POST'),
                 b'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', b'garbage\r\n\r\n']
        for _ in range(100 if SANITIZED else 400):
            client = self.server.connect()
            text = b''.join(dice.choices(texts, k=dice.randint(1, 4)))
            with contextlib.suppress(ConnectionError):
                client.sendall(text[:dice.randint(0, len(text))])
                if dice.random() < 0.5:
                    client.settimeout(0.002)
                    with contextlib.suppress(TimeoutError):
                        client.recv(dice.choice([1, 100, 100_000]))
            if dice.random() < 0.7:
                reset(client)
            else:
                client.close()

    def test_clients_that_go_while_the_handler_works(self):
        clients = self.many(100)
        for client in clients:
            client.sendall(get('/never'))
        wait_until(lambda: self.server.stats()['waiting'] == len(clients), 'all are there')
        for i, client in enumerate(clients):
            if i % 2:
                reset(client)
            else:
                client.close()
        wait_until(lambda: self.server.stats()['aborted'] == len(clients), 'the signal of each aborts')
        self.assertEqual(self.server.stats()['thrown'], 0)

    def test_handlers_that_throw(self):
        for client in self.many(20):
            client.sendall(get('/throw'))
            self.assertTrue(read_all(client).startswith(b'HTTP/1.1 500 '))
        self.assertEqual(self.server.stats()['thrown'], 20)


class Ends(unittest.TestCase):
    """What is still there when the server ends. It ends all the same, and at once."""

    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.kill)
        self.clients = contextlib.ExitStack()
        self.addCleanup(self.clients.close)

    def tearDown(self):
        with self.server.connect() as client:
            client.sendall(get('/', 'Connection: close\r\n'))
            self.assertTrue(read_all(client).endswith(b'hello'))
        self.assertEqual(self.server.terminate(), 0)

    def test_handlers_that_never_answer(self):
        for _ in range(20):
            self.clients.enter_context(self.server.connect()).sendall(get('/never') + get('/'))
        wait_until(lambda: self.server.stats()['waiting'] == 20, 'all are there')

    def test_bodies_that_nobody_takes_stop_their_senders(self):
        before = self.server.resident()
        for _ in range(5):
            client = self.clients.enter_context(self.server.connect())
            client.sendall(b'POST /never HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n')
            self.assertLess(send_until_blocked(client, bytes(65536), 100 * MIB), 100 * MIB)
        self.assertLess(self.server.resident() - before, MOST)


class Files(unittest.TestCase):
    def test_without_descriptors_nobody_is_lost(self):
        most = 60
        limit = (most, most)
        with Server(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limit)) as server, contextlib.ExitStack() as stack:
            first = [stack.enter_context(server.connect()) for _ in range(most)]
            for client in first:
                client.sendall(get('/', 'Connection: close\r\n'))
            # Whoever is answered makes room for another one.
            for client in first:
                self.assertTrue(read_all(client).endswith(b'hello'))
            kept = [stack.enter_context(server.connect()) for _ in range(2 * most)]
            for client in kept:
                client.sendall(get('/'))
            # As many as there are descriptors have their answer; the others wait in the kernel.
            for client in kept[:20]:
                self.assertTrue(answer_of(client).endswith(b'hello'))
                client.close()
            with server.connect() as late:
                for client in kept[20:]:
                    client.close()
                late.sendall(get('/', 'Connection: close\r\n'))
                self.assertTrue(read_all(late).endswith(b'hello'))
            self.assertEqual(server.terminate(), 0)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1], verbosity=2)
