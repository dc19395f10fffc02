#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""nginx_test.py CLIENT: what the client makes of nginx, of its files and as a proxy in front of Node."""

import json
import os
import random
import sys
import time
import unittest

from serving import Nginx, Node, Test
from served import wait_until

SMALL = b'a small file\n'
LARGE = random.Random(1).randbytes(8_000_000)
PAGE = b'<!--# set var="word" value="included" -->[<!--# echo var="word" -->]' * 200


class WithNginx(Test):
    options = {}

    @classmethod
    def setUpClass(cls):
        cls.node = Node()
        cls.addClassCleanup(cls.node.kill)
        cls.server = Nginx(cls.node.port, **cls.options)
        cls.addClassCleanup(cls.server.remove)
        for name, data in (('small', SMALL), ('large', LARGE), ('pages/page', PAGE)):
            cls.server.file(name, data)

    def connections_for(self, work):
        """How many connections the server gets by it."""
        before = self.server.connections()
        work()
        return self.server.connections() - before


class Files(WithNginx):
    def test_files(self):
        client = self.client()
        for fetch in ({}, {'fetch': 1}):
            answer = client.ask(self.server.url('/small'), **fetch)
            self.assertEqual((answer.status, answer.body, answer.field('content-length')), (200, SMALL.decode(), str(len(SMALL))))
            self.assertEqual(client.ask(self.server.url('/large'), save=self.saved(), **fetch).field('content-length'), '8000000')
            self.assertSaved(LARGE)
        self.assertEqual(answer.free, 1)
        self.assertEqual(client.ask(self.server.url('/none')).status, 404)
        self.assertEqual(client.ask(self.server.url('/small'), method='POST', body='x').status, 405)

    def test_head(self):
        client = self.client()
        for _ in range(3):
            answer = client.ask(self.server.url('/large'), method='HEAD')
            self.assertEqual((answer.status, answer.body, answer.field('content-length'), answer.free), (200, '', '8000000', 1))

    def test_ranges(self):
        client = self.client()
        for asked, status, body in (('bytes=0-0', 206, SMALL[:1]), ('bytes=2-6', 206, SMALL[2:7]), ('bytes=-5', 206, SMALL[-5:]), ('bytes=9-', 206, SMALL[9:])):
            answer = client.ask(self.server.url('/small'), fields=[f'Range: {asked}'])
            self.assertEqual((answer.status, answer.body), (status, body.decode()))
        self.assertEqual(answer.field('content-range'), 'bytes 9-12/13')
        answer = client.ask(self.server.url('/small'), fields=['Range: bytes=0-1,4-5'])
        self.assertTrue(answer.field('content-type').startswith('multipart/byteranges'))
        self.assertIn('Content-Range: bytes 4-5/13\r\n\r\nal\r\n', answer.body)
        self.assertEqual(client.ask(self.server.url('/small'), fields=['Range: bytes=13-']).status, 416)
        self.assertEqual(client.ask(self.server.url('/large'), fields=['Range: bytes=7000000-'], save=self.saved()).status, 206)
        self.assertSaved(LARGE[7_000_000:])

    def test_what_has_not_changed(self):
        client = self.client()
        first = client.ask(self.server.url('/small'))
        for field in (f'If-None-Match: {first.field("etag")}', f'If-Modified-Since: {first.field("last-modified")}'):
            answer = client.ask(self.server.url('/small'), fields=[field])
            self.assertEqual((answer.status, answer.body, answer.reused, answer.free), (304, '', 1, 1))
        answer = client.ask(self.server.url('/small'), fields=['If-None-Match: "another"'])
        self.assertEqual((answer.status, answer.body), (200, SMALL.decode()))
        answer = client.ask(self.server.url('/empty'))
        self.assertEqual((answer.status, answer.body, answer.free), (204, '', 1))

    def test_many_requests_over_one_connection(self):
        client = self.client()

        def work():
            for number in range(300):
                answer = client.ask(self.server.url('/small'))
                self.assertEqual((answer.body, answer.reused), (SMALL.decode(), int(number > 0)))
        self.assertEqual(self.connections_for(work), 1)

    def test_64_at_once(self):
        for limit in (8, 64):
            client = self.client(f'maxSockets={limit}')

            def work():
                files = [{'url': self.server.url('/large'), 'save': os.path.join(self.folder, str(number))} for number in range(8)]
                answers = client.ask_all([{'url': self.server.url('/small')}] * 28 + files + [{'url': self.server.url('/pages/page')}] * 28)
                self.assertEqual([answer.status for answer in answers], [200] * 64)
                self.assertEqual(sum(answer.body == SMALL.decode() for answer in answers), 28)
                self.assertEqual(sum(answer.body == '[included]' * 200 for answer in answers), 28)
                for file in files:
                    with open(file['save'], 'rb') as saved:
                        self.assertTrue(saved.read() == LARGE)
            self.assertEqual(self.connections_for(work), limit)

    def test_chunks_and_answers_without_a_length(self):
        client = self.client()
        for target, coding, free in (('/pages/page', 'chunked', 1), ('/unframed/page', None, 0)):
            for fetch in ({}, {'fetch': 1}):
                answer = client.ask(self.server.url(target), **fetch)
                self.assertEqual((answer.field('transfer-encoding'), answer.body, answer.free), (coding, '[included]' * 200, free))

    def test_uploads(self):
        path = self.server.file('source', LARGE)
        client = self.client()
        for number, words in enumerate(({'fetch': 1}, {}, {'fields': [f'Content-Length: {len(LARGE)}']}, {'fields': ['Expect: 100-continue']})):
            target = f'/upload/{number}'
            answer = client.ask(self.server.url(target), method='PUT', upload=path, **words)
            self.assertEqual((answer.status, answer.error, answer.free), (201, '', 1))
            self.assertTrue((self.server.folder / f'files{target}').read_bytes() == LARGE)
            self.assertEqual(client.ask(self.server.url(target), method='DELETE').status, 204)
        self.assertEqual(client.ask(self.server.url('/upload/x'), method='PUT', body='short', pieces=3).status, 201)
        self.assertEqual(client.ask(self.server.url('/upload/x')).body, 'short' * 3)

    def test_an_upload_that_is_too_large(self):
        path = self.server.file('source', LARGE)
        client = self.client()
        for words in ({'upload': path}, {'upload': path, 'fetch': 1}, {'upload': path, 'fields': [f'Content-Length: {len(LARGE)}']}, {'body': 'x' * 2000}):
            answer = client.ask(self.server.url('/small/x'), method='PUT', **words)
            self.assertEqual((answer.status, answer.error), (413, ''), words)
            self.assertIn('<h1>413 Request Entity Too Large</h1>', answer.body)
        expected = client.ask(self.server.url('/small/x'), method='PUT', body='x' * 2000, fields=['Expect: 100-continue', 'Content-Length: 2000'])
        self.assertEqual(expected.status, 413)
        self.assertNotIn('continue', expected.events)

    def test_redirects(self):
        client = self.client()
        for status, method, after in ((301, 'POST', 'GET'), (302, 'POST', 'GET'), (303, 'PUT', 'GET'), (307, 'PUT', 'PUT'), (308, 'POST', 'POST'), (308, 'HEAD', 'HEAD')):
            answer = client.ask(self.server.url(f'/{status}'), method=method, fetch=1, **({'body': 'x'} if method != 'HEAD' else {}))
            self.assertEqual((answer.status, answer.redirected, answer.url), (200, 1, self.server.url('/node/fields')))
            if method != 'HEAD':
                self.assertEqual(json.loads(answer.body)['method'], after)
            answer = client.ask(self.server.url(f'/{status}'))
            self.assertEqual((answer.status, answer.free), (status, 1))

    def test_a_unix_socket(self):
        client = self.client()
        for number in range(3):
            answer = client.ask('http://any.name/small', socket=self.server.path)
            self.assertEqual((answer.body, answer.reused), (SMALL.decode(), int(number > 0)))
        client.ask('http://any.name/large', socket=self.server.path, save=self.saved())
        self.assertSaved(LARGE)


