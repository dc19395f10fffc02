// SPDX-License-Identifier: MIT
// Addresses of sockets: IPv4, IPv6, Unix and abstract Unix, to and from text and the system's form.
#pragma once

#include <leat/base/ip_text.hpp>
#include <leat/core/error.hpp>
#include <leat/sys/calls.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace leat::inline LEAT_ABI::net {

/// 4, 6, or 0 for what is no IP address. Node: `net.isIP`.
constexpr int isIP(std::string_view text) noexcept { return leat::detail::ipVersion(text); }
constexpr bool isIPv4(std::string_view text) noexcept { return leat::detail::isIPv4Text(text); }
constexpr bool isIPv6(std::string_view text) noexcept { return leat::detail::isIPv6Text(text); }

enum class Family : unsigned char { Unspecified = 0, Unix = 1, IPv4 = 4, IPv6 = 6 };

/// Where a socket is or connects to. A plain value of the size of a `sockaddr_un`.
///
/// Node: `net.SocketAddress`, besides which this one also stands for Unix sockets.
class SocketAddress {
 public:
  SocketAddress() noexcept : storage_{} {}
  /// Of an IP address in text; an IPv6 address may have a zone, by name or number.
  /// Throws: TypeError ERR_INVALID_ADDRESS, RangeError ERR_SOCKET_BAD_PORT, Error of the look-up of a
  /// zone.
  SocketAddress(std::string_view address, long port);
  /// Of a Unix socket; a path that begins with a zero byte is a name in the abstract namespace.
  /// Throws: TypeError ERR_INVALID_ARG_VALUE when it is empty, too long for the system (107 bytes), or
  /// has a zero byte in the middle.
  static SocketAddress ofPath(std::string_view path);
  /// All addresses of this machine: "0.0.0.0" or "::".
  static SocketAddress any(Family family, long port);
  /// What the system gave. Families besides the four are Unspecified.
  static SocketAddress from(const sockaddr* address, socklen_t size) noexcept;
  /// "1.2.3.4:80", "[::1]:80", "1.2.3.4", "[::1]" (port 0) or "::1". Node: `SocketAddress.parse`.
  static std::optional<SocketAddress> parse(std::string_view text);

  Family family() const noexcept;
  /// "IPv4", "IPv6", "Unix" or "". Node: `socket.remoteFamily`.
  std::string_view familyName() const noexcept;
  bool isIP() const noexcept { return family() == Family::IPv4 || family() == Family::IPv6; }
  /// The IP address without the port, with the zone if it has one; of a Unix socket the path.
  std::string address() const;
  /// 0 for Unix sockets.
  int port() const noexcept;
  /// Empty for IP addresses and for sockets without a name. An abstract name begins with a zero byte.
  std::string_view path() const noexcept;
  SocketAddress withPort(long port) const;
  /// "127.0.0.1:80", "[::1]:80", the path, or an abstract name with '@' for its zero byte.
  std::string toString() const;

  /// In the system's form.
  const sockaddr* data() const noexcept { return &storage_.any; }
  socklen_t size() const noexcept { return size_; }

  friend bool operator==(const SocketAddress& a, const SocketAddress& b) noexcept;

  /// `name` is what the message calls it. Throws: RangeError ERR_SOCKET_BAD_PORT.
  static void checkPort(long port, std::string_view name = "Port");

 private:
  static constexpr std::size_t pathOffset = offsetof(sockaddr_un, sun_path);
  void set(const sockaddr_in& address) noexcept;
  void set(const sockaddr_in6& address) noexcept;
  bool setIP(std::string_view text, int port);
  bool setScope(std::string_view text, std::string_view zone);

  union Storage {
    sockaddr any;
    sockaddr_in ip4;
    sockaddr_in6 ip6;
    sockaddr_un local;
    unsigned char bytes[sizeof(sockaddr_un)];
  };
  Storage storage_;
  socklen_t size_ = 0;
};

LEAT_INLINE bool operator==(const SocketAddress& a, const SocketAddress& b) noexcept;

#if LEAT_BODIES
LEAT_INLINE void SocketAddress::checkPort(long port, std::string_view name) {
  if (port >= 0 && port <= 65535) return;
  const leat::detail::Decimal digits(port);
  const leat::detail::SharedText text{name, " should be >= 0 and < 65536. Received type number (",
                                      digits, ")."};
  throw RangeError(text.view(), "ERR_SOCKET_BAD_PORT");
}

LEAT_INLINE void SocketAddress::set(const sockaddr_in& address) noexcept {
  std::memcpy(storage_.bytes, &address, sizeof address);
  size_ = sizeof address;
}

