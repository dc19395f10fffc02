#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The same bytes to a server of Node and to one of leat; what comes back must be the same, but for the date.

  compare_servers.py --node NODE --program PROGRAM

DIFFERENCES names the cases in which leat does otherwise, with the reason; there it must really differ.
"""
import argparse
import os
import re
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def get(target, fields='', method='GET', version='1.1'):
    return f'{method} {target} HTTP/{version}\r\nHost: a\r\n{fields}\r\n'


def post(target, body, fields=''):
    return f'POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n{fields}\r\n{body}'


END = get('/hello', 'Connection: close\r\n')
SIMPLE = ['hello', 'empty', 'set', 'status', 'words', 'unknown', 'pieces', 'trailers', 'length', 'corked', 'corked-whole', '204', '304', '205', 'keep', 'date', 'mydate', 'hints', 'late', 'none']
CASES = {}
for name in SIMPLE:
    CASES[name] = get('/' + name) + END
    if name != 'trailers':  # where Node throws
        CASES['HEAD ' + name] = get('/' + name, method='HEAD') + END
CASES.update({
    'flush': get('/flush') + END,
    'close': get('/close'),
    'asked to close': get('/hello', 'Connection: close\r\n'),
    'pieces, asked to close': get('/pieces', 'Connection: close\r\n'),
    'HTTP/1.0': get('/pieces', version='1.0'),
    'HTTP/1.0, kept': get('/pieces', 'Connection: keep-alive\r\n', version='1.0'),
    'HTTP/1.0, whole': get('/hello', version='1.0'),
    'in order': get('/late') + get('/hello') + get('/late') + get('/pieces') + END,
    'body': post('/echo', 'x' * 1000) + END,
    'no body': post('/echo', '') + END,
    'body that nobody reads': post('/hello', 'x' * 1000) + END,
    'chunks': 'POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: u\r\n\r\n' + END,
    'continue': post('/echo', 'abc', 'Expect: 100-continue\r\n') + END,
    'expect': get('/hello', 'Expect: else\r\n') + END,
    'fields': get('/request?q', 'X: 1\r\nx: 2\r\nCookie: a\r\ncookie: b\r\nUser-Agent: c\r\nUser-Agent: d\r\nSet-Cookie: e\r\nset-cookie: f\r\nContent-Type: g\r\nContent-Type: h\r\n') + END,
    'host of the target': get('http://b/request') + END,
    'upgrade without a listener': get('/hello', 'Connection: Upgrade\r\nUpgrade: x\r\n') + END,
    'empty lines': '\r\n\r\n' + get('/hello') + '\r\n' + END,
    'garbage': 'garbage\r\n\r\n',
    'garbage behind a request': get('/hello') + 'garbage\r\n\r\n',
    'no Host': 'GET /hello HTTP/1.1\r\n\r\n',
    'large head': get('/hello', 'x: ' + 'y' * 20000 + '\r\n'),
    'both lengths': 'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'no length': 'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n',
    'behind a close': get('/hello', 'Connection: close\r\n') + get('/hello'),
})
# Of servers with joinDuplicateHeaders.
JOINED = {'fields': CASES['fields']}
# Of servers that take two requests of a connection and keep it for a second.
LIMITED = {
    'two requests': get('/hello') + get('/pieces'),
    'two requests, the last closes': get('/hello') + END,
    'a request too many': get('/hello') + get('/hello') + END,
}
DIFFERENCES = {
    'host of the target': 'RFC 9112 section 3.2.2: it replaces the Host',
    'HTTP/1.0, whole': 'a body whose size is known has a Content-Length',
    'expect': 'the same',
    'a request too many': 'the same, of the 503',
    'upgrade without a listener': 'Node loses what comes behind it',
    'garbage behind a request': 'it is told why the connection closes',
    'no Host': 'refused by the parser, as other messages that are none',
}


def talk(port, data):
    with socket.create_connection(('127.0.0.1', port), timeout=20) as client:
        client.sendall(data.encode('latin1'))
        answer = b''
        try:
            while piece := client.recv(65536):
                answer += piece
        except ConnectionResetError:
            answer += b'<reset>'
    return re.sub(r'Date: [A-Z][^\r]*GMT\r\n', 'Date: then\r\n', answer.decode('latin1'))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--node', default='node')
    parser.add_argument('--program', required=True)
    arguments = parser.parse_args()
    bad = compare([], CASES, arguments) + compare(['join'], JOINED, arguments) + compare(['limit'], LIMITED, arguments)
    print(f'{len(CASES) + len(JOINED) + len(LIMITED)} cases, {len(bad)} different')
    sys.exit(1 if bad else 0)


def compare(options, cases, arguments):
    sides = []
    for command in ([arguments.program], [arguments.node, os.path.join(HERE, 'server.js')]):
        side = subprocess.Popen(command + options, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        sides.append((side, int(side.stdout.readline())))
    bad = []
    for name, data in cases.items():
        ours, theirs = (talk(port, data) for _, port in sides)
        if (ours != theirs) != (name in DIFFERENCES):
            bad.append(name)
            print(f'{name}:\n  leat {ours!r}\n  node {theirs!r}')
    for side, _ in sides:
        side.stdin.close()
        if side.wait(timeout=20) != 0:
            bad.append('the end')
    return bad


if __name__ == '__main__':
    main()
