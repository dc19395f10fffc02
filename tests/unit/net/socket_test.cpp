// SPDX-License-Identifier: MIT
// Reading from sockets and writing to them.
#include "net_rig.hpp"

#include <netinet/tcp.h>

#include <cmath>
#include <memory>
#include <thread>

using namespace net_rig;

namespace {

leat::Promise<> sum(Socket socket, std::size_t* count) {
  leat::Buffer chunk;
  do {
    chunk = co_await socket.read();
    *count += chunk.size();
  } while (!chunk.empty());
}

}  // namespace

// ---- reading ----

TEST_CASE("a read gives what is there, and at the end of the stream nothing, again and again") {
  run([]() -> Task<> {
    Duo duo;
    duo.say("hello");
    const leat::Buffer first = co_await duo.socket.read();
    CHECK(first == "hello");
    duo.say("abcdef");
    const leat::Buffer some = co_await duo.socket.read(2);
    CHECK(some == "ab");
    duo.sayEnd();
    const std::string rest = co_await readAll(duo.socket);
    CHECK(rest == "cdef");
    CHECK(duo.socket.readableEnded());
    const leat::Buffer again = co_await duo.socket.read();
    CHECK(again.empty());
    CHECK(duo.socket.bytesRead() == 11);
  });
}

TEST_CASE("a read waits for bytes that come later") {
  run([]() -> Task<> {
    Duo duo;
    leat::setTimeout([&] { duo.say("later"); }, 5);
    char buffer[16];
    const std::size_t count = co_await duo.socket.read(std::span(buffer));
    CHECK(std::string(buffer, count) == "later");
  });
}

TEST_CASE("a read of nothing is no end") {
  run([]() -> Task<> {
    Duo duo;
    std::size_t count = co_await duo.socket.read(std::span<char>());
    CHECK(count == 0);
    CHECK_FALSE(duo.socket.readableEnded());
    const leat::Buffer none = co_await duo.socket.read(0);
    CHECK(none.empty());
    duo.say("x");
    const leat::Buffer one = co_await duo.socket.read();
    CHECK(one == "x");
  });
}

TEST_CASE("a second read while one waits is refused and does no harm") {
  run([]() -> Task<> {
    Duo duo;
    const auto first = leat::spawn(readAll(duo.socket));
    const std::string code = co_await outcome(duo.socket.read());
    CHECK(code == "ERR_READ_IN_PROGRESS");
    duo.say("all of it");
    duo.hangUp();
    const std::string all = co_await first;
    CHECK(all == "all of it");
  });
}

TEST_CASE("readExactly fills the buffer from many pieces") {
  run([]() -> Task<> {
    Duo duo;
    std::array<std::byte, 10> buffer;
    int said = 0;
    const auto timer = leat::setInterval([&] { duo.say(std::to_string(said++ % 10)); }, 1);
    co_await duo.socket.readExactly(buffer);
    leat::clearInterval(timer);
    CHECK(std::string(reinterpret_cast<char*>(buffer.data()), 10) == "0123456789");
    co_await duo.socket.readExactly(std::span<std::byte>());
    duo.say("text");
    std::array<char, 4> text;
    co_await duo.socket.readExactly(text);
    CHECK(std::string(text.data(), text.size()) == "text");
  });
}

TEST_CASE("readExactly gives back what it has when the stream ends before") {
  run([]() -> Task<> {
    Duo duo;
    duo.say("abc");
    duo.sayEnd();
    std::array<std::byte, 10> buffer;
    const std::string code = co_await outcome(duo.socket.readExactly(buffer));
    CHECK(code == "ERR_STREAM_PREMATURE_CLOSE");
    const leat::Buffer rest = co_await duo.socket.read();
    CHECK(rest == "abc");
    const leat::Buffer end = co_await duo.socket.read();
    CHECK(end.empty());
  });
}

