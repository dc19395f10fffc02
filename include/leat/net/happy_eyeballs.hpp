// SPDX-License-Identifier: MIT
// Happy eyeballs (RFC 8305): tries the addresses of a host one after the other, each with a head start,
// and takes the first that answers.
#pragma once

#include <leat/core/scope.hpp>
#include <leat/loop/event_loop.hpp>
#include <leat/loop/out_of_range.hpp>
#include <leat/net/address.hpp>

#include <string>
#include <vector>

namespace leat::inline LEAT_ABI {
namespace net {

struct HappyEyeballsOptions {
  /// How many milliseconds an attempt has before the next one joins in: from 1; less than 10 is 10, as in Node.
  std::int32_t attemptTimeout = 250;
  /// Aborts all attempts, besides the ambient signal.
  SignalRef signal{};
};

/// The addresses with their families taking turns, beginning with the family of the first; each
/// address once, and in the order of its family.
LEAT_INLINE std::vector<SocketAddress> interleaveFamilies(
    const std::vector<SocketAddress>& addresses);

#if LEAT_BODIES
LEAT_INLINE std::vector<SocketAddress> interleaveFamilies(
    const std::vector<SocketAddress>& addresses) {
  std::vector<SocketAddress> groups[2];
  for (const SocketAddress& address : addresses) {
    auto& group = groups[address.family() == addresses.front().family() ? 0 : 1];
    bool known = false;
    for (const SocketAddress& other : group) known = known || other == address;
    if (!known) group.push_back(address);
  }
  std::vector<SocketAddress> result;
  for (std::size_t i = 0; i < groups[0].size() || i < groups[1].size(); ++i)
    for (const auto& group : groups)
      if (i < group.size()) result.push_back(group[i]);
  return result;
}
#endif

}  // namespace net

namespace net::detail {

/// Throws: RangeError ERR_OUT_OF_RANGE.
inline std::int32_t headStartMs(std::int32_t ms) {
  if (ms < 1)
    leat::detail::throwNumberOutOfRange("options.attemptTimeout", ">= 1 && <= 2147483647", ms);
  return ms < 10 ? 10 : ms;
}

}  // namespace net::detail

namespace detail {

/// One race. Lives in the frame of who waits for it; destroyed, it destroys the attempts in flight.
template <class T, class Attempt>
class EyeballRace : private LoopTimer {
 public:
  EyeballRace(std::vector<net::SocketAddress>&& addresses, Attempt&& attempt,
              std::int32_t headStart, AbortState* signal)
      : LoopTimer(onTimer),
        loop_(EventLoop::current()),
        context_(currentContext()),
        addresses_(std::move(addresses)),
        errors_(addresses_.size()),
        attempt_(std::move(attempt)),
        headStart_(headStart) {
    if (signal != nullptr) (void)leat::detail::followSignal(*signal, *scope_.state());
  }
  ~EyeballRace() { stopTimer(); }

  /// Starts the first attempt, and as many more as fail at once.
  void start() {
    if (!stopped()) advance();
  }
  TaskScope::Join finished() noexcept { return scope_.join(); }
  /// Throws: AbortError, the error of the only attempt, or an AggregateError.
  T result() {
    if (winner_.state() == Slot<T>::Value) return winner_.take();
    if (isAborted(*scope_.state())) throw AbortError(scope_.state()->reason);
    if (errors_.size() == 1) std::rethrow_exception(errors_.front());
    throwErrors();
  }

 private:
  /// Never throws, so that its promise needs no reader.
  Task<> attemptOne(std::size_t index) {
    try {
      T value = co_await attempt_(std::as_const(addresses_[index]));
      won(std::move(value));
    } catch (...) {
      errors_[index] = std::current_exception();
    }
    // After an attempt that failed, the next one need not wait.
    if (!stopped()) advance();
  }
  void won(T&& value) {
    stopTimer();
    if (stopped()) return;  // too late: it is closed with `value`
    winner_.emplace(std::move(value));
    scope_.cancel();
  }
  bool stopped() const noexcept { return isAborted(*scope_.state()); }

  /// Starts the next attempt, and the one after it when that fails before its call returns: in a loop,
  /// so that the stack does not grow with the addresses.
  void advance() {
    wanted_ = true;
    if (advancing_) return;
    advancing_ = true;
    while (wanted_ && next_ < addresses_.size() && !stopped()) {
      wanted_ = false;
      stopTimer();
      const std::size_t index = next_++;
      if (next_ < addresses_.size()) startTimer();
      (void)scope_.spawnQuietly(attemptOne(index));
    }
    advancing_ = false;
  }

