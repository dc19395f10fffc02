// SPDX-License-Identifier: MIT
// duplexPair: two streams, each of which reads what is written to the other. Node: stream.duplexPair,
// lib/internal/streams/duplexpair.js.
#pragma once

#include <leat/core/system_error.hpp>
#include <leat/stream/duplex.hpp>

#include <utility>

namespace leat::inline LEAT_ABI {

namespace detail {

/// What is written to one side and read from the other: one chunk at a time, which is done when the reader
/// asks for the next. Both sides keep it, and it neither of them.
template <class T>
struct PairLane : Counted<PairLane<T>> {
  // Null when that side is gone.
  ReadableState<T>* reader = nullptr;
  WritableCore* writer = nullptr;
  // The writer waits for the reader to ask; to tell "end".
  bool written = false;
  bool ended = false;

  bool readable() const noexcept { return reader != nullptr && !reader->stream().destroyed(); }
  void answer() {
    if (!std::exchange(written, false) || writer == nullptr) return;
    const Ref<StreamCore> alive(&writer->stream());
    writer->onWrite(nullptr);
  }
  void answerEnd() {
    if (!std::exchange(ended, false) || writer == nullptr) return;
    const Ref<StreamCore> alive(&writer->stream());
    writer->onFinal(nullptr);
  }
  /// Nobody reads any more.
  void leave() {
    answer();
    answerEnd();
  }
};

template <class R, class W>
class PairSide final : public DuplexState<R, W> {
 public:
  PairSide(Ref<PairLane<R>> in, Ref<PairLane<W>> out, const DuplexOptions& options)
      : DuplexState<R, W>(duplexOps, options), in_(std::move(in)), out_(std::move(out)) {
    in_->reader = this;
    out_->writer = this;
    WritableCore::flags.set(WriteFlag::HasFinal);
    this->abortBySignal(options);
  }
  ~PairSide() override {
    in_->reader = nullptr;
    out_->writer = nullptr;
    if (threadState.queue == nullptr || threadState.queue->closing()) return;
    if (!StreamCore::destroyed()) tellOther(false);
    nextTick([in = in_] { in->leave(); });
  }

 private:
  void callRead(std::size_t) override { in_->answer(); }
  bool callWrite(W&& chunk) override {
    if constexpr (countsBytes<W>) {
      if (chunk.empty()) {
        this->inTick([](StreamCore& stream) { stream.writable()->onWrite(nullptr); });
        return false;
      }
    }
    if (!out_->readable()) {
      this->onWrite(std::make_exception_ptr(SystemError(EPIPE, "write")));
      return false;
    }
    const Ref<StreamCore> other(&out_->reader->stream());
    // Who is given the chunk may ask for the next one at once.
    out_->written = true;
    out_->reader->push(std::move(chunk));
    return false;
  }
  void callFinal() override {
    if (!out_->readable()) return this->onFinal(nullptr);
    const Ref<StreamCore> other(&out_->reader->stream());
    auto& slot = out_->reader->endSlot;
    out_->ended = true;
    joinStream(*other, slot, "end", slot.make(*other, [lane = out_] { lane->answerEnd(); }),
               nullptr, false);
    out_->reader->pushEnd();
  }
  /// The other side shall not wait for what will not come.
  void callDestroy(std::exception_ptr error) override {
    tellOther(error != nullptr);
    nextTick([in = in_] { in->leave(); });
    this->onDestroyed(std::move(error));
  }
  void tellOther(bool failed) const {
    if (!out_->readable()) return;
    nextTick([lane = out_, failed] {
      if (!lane->readable()) return;
      const Ref<StreamCore> other(&lane->reader->stream());
      failed ? other->destroy() : lane->reader->pushEnd();
    });
  }

  const Ref<PairLane<R>> in_;
  const Ref<PairLane<W>> out_;
};

}  // namespace detail

/// Two streams that are connected: `auto [client, server] = duplexPair()`. What is written to one is read
/// from the other, and the end of one is the other's; a write is done when the other side asks for more.
/// Of a side that is destroyed, or that nobody holds any more, the other reads the end, or is destroyed
/// without an error where there was one; what is written to it is an "error" EPIPE.
///
/// With a type what goes from the first to the second, and with two what comes back. Node:
/// `stream.duplexPair`, which leaves the other side waiting in its first versions.
template <class There = Buffer, class Back = There>
std::pair<Duplex<Back, There>, Duplex<There, Back>> duplexPair(const DuplexOptions& options = {}) {
  const auto there = detail::makeRef<detail::PairLane<There>>();
  const auto back = detail::makeRef<detail::PairLane<Back>>();
  using First = detail::DuplexState<Back, There>;
  using Second = detail::DuplexState<There, Back>;
  return {Duplex<Back, There>(detail::Ref<First>(
              detail::makeRef<detail::PairSide<Back, There>>(back, there, options))),
          Duplex<There, Back>(detail::Ref<Second>(
              detail::makeRef<detail::PairSide<There, Back>>(there, back, options)))};
}

}  // namespace leat::inline LEAT_ABI
