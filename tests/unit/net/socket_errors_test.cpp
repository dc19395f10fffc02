// SPDX-License-Identifier: MIT
// Sockets that break, are destroyed, aborted or used where they may not be.
#include "net_rig.hpp"

#include <signal.h>

#include <memory>
#include <thread>

#include <leat/core/with_context.hpp>
#include <leat/loop/with_timeout.hpp>

using namespace net_rig;

namespace {

leat::Promise<std::string> reading(Socket socket) { co_return co_await message(socket.read()); }
leat::Promise<std::string> ending(Socket socket) { co_return co_await message(socket.end()); }
leat::Promise<std::string> writing(Socket socket, std::string text) {
  co_return co_await message(socket.write(text));
}

const std::string mebibyte(1 << 20, 'x');

}  // namespace

// ---- errors of the connection ----

TEST_CASE("a read of a connection that was reset is ECONNRESET, worded as Node does") {
  run([]() -> Task<> {
    Duo duo;
    const auto waiting = reading(duo.socket);
    duo.sayReset();
    const std::string text = co_await waiting;
    CHECK(text == "read ECONNRESET");
    CHECK(duo.socket.destroyed());
    CHECK(codeOf(duo.socket.errored()) == "ECONNRESET");
    const std::string again = co_await message(duo.socket.read());
    CHECK(again == "read ECONNRESET");
    const std::string write = co_await message(duo.socket.write("x"));
    CHECK(write == "read ECONNRESET");
    co_await duo.socket.closed();
  });
}

TEST_CASE("a write to a connection that was reset is ECONNRESET, then EPIPE, and no signal") {
  run([]() -> Task<> {
    ::signal(SIGPIPE, SIG_DFL);
    Duo duo;
    duo.sayReset();
    // More than a ring takes at once, so that the error shows at once, too.
    const std::string much(20000, 'x');
    auto first = duo.socket.write(much);
    CHECK_FALSE(first);
    const std::string text = co_await message(first);
    CHECK(text == "write ECONNRESET");
    Duo other;
    leat::sys::shutdown(other.socket.fd(), SHUT_WR);
    const std::string pipe = co_await message(other.socket.write(much));
    CHECK(pipe == "write EPIPE");
    CHECK(codeOf(other.socket.errored()) == "EPIPE");
    const std::vector<leat::Buffer> pieces = {leat::Buffer::from("a"), leat::Buffer::from("b")};
    const std::string gone = co_await message(other.socket.writev(pieces));
    CHECK(gone == "write EPIPE");
    ::signal(SIGPIPE, SIG_IGN);
  });
}

TEST_CASE("a reset while bytes wait to be sent is told to all who wait") {
  run([]() -> Task<> {
    Duo duo(4096);
    const auto write = writing(duo.socket, mebibyte);
    const auto end = ending(duo.socket);
    co_await leat::sleep(2);
    duo.sayReset();
    const std::string written = co_await write;
    const std::string ended = co_await end;
    CHECK(written == ended);
    CHECK((written == "write ECONNRESET" || written == "write EPIPE"));
    CHECK(duo.socket.writableLength() == 0);
  });
}

TEST_CASE("resetAndDestroy resets the connection") {
  run([]() -> Task<> {
    Pair pair;
    const auto waiting = reading(pair.b);
    const auto own = reading(pair.a);
    pair.a.resetAndDestroy();
    pair.a.resetAndDestroy();
    const std::string other = co_await waiting;
    CHECK(other == "read ECONNRESET");
    const std::string mine = co_await own;
    CHECK(mine == "Premature close");
  });
}

TEST_CASE("a write after the end destroys the socket, as in Node") {
  run([]() -> Task<> {
    Duo duo;
    co_await duo.socket.end("bye");
    auto late = duo.socket.write("more");
    CHECK_FALSE(late);
    CHECK(duo.socket.destroyed());
    const std::string text = co_await message(late);
    CHECK(text == "write after end");
    CHECK(codeOf(duo.socket.errored()) == "ERR_STREAM_WRITE_AFTER_END");
    CHECK(duo.hear() == "bye");
  });
}

