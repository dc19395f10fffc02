#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""commands_test.py MINI_REDIS: every command through redis-cli; replies as written here, and as the real server gives."""

import os
import re
import select
import subprocess
import sys
import time
import unittest

import servers
from served import SECONDS, read_exactly

# What is typed into redis-cli, and what it prints.
SESSION = [
    ('PING', 'PONG'),
    ('ping hello', '"hello"'),
    ('ECHO "two words"', '"two words"'),
    ('ECHO "a\\x00\\r\\n\\xff"', '"a\\x00\\r\\n\\xff"'),
    ('ECHO', "(error) ERR wrong number of arguments for 'echo' command"),
    ('SET name value', 'OK'),
    ('GET name', '"value"'),
    ('get NAME', '(nil)'),
    ('GET', "(error) ERR wrong number of arguments for 'get' command"),
    ('GET a b', "(error) ERR wrong number of arguments for 'get' command"),
    ('SET name', "(error) ERR wrong number of arguments for 'set' command"),
    ('SET "" empty', 'OK'),
    ('GET ""', '"empty"'),
    ('SET name other NX', '(nil)'),
    ('SET name other xx', 'OK'),
    ('GET name', '"other"'),
    ('SET fresh 1 XX', '(nil)'),
    ('SET fresh 1 nx', 'OK'),
    ('SET fresh 1 NX XX', '(error) ERR syntax error'),
    ('SET fresh 1 EX', '(error) ERR syntax error'),
    ('SET fresh 1 EX 1 PX 1', '(error) ERR syntax error'),
    ('SET fresh 1 SOON', '(error) ERR syntax error'),
    ('SET fresh 1 EX ten', '(error) ERR value is not an integer or out of range'),
    ('SET fresh 1 EX 0', "(error) ERR invalid expire time in 'set' command"),
    ('SET fresh 1 PX -5', "(error) ERR invalid expire time in 'set' command"),
    ('SET fresh 1 EX 9223372036854775807', "(error) ERR invalid expire time in 'set' command"),
    ('TTL fresh', '(integer) -1'),
    ('SET fresh 1 EX 100 NX', '(nil)'),
    ('SET fresh 1 EX 100', 'OK'),
    ('TTL fresh', '(integer) 100'),
    ('INCR fresh', '(integer) 2'),
    ('TTL fresh', '(integer) 100'),
    ('SET fresh 1', 'OK'),
    ('TTL fresh', '(integer) -1'),
    ('SET fresh 1 px 40000000000', 'OK'),
    ('TTL fresh', '(integer) 40000000'),
    ('EXPIRE fresh 50', '(integer) 1'),
    ('TTL fresh', '(integer) 50'),
    ('EXPIRE fresh now', '(error) ERR value is not an integer or out of range'),
    ('EXPIRE fresh 9223372036854775807', "(error) ERR invalid expire time in 'expire' command"),
    ('EXPIRE nothing 10', '(integer) 0'),
    ('EXPIRE fresh -1', '(integer) 1'),
    ('GET fresh', '(nil)'),
    ('TTL fresh', '(integer) -2'),
    ('INCR counter', '(integer) 1'),
    ('INCR counter', '(integer) 2'),
    ('GET counter', '"2"'),
    ('SET counter -1', 'OK'),
    ('INCR counter', '(integer) 0'),
    ('SET counter 9223372036854775807', 'OK'),
    ('INCR counter', '(error) ERR increment or decrement would overflow'),
    ('SET counter 007', 'OK'),
    ('INCR counter', '(error) ERR value is not an integer or out of range'),
    ('SET counter " 1"', 'OK'),
    ('INCR counter', '(error) ERR value is not an integer or out of range'),
    ('SET counter 9223372036854775808', 'OK'),
    ('INCR counter', '(error) ERR value is not an integer or out of range'),
    ('MSET a 1 b 2 a 3', 'OK'),
    ('MSET a 1 b', "(error) ERR wrong number of arguments for 'mset' command"),
    ('LPUSH list one', '(integer) 1'),
    ('MGET a b nothing list', '1) "3"\n2) "2"\n3) (nil)\n4) (nil)'),
    ('EXISTS a b nothing a', '(integer) 3'),
    ('DEL a b nothing a', '(integer) 2'),
    ('EXISTS a', '(integer) 0'),
    ('LPUSH list two three', '(integer) 3'),
    ('RPUSH list four', '(integer) 4'),
    ('LRANGE list 0 -1', '1) "three"\n2) "two"\n3) "one"\n4) "four"'),
    ('LRANGE list 1 2', '1) "two"\n2) "one"'),
    ('LRANGE list -2 -1', '1) "one"\n2) "four"'),
    ('LRANGE list -100 100', '1) "three"\n2) "two"\n3) "one"\n4) "four"'),
    ('LRANGE list 3 1', '(empty array)'),
    ('LRANGE list 9 20', '(empty array)'),
    ('LRANGE list 0 -9223372036854775808', '(empty array)'),
    ('LRANGE nothing 0 -1', '(empty array)'),
    ('LRANGE list x 1', '(error) ERR value is not an integer or out of range'),
    ('LRANGE list 0', "(error) ERR wrong number of arguments for 'lrange' command"),
    ('GET list', '(error) WRONGTYPE Operation against a key holding the wrong kind of value'),
    ('INCR list', '(error) WRONGTYPE Operation against a key holding the wrong kind of value'),
    ('LPUSH name x', '(error) WRONGTYPE Operation against a key holding the wrong kind of value'),
    ('LRANGE name 0 1', '(error) WRONGTYPE Operation against a key holding the wrong kind of value'),
    ('SET list text', 'OK'),
    ('GET list', '"text"'),
    ('MSET hello 1 hallo 2 hxllo 3 h.llo 4 other 5', 'OK'),
    ('KEYS h[a]llo', '1) "hallo"'),
    ('KEYS h[^ae.]llo', '1) "hxllo"'),
    ('KEYS "h\\\\.llo"', '1) "h.llo"'),
    ('KEYS ?????X', '(empty array)'),
    ('KEYS oth*', '1) "other"'),
    ('KEYS h[b-f]llo', '1) "hello"'),
    ('DBSIZE', '(integer) 9'),
    ('CONFIG GET save', '1) "save"\n2) ""'),
    ('CONFIG GET appendonly', '1) "appendonly"\n2) "no"'),
    ('CONFIG GET nothing-like-that', '(empty array)'),
    ('CONFIG', "(error) ERR wrong number of arguments for 'config' command"),
    ('PUBLISH nobody text', '(integer) 0'),
    ('PUBLISH nobody', "(error) ERR wrong number of arguments for 'publish' command"),
    ('Foo', "(error) ERR unknown command 'Foo', with args beginning with: "),
    ('foo "b c" d', "(error) ERR unknown command 'foo', with args beginning with: 'b c' 'd' "),
    ('foo "x\\r\\n+OK"', "(error) ERR unknown command 'foo', with args beginning with: 'x  +OK' "),
    ('FLUSHALL', 'OK'),
    ('DBSIZE', '(integer) 0'),
    ('KEYS *', '(empty array)'),
]


