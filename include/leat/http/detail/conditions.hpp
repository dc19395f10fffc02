// SPDX-License-Identifier: MIT
// Conditional requests and ranges: RFC 9110 sections 13 and 14.
#pragma once

#include <leat/http/detail/chars.hpp>
#include <leat/http/detail/http_date.hpp>
#include <leat/http/incoming_message.hpp>

namespace leat::inline LEAT_ABI::http::detail {

/// What tells one version of a file from another.
struct Validators {
  std::string_view etag;
  std::int64_t modified;  // seconds since 1970
  std::int64_t now;
};

/// An entity tag (RFC 9110 section 8.8.3): `W/"x"` and `"x"`.
struct EntityTag {
  bool weak = false;
  std::string_view opaque;
};
/// Takes one off the front; nothing when there is none.
constexpr std::optional<EntityTag> takeTag(std::string_view& text) noexcept {
  EntityTag tag;
  std::string_view rest = text;
  if (rest.starts_with("W/")) {
    tag.weak = true;
    rest.remove_prefix(2);
  }
  if (!rest.starts_with('"')) return std::nullopt;
  const std::size_t end = rest.find('"', 1);
  if (end == std::string_view::npos) return std::nullopt;
  tag.opaque = rest.substr(0, end + 1);
  text = rest.substr(end + 1);
  return tag;
}
/// Both the same version; with `strong`, the same in each byte.
constexpr bool sameTag(std::string_view one, std::string_view other, bool strong) noexcept {
  const std::optional<EntityTag> a = takeTag(one);
  const std::optional<EntityTag> b = takeTag(other);
  return a && b && a->opaque == b->opaque && !(strong && (a->weak || b->weak));
}
/// Whether a list of tags, or "*", has this one.
constexpr bool listsTag(std::string_view list, std::string_view etag, bool strong) noexcept {
  if (trimBlanks(list) == "*") return true;
  for (;;) {
    while (!list.empty() && (isBlank(list.front()) || list.front() == ',')) list.remove_prefix(1);
    const std::string_view before = list;
    if (!takeTag(list)) return false;
    if (sameTag(before, etag, strong)) return true;
  }
}

enum class Verdict : unsigned char { Send, NotModified, Failed };

/// What the conditions of a GET or HEAD come to, in the order of section 13.2.2. A date that is none is no condition.
LEAT_INLINE Verdict judge(const MessageHeaders& fields, const Validators& version);
/// Whether a range is of this version, as far as If-Range says. Only what is sure counts: a strong tag, or a date
/// that is not so young that the file may have changed within its second.
LEAT_INLINE bool rangeHolds(const MessageHeaders& fields, const Validators& version) noexcept;

#if LEAT_BODIES
LEAT_INLINE Verdict judge(const MessageHeaders& fields, const Validators& version) {
  const auto date = [&](std::string_view name) {
    const std::optional<std::string_view> text = fields.get(name);
    return text ? readDate(*text, version.now) : std::nullopt;
  };
  if (fields.has("if-match")) {
    if (!listsTag(fields.joined("if-match"), version.etag, true)) return Verdict::Failed;
  } else if (const auto since = date("if-unmodified-since"); since && version.modified > *since) {
    return Verdict::Failed;
  }
  if (fields.has("if-none-match")) {
    if (listsTag(fields.joined("if-none-match"), version.etag, false)) return Verdict::NotModified;
  } else if (const auto since = date("if-modified-since"); since && version.modified <= *since) {
    return Verdict::NotModified;
  }
  return Verdict::Send;
}

LEAT_INLINE bool rangeHolds(const MessageHeaders& fields, const Validators& version) noexcept {
  const std::optional<std::string_view> given = fields.get("if-range");
  if (!given) return true;
  if (given->starts_with('"') || given->starts_with("W/"))
    return sameTag(*given, version.etag, true);
  return readDate(*given, version.now) == version.modified && version.modified < version.now - 1;
}
#endif

/// The bytes of a file that are asked for.
struct ByteRange {
  enum class Kind : unsigned char { Whole, Part, Nowhere };
  Kind kind = Kind::Whole;
  std::int64_t first = 0;
  std::int64_t last = 0;
};

/// Of a Range field. What is no range, or several, counts as none (section 14.2 allows that).
constexpr ByteRange readRange(std::string_view field, std::int64_t size) noexcept {
  constexpr ByteRange whole;
  constexpr std::string_view unit = "bytes=";
  if (!equalsLower(field.substr(0, unit.size()), unit)) return whole;
  const std::string_view spec = trimBlanks(field.substr(unit.size()));
  const std::size_t dash = spec.find('-');
  if (dash == std::string_view::npos) return whole;
  // -1: nothing there; -2: no number. What is too large is larger than any file.
  const auto number = [](std::string_view digits) -> std::int64_t {
    constexpr std::int64_t most = std::int64_t{1} << 62;
    std::int64_t value = digits.empty() ? -1 : 0;
    for (const char c : digits) {
      if (c < '0' || c > '9') return -2;
      value = value > most / 10 - 10 ? most : value * 10 + (c - '0');
    }
    return value;
  };
  const std::int64_t first = number(spec.substr(0, dash));
  const std::int64_t last = number(spec.substr(dash + 1));
  if (first == -2 || last == -2 || (first == -1 && last == -1)) return whole;
  if (first == -1) {
    if (last == 0) return {ByteRange::Kind::Nowhere, 0, 0};
    if (size == 0) return whole;
    return {ByteRange::Kind::Part, last < size ? size - last : 0, size - 1};
  }
  if (last != -1 && last < first) return whole;
  if (first >= size) return {ByteRange::Kind::Nowhere, 0, 0};
  return {ByteRange::Kind::Part, first, last == -1 || last >= size ? size - 1 : last};
}

}  // namespace leat::inline LEAT_ABI::http::detail
