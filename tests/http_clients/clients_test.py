#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""clients_test.py SERVER: what real clients get. LEAT_HTTP_CHROMIUM=1: also a page in headless Chromium."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from serving import Server, get
from served import read_all, read_exactly, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
LIMIT = 60  # seconds that a client may take


def call(*command, data=None, expect=0):
    """(standard output, standard error) of a client."""
    if shutil.which(command[0]) is None:
        raise AssertionError(f'{command[0]} is not installed: scripts/bootstrap test brings it')
    done = subprocess.run(command, input=data, capture_output=True, timeout=LIMIT, check=False)
    if done.returncode != expect:
        raise AssertionError(f'{command[0]} ended with {done.returncode}, not {expect}: {done.stdout[-2000:]!r} {done.stderr[-2000:]!r}')
    return done.stdout, done.stderr.decode('latin-1')


def same_of(answers):
    """Without what may differ: dates, and in how many chunks the bytes abc come back."""
    chunks = re.compile(rb'\r\n\r\n((?:[123]\r\n[abc]{1,3}\r\n)+)0\r\n\r\n')
    joined = chunks.sub(lambda found: b'\r\n\r\n' + b''.join(found.group(1).split(b'\r\n')[1::2]), answers)
    return re.sub(rb'Date: .*\r\n', b'', joined)


class Clients(unittest.TestCase):
    options = ()

    def setUp(self):
        self.server = Server(*self.options)
        self.addCleanup(self.server.kill)

    def tearDown(self):
        """Whatever was asked, no descriptor is lost, and the server ends well."""
        wait_until(lambda: self.server.sockets() == 1, 'no socket open but the one that listens')
        self.assertEqual(self.server.terminate(), 0)


class WithCurl(Clients):
    def curl(self, *arguments, target='/', **more):
        """(body, what was said on the way)"""
        return call('curl', '--silent', '--verbose', '--max-time', '30', *arguments, self.server.url(target), **more)


class Curl(WithCurl):
    def test_get(self):
        body, said = self.curl()
        self.assertEqual(body, b'hello')
        self.assertIn('< HTTP/1.1 200 OK', said)
        self.assertRegex(said, r'< Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT')

    def test_two_urls_go_over_one_connection(self):
        body, _ = self.curl('--write-out', ' %{num_connects}\n', self.server.url('/'))
        self.assertEqual(body, b'hello 1\nhello 0\n')

    def test_without_keep_alive_the_server_closes(self):
        _, said = self.curl('--header', 'Connection: close')
        self.assertIn('< Connection: close', said)
        self.assertIn('Closing connection', said)

    def test_a_form(self):
        body, said = self.curl('--data', 'a=b&c=d', target='/echo')
        self.assertEqual(body, b'a=b&c=d')
        self.assertIn('> Content-Length: 7', said)

    def test_an_upload_in_chunks(self):
        data = os.urandom(3_000_000)
        body, said = self.curl('--upload-file', '-', target='/echo', data=data)
        self.assertIn('> Transfer-Encoding: chunked', said)
        self.assertIn('< Transfer-Encoding: chunked', said)
        self.assertEqual(hashlib.sha256(body).digest(), hashlib.sha256(data).digest())

    def test_an_upload_of_a_file(self):
        data = os.urandom(3_000_000)
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            body, said = self.curl('--upload-file', file.name, target='/echo')
        self.assertIn('> Content-Length: 3000000', said)
        self.assertEqual(hashlib.sha256(body).digest(), hashlib.sha256(data).digest())

    def test_several_parts(self):
        body, _ = self.curl('--form', 'a=b', '--form', 'c=d', target='/echo')
        self.assertIn(b'name="c"\r\n\r\nd\r\n', body)

    def test_a_body_that_waits_for_the_server(self):
        body, said = self.curl('--header', 'Expect: 100-continue', '--data', 'late', target='/echo')
        self.assertEqual(body, b'late')
        self.assertLess(said.index('< HTTP/1.1 100 Continue'), said.index('< HTTP/1.1 200 OK'))

    def test_an_expectation_that_nobody_knows(self):
        _, said = self.curl('--header', 'Expect: wonders')
        self.assertIn('< HTTP/1.1 417 Expectation Failed', said)

    def test_head(self):
        body, _ = self.curl('--head')
        self.assertTrue(body.startswith(b'HTTP/1.1 200 OK\r\n') and body.endswith(b'\r\n\r\n'), body)
        self.assertNotIn(b'hello', body)

    def test_http_1_0(self):
        for target, size in (('/', 5), ('/bytes/100000', 100_000)):
            body, said = self.curl('--http1.0', target=target)
            self.assertEqual(len(body), size)
            self.assertNotIn('chunked', said)
            self.assertIn('< Connection: close', said)

    def test_raw_chunks_and_trailers(self):
        body, said = self.curl('--raw', target='/trailers')
        self.assertEqual(body, b'4\r\nbody\r\n0\r\nX-Sum: 4\r\n\r\n')
        self.assertIn('< HTTP/1.1 103 Early Hints', said)

    def test_a_large_answer(self):
        body, _ = self.curl(target='/bytes/20000000')
        self.assertEqual(body, b'b' * 20_000_000)

    def test_a_limit_of_speed_and_one_of_size(self):
        body, _ = self.curl('--limit-rate', '2M', target='/bytes/1000000')
        self.assertEqual(len(body), 1_000_000)
        self.curl('--max-filesize', '4', expect=63)

    def test_a_time_limit_that_ends_aborts_the_request(self):
        for limit in ('0.3', '1', '5'):
            sent, _ = call('curl', '--silent', '--max-time', limit, '--write-out', '%{size_request}', self.server.url('/never'), expect=28)
            if int(sent) > 0:  # it got so far
                break
        wait_until(lambda: self.server.stats()['aborted'] == 1, 'the request is aborted')

    def test_errors(self):
        self.curl('--fail', target='/none', expect=22)
        body, said = self.curl(target='/throw')
        self.assertEqual(body, b'')
        self.assertIn('< HTTP/1.1 500 Internal Server Error', said)
        self.assertEqual(self.server.stats()['thrown'], 1)

    def test_targets_and_methods_of_other_kinds(self):
        for arguments, status in ((('--request', 'OPTIONS', '--request-target', '*'), 404), (('--request-target', '/\x01'), 400), (('--request', 'WONDER'), 400),
                                  (('--header', 'Host:'), 400), (('--proxy', self.server.url('')), 404)):
            _, said = self.curl(*arguments)
            self.assertIn(f'< HTTP/1.1 {status} ', said, arguments)

    def test_a_tunnel_that_nobody_makes(self):
        # Node: the connection is closed.
        self.curl('--proxytunnel', '--proxy', self.server.url(''), expect=56)

    def test_many_at_once(self):
        urls = [self.server.url('/')] * 99
        body, _ = self.curl('--parallel', '--parallel-max', '30', '--no-progress-meter', *urls)
        self.assertEqual(body, b'hello' * 100)


