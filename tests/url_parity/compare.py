#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""URLs, generated and then broken, with setters and changed lists of parameters, and headers, under node and under leat.

  compare.py --node NODE --program PROGRAM [-n 8000] [--seed N]

Every getter after every step must be the same, but for what `beyond_the_tables` and `fault_of_node` list: names beyond ASCII,
and where Node 20 is not what the standard says.
A line of a file says what to do, a line of the output what came of it; see parity.js.
"""
import argparse
import collections
import os
import random
import re
import subprocess
import sys
import tempfile
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
SCHEMES = ['http:'] * 8 + ['https:', 'HTTP:', 'ftp:', 'ws:', 'wss:', 'file:', 'file:', 'file:', 'FiLe:', 'foo:', 'foo:', 'foo:', 'mailto:', 'javascript:', 'data:',
                           'blob:', 'a+b-c.9:', 'a_b:', '1a:', ':', 'blob:http:', 'blob:https:', 'blob:blob:https:', 'about:', 'h\u00e9:', 'x']
SLASHES = ['//'] * 10 + ['', '', '/', '/', '///', '////', '\\\\', '/\\', '\\/', '\\', '//\t', '/\n/', '/.//']
USERS = [''] * 12 + ['u@', 'u:p@', ':p@', 'u:@', ':@', '@', '@@', 'u@v@', 'u:p:q@', 'u%40:p%3a@', '\u00e9:\U0001f600@', 'a b:c"d@', "a'b:[c]|^@", 'u;=:p/@', 'u?@', 'u#@']
HOSTS = ['a', 'a', 'h', 'example.org', 'EXAMPLE.Com', 'a.b.', 'a..b', '.', '..', '.a', 'localhost', 'LocalHost', 'C|', 'C:', 'c|', '', 'a_b', 'a-b', '-', '1.2.3.4', '1.2.3.4.', '1.2.3', '1.2',
         '0x7f.1', '0X7F.0x1', '017700000001', '256', '4294967295', '4294967296', '99999999999999999999', '1.2.3.256', '1.2.256.3', '1.2.65536', '1.2.65535', '1.2.3.4.5', '0x', '0x.0', '09', '1.09',
         'a.1', 'a.0x', 'a.0x1', 'a.1a', '0xg', '1..2', '1e2', '%31.2.3.4', '1.2.3.4..', '+1', '1_2', '0.0.0.0', '127.1', '00.00',
         '[::1]', '[::]', '[1::]', '[1:2:3:4:5:6:7:8]', '[1:2:3:4:5:6:7::]', '[::2:3:4:5:6:7:8]', '[1::3:4:5:6:7:8]', '[1:0:0:4:0:0:0:8]', '[0:0:3:0:0:6:0:0]', '[1:0:3:0:5:0:7:0]',
         '[::ffff:1.2.3.4]', '[::1.2.3]', '[::1.2.3.04]', '[::1.2.3.256]', '[1:2:3:4:5:6:1.2.3.4]', '[1:2:3:4:5:6:7:1.2.3.4]', '[::AbCd]', '[12345::]', '[:1]', '[1:]', '[1::2::3]', '[:::]', '[]', '[',
         ']', '[::1', '::1]', '[::1]a', '[::1%25e]', '[::1%e]', '[g::]', '[1:2]', '[::1.2.3.4:5]', '[0001:002:03:4::]', '[.]', '[::.]', '[::1.]', '[[::1]]', '[v1.a]',
         'a b', 'a%20b', 'a%', 'a%2', 'a%zz', 'a%41%62', 'a%2e', 'a%00', 'a\x00b', 'a\x01', 'a\x7f', 'a%7f', 'a<b', 'a>b', 'a^b', 'a|b', 'a\\b', 'a#b', 'a?b', 'a"b', "a'b", 'a`b', 'a{b}', 'a*b', 'a!$&()+,;=~b', 'a%25', 'a%3a',
         'a\tb', 'a\nb', 'a:b', 'a@b', 'a%5b', '%', '%2e%2E', '%61.%31']
PUNYCODE = ['xn--bcher-kva', 'XN--BCHER-KVA.de', 'xn--ls8h.la', 'a.xn--mgbh0fb.b', 'xn--tda', 'xn--zca', 'xn--fa-hia.de', 'xn--hxajbheg2az3al', 'xn--caf-dma', 'xn---tda', 'xn--abc-', 'xn--%62cher-kva',
            'xn--', 'xn---', 'xn----', 'xn--0', 'xn--99999999', 'xn--zzzzzzzzzz99999999', 'xn--a', 'xn--!', 'xn--b_c-', 'xn--a.xn--', 'axn--', 'xn-', 'xn--aa', 'xn--1ug', 'xn--a-ecp.ru', 'xn--u-ccb', 'xn--a-tda',
            'xn--bcher-kv', 'xn--bcher-kva9', 'xn--tda.1']
INTERNATIONAL = ['b\u00fccher.de', 'B\u00dcCHER', '\u4f8b\u3048', 'fa\u00df.de', '\uff41', '1\u3002\u0032', 'a\u00adb', '%C3%A9', '\ufffd', 'a\u200d', '\u0661', 'xn--a\u00e9', '\u00e9|', '%ff', '%e2%98', '\u2260', '\U0001f4a9', '%F0%9F%92%A9.la', '\ufeff', '%EF%BB%BFa']
PORTS = [''] * 10 + [':', ':80', ':443', ':21', ':8080', ':0', ':00080', ':65535', ':65536', ':99999999999', ':-1', ':8a', ':a', ': 80', ':80 ', ':8\t0', ':+8', ':80:81', ':\u0661', ':0000000000000000000000080']
SEGMENTS = ['', 'a', 'b', 'cd', '.', '..', '..', '%2e', '%2E%2e', '.%2e', '%2e.', '...', '.a', 'a.', '..a', '%2e%2e%2e', 'C:', 'C|', 'c|', 'C:x', 'C|..', '%43:', 'a b', 'a%20b', '%', '%zz', '%C3', '\u00e9', '\U0001f600', '"<>`', '{|}', '^',
            "'", '[]', ':@', '!$&()*+,;=', 'a\x01', '\x7f', 'a\tb', '~', '\u2028', '%2f', '%5c', '@', 'a:b', '+', '|']
QUERIES = [''] * 6 + ['?', '?a=b', '?a=b&c=d', '??', '?a=1&a=2&b', "?'", '?"<> `{}|^', '?\u00e9=\U0001f600', '?%zz&%41=%4', '?a+b=c+d', '?&&=&a==b&', '?a\tb', '?\x01\x7f', '?/../\\:@', '?%C3&%ff=%e2%98', '?[]', '?%00', '?=', '? ', '?a=%2B%26%3D', '?\ufeffa']
HASHES = [''] * 6 + ['#', '#f', '##', '#\u00e9', '#"<> `{}|^\'', '#a#b?c', '#%zz', '#a\nb', '#\x00\x01\x7f', '#\\', '# ', '#\U0001f600']
BASES = ['http://b/c/d?e#f', 'http://b', 'http://u:p@b:8080/c/', 'https://b/', 'file:///c/d', 'file:///C:/d/e', 'file:///C:', 'file://h/x', 'file://h/C:/y', 'file:', 'foo://b/c/d?e', 'foo://b', 'foo:/b/c', 'foo:///b', 'foo:b',
         'mailto:x', 'mailto:x?y#z', 'foo:/.//b', 'ws://b/c/..', 'about:blank', 'data:text/plain,x', 'foo://b?q', 'http:', 'x', '', 'http://[::1]/x/', 'ftp://b/%2e/x;y', 'foo:b  ']
AROUND = [''] * 20 + [' ', '\t', '\n', '\x00', '\x1f ', '\x7f', '\u00a0', '\ufeff']
CHARACTERS = list(':/?#[]@\\|.%^`{}<>"\' \t\n\r\0\x01\x1f\x7f&=+-_~!$,;*()0129aZxXCc') + ['\u00e9', '\U0001f600', '%2e', '%41', '%', '%c3%a9', 'xn--', '//', '..', '::', '@', '\\\\', 'C|', 'file:', '\ud7ff', '\u2028', '\ue000']
NAMES = ['a', 'a', 'b', 'c', 'ab', '', 'e\u00e9', '\U0001f600', '\ufb03', '\ue000', '\uffff', 'a b', 'a+b', 'a&b', 'a=b', '%41', "~!'()", '*-._', '#', '\ufffd', '\x00', 'z' * 30]
HEADER_NAMES = ['a', 'A', 'b', 'x-long-name', 'X-Long-Name', 'cookie', 'Cookie', 'set-cookie', 'Set-Cookie', 'SET-COOKIE', 'accept', 'content-type', "!#$%&'*+-.^_`|~", '0', 'z', 'aa', 'a-', 'Z-9']
BAD_HEADER_NAMES = ['', ' a', 'a ', 'a b', 'a:', 'a\x00', '\xe9', '(', 'a/b', '"a"', 'a\n', '\x7f', '@', '[', 'a,b', '{']
HEADER_VALUES = ['', '1', '2', 'text/plain; q=1', ' a ', '\t a\tb \t', '\r\n a \r\n', 'a\x01b', 'a\x7f', '\xe9\xff', ', ', 'a, b', 'x' * 40, '\x0b', '\x0c a', '\xa0a\xa0', '   ', 'a=1; b=2']
BAD_HEADER_VALUES = ['a\nb', 'a\rb', 'a\x00b', '\x00', 'a\r\nb: c', ' \x00 ']


GETTERS = ['href', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'hash', 'origin', 'entries']
SPECIAL = {name.encode().hex() for name in ('http:', 'https:', 'ws:', 'wss:', 'ftp:', 'file:')}
OPAQUE = re.compile(rb'(?is)[\0- ]*(?!(https?|wss?|ftp|file):)[a-z][-+.a-z0-9]*:(?!/)')


def shown(data):
    if isinstance(data, str):
        data = data.encode('utf-8')
    return data.hex() or '-'


class Random:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def host(self):
        r = self.r
        kind = r.random()
        return r.choice(INTERNATIONAL if kind < .03 else PUNYCODE if kind < .1 else HOSTS)

    def path(self, slashes='/'):
        r = self.r
        return ''.join(r.choice(slashes + ['/'] * 8 if isinstance(slashes, list) else [slashes]) + r.choice(SEGMENTS) for _ in range(r.choice([0, 0, 1, 1, 2, 3, 5])))

    def input(self, relative):
        r = self.r
        text = ''
        kind = r.random()
        if not relative or kind < .3:
            text = r.choice(SCHEMES)
            if r.random() < .8:
                text += r.choice(SLASHES)
                if r.random() < .9:
                    text += r.choice(USERS) + self.host() + r.choice(PORTS)
        elif kind < .45:
            text = r.choice(['//', '//', '\\\\', '/\\', '///']) + r.choice(USERS) + self.host() + r.choice(PORTS)
        elif kind < .7:
            text = r.choice(SEGMENTS)
        text += self.path(['\\']) + r.choice(QUERIES) + r.choice(HASHES)
        text = r.choice(AROUND) + text + r.choice(AROUND)
        return self.broken(text) if r.random() < .3 else text.encode('utf-8')

    def broken(self, text):
        r = self.r
        for _ in range(r.choice([1, 1, 2, 3])):
            at = r.randrange(len(text) + 1)
            kind = r.randrange(3)
            if kind == 0:
                text = text[:at] + r.choice(CHARACTERS) + text[at:]
            elif kind == 1:
                text = text[:at] + text[at + r.choice([1, 1, 2]):]
            else:
                text = text[:at] + r.choice(CHARACTERS) + text[at + 1:]
        data = bytearray(text.encode('utf-8'))
        if data and r.random() < .05:  # no UTF-8
            data[r.randrange(len(data))] = r.choice([0x80, 0xc3, 0xe2, 0xf0, 0xff])
        return bytes(data)

    def param(self):
        r = self.r
        return self.broken(r.choice(NAMES)) if r.random() < .05 else r.choice(NAMES)

    def change_of_params(self):
        r = self.r
        what = r.choice(['append', 'append', 'append', 'set', 'set', 'delete', 'delete', 'has', 'get', 'getAll', 'sort', 'size', 'keys', 'values', 'walk'])
        if what in ('append', 'set'):
            return [what, shown(self.param()), shown(self.param())]
        if what in ('delete', 'has'):
            return [what, shown(self.param()), 'u' if r.random() < .5 else shown(self.param())]
        return [what, shown(self.param())] if what in ('get', 'getAll', 'walk') else [what]

    def change_of_url(self):
        r = self.r
        what = r.choice(['href', 'protocol', 'username', 'password', 'host', 'host', 'hostname', 'port', 'pathname', 'pathname', 'search', 'hash', 'params', 'params'])
        if what == 'params':
            return [what] + self.change_of_params()
        choose = {
            'href': lambda: self.input(False),
            'protocol': lambda: r.choice(SCHEMES + ['http', 'https', 'file', 'foo', 'wss', 'ftp:x', 'http://x', 'h\ttp', '', ' http', 'ht tp']),
            'username': lambda: r.choice(USERS + NAMES), 'password': lambda: r.choice(USERS + NAMES),
            'host': lambda: self.host() + r.choice(PORTS) + r.choice(['', '', '', '/x', '?x', '#x', '\\x']),
            'hostname': lambda: self.host() + r.choice(['', '', '', '', ':80', '/x', '?x', '#x', '\\x']),
            'port': lambda: r.choice([p[1:] for p in PORTS] + ['80/x', '\t81', ' 81', '8\n2', '90a', '\t']),
            'pathname': lambda: self.path(['\\']) if r.random() < .7 else r.choice(SEGMENTS + ['?x', '#x', '//x', '\\\\x', '/..//x']) + self.path(),
            'search': lambda: r.choice(QUERIES) if r.random() < .7 else r.choice(QUERIES)[1:] + r.choice(HASHES),
            'hash': lambda: r.choice(HASHES) if r.random() < .7 else r.choice(HASHES)[1:],
        }
        value = choose[what]()
        if isinstance(value, str) and r.random() < .15:
            value = self.broken(value)
        return [what, shown(value)]

    def url(self):
        r = self.r
        base = 'u' if r.random() < .5 else shown(r.choice(BASES) if r.random() < .8 else self.input(False))
        steps = [':'.join(self.change_of_url()) for _ in range(r.choice([0, 1, 1, 2, 4]))]
        return ' '.join(['url', shown(self.input(base != 'u')), base] + steps)

    def params(self):
        r = self.r
        text = r.choice(QUERIES) if r.random() < .5 else '&'.join(r.choice(NAMES) + '=' + r.choice(NAMES) for _ in range(r.randrange(8)))
        return ' '.join(['params', shown(self.broken(text) if r.random() < .3 else text)] + [':'.join(self.change_of_params()) for _ in range(r.randrange(8))])

    def headers(self):
        r = self.r

        def name():
            return shown(r.choice(HEADER_NAMES if r.random() < .92 else BAD_HEADER_NAMES).encode('latin-1'))

        def value():
            return shown(r.choice(HEADER_VALUES if r.random() < .92 else BAD_HEADER_VALUES).encode('latin-1'))

        def step():
            what = r.choice(['append', 'append', 'append', 'append', 'set', 'delete', 'has', 'get', 'getSetCookie'])
            return ':'.join([what] + ([name(), value()] if what in ('append', 'set') else [] if what == 'getSetCookie' else [name()]))

        return ' '.join(['headers'] + [step() for _ in range(r.randrange(1, 12))])


def text_of(word):
    """Of a word that is hex; nothing of another."""
    if not re.fullmatch('([0-9a-f]{2})*', word):
        return b''
    return bytes.fromhex(word)


def beyond_ascii(text):
    """Whether there is what is no ASCII, also as %XX."""
    return any(byte > 127 for byte in urllib.parse.unquote_to_bytes(text))


def getters(step):
    """Of a step of a URL, by name."""
    return collections.defaultdict(str, zip(GETTERS, step.split(' ')[-len(GETTERS):]))


def only_differ(our, node, *names):
    return our.keys() == node.keys() and all(our[name] == node[name] for name in our if name not in names)


def beyond_the_tables(i, words, given, ours, theirs, our, node):
    """What differs because leat has no tables of Unicode."""
    blob = our['protocol'] == shown('blob:') and only_differ(our, node, 'origin')
    if ours.startswith('INTERNATIONAL ERR_INVALID_URL' if i else 'INTERNATIONAL TypeError ERR_INVALID_URL false') and any(map(beyond_ascii, given)):
        return 'a name beyond ASCII is refused'
    if blob and our['origin'] == shown('null') and beyond_ascii(text_of(our['pathname'])):
        return 'a name beyond ASCII is refused'
    # Node says of some of the names that it refuses that it could take them.
    if i == 0 and ours.startswith('FAILED ') and theirs == ours.replace('ERR_INVALID_URL false', 'ERR_INVALID_URL true') and any(map(beyond_ascii, given)):
        return 'a name beyond ASCII is refused'
    taken = theirs.startswith('FAILED ') and not ours.startswith('FAILED ') or i and words[0] in ('host', 'hostname') and b'xn--' in text_of(our['hostname'])
    if taken and any(b'xn--' in urllib.parse.unquote_to_bytes(text).lower() for text in given):
        return 'what punycode stands for is not checked'
    if blob and node['origin'] == shown('null') and b'xn--' in text_of(our['pathname']):
        return 'what punycode stands for is not checked'
    return None


def fault_of_node(i, words, given, ours, theirs, our, node):
    """Where Node 20 (Ada 2.9) is not what the standard says; states are those of section 4.4."""
    special = our['protocol'] in SPECIAL
    up = any(re.search(rb'(?i)(\.|%2e){2}', text) for text in given)
    if i == 0 and ours.startswith('FAILED ') and theirs.startswith('true ') and b'#' in given[0] and OPAQUE.match(given[1]):
        return 'no scheme state: only a fragment is relative to an opaque path'
    if i == 0 and b'?' in given[1] and only_differ(our, node, 'href') and text_of(our['href']).replace(b'?', b'', 1) == text_of(node['href']):
        return 'relative state: a base may have an empty query'
    if i and words[0] == 'pathname' and only_differ(our, node, 'href', 'search', 'hash', 'entries') and node['search'] == node['hash'] == '-':
        return 'path state: query and fragment stay, also behind /.//'
    if i and words[0] == 'host':
        if not special and our['host'] == node['host'] + shown(':') + our['port'] and node['port'] == '-':
            return 'host state: the port comes with a first host too'
        if not special and given[0].startswith(b':') and node['hostname'] == '-':
            return 'host state: no host in front of a colon is a failure'
    if i and words[0] in ('host', 'hostname') and our['hostname'] == '-' and text_of(our['href']).replace(b'//', b'', 1) == text_of(node['href']) and only_differ(our, node, 'href'):
        return 'host state: a host may become empty'
    if our['protocol'] == shown('file:') and (our['hostname'] == shown('localhost') and node['hostname'] == '-' or re.match(
            rb'/[A-Za-z][|]', text_of(our['pathname'])) and text_of(our['pathname']).replace(b'|', b':', 1) == text_of(node['pathname'])):
        return 'scheme state: what becomes a file keeps its host and its path'
    if i and words[0] == 'params' and only_differ(our, node, 'href', 'pathname') and text_of(our['pathname']).rstrip(b' ') == text_of(node['pathname']):
        return 'section 6.2: the blanks of an opaque path go only when the query goes'
    if i and words[0] == 'protocol' and our['port'] == shown('0') and only_differ(our, node, 'href', 'host', 'port') and node['port'] == '-':
        return 'scheme state: only the own port of a scheme is left out'
    if i and words[0] in ('host', 'port') and node['port'] == '-' and only_differ(our, node, 'href', 'host', 'port', 'origin') and re.search(rb'(?s)(^|:)[^0-9].*[0-9]', given[0]):
        return 'port state: what begins with no digit changes nothing'
    if not special and our['pathname'] == shown('/') and node['pathname'] == '-' and up:
        return 'path state: two dots at the end leave a slash'
    if [not {b'.', b'..'}.isdisjoint(text_of(side['pathname']).split(b'/')) for side in (our, node)] == [False, True]:
        return 'path state: dots are no segment'
    if i == 0 and re.search(rb'(?s)[/\\\\][.].*[/\\\\][.]', given[1]) and only_differ(our, node, 'href', 'pathname'):
        return 'path state: dots are no segment'
    if our['protocol'] == shown('file:') and re.match(rb'/[A-Za-z]:[^/]', text_of(node['pathname'])):
        return 'shorten a path: a drive is a letter and a colon'
    return None


def difference(operation, i, *sides):
    """The entry of the list that allows a step to differ, or None."""
    words = operation.split(' ')[1:3] if i == 0 else operation.split(' ')[2 + i].split(':')
    given = [re.sub(rb'[\t\n\r]', b'', text_of(word)) for word in (words if i == 0 else words[1:])]
    told = i, words, given, *sides, *map(getters, sides)
    return beyond_the_tables(*told) or fault_of_node(*told)


def compare(operation, ours, theirs):
    """What of the list was met, and whether anything else differs. Behind a difference of the list the sides go different ways."""
    if ours == theirs:
        return None, False
    if theirs == 'CRASHED':
        return 'node aborts', False
    if operation.startswith('params '):
        given = text_of(operation.split(' ')[1])
        wrong = b'%' not in given or given.isascii()
        return None if wrong else 'a % beside what is beyond ASCII is read as what it is', wrong
    if operation.startswith('headers '):
        return None, True
    for i, (our, node) in enumerate(zip(ours.split('|'), theirs.split('|'))):
        if our != node:
            entry = difference(operation, i, our, node)
            return entry, entry is None
    return None, True


def perform(command, operations):
    """The lines of output. Where node itself aborts, CRASHED is the line, and it goes on behind."""
    lines = []
    while len(lines) < len(operations):
        with tempfile.NamedTemporaryFile('w', suffix='.txt', prefix='leat-parity-') as file:
            file.write('\n'.join(operations[len(lines):]) + '\n')
            file.flush()
            done = subprocess.run(command + [file.name], capture_output=True, encoding='utf-8', errors='replace', timeout=280)
        lines += done.stdout.split('\n')[:-1]
        if done.returncode == 0:
            break
        if 'node::Assert(' not in done.stderr:
            raise SystemExit(f'{command[0]} ended with {done.returncode}:\n{done.stderr[-4000:]}')
        lines.append('CRASHED')
    return lines


def readable(line):
    """With texts in the place of hex."""
    def word(text):
        try:
            return repr(bytes.fromhex(text))[1:] if text not in ('', '-') else text
        except ValueError:
            return text
    for separator in ' |:&=,':
        line = line.replace(separator, f' {separator} ' if separator != ' ' else ' ')
    return ' '.join(word(part) for part in line.split(' ') if part)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--node', default='node')
    parser.add_argument('--program', required=True)
    parser.add_argument('-n', type=int, default=int(os.environ.get('LEAT_URL_CASES', 8000)), help='URLs; of the others a quarter of it each')
    parser.add_argument('--seed', type=int, default=int(os.environ.get('LEAT_URL_SEED', 1)))
    options = parser.parse_args()
    print(f'seed {options.seed}')
    source = Random(options.seed)
    operations = [source.url() for _ in range(options.n)]
    operations += [source.params() for _ in range(options.n // 4)] + [source.headers() for _ in range(options.n // 4)]
    theirs = perform([options.node, '--no-warnings', os.path.join(HERE, 'parity.js')], operations)
    ours = perform([os.path.abspath(options.program)], operations)
    if len(theirs) != len(operations) or len(ours) != len(operations):
        raise SystemExit(f'{len(operations)} operations, of which node did {len(theirs)} and leat {len(ours)}')
    listed, bad = collections.Counter(), []
    for operation, our, node in zip(operations, ours, theirs):
        entry, wrong = compare(operation, our, node)
        if entry is not None:
            listed[entry] += 1
        if wrong:
            bad.append((operation, our, node))
    for operation, our, node in bad[:20]:
        print(f'DIFFERENT  {readable(operation)}\n  node: {readable(node)}\n  leat: {readable(our)}')
    taken = sum(our.startswith('true ') for our in ours[:options.n])
    for entry, count in listed.items():
        print(f'{count:6} listed: {entry}')
    print(f'{len(operations)} operations, {taken} of {options.n} URLs taken: {len(bad)} different')
    if not options.n / 4 < taken < options.n * 3 / 4:
        raise SystemExit('most are to be taken, and many not: what is generated is not what it was')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
