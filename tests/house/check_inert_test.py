#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_inert.py finds code that nobody uses. Usage: check_inert_test.py COMPILER"""
import os
import subprocess
import sys
import tempfile
import unittest

import check_inert

COMPILER = sys.argv.pop(1) if len(sys.argv) > 1 else 'g++'
BODY = 'inline int C::f() { ' + 'g(1); ' * 60 + 'return 0; }\n'


class Inert(unittest.TestCase):
    def object_of(self, text):
        source = os.path.join(self.folder.name, 'x.cpp')
        with open(source, 'w') as file:
            file.write('void g(int);\n' + text)
        subprocess.run([COMPILER, '-std=c++20', '-O0', '-c', source, '-o', source + '.o'], check=True)
        return source + '.o'

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def test_an_inline_function_is_no_code(self):
        self.assertLess(check_inert.size_of(self.object_of('struct C { int f(); };\n' + BODY)), check_inert.LIMIT)

    def test_a_table_with_a_key_function_is(self):
        path = self.object_of('struct C { virtual int f(); };\n' + BODY)
        self.assertGreater(check_inert.size_of(path), check_inert.LIMIT)
        self.assertIn('C::f()', '\n'.join(check_inert.largest(path)))
        self.assertEqual(check_inert.main([path]), 1)

    def test_a_table_of_inline_functions_is_not(self):
        path = self.object_of('struct C { inline virtual int f(); };\n' + BODY)
        self.assertEqual(check_inert.main([path]), 0)

    def test_nothing_to_look_at_is_an_error(self):
        self.assertEqual(check_inert.main([]), 1)


if __name__ == '__main__':
    unittest.main()
