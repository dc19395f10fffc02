// SPDX-License-Identifier: MIT

// uring PORT: the same as epoll.c on raw io_uring: accepts and receives that stay armed, buffers that the kernel picks,
// one system call a turn.

#define _GNU_SOURCE
#include <liburing.h>
#include <unistd.h>

#include "hello.h"

enum { kEntries = 2048, kCompletions = 8192, kPieces = 1024, kPieceSize = 4096, kGroup = 0 };
enum { kAccept, kReceive, kSend };

static struct io_uring ring;
static struct io_uring_buf_ring* pieces;
static char* memory;

static struct io_uring_sqe* entry(void) {
  struct io_uring_sqe* sqe;
  while ((sqe = io_uring_get_sqe(&ring)) == NULL) io_uring_submit(&ring);
  return sqe;
}

// The preparing functions clear the word, so it is set last.
static void tag(struct io_uring_sqe* sqe, int kind, int fd) {
  sqe->user_data = (uint64_t)kind << 56 | (uint32_t)fd;
}

static void armAccept(int listener) {
  struct io_uring_sqe* sqe = entry();
  io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
  tag(sqe, kAccept, listener);
}

static void armReceive(int fd) {
  struct io_uring_sqe* sqe = entry();
  io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = kGroup;
  tag(sqe, kReceive, fd);
}

static void sendAnswers(int fd, int count) {
  struct io_uring_sqe* sqe = entry();
  io_uring_prep_send(sqe, fd, answers, (size_t)count * kAnswerSize, MSG_NOSIGNAL | MSG_WAITALL);
  sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
  tag(sqe, kSend, fd);
}

static void giveBack(unsigned piece) {
  io_uring_buf_ring_add(pieces, memory + (size_t)piece * kPieceSize, kPieceSize,
                        (unsigned short)piece, io_uring_buf_ring_mask(kPieces), 0);
  io_uring_buf_ring_advance(pieces, 1);
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
  if (cqe->res >= 0) {
    begin(cqe->res);
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
    const int requests = countRequests(fd, memory + (size_t)piece * kPieceSize, (size_t)cqe->res);
    giveBack(piece);
    if (requests > 0) sendAnswers(fd, requests);
    if (!(cqe->flags & IORING_CQE_F_MORE)) armReceive(fd);
  }
}

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s PORT\n", argv[0]);
    return 2;
  }
  prepareAnswers();
  makeRing();
  armAccept(listenOn(atoi(argv[1]), 0));
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
      // Of a send only an error is told, and then nothing is received any more, either.
      if (data >> 56 == kAccept) accepted(cqe, fd);
      if (data >> 56 == kReceive) received(cqe, fd);
    }
    io_uring_cq_advance(&ring, count);
  }
}
