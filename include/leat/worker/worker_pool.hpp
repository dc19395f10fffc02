// SPDX-License-Identifier: MIT
// WorkerPool: workers that are started before they are needed, each with a loop, and tasks for them.
#pragma once

#include <leat/events/emitter_handle.hpp>
#include <leat/worker/detail/worker_pool_core.hpp>

namespace leat::inline LEAT_ABI {

namespace detail {

/// The pool of one function, which each worker gets a copy of.
template <class In, class Out, class F, class D>
class WorkerPoolOf final : public WorkerPoolCore {
 public:
  template <class X, class... Data>
  WorkerPoolOf(const Options& options, std::source_location where, X&& f, Data&&... data)
      : WorkerPoolCore(options),
        where_(where),
        function_(std::forward<X>(f)),
        data_(std::forward<Data>(data)...) {}

 private:
  using Main = PoolMain<In, Out, F, D>;
  using Kept = std::conditional_t<std::is_void_v<D>, std::monostate, D>;

  PoolThread makeWorker() override {
    if constexpr (std::is_void_v<D>) {
      return PoolThread(Main(function_), workerOptions(), where_);
    } else {
      return PoolThread(Main(function_), workerOptions(), Kept(data_), where_);
    }
  }

  const std::source_location where_;
  const F function_;
  const Kept data_;
};

/// Waits for a pool to be ready, or to have ended.
class WorkerPoolAwaiter : private PortWaiter {
 public:
  WorkerPoolAwaiter(Ref<WorkerPoolCore> pool, WorkerPoolCore::Until what, SignalRef signal) noexcept
      : PortWaiter(signal), pool_(std::move(pool)), what_(what) {}
  ~WorkerPoolAwaiter() { letGo(); }
  bool await_ready() {
    const bool ready = what_ == WorkerPoolCore::Until::Ready;
    return !(ready && aborted()) && pool_->reached(what_, error);
  }
  void await_suspend(std::coroutine_handle<> handle) {
    pool_->wait(what_, *this, handle);
    holds_ = true;
  }
  void await_resume() {
    letGo();
    finish();
    if (error) std::rethrow_exception(std::exchange(error, nullptr));
  }

 private:
  void letGo() noexcept {
    unlink();
    if (std::exchange(holds_, false)) pool_->waited();
  }

  Ref<WorkerPoolCore> pool_;
  const WorkerPoolCore::Until what_;
  bool holds_ = false;
};

}  // namespace detail

namespace worker_threads {

/// What `run` gives: the task is given to the pool when this is awaited.
template <class In, class Out>
class [[nodiscard("the task is not given to the pool until this is awaited")]] WorkerPoolRun {
 public:
  using LoopBound = void;
  using Task = leat::detail::WorkerTaskOf<In, Out>;
  WorkerPoolRun(leat::detail::Ref<Task> task, WaitOptions options) noexcept
      : task_(std::move(task)), signal_(options.signal.state()) {}
  leat::detail::BlockingAwaiter<Task> operator co_await() && {
    if (!task_)
      leat::detail::throwTypeError(
          "co_await of a WorkerPool's run that was moved from or already awaited",
          "ERR_TASK_CONSUMED");
    return leat::detail::BlockingAwaiter<Task>(std::move(task_), signal_.get());
  }

 private:
  leat::detail::Ref<Task> task_;
  leat::detail::Ref<leat::detail::AbortState> signal_;
};

/// What `ready` gives.
class [[nodiscard("nothing waits until this is awaited")]] WorkerPoolReady {
 public:
  using LoopBound = void;
  WorkerPoolReady(leat::detail::Ref<leat::detail::WorkerPoolCore> pool,
                  WaitOptions options) noexcept
      : pool_(std::move(pool)), signal_(options.signal.state()) {}
  leat::detail::WorkerPoolAwaiter operator co_await() const {
    return {pool_, leat::detail::WorkerPoolCore::Until::Ready, SignalRef(signal_.get())};
  }

 private:
  leat::detail::Ref<leat::detail::WorkerPoolCore> pool_;
  leat::detail::Ref<leat::detail::AbortState> signal_;
};

/// What `close` and `destroy` give: a wait that may be left out.
class WorkerPoolEnd {
 public:
  using LoopBound = void;
  explicit WorkerPoolEnd(leat::detail::Ref<leat::detail::WorkerPoolCore> pool) noexcept
      : pool_(std::move(pool)) {}
  leat::detail::WorkerPoolAwaiter operator co_await() const {
    return {pool_, leat::detail::WorkerPoolCore::Until::End, SignalRef()};
  }

 private:
  leat::detail::Ref<leat::detail::WorkerPoolCore> pool_;
};

/// Calls a function with one task after the other on workers: threads that are there already, each with a
/// loop of its own, so that the function may be a coroutine that uses timers, sockets and files. Copies are
/// handles to the same pool.
///
/// A task that begins finds the worker as the last one left it: what a task has started and not ended goes
/// on there. Event: "error" (std::exception_ptr), what failed in a worker outside of any task; with no
/// listener it is an uncaught exception. A worker that ended, by an error or by `process::exit`, is replaced;
/// the tasks that it had begun fail with ERR_WORKER_EXITED, whose cause is the error, and those that it had
/// not go to others.
///
/// npm: piscina. For work that only computes `WorkStealingPool` is cheaper. Thread: the loop's that made it.
/// Holds that loop while somebody waits for a task; an idle pool does not.
/// Lifetime: its workers end with the last handle and the last task; what is awaited then is not lost. At
/// the end of the loop they are terminated.
template <class In, class Out = void>
class WorkerPool : public EmitterHandle<WorkerPool<In, Out>> {
  static_assert(
      isMessage<In> && (std::is_void_v<Out> || isMessage<Out>),
      "WorkerPool<In, Out>: both go to another thread: values that own what they hold, no "
      "pointer, no view, no handle of a loop");

