// SPDX-License-Identifier: MIT
// The hooks of `process::onShutdown` on one loop, and how they are called: phase by phase, each with a time of
// its own, all of them within a deadline.
#pragma once

#include <leat/core/promise_then.hpp>
#include <leat/loop/next_tick.hpp>
#include <leat/loop/signals.hpp>
#include <leat/loop/with_timeout.hpp>
#include <leat/process/detail/flush_stdio.hpp>
#include <leat/process/process.hpp>

#include <string>
#include <vector>

namespace leat::inline LEAT_ABI::process {

/// When a hook of `onShutdown` is called: first those of Accepting, then, when they have ended, those of
/// Draining, and so on.
enum class ShutdownPhase : unsigned char {
  Accepting,  ///< stop taking new work: close listeners, leave the load balancer
  Draining,   ///< let what is there end
  Resources,  ///< give back what the work used: databases, pools, files
  Logs,       ///< flush what tells of it all
};

}  // namespace leat::inline LEAT_ABI::process

namespace leat::inline LEAT_ABI::detail {

class ShutdownCore;

inline std::string_view phaseName(process::ShutdownPhase phase) noexcept {
  constexpr std::string_view names[] = {"accepting", "draining", "resources", "logs"};
  return names[static_cast<int>(phase)];
}

/// One hook. In the list of its core until it is called, then kept by the core until it has ended.
class ShutdownHook final : public ListenerBase {
 public:
  using Call = Function<Promise<>(const AbortSignal&)>;
  ShutdownHook(ShutdownCore& core, std::string_view name, process::ShutdownPhase phase,
               std::int32_t ms, Call call)
      : ListenerBase(true),
        core_(core),
        name_(name),
        phase_(phase),
        ms_(ms),
        call_(std::move(call)) {}

  process::ShutdownPhase phase() const noexcept { return phase_; }
  /// 'hook "database" (resources)'
  std::string title() const {
    return "hook \"" + name_ + "\" (" + std::string(phaseName(phase_)) + ")";
  }
  void begin();
  /// Aborts its signal: it is not waited for much longer. `text` tells why.
  void expire(const SharedText& text) noexcept;

 private:
  struct Timer : LoopTimer {
    explicit Timer(ShutdownHook& h) noexcept : LoopTimer(onTimer), hook(h) {}
    ShutdownHook& hook;
  };
  // How long a hook whose time is over may take to end.
  static constexpr std::int32_t graceMs = 100;

  Promise<> call();
  void drop() noexcept override { call_.reset(); }
  static LEAT_INLINE void onTimer(LoopTimer& timer, JobAction action) noexcept;
  void settled(const std::exception_ptr& error) noexcept;
  void end() noexcept;

  ShutdownCore& core_;
  const std::string name_;
  const process::ShutdownPhase phase_;
  const std::int32_t ms_;
  Call call_;
  const AbortController late_;
  Timer timer_{*this};
  bool expired_ = false;
  bool ended_ = false;
};

/// A hook as it is kept: with or without the signal, plain or a coroutine.
template <class F>
ShutdownHook::Call keepHook(F&& f) {
  using Hook = std::decay_t<F>;
  auto block = makeRef<CallbackBlock<Hook>>(std::forward<F>(f));
  if constexpr (AsyncCallback<Hook, AbortSignal>) {
    return [block](const AbortSignal& late) {
      return driveCallback<Hook, AbortSignal>({}, block, late);
    };
  } else if constexpr (std::is_invocable_v<Hook&, AbortSignal>) {
    return [block](const AbortSignal& late) {
      (void)block->callable(late);
      return Promise<>::resolve();
    };
  } else if constexpr (AsyncCallback<Hook>) {
    return [block](const AbortSignal&) { return driveCallback<Hook>({}, block); };
  } else {
    return [block](const AbortSignal&) {
      (void)block->callable();
      return Promise<>::resolve();
    };
  }
}

/// Of one loop.
class LEAT_API ShutdownCore final : public LoopPart {
 public:
  static constexpr std::int32_t defaultDeadlineMs = 30'000;

  ShutdownCore(const void* k, EventLoop& loop) noexcept : LoopPart(k), loop_(loop) {}
  ~ShutdownCore() override {
    while (!hooks_.empty()) {
      const auto hook = Ref<ShutdownHook>::adopt(&hooks_.popFront());
      hook->letGo();
    }
  }
  static ShutdownCore& current() {
    EventLoop& loop = EventLoop::current();
    return loop.parts().get<ShutdownCore>(loop);
  }

  /// Throws: Error ERR_SHUTDOWN_DONE, what listening for signals throws.
  Listener add(Ref<ShutdownHook> hook);
  void begin(std::string_view reason);
  void configure(std::int32_t deadlineMs, bool signals);
  /// Empty until it has begun.
  std::string_view reason() const noexcept { return reason_; }