// ---- destroy ----

TEST_CASE("destroy tells whoever waits: with its error, or as a premature close") {
  for (const bool withError : {false, true}) {
    run([&]() -> Task<> {
      Duo duo(4096);
      const auto read = reading(duo.socket);
      const auto write = writing(duo.socket, mebibyte);
      const auto end = ending(duo.socket);
      duo.socket.destroy(withError ? std::make_exception_ptr(leat::Error("mine")) : nullptr);
      duo.socket.destroy(std::make_exception_ptr(leat::Error("too late")));
      const std::string readText = co_await read;
      CHECK(readText == (withError ? "mine" : "Premature close"));
      const std::string writeText = co_await write;
      CHECK(writeText == (withError ? "mine" : "Cannot call write after a stream was destroyed"));
      const std::string endText = co_await end;
      CHECK(endText == (withError ? "mine" : "Cannot call end after a stream was destroyed"));
      const std::string later = co_await message(duo.socket.read());
      CHECK(later == (withError ? "mine" : "Cannot call read after a stream was destroyed"));
      co_await duo.socket.closed();
    });
  }
}

TEST_CASE("a socket may be destroyed by who has just read from it, and its handle dropped") {
  run([]() -> Task<> {
    auto duo = std::make_unique<Duo>();
    leat::sys::UniqueFd peer = std::move(duo->peer);
    leat::setImmediate([fd = peer.get()] { (void)::send(fd, "x", 1, 0); });
    const leat::Buffer x = co_await duo->socket.read();
    CHECK(x == "x");
    duo->socket.destroy();
    duo.reset();
    co_await leat::sleep(1);
    char byte;
    CHECK(::recv(peer.get(), &byte, 1, MSG_DONTWAIT) == 0);
  });
}

TEST_CASE("a read, destroyed with its coroutine after the socket was, leaves nothing behind") {
  run([]() -> Task<> {
    struct Frame : leat::detail::CallbackFrame {
      Frame() : CallbackFrame([](CallbackFrame*) noexcept {}) {}
    } done;
    Duo duo;
    {
      Task<std::string> task = message(duo.socket.read());
      leat::detail::startTask(task, done);
      duo.socket.destroy();
    }
    co_await duo.socket.closed();
  });
}

TEST_CASE("close is told in the close phase") {
  // node: c.destroy(), then a tick, a promise and an immediate, in an I/O callback.
  std::vector<std::string> log;
  run([&]() -> Task<> {
    Duo duo;
    duo.say("x");
    leat::setImmediate([&] { duo.say("y"); });
    (void)co_await duo.socket.read();
    (void)co_await duo.socket.read();
    const auto closing = [&]() -> leat::Promise<> {
      co_await duo.socket.closed();
      log.push_back("close");
    };
    const auto closed = closing();
    duo.socket.destroy();
    log.push_back("destroyed");
    leat::setImmediate([&] { log.push_back("immediate"); });
    leat::nextTick([&] { log.push_back("tick"); });
    (void)leat::Promise<>::resolve().then([&] { log.push_back("micro"); });
    co_await closed;
  });
  CHECK(joined(log) == "destroyed tick micro immediate close");
}

// ---- aborts ----

