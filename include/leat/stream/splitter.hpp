// SPDX-License-Identifier: MIT
// The state of a Transform that cuts bytes into items. It cuts no further than the reader has room for, so
// that a large chunk of small items does not become a large queue of them.
#pragma once

#include <leat/stream/transform.hpp>

namespace leat::inline LEAT_ABI::detail {

/// `Parser` has `feed(Buffer&&)`, which is called when all of the chunk before is used up, `end()`, and
/// `next(Out&)`, which is false when it needs more. What they throw is the stream's error.
template <class Out, class Parser>
class SplitterState final : public DuplexState<Out, Buffer> {
  using Base = DuplexState<Out, Buffer>;

 public:
  template <class... A>
  explicit SplitterState(const DuplexOptions& options, A&&... args)
      : Base(transformOps, withoutDoubleBuffer(options)), parser_(std::forward<A>(args)...) {
    ReadableCore::flags.clear(ReadFlag::Sync);
    WritableCore::flags.set(WriteFlag::HasFinal);
    this->abortBySignal(options);
  }

 private:
  // Waiting: the chunk is used up, and the next one is taken when there is room for what it will give.
  enum class Busy : unsigned char { No, Chunk, End, Waiting };

  static DuplexOptions withoutDoubleBuffer(DuplexOptions options) {
    if (options.highWaterMark == unsetMark && options.readableHighWaterMark == 0 &&
        options.writableHighWaterMark == unsetMark)
      options.writableHighWaterMark = 0;
    return options;
  }

  bool callWrite(Buffer&& chunk) override {
    // What was written before the error is told still comes, as in Node: not to a parser that has failed.
    if (this->failed()) [[unlikely]] {
      this->onWrite(this->errored);
      return false;
    }
    lengthBefore_ = ReadableCore::length;
    try {
      parser_.feed(std::move(chunk));
    } catch (...) {
      this->onWrite(std::current_exception());
      return false;
    }
    begin(Busy::Chunk);
    return false;  // answered by onWrite
  }
  void callFinal() override {
    parser_.end();
    begin(Busy::End);
  }
  void callRead(std::size_t) override {
    if (pushing_) {
      asked_ = true;
    } else if (busy_ == Busy::Waiting) {
      busy_ = Busy::No;
      this->onWrite(nullptr);
    } else if (busy_ != Busy::No) {
      full_ = false;
      go();
    }
  }
  void callDestroy(std::exception_ptr error) override { this->onDestroyed(std::move(error)); }

  void begin(Busy busy) {
    busy_ = busy;
    full_ = false;
    go();
  }
  void go() {
    std::exception_ptr error;
    bool used = false;
    pushing_ = true;
    try {
      used = pushItems();
    } catch (...) {
      error = std::current_exception();
    }
    pushing_ = false;
    if (error || used) done(std::move(error));
  }
  /// False when there is no room for the next item.
  bool pushItems() {
    for (;;) {
      if (!item_) {
        item_.emplace();
        if (!parser_.next(*item_)) {
          item_.reset();
          return true;
        }
      }
      if (full_ && !std::exchange(asked_, false)) return false;
      asked_ = false;
      full_ = !this->push(std::move(*item_));
      item_.reset();
      if (this->failed()) return true;
    }
  }
  void done(std::exception_ptr error) {
    const Busy was = std::exchange(busy_, Busy::No);
    if (was == Busy::End) {
      if (!error) this->pushEnd();
      return this->onFinal(std::move(error));
    }
    if (error || WritableCore::flags.any(WriteFlag::Ended) ||
        lengthBefore_ == ReadableCore::length ||
        ReadableCore::length < ReadableCore::highWaterMark || this->failed())
      return this->onWrite(std::move(error));
    busy_ = Busy::Waiting;
  }

  Parser parser_;
  std::optional<Out> item_;
  std::size_t lengthBefore_ = 0;
  Busy busy_ = Busy::No;
  bool full_ = false;     // the last push said so
  bool pushing_ = false;  // on the stack
  bool asked_ = false;    // for more, meanwhile
};

}  // namespace leat::inline LEAT_ABI::detail