TEST_CASE("readUntil finds its delimiter wherever the text is split") {
  const std::string text = "ab\r\n\r\ncd\r\r\nrest";
  for (std::size_t split = 0; split <= text.size(); ++split) {
    run([&]() -> Task<> {
      Duo duo;
      if (split > 0) duo.say(std::string_view(text).substr(0, split));
      leat::setTimeout(
          [&] {
            if (split < text.size()) duo.say(std::string_view(text).substr(split));
            duo.sayEnd();
          },
          1);
      std::vector<std::string> lines;
      for (int i = 0; i < 5; ++i) {
        std::string line = co_await duo.socket.readUntil("\r\n");
        lines.push_back(std::move(line));
      }
      CHECK(lines == std::vector<std::string>{"ab\r\n", "\r\n", "cd\r\r\n", "rest", ""});
    });
  }
}

TEST_CASE("readUntil takes one byte at a time as it takes all at once") {
  run([]() -> Task<> {
    Duo duo;
    const std::string text = "one--two---three--";
    std::size_t at = 0;
    const auto timer = leat::setInterval(
        [&] {
          if (at < text.size()) duo.say(std::string_view(text).substr(at++, 1));
        },
        1);
    std::string got;
    for (int i = 0; i < 3; ++i) {
      const std::string piece = co_await duo.socket.readUntil("--");
      got += piece + "|";
    }
    leat::clearInterval(timer);
    CHECK(got == "one--|two--|-three--|");
  });
}

TEST_CASE("readUntil has a limit, at which nothing is lost") {
  run([]() -> Task<> {
    Duo duo;
    duo.say("12345678\nabc");
    const std::string exact = co_await duo.socket.readUntil("\n", 9);
    CHECK(exact == "12345678\n");
    duo.say("defghijkl\n!");
    const std::string tooLong = co_await message(duo.socket.readUntil("\n", 12));
    CHECK(tooLong == "readUntil: no delimiter within the limit of 12 bytes");
    const std::string again = co_await outcome(duo.socket.readUntil("\n", 3));
    CHECK(again == "ERR_OUT_OF_RANGE");
    const std::string line = co_await duo.socket.readUntil("\n", 13);
    CHECK(line == "abcdefghijkl\n");
    const leat::Buffer rest = co_await duo.socket.read();
    CHECK(rest == "!");
    CHECK_THROWS_AS((void)duo.socket.readUntil(""), leat::TypeError);
  });
}

TEST_CASE("readUntil takes many short lines without copying what lies behind them") {
  run([]() -> Task<> {
    Ends ends = tcpEnds();
    Socket socket = adopt(ends.a.release());
    std::string text;
    for (int i = 0; i < 20000; ++i) text += std::to_string(i) + "\n";
    std::thread writer([&] {
      ::fcntl(ends.b.get(), F_SETFL, 0);
      for (std::size_t at = 0; at < text.size();) {
        const ssize_t sent = ::send(ends.b.get(), text.data() + at, text.size() - at, MSG_NOSIGNAL);
        at += static_cast<std::size_t>(sent);
      }
    });
    bool right = true;
    for (int i = 0; i < 20000; ++i) {
      const std::string line = co_await socket.readUntil("\n");
      right = right && line == std::to_string(i) + "\n";
    }
    writer.join();
    CHECK(right);
  });
}

TEST_CASE("an abort in the middle of readUntil and readExactly loses nothing") {
  run([]() -> Task<> {
    Duo duo;
    std::array<std::byte, 100> buffer;
    duo.say("begin ");
    leat::AbortController controller;
    leat::setTimeout([&] { controller.abort(); }, 5);
    const std::string code = co_await outcome(duo.socket.readUntil("\n", 1000, controller));
    CHECK(code == "ABORT_ERR");
    leat::AbortController second;
    leat::setTimeout([&] { second.abort(); }, 5);
    const std::string filled = co_await outcome(duo.socket.readExactly(buffer, second));
    CHECK(filled == "ABORT_ERR");
    duo.say("end\nmore");
    const std::string line = co_await duo.socket.readUntil("\n");
    CHECK(line == "begin end\n");
  });
}

