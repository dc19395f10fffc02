// SPDX-License-Identifier: MIT
// What ASCII characters are, and whether a text is an IP address by Node's rules: what name look-ups, addresses
// and URLs all ask.
#pragma once

#include <leat/base/config.hpp>

#include <cstddef>
#include <string_view>

namespace leat::inline LEAT_ABI::detail {

constexpr bool isDigit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool isLetter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr bool isHexDigit(char c) noexcept {
  return isDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

constexpr char lowered(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

/// Four decimal numbers up to 255 without leading zeros.
constexpr bool isIPv4Text(std::string_view text) noexcept {
  std::size_t at = 0;
  for (int part = 0; part < 4; ++part) {
    if (part > 0 && (at >= text.size() || text[at++] != '.')) return false;
    const std::size_t first = at;
    int number = 0;
    while (at < text.size() && isDigit(text[at]) && at - first < 3)
      number = number * 10 + (text[at++] - '0');
    const std::size_t digits = at - first;
    if (digits == 0 || number > 255 || (digits > 1 && text[first] == '0')) return false;
  }
  return at == text.size();
}

/// A zone as Node takes it: "%" and at least one letter, digit, '-', '.' or ':'.
constexpr bool isZoneText(std::string_view text) noexcept {
  if (text.size() < 2) return false;
  for (const char c : text.substr(1))
    if (!isDigit(c) && !isLetter(c) && c != '-' && c != '.' && c != ':') return false;
  return true;
}

/// Eight groups of up to four hex digits, fewer where "::" stands once for one or more zeros; an IPv4
/// address may stand for the last two. A zone may follow.
constexpr bool isIPv6Text(std::string_view text) noexcept {
  const std::size_t percent = text.find('%');
  if (percent != std::string_view::npos) {
    if (!isZoneText(text.substr(percent))) return false;
    text = text.substr(0, percent);
  }
  int groups = 0;
  bool gap = false;
  std::size_t at = 0;
  if (text.substr(0, 2) == "::") {
    gap = true;
    at = 2;
  }
  while (at < text.size()) {
    const std::size_t first = at;
    while (at < text.size() && isHexDigit(text[at])) ++at;
    if (at < text.size() && text[at] == '.') {
      groups += 2;
      if (!isIPv4Text(text.substr(first))) return false;
      break;
    }
    if (at == first || at - first > 4) return false;
    ++groups;
    if (at == text.size()) break;
    if (text[at++] != ':' || at == text.size()) return false;
    if (text[at] == ':') {
      if (gap) return false;
      gap = true;
      ++at;
    }
  }
  return gap ? groups < 8 : groups == 8;
}

/// 4, 6, or 0 for what is no address.
constexpr int ipVersion(std::string_view text) noexcept {
  return isIPv4Text(text) ? 4 : isIPv6Text(text) ? 6 : 0;
}

}  // namespace leat::inline LEAT_ABI::detail
