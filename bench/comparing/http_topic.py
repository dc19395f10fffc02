# SPDX-License-Identifier: MIT
"""Servers of HTTP under wrk, their files, their idle connections, and the parser alone."""

import os
import re
import resource
import shutil
import socket
import struct
import tempfile
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from . import machine, programs, targets
from .machine import LOAD_CORE, SERVER_CORE, Failure
from .topic import Topic, figures_of

TOOLS = programs.BENCH / "tools"
NGINX = programs.Program("nginx", programs.RIVALS / "http" / "nginx.conf")
NGINX_PROXY = programs.Program("nginx", programs.RIVALS / "http" / "proxy.conf")


class Http(Topic):
    name = "http"
    about = (
        "`wrk -t1 -c64` on the second core, server on the first. The server's CPU time is the "
        "figure; requests per second are wrk's limit. `epoll` and `io_uring` only look for the "
        "empty line behind a head; the parser alone is ns per request of 500 bytes. What a proxy asks is "
        "the server `epoll`, on the second core, too."
    )
    CONNECTIONS = 64
    SECONDS = 2
    # Of wrk: the script, and which servers know what it asks for.
    LOADS = {
        targets.HELLO: (None, "all"),
        targets.PIPELINED: ("pipeline.lua", "all"),
        targets.BODY: ("post_chunked.lua", "full"),
    }
    FILE_MIB = 100
    DOWNLOADS = 5
    IDLE_BEFORE, IDLE = 500, 10_000

    def prepare(self):
        self.servers = [*programs.HTTP_FULL, *programs.HTTP_HELLO]
        self.columns = [program.name for program in self.servers] + ["nginx"]
        self._build([*self.servers, *programs.HTTP_PROXIES, *programs.HTTP_PARSERS])
        self.nginx = machine.nginx()

    def runs(self):
        for program in self.turned(programs.HTTP_PARSERS):
            command = self.builder.command(program)
            if command:
                yield program.name, partial(self._measure_parser, command)
        with tempfile.TemporaryDirectory(dir=self.builder.folder) as folder:
            file = Path(folder) / "file"
            with open(file, "wb") as out:
                for _ in range(self.FILE_MIB):
                    out.write(os.urandom(1 << 20))
            if shutil.which("wrk"):
                for case, (script, which) in self.LOADS.items():
                    for program in self._able(which):
                        yield program.name, partial(self._measure_load, program, file, case, script)
                for program in self._able("proxies"):
                    yield program.name, partial(self._measure_proxy, program, file)
            for program in self._able("files"):
                yield program.name, partial(self._measure_download, program, file)
            for program in programs.HTTP_FULL:
                if self.builder.command(program):
                    yield program.name, partial(self._measure_idle, program, file)

    def _able(self, what):
        nginx = [NGINX] if self.nginx else []
        proxy = [NGINX_PROXY] if self.nginx else []
        wanted = {"all": [*self.servers, *nginx], "full": programs.HTTP_FULL,
                  "files": [*programs.HTTP_FULL, *nginx],
                  "proxies": [*programs.HTTP_PROXIES, *proxy]}[what]
        return self.turned(each for each in wanted
                           if each in (NGINX, NGINX_PROXY) or self.builder.command(each))

    @contextmanager
    def _serving(self, program, file, upstream=None):
        """(process, port) of a server that answers; of a proxy, in front of the port `upstream`."""
        with ExitStack() as stack:
            if program in (NGINX, NGINX_PROXY):
                command, port = self._nginx_command(program, file.parent, upstream)
            else:
                command, port = self._command(program, upstream or file), None
            prepare = machine.unpinned if program.is_node else machine.pinned(SERVER_CORE)
            process = stack.enter_context(machine.server(command, prepare))
            port = port or int(machine.first_line(process, 5))
            _wait_for(port, process)
            if program.is_node:
                # The main thread only: V8's compiler threads, already running, keep all cores.
                os.sched_setaffinity(process.pid, {SERVER_CORE})
            yield process, port

    def _command(self, program, argument):
        command = [*self.builder.command(program), "0"]
        if program not in programs.HTTP_HELLO:
            command.append(str(argument))
        return machine.on_back_end(program.name, command)

    def _nginx_command(self, program, folder, upstream):
        port = machine.free_port()
        text = program.source.read_text(encoding="utf-8")
        for name, value in ("FOLDER", folder), ("PORT", port), ("UPSTREAM", upstream):
            text = text.replace(name, str(value))
        config = folder / "nginx.conf"
        config.write_text(text, encoding="utf-8")
        return [self.nginx, "-p", str(folder), "-e", "stderr", "-c", str(config)], port

    @staticmethod
    def _measure_parser(command):
        yield from figures_of(machine.run(command, machine.pinned(LOAD_CORE)))

    def _measure_proxy(self, program, file):
        upstream = programs.require(self.builder.command(programs.HTTP_UPSTREAM), "the upstream")
        with machine.server([*upstream, "0"], machine.pinned(LOAD_CORE)) as process:
            port = machine.first_line(process, 5)
            return self._measure_load(program, file, targets.PROXY, None, port)

    def _measure_load(self, program, file, case, script, upstream=None):
        with self._serving(program, file, upstream) as (process, port):
            self._wrk(port, script, 1)  # warms up
            begin = machine.cpu_ns(process.pid)
            requests, rate = self._wrk(port, script, self.SECONDS)
            spent = machine.cpu_ns(process.pid) - begin
        return [(case, "requests/s", rate), (case, targets.HTTP_CPU, spent / requests)]

    def _wrk(self, port, script, seconds):
        """(requests, requests per second); all were answered, and well."""
        with_script = ["-s", str(TOOLS / script)] if script else []
        text = machine.run(["wrk", "-t1", f"-c{self.CONNECTIONS}", f"-d{seconds}s", *with_script,
                            f"http://127.0.0.1:{port}/"], machine.pinned(LOAD_CORE))
        found = re.search(r"(\d+) requests in ", text)
        rate = re.search(r"Requests/sec:\s*([\d.]+)", text)
        if not found or not rate or int(found[1]) == 0 or "Socket errors" in text \
                or "Non-2xx" in text:
            raise Failure(f"wrk: {' '.join(text.split())[-300:]}")
        return int(found[1]), float(rate[1])

    def _measure_download(self, program, file):
        command = ["python3", str(TOOLS / "download.py")]
        with self._serving(program, file) as (process, port):
            machine.run([*command, str(port), "/file", "1"], machine.pinned(LOAD_CORE))
            begin = machine.cpu_ns(process.pid)
            ns = float(machine.run([*command, str(port), "/file", str(self.DOWNLOADS)],
                                   machine.pinned(LOAD_CORE)))
            spent = machine.cpu_ns(process.pid) - begin
        each = spent / (self.DOWNLOADS * self.FILE_MIB)
        return [(targets.DOWNLOAD, "ns/MiB", ns), (targets.DOWNLOAD, "server CPU ns/MiB", each)]

    def _measure_idle(self, program, file):
        _allow_files(self.IDLE_BEFORE + self.IDLE + 100)
        clients = []
        try:
            with self._serving(program, file) as (process, port):
                _add_idle(clients, port, self.IDLE_BEFORE)
                before = _resident(process.pid)
                _add_idle(clients, port, self.IDLE)
                each = (_resident(process.pid) - before) / self.IDLE
        finally:
            for client in clients:
                client.close()
        return [(targets.HTTP_IDLE, "bytes each", each)]


def _wait_for(port, process):
    """Waits until the server answers."""
    end = time.monotonic() + 5
    while time.monotonic() < end and process.poll() is None:
        try:
            _ask(_connect(port)).close()
            return
        except OSError:
            time.sleep(0.01)
    raise Failure("the server does not answer")


def _connect(port):
    """A client that leaves no port behind when it closes."""
    client = socket.create_connection(("127.0.0.1", port), 10)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return client


def _ask(client):
    client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    text = b""
    while not text.endswith(b"Hello, World!"):
        more = client.recv(4096)
        if not more:
            raise Failure(f"the server answered {text[:80]!r}")
        text += more
    return client


def _add_idle(clients, port, count):
    """Connections that have each had an answer."""
    for _ in range(count):
        client = _connect(port)
        clients.append(client)
        _ask(client)


def _resident(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _allow_files(count):
    """For this process and the servers that it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= count:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, max(hard, count)))
    except (OSError, ValueError) as error:
        raise Failure(f"{count} open files are not permitted: {error}") from error
