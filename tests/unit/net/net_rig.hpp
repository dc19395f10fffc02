// SPDX-License-Identifier: MIT
// What the tests of sockets and servers share: a loop that may not hang, pairs of sockets, plain clients
// that do what a test tells them, and the count of descriptors.
#pragma once

#include <leat/core/as_result.hpp>
#include <leat/core/promise_then.hpp>
#include <leat/loop/next_tick.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/net/server.hpp>
#include <leat/testing/fuse.hpp>

#include <dirent.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/un.h>

#include <leat_test.hpp>
#include <backend.hpp>
#include <optional>
#include <string>
#include <vector>

namespace net_rig {

namespace net = leat::net;
using leat::Task;
using net::Server;
using net::Socket;

inline int openDescriptors() {
  DIR* directory = ::opendir("/proc/self/fd");
  int count = 0;
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count;
}

/// Fails the test when it ends with more or fewer descriptors than it began with.
struct SameDescriptors {
  int before = openDescriptors();
  ~SameDescriptors() { CHECK(openDescriptors() == before); }
};

/// Runs `main` to the end of its loop; one that hangs for `limitMs` fails. The exit code.
template <class F>
int runToEnd(F&& main, int limitMs = 20000) {
  SameDescriptors same;
  return leat::run([&] {
    leat::setTimeout([] { throw leat::Error("the test hangs"); }, limitMs).unref();
    return main();
  });
}
/// The same, and nothing may go wrong.
template <class F>
void run(F&& main) {
  REQUIRE(runToEnd(main) == 0);
}

/// Runs `main` with a fuse: where a system call fails it may fail, but not hang. Whether there was a loop, and no error
/// that nobody has handled.
template <class F>
bool runFused(const leat::testing::FaultInjector& injector, F&& main) {
  SameDescriptors same;
  bool hung = false;
  int code = 1;
  try {
    code = leat::run([&] {
      leat::setTimeout(
          [&hung] {
            hung = true;
            throw leat::Error("the test hangs");
          },
          8000)
          .unref();
      return main();
    });
  } catch (const leat::SystemError&) {
    // There was no loop.
  }
  if (hung) FAIL("it hung after " << leat::sys::name(injector.lastBlown()));
  if (code != 0 && code != 1) FAIL("exit code " << code);
  return code == 0;
}

/// Before `bind`: connections of a test before are no reason to refuse a port.
inline void allowReuse(int fd) {
  const int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
}

/// Asks once a millisecond until it holds.
template <class F>
class Until {
 public:
  explicit Until(F condition) : condition_(condition) {}
  Task<> operator()() const { return wait(condition_); }

 private:
  static Task<> wait(F condition) {
    bool holds = condition();
    for (int turn = 0; !holds && turn < 5000; ++turn) {
      co_await leat::sleep(1);
      holds = condition();
    }
    if (!holds) throw leat::Error("waited in vain");
  }
  F condition_;
};
template <class F>
Task<> until(F condition) {
  static_assert(std::is_trivially_destructible_v<F>);
  return Until<F>(condition)();
}

inline std::string codeOf(const std::exception_ptr& error) {
  if (!error) return "none";
  try {
    std::rethrow_exception(error);
  } catch (const leat::Error& e) {
    return std::string(e.code());
  } catch (...) {
    return "foreign";
  }
}
inline std::string textOf(const std::exception_ptr& error) {
  if (!error) return "none";
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "foreign";
  }
}

/// How an awaitable ends: "" or the code of what it throws.
template <class A>
Task<std::string> outcome(A awaitable) {
  std::exception_ptr error;
  try {
    (void)co_await std::move(awaitable);
  } catch (...) {
    error = std::current_exception();
  }
  if (!error) co_return std::string();
  co_return codeOf(error);
}
template <class A>
Task<std::string> message(A awaitable) {
  std::exception_ptr error;
  try {
    (void)co_await std::move(awaitable);
  } catch (...) {
    error = std::current_exception();
  }
  co_return textOf(error);
}

/// A socket of the library around a connected descriptor.
inline Socket adopt(int fd, bool tcp = true, bool allowHalfOpen = false) {
  auto connection = leat::detail::makeRef<net::detail::Connection>(leat::EventLoop::current());
  connection->allowHalfOpen = allowHalfOpen;
  connection->open(leat::sys::UniqueFd(fd), tcp);
  return Socket(std::move(connection));
}

struct Ends {
  leat::sys::UniqueFd a, b;
};

