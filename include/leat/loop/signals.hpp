// SPDX-License-Identifier: MIT
// Signals of the system as events of a loop: onSignal and nextSignal.
#pragma once

#include <leat/core/waiter.hpp>
#include <leat/loop/detail/signal_table.hpp>
#include <leat/loop/listener.hpp>
#include <leat/sys/fork.hpp>
#include <leat/sys/signal_names.hpp>

#include <optional>
#include <string>

namespace leat::inline LEAT_ABI {

/// A signal by number or by name: `SIGTERM` or `"SIGTERM"`.
class SignalId {
 public:
  /// Throws: RangeError ERR_OUT_OF_RANGE.
  SignalId(int number);
  /// Throws: TypeError ERR_UNKNOWN_SIGNAL.
  SignalId(std::string_view name);
  SignalId(const char* name) : SignalId(std::string_view(name)) {}
  SignalId(const std::string& name) : SignalId(std::string_view(name)) {}
  int number() const noexcept { return number_; }
  /// "SIGTERM"; "SIG40" for a real-time signal.
  std::string name() const;

 private:
  int number_;
};

/// Options of `nextSignal`.
struct SignalWaitOptions {
  /// Aborts the wait, besides the ambient signal.
  SignalRef signal{};
  /// Whether the wait holds the loop. By default it does not, as no listener for a signal does.
  bool ref = false;
};

namespace detail {

/// A coroutine that waits for one of some signals.
struct SignalWaiter : Waiter {
  SignalWaiter(SignalRef signal, std::uint64_t m) noexcept : Waiter(signal), mask(m) {}
  std::uint64_t mask;
  int caught = 0;
};

/// The listeners and waiters of one loop.
class LEAT_API SignalHub : public LoopPart {
 public:
  SignalHub(const void* k, EventLoop& loop);
  LEAT_INLINE ~SignalHub() override;
  static SignalHub& current() {
    EventLoop& loop = EventLoop::current();
    return loop.parts().get<SignalHub>(loop);
  }

  using Listeners = ListenerList<std::string, int>;
  template <class F>
  Listener add(SignalId id, F&& f, bool once);
  Listeners& listeners(int number);
  void wait(SignalWaiter& waiter, std::coroutine_handle<> handle);
  void release(int number) noexcept;
  void releaseAll(std::uint64_t mask) noexcept;

 private:
  void acquire(int number);
  void acquireAll(std::uint64_t mask);
  void dispatch() noexcept;
  void emit(int number) noexcept;
  static void act(PostedJob& job, bool run) noexcept;
  /// In a child of fork() the table has forgotten this loop.
  bool inChild() const noexcept { return generation_ != sys::forkGeneration(); }

  EventLoop& loop_;
  const LoopRef home_;
  SignalPort& port_;
  const unsigned generation_ = sys::watchForks();
  unsigned counts_[signalCount] = {};
  Listeners* listeners_[signalCount] = {};
  List<Waiter> waiters_;
};

/// The awaiter of `nextSignal`.
class SignalAwaiter : private SignalWaiter {
 public:
  SignalAwaiter(AbortState* signal, std::uint64_t m, bool ref) noexcept
      : SignalWaiter(SignalRef(signal), m), referenced_(ref) {}
  ~SignalAwaiter() { leave(); }
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    SignalHub& hub = SignalHub::current();
    hub.wait(*this, handle);
    home_.emplace(EventLoop::current().ref());
    if (referenced_) EventLoop::current().hold();
  }
  int await_resume() {
    leave();
    finish();
    return caught;
  }

 private:
  void leave() noexcept {
    if (!home_ || !home_->isCurrent()) return;
    home_.reset();
    SignalHub::current().releaseAll(mask);
    if (referenced_) EventLoop::current().letGo();
  }
  std::optional<LoopRef> home_;
  bool referenced_;
};

}  // namespace detail

/// Waits for a signal. What `nextSignal` gives.
class [[nodiscard("it waits when it is awaited")]] NextSignal {
 public:
  NextSignal(std::uint64_t mask, SignalWaitOptions options) noexcept
      : signal_(options.signal.state()), mask_(mask), ref_(options.ref) {}
  detail::SignalAwaiter operator co_await() && noexcept {
    return detail::SignalAwaiter(signal_.get(), mask_, ref_);
  }

 private:
  detail::Ref<detail::AbortState> signal_;
  std::uint64_t mask_;
  bool ref_;
};

/// Calls `f(name, number)` (it may take fewer) on this loop each time the process gets the signal, in
/// the poll phase; while anybody listens the signal's own action does not happen, and it comes back
/// when the last listener of any loop is gone. Listeners do not hold the loop. Of signals that arrive
/// together lower numbers come first.
///
/// Node: `process.on('SIGTERM', f)`. A child of fork() does not inherit listeners.
/// Throws: SystemError EINVAL for SIGKILL and SIGSTOP, which nobody can catch; TypeError
/// ERR_UNKNOWN_SIGNAL, RangeError ERR_OUT_OF_RANGE, Error ERR_NO_LOOP.
template <class F>
Listener onSignal(SignalId signal, F&& f) {
  return detail::SignalHub::current().add(signal, std::forward<F>(f), false);
}

/// The same, for the next one only. Node: `process.once('SIGTERM', f)`.
template <class F>
Listener onceSignal(SignalId signal, F&& f) {
  return detail::SignalHub::current().add(signal, std::forward<F>(f), true);
}

