// SPDX-License-Identifier: MIT
// net.connect: from a host and a port, or a path, to a connected socket.
#pragma once

#include <leat/loop/with_timeout.hpp>
#include <leat/net/detail/op_awaiter.hpp>
#include <leat/net/detail/resolve.hpp>
#include <leat/net/happy_eyeballs.hpp>
#include <leat/net/socket.hpp>

namespace leat::inline LEAT_ABI::net {

/// Where to connect and how. Node: the options of `net.connect`.
struct ConnectOptions {
  int port = 0;
  /// An address or a name. Default: localhost.
  std::string_view host{};
  /// A Unix socket instead; with a leading '\0' an abstract one.
  std::string_view path{};
  /// 4 or 6 asks for addresses of one family only; 0 takes both.
  int family = 0;
  /// Binds to this address of the machine first. Not for a `path`.
  std::string_view localAddress{};
  int localPort = 0;
  /// For the whole of it, look-up included; 0: no limit of its own. A time too long for a timer is the longest.
  Milliseconds timeout = 0;
  /// Milliseconds that an address has before the next one joins in, at least 1. As in Node, less than 10 is 10.
  int attemptTimeout = 250;
  bool noDelay = false;
  bool keepAlive = false;
  bool allowHalfOpen = false;
  /// How many unsent bytes make `write` false.
  std::size_t highWaterMark = 16 * 1024;
  SignalRef signal{};
};

namespace detail {

/// Owned copies of what the options viewed. No aggregate: g++ 12 would destroy it twice.
class ConnectTarget {
 public:
  explicit ConnectTarget(const ConnectOptions& o)
      : host(o.host.empty() ? "localhost" : o.host),
        path(o.path),
        localAddress(o.localAddress),
        signal(o.signal.state()),
        port(o.port),
        localPort(o.localPort),
        family(o.family),
        attemptTimeout(o.attemptTimeout),
        timeout(leat::detail::checkedTimeout("options.timeout", o.timeout.count())),
        highWaterMark(o.highWaterMark),
        noDelay(o.noDelay),
        keepAlive(o.keepAlive),
        allowHalfOpen(o.allowHalfOpen) {}

