// SPDX-License-Identifier: MIT
// process: the end of the program, exceptions and rejections that nobody handled, warnings.
#pragma once

#include <leat/loop/signals.hpp>
#include <leat/process/process_events.hpp>

#include <cstdlib>

namespace leat::inline LEAT_ABI::detail {

/// What `f` makes of the listeners of an event, or of a signal.
template <FixedString event, class F>
auto processListeners(F f) {
  constexpr int number = sys::signalNumber(event.view());
  if constexpr (number != 0) {
    return f(SignalHub::current().listeners(number));
  } else {
    return f(ProcessEvent<event>::list(ProcessEvents::current()));
  }
}

}  // namespace leat::inline LEAT_ABI::detail

namespace leat::inline LEAT_ABI::process {

/// Calls `listener` (it may take fewer arguments) on each
/// - "uncaughtException" (std::exception_ptr, ExceptionOrigin): the program goes on. Also for rejections
///   while nobody listens for those, with the origin UnhandledRejection. When it throws itself, the
///   program ends with 7, without "exit".
/// - "uncaughtExceptionMonitor" (std::exception_ptr, ExceptionOrigin): before those, whether there are
///   any or not; it changes nothing.
/// - "unhandledRejection" (std::exception_ptr, RejectedPromise): after the drain in which a promise was
///   rejected without a handler.
/// - "rejectionHandled" (RejectedPromise): one that was told of got a handler after all.
/// - "beforeExit" (int code): nothing is left to do; what the listener starts is done, and then it is
///   called again. Not before `exit()` and not after an exception that ends the program.
/// - "exit" (int code): the program ends; nothing asynchronous happens any more. It may set
///   `setExitCode`.
/// - "warning" (const Warning&): in the next tick; the text is printed in any case.
/// - a signal's name, such as "SIGTERM": see onSignal.
///
/// A name that is none does not compile. The listeners belong to this thread's loop; "beforeExit" and
/// "exit" are emitted by `leat::run` and `process::exit`. An exception out of a listener is an uncaught
/// one.
///
/// Node: `process.on`. Throws: Error ERR_NO_LOOP.
template <FixedString event, class F>
Listener on(F&& listener);
/// The same, for the next time only. Node: `process.once`.
template <FixedString event, class F>
Listener once(F&& listener);
/// The same with a name that is known only at run time. `listener` takes the arguments of that event, or
/// fewer; a generic lambda does not compile. Throws: also TypeError ERR_UNKNOWN_SIGNAL where there is no
/// such event or signal, ERR_INVALID_ARG_TYPE where it cannot be called with the event's arguments.
template <class F>
Listener on(std::string_view event, F&& listener);
template <class F>
Listener once(std::string_view event, F&& listener);
/// Node: `process.off`. The same as `listener.off()`.
template <FixedString event>
void off(const Listener& listener) {
  listener.off();
}
/// Node: `process.listenerCount`. Also of a signal, whose waits by `nextSignal` are none.
template <FixedString event>
std::size_t listenerCount() {
  return leat::detail::processListeners<event>([](const auto& list) { return list.size(); });
}
/// Node: `process.removeAllListeners`. Of a signal those of `onShutdown` are among them.
template <FixedString event>
void removeAllListeners() {
  leat::detail::processListeners<event>([](auto& list) { list.removeAll(); });
}

/// The code that the program will end with. Node: `process.exitCode`. Throws: Error ERR_NO_LOOP.
inline int exitCode() { return EventLoop::current().exitCode(); }
inline void setExitCode(int code) { EventLoop::current().setExitCode(code); }

/// Ends the program: the listeners of "exit" on this thread's loop, then `std::exit`, so that files are
/// flushed and statics destroyed; the stack is not unwound and no loop's end is run. Called again by one
/// of the listeners, it calls no more of them and takes the new code. To end by unwinding, set the exit
/// code and let go of what holds the loop, or `EventLoop::stop()`.
///
/// In a worker it ends only that: it throws what no handler should keep, which unwinds to the worker's
/// loop, and nothing else runs there. Out of a noexcept function that is std::terminate.
///
/// Node: `process.exit(code)`. Thread: any, under the conditions of std::exit; of several loops only
/// the listeners of this thread's are told.
[[noreturn]] LEAT_INLINE void exit(int code);

#if LEAT_BODIES
[[noreturn]] LEAT_INLINE void exit(int code) {
  if (EventLoop* loop = EventLoop::currentOrNull()) {
    loop->setExitCode(code);
    if (leat::detail::ProcessHooks* hooks = loop->hooks()) hooks->exit(code);
    code = loop->exitCode();
    if (leat::detail::LoopHost* host = leat::detail::hostOf(loop->parts())) host->exit(code);
  }
  std::exit(code);
}
#endif
/// Node: `process.exit()`: with the exit code set so far, else 0.
[[noreturn]] inline void exit() {
  const EventLoop* loop = EventLoop::currentOrNull();
  exit(loop == nullptr ? 0 : loop->exitCode());
}

/// Options of `emitWarning`.
struct WarningOptions {
  std::string_view name = "Warning";
  std::string_view code{};
  std::string_view detail{};
};
/// Prints "(leat:PID) [CODE] NAME: TEXT" to stderr and tells the listeners of "warning", in the next
/// tick; on a thread without a loop prints it now.
///
/// Node: `process.emitWarning`.
inline void emitWarning(const Warning& warning) {
  if (EventLoop::currentOrNull() == nullptr) return leat::detail::printWarning(warning);
  leat::detail::ProcessEvents::current().warn(warning);
}
inline void emitWarning(std::string_view text, WarningOptions options = {}) {
  emitWarning(Warning(text, options.name, options.code, options.detail));
}

/// Node: `process.pid`, `process.ppid`.
inline int pid() noexcept { return ::getpid(); }
inline int ppid() noexcept { return ::getppid(); }

/// Node: `process.nextTick`.
using leat::nextTick;

}  // namespace leat::inline LEAT_ABI::process

