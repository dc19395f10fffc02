// SPDX-License-Identifier: MIT
// A value or an exception: what a task leaves behind, what a promise settles to, and what
// `co_await asResult(x)` gives. g++ 12 has no <expected>.
#pragma once

#include <leat/base/config.hpp>

#include <exception>
#include <new>
#include <type_traits>
#include <utility>

namespace leat::inline LEAT_ABI {

namespace detail {

struct Unit {
  friend bool operator==(Unit, Unit) noexcept { return true; }
};

/// How a T is kept: void as a Unit, a reference as a pointer.
template <class T>
struct Stored {
  using Type = T;
};
template <>
struct Stored<void> {
  using Type = Unit;
};
template <class T>
struct Stored<T&> {
  using Type = T*;
};
template <class T>
using StoredType = typename Stored<T>::Type;

/// Whether a T can be copied. A container says yes whatever it holds; this asks what it holds.
template <class T>
inline constexpr bool isCopyable = std::is_copy_constructible_v<T>;
template <class T>
  requires requires {
    typename T::allocator_type;
    typename T::value_type;
  }
inline constexpr bool isCopyable<T> =
    std::is_copy_constructible_v<T> && isCopyable<typename T::value_type>;

/// Calls `owner.clear()` at the end of a scope, also by an exception.
template <class Owner>
struct ClearLater {
  Owner& owner;
  ~ClearLater() { owner.clear(); }
};

/// Somebody takes the value of a coroutine that ended without giving one. In core/error.hpp, where Error is.
LEAT_ON_USE
[[noreturn]] void throwNoValue();
/// The error in the place of one that is null. In core/error.hpp, too.
LEAT_ON_USE
std::exception_ptr nullReason() noexcept;

/// Empty, a value or an error. The owner checks the state; here only `take` does.
template <class T>
class Slot {
 public:
  using Type = StoredType<T>;
  enum State : unsigned char { Empty, Value, Error };

  Slot() noexcept {}
  Slot(Slot&& other) noexcept(std::is_nothrow_move_constructible_v<Type>) {
    if (other.state_ == Value) ::new (static_cast<void*>(&value_)) Type(std::move(other.value_));
    if (other.state_ == Error) fail(std::move(other.error_));
    state_ = other.state_;
  }
  Slot(const Slot& other)
    requires isCopyable<Type>
  {
    if (other.state_ == Value) ::new (static_cast<void*>(&value_)) Type(other.value_);
    if (other.state_ == Error) fail(other.error_);
    state_ = other.state_;
  }
  Slot& operator=(Slot&& other) noexcept(std::is_nothrow_move_constructible_v<Type>) {
    if (this != &other) {
      this->~Slot();
      ::new (static_cast<void*>(this)) Slot(std::move(other));
    }
    return *this;
  }
  ~Slot() {
    if (state_ == Value) {
      value_.~Type();
    } else if (state_ == Error) {
      error_.~exception_ptr();
    }
  }
  void clear() noexcept {
    this->~Slot();
    state_ = Empty;
  }
  /// Instead of the destructor, where the owner destroys the error.
  void dropValue() noexcept {
    if constexpr (!std::is_trivially_destructible_v<Type>) {
      if (state_ == Value) value_.~Type();
    }
  }
  std::exception_ptr& ownError() noexcept { return error_; }
  /// A byte for the owner, where there would be padding. The slot neither sets nor copies it.
  unsigned char& spareByte() noexcept { return spare_; }

  template <class... Args>
  void emplace(Args&&... args) {
    if constexpr (std::is_reference_v<T>) {
      ::new (static_cast<void*>(&value_)) Type(&args...);
    } else {
      ::new (static_cast<void*>(&value_)) Type(std::forward<Args>(args)...);
    }
    state_ = Value;
  }
  void fail(std::exception_ptr error) noexcept {
    if (state_ == Value) value_.~Type();
    ::new (static_cast<void*>(&error_)) std::exception_ptr(std::move(error));
    state_ = Error;
  }
  State state() const noexcept { return state_; }
  const std::exception_ptr& error() const noexcept { return error_; }
  Type& stored() noexcept { return value_; }
  const Type& stored() const noexcept { return value_; }

  /// The value moved out, or the error thrown.
  T take() {
    if constexpr (std::is_void_v<T>) {
      if (state_ == Error) [[unlikely]]
        throwIt();
    } else if (state_ != Value) [[unlikely]] {
      throwIt();
    }
    if constexpr (std::is_reference_v<T>) {
      return static_cast<T>(*value_);
    } else if constexpr (!std::is_void_v<T>) {
      return std::move(value_);
    }
  }

 private:
  // Apart, as who takes would keep registers for it.
  [[noreturn]] LEAT_NOINLINE void throwIt() {
    if (state_ == Empty) throwNoValue();
    std::rethrow_exception(std::move(error_));
  }

  union {
    Type value_;
    std::exception_ptr error_;
  };
  State state_ = Empty;
  unsigned char spare_;
};

}  // namespace detail

/// The outcome of an operation without a throw. `value()` throws what the operation threw.
template <class T = void>
class [[nodiscard]] Result {
 public:
  template <class... Args>
  static Result success(Args&&... args) {
    Result result;
    result.slot_.emplace(std::forward<Args>(args)...);
    return result;
  }
  /// A null `error` is a TypeError.
  static Result failure(std::exception_ptr error) noexcept {
    Result result;
    result.slot_.fail(error ? std::move(error) : detail::nullReason());
    return result;
  }

  bool ok() const noexcept { return slot_.state() == detail::Slot<T>::Value; }
  explicit operator bool() const noexcept { return ok(); }
  /// Null when there is a value.
  std::exception_ptr error() const noexcept { return ok() ? std::exception_ptr() : slot_.error(); }
  /// Throws: the error, if there is one.
  decltype(auto) value() & {
    if (!ok()) [[unlikely]]
      rethrow();
    if constexpr (std::is_reference_v<T>) {
      return static_cast<T>(*slot_.stored());
    } else if constexpr (!std::is_void_v<T>) {
      return static_cast<T&>(slot_.stored());
    }
  }
  decltype(auto) value() const& {
    if (!ok()) [[unlikely]]
      rethrow();
    if constexpr (std::is_reference_v<T>) {
      return static_cast<T>(*slot_.stored());
    } else if constexpr (!std::is_void_v<T>) {
      return static_cast<const T&>(slot_.stored());
    }
  }
  T value() && { return slot_.take(); }
  decltype(auto) operator*() & { return value(); }
  decltype(auto) operator*() const& { return value(); }
  T operator*() && { return slot_.take(); }
  auto* operator->() { return &value(); }
  auto* operator->() const { return &value(); }

 private:
  Result() noexcept = default;
  [[noreturn]] LEAT_NOINLINE void rethrow() const { std::rethrow_exception(slot_.error()); }
  detail::Slot<T> slot_;
};

}  // namespace leat::inline LEAT_ABI