  std::string host;
  std::string path;
  std::string localAddress;
  Ref<AbortState> signal;
  int port;
  int localPort;
  int family;
  int attemptTimeout;
  double timeout;
  std::size_t highWaterMark;
  bool noDelay;
  bool keepAlive;
  bool allowHalfOpen;
};

[[noreturn]] inline void throwConnect(int error, const SocketAddress& to) {
  if (!to.isIP()) throw SystemError::ofAddress(error, "connect", to.toString(), -1);
  throw SystemError::ofAddress(error, "connect", to.address(), to.port());
}

/// One attempt. The connection is the socket's from the start; given up, it is closed.
LEAT_ON_USE
Task<Socket> connectTo(SocketAddress to, const ConnectTarget& target);

#if LEAT_BODIES
/// What `connect` says at once.
LEAT_INLINE void checkConnect(const ConnectOptions& options) {
  (void)headStartMs(options.attemptTimeout);
  if (!options.path.empty()) return;
  SocketAddress::checkPort(options.port);
  SocketAddress::checkPort(options.localPort, "options.localPort");
  if (options.localAddress.empty() || isIP(options.localAddress) != 0) return;
  throw TypeError(leat::detail::SharedText{"Invalid IP address: ", options.localAddress}.view(),
                  "ERR_INVALID_IP_ADDRESS");
}

LEAT_INLINE sys::UniqueFd makeSocket(const SocketAddress& to, const ConnectTarget& target) {
  const int made = sys::socket(to.data()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (made < 0) throwConnect(-made, to);
  sys::UniqueFd fd(made);
  if (to.isIP() && (!target.localAddress.empty() || target.localPort != 0)) {
    const SocketAddress from = target.localAddress.empty()
                                   ? SocketAddress::any(to.family(), target.localPort)
                                   : SocketAddress(target.localAddress, target.localPort);
    const int error = sys::bind(made, from.data(), from.size());
    const int port = from.port() == 0 ? -1 : from.port();
    if (error < 0) throw SystemError::ofAddress(-error, "bind", from.address(), port);
  }
  return fd;
}

LEAT_ON_USE_BODY
Task<Socket> connectTo(SocketAddress to, const ConnectTarget& target) {
  EventLoop& loop = EventLoop::current();
  auto connection = leat::detail::makeRef<Connection>(loop);
  connection->allowHalfOpen = target.allowHalfOpen;
  connection->highWaterMark = target.highWaterMark;
  connection->open(makeSocket(to, target), to.isIP());
  OpAwaiter operation(loop, target.signal.get());
  operation.prepareConnect(connection->handle(), to.data(), to.size());
  const int error = co_await operation;
  if (error < 0) throwConnect(-error, to);
  if (to.isIP() && target.noDelay) connection->setOption(IPPROTO_TCP, TCP_NODELAY, 1);
  if (to.isIP() && target.keepAlive) connection->setOption(SOL_SOCKET, SO_KEEPALIVE, 1);
  co_return Socket(connection);
}
#endif

/// Refers to the target in the frame of who races the attempts.
class ConnectAttempt {
 public:
  explicit ConnectAttempt(const ConnectTarget& target) noexcept : target_(&target) {}
  LEAT_ON_USE
  Task<Socket> operator()(const SocketAddress& to) const { return connectTo(to, *target_); }

 private:
  const ConnectTarget* target_;
};

// The types of what races and what has a deadline are parameters, or they would be compiled with this.
template <class Attempt = ConnectAttempt>
Task<Socket> connectNow(ConnectTarget target) {
  if (!target.path.empty())
    co_return co_await connectTo(SocketAddress::ofPath(target.path), target);
  const std::vector<SocketAddress> addresses =
      co_await resolveHost(target.host, target.port, target.family, target.signal);
  const Attempt attempt(target);
  HappyEyeballsOptions options;
  options.attemptTimeout = target.attemptTimeout;
  options.signal = SignalRef(target.signal.get());
  co_return co_await happyEyeballs(addresses, attempt, options);
}

template <class Target>
Task<Socket> connectInTime(Target target) {
  const double timeout = target.timeout;
  co_return co_await withTimeout(timeout, connectNow(std::move(target)));
}

}  // namespace detail

/// Connects. A name is looked up first; its addresses are tried as `happyEyeballs` says.
///
/// Node: `net.connect`, `net.createConnection`. Cancel: AbortError; nothing stays open.
/// Throws: SystemError ("connect ECONNREFUSED 127.0.0.1:80", ENOTFOUND of the look-up), AggregateError
/// when all of several addresses failed, TimeoutError; TypeError ERR_INVALID_ARG_VALUE of a `family` for a name.
/// At the call: RangeError ERR_SOCKET_BAD_PORT, ERR_OUT_OF_RANGE of times, TypeError ERR_INVALID_IP_ADDRESS.
LEAT_ON_USE
Task<Socket> connect(ConnectOptions options);
/// Node: `net.connect(port, host)`.
LEAT_ON_USE
Task<Socket> connect(int port, std::string_view host = {});

#if LEAT_BODIES
LEAT_ON_USE_BODY
Task<Socket> connect(ConnectOptions options) {
  detail::checkConnect(options);
  detail::ConnectTarget target(options);
  if (target.timeout > 0) return detail::connectInTime(std::move(target));
  return detail::connectNow(std::move(target));
}

LEAT_ON_USE_BODY
Task<Socket> connect(int port, std::string_view host) {
  return connect(ConnectOptions{.port = port, .host = host});
}
#endif

}  // namespace leat::inline LEAT_ABI::net
