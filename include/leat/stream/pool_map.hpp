// SPDX-License-Identifier: MIT
// poolMap: a stage whose chunks are worked on by a pool, several at once. Not part of leat.hpp.
#pragma once

#include <leat/core/with_context.hpp>
#include <leat/loop/pool_run.hpp>
#include <leat/stream/duplex.hpp>

#include <deque>
#include <memory>

namespace leat::inline LEAT_ABI {

/// Options of poolMap.
struct PoolMapOptions {
  /// How many chunks are with the pool at once, counted until what becomes of them is read or buffered.
  /// 0: twice as many as the pool has threads.
  std::size_t concurrency = 0;
  /// Whether what becomes of the chunks comes in their order. False: as it is done.
  bool ordered = true;
  /// Among the other work of the pool.
  Priority priority = Priority::Normal;
  /// It must outlive the last chunk. Null: WorkStealingPool::shared().
  WorkStealingPool* pool = nullptr;
  /// Of each side, as for any stream.
  std::size_t highWaterMark = detail::unsetMark;
  /// Destroys the stream with an AbortError.
  SignalRef signal{};
};

namespace detail {

/// What a callable of one parameter takes.
template <class Made, class T>
T itemTaken(Made (*)(T));
template <class Made, class F, class T>
T itemTaken(Made (F::*)(T));
template <class Made, class F, class T>
T itemTaken(Made (F::*)(T) const);
template <class F>
struct ItemTaken {
  static_assert(!std::is_same_v<F, F>,
                "poolMap(f): f takes one chunk of a type that is told; else poolMap<Chunk>(f)");
};
template <class F>
  requires requires { itemTaken(&F::operator()); }
struct ItemTaken<F> {
  using Type = std::remove_cvref_t<decltype(itemTaken(&F::operator()))>;
};
template <class F>
  requires(std::is_pointer_v<F> && requires(F f) { itemTaken(f); })
struct ItemTaken<F> {
  using Type = std::remove_cvref_t<decltype(itemTaken(std::declval<F>()))>;
};

/// One callable for all workers.
template <class F>
struct SharedFunction {
  template <class In>
  decltype(auto) operator()(In&& chunk) const {
    return (*function)(std::forward<In>(chunk));
  }
  std::shared_ptr<const F> function;
};

/// The stream. It is held by what it has begun until that is done; the chunks that are with the pool are
/// `open_` until they have been pushed.
template <class In, class Out, class F>
class PoolMapState final : public DuplexState<Out, In> {
 public:
  template <class X>
  PoolMapState(X&& f, const PoolMapOptions& options, const DuplexOptions& sides)
      : DuplexState<Out, In>(duplexOps, sides),
        pool_(options.pool != nullptr ? *options.pool : WorkStealingPool::shared()),
        function_{std::make_shared<const F>(std::forward<X>(f))},
        most_(options.concurrency != 0 ? options.concurrency
                                       : 2 * static_cast<std::size_t>(pool_.threads())),
        priority_(options.priority),
        ordered_(options.ordered),
        wants_(ReadableCore::highWaterMark > 0) {
    WritableCore::flags.set(WriteFlag::HasFinal);
    this->abortBySignal(sides);
  }

 private:
  static Promise<> work(Ref<PoolMapState> self, std::uint64_t number, In chunk) {
    std::exception_ptr error;
    std::optional<Out> made;
    try {
      auto call = self->pool_.run(self->priority_, self->function_, std::move(chunk));
      // Not under the signal of who happens to write: the chunk is this stream's.
      InContext<decltype(call), WithAmbient> stoppable(WithAmbient(self->stop_.signal().state()),
                                                       std::move(call));
      Out given = co_await std::move(stoppable);
      made.emplace(std::move(given));
    } catch (...) {
      error = std::current_exception();
    }
    self->worked(number, std::move(made), std::move(error));
  }
  void worked(std::uint64_t number, std::optional<Out> made, std::exception_ptr error);
  void deliver();
  void goOn();

  void callRead(std::size_t) override {
    wants_ = true;
    deliver();
  }
  bool callWrite(In&& chunk) override {
    ++open_;
    if (ordered_) results_.emplace_back();
    (void)work(Ref<PoolMapState>(this), next_++, std::move(chunk));
    // It may have been refused at once; then the tear-down tells who has written it.
    if (open_ < most_ && !this->destroyed()) return true;
    holds_ = true;
    return false;
  }
  void callFinal() override {
    flushes_ = true;
    goOn();
  }
  void callDestroy(std::exception_ptr error) override {
    // What has not begun never will; what has ends on its own, for nobody.
    stop_.abort();
    results_.clear();
    this->onDestroyed(std::move(error));
  }

