// SPDX-License-Identifier: MIT
// Worker, MessageChannel and the rest of Node's worker_threads.
#pragma once

#include <leat/worker/broadcast_channel.hpp>
#include <leat/worker/environment_data.hpp>
#include <leat/worker/message_port.hpp>
#include <leat/worker/shared_buffer.hpp>
#include <leat/worker/worker.hpp>
#include <leat/worker/worker_pool.hpp>
