// SPDX-License-Identifier: MIT
// How a stream calls its implementation: any object with some of the methods read, write, writev, final,
// transform, flush, construct and destroy, or one callable for the first of them. A method may answer by
// a callback as in Node, by returning, or as a coroutine.
#pragma once

#include <leat/stream/detail/readable_state.hpp>

#include <optional>

namespace leat::inline LEAT_ABI {

namespace detail {

using StreamAnswer = void (*)(StreamCore&, std::exception_ptr);

}  // namespace detail

/// What an implementation calls when it is done, once: `done()`, or `done(error)` with an exception or an
/// exception_ptr. Copies answer for the same call. Node: the `callback` of `_write`, `_final`, `_destroy`
/// and `_construct`.
///
/// Lifetime: keeps the stream, until the loop ends; then a call does nothing. Thread: the loop's.
class StreamCallback {
 public:
  using LoopBound = void;
  StreamCallback(detail::StreamCore& stream, detail::StreamAnswer answer)
      : hold_(stream), answer_(answer) {}
  void operator()() const { tell(nullptr); }
  template <class E>
  void operator()(E&& error) const {
    tell(detail::asReason(std::forward<E>(error)));
  }

 private:
  void tell(std::exception_ptr error) const {
    detail::StreamCore* const stream = hold_.stream();
    if (stream != nullptr) answer_(*stream, std::move(error));
  }
  detail::AnswerHold hold_;
  detail::StreamAnswer answer_;
};

namespace detail {

#define LEAT_STREAM_HOOK(Name, method)                                                   \
  struct Name {                                                                          \
    template <class I, class... A>                                                       \
      requires requires(I& impl, A&&... args) { impl.method(std::forward<A>(args)...); } \
    decltype(auto) operator()(I& impl, A&&... args) const {                              \
      return impl.method(std::forward<A>(args)...);                                      \
    }                                                                                    \
  }
/// One that a callable may stand for.
#define LEAT_STREAM_MAIN_HOOK(Name, method)                                              \
  struct Name {                                                                          \
    template <class I, class... A>                                                       \
      requires requires(I& impl, A&&... args) { impl.method(std::forward<A>(args)...); } \
    decltype(auto) operator()(I& impl, A&&... args) const {                              \
      return impl.method(std::forward<A>(args)...);                                      \
    }                                                                                    \
    template <class I, class... A>                                                       \
      requires std::is_invocable_v<I&, A...>                                             \
    decltype(auto) operator()(I& impl, A&&... args) const {                              \
      return impl(std::forward<A>(args)...);                                             \
    }                                                                                    \
  }
LEAT_STREAM_MAIN_HOOK(ReadHook, read);
LEAT_STREAM_MAIN_HOOK(WriteHook, write);
LEAT_STREAM_MAIN_HOOK(TransformHook, transform);
LEAT_STREAM_HOOK(WritevHook, writev);
LEAT_STREAM_HOOK(FinalHook, final);
LEAT_STREAM_HOOK(FlushHook, flush);
LEAT_STREAM_HOOK(DestroyHook, destroy);
LEAT_STREAM_HOOK(ConstructHook, construct);
#undef LEAT_STREAM_HOOK
#undef LEAT_STREAM_MAIN_HOOK

template <class Hook, class I, class... A>
inline constexpr bool takes = std::is_invocable_v<Hook, I&, A...>;

template <class R>
inline constexpr bool isAwaited = false;
template <Awaitable R>
inline constexpr bool isAwaited<R> = true;

/// A handle that a hook refers to: as long as the hook runs, which for a coroutine is longer than the call.
template <class Handle>
struct KeptHandle {
  explicit KeptHandle(Handle&& handle) : block(makeRef<CallbackBlock<Handle>>(std::move(handle))) {}
  Handle& get() const noexcept { return block->callable; }
  Ref<CallbackBlock<Handle>> block;
};
struct NoHandle {};

/// Waits for what a hook has made, and answers.
template <class Made, class Kept>
Promise<> driveHook(Ref<StreamCore> stream, StreamAnswer answer, Made made, Kept) {
  std::exception_ptr error;
  try {
    (void)co_await std::move(made);
  } catch (...) {
    error = std::current_exception();
  }
  answer(*stream, std::move(error));
}

/// Calls `call()` and answers when that has returned, or when what it has made is done.
template <class Call, class Kept = NoHandle>
LEAT_ALWAYS_INLINE inline void runHook(StreamCore& stream, StreamAnswer answer, Call&& call,
                                       const Kept& kept = {}) {
  using Made = decltype(call());
  if constexpr (isAwaited<Made>) {
    std::exception_ptr error;
    try {
      (void)driveHook<Made, Kept>(Ref<StreamCore>(&stream), answer, call(), kept);
      return;
    } catch (...) {
      error = std::current_exception();
    }
    answer(stream, std::move(error));
  } else {
    std::exception_ptr error;
    try {
      (void)call();
    } catch (...) {
      error = std::current_exception();
    }
    answer(stream, std::move(error));
  }
}

/// A hook that takes these arguments and answers, in the form that the implementation has.
template <class Hook, class I, class Self, class... A>
LEAT_ALWAYS_INLINE inline void answerHook(I& impl, StreamCore& stream, StreamAnswer answer,
                                          Self&& self, A&&... args) {
  constexpr Hook hook;
  using Handle = decltype(self());
  if constexpr (takes<Hook, I, A..., StreamCallback>) {
    (void)hook(impl, std::forward<A>(args)..., StreamCallback(stream, answer));
  } else if constexpr (takes<Hook, I, Handle&, A..., StreamCallback>) {
    Handle handle = self();
    (void)hook(impl, handle, std::forward<A>(args)..., StreamCallback(stream, answer));
  } else if constexpr (takes<Hook, I, A...>) {
    runHook(stream, answer,
            [&]() -> decltype(auto) { return hook(impl, std::forward<A>(args)...); });
  } else {
    static_assert(takes<Hook, I, Handle&, A...>,
                  "the implementation of the stream has this method with other parameters; see the "
                  "comment of the class for those that are called");
    const KeptHandle<Handle> kept(self());
    runHook(
        stream, answer,
        [&]() -> decltype(auto) { return hook(impl, kept.get(), std::forward<A>(args)...); }, kept);
  }
}

/// Whether an implementation has a hook, in any form.
template <class Hook, class I, class Handle, class... A>
inline constexpr bool hasHook =
    takes<Hook, I, A..., StreamCallback> || takes<Hook, I, Handle&, A..., StreamCallback> ||
    takes<Hook, I, A...> || takes<Hook, I, Handle&, A...>;

/// Whether a hook is done when it returns, and gives nothing to wait for.
template <class Hook, class I, class Handle, class... A>
inline constexpr bool returnsWhenDone = [] {
  if constexpr (takes<Hook, I, A..., StreamCallback> ||
                takes<Hook, I, Handle&, A..., StreamCallback>) {
    return false;
  } else if constexpr (takes<Hook, I, A...>) {
    return !isAwaited<std::invoke_result_t<Hook, I&, A...>>;
  } else if constexpr (takes<Hook, I, Handle&, A...>) {
    return !isAwaited<std::invoke_result_t<Hook, I&, Handle&, A...>>;
  } else {
    return false;
  }
}();
/// Calls such a hook.
template <class Hook, class I, class Self, class... A>
LEAT_ALWAYS_INLINE inline void callPlain(I& impl, Self&& self, A&&... args) {
  constexpr Hook hook;
  if constexpr (takes<Hook, I, A...>) {
    (void)hook(impl, std::forward<A>(args)...);
  } else {
    auto handle = self();
    (void)hook(impl, handle, std::forward<A>(args)...);
  }
}

inline void answerWrite(StreamCore& stream, std::exception_ptr error) {
  stream.writable()->onWrite(std::move(error));
}
inline void answerFinal(StreamCore& stream, std::exception_ptr error) {
  stream.writable()->onFinal(std::move(error));
}
inline void answerDestroy(StreamCore& stream, std::exception_ptr error) {
  stream.onDestroyed(std::move(error));
}
inline void answerConstruct(StreamCore& stream, std::exception_ptr error) {
  stream.onConstructed(std::move(error));
}

/// The tear-down of an implementation: `destroy(error, done)`, `destroy(error)` or `destroy()`. What it
/// returns ends with the error that it was called with.
template <class I, class Self>
void destroyWith(I& impl, StreamCore& stream, std::exception_ptr error, Self&& self) {
  using Handle = decltype(self());
  if constexpr (takes<DestroyHook, I, std::exception_ptr, StreamCallback> ||
                takes<DestroyHook, I, Handle&, std::exception_ptr, StreamCallback>) {
    answerHook<DestroyHook>(impl, stream, &answerDestroy, self, std::move(error));
  } else if constexpr (hasHook<DestroyHook, I, Handle, std::exception_ptr> ||
                       hasHook<DestroyHook, I, Handle>) {
    // What is torn down for an error ends with it, unless tearing down fails.
    const StreamAnswer answer = [](StreamCore& ended, std::exception_ptr failure) {
      ended.onDestroyed(failure ? std::move(failure) : ended.destroyedBy);
    };
    if constexpr (hasHook<DestroyHook, I, Handle, std::exception_ptr>) {
      answerHook<DestroyHook>(impl, stream, answer, self, std::move(error));
    } else {
      answerHook<DestroyHook>(impl, stream, answer, self);
    }
  } else {
    stream.onDestroyed(std::move(error));
  }
}

// ---- reading ----

/// What `read` gave instead of pushing: a chunk, or nothing at the end.
template <class T>
void pushPulled(ReadableState<T>& state, std::optional<T>&& chunk) {
  if (chunk) {
    state.push(std::move(*chunk));
  } else {
    state.pushEnd();
  }
}

template <class T, class Made, class Kept>
Promise<> drivePull(Ref<StreamCore> stream, ReadableState<T>& state, Made made, Kept) {
  std::exception_ptr error;
  std::optional<T> chunk;
  constexpr bool gives = !std::is_void_v<AwaitResult<Made>>;
  try {
    if constexpr (gives) {
      chunk = co_await std::move(made);
    } else {
      co_await std::move(made);
    }
  } catch (...) {
    error = std::current_exception();
  }
  if (error) {
    stream->fail(std::move(error));
  } else if constexpr (gives) {
    pushPulled(state, std::move(chunk));
  }
}

/// `read(self, size)`, `read(self)` push; `read(size)` and `read()` give a std::optional.
template <class T, class I, class Self>
void readWith(I& impl, StreamCore& stream, ReadableState<T>& state, std::size_t size, Self&& self) {
  constexpr ReadHook hook;
  using Handle = decltype(self());
  const auto take = [&]<class Kept = NoHandle>(auto&& call, const Kept& kept = {}) {
    using Made = decltype(call());
    if constexpr (std::is_void_v<Made>) {
      call();
    } else if constexpr (isAwaited<Made>) {
      (void)drivePull<T, Made, Kept>(Ref<StreamCore>(&stream), state, call(), kept);
    } else if constexpr (std::is_convertible_v<Made, std::optional<T>>) {
      pushPulled(state, std::optional<T>(call()));
    } else {
      (void)call();
    }
  };
  /// Calls with the handle: on the stack, where that is long enough.
  const auto withHandle = [&](auto&& call) {
    if constexpr (isAwaited<decltype(call(std::declval<Handle&>()))>) {
      const KeptHandle<Handle> kept(self());
      take([&]() -> decltype(auto) { return call(kept.get()); }, kept);
    } else {
      Handle handle = self();
      take([&]() -> decltype(auto) { return call(handle); });
    }
  };
  if constexpr (takes<ReadHook, I, Handle&, std::size_t>) {
    withHandle([&](Handle& handle) -> decltype(auto) { return hook(impl, handle, size); });
  } else if constexpr (takes<ReadHook, I, Handle&>) {
    withHandle([&](Handle& handle) -> decltype(auto) { return hook(impl, handle); });
  } else if constexpr (takes<ReadHook, I, std::size_t>) {
    take([&]() -> decltype(auto) { return hook(impl, size); });
  } else {
    static_assert(takes<ReadHook, I>,
                  "the source of a Readable has read(self, size) or read(self), which push, or "
                  "read(size) or read(), which give a std::optional of a chunk");
    take([&]() -> decltype(auto) { return hook(impl); });
  }
}

}  // namespace detail
}  // namespace leat::inline LEAT_ABI
