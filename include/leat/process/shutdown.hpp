// SPDX-License-Identifier: MIT
// The orderly end of a program: hooks that are called phase by phase on SIGTERM, SIGINT or `shutdown()`.
#pragma once

#include <leat/loop/out_of_range.hpp>
#include <leat/process/detail/shutdown_core.hpp>

namespace leat::inline LEAT_ABI::process {

/// Options of `onShutdown`.
struct ShutdownHookOptions {
  /// For messages.
  std::string_view name = "unnamed";
  ShutdownPhase phase = ShutdownPhase::Draining;
  /// How long it may take, from its call: a number of milliseconds or a duration.
  Milliseconds timeout = 10'000;
};

/// What holds for all hooks of a loop.
struct ShutdownOptions {
  /// For all phases together, from the call or the signal that begins it, also where this is set later.
  Milliseconds deadline = leat::detail::ShutdownCore::defaultDeadlineMs;
  /// Whether SIGTERM and SIGINT begin it while there is a hook.
  bool signals = true;
};

/// Has `hook` called when the program is asked to end: by SIGTERM, by SIGINT or by `shutdown()`. It takes an
/// AbortSignal or nothing, and is plain or a coroutine. Phase follows phase, whatever the order of
/// registration: the hooks of one run side by side, and the next begins when all of them have ended. Behind
/// the last one the loop stops, so that `leat::run` returns and everything is destroyed in order. A hook
/// that is registered meanwhile for a phase that has come is called before the next one begins.
///
/// A hook whose `timeout` is over has its signal aborted, which is also the ambient one of what it awaits; it
/// gets another 100 ms to end and is not waited for any longer. The same happens to all when the deadline of
/// `setShutdownOptions` (30 s) is over, and the phases that are left are not begun. Hooks that throw or are
/// late are told on stderr, and the others are called all the same.
///
/// Exit code: that of the program (`setExitCode`, else 0) when all went well, 1 when a hook has failed or was
/// late. A second SIGTERM or SIGINT ends the process at once, with 128 and the signal's number; "exit" is
/// told and stdio flushed, but no destructor runs. Behind the last phase the signals have their own action
/// again. `EventLoop::stop()` during a shutdown ends `leat::run` at once: what has not ended and what was not
/// called is told, and the code is 1; a loop whose `run()` you call yourself only returns from that. A loop that
/// is blocked hears no signal at all.
///
/// Without hooks the signals keep their own action. Hooks do not hold the loop, and are not called when the
/// program ends by itself. The handle's `off()` takes a hook back; of one that runs it changes nothing.
///
/// Thread: hooks belong to the loop of the thread that registers them. Each loop that has some hears the
/// signals and goes through its own phases on its own thread; nothing orders the phases of two loops, so
/// let hooks of the main one end and await the others. In a worker the end is that of the worker.
/// Throws: RangeError ERR_OUT_OF_RANGE for a timeout that is not from 0 to 2^31-1 ms; Error ERR_NO_LOOP,
/// ERR_SHUTDOWN_DONE behind the last phase.
template <class F>
Listener onShutdown(F&& hook, ShutdownHookOptions options = {});

/// Begins the same without a signal, in the next tick. Again, it does nothing; a first signal that comes
/// meanwhile does not force the end, a second one does. `reason` is what `shutdownReason` tells.
///
/// Throws: Error ERR_NO_LOOP.
inline void shutdown(std::string_view reason = "shutdown") {
  leat::detail::ShutdownCore::current().begin(reason);
}

/// "SIGTERM", "SIGINT" or what `shutdown` was given; empty while nobody has asked this loop to end. The text
/// lives as long as the loop.
inline std::string_view shutdownReason() { return leat::detail::ShutdownCore::current().reason(); }

}  // namespace leat::inline LEAT_ABI::process

namespace leat::inline LEAT_ABI::detail {

/// Throws: RangeError ERR_OUT_OF_RANGE.
LEAT_INLINE std::int32_t shutdownMs(std::string_view name, const Milliseconds& time);

#if LEAT_BODIES
LEAT_INLINE std::int32_t shutdownMs(std::string_view name, const Milliseconds& time) {
  constexpr double most = 2147483647;
  const double ms = time.count();
  if (ms >= 0 && ms <= most) return waitMs(ms);
  throwNumberOutOfRange(SharedText({"options.", name}).view(), ">= 0 && <= 2147483647", ms);
}
#endif

}  // namespace leat::inline LEAT_ABI::detail

namespace leat::inline LEAT_ABI::process {

/// For the hooks of this thread's loop.
///
/// Throws: RangeError ERR_OUT_OF_RANGE for a deadline that is not from 0 to 2^31-1 ms; Error ERR_NO_LOOP.
inline void setShutdownOptions(ShutdownOptions options) {
  const std::int32_t ms = leat::detail::shutdownMs("deadline", options.deadline);
  leat::detail::ShutdownCore::current().configure(ms, options.signals);
}

template <class F>
Listener onShutdown(F&& hook, ShutdownHookOptions options) {
  using Callable = std::decay_t<F>;
  static_assert(std::is_invocable_v<Callable&, AbortSignal> || std::is_invocable_v<Callable&>,
                "process::onShutdown(hook): the hook takes an AbortSignal or nothing");
  const std::int32_t ms = leat::detail::shutdownMs("timeout", options.timeout);
  auto& core = leat::detail::ShutdownCore::current();
  using leat::detail::ShutdownHook;
  return core.add(leat::detail::Ref<ShutdownHook>::adopt(new ShutdownHook(
      core, options.name, options.phase, ms, leat::detail::keepHook(std::forward<F>(hook)))));
}

}  // namespace leat::inline LEAT_ABI::process
