// SPDX-License-Identifier: MIT
// The event loop: Node's phases over a reactor. `run` and `turn` read as the list of phases.
#pragma once

#include <leat/core/callback.hpp>
#include <leat/loop/backend.hpp>
#include <leat/loop/clock.hpp>
#include <leat/loop/ignore_signals.hpp>
#include <leat/loop/loop_host.hpp>
#include <leat/loop/loop_options.hpp>
#include <leat/loop/loop_ref.hpp>
#include <leat/loop/loop_timer.hpp>
#include <leat/loop/no_op_immediate.hpp>
#include <leat/loop/process_hooks.hpp>
#include <leat/loop/report.hpp>

#include <span>

namespace leat::inline LEAT_ABI {

/// A loop belongs to the thread that made it; a thread has at most one.
///
/// Node: the event loop; libuv's `uv_loop_t`.
/// Throws: Error ERR_LOOP_EXISTS where the thread has one, SystemError when the back end cannot start.
class EventLoop final : private detail::QueueHooks {
 public:
  explicit EventLoop(LoopOptions options = {});
  /// Abandons operations in flight, destroys suspended coroutines, drops queues. What still refers to the
  /// loop does nothing from then on. On another thread it says so and aborts: what runs here is its own.
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// The loop of this thread. Throws: Error ERR_NO_LOOP.
  static EventLoop& current() {
    if (detail::threadState.loop == nullptr) [[unlikely]]
      (void)detail::currentQueue();
    return *detail::threadState.loop;
  }
  static EventLoop* currentOrNull() noexcept { return detail::threadState.loop; }

  /// Runs until nothing referenced is left, or `stop()`. May be called again.
  void run();
  /// One turn that waits at most `timeoutMs` (negative: until something happens). True while something
  /// referenced is left. For embedding in another loop.
  bool runOnce(long timeoutMs);
  /// Ends `run` after this turn, or the next `run` or `runOnce` at once. Thread: the loop's; else `post`.
  void stop() noexcept { stopping_ = true; }
  /// Whether the last `run` ended because of `stop`.
  bool stopped() const noexcept { return stopped_; }
  bool alive() const noexcept;

  /// A handle for other threads.
  LoopRef ref() const noexcept { return LoopRef(shared_); }
  template <class F>
  bool post(F&& f) const {
    return ref().post(std::forward<F>(f));
  }

  /// "io_uring" or "epoll"; `backendReason` says who asked for it, and how the ring was made or why there is none.
  std::string_view backend() const noexcept { return reactor_->name(); }
  std::string_view backendReason() const noexcept { return backendReason_.view(); }
  /// Readable when `runOnce(0)` has something to do besides timers; for foreign loops.
  int backendFd() noexcept { return reactor_->backendFd(); }
  /// Milliseconds until the next timer, 0 when something waits already, -1 when nothing does.
  long backendTimeout() noexcept;
  LoopMetrics metrics() noexcept;

  /// The code that `leat::run` and `process::exit()` end with. Node: `process.exitCode`.
  int exitCode() const noexcept { return exitCode_; }
  void setExitCode(int code) noexcept { exitCode_ = code; }

