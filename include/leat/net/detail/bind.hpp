// SPDX-License-Identifier: MIT
// From the options of `listen` to a descriptor that listens.
#pragma once

#include <leat/core/abort.hpp>
#include <leat/core/task.hpp>
#include <leat/net/detail/resolve.hpp>
#include <leat/sys/fd.hpp>

#include <string>

namespace leat::inline LEAT_ABI::net::detail {

/// Owned copies of what the options viewed. No aggregate: g++ 12 would destroy it twice.
class BindTarget {
 public:
  BindTarget(std::string_view h, std::string_view p, int portNumber, int backlogSize, bool reuse,
             bool only6, SignalRef s)
      : host(h),
        path(p),
        port(portNumber),
        backlog(backlogSize),
        reusePort(reuse),
        ipv6Only(only6),
        signal(s.state()) {}
  /// The file of a Unix socket that is not abstract; empty otherwise.
  std::string file() const { return path.empty() || path[0] == '\0' ? std::string() : path; }

  std::string host;
  std::string path;
  int port;
  int backlog;
  bool reusePort;
  bool ipv6Only;
  leat::detail::Ref<leat::detail::AbortState> signal;
};

[[noreturn]] inline void throwListen(int error, const SocketAddress& address) {
  if (!address.isIP()) throw SystemError::ofAddress(error, "listen", address.toString(), -1, true);
  throw SystemError::ofAddress(error, "listen", address.address(), address.port(), true);
}

inline int setFlag(int fd, int level, int option, int value) noexcept {
  return sys::setsockopt(fd, level, option, &value, sizeof value);
}

inline sys::UniqueFd listenOn(const SocketAddress& address, const BindTarget& target,
                              bool dualStack) {
  const int made = sys::socket(address.data()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (made < 0) throwListen(-made, address);
  sys::UniqueFd fd(made);
  int error = 0;
  if (address.isIP()) error = setFlag(made, SOL_SOCKET, SO_REUSEADDR, 1);
  if (error == 0 && target.reusePort) error = setFlag(made, SOL_SOCKET, SO_REUSEPORT, 1);
  if (error == 0 && address.family() == Family::IPv6)
    error = setFlag(made, IPPROTO_IPV6, IPV6_V6ONLY, target.ipv6Only || !dualStack ? 1 : 0);
  if (error == 0) error = sys::bind(made, address.data(), address.size());
  if (error == 0) error = sys::listen(made, target.backlog);
  if (error < 0) throwListen(-error, address);
  return fd;
}

/// Every address: both families by one socket where the system has IPv6, as Node does.
inline sys::UniqueFd listenEverywhere(const BindTarget& target) {
  try {
    return listenOn(SocketAddress("::", target.port), target, true);
  } catch (const SystemError& error) {
    const int number = error.number();
    if (number != EAFNOSUPPORT && number != EADDRNOTAVAIL && number != EINVAL) throw;
  }
  return listenOn(SocketAddress("0.0.0.0", target.port), target, false);
}

/// Throws: RangeError ERR_SOCKET_BAD_PORT, SystemError.
inline Task<sys::UniqueFd> bindAndListen(BindTarget target) {
  if (!target.path.empty()) co_return listenOn(SocketAddress::ofPath(target.path), target, false);
  SocketAddress::checkPort(target.port);
  if (target.host.empty()) co_return listenEverywhere(target);
  const std::vector<SocketAddress> addresses =
      co_await resolveHost(target.host, target.port, 0, target.signal);
  co_return listenOn(addresses.front(), target, false);
}

}  // namespace leat::inline LEAT_ABI::net::detail
