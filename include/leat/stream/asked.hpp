// SPDX-License-Identifier: MIT
// What may be asked of a stream of any kind, by functions: isReadable, isWritable, isErrored, isDisturbed.
// A handle of one side is asked for the whole stream. Sockets and messages are not asked: to have a stream changes how
// they are read. Node: those of `stream`, lib/internal/streams/utils.js.
#pragma once

#include <leat/stream/detail/stream_methods.hpp>

namespace leat::inline LEAT_ABI {

/// Whether there may be something to read: it has a readable side, which has not ended, and neither failed
/// nor was destroyed. Node: `stream.isReadable`, which gives null where this gives false since there is no
/// such side.
template <detail::StreamLike S>
bool isReadable(const S& stream) {
  const detail::ReadableCore* const side = stream.core().readable();
  return side != nullptr && side->isReadable();
}
/// Whether it may be written: it has a writable side, on which nobody has called `end`, and neither failed
/// nor was destroyed. Node: `stream.isWritable`, null as above.
template <detail::StreamLike S>
bool isWritable(const S& stream) {
  const detail::WritableCore* const side = stream.core().writable();
  return side != nullptr && side->isWritable();
}
/// Whether "error" was emitted; with an error that is about to be it is false. Node: `stream.isErrored`.
template <detail::StreamLike S>
bool isErrored(const S& stream) {
  return stream.core().flags.any(detail::StreamFlag::ErrorEmitted);
}
/// Whether it was read, or failed or was destroyed before its end. Node: `stream.isDisturbed`, and
/// `Readable.isDisturbed`.
template <detail::StreamLike S>
bool isDisturbed(const S& stream) {
  const detail::ReadableCore* const side = stream.core().readable();
  return side != nullptr && (side->flags.any(detail::ReadFlag::DataEmitted) || side->aborted());
}

}  // namespace leat::inline LEAT_ABI
