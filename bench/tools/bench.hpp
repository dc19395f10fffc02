// SPDX-License-Identifier: MIT
#pragma once

// What the C++ programs of the comparison share: repeat, take the median, print one line.

#include <array>

#include "measure.h"

#define BENCH_NOINLINE __attribute__((noinline))

// Runs `body`, which performs `operations` operations, five times and prints the median per
// operation.
template <class Body>
void bench(const char* name, long operations, Body body) {
  std::array<double, 5> samples;
  for (double& sample : samples) {
    const double begin = nowNs();
    body();
    sample = (nowNs() - begin) / static_cast<double>(operations);
  }
  reportMedian(name, samples.data(), static_cast<int>(samples.size()));
}

// Makes the compiler believe that `value` is read, so that what computed it stays.
template <class T>
void keep(const T& value) {
  asm volatile("" : : "g"(&value) : "memory");
}
