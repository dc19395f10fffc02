// SPDX-License-Identifier: MIT
// A task of a WorkerPool on its way to a worker and back, and what the worker does with it.
#pragma once

#include <leat/loop/blocking.hpp>
#include <leat/loop/scoped_timeout.hpp>
#include <leat/worker/worker.hpp>

namespace leat::inline LEAT_ABI::detail {

class WorkerTask;
struct PoolMember;

/// What tasks are given to.
class TaskPool : public Counted<TaskPool> {
 public:
  virtual ~TaskPool() = default;
  /// Throws: Error ERR_POOL_CLOSED, ERR_POOL_FULL, ERR_WRONG_THREAD.
  virtual void enter(WorkerTask& task) = 0;
  /// Nobody waits for it any more.
  virtual void leave(WorkerTask& task) noexcept = 0;
};

/// Shared by the loop of the pool and the worker that has it. What has no other note is the loop's.
class WorkerTask : public SharedCounted<WorkerTask>, public ListNode {
 public:
  /// Told once, on the loop's thread.
  using OnDone = void (*)(void* waiter) noexcept;

  explicit WorkerTask(Ref<TaskPool> pool) noexcept : pool_(std::move(pool)) {}
  virtual ~WorkerTask() = default;

  // ---- who waits: a BlockingAwaiter ----

  /// 0. Throws: Error ERR_POOL_CLOSED, ERR_POOL_FULL, ERR_WRONG_THREAD.
  int start(EventLoop&, OnDone onDone, void* waiter) {
    onDone_ = onDone;
    waiter_ = waiter;
    pool_->enter(*this);
    return 0;
  }
  /// Nobody waits any more.
  void leave() noexcept {
    waiter_ = nullptr;
    if (const Ref<TaskPool> pool = std::move(pool_)) pool->leave(*this);
  }

  // ---- the pool ----

  enum class Place : unsigned char { Nowhere, Queue, Line, Sent, Refused };
  Place place = Place::Nowhere;
  PoolMember* member = nullptr;  // that it was sent to

  bool awaited() const noexcept { return waiter_ != nullptr; }
  /// What it fails with, whatever becomes of it on the worker.
  void refuse(std::exception_ptr error) noexcept { refusal_ = std::move(error); }
  /// Has whoever waits go on.
  void done() noexcept {
    const Ref<TaskPool> pool = std::move(pool_);
    if (void* const waiter = std::exchange(waiter_, nullptr)) onDone_(waiter);
  }
  bool begun() const noexcept { return state_.load(acquire) == Begun; }
  /// False: a worker has begun it, and its signal is aborted, of which the worker is to be told.
  bool cancel() noexcept {
    State state = Waiting;
    if (state_.compareExchange(state, Cancelled, acqRel)) return true;
    if (state == Begun) (void)markAborted(*signal_, abortReason(nullptr));
    return false;
  }

  // ---- the worker ----

  /// False: nobody wants it any more. Else it has a signal, which follows the worker's.
  bool begin() {
    auto signal = makeRef<AbortState>();
    if (AbortState* worker = ambientSignal()) (void)followSignal(*worker, *signal);
    signal_ = std::move(signal);
    State state = Waiting;
    return state_.compareExchange(state, Begun, acqRel);
  }
  AbortSignal signal() const noexcept { return AbortSignal(signal_); }
  void tellAbort() noexcept {
    if (signal_ && isAborted(*signal_)) tellAborted(*signal_);
  }

 protected:
  void throwRefusal() {
    if (refusal_) std::rethrow_exception(std::exchange(refusal_, nullptr));
  }

 private:
  enum State : unsigned char { Waiting, Begun, Cancelled };

  Ref<TaskPool> pool_;  // until it is done, or left
  OnDone onDone_ = nullptr;
  void* waiter_ = nullptr;
  std::exception_ptr refusal_;
  // The worker's; the loop may use it when it has seen Begun.
  Ref<AbortState> signal_;
  // Both sides'.
  Atomic<State> state_{Waiting};
};

template <class In, class Out>
class WorkerTaskOf final : public WorkerTask {
 public:
  using Result = Out;

  WorkerTaskOf(Ref<TaskPool> pool, In&& value)
      : WorkerTask(std::move(pool)), input(std::in_place, std::move(value)) {}
  /// Throws: what the call threw.
  Out take() {
    throwRefusal();
    const ClearLater<Slot<Out>> later{result};
    return result.take();
  }

