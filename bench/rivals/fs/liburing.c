// SPDX-License-Identifier: MIT
#define _GNU_SOURCE

// Random pages of a file that is not cached, 64 in flight: liburing and nothing else.

#include <liburing.h>

#include "files.h"

static long sum = 0;

static void ask(struct io_uring* ring, int fd, char* page, uint32_t* state) {
  struct io_uring_sqe* const sqe = io_uring_get_sqe(ring);
  io_uring_prep_read(sqe, fd, page, pageSize, nextPage(state));
  io_uring_sqe_set_data(sqe, page);
}

static void readRandom(void) {
  static char pages[inFlight][pageSize];
  struct io_uring ring;
  const int fd = open(bigName, O_RDONLY | O_CLOEXEC);
  require(fd >= 0, "open");
  forgetPages(fd);
  require(io_uring_queue_init(2 * inFlight, &ring,
                              IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN) == 0,
          "io_uring_queue_init");
  uint32_t state = 1;
  long asked = 0;
  for (; asked < inFlight; ++asked) ask(&ring, fd, pages[asked], &state);
  for (long done = 0; done < randomReads;) {
    require(io_uring_submit_and_wait(&ring, 1) >= 0, "io_uring_submit_and_wait");
    struct io_uring_cqe* cqe;
    unsigned head;
    unsigned count = 0;
    io_uring_for_each_cqe(&ring, head, cqe) {
      require(cqe->res == pageSize, "read");
      char* const page = (char*)io_uring_cqe_get_data(cqe);
      sum += page[0];
      ++count;
      if (asked < randomReads) {
        ++asked;
        ask(&ring, fd, page, &state);
      }
    }
    io_uring_cq_advance(&ring, count);
    done += count;
  }
  io_uring_queue_exit(&ring);
  close(fd);
}

int main(int count, char** arguments) {
  enterFolder(count, arguments, 1);
  if (!isPart(count, arguments, "disk")) return 0;
  makeBigFile();
  enum { times = 5 };
  double samples[times];
  for (int i = 0; i < times; ++i) {
    const double begin = nowNs();
    readRandom();
    samples[i] = (nowNs() - begin) / randomReads;
  }
  reportMedian("random_4KiB_cold", samples, times);
  unlink(bigName);
  return sum == 42;
}
