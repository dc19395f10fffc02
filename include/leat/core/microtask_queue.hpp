// SPDX-License-Identifier: MIT
// The nextTick queue and the microtask queue of a loop, the rejections that nobody has handled yet, and
// what the loop must destroy at its end. Promises need only this of a loop.
// Node: lib/internal/process/task_queues.js, lib/internal/process/promises.js.
#pragma once

#include <leat/base/list.hpp>
#include <leat/core/context.hpp>
#include <leat/core/error.hpp>

namespace leat::inline LEAT_ABI {

/// Where an exception that nobody caught came from.
enum class ExceptionOrigin : unsigned char { UncaughtException, UnhandledRejection };

namespace detail {

struct PromiseStateBase;

/// Whether a job is run, or thrown away at the end of the loop. A job in a block of its own frees
/// itself in both cases; one inside an awaiter ignores Drop, as its coroutine is destroyed by others.
/// Dispose frees a timer whose last handle has gone; nothing else is asked for it.
enum class JobAction : unsigned char { Run, Drop, Dispose };

/// One entry of a queue. Lives in an awaiter or in a block of its own; destroyed, it leaves the queue.
struct Job : ListNode {
  using Function = void (*)(Job&, JobAction) noexcept;
  explicit Job(Function f) noexcept : function(f) {}
  void run() noexcept { function(*this, JobAction::Run); }
  void drop() noexcept { function(*this, JobAction::Drop); }
  Function function;
};

/// The job of an awaiter that only goes on in its turn. While it stands in a queue, and only then, it has a
/// count of the context that it will go on in.
class ResumeJob : protected Job {
 public:
  ResumeJob(const ResumeJob&) = delete;
  ResumeJob& operator=(const ResumeJob&) = delete;

 protected:
  ResumeJob() noexcept : Job(onJob) {}
  ~ResumeJob() {
    if (linked()) [[unlikely]]
      leave();
  }
  /// It has just been put into a queue.
  LEAT_ALWAYS_INLINE void capture(std::coroutine_handle<> handle) noexcept {
    frame_ = handle.address();
    ContextNode* context = threadState.context;
    if (context != nullptr) [[unlikely]]
      context->retain();
    context_ = context;
  }

 private:
  static void onJob(Job& job, JobAction action) noexcept {
    auto& self = static_cast<ResumeJob&>(job);
    if (action != JobAction::Run) [[unlikely]]
      return self.leave();
    goOnFromQueue(std::coroutine_handle<>::from_address(self.frame_), self.context_);
  }
  LEAT_NOINLINE void leave() noexcept {
    unlink();
    if (context_ != nullptr) context_->release();
  }

  // Not set before `capture`.
  void* frame_;
  ContextNode* context_;
};

/// Something with no owner but the loop, such as the frame of a suspended async function.
struct LoopOwned : ListNode {
  explicit LoopOwned(void (*function)(LoopOwned&) noexcept) noexcept : drop(function) {}
  void (*drop)(LoopOwned&) noexcept;
};

#if LEAT_BODIES
/// Newest first, as locals are: what a coroutine has started may use what lives in its frame.
LEAT_INLINE void dropOwned(List<LoopOwned>& all) noexcept {
  while (!all.empty()) {
    LoopOwned& owned = all.popBack();
    owned.drop(owned);
  }
}
#endif

/// What the owner of the queues does about exceptions; all on the loop's thread.
class QueueHooks {
 public:
  /// Called at once. Afterwards `MicrotaskQueue::stop` may have been called.
  virtual void uncaughtException(std::exception_ptr error, ExceptionOrigin origin) noexcept = 0;
  virtual void unhandledRejection(PromiseStateBase& promise) noexcept = 0;
  virtual void rejectionHandled(PromiseStateBase& promise) noexcept = 0;

 protected:
  ~QueueHooks() = default;
};

class MicrotaskQueue {
 public:
  explicit MicrotaskQueue(QueueHooks& hooks) noexcept : hooks_(hooks) {}

