#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""node_test.py CLIENT: what the client makes of Node's http server, and of Node as a proxy."""

import json
import os
import sys
import unittest

from serving import Node, Test

PIECE = 'x' * 1000


class Asked(Test):
    @classmethod
    def setUpClass(cls):
        cls.server = Node()
        cls.addClassCleanup(cls.server.kill)

    def connections_for(self, work):
        """How many connections the server gets by it."""
        before = self.server.counts().connections
        work()
        return self.server.counts().connections - before

    def test_many_requests_over_one_connection(self):
        client = self.client()

        def work():
            for number in range(200):
                answer = client.ask(self.server.url('/'))
                self.assertEqual((answer.status, answer.body, answer.reused), (200, 'hello', int(number > 0)))
        self.assertEqual(self.connections_for(work), 1)

    def test_64_at_once_share_the_connections_that_there_may_be(self):
        client = self.client('maxSockets=8')

        def work():
            answers = client.ask_all([{'url': self.server.url('/bytes?20000')}] * 64)
            self.assertEqual([answer.body for answer in answers], ['b' * 20000] * 64)
            self.assertEqual(client.ask(self.server.url()).free, 8)
        self.assertEqual(self.connections_for(work), 8)

    def test_64_at_once_without_a_limit(self):
        client = self.client()

        def work():
            answers = client.ask_all([{'url': self.server.url('/bytes?20000')}] * 64)
            self.assertEqual([answer.body for answer in answers], ['b' * 20000] * 64)
        self.assertEqual(self.connections_for(work), 64)

    def test_without_keep_alive(self):
        client = self.client('keepAlive=0')

        def work():
            for _ in range(3):
                answer = client.ask(self.server.url())
                self.assertEqual((answer.field('connection'), answer.reused, answer.free), ('close', 0, 0))
        self.assertEqual(self.connections_for(work), 3)

    def test_head(self):
        client = self.client()
        for target, length in (('/bytes?100000', '100000'), ('/pieces?9', None)):
            answer = client.ask(self.server.url(target), method='HEAD')
            self.assertEqual((answer.status, answer.body, answer.field('content-length'), answer.free), (200, '', length, 1))

    def test_a_large_answer(self):
        client = self.client()
        for fetch in ({}, {'fetch': 1}):
            self.assertEqual(client.ask(self.server.url('/bytes?20000000'), save=self.saved(), **fetch).status, 200)
            self.assertSaved(b'b' * 20_000_000)

    def test_chunks(self):
        answer = self.client().ask(self.server.url('/pieces?300'))
        self.assertEqual((answer.field('transfer-encoding'), answer.body, answer.free), ('chunked', 'piece' * 300, 1))

    def test_bodies_with_a_length_and_in_pieces(self):
        client = self.client()
        for words, framing in (({'body': PIECE}, '1000'), ({'body': PIECE, 'pieces': 50}, 'chunked'), ({}, '0'),
                               ({'body': PIECE, 'pieces': 50, 'fields': ['Content-Length: 50000']}, '50000')):
            answer = client.ask(self.server.url('/echo'), method='POST', **words)
            self.assertEqual(answer.field('x-framing'), framing)
            self.assertEqual(answer.body, words.get('body', '') * words.get('pieces', 1))
        self.assertEqual(answer.reused, 1)

    def test_files_there_and_back(self):
        data = os.urandom(5_000_000)
        path = os.path.join(self.folder, 'upload')
        with open(path, 'wb') as file:
            file.write(data)
        client = self.client()
        for fetch in ({}, {'fetch': 1}):
            answer = client.ask(self.server.url('/echo'), method='POST', upload=path, save=self.saved(), **fetch)
            self.assertEqual((answer.field('x-framing'), answer.free), ('chunked', 1))
            self.assertSaved(data)
        answer = client.ask(self.server.url('/echo'), method='PUT', upload=path, save=self.saved(), fields=['Content-Length: 5000000'])
        self.assertEqual((answer.field('x-framing'), answer.free), ('5000000', 1))
        self.assertSaved(data)

    def test_trailers_both_ways(self):
        client = self.client()
        answer = client.ask(self.server.url('/trailers'))
        self.assertEqual((answer.body, answer.trailers), ('body', [['X-Sum', '4'], ['X-Other', 'two words']]))
        answer = client.ask(self.server.url('/echo'), method='POST', body='abc', pieces=3, trailer=9)
        self.assertEqual((answer.body, answer.trailers, answer.reused), ('abcabcabc', [['X-Back', '9']], 1))

    def test_a_body_that_waits_for_the_server(self):
        client = self.client()
        for pieces in (1, 3):
            answer = client.ask(self.server.url('/echo'), method='POST', body='late', pieces=pieces, fields=['Expect: 100-continue'])
            self.assertEqual((answer.status, answer.body), (200, 'late' * pieces))
            self.assertEqual([event for event in answer.events.split() if event != 'finish'][:3], ['continue', '100', 'response'])

    def test_a_body_that_the_server_does_not_want(self):
        answer = self.client().ask(self.server.url('/refused'), method='POST', body='late', fields=['Expect: 100-continue', 'Content-Length: 4'])
        self.assertEqual((answer.status, answer.body), (413, 'too large'))
        self.assertNotIn('continue', answer.events)

    def test_an_answer_before_the_body_was_sent(self):
        path = os.path.join(self.folder, 'upload')
        with open(path, 'wb') as file:
            file.write(bytes(5_000_000))
        client = self.client()
        for words in ({'upload': path}, {'upload': path, 'fields': ['Content-Length: 5000000']}, {'body': 'x' * 100_000, 'pieces': 50}):
            answer = client.ask(self.server.url('/early'), method='POST', **words)
            self.assertEqual((answer.status, answer.body, answer.error), (413, 'too large', ''))
            self.assertIn('finish', answer.events)
            self.assertNotIn('not-sent', answer.events)
            self.assertEqual(client.ask(self.server.url()).body, 'hello')
            answer = client.ask(self.server.url('/early'), method='POST', fetch=1, upload=path)
            self.assertEqual((answer.status, answer.body, answer.error), (413, 'too large', ''))
        self.assertEqual(client.ask(self.server.url()).body, 'hello')

    def test_an_expectation_that_nobody_knows(self):
        answer = self.client().ask(self.server.url('/echo'), method='POST', body='x', fields=['Expect: wonders'])
        self.assertEqual(answer.status, 417)

    def test_hints_in_front_of_the_answer(self):
        answer = self.client().ask(self.server.url('/hints'))
        self.assertEqual((answer.status, answer.body, answer.hints102), (200, 'behind hints', []))
        self.assertEqual(answer.hints103, [['Link', '</style.css>; rel=preload'], ['x-trace', 'id']])
        self.assertEqual([event for event in answer.events.split() if event != 'finish'][:3], ['102', '103', 'response'])

    def test_answers_without_a_body(self):
        client = self.client()
        for status in (204, 304, 205):
            answer = client.ask(self.server.url(f'/status?{status}'))
            self.assertEqual((answer.status, answer.body, answer.field('etag'), answer.free), (status, '', '"e"', 1))

    def test_an_answer_that_ends_with_its_connection(self):
        client = self.client()
        for target, body in (('/until-close', 'all of it'), ('/close', 'last')):
            for fetch in ({}, {'fetch': 1}):
                answer = client.ask(self.server.url(target), **fetch)
                self.assertEqual((answer.body, answer.error, answer.free), (body, '', 0))

    def test_a_connection_stays_no_longer_than_the_server_says(self):
        client = self.client()
        self.assertEqual(client.ask(self.server.url('/keeps?1')).free, 0)
        self.assertEqual(client.ask(self.server.url('/keeps?2')).free, 1)

    def test_redirects(self):
        client = self.client()
        for status, method, after in ((301, 'POST', 'none'), (302, 'POST', 'none'), (303, 'PUT', 'none'), (307, 'POST', '4'), (308, 'PUT', '4')):
            answer = client.ask(self.server.url(f'/to?{status}'), method=method, body='body', fetch=1)
            self.assertEqual((answer.status, answer.redirected, answer.url), (200, 1, self.server.url(f'/echo?{status}')))
            self.assertEqual((answer.field('x-framing'), answer.body), (after, 'body' if after == '4' else ''), status)
        self.assertEqual(client.ask(self.server.url('/to?302'), fetch=1, redirect='manual').status, 302)
        self.assertTrue(client.ask(self.server.url('/to?302'), fetch=1, redirect='error').error.startswith('ERR_HTTP_REDIRECT '))
        self.assertTrue(client.ask(self.server.url('/circle'), fetch=1).error.startswith('ERR_HTTP_REDIRECT '))

    def test_what_is_secret_stays_with_its_server(self):
        with Node() as other:
            answer = self.client().ask(self.server.url(f'/to-other?{other.port}'), fetch=1, fields=['Authorization: Basic YTpi', 'Cookie: a=b', 'X-Mine: 1'])
        fields = [name.lower() for name in json.loads(answer.body)['fields'][::2]]
        self.assertIn('x-mine', fields)
        self.assertNotIn('authorization', fields)
        self.assertNotIn('cookie', fields)
        self.assertIn(f'127.0.0.1:{other.port}', json.loads(answer.body)['fields'])

    def test_a_body_that_breaks_off(self):
        client = self.client()
        for target in ('/break-length', '/break-chunks'):
            for words in ({}, {'fetch': 1}, {'save': self.saved()}):
                answer = client.ask(self.server.url(target), **words)
                self.assertEqual((answer.error, answer.free), ('ECONNRESET aborted', 0), (target, words))

    def test_no_answer_at_all(self):
        client = self.client()
        self.assertEqual(client.ask(self.server.url('/break-nothing')).error, 'ECONNRESET socket hang up')

    def test_a_socket_behind_an_upgrade(self):
        client = self.client()
        answer = client.ask(self.server.url(), echo=1, fields=['Connection: Upgrade', 'Upgrade: echo'])
        self.assertEqual((answer.status, answer.reason, answer.echo, answer.free), (101, 'Switching Protocols', 'ping', 0))

    def test_a_tunnel_by_hand(self):
        with Node() as other:
            answer = self.client().ask(self.server.url(), method='CONNECT', target=f'127.0.0.1:{other.port}', echo=1)
        # What comes through is what Node says to "ping".
        self.assertEqual((answer.status, answer.echo[:12]), (200, 'HTTP/1.1 400'))

    def test_a_unix_socket(self):
        client = self.client()
        for number in range(3):
            answer = client.ask('http://any.name/echo', socket=self.server.path, method='POST', body='by a path')
            self.assertEqual((answer.body, answer.reused), ('by a path', int(number > 0)))
        answer = client.ask('http://any.name/fields?a', socket=self.server.path, fetch=1)
        self.assertIn('any.name', json.loads(answer.body)['fields'])

    def test_an_answer_that_nobody_reads_frees_its_connection(self):
        client = self.client()
        for _ in range(3):
            self.assertEqual(client.ask(self.server.url('/bytes?50000'), drop=1).free, 1)


