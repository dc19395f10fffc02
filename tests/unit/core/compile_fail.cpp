// SPDX-License-Identifier: MIT
// What must not compile. check_compile_fail.py compiles this once as it is, which must work, and once for
// each case, which must fail: the first error names what stands behind the colon.

#include <leat/promise.hpp>

#include <string>

using namespace leat;

void compiles(const Promise<int>& promise, const Promise<>& nothing) {
  (void)promise.then([](int) {}, [](std::exception_ptr) {});
  (void)promise.then([](int) { return 1; }, [](std::exception_ptr) -> int { throw 1; });
  (void)promise.catch_<TypeError>([] { return 1; });
  (void)nothing.catch_<TypeError>([] {});
}

#if defined(CATCH_WITHOUT_VALUE)  // error: catch_(f): f must give the value
void fails(const Promise<int>& promise) {
  (void)promise.catch_([] {});
}
#elif defined(CATCH_TYPE_WITHOUT_VALUE)  // error: catch_<E>(f): f must give the value
void fails(const Promise<int>& promise) {
  (void)promise.catch_<TypeError>([](const TypeError&) {});
}
#elif defined(THEN_WITHOUT_VALUE)        // error: then(f, g): g must give a value as f does
void fails(const Promise<int>& promise) {
  (void)promise.then([](int value) { return std::to_string(value); }, [](std::exception_ptr) {});
}
#elif defined(CATCH_TASK_WITHOUT_VALUE)  // error: catch_(f): f must give the value
Task<> report() { co_return; }
void fails(const Promise<int>& promise) {
  (void)promise.catch_([] { return report(); });
}
#endif