TEST_CASE("an abort ends a read, before it begins and while it waits, and loses nothing") {
  run([]() -> Task<> {
    Duo duo;
    leat::AbortController controller;
    leat::setTimeout([&] { controller.abort(leat::Error("why")); }, 2);
    std::exception_ptr cause;
    try {
      (void)co_await duo.socket.read(100, controller);
    } catch (const leat::AbortError& error) {
      cause = error.cause();
    }
    CHECK(textOf(cause) == "why");
    duo.say("kept");
    const std::string before = co_await outcome(duo.socket.read(100, controller));
    CHECK(before == "ABORT_ERR");
    const leat::Buffer kept = co_await duo.socket.read();
    CHECK(kept == "kept");
    const std::string ambient =
        co_await outcome(leat::withSignal(controller.signal(), duo.socket.read()));
    CHECK(ambient == "ABORT_ERR");
    const std::string late = co_await outcome(leat::withTimeout(5, duo.socket.read()));
    CHECK(late == "TIMEOUT_ERR");
    CHECK_FALSE(duo.socket.destroyed());
  });
}

TEST_CASE("an abort in the turn in which bytes come gives one or the other, and loses nothing") {
  for (int delay = 0; delay < 4; ++delay) {
    run([&]() -> Task<> {
      Duo duo;
      leat::AbortController controller;
      leat::setImmediate([&duo, delay, controller] {
        if (delay % 2 == 0) duo.say("bytes");
        if (delay / 2 == 0) {
          controller.abort();
        } else {
          leat::setImmediate([controller] { controller.abort(); });
        }
        if (delay % 2 == 1) duo.say("bytes");
      });
      std::string got;
      const std::string code = co_await outcome(
          [](Socket socket, leat::AbortSignal signal, std::string* into) -> Task<> {
            const leat::Buffer chunk = co_await socket.read(100, signal);
            *into = chunk.view();
          }(duo.socket, controller.signal(), &got));
      CHECK((code.empty() ? got == "bytes" : code == "ABORT_ERR" && got.empty()));
      if (got.empty()) {
        const leat::Buffer rest = co_await duo.socket.read();
        CHECK(rest == "bytes");
      }
    });
  }
}

TEST_CASE("an aborted read that was told to end may be destroyed, or its socket") {
  for (const bool destroySocket : {false, true}) {
    run([&]() -> Task<> {
      struct Frame : leat::detail::CallbackFrame {
        Frame() : CallbackFrame([](CallbackFrame*) noexcept {}) {}
      } done;
      Duo duo;
      leat::AbortController controller;
      auto task = std::make_unique<Task<std::string>>(outcome(duo.socket.read(9, controller)));
      leat::detail::startTask(*task, done);
      co_await leat::sleep(1);
      controller.abort();
      if (destroySocket) duo.socket.destroy();
      task.reset();
      if (destroySocket) co_return;
      duo.say("fine");
      const leat::Buffer fine = co_await duo.socket.read();
      CHECK(fine == "fine");
    });
  }
}

TEST_CASE("an abort while a write is half sent destroys the socket, and says why") {
  run([]() -> Task<> {
    Duo duo(4096);
    leat::AbortController controller;
    leat::setTimeout([&] { controller.abort(leat::Error("enough")); }, 2);
    const auto work = [](Socket socket) -> Task<> { co_await socket.write(mebibyte); };
    std::exception_ptr error;
    try {
      co_await leat::withSignal(controller.signal(), work(duo.socket));
    } catch (...) {
      error = std::current_exception();
    }
    CHECK(codeOf(error) == "ABORT_ERR");
    CHECK_THAT(textOf(error), leat_test::containsText("the socket was destroyed"));
    CHECK(duo.socket.destroyed());
    CHECK(codeOf(duo.socket.errored()) == "ABORT_ERR");
    try {
      std::rethrow_exception(error);
    } catch (const leat::Error& e) {
      CHECK(textOf(e.cause()) == "enough");
    }
  });
}

TEST_CASE(
    "a write for which there is room is sent under a signal that was aborted; another is not") {
  run([]() -> Task<> {
    Duo duo(4096);
    leat::AbortController controller;
    controller.abort(leat::Error("enough"));
    const auto work = [](Socket socket, std::string_view bytes) -> Task<> {
      co_await socket.write(bytes);
    };
    std::string code =
        co_await outcome(leat::withSignal(controller.signal(), work(duo.socket, "short")));
    CHECK(code.empty());
    CHECK(duo.hear() == "short");
    CHECK_FALSE(duo.socket.destroyed());
    code = co_await outcome(leat::withSignal(controller.signal(), work(duo.socket, mebibyte)));
    CHECK(code == "ABORT_ERR");
    CHECK(duo.socket.destroyed());
  });
}

