#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_compile_fail.py SOURCE COMPILER FLAG...: each case of SOURCE must fail to compile, for its own reason.

A case is a line `#if defined(NAME)  // error: TEXT` (or #elif). SOURCE compiles when no case is defined. With -DNAME it does
not, and the first error that the compiler prints holds TEXT.
"""

import concurrent.futures
import os
import re
import subprocess
import sys

CASE = re.compile(r'^#(?:el)?if defined\((\w+)\)\s+// error: (.+)$', re.M)


def first_error(compiler, flags, source, case):
    """The first error line, or None when it compiles."""
    command = [compiler, *flags, '-fsyntax-only', source] + ([f'-D{case}'] if case else [])
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, 'LC_ALL': 'C'})
    if done.returncode == 0:
        return None
    errors = [line for line in done.stderr.splitlines() if re.search(r'\b(fatal )?error: ', line)]
    return errors[0] if errors else done.stderr


def main():
    source, compiler, *flags = sys.argv[1:]
    with open(source, encoding='utf-8') as file:
        cases = CASE.findall(file.read())
    if not cases:
        sys.exit(f'{source}: no case')
    failures = []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        plain = pool.submit(first_error, compiler, flags, source, '')
        found = {name: pool.submit(first_error, compiler, flags, source, name) for name, _ in cases}
        if plain.result() is not None:
            failures.append(f'without a case it does not compile: {plain.result()}')
        for name, text in cases:
            error = found[name].result()
            if error is None:
                failures.append(f'{name} compiles')
            elif text not in error:
                failures.append(f'{name}: the first error does not hold {text}:\n  {error}')
    print('\n'.join(failures) or f'{len(cases)} cases fail as they should')
    sys.exit(1 if failures else 0)


if __name__ == '__main__':
    main()
