// SPDX-License-Identifier: MIT
// asResult: the outcome of any awaitable as a value instead of an exception, without a frame of its own.
#pragma once

#include <leat/base/result.hpp>
#include <leat/core/awaitable.hpp>

#include <optional>

namespace leat::inline LEAT_ABI {
namespace detail {

template <class R>
using WithoutRvalue =
    std::conditional_t<std::is_rvalue_reference_v<R>, std::remove_reference_t<R>, R>;

/// Makes an awaiter in place, whether it can be moved or not.
template <class A>
struct AwaiterHolder {
  explicit AwaiterHolder(A&& awaitable) : awaiter(getAwaiter(std::forward<A>(awaitable))) {}
  decltype(getAwaiter(std::declval<A>())) awaiter;
};

template <class A>
class ResultAwaiter {
 public:
  using Value = WithoutRvalue<AwaitResult<A>>;

  explicit ResultAwaiter(A&& awaitable) noexcept : awaitable_(std::forward<A>(awaitable)) {}
  bool await_ready() noexcept {
    try {
      inner_.emplace(std::forward<A>(awaitable_));
      return inner_->awaiter.await_ready();
    } catch (...) {
      error_ = std::current_exception();
      return true;
    }
  }
  template <class P>
  auto await_suspend(std::coroutine_handle<P> handle) noexcept {
    using Suspended = decltype(inner_->awaiter.await_suspend(handle));
    if constexpr (std::is_void_v<Suspended> || std::is_same_v<Suspended, bool>) {
      return suspend<bool>(handle, false, [&] {
        if constexpr (std::is_void_v<Suspended>) {
          inner_->awaiter.await_suspend(handle);
          return true;
        } else {
          return inner_->awaiter.await_suspend(handle);
        }
      });
    } else {
      return suspend<std::coroutine_handle<>>(
          handle, handle, [&] { return inner_->awaiter.await_suspend(handle); });
    }
  }
  Result<Value> await_resume() noexcept(std::is_nothrow_move_constructible_v<StoredType<Value>>) {
    if (error_) return Result<Value>::failure(std::move(error_));
    try {
      if constexpr (std::is_void_v<Value>) {
        inner_->awaiter.await_resume();
        return Result<Value>::success();
      } else {
        return Result<Value>::success(inner_->awaiter.await_resume());
      }
    } catch (...) {
      return Result<Value>::failure(std::current_exception());
    }
  }

 private:
  // What throws before the coroutine is suspended resumes it at once.
  template <class R, class H, class Call>
  R suspend(H, R resumeNow, Call&& call) noexcept {
    try {
      return call();
    } catch (...) {
      error_ = std::current_exception();
      return resumeNow;
    }
  }

  A&& awaitable_;
  std::optional<AwaiterHolder<A>> inner_;
  std::exception_ptr error_;
};

/// What asResult gives. A is the awaitable, or an lvalue reference to it.
template <class A>
class [[nodiscard("asResult does nothing until it is awaited")]] AsResult {
 public:
  explicit AsResult(A&& awaitable) : awaitable_(std::forward<A>(awaitable)) {}
  ResultAwaiter<A> operator co_await() && { return ResultAwaiter<A>(std::forward<A>(awaitable_)); }

 private:
  A awaitable_;
};

}  // namespace detail

/// `co_await asResult(awaitable)` gives a Result where `co_await awaitable` would give a value or throw.
///
/// Lifetime: an awaitable passed as an lvalue is referred to.
template <class A>
  requires Awaitable<A>
detail::AsResult<A> asResult(A&& awaitable) {
  return detail::AsResult<A>(std::forward<A>(awaitable));
}

}  // namespace leat::inline LEAT_ABI
