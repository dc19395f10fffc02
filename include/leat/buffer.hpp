// SPDX-License-Identifier: MIT
// Buffer: bytes in shared storage. Node: buffer.
#pragma once

#include <leat/buffer/buffer.hpp>
