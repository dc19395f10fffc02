// SPDX-License-Identifier: MIT
// SharedBuffer: bytes that several threads use at once, and Atomics to wait for what the others write.
// Node: SharedArrayBuffer, Atomics.
#pragma once

#include <leat/core/wait_options.hpp>
#include <leat/core/waiter.hpp>
#include <leat/loop/event_loop.hpp>
#include <leat/sys/calls.hpp>
#include <leat/sys/fork.hpp>
#include <leat/sys/mutex.hpp>

#include <limits>
#include <memory>
#include <optional>
#include <span>

namespace leat::inline LEAT_ABI {

namespace worker_threads {

/// Bytes of a fixed number, zero at first, that all handles share. A handle may be copied to any thread; who
/// uses the bytes at the same time as others uses `Atomics`.
///
/// Node: `SharedArrayBuffer`.
class SharedBuffer {
 public:
  explicit SharedBuffer(std::size_t bytes)
      : words_(new std::uint64_t[bytes / sizeof(std::uint64_t) + 1]()), size_(bytes) {}

  std::byte* data() const noexcept { return reinterpret_cast<std::byte*>(words_.get()); }
  /// 0 of one that was moved from.
  std::size_t size() const noexcept { return words_ ? size_ : 0; }
  /// As an array of numbers; what does not fill one at the end is left out. Node: `new Int32Array(buffer)`.
  template <class T>
  std::span<T> as() const noexcept {
    static_assert(std::is_arithmetic_v<T>,
                  "shared memory holds numbers; for objects std::shared_ptr");
    return {reinterpret_cast<T*>(words_.get()), size() / sizeof(T)};
  }
  friend bool operator==(const SharedBuffer& a, const SharedBuffer& b) noexcept {
    return a.words_ == b.words_;
  }

 private:
  std::shared_ptr<std::uint64_t[]> words_;
  std::size_t size_;
};

}  // namespace worker_threads

namespace detail {

/// Who waits for a cell of memory. Linked in the table until it is notified; guarded by its bucket.
struct CellWaiter : ListNode {
  CellWaiter(const void* c, bool (*n)(CellWaiter&) noexcept) noexcept : cell(c), notify(n) {}
  const void* const cell;
  // Under the lock of the bucket, when it has left the list. False: it is not there any more.
  bool (*const notify)(CellWaiter&) noexcept;
};

/// Those who wait in this process, by the address of their cell.
class LEAT_API CellTable : public sys::OfProcess<CellTable> {
 public:
  struct Bucket {
    sys::Mutex mutex;
    List<CellWaiter> waiters;
  };
  static Bucket& bucketOf(const void* cell) {
    return ofProcess()
        .buckets_[reinterpret_cast<std::uintptr_t>(cell) / 4 * 0x9E3779B97F4A7C15U >> 58];
  }
  static std::size_t notify(const void* cell, std::size_t most) {
    Bucket& bucket = bucketOf(cell);
    const sys::MutexLock lock(bucket.mutex);
    std::size_t told = 0;
    CellWaiter* each = bucket.waiters.first();
    while (each != nullptr && told < most) {
      CellWaiter* const next = bucket.waiters.after(*each);
      if (each->cell == cell) {
        each->unlink();
        told += each->notify(*each) ? 1 : 0;
      }
      each = next;
    }
    return told;
  }

 private:
  Bucket buckets_[64];
};

/// A coroutine that waits. On its way back to the loop it is held by that loop's queue.
class CellWait final : public SharedCounted<CellWait>, private CellWaiter, private PostedJob {
 public:
  /// Told on the loop's thread.
  using OnNotified = void (*)(void* waiter) noexcept;