  // What the parts of the library use.
  detail::MicrotaskQueue& queue() noexcept { return queue_; }
  detail::Reactor& reactor() noexcept { return *reactor_; }
  detail::ProcessHooks* hooks() noexcept { return hooks_; }
  void setHooks(detail::ProcessHooks* owned) noexcept { delete std::exchange(hooks_, owned); }
  detail::LoopParts& parts() noexcept { return parts_; }
  /// Has `last` dropped when nothing of this loop touches anything any more.
  void tellEnd(detail::LoopOwned& last) noexcept { farewells_.pushBack(last); }
  void hold() noexcept { ++references_; }
  void letGo() noexcept { --references_; }
  void arm(detail::LoopTimer& timer, std::int32_t milliseconds) {
    armAt(timer, milliseconds, clock_.startMs());
  }
  void armAt(detail::LoopTimer& timer, std::int32_t milliseconds, std::int64_t startMs) {
    if (timers_.insert(timer, milliseconds, startMs)) ++timersArmed_;
  }
  /// One that does not wait.
  void armNew(detail::LoopTimer& timer, std::int32_t milliseconds) {
    timers_.insertNew(timer, milliseconds, clock_.startMs());
    ++timersArmed_;
  }
  /// Also for a timer that fires now: Node gives up its list in both cases.
  void disarm(detail::LoopTimer& timer, bool referenced = true) noexcept {
    if (!timer.linked()) return timers_.removeFiring(timer, referenced);
    --timersArmed_;
    timers_.remove(timer, referenced);
  }
  void pushImmediate(detail::Job& job) noexcept { immediates_.pushBack(job); }
  void pushPending(detail::Job& job) noexcept { pending_.pushBack(job); }
  void pushClosing(detail::Job& job) noexcept { closing_.pushBack(job); }
  void noteImmediates(long change) noexcept { referencedImmediates_ += change; }
  /// Milliseconds, rounded up: when a timer armed now starts.
  std::int64_t startTime() noexcept { return clock_.startMs(); }
  /// A callback of a phase: its exception is reported, the queues are drained.
  template <class F>
  void callback(F&& f) noexcept;
  /// After main: ticks, microtasks, rejections.
  void drain() noexcept { afterCallback(); }
  /// Memory for receives without a buffer of their own; used before control returns to the loop.
  std::span<std::byte> scratch();
  bool dead() const noexcept { return queue_.stopped(); }
  /// Prints an exception, or tells its host, and makes the loop end with `code`.
  void fatal(const std::exception_ptr& error, ExceptionOrigin origin, const char* place,
             int code) noexcept;

 private:
  static constexpr std::size_t scratchSize = 65536;
  static constexpr std::int64_t longestWaitMs = 2147483647;  // what `poll` takes
  void turn(std::int64_t maxWaitNs) noexcept;
  void runTimers() noexcept;
  void runPending() noexcept { runJobs(pending_); }
  void pollIo(std::int64_t maxWaitNs) noexcept;
  void runPosted() noexcept;
  void runImmediates() noexcept;
  void runClosing() noexcept { runJobs(closing_); }
  void runJobs(detail::List<detail::Job>& jobs) noexcept;
  void afterCallback() noexcept;
  void pushNoOp() noexcept { pushImmediate(*new detail::NoOpImmediate(referencedImmediates_)); }
  std::int64_t waitNs(std::int64_t maxWaitNs) noexcept;
  void dropQueues() noexcept;
  void dropAll() noexcept;

  LEAT_INLINE void uncaughtException(std::exception_ptr error,
                                     ExceptionOrigin origin) noexcept override;
  LEAT_INLINE void unhandledRejection(detail::PromiseStateBase& promise) noexcept override;
  LEAT_INLINE void rejectionHandled(detail::PromiseStateBase& promise) noexcept override;
  static void dispatch(void* self, detail::Op& op, int result, unsigned flags) noexcept;
  static void wake(void* self) noexcept { static_cast<EventLoop*>(self)->reactor_->wake(); }