  void startTimer() {
    loop_.arm(*this, headStart_);
    loop_.hold();
    waiting_ = true;
  }
  void stopTimer() noexcept {
    if (!waiting_) return;
    loop_.disarm(*this);
    ended();
  }
  void ended() noexcept {
    waiting_ = false;
    loop_.letGo();
  }
  static void onTimer(LoopTimer& timer, JobAction action) noexcept {
    auto& self = static_cast<EyeballRace&>(timer);
    self.ended();
    if (action == JobAction::Drop) return;
    ContextScope scope(self.context_);
    self.loop_.callback([&self] {
      if (!self.stopped()) self.advance();
    });
  }
  [[noreturn]] void throwErrors() const;

  EventLoop& loop_;
  ContextRef context_;
  std::vector<net::SocketAddress> addresses_;
  std::vector<std::exception_ptr> errors_;
  Attempt attempt_;
  std::int32_t headStart_;
  std::size_t next_ = 0;
  bool waiting_ = false;
  bool wanted_ = false;
  bool advancing_ = false;
  Slot<T> winner_;
  // Last, so that the attempts are destroyed before what they refer to.
  TaskScope scope_;
};

template <class T, class Attempt>
void EyeballRace<T, Attempt>::throwErrors() const {
  std::string message;
  std::string code;
  std::vector<std::exception_ptr> errors;
  for (const std::exception_ptr& error : errors_) {
    if (!error) continue;
    if (!message.empty()) message += "; ";
    try {
      std::rethrow_exception(error);
    } catch (const Error& e) {
      message += e.message();
      if (errors.empty()) code = e.code();
    } catch (const std::exception& e) {
      message += e.what();
    } catch (...) {
      message += "an exception of another type";
    }
    errors.push_back(error);
  }
  throw AggregateError(errors.data(), errors.size(), message, code);
}

template <class T, class Attempt>
Task<T> raceEyeballs(std::vector<net::SocketAddress> addresses, Attempt attempt,
                     std::int32_t headStart, Ref<AbortState> signal) {
  EyeballRace<T, Attempt> race(std::move(addresses), std::move(attempt), headStart, signal.get());
  race.start();
  co_await race.finished();
  co_return race.result();
}

}  // namespace detail

namespace net {

/// Gives what the first of `attempt(address)` to succeed gave. The addresses are tried with their
/// families taking turns; each attempt has a head start of `attemptTimeout`, then the next one joins
/// in, at once when it fails. `attempt` is called with a `const SocketAddress&` that lives as long as
/// the race, and gives something to await. The first success aborts the other attempts through their
/// ambient signal and waits for them; what succeeds later is destroyed.
///
/// Node: `autoSelectFamily` of `net.connect`. There an attempt is given up when its time is over; here,
/// as in RFC 8305, it may still win, so that a host whose every answer is slow is reached as well.
/// Completes: when every attempt that was started has ended.
/// Cancel: aborts the attempts and throws AbortError.
/// Throws: TypeError ERR_INVALID_ARG_VALUE without addresses, RangeError of `attemptTimeout`; the error of a single address; else an
/// AggregateError with all errors in order of the attempts and the code of the first.
template <class Attempt>
auto happyEyeballs(const std::vector<SocketAddress>& addresses, Attempt&& attempt,
                   HappyEyeballsOptions options = {}) {
  LEAT_GUARD_CLOSURE(Attempt);
  using Callable = std::decay_t<Attempt>;
  using T = std::remove_cvref_t<AwaitResult<std::invoke_result_t<Callable&, const SocketAddress&>>>;
  static_assert(!std::is_void_v<T>, "an attempt must give something, such as a descriptor");
  if (addresses.empty()) throw TypeError("The argument 'addresses' must not be empty. Received []");
  const std::int32_t headStart = detail::headStartMs(options.attemptTimeout);
  return leat::detail::raceEyeballs<T, Callable>(
      interleaveFamilies(addresses), std::forward<Attempt>(attempt), headStart,
      leat::detail::Ref<leat::detail::AbortState>(options.signal.state()));
}

}  // namespace net
}  // namespace leat::inline LEAT_ABI