class Closing(Test):
    """A server that ends connections, or itself."""

    def test_a_connection_that_closed_while_the_client_did_not_look(self):
        server = self.enterContext(Node())
        client = self.client()
        for how in ('end', 'reset'):
            for method in ('GET', 'DELETE', 'PUT', 'HEAD'):
                client.ask(server.url())
                server.end_connections(how)
                answer = client.ask(server.url(), method=method)
                self.assertEqual((answer.status, answer.reused, answer.error), (200, 0, ''), (how, method))
            client.ask(server.url())
            server.end_connections(how)
            before = server.counts().requests
            for words in ({'method': 'POST', 'body': 'twice?'}, {'method': 'PUT', 'body': 'gone', 'pieces': 2}):
                answer = client.ask(server.url(), **words)
                # Whichever is seen first.
                self.assertIn(answer.error.split()[0], ('ECONNRESET', 'EPIPE'))
                self.assertEqual(answer.reused, 1)
                client.ask(server.url())
                server.end_connections(how)
            self.assertEqual(server.counts().requests, before + 2)

    def test_without_retries_that_is_an_error(self):
        server = self.enterContext(Node())
        client = self.client('retry=0')
        client.ask(server.url())
        server.end_connections('end')
        self.assertEqual(client.ask(server.url()).error, 'ECONNRESET socket hang up')

    def test_a_request_is_sent_twice_at_most(self):
        server = self.enterContext(Node())
        client = self.client()
        client.ask(server.url())
        self.assertEqual(client.ask(server.url('/break-nothing')).error, 'ECONNRESET socket hang up')
        self.assertEqual(server.counts().requests, 3)

    def test_only_so_many_requests_for_each_connection(self):
        server = self.enterContext(Node(maxRequestsPerSocket=3))
        client = self.client()
        for number in range(30):
            answer = client.ask(server.url(), method='POST')
            self.assertEqual((answer.status, answer.reused), (200, int(number % 3 > 0)))
        self.assertEqual(server.counts().connections, 10)

    def test_a_server_that_is_killed_within_a_body_or_before_it(self):
        for target, error in (('/hold', 'ECONNRESET aborted'), ('/never', 'ECONNRESET socket hang up')):
            for words in ({}, {'fetch': 1}, {'method': 'POST', 'body': 'x'}):
                with Node() as server:
                    client = self.client()
                    client.begin({'url': server.url(target), **words})
                    server.says('holds')
                    server.process.kill()
                    self.assertEqual(client.answer().error, error, (target, words))
                    server.process.wait()
                    answer = client.ask(server.url())
                    self.assertTrue(answer.error.startswith('ECONNREFUSED '), answer.error)