class Between(WithNginx):
    """In front of Node."""

    def test_bodies_through_it(self):
        data = LARGE[:3_000_000]
        path = self.server.file('source', data)
        client = self.client()
        for place in ('/node/collect', '/through/echo'):
            for words in ({}, {'fetch': 1}, {'fields': [f'Content-Length: {len(data)}']}, {'fields': ['Expect: 100-continue']}):
                answer = client.ask(self.server.url(place), method='POST', upload=path, save=self.saved(), **words)
                self.assertEqual((answer.status, answer.error, answer.free), (200, '', 1))
                self.assertSaved(data)
            answer = client.ask(self.server.url(place), method='POST', body='ab', pieces=100)
            self.assertEqual((answer.body, answer.reused), ('ab' * 100, 1))

    def test_hints_and_trailers_that_it_keeps_to_itself(self):
        client = self.client()
        for target, body in (('/through/trailers', 'body'), ('/node/pieces?100', 'piece' * 100)):
            answer = client.ask(self.server.url(target))
            self.assertEqual((answer.status, answer.body, answer.free), (200, body, 1))

    def test_an_upgrade_through_it(self):
        answer = self.client().ask(self.server.url('/upgrade/'), echo=1, fields=['Connection: Upgrade', 'Upgrade: echo'])
        self.assertEqual((answer.status, answer.echo), (101, 'ping'))

    def test_nobody_behind_it(self):
        client = self.client()
        answer = client.ask(self.server.url('/nobody/'))
        self.assertEqual((answer.status, answer.free), (502, 1))

    def test_a_body_that_breaks_off_behind_it(self):
        client = self.client()
        for target in ('/node/break-length', '/through/break-length', '/through/break-chunks'):
            answer = client.ask(self.server.url(target))
            self.assertEqual((answer.status, answer.error, answer.free), (200, 'ECONNRESET aborted', 0), target)


