// SPDX-License-Identifier: MIT
// host PLUGIN: uses one loop together with a shared library and with a plugin, and prints what holds.
#include <dlfcn.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <thread>

#include "service.hpp"

namespace {

void check(const char* what, bool holds) { std::printf("  %s: %s\n", what, holds ? "yes" : "NO"); }

leat::Task<> promisesAndTasks(const Service& service) {
  check("one thread state", service.threadState() == &leat::detail::threadState);
  check("one loop", service.currentLoop() == &leat::EventLoop::current());
  leat::Promise<int> theirs = service.later(41, 1);
  check("its promise is awaited here", co_await theirs == 41);
  leat::Promise<int> ours = leat::Promise<int>::resolve(1);
  leat::Promise<int> sum = service.plusOne(ours);
  check("our promise is awaited there", co_await sum == 2);
  const std::string greeting = co_await service.greet("host");
  check("its task is awaited here", greeting == "hello, host");
  leat::Promise<std::string> dropped = leat::spawn(service.greet("nobody"));
  {
    leat::Task<std::string> unstarted = service.greet("nobody either");
  }
  co_await dropped;
  leat::Buffer bytes = service.bytes("bytes");
  check("its buffer is ours", bytes.view() == "bytes");
  leat::AsyncLocalStorage<int> storage;
  check("our store is seen there", storage.run(7, [&] { return service.store(storage); }) == 7);
  check("its blocking call comes back", co_await service.blocked(9) == 9);
  check("one shared pool", service.workers() == &leat::WorkStealingPool::shared());
  check("its forks come back", co_await service.forked(20) == 6765);
}

template <class E>
bool is(const std::exception_ptr& error, std::string_view code) {
  try {
    std::rethrow_exception(error);
  } catch (const E& e) {
    return code.empty() || e.what() == code ||
           leat::describe(error).find(code) != std::string::npos;
  } catch (...) {
    return false;
  }
}

leat::Task<> errorsAndSignals(const Service& service) {
  leat::AbortController controller;
  leat::Promise<void> sleeping = leat::spawn(service.sleepUntilAborted(controller.signal()));
  co_await leat::sleep(1);
  controller.abort();
  const auto aborted = co_await leat::asResult(sleeping);
  check("our abort reaches it", !aborted && is<leat::AbortError>(aborted.error(), ""));
  const auto type = co_await leat::asResult(service.fail("TypeError"));
  check("its TypeError is caught", !type && is<leat::TypeError>(type.error(), ""));
  const auto system = co_await leat::asResult(service.fail("SystemError"));
  check("its SystemError is caught", !system && is<leat::SystemError>(system.error(), "ENOENT"));
  const auto own = co_await leat::asResult(service.fail("ServiceError"));
  check("its own error is caught", !own && is<ServiceError>(own.error(), "ESERVICE"));
  const auto standard = co_await leat::asResult(service.fail("runtime"));
  check("its std::runtime_error is caught",
        !standard && is<std::runtime_error>(standard.error(), "runtime"));
  check("our RangeError is caught there",
        service.caught([] { throw leat::RangeError("too far"); }) == "RangeError ERR_OUT_OF_RANGE");
}

leat::Task<> listeners(const Service& service) {
  int here = 0;
  int there = 0;
  leat::Listener ours = leat::onSignal(SIGUSR2, [&here] { ++here; });
  leat::Listener theirs = service.onSignal(SIGUSR2, there);
  std::raise(SIGUSR2);
  co_await leat::sleep(20);
  check("both hear a signal once", here == 1 && there == 1);
  theirs.off();
  std::raise(SIGUSR2);
  co_await leat::sleep(20);
  check("off there, on here", here == 2 && there == 1);
  ours.off();
  int warnings = 0;
  leat::Listener warning = service.onWarning(warnings);
  check("its process listener is counted here", leat::process::listenerCount<"warning">() == 1);
  warning.off();
}

/// Both wait for one descriptor at the same time: it is registered with the loop once.
leat::Task<> descriptor(const Service& service) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
    throw leat::SystemError(errno, "socketpair");
  leat::AbortController controller;
  auto readable = [](int fd, leat::AbortSignal signal) -> leat::Task<> {
    co_await leat::wait(fd, leat::Ready::Readable, {.signal = signal});
  };
  leat::Promise<void> ours = leat::spawn(readable(pair[0], controller.signal()));
  const auto theirs = co_await leat::asResult(service.writable(pair[0]));
  check("both wait for one descriptor", static_cast<bool>(theirs));
  if (::write(pair[1], "x", 1) != 1) throw leat::SystemError(errno, "write");
  const auto came = co_await leat::asResult(ours);
  check("and ours goes on", static_cast<bool>(came));
  ::close(pair[0]);
  ::close(pair[1]);
}

leat::Task<> all(const Service& service) {
  co_await promisesAndTasks(service);
  co_await errorsAndSignals(service);
  co_await listeners(service);
  co_await descriptor(service);
}

/// A loop of another thread is found by the service as well; a thread without one has none there either.
void otherThreads(const Service& service) {
  bool found = false;
  bool none = false;
  std::thread([&] {
    try {
      (void)service.currentLoop();
    } catch (const leat::Error& error) {
      none = error.code() == "ERR_NO_LOOP";
    }
    leat::run([&]() -> leat::Task<> {
      found = service.currentLoop() == &leat::EventLoop::current();
      co_await service.later(1, 1);
    });
  }).join();
  check("a second thread has its own loop there", found && none);
}

leat::Task<> program(const char* path) {
  std::puts("shared library");
  co_await all(*linkedService());
  otherThreads(*linkedService());

  std::puts("plugin");
  void* plugin = ::dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (plugin == nullptr) throw leat::Error(::dlerror());
  const auto entry = reinterpret_cast<ServiceEntry>(::dlsym(plugin, "loadedService"));
  if (entry == nullptr) throw leat::Error(::dlerror());
  co_await all(*entry());
  otherThreads(*entry());
  ::dlclose(plugin);

  std::puts("after it was closed");
  const int value = co_await leat::blocking([] { return 3; });
  check("the pool works", value == 3);
  const auto answer = [] { return 4; };
  const int computed = co_await leat::WorkStealingPool::shared().run(answer);
  check("the workers work", computed == 4);
  co_await leat::sleep(1);
  check("the timers work", true);
}

}  // namespace

/// Destroyed when the shared pool has ended: the first use of it comes later than this object.
struct AfterAll {
  ~AfterAll() {
    try {
      leat::WorkStealingPool::shared().submit([] {});
    } catch (const leat::Error& error) {
      check("at the end the shared pool is closed", error.code() == "ERR_POOL_CLOSED");
    }
  }
} afterAll;

int main(int, char** argv) {
  return leat::run([path = argv[1]] { return program(path); });
}
