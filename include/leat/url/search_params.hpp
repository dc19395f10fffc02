// SPDX-License-Identifier: MIT
// URLSearchParams: the query of a URL as a list of names and values (WHATWG URL, section 6.2).
#pragma once

#include <leat/base/place_iterator.hpp>
#include <leat/url/detail/percent.hpp>

#include <concepts>
#include <initializer_list>
#include <optional>
#include <utility>
#include <vector>

namespace leat::inline LEAT_ABI {

class URL;
class URLSearchParams;

namespace detail::url {

/// A range of pairs of texts: a vector, a map.
template <class Range>
concept PairRange = !std::same_as<Range, URLSearchParams> && requires(const Range& range) {
  { (*range.begin()).first } -> std::convertible_to<std::string_view>;
  { (*range.begin()).second } -> std::convertible_to<std::string_view>;
  range.end();
};

}  // namespace detail::url

/// Names and values in their order, a name as often as it comes. Texts are UTF-8; what is none becomes U+FFFD.
///
/// That of `url.searchParams()` belongs to its URL: what one of them is changed to is in the other at once. A
/// copy belongs to none.
///
/// Node: `URLSearchParams`. Lifetime: one that belongs to a URL lives as long as it, also when the URL is moved.
/// Thread: a plain value.
class URLSearchParams {
 public:
  using Entry = std::pair<std::string, std::string>;

  URLSearchParams() noexcept = default;
  /// "a=1&b=2", with or without a '?' in front.
  explicit URLSearchParams(std::string_view query);
  URLSearchParams(std::initializer_list<std::pair<std::string_view, std::string_view>> pairs) {
    take(pairs);
  }
  template <detail::url::PairRange Range>
  explicit URLSearchParams(const Range& pairs) {
    take(pairs);
  }
  URLSearchParams(const URLSearchParams& other) : entries_(other.entries_) {}
  URLSearchParams(URLSearchParams&& other);
  /// Takes the entries, and stays with its own URL, as do those that it had them from.
  URLSearchParams& operator=(const URLSearchParams& other);
  URLSearchParams& operator=(URLSearchParams&& other);
  ~URLSearchParams() = default;

  std::size_t size() const noexcept { return entries_.size(); }
  bool empty() const noexcept { return entries_.empty(); }

  void append(std::string_view name, std::string_view value);
  /// The value of the first one that has the name; nothing when there is none.
  std::optional<std::string> get(std::string_view name) const;
  std::vector<std::string> getAll(std::string_view name) const;
  bool has(std::string_view name) const;
  bool has(std::string_view name, std::string_view value) const;
  /// The first one that has the name gets the value, the others go; at the end when there is none.
  void set(std::string_view name, std::string_view value);
  /// All that have the name, or name and value. Node: `delete`.
  void delete_(std::string_view name);
  void delete_(std::string_view name, std::string_view value);
  /// By name, in the order of JavaScript's strings; those of one name stay in theirs.
  void sort();
  /// As it stands in a URL, without '?': "a=1&b=x+y".
  std::string toString() const;

  const Entry& operator[](std::size_t place) const noexcept { return entries_[place]; }
  /// Entries may be added and deleted while they are walked through, as in Node; what an iterator gives is valid until
  /// then.
  using Iterator = detail::PlaceIterator<URLSearchParams, const Entry&>;
  /// `for (const auto& [name, value] : params)`. Node: `entries()`.
  Iterator begin() const noexcept { return Iterator(*this); }
  std::default_sentinel_t end() const noexcept { return {}; }
  /// Valid until the entries change.
  std::vector<std::string_view> keys() const;
  std::vector<std::string_view> values() const;

  /// Whether the entries are the same, in the same order.
  friend bool operator==(const URLSearchParams& a, const URLSearchParams& b) noexcept {
    return a.entries_ == b.entries_;
  }

 private:
  friend URL;
  using Changed = void (*)(URL& url, const URLSearchParams& params);
  static std::vector<Entry> parsed(std::string_view query);
  template <class Range>
  void take(const Range& pairs) {
    for (const auto& [name, value] : pairs)
      entries_.emplace_back(detail::wellFormed(name), detail::wellFormed(value));
  }
  void changed() {
    if (url_ != nullptr) changed_(*url_, *this);
  }
  void deleteWhere(std::string_view name, const std::string_view* value);

  std::vector<Entry> entries_;
  URL* url_ = nullptr;
  Changed changed_ = nullptr;
};

#if LEAT_BODIES
LEAT_INLINE URLSearchParams::URLSearchParams(std::string_view query) {
  if (query.starts_with('?')) query.remove_prefix(1);
  entries_ = parsed(query);
}

LEAT_INLINE URLSearchParams::URLSearchParams(URLSearchParams&& other)
    : entries_(std::exchange(other.entries_, {})) {
  other.changed();
}

LEAT_INLINE URLSearchParams& URLSearchParams::operator=(const URLSearchParams& other) {
  entries_ = other.entries_;
  changed();
  return *this;
}

LEAT_INLINE URLSearchParams& URLSearchParams::operator=(URLSearchParams&& other) {
  if (this == &other) return *this;
  entries_ = std::exchange(other.entries_, {});
  other.changed();
  changed();
  return *this;
}

LEAT_INLINE std::vector<URLSearchParams::Entry> URLSearchParams::parsed(std::string_view query) {
  const auto textOf = [](std::string part) {
    for (char& c : part)
      if (c == '+') c = ' ';
    return detail::wellFormed(detail::url::decoded(part));
  };
  std::vector<Entry> entries;
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    query.remove_prefix(part.size() < query.size() ? part.size() + 1 : part.size());
    if (part.empty()) continue;
    const std::size_t equals = part.find('=');
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1);
    entries.emplace_back(textOf(std::string(part.substr(0, equals))), textOf(std::string(value)));
  }
  return entries;
}

