// SPDX-License-Identifier: MIT
// The header fields that are going to be sent: a text and where in it they are.
#pragma once

#include <leat/core/error.hpp>
#include <leat/http/detail/head.hpp>

#include <cstring>
#include <optional>

namespace leat::inline LEAT_ABI::http {

/// A field to be sent, for lists of them: `{{"Content-Type", "text/plain"}, {"X-Two", "2"}}`.
struct HeaderField {
  std::string_view name;
  std::string_view value;
};

namespace detail {

/// Throws: TypeError ERR_INVALID_HTTP_TOKEN, ERR_INVALID_CHAR. Node: `validateHeaderName`,
/// `validateHeaderValue`.
LEAT_INLINE void checkField(std::string_view name, std::string_view value);

#if LEAT_BODIES
LEAT_INLINE void checkField(std::string_view name, std::string_view value) {
  using leat::detail::SharedText;
  if (!isToken(name)) [[unlikely]]
    throw TypeError(SharedText({"Header name must be a valid HTTP token [\"", name, "\"]"}).view(),
                    "ERR_INVALID_HTTP_TOKEN");
  if (!isText(value)) [[unlikely]]
    throw TypeError(SharedText({"Invalid character in header content [\"", name, "\"]"}).view(),
                    "ERR_INVALID_CHAR");
}
#endif

/// Copies, and gives the place behind. What is short goes without a call.
LEAT_ALWAYS_INLINE inline char* copyText(char* to, std::string_view text) noexcept {
  const std::size_t size = text.size();
  const char* const from = text.data();
  if (size > 16 || size < 4) {
    if (size > 0) std::memcpy(to, from, size);
  } else if (size >= 8) {
    // What lies in the middle is copied twice.
    std::uint64_t first;
    std::uint64_t last;
    std::memcpy(&first, from, 8);
    std::memcpy(&last, from + size - 8, 8);
    std::memcpy(to, &first, 8);
    std::memcpy(to + size - 8, &last, 8);
  } else {
    std::uint32_t first;
    std::uint32_t last;
    std::memcpy(&first, from, 4);
    std::memcpy(&last, from + size - 4, 4);
    std::memcpy(to, &first, 4);
    std::memcpy(to + size - 4, &last, 4);
  }
  return to + size;
}

/// In the order in which their names came first, as in Node.
class OutgoingFields {
 public:
  /// Throws: as `checkField`.
  void add(std::string_view name, std::string_view value) {
    checkField(name, value);
    put(name, value);
  }
  /// In the place of those that have the name.
  void set(std::string_view name, std::string_view value) {
    checkField(name, value);
    const FieldParts* const first = find(name, 0);
    if (first == nullptr) return put(name, value);
    const auto place = static_cast<std::size_t>(first - fields_.data());
    removeFrom(name, place + 1);
    fields_[place] = appended(name, value);
    whole_ = false;
  }
  void remove(std::string_view name) noexcept { removeFrom(name, 0); }
  std::optional<std::string_view> get(std::string_view name) const noexcept {
    for (const FieldParts& parts : fields_)
      if (equalsIgnoringCase(view(parts.name), name)) return view(parts.value);
    return std::nullopt;
  }
  std::size_t size() const noexcept { return fields_.size(); }
  bool empty() const noexcept { return fields_.empty(); }
  FieldView operator[](std::size_t i) const noexcept {
    return {view(fields_[i].name), view(fields_[i].value)};
  }
  /// At most, as they stand in a message.
  std::size_t bytes() const noexcept { return text_.size(); }
  /// As they stand in a message, where nothing was removed or replaced; else nothing.
  std::string_view whole() const noexcept { return whole_ ? text_ : std::string_view(); }
  /// As they stand in a message.
  void writeTo(std::string& out) const {
    if (whole_) {
      out.append(text_);
      return;
    }
    for (const FieldParts& parts : fields_) out.append(line(parts));
  }
  /// With the end of its line.
  std::string_view line(std::size_t i) const noexcept { return line(fields_[i]); }
  void clear() noexcept {
    text_.clear();
    fields_.clear();
    whole_ = true;
  }
  std::size_t memory() const noexcept {
    return text_.capacity() | (fields_.capacity() * sizeof(FieldParts));
  }

 private:
  std::string_view view(HeadPart part) const noexcept {
    return {text_.data() + part.at, part.size};
  }
  FieldParts* find(std::string_view name, std::size_t from) noexcept {
    for (; from < fields_.size(); ++from)
      if (equalsIgnoringCase(view(fields_[from].name), name)) return &fields_[from];
    return nullptr;
  }
  void removeFrom(std::string_view name, std::size_t from) noexcept {
    while (const FieldParts* found = find(name, from)) {
      fields_.erase(fields_.begin() + (found - fields_.data()));
      whole_ = false;
    }
  }
  std::string_view line(const FieldParts& parts) const noexcept {
    return {text_.data() + parts.name.at,
            std::size_t{parts.value.at} + parts.value.size + 2 - parts.name.at};
  }
  /// Each field stands in the text as it does in a message. Both may be parts of that text.
  FieldParts appended(std::string_view name, std::string_view value) {
    const std::size_t before = text_.size();
    const std::size_t size = name.size() + value.size() + 4;
    char local[256];
    std::string large;
    if (size > sizeof local) large.resize(size);
    char* const line = size > sizeof local ? large.data() : local;
    char* at = copyText(line, name);
    *at++ = ':';
    *at++ = ' ';
    at = copyText(at, value);
    *at++ = '\r';
    *at = '\n';
    text_.append(line, size);
    const auto part = [](std::size_t from, std::size_t count) {
      return HeadPart{static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(count)};
    };
    return {part(before, name.size()), part(before + name.size() + 2, value.size())};
  }
  void put(std::string_view name, std::string_view value) {
    if (fields_.capacity() == 0) reserve();
    fields_.push_back(appended(name, value));
  }
  /// Enough for most messages, and in one piece.
  void reserve() {
    fields_.reserve(8);
    text_.reserve(255);
  }

  std::string text_;
  std::vector<FieldParts> fields_;
  bool whole_ = true;  // the text is what the fields are in a message
};

}  // namespace detail

}  // namespace leat::inline LEAT_ABI::http
