#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the floors of include/leat, as cmake/floors.txt tells them.

Fails, naming file and line, on: an include that goes up or to an unnamed sibling, a circle of headers, a detail/ header
reached from another folder, a facade that holds more than includes, a header that is too long or is allowed more lines than
it needs, a standard header that is too dear for its floor, a word of code outside the one file that may hold it, bodies that
leat/compiled.hpp does not reach, and a header without its head.
"""

import argparse
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
STRING_OR_COMMENT = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^(\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)
SPDX = '// SPDX-License-Identifier: MIT'


class Table:
    """The floors table. A line that it does not understand is an error, not a comment."""

    def __init__(self, text):
        self.floor_of = {}
        self.beside = set()
        self.edges = {}
        self.lines = 450
        self.lines_of = {}
        self.forbidden = []
        self.only = {}
        for number, raw in enumerate(text.splitlines(), 1):
            words = raw.split('#', 1)[0].split()
            if words:
                try:
                    self.read(words)
                except (ValueError, IndexError) as error:
                    raise SystemExit(f'floors table, line {number}: {raw.strip()}: {error}')

    def read(self, words):
        kind, rest = words[0], words[1:]
        if kind == 'floor':
            for folder in rest[1:]:
                self.floor_of[folder] = int(rest[0])
        elif kind == 'beside':
            self.beside.update(rest)
        elif kind == 'edge' and len(rest) == 3 and rest[1] == '->':
            self.edges.setdefault(rest[0], set()).add(rest[2])
        elif kind == 'lines' and len(rest) == 1:
            self.lines = int(rest[0])
        elif kind == 'lines' and len(rest) == 2:
            self.lines_of[rest[1]] = int(rest[0])
        elif kind == 'forbid':
            low, high = rest[0].split('-')
            self.forbidden.append((int(low), int(high), {name.strip('<>') for name in rest[1:]}))
        elif kind == 'only' and len(rest) == 2:
            self.only[rest[0]] = rest[1]
        else:
            raise ValueError('not understood')


class Header:
    def __init__(self, path, name):
        self.path = path
        self.name = name  # relative to include/leat; the umbrella is '../leat.hpp'
        self.text = path.read_text(encoding='utf-8')
        self.code = blank_comments(self.text)
        parts = name.split('/')
        self.folder = parts[0] if len(parts) > 1 and parts[0] != '..' else None
        self.includes = []  # (line, quote, target)
        lines = self.text.splitlines()
        code_lines = self.code.splitlines()
        for number, line in enumerate(lines, 1):
            # A directive inside a comment is gone from the blanked text; its path may look like a string there.
            if number <= len(code_lines) and not code_lines[number - 1].lstrip().startswith('#'):
                continue
            match = INCLUDE.match(line)
            if match:
                self.includes.append((number, match.group(1), match.group(2)))


def blank_comments(text):
    """Comments and literals become spaces, so that words and line numbers of the code stay."""
    def blank(match):
        return re.sub(r'[^\n]', ' ', match.group(0))
    return STRING_OR_COMMENT.sub(blank, text)


class Check:
    def __init__(self, root, table):
        self.root = root
        self.table = table
        self.failures = []
        self.headers = {}
        base = root / 'include' / 'leat'
        for path in sorted((root / 'include').rglob('*.hpp')):
            try:
                name = path.relative_to(base).as_posix()
            except ValueError:
                name = '../' + path.relative_to(root / 'include').as_posix()
            self.headers[name] = Header(path, name)

    def fail(self, header, line, text):
        self.failures.append(f'{header.path.relative_to(self.root)}:{line}: {text}')

    def run(self):
        for header in self.headers.values():
            if header.folder and header.folder not in self.table.floor_of and header.folder not in self.table.beside:
                self.fail(header, 1, f"folder '{header.folder}' is on no floor of the table")
                continue
            self.head(header)
            self.length(header)
            self.words(header)
            if header.folder is None:
                self.facade(header)
            for line, quote, target in header.includes:
                self.include(header, line, quote, target)
        self.allowances()
        self.circles()
        self.compiled()
        return self.failures

    def head(self, header):
        lines = header.text.splitlines()
        if not lines or lines[0] != SPDX:
            self.fail(header, 1, f"the first line is not '{SPDX}'")
        if '#pragma once' not in lines:
            self.fail(header, 1, "no '#pragma once'")

    def length(self, header):
        limit = self.table.lines_of.get(header.name, self.table.lines)
        count = len(header.text.splitlines())
        if count > limit:
            self.fail(header, limit + 1, f'{count} lines; at most {limit}')

    def allowances(self):
        for name, limit in self.table.lines_of.items():
            if name not in self.headers:
                self.failures.append(f'floors table: lines {limit} {name}: there is no such header')
            elif len(self.headers[name].text.splitlines()) <= self.table.lines:
                self.failures.append(f'floors table: lines {limit} {name}: it has no more than {self.table.lines}')

    def words(self, header):
        for word, home in self.table.only.items():
            if header.name == home:
                continue
            pattern = re.compile(r'(?<!\w)' + re.escape(word) + r'(?!\w)')
            for number, line in enumerate(header.code.splitlines(), 1):
                if pattern.search(line):
                    self.fail(header, number, f"'{word}' belongs in {home} alone")
        for number, line in enumerate(header.code.splitlines(), 1):
            if re.search(r'\bnamespace\s*\{', line):
                self.fail(header, number, 'an unnamed namespace in a header is one copy per file')
            if re.search(r'\bnamespace\s+(?:\w+::)*(?:linux|unix)\b', line):
                self.fail(header, number, "'linux' and 'unix' are macros under gnu++20")

    def facade(self, header):
        for number, line in enumerate(header.code.splitlines(), 1):
            if line.strip() and not line.lstrip().startswith('#'):
                self.fail(header, number, 'a facade holds includes only')
                return

    def include(self, header, line, quote, target):
        if quote == '"':
            self.fail(header, line, f'"{target}": headers are included as <leat/...>')
            return
        if target != 'leat.hpp' and not target.startswith('leat/'):
            self.standard(header, line, target)
            return
        name = '../leat.hpp' if target == 'leat.hpp' else target[len('leat/'):]
        if name not in self.headers:
            self.fail(header, line, f'<{target}> does not exist')
            return
        other = self.headers[name]
        if '/detail/' in '/' + name and other.folder != header.folder:
            self.fail(header, line, f"<{target}> is a detail of '{other.folder}'")
        elif header.folder is not None:
            self.edge(header, line, other, target)

    def edge(self, header, line, other, target):
        floors, here, there = self.table.floor_of, header.folder, other.folder
        if there is None:
            self.fail(header, line, f'<{target}> is a facade; nothing below includes one')
        elif here == there or here in self.table.beside:
            return
        elif there in self.table.beside:
            self.fail(header, line, f"<{target}>: '{there}' stands beside the floors; nothing includes it")
        elif there not in floors or here not in floors:
            return  # already reported: a folder on no floor
        elif floors[there] > floors[here]:
            self.fail(header, line, f"<{target}> goes up: {here} (F{floors[here]}) -> {there} (F{floors[there]})")
        elif floors[there] == floors[here] and not self.named(here, other):
            self.fail(header, line, f'<{target}>: {here} -> {there} is no named edge of floor F{floors[here]}')

    def named(self, here, other):
        for allowed in self.table.edges.get(here, ()):
            if allowed == other.folder or allowed == other.name or other.name.startswith(allowed + '/'):
                return True
        return False

    def standard(self, header, line, target):
        floor = self.table.floor_of.get(header.folder)
        for low, high, names in self.table.forbidden:
            if floor is not None and low <= floor <= high and target in names:
                self.fail(header, line, f'<{target}> is too dear for F{floor}')

    def compiled(self):
        """A header with bodies that compiled.hpp does not reach has them in no object of a program that is compiled so."""
        if 'compiled.hpp' not in self.headers:
            return
        reached, open_ = set(), ['compiled.hpp']
        while open_:
            name = open_.pop()
            if name in self.headers and name not in reached:
                reached.add(name)
                open_ += ['../leat.hpp' if target == 'leat.hpp' else target.removeprefix('leat/')
                          for _, _, target in self.headers[name].includes]
        for name, header in self.headers.items():
            for number, line in enumerate(header.code.splitlines(), 1):
                if line.startswith('#if LEAT_BODIES') and name not in reached:
                    self.fail(header, number, 'these bodies are in no object: leat/compiled.hpp does not reach this header')
                    break

    def circles(self):
        """Depth first; the edge that closes a circle is named, with the whole way round."""
        done, path = set(), []

        def visit(name):
            path.append(name)
            for line, _, target in self.headers[name].includes:
                other = '../leat.hpp' if target == 'leat.hpp' else re.sub('^leat/', '', target)
                if other not in self.headers or (other == target and other != '../leat.hpp'):
                    continue
                if other in path:
                    way = path[path.index(other):] + [other]
                    self.fail(self.headers[name], line, 'circle: ' + ' -> '.join(way))
                elif other not in done:
                    visit(other)
            path.pop()
            done.add(name)

        for name in self.headers:
            if name not in done:
                visit(name)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--root', type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    root = parser.parse_args().root.resolve()
    table = Table((root / 'cmake' / 'floors.txt').read_text(encoding='utf-8'))
    check = Check(root, table)
    failures = check.run()
    for failure in failures:
        print(failure)
    if not check.headers:
        print('no headers found')
        return 1
    print(f'{len(check.headers)} headers, {len(failures)} failures')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