TEST_CASE("readUntil and readExactly that are destroyed while they wait lose nothing") {
  run([]() -> Task<> {
    Duo duo;
    std::array<std::byte, 100> buffer;
    duo.say("begin ");
    for (const bool exactly : {false, true}) {
      struct Frame : leat::detail::CallbackFrame {
        Frame() : CallbackFrame([](CallbackFrame*) noexcept {}) {}
      } done;
      if (exactly) {
        Task<> task = duo.socket.readExactly(buffer);
        leat::detail::startTask(task, done);
        co_await leat::sleep(2);
      } else {
        Task<std::string> task = duo.socket.readUntil("\n");
        leat::detail::startTask(task, done);
        co_await leat::sleep(2);
      }
    }
    duo.say("end\n");
    const std::string line = co_await duo.socket.readUntil("\n");
    CHECK(line == "begin end\n");
  });
}

TEST_CASE("unshift puts bytes in front of what the next read gives") {
  run([]() -> Task<> {
    Duo duo;
    duo.socket.unshift(leat::Buffer::from("c"));
    duo.socket.unshift(leat::Buffer::from("ab"));
    duo.socket.unshift(leat::Buffer());
    const leat::Buffer one = co_await duo.socket.read(1);
    CHECK(one == "a");
    const leat::Buffer rest = co_await duo.socket.read();
    CHECK(rest == "bc");
    duo.socket.unshift(leat::Buffer::from("before "));
    duo.sayEnd();
    const std::string all = co_await readAll(duo.socket);
    CHECK(all == "before ");
  });
}

// ---- writing ----

TEST_CASE("writes of all kinds arrive in order") {
  run([]() -> Task<> {
    Duo duo;
    co_await duo.socket.write("text ");
    co_await duo.socket.write(leat::Buffer::from("buffer "));
    const std::string bytes = "span ";
    co_await duo.socket.write(std::as_bytes(std::span(bytes)));
    const std::vector<leat::Buffer> pieces = {leat::Buffer::from("piece "), leat::Buffer(),
                                              leat::Buffer::from("by piece")};
    co_await duo.socket.writev(pieces);
    co_await duo.socket.write("");
    co_await duo.socket.writev({});
    CHECK(duo.hear() == "text buffer span piece by piece");
    CHECK(duo.socket.bytesWritten() == 31);
    CHECK(duo.socket.writableLength() == 0);
  });
}

TEST_CASE("write says when the mark is reached, and drain comes when all is sent") {
  run([]() -> Task<> {
    Duo duo(4096);
    CHECK(duo.socket.write("small"));
    const std::string big = pattern(1 << 20);
    std::string expected = "small" + big + "after";
    CHECK_FALSE(duo.socket.write(big));
    CHECK(duo.socket.writableNeedDrain());
    CHECK(duo.socket.writableLength() > 16 * 1024);
    auto last = duo.socket.write("after");
    CHECK_FALSE(last);
    std::string heard;
    const auto timer = leat::setInterval([&] { heard += duo.hear(); }, 1);
    co_await last;
    CHECK(duo.socket.writableLength() == 0);
    CHECK_FALSE(duo.socket.writableNeedDrain());
    CHECK(duo.socket.write(""));
    co_await until([&] { return heard.size() >= expected.size(); });
    leat::clearInterval(timer);
    CHECK((heard == expected));
    CHECK(duo.socket.bytesWritten() == expected.size());
  });
}

TEST_CASE("a mark of nothing makes write wait for every byte, and never for none") {
  run([]() -> Task<> {
    Duo duo(4096);
    duo.socket.setHighWaterMark(0);
    co_await duo.socket.write("the kernel takes it");
    CHECK_FALSE(duo.socket.writableNeedDrain());
    const auto timer = leat::setInterval([&] { (void)duo.hear(); }, 1);
    for (int i = 0; i < 10; ++i) {
      co_await duo.socket.write(std::string(100000, 'x'));
      CHECK(duo.socket.writableLength() == 0);
    }
    leat::clearInterval(timer);
  });
}

