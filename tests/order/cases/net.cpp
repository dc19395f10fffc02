// SPDX-License-Identifier: MIT
// Beside net.js: sockets and servers, their events, failures and closes.

#include "../order.hpp"

#include <leat/net.hpp>
#include <leat/stream.hpp>

namespace order {
namespace {

using net::Socket;
using Stream = Duplex<Buffer, Buffer>;

/// Two connected sockets, in an immediate; the server has closed.
struct Two {
  Socket here, there;
};
using WithTwo = void (*)(Log, const Two&);

Promise<> connectBoth(Log log, WithTwo f) {
  const net::Server server = net::createServer();
  co_await server.listen(0, "127.0.0.1");
  auto kept = std::make_shared<Two>();
  keepUntilEnd(kept);
  kept->here = co_await net::connect(server.address().port(), "127.0.0.1");
  kept->there = *co_await server.accept();
  server.close();
  setImmediate([log, f, kept] { f(log, *kept); });
}
auto pair(WithTwo f) {
  return [f](Log log) { (void)connectBoth(log, f); };
}

using WithServer = void (*)(Log, const net::Server&);
Promise<> serve(Log log, WithServer f) {
  const net::Server server = net::createServer([](const Socket& s) { s.stream().resume(); });
  co_await server.listen(0, "127.0.0.1");
  setImmediate([log, f, server] { f(log, server); });
}
auto withServer(WithServer f) {
  return [f](Log log) { (void)serve(log, f); };
}

std::string codeOf(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return std::string(e.code());
  } catch (...) {
    return "foreign";
  }
}
/// With PORT for the port and CODE for what depends on the network.
std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  return at == text.npos ? text : text.replace(at, from.size(), to);
}

void listen(const Socket& socket, Log log) {
  const Stream stream = socket.stream();
  stream.on<"data">([log](const Buffer& data) { log("data ", data.view()); });
  stream.on<"end">(log.say("end"));
  stream.on<"finish">(log.say("finish"));
  stream.on<"close">(log.say("close"));
  stream.on<"error">([log](const std::exception_ptr& error) { log("error ", codeOf(error)); });
}
void resume(const Socket& socket) { socket.stream().resume(); }
void around(Log log) {
  setImmediate(log.say("immediate"));
  nextTick(log.say("tick"));
  (void)Promise<>::resolve().then(log.say("micro"));
}

void events(Cases& add) {
  add("the peer says a word and ends", pair([](Log log, const Two& two) {
        listen(two.here, log);
        resume(two.there);
        two.there.stream().end(Buffer::from("word"));
      }));
  add("this side says a word and ends first", pair([](Log log, const Two& two) {
        listen(two.here, log);
        resume(two.there);
        two.here.stream().end(Buffer::from("word"), log.say("ended"));
        log("called");
      }));
  add("destroy: \"close\" comes in the close phase", pair([](Log log, const Two& two) {
        resume(two.there);
        listen(two.here, log);
        two.here.stream().destroy();
        around(log);
        log("destroyed");
      }));
  add("destroy with an error", pair([](Log log, const Two& two) {
        resume(two.there);
        listen(two.here, log);
        two.here.stream().destroy(std::make_exception_ptr(Error("mine", "MINE")));
        setImmediate(log.say("immediate"));
        log("destroyed");
      }));
  add("destroyed inside of a listener", pair([](Log log, const Two& two) {
        resume(two.there);
        listen(two.here, log);
        two.here.stream().on<"data">([log, here = two.here](const Buffer&) {
          here.stream().destroy();
          around(log);
        });
        (void)two.there.stream().write(Buffer::from("word"));
      }));
  add("the peer resets", pair([](Log log, const Two& two) {
        listen(two.here, log);
        two.there.resetAndDestroy();
      }));
  add("a write behind the end", pair([](Log log, const Two& two) {
        resume(two.there);
        two.here.stream().on<"error">(
            [log](const std::exception_ptr& error) { log("error ", codeOf(error)); });
        two.here.stream().on<"close">(log.say("close"));
        two.here.stream().end();
        (void)two.here.stream().write(Buffer::from("late"), [log](const std::exception_ptr& error) {
          log("write ", codeOf(error));
        });
      }));
  add("a write behind destroy", pair([](Log log, const Two& two) {
        resume(two.there);
        listen(two.here, log);
        two.here.stream().destroy();
        (void)two.here.stream().write(Buffer::from("late"), [log](const std::exception_ptr& error) {
          log("write ", codeOf(error));
        });
      }));
  add("a timeout tells, and destroys nothing", pair([](Log log, const Two& two) {
        resume(two.there);
        two.here.stream().on<"close">(log.say("close"));
        two.here.setTimeout(1, [log, here = two.here] {
          log("timeout ", here.destroyed() ? "true" : "false");
          here.stream().destroy();
        });
      }));
}

