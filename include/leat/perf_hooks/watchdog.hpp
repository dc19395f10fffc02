// SPDX-License-Identifier: MIT
// Watchdog: a thread that sees a loop blocked, and says in what.
#pragma once

#include <leat/loop/event_loop.hpp>
#include <leat/loop/out_of_range.hpp>
#include <leat/perf_hooks/detail/stack_names.hpp>
#include <leat/perf_hooks/detail/thread_stack.hpp>
#include <leat/sys/fork.hpp>
#include <leat/sys/mutex.hpp>

namespace leat::inline LEAT_ABI::perf_hooks {

/// Options of a `Watchdog`.
struct WatchdogOptions {
  /// How long the loop may take for what it is asked in between: milliseconds or a duration.
  Milliseconds limit = 1'000;
  /// Whether the stack of the loop's thread is looked at, which interrupts it by a signal (SIGURG).
  bool stack = true;
};

/// A loop that is blocked, or was.
struct BlockedLoop {
  /// How long so far, at least.
  double milliseconds = 0;
  /// It goes on: the last report of this time, without a stack.
  bool over = false;
  /// The thread, as `top -H`, gdb and /proc call it.
  int thread = 0;
  /// The innermost function of the program on the stack: the callback or the coroutine, or what it called.
  /// Empty where none is known.
  std::string running;
  /// Innermost call first.
  std::vector<StackFrame> stack;

  /// "the event loop of thread 17 is blocked for 1000 ms in parse(char const*)", and the stack in lines.
  std::string text() const;
};

}  // namespace leat::inline LEAT_ABI::perf_hooks

namespace leat::inline LEAT_ABI::detail {

/// What a function belongs to: "leat::run" of "int leat::run<int>(int)".
LEAT_INLINE std::string_view qualifiedName(std::string_view function) noexcept;

#if LEAT_BODIES
LEAT_INLINE std::string_view qualifiedName(std::string_view function) noexcept {
  std::size_t start = 0;
  int depth = 0;
  for (std::size_t i = 0; i < function.size(); ++i) {
    const char c = function[i];
    if (c == '<' && i >= 8 && function.substr(i - 8, 8) == "operator") break;
    if (c == '<') ++depth;
    if (c == '>') --depth;
    if (c == '(' && depth == 0) break;
    if (c == ' ' && depth == 0) start = i + 1;
  }
  return function.substr(start);
}

/// Whether a frame is the program's own, and no library's below it.
LEAT_INLINE bool isOfProgram(const perf_hooks::StackFrame& frame) {
  const std::size_t slash = frame.module.rfind('/');
  const std::string_view module =
      std::string_view(frame.module).substr(slash == frame.module.npos ? 0 : slash + 1);
  for (const std::string_view system : {"libc.", "libc-", "libstdc++", "libc++", "libgcc", "libm.",
                                        "libpthread", "ld-", "linux-vdso"})
    if (module.starts_with(system)) return false;
  const std::string_view name = qualifiedName(frame.function);
  for (const std::string_view other : {"leat::", "std::", "__", "_"})
    if (name.starts_with(other)) return false;
  return !name.empty();
}
#endif

class WatchdogCore : public SharedCounted<WatchdogCore> {
 public:
  using Report = Function<void(const perf_hooks::BlockedLoop&)>;
  WatchdogCore(const LoopRef& loop, Report report, std::int32_t limitMs, bool stack)
      : loop_(loop),
        report_(std::move(report)),
        limitNs_(std::int64_t{limitMs} * 1'000'000),
        takesStack_(stack) {}

  /// 0 or -errno.
  int start() noexcept {
    retain();
    const int error = thread_.start(threadMain, this);
    if (error != 0) release();
    return error;
  }
  void stop() noexcept {
    // A child of fork() has no such thread, and perhaps its lock.
    if (generation_ != sys::forkGeneration()) return;
    {
      const sys::MutexLock lock(mutex_);
      ending_ = true;
      changed_.notifyAll();
    }
    thread_.join();
  }

 private:
  // How many times a limit it asks.
  static constexpr std::int64_t asks = 4;
  static constexpr std::int64_t stackWaitNs = 100'000'000;

  static void* threadMain(void* argument) {
    const auto self = Ref<WatchdogCore>::adopt(static_cast<WatchdogCore*>(argument));
    sys::setThreadName("leat-watchdog");
    self->watch();
    return nullptr;
  }
  void watch();
  void answer(std::uint64_t number) noexcept {
    const sys::MutexLock lock(mutex_);
    answered_ = number;
    changed_.notifyAll();
  }
  /// False: the time is over, or the watchdog's.
  bool waitForAnswer(std::uint64_t number, std::int64_t deadlineNs) noexcept {
    const sys::MutexLock lock(mutex_);
    while (answered_ != number && !ending_)
      if (!changed_.waitUntil(mutex_, deadlineNs)) break;
    return answered_ == number;
  }
  /// False: it ends.
  bool sleepUntil(std::int64_t deadlineNs) noexcept {
    const sys::MutexLock lock(mutex_);
    while (!ending_ && changed_.waitUntil(mutex_, deadlineNs)) {
    }
    return !ending_;
  }
  bool ending() noexcept {
    const sys::MutexLock lock(mutex_);
    return ending_;
  }
  void tell(std::int64_t sinceNs, bool over);