TEST_CASE("an abort in the turn in which room comes for a write gives one or the other") {
  for (int delay = 0; delay < 4; ++delay) {
    run([&]() -> Task<> {
      Duo duo(4096);
      leat::AbortController controller;
      std::size_t heard = 0;
      const auto hearAll = [&] {
        for (std::string text = duo.hear(); !text.empty(); text = duo.hear()) heard += text.size();
      };
      leat::setImmediate([&, delay] {
        if (delay % 2 == 0) hearAll();
        if (delay / 2 == 0) {
          controller.abort();
        } else {
          leat::setImmediate([&] { controller.abort(); });
        }
        if (delay % 2 == 1) hearAll();
      });
      const auto work = [](Socket socket) -> Task<> { co_await socket.write(mebibyte); };
      const std::string code =
          co_await outcome(leat::withSignal(controller.signal(), work(duo.socket)));
      CHECK((code.empty() || code == "ABORT_ERR"));
      CHECK(duo.socket.destroyed() == !code.empty());
      while (!duo.socket.destroyed() && heard < mebibyte.size()) {
        hearAll();
        co_await leat::sleep(0);
      }
      CHECK((duo.socket.destroyed() || heard == mebibyte.size()));
    });
  }
}

TEST_CASE("end goes on under a signal that was aborted; a wait for the close does not") {
  run([]() -> Task<> {
    Duo duo;
    leat::AbortController controller;
    controller.abort();
    const std::string closed =
        co_await outcome(leat::withSignal(controller.signal(), duo.socket.closed()));
    CHECK(closed == "ABORT_ERR");
    (void)duo.socket.write(mebibyte);
    const auto timer = leat::setInterval([&] { (void)duo.hear(); }, 1);
    const std::string ended =
        co_await outcome(leat::withSignal(controller.signal(), duo.socket.end()));
    leat::clearInterval(timer);
    CHECK(ended.empty());
    CHECK(duo.socket.writableFinished());
  });
}

// ---- where a socket may not be used ----

TEST_CASE("a socket that is used on another thread says so") {
  run([]() -> Task<> {
    Duo duo;
    std::vector<std::string> codes;
    std::thread other([&] {
      const auto attempt = [&](auto&& use) {
        try {
          use();
          codes.push_back("nothing");
        } catch (const leat::Error& error) {
          codes.push_back(std::string(error.code()));
        }
      };
      const auto attempts = [&] {
        attempt([&] { (void)duo.socket.write("x"); });
        attempt([&] { (void)duo.socket.write(leat::Buffer::from("x")); });
        attempt([&] { (void)duo.socket.writev({}); });
        attempt([&] { (void)duo.socket.end(); });
        attempt([&] { duo.socket.destroy(); });
        attempt([&] { duo.socket.resetAndDestroy(); });
        attempt([&] { duo.socket.setNoDelay(); });
        attempt([&] { duo.socket.setTimeout(5); });
        attempt([&] { duo.socket.unref(); });
        attempt([&] { duo.socket.unshift(leat::Buffer()); });
        attempt([&] { (void)(duo.socket.read().operator co_await)().await_ready(); });
        attempt([&] {
          std::byte byte;
          (void)(duo.socket.read(std::span(&byte, 1)).operator co_await)().await_ready();
        });
        attempt([&] { (void)(duo.socket.closed().operator co_await)().await_ready(); });
      };
      attempts();
      CHECK(leat::run(attempts) == 0);
    });
    other.join();
    CHECK(codes == std::vector<std::string>(26, "ERR_WRONG_THREAD"));
    CHECK_FALSE(duo.socket.destroyed());
    co_await duo.socket.write("here it may");
    CHECK(duo.hear() == "here it may");
  });
}

