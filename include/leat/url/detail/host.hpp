// SPDX-License-Identifier: MIT
// The host of a URL: a domain, an IPv4 or IPv6 address in any spelling, or an opaque text (WHATWG URL, section 3.5).
#pragma once

#include <leat/core/error.hpp>
#include <leat/url/detail/percent.hpp>

#include <optional>

namespace leat::inline LEAT_ABI::detail::url {

/// Why a text is no URL.
enum class Fault : unsigned char {
  None,
  NoBase,
  OpaqueBase,
  NoHost,
  Host,
  IPv4,
  IPv6,
  Port,
  Punycode,
  International,
};
constexpr std::string_view textOf(Fault fault) noexcept {
  switch (fault) {
    case Fault::None:
      break;
    case Fault::NoBase:
      return "it has no scheme, and there is no base";
    case Fault::OpaqueBase:
      return "nothing can be relative to a base without a path";
    case Fault::NoHost:
      return "the host is missing";
    case Fault::Host:
      return "a host cannot have such characters";
    case Fault::IPv4:
      return "the host ends with a number and is no IPv4 address";
    case Fault::IPv6:
      return "what is in brackets is no IPv6 address";
    case Fault::Port:
      return "the port is no number up to 65535";
    case Fault::Punycode:
      return "the host has a label that begins with xn-- and is no punycode";
    case Fault::International:
      return "a host is taken in ASCII only, an international name as punycode (xn--...)";
  }
  return {};
}

#if LEAT_BODIES
/// Decimal, 0x hexadecimal or 0 octal; larger than 2^32 is 2^32.
LEAT_INLINE std::optional<std::uint64_t> ipv4Number(std::string_view text) noexcept {
  constexpr std::uint64_t most = std::uint64_t{1} << 32;
  if (text.empty()) return std::nullopt;
  unsigned radix = 10;
  if (text.size() > 1 && text[0] == '0') {
    radix = lowered(text[1]) == 'x' ? 16 : 8;
    text.remove_prefix(radix == 16 ? 2 : 1);
  }
  std::uint64_t number = 0;
  for (const char c : text) {
    if (hexDigit(c) >= radix) return std::nullopt;
    number = number * radix + hexDigit(c);
    if (number > most) number = most;
  }
  return number;
}

/// Whether the last label, before a dot at the end, is a number: then the host is an IPv4 address or wrong.
LEAT_INLINE bool endsInNumber(std::string_view host) noexcept {
  if (host.ends_with('.')) host.remove_suffix(1);
  const std::string_view last = host.substr(host.rfind('.') + 1);
  if (last.empty()) return false;
  bool digits = true;
  for (const char c : last) digits = digits && isDigit(c);
  return digits || ipv4Number(last).has_value();
}

/// One to four numbers, of which the last stands for all bytes that are left; written as four.
LEAT_INLINE Fault parseIPv4(std::string_view host, std::string& out) {
  if (host.ends_with('.')) host.remove_suffix(1);
  std::uint64_t address = 0;
  for (unsigned part = 0;; ++part) {
    const std::size_t dot = host.find('.');
    const std::optional<std::uint64_t> number = ipv4Number(host.substr(0, dot));
    if (part == 4 || !number) return Fault::IPv4;
    if (dot == std::string_view::npos) {
      if (*number >> (32 - 8 * part) != 0) return Fault::IPv4;
      address |= *number;
      break;
    }
    if (*number > 255) return Fault::IPv4;
    address |= *number << (24 - 8 * part);
    host.remove_prefix(dot + 1);
  }
  for (int shift = 24; shift >= 0; shift -= 8) {
    out.append(Decimal(static_cast<long long>(address >> shift & 255)));
    if (shift > 0) out += '.';
  }
  return Fault::None;
}
#endif

struct IPv6Address {
  std::uint16_t group[8] = {};
};

/// The text is not empty where the scheme is special. `out` is empty, and the host where there is no fault.
LEAT_INLINE Fault parseHost(std::string_view text, bool special, std::string& out);

#if LEAT_BODIES
/// The four decimal bytes that may stand for the last two groups.
LEAT_INLINE bool takeEmbeddedIPv4(std::string_view text, std::uint16_t* groups) noexcept {
  if (!isIPv4Text(text)) return false;
  unsigned byte = 0;
  std::uint32_t address = 0;
  for (const char c : text) {
    if (c == '.') {
      address = (address | byte) << 8;
      byte = 0;
    } else {
      byte = byte * 10 + static_cast<unsigned>(c - '0');
    }
  }
  address |= byte;
  groups[0] = static_cast<std::uint16_t>(address >> 16);
  groups[1] = static_cast<std::uint16_t>(address & 0xffff);
  return true;
}

/// Without brackets, and without a zone, which no URL may have.
LEAT_INLINE std::optional<IPv6Address> parseIPv6(std::string_view text) noexcept {
  if (!isIPv6Text(text) || text.find('%') != std::string_view::npos) return std::nullopt;
  IPv6Address address;
  std::size_t groups = 0, gap = 8;
  if (text.starts_with("::")) text.remove_prefix(1);
  while (!text.empty()) {
    if (text.front() == ':') {
      text.remove_prefix(1);
      gap = groups;
      continue;
    }
    const std::size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    if (takeEmbeddedIPv4(group, address.group + groups)) {
      groups += 2;
      break;
    }
    unsigned value = 0;
    for (const char c : group) value = value << 4 | hexDigit(c);
    address.group[groups++] = static_cast<std::uint16_t>(value);
    text.remove_prefix(colon == std::string_view::npos ? text.size() : colon + 1);
  }
  // What is behind the gap goes to the end.
  for (std::size_t from = groups, to = 8; from > gap;) {
    address.group[--to] = address.group[--from];
    address.group[from] = 0;
  }
  return address;
}

/// In brackets; the first of the longest runs of zeros, of two at least, is "::".
LEAT_INLINE void appendIPv6(std::string& out, const IPv6Address& address) {
  std::size_t best = 8, bestSize = 1;
  for (std::size_t at = 0; at < 8; ++at) {
    std::size_t end = at;
    while (end < 8 && address.group[end] == 0) ++end;
    if (end - at > bestSize) {
      best = at;
      bestSize = end - at;
    }
    if (end > at) at = end - 1;
  }
  out += '[';
  for (std::size_t at = 0; at < 8; ++at) {
    if (at == best) {
      out.append(at == 0 ? "::" : ":");
      at += bestSize - 1;
      continue;
    }
    bool begun = false;
    for (int shift = 12; shift >= 0; shift -= 4) {
      const unsigned digit = address.group[at] >> shift & 15u;
      begun = begun || digit != 0 || shift == 0;
      if (begun) out += "0123456789abcdef"[digit];
    }
    if (at < 7) out += ':';
  }
  out += ']';
}

/// Whether what stands behind "xn--" is punycode (RFC 3492) of some text. Which characters a name may have is a
/// matter of Unicode's tables, and not asked here, but for the controls.
LEAT_INLINE bool isPunycode(std::string_view label) noexcept {
  constexpr std::uint64_t lastPoint = 0x10ffff;
  const std::size_t dash = label.rfind('-');
  std::uint64_t count = dash == std::string_view::npos ? 0 : dash;
  if (dash != std::string_view::npos) label.remove_prefix(dash + 1);
  if (count == 0 && label.empty()) return false;
  std::uint64_t point = 128, at = 0, bias = 72;
  for (bool first = true; !label.empty(); first = false) {
    const std::uint64_t before = at;
    std::uint64_t weight = 1;
    for (std::uint64_t k = 36;; k += 36) {
      if (label.empty()) return false;
      const char c = label.front();
      if (!isDigit(c) && !isLetter(c)) return false;
      label.remove_prefix(1);
      const auto digit = static_cast<std::uint64_t>(isDigit(c) ? c - '0' + 26 : lowered(c) - 'a');
      at += digit * weight;
      const std::uint64_t least = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
      if (digit < least) break;
      weight *= 36 - least;
      // More than any point at any place of a text would need.
      if (at >> 32 != 0 || weight >> 32 != 0) return false;
    }
    ++count;
    std::uint64_t delta = (at - before) / (first ? 700 : 2);
    delta += delta / count;
    for (bias = 0; delta > 455; bias += 36) delta /= 35;
    bias += 36 * delta / (delta + 38);
    point += at / count;
    if (point < 0xa0 || point > lastPoint || (point >= 0xd800 && point <= 0xdfff)) return false;
    at = at % count + 1;
  }
  return true;
}

LEAT_INLINE Fault checkLabels(std::string_view host) noexcept {
  for (;;) {
    const std::size_t dot = host.find('.');
    const std::string_view label = host.substr(0, dot);
    if (label.starts_with("xn--") && !isPunycode(label.substr(4))) return Fault::Punycode;
    if (dot == std::string_view::npos) return Fault::None;
    host.remove_prefix(dot + 1);
  }
}

/// The host of a special scheme. Names stay what they are, in lower case: no Unicode here.
LEAT_INLINE Fault parseDomain(std::string_view text, std::string& out) {
  std::string host = decoded(text);
  bool ascii = true;
  for (char& c : host) {
    c = lowered(c);
    if (static_cast<unsigned char>(c) >= 0x80) {
      ascii = false;
    } else if (is(noDomain, c)) {
      return Fault::Host;
    }
  }
  if (!ascii) {
    // U+FFFD is in no name; it is also what broken UTF-8 is.
    const std::string points = wellFormed(host);
    const bool broken = points.find("\xef\xbf\xbd") != std::string::npos;
    return broken ? Fault::Host : Fault::International;
  }
  const Fault fault = checkLabels(host);
  if (fault != Fault::None) return fault;
  if (endsInNumber(host)) return parseIPv4(host, out);
  out = std::move(host);
  return Fault::None;
}

LEAT_INLINE Fault parseHost(std::string_view text, bool special, std::string& out) {
  if (text.starts_with('[')) {
    if (!text.ends_with(']')) return Fault::IPv6;
    const std::optional<IPv6Address> address = parseIPv6(text.substr(1, text.size() - 2));
    if (!address) return Fault::IPv6;
    appendIPv6(out, *address);
    return Fault::None;
  }
  if (special) return parseDomain(text, out);
  if (hasAny(noHost, text)) return Fault::Host;
  appendEncoded(out, text, inControls);
  return Fault::None;
}
#endif

}  // namespace leat::inline LEAT_ABI::detail::url
