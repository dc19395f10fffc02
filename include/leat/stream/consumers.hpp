// SPDX-License-Identifier: MIT
// consumers: all that comes out of a stream, as one. Node: stream/consumers, lib/stream/consumers.js.
#pragma once

#include <leat/buffer/utf8.hpp>
#include <leat/core/promise.hpp>
#include <leat/stream/readable.hpp>

namespace leat::inline LEAT_ABI {

/// All that comes out of a stream, as one. Node: stream/consumers.
namespace consumers {

namespace detail {
using namespace leat::detail;

/// As TextDecoder reads it: without the byte order mark in front, U+FFFD for what is no UTF-8.
LEAT_INLINE std::string textOfBytes(std::string&& bytes);

#if LEAT_BODIES
LEAT_INLINE std::string textOfBytes(std::string&& bytes) {
  if (bytes.starts_with("\xef\xbb\xbf")) bytes.erase(0, 3);
  if (utf8Prefix(octets(bytes), bytes.size()) == bytes.size()) return std::move(bytes);
  return wellFormed(bytes);
}
#endif

enum class As : bool { Bytes, Text };

/// Bytes become text when all are there: chunks may cut characters, and the mark.
template <As as, class T>
Promise<std::string> gather(ChunkIterator<T> chunks) {
  std::string all;
  while (auto chunk = co_await chunks.next()) {
    if constexpr (countsBytes<T>) {
      all.append(chunk->view());
    } else {
      all.append(*chunk);
    }
  }
  if constexpr (countsBytes<T> && as == As::Text) all = textOfBytes(std::move(all));
  co_return all;
}

template <class S, class Parse>
auto parseAll(S stream, Parse parse) -> Promise<std::invoke_result_t<Parse&, std::string>> {
  std::string all = co_await gather<As::Text>(stream.iterator());
  co_return parse(std::move(all));
}

}  // namespace detail

/// The text of a stream of Buffers, or of strings. Of Buffers a byte order mark in front is left out, and
/// what is no UTF-8 is U+FFFD; strings stay as they are. Throws: what the stream fails with.
template <class S>
Promise<std::string> text(const S& stream) {
  return detail::gather<detail::As::Text>(stream.iterator());
}
/// The bytes of a stream of Buffers, or of strings, one behind the other, as they are. Node:
/// `consumers.bytes`.
template <class S>
Promise<Buffer> bytes(const S& stream) {
  return detail::gather<detail::As::Bytes>(stream.iterator()).then([](std::string all) {
    return Buffer::adopt(std::move(all));
  });
}
/// The same. Node: `consumers.buffer`.
template <class S>
Promise<Buffer> buffer(const S& stream) {
  return bytes(stream);
}
/// What `parse(text)` makes of its text: the hook for a JSON library. Node: `consumers.json`.
template <class S, class Parse>
auto json(const S& stream, Parse&& parse) {
  LEAT_GUARD_CLOSURE(Parse);
  return detail::parseAll<S, std::decay_t<Parse>>(stream, std::forward<Parse>(parse));
}

}  // namespace consumers
}  // namespace leat::inline LEAT_ABI
