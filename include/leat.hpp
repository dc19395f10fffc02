// SPDX-License-Identifier: MIT
// Everything that needs no package, but leat/transforms.hpp, leat/url.hpp, leat/http.hpp, leat/perf_hooks.hpp and
// leat/worker_threads.hpp: one include for a program.
#pragma once

#include <leat/abort.hpp>
#include <leat/async_hooks.hpp>
#include <leat/buffer.hpp>
#include <leat/dns.hpp>
#include <leat/events.hpp>
#include <leat/fs.hpp>
#include <leat/generator.hpp>
#include <leat/loop.hpp>
#include <leat/net.hpp>
#include <leat/pool.hpp>
#include <leat/process.hpp>
#include <leat/promise.hpp>
#include <leat/scope.hpp>
#include <leat/stream.hpp>
#include <leat/string_decoder.hpp>
#include <leat/sync.hpp>
#include <leat/task.hpp>
#include <leat/timers.hpp>
#include <leat/util.hpp>
