// SPDX-License-Identifier: MIT
// The head of a message as it came: one text, and where in it the parts are.
#pragma once

#include <leat/http/detail/chars.hpp>
#include <leat/http/detail/text_buffer.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace leat::inline LEAT_ABI::http::detail {

/// A piece of the text of a head.
struct HeadPart {
  std::uint32_t at = 0;
  std::uint32_t size = 0;
};
struct FieldParts {
  HeadPart name;
  HeadPart value;
};
/// A header field. Lifetime: of the message.
struct FieldView {
  std::string_view name;
  std::string_view value;
};

/// How the body of a message ends (RFC 9112 section 6).
enum class Framing : unsigned char { None, Length, Chunked, UntilClose };

struct Head {
  TextBuffer text;
  std::vector<FieldParts> fields;
  HeadPart method;  // of a request
  HeadPart target;
  HeadPart reason;  // of a response
  std::uint64_t contentLength = 0;
  std::uint16_t status = 0;
  std::uint8_t minorVersion = 1;
  Framing framing = Framing::None;
  bool keepAlive = true;
  /// It asks for another protocol: `Upgrade`, and `Connection` says so.
  bool upgrade = false;
  bool hasExpect = false;
  bool hasLength = false;

  std::string_view view(HeadPart part) const noexcept { return {text.data() + part.at, part.size}; }
  FieldView field(const FieldParts& parts) const noexcept {
    return {view(parts.name), view(parts.value)};
  }
  /// For another message; the memory stays.
  void clear() noexcept {
    if (text.empty() && fields.empty()) return;
    text.clear();
    fields.clear();
    method = target = reason = HeadPart();
    contentLength = 0;
    status = 0;
    minorVersion = 1;
    framing = Framing::None;
    keepAlive = true;
    upgrade = hasExpect = hasLength = false;
  }
  /// So much memory, a power of two, or more is not worth keeping for the next message.
  static constexpr std::size_t keptMemory = 1024;
  /// Of several sizes or-ed together: whether one of them is as much.
  static constexpr bool isMuch(std::size_t sizes) noexcept { return sizes >= keptMemory; }
  std::size_t memory() const noexcept {
    return text.capacity() | (fields.capacity() * sizeof(FieldParts));
  }
};

}  // namespace leat::inline LEAT_ABI::http::detail
