// SPDX-License-Identifier: MIT
// blocking: a call that blocks, on a thread of the blocking pool.
#pragma once

#include <leat/core/sendable.hpp>
#include <leat/core/waiter.hpp>
#include <leat/loop/event_loop.hpp>
#include <leat/pool/blocking_pool.hpp>

#include <optional>
#include <tuple>

namespace leat::inline LEAT_ABI {

namespace detail {

/// The part of a blocking call that does not depend on its types. Counted by its operation, by the pool
/// and on its way back by the loop's queue; whoever waits can leave at any time.
class BlockingCallBase : public FrameAllocated, public BlockingJob, private PostedJob {
 public:
  /// Told on the loop's thread, once.
  using OnDone = void (*)(void* waiter) noexcept;

  /// 0 or -errno. The loop's thread.
  int start(EventLoop& loop, OnDone onDone, void* waiter) noexcept {
    home_ = loop.ref();
    context_ = currentContext();
    const int error = enqueue();
    if (error == 0) {
      onDone_ = onDone;
      waiter_ = waiter;
    }
    return error;
  }
  /// Nobody waits any more. The loop's thread.
  void leave() noexcept {
    waiter_ = nullptr;
    (void)BlockingPool::shared().cancel(*this);
  }

 protected:
  explicit BlockingCallBase(Class kind)
      : BlockingJob(operations, kind), PostedJob(act), home_(EventLoop::current().ref()) {}
  virtual ~BlockingCallBase() = default;
  /// On a worker. Then, on the loop's thread if there still is one: inputs and outputs that nobody
  /// asked for go.
  virtual void call() noexcept = 0;
  virtual void clear() noexcept = 0;
  /// On the worker, when the loop has been told.
  virtual void told() noexcept {}
  /// Hands it to the pool, now or later; 0 or -errno.
  virtual int enqueue() noexcept { return BlockingPool::shared().submit(*this); }

  static void run(BlockingJob& job) noexcept {
    auto& self = static_cast<BlockingCallBase&>(job);
    ContextScope scope(self.context_);
    self.call();
  }
  static void done(BlockingJob& job) noexcept {
    auto& self = static_cast<BlockingCallBase&>(job);
    self.retain();
    if (!self.home_.postJob(self)) self.release();
    self.told();
  }
  static void dispose(BlockingJob& job) noexcept { delete &static_cast<BlockingCallBase&>(job); }
  static constexpr Operations operations{run, done, dispose};

 private:
  static void act(PostedJob& job, bool run) noexcept {
    auto self = Ref<BlockingCallBase>::adopt(&static_cast<BlockingCallBase&>(job));
    void* const waiter = std::exchange(self->waiter_, nullptr);
    if (!run || waiter == nullptr) return self->clear();
    self->onDone_(waiter);
  }

  LoopRef home_;
  ContextRef context_;
  OnDone onDone_ = nullptr;
  void* waiter_ = nullptr;
};

/// A callable and its arguments on the way to another thread. Called once: the arguments are moved into it.
template <class F, class... Args>
struct KeptCall {
  template <class X, class... Y>
  explicit KeptCall(X&& f, Y&&... a) : callable(std::forward<X>(f)), args(std::forward<Y>(a)...) {}
  decltype(auto) operator()() { return std::apply(callable, std::move(args)); }
  /// Throws: what the callable throws.
  template <class R>
  void callInto(Slot<R>& result) {
    if constexpr (std::is_void_v<R>) {
      (*this)();
      result.emplace();
    } else {
      result.emplace((*this)());
    }
  }
  F callable;
  std::tuple<Args...> args;
};

template <class F, class... Args>
class BlockingCall final : public BlockingCallBase {
 public:
  using Result = std::decay_t<std::invoke_result_t<F&, Args&&...>>;

  template <class X, class... Y>
  explicit BlockingCall(Class kind, X&& f, Y&&... args)
      : BlockingCallBase(kind),
        input_(std::in_place, std::forward<X>(f), std::forward<Y>(args)...) {}
  /// Throws: what the call threw.
  Result take() {
    input_.reset();
    const ClearLater<Slot<Result>> later{result_};
    return result_.take();
  }

 private:
  void call() noexcept override {
    try {
      input_->callInto(result_);
    } catch (...) {
      result_.fail(std::current_exception());
    }
  }
  void clear() noexcept override {
    input_.reset();
    result_.clear();
  }

