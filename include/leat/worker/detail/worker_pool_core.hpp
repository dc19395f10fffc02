// SPDX-License-Identifier: MIT
// The workers of a WorkerPool and the tasks that wait for them, on the pool's loop. npm: piscina/src/index.ts.
#pragma once

#include <leat/events/typed_emitter.hpp>
#include <leat/worker/detail/pool_backlog.hpp>
#include <leat/worker/worker_pool_options.hpp>

#include <memory>

namespace leat::inline LEAT_ABI::detail {

/// Counted by its handles, by the tasks that somebody waits for, and by who waits for it.
class WorkerPoolCore : public TaskPool, public TypedEmitter<Event<"error", std::exception_ptr>> {
 public:
  using Options = worker_threads::WorkerPoolOptions;

  LEAT_INLINE explicit WorkerPoolCore(const Options& options);
  LEAT_INLINE ~WorkerPoolCore() override;

  void checkThread() const { hold_.checkThread("a WorkerPool"); }
  /// Throws: Error ERR_WORKER_INIT_FAILED.
  void prewarm() {
    while (active_ < minThreads_) addWorker();
  }
  LEAT_INLINE void enter(WorkerTask& task) override;
  LEAT_INLINE void leave(WorkerTask& task) noexcept override;
  void close() noexcept {
    if (state_ == State::Open) state_ = State::Closing;
    checkEnd();
  }
  void destroy(worker_threads::TerminateOptions options) noexcept;
  worker_threads::WorkerPoolStatistics statistics() const noexcept;

  // ---- waiting for the pool itself ----

  enum class Until : unsigned char { Ready, End };
  /// Whether there is nothing to wait for; `error` is what it failed with.
  bool reached(Until what, std::exception_ptr& error) const;
  void wait(Until what, PortWaiter& waiter, std::coroutine_handle<> handle) {
    // Clean-up is not cancelled.
    waiter.wait(handle, what == Until::Ready ? readyWaiters_ : endWaiters_, what == Until::Ready);
    hold_.take();
  }
  void waited() noexcept {
    if (hold_.onThread()) hold_.drop();
  }

 protected:
  /// Throws: Error ERR_WORKER_INIT_FAILED.
  virtual PoolThread makeWorker() = 0;
  worker_threads::WorkerOptions workerOptions() const {
    return {.name = name_, .stackSizeMb = options_.stackSizeMb, .loop = options_.loop};
  }

 private:
  enum class State : unsigned char { Open, Closing, Destroyed };
  struct Ending : LoopOwned {
    explicit Ending(WorkerPoolCore& p) noexcept : LoopOwned(onLoopEnd), pool(p) {}
    static void onLoopEnd(LoopOwned& owned) noexcept {
      const Ref<WorkerPoolCore> kept(&static_cast<Ending&>(owned).pool);
      dropListeners(*kept);
    }
    WorkerPoolCore& pool;
  };

  /// At the end of the loop its workers are ended by the loop, and nothing may be begun.
  bool alive() const noexcept { return hold_.onThread() && !hold_.loop().dead(); }
  std::size_t starting() const noexcept { return starting_ * perWorker(); }
  std::size_t perWorker() const noexcept {
    return static_cast<std::size_t>(options_.concurrentTasksPerWorker);
  }
  std::size_t room() const noexcept {
    return options_.maxQueue == 0 ? ~std::size_t{0} : options_.maxQueue + starting();
  }

  // Workers.
  void addWorker();
  bool tryAdd() noexcept;
  PoolMember* freest() noexcept;
  void rest(PoolMember& member);
  void retire(PoolMember& member, worker_threads::TerminateOptions options = {}) noexcept;
  void startFailed(std::exception_ptr error) noexcept;
  void onOnline(PoolMember& member);
  void onReply(PoolMember& member, WorkerTask& task);
  void onExit(PoolMember& member, int code);
  bool failTasks(PoolMember& member, int code) noexcept;
  void noteBusy(int change) noexcept;

  // Tasks.
  Ref<WorkerTask> takeBack(WorkerTask& task) noexcept;
  void send(PoolMember& member, Ref<WorkerTask> task);
  void dispatch() noexcept;
  void abort(WorkerTask& task) noexcept;
  void checkEnd() noexcept;
  static std::exception_ptr notReady() noexcept;

  const std::string name_;
  const std::string backend_;
  const Options options_;  // views of these two
  const unsigned minThreads_;
  const unsigned maxThreads_;
  LoopHold hold_;
  Ending ending_;