  detail::MicrotaskQueue queue_;
  detail::Reactor* reactor_ = nullptr;
  detail::TimerLists timers_;
  detail::LoopClock clock_;
  detail::List<detail::Job> pending_;
  detail::List<detail::Job> immediates_;
  detail::List<detail::Job> closing_;
  detail::Ref<detail::LoopShared> shared_;
  detail::ProcessHooks* hooks_ = nullptr;
  detail::LoopParts parts_;
  detail::List<detail::LoopOwned> farewells_;
  detail::SharedText backendReason_;
  long references_ = 0;
  std::uint64_t timersFired_ = 0;
  std::size_t timersArmed_ = 0;
  long referencedImmediates_ = 0;
  std::byte* scratch_ = nullptr;
  int exitCode_ = 0;
  bool stopping_ = false;
  bool stopped_ = false;
  bool running_ = false;
};

#if LEAT_BODIES
LEAT_INLINE EventLoop::EventLoop(LoopOptions options)
    : queue_(static_cast<detail::QueueHooks&>(*this)),
      shared_(detail::makeRef<detail::LoopShared>(this, wake)) {
  if (detail::threadState.loop != nullptr)
    detail::throwError("this thread has an event loop already", "ERR_LOOP_EXISTS");
  detail::ignoreSignalsOfWrites();
  reactor_ = detail::makeReactor(options, backendReason_);
  reactor_->setDispatch(dispatch, this);
  detail::threadState.loop = this;
  detail::enterHome(queue_);
}

LEAT_INLINE EventLoop::~EventLoop() {
  if (detail::threadState.loop != this)
    detail::abortWith("ERR_WRONG_THREAD",
                      "an event loop was destroyed on another thread than the one that made it");
  shared_->close();
  queue_.stop();
  parts_.tellEnd();
  dropAll();
  reactor_->abandonAll();
  detail::leaveHome();
  detail::threadState.loop = nullptr;
  delete reactor_;
  delete[] scratch_;
  detail::dropOwned(farewells_);
}

LEAT_INLINE std::span<std::byte> EventLoop::scratch() {
  if (scratch_ == nullptr) scratch_ = new std::byte[scratchSize];
  return {scratch_, scratchSize};
}

LEAT_INLINE void EventLoop::run() {
  if (running_) detail::throwError("the event loop is running already", "ERR_LOOP_RUNNING");
  if (detail::threadState.loop != this)
    detail::throwError("an event loop runs only on the thread that made it", "ERR_WRONG_THREAD");
  running_ = true;
  // Nothing that happens here has to do with who runs the loop.
  detail::ContextKeeper context;
  afterCallback();
  if (!stopping_) runTimers();
  while (alive() && !stopping_) turn(-1);
  reactor_->flush();
  stopped_ = std::exchange(stopping_, false);
  running_ = false;
}

LEAT_INLINE bool EventLoop::runOnce(long timeoutMs) {
  if (detail::threadState.loop != this)
    detail::throwError("an event loop runs only on the thread that made it", "ERR_WRONG_THREAD");
  detail::ContextKeeper context;
  afterCallback();
  // As uv_run. What ends a `run` that this is inside of is not taken back here.
  if (!stopping_ || running_) {
    runTimers();
    turn(timeoutMs < 0 ? -1 : std::min<std::int64_t>(timeoutMs, longestWaitMs) * 1'000'000);
  }
  reactor_->flush();
  if (!running_) stopping_ = false;
  return alive();
}

LEAT_INLINE void EventLoop::turn(std::int64_t maxWaitNs) noexcept {
  runPending();
  pollIo(waitNs(maxWaitNs));
  runPosted();
  runImmediates();
  runClosing();
  runTimers();
}

LEAT_INLINE bool EventLoop::alive() const noexcept {
  if (dead()) return false;
  return references_ > 0 || referencedImmediates_ > 0 || !pending_.empty() || !closing_.empty() ||
         !queue_.idle() || !shared_->queue.empty();
}

LEAT_INLINE std::int64_t EventLoop::waitNs(std::int64_t maxWaitNs) noexcept {
  if (stopping_ || dead() || !immediates_.empty() || !pending_.empty() || !closing_.empty() ||
      !shared_->queue.empty() || !(maxWaitNs >= 0 || alive()))
    return 0;
  const std::int64_t next = timers_.nextExpiry();
  if (next == detail::TimerLists::never) return maxWaitNs;
  std::int64_t wait = next * 1'000'000 - clock_.freshNs();
  if (wait < 0) wait = 0;
  return maxWaitNs >= 0 && maxWaitNs < wait ? maxWaitNs : wait;
}

LEAT_INLINE void EventLoop::pollIo(std::int64_t maxWaitNs) noexcept {
  const int result = reactor_->turn(maxWaitNs);
  if (result < 0)
    queue_.report(std::make_exception_ptr(SystemError(-result, reactor_->turnCall())));
}

LEAT_INLINE void EventLoop::runTimers() noexcept {
  if (timers_.nextExpiry() == detail::TimerLists::never || dead()) return;
  const auto fire = [this](detail::TimerNode& node) {
    auto& timer = static_cast<detail::LoopTimer&>(node);
    --timersArmed_;
    ++timersFired_;
    timer.fire(timer, detail::JobAction::Run);
    // After an exception the next timer fires before the queues are drained, as in Node.
    return !queue_.takeInterrupted();
  };
  // What is due when the loop ends is dropped with the rest.
  timers_.process(clock_.dueMs(), fire, [this] { afterCallback(); }, [this] { return dead(); });
  afterCallback();
}

LEAT_INLINE void EventLoop::runJobs(detail::List<detail::Job>& jobs) noexcept {
  detail::List<detail::Job> batch;
  batch.append(jobs);
  while (!batch.empty() && !dead()) {
    batch.popFront().run();
    afterCallback();
  }
  jobs.append(batch);
}

/// After an exception the next immediate comes before the drain; behind the last of the batch those
/// made meanwhile follow at once, as in Node.
LEAT_INLINE void EventLoop::runImmediates() noexcept {
  if (!immediates_.empty()) afterCallback();
  for (bool threw = true; threw && !dead();) {
    threw = false;
    detail::List<detail::Job> batch;
    batch.append(immediates_);
    while (!batch.empty() && !dead()) {
      batch.popFront().run();
      threw = queue_.takeInterrupted();
      if (!threw) afterCallback();
    }
    immediates_.append(batch);
  }
}

LEAT_INLINE void EventLoop::runPosted() noexcept {
  detail::MpscNode* node = shared_->queue.takeAll();
  while (node != nullptr) {
    auto& job = static_cast<detail::PostedJob&>(*node);
    node = node->mpscNext;
    job.act(job, !dead());
    afterCallback();
  }
}

LEAT_INLINE void EventLoop::afterCallback() noexcept {
  if (queue_.takeInterrupted()) return;
  queue_.drain();
  (void)queue_.takeInterrupted();
}
LEAT_INLINE void EventLoop::dispatch(void* context, detail::Op& op, int result,
                                     unsigned flags) noexcept {
  auto& self = *static_cast<EventLoop*>(context);
  if (self.dead()) {
    // Nobody takes it any more.
    if (op.kind == detail::OpKind::accept && result >= 0) sys::close(result);
    return;
  }
  op.done(op, result, flags);
  self.afterCallback();
}

LEAT_INLINE long EventLoop::backendTimeout() noexcept {
  if (reactor_->hasReady() || !queue_.idle()) return 0;
  const std::int64_t wait = waitNs(-1);
  if (wait < 0) return -1;
  const std::int64_t ms = (wait + 999'999) / 1'000'000;
  return static_cast<long>(ms < longestWaitMs ? ms : longestWaitMs);
}

LEAT_INLINE LoopMetrics EventLoop::metrics() noexcept {
  const detail::ReactorStats& stats = reactor_->stats();
  return {stats.turns,  stats.events,       stats.completions, timersFired_, stats.blockedNs,
          timersArmed_, immediates_.size(), queue_.queued(),   references_,  stats.startedNs};
}

/// What there is now; that may queue more.
LEAT_NOINLINE LEAT_INLINE void EventLoop::dropQueues() noexcept {
  queue_.clear();
  detail::List<detail::Job> jobs;
  for (detail::List<detail::Job>* phase : {&pending_, &immediates_, &closing_}) jobs.append(*phase);
  while (!jobs.empty()) jobs.popFront().drop();
  for (std::size_t left = timersArmed_; left > 0; --left) {
    auto* timer = static_cast<detail::LoopTimer*>(timers_.takeAny());
    timersArmed_ = timer == nullptr ? 0 : timersArmed_ - 1;
    if (timer == nullptr) break;
    timer->fire(*timer, detail::JobAction::Drop);
  }
  shared_->drop();
}

/// Destructors may queue more, which is destroyed in its turn; the parts go when nobody uses them any
/// more. One that queues itself anew for ever would never let the loop end.
LEAT_NOINLINE LEAT_INLINE void EventLoop::dropAll() noexcept {
  constexpr int manyRounds = 100'000;
  for (int round = 0; round < manyRounds; ++round) {
    dropQueues();
    if (!queue_.empty() || !pending_.empty() || !immediates_.empty() || !closing_.empty() ||
        timersArmed_ > 0)
      continue;
    if (hooks_ == nullptr && parts_.empty()) return;
    delete std::exchange(hooks_, nullptr);
    parts_.clear();
  }
  detail::printEndlessEnd();
}

LEAT_INLINE void EventLoop::fatal(const std::exception_ptr& error, ExceptionOrigin origin,
                                  const char* place, int code) noexcept {
  if (detail::LoopHost* host = detail::hostOf(parts_)) {
    if (host->failed(error)) return;
  } else {
    detail::printUncaught(error, origin, place);
  }
  exitCode_ = code;
  queue_.stop();
  stopping_ = true;
}

LEAT_INLINE void EventLoop::uncaughtException(std::exception_ptr error,
                                              ExceptionOrigin origin) noexcept {
  if (dead() && detail::hostOf(parts_) != nullptr) return;  // what unwound to here
  detail::HookAnswer answer = detail::HookAnswer::Unhandled;
  if (hooks_ != nullptr) answer = hooks_->uncaughtException(error, origin);
  if (answer == detail::HookAnswer::Unhandled) return fatal(error, origin, nullptr, 1);
  if (!dead()) pushNoOp();
}

LEAT_INLINE void EventLoop::unhandledRejection(detail::PromiseStateBase& promise) noexcept {
  detail::HookAnswer answer = detail::HookAnswer::Unhandled;
  constexpr auto origin = ExceptionOrigin::UnhandledRejection;
  if (hooks_ != nullptr) answer = hooks_->unhandledRejection(promise);
  const bool asException = answer == detail::HookAnswer::Unhandled && hooks_ != nullptr;
  if (asException) answer = hooks_->uncaughtException(promise.error, origin);
  if (answer != detail::HookAnswer::Unhandled) {
    if ((asException || answer == detail::HookAnswer::Threw) && !dead()) pushNoOp();
    return;
  }
  const bool known = promise.where.line() != 0;
  const std::string place = known ? detail::describePlace(promise.where) : std::string();
  fatal(promise.error, origin, known ? place.c_str() : nullptr, 1);
}

LEAT_INLINE void EventLoop::rejectionHandled(detail::PromiseStateBase& promise) noexcept {
  const bool told = hooks_ != nullptr && hooks_->rejectionHandled(promise);
  if (!told)
    detail::printWarning("PromiseRejectionHandledWarning",
                         "Promise rejection was handled asynchronously");
}
#endif

template <class F>
void EventLoop::callback(F&& f) noexcept {
  try {
    f();
  } catch (...) {
    queue_.report(std::current_exception());
  }
}

template <class F>
bool LoopRef::post(F&& f) const {
  static_assert(isSendable<std::decay_t<F>>,
                "post(f): a handle of a loop may not go to another thread");
  using Callable = decltype(detail::bindCallback(std::forward<F>(f)));
  auto* job = new detail::PostedCallback<Callable>(detail::bindCallback(std::forward<F>(f)));
  if (postJob(*job)) return true;
  delete job;
  return false;
}

template <class F>
template <class X>
detail::PostedCallback<F>::PostedCallback(X&& f)
    : PostedJob([](PostedJob& job, bool run) noexcept {
        auto* self = static_cast<PostedCallback*>(&job);
        // It comes from nowhere, whatever the loop was entered in.
        if (run) (void)ContextScope(nullptr), EventLoop::current().callback(self->callable);
        delete self;
      }),
      callable(std::forward<X>(f)) {}

}  // namespace leat::inline LEAT_ABI
