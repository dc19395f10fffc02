// SPDX-License-Identifier: MIT
// Worker: a function on a thread of its own, with a loop of its own, and typed messages there and back.
#pragma once

#include <leat/worker/detail/worker_core.hpp>
#include <leat/worker/message_port.hpp>

#include <variant>

namespace leat::inline LEAT_ABI {

namespace detail {

template <class In>
class WorkerState final
    : public PortListeners<WorkerCore, In, Event<"online">, Event<"error", std::exception_ptr>,
                           Event<"exit", int>> {
 public:
  using PortListeners<WorkerCore, In, Event<"online">, Event<"error", std::exception_ptr>,
                      Event<"exit", int>>::PortListeners;

 private:
  void tellOnline() override { this->template emit<"online">(); }
  void tellError(const std::exception_ptr& error) override { this->template emit<"error">(error); }
  bool hearsErrors() const noexcept override { return this->template listenerCount<"error">() > 0; }
  void tellExit(int code) override { this->template emit<"exit">(code); }
};

[[noreturn]] inline void throwNoWorker(std::string_view what) {
  throwError(SharedText({what, ": this is no worker"}).view(), "ERR_WORKER_NOT_RUNNING");
}
[[noreturn]] LEAT_INLINE void throwWorkerType(std::string_view what, const std::type_info& is,
                                              const std::type_info& asked);

#if LEAT_BODIES
[[noreturn]] LEAT_INLINE void throwWorkerType(std::string_view what, const std::type_info& is,
                                              const std::type_info& asked) {
  throwTypeError(
      SharedText({what, ": the type is ", typeName(is), ", not ", typeName(asked)}).view(),
      "ERR_INVALID_ARG_TYPE");
}
#endif

/// The parent port of this thread's worker, made when first asked for.
template <class In, class Out>
Ref<PortState<In>> parentPortState(WorkerScope& scope) {
  if (!scope.port) {
    const ContextScope main(scope.context);
    scope.port = Ref<PortState<In>>::adopt(new PortState<In>(scope.thread.pair(), 1));
  }
  return Ref<PortState<In>>(static_cast<PortState<In>*>(scope.port.get()));
}

}  // namespace detail

namespace worker_threads {

/// Whether this thread is no worker's. Also true on threads that leat did not make. Node: `isMainThread`.
inline bool isMainThread() noexcept { return leat::detail::currentWorker() == nullptr; }
/// The number of this worker, 0 where there is none; never given twice. Node: `threadId`.
inline int threadId() noexcept {
  const leat::detail::WorkerScope* scope = leat::detail::currentWorker();
  return scope == nullptr ? 0 : scope->thread.id();
}

/// In a worker, its end of the channel to the parent: what it is told is of type `In`, which is `Out` of
/// the Worker, and the other way round. The same port each time.
///
/// Node: `parentPort`, which is null in the main thread. Throws: Error ERR_WORKER_NOT_RUNNING in no worker,
/// TypeError ERR_INVALID_ARG_TYPE for other types than the Worker's.
template <class In, class Out = In>
MessagePort<In, Out> parentPort() {
  leat::detail::WorkerScope* scope = leat::detail::currentWorker();
  if (scope == nullptr) leat::detail::throwNoWorker("parentPort");
  const leat::detail::WorkerSetup& setup = scope->thread.setup();
  if (*setup.toWorker != typeid(In))
    leat::detail::throwWorkerType("parentPort", *setup.toWorker, typeid(In));
  if (*setup.toParent != typeid(Out))
    leat::detail::throwWorkerType("parentPort", *setup.toParent, typeid(Out));
  return MessagePort<In, Out>(leat::detail::parentPortState<In, Out>(*scope));
}

/// In a worker, what it was started with. Lives as long as the worker's loop.
///
/// Node: `workerData`. Throws: as `parentPort`; also ERR_WORKER_NOT_RUNNING where there is no data.
template <class D>
D& workerData() {
  leat::detail::WorkerScope* scope = leat::detail::currentWorker();
  if (scope == nullptr) leat::detail::throwNoWorker("workerData");
  const std::type_info* type = scope->thread.dataType();
  if (type == nullptr) leat::detail::throwNoWorker("workerData: no data was given, or");
  if (*type != typeid(D)) leat::detail::throwWorkerType("workerData", *type, typeid(D));
  return *static_cast<D*>(scope->thread.data());
}

/// How a worker is made. Node: the options of `new Worker`.
struct WorkerOptions {
  /// Of the thread, in debuggers and /proc; 15 characters of it. By default "leat-worker".
  std::string_view name{};
  /// Node: `resourceLimits.stackSizeMb`. The kernel's other limits are of processes, not of threads.
  double stackSizeMb = 4;
  /// How many messages may wait in each direction before `postMessage` is false and waits when awaited. 0:
  /// as many as come, as in Node.
  std::size_t highWaterMark = 0;
  /// Of the worker's loop.
  LoopOptions loop{};
};

/// How a worker is ended.
struct TerminateOptions {
  /// How many milliseconds the worker's coroutines get, after their signal was aborted, to clean up with
  /// asynchronous calls. A worker that has nothing left to do ends before; its parent port, which is
  /// unref'd, does not keep it.
  long grace = 0;
  /// After how many milliseconds a warning of the process ("WorkerTerminateWarning") tells that the worker is
  /// still there. 0: none.
  long deadline = 5000;
};

/// The end of a worker: a wait that may be left out. Gives the exit code.
class WorkerExit {
 public:
  using LoopBound = void;
  class Awaiter : private leat::detail::PortWaiter {
   public:
    Awaiter(leat::detail::Ref<leat::detail::WorkerCore> worker, bool errors) noexcept
        : worker_(std::move(worker)), errors_(errors) {}
    bool await_ready() noexcept {
      if (errors_ && (error = worker_->takeError())) return true;
      return !worker_->running();
    }
    void await_suspend(std::coroutine_handle<> handle) {
      worker_->waitForExit(*this, handle, errors_);
    }
    int await_resume() {
      finish();
      if (error) std::rethrow_exception(std::exchange(error, nullptr));
      return worker_->exitCode();
    }

