#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""python_test.py CLIENT: what the client makes of Python's http.server, in HTTP/1.0 and in HTTP/1.1."""

import os
import sys
import unittest

from serving import Python, Test

LARGE = os.urandom(3_000_000)


class Versions:
    def setUp(self):
        super().setUp()
        for name, data in (('small', b'small'), ('large', LARGE), ('folder/index.html', b'index')):
            path = os.path.join(self.folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, 'wb') as file:
                file.write(data)
        self.server = Python(self.version, self.folder)
        self.addCleanup(self.server.close)

    def test_files(self):
        client = self.client()
        for fetch in ({}, {'fetch': 1}):
            for _ in range(3):
                answer = client.ask(self.server.url('/small'), **fetch)
                self.assertEqual((answer.status, answer.body, answer.free), (200, 'small', self.kept))
            client.ask(self.server.url('/large'), save=self.saved(), **fetch)
            self.assertSaved(LARGE)
        self.assertEqual(self.server.connections, 1 if self.kept else 8)
        self.assertEqual(client.ask(self.server.url('/small')).version, self.version[-3:])

    def test_head_and_what_has_not_changed(self):
        client = self.client()
        answer = client.ask(self.server.url('/large'), method='HEAD')
        self.assertEqual((answer.status, answer.body, answer.field('content-length'), answer.free), (200, '', '3000000', self.kept))
        answer = client.ask(self.server.url('/small'), fields=[f'If-Modified-Since: {answer.field("last-modified")}'])
        self.assertEqual((answer.status, answer.body, answer.free), (304, '', self.kept))

    def test_a_body_that_ends_with_its_connection(self):
        client = self.client()
        for fetch in ({}, {'fetch': 1}):
            answer = client.ask(self.server.url('/stream'), **fetch)
            self.assertEqual((answer.body, answer.error, answer.free), ('piece' * 100, '', 0))

    def test_a_post(self):
        client = self.client()
        for words in ({'body': 'x' * 100_000}, {'body': 'abc', 'pieces': 100, 'fields': ['Content-Length: 300']}):
            answer = client.ask(self.server.url('/'), method='POST', **words)
            self.assertEqual((answer.body, answer.free), (words['body'] * words.get('pieces', 1), self.kept))
        answer = client.ask(self.server.url('/'), method='PUT')
        self.assertEqual((answer.status, answer.reason, answer.free), (501, "Unsupported method ('PUT')", 0))

    def test_a_redirect_to_a_folder(self):
        client = self.client()
        answer = client.ask(self.server.url('/folder'), fetch=1)
        self.assertEqual((answer.status, answer.body, answer.url), (200, 'index', self.server.url('/folder/')))
        self.assertEqual(client.ask(self.server.url('/none')).status, 404)

    def test_32_at_once(self):
        client = self.client('maxSockets=4')
        answers = client.ask_all([{'url': self.server.url('/small')}] * 32)
        self.assertEqual([answer.body for answer in answers], ['small'] * 32)
        self.assertEqual(self.server.connections, 4 if self.kept else 32)


class Http10(Versions, Test):
    version = 'HTTP/1.0'
    kept = 0


class Http11(Versions, Test):
    version = 'HTTP/1.1'
    kept = 1


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1], verbosity=2)
