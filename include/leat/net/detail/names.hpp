// SPDX-License-Identifier: MIT
// The two addresses of a descriptor; empty when it has none.
#pragma once

#include <leat/net/address.hpp>

namespace leat::inline LEAT_ABI::net::detail {

using AddressCall = int (*)(int, sockaddr*, socklen_t*) noexcept;

LEAT_INLINE SocketAddress askAddress(int fd, AddressCall call) noexcept;

#if LEAT_BODIES
LEAT_INLINE SocketAddress askAddress(int fd, AddressCall call) noexcept {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  if (fd < 0 || call(fd, address, &size) < 0) return {};
  return SocketAddress::from(address, size);
}
#endif

inline SocketAddress localAddressOf(int fd) noexcept { return askAddress(fd, sys::getsockname); }
inline SocketAddress remoteAddressOf(int fd) noexcept { return askAddress(fd, sys::getpeername); }

}  // namespace leat::inline LEAT_ABI::net::detail
