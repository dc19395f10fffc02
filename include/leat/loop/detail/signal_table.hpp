// SPDX-License-Identifier: MIT
// What the whole process knows of signals: which are caught, what they did before, and the ports
// through which the handler reaches the loops.
#pragma once

#include <leat/loop/loop_ref.hpp>
#include <leat/sys/mutex.hpp>

#include <cstdint>

namespace leat::inline LEAT_ABI::detail {

inline constexpr int signalCount = 65;  // 1 to 64

/// The way from the handler into one loop. Never freed, as a handler may be looking at any of them;
/// used again by another loop when its loop has ended.
struct SignalPort : PostedJob {
  using PostedJob::PostedJob;

  bool wants(int number) const noexcept { return (wanted.load(acquire) >> (number - 1)) & 1; }
  /// In the handler: only atomics, and the write that wakes the loop.
  void deliver(int number) noexcept {
    users.fetchAdd(1);
    LoopShared* const to = target.load();
    if (to != nullptr && wants(number)) {
      caught[number].fetchAdd(1);
      if (queued.exchange(1) == 0 && !to->post(*this)) queued.store(0);
    }
    users.fetchSub(1);
  }
  /// The loop's thread, at its end: afterwards no handler is on its way into the loop.
  void close() noexcept {
    wanted.store(0);
    target.store(nullptr);
    while (users.load() != 0) ::sched_yield();
  }

  Atomic<unsigned char> taken{1};
  // What `act` is for; the loop's thread.
  void* owner = nullptr;
  // Handlers inside of `deliver`.
  Atomic<unsigned> users{0};
  // Null: it has no loop. Kept alive by the loop's part until `close`.
  Atomic<LoopShared*> target{nullptr};
  Atomic<std::uint64_t> wanted{0};
  // 1: in the loop's queue, or about to be. The loop sets it back before it looks at `caught`.
  Atomic<unsigned char> queued{0};
  Atomic<unsigned> caught[signalCount]{};
  SignalPort* next = nullptr;
};

class SignalTable {
 public:
  /// Made when first asked for and never destroyed.
  static SignalTable& get();

  /// One more wants `number`: the first installs the handler. 0 or -errno.
  int add(int number) noexcept;
  /// The last one restores what there was before, unless somebody replaced the handler meanwhile.
  void remove(int number) noexcept;
  /// A port that nobody uses.
  SignalPort& openPort(void (*act)(PostedJob&, bool) noexcept);

 private:
  static void onSignal(int number) noexcept;
  static void resetInChild() noexcept;

  LEAT_API static inline constinit Atomic<SignalTable*> instance_{nullptr};
  LEAT_API static inline constinit Atomic<SignalPort*> ports_{nullptr};

  sys::Mutex mutex_;
  unsigned listeners_[signalCount] = {};
  struct ::sigaction before_[signalCount] = {};
};

#if LEAT_BODIES
LEAT_INLINE SignalTable& SignalTable::get() {
  SignalTable* table = instance_.load(acquire);
  if (table != nullptr) return *table;
  auto* fresh = new SignalTable;
  if (!instance_.compareExchange(table, fresh)) {
    delete fresh;
    return *table;
  }
  // A child of fork() has the default actions of its parent back until it listens itself: nobody
  // would ever turn the loop that its copy of the handlers tells.
  ::pthread_atfork([] { get().mutex_.lock(); }, [] { get().mutex_.unlock(); }, resetInChild);
  return *fresh;
}

LEAT_INLINE void SignalTable::onSignal(int number) noexcept {
  const int error = errno;
  for (SignalPort* port = ports_.load(acquire); port != nullptr; port = port->next)
    port->deliver(number);
  errno = error;
}

LEAT_INLINE int SignalTable::add(int number) noexcept {
  const sys::MutexLock lock(mutex_);
  if (listeners_[number] == 0) {
    struct ::sigaction ours{};
    ours.sa_handler = onSignal;
    ours.sa_flags = SA_RESTART | SA_ONSTACK;
    ::sigfillset(&ours.sa_mask);
    if (const int error = sys::sigaction(number, &ours, &before_[number])) return error;
  }
  ++listeners_[number];
  return 0;
}

LEAT_INLINE void SignalTable::remove(int number) noexcept {
  const sys::MutexLock lock(mutex_);
  if (--listeners_[number] != 0) return;
  struct ::sigaction now{};
  if (sys::sigaction(number, nullptr, &now) < 0 || now.sa_handler == onSignal)
    sys::sigaction(number, &before_[number], nullptr);
}

LEAT_INLINE SignalPort& SignalTable::openPort(void (*act)(PostedJob&, bool) noexcept) {
  for (SignalPort* port = ports_.load(acquire); port != nullptr; port = port->next) {
    unsigned char free = 0;
    if (port->taken.compareExchange(free, 1)) return *port;
  }
  auto* port = new SignalPort(act);
  port->next = ports_.load(relaxed);
  while (!ports_.compareExchange(port->next, port)) {
  }
  return *port;
}

/// Ports stay taken: the child's copy of the parent's loop may still have one in its queue.
LEAT_INLINE void SignalTable::resetInChild() noexcept {
  SignalTable& table = *instance_.load(acquire);
  for (SignalPort* port = ports_.load(acquire); port != nullptr; port = port->next) {
    port->wanted.store(0);
    port->target.store(nullptr);
  }
  for (int number = 1; number < signalCount; ++number) {
    if (table.listeners_[number] == 0) continue;
    table.listeners_[number] = 0;
    (void)sys::sigaction(number, &table.before_[number], nullptr);
  }
  table.mutex_.unlock();
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
