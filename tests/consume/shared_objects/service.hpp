// SPDX-License-Identifier: MIT
// What the shared library and the plugin offer; the same source makes both.
#pragma once

#include <leat.hpp>

#include <string>

#define SERVICE_API __attribute__((visibility("default")))

/// An exception of the user's own that crosses the border.
struct SERVICE_API ServiceError : leat::Error {
  using leat::Error::Error;
};

struct Service {
  void* (*threadState)();
  leat::EventLoop* (*currentLoop)();
  leat::Promise<int> (*later)(int value, int ms);
  leat::Promise<int> (*plusOne)(leat::Promise<int> value);
  leat::Task<std::string> (*greet)(std::string name);
  leat::Task<> (*sleepUntilAborted)(leat::AbortSignal signal);
  leat::Task<> (*fail)(std::string how);
  std::string (*caught)(void (*thrower)());
  leat::Buffer (*bytes)(std::string text);
  int (*store)(leat::AsyncLocalStorage<int>& storage);
  leat::Task<> (*writable)(int fd);
  leat::Listener (*onSignal)(int number, int& count);
  leat::Listener (*onWarning)(int& count);
  leat::Task<int> (*blocked)(int value);
  leat::WorkStealingPool* (*workers)();
  leat::Task<long> (*forked)(int n);
};

extern "C" SERVICE_API const Service* linkedService();
using ServiceEntry = const Service* (*)();
