// SPDX-License-Identifier: MIT
// AsyncGenerator: a coroutine that yields values and awaits between them.
#pragma once

#include <leat/base/list.hpp>
#include <leat/core/microtask_queue.hpp>
#include <leat/core/task.hpp>

#include <cstdint>
#include <optional>

namespace leat::inline LEAT_ABI {

template <class T>
class AsyncGenerator;

namespace detail {

template <class T>
class NextAwaiter;

/// The part of a generator's promise that does not depend on its values. A generator that another one
/// keeps in its frame and awaits is linked to that one: chains of any depth that are in flight are
/// destroyed leaf first, without recursion. One that rests is destroyed with the frame that it is in,
/// after what was declared later.
struct GeneratorLinks : TaskPromiseBase, ListNode {
  ~GeneratorLinks() {
    while (!inner.empty()) inner.popFront().outer = nullptr;
  }
  // In front of the frame stands its size. What the frame is aligned to divides what stands before it.
  static void* operator new(std::size_t size) {
    const std::size_t head = frameAlignOf(size);
    char* frame = static_cast<char*>(allocateFrame(head + size)) + head;
    *reinterpret_cast<std::size_t*>(frame - headBytes) = size;
    return frame;
  }
  static void operator delete(void* frame, std::size_t size) noexcept {
    const std::size_t head = frameAlignOf(size);
    freeFrame(static_cast<char*>(frame) - head, head + size);
  }
  static void* operator new(std::size_t size, std::align_val_t align) {
    return operator new(alignedSize(size, align));
  }
  static void operator delete(void* frame, std::size_t size, std::align_val_t align) noexcept {
    operator delete(frame, alignedSize(size, align));
  }
  /// `to` is where the generator is kept from now on.
  void movedTo(TaskOwner& to) noexcept {
    owner = &to;
    notAsked();
  }
  /// `asked` is awaited by the coroutine at `frame`, whose promise this is.
  void noteAsked(GeneratorLinks& asked, void* frame) noexcept {
    if (asked.outer == this) return;
    const auto begin = reinterpret_cast<std::uintptr_t>(frame);
    const auto at = reinterpret_cast<std::uintptr_t>(asked.owner);
    const char* head = static_cast<const char*>(frame) - headBytes;
    if (at - begin >= *reinterpret_cast<const std::size_t*>(head)) return;
    asked.unlink();
    asked.outer = this;
    inner.pushBack(asked);
  }
  void notAsked() noexcept {
    outer = nullptr;
    unlink();
  }
  LEAT_NOINLINE static void destroyAll(GeneratorLinks& root) noexcept {
    nestDestroy([&root] { destroyLinked(root); });
  }
  static void destroyLinked(GeneratorLinks& root) noexcept {
    for (GeneratorLinks* at = &root;;) {
      while (!at->inner.empty()) at = &at->inner.back();
      const bool last = at == &root;
      at->goesWithConsumer = !last;
      GeneratorLinks* next = at->outer;
      if (at->awaiting != nullptr) {
        destroyChain(*at->owner);
      } else {
        std::exchange(at->owner->frame, {}).destroy();
      }
      if (last) return;
      at = next;
    }
  }

  static constexpr std::size_t headBytes = frameGrain;
  TaskOwner* owner = nullptr;
  GeneratorLinks* outer = nullptr;
  List<GeneratorLinks> inner;
  bool goesWithConsumer = false;
};

/// The generator's side. `continuation` is the consumer, or null while nobody waits in next().
template <class T>
struct GeneratorPromise : GeneratorLinks {
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

  ~GeneratorPromise() {
    if (waiting != nullptr) waiting->dropped(goesWithConsumer ? nullptr : continuation);
  }
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
class NextAwaiter : private Job {
 public:
  using Value = typename GeneratorPromise<T>::Value;
  using Item = std::conditional_t<std::is_reference_v<T>, Value*, std::optional<Value>>;

  NextAwaiter(std::coroutine_handle<> frame, GeneratorPromise<T>* promise) noexcept
      : Job(onDropped), frame_(frame), promise_(promise) {}
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
    if constexpr (std::is_base_of_v<GeneratorLinks, P>)
      consumer.promise().noteAsked(*promise_, consumer.address());
    promise_->waiting = this;
    promise_->continuation = consumer;
    if (threadState.context != nullptr) [[unlikely]]
      context_ = currentContext();
    if (std::exchange(promise_->running, true)) [[unlikely]] {
      state_ = Joined;
      return std::noop_coroutine();
    }
    return transfer(frame_);
  }
  Item await_resume() {
    leave();
    if (state_ != Asks) [[unlikely]]
      goBack();
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
  friend struct GeneratorPromise<T>;
  void leave() noexcept {
    if (promise_ == nullptr || promise_->waiting != this) return;
    promise_->waiting = nullptr;
    promise_->continuation = {};
    promise_->notAsked();
  }

  LEAT_NOINLINE void goBack() {
    if (state_ == Joined) return static_cast<void>(swapContext(std::move(context_)));
    throwError("the AsyncGenerator was destroyed while next() waited", "ERR_INVALID_STATE");
  }
  /// The generator has gone; `consumer` is null when it goes, too.
  void dropped(std::coroutine_handle<> consumer) noexcept {
    promise_ = nullptr;
    state_ = Dropped;
    frame_ = consumer;
    if (consumer && threadState.queue != nullptr) threadState.queue->pushMicrotask(*this);
  }
  static void onDropped(Job& job, JobAction action) noexcept {
    auto& self = static_cast<NextAwaiter&>(job);
    if (action == JobAction::Run) goOnFromQueue(self.frame_, ContextRef(self.context_).leak());
  }

  std::coroutine_handle<> frame_;
  GeneratorPromise<T>* promise_;
  ContextRef context_;  // of the one who asks
  // Joined: another one has set the generator going, in the context of that. Dropped: it is gone.
  enum State : unsigned char { Asks, Joined, Dropped } state_ = Asks;
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
  AsyncGenerator(AsyncGenerator&& other) noexcept : TaskOwner{std::exchange(other.frame, {})} {
    if (frame) typed().movedTo(*this);
  }
  AsyncGenerator& operator=(AsyncGenerator&& other) noexcept {
    AsyncGenerator old(std::move(*this));
    frame = std::exchange(other.frame, {});
    if (frame) typed().movedTo(*this);
    return *this;
  }
  ~AsyncGenerator() { destroy(); }

  /// An optional with the value, empty at the end; of an AsyncGenerator<T&> a pointer.
  /// Throws: what the body threw, once; Error ERR_INVALID_STATE while another next() waits, and when the
  /// generator is destroyed while this one does.
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
  explicit AsyncGenerator(promise_type& own) noexcept : TaskOwner{detail::frameOf(own)} {
    own.movedTo(*this);
  }
  promise_type& typed() noexcept { return static_cast<promise_type&>(frame.promise()); }
  void destroy() noexcept {
    if (frame) detail::GeneratorLinks::destroyAll(typed());
  }
};

template <class T>
AsyncGenerator<T> detail::GeneratorPromise<T>::get_return_object() noexcept {
  return AsyncGenerator<T>(*this);
}

}  // namespace leat::inline LEAT_ABI
