# SPDX-License-Identifier: MIT
"""The goals: how much of a rival's figure leat's may be. Less is better in every one of them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """At most `limit`: leat's figure over the best rival's, or itself where no rival is named."""

    topic: str
    case: str
    rivals: tuple
    limit: float
    metric: str = "ns"
    subject: str = "leat"


SMALL, LARGE, SINGLE = "50 x 64 B", "50 x 16 KiB", "1 x 64 B"
CPU = "server CPU ns/message"
NODE = ("node data", "node pipe")
REDIS_CPU = "server CPU ns/request"
ECHO_COST = "coroutine echo server, -O2"


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
    Target("tcp", SMALL, ("epoll",), 1.10, CPU),
    Target("tcp", SMALL, ("asio awaitable",), 1.00, CPU),
    Target("tcp", SMALL, NODE, 0.72, CPU),
    Target("tcp", LARGE, ("epoll",), 1.10, CPU),
    Target("tcp", LARGE, NODE, 0.50, CPU),
    Target("tcp", SINGLE, ("libuv",), 0.40, "p50 us", "leat busyPoll"),
    Target("redis", "SET -P 1", ("redis-server",), 1.00, REDIS_CPU),
    Target("redis", "GET -P 1", ("redis-server",), 1.00, REDIS_CPU),
    Target("redis", "SET -P 16", ("redis-server",), 0.85, REDIS_CPU),
    Target("redis", "GET -P 16", ("redis-server",), 0.85, REDIS_CPU),
    Target("include", ECHO_COST, ("asio",), 0.50, "user s"),
    Target("include", ECHO_COST, ("asio",), 0.50, "peak MiB"),
    Target("include", header_cost("task"), (), 0.10, "user s"),
    Target("include", header_cost("core"), (), 0.45, "user s"),
    Target("include", header_cost("leat.hpp"), (), 1.0, "user s"),
]