void failures(Cases& add) {
  add("a connect that is refused", [](Log log) {
    const auto connecting = [](Log say) -> Promise<> {
      try {
        (void)co_await net::connect(1, "127.0.0.1");
      } catch (const SystemError& error) {
        say(error.what());
        say(error.code(), " ", error.syscall(), " ", error.address(), " ", error.port());
        nextTick(say.say("tick behind it"));
      }
    };
    setImmediate([log, connecting] {
      (void)connecting(log);
      setImmediate(log.say("immediate"));
      log("called");
    });
  });
  add("a Unix socket that is not there", [](Log log) -> Promise<> {
    try {
      const net::ConnectOptions options{.path = "/nowhere/socket"};
      (void)co_await net::connect(options);
    } catch (const Error& error) {
      log(error.what(), " ", error.code());
    }
  });
  add("a connect that is aborted before it begins", [](Log log) -> Promise<> {
    const AbortController controller;
    controller.abort();
    try {
      const net::ConnectOptions options{.port = 1, .host = "127.0.0.1", .signal = controller};
      (void)co_await net::connect(options);
    } catch (const Error& error) {
      log(error.code(), " ", error.what());
    }
  });
  add("a name that is none", [](Log log) -> Promise<> {
    try {
      (void)co_await net::connect(1, "no-such-host.invalid");
    } catch (const Error& error) {
      log(replaced(error.what(), std::string(error.code()), "CODE"));
    }
  });
  add("a port that is taken", withServer([](Log log, const net::Server& first) {
        const auto listening = [](Log say, net::Server taken) -> Promise<> {
          const int port = taken.address().port();
          const net::Server second = net::createServer();
          try {
            co_await second.listen(port, "127.0.0.1");
          } catch (const Error& error) {
            say(replaced(error.what(), std::to_string(port), "PORT"), " ", error.code(), " ",
                second.listening() ? "true" : "false");
          }
          co_await taken.close();
          say("closed");
        };
        (void)listening(log, first);
      }));
}

Promise<> closing(Log log, net::Server server) {
  co_await server.close();
  log("closed");
}

void servers(Cases& add) {
  add("a server without connections closes before the next immediate",
      withServer([](Log log, const net::Server& server) {
        const net::Server::Closing closed = server.close();
        setImmediate(log.say("immediate"));
        log("closing ", server.listening() ? "true" : "false", " ",
            server.address() == net::SocketAddress() ? "true" : "false");
        (void)[](Log say, net::Server::Closing until)->Promise<> {
          co_await until;
          say("closed");
        }
        (log, closed);
      }));
  add("a server closes when its last connection is gone", [](Log log) -> Promise<> {
    const net::Server server = net::createServer();
    co_await server.listen(0, "127.0.0.1");
    auto client = std::make_shared<Socket>();
    keepUntilEnd(client);
    *client = co_await net::connect(server.address().port(), "127.0.0.1");
    resume(*client);
    const Socket socket = *co_await server.accept();
    (void)closing(log, server);
    log("closing ", server.listening() ? "true" : "false");
    co_await sleep(5);
    log("destroying");
    socket.destroy();
    setImmediate(log.say("immediate"));
  });
  add("a server that is closed may listen again", [](Log log) -> Promise<> {
    const net::Server server = net::createServer();
    co_await server.listen(0, "127.0.0.1");
    co_await closing(log, server);
    co_await server.listen(0, "127.0.0.1");
    log("listening ", server.listening() ? "true" : "false");
    co_await server.close();
    log("closed again");
  });
}

}  // namespace

void netCases(Cases& add) {
  add.topic("net");
  events(add);
  failures(add);
  servers(add);
}

}  // namespace order