 public:
  using EmitterType = leat::detail::WorkerPoolCore;

  /// For `f(In)` or `f(In, AbortSignal)`, which gives an Out or what can be awaited for one. Each worker has
  /// a copy of `f`, made here. `minThreads` workers are started at once.
  /// Throws: Error ERR_WORKER_INIT_FAILED when a thread cannot be made, ERR_NO_LOOP; RangeError.
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, WorkerPool>)
  explicit WorkerPool(F&& f, WorkerPoolOptions options = {},
                      std::source_location where = std::source_location::current())
      : core_(make<void>(options, where, std::forward<F>(f))) {}
  /// For `f(In, D&)` or `f(In, D&, AbortSignal)` too: each worker has a copy of `workerData`, which
  /// `workerData<D>()` gives there as well.
  template <class F, class D>
    requires(!std::is_same_v<std::remove_cvref_t<D>, std::source_location>)
  WorkerPool(F&& f, WorkerPoolOptions options, D&& workerData,
             std::source_location where = std::source_location::current())
      : core_(make<std::decay_t<D>>(options, where, std::forward<F>(f),
                                    std::forward<D>(workerData))) {}

  /// Has a worker call the function: `co_await pool.run(task)`. The task is moved there and the result
  /// here, so the bytes of a Buffer are not copied. First in, first out.
  ///
  /// The stores of AsyncLocalStorage and the ambient signal stay here; there the ambient signal is that of
  /// the task. Completes: in the poll phase. Holds the loop meanwhile.
  /// Cancel: AbortError at once. A task that has not begun never will, and its place is free; of one that
  /// has the signal is aborted (the ambient one there, and what `f` was given), and what it gives or throws
  /// is discarded. `aborted()` of that signal is true at once, also in a function that does not return.
  /// Full: it waits for room, or throws, as `whenFull` says.
  /// Throws: what the function throws; Error ERR_POOL_CLOSED, ERR_POOL_FULL, ERR_WORKER_EXITED,
  /// ERR_WORKER_INIT_FAILED when there is no worker and none can be made, ERR_WRONG_THREAD.
  WorkerPoolRun<In, Out> run(In task, WaitOptions options = {}) const {
    core_->checkThread();
    using Task = leat::detail::WorkerTaskOf<In, Out>;
    return WorkerPoolRun<In, Out>(
        leat::detail::makeRef<Task>(leat::detail::Ref<leat::detail::TaskPool>(core_),
                                    std::move(task)),
        options);
  }
  /// Waits until `minThreads` workers are online. `run` need not wait for it.
  /// Throws: Error ERR_POOL_CLOSED, ERR_WORKER_INIT_FAILED; AbortError.
  WorkerPoolReady ready(WaitOptions options = {}) const {
    core_->checkThread();
    return WorkerPoolReady(core_, options);
  }
  /// Takes no more tasks, finishes those that it has, then ends the workers. Awaited it goes on when these
  /// have ended, whatever the ambient signal says.
  WorkerPoolEnd close() const {
    core_->checkThread();
    core_->close();
    return WorkerPoolEnd(core_);
  }
  /// Takes no more tasks, ends the workers as `Worker::terminate` does, and fails what waits or runs with
  /// ERR_POOL_CLOSED. Awaited it goes on when the workers have ended: a function that does not return is
  /// waited for.
  /// Throws: RangeError ERR_OUT_OF_RANGE for a `grace` or a `deadline` that is not from 0 to 2^31-1 ms.
  WorkerPoolEnd destroy(TerminateOptions options = {}) const {
    core_->checkThread();
    leat::detail::checkTerminate(options.grace, options.deadline);
    core_->destroy(options);
    return WorkerPoolEnd(core_);
  }
  WorkerPoolStatistics statistics() const noexcept { return core_->statistics(); }

  friend bool operator==(const WorkerPool& a, const WorkerPool& b) noexcept {
    return a.core_ == b.core_;
  }
  /// Internal.
  EmitterType& emitter() const {
    core_->checkThread();
    return *core_;
  }

 private:
  template <class D, class F, class... Data>
  static leat::detail::Ref<leat::detail::WorkerPoolCore> make(const WorkerPoolOptions& options,
                                                              std::source_location where, F&& f,
                                                              Data&&... data) {
    using Callable = std::decay_t<F>;
    static_assert(isSendable<Callable> && (isMessage<std::decay_t<Data>> && ...),
                  "WorkerPool(f, options, workerData): what goes to a worker owns what it holds, "
                  "and is no handle of a loop");
    static_assert(std::is_copy_constructible_v<Callable> &&
                      (std::is_copy_constructible_v<std::decay_t<Data>> && ...),
                  "WorkerPool(f, options, workerData): each worker gets a copy of both");
    auto core = leat::detail::makeRef<leat::detail::WorkerPoolOf<In, Out, Callable, D>>(
        options, where, std::forward<F>(f), std::forward<Data>(data)...);
    core->prewarm();
    return core;
  }

  leat::detail::Ref<leat::detail::WorkerPoolCore> core_;
};

}  // namespace worker_threads
}  // namespace leat::inline LEAT_ABI
