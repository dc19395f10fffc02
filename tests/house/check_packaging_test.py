#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_packaging.py accepts the tree, and finds each thing that is wrong in a copy of it."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHECK = ROOT / 'tests/house/check_packaging.py'
FILES = ('include/leat/base/version.hpp', 'include/leat/base/config.hpp', 'meson.build', 'meson_options.txt', 'CMakeLists.txt',
         'conanfile.py', 'test_package/conanfile.py', 'cmake/vcpkg/leat/vcpkg.json', 'cmake/vcpkg/leat/portfile.cmake',
         'cmake/vcpkg/leat/usage')


class CheckPackaging(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = pathlib.Path(self.folder.name)
        for file in FILES:
            (self.root / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, self.root / file)

    def check(self):
        done = subprocess.run([sys.executable, CHECK, '--root', self.root], capture_output=True, text=True)
        return done.returncode, done.stdout

    def refuses(self, file, old, new, said):
        text = (self.root / file).read_text(encoding='utf-8')
        self.assertIn(old, text)
        (self.root / file).write_text(text.replace(old, new), encoding='utf-8')
        code, output = self.check()
        self.assertEqual(code, 1, output)
        self.assertIn(said, output)

    def test_accepts_the_tree(self):
        code, output = self.check()
        self.assertEqual(code, 0, output)

    def test_a_version_that_only_the_header_has(self):
        self.refuses('include/leat/base/version.hpp', 'VERSION_PATCH ', 'VERSION_PATCH 9', 'meson.build: the version is')

    def test_an_abi_of_another_version(self):
        self.refuses('include/leat/base/version.hpp', 'VERSION_MINOR ', 'VERSION_MINOR 9', 'LEAT_ABI is of another version')

    def test_meson_of_another_version(self):
        self.refuses('meson.build', "  version: '0.", "  version: '1.", 'meson.build: the version is')

    def test_a_missing_option_of_meson(self):
        self.refuses('meson_options.txt', "option('install'", "option('instal'", 'lacks the option install')

    def test_vcpkg_of_another_version(self):
        self.refuses('cmake/vcpkg/leat/vcpkg.json', '"version": "0.', '"version": "1.', 'vcpkg.json: version is')

    def test_json_that_is_none(self):
        self.refuses('cmake/vcpkg/leat/vcpkg.json', '"license": "MIT",', '"license": "MIT"', 'vcpkg.json: ')

    def test_an_unknown_field(self):
        self.refuses('cmake/vcpkg/leat/vcpkg.json', '"supports"', '"support"', "['support']")

    def test_a_tool_that_is_not_for_the_host(self):
        self.refuses('cmake/vcpkg/leat/vcpkg.json', '"host": true', '"host": false', "'vcpkg-cmake' is not well formed")

    def test_a_missing_feature(self):
        self.refuses('cmake/vcpkg/leat/vcpkg.json', '"features"', '"feature"', 'lacks the feature liburing')

    def test_an_option_that_cmake_does_not_have(self):
        self.refuses('CMakeLists.txt', 'option(LEAT_USE_LIBURING ', 'option(LEAT_LIBURING ', 'LEAT_USE_LIBURING is no option')

    def test_python_that_is_none(self):
        self.refuses('conanfile.py', 'def package(self):', 'def package(self)', 'conanfile.py: ')

    def test_a_missing_file(self):
        (self.root / 'cmake/vcpkg/leat/usage').unlink()
        code, output = self.check()
        self.assertEqual(code, 1, output)
        self.assertIn('usage: is missing', output)


if __name__ == '__main__':
    unittest.main()
