// SPDX-License-Identifier: MIT
// Promises without a loop: queues on this thread whose hooks record what they are told.
#pragma once

#include <leat/core/promise.hpp>

#include <leat_test.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace leat_test {

/// The text of an exception of any type.
inline std::string textOf(const std::exception_ptr& error) {
  if (!error) return "none";
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  } catch (int number) {
    return "int " + std::to_string(number);
  } catch (...) {
    return "unknown";
  }
}

/// Node's code of an exception of the library, else what textOf says.
inline std::string codeOf(const std::exception_ptr& error) {
  if (!error) return "none";
  try {
    std::rethrow_exception(error);
  } catch (const leat::Error& e) {
    return std::string(e.code());
  } catch (...) {
    return textOf(error);
  }
}

/// Makes this thread one with queues. Declare it first: what is made on it must be gone before it is.
class QueueFixture final : private leat::detail::QueueHooks {
 public:
  QueueFixture() { leat::detail::enterHome(queue); }
  QueueFixture(const QueueFixture&) = delete;
  QueueFixture& operator=(const QueueFixture&) = delete;
  ~QueueFixture() {
    do queue.clear();
    while (!queue.empty());
    leat::detail::leaveHome();
    CHECK(leat::detail::threadState.context == nullptr);
  }

  void drain() { queue.drain(); }
  /// Calls `action()` in a microtask of the `tick`th generation from now; 0 is at once.
  template <class F>
  void atTick(int tick, F&& action) {
    if (tick == 0) return action();
    Stepper stepper(queue, [&](int now) {
      if (now == tick) action();
      return now < tick;
    });
    drain();
  }
  /// In which generation of microtasks after the synchronous part `start` calls its argument.
  /// 0: during the synchronous part. -1: never.
  template <class F>
  int ticksUntil(F&& start) {
    int seen = -1;
    int now = 0;
    start([&] {
      if (seen < 0) seen = now;
    });
    // Behind what was queued, so that all of one generation sees the same number.
    now = 1;
    Stepper stepper(queue, [&](int done) {
      now = done + 1;
      return done < 40;
    });
    drain();
    return seen;
  }

  std::vector<std::string> uncaught;
  std::vector<std::string> unhandled;
  int handledLate = 0;
  leat::detail::MicrotaskQueue queue{*this};

 private:
  template <class F>
  struct Stepper : leat::detail::Job {
    Stepper(leat::detail::MicrotaskQueue& q, F f) : Job(onJob), queue(q), step(f) {
      queue.pushMicrotask(*this);
    }
    static void onJob(Job& job, leat::detail::JobAction action) noexcept {
      auto& self = static_cast<Stepper&>(job);
      if (action == leat::detail::JobAction::Run && self.step(++self.count))
        self.queue.pushMicrotask(self);
    }
    leat::detail::MicrotaskQueue& queue;
    F step;
    int count = 0;
  };

  void uncaughtException(std::exception_ptr error, leat::ExceptionOrigin) noexcept override {
    uncaught.push_back(textOf(error));
  }
  void unhandledRejection(leat::detail::PromiseStateBase& promise) noexcept override {
    unhandled.push_back(textOf(promise.error));
  }
  void rejectionHandled(leat::detail::PromiseStateBase&) noexcept override { ++handledLate; }
};

/// A task that was started from outside of a coroutine. Destroyed, it takes the task along, wherever
/// that is suspended.
template <class T = void>
class Running : private leat::detail::CallbackFrame {
 public:
  explicit Running(leat::Task<T> task) : CallbackFrame(onDone), task_(std::move(task)) {
    leat::detail::startTask(task_, *this);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  bool done() const { return done_; }
  /// Of a task that has ended. Throws what it threw.
  T get() {
    REQUIRE(done_);
    return leat::detail::taskResult(task_).take();
  }
  /// The error that it ended with, or null.
  std::exception_ptr error() {
    REQUIRE(done_);
    auto& slot = leat::detail::taskResult(task_);
    return slot.state() == leat::detail::Slot<T>::Error ? slot.error() : std::exception_ptr();
  }
  void destroy() { task_ = leat::Task<T>(); }

 private:
  static void onDone(CallbackFrame* frame) noexcept { static_cast<Running*>(frame)->done_ = true; }
  leat::Task<T> task_;
  bool done_ = false;
};

/// Counts its live instances.
struct Tracked {
  explicit Tracked(int& count) : live(&count) { ++*live; }
  Tracked(const Tracked& other) : live(other.live) { ++*live; }
  Tracked& operator=(const Tracked&) = delete;
  ~Tracked() { --*live; }
  int* live;
};

}  // namespace leat_test
