#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Including a header costs no code: the object of a program that only includes it is empty.

  check_inert.py OBJECT...

g++ emits what nobody uses in two cases: a class whose virtual functions are defined outside of it without `inline` at
their declaration (its table then belongs to every object), and, without optimisation, each coroutine that is no template
(LEAT_ON_USE). Either costs every program that includes the header its compile time.
"""
import re
import subprocess
import sys

LIMIT = 256  # bytes; a function that tells the kind of a constant may stay


def size_of(path):
    out = subprocess.run(['size', '-A', path], capture_output=True, text=True, check=True).stdout
    return sum(int(match[1]) for match in re.finditer(r'^\.(?:text|data|gcc_except_table)\S*\s+(\d+)', out, re.M))


def largest(path, count=5):
    out = subprocess.run(['nm', '-S', '-C', '--size-sort', '-r', path], capture_output=True, text=True, check=True).stdout
    lines = [line.split(None, 3) for line in out.splitlines()]
    return [f'{int(line[1], 16)} bytes: {line[3][:150]}' for line in lines[:count]]


def main(objects):
    if not objects:
        print('no objects to look at')
        return 1
    heavy = 0
    for path in objects:
        size = size_of(path)
        if size > LIMIT:
            heavy += 1
            print(f'{path}: {size} bytes of code without any use')
            for line in largest(path):
                print(f'  {line}')
    print(f'{len(objects)} objects, {heavy} with code')
    return 1 if heavy else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
