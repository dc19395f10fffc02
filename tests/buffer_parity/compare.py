#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The same operations on buffers under node and under leat, random ones of each function; every line must be the same.

  compare.py --node NODE --program PROGRAM [-n 2000] [--seed 1] [--only NAME]

An operation is a line of words: its name, bytes and texts as hex ('-' for none), numbers, names of encodings ('-' for "");
'u' is undefined. A result is a line too, or `FAILED name code message`.
"""
import argparse
import collections
import os
import random
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = ['utf8', 'utf-8', 'UTF-8', 'ucs2', 'UCS-2', 'utf16le', 'utf-16LE', 'latin1', 'binary', 'ascii', 'ASCII', 'hex', 'Hex', 'base64',
         'BASE64', 'base64url', 'Base64URL']
ODD_NAMES = ['-', 'utf', 'utf88', 'latin', 'base-64', 'utf_8', 'hexx', 'buffer', 'x' * 40]
CHARACTERS = ['a', 'b', 'Z', '0', '9', '=', ' ', '\n', '\f', '\v', '\r', '\0', '\x7f', '+', '/', '-', '_', 'é', 'ÿ', '\u0080', 'Ł', '\u013d', '€', '\u07ff', '\u0800',
              '\ud7ff', '\ue000', '\ufeff', '\ufffd', '\uffff', '\U00010000', '😀', '\U0010ffff', "'", '"', '`', '$', '\\', '\x01', '\x1b', '\t', '\u200b']
# How many times as many operations are made of what is several functions, so that each has its share.
SHARES = {'read': 40, 'writeNumber': 40, 'swap': 4, 'alloc': 5, 'indexOf': 4, 'indexOfBuffer': 4, 'indexOfNumber': 4, 'fill': 8}
ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_'
# Bytes between which UTF-8 is or is not.
EDGES = [0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4,
         0xf5, 0xf8, 0xff, 0xd8, 0xdb, 0xdc]
WIDTHS = {'Int8': 1, 'UInt8': 1, 'Uint8': 1}
for order in ('LE', 'BE'):
    for kind, width in (('Int16', 2), ('UInt16', 2), ('Uint16', 2), ('Int32', 4), ('UInt32', 4), ('Uint32', 4), ('BigInt64', 8),
                        ('BigUInt64', 8), ('BigUint64', 8), ('Float', 4), ('Double', 8)):
        WIDTHS[kind + order] = width
VARIABLE = [kind + order for kind in ('Int', 'UInt', 'Uint') for order in ('LE', 'BE')]


def shown(data):
    if isinstance(data, str):
        data = data.encode('utf-8')
    return data.hex() or '-'


class Random:
    """The words of random operations."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def size(self, most=40):
        r = self.random
        return r.choice([r.randrange(most), r.randrange(8), r.randrange(4), r.randrange(3 * most) if r.random() < .2 else 0])

    def raw(self, most=40):
        r = self.random
        size = self.size(most)
        kind = r.randrange(5)
        if kind == 0:
            return r.randbytes(size)
        if kind == 1:
            return bytes(r.choice(EDGES) for _ in range(size))
        if kind == 2:
            return bytes(r.choice(b'ab') for _ in range(size))
        if kind == 3:
            return self.plain(size).encode('utf-16-le')
        whole = bytearray(self.plain(size).encode('utf-8'))
        for _ in range(r.choice([0, 0, 1, 2])):  # mostly UTF-8, with a fault
            if whole:
                whole[r.randrange(len(whole))] = r.choice(EDGES)
        return bytes(whole)

    def plain(self, size):
        r = self.random
        if r.random() < .3:
            return ''.join(chr(r.randrange(32, 127)) for _ in range(size))
        return ''.join(r.choice(CHARACTERS) for _ in range(size))

    def text(self, encoding='', most=40):
        r = self.random
        kind = encoding.lower()
        size = self.size(most)
        if kind.startswith('base64') and r.random() < .9:
            text = ''.join(r.choice(ALPHABET) for _ in range(size))
            if r.random() < .5:
                text += '=' * r.choice([0, 1, 2, 3])
        elif kind == 'hex' and r.random() < .9:
            text = r.randbytes(size).hex()
            text = text.upper() if r.random() < .3 else text[:r.randrange(len(text) + 1)] if r.random() < .3 else text
        else:
            return self.plain(size)
        for _ in range(r.choice([0, 0, 1, 2])):
            at = r.randrange(len(text) + 1)
            text = text[:at] + r.choice(CHARACTERS) + text[at + r.choice([0, 1]):]
        return text

    def name(self):
        return self.random.choice(NAMES) if self.random.random() < .95 else self.random.choice(ODD_NAMES)

    def place(self, size, undefined=.2):
        """A position in or around `size` bytes."""
        r = self.random
        if r.random() < undefined:
            return 'u'
        return r.choice([r.randrange(size + 1), r.randrange(size + 1), r.randrange(-size - 3, size + 4),
                         r.choice([0, size, -size, -size - 1, size + 1, -1, -2**31, 2**32, 2**33, -2**33 - 7, 2**40 + 1])])

    def inside(self, size, undefined=.2):
        """One that is seldom wrong."""
        r = self.random
        if r.random() < undefined:
            return 'u'
        return r.randrange(size + 1) if r.random() < .9 else r.choice([-1, size + 1, -5, size + 300])

    def needle(self, hay):
        r = self.random
        if not hay or r.random() < .3:
            return self.raw(6)
        at = r.randrange(len(hay))
        return hay[at:at + r.randrange(5)]

    def search(self, kind):
        r = self.random
        name = r.choice(['indexOf', 'lastIndexOf', 'includes'])
        hay = self.raw()
        if kind == 'Number':
            value = r.choice([r.choice(hay or b'a'), r.randrange(-300, 600)])
            return [name + kind, shown(hay), value, self.place(len(hay))]
        encoding = r.choice(['utf8', 'utf8', self.name()])
        if kind == 'Buffer':
            # Node finds what is not there in an odd number of bytes that are to be utf16le.
            if encoding.lower().startswith(('ucs', 'utf16', 'utf-16')):
                hay = hay[:len(hay) & ~1]
            elif encoding in ODD_NAMES:
                encoding = 'utf8'
            return [name + kind, shown(hay), shown(self.needle(hay)), self.place(len(hay)), encoding]
        text = self.text(encoding, 4)
        if r.random() < .6:
            try:
                if encoding.lower() in ('hex',):
                    text = self.needle(hay).hex()
                elif encoding.lower().startswith(('ucs', 'utf16', 'utf-16')):
                    text = self.needle(hay).decode('utf-16-le')
                elif encoding.lower() in ('latin1', 'binary', 'ascii'):
                    text = self.needle(hay).decode('latin-1')
                else:
                    text = self.needle(hay).decode('utf-8')
            except UnicodeDecodeError:
                pass
        return [name + kind, shown(hay), shown(text), self.place(len(hay)), encoding]

    def fill(self, kind):
        r = self.random
        size = self.size()
        offset = self.inside(size, .1)
        end = 'u' if offset == 'u' else self.inside(size)
        if kind == 'Number':
            return ['fillNumber', size, r.randrange(-300, 600), offset, end]
        if kind == 'Buffer':
            return ['fillBuffer', size, shown(self.raw(10)), offset, end]
        name = self.name()
        return [r.choice(['fillText', 'fillTextFrom']) if end == 'u' else 'fillText', size, shown(self.text(name, 6)), offset, end, name]

    def number(self, bits):
        r = self.random
        bits += r.choice([-1, 0, 0, 0, 1])
        return r.choice([r.randrange(-(1 << bits), 1 << bits), r.choice([0, 1, -1, 1 << bits, (1 << bits) - 1, -(1 << bits), -(1 << bits) - 1])])

    def read(self):
        r = self.random
        if r.random() < .3:
            width = r.choice([1, 2, 3, 4, 5, 6, 6, 0, 7, -1])
            data = self.raw(12)
            return ['read', r.choice(VARIABLE), shown(data), self.inside(max(0, len(data) - max(width, 0)), 0), width]
        name = r.choice(list(WIDTHS))
        data = self.raw(20)
        return ['read', name, shown(data), self.inside(max(0, len(data) - WIDTHS[name])), 'u']

    def write(self):
        r = self.random
        size = self.size(12)
        if r.random() < .3:
            width = r.choice([1, 2, 3, 4, 5, 6, 6, 0, 7])
            return ['writeNumber', r.choice(VARIABLE), size, self.number(8 * max(1, min(width, 6)) - 1), self.inside(max(0, size - width), 0), width]
        name = r.choice(list(WIDTHS))
        offset = self.inside(max(0, size - WIDTHS[name]))
        if name.startswith(('Float', 'Double')):
            return ['writeFloat', name, size, r.randbytes(8).hex() if r.random() < .5 else r.choice(
                ['0000000000000000', '3ff0000000000000', 'bff8000000000000', '7ff0000000000000', '36a0000000000000', '47efffffe0000000',
                 '47effffff0000000', '3810000000000000', '36a0000000000001', '8000000000000000', 'c1e0000000000000']), offset]
        value = self.number(8 * WIDTHS[name] - 1)
        if 'Big' in name:
            value = max(-2**63, min(2**64 - 1, value))
        return ['writeNumber', name, size, value, offset, 'u']

    def decoder(self):
        r = self.random
        name = self.name()
        data = self.raw(30)
        chunks = []
        while data:
            size = r.choice([1, 1, 2, 3, 4, r.randrange(1, 12)])
            chunks.append(data[:size].hex())
            data = data[size:]
        return ['decoder', name, r.choice(['end', 'endWith']), ','.join(chunks) or '-']

    def parts(self):
        r = self.random
        parts = [self.raw(10) for _ in range(r.randrange(5))]
        total = sum(map(len, parts))
        return ['concat', ','.join(shown(part) for part in parts) or 'u', r.choice(['u', 'u', total, r.randrange(total + 5), -1])]

    def operations(self):
        """By name, what makes an operation."""
        r = self.random
        name = self.name

        def with_name(operation, *rest):
            def make():
                encoding = name()
                return [operation, shown(self.text(encoding)), encoding, *[f() for f in rest]]
            return make

        def string():
            data, encoding = self.raw(), name()
            return ['toString', shown(data), encoding, self.place(len(data)), self.place(len(data))]

        def write():
            size, encoding = self.size(), name()
            offset = self.inside(size, .3)
            return ['write', size, shown(self.text(encoding)), offset, 'u' if offset == 'u' else self.inside(size), encoding]

        def copy():
            a, b = self.raw(), self.raw()
            return ['copy', shown(a), shown(b), self.inside(len(b)), self.inside(len(a)), self.inside(len(a))]

        def copy_within():
            a = self.raw()
            return ['copyWithin', shown(a), self.inside(len(a)), self.inside(len(a)), self.inside(len(a))]

        def compare_parts():
            a, b = r.choice([(self.raw(), self.raw())] + [(data, data[r.randrange(3):]) for data in [self.raw()]])
            return ['compareParts', shown(a), shown(b), self.inside(len(b)), self.inside(len(b)), self.inside(len(a)), self.inside(len(a))]

        def two(operation):
            a = self.raw()
            return [operation, shown(a), shown(r.choice([a, self.raw(), a[:-1], a + b'\0']))]

        def cut(operation):
            a = self.raw()
            return [operation, shown(a), self.place(len(a)), self.place(len(a))]

        def alloc():
            encoding = name()
            return r.choice([['alloc', self.inside(40, 0)], ['allocText', self.size(), shown(self.text(encoding, 6)), encoding],
                             ['allocNumber', self.size(), r.randrange(-300, 600)], ['allocBuffer', self.size(), shown(self.raw(8))]])

        return {
            'from': with_name('from'), 'byteLength': with_name('byteLength'), 'toString': string, 'write': write, 'alloc': alloc,
            'plain': lambda: ['plain', shown(self.raw())],
            'long': lambda: ['long', r.randrange(1000, 9000), shown(self.raw() or b'a'), name()],
            'numbers': lambda: ['numbers', ','.join(str(r.randrange(-1000, 1000)) for _ in range(self.size(10))) or '-'],
            'isEncoding': lambda: ['isEncoding', r.choice([name(), r.choice(ODD_NAMES)])],
            'indexOf': lambda: self.search('Text'), 'indexOfBuffer': lambda: self.search('Buffer'),
            'indexOfNumber': lambda: self.search('Number'), 'fill': lambda: self.fill('Text'), 'fillNumber': lambda: self.fill('Number'),
            'fillBuffer': lambda: self.fill('Buffer'), 'read': self.read, 'writeNumber': self.write, 'decoder': self.decoder,
            'concat': self.parts, 'copy': copy, 'copyWithin': copy_within, 'compareParts': compare_parts,
            'compare': lambda: two('compare'), 'equals': lambda: two('equals'), 'subarray': lambda: cut('subarray'),
            'slice': lambda: cut('slice'), 'swap': lambda: [r.choice(['swap16', 'swap32', 'swap64']), shown(self.raw() * r.choice([1, 2, 8]))],
            'isUtf8': lambda: ['isUtf8', shown(self.raw())], 'isAscii': lambda: ['isAscii', shown(self.raw())],
            'transcode': lambda: ['transcode', shown(self.raw()), name(), name()],
            'transcodeText': lambda: ['transcode', shown(self.plain(self.size())), 'utf8', name()],
            'inspect': lambda: ['inspect', shown(self.raw(60))], 'json': lambda: ['json', shown(self.raw())],
            'iterate': lambda: ['iterate', shown(self.raw(10))],
            'atob': lambda: ['atob', shown(self.text('base64', 12).replace('-', '').replace('_', '') if r.random() < .7 else self.text('base64', 6))],
            'btoa': lambda: ['btoa', shown(''.join(c for c in self.plain(self.size()) if ord(c) < 256 or r.random() < .02))],
        }


