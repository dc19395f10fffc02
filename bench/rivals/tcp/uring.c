// SPDX-License-Identifier: MIT

// uring PORT: an echo server on raw io_uring, the limit for a server on this kernel: accepts and receives
// that stay armed, buffers that the kernel picks, one system call a turn.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kEntries = 2048, kCompletions = 8192, kPieces = 1024, kPieceSize = 16384, kGroup = 0 };
enum { kAccept, kReceive, kSend };

static struct io_uring ring;
static struct io_uring_buf_ring* pieces;
static char* memory;
// Of each piece that is being sent.
static unsigned sizes[kPieces];
static unsigned sent[kPieces];

static void die(const char* call, int error) {
  fprintf(stderr, "%s: %s\n", call, strerror(error));
  exit(1);
}

static uint64_t word(int kind, int fd, unsigned piece) {
  return (uint64_t)kind << 56 | (uint64_t)piece << 32 | (uint32_t)fd;
}

static struct io_uring_sqe* entry(uint64_t data) {
  struct io_uring_sqe* sqe;
  while ((sqe = io_uring_get_sqe(&ring)) == NULL) io_uring_submit(&ring);
  sqe->user_data = data;
  return sqe;
}

// The preparing functions clear the word, so it is set last.
static void armAccept(int listener) {
  struct io_uring_sqe* sqe = entry(0);
  io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
  sqe->user_data = word(kAccept, listener, 0);
}

static void armReceive(int fd) {
  struct io_uring_sqe* sqe = entry(0);
  io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = kGroup;
  sqe->user_data = word(kReceive, fd, 0);
}

static void armSend(int fd, unsigned piece) {
  struct io_uring_sqe* sqe = entry(0);
  io_uring_prep_send(sqe, fd, memory + (size_t)piece * kPieceSize + sent[piece],
                     sizes[piece] - sent[piece], MSG_NOSIGNAL | MSG_WAITALL);
  sqe->user_data = word(kSend, fd, piece);
}

static void giveBack(unsigned piece) {
  io_uring_buf_ring_add(pieces, memory + (size_t)piece * kPieceSize, kPieceSize,
                        (unsigned short)piece, io_uring_buf_ring_mask(kPieces), 0);
  io_uring_buf_ring_advance(pieces, 1);
}

static int listenOn(int port) {
  const int one = 1;
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket", errno);
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0) die("setsockopt", errno);
  if (bind(fd, (struct sockaddr*)&address, sizeof address) != 0) die("bind", errno);
  if (listen(fd, 511) != 0) die("listen", errno);
  if (getsockname(fd, (struct sockaddr*)&address, &length) != 0) die("getsockname", errno);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

static void makeRing(void) {
  struct io_uring_params params = {
      .flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
      .cq_entries = kCompletions};
  int error = io_uring_queue_init_params(kEntries, &ring, &params);
  if (error < 0) die("io_uring_setup", -error);
  io_uring_register_ring_fd(&ring);
  pieces = aligned_alloc(4096, kPieces * sizeof(struct io_uring_buf));
  if (pieces == NULL) die("aligned_alloc", errno);
  io_uring_buf_ring_init(pieces);
  struct io_uring_buf_reg place = {
      .ring_addr = (uintptr_t)pieces, .ring_entries = kPieces, .bgid = kGroup};
  error = io_uring_register_buf_ring(&ring, &place, 0);
  if (error < 0) die("io_uring_register", -error);
  memory = aligned_alloc(4096, (size_t)kPieces * kPieceSize);
  if (memory == NULL) die("aligned_alloc", errno);
  for (unsigned i = 0; i < kPieces; ++i) giveBack(i);
}

static void accepted(const struct io_uring_cqe* cqe, int listener) {
  const int one = 1;
  if (cqe->res >= 0) {
    if (setsockopt(cqe->res, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0)
      die("setsockopt", errno);
    armReceive(cqe->res);
  }
  if (!(cqe->flags & IORING_CQE_F_MORE)) armAccept(listener);
}

static void received(const struct io_uring_cqe* cqe, int fd) {
  if (cqe->res == -ENOBUFS) {
    armReceive(fd);
  } else if (cqe->res <= 0) {
    if (!(cqe->flags & IORING_CQE_F_MORE)) close(fd);
  } else {
    const unsigned piece = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
    sizes[piece] = (unsigned)cqe->res;
    sent[piece] = 0;
    armSend(fd, piece);
    if (!(cqe->flags & IORING_CQE_F_MORE)) armReceive(fd);
  }
}

static void sentSome(const struct io_uring_cqe* cqe, int fd, unsigned piece) {
  if (cqe->res > 0 && (sent[piece] += (unsigned)cqe->res) < sizes[piece]) {
    armSend(fd, piece);
  } else {
    giveBack(piece);
  }
}

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s PORT\n", argv[0]);
    return 2;
  }
  makeRing();
  armAccept(listenOn(atoi(argv[1])));
  for (;;) {
    const int error = io_uring_submit_and_wait(&ring, 1);
    if (error < 0 && error != -EINTR) die("io_uring_enter", -error);
    struct io_uring_cqe* cqe;
    unsigned head;
    unsigned count = 0;
    io_uring_for_each_cqe(&ring, head, cqe) {
      const uint64_t data = io_uring_cqe_get_data64(cqe);
      const int fd = (int)(uint32_t)data;
      ++count;
      switch (data >> 56) {
        case kAccept:
          accepted(cqe, fd);
          break;
        case kReceive:
          received(cqe, fd);
          break;
        default:
          sentSome(cqe, fd, (unsigned)(data >> 32) & 0xffff);
      }
    }
    io_uring_cq_advance(&ring, count);
  }
}