/// A connected pair of TCP sockets that do not block; small buffers where `buffer` says so.
inline Ends tcpEnds(int buffer = 0) {
  leat::sys::UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (buffer > 0) ::setsockopt(listener.get(), SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  if (::bind(listener.get(), generic, size) != 0 || ::listen(listener.get(), 8) != 0)
    throw leat::Error("no listener");
  ::getsockname(listener.get(), generic, &size);
  Ends ends;
  ends.a.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (buffer > 0) ::setsockopt(ends.a.get(), SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  if (::connect(ends.a.get(), generic, size) != 0) throw leat::Error("no connection");
  ends.b.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  for (const int fd : {ends.a.get(), ends.b.get()}) ::fcntl(fd, F_SETFL, O_NONBLOCK);
  return ends;
}

/// A socket of the library and the plain descriptor at the other end.
class Duo {
 public:
  explicit Duo(int buffer = 0, bool allowHalfOpen = false) : Duo(tcpEnds(buffer), allowHalfOpen) {}

  /// Sends at once; what does not fit is a failure of the test.
  void say(std::string_view text) const {
    const ssize_t sent = ::send(peer.get(), text.data(), text.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(text.size())) throw leat::Error("the peer could not send");
  }
  /// What is there now, the bytes included that the loop would send when its turn ends.
  std::string hear() const {
    flush();
    std::string text(65536, '\0');
    const ssize_t count = ::recv(peer.get(), text.data(), text.size(), MSG_DONTWAIT);
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return text;
  }
  /// Whether the socket has said that it sends no more.
  bool heardEnd() const {
    flush();
    char byte;
    return ::recv(peer.get(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
  }
  static void flush() {
    if (auto* loop = leat::EventLoop::currentOrNull()) loop->reactor().flush();
  }
  void hangUp() { peer.reset(); }
  void sayEnd() const { ::shutdown(peer.get(), SHUT_WR); }
  void sayReset() {
    const linger now{1, 0};
    ::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    peer.reset();
  }

 private:
  Duo(Ends ends, bool allowHalfOpen)
      : socket(adopt(ends.a.release(), true, allowHalfOpen)), peer(std::move(ends.b)) {}

 public:
  Socket socket;
  leat::sys::UniqueFd peer;
};

/// Two sockets of the library.
struct Pair {
  explicit Pair(int buffer = 0, bool allowHalfOpen = false)
      : Pair(tcpEnds(buffer), allowHalfOpen) {}
  Socket a, b;

 private:
  Pair(Ends ends, bool allowHalfOpen)
      : a(adopt(ends.a.release(), true, allowHalfOpen)),
        b(adopt(ends.b.release(), true, allowHalfOpen)) {}
};

/// A plain blocking client; the kernel accepts for the server, so that connecting does not wait.
inline leat::sys::UniqueFd dial(const net::SocketAddress& to) {
  leat::sys::UniqueFd fd(::socket(to.data()->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), to.data(), to.size()) != 0) fd.reset();
  return fd;
}

/// Listens, with no room for another connection: who connects to it waits.
class FullListener {
 public:
  explicit FullListener(const net::SocketAddress& on = net::SocketAddress("127.0.0.1", 0))
      : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    allowReuse(listener_.get());
    if (::bind(listener_.get(), on.data(), on.size()) != 0 || ::listen(listener_.get(), 0) != 0)
      throw leat::Error("no listener");
    for (int i = 0; i < 16; ++i) {
      const int flags = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
      clients_.emplace_back(::socket(AF_INET, flags, 0));
      (void)::connect(clients_.back().get(), address().data(), address().size());
      pollfd waiting{clients_.back().get(), POLLOUT, 0};
      if (::poll(&waiting, 1, 100) == 0) return;
    }
    throw leat::Error("the listener has room for everybody");
  }
  net::SocketAddress address() const { return net::detail::localAddressOf(listener_.get()); }

 private:
  leat::sys::UniqueFd listener_;
  std::vector<leat::sys::UniqueFd> clients_;
};

/// What comes, until the other side ends.
inline Task<std::string> readAll(Socket socket) {
  std::string all;
  leat::Buffer chunk;
  do {
    chunk = co_await socket.read();
    all += chunk.view();
  } while (!chunk.empty());
  co_return all;
}

/// What comes of a wait for a connection: "socket", "nothing" or the error's code.
inline leat::Promise<std::string> accepting(
    Server server, leat::AbortSignal signal = leat::AbortController().signal()) {
  std::string result;
  try {
    std::optional<Socket> socket = co_await server.accept(signal);
    result = socket ? "socket" : "nothing";
  } catch (const leat::Error& error) {
    result = error.code();
  }
  co_return result;
}

inline std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  std::uint32_t state = 1;
  for (char& c : text) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return text;
}

inline std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

}  // namespace net_rig