  void pushTick(Job& job) noexcept { ticks_.pushBack(job); }
  void pushMicrotask(Job& job) noexcept { microtasks_.pushBack(job); }
  void pushMicrotasks(List<Job>& jobs) noexcept { microtasks_.append(jobs); }
  /// A reaction that never runs: of a promise that nobody can settle, such as a race of nothing.
  void keepForEver(Job& job) noexcept { never_.pushBack(job); }
  /// Ends with the loop: `drop` is called for what is still linked.
  void own(LoopOwned& owned) noexcept { owned_.pushBack(owned); }

  /// After each callback of the loop: ticks, then microtasks, then rejections, until all are empty.
  void drain() noexcept;
  bool idleButRejections() const noexcept { return ticks_.empty() && microtasks_.empty(); }
  bool idle() const noexcept {
    return ticks_.empty() && microtasks_.empty() && rejections_.empty();
  }
  std::size_t queued() const noexcept { return ticks_.size() + microtasks_.size(); }

  /// An exception out of a callback or a tick, at once. The queues then wait for the next callback's
  /// drain, as in Node.
  void report(std::exception_ptr error) noexcept {
    interrupted_ = true;
    hooks_.uncaughtException(std::move(error), ExceptionOrigin::UncaughtException);
  }
  /// Out of a microtask: those behind it go on.
  void reportFromMicrotask(std::exception_ptr error) noexcept {
    hooks_.uncaughtException(std::move(error), ExceptionOrigin::UncaughtException);
  }
  /// Whether the callback that has just returned was reported.
  bool takeInterrupted() noexcept { return std::exchange(interrupted_, false); }
  /// Nothing runs any more.
  void stop() noexcept { stopped_ = true; }
  void restart() noexcept { stopped_ = false; }
  bool stopped() const noexcept { return stopped_; }

  /// Destroys what is queued and owned; for the end of the loop. The destructors may queue more, which is for
  /// the next call, and start more, of which much goes at once.
  void clear() noexcept;
  bool empty() const noexcept {
    return idle() && owned_.empty() && never_.empty() && handledLate_.empty();
  }
  bool closing() const noexcept { return closing_; }

 private:
  friend struct PromiseStateBase;
  struct Rejection : ListNode, FrameAllocated {
    explicit Rejection(Ref<PromiseStateBase> p) noexcept;
    ~Rejection();
    Ref<PromiseStateBase> promise;
  };
  void noteRejection(PromiseStateBase& promise);
  void noteHandled(PromiseStateBase& promise);
  void reportRejections() noexcept;

  QueueHooks& hooks_;
  List<Job> ticks_;
  List<Job> microtasks_;
  List<Job> never_;
  List<Rejection> rejections_;
  List<Rejection> handledLate_;
  List<LoopOwned> owned_;
  bool interrupted_ = false;
  bool stopped_ = false;
  bool closing_ = false;
};

[[noreturn]] LEAT_NOINLINE inline void throwNoLoop() {
  throwError("there is no event loop on this thread; use leat::run, or an EventLoop on this thread",
             "ERR_NO_LOOP");
}

/// The queues of this thread's loop. Throws: Error ERR_NO_LOOP.
inline MicrotaskQueue& currentQueue() {
  MicrotaskQueue* queue = threadState.queue;
  if (queue == nullptr) [[unlikely]]
    throwNoLoop();
  return *queue;
}

#if LEAT_BODIES
LEAT_INLINE void MicrotaskQueue::drain() noexcept {
  [[maybe_unused]] const RunScope scope;
  ContextKeeper context;
  do {
    while (!ticks_.empty()) {
      if (stopped_) return;
      ticks_.popFront().run();
      runParked();
      if (interrupted_) return;
    }
    while (!microtasks_.empty()) {
      if (stopped_) return;
      microtasks_.popFront().run();
      runParked();
    }
    // What the context of the last job held may queue jobs when it goes.
    context.drop();
    if (idleButRejections() && !stopped_ && !(rejections_.empty() && handledLate_.empty()))
      reportRejections();
  } while (!ticks_.empty() || !microtasks_.empty() || (!stopped_ && !rejections_.empty()));
}
#endif

}  // namespace detail
}  // namespace leat::inline LEAT_ABI