def redis_cli(server, lines, *options):
    done = subprocess.run(['redis-cli', '-h', '127.0.0.1', '-p', str(server.port), *options],
                          input='\n'.join(lines) + '\n', capture_output=True, text=True,
                          timeout=SECONDS, check=True)
    return done.stdout


class Commands(unittest.TestCase):
    maxDiff = None
    session = [typed for typed, _ in SESSION]
    printed = ''.join(f'{reply}\n' for _, reply in SESSION)

    def replies(self, server):
        # A time to live is asked for up to a second later than it was given.
        return re.sub(r'(?m)^\(integer\) (49|99|39999999)$', lambda less: f'(integer) {int(less[1]) + 1}',
                      redis_cli(server, self.session, '--no-raw'))

    def test_replies_are_those_written_here(self):
        with servers.mini_redis() as server:
            self.assertEqual(self.replies(server), self.printed)
            self.assertEqual(server.terminate(), 0)

    def test_the_real_server_gives_the_same(self):
        with servers.real_redis() as server:
            if server is None:
                self.skipTest('neither redis-server nor redis-check-rdb is here')
            self.assertEqual(self.replies(server), self.printed)

    def test_info_tells_the_back_end_and_command_has_a_reply(self):
        with servers.mini_redis() as server:
            self.assertRegex(redis_cli(server, ['INFO']), r'(?m)^leat_backend:(epoll|io_uring)\s*$')
            self.assertEqual(redis_cli(server, ['COMMAND', 'COMMAND DOCS', 'PING']).split(), ['PONG'])

    def test_values_of_a_megabyte_go_through(self):
        value = 'x' * 1_000_000
        with servers.mini_redis() as server:
            typed = [f'SET large {value}', f'RPUSH list {value} {value}', 'GET large', 'LRANGE list 0 -1']
            self.assertEqual(redis_cli(server, typed), f'OK\n2\n{value}\n{value}\n{value}\n')


