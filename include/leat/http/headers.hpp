// SPDX-License-Identifier: MIT
// Headers: names and values of header fields, as programs make and read them (WHATWG fetch, section 5.1).
#pragma once

#include <leat/base/place_iterator.hpp>
#include <leat/core/inspected.hpp>
#include <leat/http/detail/outgoing_fields.hpp>

#include <concepts>
#include <vector>

namespace leat::inline LEAT_ABI::http {

class Headers;

namespace detail {

/// A range of fields, such as those of a message, or of pairs: a vector, a map.
template <class Range>
concept FieldRange = !std::same_as<Range, Headers> && requires(const Range& range) {
  { (*range.begin()).name } -> std::convertible_to<std::string_view>;
  { (*range.begin()).value } -> std::convertible_to<std::string_view>;
  range.end();
};
template <class Range>
concept FieldPairs = requires(const Range& range) {
  { (*range.begin()).first } -> std::convertible_to<std::string_view>;
  { (*range.begin()).second } -> std::convertible_to<std::string_view>;
  range.end();
};

}  // namespace detail

/// Header fields by name, without regard to case. Kept sorted by name, one value for a name but of Set-Cookie, so
/// that looking one up and going through them costs nothing more.
///
/// Blanks and ends of lines around a value are taken off. Inside of a value only those that would end the field are
/// refused here, as in Node; what is sent has to be without other control characters too.
///
/// Node: `Headers`. Throws: where a name is no token of HTTP, TypeError ERR_INVALID_HTTP_TOKEN; where a value has a
/// zero or an end of line in it, ERR_INVALID_CHAR. Thread: a plain value.
class Headers {
 public:
  Headers() noexcept = default;
  /// `{{"Accept", "text/html"}, {"X-Two", "2"}}`: each is appended.
  Headers(std::initializer_list<HeaderField> fields) { take(fields); }
  template <class Range>
    requires detail::FieldRange<Range> || detail::FieldPairs<Range>
  explicit Headers(const Range& fields) {
    take(fields);
  }

  /// Behind the value that the name has, after ", " or, of a Cookie, "; ".
  void append(std::string_view name, std::string_view value);
  /// In the place of what the name has.
  void set(std::string_view name, std::string_view value);
  /// Of several Set-Cookie all, with ", "; nothing when there is none.
  std::optional<std::string> get(std::string_view name) const;
  std::vector<std::string> getSetCookie() const;
  bool has(std::string_view name) const;
  /// Node: `delete`.
  void delete_(std::string_view name);

  /// What going through them gives; each Set-Cookie apart.
  std::size_t size() const noexcept { return fields_.size(); }
  bool empty() const noexcept { return fields_.empty(); }

  HeaderField operator[](std::size_t place) const noexcept {
    return {fields_[place].name, fields_[place].value};
  }
  /// Fields may be set and deleted while they are walked through; the views that an iterator gives are valid until
  /// then.
  using Iterator = leat::detail::PlaceIterator<Headers, HeaderField>;
  /// `for (const auto [name, value] : headers)`: by name, in lower case.
  Iterator begin() const noexcept { return Iterator(*this); }
  std::default_sentinel_t end() const noexcept { return {}; }

  friend bool operator==(const Headers&, const Headers&) = default;

 private:
  struct Field {
    std::string name;
    std::string value;
    friend bool operator==(const Field&, const Field&) = default;
  };
  struct Found {
    std::size_t first, end;
  };
  template <class Range>
  void take(const Range& fields) {
    if constexpr (requires { fields.size(); }) fields_.reserve(fields.size());
    for (const auto& [name, value] : fields) append(name, value);
  }
  static void checkName(std::string_view function, std::string_view name);
  /// The value without what is around it.
  static std::string_view checked(std::string_view function, std::string_view name,
                                  std::string_view value);
  Found find(std::string_view name) const noexcept;
  void insert(std::size_t at, std::string_view name, std::string_view value);

