// SPDX-License-Identifier: MIT

// What an idle connection costs a server in resident memory: one that is accepted and kept, and one
// whose handler, a coroutine, waits for a message. idle held|handled prints bytes.

#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/net/server.hpp>

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace {

constexpr int warmUp = 500;
constexpr int connections = 4000;

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

long residentBytes() {
  long total = 0;
  long resident = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr || std::fscanf(file, "%ld %ld", &total, &resident) != 2) die("statm");
  std::fclose(file);
  return resident * ::sysconf(_SC_PAGESIZE);
}

/// The peers: bare descriptors, so that they cost this process nothing that counts.
int connectTo(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<in_port_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    die("connect");
  return fd;
}

leat::Task<> reach(int port, std::vector<int>& peers, const long& seen, int count) {
  const long wanted = seen + count;
  for (int i = 0; i < count; ++i) {
    peers.push_back(connectTo(port));
    if (i % 100 == 99) co_await leat::sleep(1);
  }
  while (seen < wanted) co_await leat::sleep(1);
  co_await leat::sleep(20);
}

leat::Task<double> bytesPerConnection(int port, const long& seen) {
  std::vector<int> peers;
  peers.reserve(warmUp + connections);
  co_await reach(port, peers, seen, warmUp);
  const long before = residentBytes();
  co_await reach(port, peers, seen, connections);
  const long after = residentBytes();
  for (const int peer : peers) ::close(peer);
  co_return static_cast<double>(after - before) / connections;
}

leat::Task<> held() {
  long seen = 0;
  std::vector<leat::net::Socket> sockets;
  sockets.reserve(warmUp + connections);
  const leat::net::Server server = leat::net::createServer([&](leat::net::Socket socket) {
    ++seen;
    sockets.push_back(std::move(socket));
  });
  co_await server.listen({.host = "127.0.0.1"});
  const double bytes = co_await bytesPerConnection(server.address().port(), seen);
  std::printf("%.0f\n", bytes);
  for (const leat::net::Socket& socket : sockets) socket.destroy();
  co_await server.close();
}

leat::Task<> handled() {
  long seen = 0;
  const auto handler = [&seen](leat::net::Socket socket) -> leat::Task<> {
    ++seen;
    for (;;) {
      const leat::Buffer message = co_await socket.read();
      if (message.empty()) break;
      co_await socket.write(message);
    }
  };
  const leat::net::Server server = leat::net::createServer(handler);
  co_await server.listen({.host = "127.0.0.1"});
  const double bytes = co_await bytesPerConnection(server.address().port(), seen);
  std::printf("%.0f\n", bytes);
  co_await server.close();
}

}  // namespace

int main(int count, char** arguments) {
  const std::string_view which = count == 2 ? arguments[1] : "";
  if (which != "held" && which != "handled") {
    std::fprintf(stderr, "usage: idle held|handled\n");
    return 2;
  }
  const rlim_t files = 3 * (warmUp + connections);
  const rlimit limit{files, files};
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) die("setrlimit");
  return leat::run(which == "held" ? held : handled);
}
