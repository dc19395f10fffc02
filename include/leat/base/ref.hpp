// SPDX-License-Identifier: MIT
// Intrusive counted pointers. The object decides whether its count is plain (one loop) or atomic
// (made to travel between threads).
#pragma once

#include <leat/base/atomic.hpp>

#include <type_traits>
#include <utility>

namespace leat::inline LEAT_ABI::detail {

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12
#pragma GCC diagnostic push
// Where it has inlined two owners of an object, g++ takes the first one that goes for the last.
#pragma GCC diagnostic ignored "-Wuse-after-free"
#endif
/// A handle to an object with `retain()` and `release()`; release of the last one disposes of it.
template <class T>
class Ref {
 public:
  constexpr Ref() noexcept = default;
  constexpr Ref(decltype(nullptr)) noexcept {}
  explicit Ref(T* object) noexcept : object_(object) {
    if (object_ != nullptr) object_->retain();
  }
  Ref(const Ref& other) noexcept : Ref(other.object_) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  template <class U>
    requires(!std::is_same_v<T, U> && std::is_convertible_v<U*, T*>)
  Ref(Ref<U> other) noexcept : object_(other.leak()) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ != nullptr) object_->release();
  }

  /// Takes over a count that the caller already holds.
  static Ref adopt(T* object) noexcept {
    Ref ref;
    ref.object_ = object;
    return ref;
  }
  /// Gives up the count to the caller.
  [[nodiscard]] T* leak() noexcept { return std::exchange(object_, nullptr); }

  T* get() const noexcept { return object_; }
  T* operator->() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }
  friend bool operator==(const Ref& a, const Ref& b) noexcept { return a.object_ == b.object_; }

 private:
  T* object_ = nullptr;
};

/// A plain count, for objects of one loop. Starts at one: `adopt` the new object.
template <class Derived>
class Counted {
 public:
  void retain() noexcept { ++count_; }
  void release() noexcept {
    if (--count_ == 0) delete static_cast<Derived*>(this);
  }
  /// False: it is the last one, which the caller still has.
  bool releaseUnlessLast() noexcept {
    if (count_ == 1) return false;
    --count_;
    return true;
  }
  /// Of one that somebody else has, too.
  void releaseNotLast() noexcept { --count_; }
  unsigned useCount() const noexcept { return count_; }

 private:
  unsigned count_ = 1;
};
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12
#pragma GCC diagnostic pop
#endif

/// An atomic count, for objects that travel. Starts at one.
template <class Derived>
class SharedCounted {
 public:
  void retain() noexcept { count_.fetchAdd(1, relaxed); }
  void release() noexcept {
    if (count_.fetchSub(1, acqRel) == 1) delete static_cast<Derived*>(this);
  }
  unsigned useCount() const noexcept { return count_.load(relaxed); }
  /// False when the last count is gone and the object is being disposed of.
  bool tryRetain() noexcept {
    unsigned count = count_.load(relaxed);
    while (count != 0)
      if (count_.compareExchange(count, count + 1, acqRel)) return true;
    return false;
  }

 private:
  Atomic<unsigned> count_{1};
};

template <class T, class... Args>
Ref<T> makeRef(Args&&... args) {
  return Ref<T>::adopt(new T(std::forward<Args>(args)...));
}

}  // namespace leat::inline LEAT_ABI::detail