class Proxy(Test):
    @classmethod
    def setUpClass(cls):
        cls.server = Node()
        cls.addClassCleanup(cls.server.kill)
        cls.proxy = Node(secret=1)
        cls.addClassCleanup(cls.proxy.kill)

    def test_whole_urls(self):
        client = self.client(f'proxy={self.proxy.url("")}')
        for number in range(3):
            answer = client.ask(self.server.url('/fields?a=b'), method='POST', body='x')
            seen = json.loads(answer.body)
            self.assertEqual((seen['url'], seen['method'], answer.reused), ('/fields?a=b', 'POST', int(number > 0)))
            self.assertIn('1.1 proxy', seen['fields'])
        self.assertEqual(client.ask('http://127.0.0.1:1/').status, 502)
        self.assertEqual(client.ask(self.server.url('/to?307'), method='POST', body='again', fetch=1).body, 'again')

    def test_a_way_through(self):
        client = self.client(f'proxy=http://user:word@127.0.0.1:{self.proxy.port}', 'proxyTunnel=1')
        before = self.proxy.counts().tunnels
        for number in range(3):
            answer = client.ask(self.server.url('/echo'), method='POST', body=PIECE, pieces=100)
            self.assertEqual((answer.body, answer.reused), (PIECE * 100, int(number > 0)))
        self.assertEqual(self.proxy.counts().tunnels, before + 1)
        self.assertTrue(client.ask('http://127.0.0.1:1/').error.startswith('ERR_PROXY_TUNNEL '))

    def test_a_way_through_that_is_refused(self):
        answer = self.client(f'proxy={self.proxy.url("")}', 'proxyTunnel=1').ask(self.server.url())
        self.assertTrue(answer.error.startswith('ERR_PROXY_TUNNEL '), answer.error)
        self.assertIn('407', answer.error)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1], verbosity=2)
