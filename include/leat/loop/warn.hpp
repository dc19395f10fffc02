// SPDX-License-Identifier: MIT
// A warning of the library to the program.
#pragma once

#include <leat/loop/event_loop.hpp>
#include <leat/loop/next_tick.hpp>

#include <string>

namespace leat::inline LEAT_ABI::detail {

/// In the next tick, as Node's process.emitWarning; at once where there is no loop. `name` is a literal.
LEAT_INLINE void warnLater(std::string_view name, std::string text);

#if LEAT_BODIES
LEAT_INLINE void warnLater(std::string_view name, std::string text) {
  if (threadState.loop == nullptr) return printWarning(name, text);
  nextTick([name, text = std::move(text)] {
    if (ProcessHooks* hooks = threadState.loop->hooks()) return hooks->warning(name, text);
    printWarning(name, text);
  });
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