  WorkStealingPool& pool_;
  const SharedFunction<F> function_;
  const AbortController stop_;
  const std::size_t most_;
  const Priority priority_;
  const bool ordered_;
  // The reading side has room.
  bool wants_;
  bool delivers_ = false;
  // The answer to the last write, and to the end, is due when there is room, and when all is out.
  bool holds_ = false;
  bool flushes_ = false;
  std::size_t open_ = 0;
  // In order: a place for each open chunk from `first_` on. Else what is done.
  std::deque<std::optional<Out>> results_;
  std::uint64_t first_ = 0;
  std::uint64_t next_ = 0;
};

template <class In, class Out, class F>
void PoolMapState<In, Out, F>::worked(std::uint64_t number, std::optional<Out> made,
                                      std::exception_ptr error) {
  if (this->destroyed()) return;
  if (error) return StreamCore::destroy(std::move(error));
  if (ordered_) {
    std::optional<Out>& place = results_[static_cast<std::size_t>(number - first_)];
    place.emplace(std::move(*made));
  } else {
    results_.push_back(std::move(made));
  }
  deliver();
}

/// What a listener does with a chunk may come back here.
template <class In, class Out, class F>
void PoolMapState<In, Out, F>::deliver() {
  if (delivers_) return;
  const Ref<StreamCore> alive(this);
  {
    struct Delivering {
      explicit Delivering(bool& flag) noexcept : is(flag) { is = true; }
      ~Delivering() { is = false; }
      bool& is;
    } const delivering(delivers_);
    while (wants_ && !this->destroyed() && !results_.empty() && results_.front()) {
      Out made = std::move(*results_.front());
      results_.pop_front();
      ++first_;
      --open_;
      wants_ = false;
      tellListeners([&] { this->push(std::move(made)); });
      if (this->canPushMore()) wants_ = true;
    }
  }
  goOn();
}

template <class In, class Out, class F>
void PoolMapState<In, Out, F>::goOn() {
  if (this->destroyed()) return;
  if (holds_ && open_ < most_) {
    holds_ = false;
    this->onWrite(nullptr);
  }
  if (!flushes_ || open_ > 0 || this->destroyed()) return;
  flushes_ = false;
  this->pushEnd();
  this->onFinal(nullptr);
}

struct DeducedChunk;

template <class Chunk, class F>
struct PoolMapTypes {
  using Function = std::decay_t<F>;
  using In = Chunk;
  using Out = typename PoolCall<SharedFunction<Function>, In>::Result;
};
template <class F>
struct PoolMapTypes<DeducedChunk, F> : PoolMapTypes<typename ItemTaken<std::decay_t<F>>::Type, F> {
};

}  // namespace detail

/// A stage that gives `f(chunk)` for each chunk that is written to it, called on the workers of a pool:
/// `pipeline(source, poolMap(f, {.concurrency = 8}), sink)`, or `compose(source, poolMap(f))` to be read. A
/// Duplex<Out, In>. The chunk's type is that of the parameter of `f`; when that is not told: `poolMap<In>(f)`.
///
/// Chunks wait where they are while `concurrency` of them are with the pool. What `f` gives is awaited there
/// when it is a Task. `readable.map(f, {.concurrency = n})` with a coroutine that awaits `pool.run` does the
/// same in order; there a call goes on when the stream has been destroyed.
///
/// Cancel: destroyed, by its signal or by the pipeline, calls that have not begun never will; what those that
/// have give is dropped.
/// Lifetime: `f` is moved into the stream and kept until the last call has ended. Thread: it is called on
/// several at once, as a const object.
/// Throws, as the stream's error: what `f` throws, the first; Error ERR_POOL_CLOSED, ERR_POOL_FULL.
template <class Chunk = detail::DeducedChunk, class F>
auto poolMap(F&& f, PoolMapOptions options = {}) {
  LEAT_GUARD_CLOSURE(F);
  using Types = detail::PoolMapTypes<Chunk, F>;
  using Function = typename Types::Function;
  using In = typename Types::In;
  using Out = typename Types::Out;
  static_assert(
      std::is_invocable_v<const Function&, In>,
      "poolMap(f): f is called on several threads at once, so as a const object: it cannot "
      "be mutable");
  static_assert(isSendable<Function>,
                "poolMap(f): a handle of a loop may not go to another thread");
  static_assert(!std::is_void_v<Out>, "poolMap(f): f gives what is to be read");
  DuplexOptions sides;
  sides.highWaterMark = options.highWaterMark;
  sides.signal = options.signal;
  return Duplex<Out, In>(detail::Ref<detail::DuplexState<Out, In>>(
      detail::makeRef<detail::PoolMapState<In, Out, Function>>(std::forward<F>(f), options,
                                                               sides)));
}

}  // namespace leat::inline LEAT_ABI