class FewRequests(WithNginx):
    options = {'keepalive_requests': 3}

    def test_only_so_many_requests_for_each_connection(self):
        client = self.client()

        def work():
            for number in range(30):
                answer = client.ask(self.server.url('/node/echo'), method='POST', body='x')
                self.assertEqual((answer.body, answer.reused, answer.free), ('x', int(number % 3 > 0), int(number % 3 < 2)))
        self.assertEqual(self.connections_for(work), 10)

    def test_none_of_many_at_once_is_lost(self):
        client = self.client('maxSockets=5')
        answers = client.ask_all([{'url': self.server.url('/node/echo'), 'method': 'POST', 'body': str(number)} for number in range(64)])
        self.assertEqual(sorted(int(answer.body) for answer in answers), list(range(64)))


class ShortLives(WithNginx):
    """Connections close soon after an answer, without a word."""
    options = {'keepalive_timeout': '20ms'}

    def test_a_connection_that_closed_while_the_client_did_not_look(self):
        client = self.client()
        for method in ('GET', 'HEAD', 'GET'):
            client.ask(self.server.url('/small'))
            self.server.idle()
            answer = client.ask(self.server.url('/small'), method=method)
            self.assertEqual((answer.status, answer.error, answer.reused), (200, '', 0))
            self.server.idle()
        # A client that is slow to look at the answer sees the end with it, and asks on a new connection.
        for _ in range(20):
            client.ask(self.server.url('/small'))
            self.server.idle()
            answer = client.ask(self.server.url('/small'), method='POST', body='twice?')
            if answer.reused:
                break
            self.assertEqual((answer.status, answer.error), (405, ''))
            self.server.idle()
        self.assertEqual((answer.error, answer.reused), ('ECONNRESET socket hang up', 1))

    def test_requests_that_meet_the_close(self):
        client = self.client()
        pauses = random.Random(2)
        for _ in range(40):
            answer = client.ask(self.server.url('/small'))
            self.assertEqual((answer.body, answer.error), (SMALL.decode(), ''))
            time.sleep(pauses.uniform(0.018, 0.024))

    def test_what_is_free_goes_with_the_server(self):
        client = self.client()
        client.ask(self.server.url('/small'))
        # A loop that looks has heard of it.
        self.server.idle()
        client.ask(self.node.url('/pieces?1000'))
        self.assertEqual(client.ask(self.node.url()).free, 1)


class Killed(Test):
    def test_within_a_body(self):
        for fetch in ({}, {'fetch': 1}):
            server = Nginx()
            self.addCleanup(server.remove)
            server.file('large', LARGE)
            client = self.client()
            client.begin({'url': server.url('/slow/large'), 'save': self.saved(), **fetch})
            wait_until(lambda: os.path.exists(self.saved()) and os.path.getsize(self.saved()) > 0, 'a part of the body')
            server.kill()
            answer = client.answer()
            self.assertEqual((answer.status, answer.error), (200, 'ECONNRESET aborted'))
            self.assertLess(os.path.getsize(self.saved()), len(LARGE))
            os.unlink(self.saved())


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1], verbosity=2)
