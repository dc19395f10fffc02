// SPDX-License-Identifier: MIT
// From the options of `listen` to a descriptor that listens.
#pragma once

#include <leat/core/abort.hpp>
#include <leat/core/task.hpp>
#include <leat/net/detail/resolve.hpp>
#include <leat/sys/fd.hpp>

#include <linux/filter.h>

#include <string>

namespace leat::inline LEAT_ABI::net::detail {

/// The file of a Unix socket, removed with this.
class SocketFile {
 public:
  SocketFile() noexcept = default;
  explicit SocketFile(std::string path) noexcept : path_(std::move(path)) {}
  SocketFile(SocketFile&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  SocketFile& operator=(SocketFile other) noexcept {
    path_.swap(other.path_);
    return *this;
  }
  ~SocketFile() {
    if (!path_.empty()) (void)sys::unlink(path_.c_str());
  }

 private:
  std::string path_;
};

/// A descriptor that listens. No aggregate: g++ 12 would destroy it twice.
class BoundSocket {
 public:
  explicit BoundSocket(sys::UniqueFd listening) noexcept : fd(std::move(listening)) {}
  sys::UniqueFd fd;
  SocketFile file;
  bool tcp = true;
  bool shared = false;  // others may listen on the same port
};

/// Owned copies of what the options viewed.
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

  std::string host;
  std::string path;
  int port;
  int backlog;
  bool reusePort;
  bool ipv6Only;
  leat::detail::Ref<leat::detail::AbortState> signal;
};

#if LEAT_BODIES
/// As Node words it: without a port that the system was to choose.
[[noreturn]] LEAT_INLINE void throwListen(int error, const SocketAddress& address) {
  const int port = address.isIP() && address.port() != 0 ? address.port() : -1;
  const std::string text = address.isIP() ? address.address() : address.toString();
  throw SystemError::ofAddress(error, "listen", text, port, true);
}
#endif

inline int setFlag(int fd, int level, int option, bool value) noexcept {
  const int number = value ? 1 : 0;
  return sys::setsockopt(fd, level, option, &number, sizeof number);
}

LEAT_INLINE BoundSocket listenOn(const SocketAddress& address, const BindTarget& target);

#if LEAT_BODIES
/// From here on who asks this socket for a connection gets no answer, and asks again a second later; by then
/// the socket is closed and another one of the same port is asked. A connection that is being made goes on.
/// 0 or -errno.
LEAT_INLINE int ignoreNewcomers(int fd) noexcept {
  constexpr unsigned flagsOfHeader = 13;
  constexpr unsigned syn = 2;
  constexpr unsigned all = 0xffffffff;
  sock_filter code[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, flagsOfHeader),
                        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, syn, 0, 1),
                        BPF_STMT(BPF_RET | BPF_K, 0), BPF_STMT(BPF_RET | BPF_K, all)};
  const sock_fprog program{sizeof code / sizeof *code, code};
  return sys::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

/// 0 or -errno.
LEAT_INLINE int prepareToBind(int fd, Family family, const BindTarget& target) noexcept {
  int error = 0;
  if (family != Family::Unix) error = setFlag(fd, SOL_SOCKET, SO_REUSEADDR, true);
  if (error == 0 && family != Family::Unix && target.reusePort)
    error = setFlag(fd, SOL_SOCKET, SO_REUSEPORT, true);
  if (error == 0 && family == Family::IPv6)
    error = setFlag(fd, IPPROTO_IPV6, IPV6_V6ONLY, target.ipv6Only);
  return error;
}

LEAT_INLINE BoundSocket listenOn(const SocketAddress& address, const BindTarget& target) {
  const int kind = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const int made = sys::socket(address.data()->sa_family, kind, 0);
  if (made < 0) throwListen(-made, address);
  BoundSocket bound{sys::UniqueFd(made)};
  bound.tcp = address.isIP();
  bound.shared = bound.tcp && target.reusePort;
  int error = prepareToBind(made, address.family(), target);
  if (error == 0) error = sys::bind(made, address.data(), address.size());
  // As libuv does, so that the code is the same on each of its systems.
  if (error == -ENOENT) error = -EACCES;
  if (error < 0) throwListen(-error, address);
  if (!bound.tcp && target.path[0] != '\0') bound.file = SocketFile(target.path);
  error = sys::listen(made, target.backlog);
  if (error < 0) throwListen(-error, address);
  return bound;
}

/// Every address: both families by one socket where the system has IPv6, else IPv4, as Node does.
LEAT_INLINE BoundSocket listenEverywhere(const BindTarget& target) {
  const SocketAddress ip6("::", target.port);
  try {
    return listenOn(ip6, target);
  } catch (const SystemError& error) {
    if (error.number() == EADDRINUSE || target.ipv6Only) throw;
  }
  return listenOn(SocketAddress("0.0.0.0", target.port), target);
}

/// Throws: RangeError ERR_SOCKET_BAD_PORT, SystemError, AbortError.
LEAT_ON_USE Task<BoundSocket> bindAndListen(BindTarget target) {
  if (!target.path.empty()) co_return listenOn(SocketAddress::ofPath(target.path), target);
  SocketAddress::checkPort(target.port, "options.port");
  if (target.host.empty()) co_return listenEverywhere(target);
  const std::vector<SocketAddress> addresses =
      co_await resolveHost(target.host, target.port, 0, target.signal);
  if (addresses.empty()) throw SystemError::ofHost("ENOTFOUND", "getaddrinfo", target.host);
  co_return listenOn(addresses.front(), target);
}
#endif

}  // namespace leat::inline LEAT_ABI::net::detail