class CurlsFiles(WithCurl):
    """Parts of a file, and a file that may not have changed."""
    BYTES = bytes(range(256)) * 4000
    THEN = 1_600_000_000
    BEFORE, AFTER = 'Sun, 13 Sep 2020 12:26:39 GMT', 'Sun, 13 Sep 2020 12:26:41 GMT'

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        path = self.path('film', self.BYTES)
        os.utime(path, (self.THEN, self.THEN))
        self.options = ('file=' + path,)
        super().setUp()

    def path(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, 'wb') as file:
            file.write(data)
        return path

    def file(self, status, *arguments, **more):
        body, said = self.curl(*arguments, target='/file', **more)
        self.assertIn(f'< HTTP/1.1 {status} ', said, arguments)
        return body, said

    def test_all_of_it(self):
        body, said = self.file(200)
        self.assertEqual(body, self.BYTES)
        for field in ('Content-Type: video/mp4', 'Accept-Ranges: bytes', f'Content-Length: {len(self.BYTES)}', 'Last-Modified: Sun, 13 Sep 2020 12:26:40 GMT'):
            self.assertIn('< ' + field, said)
        body, said = self.file(200, '--head')
        self.assertIn(f'< Content-Length: {len(self.BYTES)}', said)
        self.assertTrue(body.endswith(b'\r\n\r\n'), body)

    def test_ranges(self):
        size = len(self.BYTES)
        for words, first, end in (('0-0', 0, 1), ('300-999', 300, 1000), ('1000000-', 1_000_000, size), ('-500', size - 500, size), ('0-9999999', 0, size)):
            body, said = self.file(206, '--range', words)
            self.assertEqual(body, self.BYTES[first:end], words)
            self.assertIn(f'< Content-Range: bytes {first}-{end - 1}/{size}', said)
        body, _ = self.file(200, '--range', '0-1,5-6')
        self.assertEqual(body, self.BYTES)
        _, said = self.file(416, '--range', f'{size}-')
        self.assertIn(f'< Content-Range: bytes */{size}', said)

    def test_a_download_that_goes_on(self):
        half = self.path('half', self.BYTES[:400_000])
        _, said = self.file(206, '--continue-at', '-', '--output', half)
        self.assertIn('> Range: bytes=400000-', said)
        with open(half, 'rb') as file:
            self.assertEqual(file.read(), self.BYTES)

    def test_a_file_that_has_not_changed(self):
        for when, status in ((self.BEFORE, 200), (self.AFTER, 304), ('-' + self.AFTER, 200), ('-' + self.BEFORE, 412)):
            body, said = self.file(status, '--time-cond', when)
            self.assertIn('> If-' + ('Unm' if when[0] == '-' else 'M') + 'odified-Since: ', said)
            self.assertEqual(body, self.BYTES if status == 200 else b'', when)
        # Of the time that it has, as by a copy of it.
        copy = self.path('copy', b'')
        self.file(200, '--remote-time', '--output', copy)
        self.assertEqual(os.stat(copy).st_mtime, self.THEN)
        self.file(304, '--time-cond', copy)

    def test_a_file_whose_tag_is_the_same(self):
        tag = os.path.join(self.folder, 'tag')
        self.file(200, '--etag-save', tag)
        body, said = self.file(304, '--etag-compare', tag)
        self.assertIn('> If-None-Match: W/"', said)
        self.assertEqual(body, b'')
        os.utime(os.path.join(self.folder, 'film'), (self.THEN + 9, self.THEN + 9))
        body, _ = self.file(200, '--etag-compare', tag)
        self.assertEqual(body, self.BYTES)

    def test_a_part_of_what_has_not_changed(self):
        for when, status in (('Sun, 13 Sep 2020 12:26:40 GMT', 206), (self.BEFORE, 200)):
            body, _ = self.file(status, '--range', '1-2', '--header', 'If-Range: ' + when)
            self.assertEqual(body, self.BYTES[1:3] if status == 206 else self.BYTES)


