// SPDX-License-Identifier: MIT
// JSON documents, one per line, cut out of bytes and put together; they are not parsed. ndjson.org,
// jsonlines.org.
#pragma once

#include <leat/stream/lines.hpp>

namespace leat::inline LEAT_ABI {

/// Options of NdjsonReader.
struct NdjsonOptions {
  /// Bytes that a document may have: more is RangeError ERR_OUT_OF_RANGE, naming the line.
  std::size_t maxLength = std::size_t{16} << 20;
};

/// Cuts bytes into documents: the lines that hold more than white space. "\n" and "\r\n" end a line, a
/// byte order mark is dropped, and what is no UTF-8 becomes U+FFFD.
///
/// Throws, as the stream's error: RangeError ERR_OUT_OF_RANGE.
class NdjsonReader : public Transform<Buffer, std::string> {
 public:
  explicit NdjsonReader(NdjsonOptions ndjson = {}, const DuplexOptions& options = {})
      : NdjsonReader(detail::makeRef<State>(options, lineOptions(ndjson), true)) {}

 private:
  using State = detail::SplitterState<std::string, detail::LineParser>;
  explicit NdjsonReader(const detail::Ref<State>& state)
      : Transform(detail::Ref<detail::StreamCore>(state), *state) {}
  static LineOptions lineOptions(const NdjsonOptions& options) noexcept {
    LineOptions lines;
    lines.maxLength = options.maxLength;
    lines.stripBom = true;
    return lines;
  }
};

namespace detail {

struct NdjsonFormat {
  Buffer transform(std::string document) const {
    // Within strings of JSON they are escaped, so these are white space.
    for (char& c : document)
      if (c == '\n' || c == '\r') c = ' ';
    document += '\n';
    return Buffer::from(std::move(document));
  }
};

}  // namespace detail

/// Writes each document in a line of its own. The line breaks of one that is spread over several lines
/// become spaces.
class NdjsonWriter : public Transform<std::string, Buffer> {
 public:
  explicit NdjsonWriter(const DuplexOptions& options = {})
      : Transform(detail::NdjsonFormat(), options) {}
};

}  // namespace leat::inline LEAT_ABI
