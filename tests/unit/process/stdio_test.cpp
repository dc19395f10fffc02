// SPDX-License-Identifier: MIT
// The standard streams on files, pipes, terminals and sockets, in children whose descriptors these are.
#include <leat/fs.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/loop/spawn.hpp>
#include <leat/loop/timers.hpp>
#include <leat/process/process.hpp>
#include <leat/process/stdio.hpp>
#include <leat/stream.hpp>

#include <pty.h>
#include <sys/socket.h>

#include <leat_test.hpp>
#include <child.hpp>
#include <string>

using namespace leat;
using leat_test::inChild;

namespace {

/// A temporary file with this text, open for both and without a name.
int fileWith(const std::string& text) {
  char name[] = "/tmp/leat-stdio-XXXXXX";
  const int fd = ::mkstemp(name);
  ::unlink(name);
  if (::write(fd, text.data(), text.size()) < 0 || ::lseek(fd, 0, SEEK_SET) != 0) std::abort();
  return fd;
}
std::string contents(int fd) {
  std::string all;
  char buffer[4096];
  ::lseek(fd, 0, SEEK_SET);
  for (ssize_t n; (n = ::read(fd, buffer, sizeof buffer)) > 0;)
    all.append(buffer, static_cast<std::size_t>(n));
  return all;
}
struct Ends {
  int near = -1;
  int far = -1;
};
Ends pipeEnds() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) std::abort();
  return {fds[0], fds[1]};
}
Ends socketEnds() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) std::abort();
  return {fds[0], fds[1]};
}
void put(int fd, const std::string& text) {
  if (::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) std::abort();
}
/// In the child: from here on this is standard input.
void asInput(int fd) {
  ::dup2(fd, 0);
  ::close(fd);
}
Task<> echo() { co_await pipeline(process::stdin_(), process::stdout_()); }

}  // namespace

