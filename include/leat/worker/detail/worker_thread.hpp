// SPDX-License-Identifier: MIT
// The thread of a worker: what it shares with its parent, and how it ends. Node: src/node_worker.cc.
#pragma once

#include <leat/loop/run.hpp>
#include <leat/loop/timers.hpp>
#include <leat/loop/with_timeout.hpp>
#include <leat/sys/fork.hpp>
#include <leat/worker/detail/port_core.hpp>
#include <leat/worker/environment_data.hpp>

#include <string>
#include <vector>

namespace leat::inline LEAT_ABI::detail {

/// Unwinds from `process::exit` in a worker to the worker's loop, which is stopped by then.
struct WorkerUnwind {};

class WorkerThread;

/// What a worker's loop knows of its worker.
struct LEAT_API WorkerScope final : LoopPart {
  WorkerScope(const void* k, WorkerThread& t) noexcept : LoopPart(k), thread(t) {}
  WorkerThread& thread;
  // That of main: the listeners of the port run in it, wherever it is asked for first.
  const ContextRef context = currentContext();
  // The parent port once somebody has asked for it.
  Ref<PortCore> port;
};

/// The worker of this thread, or null.
inline WorkerScope* currentWorker() noexcept {
  EventLoop* loop = EventLoop::currentOrNull();
  return loop == nullptr ? nullptr : loop->parts().find<WorkerScope>();
}

/// How a worker is started; copies of what its options view.
struct WorkerSetup {
  std::string name = "leat-worker";
  std::string backend;
  long busyPoll = 0;
  std::size_t stackBytes = 0;
  std::size_t bound = 0;
  const std::type_info* toParent = nullptr;
  const std::type_info* toWorker = nullptr;
  std::source_location where{};
};

LEAT_API inline constinit Atomic<int> lastWorkerId{0};

/// Counted by the parent's worker object and by the thread. What has no other note is the worker thread's,
/// or constant.
class WorkerThread : public SharedCounted<WorkerThread>, private LoopHost {
 public:
  explicit WorkerThread(WorkerSetup setup);
  virtual ~WorkerThread() = default;

  // ---- the parent ----

  struct News {
    bool online = false;
    bool ended = false;
    int code = 0;
  };
  /// 0 or -errno.
  int start() noexcept;
  News news() noexcept {
    const sys::MutexLock lock(mutex_);
    return {online_, ended_, code_};
  }
  /// What ended it. Once.
  std::exception_ptr takeError() noexcept {
    const sys::MutexLock lock(mutex_);
    return std::exchange(error_, nullptr);
  }
  /// Aborts its signal, and stops its loop when it is not done after `graceMs`. Any thread.
  void requestEnd(long graceMs) noexcept;
  /// Waits for the thread; says so when that takes long.
  void join() noexcept;
  /// Of the thread that started it; at the exit of the process, when its loop does not end any more.
  void joinIfEnded() noexcept {
    if (parent_ == threadNumber() && news().ended) thread_.join();
  }
  bool ofThisProcess() const noexcept { return generation_ == sys::forkGeneration(); }

  int id() const noexcept { return id_; }
  const WorkerSetup& setup() const noexcept { return setup_; }
  const Ref<PortPair>& pair() const noexcept { return pair_; }
  EnvironmentMap& environment() noexcept { return environment_; }

  // ---- the worker ----

  virtual const std::type_info* dataType() const noexcept = 0;
  virtual void* data() noexcept = 0;

 protected:
  /// Runs the worker's function on a loop of this thread; its exit code.
  virtual int run(LoopOptions options) = 0;
  /// Destroys the function and the data.
  virtual void clear() noexcept = 0;
  /// At the start of main. Throws: WorkerUnwind when it shall not run.
  void begin();

 private:
  static LEAT_INLINE void* threadMain(void* self) noexcept;
  LEAT_INLINE void finish(int code) noexcept;
  LEAT_INLINE void end() noexcept;
  static LEAT_INLINE void stop(EventLoop& loop) noexcept;
  LEAT_INLINE bool failed(const std::exception_ptr& error) noexcept override;
  [[noreturn]] LEAT_INLINE void exit(int code) override;
  bool tellsExit() const noexcept override { return !exiting_ && !terminated_; }

