#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every way to get leat says the same: version, licence, options.

The version stands in include/leat/base/version.hpp; Meson and vcpkg want it written out. The option for liburing has a
name of its own in CMake, Meson, Conan and vcpkg, and each must have it. vcpkg.json has the fields and forms that vcpkg asks for.
"""

import argparse
import ast
import json
import pathlib
import re
import sys

FEATURE = re.compile(r'^[a-z0-9]+(-[a-z0-9]+)*$')
VCPKG_FIELDS = {'name', 'version', 'description', 'license', 'supports', 'dependencies', 'features', 'homepage', 'port-version'}


class Check:
    def __init__(self, root):
        self.root = root
        self.wrong = []

    def read(self, file):
        path = self.root / file
        if path.is_file():
            return path.read_text(encoding='utf-8')
        self.wrong.append(f'{file}: is missing')
        return ''

    def same(self, file, what, found, expected):
        if found != expected:
            self.wrong.append(f'{file}: {what} is {found!r}, not {expected!r}')

    def has(self, file, pattern, what):
        if not re.search(pattern, self.read(file), re.MULTILINE):
            self.wrong.append(f'{file}: {what}')

    def version(self):
        parts = dict(re.findall(r'#define LEAT_VERSION_(MAJOR|MINOR|PATCH) (\d+)', self.read('include/leat/base/version.hpp')))
        if len(parts) != 3:
            self.wrong.append('include/leat/base/version.hpp: does not say the version')
            return '?'
        version = '{MAJOR}.{MINOR}.{PATCH}'.format(**parts)
        # The namespace is part of every symbol.
        self.has('include/leat/base/config.hpp', r'\bv{MAJOR}_{MINOR}\b'.format(**parts), 'LEAT_ABI is of another version')
        return version

    def meson(self, version):
        found = re.search(r"^project\((?:.*?\n)*?\s*version: '([^']*)'", self.read('meson.build'), re.MULTILINE)
        self.same('meson.build', 'the version', found and found[1], version)
        self.has('meson.build', r"^\s*license: 'MIT'", 'does not name the licence')
        self.has('meson.build', r"^leat_dep = declare_dependency\(", 'does not offer leat_dep')
        for option in re.findall(r"get_option\('(\w+)'\)", self.read('meson.build')):
            if option not in ('includedir', 'bindir', 'datadir'):
                self.has('meson_options.txt', rf"^option\('{option}',", f'lacks the option {option}')
        self.has('meson_options.txt', r"^option\('liburing',", 'lacks the option liburing')

    def vcpkg(self, version):
        file = 'cmake/vcpkg/leat/vcpkg.json'
        try:
            port = json.loads(self.read(file))
        except ValueError as error:
            self.wrong.append(f'{file}: {error}')
            return
        self.same(file, 'name', port.get('name'), 'leat')
        self.same(file, 'version', port.get('version'), version)
        self.same(file, 'license', port.get('license'), 'MIT')
        self.same(file, 'fields that vcpkg does not know', sorted(set(port) - VCPKG_FIELDS), [])
        for dependency in port.get('dependencies', []):
            name = dependency if isinstance(dependency, str) else dependency.get('name', '')
            if not FEATURE.match(name) or (name.startswith('vcpkg-') and (isinstance(dependency, str) or not dependency.get('host'))):
                self.wrong.append(f'{file}: the dependency {name!r} is not well formed')
        feature = port.get('features', {}).get('liburing', {})
        if 'liburing' not in feature.get('dependencies', []) or not feature.get('description'):
            self.wrong.append(f'{file}: lacks the feature liburing')
        for name in port.get('features', {}):
            self.has('cmake/vcpkg/leat/portfile.cmake', rf'^\s+{name} LEAT_\w+$', f'does not know the feature {name}')
        self.has('cmake/vcpkg/leat/portfile.cmake', r'vcpkg_install_copyright\(', 'installs no copyright')
        self.has('cmake/vcpkg/leat/usage', r'leat::leat', 'does not name the target')

    def conan(self):
        for file in ('conanfile.py', 'test_package/conanfile.py'):
            try:
                ast.parse(self.read(file), file)
            except SyntaxError as error:
                self.wrong.append(f'{file}: {error}')
        self.has('conanfile.py', r'with_liburing', 'lacks the option with_liburing')
        self.has('conanfile.py', r'version\.hpp', 'does not take the version from the header')

    def cmake(self):
        for option in ('LEAT_INSTALL', 'LEAT_USE_LIBURING', 'LEAT_BUILD_TESTS'):
            self.has('CMakeLists.txt', rf'^option\({option} ', f'lacks the option {option}')
        options = set(re.findall(r'^option\((\w+)', self.read('CMakeLists.txt'), re.MULTILINE))
        for option in re.findall(r'\bLEAT_[A-Z_]+\b', self.read('cmake/vcpkg/leat/portfile.cmake')):
            if option not in options:
                self.wrong.append(f'cmake/vcpkg/leat/portfile.cmake: {option} is no option of CMakeLists.txt')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--root', type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    check = Check(parser.parse_args().root.resolve())
    version = check.version()
    check.meson(version)
    check.vcpkg(version)
    check.conan()
    check.cmake()
    for line in check.wrong:
        print(line)
    print(f'version {version}, {len(check.wrong)} failures')
    return 1 if check.wrong else 0


if __name__ == '__main__':
    sys.exit(main())
