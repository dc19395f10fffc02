// SPDX-License-Identifier: MIT
// What must not compile. check_compile_fail.py compiles this once as it is, which must work, and once for
// each case, which must fail: the first error names what stands behind the colon.

#ifdef CLOSURE_WITH_CAPTURES
#define LEAT_CLOSURE_GUARD 1
#else
#define LEAT_CLOSURE_GUARD 0
#endif

#include <leat/loop.hpp>
#include <leat/net.hpp>

#include <memory>
#include <string>

using namespace leat;

Task<> compiles(std::shared_ptr<int> shared) {
  const auto named = [shared] { return *shared; };
  (void)co_await blocking(named);
  EventLoop::current().ref().post([shared] { ++*shared; });
}

#if defined(CLOSURE_WITH_CAPTURES)   // error: destroys the captures of a closure twice
#elif defined(PROMISE_TO_BLOCKING)   // error: a handle of a loop may not go to another thread
Task<> fails(Promise<> promise) {
  co_await blocking([](const Promise<>&) {}, promise);
}
#elif defined(SOCKET_FROM_BLOCKING)  // error: f may not make handles of a loop on another thread
Task<> fails() {
  (void)co_await blocking([] { return net::Socket(); });
}
#endif

// Taken where the guard is off.
Task<int> guarded(std::shared_ptr<int> shared) {
  co_return co_await withTimeout(1000, [shared]() -> Task<int> { co_return *shared; });
}
