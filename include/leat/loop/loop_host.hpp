// SPDX-License-Identifier: MIT
// Who runs a loop for somebody else, as a Worker does: it is told what would end the process elsewhere.
#pragma once

#include <leat/loop/loop_part.hpp>

#include <exception>

namespace leat::inline LEAT_ABI::detail {

class LoopHost {
 public:
  /// An exception or rejection that nobody handled, in the place of a message on stderr. True: it is no
  /// failure, and the loop goes on.
  virtual bool failed(const std::exception_ptr& error) noexcept = 0;
  /// `process::exit(code)`, when its listeners have been told: stops the loop and unwinds to it.
  [[noreturn]] virtual void exit(int code) = 0;
  /// Whether the listeners of `exit` are told at the end of main.
  virtual bool tellsExit() const noexcept = 0;

 protected:
  ~LoopHost() = default;
};

/// Names the host of a loop.
struct LEAT_API LoopHostPart final : LoopPart {
  LoopHostPart(const void* k, LoopHost& h) noexcept : LoopPart(k), host(h) {}
  LoopHost& host;
};

/// Null for a loop of the program's own.
inline LoopHost* hostOf(LoopParts& parts) noexcept {
  const auto* part = parts.find<LoopHostPart>();
  return part == nullptr ? nullptr : &part->host;
}

}  // namespace leat::inline LEAT_ABI::detail
