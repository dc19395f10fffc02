# SPDX-License-Identifier: MIT
"""Which programs there are, and how they are compiled."""

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import targets
from .machine import Failure, compiler_name

BENCH = Path(__file__).resolve().parent.parent
RIVALS = BENCH / "rivals"
ROOT = BENCH.parent
INCLUDE = ROOT / "include"


@dataclass(frozen=True)
class Program:
    """One column or row of a table. A source that does not exist makes the program absent."""

    name: str
    source: Path
    arguments: tuple = ()
    needs: str = ""  # a package of Node's

    @property
    def is_node(self):
        return self.source.suffix == ".js"

    @property
    def exists(self):
        if self.needs and not (RIVALS / "node_modules" / self.needs).exists():
            return False
        return self.source.exists() and (not self.is_node or shutil.which("node") is not None)


def leat(name, *arguments, program="leat"):
    return Program(program, BENCH / "leat" / name, arguments)


def rival(program, name, *arguments, needs=""):
    return Program(program, RIVALS / name, arguments, needs)


MICRO = {
    "coro": [leat("coro.cpp"), rival("asio", "coro/asio.cpp"), rival("mini", "coro/mini.cpp")],
    "promise": [leat("promise.cpp"), rival("node", "promise/node.js")],
    "timers": [leat("timers.cpp"), rival("libuv", "timers/uv.c"), rival("asio", "timers/asio.cpp"),
               rival("node", "timers/node.js")],
    "events": [leat("events.cpp"), rival("function", "events/function.cpp"),
               rival("signals2", "events/signals2.cpp"), rival("node", "events/node.js")],
    "streams": [leat("streams.cpp"), rival("function", "streams/function.cpp"),
                rival("node", "streams/node.js")],
    "pool": [leat("pool.cpp"), rival("tbb", "pool/tbb.cpp"), rival("std", "pool/std.cpp"),
             leat("pool_serial.cpp", program="serial"),
             rival("piscina", "pool/piscina.js", needs="piscina")],
}

# Each works in a folder with `source` and `rows.csv`, which is its first argument.
STREAM_FILES = [
    leat("stream_files.cpp"),
    rival("c", "streams/files.c"),
    rival("cp", "streams/files.c", "cp"),
    rival("cat", "streams/files.c", "cat"),
    rival("node", "streams/files.js"),
]

# Each works in two folders, which are its first arguments.
FILES = [
    leat("fs.cpp"),
    leat("fs.cpp", "epoll", program="leat epoll"),
    rival("loops", "fs/loops.c"),
    rival("liburing", "fs/liburing.c"),
    rival("node", "fs/node.js"),
]

TCP = [
    leat("echo.cpp"),
    leat("echo_pipe.cpp", program="leat pipe"),
    rival("epoll", "tcp/epoll.c"),
    rival("libuv", "tcp/uv.c"),
    rival("asio callbacks", "tcp/asio_callbacks.cpp"),
    rival("asio awaitable", "tcp/asio_awaitable.cpp"),
    rival("node data", "tcp/node.js"),
    rival("node pipe", "tcp/node.js", "--pipe"),
]

# These spin instead of sleeping; they are measured with one connection only.
TCP_SPINNING = [
    leat("echo.cpp", "--busy-poll", program="leat busyPoll"),
    rival("epoll spinning", "tcp/epoll.c", "--busy-poll"),
]

# The back end is named by the environment, as a user would.
URING = [
    leat("echo.cpp"),
    leat("echo.cpp", program="leat epoll"),
    rival("io_uring", "tcp/uring.c"),
    rival("epoll", "tcp/epoll.c"),
]
IDLE = [leat("idle.cpp"), leat("idle.cpp", program="leat epoll")]

# Each serves at PORT what is asked for; those of HTTP_FULL also bodies and the FILE that is their second argument.
HTTP_FULL = [
    leat("http.cpp"),
    leat("http.cpp", program="leat epoll"),
    rival("node", "http/node.js"),
]
HTTP_HELLO = [
    rival("epoll", "http/epoll.c"),
    rival("io_uring", "http/uring.c"),
    rival("beast", "http/beast.cpp"),
]
# Each passes on what comes at PORT to the port that is its second argument.
HTTP_PROXIES = [
    leat("http_proxy.cpp"),
    leat("http_proxy.cpp", program="leat epoll"),
    rival("node", "http/proxy.js"),
]
HTTP_UPSTREAM = rival("epoll", "http/epoll.c")
HTTP_PARSERS = [leat("http_parser.cpp"), rival("beast", "http/beast_parser.cpp")]

