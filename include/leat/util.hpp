// SPDX-License-Identifier: MIT
// promisify and callbackify. Node: util.
#pragma once

#include <leat/core/promisify.hpp>
