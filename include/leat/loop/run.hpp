// SPDX-License-Identifier: MIT
// run: a program's main on a loop of this thread.
#pragma once

#include <leat/loop/event_loop.hpp>
#include <leat/loop/spawn.hpp>

namespace leat::inline LEAT_ABI {

namespace detail {

/// The codes of Node that the loop itself ends with.
enum : int { exitUncaught = 1, exitHandlerThrew = 7, exitUnsettledMain = 13 };

/// Calls main as a script: an exception is an uncaught one, ticks come before microtasks.
template <class F>
class MainCall {
 public:
  MainCall(F& main, std::source_location where) noexcept : main_(main), where_(where) {}
  void start(EventLoop& loop) {
    using R = std::invoke_result_t<F&>;
    const ContextScope scope(currentContext());  // stores that main enters end with it
    loop.callback([&] {
      if constexpr (std::is_void_v<R>) {
        main_();
      } else if constexpr (Awaitable<R>) {
        watch(loop);
      } else {
        loop.setExitCode(static_cast<int>(main_()));
      }
    });
    loop.drain();
  }
  /// Main gave a promise that can never settle.
  bool unsettled() const noexcept { return state_ && state_->pending(); }
  /// Tells where that promise was made: the coroutine, or for a Task who ran it. Node: the same words, with
  /// the line of the `await`.
  void warnUnsettled() const noexcept {
    const std::source_location& place = state_->where.line() != 0 ? state_->where : where_;
    printWarning("Warning", "Detected unsettled top-level await at " + describePlace(place));
  }

 private:
  void watch(EventLoop& loop) {
    using T = std::remove_cvref_t<AwaitResult<std::invoke_result_t<F&>>>;
    Promise<T> promise = spawn(main_(), where_);
    state_ = Ref<PromiseStateBase>(&promise.state());
    if constexpr (std::is_convertible_v<T, int>) {
      (void)promise.then([&loop](const T& code) { loop.setExitCode(static_cast<int>(code)); });
    }
  }
  F& main_;
  std::source_location where_;
  Ref<PromiseStateBase> state_;
};

/// Runs until nothing is left, asks `beforeExit`, which may arrange for more.
LEAT_INLINE void runUntilDry(EventLoop& loop);

#if LEAT_BODIES
LEAT_INLINE void runUntilDry(EventLoop& loop) {
  for (;;) {
    loop.run();
    ProcessHooks* hooks = loop.hooks();
    if (loop.stopped() || loop.dead() || hooks == nullptr) return;
    loop.callback([&] { hooks->beforeExit(loop.exitCode()); });
    loop.drain();
    if (!loop.alive()) return;
  }
}
#endif

template <class F>
inline constexpr bool isMain = false;
template <class F>
  requires std::is_invocable_v<F&>
inline constexpr bool isMain<F> =
    std::is_void_v<std::invoke_result_t<F&>> || Awaitable<std::invoke_result_t<F&>> ||
    requires(F& main) { static_cast<int>(main()); };

template <class F>
int runMain(F& main, LoopOptions options, std::source_location where) {
  EventLoop loop(options);
  MainCall<F> call(main, where);
  call.start(loop);
  runUntilDry(loop);
  loop.parts().tellRunEnds();
  if (call.unsettled() && !loop.dead() && !loop.stopped() && loop.exitCode() == 0) {
    call.warnUnsettled();
    loop.setExitCode(exitUnsettledMain);
  }
  LoopHost* const host = hostOf(loop.parts());
  if (ProcessHooks* hooks = loop.hooks(); hooks && (host == nullptr || host->tellsExit())) {
    try {
      hooks->exit(loop.exitCode());
    } catch (...) {
      loop.fatal(std::current_exception(), ExceptionOrigin::UncaughtException, nullptr,
                 exitHandlerThrew);
    }
  }
  return loop.exitCode();
}

}  // namespace detail

/// Makes a loop for this thread, calls `main` (plain, or a coroutine that returns Promise or Task) as
/// Node runs a script, and runs until nothing referenced is left. Gives the exit code: what main
/// returned if that is a number, else `EventLoop::exitCode()`, 1 after an exception or rejection that
/// nobody handled, 7 when a handler of those threw, 13 when main never settled.
///
/// Throws: Error ERR_LOOP_EXISTS, SystemError when the back end cannot start.
template <class F>
int run(F&& main, LoopOptions options = {},
        std::source_location where = std::source_location::current()) {
  static_assert(
      detail::isMain<F>,
      "leat::run(main): main is a function without parameters, plain or a coroutine, that gives "
      "nothing, an exit code or something to await; pass the function, not what it returns");
  if constexpr (detail::isMain<F>) {
    return detail::runMain(main, options, where);
  } else {
    return 0;
  }
}

}  // namespace leat::inline LEAT_ABI
