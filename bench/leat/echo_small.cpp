// SPDX-License-Identifier: MIT

// The same program as rivals/include/asio_echo.cpp: only compiled, for the include cost.

#include <leat/loop/run.hpp>
#include <leat/net/server.hpp>

leat::Task<> echo(leat::net::Socket socket) {
  char data[4096];
  while (const std::size_t count = co_await socket.read(std::span(data)))
    co_await socket.write(std::string_view(data, count));
}

leat::Task<> serve() {
  const leat::net::Server server = co_await leat::net::listen(echo, {.port = 8080});
  co_await server.closed();
}

int main() { return leat::run(serve); }
