// SPDX-License-Identifier: MIT
#pragma once
// A task that a test starts by hand, so that it can drop it while the task waits.

#include <leat/core/task.hpp>

#include <optional>
#include <utility>

namespace leat_test {

template <class T = void>
class Started {
 public:
  explicit Started(leat::Task<T> task) : task_(std::move(task)) {
    leat::detail::startTask(*task_, done_);
  }
  Started(const Started&) = delete;
  Started& operator=(const Started&) = delete;

  /// Destroys the coroutine, wherever it waits.
  void drop() { task_.reset(); }
  bool done() const noexcept { return done_.ended; }

 private:
  struct Frame : leat::detail::CallbackFrame {
    Frame() : CallbackFrame(end) {}
    static void end(CallbackFrame* self) noexcept { static_cast<Frame*>(self)->ended = true; }
    bool ended = false;
  };
  Frame done_;
  std::optional<leat::Task<T>> task_;
};

}  // namespace leat_test
