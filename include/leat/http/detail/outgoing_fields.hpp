// SPDX-License-Identifier: MIT
// The header fields that are going to be sent: a text and where in it they are.
#pragma once

#include <leat/core/error.hpp>
#include <leat/http/detail/head.hpp>

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
[[noreturn]] LEAT_NOINLINE inline void refuseField(std::string_view name) {
  using leat::detail::SharedText;
  if (!isToken(name))
    throw TypeError(SharedText({"Header name must be a valid HTTP token [\"", name, "\"]"}).view(),
                    "ERR_INVALID_HTTP_TOKEN");
  throw TypeError(SharedText({"Invalid character in header content [\"", name, "\"]"}).view(),
                  "ERR_INVALID_CHAR");
}

LEAT_ALWAYS_INLINE inline bool isUsualField(std::string_view name,
                                            std::string_view value) noexcept {
#if defined(__SSE2__)
  return name.size() >= 8 && value.size() >= 8 && allFit(name, FitsUsualName()) &&
         allFit(value, FitsText());
#else
  return isToken(name) && isText(value);
#endif
}

LEAT_INLINE void checkField(std::string_view name, std::string_view value) {
  if (!isToken(name) || !isText(value)) refuseField(name);
}
#endif

/// In the order in which their names came first, as in Node.
class OutgoingFields {
 public:
  /// Throws: as `checkField`.
  void add(std::string_view name, std::string_view value);
  /// In the place of those that have the name.
  void set(std::string_view name, std::string_view value) {
    if (!mayHave(sizeBit(name.size())) || !replaces(name, value)) add(name, value);
  }
  void remove(std::string_view name) noexcept { removeFrom(name, 0); }
  std::optional<std::string_view> get(std::string_view name) const noexcept {
    for (const FieldParts& parts : fields_)
      if (equalsIgnoringCase(view(parts.name), name)) return view(parts.value);
    return std::nullopt;
  }
  std::size_t size() const noexcept { return fields_.size(); }
  /// Names of so many bytes, or of 31 and more.
  static constexpr std::uint32_t sizeBit(std::size_t size) noexcept {
    return std::uint32_t{1} << (size < 31 ? size : 31);
  }
  /// Without, there is no name of one of these sizes.
  bool mayHave(std::uint32_t sizeBits) const noexcept { return (sizes_ & sizeBits) != 0; }
  bool empty() const noexcept { return fields_.empty(); }
  FieldView operator[](std::size_t i) const noexcept {
    return {view(fields_[i].name), view(fields_[i].value)};
  }
  /// At most, as they stand in a message.
  std::size_t bytes() const noexcept { return text_.size(); }
  /// As they stand in a message, where nothing was removed or replaced; else nothing.
  std::string_view whole() const noexcept {
    return whole_ ? std::string_view(text_) : std::string_view();
  }
  /// As they stand in a message.
  void writeTo(TextBuffer& out) const {
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
    sizes_ = 0;
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
      fields_.remove(static_cast<std::size_t>(found - fields_.begin()));
      whole_ = false;
    }
  }
  std::string_view line(const FieldParts& parts) const noexcept {
    return {text_.data() + parts.name.at,
            std::size_t{parts.value.at} + parts.value.size + 2 - parts.name.at};
  }
  /// Each field stands in the text as it does in a message. Both may be parts of that text.
  LEAT_ALWAYS_INLINE FieldParts appended(std::string_view name, std::string_view value) {
    const std::size_t size = name.size() + value.size() + 4;
    return text_.fits(size) ? appendedHere(name, value) : appendedBeside(name, value);
  }
  LEAT_ALWAYS_INLINE FieldParts appendedHere(std::string_view name, std::string_view value) {
    const std::size_t before = text_.size();
    char* at = copyText(text_.room(name.size() + value.size() + 4), name);
    *at++ = ':';
    *at++ = ' ';
    at = copyText(at, value);
    *at++ = '\r';
    *at++ = '\n';
    text_.endAt(at);
    const auto part = [](std::size_t from, std::size_t count) {
      return HeadPart{static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(count)};
    };
    return {part(before, name.size()), part(before + name.size() + 2, value.size())};
  }
  /// In other memory: what is there meanwhile has both, perhaps.
  LEAT_NOINLINE FieldParts appendedBeside(std::string_view name, std::string_view value) {
    TextBuffer more;
    (void)more.room(2 * (text_.size() + name.size() + value.size() + 4));
    more.append(text_);
    text_.swap(more);
    return appendedHere(name, value);
  }
  /// False: there is none of that name.
  LEAT_NOINLINE bool replaces(std::string_view name, std::string_view value) {
    FieldParts* const first = find(name, 0);
    if (first == nullptr) return false;
    checkField(name, value);
    removeFrom(name, static_cast<std::size_t>(first - fields_.begin()) + 1);
    *first = appended(name, value);
    whole_ = false;
    return true;
  }
  /// At first enough for most messages, and in one piece.
  LEAT_NOINLINE void reserve() {
    if (fields_.capacity() == 0) (void)text_.room(255);
    fields_.grow(8);
  }

  TextBuffer text_;
  FieldPlaces fields_;
  std::uint32_t sizes_ = 0;  // bits of the names that were put
  bool whole_ = true;        // the text is what the fields are in a message
};

#if LEAT_BODIES
LEAT_INLINE void OutgoingFields::add(std::string_view name, std::string_view value) {
  if (!isUsualField(name, value)) checkField(name, value);
  // First, for what is in the text is sent.
  if (fields_.full()) reserve();
  sizes_ |= sizeBit(name.size());
  fields_.pushHere(appended(name, value));
}
#endif

}  // namespace detail

}  // namespace leat::inline LEAT_ABI::http
