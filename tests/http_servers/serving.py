# SPDX-License-Identifier: MIT
"""The client of these tests, whose program is their first argument, and the servers that it asks."""

import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import types
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'support'))
from served import Served, read_all, wait_until  # noqa: E402

LIMIT = 60  # seconds that a client may live


class Answer(types.SimpleNamespace):
    """What the client got: status, body, fields, trailers, events, reused, free, error."""

    def field(self, name):
        return next((value for key, value in self.fields if key.lower() == name.lower()), None)


class Client:
    """Requests are answered one by one; what `begin` sends goes out at once, all together. In between its loop stands still."""

    def __init__(self, *options):
        self.process = subprocess.Popen([sys.argv[1], *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.timer = threading.Timer(LIMIT, self.process.kill)
        self.timer.start()

    def begin(self, *requests):
        lines = ['\t'.join([f'{name}={value}' for name, value in words.items() if name != 'fields'] +
                           [f'field={field}' for field in words.get('fields', ())]) + '\n' for words in requests]
        self.process.stdin.write(''.join(lines + ['\n']).encode())
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f'the client ended with {self.process.wait()}')
        return Answer(**{'status': 0, 'body': '', 'error': '', **json.loads(line)})

    def ask(self, url, **words):
        self.begin({'url': url, **words})
        return self.answer()

    def ask_all(self, requests):
        """In the order in which they end."""
        self.begin(*requests)
        return [self.answer() for _ in requests]

    def close(self):
        """It ends by itself, whatever it was asked."""
        self.process.stdin.close()
        code = self.process.wait()
        self.timer.cancel()
        self.process.stdout.close()
        return code


class Node(Served):
    def __init__(self, **options):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, 'node.sock')
        self.asked = 0
        super().__init__(['node', str(HERE / 'server.js'), f'path={self.path}', *(f'{name}={value}' for name, value in options.items())])

    def answers(self, client):
        return True

    def url(self, target='/'):
        return f'http://127.0.0.1:{self.port}{target}'

    def _asks(self, target):
        with self.connect() as client:
            client.sendall(f'GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'.encode())
            self.asked += 1
            return read_all(client).split(b'\r\n\r\n', 1)[1]

    def counts(self):
        """What it has counted but for who asks from here."""
        counts = json.loads(self._asks('/stats'))
        # One connection was to see whether it is there.
        return types.SimpleNamespace(**{**counts, 'connections': counts['connections'] - self.asked - 1,
                                        'requests': counts['requests'] - self.asked})

    def end_connections(self, how):
        """All that there are, which their clients learn when they look; by `reset`, or not."""
        self._asks(f'/end-others?{how}')

    def says(self, word):
        """Waits until it says so."""
        line = self.process.stdout.readline().decode().strip()
        if line != word:
            raise AssertionError(f'the server says {line!r}, not {word!r}')

    def kill(self):
        super().kill()
        self.folder.cleanup()


def find_nginx():
    """The system's, or what `scripts/bootstrap test` brought."""
    brought = HERE.parents[1] / 'bench/rivals/nginx/usr/sbin/nginx'
    found = shutil.which('nginx') or shutil.which('/usr/sbin/nginx') or shutil.which(str(brought))
    if found is None:
        raise AssertionError('nginx is not here: scripts/bootstrap test brings it')
    return found


def free_port():
    with socket.create_server(('127.0.0.1', 0)) as taken:
        return taken.getsockname()[1]


class Nginx(Served):
    def __init__(self, upstream=1, keepalive_timeout='60s', keepalive_requests=1000):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        (self.folder / 'files').mkdir()
        self.path = str(self.folder / 'nginx.sock')
        self.asked = 0
        names = {'FOLDER': self.folder, 'UPSTREAM': upstream, 'KEEPALIVE_TIMEOUT': keepalive_timeout, 'KEEPALIVE_REQUESTS': keepalive_requests}
        command = [find_nginx(), '-p', str(self.folder), '-e', str(self.folder / 'error.log'), '-c', str(self.folder / 'nginx.conf')]
        # It cannot be given port 0, and another may have taken the port meanwhile.
        for last in (False, False, True):
            names['PORT'] = port = free_port()
            text = (HERE / 'nginx.conf').read_text(encoding='utf-8')
            for name, value in names.items():
                text = text.replace(name, str(value))
            (self.folder / 'nginx.conf').write_text(text, encoding='utf-8')
            try:
                super().__init__(command, port)
                break
            except AssertionError as wrong:
                if last:
                    raise AssertionError(f'{wrong}: {self.log()}') from wrong

    def answers(self, client):
        client.sendall(b'GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
        # Another's may have got the port.
        return read_all(client).endswith(f'hello from {self.folder}'.encode())

    def url(self, target='/'):
        return f'http://127.0.0.1:{self.port}{target}'

    def connections(self):
        """How many it has taken, but for those from here."""
        with self.connect() as client:
            client.sendall(b'GET /stats HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
            accepted = int(read_all(client).split(b'requests')[1].split()[0])
        self.asked += 1
        return accepted - self.asked - 1

    def idle(self):
        """Waits until it has no connection but the two sockets that listen."""
        wait_until(lambda: self.sockets() == 2, 'nginx closes what is idle')

    def log(self):
        log = self.folder / 'error.log'
        return log.read_text(encoding='utf-8') if log.exists() else 'no log'

    def file(self, name, data):
        path = self.folder / 'files' / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return path

    def remove(self):
        self.kill()
        shutil.rmtree(self.folder)


class Python:
    """http.server, by threads of this process."""

    def __init__(self, version, folder):
        server = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            protocol_version = version

            def __init__(self, *arguments):
                super().__init__(*arguments, directory=folder)

            def log_message(self, *_):
                pass

            def do_GET(self):
                if self.path != '/stream':
                    return super().do_GET()
                # Nobody says how long it is.
                self.send_response(200)
                self.close_connection = True
                self.end_headers()
                for _ in range(100):
                    self.wfile.write(b'piece')
                return None

            def do_POST(self):
                body = self.rfile.read(int(self.headers['content-length']))
                self.send_response(200)
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def process_request(self, request, client_address):
                server.connections += 1
                super().process_request(request, client_address)

        self.connections = 0
        self.server = Server(('127.0.0.1', 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={'poll_interval': 0.02})
        self.thread.start()

    def url(self, target='/'):
        return f'http://127.0.0.1:{self.server.server_address[1]}{target}'

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Test(unittest.TestCase):
    """Clients end well, with every descriptor closed, whatever happened."""

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())

    def client(self, *options):
        client = Client(*options)
        self.addCleanup(lambda: self.assertEqual(client.close(), 0))
        return client

    def saved(self):
        """Where an answer can be put."""
        return os.path.join(self.folder, 'saved')

    def assertSaved(self, data):
        with open(self.saved(), 'rb') as file:
            self.assertTrue(file.read() == data, 'the body is what the server has')
