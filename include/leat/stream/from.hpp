// SPDX-License-Identifier: MIT
// Streams of what is no stream: ranges, generators, one value. Node: stream.Readable.from.
#pragma once

#include <leat/base/owned.hpp>
#include <leat/core/async_generator.hpp>
#include <leat/core/with_context.hpp>
#include <leat/stream/readable.hpp>

#include <iterator>

namespace leat::inline LEAT_ABI {

namespace detail {

/// What an iterator stands on as a value: not what only refers to it, as those of std::vector<bool> give.
template <class Iterator>
struct PointedAt {
  using Type = std::remove_cvref_t<decltype(*std::declval<Iterator&>())>;
};
template <class Iterator>
  requires std::is_constructible_v<std::iter_value_t<Iterator>,
                                   decltype(*std::declval<Iterator&>())>
struct PointedAt<Iterator> {
  using Type = std::iter_value_t<Iterator>;
};
template <class T>
struct ItemOf;
template <class T>
  requires requires(T& range) { *range.begin(); }
struct ItemOf<T> : PointedAt<decltype(std::declval<T&>().begin())> {};
template <class T>
struct ItemOf<AsyncGenerator<T>> {
  using Type = std::remove_cvref_t<T>;
};

/// A range as a source. It is kept in a block of its own, so that its iterators stay valid.
template <class T, class Range>
class RangeSource {
 public:
  explicit RangeSource(Range&& range) : kept_(makeOwned<Kept>(std::move(range))) {}
  void read(Readable<T>& self) {
    while (!(kept_->at == kept_->range.end())) {
      T item(*kept_->at);
      ++kept_->at;
      if (!self.push(std::move(item))) return;
    }
    self.push(nullptr);
  }

 private:
  struct Kept {
    explicit Kept(Range&& r) : range(std::move(r)), at(range.begin()) {}
    Range range;
    decltype(std::declval<Range&>().begin()) at;
  };
  Owned<Kept> kept_;
};

/// A generator as a source: one coroutine asks it for as long as there is room.
template <class T, class Item>
class GeneratorSource {
 public:
  explicit GeneratorSource(AsyncGenerator<Item>&& generator, AbortState* signal = nullptr)
      : state_(makeRef<State>(std::move(generator))) {
    if (signal != nullptr) state_->signal = Ref<AbortState>(signal);
  }
  void read(Readable<T>& self) {
    if (std::exchange(state_->reading, true)) return;
    try {
      begin(self);
    } catch (...) {
      // No memory for that: it has not begun, and there is nothing for `destroy` to wait for.
      state_->reading = false;
      throw;
    }
  }
  /// A generator in its own code ends when it yields next; then it is destroyed, as by Node's `return`.
  void destroy(std::exception_ptr error, StreamCallback done) {
    if (state_->reading && !state_->over) {
      state_->onStop = [done = std::move(done), error = std::move(error)] { done(error); };
      return;
    }
    state_->generator.reset();
    nextTick([done = std::move(done), error = std::move(error)] { done(error); });
  }

 private:
  struct State : Counted<State> {
    explicit State(AsyncGenerator<Item>&& g) : generator(std::move(g)) {}
    std::optional<AsyncGenerator<Item>> generator;
    // The ambient one of the generator, besides the one around.
    Ref<AbortState> signal;
    bool reading = false;
    bool over = false;
    Function<void()> onStop;
  };
  void begin(Readable<T>& self) {
    if (!state_->signal) return (void)pump(self, state_);
    const ContextScope scope(contextUnder(state_->signal));
    (void)pump(self, state_);
  }
  static Promise<> pump(Readable<T> self, Ref<State> state) {
    std::exception_ptr error;
    try {
      for (;;) {
        auto item = co_await state->generator->next();
        if (self.destroyed()) break;
        if (!item) {
          state->over = true;
          // What it holds goes now, and what it reads is destroyed, before the end is told.
          state->generator.reset();
          self.push(nullptr);
          break;
        }
        if (self.push(T(std::forward<Item>(*item)))) continue;
        state->reading = false;
        break;
      }
    } catch (...) {
      error = std::current_exception();
    }
    if (error) {
      state->over = true;
      self.destroy(error);
    }
    if (!state->onStop) co_return;
    Function<void()> stop = std::move(state->onStop);
    state->onStop.reset();
    state->generator.reset();
    nextTick(std::move(stop));
  }

  Ref<State> state_;
};

/// A source of one chunk.
template <class T>
struct OneSource {
  void read(Readable<T>& self) {
    self.push(std::move(value));
    self.push(nullptr);
  }
  T value;
};

inline StreamOptions fromOptions(StreamOptions options) noexcept {
  if (options.highWaterMark == unsetMark) options.highWaterMark = 1;
  return options;
}

}  // namespace detail

/// The items of a range, which is moved or copied into the stream. Items that are kept are kept one at a
/// time, unless the options say otherwise. Node: `Readable.from(iterable)`.
template <class Range>
  requires requires(Range& range) { typename detail::ItemOf<std::decay_t<Range>>::Type; } &&
           (!std::is_same_v<std::decay_t<Range>, std::string> &&
            !std::is_same_v<std::decay_t<Range>, Buffer>)
auto readableFrom(Range&& range, StreamOptions options = {}) {
  using Kept = std::decay_t<Range>;
  using T = typename detail::ItemOf<Kept>::Type;
  return Readable<T>(detail::RangeSource<T, Kept>(Kept(std::forward<Range>(range))),
                     detail::fromOptions(options));
}
/// What a generator yields. It is asked for more when there is room, and destroyed with the stream.
template <class Item>
auto readableFrom(AsyncGenerator<Item> generator, StreamOptions options = {}) {
  using T = std::remove_cvref_t<Item>;
  return Readable<T>(detail::GeneratorSource<T, Item>(std::move(generator)),
                     detail::fromOptions(options));
}
/// One chunk. Node: `Readable.from(text)`.
LEAT_ON_USE
Readable<Buffer> readableFrom(std::string_view text, StreamOptions options = {});
LEAT_ON_USE
Readable<Buffer> readableFrom(Buffer bytes, StreamOptions options = {});

#if LEAT_BODIES
LEAT_ON_USE_BODY
Readable<Buffer> readableFrom(std::string_view text, StreamOptions options) {
  return Readable<Buffer>(detail::OneSource<Buffer>{Buffer::from(text)}, options);
}

LEAT_ON_USE_BODY
Readable<Buffer> readableFrom(Buffer bytes, StreamOptions options) {
  return Readable<Buffer>(detail::OneSource<Buffer>{std::move(bytes)}, options);
}
#endif

}  // namespace leat::inline LEAT_ABI