  const WorkerSetup setup_;
  const int id_;
  const unsigned generation_;
  const std::uint32_t parent_ = threadNumber();
  const Ref<PortPair> pair_;
  EnvironmentMap environment_;
  sys::Thread thread_;  // the parent's

  sys::Mutex mutex_;
  sys::Condition changed_;
  // Guarded by the mutex.
  std::optional<LoopRef> loop_;
  std::exception_ptr error_;
  long graceMs_ = 0;
  int code_ = 0;
  bool online_ = false;
  bool endWanted_ = false;
  bool ended_ = false;

  std::optional<AbortController> controller_;
  std::exception_ptr reason_;  // why the controller was aborted
  bool terminated_ = false;
  bool exiting_ = false;
};

/// The workers of a process that run. At its exit they are told to end and get a moment for it: what is
/// still running then runs into the destructors of statics, and a message says so.
class LEAT_API LiveWorkers : public sys::OfProcess<LiveWorkers> {
 public:
  static constexpr std::int64_t exitGraceNs = 200'000'000;

  static LiveWorkers& all() {
    struct AtExit {
      ~AtExit() { all().endAll(); }
    };
    static const AtExit atExit;
    static_cast<void>(atExit);
    return ofProcess();
  }
  void add(WorkerThread& thread) {
    const sys::MutexLock lock(mutex_);
    threads_.emplace(thread.id(), &thread);
  }
  void remove(WorkerThread& thread) noexcept {
    const sys::MutexLock lock(mutex_);
    threads_.erase(thread.id());
    gone_.notifyAll();
  }

 private:
  void endAll() noexcept {
    const WorkerScope* self = currentWorker();
    std::vector<Ref<WorkerThread>> ending;
    {
      const sys::MutexLock lock(mutex_);
      for (const auto& [id, thread] : threads_)
        if (self == nullptr || &self->thread != thread) ending.emplace_back(thread);
      for (const Ref<WorkerThread>& each : ending) each->requestEnd(0);
      const std::size_t stay = threads_.size() - ending.size();
      const std::int64_t deadline = sys::monotonicNs() + exitGraceNs;
      while (threads_.size() > stay && gone_.waitUntil(mutex_, deadline)) {
      }
      if (threads_.size() > stay)
        printWarning("WorkerExitWarning", "the process ends while workers run that do not return");
    }
    for (const Ref<WorkerThread>& each : ending) each->joinIfEnded();
  }

