#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of check_docs.py: a block that is its region passes; everything else is told with file and line."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parent / 'check_docs.py'
SOURCE = '''#include <leat.hpp>
int main() {
  // [all]
  int a = 1;
  // [part]
  if (a) {
    a = 2;

    // [not a mark
  }
  // [/part]
  // [/all]
}
'''


def check(document, source=SOURCE, place='examples/a.cpp', name='README.md'):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for path, text in [(place, source), (name, document)]:
            if text is not None:
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text, encoding='utf-8')
        run = subprocess.run([sys.executable, SCRIPT, '--root', root], capture_output=True, text=True, check=False)
        return run.returncode, run.stdout + run.stderr


def document(block, name='<!-- examples/a.cpp#part -->'):
    return f'# Title\n\n{name}\n```cpp\n{block}\n```\n'


GOOD = 'if (a) {\n  a = 2;\n\n  // [not a mark\n}'


class Docs(unittest.TestCase):
    def refuses(self, text, expected, **more):
        code, output = check(text, **more)
        self.assertEqual(code, 1, output)
        self.assertIn(expected, output)

    def test_a_block_that_is_its_region_passes(self):
        code, output = check(document(GOOD))
        self.assertEqual((code, output), (0, '1 documents, 1 blocks, 0 failures\n'))

    def test_marks_inside_a_region_are_left_out(self):
        self.assertEqual(check(document('int a = 1;\n' + GOOD, '<!-- examples/a.cpp#all -->'))[0], 0)

    def test_documents_in_docs_and_its_folders_are_read(self):
        self.assertIn('1 blocks', check(document(GOOD), name='docs/deep/a.md')[1])
        self.refuses(document('other'), 'docs/deep/a.md:4: line 1 of the block differs', name='docs/deep/a.md')

    def test_a_difference_is_told_with_both_lines(self):
        self.refuses(document(GOOD.replace('2', '3')),
                     'README.md:4: line 2 of the block differs from examples/a.cpp#part:\n  shown:      a = 3;\n'
                     '  compiled:   a = 2;')

    def test_a_block_that_is_longer_or_shorter_differs(self):
        self.refuses(document(GOOD + '\nmore'), 'line 6 of the block')
        self.refuses(document('if (a) {'), 'line 2 of the block')

    def test_an_unnamed_block_is_refused(self):
        self.refuses('```cpp\nint a;\n```\n', 'README.md:1: no line <!-- file#region -->')
        self.refuses('```c++\nint a;\n```\n', 'README.md:1: no line')

    def test_other_languages_need_no_region(self):
        self.assertEqual(check('```sh\nscripts/test\n```\n\n```\n```cpp\n```\n')[0], 0)

    def test_the_file_must_exist_and_be_compiled(self):
        self.refuses(document(GOOD, '<!-- examples/b.cpp#part -->'), 'examples/b.cpp is no compiled file')
        self.refuses(document(GOOD, '<!-- other/a.cpp#part -->'), 'other/a.cpp is no compiled file', place='other/a.cpp')
        self.assertEqual(check(document(GOOD, '<!-- docs/snippets/a.cpp#part -->'), place='docs/snippets/a.cpp')[0], 0)

    def test_the_region_must_exist_once(self):
        self.refuses(document(GOOD, '<!-- examples/a.cpp#none -->'), "no region '// [none]'")
        self.refuses(document(GOOD), 'or more than one', source=SOURCE + SOURCE)

    def test_no_documents_at_all_is_a_failure(self):
        self.refuses(None, 'no README.md')


if __name__ == '__main__':
    unittest.main()