TEST_CASE("a writer that awaits keeps no more than the mark and one write in memory") {
  run([]() -> Task<> {
    Pair pair(4096);
    std::size_t received = 0;
    const auto reader = sum(pair.b, &received);
    std::size_t most = 0;
    for (int i = 0; i < 500; ++i) {
      co_await pair.a.write(std::string(10000, 'x'));
      most = std::max(most, pair.a.writableLength());
    }
    co_await pair.a.end();
    co_await reader;
    CHECK(received == 5000000);
    CHECK(most <= 16 * 1024 + 10000);
  });
}

TEST_CASE("short sends through small buffers keep every byte in its place") {
  run([]() -> Task<> {
    Duo duo(2048);
    const std::string text = pattern(120000);
    std::vector<leat::Buffer> pieces;
    for (std::size_t at = 0; at < text.size(); at += 1001)
      pieces.push_back(leat::Buffer::from(std::string_view(text).substr(at, 1001)));
    std::string heard;
    const auto timer = leat::setInterval([&] { heard += duo.hear(); }, 1);
    co_await duo.socket.writev(pieces);
    co_await duo.socket.write(text);
    const leat::Buffer whole = leat::Buffer::from(text);
    co_await duo.socket.write(whole);
    co_await duo.socket.writev(pieces);
    co_await until([&] { return heard.size() >= 4 * text.size(); });
    leat::clearInterval(timer);
    CHECK((heard == text + text + text + text));
  });
}

TEST_CASE("what a write was given may change afterwards, unless it is a Buffer") {
  run([]() -> Task<> {
    Duo duo(2048);
    std::string text = pattern(300000);
    const std::string expected = text;
    auto sent = duo.socket.write(text);
    text.assign(text.size(), '?');
    std::string heard;
    const auto timer = leat::setInterval([&] { heard += duo.hear(); }, 1);
    co_await sent;
    co_await until([&] { return heard.size() >= expected.size(); });
    leat::clearInterval(timer);
    CHECK((heard == expected));
  });
}

TEST_CASE("who writes without a pause does not keep timers from firing") {
  run([]() -> Task<> {
    Ends ends = tcpEnds();
    ::fcntl(ends.b.get(), F_SETFL, 0);
    std::thread reader([fd = std::move(ends.b)] {
      std::vector<char> buffer(1 << 20);
      while (::recv(fd.get(), buffer.data(), buffer.size(), 0) > 0) {
      }
    });
    {
      Socket socket = adopt(ends.a.release());
      bool stop = false;
      leat::setTimeout([&] { stop = true; }, 10);
      long writes = 0;
      while (!stop && writes < 20'000'000) {
        co_await socket.write("x");
        ++writes;
      }
      CHECK(stop);
      co_await socket.end();
      socket.destroy();
    }
    reader.join();
  });
}

TEST_CASE("who reads without a pause does not keep timers from firing") {
  run([]() -> Task<> {
    Ends ends = tcpEnds();
    ::fcntl(ends.b.get(), F_SETFL, 0);
    leat::detail::Atomic<int> done{0};
    std::thread writer([&done, fd = std::move(ends.b)] {
      const std::string text(1 << 16, 'x');
      while (done.load() == 0 && ::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL) > 0) {
      }
    });
    Socket socket = adopt(ends.a.release());
    bool stop = false;
    leat::setTimeout([&] { stop = true; }, 10);
    char byte;
    long reads = 0;
    while (!stop && reads < 20'000'000) {
      (void)co_await socket.read(std::span(&byte, 1));
      ++reads;
    }
    CHECK(stop);
    done.store(1);
    socket.destroy();
    writer.join();
  });
}