  std::optional<KeptCall<F, Args...>> input_;
  Slot<Result> result_;
};

template <class Call>
class BlockingAwaiter : private Job {
 public:
  /// Obeys `signal` and, unless `ambient` is false, the signal of the context.
  explicit BlockingAwaiter(Ref<Call> call, AbortState* signal = nullptr,
                           bool ambient = true) noexcept
      : Job(onAborted), call_(std::move(call)), hooks_(*this, signal), ambient_(ambient) {}
  ~BlockingAwaiter() { stop(); }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    loop_ = &EventLoop::current();
    if (!hooks_.check(ambient_)) {
      continuation_.capture(handle);
      return loop_->queue().pushMicrotask(*this);
    }
    if (const int error = call_->start(*loop_, onDone, this))
      throw SystemError(-error, "pthread_create");
    continuation_.capture(handle);
    (void)hooks_.arm(ambient_);
    home_.emplace(loop_->ref());
    loop_->hold();
  }
  typename Call::Result await_resume() {
    if (hooks_.fired()) hooks_.throwAborted();
    const Ref<Call> call = std::move(call_);
    return call->take();
  }

 private:
  struct Hooks : CancelHooks {
    Hooks(BlockingAwaiter& o, AbortState* signal) noexcept
        : CancelHooks(onCancel, signal), owner(o) {}
    static void onCancel(CancelHooks& hooks) noexcept {
      BlockingAwaiter& self = static_cast<Hooks&>(hooks).owner;
      self.stop();
      self.loop_->queue().pushMicrotask(self);
    }
    BlockingAwaiter& owner;
  };
  void stop() noexcept {
    if (!home_) return;
    call_->leave();
    ended();
  }
  void ended() noexcept {
    if (home_->isCurrent()) loop_->letGo();
    home_.reset();
  }
  static void onDone(void* waiter) noexcept {
    auto& self = *static_cast<BlockingAwaiter*>(waiter);
    self.ended();
    self.hooks_.disarm();
    self.continuation_.resume();
  }
  static void onAborted(Job& job, JobAction action) noexcept {
    if (action == JobAction::Run) static_cast<BlockingAwaiter&>(job).continuation_.resume();
  }

  EventLoop* loop_ = nullptr;
  std::optional<LoopRef> home_;
  Ref<Call> call_;
  Continuation continuation_;
  Hooks hooks_;
  bool ambient_;
};

/// A call on another thread that has not begun.
template <class Call, class Awaiter = BlockingAwaiter<Call>>
class [[nodiscard("the call is not made until this is awaited")]] BlockingOperation {
 public:
  explicit BlockingOperation(Ref<Call> call) noexcept : call_(std::move(call)) {}
  BlockingOperation(BlockingOperation&&) noexcept = default;
  BlockingOperation& operator=(BlockingOperation&&) noexcept = default;
  Awaiter operator co_await() && {
    if (!call_)
      throwTypeError("co_await of a call on another thread that was moved from or already awaited",
                     "ERR_TASK_CONSUMED");
    return Awaiter(std::move(call_));
  }

 private:
  Ref<Call> call_;
};

/// `blocking` with a class of its own, for the modules.
template <class F, class... Args>
auto blockingCall(BlockingJob::Class kind, F&& f, Args&&... args) {
  using Call = BlockingCall<std::decay_t<F>, std::decay_t<Args>...>;
  return BlockingOperation<Call>(
      Ref<Call>::adopt(new Call(kind, std::forward<F>(f), std::forward<Args>(args)...)));
}

}  // namespace detail

/// Calls `f(args...)`, which may block, on a thread of the blocking pool and gives what it gives. The
/// callable and the arguments are kept (decayed) with the call, and moved into it.
///
/// At most half of the pool's threads (LEAT_BLOCKING_MAX) are given to such calls at once; more of them wait.
/// Node: the thread pool of libuv. Completes: in the poll phase. Holds the loop meanwhile.
/// Cancel: AbortError at once. A call that has not begun never will; one that has goes on, and what it
/// gives or throws is discarded.
/// Lifetime: `f` runs on another thread and may outlive the coroutine and the loop: it must own or
/// share all that it uses. It sees the AsyncLocalStorage of the caller, but has no event loop.
/// Throws: what `f` throws; Error ERR_NO_LOOP; SystemError when no thread can be made.
template <class F, class... Args>
auto blocking(F&& f, Args&&... args) {
  LEAT_GUARD_CLOSURE(F);
  using Callable = std::decay_t<F>;
  static_assert(std::is_invocable_v<Callable&, std::decay_t<Args>...>,
                "blocking(f, args...): f cannot be called with these arguments");
  using Given = std::invoke_result_t<Callable&, std::decay_t<Args>...>;
  static_assert(std::is_void_v<Given> || !Awaitable<Given>,
                "blocking(f): f must block, not return something to await");
  static_assert((isSendable<std::decay_t<Args>> && ...) && isSendable<Callable>,
                "blocking(f, args...): a handle of a loop may not go to another thread");
  static_assert(std::is_void_v<Given> || isSendable<std::decay_t<Given>>,
                "blocking(f): f may not make handles of a loop on another thread");
  // Of unknown length: never more of them than the disk and the look-ups can do without.
  return detail::blockingCall(detail::BlockingJob::Class::calls, std::forward<F>(f),
                              std::forward<Args>(args)...);
}

}  // namespace leat::inline LEAT_ABI
