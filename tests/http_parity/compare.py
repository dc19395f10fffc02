#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Messages of HTTP/1.1, generated and then broken, through Node's parser and leat's, cut in random pieces.

  compare.py --node NODE --program PROGRAM [-n 20000] [--seed 1]

What is told of them must be the same, but for what DIFFERENCES lists: there leat refuses what RFC 9112 (or 9110) does not
allow, or takes what it allows. Each message also goes through leat in one piece and byte by byte, which must make no
difference at all.
"""
import argparse
import collections
import os
import random
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
METHODS = ['GET', 'GET', 'POST', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH', 'CONNECT', 'M-SEARCH', 'get', 'FOO', 'PRI', '']
TARGETS = ['/', '/', '/a?b=c', '/%41/b;c=d', 'http://a/b', 'http://a:80', '*', 'a:443', '//x', '/a|b', '/#f', '/\xe4', '', 'a', 'http:/a', '/a b',
           'http://u@a/', '/\x7f', '/"{}<>', '?a', 'ftp://[::1]/', '[::1]:443', 'a:', ':1']
VERSIONS = ['HTTP/1.1'] * 12 + ['HTTP/1.0', 'HTTP/1.0', 'HTTP/0.9', 'HTTP/2.0', 'HTTP/1.2', 'http/1.1', 'HTTP/1', 'HTTP/1.1 ', 'HTTP/11.1', '']
FIELDS = ['Host: a', 'Host: a.b:80', 'Host:', 'Host: a/b', 'Host: a b', 'host:b', 'Connection: close', 'Connection: keep-alive', 'Connection: Upgrade',
          'Connection: foo, close', 'Connection: keep-alive, Upgrade', 'Upgrade: websocket', 'Content-Length: 0', 'Content-Length: 3', 'Content-Length: +3',
          'Content-Length: 3 ', 'Content-Length: 3, 3', 'Content-Length:', 'Content-Length: 0x3', 'content-length: 03', 'Content-Length: 99999999999999999999',
          'Content-Length: 9223372036854775807', 'Transfer-Encoding: chunked', 'Transfer-Encoding: Chunked', 'Transfer-Encoding: gzip, chunked',
          'Transfer-Encoding: gzip', 'Transfer-Encoding: chunked, gzip', 'Transfer-Encoding: identity', 'Transfer-Encoding:', 'Transfer-Encoding: chunked, chunked',
          'Transfer-Encoding: xchunked', 'Transfer-Encoding: chunked,', 'transfer-encoding:\tchunked ', 'Expect: 100-continue', 'X: y', 'X-Long: ' + 'abc' * 30,
          'X:', 'X: \t a \t b \t', 'x-\xe4: b', 'x: \xe4\xff', 'x y: z', 'x : z', ': z', 'x', ' folded', '\tfolded', 'x: a\x00b', 'x: a\x01b', 'x: a\x7fb', 'x: a\rb',
          'x: a\nb', 'x\x00: b', 'a!#$%&\'*+-.^_`|~: b', '"x": b', 'Proxy-Connection: keep-alive', 'Connection:', 'Upgrade:']
GOOD_FIELDS = ['Connection: close', 'Connection: keep-alive', 'X: y', 'Accept: */*', 'X-Long: ' + 'abc' * 30, 'X:', 'X: \t a \t b \t', 'x: \xe4\xff', 'Expect: 100-continue']
CHUNKS = ['3\r\nabc\r\n', '1;a=b\r\nx\r\n', '00a\r\n0123456789\r\n', 'A\r\n0123456789\r\n', '2;a="b;c"\r\nxy\r\n', '3;a\r\nabc\r\n', '3 \r\nabc\r\n', '+3\r\nabc\r\n', '0x3\r\nabc\r\n',
          '3\nabc\r\n', '3\r\nabc\n', '3\r\nabcd\r\n', '3\r\nab\r\n', '\r\n', ';a\r\n', 'g\r\n', '3;\r\nabc\r\n', '3;=b\r\nabc\r\n', '3; a=b\r\nabc\r\n', '3 ;a\r\nabc\r\n',
          'fffffffffffffffff\r\n', '7fffffffffffffff\r\n', '-1\r\n', '3;a="\r\nabc\r\n', '3;\x01\r\nabc\r\n', '3\r\rabc\r\n']
GOOD_CHUNKS = CHUNKS[:5]
LINE_ENDS = ['\r\n'] * 30 + ['\n', '\r', '\r\r\n']
STATUSES = ['200 OK', '200', '200 ', '404 Not Found', '204 No Content', '304 Not Modified', '100 Continue', '101 Switching', '999 x', '20 OK', '2000 OK', 'abc OK',
            '099 x', '200  OK', '200 \xe4', '200 a\x01b', '000 x', '']

# leat refuses, Node does not: leat's words -> why.
REFUSED = {
    'Invalid request target': 'RFC 9112 section 3.2: forms of a target; RFC 3986: no fragment, nothing but ASCII; section 3.2.1 of RFC 9112 has no user in it',
    'Invalid Host, or a second one': 'RFC 9112 section 3.2: a Host that is not one, or several, is answered 400',
    'Missing Host': 'RFC 9112 section 3.2; in Node the server checks it, not the parser',
    'HTTP version is neither 1.0 nor 1.1': 'RFC 9112 section 2.3: what is not understood is not guessed',
    'Missing expected CR before LF': 'RFC 9112 section 2.2: a lone LF may be taken as an end of line, and need not: proxies differ',
    'Missing expected LF after CR': 'RFC 9112 section 2.2: a lone CR is invalid',
    'Transfer-Encoding in a message of HTTP/1.0': 'RFC 9112 section 6.1: its framing is faulty',
    'Transfer-Encoding does not end with chunked, or has it twice': 'RFC 9112 section 6.1: chunked is last and once; section 5.6.1: no empty members are sent',
    'Content-Length a second time, or beside Transfer-Encoding': 'RFC 9112 section 6.3: may be refused, as it smuggles',
    'Invalid Content-Length': 'RFC 9110 section 8.6',
    'Invalid character in chunk size, or too large': 'RFC 9112 section 7.1',
    'Expected CR LF after chunk data': 'RFC 9112 section 7.1',
    'Invalid method encountered': 'Node takes PRI for another method',
    'Expected HTTP/': 'RFC 9112 section 3: one blank between the parts of a request line',
    'Invalid status code': 'RFC 9110 section 15: from 100 to 999',
    'Invalid header token': 'RFC 9112 section 5.1 and 5.2: no blank before the colon, no folded lines',
    'Invalid header value char': 'RFC 9110 section 5.5: no control characters',
}
# Node refuses, leat does not: Node's words -> a pattern in the message, and why.
TRAILER = rb'(?is)\n0+(;[^\r\n]*)?\r\n([^\r\n]+\r\n)*%s\s*:'
EXTENSION = (rb'\n[0-9a-fA-F]+;', 'RFC 9112 section 7.1.1: what is not known is ignored')
TAKEN = {
    'Data after `Connection: close`': (TRAILER % b'(connection|transfer-encoding)', 'RFC 9110 section 6.5.1: trailers say nothing about the connection'),
    'Invalid `Transfer-Encoding` header value': (TRAILER % b'transfer-encoding', 'RFC 9110 section 6.5.1: nor about the framing'),
    "Content-Length can't be present with Transfer-Encoding": (TRAILER % b'content-length', 'the same'),
    "Transfer-Encoding can't be present with Content-Length": (TRAILER % b'transfer-encoding', 'the same'),
    'Invalid character in Content-Length': (rb'(?i)\ncontent-length:[ \t]*[0-9]+[ \t]*\t', 'RFC 9112 section 5: a tab is a blank'),
    'Request has invalid `Transfer-Encoding`': (rb'(?i)chunked[ \t]*\t', 'the same'),
    'Unexpected char in url schema': (rb'[A-Za-z][-A-Za-z0-9+.]*://', 'RFC 3986 section 3.1'),
    'Invalid character in chunk extensions': EXTENSION,
    'Invalid character in chunk extensions name': EXTENSION,
    'Invalid character in chunk extensions value': EXTENSION,
    'Invalid character in chunk extensions quote value': EXTENSION,
    'Invalid character in chunk extensions quoted value': EXTENSION,
}


class Random:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def end(self, broken):
        return self.r.choice(LINE_ENDS) if broken else '\r\n'

    def body(self, broken):
        r = self.r
        text = ''.join(r.choice(CHUNKS if broken and r.random() < .3 else GOOD_CHUNKS) for _ in range(r.randrange(4)))
        text += r.choice(['0\r\n', '0;x\r\n', '000\r\n'])
        for _ in range(r.choice([0, 0, 1, 2])):
            text += r.choice(FIELDS if broken and r.random() < .3 else GOOD_FIELDS) + self.end(broken)
        return text + self.end(broken)

    def message(self, request):
        r = self.r
        broken = r.random() < .5
        if request:
            good = r.random() < (.7 if broken else 1)
            method = r.choice(['GET', 'POST', 'PUT', 'HEAD'] if good else METHODS)
            target = r.choice(['/', '/a?b=c', 'http://a/b', 'http://b:1?c'] if good else TARGETS)
            version = r.choice(['HTTP/1.1'] * 5 + ['HTTP/1.0'] if good else VERSIONS)
            text = f'{method} {target} {version}'
        else:
            status = r.choice(STATUSES if broken else STATUSES[:9])
            text = r.choice(['HTTP/1.1'] * 6 + ['HTTP/1.0'] if not broken else VERSIONS) + ' ' + status
        text += self.end(broken)
        fields = [r.choice(FIELDS if broken and r.random() < .4 else GOOD_FIELDS) for _ in range(r.randrange(4))]
        if request and r.random() < .93:
            fields.insert(r.randrange(len(fields) + 1), 'Host: a')
        framing = r.randrange(4)
        if framing == 0:
            fields.append('Content-Length: 3')
        elif framing == 1:
            fields.append(r.choice(['Transfer-Encoding: chunked', 'Transfer-Encoding: gzip, chunked', 'transfer-encoding: CHUNKED']))
        if r.random() < .05:
            fields += ['Connection: Upgrade', 'Upgrade: x']
        for field in fields:
            text += field + self.end(broken)
        text += self.end(broken)
        if framing == 0:
            text += 'abc'
        elif framing == 1:
            text += self.body(broken)
        return text

    def sample(self):
        r = self.r
        request = r.random() < .75
        text = ''.join(r.choice(['', '', '', '\r\n']) + self.message(request) for _ in range(r.choice([1, 1, 1, 2, 3])))
        data = bytearray(text.encode('latin1'))
        if r.random() < .3:
            for _ in range(r.choice([1, 1, 2, 4])):
                at = r.randrange(len(data) + 1)
                kind = r.randrange(4)
                if kind == 0 and at < len(data):
                    data[at] = r.choice([0, 9, 10, 13, 32, 34, 35, 44, 58, 59, 127, 128, 255, r.randrange(256)])
                elif kind == 1 and at < len(data):
                    del data[at:at + r.choice([1, 1, 2, 5])]
                elif kind == 2:
                    data[at:at] = bytes([r.choice([0, 9, 10, 13, 32, 44, 48, 58, 59, r.randrange(256)])])
                else:
                    data[at:at] = data[at:at + r.randrange(30)]
        if r.random() < .1:
            del data[r.randrange(len(data) + 1):]
        return ('request' if request else 'response'), bytes(data)

    def cuts(self, size):
        r = self.r
        count = r.choice([0, 1, 2, 5])
        return sorted(r.randrange(size + 1) for _ in range(count)) if size else []


def run(command, path):
    done = subprocess.run(command + [path], capture_output=True, text=True, timeout=240)
    if done.returncode != 0:
        sys.exit(f'{command[0]} ended with {done.returncode}: {done.stderr[-2000:]}')
    return done.stdout.split('\n')[:-1]


def line(kind, data, cuts):
    return f'{kind} {data.hex() or "-"} {",".join(map(str, cuts)) or "-"}'


def split(told):
    messages, _, end = told.rpartition('#')
    parts = messages.split('|')
    return parts[:-1], parts[-1], end


def other_words(message):
    fields = message.split(',')[5]
    return any(b'close' in bytes.fromhex(value) or b'proxy-' in bytes.fromhex(name).lower()
               for name, value in (field.split('=', 1) for field in fields.split(';')[:-1]))


def host_of_target(message):
    """With the host that the target of a request says in the place of its Host."""
    parts = message.split(',')
    target = bytes.fromhex(parts[1]) if len(parts) > 5 else b'/'
    url = re.match(rb'[A-Za-z][-A-Za-z0-9+.]*://([^/?]+)', target)
    if not url and parts[0] != 'CONNECT':
        return message
    host = (url.group(1) if url else target).hex()
    parts[5] = re.sub(r'(?i)(^|;)(686f7374|486f7374)=[0-9a-f]*', lambda found: f'{found[1]}{found[2]}={host}', parts[5])
    return ','.join(parts)


def difference(data, ours, theirs):
    """Empty when they agree or differ as is listed; a word that says how otherwise. And the entry of the list."""
    our_messages, our_last, our_end = split(ours)
    node_messages, node_last, node_end = split(theirs)
    # RFC 9112 section 3.2.2: what the target says of its host replaces the Host.
    told = node_messages + [node_last]
    node_messages, node_last = [host_of_target(message) for message in node_messages], host_of_target(node_last)
    replaced = 'the Host of a target' if told != node_messages + [node_last] else None
    ours_failed, node_failed = our_end.startswith('HPE'), node_end.startswith('HPE')
    if our_messages == node_messages and ours_failed == node_failed and (ours_failed or (our_last, our_end) == (node_last, node_end)):
        return '', replaced
    # RFC 9112 section 9.3: close comes first, and Proxy-Connection says nothing; in Node's HTTP/1.0 keep-alive does.
    closed = False
    for i, (our, node) in enumerate(zip(our_messages + [our_last], node_messages + [node_last])):
        if our != node and our == node.replace(',keep,', ',close,') and other_words(our):
            closed = True
            if i < len(node_messages):
                node_messages[i] = our
    if closed:
        return ('', 'close beside keep-alive')
    # RFC 9110 section 7.8: in HTTP/1.0 there is no upgrade.
    if node_end == 'upgrade' and ',1.0,' in node_last and our_messages[:len(node_messages)] == node_messages:
        return '', 'upgrade in HTTP/1.0'
    # RFC 9110 section 5.6.1: white space around an option of a list, also a tab, is no part of it.
    if our_end == 'upgrade' and our_messages == node_messages[:len(our_messages)] and re.search(rb'(?i)\nconnection:[^\r\n]*\t', data):
        return '', 'a tab behind Upgrade'
    first = ([our == node for our, node in zip(our_messages, node_messages)] + [False]).index(False)
    our, node = ((messages + [last, ''])[first].split(',') for messages, last in ((our_messages, our_last), (node_messages, node_last)))
    # RFC 9110 section 5.6.1, as above: the same of an option that says whether the connection stays.
    if our[:3] == node[:3] and our[3:4] != node[3:4] and our[4:6] == node[4:6] and re.search(rb'(?i)\nconnection:[^\r\n]*\t', data):
        return '', 'a tab behind keep-alive or close'
    # RFC 9110 section 5.5: nor is it behind a value. Node reads on until the end of what it takes for another coding.
    if node[3:4] == ['close'] and our[:3] == node[:3] and our[5:6] == node[5:6] and re.search(rb'(?i)chunked[ \t]*\t[ \t]*\r\n', data):
        return '', 'a tab behind chunked'
    # RFC 9112 section 6.3: no answer 1xx has a body, whatever its fields say. Node knows this of 100 and 101.
    if our[0][:1] == '1' and our[:6] == node[:6] and our[6:7] != node[6:7]:
        return '', 'a body of 1xx'
    shorter = min(len(our_messages), len(node_messages))
    if our_messages[:shorter] != node_messages[:shorter]:
        return 'messages', None
    if ours_failed and len(our_messages) <= len(node_messages):
        why = our_end.split(' ', 1)[1]
        return ('', why) if why in REFUSED else ('refused', None)
    if node_failed:
        why = node_end.split(' ', 1)[1]
        if why in TAKEN and re.search(TAKEN[why][0], data):
            return '', 'taken: ' + why
        return 'taken', None
    return 'end', None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--node', default='node')
    parser.add_argument('--program', required=True)
    parser.add_argument('-n', type=int, default=int(os.environ.get('LEAT_HTTP_MESSAGES', 20000)))
    parser.add_argument('--seed', type=int, default=int(os.environ.get('LEAT_HTTP_SEED', 1)))
    arguments = parser.parse_args()
    print(f'seed {arguments.seed}')
    source = Random(arguments.seed)
    samples = [source.sample() for _ in range(arguments.n)]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'messages')
        pieces = [source.cuts(len(data)) for _, data in samples]
        results = []
        for cuts in ([[] for _ in samples], [range(1, len(data)) for _, data in samples], pieces):
            with open(path, 'w', encoding='ascii') as file:
                file.writelines(line(*sample, cut) + '\n' for sample, cut in zip(samples, cuts))
            results.append(run([arguments.program], path))
        node = run([arguments.node, os.path.join(HERE, 'parity.js')], path)
    if not all(len(result) == len(samples) for result in results + [node]):
        sys.exit('a side did not answer every message')
    bad, listed, accepted = [], collections.Counter(), 0
    for (kind, data), whole, bytewise, cut, theirs in zip(samples, *results, node):
        if not whole == bytewise == cut:
            bad.append(('pieces', kind, data, f'{whole}\n  {bytewise}', cut))
            continue
        word, entry = difference(data, cut, theirs)
        listed[entry] += 1
        accepted += '#HPE' not in cut
        if word:
            bad.append((word, kind, data, cut, theirs))
    for word, kind, data, ours, theirs in bad[:10]:
        print(f'{word}: {kind} {data!r}\n  leat {ours}\n  node {theirs}')
    print(f'{len(samples)} messages, {accepted} taken, {listed.pop(None, 0)} the same, {len(bad)} different; listed differences:')
    for entry, count in listed.most_common():
        print(f'  {count:5} {entry}')
    if accepted < len(samples) // 4:
        sys.exit('too few messages are taken: the generator does not do its work')
    sys.exit(1 if bad else 0)


if __name__ == '__main__':
    main()