   private:
    leat::detail::Ref<leat::detail::WorkerCore> worker_;
    bool errors_;
  };
  WorkerExit(leat::detail::Ref<leat::detail::WorkerCore> worker, bool errors) noexcept
      : worker_(std::move(worker)), errors_(errors) {}
  Awaiter operator co_await() const noexcept {
    if (errors_) worker_->noteAwait();
    return Awaiter(worker_, errors_);
  }

 private:
  leat::detail::Ref<leat::detail::WorkerCore> worker_;
  bool errors_;
};

}  // namespace worker_threads

namespace detail {

/// What runs on the thread.
template <class F, class In, class Out, class D>
class WorkerBody final : public WorkerThread {
 public:
  template <class X, class... Y>
  WorkerBody(WorkerSetup setup, X&& f, Y&&... data)
      : WorkerThread(std::move(setup)), callable_(std::forward<X>(f)) {
    if constexpr (sizeof...(Y) > 0) data_.emplace(std::forward<Y>(data)...);
  }

 private:
  using Port = worker_threads::MessagePort<Out, In>;
  static constexpr bool hasData = !std::is_void_v<D>;
  using Kept = std::conditional_t<hasData, D, std::monostate>;

  int run(LoopOptions options) override {
    auto main = [this]() -> decltype(auto) {
      begin();
      return call();
    };
    return leat::run(main, options, setup().where);
  }
  decltype(auto) call() {
    if constexpr (hasData && std::is_invocable_v<F&, Port, Kept&>) {
      return (*callable_)(port(), *data_);
    } else if constexpr (hasData && std::is_invocable_v<F&, Port, Kept>) {
      return (*callable_)(port(), std::move(*data_));
    } else if constexpr (std::is_invocable_v<F&, Port>) {
      return (*callable_)(port());
    } else {
      static_assert(
          std::is_invocable_v<F&>,
          "Worker(f): f takes the parent port, MessagePort<Out, In> of a Worker<In, Out>, and "
          "the data that was given, or fewer of these from the left");
      return (*callable_)();
    }
  }
  static Port port() { return Port(parentPortState<Out, In>(*currentWorker())); }
  void clear() noexcept override {
    callable_.reset();
    data_.reset();
  }
  const std::type_info* dataType() const noexcept override {
    return hasData ? &typeid(Kept) : nullptr;
  }
  void* data() noexcept override { return data_ ? &*data_ : nullptr; }

  std::optional<F> callable_;
  std::optional<Kept> data_;
};

LEAT_INLINE WorkerSetup workerSetup(const worker_threads::WorkerOptions& options,
                                    const std::type_info& toParent, const std::type_info& toWorker,
                                    std::source_location where);

#if LEAT_BODIES
LEAT_INLINE WorkerSetup workerSetup(const worker_threads::WorkerOptions& options,
                                    const std::type_info& toParent, const std::type_info& toWorker,
                                    std::source_location where) {
  if (!(options.stackSizeMb > 0 && options.stackSizeMb < 1 << 20))
    throw RangeError("Worker: stackSizeMb must be a number of megabytes above 0");
  WorkerSetup setup;
  if (!options.name.empty()) setup.name = options.name;
  setup.backend = options.loop.backend;
  setup.busyPoll = options.loop.busyPoll;
  setup.stackBytes = static_cast<std::size_t>(options.stackSizeMb * (1 << 20));
  setup.bound = options.highWaterMark;
  setup.toParent = &toParent;
  setup.toWorker = &toWorker;
  setup.where = where;
  return setup;
}
#endif

}  // namespace detail

namespace worker_threads {

/// Calls a function, plain or a coroutine, on a thread of its own, as the main of a loop of its own, and
/// exchanges messages with it: it tells what is of type `In`, and is told what is of type `Out`. Copies are
/// handles to the same worker.
///
/// Events: "online", when its loop is made and before its function is called; "message" (In); "error"
/// (std::exception_ptr), what nobody handled there, which has ended it; "exit" (int code), the last one: 0
/// when nothing was left to do, what its main gave or `process::exit` was told, 1 after an error or
/// `terminate`. Messages come before the error and the exit that followed them. They wait until somebody
/// listens or awaits. An error that nobody listens to and nobody awaits is an uncaught exception here.
///
/// Node: `worker_threads.Worker`. Thread: the loop's that made it. Holds that loop until it has exited, unless
/// `unref()`; at that loop's end, and at the exit of the process, it is terminated and waited for.
/// Lifetime: kept by the loop while it runs. The function and the data are destroyed on the worker's thread.
template <class In = std::monostate, class Out = In>
class Worker : public PortMethods<Worker<In, Out>, In, Out> {
 public:
  using EmitterType = leat::detail::WorkerState<In>;

