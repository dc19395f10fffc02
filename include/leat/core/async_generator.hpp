// SPDX-License-Identifier: MIT
// AsyncGenerator: a coroutine that yields values and awaits between them.
#pragma once

#include <leat/core/task.hpp>

#include <optional>

namespace leat::inline LEAT_ABI {

template <class T>
class AsyncGenerator;

namespace detail {

template <class T>
class NextAwaiter;

/// The generator's side. `continuation` is the consumer, or null while nobody waits in next().
template <class T>
struct GeneratorPromise : TaskPromiseBase {
  using Value = std::remove_reference_t<T>;

  /// Gives control to the consumer; without one the generator rests here with its value.
  struct Yield {
    explicit Yield(Value* v) noexcept : value(v) {}
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(
        std::coroutine_handle<GeneratorPromise> self) const noexcept {
      return self.promise().rest(value);
    }
    void await_resume() const noexcept {}
    Value* value;
  };
  struct YieldCopy {
    explicit YieldCopy(const Value& v) : copy(v) {}
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<GeneratorPromise> self) noexcept {
      return self.promise().rest(&copy);
    }
    void await_resume() const noexcept {}
    std::remove_const_t<Value> copy;
  };

  AsyncGenerator<T> get_return_object() noexcept;
  Yield final_suspend() noexcept {
    done = true;
    return Yield(nullptr);
  }
  Yield yield_value(Value&& v) noexcept
    requires(!std::is_reference_v<T>)
  {
    return Yield(&v);
  }
  YieldCopy yield_value(const Value& v)
    requires(!std::is_reference_v<T> && std::is_copy_constructible_v<Value>)
  {
    return YieldCopy(v);
  }
  Yield yield_value(Value& v) noexcept
    requires std::is_reference_v<T>
  {
    return Yield(&v);
  }
  void unhandled_exception() noexcept { error = std::current_exception(); }
  void return_void() const noexcept {}

  std::coroutine_handle<> rest(Value* at) noexcept {
    value = at;
    running = false;
    auto consumer = std::exchange(continuation, {});
    return consumer ? transfer(consumer) : std::noop_coroutine();
  }

  // What it rests on at a co_yield until the consumer takes it.
  Value* value = nullptr;
  std::exception_ptr error;
  NextAwaiter<T>* waiting = nullptr;
  bool running = false;
  bool done = false;
};

/// Awaits the next value. When it is destroyed first, the generator goes on without it to its next
/// co_yield, and keeps that value for the next call.
template <class T>
class NextAwaiter {
 public:
  using Value = typename GeneratorPromise<T>::Value;
  using Item = std::conditional_t<std::is_reference_v<T>, Value*, std::optional<Value>>;

  NextAwaiter(std::coroutine_handle<> frame, GeneratorPromise<T>* promise) noexcept
      : frame_(frame), promise_(promise) {}
  NextAwaiter(const NextAwaiter&) = delete;
  NextAwaiter& operator=(const NextAwaiter&) = delete;
  ~NextAwaiter() { leave(); }

  bool await_ready() const noexcept {
    return promise_ == nullptr || promise_->value != nullptr || promise_->done;
  }
  template <class P>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<P> consumer) {
    if (promise_->waiting != nullptr)
      throwError("AsyncGenerator::next() while another next() waits", "ERR_INVALID_STATE");
    promise_->waiting = this;
    promise_->continuation = consumer;
    if (std::exchange(promise_->running, true)) return std::noop_coroutine();
    return transfer(frame_);
  }
  Item await_resume() {
    leave();
    if (promise_ == nullptr) return Item();
    if (promise_->error) std::rethrow_exception(std::exchange(promise_->error, nullptr));
    Value* value = std::exchange(promise_->value, nullptr);
    if constexpr (std::is_reference_v<T>) {
      return value;
    } else {
      return value == nullptr ? Item() : Item(std::move(*value));
    }
  }

 private:
  friend class AsyncGenerator<T>;
  void leave() noexcept {
    if (promise_ == nullptr || promise_->waiting != this) return;
    promise_->waiting = nullptr;
    promise_->continuation = {};
  }

  std::coroutine_handle<> frame_;
  GeneratorPromise<T>* promise_;
};

template <class T>
class [[nodiscard("next() does nothing until it is awaited")]] PendingNext {
 public:
  PendingNext(std::coroutine_handle<> frame, GeneratorPromise<T>* promise) noexcept
      : frame_(frame), promise_(promise) {}
  NextAwaiter<T> operator co_await() && noexcept { return NextAwaiter<T>(frame_, promise_); }

 private:
  std::coroutine_handle<> frame_;
  GeneratorPromise<T>* promise_;
};

}  // namespace detail

/// Values made one at a time, when asked for: `while (auto value = co_await generator.next()) ...`.
/// The body may `co_yield` and `co_await`. It starts at the first `next()`.
///
/// Node: async generator. `break` out of the loop and drop the generator: destructors in the body run.
/// Resumes: in place, without a tick. The body runs in the context of the one who asks.
/// Overlap: one `next()` at a time.
template <class T>
class [[nodiscard]] AsyncGenerator : private detail::TaskOwner {
 public:
  using promise_type = detail::GeneratorPromise<T>;

  AsyncGenerator() noexcept = default;
  AsyncGenerator(AsyncGenerator&& other) noexcept
      : TaskOwner{std::exchange(other.frame, {}), std::exchange(other.promise, nullptr)} {}
  AsyncGenerator& operator=(AsyncGenerator&& other) noexcept {
    AsyncGenerator old(std::move(*this));
    frame = std::exchange(other.frame, {});
    promise = std::exchange(other.promise, nullptr);
    return *this;
  }
  ~AsyncGenerator() { destroy(); }

  /// An optional with the value, empty at the end; of an AsyncGenerator<T&> a pointer.
  /// Throws: what the body threw, once; Error ERR_INVALID_STATE while another next() waits.
  detail::PendingNext<T> next() noexcept {
    return detail::PendingNext<T>(frame, frame ? &typed() : nullptr);
  }
  /// Ends it at the co_yield where it rests: destructors in the body run, `next()` gives nothing.
  /// Node: `return()`. Throws: Error ERR_INVALID_STATE while a next() waits.
  void return_() {
    if (frame && typed().running)
      detail::throwError("AsyncGenerator::return_() while next() waits", "ERR_INVALID_STATE");
    destroy();
  }

 private:
  friend promise_type;
  explicit AsyncGenerator(promise_type& own) noexcept
      : TaskOwner{std::coroutine_handle<promise_type>::from_promise(own), &own} {}
  promise_type& typed() noexcept { return static_cast<promise_type&>(*promise); }
  void destroy() noexcept {
    if (!frame) return;
    if (typed().waiting != nullptr) typed().waiting->promise_ = nullptr;
    if (promise->awaiting != nullptr) {
      detail::destroyChain(*this);
    } else {
      std::exchange(frame, {}).destroy();
    }
  }
};

template <class T>
AsyncGenerator<T> detail::GeneratorPromise<T>::get_return_object() noexcept {
  return AsyncGenerator<T>(*this);
}

}  // namespace leat::inline LEAT_ABI
