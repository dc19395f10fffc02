// SPDX-License-Identifier: MIT
// Mutex, condition and thread over pthread: <mutex> and <thread> cost 0.7 s a translation unit.
#pragma once

#include <leat/sys/calls.hpp>

namespace leat::inline LEAT_ABI::sys {

class Mutex {
 public:
  constexpr Mutex() noexcept = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;
  ~Mutex() { ::pthread_mutex_destroy(&mutex_); }

  void lock() noexcept { ::pthread_mutex_lock(&mutex_); }
  bool tryLock() noexcept { return ::pthread_mutex_trylock(&mutex_) == 0; }
  void unlock() noexcept { ::pthread_mutex_unlock(&mutex_); }

 private:
  friend class Condition;
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
};

/// Holds a mutex for a scope.
class [[nodiscard]] MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) noexcept : mutex_(mutex) { mutex_.lock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;
  ~MutexLock() { mutex_.unlock(); }

 private:
  Mutex& mutex_;
};

/// Waits are on the steady clock and may end without reason: test the state again.
class Condition {
 public:
  Condition() noexcept {
    pthread_condattr_t attributes;
    ::pthread_condattr_init(&attributes);
    ::pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    ::pthread_cond_init(&condition_, &attributes);
    ::pthread_condattr_destroy(&attributes);
  }
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;
  ~Condition() { ::pthread_cond_destroy(&condition_); }

  void wait(Mutex& held) noexcept { ::pthread_cond_wait(&condition_, &held.mutex_); }
  /// False when `deadlineNs` of the steady clock has passed.
  bool waitUntil(Mutex& held, std::int64_t deadlineNs) noexcept {
    const timespec time{static_cast<time_t>(deadlineNs / 1'000'000'000),
                        static_cast<long>(deadlineNs % 1'000'000'000)};
    return ::pthread_cond_timedwait(&condition_, &held.mutex_, &time) != ETIMEDOUT;
  }
  void notifyOne() noexcept { ::pthread_cond_signal(&condition_); }
  void notifyAll() noexcept { ::pthread_cond_broadcast(&condition_); }

 private:
  pthread_cond_t condition_;
};

/// Names the calling thread in debuggers and /proc; the kernel keeps 15 characters.
LEAT_INLINE void setThreadName(const char* name) noexcept;

#if LEAT_BODIES
LEAT_INLINE void setThreadName(const char* name) noexcept {
  char kept[16] = {};
  for (int i = 0; i < 15 && name[i] != '\0'; ++i) kept[i] = name[i];
  ::pthread_setname_np(::pthread_self(), kept);
}
#endif

/// A thread of the library: signals blocked (they belong to the program's threads) and a stack that
/// name service modules and sanitizers fit in. Must be joined before it is destroyed or started again.
class Thread {
 public:
  using Entry = void* (*)(void*);
  static constexpr size_t stackBytes = size_t{4} << 20;

  /// 0 or -errno.
  int start(Entry entry, void* argument, size_t stack = stackBytes) noexcept;
  bool started() const noexcept { return started_; }
  void join() noexcept {
    if (started_) ::pthread_join(thread_, nullptr);
    started_ = false;
  }

 private:
  pthread_t thread_{};
  bool started_ = false;
};

#if LEAT_BODIES
LEAT_INLINE int Thread::start(Entry entry, void* argument, size_t stack) noexcept {
  sigset_t blocked;
  sigset_t before;
  ::sigfillset(&blocked);
  const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGPROF};
  for (const int number : fatal) ::sigdelset(&blocked, number);
  // A thread inherits the mask of its maker, so there is no moment in which it takes a signal.
  if (const int error = sys::pthread_sigmask(SIG_SETMASK, &blocked, &before)) return error;
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  int error = -::pthread_attr_setstacksize(&attributes, stack);
  if (error == 0) error = sys::pthread_create(&thread_, &attributes, entry, argument);
  ::pthread_attr_destroy(&attributes);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  started_ = error == 0;
  return error;
}
#endif

}  // namespace leat::inline LEAT_ABI::sys
