// SPDX-License-Identifier: MIT
#pragma once

// Clock, delays and the `name value` lines that bench/compare reads. Plain C, so that the C rivals,
// the C++ rivals and leat's own programs measure in the same way.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline double nowNs(void) {
  struct timespec t;
  if (clock_gettime(CLOCK_MONOTONIC, &t) != 0) {
    perror("clock_gettime");
    exit(1);
  }
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline int compareDoubles(const void* a, const void* b) {
  const double x = *(const double*)a;
  const double y = *(const double*)b;
  return (x > y) - (x < y);
}

// Prints the median of `count` samples, in nanoseconds per operation. Sorts the samples.
static inline void reportMedian(const char* name, double* samples, int count) {
  qsort(samples, (size_t)count, sizeof *samples, compareDoubles);
  printf("%s %.2f\n", name, samples[count / 2]);
  fflush(stdout);
}

// How much memory this process took at its peak.
static inline void reportPeak(const char* name) {
  char line[128];
  long kib = 0;
  FILE* const status = fopen("/proc/self/status", "r");
  while (status != NULL && fgets(line, sizeof line, status) != NULL)
    if (sscanf(line, "VmHWM: %ld", &kib) == 1) break;
  if (status != NULL) fclose(status);
  printf("%s %.2f MiB\n", name, (double)kib / 1024);
  fflush(stdout);
}

// The same sequence of delays in every program: start it with state 1.
static inline uint32_t nextRandom(uint32_t* state) {
  *state = *state * 1664525u + 1013904223u;
  return *state >> 16;
}

// 10 to 40 s: a timer that is always cleared before it is due.
static inline uint32_t nextLongDelayMs(uint32_t* state) {
  return 10000 + nextRandom(state) % 30000;
}

// 0 to 9 ms: a timer that is due when the program has slept 15 ms.
static inline uint32_t nextShortDelayMs(uint32_t* state) { return nextRandom(state) % 10; }