// ---- the end ----

TEST_CASE("end sends what waits, then says so; what the peer says afterwards is still read") {
  run([]() -> Task<> {
    Duo duo(4096);
    const std::string text = pattern(200000);
    auto finished = duo.socket.end(text);
    CHECK(duo.socket.writableEnded());
    std::string heard;
    const auto timer = leat::setInterval([&] { heard += duo.hear(); }, 1);
    co_await finished;
    co_await until([&] { return duo.heardEnd(); });
    leat::clearInterval(timer);
    CHECK((heard == text));
    CHECK_FALSE(duo.socket.destroyed());
    duo.say("answer");
    const leat::Buffer answer = co_await duo.socket.read();
    CHECK(answer == "answer");
    duo.hangUp();
    const leat::Buffer end = co_await duo.socket.read();
    CHECK(end.empty());
    CHECK(duo.socket.destroyed());
    co_await duo.socket.closed();
    CHECK_FALSE(duo.socket.errored());
  });
}

TEST_CASE("who has read the end may still answer, then this side ends too") {
  run([]() -> Task<> {
    Duo duo;
    duo.say("question");
    duo.sayEnd();
    const std::string all = co_await readAll(duo.socket);
    CHECK(all == "question");
    CHECK_FALSE(duo.socket.writableEnded());
    co_await duo.socket.write("answer");
    co_await duo.socket.closed();
    CHECK(duo.hear() == "answer");
    CHECK(duo.heardEnd());
    const std::string late = co_await message(duo.socket.write("too late"));
    CHECK(late == "This socket has been ended by the other party");
    const std::string code = co_await outcome(duo.socket.write("too late"));
    CHECK(code == "EPIPE");
    CHECK_FALSE(duo.socket.errored());
  });
}

TEST_CASE("what waits to be sent when the peer ends is sent before this side ends") {
  run([]() -> Task<> {
    Duo duo(4096);
    const std::string text = pattern(300000);
    (void)duo.socket.write(text);
    duo.sayEnd();
    const leat::Buffer end = co_await duo.socket.read();
    CHECK(end.empty());
    std::string heard;
    const auto timer = leat::setInterval([&] { heard += duo.hear(); }, 1);
    co_await duo.socket.closed();
    co_await until([&] { return duo.heardEnd(); });
    leat::clearInterval(timer);
    CHECK((heard == text));
  });
}

TEST_CASE("with allowHalfOpen the writing side stays until it is ended") {
  run([]() -> Task<> {
    Duo duo(0, true);
    duo.sayEnd();
    const leat::Buffer end = co_await duo.socket.read();
    CHECK(end.empty());
    co_await leat::sleep(2);
    CHECK_FALSE(duo.socket.writableEnded());
    co_await duo.socket.write("still here");
    CHECK(duo.hear() == "still here");
    co_await duo.socket.end();
    CHECK(duo.socket.destroyed());
    co_await duo.socket.closed();
  });
}

