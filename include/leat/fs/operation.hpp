// SPDX-License-Identifier: MIT
// What every function of fs gives: an operation that starts when it is awaited.
#pragma once

#include <leat/fs/detail/at_once.hpp>
#include <leat/loop/blocking.hpp>

namespace leat::inline LEAT_ABI {
namespace detail {

/// An operation on its way: its request, and in the class below its result.
class FileJobBase : public BlockingCallBase {
 public:
  void leave() noexcept {
    request.abandoned.store(true, relaxed);
    BlockingCallBase::leave();
  }
  /// In the `co_await`. Throws: Error EBADF when the file is closed.
  virtual void begin() {
    if (!request.file) return;
    if (request.file.state().closing()) throwError("file closed", "EBADF");
    request.file.begin();
  }

  FileRequest request;

 protected:
  // Only now, so that a close that waits for it is told of later.
  void told() noexcept override { request.file.end(); }
  template <class... Args>
  explicit FileJobBase(Args&&... args)
      : BlockingCallBase(Class::quick), request(std::forward<Args>(args)...) {}
  LEAT_INLINE int enqueue() noexcept override;

  // On the loop's thread.
  /// Does all of it without waiting and has a result, or does nothing.
  virtual bool tryAtOnce() noexcept { return false; }
  virtual bool canTry() const noexcept { return false; }
  /// Leaves it to the kernel.
  virtual bool tryRing() noexcept { return false; }
  /// No other way is left.
  void toPool() noexcept {
    if (BlockingCallBase::enqueue() == 0) return;
    run(*this);
    done(*this);
  }

 private:
  void goOn() noexcept;
  Attempts& attempts(AtOnce& turn) noexcept {
    return request.file ? request.file.state().attempts()
           : request.call == FileCall::stat || request.call == FileCall::lstat ? turn.stats
                                                                               : turn.reads;
  }
};

#if LEAT_BODIES
LEAT_INLINE int FileJobBase::enqueue() noexcept {
  if (wayOf(request.call) == FileWay::Pool || !canTry()) return BlockingCallBase::enqueue();
  AtOnce* const turn = AtOnce::of(EventLoop::current());
  if (turn == nullptr) return BlockingCallBase::enqueue();
  turn->perform(*this, [](BlockingJob& job) noexcept { static_cast<FileJobBase&>(job).goOn(); });
  return 0;
}

/// The end comes through the loop's queue, as that of a worker does, so that nobody is resumed inside of
/// the call.
LEAT_INLINE void FileJobBase::goOn() noexcept {
  Attempts& tries = attempts(*AtOnce::of(EventLoop::current()));
  if (tries.worthwhile()) {
    request.missed = false;
    if (tryAtOnce()) {
      tries.succeeded();
      return done(*this);
    }
    if (request.missed) tries.failed();
  }
  if (wayOf(request.call) != FileWay::Ring || !tryRing()) toPool();
}
#endif

template <class T>
class FileJob : public FileJobBase {
 public:
  using Result = T;
  using Body = T (*)(FileRequest&);
  /// The same without waiting: false, and no result, where something is not in memory.
  using Quick = bool (*)(FileRequest&, Slot<T>&);
  template <class... Args>
  explicit FileJob(Body body, Args&&... args)
      : FileJobBase(std::forward<Args>(args)...), body_(body) {}
  void setQuick(Quick quick) noexcept { quick_ = quick; }
  T take() {
    struct Clearing {
      ~Clearing() { slot.clear(); }
      Slot<T>& slot;
    };
    const Clearing atEnd{result_};
    return result_.take();
  }

 protected:
  Slot<T>& result() noexcept { return result_; }

 private:
  void call() noexcept override {
    try {
      if constexpr (std::is_void_v<T>) {
        body_(request);
        result_.emplace();
      } else {
        result_.emplace(body_(request));
      }
    } catch (...) {
      result_.fail(std::current_exception());
    }
  }
  void clear() noexcept override { result_.clear(); }
  bool canTry() const noexcept override { return quick_ != nullptr; }
  bool tryAtOnce() noexcept override {
    try {
      return quick_(request, result_);
    } catch (...) {
      result_.fail(std::current_exception());
      return true;
    }
  }

