# SPDX-License-Identifier: MIT
"""How each topic is measured: prepare once, then run every program once in each round."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path

from . import machine, programs, targets
from .http_topic import Http
from .machine import LOAD_CORE, SERVER_CORE, Failure
from .topic import Topic, figures_of


class Micro(Topic):
    """Programs that print `name value_ns` lines: pinned to one core, Node and those with threads free on all."""

    threads = False

    def prepare(self):
        self.programs = programs.MICRO[self.name]
        self.columns = [program.name for program in self.programs]
        self._build(self.programs)

    def runs(self):
        for program in self.turned(self.programs):
            command = self.builder.command(program)
            if command:
                free = program.is_node or self.threads
                prepare = machine.unpinned if free else machine.pinned(LOAD_CORE)
                yield program.name, partial(self._measure, command, prepare)

    @staticmethod
    def _measure(command, prepare):
        yield from figures_of(machine.run(command, prepare))


class Coro(Micro):
    name = "coro"
    about = "ns per operation on one thread; `mini` is a hand-written limit, not a library."


class Promises(Micro):
    name = "promise"
    about = "ns per operation on one thread."


class Timers(Micro):
    name = "timers"
    about = "ns per timer, 1e6 timers."


class Events(Micro):
    name = "events"
    about = "ns per emit; `function` is a loop over std::function, which nobody may change while it runs."


class Pool(Micro):
    name = "pool"
    threads = True
    about = (
        "ns per fork, per item or per piece of work, on one, two and more workers (`_1`, `_2`); `round_trip` goes "
        "from a loop to a worker and back; `std` is plain recursion, and algorithms with `std::execution::par`; "
        "`serial` are coroutines that fork nothing."
    )

    def runs(self):
        yield from super().runs()
        for program in self.programs:
            command = self.builder.command(program)
            if command and program.name in ("leat", "tbb"):
                yield program.name, partial(self._measure_peaks, command)

    @classmethod
    def _measure_peaks(cls, command):
        """Each in a process of its own."""
        for which in ("fork_fib", "skynet_1e6"):
            yield from cls._measure([*command, which], machine.unpinned)


class Streams(Micro):
    name = "streams"
    about = (
        "ns per item; `function` is the limit of stages that do not know each other: each calls the "
        "next one through a std::function, and nobody can slow anybody down. Files: ns per MiB; `c` are "
        "plain loops of calls that block."
    )
    ROW = b'%d,"a name, quoted","with ""quotes"" and\nlines",%d,plain text,3.14159,end\n'

    def prepare(self):
        super().prepare()
        self.columns += [p.name for p in programs.STREAM_FILES if p.name not in self.columns]
        self._build(programs.STREAM_FILES)

    def runs(self):
        yield from super().runs()
        # Of the folder only what is read stays: no round pays for what another one wrote.
        with tempfile.TemporaryDirectory(dir=self.builder.folder) as folder:
            text = b"".join(b"the quick brown fox jumps over lazy dog no. %d\n" % i
                            for i in range(30000))[:1 << 20]
            rows = b"".join(self.ROW % (i, i * 7) for i in range(20000))[:1 << 20]
            rows = rows[:rows.rindex(b",end\n") + 5]
            for name, block, count in (("source", text, 1024), ("rows.csv", rows, 256)):
                with open(Path(folder) / name, "wb") as file:
                    for _ in range(count):
                        file.write(block)
            for program in self.turned(programs.STREAM_FILES):
                command = self.builder.command(program)
                if command:
                    os.sync()
                    head = len(command) - len(program.arguments)
                    command = [*command[:head], folder, *command[head:]]
                    yield program.name, partial(self._measure_files, command)
                    if program.name in ("leat", "node"):
                        yield program.name, partial(self._measure_peaks, command)

    @staticmethod
    def _measure_files(command):
        yield from figures_of(machine.run(command, machine.unpinned, timeout=300))

    @classmethod
    def _measure_peaks(cls, command):
        """Each way in a process of its own, of which only the memory counts."""
        for way in ("copy", "upper", "send", "csv"):
            figures = figures_of(machine.run([*command, way], machine.unpinned, timeout=300))
            yield from (figure for figure in figures if figure[1] != "ns")


class Files(Topic):
    name = "fs"
    about = (
        "ns per file, per MiB or per page; `loops` are plain loops of calls that block, in C. The "
        "folder on the disk is under the temporary folder, or that of --build; the other in memory."
    )
    MEMORY = Path("/dev/shm")

    def prepare(self):
        self.columns = [program.name for program in programs.FILES]
        self._build(programs.FILES)
        # Nothing of it is removed before all have run: see tools/files.h.
        self.disk = tempfile.TemporaryDirectory(dir=self.builder.folder)

    def runs(self):
        for part in ("cached", "disk"):
            for program in self.turned(programs.FILES):
                command = self.builder.command(program)
                if command:
                    yield program.name, partial(self._measure, program, command, part)

    def _measure(self, program, command, part):
        os.sync()  # or who comes next pays for what the last one left to be written
        # What a program writes is for threads of the kernel, which would starve.
        usual = part == "disk" or program.is_node
        head = len(command) - len(program.arguments)
        memory = self.MEMORY if os.access(self.MEMORY, os.W_OK) else None
        disk = tempfile.mkdtemp(dir=self.disk.name)
        with tempfile.TemporaryDirectory(dir=memory) as volatile:
            output = machine.run([*command[:head], disk, volatile, part, *command[head:]],
                                 machine.unpinned if usual else machine.real_time, timeout=300)
        yield from figures_of(output)


class Tcp(Topic):
    name = "tcp"
    about = (
        "Ping-pong echo on loopback, server on the first core, load generator on the second. "
        "The server's CPU time per message is the figure; messages per second are the load "
        "generator's limit for all fast servers."
    )
    METRICS = ("messages/s", "p50 us", "p99 us", targets.CPU, "server CPU %", "load CPU %")
    SHAPES = {targets.SMALL: (50, 64), targets.LARGE: (50, 16384), targets.SINGLE: (1, 64)}
    SECONDS = 0.7
    PROGRAMS = programs.TCP + programs.TCP_SPINNING

    def prepare(self):
        self.programs = self.PROGRAMS
        self.columns = [program.name for program in self.programs]
        self._build([*self.programs, programs.LOAD])
        self.load = programs.require(self.builder.command(programs.LOAD), "the load generator")

    def runs(self):
        for case in self.SHAPES:
            for program in self.turned(self.programs):
                command = self.builder.command(program)
                spins = program in programs.TCP_SPINNING
                if command and (not spins or case == targets.SINGLE):
                    yield program.name, partial(self._measure, program, command, case)

    def _measure(self, program, command, case):
        count, size = self.SHAPES[case]
        command = machine.on_back_end(
            program.name, [command[0], *self._with_port(program, command[1:])])
        prepare = machine.unpinned if program.is_node else machine.pinned(SERVER_CORE)
        with machine.server(command, prepare) as process:
            port = machine.first_line(process, 5)
            if program.is_node:
                # The main thread only: V8's compiler threads, already running, keep all cores.
                os.sched_setaffinity(process.pid, {SERVER_CORE})
            warmup = 1.0 if program.is_node else 0.2
            load = partial(self._load, port, count, size, pid=process.pid)
            numbers = load(warmup)
            calls = self._calls(load, process.pid)
            peak = machine.peak_mib(process.pid)
        figures = [(case, metric, float(value)) for metric, value in zip(self.METRICS, numbers)]
        return [*figures, (case, targets.PEAK, peak), *((case, targets.CALLS, value) for value in calls)]

    def _load(self, port, count, size, warmup, pid, before=()):
        return machine.run([*before, *self.load, port, str(count), str(size), str(self.SECONDS),
                            str(warmup), str(pid)], machine.pinned(LOAD_CORE), timeout=15).split()

    def _calls(self, load, pid):
        """Nothing, or how many system calls the server makes for a message."""
        return ()

    @staticmethod
    def _with_port(program, arguments):
        """PORT 0 stands behind the script, or first, and before the options of the program."""
        head = len(arguments) - len(program.arguments)
        return [*arguments[:head], "0", *program.arguments]


class Uring(Tcp):
    name = "uring"
    about = (
        "The same load on both back ends, beside raw io_uring (accepts and receives that stay "
        "armed, buffers that the kernel picks) and raw epoll in C."
    )
    SHAPES = {targets.SMALL: (50, 64), targets.LARGE: (50, 16384), targets.MANY: (500, 64)}
    PROGRAMS = programs.URING

    def _calls(self, load, pid):
        """As perf counts them, where it may."""
        with tempfile.NamedTemporaryFile("r") as counted:
            perf = ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-o", counted.name,
                    "-p", str(pid), "--"]
            try:
                numbers = load(0, before=perf)
            except (Failure, OSError):
                return ()
            found = re.search(r"^(\d+),,raw_syscalls", counted.read(), re.M)
        return (int(found[1]) / (float(numbers[0]) * self.SECONDS),) if found else ()


class Idle(Topic):
    name = "idle"
    about = "Resident bytes of a server per idle connection: all of it, also the frame of a handler."

    def prepare(self):
        self.columns = [program.name for program in programs.IDLE]
        self._build(programs.IDLE)

    def runs(self):
        for program in programs.IDLE:
            command = self.builder.command(program)
            if command:
                yield program.name, partial(self._measure, program, command)

    @staticmethod
    def _measure(program, command):
        for case in targets.HELD, targets.HANDLED:
            which = case.split()[0]
            output = machine.run(machine.on_back_end(program.name, [*command, which]),
                                 machine.unpinned)
            yield case, "bytes", float(output)


class Redis(Topic):
    name = "redis"
    about = (
        "`redis-benchmark -c 50` on the second core, server on the first. The server's CPU time "
        "per request is the figure; requests per second are the client's limit."
    )
    CASES = [("SET", 1, 150000), ("GET", 1, 150000), ("SET", 16, 400000), ("GET", 16, 400000)]

    def prepare(self):
        self.columns = ["leat", "leat epoll", "redis-server"]
        self.servers = {}
        if not shutil.which("redis-benchmark"):
            return
        mini_redis = self.builder.ready_mini_redis()
        if not mini_redis:
            self._build([programs.MINI_REDIS])
            mini_redis = (self.builder.command(programs.MINI_REDIS) or [None])[0]
        if mini_redis:
            for name in ("leat", "leat epoll"):
                self.servers[name] = lambda port, name=name: machine.on_back_end(
                    name, [mini_redis, "--port", port])
        redis = machine.redis_server()
        if redis:
            self.servers["redis-server"] = lambda port: [
                *redis, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]

    def runs(self):
        for command, pipeline, requests in self.CASES:
            for name, server_command in self.turned(self.servers.items()):
                yield name, partial(self._measure, server_command, command, pipeline, requests)

    def _measure(self, server_command, command, pipeline, requests):
        port = machine.free_port()
        with machine.server(server_command(str(port)), machine.pinned(SERVER_CORE),
                            quiet_stdout=True) as process:
            _wait_for(port, process)
            self._benchmark(port, command, pipeline, requests // 10)
            begin = machine.cpu_ns(process.pid)
            rate = self._benchmark(port, command, pipeline, requests)
            spent = machine.cpu_ns(process.pid) - begin
        case = f"{command} -P {pipeline}"
        return [(case, "requests/s", rate), (case, targets.REDIS_CPU, spent / requests)]

    @staticmethod
    def _benchmark(port, command, pipeline, requests):
        out = machine.run(["redis-benchmark", "-h", "127.0.0.1", "-p", str(port), "-t",
                           command.lower(), "-c", "50", "-P", str(pipeline), "-n", str(requests),
                           "--csv"], machine.pinned(LOAD_CORE))
        for line in out.splitlines():
            fields = line.replace('"', "").split(",")
            if fields[0] == command:
                return float(fields[1])
        raise Failure(f"redis-benchmark reported no figure for {command}")


def _wait_for(port, process):
    """Waits until the server answers PING."""
    end = time.monotonic() + 5
    while time.monotonic() < end and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as client:
                client.sendall(b"PING\r\n")
                if client.recv(64).startswith(b"+PONG"):
                    return
        except OSError:
            time.sleep(0.01)
    raise Failure("the server does not answer PING")


class Include(Topic):
    name = "include"
    about = ("What compiling costs: user seconds and peak memory of one translation unit. `leat compiled` is with LEAT_COMPILED=1, "
             "which wants one object more in a program: the last table.")
    HEADERS = {
        "task": ["leat/core/task.hpp"],
        "core": ["leat/core/task.hpp", "leat/core/promise.hpp", "leat/loop/event_loop.hpp"],
        "leat.hpp": ["leat.hpp"],
    }

    def prepare(self):
        self.columns = ["leat", "leat compiled", "asio", "beast"]
        self.units = []
        for case, program in programs.COMPILED:
            if program.exists:
                self._add(program.name, case, program.source, "-O2")
        for title, headers in self.HEADERS.items():
            if all((programs.INCLUDE / header).exists() for header in headers):
                self._add_headers("leat", title, headers)
        self._add_headers("asio", "asio.hpp", ["asio.hpp"])
        self._add_once("leat compiled", targets.OBJECT_COST, programs.COMPILED_ONCE, "-O2")

    def _add(self, name, case, source, level):
        self._add_once(name, case, source, level)
        if name == "leat":
            self._add_once("leat compiled", case, source, level)

    def _add_once(self, name, case, source, level):
        flags = ["-DLEAT_COMPILED=1"] if name == "leat compiled" else []
        self.units.append((name, case, self.builder.cxx_command(
            *flags, "-c", source, "-o", self.builder.folder / "unit.o", level=level)))

    def _add_headers(self, name, title, headers):
        self.builder.folder.mkdir(parents=True, exist_ok=True)
        source = self.builder.folder / f"only-{title}.cpp"
        source.write_text("".join(f"#include <{header}>\n" for header in headers))
        self._add(name, targets.header_cost(title), source, "-O0")

    def runs(self):
        for name, case, command in self.units:
            yield name, partial(self._measure, case, command)

    @staticmethod
    def _measure(case, command):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        errors = process.stderr.read().decode(errors="replace")
        process.stderr.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise Failure(f"{case} does not compile: {errors[:1000]}")
        return [(case, "user s", usage.ru_utime), (case, "peak MiB", usage.ru_maxrss / 1024)]


TOPICS = {topic.name: topic for topic in (Tcp, Uring, Idle, Coro, Promises, Timers, Events, Streams, Pool, Files, Http, Redis, Include)}
