# SPDX-License-Identifier: MIT
from pathlib import Path
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy
from conan.tools.layout import basic_layout
from conan.tools.scm import Version

required_conan_version = ">=2.0"


class LeatConan(ConanFile):
    name = "leat"
    description = "Node.js's asynchronous architecture for C++20: event loop, promises, coroutines, sockets"
    license = "MIT"
    topics = ("async", "coroutines", "event-loop", "io-uring", "networking", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"with_liburing": [True, False]}
    default_options = {"with_liburing": False}
    exports_sources = ("include/*", "cmake/leat-compiled.cmake", "cmake/leat-compiled.cpp", "scripts/leat-lint",
                       "scripts/gdb/leat_gdb.py", "LICENSE")
    no_copy_source = True

    @property
    def _compilers_minimum_version(self):
        return {"gcc": "12", "clang": "16"}

    def set_version(self):
        # The version stands in one header.
        text = (Path(self.recipe_folder) / "include/leat/base/version.hpp").read_text(encoding="utf-8")
        parts = (re.search(rf"#define LEAT_VERSION_{part} (\d+)", text)[1] for part in ("MAJOR", "MINOR", "PATCH"))
        self.version = self.version or ".".join(parts)

    def export(self):
        # set_version() is called again where only the exported recipe is.
        copy(self, "include/leat/base/version.hpp", self.recipe_folder, self.export_folder)

    def layout(self):
        basic_layout(self, src_folder=".")

    def requirements(self):
        if self.options.with_liburing:
            self.requires("liburing/2.13", transitive_headers=True)

    def package_id(self):
        self.info.clear()

    def validate(self):
        if self.settings.os != "Linux":
            raise ConanInvalidConfiguration(f"{self.ref} is for Linux: it stands on epoll and io_uring")
        if self.settings.compiler.get_safe("cppstd"):
            check_min_cppstd(self, 20)
        minimum = self._compilers_minimum_version.get(str(self.settings.compiler))
        if minimum and Version(self.settings.compiler.version) < minimum:
            raise ConanInvalidConfiguration(f"{self.ref} needs {self.settings.compiler} {minimum} or newer")

    def package(self):
        source, package = Path(self.source_folder), Path(self.package_folder)
        copy(self, "LICENSE", source, package / "licenses")
        copy(self, "*.hpp", source / "include", package / "include")
        copy(self, "leat-compiled.*", source / "cmake", package / "lib" / "cmake" / "leat")
        copy(self, "leat-lint", source / "scripts", package / "bin")
        copy(self, "leat_gdb.py", source / "scripts" / "gdb", package / "res" / "leat")

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "leat")
        self.cpp_info.set_property("cmake_target_name", "leat::leat")
        self.cpp_info.set_property("cmake_build_modules", ["lib/cmake/leat/leat-compiled.cmake"])
        self.cpp_info.set_property("pkg_config_name", "leat")
        self.cpp_info.bindirs = ["bin"]
        self.cpp_info.libdirs = []
        self.cpp_info.resdirs = ["res"]
        self.cpp_info.system_libs = ["pthread"]
        if self.options.with_liburing:
            self.cpp_info.defines = ["LEAT_USE_LIBURING=1"]
            self.cpp_info.requires = ["liburing::liburing"]
