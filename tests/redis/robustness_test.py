#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""robustness_test.py MINI_REDIS: broken input, clients that do not read or go away, many of them, the end in the middle."""

import os
import signal
import socket
import subprocess
import sys
import time
import unittest

import servers
from servers import command
from served import SECONDS, read_all, read_exactly, reset, send_until_blocked, wait_until

MIB = 1 << 20

# Bytes that no client of Redis sends, and the error that the real server has for them.
BROKEN = [
    (b'*1\r\n+PING\r\n', b"expected '$', got '+'"),
    (b'*2\r\n$3\r\nGET\r\n:1\r\n', b"expected '$', got ':'"),
    (b'*1\r\n$abc\r\n', b'invalid bulk length'),
    (b'*1\r\n$-1\r\n', b'invalid bulk length'),
    (b'*1\r\n$\r\n', b'invalid bulk length'),
    (b'*1\r\n$536870913\r\n', b'invalid bulk length'),
    (b'*1\r\n$99999999999999999999\r\n', b'invalid bulk length'),
    (b'*abc\r\n', b'invalid multibulk length'),
    (b'*\r\n', b'invalid multibulk length'),
    (b'*99999999999999999999\r\n', b'invalid multibulk length'),
    (b'*3000000000\r\n', b'invalid multibulk length'),
    (b'x' * (64 * 1024 + 1), b'too big inline request'),
]

# Odd, but good.
HARMLESS = [
    (b'\r\n\n*0\r\n*-5\r\nPING\r\n', b'+PONG\r\n'),
    (b'PING\nPING\n', b'+PONG\r\n+PONG\r\n'),
    (b'  ECHO   word  \r\n', b'$4\r\nword\r\n'),
    (command(b'eChO', bytes(range(256))), b'$256\r\n' + bytes(range(256)) + b'\r\n'),
    (command(b'SET', b'\r\n', b'\0') + command(b'GET', b'\r\n'), b'+OK\r\n$1\r\n\0\r\n'),
    (command(b''), b"-ERR unknown command '', with args beginning with: \r\n"),
]