  sys::Mutex mutex_;
  sys::Condition gone_;
  std::map<int, WorkerThread*> threads_;
};

#if LEAT_BODIES
LEAT_INLINE WorkerThread::WorkerThread(WorkerSetup setup)
    : setup_(std::move(setup)),
      id_(lastWorkerId.fetchAdd(1, relaxed) + 1),
      generation_(sys::watchForks()),
      pair_(makeRef<PortPair>(setup_.bound)) {}

LEAT_INLINE int WorkerThread::start() noexcept {
  LiveWorkers::all().add(*this);
  retain();
  const int error =
      thread_.start([](void* self) -> void* { return threadMain(self); }, this, setup_.stackBytes);
  if (error == 0) return 0;
  LiveWorkers::all().remove(*this);
  release();
  return error;
}

LEAT_INLINE void WorkerThread::requestEnd(long graceMs) noexcept {
  // A child of fork() has not the thread, and perhaps its lock.
  if (!ofThisProcess()) return;
  const sys::MutexLock lock(mutex_);
  if (ended_) return;
  graceMs_ = endWanted_ && graceMs_ < graceMs ? graceMs_ : graceMs;
  endWanted_ = true;
  if (loop_) loop_->post([self = Ref<WorkerThread>(this)] { self->end(); });
}

LEAT_INLINE void WorkerThread::join() noexcept {
  if (!ofThisProcess()) return;
  constexpr std::int64_t longNs = 5'000'000'000;
  {
    const sys::MutexLock lock(mutex_);
    const std::int64_t deadline = sys::monotonicNs() + longNs;
    while (!ended_ && changed_.waitUntil(mutex_, deadline)) {
    }
    if (!ended_)
      printWarning(
          "WorkerTerminateWarning",
          "worker " + std::to_string(id_) +
              " is waited for: a callback of it does not return, and a thread cannot be killed");
  }
  thread_.join();
}

// ---- on the thread ----

LEAT_INLINE void* WorkerThread::threadMain(void* argument) noexcept {
  const auto self = Ref<WorkerThread>::adopt(static_cast<WorkerThread*>(argument));
  sys::setThreadName(self->setup_.name.c_str());
  int code = exitUncaught;
  try {
    self->controller_.emplace();
    const ContextScope scope(
        ContextNode::withSignal(nullptr, Ref<AbortState>(self->controller_->signal().state())));
    code = self->run({.backend = self->setup_.backend, .busyPoll = self->setup_.busyPoll});
  } catch (...) {
    (void)self->failed(std::current_exception());
  }
  self->clear();
  self->controller_.reset();
  self->finish(code);
  return nullptr;
}

LEAT_INLINE void WorkerThread::begin() {
  EventLoop& loop = EventLoop::current();
  loop.parts().get<LoopHostPart>(static_cast<LoopHost&>(*this));
  loop.parts().get<WorkerScope>(*this);
  loop.parts().get<EnvironmentPart>().values = std::move(environment_);
  bool wanted = false;
  {
    const sys::MutexLock lock(mutex_);
    loop_.emplace(loop.ref());
    wanted = endWanted_;
    online_ = !wanted;
  }
  if (wanted) {
    terminated_ = true;
    stop(loop);
    throw WorkerUnwind();
  }
  pair_->lanes[0].wake();
}

LEAT_INLINE void WorkerThread::stop(EventLoop& loop) noexcept {
  loop.queue().stop();
  loop.stop();
}

/// Asked for by the parent: the coroutines see the abort, and go on until the loop is dry or the time is up.
LEAT_INLINE void WorkerThread::end() noexcept {
  EventLoop& loop = EventLoop::current();
  long graceMs = 0;
  {
    const sys::MutexLock lock(mutex_);
    graceMs = graceMs_;
  }
  if (!std::exchange(terminated_, true)) {
    reason_ = std::make_exception_ptr(Error("The worker was terminated", "ERR_WORKER_TERMINATED"));
    controller_->abort(reason_);
    // Who waits for the parent's messages does not keep it from ending.
    if (const WorkerScope* scope = currentWorker(); scope != nullptr && scope->port)
      scope->port->setReferenced(false);
    loop.drain();
  }
  if (graceMs <= 0) return stop(loop);
  setTimeout([] { stop(EventLoop::current()); }, graceMs).unref();
}

LEAT_INLINE bool isUnwind(const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const WorkerUnwind&) {
    return true;
  } catch (...) {
    return false;
  }
}

LEAT_INLINE bool WorkerThread::failed(const std::exception_ptr& error) noexcept {
  if (exiting_ && isUnwind(error)) return true;
  if (terminated_ && causedBy(error, reason_)) return true;  // the abort has reached its end
  const sys::MutexLock lock(mutex_);
  if (error_) {
    printUncaught(error, ExceptionOrigin::UncaughtException, nullptr);
  } else {
    error_ = error;
  }
  return false;
}

LEAT_INLINE void WorkerThread::exit(int) {
  exiting_ = true;
  stop(EventLoop::current());
  throw WorkerUnwind();
}

LEAT_INLINE void WorkerThread::finish(int code) noexcept {
  reason_ = nullptr;
  {
    const sys::MutexLock lock(mutex_);
    code_ = terminated_ ? exitUncaught : code;
    ended_ = true;
    changed_.notifyAll();
  }
  pair_->close(1);
  LiveWorkers::all().remove(*this);
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
