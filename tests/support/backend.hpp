// SPDX-License-Identifier: MIT
#pragma once
// Which back end the loops of this run get. Every test of loops and what stands on them runs on both.

#include <leat/loop/backend.hpp>

#include <memory>

namespace leat_test {

/// What LEAT_BACKEND says, else what the machine gives.
inline bool onUring() {
  static const bool ring = [] {
    leat::detail::SharedText reason;
    const std::unique_ptr<leat::detail::Reactor> made(leat::detail::makeReactor({}, reason));
    return std::string_view(made->name()) == "io_uring";
  }();
  return ring;
}

}  // namespace leat_test