TEST_CASE("standard input is read to its end from a file, a pipe, a socket and /dev/null") {
  const std::string text = "first\n" + std::string(200'000, 'x') + "\nlast";
  const auto file = inChild([&] {
    asInput(fileWith(text));
    return run(echo);
  });
  CHECK(file.code == 0);
  CHECK(file.out == text);
  CHECK(file.err.empty());

  const auto null = inChild([] {
    asInput(::open("/dev/null", O_RDONLY));
    return run(echo);
  });
  CHECK(null.code == 0);
  CHECK(null.out.empty());

  for (const bool socket : {false, true}) {
    const auto end = inChild([&text, socket] {
      Ends ends = pipeEnds();
      int pair[2];
      if (::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 99;
      if (socket) ends = {pair[0], pair[1]};
      asInput(ends.near);
      const pid_t writer = ::fork();
      if (writer == 0) {
        for (std::size_t at = 0; at < text.size(); at += 10'000) {
          const std::string part = text.substr(at, 10'000);
          put(ends.far, part);
        }
        ::_exit(0);
      }
      ::close(ends.far);
      if (!socket) ::close(pair[0]);
      ::close(pair[1]);
      const int code = run(echo);
      ::waitpid(writer, nullptr, 0);
      return code;
    });
    CHECK(end.code == 0);
    CHECK(end.out == text);
  }
}

TEST_CASE("standard input holds the loop only while somebody reads it") {
  const auto unread = inChild([] {
    const Ends ends = pipeEnds();
    asInput(ends.near);
    return run([] { return process::stdin_().isTTY() ? 1 : 0; });
  });
  CHECK(unread.code == 0);
  const auto paused = inChild([] {
    const Ends ends = pipeEnds();
    asInput(ends.near);
    put(ends.far, "one");
    return run([] {
      const auto in = process::stdin_();
      in.on<"data">([in](const Buffer& chunk) {
        std::printf("%s", chunk.toString().c_str());
        in.pause();
      });
    });
  });
  CHECK(paused.code == 0);
  CHECK(paused.out == "one");
}

TEST_CASE("standard input that was paused goes on where it stood") {
  const auto end = inChild([] {
    const Ends ends = pipeEnds();
    asInput(ends.near);
    const int far = ends.far;
    return run([far] {
      const auto in = process::stdin_();
      in.on<"data">([far](const Buffer& chunk) {
        std::printf("%s|", chunk.toString().c_str());
        if (chunk.toString() != "one") return;
        put(far, "two");
        ::close(far);
      });
      in.on<"end">([] { std::printf("end"); });
      setImmediate([in, far] {
        // It waits in the kernel now.
        in.pause();
        put(far, "one");
        in.resume();
        in.pause();
        setImmediate([in] {
          std::printf("paused|");
          in.resume();
        });
      });
    });
  });
  CHECK(end.code == 0);
  CHECK(end.out == "paused|one|two|end");
}

TEST_CASE("standard input is one stream, and its descriptor stays open and as it was") {
  const auto end = inChild([] {
    const Ends ends = pipeEnds();
    asInput(ends.near);
    const int before = ::fcntl(0, F_GETFL);
    return run([before, far = ends.far]() -> Task<int> {
      put(far, "some");
      const auto in = process::stdin_();
      const auto chunk = co_await in.next();
      const bool same = in == process::stdin_();
      in.destroy();
      co_await in.closed();
      const bool open = ::fcntl(0, F_GETFL) == before && (before & O_NONBLOCK) == 0;
      co_return same&& open&& process::stdin_().destroyed() && chunk -> toString() == "some" ? 0
                                                                                             : 5;
    });
  });
  CHECK(end.code == 0);
}

TEST_CASE("a wait for standard input that is aborted loses nothing") {
  const auto end = inChild([] {
    const Ends ends = pipeEnds();
    asInput(ends.near);
    return run([far = ends.far]() -> Task<int> {
      const auto in = process::stdin_();
      const AbortController stop;
      setImmediate([stop] { stop.abort(); });
      auto none = co_await asResult(in.next(stop));
      if (none) co_return 1;
      put(far, "late");
      const auto chunk = co_await in.next();
      in.pause();
      co_return chunk->toString() == "late" ? 0 : 2;
    });
  });
  CHECK(end.code == 0);
}

TEST_CASE("standard input on what cannot be read is an error") {
  const auto end = inChild([] {
    asInput(::open("/dev/null", O_WRONLY));
    return run([]() -> Task<int> {
      const auto result = co_await asResult(process::stdin_().next());
      const bool told = !result && describe(result.error()).find("EBADF") != std::string::npos;
      co_return told ? 0 : 2;
    });
  });
  CHECK(end.code == 0);
}

TEST_CASE("what is written to standard output has been written when write returns") {
  const int file = fileWith("");
  const auto end = inChild([file] {
    ::dup2(file, 1);
    return run([] {
      const auto out = process::stdout_();
      out.write("a");
      if (!out.write(std::string(100'000, 'b'))) ::_exit(3);
      out.cork();
      out.write("c");
      out.write("d");
      out.uncork();
      process::stderr_().write("to stderr");
      ::_exit(0);
    });
  });
  CHECK(end.code == 0);
  CHECK(contents(file) == "a" + std::string(100'000, 'b') + "cd");
  CHECK(end.err == "to stderr");
  ::close(file);
}

TEST_CASE("standard output that was ended or destroyed is given anew, its descriptor stays open") {
  const auto end = inChild([] {
    return run([]() -> Task<> {
      const auto out = process::stdout_();
      const bool same = out == process::stdout_();
      co_await out.end("1");
      co_await pipeline(readableFrom("2"), process::stdout_());
      process::stdout_().destroy();
      process::stdout_().write(same ? "3" : "?");
    });
  });
  CHECK(end.code == 0);
  CHECK(end.out == "123");
}

TEST_CASE("sources that are piped into standard output or standard error do not end it") {
  const auto end = inChild([] {
    return run([]() -> Task<int> {
      const auto out = process::stdout_();
      const auto err = process::stderr_();
      // One after the other, also when it is told to end the sink, and through a handle without a descriptor.
      const auto first = readableFrom("1");
      first.pipe(out, {.end = true});
      co_await finished(first);
      const auto second = readableFrom("2");
      second.pipe(Writable<Buffer>(out));
      readableFrom("e").pipe(err);
      co_await finished(second);
      out.write("3");
      // Two at once.
      const auto third = readableFrom("4"), fourth = readableFrom("5");
      third.pipe(out);
      fourth.pipe(out);
      co_await finished(third);
      co_await finished(fourth);
      co_await nextImmediate();
      err.write("f");
      const bool same = out == process::stdout_() && err == process::stderr_();
      const bool open = out.writable() && !out.writableEnded() && err.writable();
      // Another sink ends as ever.
      const Writable<Buffer> other([](const Buffer&) {});
      const auto fifth = readableFrom("");
      fifth.pipe(other);
      co_await finished(other);
      co_return same&& open ? 0 : 5;
    });
  });
  CHECK(end.code == 0);
  CHECK(end.out == "12345");
  CHECK(end.err == "ef");
}

TEST_CASE("a file that is piped into standard output does not end it") {
  const std::string text(300'000, 'x');
  const int file = fileWith(text);
  const auto end = inChild([file] {
    return run([file]() -> Task<int> {
      const auto out = process::stdout_();
      const std::string path = "/proc/self/fd/" + std::to_string(file);
      for (int i = 0; i < 2; ++i) {
        const auto source = fs::createReadStream(path);
        source.pipe(out);
        co_await finished(source);
      }
      co_return out.writable() && out == process::stdout_() ? 0 : 5;
    });
  });
  CHECK(end.code == 0);
  CHECK(end.out == text + text);
  ::close(file);
}

TEST_CASE("a reader of standard output that is gone is an error EPIPE, not the end by a signal") {
  struct Row {
    Ends (*ends)();
    int fd;
  };
  for (const Row row : {Row{pipeEnds, 1}, Row{socketEnds, 1}, Row{socketEnds, 2}})
    for (const bool listens : {true, false}) {
      const auto end = inChild([row, listens] {
        const Ends ends = row.ends();
        ::close(ends.near);
        ::dup2(ends.far, row.fd);
        return run([row, listens] {
          const auto out = row.fd == 1 ? process::stdout_() : process::stderr_();
          if (listens)
            out.on<"error">([](const std::exception_ptr& error) {
              try {
                std::rethrow_exception(error);
              } catch (const SystemError& e) {
                process::setExitCode(e.code() == "EPIPE" && e.number() == EPIPE ? 7 : 8);
              }
            });
          out.write("nobody");
        });
      });
      INFO("descriptor " << row.fd << (row.ends == pipeEnds ? ", a pipe" : ", a socket"));
      CHECK(end.signal == 0);
      CHECK(end.code == (listens ? 7 : 1));
      // What is uncaught is told by standard error, when that is not what is gone.
      if (row.fd == 1) CHECK((end.err.find("EPIPE") != std::string::npos) == !listens);
    }
}

TEST_CASE("a filter in a row ends when the next one has had enough") {
  const auto end = inChild([] {
    const Ends from = pipeEnds();
    const Ends to = pipeEnds();
    const pid_t generate = ::fork();
    if (generate == 0) {
      ::signal(SIGPIPE, SIG_DFL);
      for (const int other : {from.near, to.near, to.far}) ::close(other);
      for (;;)
        if (::write(from.far, "line\n", 5) < 0) ::_exit(1);
    }
    ::close(from.far);
    const pid_t filter = ::fork();
    if (filter == 0) {
      ::signal(SIGPIPE, SIG_DFL);
      ::close(to.near);
      asInput(from.near);
      ::dup2(to.far, 1);
      ::close(to.far);
      const auto body = []() -> Task<int> {
        auto done = co_await asResult(pipeline(process::stdin_(), process::stdout_()));
        try {
          done.value();
        } catch (const SystemError& error) {
          co_return error.code() == "EPIPE" ? 0 : 2;
        }
        co_return 3;
      };
      ::_exit(run(body));
    }
    ::close(from.near);
    ::close(to.far);
    char lines[50];
    std::size_t got = 0;
    while (got < sizeof lines) {
      const ssize_t n = ::read(to.near, lines + got, sizeof lines - got);
      if (n <= 0) return 4;
      got += static_cast<std::size_t>(n);
    }
    ::close(to.near);
    int ends[2];
    ::waitpid(filter, &ends[0], 0);
    ::waitpid(generate, &ends[1], 0);
    if (!WIFEXITED(ends[0]) || WEXITSTATUS(ends[0]) != 0) return 5;
    return WIFSIGNALED(ends[1]) && WTERMSIG(ends[1]) == SIGPIPE ? 0 : 6;
  });
  CHECK(end.code == 0);
}

TEST_CASE("standard output that somebody made non-blocking is written whole, and left so") {
  const auto end = inChild([] {
    const Ends ends = pipeEnds();
    ::fcntl(ends.far, F_SETFL, O_WRONLY | O_NONBLOCK);
    const pid_t reader = ::fork();
    if (reader == 0) {
      ::close(ends.far);
      std::size_t got = 0;
      char buffer[3000];
      for (ssize_t n; (n = ::read(ends.near, buffer, sizeof buffer)) > 0;)
        got += static_cast<std::size_t>(n);
      ::_exit(got == 1'000'000 ? 0 : 1);
    }
    ::close(ends.near);
    ::dup2(ends.far, 1);
    ::close(ends.far);
    const int code = run([] { process::stdout_().write(std::string(1'000'000, 'x')); });
    const bool left = (::fcntl(1, F_GETFL) & O_NONBLOCK) != 0;
    ::close(1);
    int ended = 0;
    ::waitpid(reader, &ended, 0);
    return code != 0 ? 2 : !left ? 3 : ended == 0 ? 0 : 4;
  });
  CHECK(end.code == 0);
}

TEST_CASE("standard output and standard error that are sockets are written whole") {
  std::string text;
  while (text.size() < 1'000'000) text += std::to_string(text.size()) + ",";
  for (const int fd : {1, 2})
    for (const bool blocking : {true, false}) {
      const auto end = inChild([&text, fd, blocking] {
        const Ends ends = socketEnds();
        const pid_t reader = ::fork();
        if (reader == 0) {
          ::close(ends.far);
          std::string got;
          char buffer[3000];
          for (ssize_t n; (n = ::read(ends.near, buffer, sizeof buffer)) > 0;)
            got.append(buffer, static_cast<std::size_t>(n));
          ::_exit(got == text ? 0 : 1);
        }
        ::close(ends.near);
        ::dup2(ends.far, fd);
        ::close(ends.far);
        if (!blocking) ::fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
        const int code = run([&text, fd] {
          const auto out = fd == 1 ? process::stdout_() : process::stderr_();
          out.write(text.substr(0, 300'000));
          out.write(text.substr(300'000));
        });
        ::close(fd);
        int ended = 0;
        ::waitpid(reader, &ended, 0);
        return code != 0 ? 2 : ended == 0 ? 0 : 4;
      });
      INFO("descriptor " << fd << (blocking ? "" : ", non-blocking"));
      CHECK(end.code == 0);
    }
}

TEST_CASE("a terminal is told from other things, has a size, and gives its lines") {
  const auto end = inChild([] {
    int host = -1, terminal = -1;
    ::winsize size{};
    size.ws_col = 77;
    size.ws_row = 22;
    if (::openpty(&host, &terminal, nullptr, nullptr, &size) != 0) return 99;
    ::dup2(terminal, 0);
    const int saved = ::dup(1);
    ::dup2(terminal, 1);
    const int code = run([host]() -> Task<int> {
      const auto in = process::stdin_();
      const auto out = process::stdout_();
      if (!in.isTTY() || !out.isTTY() || process::stderr_().isTTY()) co_return 1;
      if (out.columns() != 77u || out.rows() != 22u || process::stderr_().columns()) co_return 2;
      if (in.fd() != 0 || out.fd() != 1) co_return 3;
      setImmediate([host] { put(host, "typed\n"); });
      const auto line = co_await in.next();
      if (!line || line->toString() != "typed\n") co_return 4;
      // The end of a terminal's input: ctrl-D.
      setImmediate([host] { put(host, "\x04"); });
      const auto none = co_await in.next();
      if (none) co_return 5;
      out.write("shown");
      co_return 0;
    });
    ::dup2(saved, 1);
    // The echo of what was typed comes first, in pieces of any size.
    std::string shown;
    while (code == 0 && shown.find("shown") == shown.npos) {
      char piece[64];
      const ssize_t n = ::read(host, piece, sizeof piece);
      if (n <= 0) return 6;
      shown.append(piece, static_cast<std::size_t>(n));
    }
    return code;
  });
  CHECK(end.code == 0);
}