  CellWait(const void* place, OnNotified onNotified, void* waiter)
      : CellWaiter(place, onNotify),
        PostedJob(act),
        home_(EventLoop::current().ref()),
        onNotified_(onNotified),
        waiter_(waiter) {}
  /// False, when the cell does not hold the value that is waited upon.
  template <class Differs>
  bool start(Differs&& differs) {
    CellTable::Bucket& bucket = CellTable::bucketOf(cell);
    const sys::MutexLock lock(bucket.mutex);
    if (differs()) return false;
    bucket.waiters.pushBack(*this);
    retain();
    return true;
  }
  /// Nobody waits any more: a notification that is on its way goes to somebody else. The loop's thread.
  void leave() noexcept {
    waiter_ = nullptr;
    // In a child of fork() it is in the table of the parent, for ever.
    if (generation_ != sys::forkGeneration()) return;
    CellTable::Bucket& bucket = CellTable::bucketOf(cell);
    {
      const sys::MutexLock lock(bucket.mutex);
      if (!linked()) return;
      unlink();
    }
    release();
  }

 private:
  static bool onNotify(CellWaiter& waiter) noexcept {
    auto& self = static_cast<CellWait&>(waiter);
    if (self.home_.postJob(self)) return true;
    self.release();  // the loop has ended, and its coroutines with it
    return false;
  }
  static void act(PostedJob& job, bool run) noexcept {
    const auto self = Ref<CellWait>::adopt(&static_cast<CellWait&>(job));
    void* const waiter = std::exchange(self->waiter_, nullptr);
    if (run && waiter != nullptr) return self->onNotified_(waiter);
    (void)CellTable::notify(self->cell, 1);
  }

  const unsigned generation_ = sys::watchForks();
  const LoopRef home_;
  const OnNotified onNotified_;
  void* waiter_;
};

template <class T>
class CellAwaiter : private Waiter {
 public:
  CellAwaiter(const T& cell, T value, SignalRef signal) noexcept
      : Waiter(signal), cell_(cell), value_(value) {}
  ~CellAwaiter() { stop(); }
  bool await_ready() const noexcept { return !aborted() && differs(); }
  bool await_suspend(std::coroutine_handle<> handle) {
    if (!aborted()) {
      wait_ = Ref<CellWait>::adopt(new CellWait(&cell_, onNotified, this));
      if (!wait_->start([this] { return differs(); })) return false;
      loop_ = &EventLoop::current();
      loop_->hold();
    }
    wait(handle, waiting_);
    return true;
  }
  /// Throws: AbortError.
  bool await_resume() {
    stop();
    const bool notified = notified_;
    finish();
    return notified;
  }

 private:
  bool differs() const noexcept { return __atomic_load_n(&cell_, __ATOMIC_SEQ_CST) != value_; }
  void stop() noexcept {
    if (loop_ == nullptr) return;
    std::exchange(loop_, nullptr)->letGo();
    if (wait_) wait_->leave();
  }
  static void onNotified(void* waiter) noexcept {
    auto& self = *static_cast<CellAwaiter*>(waiter);
    self.wait_ = nullptr;
    if (self.cancelled()) return static_cast<void>(CellTable::notify(&self.cell_, 1));
    self.notified_ = true;
    self.wake();
  }

  const T& cell_;
  const T value_;
  Ref<CellWait> wait_;
  EventLoop* loop_ = nullptr;
  List<Waiter> waiting_;  // itself, or nobody
  bool notified_ = false;
};

template <class T>
class [[nodiscard("nothing waits until this is awaited")]] PendingCell {
 public:
  PendingCell(const T& cell, T value, WaitOptions options)
      : cell_(cell), value_(value), signal_(options.signal.state()) {}
  CellAwaiter<T> operator co_await() && {
    return CellAwaiter<T>(cell_, value_, SignalRef(signal_.get()));
  }