  // The worker's, until it has replied.
  std::optional<In> input;
  Slot<Out> result;
};

/// From the pool to a worker.
struct PoolOrder {
  Ref<WorkerTask> task;
  bool abort = false;
};
/// And back: it has ended, or was not begun.
struct PoolReply {
  Ref<WorkerTask> task;
};
using PoolPort = worker_threads::MessagePort<PoolOrder, PoolReply>;
using PoolThread = worker_threads::Worker<PoolReply, PoolOrder>;

/// A worker of a pool.
struct PoolMember : ListNode {
  explicit PoolMember(PoolThread thread) : worker(std::move(thread)) {}
  /// Who waits for the pool holds the loop, and not what a terminated worker holds otherwise.
  void terminate(worker_threads::TerminateOptions options = {}) noexcept {
    worker.terminate(options);
    worker.unref();
  }
  PoolThread worker;
  List<WorkerTask> tasks;  // that it was sent, in order
  std::size_t load = 0;
  bool online = false;
  bool leaving = false;
  std::uint64_t idleSince = 0;  // by the count of `turns_`
  std::exception_ptr error;
  ScopedTimeout idle;
};

/// How a function is called: with the data of the worker and the signal of the task, or without.
template <class F, class In, class D>
struct PoolFunction {
  static constexpr bool withBoth = std::is_invocable_v<F&, In, D&, AbortSignal>;
  static constexpr bool withData = std::is_invocable_v<F&, In, D&>;
  static constexpr bool withSignal = std::is_invocable_v<F&, In, AbortSignal>;
  static decltype(auto) call(F& f, In&& input, D* data, AbortSignal signal) {
    if constexpr (withBoth) {
      return f(std::move(input), *data, std::move(signal));
    } else if constexpr (withData) {
      return f(std::move(input), *data);
    } else {
      return PoolFunction<F, In, void>::call(f, std::move(input), nullptr, std::move(signal));
    }
  }
};
template <class F, class In>
struct PoolFunction<F, In, void> {
  static decltype(auto) call(F& f, In&& input, void*, AbortSignal signal) {
    if constexpr (std::is_invocable_v<F&, In, AbortSignal>) {
      return f(std::move(input), std::move(signal));
    } else {
      static_assert(std::is_invocable_v<F&, In>,
                    "WorkerPool<In, Out>(f): f takes In, and may take the worker's data (as a "
                    "reference) and an AbortSignal behind it");
      return f(std::move(input));
    }
  }
};

/// The main of a worker of a pool.
template <class In, class Out, class F, class D>
class PoolMain {
  using Task = WorkerTaskOf<In, Out>;
  using Function = PoolFunction<F, In, D>;
  using Given = decltype(Function::call(std::declval<F&>(), std::declval<In>(), nullptr,
                                        std::declval<AbortSignal>()));
  static constexpr bool isAsync = [] {
    if constexpr (std::is_void_v<Given>) {
      return false;
    } else {
      return Awaitable<Given>;
    }
  }();

 public:
  explicit PoolMain(const F& f) : function_(f) {}

  /// Of a worker without data.
  void operator()(PoolPort port) { serve(port, nullptr); }
  template <class Data>
  void operator()(PoolPort port, Data& data) {
    serve(port, &data);
  }

 private:
  void serve(const PoolPort& port, D* data) {
    port.on<"message">([this, port, data](const PoolOrder& order) {
      if (order.abort) return order.task->tellAbort();
      if (!order.task->begin()) return reply(port, order.task);
      const Ref<Task> task(static_cast<Task*>(order.task.get()));
      const ContextScope scope(
          ContextNode::withSignal(threadState.context, Ref<AbortState>(task->signal().state())));
      if constexpr (isAsync) {
        (void)drive(*this, port, task, data);
      } else {
        runNow(*task, data);
        reply(port, task);
      }
    });
  }
  void runNow(Task& task, D* data) {
    try {
      if constexpr (std::is_void_v<Out>) {
        (void)call(task, data);
        task.result.emplace();
      } else {
        task.result.emplace(call(task, data));
      }
    } catch (const WorkerUnwind&) {
      throw;
    } catch (...) {
      task.result.fail(std::current_exception());
    }
  }
  static Promise<> drive(PoolMain& self, PoolPort port, Ref<Task> task, D* data) {
    try {
      auto&& made = self.call(*task, data);
      if constexpr (std::is_void_v<Out>) {
        (void)co_await static_cast<Given&&>(made);
        task->result.emplace();
      } else {
        task->result.emplace(co_await static_cast<Given&&>(made));
      }
    } catch (const WorkerUnwind&) {
      throw;
    } catch (...) {
      task->result.fail(std::current_exception());
    }
    reply(port, std::move(task));
  }
  decltype(auto) call(Task& task, D* data) {
    return Function::call(function_, std::move(*task.input), data, task.signal());
  }
  static void reply(const PoolPort& port, Ref<WorkerTask> task) {
    static_cast<Task&>(*task).input.reset();
    port.postMessage(PoolReply{std::move(task)});
  }

  F function_;
};

}  // namespace leat::inline LEAT_ABI::detail