  /// Calls `f(parentPort)`, or `f()`.
  /// Throws: Error ERR_WORKER_INIT_FAILED when no thread can be made, ERR_NO_LOOP; RangeError.
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, Worker>)
  explicit Worker(F&& f, WorkerOptions options = {},
                  std::source_location where = std::source_location::current())
      : Worker(std::type_identity<void>(), std::forward<F>(f), options, where) {}
  /// Calls `f(parentPort, workerData)`, or with fewer of these.
  template <class F, class D>
    requires(!std::is_same_v<std::remove_cvref_t<D>, std::source_location>)
  Worker(F&& f, WorkerOptions options, D&& workerData,
         std::source_location where = std::source_location::current())
      : Worker(std::type_identity<std::decay_t<D>>(), std::forward<F>(f), options, where,
               std::forward<D>(workerData)) {}

  /// Its number; -1 when it has exited. Node: `worker.threadId`.
  int threadId() const noexcept { return state_->running() ? state_->thread().id() : -1; }
  bool running() const noexcept { return state_->running(); }

  /// Tells it to end: the signal that is ambient in its coroutines is aborted, then its loop stops, and what
  /// is suspended there is destroyed. A callback in progress is not interrupted: until it returns the
  /// worker goes on, and its parent's loop with it. Awaited it gives the exit code, 1, whatever the
  /// ambient signal says. From now on it holds the loop until it has exited, also after `unref()`.
  ///
  /// Node: `worker.terminate()`. Throws: RangeError ERR_OUT_OF_RANGE for a `grace` or a `deadline` that is
  /// not from 0 to 2^31-1 ms.
  WorkerExit terminate(TerminateOptions options = {}) const {
    state_->checkThread();
    state_->terminate(options.grace, options.deadline);
    return WorkerExit(state_, false);
  }
  /// Waits for its end and gives the exit code. Throws: the error of the worker, when no listener was told;
  /// AbortError.
  WorkerExit exited() const {
    state_->checkThread();
    return WorkerExit(state_, true);
  }

  /// Internal.
  leat::detail::PortCore& core() const noexcept { return *state_; }
  EmitterType& emitter() const {
    state_->checkThread();
    return *state_;
  }

 private:
  template <class D, class F, class... Data>
  Worker(std::type_identity<D>, F&& f, const WorkerOptions& options, std::source_location where,
         Data&&... data)
      : state_(make<D>(std::forward<F>(f), options, where, std::forward<Data>(data)...)) {}
  template <class D, class F, class... Data>
  static leat::detail::Ref<EmitterType> make(F&& f, const WorkerOptions& options,
                                             std::source_location where, Data&&... data) {
    using Callable = std::decay_t<F>;
    static_assert(
        isSendable<Callable> && (isMessage<std::decay_t<Data>> && ...),
        "Worker(f, options, workerData): what goes to a worker owns what it holds, and is no "
        "handle of a loop; a port goes as a TransferredPort");
    if (EventLoop::current().dead())
      leat::detail::throwError("Worker: the event loop has ended", "ERR_LOOP_ENDED");
    using Body = leat::detail::WorkerBody<Callable, In, Out, D>;
    leat::detail::Ref<leat::detail::WorkerThread> thread = leat::detail::Ref<Body>::adopt(
        new Body(leat::detail::workerSetup(options, typeid(In), typeid(Out), where),
                 std::forward<F>(f), std::forward<Data>(data)...));
    thread->environment() = leat::detail::EnvironmentPart::current();
    auto state = leat::detail::Ref<EmitterType>::adopt(new EmitterType(std::move(thread)));
    state->start();
    return state;
  }

  leat::detail::Ref<EmitterType> state_;
};

}  // namespace worker_threads
}  // namespace leat::inline LEAT_ABI
