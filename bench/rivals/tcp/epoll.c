// SPDX-License-Identifier: MIT

// epoll PORT [--busy-poll]: an echo server on raw epoll, the limit for a server on this kernel.
// With --busy-poll it never sleeps in epoll_wait.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kEvents = 1024, kBuffer = 65536 };

static void die(const char* call) {
  perror(call);
  exit(1);
}

static int listenOn(int port) {
  const int one = 1;
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0) die("setsockopt");
  if (bind(fd, (struct sockaddr*)&address, sizeof address) != 0) die("bind");
  if (listen(fd, 511) != 0) die("listen");
  if (getsockname(fd, (struct sockaddr*)&address, &length) != 0) die("getsockname");
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

static void watch(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
}

static void acceptAll(int epoll, int listener) {
  const int one = 1;
  int fd;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) die("setsockopt");
    watch(epoll, fd);
  }
  if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) die("accept4");
}

// A full send buffer blocks the whole server; a ping-pong load never fills it.
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

static void echo(int fd) {
  static char buffer[kBuffer];
  const ssize_t received = recv(fd, buffer, sizeof buffer, 0);
  if (received < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (received <= 0 || sendAll(fd, buffer, (size_t)received) != 0) close(fd);
}

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3 || (argc == 3 && strcmp(argv[2], "--busy-poll") != 0)) {
    fprintf(stderr, "usage: %s PORT [--busy-poll]\n", argv[0]);
    return 2;
  }
  const int timeout = argc == 3 ? 0 : -1;
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) die("epoll_create1");
  const int listener = listenOn(atoi(argv[1]));
  watch(epoll, listener);
  for (;;) {
    struct epoll_event events[kEvents];
    const int count = epoll_wait(epoll, events, kEvents, timeout);
    if (count < 0 && errno != EINTR) die("epoll_wait");
    for (int i = 0; i < count; ++i) {
      if (events[i].data.fd == listener) {
        acceptAll(epoll, listener);
      } else {
        echo(events[i].data.fd);
      }
    }
  }
}
