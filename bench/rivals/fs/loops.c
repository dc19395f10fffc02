// SPDX-License-Identifier: MIT
#define _GNU_SOURCE

// What leat/fs.cpp does, as plain loops that block: each file is opened, asked for its size, read and
// closed, large ones in pieces of 1 MiB.

#include "files.h"

static long sum = 0;

static void readFiles(void) {
  char name[fileNameSize];
  for (int i = 0; i < filesCount; ++i) {
    const int fd = open(fileName(name, readKind, i), O_RDONLY | O_CLOEXEC);
    struct stat known;
    require(fd >= 0 && fstat(fd, &known) == 0, "open");
    char* const bytes = (char*)malloc((size_t)known.st_size);
    const ssize_t n = read(fd, bytes, (size_t)known.st_size);
    require(n == smallSize, "read");
    close(fd);
    sum += bytes[n - 1];
    free(bytes);
  }
}

static void statFiles(int count) {
  char name[fileNameSize];
  for (int i = 0; i < count; ++i) {
    struct statx known;
    require(statx(AT_FDCWD, fileName(name, readKind, i % filesCount), 0,
                  STATX_BASIC_STATS | STATX_BTIME, &known) == 0,
            "statx");
    sum += (long)known.stx_size;
  }
}
static void statAll(void) { statFiles(statsCount); }
static void statEach(void) { statFiles(filesCount); }

static void writeFiles(void) {
  char name[fileNameSize];
  static char bytes[smallSize];
  for (int i = 0; i < filesCount; ++i) {
    const int fd =
        open(fileName(name, writeKind, i), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    require(fd >= 0, "open");
    writeAllOf(fd, bytes, sizeof bytes);
    close(fd);
  }
}

static void readBig(void) {
  const int fd = open(bigName, O_RDONLY | O_CLOEXEC);
  char* const bytes = (char*)malloc(bigSize);
  require(fd >= 0 && bytes != NULL, "open");
  for (size_t done = 0; done < bigSize;) {
    const ssize_t n =
        read(fd, bytes + done, bigSize - done < (size_t)MiB ? bigSize - done : (size_t)MiB);
    require(n > 0, "read");
    done += (size_t)n;
  }
  close(fd);
  sum += bytes[bigSize - 1];
  free(bytes);
}

static char* bigBytes;
static void writeBig(void) {
  const int fd = open(bigCopyName, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  require(fd >= 0, "open");
  writeAllOf(fd, bigBytes, bigSize);
  close(fd);
}

static void nothing(void) {}
static void removeWritten(void) { removeFiles(writeKind); }
static void removeCopy(void) { unlink(bigCopyName); }

static void bench(const char* name, long operations, void (*prepare)(void), void (*body)(void)) {
  enum { times = 5 };
  double samples[times];
  for (int i = 0; i < times; ++i) {
    prepare();
    const double begin = nowNs();
    body();
    samples[i] = (nowNs() - begin) / (double)operations;
  }
  reportMedian(name, samples, times);
}
static void measure(const char* name, long operations, void (*body)(void)) {
  body();
  bench(name, operations, nothing, body);
}

static void cached(int count, char** arguments) {
  makeSmallFiles();
  measure("read_1000_files", filesCount, readFiles);
  measure("read_files_one_by_one", filesCount, readFiles);
  measure("stat_10000_files", statsCount, statAll);
  measure("stat_files_one_by_one", filesCount, statEach);
  enterFolder(count, arguments, 2);
  bench("write_1000_files_memory", filesCount, removeWritten, writeFiles);
  removeWritten();
}

static void disk(void) {
  bench("write_1000_files_disk", filesCount, enterNewFolder, writeFiles);
  makeBigFile();
  measure("read_1GiB_per_MiB", bigMiB, readBig);
  unlink(bigName);
  bigBytes = (char*)malloc(bigSize);
  require(bigBytes != NULL, "malloc");
  // Not zeros: compilers make that calloc, whose memory is but one page until it is written.
  memset(bigBytes, 'z', bigSize);
  bench("write_1GiB_per_MiB", bigMiB, removeCopy, writeBig);
  removeCopy();
}

int main(int count, char** arguments) {
  enterFolder(count, arguments, 1);
  if (isPart(count, arguments, "cached")) cached(count, arguments);
  if (isPart(count, arguments, "disk")) disk();
  return sum == 42;
}
