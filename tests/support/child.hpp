// SPDX-License-Identifier: MIT
// A piece of a test in a process of its own: for what ends a process, and for what changes all of it.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace leat_test {

struct ChildEnd {
  int code = -1;    // of exit, or -1
  int signal = 0;   // that killed it, or 0
  std::string out;  // what it wrote to stdout
  std::string err;  // and to stderr
};

/// Writes a line at once, so that the order with what the library prints is kept.
inline void say(const std::string& text) {
  const std::string line = text + "\n";
  (void)!::write(1, line.data(), line.size());
}

/// Calls `body()` in a child of fork(), whose exit code it gives. A child that hangs is killed.
template <class Body>
ChildEnd inChild(Body&& body) {
  ChildEnd end;
  int out[2], err[2];
  if (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0) return end;
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(100);
    ::dup2(out[1], 1);
    ::dup2(err[1], 2);
    const int code = body();
    std::fflush(nullptr);
    ::_exit(code);
  }
  ::close(out[1]);
  ::close(err[1]);
  pollfd entries[2] = {{out[0], POLLIN, 0}, {err[0], POLLIN, 0}};
  std::string* const texts[2] = {&end.out, &end.err};
  while (child > 0 && (entries[0].fd >= 0 || entries[1].fd >= 0)) {
    if (::poll(entries, 2, -1) < 0) {
      if (errno == EINTR) continue;
      break;
    }
    for (int i = 0; i < 2; ++i) {
      char buffer[4096];
      if (entries[i].fd < 0 || entries[i].revents == 0) continue;
      const ssize_t n = ::read(entries[i].fd, buffer, sizeof buffer);
      if (n < 0 && errno == EINTR) continue;
      if (n > 0) {
        texts[i]->append(buffer, static_cast<std::size_t>(n));
      } else {
        entries[i].fd = -1;
      }
    }
  }
  ::close(out[0]);
  ::close(err[0]);
  int status = 0;
  if (child > 0 && ::waitpid(child, &status, 0) == child) {
    if (WIFEXITED(status)) end.code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
  }
  return end;
}

}  // namespace leat_test