class Others(Clients):
    def test_ab(self):
        for arguments in (['-c', '20'], ['-c', '20', '-k'], ['-c', '5', '-p', __file__, '-T', 'text/plain']):
            target = '/echo' if '-p' in arguments else '/'
            text, _ = call('ab', '-q', '-n', '1000', *arguments, self.server.url(target))
            text = text.decode('latin-1')
            self.assertRegex(text, r'Complete requests:\s+1000\n', arguments)
            self.assertRegex(text, r'Failed requests:\s+0\n', arguments)
            self.assertNotIn('Non-2xx', text, arguments)

    def test_wrk(self):
        for limit in ('1s', '5s'):
            text, _ = call('wrk', '-t1', '-c20', f'-d{limit}', '--timeout', '30s', self.server.url('/'))
            text = text.decode('latin-1')
            if '\n  0 requests in ' not in text:
                break
        self.assertRegex(text, r'[1-9]\d* requests in ')
        self.assertNotRegex(text, r'Socket errors|Non-2xx')

    def test_nc(self):
        text = get('/') + get('/echo', 'Content-Length: 3\r\n', 'POST') + b'abc' + get('/', 'Connection: close\r\n')
        answers, _ = call('nc', '127.0.0.1', str(self.server.port), data=text)
        self.assertEqual(re.findall(rb'HTTP/1.1 ([^\r]*)\r\n', answers), [b'200 OK'] * 3)
        self.assertIn(b'\r\n\r\nabc', same_of(answers))
        answers, _ = call('nc', '127.0.0.1', str(self.server.port), data=b'wonders\r\n\r\n')
        self.assertEqual(answers, b'HTTP/1.1 400 Refused\r\nConnection: close\r\n\r\n')

    def test_node(self):
        output, _ = call('node', os.path.join(HERE, 'clients.js'), str(self.server.port))
        self.assertRegex(output.decode(), r'^\d+ cases\n$')

    def test_raw_bytes(self):
        text = get('/') + get('/echo', 'Content-Length: 3\r\n', 'POST') + b'abc' + get('/', 'Connection: close\r\n')
        with self.server.connect() as client:
            client.sendall(text)
            whole = read_all(client)
        self.assertEqual(re.findall(rb'HTTP/1.1 200 OK\r\n', whole), [b'HTTP/1.1 200 OK\r\n'] * 3)
        with self.server.connect() as client:
            for i in range(len(text)):
                client.sendall(text[i:i + 1])
            slowly = read_all(client)
        self.assertIn(b'\r\n\r\nabc', same_of(whole))
        self.assertEqual(same_of(slowly), same_of(whole))

    def test_a_client_that_ends_its_side_within_a_request(self):
        with self.server.connect() as client:
            client.sendall(b'GET / HTTP/1.1\r\nHost: a')
            client.shutdown(1)
            self.assertTrue(read_all(client).startswith(b'HTTP/1.1 400 '))

    def test_a_tunnel_with_bytes_behind_it(self):
        with self.server.connect() as client:
            client.sendall(b'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\nbytes')
            self.assertEqual(read_all(client), b'')

    def test_answers_to_a_client_that_asks_late(self):
        with self.server.connect() as client:
            for _ in range(3):
                client.sendall(get('/'))
                read_exactly(client, 1)
                wait_until(lambda: client.recv(4096).endswith(b'hello'), 'the answer')


@unittest.skipUnless(os.environ.get('LEAT_HTTP_CHROMIUM'), 'for scripts/nightly')
class Chromium(Clients):
    def test_a_page_with_50_assets_and_an_upload(self):
        with tempfile.TemporaryDirectory() as folder:
            dom, _ = call('chromium', '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', f'--user-data-dir={folder}',
                          '--virtual-time-budget=30000', '--dump-dom', self.server.url('/page'))
        wait_until(lambda: self.server.stats()['report'] != '', 'a report')
        self.assertEqual(self.server.stats()['report'], '50 loaded, 0 wrong, the same back')
        self.assertIn(b'50 loaded', dom)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1], verbosity=2)
