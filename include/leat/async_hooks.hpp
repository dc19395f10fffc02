// SPDX-License-Identifier: MIT
// AsyncLocalStorage. Node: async_hooks.
#pragma once

#include <leat/core/async_local_storage.hpp>
