// SPDX-License-Identifier: MIT
// What a Host field is, and what the target of a request says of a host.
#pragma once

#include <leat/base/ip_text.hpp>
#include <leat/http/detail/chars.hpp>

#include <string_view>

namespace leat::inline LEAT_ABI::http::detail {

#if defined(__SSE2__)

#if LEAT_BODIES
struct FitsUsualHost {
  LEAT_ALWAYS_INLINE __m128i operator()(__m128i bytes) const noexcept {
    return _mm_or_si128(FitsUsualName()(bytes), equal(bytes, '.'));
  }
};
/// Letters, digits, '-' and '.', with a port or without one: those of `bytes` that `all` has bits of.
LEAT_ALWAYS_INLINE inline bool isUsualHost(__m128i bytes, unsigned all) noexcept {
  const unsigned colons = bitsOf(equal(bytes, ':')) & all;
  const unsigned name = colons - 1;  // what is in front of the first colon; without one, all
  const unsigned known =
      (bitsOf(FitsUsualHost()(bytes)) & name) | (bitsOf(between(bytes, '0', '9')) & ~name);
  return (colons & name) == 0 && ((known | colons) & all) == all;
}
/// The same of a text that is not too short. The port is in the last 16 bytes.
LEAT_ALWAYS_INLINE inline bool isUsualHost(std::string_view host) noexcept {
  if (host.size() < 8) return false;
  if (host.size() < 16) return isUsualHost(loadShort(host), (1U << host.size()) - 1);
  const char* const end = host.data() + host.size();
  for (const char* at = host.data(); end - at > 16; at += 16)
    if (bitsOf(FitsUsualHost()(loadBytes(at))) != 0xffff) return false;
  return isUsualHost(loadBytes(end - 16), 0xffff);
}
#endif
#endif
/// A Host field (RFC 9110 section 7.2): a name or an address, perhaps with a port.
LEAT_INLINE bool isHost(std::string_view host) noexcept;

#if LEAT_BODIES
LEAT_INLINE bool isHost(std::string_view host) noexcept {
#if defined(__SSE2__)
  if (isUsualHost(host)) [[likely]]
    return true;
#endif
  const char* at = host.data();
  const char* const end = at + host.size();
  if (at != end && *at == '[') {
    const std::size_t close = host.find(']');
    if (close == std::string_view::npos) return false;
    for (const char c : host.substr(1, close - 1))
      if (!is(charHost, c) && c != ':') return false;
    at += close + 1;
  } else {
    at = endOf(charHost, at, end);
  }
  if (at != end && *at == ':') do {
      ++at;
    } while (at != end && leat::detail::isDigit(*at));
  return at == end;
}
#endif

/// Of a URL; empty when it is none.
LEAT_INLINE std::string_view authorityOfUrl(std::string_view target) noexcept;
/// Whether the last ':' of an authority begins a port: that of an address does not (RFC 9110 section 9.3.6).
LEAT_INLINE bool hasPort(std::string_view authority) noexcept;

#if LEAT_BODIES
LEAT_INLINE std::string_view authorityOfUrl(std::string_view target) noexcept {
  const std::size_t colon = target.find("://");
  if (colon == std::string_view::npos || !leat::detail::isLetter(target.front())) return {};
  for (const char c : target.substr(0, colon))
    if (!leat::detail::isLetter(c) && !leat::detail::isDigit(c) && c != '+' && c != '-' && c != '.')
      return {};
  target.remove_prefix(colon + 3);
  return target.substr(0, target.find_first_of("/?"));
}

LEAT_INLINE bool hasPort(std::string_view authority) noexcept {
  const std::size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos || colon + 1 == authority.size()) return false;
  unsigned port = 0;
  for (const char c : authority.substr(colon + 1)) {
    if (!leat::detail::isDigit(c)) return false;
    port = port * 10 + static_cast<unsigned>(c - '0');
    if (port > 65535) return false;
  }
  return true;
}
#endif

}  // namespace leat::inline LEAT_ABI::http::detail
