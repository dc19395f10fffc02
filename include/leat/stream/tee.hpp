// SPDX-License-Identifier: MIT
// tee: one source for several readers, as fast as the slowest of them. leat's own; Node has it for web
// streams only, and there without a bound.
#pragma once

#include <leat/stream/finished.hpp>

#include <array>

namespace leat::inline LEAT_ABI {

namespace detail {

/// The source, and which of its branches want more. Kept by the branches' implementations and by the
/// source's listeners.
template <class T>
class TeeState : public Counted<TeeState<T>> {
 public:
  TeeState(Readable<T> source, std::size_t count) : source_(std::move(source)), branches_(count) {}

  void join(std::size_t index, const Readable<T>& branch) {
    branches_[index].side = &branch.readSide();
  }
  void listen() {
    const Ref<TeeState> self(this);
    if (source_.readableEnded()) end();
    if (source_.core().closeEmitted()) {
      if (!source_.readableEnded()) fail(source_.errored() ? source_.errored() : prematureClose());
      return;
    }
    source_.template on<"readable">([self] { self->pump(); });
    source_.template on<"end">([self] { self->end(); });
    source_.template on<"error">([self](const std::exception_ptr& error) { self->fail(error); });
    source_.template on<"close">([self] {
      if (!self->source_.readableEnded()) self->fail(prematureClose());
    });
  }
  void wants(std::size_t index) {
    branches_[index].wants = true;
    pump();
  }
  /// The branch is gone.
  void leave(std::size_t index, const std::exception_ptr& error) {
    if (std::exchange(branches_[index].side, nullptr) == nullptr) return;
    for (const Branch& each : branches_)
      if (each.side != nullptr) return pumpLater();
    // The writing side of a stream with two goes on after the end.
    if (!source_.readableEnded()) destroySource(error);
  }
  /// The branch is no more, without a word.
  void forget(std::size_t index) {
    if (threadState.queue == nullptr || threadState.queue->closing()) {
      branches_[index].side = nullptr;
    } else {
      leave(index, nullptr);
    }
  }

 private:
  struct Branch {
    // Null when it is gone.
    ReadableState<T>* side = nullptr;
    // There is room at the beginning, though it has not been asked.
    bool wants = true;
  };
  bool allWant() const noexcept {
    bool some = false;
    for (const Branch& each : branches_) {
      if (each.side == nullptr) continue;
      if (!each.wants) return false;
      some = true;
    }
    return some;
  }
  /// What a branch does with a chunk may come back here.
  void pump() {
    if (std::exchange(pumping_, true)) return;
    const Ref<TeeState> alive(this);
    struct Pumping {
      ~Pumping() { is = false; }
      bool& is;
    } const pumping{pumping_};
    while (allWant()) {
      std::optional<T> chunk = source_.read();
      if (!chunk) break;
      for (Branch& each : branches_) each.wants = false;
      for (Branch& each : branches_) give(each, *chunk);
    }
  }
  void give(Branch& branch, const T& chunk) {
    if (branch.side == nullptr) return;
    const Ref<StreamCore> stream(&branch.side->stream());
    std::optional<T> copy;
    try {
      copy.emplace(chunk);
    } catch (...) {
      return stream->destroy(std::current_exception());
    }
    tellListeners([&] { branch.side->push(std::move(*copy)); });
    if (branch.side != nullptr && branch.side->canPushMore()) branch.wants = true;
  }
  void pumpLater() {
    nextTick([self = Ref<TeeState>(this)] { self->pump(); });
  }
  void end() {
    each([](ReadableState<T>& side) { tellListeners([&side] { side.pushEnd(); }); });
  }
  void fail(const std::exception_ptr& error) {
    each([&error](ReadableState<T>& side) { side.stream().destroy(error); });
  }
  template <class F>
  void each(F f) {
    const Ref<TeeState> alive(this);
    for (Branch& branch : branches_) {
      if (branch.side == nullptr) continue;
      const Ref<StreamCore> stream(&branch.side->stream());
      f(*branch.side);
    }
  }
  void destroySource(const std::exception_ptr& error) {
    const Readable<T> source = source_;
    source.core().destroy(error);
  }

  const Readable<T> source_;
  std::vector<Branch> branches_;
  bool pumping_ = false;
};

template <class T>
class TeeBranch {
 public:
  TeeBranch(Ref<TeeState<T>> state, std::size_t index) noexcept
      : state_(std::move(state)), index_(index) {}
  TeeBranch(TeeBranch&&) noexcept = default;
  TeeBranch& operator=(TeeBranch&&) = delete;
  ~TeeBranch() {
    if (state_) state_->forget(index_);
  }
  void read(Readable<T>&) { state_->wants(index_); }
  void destroy(std::exception_ptr error, const StreamCallback& done) {
    state_->leave(index_, error);
    done(std::move(error));
  }

 private:
  Ref<TeeState<T>> state_;
  std::size_t index_;
};

/// Calls `put(index, branch)` for each.
template <class T, class Put>
void teeInto(Readable<T> source, std::size_t count, const StreamOptions& options, Put put) {
  static_assert(isCopyable<T>, "tee(): chunks that cannot be copied go to one reader only");
  const auto state = makeRef<TeeState<T>>(std::move(source), count);
  for (std::size_t i = 0; i < count; ++i) {
    Readable<T> branch(TeeBranch<T>(state, i), options);
    state->join(i, branch);
    put(i, std::move(branch));
  }
  state->listen();
}

}  // namespace detail

/// Several streams with the chunks of one: `const auto [file, hash] = tee(source)`. The source is read when
/// all of them have room, so no more is kept than the mark of each; one that nobody reads stops the others when it is full.
/// One that is destroyed, or that nobody holds any more, is waited for no longer; when all are, the source is
/// destroyed. Its end and its error are told to all: with ERR_STREAM_PREMATURE_CLOSE where it closes before
/// its end. Copies of a Buffer share its bytes: who changes them changes them for all.
///
/// The options are those of each. leat's own.
template <std::size_t count = 2, class S>
  requires(detail::StreamLike<S> && S::hasReadable && count > 0)
auto tee(const S& source, StreamOptions options = {}) {
  using T = typename S::ReadChunk;
  std::array<Readable<T>, count> branches;
  detail::teeInto(Readable<T>(source), count, options,
                  [&](std::size_t i, Readable<T> branch) { branches[i] = std::move(branch); });
  return branches;
}

}  // namespace leat::inline LEAT_ABI
