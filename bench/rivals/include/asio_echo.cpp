// SPDX-License-Identifier: MIT

// A coroutine echo server in as few lines as Asio allows: it is compiled for what that costs.

#include <asio.hpp>
#include <system_error>

using asio::ip::tcp;

asio::awaitable<void> echo(tcp::socket socket) {
  char buffer[65536];
  try {
    for (;;) {
      auto size = co_await socket.async_read_some(asio::buffer(buffer), asio::use_awaitable);
      co_await asio::async_write(socket, asio::buffer(buffer, size), asio::use_awaitable);
    }
  } catch (const std::system_error&) {
    // The client has gone: its end of file arrives as an exception.
  }
}

asio::awaitable<void> serve(tcp::acceptor& acceptor) {
  for (;;) {
    auto socket = co_await acceptor.async_accept(asio::use_awaitable);
    asio::co_spawn(acceptor.get_executor(), echo(std::move(socket)), asio::detached);
  }
}

int main() {
  asio::io_context io(1);
  tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 7000});
  asio::co_spawn(io, serve(acceptor), asio::detached);
  io.run();
}