LEAT_INLINE void URLSearchParams::append(std::string_view name, std::string_view value) {
  entries_.emplace_back(detail::wellFormed(name), detail::wellFormed(value));
  changed();
}

LEAT_INLINE std::optional<std::string> URLSearchParams::get(std::string_view name) const {
  const std::string wanted = detail::wellFormed(name);
  for (const Entry& entry : entries_)
    if (entry.first == wanted) return entry.second;
  return std::nullopt;
}

LEAT_INLINE std::vector<std::string> URLSearchParams::getAll(std::string_view name) const {
  const std::string wanted = detail::wellFormed(name);
  std::vector<std::string> all;
  for (const Entry& entry : entries_)
    if (entry.first == wanted) all.push_back(entry.second);
  return all;
}

LEAT_INLINE bool URLSearchParams::has(std::string_view name) const { return get(name).has_value(); }

LEAT_INLINE bool URLSearchParams::has(std::string_view name, std::string_view value) const {
  const Entry wanted(detail::wellFormed(name), detail::wellFormed(value));
  for (const Entry& entry : entries_)
    if (entry == wanted) return true;
  return false;
}

LEAT_INLINE void URLSearchParams::set(std::string_view name, std::string_view value) {
  const std::string wanted = detail::wellFormed(name);
  std::string text = detail::wellFormed(value);
  bool found = false;
  std::erase_if(entries_, [&](Entry& entry) {
    if (entry.first != wanted) return false;
    if (found) return true;
    found = true;
    entry.second = std::move(text);
    return false;
  });
  if (!found) entries_.emplace_back(wanted, std::move(text));
  changed();
}

LEAT_INLINE void URLSearchParams::deleteWhere(std::string_view name,
                                              const std::string_view* value) {
  const Entry wanted(detail::wellFormed(name), value == nullptr ? "" : detail::wellFormed(*value));
  std::erase_if(entries_, [&](const Entry& entry) {
    return entry.first == wanted.first && (value == nullptr || entry.second == wanted.second);
  });
  changed();
}

LEAT_INLINE void URLSearchParams::delete_(std::string_view name) { deleteWhere(name, nullptr); }

LEAT_INLINE void URLSearchParams::delete_(std::string_view name, std::string_view value) {
  deleteWhere(name, &value);
}
#endif

namespace detail::url {

#if LEAT_BODIES
/// In the order of their 16-bit units, which is that of the bytes but for characters beyond U+FFFF.
LEAT_INLINE bool comesBefore(std::string_view a, std::string_view b) noexcept {
  Utf16Reader left(a), right(b);
  for (std::uint16_t one, other;;) {
    if (!right.next(other)) return false;
    if (!left.next(one) || one < other) return true;
    if (one > other) return false;
  }
}
#endif

}  // namespace detail::url

#if LEAT_BODIES
LEAT_INLINE void URLSearchParams::sort() {
  // Merges from below, since <algorithm> would be most of what this header costs.
  std::vector<Entry> merged;
  for (std::size_t run = 1; run < entries_.size(); run *= 2) {
    merged.clear();
    for (std::size_t from = 0; from < entries_.size(); from += 2 * run) {
      const std::size_t size = entries_.size();
      const std::size_t middle = from + run < size ? from + run : size;
      const std::size_t end = middle + run < size ? middle + run : size;
      for (std::size_t left = from, right = middle; left < middle || right < end;) {
        const bool takeRight =
            left == middle ||
            (right < end && detail::url::comesBefore(entries_[right].first, entries_[left].first));
        merged.push_back(std::move(entries_[takeRight ? right++ : left++]));
      }
    }
    entries_.swap(merged);
  }
  changed();
}

LEAT_INLINE std::string URLSearchParams::toString() const {
  std::string out;
  const auto add = [&out](std::string_view text) {
    for (;;) {
      const std::size_t blank = text.find(' ');
      detail::url::appendEncoded(out, text.substr(0, blank), detail::url::inForm);
      if (blank == std::string_view::npos) return;
      out += '+';
      text.remove_prefix(blank + 1);
    }
  };
  for (const Entry& entry : entries_) {
    if (!out.empty()) out += '&';
    add(entry.first);
    out += '=';
    add(entry.second);
  }
  return out;
}

LEAT_INLINE std::vector<std::string_view> URLSearchParams::keys() const {
  std::vector<std::string_view> all;
  for (const Entry& entry : entries_) all.emplace_back(entry.first);
  return all;
}

LEAT_INLINE std::vector<std::string_view> URLSearchParams::values() const {
  std::vector<std::string_view> all;
  for (const Entry& entry : entries_) all.emplace_back(entry.second);
  return all;
}
#endif

}  // namespace leat::inline LEAT_ABI