class Expiry(unittest.TestCase):
    def test_a_key_goes_when_it_is_time_though_nobody_asks_for_it(self):
        with servers.mini_redis() as server:
            start = time.monotonic()
            said = server.ask(b'SET gone x PX 150', b'SET later x PX 60000', b'SET kept x PX 150', b'SET kept y', b'DBSIZE')
            self.assertEqual(said, b'+OK\r\n' * 4 + b':3\r\n')
            while server.ask(b'DBSIZE') != b':2\r\n':
                self.assertLess(time.monotonic() - start, SECONDS)
                time.sleep(0.01)
            self.assertGreaterEqual(time.monotonic() - start, 0.15)
            self.assertEqual(server.ask(b'MGET gone kept'), b'*2\r\n$-1\r\n$1\r\ny\r\n')

    def test_pending_expiries_do_not_hold_the_server(self):
        with servers.mini_redis() as server:
            server.ask(b'SET later x EX 1000', b'SET far x EX 4000000000')
            start = time.monotonic()
            self.assertEqual(server.terminate(), 0)
            self.assertLess(time.monotonic() - start, 4)  # long before it would give up waiting


class Channels(unittest.TestCase):
    def test_a_subscriber_gets_what_is_published(self):
        with servers.mini_redis() as server, server.connect() as client:
            def expect(expected):
                self.assertEqual(read_exactly(client, len(expected)), expected)

            client.sendall(b'SUBSCRIBE one two one\r\n')
            expect(b'*3\r\n$9\r\nsubscribe\r\n$3\r\none\r\n:1\r\n')
            expect(b'*3\r\n$9\r\nsubscribe\r\n$3\r\ntwo\r\n:2\r\n')
            expect(b'*3\r\n$9\r\nsubscribe\r\n$3\r\none\r\n:2\r\n')
            self.assertEqual(server.ask(b'PUBLISH one hello', b'PUBLISH On x', b'PUBLISH two y'), b':1\r\n:0\r\n:1\r\n')
            expect(b'*3\r\n$7\r\nmessage\r\n$3\r\none\r\n$5\r\nhello\r\n')
            expect(b'*3\r\n$7\r\nmessage\r\n$3\r\ntwo\r\n$1\r\ny\r\n')

    def test_redis_cli_prints_what_is_published(self):
        with servers.mini_redis() as server:
            command = ['redis-cli', '-h', '127.0.0.1', '-p', str(server.port), '--no-raw', 'SUBSCRIBE', 'one', 'two']
            # It reads until it is ended, so the time is bounded by what is waited for here.
            with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as subscriber:
                try:
                    printed = b''
                    for typed, expected in [
                            (None, b'1) "subscribe"\n2) "one"\n3) (integer) 1\n1) "subscribe"\n2) "two"\n3) (integer) 2\n'),
                            ('PUBLISH one hello', b'1) "message"\n2) "one"\n3) "hello"\n'),
                            ('PUBLISH two "a\\x00b c"', b'1) "message"\n2) "two"\n3) "a\\x00b c"\n')]:
                        if typed is not None:
                            self.assertEqual(redis_cli(server, [typed], '--no-raw'), '(integer) 1\n')
                        printed += self.read_until(subscriber.stdout, expected)
                    self.assertEqual(printed.count(b'"message"'), 2)
                    self.assertEqual(redis_cli(server, ['PUBLISH three x'], '--no-raw'), '(integer) 0\n')
                finally:
                    subscriber.kill()

    def read_until(self, stream, expected):
        """What comes until `expected` has come, in at most SECONDS."""
        got = b''
        end = time.monotonic() + SECONDS
        while expected not in got:
            ready, _, _ = select.select([stream], [], [], max(0, end - time.monotonic()))
            more = os.read(stream.fileno(), 4096) if ready else b''
            self.assertTrue(more, f'{expected} did not come, but {got}')
            got += more
        return got

    def test_a_subscriber_that_has_gone_is_forgotten(self):
        with servers.mini_redis() as server:
            with server.connect() as client:
                client.sendall(b'SUBSCRIBE news\r\n')
                client.recv(100)
                self.assertEqual(server.ask(b'PUBLISH news x'), b':1\r\n')
            end = time.monotonic() + SECONDS
            while server.ask(b'PUBLISH news x') != b':0\r\n':
                self.assertLess(time.monotonic(), end)


class Ending(unittest.TestCase):
    def test_shutdown_ends_the_server(self):
        with servers.mini_redis() as server:
            self.assertEqual(redis_cli(server, ['SET a 1', 'SHUTDOWN NOSAVE']).split(), ['OK'])
            self.assertEqual(server.wait(), 0)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1], verbosity=2)
