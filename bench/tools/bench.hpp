// SPDX-License-Identifier: MIT
#pragma once

// What the C++ programs of the comparison share: repeat, take the median, print one line.

#include <array>
#include <thread>
#include <vector>

#include "measure.h"

#define BENCH_NOINLINE __attribute__((noinline))

// Runs `body`, which performs `operations` operations, five times, each time after `prepare`, which is
// not measured, and prints the median per operation.
template <class Prepare, class Body>
void benchAfter(const char* name, long operations, Prepare prepare, Body body) {
  std::array<double, 5> samples;
  for (double& sample : samples) {
    prepare();
    const double begin = nowNs();
    body();
    sample = (nowNs() - begin) / static_cast<double>(operations);
  }
  reportMedian(name, samples.data(), static_cast<int>(samples.size()));
}

template <class Body>
void bench(const char* name, long operations, Body body) {
  benchAfter(name, operations, [] {}, body);
}

// With how many threads a curve is drawn: 1 and 2, then 4, 8 and 16 as far as there are processors, and the number of these.
inline std::vector<unsigned> threadCounts() {
  const unsigned processors = std::thread::hardware_concurrency();
  std::vector<unsigned> counts{1, 2};
  for (const unsigned each : {4U, 8U, 16U})
    if (each <= processors) counts.push_back(each);
  if (processors > counts.back()) counts.push_back(processors);
  return counts;
}

// Makes the compiler believe that `value` is read, so that what computed it stays.
template <class T>
void keep(const T& value) {
  asm volatile("" : : "g"(&value) : "memory");
}
