// SPDX-License-Identifier: MIT
// Streams with backpressure. Node: require("stream").
#pragma once

#include <leat/stream/asked.hpp>
#include <leat/stream/compose.hpp>
#include <leat/stream/decode.hpp>
#include <leat/stream/duplex.hpp>
#include <leat/stream/duplex_from.hpp>
#include <leat/stream/duplex_pair.hpp>
#include <leat/stream/finished.hpp>
#include <leat/stream/from.hpp>
#include <leat/stream/operators.hpp>
#include <leat/stream/pipeline.hpp>
#include <leat/stream/readable.hpp>
#include <leat/stream/tee.hpp>
#include <leat/stream/transform.hpp>
#include <leat/stream/writable.hpp>