LEAT_INLINE void SocketAddress::set(const sockaddr_in6& address) noexcept {
  std::memcpy(storage_.bytes, &address, sizeof address);
  size_ = sizeof address;
}

LEAT_INLINE SocketAddress::SocketAddress(std::string_view address, long port) : storage_{} {
  checkPort(port);
  if (setIP(address, static_cast<int>(port))) return;
  throw TypeError(
      leat::detail::SharedText{"Invalid socket address: '", address, "' is no IP address"}.view(),
      "ERR_INVALID_ADDRESS");
}

/// False when the text is none.
LEAT_INLINE bool SocketAddress::setIP(std::string_view text, int port) {
  const int version = net::isIP(text);
  if (version == 0) return false;
  const std::size_t percent = text.find('%');
  char plain[INET6_ADDRSTRLEN] = {};
  const std::string_view number = text.substr(0, percent);
  if (number.size() >= sizeof plain) return false;
  std::memcpy(plain, number.data(), number.size());
  if (version == 4) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    if (::inet_pton(AF_INET, plain, &address.sin_addr) != 1) return false;
    set(address);
    return true;
  }
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(static_cast<std::uint16_t>(port));
  if (::inet_pton(AF_INET6, plain, &address.sin6_addr) != 1) return false;
  set(address);
  return percent == std::string_view::npos || setScope(text, text.substr(percent + 1));
}