  const unsigned generation_ = sys::watchForks();
  const LoopRef loop_;
  const int loopThread_ = ::gettid();
  Report report_;
  const std::int64_t limitNs_;
  const bool takesStack_;
  sys::Thread thread_;
  sys::Mutex mutex_;
  sys::Condition changed_;
  std::uint64_t answered_ = 0;
  bool ending_ = false;
};

#if LEAT_BODIES
/// Asks the loop, and asks again when it has answered.
LEAT_INLINE void WatchdogCore::watch() {
  constexpr std::int64_t forEver = std::int64_t{1} << 62;
  for (std::uint64_t number = 1;; ++number) {
    const std::int64_t asked = sys::monotonicNs();
    const Ref<WatchdogCore> self(this);
    if (!loop_.post([self, number] { self->answer(number); })) return;
    if (!waitForAnswer(number, asked + limitNs_)) {
      if (ending() || !loop_.alive()) return;
      tell(asked, false);
      if (!waitForAnswer(number, forEver)) return;
      tell(asked, true);
    }
    if (!sleepUntil(asked + limitNs_ / asks)) return;
  }
}

LEAT_INLINE void WatchdogCore::tell(std::int64_t sinceNs, bool over) {
  constexpr double nsOfMs = 1e6;
  perf_hooks::BlockedLoop blocked;
  blocked.over = over;
  blocked.thread = loopThread_;
  blocked.milliseconds = static_cast<double>(sys::monotonicNs() - sinceNs) / nsOfMs;
  if (takesStack_ && !over) {
    StackNames names;
    blocked.stack = names.of(ThreadStack::of(loopThread_, stackWaitNs));
  }
  for (const perf_hooks::StackFrame& frame : blocked.stack)
    if (isOfProgram(frame)) {
      blocked.running = frame.function;
      break;
    }
  report_(blocked);
}
#endif

}  // namespace leat::inline LEAT_ABI::detail

namespace leat::inline LEAT_ABI::perf_hooks {

#if LEAT_BODIES
LEAT_INLINE std::string BlockedLoop::text() const {
  std::string out = "the event loop of thread " + std::to_string(thread) +
                    (over ? " goes on, blocked for " : " is blocked for ") +
                    std::to_string(static_cast<long long>(milliseconds)) + " ms";
  if (!running.empty()) out.append(" in ").append(running);
  for (const StackFrame& frame : stack) {
    constexpr int hexadecimal = 16;
    char digits[2 * sizeof frame.offset + 1] = {};
    std::size_t first = sizeof digits - 1;
    for (std::uintptr_t rest = frame.offset; rest != 0 && first > 0; rest /= hexadecimal)
      digits[--first] = "0123456789abcdef"[rest % hexadecimal];
    out.append("\n    at ").append(frame.function.empty() ? "?" : frame.function);
    out.append(" (").append(frame.module).append("+0x").append(digits + first).append(")");
  }
  return out;
}
#endif

/// Watches the loop of the thread that makes it: what keeps it from turning for longer than `limit` is
/// reported while it lasts, and once more when the loop goes on. It finds what blocks for 1.25 times
/// `limit`, and some of what lasts longer than `limit`.
///
/// What it can name: functions, from the stack of the loop's thread and the symbols of the program, so not of
/// one that was stripped of them; `BlockedLoop::stack` has module and offset of each call, of which addr2line
/// makes lines. On the stack is what runs now: the body of a coroutine, and who resumed it, but not who awaits
/// it. A program with a handler of its own for SIGURG, a thread that blocks it, and a thread in a wait that no
/// signal interrupts give no stack. In a worker it sees to it that the thread does not block it.
///
/// Interrupted by the signal, system calls of the program that SA_RESTART does not restart (nanosleep, poll)
/// give EINTR. A loop that nobody runs, and a program that stands in a debugger, are blocked, too. It wakes
/// the loop four times in a `limit` and does not hold it.
///
/// Node: nothing; packages as `blocked-at`. Thread: the loop's, which also destroys it.
class Watchdog {
 public:
  using LoopBound = void;

  /// Reports to stderr, as warnings of the name LoopBlocked.
  ///
  /// Throws: Error ERR_NO_LOOP, RangeError ERR_OUT_OF_RANGE for a limit that is not from 1 to 2^31-1 ms,
  /// SystemError when no thread can be made.
  explicit Watchdog(WatchdogOptions options = {})
      : Watchdog([](const BlockedLoop& b) { leat::detail::printWarning("LoopBlocked", b.text()); },
                 options) {}
  /// Calls `report(const BlockedLoop&)` on the watchdog's thread, which has no loop; it must not throw or
  /// wait for the loop.
  template <class F>
    requires std::is_invocable_v<std::decay_t<F>&, const BlockedLoop&>
  explicit Watchdog(F&& report, WatchdogOptions options = {}) {
    static_assert(isSendable<std::decay_t<F>>,
                  "Watchdog(report): a handle of a loop may not go to another thread");
    const double ms = options.limit.count();
    if (!(ms >= 1 && ms <= 2147483647))
      leat::detail::throwNumberOutOfRange("options.limit", ">= 1 && <= 2147483647", ms);
    core_ = leat::detail::makeRef<leat::detail::WatchdogCore>(
        EventLoop::current().ref(), std::forward<F>(report), leat::detail::waitMs(ms),
        options.stack);
    // Other threads are the program's, and so is what they block.
    const bool ofWorker = leat::detail::hostOf(EventLoop::current().parts()) != nullptr;
    if (options.stack && ofWorker) leat::detail::ThreadStack::allowHere();
    if (const int error = core_->start()) throw SystemError(-error, "pthread_create");
  }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  /// Waits for a report that is being made.
  ~Watchdog() { core_->stop(); }

 private:
  leat::detail::Ref<leat::detail::WatchdogCore> core_;
};

}  // namespace leat::inline LEAT_ABI::perf_hooks