namespace leat::inline LEAT_ABI::detail {

template <FixedString event, class F>
Listener addProcessListener(F&& listener, bool once) {
  constexpr int number = sys::signalNumber(event.view());
  if constexpr (number != 0) {
    return once ? onceSignal(number, std::forward<F>(listener))
                : onSignal(number, std::forward<F>(listener));
  } else {
    constexpr bool known = requires(ProcessEvents& events) { ProcessEvent<event>::list(events); };
    static_assert(known, "process has no event of this name");
    if constexpr (known) {
      return Listener(
          ProcessEvent<event>::list(ProcessEvents::current()).add(std::forward<F>(listener), once));
    }
  }
}

/// Whether `F` can listen to a list: with all arguments of the event or with the first few.
template <class F, class List>
inline constexpr bool canListen = false;
template <class F, class A>
inline constexpr bool canListen<F, ListenerList<A>> =
    std::is_invocable_v<F&, const A&> || std::is_invocable_v<F&>;
template <class F, class A, class B>
inline constexpr bool canListen<F, ListenerList<A, B>> =
    std::is_invocable_v<F&, const A&, const B&> || std::is_invocable_v<F&, const A&> ||
    std::is_invocable_v<F&>;

template <class F>
inline constexpr bool canListenToAny =
    canListen<F, ListenerList<int>> || canListen<F, ListenerList<std::string, int>> ||
    canListen<F, ListenerList<std::exception_ptr, ExceptionOrigin>> ||
    canListen<F, ListenerList<std::exception_ptr, process::RejectedPromise>> ||
    canListen<F, ListenerList<process::RejectedPromise>> ||
    canListen<F, ListenerList<process::Warning>>;

/// Adds the listener where this is the event. True: it was.
template <FixedString event, class F>
bool addIfNamed(std::string_view name, F& listener, bool once, Listener& added) {
  if (name != event.view()) return false;
  auto& list = ProcessEvent<event>::list(ProcessEvents::current());
  if constexpr (canListen<std::decay_t<F>, std::remove_cvref_t<decltype(list)>>) {
    added = Listener(list.add(std::forward<F>(listener), once));
  } else {
    throwTypeError("process.on: the listener does not take the arguments of the event",
                   "ERR_INVALID_ARG_TYPE");
  }
  return true;
}

template <class F>
Listener addNamedListener(std::string_view name, F&& listener, bool once) {
  static_assert(
      canListenToAny<std::decay_t<F>>,
      "process::on(event, listener): the listener takes the arguments of an event, or fewer");
  Listener added;
  if (addIfNamed<"uncaughtException", F>(name, listener, once, added) ||
      addIfNamed<"uncaughtExceptionMonitor", F>(name, listener, once, added) ||
      addIfNamed<"unhandledRejection", F>(name, listener, once, added) ||
      addIfNamed<"rejectionHandled", F>(name, listener, once, added) ||
      addIfNamed<"beforeExit", F>(name, listener, once, added) ||
      addIfNamed<"exit", F>(name, listener, once, added) ||
      addIfNamed<"warning", F>(name, listener, once, added))
    return added;
  const SignalId signal(name);
  if constexpr (canListen<std::decay_t<F>, ListenerList<std::string, int>>) {
    return once ? onceSignal(signal, std::forward<F>(listener))
                : onSignal(signal, std::forward<F>(listener));
  } else {
    throwTypeError("process.on: the listener does not take the arguments of a signal",
                   "ERR_INVALID_ARG_TYPE");
  }
}

}  // namespace leat::inline LEAT_ABI::detail

namespace leat::inline LEAT_ABI::process {

template <class F>
Listener on(std::string_view event, F&& listener) {
  return leat::detail::addNamedListener(event, std::forward<F>(listener), false);
}
template <class F>
Listener once(std::string_view event, F&& listener) {
  return leat::detail::addNamedListener(event, std::forward<F>(listener), true);
}

template <FixedString event, class F>
Listener on(F&& listener) {
  return leat::detail::addProcessListener<event>(std::forward<F>(listener), false);
}

template <FixedString event, class F>
Listener once(F&& listener) {
  return leat::detail::addProcessListener<event>(std::forward<F>(listener), true);
}

}  // namespace leat::inline LEAT_ABI::process