/// Waits for the next of these signals and gives its number: `co_await nextSignal(SIGINT, SIGTERM)`.
///
/// Node: `once(process, 'SIGINT')`. Cancel: AbortError. Throws: as onSignal.
template <class... Signals>
NextSignal nextSignal(SignalWaitOptions options, const Signals&... signals) {
  static_assert(sizeof...(Signals) > 0, "nextSignal waits for at least one signal");
  return NextSignal(((std::uint64_t{1} << (SignalId(signals).number() - 1)) | ...), options);
}
template <class First, class... Signals>
  requires std::is_constructible_v<SignalId, const First&>
NextSignal nextSignal(const First& first, const Signals&... signals) {
  return nextSignal(SignalWaitOptions(), first, signals...);
}

#if LEAT_BODIES
LEAT_INLINE SignalId::SignalId(int number) : number_(number) {
  if (number < 1 || number >= detail::signalCount)
    throw RangeError(detail::SharedText(
                         {"a signal's number must be from 1 to 64, not ", detail::Decimal(number)})
                         .view());
}

LEAT_INLINE SignalId::SignalId(std::string_view name) : number_(sys::signalNumber(name)) {
  if (number_ == 0)
    throw TypeError(detail::SharedText({"Unknown signal: ", name}).view(), "ERR_UNKNOWN_SIGNAL");
}

LEAT_INLINE std::string SignalId::name() const {
  const std::string_view known = sys::signalName(number_);
  return known.empty() ? "SIG" + std::to_string(number_) : std::string(known);
}
#endif

namespace detail {

#if LEAT_BODIES
LEAT_INLINE SignalHub::SignalHub(const void* k, EventLoop& loop)
    : LoopPart(k), loop_(loop), home_(loop.ref()), port_(SignalTable::get().openPort(act)) {
  for (Atomic<unsigned>& caught : port_.caught) caught.store(0);
  port_.owner = this;
  port_.target.store(&home_.shared());
}

LEAT_INLINE SignalHub::~SignalHub() {
  if (!inChild()) {
    port_.close();
    for (int number = 1; number < signalCount; ++number)
      if (counts_[number] > 0) SignalTable::get().remove(number);
    // The loop has dropped its queue and takes nothing more, so the port is in none.
    port_.owner = nullptr;
    port_.taken.store(0);
  }
  for (Listeners* listeners : listeners_) delete listeners;
}

LEAT_INLINE void SignalHub::acquire(int number) {
  if (counts_[number]++ > 0) return;
  port_.wanted.fetchOr(std::uint64_t{1} << (number - 1));
  const int error = inChild() ? -ECHILD : SignalTable::get().add(number);
  if (error == 0) return;
  --counts_[number];
  port_.wanted.fetchAnd(~(std::uint64_t{1} << (number - 1)));
  throw SystemError(-error, "sigaction", SignalId(number).name());
}

LEAT_INLINE void SignalHub::acquireAll(std::uint64_t mask) {
  for (int number = 1; number < signalCount; ++number) {
    if (((mask >> (number - 1)) & 1) == 0) continue;
    try {
      acquire(number);
    } catch (...) {
      releaseAll(mask & ((std::uint64_t{1} << (number - 1)) - 1));
      throw;
    }
  }
}

LEAT_INLINE void SignalHub::release(int number) noexcept {
  if (--counts_[number] > 0) return;
  port_.wanted.fetchAnd(~(std::uint64_t{1} << (number - 1)));
  if (!inChild()) SignalTable::get().remove(number);
  port_.caught[number].store(0);
}

LEAT_INLINE void SignalHub::releaseAll(std::uint64_t mask) noexcept {
  for (int number = 1; number < signalCount; ++number)
    if ((mask >> (number - 1)) & 1) release(number);
}

LEAT_INLINE SignalHub::Listeners& SignalHub::listeners(int number) {
  Listeners*& list = listeners_[number];
  if (list == nullptr) list = new Listeners;
  return *list;
}
#endif

template <class F>
Listener SignalHub::add(SignalId id, F&& f, bool once) {
  // First what may throw besides the system: a signal that nobody listens to is not caught.
  Ref<ListenerBase> node = listeners(id.number()).add(std::forward<F>(f), once);
  try {
    acquire(id.number());
  } catch (...) {
    node->remove();
    throw;
  }
  node->owner = this;
  node->tag = id.number();
  node->removed = [](void* hub, int number) noexcept {
    static_cast<SignalHub*>(hub)->release(number);
  };
  return Listener(std::move(node));
}

#if LEAT_BODIES
LEAT_INLINE void SignalHub::wait(SignalWaiter& waiter, std::coroutine_handle<> handle) {
  acquireAll(waiter.mask);
  waiter.wait(handle, waiters_);
}

LEAT_INLINE void SignalHub::act(PostedJob& job, bool run) noexcept {
  auto& port = static_cast<SignalPort&>(job);
  port.queued.store(0);
  if (run && port.owner != nullptr) static_cast<SignalHub*>(port.owner)->dispatch();
}

LEAT_INLINE void SignalHub::dispatch() noexcept {
  for (int number = 1; number < signalCount; ++number) {
    unsigned left = counts_[number] == 0 ? 0 : port_.caught[number].exchange(0);
    for (; left > 0 && counts_[number] > 0; --left) {
      if (loop_.dead()) return;
      emit(number);
      loop_.drain();
    }
  }
}

LEAT_INLINE void SignalHub::emit(int number) noexcept {
  for (Waiter* waiter = waiters_.first(); waiter != nullptr;) {
    auto& entry = static_cast<SignalWaiter&>(*waiter);
    waiter = waiters_.after(*waiter);
    if (((entry.mask >> (number - 1)) & 1) == 0) continue;
    entry.caught = number;
    entry.wake();
  }
  Listeners* list = listeners_[number];
  if (list == nullptr || list->empty()) return;
  loop_.callback([&] { list->emit(SignalId(number).name(), number); });
}
#endif

}  // namespace detail
}  // namespace leat::inline LEAT_ABI
