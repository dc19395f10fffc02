// SPDX-License-Identifier: MIT
// Buffer: bytes in shared storage, with every encoding, number and search; StringDecoder. Node: buffer,
// string_decoder.
#pragma once

#include <leat/buffer/buffer.hpp>
#include <leat/buffer/encoding.hpp>
#include <leat/buffer/module.hpp>
#include <leat/buffer/numbers.hpp>
#include <leat/buffer/search.hpp>
#include <leat/string_decoder.hpp>