  std::vector<Field> fields_;
};

#if LEAT_BODIES
LEAT_INLINE void Headers::checkName(std::string_view function, std::string_view name) {
  using leat::detail::Inspected, leat::detail::SharedText;
  if (detail::isToken(name)) [[likely]]
    return;
  const SharedText text{"Headers.", function, ": ", Inspected(name), " is an invalid header name"};
  throw TypeError(text.view(), "ERR_INVALID_HTTP_TOKEN");
}

LEAT_INLINE std::string_view Headers::checked(std::string_view function, std::string_view name,
                                              std::string_view value) {
  using leat::detail::Inspected, leat::detail::SharedText;
  checkName(function, name);
  constexpr std::string_view around = " \t\r\n";
  const std::size_t first = value.find_first_not_of(around);
  if (first == std::string_view::npos) return {};
  value = value.substr(first, value.find_last_not_of(around) + 1 - first);
  if (value.find_first_of(std::string_view("\0\r\n", 3)) == std::string_view::npos) [[likely]]
    return value;
  const SharedText text{
      "Headers.", function, ": ", Inspected(value), " is an invalid header value of ", name};
  throw TypeError(text.view(), "ERR_INVALID_CHAR");
}

/// Those that have the name; where they would be when there is none.
LEAT_INLINE Headers::Found Headers::find(std::string_view name) const noexcept {
  const auto comesBefore = [](std::string_view a, std::string_view b) {
    const std::size_t shorter = a.size() < b.size() ? a.size() : b.size();
    for (std::size_t i = 0; i < shorter; ++i)
      if (a[i] != detail::lowered(b[i])) return a[i] < detail::lowered(b[i]);
    return a.size() < b.size();
  };
  Found found{0, fields_.size()};
  for (std::size_t past = fields_.size(); found.first < past;) {
    const std::size_t middle = found.first + (past - found.first) / 2;
    comesBefore(fields_[middle].name, name) ? found.first = middle + 1 : past = middle;
  }
  found.end = found.first;
  while (found.end < fields_.size() && detail::equalsIgnoringCase(fields_[found.end].name, name))
    ++found.end;
  return found;
}

LEAT_INLINE void Headers::insert(std::size_t at, std::string_view name, std::string_view value) {
  Field field{std::string(name), std::string(value)};
  for (char& c : field.name) c = detail::lowered(c);
  fields_.insert(fields_.begin() + static_cast<std::ptrdiff_t>(at), std::move(field));
}

LEAT_INLINE void Headers::append(std::string_view name, std::string_view value) {
  value = checked("append", name, value);
  const Found found = find(name);
  if (found.first == found.end || detail::equalsLower(name, "set-cookie"))
    return insert(found.end, name, value);
  std::string& joined = fields_[found.first].value;
  // The value may be a part of what it is added to.
  const std::string added(value);
  joined.append(detail::equalsLower(name, "cookie") ? "; " : ", ").append(added);
}

LEAT_INLINE void Headers::set(std::string_view name, std::string_view value) {
  const std::string own(checked("set", name, value));
  const Found found = find(name);
  if (found.first == found.end) return insert(found.first, name, own);
  fields_[found.first].value = own;
  const auto first = fields_.begin() + static_cast<std::ptrdiff_t>(found.first);
  fields_.erase(first + 1, first + static_cast<std::ptrdiff_t>(found.end - found.first));
}

LEAT_INLINE std::optional<std::string> Headers::get(std::string_view name) const {
  checkName("get", name);
  const Found found = find(name);
  if (found.first == found.end) return std::nullopt;
  std::string all = fields_[found.first].value;
  for (std::size_t at = found.first + 1; at < found.end; ++at)
    all.append(", ").append(fields_[at].value);
  return all;
}

LEAT_INLINE std::vector<std::string> Headers::getSetCookie() const {
  const Found found = find("set-cookie");
  std::vector<std::string> all;
  for (std::size_t at = found.first; at < found.end; ++at) all.push_back(fields_[at].value);
  return all;
}

LEAT_INLINE bool Headers::has(std::string_view name) const {
  checkName("has", name);
  const Found found = find(name);
  return found.first != found.end;
}

LEAT_INLINE void Headers::delete_(std::string_view name) {
  checkName("delete", name);
  const Found found = find(name);
  const auto begin = fields_.begin();
  fields_.erase(begin + static_cast<std::ptrdiff_t>(found.first),
                begin + static_cast<std::ptrdiff_t>(found.end));
}
#endif

}  // namespace leat::inline LEAT_ABI::http
