#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every ```cpp block of README.md and docs/**/*.md is a region of a file that is compiled.

The line before the fence names it:   <!-- examples/hello.cpp#main -->
and the file marks it:                // [main]  ...  // [/main]
Block and region must be the same, apart from the region's common indent and the marks of other regions in it.
"""

import argparse
import pathlib
import re
import sys
import textwrap

COMPILED = ('examples/', 'tests/', 'docs/snippets/')
FENCE = re.compile(r'^(\s*)```\s*(cpp|c\+\+|cc|cxx|hpp)(?![\w+])')
NAME = re.compile(r'^\s*<!--\s*(\S+)#([\w-]+)\s*-->\s*$')
MARK = re.compile(r'^\s*// \[/?([\w-]+)\]\s*$')


def clean(lines):
    """Lines without marks, common indent, or empty lines at either end."""
    return textwrap.dedent('\n'.join(line.rstrip() for line in lines if not MARK.match(line))).strip('\n').split('\n')


def region(path, name):
    lines = path.read_text(encoding='utf-8').split('\n')
    starts = [i for i, line in enumerate(lines) if line.strip() == f'// [{name}]']
    ends = [i for i, line in enumerate(lines) if line.strip() == f'// [/{name}]']
    if len(starts) != 1 or len(ends) != 1 or ends[0] < starts[0]:
        raise ValueError(f"no region '// [{name}]' ... '// [/{name}]', or more than one")
    return clean(lines[starts[0] + 1:ends[0]])


def blocks(text):
    """(line number of the fence, the line before it, the lines inside) of each C++ block."""
    lines = text.split('\n')
    i = 0
    while i < len(lines):
        if FENCE.match(lines[i]):
            end = i + 1
            while end < len(lines) and lines[end].strip() != '```':
                end += 1
            before = next((lines[k] for k in range(i - 1, -1, -1) if lines[k].strip()), '')
            yield i + 1, before, lines[i + 1:end]
            i = end
        elif lines[i].lstrip().startswith('```'):
            i += 1
            while i < len(lines) and lines[i].strip() != '```':
                i += 1
        i += 1


def check_block(root, before, block):
    """What is wrong with the block, or None."""
    named = NAME.match(before)
    if not named:
        return 'no line <!-- file#region --> before the block'
    file, name = named.groups()
    path = root / file
    if not file.startswith(COMPILED) or '..' in file or not path.is_file():
        return f'{file} is no compiled file (under {", ".join(COMPILED)})'
    try:
        expected = region(path, name)
    except ValueError as error:
        return f'{file}: {error}'
    shown = clean(block)
    for number in range(max(len(shown), len(expected))):
        left = shown[number] if number < len(shown) else '(nothing)'
        right = expected[number] if number < len(expected) else '(nothing)'
        if left != right:
            return f'line {number + 1} of the block differs from {file}#{name}:\n  shown:    {left}\n  compiled: {right}'
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--root', type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    root = parser.parse_args().root.resolve()
    documents = [path for path in [root / 'README.md', *sorted((root / 'docs').rglob('*.md'))] if path.is_file()]
    count = failures = 0
    for document in documents:
        for line, before, block in blocks(document.read_text(encoding='utf-8')):
            count += 1
            wrong = check_block(root, before, block)
            if wrong:
                failures += 1
                print(f'{document.relative_to(root)}:{line}: {wrong}')
    print(f'{len(documents)} documents, {count} blocks, {failures} failures')
    if not documents:
        print('no README.md and no docs/*.md found')
    return 1 if failures or not documents else 0


if __name__ == '__main__':
    sys.exit(main())