# What the topic `include` compiles with optimisation, and never runs.
COMPILED = [
    (targets.ECHO_COST, leat("echo_small.cpp")),
    (targets.ECHO_COST, rival("asio", "include/asio_echo.cpp")),
    (targets.HELLO_COST, leat("http_small.cpp")),
    (targets.HELLO_COST, rival("beast", "http/beast.cpp")),
]

COMPILED_ONCE = ROOT / "cmake" / "leat-compiled.cpp"

LOAD = Program("load", BENCH / "tools" / "load.c")
MINI_REDIS = Program("leat", ROOT / "examples" / "mini_redis.cpp")


class Builder:
    """Compiles programs with one C++ compiler and its C sibling, all with the same flags."""

    FLAGS = ["-O2", "-DNDEBUG", "-Wall", "-Wextra"]
    # Debian's Asio looks for coroutines in clang only under their experimental name.
    DEFINES = ["-DASIO_STANDALONE", "-DASIO_HAS_CO_AWAIT", "-DASIO_HAS_STD_COROUTINE"]

    LIBRARIES = {"uv": ["-luv"], "uring": ["-luring"], "liburing": ["-luring"], "tbb": ["-ltbb"],
                 "std": ["-ltbb"]}

    def __init__(self, cxx, folder, build_tree=None):
        self.cxx = cxx
        self.cc = re.sub(r"(clang|g)\+\+", lambda m: {"g": "gcc"}.get(m[1], m[1]), cxx)
        self.name = compiler_name(cxx)
        self.folder = Path(folder) / re.sub(r"\W+", "-", self.name)
        self.build_tree = build_tree
        self.failed = {}

    def cxx_command(self, *arguments, level="-O2"):
        flags = [level if f == "-O2" else f for f in self.FLAGS]
        return [self.cxx, "-std=c++20", *flags, *self.DEFINES, "-pthread", f"-I{INCLUDE}",
                f"-I{BENCH / 'tools'}", *map(str, arguments)]

    def _compile_command(self, source, target):
        if source.suffix == ".c":
            return [self.cc, "-std=gnu17", *self.FLAGS, f"-I{BENCH / 'tools'}", str(source), "-o",
                    str(target), *self.LIBRARIES.get(source.stem, [])]
        # Forks that the compiler may lay into each other are compared as their peers publish them.
        pool = source in {program.source for program in MICRO["pool"]}
        return self.cxx_command(source, "-o", target, *self.LIBRARIES.get(source.stem, []),
                                level="-O3" if pool else "-O2")

    def _target(self, source):
        return self.folder / "-".join(source.relative_to(ROOT).with_suffix("").parts)

    def build(self, programs):
        """Compiles what is missing or older than its sources, two at a time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        sources = {p.source for p in programs if p.exists and not p.is_node}
        with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
            list(pool.map(self._build, sorted(sources)))

    def _build(self, source):
        target = self._target(source)
        if target.exists() and target.stat().st_mtime > _newest_input(source):
            return
        # One write: two threads compile.
        print(f"  compiling {source.relative_to(ROOT)} with {self.name}\n", end="", flush=True)
        done = subprocess.run(self._compile_command(source, target), capture_output=True,
                              text=True, check=False)
        if done.returncode != 0:
            self.failed[source] = done.stderr.strip()[:2000]

    def command(self, program):
        """The command line of a program, or None when it is absent or did not compile."""
        if not program.exists or program.source in self.failed:
            return None
        if program.is_node:
            return ["node", str(program.source), *program.arguments]
        return [str(self._target(program.source)), *program.arguments]

    def ready_mini_redis(self):
        """The example server out of an optimised CMake tree of this compiler, or None."""
        if not self.build_tree:
            return None
        cache = self.build_tree / "CMakeCache.txt"
        text = cache.read_text(encoding="utf-8") if cache.exists() else ""
        kind = re.search(r"^CMAKE_BUILD_TYPE:\w+=Rel", text, re.MULTILINE)
        used = re.search(r"^CMAKE_CXX_COMPILER:\w+=(.*)$", text, re.MULTILINE)
        if not kind or not used or compiler_name(used.group(1)) != self.name:
            return None
        places = [self.build_tree / "mini_redis", self.build_tree / "examples" / "mini_redis"]
        return next((str(place) for place in places if place.is_file()), None)


def _newest_input(source):
    inputs = [source, *(BENCH / "tools").iterdir(), Path(__file__)]
    if RIVALS not in source.parents and BENCH / "tools" not in source.parents:
        inputs += INCLUDE.rglob("*.hpp")
        inputs += (BENCH / "leat").glob("*.hpp")
    inputs += source.parent.glob("*.h")
    return max(path.stat().st_mtime for path in inputs)


def require(command, program):
    if command is None:
        raise Failure(f"{program} is needed and could not be built")
    return command
