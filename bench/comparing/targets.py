# SPDX-License-Identifier: MIT
"""The goals: how much of a rival's figure leat's may be. Less is better in every one of them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """At most `limit`: leat's figure over the best rival's, or over its own of another case; else itself."""

    topic: str
    case: str
    rivals: tuple
    limit: float
    metric: str = "ns"
    subject: str = "leat"
    over: str = ""


SMALL, LARGE, SINGLE, MANY = "50 x 64 B", "50 x 16 KiB", "1 x 64 B", "500 x 64 B"
HELD, HANDLED = "held by the program", "handled by a coroutine that reads"
CPU, CALLS, PEAK = "server CPU ns/message", "system calls/message", "server peak MiB"
NODE = ("node data", "node pipe")
REDIS_CPU = "server CPU ns/request"
ECHO_COST = "coroutine echo server, -O2"
HELLO_COST = "HTTP server that greets, -O2"
OBJECT_COST = "the object of leat::compiled, -O2"
HELLO, PIPELINED = "hello, keep-alive", "hello, pipelined x16"
BODY, DOWNLOAD = "POST of 64 KiB, chunked both ways", "file of 100 MiB"
PROXY = "reverse proxy, 64 connections"
HTTP_CPU, HTTP_IDLE = "server CPU ns/request", "10 000 idle connections"


def header_cost(name):
    return f"#include {name}, -O0"


TARGETS = [
    Target("coro", "await_sync_child", ("asio",), 0.72),
    Target("coro", "await_yield_child", ("asio",), 0.18),
    Target("coro", "yield_only", (), 7.0),
    Target("coro", "chain1000_per_level", ("asio",), 0.45),
    Target("coro", "spawn_join_1000", ("asio",), 0.13),
    Target("promise", "await_resolved_promise", ("node",), 0.25),
    Target("promise", "queue_microtask", ("node",), 0.25),
    Target("promise", "next_tick", ("node",), 0.25),
    Target("promise", "then", ("node",), 0.40),
    Target("promise", "all_1000_per_item", ("node",), 0.75),
    Target("timers", "timer_start_clear_at_once", ("libuv",), 2.0),
    Target("timers", "timer_start_clear_1e6", ("libuv",), 0.10),
    Target("timers", "timer_start_clear_1e6", ("node",), 0.10),
    Target("timers", "timer_fire_1e6", ("asio",), 0.40),
    Target("events", "typed_emit_1", ("function",), 1.3),
    Target("events", "typed_emit_1", ("signals2",), 0.10),
    Target("events", "typed_emit_10", ("function",), 1.3),
    Target("events", "typed_emit_10", ("signals2",), 0.10),
    Target("events", "typed_emit_10_apart", ("function",), 1.3),
    Target("events", "typed_emit_10_apart", ("signals2",), 0.10),
    Target("events", "named_emit_1", ("node",), 0.40),
    Target("events", "named_emit_10", ("node",), 0.40),
    Target("streams", "pipeline_3_transforms", ("node",), 0.167),
    Target("streams", "copy_1GiB_per_MiB", ("cp",), 1.0),
    Target("streams", "copy_1GiB_per_MiB", ("node",), 0.25),
    Target("streams", "upper_1GiB_per_MiB", ("c",), 1.11),
    Target("streams", "upper_1GiB_per_MiB", ("node",), 0.20),
    Target("streams", "send_1GiB_per_MiB", ("c",), 1.05),
    Target("streams", "csv_256MiB_per_MiB", ("node",), 0.125),
    *(Target("streams", case, ("node",), 0.10, "MiB") for case in ("pipeline_peak", "copy_peak")),
    # The marks are less than half of one.
    *(Target("streams", case, (), 16.5, "MiB")
      for case in ("pipeline_peak", "copy_peak", "upper_peak", "send_peak", "csv_peak")),
    # 400 MB/s.
    Target("streams", "csv_256MiB_per_MiB", (), 2_621_440.0),
    Target("fs", "read_1000_files", ("loops",), 1.3),
    Target("fs", "read_1000_files", ("node",), 0.4),
    Target("pool", "fork_fib_1", ("tbb",), 0.40),
    Target("pool", "fork_fib_2", ("tbb",), 0.40),
    Target("pool", "invoke_fib_1", ("tbb",), 0.15),
    Target("pool", "invoke_fib_2", ("tbb",), 0.15),
    Target("pool", "skynet_1e6_1", ("tbb",), 0.45),
    Target("pool", "skynet_1e6_2", ("tbb",), 0.45),
    Target("pool", "queens_12_1", ("tbb",), 0.50),
    Target("pool", "queens_12_2", ("tbb",), 0.50),
    Target("pool", "tree_1", ("tbb",), 0.50),
    Target("pool", "tree_2", ("tbb",), 0.50),
    Target("pool", "matrix_512_1", ("tbb",), 1.0),
    Target("pool", "matrix_512_2", ("tbb",), 1.0),
    # 1.9 times as fast by two workers as by one.
    *(Target("pool", f"{case}_2", (), 0.527, over=f"{case}_1") for case in ("fork_fib", "queens_12", "tree")),
    Target("pool", "fork_fib_peak", ("tbb",), 1.5, "MiB"),
    Target("pool", "skynet_1e6_peak", ("tbb",), 1.5, "MiB"),
    *(Target("pool", f"{case}_1e7_{threads}", ("tbb",), 1.0)
      for case in ("parallel_for", "parallel_reduce", "parallel_sort") for threads in (1, 2)),
    *(Target("pool", f"parallel_sort_1e7_{threads}", ("std",), 1.0) for threads in (1, 2)),
    # Twelve times as fast, where there are so many processors.
    *(Target("pool", f"{case}_16", (), 1 / 12, over=f"{case}_1") for case in ("fork_fib", "queens_12")),
    Target("pool", "round_trip", ("piscina",), 0.25),
    # 2 ms.
    Target("pool", "timer_late_p99", (), 2_000_000.0),
    Target("fs", "read_files_one_by_one", ("loops",), 1.3),
    Target("fs", "read_files_one_by_one", ("node",), 0.4),
    Target("fs", "stat_10000_files", ("node",), 0.4),
    Target("fs", "stat_files_one_by_one", ("node",), 0.4),
    Target("fs", "write_1000_files_disk", ("node",), 0.4),
    Target("fs", "write_1000_files_memory", ("node",), 0.4),
    Target("fs", "read_1GiB_per_MiB", ("loops",), 1.11),
    Target("fs", "read_1GiB_per_MiB", ("node",), 0.5),
    Target("fs", "write_1GiB_per_MiB", ("loops",), 1.11),
    Target("fs", "write_1GiB_per_MiB", ("node",), 0.5),
    Target("fs", "random_4KiB_cold", ("liburing",), 1.11),
    Target("tcp", SMALL, ("epoll",), 1.10, CPU),
    Target("tcp", SMALL, ("asio awaitable",), 1.00, CPU),
    Target("tcp", SMALL, NODE, 0.72, CPU),
    Target("tcp", SMALL, ("epoll",), 1.20, CPU, "leat pipe"),
    Target("tcp", SMALL, ("node pipe",), 0.67, CPU, "leat pipe"),
    # 16 MiB, and both marks of each connection.
    *(Target("tcp", case, (), 20.0, PEAK, "leat pipe") for case in (SMALL, LARGE)),
    Target("tcp", LARGE, ("epoll",), 1.10, CPU),
    Target("tcp", LARGE, NODE, 0.50, CPU),
    Target("tcp", SINGLE, ("libuv",), 0.40, "p50 us", "leat busyPoll"),
    *(Target("uring", case, ("io_uring",), 1.10, CPU) for case in (SMALL, LARGE, MANY)),
    *(Target("uring", case, ("leat epoll",), 1.00, CPU) for case in (SMALL, LARGE, MANY)),
    *(Target("uring", case, (), 0.5, CALLS) for case in (SMALL, LARGE)),
    Target("idle", HELD, (), 1536.0, "bytes"),
    Target("http", HELLO, ("epoll",), 1.10, HTTP_CPU),
    Target("http", HELLO, ("beast",), 0.85, HTTP_CPU),
    Target("http", HELLO, ("node",), 0.45, HTTP_CPU),
    Target("http", PIPELINED, ("epoll",), 1.40, HTTP_CPU),
    Target("http", PIPELINED, ("node",), 0.06, HTTP_CPU),
    # 1.5 GB/s.
    Target("http", "parse_request_500_B", (), 333.3),
    Target("http", BODY, ("node",), 0.50, HTTP_CPU),
    Target("http", PROXY, ("node",), 0.40, HTTP_CPU),
    Target("http", PROXY, ("nginx",), 1.50, HTTP_CPU),
    # 0.95 of its speed.
    Target("http", DOWNLOAD, ("nginx",), 1.05, "ns/MiB"),
    Target("http", HTTP_IDLE, ("node",), 0.25, "bytes each"),
    Target("http", HTTP_IDLE, (), 4096.0, "bytes each"),
    Target("redis", "SET -P 1", ("redis-server",), 1.00, REDIS_CPU),
    Target("redis", "GET -P 1", ("redis-server",), 1.00, REDIS_CPU),
    Target("redis", "SET -P 16", ("redis-server",), 0.85, REDIS_CPU),
    Target("redis", "GET -P 16", ("redis-server",), 0.85, REDIS_CPU),
    *(Target("redis", f"{what} -P {depth}", ("leat epoll",), 1.00, REDIS_CPU)
      for depth in (1, 16) for what in ("SET", "GET")),
    Target("include", ECHO_COST, ("asio",), 0.50, "user s"),
    Target("include", ECHO_COST, ("asio",), 0.50, "peak MiB"),
    Target("include", HELLO_COST, (), 3.0, "user s"),
    Target("include", header_cost("task"), (), 0.10, "user s"),
    Target("include", header_cost("core"), (), 0.45, "user s"),
    Target("include", header_cost("leat.hpp"), (), 1.0, "user s"),
    Target("include", ECHO_COST, ("asio",), 0.50, "user s", "leat compiled"),
    Target("include", ECHO_COST, ("asio",), 0.50, "peak MiB", "leat compiled"),
    Target("include", HELLO_COST, (), 3.0, "user s", "leat compiled"),
    Target("include", header_cost("leat.hpp"), (), 1.0, "user s", "leat compiled"),
]
