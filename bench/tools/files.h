// SPDX-License-Identifier: MIT
#pragma once

// What the programs that work on files have in common, Node excepted: names, sizes and order. Arguments:
// a folder on a disk and one in memory, which are there and empty, and what to do there: "cached", which
// needs no disk, or "disk".

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "measure.h"

enum { filesCount = 1000, statsCount = 10000, smallSize = 1024, fileNameSize = 32 };
enum { bigMiB = 1024, MiB = 1 << 20, pageSize = 4096, randomReads = 20000, inFlight = 64 };
enum { readKind = 'r', writeKind = 'w' };
static const size_t bigSize = (size_t)bigMiB * MiB;
static const char* const bigName = "big";
static const char* const bigCopyName = "copy";

static inline void require(int holds, const char* what) {
  if (holds) return;
  perror(what);
  exit(1);
}

static inline const char* fileName(char* at, int kind, int number) {
  snprintf(at, fileNameSize, "%c%d", kind, number);
  return at;
}

static inline void enterFolder(int count, char** arguments, int which) {
  require(count > which && chdir(arguments[which]) == 0, "chdir");
}

static inline int isPart(int count, char** arguments, const char* part) {
  return count > 3 && strcmp(arguments[3], part) == 0;
}

static inline void writeAllOf(int fd, const char* bytes, size_t size) {
  for (size_t done = 0; done < size;) {
    const size_t left = size - done;
    const ssize_t n = write(fd, bytes + done, left < (size_t)MiB ? left : (size_t)MiB);
    require(n > 0, "write");
    done += (size_t)n;
  }
}

static inline void makeSmallFiles(void) {
  char name[fileNameSize];
  char bytes[smallSize];
  memset(bytes, 'x', sizeof bytes);
  for (int i = 0; i < filesCount; ++i) {
    const int fd =
        open(fileName(name, readKind, i), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    require(fd >= 0, "open");
    writeAllOf(fd, bytes, sizeof bytes);
    close(fd);
  }
}
static inline void removeFiles(int kind) {
  char name[fileNameSize];
  for (int i = 0; i < filesCount; ++i) unlink(fileName(name, kind, i));
}

// Goes on in a new folder. For each new file ext4 looks through all that were removed there within some minutes: what is
// to be written to the disk is written without having removed any.
static inline void enterNewFolder(void) {
  require(mkdir("new", 0777) == 0 && chdir("new") == 0, "mkdir");
}

// On the disk when it returns, so that its pages can be forgotten.
static inline void makeBigFile(void) {
  const int fd = open(bigName, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  require(fd >= 0, "open");
  char* const bytes = (char*)malloc(MiB);
  require(bytes != NULL, "malloc");
  memset(bytes, 'y', MiB);
  for (int i = 0; i < bigMiB; ++i) writeAllOf(fd, bytes, MiB);
  free(bytes);
  require(fsync(fd) == 0, "fsync");
  close(fd);
}

// From here on the file is on the disk alone, and no more is read than is asked for.
static inline void forgetPages(int fd) {
  require(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "posix_fadvise");
  require(posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM) == 0, "posix_fadvise");
}

// Where the next page to be read begins.
static inline uint64_t nextPage(uint32_t* state) {
  const uint64_t pages = bigSize / pageSize;
  const uint64_t high = nextRandom(state);
  return ((high << 16 | nextRandom(state)) % pages) * pageSize;
}