TEST_CASE("a socket that outlives its loop is closed, and says so, also to another loop") {
  SameDescriptors same;
  std::vector<Duo> kept;
  CHECK(leat::run([&] {
          kept.emplace_back();
          kept.back().socket.setTimeout(1000, [socket = kept.back().socket] { socket.destroy(); });
          kept.emplace_back(4096);
          (void)kept.back().socket.write(mebibyte);
          kept.back().socket.unref();
        }) == 0);
  const auto use = [&]() -> Task<> {
    for (Duo& duo : kept) {
      CHECK(duo.socket.destroyed());
      duo.socket.destroy();
      duo.socket.resetAndDestroy();
      duo.socket.ref();
      (void)duo.socket.end();
      const std::string read = co_await outcome(duo.socket.read());
      CHECK((read == "ERR_STREAM_DESTROYED" || read == "ERR_WRONG_THREAD"));
      std::string write;
      try {
        write = co_await outcome(duo.socket.write("x"));
      } catch (const leat::Error& error) {
        write = error.code();
      }
      CHECK((write == "ERR_STREAM_DESTROYED" || write == "ERR_WRONG_THREAD"));
      const std::string closed = co_await outcome(duo.socket.closed());
      CHECK((closed.empty() || closed == "ERR_WRONG_THREAD"));
    }
  };
  CHECK(leat::run(use) == 0);
  CHECK_THROWS_AS(kept.front().socket.write("x"), leat::Error);
  kept.front().socket.destroy();
}

// ---- system calls that fail ----

namespace {

leat::Promise<> session(int* messages) {
  const Server server = net::createServer([](Socket socket) -> Task<> {
    std::exception_ptr failure;
    try {
      std::string line;
      do {
        line = co_await socket.readUntil("\n");
        if (!line.empty()) co_await socket.write(line);
      } while (!line.empty());
    } catch (const leat::Error&) {
      failure = std::current_exception();
    }
    if (failure) socket.destroy();
  });
  std::exception_ptr failure;
  try {
    co_await server.listen({.host = "127.0.0.1"});
    leat::sys::UniqueFd fd = dial(server.address());
    if (fd) {
      ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
      const Socket client = adopt(fd.release());
      client.setNoDelay().setKeepAlive(true, 1000);
      for (int i = 0; i < 3; ++i) {
        co_await client.write("message " + std::to_string(i) + "\n");
        const std::string line = co_await client.readUntil("\n");
        if (line.empty()) throw leat::Error("closed early");
        ++*messages;
      }
      co_await client.end(std::string(100, 'x'));
      std::string rest;
      do rest = co_await client.readUntil("\n");
      while (!rest.empty());
      client.destroy();
    }
  } catch (const leat::Error&) {
    failure = std::current_exception();
  }
  co_await server.close();
}

}  // namespace

TEST_CASE("whatever system call fails, a session ends and leaves no descriptor open") {
  for (const int error : {EIO, ENOMEM, ECONNRESET}) {
    int clean = 0;
    const auto report = leat::testing::fuse(
        [&](leat::testing::FaultInjector& injector) {
          int messages = 0;
          (void)runFused(injector, [&] { return session(&messages); });
          if (messages == 3) ++clean;
        },
        error);
    CHECK(report.runs > 15);
    CHECK(clean > 0);
  }
}

TEST_CASE("calls that are interrupted are made again") {
  run([]() -> Task<> {
    leat::testing::FaultInjector injector;
    injector.fail(leat::testing::calls(leat::sys::Call::recv, leat::sys::Call::send,
                                       leat::sys::Call::accept4, leat::sys::Call::sendmsg),
                  EINTR, 1, 5);
    int messages = 0;
    co_await session(&messages);
    CHECK(messages == 3);
    CHECK(injector.blown() == 5);
  });
}