/// A number is taken as it is; a name is asked of the system, which knows them for addresses of a link.
LEAT_INLINE bool SocketAddress::setScope(std::string_view text, std::string_view zone) {
  std::uint64_t number = 0;
  bool isNumber = zone.size() <= 10;
  for (const char c : zone) {
    isNumber = isNumber && leat::detail::isDigit(c);
    number = isNumber ? number * 10 + static_cast<unsigned>(c - '0') : 0;
  }
  if (!isNumber) {
    addrinfo hints{};
    hints.ai_family = AF_INET6;
    hints.ai_flags = AI_NUMERICHOST;
    addrinfo* found = nullptr;
    const std::string host(text);
    if (sys::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return false;
    sockaddr_in6 resolved{};
    std::memcpy(&resolved, found->ai_addr, sizeof resolved);
    ::freeaddrinfo(found);
    number = resolved.sin6_scope_id;
  }
  if (number > 0xffffffffU) return false;
  storage_.ip6.sin6_scope_id = static_cast<std::uint32_t>(number);
  return true;
}

LEAT_INLINE SocketAddress SocketAddress::ofPath(std::string_view path) {
  const bool abstractName = !path.empty() && path.front() == '\0';
  const char* wrong = nullptr;
  if (path.empty()) {
    wrong = "must not be empty";
  } else if (path.size() + (abstractName ? 0 : 1) > sizeof(sockaddr_un::sun_path)) {
    wrong =
        abstractName ? "must not be longer than 108 bytes" : "must not be longer than 107 bytes";
  } else if (!abstractName && path.find('\0') != std::string_view::npos) {
    wrong = "must be a string without null bytes";
  }
  if (wrong != nullptr)
    throw TypeError(leat::detail::SharedText{"The argument 'path' ", wrong, ". Received '",
                                             path.substr(0, path.find('\0', 1)), "'"}
                        .view());
  SocketAddress address;
  address.storage_.local.sun_family = AF_UNIX;
  std::memcpy(address.storage_.bytes + pathOffset, path.data(), path.size());
  address.size_ = static_cast<socklen_t>(pathOffset + path.size() + (abstractName ? 0 : 1));
  return address;
}

LEAT_INLINE SocketAddress SocketAddress::any(Family family, long port) {
  return SocketAddress(family == Family::IPv6 ? "::" : "0.0.0.0", port);
}

LEAT_INLINE SocketAddress SocketAddress::from(const sockaddr* address, socklen_t size) noexcept {
  SocketAddress result;
  if (address == nullptr || size < offsetof(sockaddr, sa_data)) return result;
  const sa_family_t family = address->sa_family;
  if (family == AF_INET && size >= sizeof(sockaddr_in)) {
    size = sizeof(sockaddr_in);
  } else if (family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
    size = sizeof(sockaddr_in6);
  } else if (family != AF_UNIX) {
    return result;
  }
  if (size > sizeof(sockaddr_un)) size = sizeof(sockaddr_un);
  std::memcpy(result.storage_.bytes, address, size);
  result.size_ = size;
  return result;
}

LEAT_INLINE std::optional<SocketAddress> SocketAddress::parse(std::string_view text) {
  SocketAddress address;
  if (net::isIP(text) != 0) {
    if (!address.setIP(text, 0)) return std::nullopt;
    return address;
  }
  std::string_view host = text;
  std::string_view rest;
  if (text.substr(0, 1) == "[") {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    host = text.substr(1, close - 1);
    rest = text.substr(close + 1);
    if (!net::isIPv6(host)) return std::nullopt;
  } else {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    host = text.substr(0, colon);
    rest = text.substr(colon);
  }
  int port = 0;
  if (!rest.empty()) {
    if (rest.size() < 2 || rest.size() > 6 || rest[0] != ':') return std::nullopt;
    for (const char c : rest.substr(1)) {
      if (!leat::detail::isDigit(c)) return std::nullopt;
      port = port * 10 + (c - '0');
    }
  }
  if (port > 65535 || !address.setIP(host, port)) return std::nullopt;
  return address;
}

LEAT_INLINE Family SocketAddress::family() const noexcept {
  if (size_ == 0) return Family::Unspecified;
  switch (storage_.any.sa_family) {
    case AF_INET:
      return Family::IPv4;
    case AF_INET6:
      return Family::IPv6;
    case AF_UNIX:
      return Family::Unix;
    default:
      return Family::Unspecified;
  }
}

LEAT_INLINE std::string_view SocketAddress::familyName() const noexcept {
  switch (family()) {
    case Family::IPv4:
      return "IPv4";
    case Family::IPv6:
      return "IPv6";
    case Family::Unix:
      return "Unix";
    case Family::Unspecified:
      break;
  }
  return {};
}

LEAT_INLINE std::string SocketAddress::address() const {
  char text[NI_MAXHOST];
  switch (family()) {
    case Family::IPv4:
      return ::inet_ntop(AF_INET, &storage_.ip4.sin_addr, text, sizeof text);
    case Family::IPv6:
      // The name of the zone is the system's to know.
      if (storage_.ip6.sin6_scope_id != 0 &&
          sys::getnameinfo(data(), size_, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0)
        return text;
      return ::inet_ntop(AF_INET6, &storage_.ip6.sin6_addr, text, sizeof text);
    case Family::Unix:
      return std::string(path());
    case Family::Unspecified:
      break;
  }
  return {};
}

LEAT_INLINE int SocketAddress::port() const noexcept {
  switch (family()) {
    case Family::IPv4:
      return ntohs(storage_.ip4.sin_port);
    case Family::IPv6:
      return ntohs(storage_.ip6.sin6_port);
    default:
      return 0;
  }
}

LEAT_INLINE std::string_view SocketAddress::path() const noexcept {
  if (family() != Family::Unix || size_ <= pathOffset) return {};
  const auto* text = reinterpret_cast<const char*>(storage_.bytes) + pathOffset;
  const std::string_view path(text, size_ - pathOffset);
  // The system's sizes count the final zero of a path; a name in the abstract namespace has none.
  return path.front() == '\0' ? path : path.substr(0, path.find('\0'));
}

LEAT_INLINE SocketAddress SocketAddress::withPort(long port) const {
  checkPort(port);
  SocketAddress result = *this;
  const auto wire = htons(static_cast<std::uint16_t>(port));
  if (family() == Family::IPv4) result.storage_.ip4.sin_port = wire;
  if (family() == Family::IPv6) result.storage_.ip6.sin6_port = wire;
  return result;
}

LEAT_INLINE std::string SocketAddress::toString() const {
  switch (family()) {
    case Family::IPv4:
      return address() + ':' + std::to_string(port());
    case Family::IPv6:
      return '[' + address() + "]:" + std::to_string(port());
    case Family::Unix: {
      std::string text(path());
      if (!text.empty() && text.front() == '\0') text.front() = '@';
      return text;
    }
    case Family::Unspecified:
      break;
  }
  return {};
}

LEAT_INLINE bool operator==(const SocketAddress& a, const SocketAddress& b) noexcept {
  if (a.family() != b.family()) return false;
  if (a.family() == Family::Unix) return a.path() == b.path();
  if (a.port() != b.port()) return false;
  if (a.family() == Family::IPv4)
    return a.storage_.ip4.sin_addr.s_addr == b.storage_.ip4.sin_addr.s_addr;
  const sockaddr_in6& x = a.storage_.ip6;
  const sockaddr_in6& y = b.storage_.ip6;
  return !a.isIP() || (x.sin6_scope_id == y.sin6_scope_id &&
                       std::memcmp(&x.sin6_addr, &y.sin6_addr, sizeof x.sin6_addr) == 0);
}
#endif

}  // namespace leat::inline LEAT_ABI::net