  EventLoop& loop() const noexcept { return loop_; }
  void fail(const std::string& text) noexcept {
    failed_ = true;
    printWarning("ShutdownFailure", text);
  }
  void ended(ShutdownHook& hook) noexcept;
  LEAT_INLINE void runEnds() noexcept override;

 private:
  struct Timer : LoopTimer {
    explicit Timer(ShutdownCore& c) noexcept : LoopTimer(onDeadline), core(c) {}
    ShutdownCore& core;
  };
  static LEAT_INLINE void onDeadline(LoopTimer& timer, JobAction action) noexcept;

  void listen();
  void unlisten() noexcept;
  void signalled(const std::string& name, int number);
  [[noreturn]] void force(const std::string& name, int number);
  void goOn() noexcept;
  bool startDue() noexcept;
  void finish(std::string_view whyNotCalled) noexcept;

  EventLoop& loop_;
  List<ShutdownHook> hooks_;
  std::vector<Ref<ShutdownHook>> running_;
  Listener terminate_;
  Listener interrupt_;
  Timer deadline_{*this};
  std::string reason_;
  std::int32_t deadlineMs_ = defaultDeadlineMs;
  std::int64_t begunMs_ = 0;
  unsigned signals_ = 0;
  int phase_ = 0;
  bool listens_ = true;
  bool begun_ = false;
  bool starting_ = false;
  bool expired_ = false;
  bool failed_ = false;
  bool done_ = false;
};

// ---- one hook ----

#if LEAT_BODIES
LEAT_INLINE void ShutdownHook::begin() {
  core_.loop().arm(timer_, ms_);
  // What it awaits ends with its time. Of where it was registered it has the stores, but no ambient signal.
  const ContextScope scope(
      ContextNode::withSignal(context.get(), Ref<AbortState>(late_.signal().state())));
  const Promise<> work = call();
  const Ref<ShutdownHook> self(this);
  auto ok = [self] { self->settled(nullptr); };
  auto bad = [self](const std::exception_ptr& error) { self->settled(error); };
  (void)work.then(moved(ok), moved(bad));
}

/// What it throws is told as what it rejects with, and no sooner.
LEAT_INLINE Promise<> ShutdownHook::call() {
  try {
    // It lets go of what it owns when it ends, and not with the last handle.
    Call hook = std::exchange(call_, nullptr);
    return hook(late_.signal());
  } catch (...) {
    return Promise<>::reject(std::current_exception());
  }
}

LEAT_INLINE void ShutdownHook::settled(const std::exception_ptr& error) noexcept {
  // One that was aborted and says so has been told of.
  if (error && !(expired_ && causedBy(error, late_.signal().reason())))
    core_.fail(title() + " failed: " + describe(error));
  end();
}

LEAT_INLINE void ShutdownHook::expire(const SharedText& text) noexcept {
  if (std::exchange(expired_, true)) return;
  core_.fail(title() + " " + std::string(text.view()));
  if (timer_.linked()) core_.loop().disarm(timer_);
  core_.loop().arm(timer_, graceMs);
  late_.abort(TimeoutError(text.view()));
}

LEAT_INLINE void ShutdownHook::onTimer(LoopTimer& timer, JobAction action) noexcept {
  ShutdownHook& self = static_cast<Timer&>(timer).hook;
  if (action != JobAction::Run) return;
  if (self.expired_) return self.end();
  self.expire({"did not end within ", Decimal(self.ms_), " ms"});
}

LEAT_INLINE void ShutdownHook::end() noexcept {
  if (std::exchange(ended_, true)) return;
  if (timer_.linked()) core_.loop().disarm(timer_);
  core_.ended(*this);
}

// ---- all of them ----

LEAT_INLINE Listener ShutdownCore::add(Ref<ShutdownHook> hook) {
  if (done_)
    throwError("process::onShutdown: the hooks of this loop have been called already",
               "ERR_SHUTDOWN_DONE");
  if (listens_) listen();
  hook->owner = this;
  hook->removed = [](void* core, int) noexcept {
    auto& self = *static_cast<ShutdownCore*>(core);
    if (self.hooks_.empty() && !self.begun_) self.unlisten();
  };
  hooks_.pushBack(*hook);
  hook->retain();
  return Listener(std::move(hook));
}

LEAT_INLINE void ShutdownCore::configure(std::int32_t deadlineMs, bool signals) {
  deadlineMs_ = deadlineMs;
  if (deadline_.linked()) {
    const std::int64_t left = deadlineMs - (loop_.startTime() - begunMs_);
    loop_.arm(deadline_, left < 0 ? 0 : static_cast<std::int32_t>(left));
  }
  listens_ = signals;
  if (!signals) return unlisten();
  if (!hooks_.empty()) listen();
}

LEAT_INLINE void ShutdownCore::listen() {
  if (terminate_.active() && interrupt_.active()) return;
  unlisten();  // the program may have removed one of them
  const auto heard = [this](const std::string& name, int number) { signalled(name, number); };
  const ContextScope scope(nullptr);
  Listener first = onSignal(SIGTERM, heard);
  try {
    interrupt_ = onSignal(SIGINT, heard);
  } catch (...) {
    first.off();
    throw;
  }
  terminate_ = std::move(first);
}

LEAT_INLINE void ShutdownCore::unlisten() noexcept {
  terminate_.off();
  interrupt_.off();
}

LEAT_INLINE void ShutdownCore::signalled(const std::string& name, int number) {
  if (++signals_ > 1) force(name, number);
  begin(name);
}

LEAT_INLINE void ShutdownCore::begin(std::string_view reason) {
  if (std::exchange(begun_, true)) return;
  reason_ = reason.empty() ? "shutdown" : reason;
  loop_.hold();
  begunMs_ = loop_.startTime();
  loop_.arm(deadline_, deadlineMs_);
  // The hooks come from nowhere, and never inside of the call that asks for the end.
  const ContextScope scope(nullptr);
  nextTick([this] { goOn(); });
}

/// A second signal: nothing is waited for any more, and no destructor runs.
LEAT_INLINE void ShutdownCore::force(const std::string& name, int number) {
  constexpr int signalBase = 128;
  const int code = signalBase + number;
  std::string text = "forced by " + name;
  for (const Ref<ShutdownHook>& hook : running_)
    text.append(", before the end of ") += hook->title();
  fail(text);
  if (hostOf(loop_.parts()) != nullptr) process::exit(code);
  loop_.setExitCode(code);
  if (ProcessHooks* hooks = loop_.hooks()) hooks->exit(code);
  StdioFlush::run();
  ::_exit(code);
}

/// Starts the hooks of the phases that have come. False: there is none.
LEAT_INLINE bool ShutdownCore::startDue() noexcept {
  std::vector<Ref<ShutdownHook>> due;
  for (ShutdownHook* hook = hooks_.first(); hook != nullptr; hook = hooks_.after(*hook))
    if (static_cast<int>(hook->phase()) <= phase_) due.emplace_back(hook);
  // The phase is not over when the first one ends at once.
  starting_ = true;
  for (const Ref<ShutdownHook>& hook : due) {
    // Until its own turn it may be taken back, with what it refers to, by one before it.
    if (!hook->linked()) continue;
    hook->unlink();
    running_.push_back(Ref<ShutdownHook>::adopt(hook.get()));
    hook->begin();
  }
  starting_ = false;
  return !due.empty();
}

LEAT_INLINE void ShutdownCore::goOn() noexcept {
  constexpr int last = static_cast<int>(process::ShutdownPhase::Logs);
  while (!done_ && running_.empty()) {
    if (expired_) break;
    if (startDue()) continue;
    if (phase_ == last) break;
    ++phase_;
  }
  if (!done_ && running_.empty()) finish("the time for all hooks was over");
}

LEAT_INLINE void ShutdownCore::ended(ShutdownHook& hook) noexcept {
  std::erase_if(running_, [&](const Ref<ShutdownHook>& one) { return one.get() == &hook; });
  if (running_.empty() && !starting_) goOn();
}

LEAT_INLINE void ShutdownCore::onDeadline(LoopTimer& timer, JobAction action) noexcept {
  ShutdownCore& self = static_cast<Timer&>(timer).core;
  if (action != JobAction::Run) return;
  self.expired_ = true;
  const SharedText text{"was not done when the ", Decimal(self.deadlineMs_),
                        " ms for all hooks were over"};
  const std::vector<Ref<ShutdownHook>> running = self.running_;
  for (const Ref<ShutdownHook>& hook : running) hook->expire(text);
}

/// `stop()` has ended the loop in the middle of it.
LEAT_INLINE void ShutdownCore::runEnds() noexcept {
  if (!begun_ || done_ || loop_.dead()) return;
  for (const Ref<ShutdownHook>& hook : running_)
    fail(hook->title() + " had not ended when the loop was stopped");
  finish("the loop was stopped");
}

LEAT_INLINE void ShutdownCore::finish(std::string_view whyNotCalled) noexcept {
  done_ = true;
  if (deadline_.linked()) loop_.disarm(deadline_);
  // The loop hears no more signals: what destructors wait for ends by the next one's own action.
  unlisten();
  while (!hooks_.empty()) {
    const auto hook = Ref<ShutdownHook>::adopt(&hooks_.popFront());
    fail(hook->title().append(" was not called: ").append(whyNotCalled));
    hook->letGo();
  }
  if (failed_) loop_.setExitCode(1);
  loop_.letGo();
  loop_.stop();
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
