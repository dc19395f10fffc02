# SPDX-License-Identifier: MIT
"""Where and how programs run: cores, priorities, CPU clocks, and the facts about this machine."""

import os
import platform
import re
import select
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = CORES[0]
LOAD_CORE = CORES[1] if len(CORES) > 1 else CORES[0]


def _permitted(attempt):
    """Whether a child process may do `attempt`; the runner itself keeps its own priority."""
    child = os.fork()
    if child == 0:
        try:
            attempt()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def _real_time():
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))


def _nice():
    os.nice(-20)


REAL_TIME = _permitted(_real_time)
NICE = _permitted(_nice)


def pinned(core):
    """Runs in the child: one core, real-time priority where that is permitted."""

    def prepare():
        os.sched_setaffinity(0, {core})
        if REAL_TIME:
            _real_time()

    return prepare


def real_time():
    """The same on all cores: for who has workers."""
    if REAL_TIME:
        _real_time()


def unpinned():
    """Runs in the child: for who needs other threads, of V8 or the kernel, which `pinned` starves."""
    if NICE:
        _nice()


def on_back_end(name, command):
    """The command of a column: "leat epoll" is told its back end, "leat" takes what starts."""
    return ["env", "LEAT_BACKEND=epoll", *command] if name == "leat epoll" else command


class Failure(Exception):
    """A program could not be built or run; the message says which and why."""


def run(command, prepare, timeout=180):
    """The standard output of a program that ends by itself."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout,
                              preexec_fn=prepare, check=False)
    except subprocess.TimeoutExpired:
        raise Failure(f"{os.path.basename(command[0])}: not done after {timeout} s") from None
    if done.returncode != 0:
        raise Failure(f"{os.path.basename(command[0])}: exit {done.returncode}: "
                      f"{done.stderr.strip()[-400:]}")
    return done.stdout


def cpu_ns(pid):
    """CPU time of all threads of a process: the clock that clock_getcpuclockid names, in ns."""
    scheduler_clock = 2
    return time.clock_gettime_ns((~pid << 3) | scheduler_clock)


def peak_mib(pid):
    """The most memory that a process had at a time, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(re.search(r"^VmHWM:\s*(\d+)", status, re.M)[1]) / 1024


def first_line(process, timeout):
    """The first line that a server prints, or a Failure."""
    if not select.select([process.stdout], [], [], timeout)[0]:
        raise Failure("the server printed nothing")
    line = process.stdout.readline().strip()
    if not line:
        raise Failure("the server ended before it served")
    return line


def _stop(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port():
    """One that nobody listens on now, for a server that cannot choose."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def server(command, prepare, quiet_stdout=False):
    """A server process for the time of a `with`; it is ended by its process id."""
    stdout = subprocess.DEVNULL if quiet_stdout else subprocess.PIPE
    process = subprocess.Popen(command, stdout=stdout, text=True, preexec_fn=prepare)
    try:
        yield process
    finally:
        _stop(process)
        if process.stdout:
            process.stdout.close()


def _first_match(pattern, text, fallback="unknown"):
    found = re.search(pattern, text, re.MULTILINE)
    return found.group(1) if found else fallback


def _output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20,
                              check=False).stdout
    except OSError:
        return ""


def _preprocessed(compiler, header, *macros):
    """The values of macros of an installed header, joined by dots."""
    text = f"#include <{header}>\n@@ {' . '.join(macros)}\n"
    try:
        out = subprocess.run([compiler, "-E", "-P", "-x", "c++", "-"], input=text, timeout=20,
                             capture_output=True, text=True, check=False).stdout
    except OSError:
        return "absent"
    return re.sub(r"\s", "", _first_match(r"^@@ (.*)$", out, "absent"))


def compiler_name(compiler):
    first = _output(compiler, "--version").splitlines() or ["absent"]
    version = _first_match(r"(\d+\.\d+\.\d+)", first[0])
    return f"{'clang' if 'clang' in first[0] else 'g++'} {version}"


def _asio_version(compiler):
    value = _preprocessed(compiler, "asio/version.hpp", "ASIO_VERSION")
    if not value.isdigit():
        return "absent"
    number = int(value)
    return f"{number // 100000}.{number // 100 % 1000}.{number % 100}"


def nginx():
    """The program, or None: that of the system, or the one that `scripts/bootstrap bench` brought."""
    brought = Path(__file__).resolve().parent.parent / "rivals/nginx/usr/sbin/nginx"
    return shutil.which("nginx") or shutil.which(str(brought))


def redis_server():
    """A command that becomes redis-server, or None. Debian's redis-tools has the program under
    its checker's name; which of them it is depends on the name it is called by."""
    server = shutil.which("redis-server")
    if server:
        return [server]
    checker = shutil.which("redis-check-rdb")
    return ["bash", "-c", 'exec -a redis-server "$0" "$@"', checker] if checker else None


def _redis_version():
    return _first_match(r"v=(\S+)", _output(*(redis_server() or ["redis-server"]), "--version"),
                        "absent")


def _nginx_version():
    # It tells by standard error.
    text = _output("sh", "-c", f"'{nginx()}' -v 2>&1") if nginx() else ""
    return _first_match(r"nginx/(\S+)", text, "absent")


def _boost_version(compiler):
    return _preprocessed(compiler, "boost/version.hpp", "BOOST_LIB_VERSION").strip('"').replace(
        "_", ".")


def facts(compilers):
    """(name, value) pairs for the head of a report; no path and no host name among them."""
    cpu = _first_match(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text())
    memory = _first_match(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(), "0")
    cxx = compilers[0]
    return [
        ("CPU", f"{cpu}, {len(CORES)} cores in use"),
        ("memory", f"{int(memory) / 2**20:.0f} GiB"),
        ("kernel", f"{platform.system()} {platform.release()}"),
        ("compilers", ", ".join(compiler_name(c) for c in compilers) + "; -O2 (pool: -O3) -DNDEBUG"),
        ("libuv", _preprocessed(cxx, "uv/version.h", "UV_VERSION_MAJOR", "UV_VERSION_MINOR",
                                "UV_VERSION_PATCH")),
        ("Asio", _asio_version(cxx)),
        ("Node", _output("node", "--version").strip() or "absent"),
        ("Boost", _boost_version(cxx)),
        ("nginx", _nginx_version()),
        ("redis-server", _redis_version()),
        ("real-time priority", "yes, except for Node" if REAL_TIME else "not permitted"),
        ("load average at the start", "%.2f" % os.getloadavg()[0]),
    ]