 private:
  const T& cell_;
  const T value_;
  Ref<AbortState> signal_;
};

/// A thread that sleeps.
struct CellSleeper : CellWaiter {
  explicit CellSleeper(const void* c) noexcept
      : CellWaiter(c, [](CellWaiter& waiter) noexcept {
          auto& self = static_cast<CellSleeper&>(waiter);
          self.notified = true;
          self.called.notifyOne();
          return true;
        }) {}
  sys::Condition called;
  bool notified = false;
};

}  // namespace detail

namespace worker_threads {

/// What a wait has come to. Node: "ok", "not-equal", "timed-out".
enum class CellWaitResult : unsigned char { Ok, NotEqual, TimedOut };

/// Operations on a number that several threads use, such as one of a SharedBuffer, or what a std::shared_ptr
/// that was posted refers to. All are sequentially consistent, and what a thread wrote before one the
/// other sees after it. Node: `Atomics`. Thread: any.
struct Atomics {
  template <class T>
  static T load(const T& cell) noexcept {
    return __atomic_load_n(&cell, __ATOMIC_SEQ_CST);
  }
  template <class T>
  static void store(T& cell, std::type_identity_t<T> value) noexcept {
    __atomic_store_n(&cell, value, __ATOMIC_SEQ_CST);
  }
  // These give what was there before.
  template <class T>
  static T exchange(T& cell, std::type_identity_t<T> value) noexcept {
    return __atomic_exchange_n(&cell, value, __ATOMIC_SEQ_CST);
  }
  template <class T>
  static T compareExchange(T& cell, std::type_identity_t<T> expected,
                           std::type_identity_t<T> value) noexcept {
    __atomic_compare_exchange_n(&cell, &expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return expected;
  }
  template <class T>
  static T add(T& cell, std::type_identity_t<T> value) noexcept {
    return __atomic_fetch_add(&cell, value, __ATOMIC_SEQ_CST);
  }
  template <class T>
  static T sub(T& cell, std::type_identity_t<T> value) noexcept {
    return __atomic_fetch_sub(&cell, value, __ATOMIC_SEQ_CST);
  }

  /// `co_await Atomics::waitAsync(cell, value)`: while the cell holds the value, waits for a `notify`. True:
  /// notified, false: it holds another value. For a time-out there is `withTimeout`.
  ///
  /// Completes: in the poll phase. Holds the loop. Cancel: AbortError; a notification that was on its way
  /// goes to the next who waits. Lifetime: the cell must be there until then.
  template <class T>
  static leat::detail::PendingCell<T> waitAsync(const T& cell, std::type_identity_t<T> value,
                                                WaitOptions options = {}) {
    return leat::detail::PendingCell<T>(cell, value, options);
  }
  /// The same for a plain thread: blocks it, at most `timeoutMs` milliseconds if that is not negative. On the
  /// thread of a loop nothing else happens meanwhile.
  template <class T>
  static CellWaitResult wait(const T& cell, std::type_identity_t<T> value, long timeoutMs = -1);
  /// Wakes those who wait for the cell, at most `count`, who has waited longest first. How many there were.
  template <class T>
  static std::size_t notify(const T& cell,
                            std::size_t count = std::numeric_limits<std::size_t>::max()) {
    return leat::detail::CellTable::notify(&cell, count);
  }
};

template <class T>
CellWaitResult Atomics::wait(const T& cell, std::type_identity_t<T> value, long timeoutMs) {
  leat::detail::CellSleeper sleeper(&cell);
  auto& bucket = leat::detail::CellTable::bucketOf(&cell);
  constexpr std::int64_t nsOfMs = 1'000'000;
  const std::int64_t now = sys::monotonicNs();
  const std::int64_t mostMs = (std::numeric_limits<std::int64_t>::max() - now) / nsOfMs;
  const std::int64_t deadline = now + (timeoutMs < mostMs ? timeoutMs : mostMs) * nsOfMs;
  const sys::MutexLock lock(bucket.mutex);
  if (load(cell) != value) return CellWaitResult::NotEqual;
  bucket.waiters.pushBack(sleeper);
  while (!sleeper.notified) {
    if (timeoutMs < 0) {
      sleeper.called.wait(bucket.mutex);
    } else if (!sleeper.called.waitUntil(bucket.mutex, deadline) && !sleeper.notified) {
      sleeper.unlink();
      return CellWaitResult::TimedOut;
    }
  }
  return CellWaitResult::Ok;
}

}  // namespace worker_threads
}  // namespace leat::inline LEAT_ABI
