// SPDX-License-Identifier: MIT
// compose: a row of stages as one Duplex. Node: stream.compose, lib/internal/streams/compose.js.
#pragma once

#include <leat/stream/duplex_from.hpp>
#include <leat/stream/pipeline.hpp>

namespace leat::inline LEAT_ABI {

namespace detail {

template <class R, class W>
class ComposedDuplex final : public OuterDuplex<R, W> {
 public:
  using Self = Ref<ComposedDuplex>;
  ComposedDuplex(const DuplexOptions& options, StreamCore& tail)
      : OuterDuplex<R, W>(options, !options.readable && !options.writable), tail_(&tail) {}

  void startWriting(const Writable<W>& head) {
    this->writeTo(head);
    watchEnd(*tail_, {},
             [self = Self(this)](const std::exception_ptr& error) { self->tailOver(error); });
  }
  void pipelineOver(const std::exception_ptr& error) { this->onOver(error ? error : tailError_); }

 private:
  /// Node takes a tail that has failed for one that has finished. Why it failed the pipeline tells better,
  /// unless that has ended well before.
  void tailOver(const std::exception_ptr& error) {
    if (!error) return this->finished();
    tailError_ = error;
    if (this->over()) this->onOver(error);
  }
  void destroyInners(const std::exception_ptr& error) override { destroyInner(*tail_, error); }

  const Ref<StreamCore> tail_;
  std::exception_ptr tailError_;
};

/// The first or last stage as a stream.
template <class S>
auto composedEnd(S&& stage) {
  using Kept = std::decay_t<S>;
  if constexpr (StreamLike<Kept>) {
    return Kept(std::forward<S>(stage));
  } else if constexpr (HasStream<Kept>) {
    return stage.stream();
  } else if constexpr (std::is_invocable_v<Kept&> || requires { typename ItemOf<Kept>::Type; }) {
    return firstStage(std::forward<S>(stage));
  } else {
    static_assert(ChunkFunction<Kept>,
                  "compose(): the first and the last stage are streams or functions of a "
                  "ChunkIterator<T>, whose type is told: with auto, use duplexFrom<T>(function)");
    return duplexFrom(std::forward<S>(stage));
  }
}

template <class S>
auto readChunkOf() {
  if constexpr (S::hasReadable) {
    return std::type_identity<typename S::ReadChunk>();
  } else {
    return std::type_identity<void>();
  }
}
template <class S>
auto writeChunkOf() {
  if constexpr (S::hasWritable) {
    return std::type_identity<typename S::WriteChunk>();
  } else {
    return std::type_identity<void>();
  }
}
/// A side that there is not has the chunks of the other one.
template <class A, class B>
using SideChunk =
    std::conditional_t<!std::is_void_v<A>, A, std::conditional_t<!std::is_void_v<B>, B, Buffer>>;

template <class Head, class Tail, class... Middle>
auto composed(Head head, Tail tail, Middle&&... middle) {
  using Out = typename decltype(readChunkOf<Tail>())::type;
  using In = typename decltype(writeChunkOf<Head>())::type;
  using R = SideChunk<Out, In>;
  using W = SideChunk<In, Out>;
  DuplexOptions options;
  options.writable = head.core().writable() != nullptr && head.core().writable()->isWritable();
  options.readable = tail.core().readable() != nullptr && tail.core().readable()->isReadable();
  const auto made = makeRef<ComposedDuplex<R, W>>(options, tail.core());
  startPipeline(
      {}, [made](const std::exception_ptr& error) { made->pipelineOver(error); }, head,
      std::forward<Middle>(middle)..., tail);
  if constexpr (Head::hasWritable) {
    if (options.writable) made->startWriting(Writable<W>(head));
  }
  if constexpr (Tail::hasReadable) {
    if (options.readable) made->readFrom(Readable<R>(tail));
  }
  return Duplex<R, W>(Ref<DuplexState<R, W>>(made));
}

}  // namespace detail

/// A row of stages as one stream: what is written to it goes through all of them, and what comes out is read
/// from it. It ends, fails and is destroyed as a pipeline of them is. Where the last stage fails, `end` gives its
/// error and there is no "finish"; Node tells that first, and the error then.
///
/// A stage is a stream, or one of the functions that `pipeline` and `duplexFrom` take. Without a writing
/// side at the beginning, or a reading side at the end, the result has none. Node: `stream.compose`.
template <class Only>
auto compose(Only&& only) {
  return duplexFrom(std::forward<Only>(only));
}
template <class First, class Second, class... More>
auto compose(First&& first, Second&& second, More&&... more) {
  auto all = std::forward_as_tuple(std::forward<Second>(second), std::forward<More>(more)...);
  return [&]<std::size_t... i>(std::index_sequence<i...>) {
    // In the order of the row: functions begin when they are made to streams.
    auto head = detail::composedEnd(std::forward<First>(first));
    auto tail = detail::composedEnd(std::get<sizeof...(More)>(std::move(all)));
    return detail::composed(std::move(head), std::move(tail), std::get<i>(std::move(all))...);
  }(std::make_index_sequence<sizeof...(More)>());
}

}  // namespace leat::inline LEAT_ABI
