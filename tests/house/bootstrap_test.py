#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/bootstrap where nothing is there and nothing can be installed: it names what is missing and stops."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def bootstrap(*needs, tools=()):
    """Exit code and stderr of scripts/bootstrap for which these programs are all there are."""
    with tempfile.TemporaryDirectory() as folder:
        for tool in ('dirname', 'sort', *tools):
            os.symlink(shutil.which(tool), os.path.join(folder, tool))
        done = subprocess.run([shutil.which('bash'), ROOT / 'scripts/bootstrap', *needs], capture_output=True, text=True, timeout=60,
                              check=False, env={'PATH': folder})
        return done.returncode, done.stderr


class Bootstrap(unittest.TestCase):
    def test_what_is_missing_is_named(self):
        code, said = bootstrap('demo')
        self.assertEqual(code, 3, said)
        missing = said.splitlines()[0].removeprefix("These packages are missing (Debian's names): ").split()
        self.assertEqual(missing, sorted(('cmake', 'curl', 'g++', 'ninja-build', 'nodejs', 'redis-tools', 'wrk')))

    def test_what_is_there_is_not(self):
        code, said = bootstrap('demo', tools=('cmake', 'curl'))
        self.assertEqual(code, 3, said)
        self.assertNotIn('curl', said)
        self.assertIn(' g++ ', said)

    def test_a_need_that_is_none_is_refused(self):
        for words in ((), ('nothing',)):
            code, said = bootstrap(*words)
            self.assertEqual(code, 2, said)
            self.assertIn('usage: ', said)


if __name__ == '__main__':
    unittest.main(verbosity=2)