TEST_CASE("a socket whose last handle goes sends what it has taken, then closes") {
  run([]() -> Task<> {
    const std::string text = pattern(500000);
    Ends ends = tcpEnds(4096);
    {
      const Socket socket = adopt(ends.a.release());
      (void)socket.write(text);
      CHECK(socket.writableLength() > 0);
    }
    std::string heard;
    char buffer[65536];
    for (;;) {
      const ssize_t count = ::recv(ends.b.get(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (count > 0) heard.append(buffer, static_cast<std::size_t>(count));
      if (count == 0) break;
      if (count < 0) co_await leat::sleep(1);
    }
    CHECK((heard == text));
  });
}

TEST_CASE("a socket whose last handle goes in the middle of its own read is closed") {
  run([]() -> Task<> {
    auto duo = std::make_unique<Duo>();
    leat::sys::UniqueFd peer = std::move(duo->peer);
    {
      struct Frame : leat::detail::CallbackFrame {
        Frame() : CallbackFrame([](CallbackFrame*) noexcept {}) {}
      } done;
      Task<std::string> task = readAll(duo->socket);
      duo.reset();
      leat::detail::startTask(task, done);
      co_await leat::sleep(1);
    }
    char byte;
    CHECK(::recv(peer.get(), &byte, 1, MSG_DONTWAIT) == 0);
  });
}

// ---- times, options, names ----

TEST_CASE("a timeout tells once when nothing happens, and again after something did") {
  run([]() -> Task<> {
    Duo duo;
    int told = 0;
    std::int64_t before = leat::sys::monotonicNs();
    duo.socket.setTimeout(100, [&] { ++told; });
    for (int i = 0; i < 5; ++i) {
      co_await leat::sleep(30);
      // A machine that slept itself proves nothing.
      if (leat::sys::monotonicNs() - before < 90'000'000) CHECK(told == 0);
      told = 0;
      before = leat::sys::monotonicNs();
      if (i % 2 == 0) {
        co_await duo.socket.write("x");
      } else {
        duo.say("y");
        const leat::Buffer y = co_await duo.socket.read();
        CHECK(y == "y");
      }
    }
    co_await until([&] { return told == 1; });
    co_await leat::sleep(150);
    CHECK(told == 1);
    CHECK_FALSE(duo.socket.destroyed());
    co_await duo.socket.write("x");
    co_await until([&] { return told == 2; });
    duo.socket.setTimeout(0);
    co_await duo.socket.write("x");
    co_await leat::sleep(150);
    CHECK(told == 2);
  });
}

TEST_CASE("a timeout's callback may destroy the socket, replace itself or be a coroutine") {
  run([]() -> Task<> {
    std::string log;
    {
      Duo duo;
      const std::string long1(100, 'a');
      duo.socket.setTimeout(2, [&log, long1, socket = duo.socket] {
        socket.destroy();
        log += long1.substr(99);
      });
      co_await until([&] { return duo.socket.destroyed(); });
      co_await duo.socket.closed();
    }
    Duo duo;
    const std::string long2(100, 'b');
    duo.socket.setTimeout(2, [&log, long2, socket = duo.socket] {
      socket.setTimeout(2, [&log]() -> Task<> {
        co_await leat::sleep(1);
        log += "d";
      });
      log += long2.substr(99);
    });
    co_await until([&] { return log.size() == 3; });
    CHECK(log == "abd");
    duo.socket.destroy();
  });
}

TEST_CASE("a timeout that is no time is refused in Node's words, and one too long is the longest") {
  run([]() -> Task<> {
    Duo duo;
    int told = 0;
    duo.socket.setTimeout(5e9, [&] { ++told; });
    for (const double bad : {-5.0, std::nan(""), HUGE_VAL}) {
      const std::string shown = bad < 0 ? "-5" : bad != bad ? "NaN" : "Infinity";
      const std::string text =
          "The value of \"msecs\" is out of range. It must be a non-negative finite number. "
          "Received ";
      CHECK_THROWS_WITH(duo.socket.setTimeout(bad), text + shown);
      CHECK_THROWS_AS(duo.socket.setTimeout(bad, [] {}), leat::RangeError);
    }
    // Nothing that was refused has changed it, and the 5e9 ms are not over.
    co_await leat::sleep(20);
    CHECK(told == 0);
    duo.socket.setTimeout(1);
    co_await until([&] { return told == 1; });
  });
}

TEST_CASE("the delay of keep-alive is what the kernel takes, whatever it is given") {
  run([] {
    Duo duo;
    const auto idle = [&duo] {
      int seconds = -1;
      socklen_t size = sizeof seconds;
      ::getsockopt(duo.socket.fd(), IPPROTO_TCP, TCP_KEEPIDLE, &seconds, &size);
      return seconds;
    };
    duo.socket.setKeepAlive(true, 7999);
    CHECK(idle() == 7);
    for (const double none : {999.0, 0.0, -5000.0, -1e300, std::nan("")}) {
      duo.socket.setKeepAlive(true, none);
      CHECK(idle() == 7);
    }
    for (const double most : {32767e3, 1e12, 1e300, HUGE_VAL}) {
      duo.socket.setKeepAlive(true, 7000).setKeepAlive(true, most);
      CHECK(idle() == 32767);
    }
  });
}

TEST_CASE("a timeout does not hold the loop, nor does a socket that is unref'd") {
  SameDescriptors same;
  std::vector<Duo> kept;
  const int code = leat::run([&] {
    leat::setTimeout([] { throw leat::Error("the loop was held"); }, 5000).unref();
    kept.emplace_back();
    kept.back().socket.setTimeout(100000, [] {});
    kept.emplace_back();
    (void)leat::spawn(readAll(kept.back().socket));
    kept.back().socket.unref();
  });
  CHECK(code == 0);
  CHECK(kept.front().socket.destroyed());
  kept.clear();
}

TEST_CASE("ref takes back what unref did, also in the middle of a read") {
  int steps = 0;
  const int code = runToEnd([&]() -> Task<> {
    Duo duo;
    duo.socket.unref();
    leat::setTimeout(
        [&] {
          duo.say("x");
          ++steps;
        },
        10)
        .unref();
    leat::setImmediate([&] { duo.socket.ref().ref(); });
    const leat::Buffer x = co_await duo.socket.read();
    CHECK(x == "x");
    ++steps;
  });
  CHECK(code == 0);
  CHECK(steps == 2);
}

TEST_CASE("options reach the system, addresses and counters are told") {
  run([]() -> Task<> {
    Duo duo;
    const auto option = [&](int level, int name) {
      int value = 0;
      socklen_t size = sizeof value;
      ::getsockopt(duo.socket.fd(), level, name, &value, &size);
      return value;
    };
    duo.socket.setNoDelay().setKeepAlive(true, 7000);
    CHECK(option(IPPROTO_TCP, TCP_NODELAY) != 0);
    CHECK(option(SOL_SOCKET, SO_KEEPALIVE) != 0);
    CHECK(option(IPPROTO_TCP, TCP_KEEPIDLE) == 7);
    duo.socket.setNoDelay(false).setKeepAlive(false);
    CHECK(option(IPPROTO_TCP, TCP_NODELAY) == 0);
    CHECK(option(SOL_SOCKET, SO_KEEPALIVE) == 0);
    CHECK(duo.socket.localAddress().address() == "127.0.0.1");
    CHECK(duo.socket.remoteAddress().port() > 0);
    CHECK(duo.socket.localAddress() == net::detail::remoteAddressOf(duo.peer.get()));
    const Socket copy = duo.socket;
    CHECK(copy == duo.socket);
    duo.socket.destroy();
    CHECK(copy.destroyed());
    CHECK(duo.socket.fd() == -1);
    CHECK(duo.socket.localAddress().family() == net::Family::Unspecified);
    CHECK_THROWS_AS(duo.socket.setNoDelay(), leat::Error);
    duo.socket.setTimeout(5, [] { FAIL("a closed socket has no timeout"); });
    co_await leat::sleep(10);
  });
}

// ---- what it costs ----

TEST_CASE("an echo costs one receive and one send, and one wait of the loop") {
  run([]() -> Task<> {
    Duo duo;
    const auto echo = [](Socket socket) -> leat::Promise<> {
      std::array<std::byte, 4096> buffer;
      std::size_t count = 0;
      do {
        count = co_await socket.read(std::span(buffer));
        if (count > 0) co_await socket.write(std::span<const std::byte>(buffer).first(count));
      } while (count > 0);
    };
    const auto running = echo(duo.socket);
    const int messages = 200;
    leat::testing::FaultInjector counter;
    const auto ping = [&]() -> Task<> {
      duo.say("ping");
      std::string heard;
      while (heard.empty()) {
        co_await leat::nextImmediate();
        heard = duo.hear();
      }
    };
    co_await ping();
    counter.resetCounts();
    for (int i = 0; i < messages; ++i) co_await ping();
    CHECK(counter.count(leat::sys::Call::recv) <= messages);
    CHECK(counter.count(leat::sys::Call::send) == messages);
    // Besides the waits, of which the peer's `hear` makes some in a ring, and what idle threads do.
    long waits = 0;
    for (const auto call :
         {leat::sys::Call::epoll_wait, leat::sys::Call::io_uring_enter, leat::sys::Call::futex})
      waits += counter.count(call);
    CHECK(counter.total() - waits <= 2 * messages);
    duo.hangUp();
    co_await running;
  });
}

TEST_CASE("a thousand connections echo at the same time") {
  run([]() -> Task<> {
    const Server server = co_await net::listen(
        [](Socket socket) -> Task<> {
          leat::Buffer chunk;
          do {
            chunk = co_await socket.read();
            if (!chunk.empty()) co_await socket.write(chunk);
          } while (!chunk.empty());
        },
        {.host = "127.0.0.1", .backlog = 1024});
    std::vector<Socket> clients;
    for (int i = 0; i < 1000; ++i) {
      leat::sys::UniqueFd fd = dial(server.address());
      ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
      clients.push_back(adopt(fd.release()));
    }
    for (int round = 0; round < 3; ++round) {
      for (std::size_t i = 0; i < clients.size(); ++i)
        co_await clients[i].write("client " + std::to_string(i) + "\n");
      int right = 0;
      for (std::size_t i = 0; i < clients.size(); ++i) {
        const std::string line = co_await clients[i].readUntil("\n");
        if (line == "client " + std::to_string(i) + "\n") ++right;
      }
      CHECK(right == 1000);
    }
    CHECK(server.connections() == 1000);
    clients.clear();
    co_await server.close();
    CHECK(server.connections() == 0);
  });
}

TEST_CASE("a socket without a connection answers like a destroyed one, and its use is an error") {
  const auto codeOf = [](auto&& use) {
    std::string code = "none";
    try {
      use();
    } catch (const leat::Error& e) {
      code = e.code();
    }
    return code;
  };
  net::Socket socket;
  CHECK(socket.destroyed());
  CHECK(socket.fd() == -1);
  CHECK(socket.bytesRead() == 0);
  CHECK(socket.bytesWritten() == 0);
  CHECK(socket.writableLength() == 0);
  CHECK_FALSE(socket.writableNeedDrain());
  CHECK_FALSE(socket.writableEnded());
  CHECK_FALSE(socket.writableFinished());
  CHECK_FALSE(socket.readableEnded());
  CHECK(socket.errored() == nullptr);
  CHECK(socket.remoteAddress().address().empty());
  CHECK(socket == net::Socket());
  socket.destroy();
  socket.resetAndDestroy();
  char bytes[4];
  const std::string closed = "ERR_SOCKET_CLOSED";
  CHECK(codeOf([&] { (void)socket.read(bytes); }) == closed);
  CHECK(codeOf([&] { (void)socket.read(); }) == closed);
  CHECK(codeOf([&] { (void)socket.readUntil("x"); }) == closed);
  CHECK(codeOf([&] { (void)socket.write("x"); }) == closed);
  CHECK(codeOf([&] { (void)socket.end(); }) == closed);
  CHECK(codeOf([&] { (void)socket.closed(); }) == closed);
  CHECK(codeOf([&] { socket.setNoDelay(); }) == closed);
  CHECK(codeOf([&] { socket.setTimeout(5); }) == closed);
  CHECK(codeOf([&] { socket.setHighWaterMark(5); }) == closed);
  CHECK(codeOf([&] { socket.unref(); }) == closed);
  CHECK(codeOf([&] { (void)socket.connection(); }) == closed);
}
