// SPDX-License-Identifier: MIT
#include <leat/core/abort.hpp>

#include <leat/core/waiter.hpp>
#include <child.hpp>
#include <csignal>
#include <memory>
#include <queue_fixture.hpp>

using leat::AbortController;
using leat::AbortSignal;
using leat_test::codeOf;
using leat_test::QueueFixture;
using leat_test::textOf;

TEST_CASE("a signal is aborted once, with a reason") {
  AbortController controller;
  auto signal = controller.signal();
  REQUIRE_FALSE(signal.aborted());
  REQUIRE(signal.reason() == nullptr);
  signal.throwIfAborted();
  controller.abort(std::runtime_error("first"));
  controller.abort(std::runtime_error("second"));
  REQUIRE(signal.aborted());
  REQUIRE(textOf(signal.reason()) == "first");
  REQUIRE_THROWS_AS(signal.throwIfAborted(), std::runtime_error);
  REQUIRE(codeOf(AbortSignal::abort().reason()) == "ABORT_ERR");
}

TEST_CASE("listeners are called inside abort, in order, while they are registered") {
  AbortController controller;
  std::string trace;
  auto a = controller.signal().onAbort([&] { trace += 'a'; });
  auto b = controller.signal().onAbort([&] { trace += 'b'; });
  {
    auto gone = controller.signal().onAbort([&] { trace += 'x'; });
  }
  auto off = controller.signal().onAbort([&] { trace += 'y'; });
  off.off();
  auto c = controller.signal().onAbort([&] { trace += 'c'; });
  controller.abort();
  REQUIRE(trace == "abc");
  controller.abort();
  REQUIRE(trace == "abc");
}

TEST_CASE("a listener may remove itself and others while it is called") {
  AbortController controller;
  std::string trace;
  leat::AbortRegistration first, second, third;
  first = controller.signal().onAbort([&] {
    trace += '1';
    first.off();
    second.off();
  });
  second = controller.signal().onAbort([&] { trace += '2'; });
  third = controller.signal().onAbort([&] { trace += '3'; });
  controller.abort();
  REQUIRE(trace == "13");
}

TEST_CASE("what a listener throws stops no other and is reported in a tick") {
  QueueFixture queues;
  AbortController controller;
  bool called = false;
  auto a = controller.signal().onAbort([] { throw std::runtime_error("listener"); });
  auto b = controller.signal().onAbort([&] { called = true; });
  controller.abort();
  REQUIRE(called);
  REQUIRE(queues.uncaught.empty());
  queues.drain();
  REQUIRE(queues.uncaught == std::vector<std::string>{"listener"});
}

TEST_CASE("a listener that comes after the abort is called in a microtask, unless removed") {
  QueueFixture queues;
  auto signal = AbortSignal::abort();
  int calls = 0;
  auto kept = signal.onAbort([&] { ++calls; });
  {
    auto dropped = signal.onAbort([&] { calls += 10; });
  }
  REQUIRE(calls == 0);
  queues.drain();
  REQUIRE(calls == 1);
}

TEST_CASE("a combined signal follows the first of its sources, after their listeners") {
  AbortController one, two;
  std::string trace;
  auto any = AbortSignal::any(one.signal(), two.signal());
  auto nested = AbortSignal::any(std::vector<AbortSignal>{any});
  auto c = nested.onAbort([&] { trace += 'n'; });
  auto b = any.onAbort([&] { trace += 'a'; });
  auto a = two.signal().onAbort([&] { trace += 's'; });
  two.abort(std::runtime_error("two"));
  one.abort(std::runtime_error("one"));
  REQUIRE(trace == "san");
  REQUIRE(textOf(nested.reason()) == "two");
  REQUIRE(AbortSignal::any(one.signal(), AbortSignal::abort()).aborted());
  REQUIRE_FALSE(AbortSignal::any().aborted());
}

TEST_CASE("a combined signal that goes leaves its sources") {
  AbortController source;
  {
    auto any = AbortSignal::any(source.signal(), source.signal());
  }
  REQUIRE(source.signal().state()->followers.empty());
  source.abort();
  REQUIRE(source.signal().aborted());
}

TEST_CASE("the last handle of a signal may go inside of a listener") {
  auto controller = std::make_unique<AbortController>();
  bool called = false;
  auto registration = controller->signal().onAbort([&] {
    called = true;
    controller.reset();
  });
  auto signal = controller->signal();
  controller->abort();
  REQUIRE(called);
  REQUIRE(signal.aborted());
}

TEST_CASE("the reason of an abort may be a text, which stands for an Error") {
  const auto reasonOf = [](auto&&... reason) {
    const AbortController controller;
    controller.abort(reason...);
    const AbortSignal made = AbortSignal::abort(std::forward<decltype(reason)>(reason)...);
    REQUIRE(textOf(made.reason()) == textOf(controller.signal().reason()));
    return controller.signal().reason();
  };
  const std::string text = "the user went away";
  REQUIRE(textOf(reasonOf("the user went away")) == text);
  REQUIRE(textOf(reasonOf(text)) == text);
  REQUIRE(textOf(reasonOf(std::string_view(text))) == text);
  REQUIRE(textOf(reasonOf(text.c_str())) == text);
  REQUIRE(textOf(reasonOf(std::runtime_error("own"))) == "own");
  REQUIRE(textOf(reasonOf(std::make_exception_ptr(5))) == "int 5");
  REQUIRE(codeOf(reasonOf(nullptr)) == "ABORT_ERR");
  REQUIRE(codeOf(reasonOf()) == "ABORT_ERR");
  REQUIRE(codeOf(reasonOf(leat::Error("x", "MINE"))) == "MINE");
  try {
    std::rethrow_exception(reasonOf(text));
  } catch (const leat::Error& error) {
    REQUIRE(error.name() == "Error");
    REQUIRE(error.code().empty());
  }
}

TEST_CASE("many signals that follow one another need no stack") {
  constexpr int many = 100000;
  for (const bool aborts : {true, false}) {
    AbortController first;
    auto last = first.signal();
    for (int i = 0; i < many; ++i) {
      const AbortController next;
      REQUIRE(leat::detail::followSignal(*last.state(), *next.signal().state()));
      last = next.signal();
    }
    if (aborts) first.abort();
    REQUIRE(last.aborted() == aborts);
  }
}

TEST_CASE("a signal combined of combined ones keeps only what these follow") {
  AbortController first, second;
  auto all = AbortSignal::any(first.signal(), second.signal());
  for (int i = 0; i < 10; ++i) all = AbortSignal::any(all, AbortSignal::any(all), first.signal());
  REQUIRE(first.signal().state()->followers.size() == 1);
  REQUIRE(second.signal().state()->followers.size() == 1);
  second.abort("why");
  REQUIRE(textOf(all.reason()) == "why");
}

#if !LEAT_TSAN
TEST_CASE("what a listener throws where there is no loop ends the program") {
  const auto end = leat_test::inChild([] {
    const AbortController controller;
    const auto told = controller.signal().onAbort([] { throw leat::Error("nobody hears"); });
    controller.abort();
    return 0;
  });
  REQUIRE(end.signal == SIGABRT);
  REQUIRE(end.err.find("nobody hears") != std::string::npos);
}
#endif