def function_of(operation):
    """`read Int8 ...` is readInt8; others are as they are called."""
    words = operation.split(' ', 2)
    return {'read': f'read{words[1]}', 'writeNumber': f'write{words[1]}', 'writeFloat': f'write{words[1]}'}.get(words[0], words[0])


def perform(command, file):
    done = subprocess.run(command + [file], capture_output=True, encoding='utf-8', errors='replace', timeout=280)
    lines = done.stdout.removesuffix('\n').split('\n')
    if done.returncode != 0:
        raise SystemExit(f'{command[0]} ended with {done.returncode} after {len(lines)} operations:\n{done.stderr[-4000:]}')
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--node', default='node')
    parser.add_argument('--program', required=True)
    parser.add_argument('-n', type=int, default=int(os.environ.get('LEAT_BUFFER_OPERATIONS', 2000)), help='operations of each function')
    parser.add_argument('--seed', type=int, default=int(os.environ.get('LEAT_BUFFER_SEED', 1)))
    parser.add_argument('--only')
    options = parser.parse_args()
    functions = Random(options.seed).operations()
    print(f'seed {options.seed}')
    operations = []
    for name, make in functions.items():
        if options.only in (None, name):
            operations += [' '.join(str(word) for word in make()) for _ in range(options.n * SHARES.get(name, 1))]
    counts = collections.Counter(function_of(operation) for operation in operations)
    rarest = min(counts, key=counts.get)
    with tempfile.NamedTemporaryFile('w', suffix='.txt', prefix='leat-parity-') as file:
        file.write('\n'.join(operations) + '\n')
        file.flush()
        node = perform([options.node, '--no-warnings', os.path.join(HERE, 'parity.js')], file.name)
        leat = perform([os.path.abspath(options.program)], file.name)
    if len(node) != len(operations) or len(leat) != len(operations):
        raise SystemExit(f'{len(operations)} operations, of which node did {len(node)} and leat {len(leat)}')
    different = [(o, n, l) for o, n, l in zip(operations, node, leat) if n != l]
    for operation, n, l in different[:40]:
        print(f'DIFFERENT  {operation}\n  node: {n}\n  leat: {l}')
    codes = {result.split(' ')[2] for result in node if result.startswith('FAILED ')}
    expected = {'ERR_OUT_OF_RANGE', 'ERR_BUFFER_OUT_OF_BOUNDS', 'ERR_UNKNOWN_ENCODING', 'ERR_INVALID_ARG_VALUE', 'ERR_INVALID_BUFFER_SIZE',
                'U_ILLEGAL_ARGUMENT_ERROR', 'U_INVALID_CHAR_FOUND', 'INVALID_CHARACTER_ERR'}
    missing = expected - codes if options.only is None else set()
    if missing:
        print(f'no operation failed with {sorted(missing)}')
    few = options.only is None and options.n >= 1000 and counts[rarest] < options.n
    if few:
        print(f'only {counts[rarest]} operations of {rarest}')
    print(f'{len(operations)} operations of {len(counts)} functions, of {rarest} {counts[rarest]}: {len(different)} different; '
          f'errors: {" ".join(sorted(codes))}')
    return 1 if different or missing or few else 0


if __name__ == '__main__':
    sys.exit(main())