class Robustness(unittest.TestCase):
    def setUp(self):
        self.server = servers.mini_redis()
        self.addCleanup(self.server.kill)

    def tearDown(self):
        """Whatever was done to it, the server still answers, lost no descriptor, and ends well."""
        self.assertEqual(self.server.ask(b'PING'), b'+PONG\r\n')
        wait_until(lambda: self.server.sockets() == 1, 'no socket open but the one that listens')
        self.assertEqual(self.server.terminate(), 0)

    def expect_replies(self, data, expected, server=None):
        with (server or self.server).connect() as client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(read_all(client), expected, data[:80])

    def test_broken_input_gets_an_error_and_the_connection_is_closed(self):
        for data, error in BROKEN:
            with self.server.connect() as client:
                client.sendall(b'PING\r\n' + data)
                self.assertEqual(read_all(client), b'+PONG\r\n-ERR Protocol error: ' + error + b'\r\n', data[:80])

    def test_the_real_server_says_the_same_of_broken_input(self):
        with servers.real_redis() as real:
            if real is None:
                self.skipTest('neither redis-server nor redis-check-rdb is here')
            for data, error in BROKEN:
                with real.connect() as client:
                    client.sendall(data)
                    self.assertEqual(read_all(client), b'-ERR Protocol error: ' + error + b'\r\n', data[:80])

    def test_odd_input_is_taken_as_the_real_server_takes_it(self):
        with servers.real_redis() as real:
            for data, expected in HARMLESS:
                self.expect_replies(data, expected)
                if real is not None:
                    self.expect_replies(data, expected, real)

    def test_input_that_comes_byte_by_byte(self):
        data = b''.join(data for data, _ in HARMLESS)
        with self.server.connect() as client:
            for i in range(len(data)):
                client.sendall(data[i:i + 1])
            expected = b''.join(expected for _, expected in HARMLESS)
            self.assertEqual(read_exactly(client, len(expected)), expected)

    def test_broken_input_that_comes_byte_by_byte(self):
        for data, error in BROKEN[:11]:
            with self.server.connect() as client:
                for i in range(len(data)):
                    client.sendall(data[i:i + 1])
                    time.sleep(0.0005)
                self.assertEqual(read_all(client), b'-ERR Protocol error: ' + error + b'\r\n', data)

    def test_input_cut_off_at_every_byte(self):
        data = command(b'SET', b'key', b'value')
        for size in range(len(data)):
            self.expect_replies(data[:size], b'')
        self.assertEqual(self.server.ask(b'EXISTS key'), b':0\r\n')
        self.expect_replies(data, b'+OK\r\n')

    def test_many_arguments_in_small_pieces(self):
        names = [b'%d' % i for i in range(20000)]
        data = command(b'EXISTS', *names)
        with self.server.connect() as client:
            for i in range(0, len(data), 97):
                client.sendall(data[i:i + 97])
            self.assertEqual(client.recv(100), b':0\r\n')

    def test_an_announced_value_takes_no_memory_before_it_comes(self):
        before = self.server.resident()
        clients = [self.server.connect() for _ in range(20)]
        try:
            for client in clients:
                client.sendall(b'*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$500000000\r\nabc')
            self.assertEqual(self.server.ask(b'PING'), b'+PONG\r\n')
            self.assertLess(self.server.resident() - before, 16 * MIB)
        finally:
            for client in clients:
                client.close()

    def test_memory_of_a_large_command_is_given_back(self):
        value = b'x' * (64 * MIB)
        with self.server.connect() as client:
            client.sendall(command(b'ECHO', value))
            self.assertEqual(len(read_exactly(client, len(value) + 13)), len(value) + 13)
            client.sendall(b'PING\r\n')
            read_exactly(client, 7)
            if 'ASAN_OPTIONS' not in os.environ:  # the sanitizer keeps what was freed back for a while
                self.assertLess(self.server.resident(), 32 * MIB)

    def test_a_client_that_never_reads_holds_little_memory_and_is_read_no_further(self):
        self.expect_replies(command(b'SET', b'large', b'x' * 100_000), b'+OK\r\n')
        with self.server.connect() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            before = self.server.resident()
            # A hundred thousand replies of 100 kB are 10 GB.
            sent = send_until_blocked(client, b'GET large\r\n', 100_000 * 11)
            self.assertLess(self.server.resident() - before, 16 * MIB)
            self.assertEqual(self.server.ask(b'PING'), b'+PONG\r\n')
            # It is not lost: once it reads, it gets the reply to all that was sent.
            client.setblocking(True)
            client.settimeout(SECONDS)
            replies = min(sent // 11, 200)
            read_exactly(client, replies * 100_011)

    def test_a_subscriber_that_never_reads_is_disconnected(self):
        with self.server.connect() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            client.sendall(b'SUBSCRIBE flood\r\n')
            client.recv(16)
            before = self.server.resident()
            publish = command(b'PUBLISH', b'flood', b'x' * MIB)
            with self.server.connect() as publisher:
                for _ in range(100):
                    publisher.sendall(publish)
                    if read_exactly(publisher, 4) == b':0\r\n':
                        break
                else:
                    self.fail('the subscriber is still there after 100 MiB')
            self.assertLess(self.server.resident() - before, 400 * MIB)

    def test_many_connections_at_once(self):
        clients = [self.server.connect() for _ in range(400)]
        try:
            for i, client in enumerate(clients):
                client.sendall(command(b'SET', b'key%d' % i, b'%d' % i) + command(b'GET', b'key%d' % i))
            for i, client in enumerate(clients):
                expected = b'+OK\r\n$%d\r\n%d\r\n' % (len(b'%d' % i), i)
                self.assertEqual(read_exactly(client, len(expected)), expected)
        finally:
            for client in clients:
                client.close()
        self.assertEqual(self.server.ask(b'DBSIZE'), b':400\r\n')

    def test_clients_that_reset_the_connection(self):
        for _ in range(50):
            client = self.server.connect()
            client.sendall(b'PING\r\n' * 1000)
            reset(client)

    def test_a_half_closed_connection_gets_all_replies(self):
        count = 20000
        with self.server.connect() as client:
            client.sendall(b'ECHO 0123456789\r\n' * count)
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(len(read_all(client)), count * 17)

    def test_what_follows_shutdown_is_not_done(self):
        # Another server: this one is to end.
        with servers.mini_redis() as server, server.connect() as client:
            client.sendall(b'PING\r\nSHUTDOWN\r\nPING\r\n')
            self.assertEqual(read_all(client), b'+PONG\r\n')
            self.assertEqual(server.wait(), 0)

    def test_a_signal_ends_it_in_the_middle(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with servers.mini_redis() as server:
                idle, subscriber, half, stuck = clients = [server.connect() for _ in range(4)]
                try:
                    subscriber.sendall(b'SUBSCRIBE a\r\n')
                    half.sendall(b'*2\r\n$4\r\nECHO\r\n$10\r\nabc')
                    server.ask(command(b'SET', b'large', b'x' * 100_000)[:-2])
                    send_until_blocked(stuck, b'GET large\r\n', 10_000 * 11)
                    start = time.monotonic()
                    server.process.send_signal(number)
                    self.assertEqual(server.wait(), 0)
                    self.assertLess(time.monotonic() - start, 4)  # long before it would give up waiting
                    self.assertEqual(read_all(idle), b'')
                finally:
                    for client in clients:
                        client.close()
                with self.assertRaises(ConnectionRefusedError):
                    server.connect()


class Usage(unittest.TestCase):
    def test_a_wrong_command_line_is_named(self):
        for words, told in (
            (['--port', 'abc'], '--port: no number to 65535\n'),
            (['--port', '65536'], '--port: no number to 65535\n'),
            (['--port'], 'usage: mini_redis [--port PORT]\n'),
            (['6379'], 'usage: mini_redis [--port PORT]\n'),
        ):
            ended = subprocess.run([sys.argv[1], *words], capture_output=True, text=True, timeout=20, check=False)
            self.assertEqual((ended.returncode, ended.stdout, ended.stderr), (2, '', told))


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1], verbosity=2)
