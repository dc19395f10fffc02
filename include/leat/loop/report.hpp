// SPDX-License-Identifier: MIT
// What the loop prints to stderr: exceptions that nobody caught, warnings, misuse that it cannot survive.
#pragma once

#include <leat/core/describe.hpp>
#include <leat/core/microtask_queue.hpp>
#include <leat/sys/calls.hpp>

#include <cstdlib>
#include <source_location>

namespace leat::inline LEAT_ABI::detail {

LEAT_INLINE void printToStderr(const std::string& text) noexcept;

#if LEAT_BODIES
LEAT_INLINE void printToStderr(const std::string& text) noexcept {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = sys::write(2, text.data() + done, text.size() - done);
    if (n <= 0) return;
    done += static_cast<std::size_t>(n);
  }
}
#endif

inline std::string describePlace(const std::source_location& where) {
  return std::string(where.file_name()) + ":" + std::to_string(where.line()) + " (" +
         where.function_name() + ")";
}

LEAT_INLINE void printUncaught(const std::exception_ptr& error, ExceptionOrigin origin,
                               const char* place) noexcept;

#if LEAT_BODIES
LEAT_INLINE void printUncaught(const std::exception_ptr& error, ExceptionOrigin origin,
                               const char* place) noexcept {
  std::string text = origin == ExceptionOrigin::UnhandledRejection ? "Unhandled rejection: "
                                                                   : "Uncaught exception: ";
  text += describe(error);
  if (place != nullptr) text.append("\n    of the promise made at ").append(place);
  text += "\n";
  printToStderr(text);
}
#endif

/// For misuse that shows where nothing may be thrown and nothing can go on.
[[noreturn]] inline void abortWith(std::string_view code, std::string_view text) noexcept {
  printToStderr(std::string("leat: ").append(text).append(" (").append(code).append(")\n"));
  std::abort();
}

/// Node: "(node:PID) NAME: TEXT".
LEAT_INLINE void printWarning(std::string_view name, std::string_view text) noexcept;

#if LEAT_BODIES
LEAT_INLINE void printWarning(std::string_view name, std::string_view text) noexcept {
  std::string line = "(leat:" + std::to_string(::getpid()) + ") ";
  line.append(name).append(": ").append(text).append("\n");
  printToStderr(line);
}
#endif

inline void printEndlessEnd() noexcept {
  printWarning("Warning",
               "at the end of an event loop destructors queued new work again and again; the last "
               "of it is leaked");
}

}  // namespace leat::inline LEAT_ABI::detail
