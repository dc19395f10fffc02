// SPDX-License-Identifier: MIT
// Bytes that become text on their way: setEncoding of what is read, and the same as a stage. Characters that
// are cut by the chunks come whole.
#pragma once

#include <leat/buffer/string_decoder.hpp>
#include <leat/stream/transform.hpp>

#include <string>

namespace leat::inline LEAT_ABI {

namespace detail {

LEAT_ON_USE
Readable<std::string> decodedText(Readable<Buffer> bytes, EncodingName encoding);

#if LEAT_BODIES
/// What a stream of text and the listeners on the stream of bytes under it share. A template, as is what goes with it,
/// so that a program that decodes nothing does not compile streams of text.
template <class = void>
struct TextState : Counted<TextState<>> {
  TextState(Readable<Buffer> from, EncodingName encoding)
      : bytes(std::move(from)), decoder(encoding) {}

  /// Until there is enough, or nothing more now.
  void read(const Readable<std::string>& text) {
    waiting = false;
    while (auto chunk = bytes.read()) {
      std::string some = decoder.write(*chunk);
      if (!some.empty() && !text.push(std::move(some))) return;
    }
    waiting = true;
  }
  void end(const Readable<std::string>& text) {
    std::string rest = decoder.end();
    if (!rest.empty()) text.push(std::move(rest));
    text.push(nullptr);
  }
  /// The writing side of a stream with two goes on after the end.
  void destroy(std::exception_ptr error) {
    if (error || !bytes.readableEnded()) bytes.core().destroy(std::move(error));
  }

  Readable<Buffer> bytes;
  StringDecoder decoder;
  // The stream of text has asked, and there was nothing.
  bool waiting = false;
};

template <class = void>
struct TextSource {
  void read(Readable<std::string>& self) { state->read(self); }
  void destroy(std::exception_ptr error, const StreamCallback& done) {
    state->destroy(error);
    done(error);
  }
  Ref<TextState<>> state;
};

LEAT_ON_USE_BODY
Readable<std::string> decodedText(Readable<Buffer> bytes, EncodingName encoding) {
  const auto state = makeRef<TextState<>>(bytes, encoding);
  StreamOptions options;
  options.highWaterMark = 1;
  Readable<std::string> text(TextSource<>{state}, options);
  // It tells this only once.
  if (bytes.readableEnded()) text.push(nullptr);
  if (bytes.core().closeEmitted()) {
    if (!bytes.readableEnded()) text.core().destroy(bytes.errored());
    return text;
  }
  bytes.on<"readable">([state, text] {
    if (state->waiting) state->read(text);
  });
  bytes.on<"end">([state, text] { state->end(text); });
  bytes.on<"error">([text](const std::exception_ptr& error) { text.destroy(error); });
  bytes.on<"close">([state, text] {
    if (!state->bytes.readableEnded()) text.destroy();
  });
  return text;
}

template <class = void>
struct DecodeText {
  explicit DecodeText(EncodingName encoding) : decoder(encoding) {}
  std::optional<std::string> transform(const Buffer& bytes) { return some(decoder.write(bytes)); }
  std::optional<std::string> flush() { return some(decoder.end()); }
  static std::optional<std::string> some(std::string&& text) {
    if (text.empty()) return std::nullopt;
    return std::move(text);
  }
  StringDecoder decoder;
};
#endif

template <class Self, class T>
Readable<std::string> ReadableMethods<Self, T>::setEncoding(EncodingName encoding) const
  requires countsBytes<T>
{
  return decodedText(Readable<Buffer>(Ref<StreamCore>(&core()), side()), encoding);
}

}  // namespace detail

/// Bytes to text, as a stage of a pipeline: `pipeline(source, TextDecoderStream("utf8"), sink)`. Characters
/// that are cut by the chunks come whole, and what is left at the end comes as `StringDecoder::end` gives
/// it. A chunk that completes nothing gives nothing.
///
/// Node: what `setEncoding` does. Throws: TypeError ERR_UNKNOWN_ENCODING.
class TextDecoderStream : public Transform<Buffer, std::string> {
 public:
  LEAT_ON_USE
  explicit TextDecoderStream(detail::EncodingName encoding = "utf8",
                             const DuplexOptions& options = {});
};

#if LEAT_BODIES
LEAT_ON_USE_BODY
TextDecoderStream::TextDecoderStream(detail::EncodingName encoding, const DuplexOptions& options)
    : Transform(detail::DecodeText<>(encoding), options) {}
#endif

}  // namespace leat::inline LEAT_ABI
