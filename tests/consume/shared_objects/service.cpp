// SPDX-License-Identifier: MIT
#include "service.hpp"

#include <cerrno>
#include <stdexcept>

namespace {

leat::Promise<int> later(int value, int ms) {
  co_await leat::sleep(ms);
  co_return value;
}

leat::Promise<int> plusOne(leat::Promise<int> value) {
  const int got = co_await value;
  co_return got + 1;
}

leat::Task<std::string> greet(std::string name) {
  co_await leat::sleep(1);
  co_return "hello, " + name;
}

leat::Task<> sleepUntilAborted(leat::AbortSignal signal) {
  co_await leat::sleep(60'000, {.signal = signal});
}

leat::Task<> fail(std::string how) {
  co_await leat::sleep(1);
  if (how == "TypeError") throw leat::TypeError("not of this kind");
  if (how == "SystemError") throw leat::SystemError(ENOENT, "open");
  if (how == "ServiceError") throw ServiceError("out of service", "ESERVICE");
  throw std::runtime_error(how);
}

std::string caught(void (*thrower)()) {
  try {
    thrower();
  } catch (const leat::RangeError& error) {
    return "RangeError " + std::string(error.code());
  } catch (const leat::Error& error) {
    return "Error " + std::string(error.code());
  }
  return "nothing";
}

leat::Task<> writable(int fd) {
  const leat::Ready ready = co_await leat::wait(fd, leat::Ready::Writable);
  if (!leat::has(ready, leat::Ready::Writable)) throw ServiceError("not writable");
}

leat::Task<int> blocked(int value) {
  co_return co_await leat::blocking([](int number) { return number; }, value);
}

leat::Task<long> fib(int n) {
  if (n < 2) co_return n;
  auto [a, b] = co_await leat::fork(fib(n - 1), fib(n - 2));
  co_return a + b;
}

leat::Task<long> forked(int n) { co_return co_await leat::WorkStealingPool::shared().run(fib, n); }

constexpr Service service{
    .threadState = [] { return static_cast<void*>(&leat::detail::threadState); },
    .currentLoop = [] { return &leat::EventLoop::current(); },
    .later = later,
    .plusOne = plusOne,
    .greet = greet,
    .sleepUntilAborted = sleepUntilAborted,
    .fail = fail,
    .caught = caught,
    .bytes = [](std::string text) { return leat::Buffer::from(text); },
    .store = [](leat::AsyncLocalStorage<int>& storage) { return *storage.getStore(); },
    .writable = writable,
    .onSignal = [](int number,
                   int& count) { return leat::onSignal(number, [&count] { ++count; }); },
    .onWarning = [](int& count) { return leat::process::on<"warning">([&count] { ++count; }); },
    .blocked = blocked,
    .workers = [] { return &leat::WorkStealingPool::shared(); },
    .forked = forked,
};

}  // namespace

extern "C" SERVICE_API const Service* SERVICE_ENTRY();
extern "C" SERVICE_API const Service* SERVICE_ENTRY() { return &service; }
