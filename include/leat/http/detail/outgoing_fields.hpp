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
inline void checkField(std::string_view name, std::string_view value) {
  using leat::detail::SharedText;
  if (!isToken(name)) [[unlikely]]
    throw TypeError(SharedText({"Header name must be a valid HTTP token [\"", name, "\"]"}).view(),
                    "ERR_INVALID_HTTP_TOKEN");
  if (!isText(value)) [[unlikely]]
    throw TypeError(SharedText({"Invalid character in header content [\"", name, "\"]"}).view(),
                    "ERR_INVALID_CHAR");
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
    FieldParts* const first = find(name, 0);
    if (first == nullptr) return put(name, value);
    removeFrom(name, static_cast<std::size_t>(first - fields_.data()) + 1);
    // Where it was; `name` may be part of the text that grows.
    const FieldParts parts = appended(name, value);
    *find(name, 0) = parts;
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
  std::size_t bytes() const noexcept { return text_.size() + 4 * fields_.size(); }
  /// As they stand in a message.
  void writeTo(std::string& out) const {
    for (const FieldParts& parts : fields_) {
      out.append(view(parts.name)).append(": ", 2);
      out.append(view(parts.value)).append("\r\n", 2);
    }
  }
  void clear() noexcept {
    text_.clear();
    fields_.clear();
  }
  void swapMemory(OutgoingFields& other) noexcept {
    clear();
    if (other.text_.capacity() <= Head::keptMemory) text_.swap(other.text_);
    if (other.fields_.capacity() * sizeof(FieldParts) <= Head::keptMemory)
      fields_.swap(other.fields_);
    clear();
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
    while (const FieldParts* found = find(name, from))
      fields_.erase(fields_.begin() + (found - fields_.data()));
  }
  HeadPart part(std::string_view text) {
    const HeadPart made{static_cast<std::uint32_t>(text_.size()),
                        static_cast<std::uint32_t>(text.size())};
    text_.append(text);
    return made;
  }
  FieldParts appended(std::string_view name, std::string_view value) {
    const HeadPart first = part(name);
    return {first, part(value)};
  }
  void put(std::string_view name, std::string_view value) {
    fields_.push_back(appended(name, value));
  }

  std::string text_;
  std::vector<FieldParts> fields_;
};

}  // namespace detail

}  // namespace leat::inline LEAT_ABI::http
