// SPDX-License-Identifier: MIT
// Options of streams, their marks, and what a chunk counts.
#pragma once

#include <leat/buffer/buffer.hpp>
#include <leat/core/abort.hpp>

namespace leat::inline LEAT_ABI {

namespace detail {

inline constexpr std::size_t unsetMark = static_cast<std::size_t>(-1);
LEAT_API inline constinit Atomic<std::size_t> defaultByteMark{16 * 1024};
LEAT_API inline constinit Atomic<std::size_t> defaultItemMark{16};

/// Bytes may be cut and joined by `read(n)`, and their mark counts bytes; all else is counted in items.
template <class T>
inline constexpr bool countsBytes = std::is_same_v<T, Buffer>;

template <class T>
LEAT_ALWAYS_INLINE inline std::size_t chunkSize(const T& chunk) noexcept {
  if constexpr (countsBytes<T>) {
    return chunk.size();
  } else {
    return 1;
  }
}

}  // namespace detail

/// How much streams that are made from now on buffer, when their options do not say: bytes for streams of
/// Buffer, else items. Node: `getDefaultHighWaterMark(objectMode)`: 16 KiB and 16 items. Thread: any.
template <class T = Buffer>
std::size_t getDefaultHighWaterMark() noexcept {
  return (detail::countsBytes<T> ? detail::defaultByteMark : detail::defaultItemMark)
      .load(detail::relaxed);
}
/// Node: `setDefaultHighWaterMark(objectMode, value)`. Thread: any.
template <class T = Buffer>
void setDefaultHighWaterMark(std::size_t mark) noexcept {
  (detail::countsBytes<T> ? detail::defaultByteMark : detail::defaultItemMark)
      .store(mark, detail::relaxed);
}

/// Options of a stream with one side. Node: those of `new Readable` and `new Writable`.
struct StreamOptions {
  /// How much is buffered before the source is told to stop: bytes of Buffers, else items. 0: nothing
  /// that was not asked for. Default: `getDefaultHighWaterMark`.
  std::size_t highWaterMark = detail::unsetMark;
  /// Whether "close" is emitted.
  bool emitClose = true;
  /// Whether it is destroyed once it has ended, and by its errors.
  bool autoDestroy = true;
  /// Destroys the stream with an AbortError.
  SignalRef signal{};
};

/// Options of a stream with two sides. Node: those of `new Duplex` and `new Transform`.
struct DuplexOptions {
  /// Of both sides, unless the next two say otherwise.
  std::size_t highWaterMark = detail::unsetMark;
  std::size_t readableHighWaterMark = detail::unsetMark;
  std::size_t writableHighWaterMark = detail::unsetMark;
  bool emitClose = true;
  bool autoDestroy = true;
  /// False: the end of the readable side ends the writable one.
  bool allowHalfOpen = true;
  /// False: the side is over from the beginning.
  bool readable = true;
  bool writable = true;
  SignalRef signal{};
};

namespace detail {

template <class T>
std::size_t markOf(std::size_t mark, std::size_t both = unsetMark) noexcept {
  if (both != unsetMark) return both;
  return mark != unsetMark ? mark : getDefaultHighWaterMark<T>();
}

}  // namespace detail
}  // namespace leat::inline LEAT_ABI
