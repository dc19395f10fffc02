// SPDX-License-Identifier: MIT
// Ready-made transforms: lines, CSV, NDJSON, hex and base64, counting, limits of rate.
#pragma once

#include <leat/stream/byte_counter.hpp>
#include <leat/stream/codec.hpp>
#include <leat/stream/csv.hpp>
#include <leat/stream/lines.hpp>
#include <leat/stream/ndjson.hpp>
#include <leat/stream/rate_limiter.hpp>
