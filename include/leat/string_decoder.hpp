// SPDX-License-Identifier: MIT
// StringDecoder: text out of pieces of bytes. Node: string_decoder.
#pragma once

#include <leat/buffer/string_decoder.hpp>