  List<PoolMember> members_;
  // Those that are not leaving, those of them that are not online yet, and those with tasks.
  unsigned active_ = 0;
  unsigned starting_ = 0;
  unsigned busy_ = 0;
  PoolBacklog backlog_;
  std::size_t running_ = 0;
  List<Waiter> readyWaiters_;
  List<Waiter> endWaiters_;
  std::exception_ptr startError_;
  bool mayStart_ = true;  // the last start has not failed, or something has happened since
  bool ready_ = false;
  State state_ = State::Open;
  std::uint64_t turns_ = 0;
  std::uint64_t completed_ = 0;
  const std::int64_t madeNs_ = sys::monotonicNs();
  std::int64_t notedNs_ = madeNs_;
  std::int64_t busyNs_ = 0;
};

#if LEAT_BODIES
LEAT_INLINE WorkerPoolCore::WorkerPoolCore(const Options& options)
    : name_(options.name),
      backend_(options.loop.backend),
      options_(decide(options, name_, backend_)),
      minThreads_(static_cast<unsigned>(options_.minThreads)),
      maxThreads_(static_cast<unsigned>(options_.maxThreads)),
      hold_(EventLoop::current()),
      ending_(*this) {
  hold_.loop().queue().own(ending_);
}

LEAT_INLINE WorkerPoolCore::~WorkerPoolCore() {
  // Nobody waits for a task any more, nor for the end: what the workers still do is not asked for.
  while (!members_.empty()) {
    const std::unique_ptr<PoolMember> member(&members_.popFront());
    while (!member->tasks.empty()) member->tasks.popFront().release();
    if (!alive()) continue;
    member->worker.removeAllListeners();
    member->terminate();
  }
}

LEAT_INLINE worker_threads::WorkerPoolStatistics WorkerPoolCore::statistics() const noexcept {
  const std::int64_t now = sys::monotonicNs();
  const auto busyNs = static_cast<double>(busyNs_ + busy_ * (now - notedNs_));
  const auto wholeNs = static_cast<double>((now - madeNs_) * maxThreads_);
  return {.threads = active_,
          .idle = active_ > busy_ ? active_ - busy_ : 0,
          .queueSize = backlog_.queued(),
          .waiting = backlog_.waiting(),
          .running = running_,
          .completed = completed_,
          .utilization = wholeNs > 0 ? busyNs / wholeNs : 0};
}

// ---- workers ----

LEAT_INLINE void WorkerPoolCore::addWorker() {
  // Nothing that a worker does has to do with who asked for it.
  const ContextScope nobody(nullptr);
  auto* member = new PoolMember(makeWorker());
  members_.pushBack(*member);
  ++active_;
  ++starting_;
  PoolThread& worker = member->worker;
  worker.on<"online">([this, member] { onOnline(*member); });
  worker.on<"message">([this, member](const PoolReply& reply) { onReply(*member, *reply.task); });
  worker.on<"error">([member](const std::exception_ptr& error) { member->error = error; });
  worker.on<"exit">([this, member](int code) { onExit(*member, code); });
  // Who waits for a task holds the loop.
  worker.unref();
}

LEAT_INLINE bool WorkerPoolCore::tryAdd() noexcept {
  if (!mayStart_) return false;
  try {
    addWorker();
    return true;
  } catch (...) {
    startFailed(std::current_exception());
    return false;
  }
}

/// The one with the fewest tasks, and of these the one that had one last: the others may become superfluous.
LEAT_INLINE PoolMember* WorkerPoolCore::freest() noexcept {
  PoolMember* found = nullptr;
  for (PoolMember* each = members_.first(); each != nullptr; each = members_.after(*each)) {
    if (!each->online || each->leaving || each->load >= perWorker()) continue;
    if (found == nullptr || each->load < found->load ||
        (each->load == found->load && each->idleSince > found->idleSince))
      found = each;
  }
  return found;
}

LEAT_INLINE void WorkerPoolCore::noteBusy(int change) noexcept {
  const std::int64_t now = sys::monotonicNs();
  busyNs_ += busy_ * (now - notedNs_);
  notedNs_ = now;
  busy_ += static_cast<unsigned>(change);
}

/// It has no task.
LEAT_INLINE void WorkerPoolCore::rest(PoolMember& member) {
  if (member.leaving || active_ <= minThreads_) return;
  if (options_.idleTimeout == 0) return retire(member);
  const auto tired = [this, &member] {
    if (active_ > minThreads_) retire(member);
  };
  member.idle = ScopedTimeout(setTimeout(tired, options_.idleTimeout).unref());
}

LEAT_INLINE void WorkerPoolCore::retire(PoolMember& member,
                                        worker_threads::TerminateOptions options) noexcept {
  if (!std::exchange(member.leaving, true)) {
    --active_;
    if (!member.online) --starting_;
  }
  member.idle = ScopedTimeout();
  member.terminate(options);
}

/// What waits goes to the others, if there are any.
LEAT_INLINE void WorkerPoolCore::startFailed(std::exception_ptr error) noexcept {
  mayStart_ = false;
  startError_ = std::move(error);
  wakeAll(readyWaiters_, startError_);
  if (active_ == 0) backlog_.refuseAll(startError_);
}

LEAT_INLINE void WorkerPoolCore::onOnline(PoolMember& member) {
  if (member.leaving) return;
  const Ref<WorkerPoolCore> kept(this);
  member.online = true;
  member.idleSince = ++turns_;
  --starting_;
  if (active_ - starting_ >= minThreads_ && !std::exchange(ready_, true)) {
    startError_ = nullptr;
    wakeAll(readyWaiters_);
  }
  dispatch();
  if (member.load == 0) rest(member);
  checkEnd();
}

LEAT_INLINE void WorkerPoolCore::onReply(PoolMember& member, WorkerTask& task) {
  // It was refused meanwhile.
  if (task.place != WorkerTask::Place::Sent) return;
  const Ref<WorkerPoolCore> kept(this);
  const Ref<WorkerTask> ended = takeBack(task);
  if (ended->begun()) ++completed_;
  member.idleSince = ++turns_;
  mayStart_ = true;
  dispatch();
  if (member.load == 0) rest(member);
  checkEnd();
  ended->done();
}

/// Whether somebody was told of its error: those that it has begun. What it has not goes back to where it
/// came from.
LEAT_INLINE bool WorkerPoolCore::failTasks(PoolMember& member, int code) noexcept {
  if (member.tasks.empty()) return false;
  const std::exception_ptr error = std::make_exception_ptr(Error(
      SharedText({"The worker of the pool that ran this task ",
                  member.error ? "has failed" : "has exited", " (exit code ", Decimal(code), ")"})
          .view(),
      "ERR_WORKER_EXITED", member.error));
  bool told = false;
  List<WorkerTask> back;
  while (!member.tasks.empty()) {
    Ref<WorkerTask> task = takeBack(member.tasks.front());
    if (!task->awaited()) continue;
    if (task->begun()) {
      told = true;
      backlog_.refuse(std::move(task), error);
    } else {
      back.pushBack(*task.leak());
    }
  }
  backlog_.putBack(back);
  return told;
}

LEAT_INLINE void WorkerPoolCore::onExit(PoolMember& member, int code) {
  const Ref<WorkerPoolCore> kept(this);
  const std::unique_ptr<PoolMember> gone(&member);
  member.unlink();
  if (!member.leaving) {
    --active_;
    if (!member.online) --starting_;
  }
  const bool started = member.online || member.leaving;
  const bool told = failTasks(member, code) || !started;
  if (started) {
    // It has given back what another one needs, and its tasks have nobody else perhaps.
    mayStart_ = true;
    while (state_ == State::Open && active_ < minThreads_ && tryAdd()) {
    }
  } else {
    startFailed(member.error ? member.error
                             : std::make_exception_ptr(
                                   Error("A worker of the pool has ended before it was online",
                                         "ERR_WORKER_INIT_FAILED")));
  }
  // What waited for it to start may have room elsewhere.
  dispatch();
  checkEnd();
  struct Last {  // nothing comes any more; a listener may hold the pool
    ~Last() {
      if (pool.state_ != State::Open && pool.members_.empty()) dropListeners(pool);
    }
    WorkerPoolCore& pool;
  };
  const Last last{*this};
  if (member.error && !told) emit<"error">(member.error);
}

// ---- tasks ----

/// From the worker that it was sent to.
LEAT_INLINE Ref<WorkerTask> WorkerPoolCore::takeBack(WorkerTask& task) noexcept {
  PoolMember& member = *std::exchange(task.member, nullptr);
  task.place = WorkerTask::Place::Nowhere;
  task.unlink();
  --running_;
  if (--member.load == 0) noteBusy(-1);
  return Ref<WorkerTask>::adopt(&task);
}

LEAT_INLINE void WorkerPoolCore::send(PoolMember& member, Ref<WorkerTask> task) {
  task->place = WorkerTask::Place::Sent;
  task->member = &member;
  task->retain();
  member.tasks.pushBack(*task);
  ++running_;
  if (member.load++ == 0) {
    noteBusy(1);
    member.idle = ScopedTimeout();
  }
  // A worker that has just ended takes nothing; its exit, which comes, brings the task back.
  member.worker.postMessage(PoolOrder{std::move(task), false});
}

/// Gives what waits to workers, of which it starts as many as may be.
LEAT_INLINE void WorkerPoolCore::dispatch() noexcept {
  if (!alive()) return;
  do {
    while (backlog_.queued() > 0) {
      PoolMember* const member = freest();
      // A worker without any task, also one that is being started, is better than one with some.
      if (member == nullptr || member->load > 0) {
        if (backlog_.queued() > starting() && active_ < maxThreads_ && tryAdd()) continue;
        if (member == nullptr || backlog_.queued() <= starting()) break;
      }
      send(*member, backlog_.takeFirst());
    }
  } while (backlog_.admit(room()));
}

LEAT_INLINE void WorkerPoolCore::enter(WorkerTask& task) {
  checkThread();
  if (state_ != State::Open)
    throwError("the WorkerPool is closed and takes no tasks", "ERR_POOL_CLOSED");
  Ref<WorkerTask> entered(&task);
  mayStart_ = true;
  if (backlog_.waiting() == 0) {
    backlog_.push(std::move(entered));
    dispatch();
    // It came last: if any is above the bound it is this one.
    if (task.place != WorkerTask::Place::Queue || backlog_.queued() <= room()) return;
    entered = backlog_.take(task);
  }
  if (options_.whenFull == PoolFull::Throw) {
    const auto queued = static_cast<long long>(backlog_.queued());
    throwError(SharedText({"the WorkerPool is full: ", Decimal(queued),
                           " tasks wait for a worker, as many as its maxQueue allows"})
                   .view(),
               "ERR_POOL_FULL");
  }
  backlog_.standInLine(std::move(entered));
}

/// That a worker has: it will not begin it, or is told of the abort.
LEAT_INLINE void WorkerPoolCore::abort(WorkerTask& task) noexcept {
  if (!task.cancel() && alive())
    task.member->worker.postMessage(PoolOrder{Ref<WorkerTask>(&task), true});
}

LEAT_INLINE void WorkerPoolCore::leave(WorkerTask& task) noexcept {
  if (task.place != WorkerTask::Place::Sent) {
    const Ref<WorkerTask> left = backlog_.take(task);
    dispatch();
  } else {
    abort(task);
  }
  if (alive()) checkEnd();
}

// ---- the end ----

LEAT_INLINE void WorkerPoolCore::destroy(worker_threads::TerminateOptions options) noexcept {
  state_ = State::Destroyed;
  const std::exception_ptr error =
      std::make_exception_ptr(Error("the WorkerPool was destroyed", "ERR_POOL_CLOSED"));
  backlog_.refuseAll(error);
  for (PoolMember* each = members_.first(); each != nullptr; each = members_.after(*each)) {
    while (!each->tasks.empty()) {
      abort(each->tasks.front());
      Ref<WorkerTask> task = takeBack(each->tasks.front());
      if (task->awaited()) backlog_.refuse(std::move(task), error);
    }
    retire(*each, options);
  }
  checkEnd();
}

LEAT_INLINE std::exception_ptr WorkerPoolCore::notReady() noexcept {
  return std::make_exception_ptr(
      Error("the WorkerPool was closed before it was ready", "ERR_POOL_CLOSED"));
}

/// Ends the workers when there is nothing left to do, and tells who waits when they have ended.
LEAT_INLINE void WorkerPoolCore::checkEnd() noexcept {
  if (state_ == State::Open) return;
  if (backlog_.queued() + backlog_.waiting() + running_ == 0) {
    for (PoolMember* each = members_.first(); each != nullptr; each = members_.after(*each))
      if (!each->leaving) retire(*each);
  }
  if (!readyWaiters_.empty()) wakeAll(readyWaiters_, notReady());
  if (members_.empty()) wakeAll(endWaiters_);
}

LEAT_INLINE bool WorkerPoolCore::reached(Until what, std::exception_ptr& error) const {
  checkThread();
  if (what == Until::End) return members_.empty();
  if (ready_ || minThreads_ == 0) return true;
  error = !startError_ && state_ != State::Open ? notReady() : startError_;
  return static_cast<bool>(error);
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
