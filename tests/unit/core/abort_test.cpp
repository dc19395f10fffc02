// SPDX-License-Identifier: MIT
#include <leat/core/abort.hpp>

#include <leat/core/waiter.hpp>
#include <child.hpp>
#include <csignal>
#include <memory>
#include <queue_fixture.hpp>
#include <vector>

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

TEMPLATE_TEST_CASE(
    "the closure of a listener that is a coroutine is kept until that has ended, also without its "
    "registration",
    "", leat::Task<>, leat::Promise<>) {
  for (const bool late : {false, true}) {
    CAPTURE(late);
    QueueFixture queues;
    int live = 0;
    int used = 0;
    const auto gate = leat::Promise<>::withResolvers();
    {
      const auto slow = [opened = gate.promise, tracked = leat_test::Tracked(live),
                         text = std::string(40, 'x'), &used]() -> TestType {
        co_await opened;
        used += static_cast<int>(text.size());
      };
      AbortController controller;
      if (late) controller.abort();
      const auto registration = controller.signal().onAbort(slow);
      controller.abort();
      queues.drain();
    }
    CHECK(used == 0);
    REQUIRE(live == 1);
    gate.resolve();
    queues.drain();
    CHECK(used == 40);
    CHECK(live == 0);
  }
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

TEST_CASE("combined signals of combined signals are told in the order in which they were made") {
  // As in Node, where each of them follows the controller's.
  AbortController controller;
  std::string trace;
  auto first = AbortSignal::any(controller.signal());
  auto second = AbortSignal::any(controller.signal());
  auto third = AbortSignal::any(first);
  auto c = third.onAbort([&] { trace += '3'; });
  auto b = second.onAbort([&] { trace += '2'; });
  auto a = first.onAbort([&] { trace += '1'; });
  controller.abort(std::runtime_error("why"));
  REQUIRE(trace == "123");
  REQUIRE(textOf(third.reason()) == "why");
}

TEST_CASE("a chain of combined signals keeps none of those between, and follows each source once") {
  const AbortController controller, other;
  auto signal = controller.signal();
  for (int i = 0; i < 200'000; ++i) signal = AbortSignal::any(signal, other.signal(), signal);
  REQUIRE(controller.signal().state()->followers.size() == 1);
  REQUIRE(other.signal().state()->followers.size() == 1);
  SECTION("when it is aborted") {
    bool told = false;
    auto registration = signal.onAbort([&] { told = true; });
    other.abort();
    REQUIRE(told);
  }
  SECTION("when it goes") {}
}

TEST_CASE("a chain of signals that abort on their own is told, and goes, within a bounded stack") {
  const AbortController controller;
  std::vector<AbortController> chain;
  chain.reserve(200'000);
  auto* last = controller.signal().state();
  for (int i = 0; i < 200'000; ++i) {
    chain.emplace_back();
    (void)leat::detail::followSignal(*last, *chain.back().signal().state());
    last = chain.back().signal().state();
  }
  const AbortController end = chain.back();
  SECTION("told") {
    controller.abort(std::runtime_error("why"));
    REQUIRE(textOf(end.signal().reason()) == "why");
  }
  SECTION("told, of signals that only their followers keep") {
    chain.clear();
    controller.abort(std::runtime_error("why"));
    REQUIRE(textOf(end.signal().reason()) == "why");
  }
  SECTION("gone") { chain.clear(); }
}

TEST_CASE(
    "a signal that is combined while its source is aborted is told after the one it was made of") {
  const AbortController controller;
  std::string trace;
  const auto first = AbortSignal::any(controller.signal());
  std::vector<AbortSignal> made;
  leat::AbortRegistration late;
  auto a = first.onAbort([&] { trace += 'f'; });
  auto source = controller.signal().onAbort([&] {
    trace += first.aborted() ? '-' : 's';
    made.push_back(AbortSignal::any(first));
    late = made.back().onAbort([&] { trace += 'm'; });
  });
  controller.abort();
  REQUIRE(trace == "sfm");
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
