// SPDX-License-Identifier: MIT

// load PORT CONNECTIONS BYTES SECONDS WARMUP SERVERPID: a ping-pong load on an echo server.
// Every connection sends a message, waits until all of it has come back, and sends the next.
// Prints one line: messages/s, p50 us, p99 us, CPU ns of the server per message, CPU % of the
// server, CPU % of this program. What happens in the first WARMUP seconds is not counted.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { kEvents = 1024, kBuffer = 131072, kSteps = 64, kBuckets = 64 * kSteps };

typedef struct {
  int fd;
  int verified;
  size_t received;
  uint64_t sentAt;
} Connection;

static size_t messageSize;
static char* message;
static uint64_t messages;
static uint64_t histogram[kBuckets];

static void die(const char* call) {
  perror(call);
  exit(1);
}

static void fail(const char* what) {
  fprintf(stderr, "load: %s\n", what);
  exit(1);
}

static void* allocate(size_t size) {
  void* memory = calloc(1, size);
  if (!memory) die("calloc");
  return memory;
}

static uint64_t readClock(clockid_t clock) {
  struct timespec t;
  if (clock_gettime(clock, &t) != 0) die("clock_gettime");
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t nowNs(void) { return readClock(CLOCK_MONOTONIC); }

// Buckets grow with the value: each is at most 1/64 of its value wide.
static void record(uint64_t ns) {
  const int shift = 63 - __builtin_clzll(ns | kSteps) - 6;
  const uint64_t bucket = (uint64_t)shift * kSteps + (ns >> shift);
  ++histogram[bucket < kBuckets ? bucket : kBuckets - 1];
}

static double percentileUs(double fraction) {
  const uint64_t wanted = (uint64_t)(fraction * (double)messages);
  uint64_t seen = 0;
  for (int i = 0; i < kBuckets; ++i) {
    seen += histogram[i];
    if (seen <= wanted) continue;
    const int shift = i < 2 * kSteps ? 0 : i / kSteps - 1;
    return (double)((uint64_t)(i - shift * kSteps) << shift) / 1e3;
  }
  return 0;
}

static int connectTo(int port) {
  const int one = 1;
  const struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)port),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  if (connect(fd, (const struct sockaddr*)&address, sizeof address) != 0) die("connect");
  if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) die("setsockopt");
  if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) die("fcntl");
  return fd;
}

static void sendMessage(Connection* connection) {
  size_t sent = 0;
  connection->sentAt = nowNs();
  while (sent < messageSize) {
    const ssize_t n = send(connection->fd, message + sent, messageSize - sent, MSG_NOSIGNAL);
    if (n >= 0) {
      sent += (size_t)n;
    } else if (errno == EAGAIN) {
      struct pollfd writable = {.fd = connection->fd, .events = POLLOUT};
      if (poll(&writable, 1, 1000) == 0) fail("the server stopped reading");
    } else if (errno != EINTR) {
      die("send");
    }
  }
}

// The first echo of each connection is compared with what was sent.
static void verify(Connection* connection, const char* data, size_t size) {
  if (connection->verified) return;
  if (connection->received + size > messageSize ||
      memcmp(data, message + connection->received, size) != 0) {
    fail("the echo differs from the message");
  }
  connection->verified = connection->received + size == messageSize;
}

static void receive(Connection* connection) {
  static char buffer[kBuffer];
  const ssize_t size = recv(connection->fd, buffer, sizeof buffer, 0);
  if (size == 0) fail("the server closed a connection");
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size < 0) die("recv");
  verify(connection, buffer, (size_t)size);
  connection->received += (size_t)size;
  if (connection->received < messageSize) return;
  if (connection->received > messageSize) fail("more came back than was sent");
  connection->received = 0;
  record(nowNs() - connection->sentAt);
  ++messages;
  sendMessage(connection);
}

static void runUntil(int epoll, uint64_t end) {
  struct epoll_event events[kEvents];
  while (nowNs() < end) {
    const int count = epoll_wait(epoll, events, kEvents, 1000);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) die("epoll_wait");
    if (count == 0) fail("no answer within a second");
    for (int i = 0; i < count; ++i) receive(events[i].data.ptr);
  }
}

static void openAll(int epoll, int port, Connection* connections, int count) {
  for (int i = 0; i < count; ++i) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};
    connections[i].fd = connectTo(port);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, connections[i].fd, &event) != 0) die("epoll_ctl");
  }
  for (int i = 0; i < count; ++i) sendMessage(&connections[i]);
}

static void measure(int epoll, double seconds, clockid_t server) {
  messages = 0;
  memset(histogram, 0, sizeof histogram);
  const uint64_t begin = nowNs();
  const uint64_t serverBegin = readClock(server);
  const uint64_t ownBegin = readClock(CLOCK_PROCESS_CPUTIME_ID);
  runUntil(epoll, begin + (uint64_t)(seconds * 1e9));
  const double serverNs = (double)(readClock(server) - serverBegin);
  const double ownNs = (double)(readClock(CLOCK_PROCESS_CPUTIME_ID) - ownBegin);
  const double elapsedNs = (double)(nowNs() - begin);
  if (messages == 0) fail("no message came back");
  printf("%.0f %.2f %.2f %.0f %.1f %.1f\n", (double)messages / elapsedNs * 1e9, percentileUs(.5),
         percentileUs(.99), serverNs / (double)messages, serverNs / elapsedNs * 100,
         ownNs / elapsedNs * 100);
}

int main(int argc, char** argv) {
  if (argc != 7) {
    fprintf(stderr, "usage: %s PORT CONNECTIONS BYTES SECONDS WARMUP SERVERPID\n", argv[0]);
    return 2;
  }
  const int count = atoi(argv[2]);
  const double seconds = atof(argv[4]);
  const double warmup = atof(argv[5]);
  clockid_t server;
  messageSize = (size_t)atol(argv[3]);
  if (count < 1 || messageSize < 1 || messageSize > kBuffer || seconds <= 0 || warmup < 0) {
    fail("numbers out of range");
  }
  const int error = clock_getcpuclockid(atoi(argv[6]), &server);
  if (error != 0) {
    errno = error;
    die("clock_getcpuclockid");
  }
  message = allocate(messageSize);
  for (size_t i = 0; i < messageSize; ++i) message[i] = (char)('a' + i % 26);
  Connection* connections = allocate((size_t)count * sizeof *connections);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) die("epoll_create1");
  openAll(epoll, atoi(argv[1]), connections, count);
  runUntil(epoll, nowNs() + (uint64_t)(warmup * 1e9));
  measure(epoll, seconds, server);
}
