// SPDX-License-Identifier: MIT
#pragma once

// What the two servers in C have in common: the answer, and how many requests have come. A request ends with the first
// empty line; nothing else of it is looked at.

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const char answer[] =
    "HTTP/1.1 200 OK\r\nContent-Length: 13\r\nContent-Type: text/plain\r\n\r\nHello, World!";
enum { kAnswerSize = sizeof answer - 1, kAnswers = 8192, kConnections = 4096 };
static char answers[kAnswerSize * kAnswers];

static void die(const char* call, int error) {
  fprintf(stderr, "%s: %s\n", call, strerror(error));
  exit(1);
}

static int listenOn(int port, int flags) {
  const int one = 1;
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  if (fd < 0) die("socket", errno);
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0) die("setsockopt", errno);
  if (bind(fd, (struct sockaddr*)&address, sizeof address) != 0) die("bind", errno);
  if (listen(fd, 1024) != 0) die("listen", errno);
  if (getsockname(fd, (struct sockaddr*)&address, &length) != 0) die("getsockname", errno);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

static void prepareAnswers(void) {
  for (size_t i = 0; i < kAnswers; ++i) memcpy(answers + i * kAnswerSize, answer, kAnswerSize);
}

// How much of the empty line the last bytes of each connection were.
static uint8_t seen[kConnections];

static void begin(int fd) {
  const int one = 1;
  if (fd >= kConnections) die("accept", EMFILE);
  if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) die("setsockopt", errno);
  seen[fd] = 0;
}

// In `size` bytes behind what came before; -1 when there are more than can be answered at once.
static int countRequests(int fd, const char* data, size_t size) {
  static const char end[] = "\r\n\r\n";
  const char* at = data;
  const char* const stop = data + size;
  int requests = 0;
  // One that began in the piece before.
  while (seen[fd] > 0 && at < stop) {
    seen[fd] = *at == end[seen[fd]] ? (uint8_t)(seen[fd] + 1) : *at == '\r';
    ++at;
    if (seen[fd] == sizeof end - 1) {
      ++requests;
      seen[fd] = 0;
    }
  }
  const char* found;
  while ((found = memmem(at, (size_t)(stop - at), end, sizeof end - 1)) != NULL) {
    ++requests;
    at = found + sizeof end - 1;
  }
  // What may be the beginning of one.
  for (size_t part = 3; part > 0; --part) {
    if ((size_t)(stop - at) >= part && memcmp(stop - part, end, part) == 0) {
      seen[fd] = (uint8_t)part;
      break;
    }
  }
  return requests <= kAnswers ? requests : -1;
}
