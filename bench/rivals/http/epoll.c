// SPDX-License-Identifier: MIT

// epoll PORT: a server on raw epoll that only looks for the empty line behind each head: the limit.

#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "hello.h"

enum { kEvents = 1024, kBuffer = 65536 };

static void watch(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl", errno);
}

static void acceptAll(int epoll, int listener) {
  int fd;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    begin(fd);
    watch(epoll, fd);
  }
  if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) die("accept4", errno);
}

// A full send buffer blocks the whole server; who waits for the answers never fills it.
static int sendAll(int fd, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
    if (sent >= 0) {
      data += sent;
      size -= (size_t)sent;
    } else if (errno == EAGAIN) {
      struct pollfd writable = {.fd = fd, .events = POLLOUT};
      if (poll(&writable, 1, -1) < 0 && errno != EINTR) return -1;
    } else if (errno != EINTR) {
      return -1;
    }
  }
  return 0;
}

static void serve(int fd) {
  static char buffer[kBuffer];
  const ssize_t received = recv(fd, buffer, sizeof buffer, 0);
  if (received < 0 && (errno == EAGAIN || errno == EINTR)) return;
  const int requests = received > 0 ? countRequests(fd, buffer, (size_t)received) : -1;
  if (requests < 0 || sendAll(fd, answers, (size_t)requests * kAnswerSize) != 0) close(fd);
}

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s PORT\n", argv[0]);
    return 2;
  }
  prepareAnswers();
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) die("epoll_create1", errno);
  const int listener = listenOn(atoi(argv[1]), SOCK_NONBLOCK);
  watch(epoll, listener);
  for (;;) {
    struct epoll_event events[kEvents];
    const int count = epoll_wait(epoll, events, kEvents, -1);
    if (count < 0 && errno != EINTR) die("epoll_wait", errno);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.fd == listener) {
        acceptAll(epoll, listener);
      } else {
        serve(events[i].data.fd);
      }
    }
  }
}
