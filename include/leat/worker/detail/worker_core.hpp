// SPDX-License-Identifier: MIT
// A worker on its parent's loop: the parent's end of the channel, and the events of the thread's life.
// Node: lib/internal/worker.js.
#pragma once

#include <leat/core/out_of_range.hpp>
#include <leat/loop/scoped_timeout.hpp>
#include <leat/loop/warn.hpp>
#include <leat/worker/detail/worker_thread.hpp>

namespace leat::inline LEAT_ABI::detail {

class WorkerCore;

/// Of `TerminateOptions`. Throws: RangeError ERR_OUT_OF_RANGE.
LEAT_INLINE void checkTerminate(long graceMs, long deadlineMs);

/// The workers that a loop has started. At its end they end before anything else of it does: what their
/// functions refer to is still there.
struct LEAT_API WorkersOfLoop final : LoopPart {
  struct Entry : ListNode {
    explicit Entry(WorkerThread& t) noexcept : thread(t) {}
    WorkerThread& thread;
  };
  explicit WorkersOfLoop(const void* k) noexcept : LoopPart(k) {}
  void loopEnds() noexcept override {
    for (Entry* each = running.first(); each != nullptr; each = running.after(*each))
      each->thread.requestEnd(0);
    while (!running.empty()) {
      WorkerThread& thread = running.popFront().thread;
      if (!thread.ofThisProcess()) continue;
      thread.join();
      // Nobody is left to be told.
      if (const std::exception_ptr error = thread.takeError())
        printUncaught(error, ExceptionOrigin::UncaughtException, nullptr);
    }
  }
  List<Entry> running;
};

class WorkerCore : public PortCore {
 public:
  explicit WorkerCore(Ref<WorkerThread> thread)
      : PortCore(thread->pair(), 0), thread_(std::move(thread)), entry_(*thread_) {}
  LEAT_INLINE ~WorkerCore() override;

  /// Throws: Error ERR_WORKER_INIT_FAILED.
  void start();
  bool running() const noexcept { return running_; }
  int exitCode() const noexcept { return code_; }
  WorkerThread& thread() const noexcept { return *thread_; }
  /// Throws: RangeError ERR_OUT_OF_RANGE.
  void terminate(long graceMs, long deadlineMs);
  void setReferenced(bool to) noexcept override {
    busy_ = to;
    PortCore::setReferenced(to);
  }
  /// Of an error that nobody was told of, because whoever awaits was not awaiting just then.
  std::exception_ptr takeError() noexcept override { return std::exchange(kept_, nullptr); }
  void noteAwait() noexcept override { awaited_ = true; }
  /// Also when it has closed its port: an error may still come.
  bool ended() noexcept override { return !running_ && PortCore::ended(); }
  void waitForExit(PortWaiter& waiter, std::coroutine_handle<> handle, bool errors) {
    // Those of `terminate` do not hear of errors, and clean-up is not cancelled.
    waiter.wait(handle, errors ? exitWaiters_ : terminateWaiters_, errors);
  }

 protected:
  virtual void tellOnline() = 0;
  /// Throws: the error, when nobody listens.
  virtual void tellError(const std::exception_ptr& error) = 0;
  virtual bool hearsErrors() const noexcept = 0;
  virtual void tellExit(int code) = 0;

 private:
  void beforeMessages() override {
    const WorkerThread::News news = thread_->news();
    // Before messages are looked for: all that the worker has posted is there then.
    ended_ = news.ended;
    if (news.online && !std::exchange(toldOnline_, true)) tellOnline();
  }
  LEAT_INLINE void afterMessages() noexcept override;
  LEAT_INLINE bool tellFailure(const std::exception_ptr& error) noexcept;
  bool isBusy() const noexcept override { return running_ && busy_; }
  bool isKept() const noexcept override { return running_; }
  bool isDone() const noexcept override { return exited_; }

  const Ref<WorkerThread> thread_;
  WorkersOfLoop::Entry entry_;
  List<Waiter> exitWaiters_;
  List<Waiter> terminateWaiters_;
  std::exception_ptr kept_;
  ScopedTimeout deadline_;
  int code_ = 0;
  bool busy_ = true;
  bool running_ = false;
  bool exited_ = false;
  bool ended_ = false;
  bool toldOnline_ = false;
  bool awaited_ = false;
};

#if LEAT_BODIES
LEAT_INLINE WorkerCore::~WorkerCore() {
  // Not thrown by any await: the loop tells of it, or stderr.
  if (!kept_) return;
  if (threadState.queue != nullptr && !threadState.queue->stopped()) {
    LateReport::start(kept_);
  } else {
    printUncaught(kept_, ExceptionOrigin::UncaughtException, nullptr);
  }
}

LEAT_INLINE void WorkerCore::start() {
  const int error = thread_->start();
  if (error != 0)
    throw Error(SharedText({"Worker initialization failure: ",
                            SystemError(-error, "pthread_create").message()})
                    .view(),
                "ERR_WORKER_INIT_FAILED",
                std::make_exception_ptr(SystemError(-error, "pthread_create")));
  running_ = true;
  loop().parts().get<WorkersOfLoop>().running.pushBack(entry_);
  update();
}

LEAT_INLINE void checkTerminate(long graceMs, long deadlineMs) {
  constexpr long most = 2147483647;  // of a timer
  const auto check = [](std::string_view name, long ms) {
    if (ms < 0 || ms > most) throwOutOfRange(name, ">= 0 && <= 2147483647", IntegerText(ms));
  };
  check("options.grace", graceMs);
  check("options.deadline", deadlineMs);
}

LEAT_INLINE void WorkerCore::terminate(long graceMs, long deadlineMs) {
  checkTerminate(graceMs, deadlineMs);
  if (!running_) return;
  // As in Node: who ends it waits for that, also for one that was unref'd.
  setReferenced(true);
  thread_->requestEnd(graceMs);
  if (deadlineMs <= 0) return;
  const auto late = [id = thread_->id(), deadlineMs] {
    warnLater("WorkerTerminateWarning", "worker " + std::to_string(id) + " has not ended " +
                                            std::to_string(deadlineMs) +
                                            " ms after terminate(): a callback of it does not "
                                            "return, and a thread cannot be killed");
  };
  deadline_ = ScopedTimeout(setTimeout(late, deadlineMs).unref());
}

/// When all messages that anybody wants have been told.
LEAT_INLINE void WorkerCore::afterMessages() noexcept {
  if (!ended_ || !running_) return;
  if (const std::exception_ptr error = thread_->takeError(); error && !tellFailure(error)) {
    if (!loop().dead()) wakeSelf();
    return;
  }
  thread_->join();
  code_ = thread_->news().code;
  running_ = false;
  exited_ = true;
  deadline_ = ScopedTimeout();
  entry_.unlink();
  (void)lastCallback([this] { tellExit(code_); });
  wakeAll(messageWaiters_);
  wakeAll(exitWaiters_);
  wakeAll(terminateWaiters_);
  loop().drain();
  // What nobody has taken stays for whoever holds this.
  update();
}

/// False when a listener threw, or nobody listened.
LEAT_INLINE bool WorkerCore::tellFailure(const std::exception_ptr& error) noexcept {
  if (hearsErrors()) return callback([&] { tellError(error); });
  if (!messageWaiters_.empty() || !exitWaiters_.empty()) {
    wakeAll(messageWaiters_, error);
    wakeAll(exitWaiters_, error);
    loop().drain();
    return !loop().dead();
  }
  if (awaited_) {
    kept_ = error;
    return true;
  }
  return callback([&] { tellError(error); });
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