  Body body_;
  Quick quick_ = nullptr;
  Slot<T> result_;
};

/// Closes a file when the operations on it have ended.
class CloseFileJob final : public FileJob<void> {
 public:
  explicit CloseFileJob(Ref<FileState> file) : FileJob(closeNow, FileCall::close) {
    request.object = std::move(file);
  }
  void begin() override {
    request.flag = !state().closing();
    state().beginClose();
  }

 private:
  int enqueue() noexcept override {
    const auto start = [](BlockingJob& last) noexcept {
      Ref<BlockingJob> next(&last);
      while (next) {
        const Ref<BlockingJob> job = std::move(next);
        next = std::move(static_cast<CloseFileJob&>(*job).before_);
        if (BlockingPool::shared().submit(*job) == 0) continue;
        run(*job);
        done(*job);
      }
    };
    if (request.flag && state().closeLater(*this, start)) return 0;
    if (!request.flag && state().closeLaterToo(*this, before_)) {
      request.flag = true;
      return 0;
    }
    return FileJob::enqueue();
  }
  static void closeNow(FileRequest& request) {
    // What comes after the close has nothing left to do.
    if (request.flag) request.check(static_cast<FileState&>(*request.object).close());
  }
  FileState& state() const noexcept { return static_cast<FileState&>(*request.object); }

  Ref<BlockingJob> before_;  // another that waits for the same
};

}  // namespace detail

namespace fs {

/// An operation on files that has not begun. It owns copies of what it was given. It can be moved,
/// awaited, spawned, made a Promise, or dropped.
///
/// Completes: in the poll phase. Holds the loop meanwhile.
/// Cancel: AbortError at once. What has not begun never will; what has goes on in the background (work
/// of many steps stops at the next), its result is thrown away and a descriptor it opened is closed.
/// Throws: SystemError, worded as Node's.
template <class T>
class [[nodiscard("nothing is done until this is awaited")]] Operation {
 public:
  using Call = leat::detail::FileJob<T>;
  Operation(Operation&&) noexcept = default;
  Operation& operator=(Operation&&) noexcept = default;
  leat::detail::BlockingAwaiter<Call> operator co_await() && {
    if (!job_)
      leat::detail::throwTypeError(
          "co_await of an operation that was moved from or already awaited", "ERR_TASK_CONSUMED");
    job_->begin();
    leat::detail::AbortState* const signal = signal_.get();
    return leat::detail::BlockingAwaiter<Call>(std::move(job_), signal, obeys_);
  }

  /// Internal: `body(request)` does the work on a worker. `obeys`: whether the context's signal aborts it.
  Operation(leat::detail::Ref<Call> job, SignalRef signal, bool obeys = true) noexcept
      : job_(std::move(job)), signal_(signal.state()), obeys_(obeys) {}

 private:
  leat::detail::Ref<Call> job_;
  leat::detail::Ref<leat::detail::AbortState> signal_;
  bool obeys_;
};

}  // namespace fs

namespace detail {

/// An operation in the making: its request is filled in through `->`, then it is given away.
template <class T, class J = FileJob<T>>
class FileDraft {
 public:
  template <class... Args>
  explicit FileDraft(typename FileJob<T>::Body body, Args&&... args)
      : job_(makeRef<J>(body, std::forward<Args>(args)...)) {}
  FileRequest* operator->() const noexcept { return &job_->request; }
  /// `quick` is tried first, on the loop's thread.
  FileDraft&& quickly(typename FileJob<T>::Quick quick) && {
    job_->setQuick(quick);
    return std::move(*this);
  }
  fs::Operation<T> with(SignalRef signal) && {
    return fs::Operation<T>(Ref<FileJob<T>>(std::move(job_)), signal);
  }

 private:
  Ref<J> job_;
};

}  // namespace detail
}  // namespace leat::inline LEAT_ABI
