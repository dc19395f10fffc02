#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run_recipe.py CONANFILE PACKAGE_FOLDER: runs a header-only recipe without Conan, with stand-ins for what it imports.

Prints the version. Fails when validate() accepts what it must refuse, or refuses what it must accept.
"""

import fnmatch
import importlib.util
import pathlib
import shutil
import sys
import types


class ConanInvalidConfiguration(Exception):
    pass


class Version(tuple):
    def __new__(cls, text):
        return super().__new__(cls, (int(part) for part in str(text).split('.')))

    def __lt__(self, other):
        return tuple(self) < tuple(Version(other))


class Compiler(str):
    def __new__(cls, name, version, cppstd):
        self = super().__new__(cls, name)
        self.version, self.cppstd = version, cppstd
        return self

    def get_safe(self, name):
        return getattr(self, name)


class Info:
    cleared = False

    def clear(self):
        self.cleared = True


class CppInfo:
    def __init__(self):
        self.properties = {}

    def set_property(self, name, value):
        self.properties[name] = value


class ConanFile:
    version = None


def check_min_cppstd(recipe, minimum):
    if int(recipe.settings.compiler.cppstd.removeprefix('gnu')) < minimum:
        raise ConanInvalidConfiguration(f'C++{minimum}')


def copy(recipe, pattern, src, dst):
    copied = []
    for path in sorted(pathlib.Path(src).rglob('*')):
        name = path.relative_to(src)
        if path.is_file() and fnmatch.fnmatch(str(name), pattern):
            target = pathlib.Path(dst) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
            copied.append(target)
    return copied


def install_stand_ins():
    names = {
        'conan': {'ConanFile': ConanFile},
        'conan.errors': {'ConanInvalidConfiguration': ConanInvalidConfiguration},
        'conan.tools': {},
        'conan.tools.build': {'check_min_cppstd': check_min_cppstd, 'can_run': None},
        'conan.tools.cmake': {'CMake': None, 'cmake_layout': None},
        'conan.tools.files': {'copy': copy},
        'conan.tools.layout': {'basic_layout': lambda recipe, src_folder: None},
        'conan.tools.scm': {'Version': Version},
    }
    for name, members in names.items():
        module = types.ModuleType(name)
        vars(module).update(members)
        sys.modules[name] = module


def load(path):
    spec = importlib.util.spec_from_file_location('recipe_under_test', path)
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    spec.loader.exec_module(module)
    return next(member for member in vars(module).values()
                if isinstance(member, type) and issubclass(member, ConanFile) and member is not ConanFile)


def make(recipe_class, folder, os='Linux', compiler=('gcc', '12.2', '20'), with_liburing=False):
    recipe = recipe_class()
    recipe.recipe_folder = recipe.source_folder = str(folder)
    recipe.options = types.SimpleNamespace(**{**recipe.default_options, 'with_liburing': with_liburing})
    recipe.settings = types.SimpleNamespace(os=os, arch='x86_64', build_type='Release', compiler=Compiler(*compiler))
    recipe.info, recipe.cpp_info, recipe.required = Info(), CppInfo(), []
    recipe.requires = lambda reference, **traits: recipe.required.append((reference, traits))
    recipe.set_version()
    recipe.ref = f'{recipe.name}/{recipe.version}'
    recipe.layout()
    return recipe


def refused(recipe):
    try:
        recipe.validate()
    except ConanInvalidConfiguration:
        return True
    return False


def main():
    conanfile, package = (pathlib.Path(argument).absolute() for argument in sys.argv[1:])
    install_stand_ins()
    recipe_class, folder = load(conanfile), conanfile.parent
    load(folder / 'test_package' / 'conanfile.py')

    for field in ('name', 'description', 'license', 'topics', 'settings'):
        assert getattr(recipe_class, field), field
    assert recipe_class.package_type == 'header-library'
    assert recipe_class.options == {'with_liburing': [True, False]}
    assert not refused(make(recipe_class, folder))
    assert not refused(make(recipe_class, folder, compiler=('clang', '16', 'gnu23')))
    assert not refused(make(recipe_class, folder, compiler=('gcc', '13', None)))
    assert refused(make(recipe_class, folder, os='Windows'))
    assert refused(make(recipe_class, folder, compiler=('gcc', '11.4', '20')))
    assert refused(make(recipe_class, folder, compiler=('clang', '15', '20')))
    assert refused(make(recipe_class, folder, compiler=('gcc', '12.2', '17')))

    recipe = make(recipe_class, folder, with_liburing=True)
    recipe.requirements()
    recipe.package_info()
    assert [reference.split('/')[0] for reference, _ in recipe.required] == ['liburing']
    assert recipe.cpp_info.defines == ['LEAT_USE_LIBURING=1']

    recipe = make(recipe_class, folder)
    recipe.requirements()
    recipe.package_id()
    recipe.package_folder = str(package)
    # Only what the recipe exports is there when the package is made.
    recipe.source_folder = str(package.parent / 'exported')
    for pattern in recipe_class.exports_sources:
        # The part before the first star is a folder or a file.
        kept = folder / pattern.removesuffix('/*')
        target = pathlib.Path(recipe.source_folder) / kept.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if kept.is_dir() else shutil.copy2)(kept, target)
    recipe.package()
    recipe.package_info()
    assert not recipe.required and recipe.info.cleared
    assert not hasattr(recipe.cpp_info, 'defines') and recipe.cpp_info.libdirs == []
    assert recipe.cpp_info.properties['cmake_target_name'] == 'leat::leat'
    for module in recipe.cpp_info.properties['cmake_build_modules']:
        assert (package / module).is_file(), module
    print(recipe.version)


if __name__ == '__main__':
    main()
