// SPDX-License-Identifier: MIT
#include <leat/core/task.hpp>

#include <code_thrown_by.hpp>
#include <forgetful.hpp>
#include <memory>
#include <queue_fixture.hpp>
#include <string>

using leat::Task;
using leat_test::codeThrownBy;
using leat_test::forgetful;
using leat_test::Running;
using leat_test::Tracked;

namespace {

/// Suspends until `go()`.
struct Gate {
  struct Awaiter {
    explicit Awaiter(Gate& g) : gate(g) {}
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> handle) { gate.waiting = handle; }
    void await_resume() const {}
    Gate& gate;
  };
  Awaiter operator co_await() { return Awaiter(*this); }
  void go() { leat::detail::run(std::exchange(waiting, {})); }
  std::coroutine_handle<> waiting;
};

Task<int> value(int x) { co_return x; }
Task<> fail42() {
  throw 42;
  co_return;
}
Task<int> add(Task<int> a, Task<int> b) {
  const int x = co_await std::move(a);
  const int y = co_await std::move(b);
  co_return x + y;
}
Task<std::unique_ptr<int>> unique(int x) { co_return std::make_unique<int>(x); }
Task<int&> reference(int& x) { co_return x; }

/// More aligned than the promise of a coroutine can be. `padding` makes some frames larger than are recycled.
template <std::size_t padding>
struct alignas(64) Wide {
  explicit Wide(int v) : value(v) {}
  bool aligned() const { return reinterpret_cast<std::uintptr_t>(this) % 64 == 0; }
  int value;
  char bytes[padding]{};
};
template <class W>
Task<W> wide(int value, Gate& gate) {
  co_await gate;
  co_return W(value);
}
template <class W>
Task<> awaitWide(Gate& gate, int* done) {
  Task<W> task = wide<W>(7, gate);
  const W result = co_await std::move(task);
  *done = result.value;
}

Task<std::size_t> lengthOf(Task<std::string> text) {
  const std::string got = co_await std::move(text);
  co_return got.size();
}

}  // namespace

TEST_CASE("a task of a value that ends without co_return throws, and gives no value") {
  Running<std::string> text(forgetful(true));
  CHECK(text.get() == "text");
  Running<std::string> nothing(forgetful(false));
  CHECK(codeThrownBy([&] { (void)nothing.get(); }) == "ERR_MISSING_CO_RETURN");
  Running<std::size_t> through(lengthOf(forgetful(false)));
  CHECK(codeThrownBy([&] { (void)through.get(); }) == "ERR_MISSING_CO_RETURN");
}

TEST_CASE("a task does nothing until it is awaited") {
  bool ran = false;
  auto body = [&]() -> Task<> {
    ran = true;
    co_return;
  };
  auto task = body();
  REQUIRE_FALSE(ran);
  REQUIRE(task.valid());
  Running<> running(std::move(task));
  REQUIRE(ran);
  REQUIRE(running.done());
  REQUIRE_FALSE(task.valid());
}

TEST_CASE("a task that was never awaited lets go of its parameters") {
  int live = 0;
  auto body = [](Tracked) -> Task<> { co_return; };
  {
    auto task = body(Tracked(live));
    REQUIRE(live == 1);
  }
  REQUIRE(live == 0);
}

TEST_CASE("results pass through awaits: values, move-only, references, void") {
  Running<int> sum(add(value(2), add(value(3), value(4))));
  REQUIRE(sum.get() == 9);

  auto body = []() -> Task<int> {
    auto p = co_await unique(5);
    int x = 1;
    int& r = co_await reference(x);
    r = 7;
    co_return *p + x;
  };
  Running<int> mixed(body());
  REQUIRE(mixed.get() == 12);
}

TEST_CASE("exceptions of any type pass through awaits") {
  auto body = []() -> Task<int> {
    int caught = 0;
    try {
      co_await fail42();
    } catch (int number) {
      caught = number;
    }
    co_return caught;
  };
  Running<int> running(body());
  REQUIRE(running.get() == 42);
  Running<> failed(fail42());
  REQUIRE_THROWS_AS(failed.get(), int);
}

TEST_CASE("what a task threw goes with it, whether it was taken or not") {
  const auto thrown = std::make_shared<int>(42);
  auto leaf = [&](bool throws) -> Task<int> {
    if (throws) throw thrown;
    co_return 1;
  };
  auto body = [&]() -> Task<int> { co_return co_await leaf(true); };
  {
    Running<int> taken(body());
    REQUIRE_THROWS_AS(taken.get(), std::shared_ptr<int>);
    Running<int> left(body());
    REQUIRE(thrown.use_count() == 2);
    REQUIRE(left.error());
    left.destroy();
    REQUIRE(thrown.use_count() == 1);
    Running<int> still(leaf(true));
    REQUIRE(thrown.use_count() == 2);
  }
  REQUIRE(thrown.use_count() == 1);
}

TEST_CASE("awaiting a task that is used up is a TypeError") {
  auto body = []() -> Task<> {
    Task<int> gone = value(1);
    Task<int> kept = std::move(gone);
    (void)co_await std::move(gone);
  };
  Running<> running(body());
  REQUIRE_THROWS_AS(running.get(), leat::TypeError);
}

TEST_CASE("a chain that is suspended goes on to its end when the leaf is resumed") {
  Gate gate;
  auto leaf = [&]() -> Task<int> {
    co_await gate;
    co_return 1;
  };
  auto middle = [&]() -> Task<int> { co_return 1 + co_await leaf(); };
  auto root = [&]() -> Task<int> { co_return 1 + co_await middle(); };
  Running<int> running(root());
  REQUIRE_FALSE(running.done());
  gate.go();
  REQUIRE(running.get() == 3);
}

TEST_CASE("a suspended chain that is destroyed is torn down leaf first") {
  Gate gate;
  std::vector<int> order;
  struct Note {
    Note(std::vector<int>& o, int n) : list(o), number(n) {}
    ~Note() { list.push_back(number); }
    std::vector<int>& list;
    int number;
  };
  auto leaf = [&]() -> Task<> {
    Note note(order, 3);
    co_await gate;
  };
  auto middle = [&]() -> Task<> {
    Note note(order, 2);
    co_await leaf();
  };
  auto root = [&]() -> Task<> {
    Note note(order, 1);
    co_await middle();
  };
  Running<> running(root());
  running.destroy();
  REQUIRE(order == std::vector<int>{3, 2, 1});
}

TEST_CASE("a task may be dropped while a sibling goes on") {
  Gate one, two;
  int live = 0;
  auto child = [&](Gate& gate) -> Task<> {
    Tracked tracked(live);
    co_await gate;
  };
  auto a = std::make_unique<Running<>>(child(one));
  Running<> b(child(two));
  REQUIRE(live == 2);
  a.reset();
  REQUIRE(live == 1);
  two.go();
  REQUIRE(b.done());
}

TEST_CASE("assignment to a task destroys what it held") {
  int live = 0;
  auto body = [](Tracked) -> Task<> { co_return; };
  Task<> task = body(Tracked(live));
  task = body(Tracked(live));
  REQUIRE(live == 1);
  task = Task<>();
  REQUIRE(live == 0);
}

TEMPLATE_TEST_CASE("a result may be more aligned than a frame", "", Wide<1>, Wide<2000>) {
  Gate gate;
  int done = 0;
  Task<> outer = awaitWide<TestType>(gate, &done);
  Running running(std::move(outer));
  gate.go();
  CHECK(done == 7);

  // Destroyed while suspended, the chain is found through promises of either kind.
  {
    Task<> dropped = awaitWide<TestType>(gate, &done);
    Running stopped(std::move(dropped));
  }
  auto* block = leat::detail::allocateFrame(sizeof(TestType));
  CHECK(reinterpret_cast<std::uintptr_t>(block) % alignof(TestType) == 0);
  leat::detail::freeFrame(block, sizeof(TestType));
}

namespace {

/// Frames of every size, with and without a parameter to destroy; each gives the sum of its bytes.
template <std::size_t bytes>
Task<std::string> textSized(int x) {
  volatile char room[bytes]{};
  room[bytes - 1] = static_cast<char>(x);
  std::string made(40, 'x');
  made[0] = room[bytes - 1];
  co_return made;
}
template <std::size_t bytes>
Task<int> numberSized(int x) {
  volatile char room[bytes]{};
  room[bytes - 1] = static_cast<char>(x);
  const std::string before = co_await textSized<bytes>(x);
  co_return room[bytes - 1] + (before[0] == room[bytes - 1] ? 1 : 1000);
}
template <std::size_t bytes>
Task<int> trackedSized(Tracked, int x) {
  volatile char room[bytes]{};
  room[bytes - 1] = static_cast<char>(x);
  const int y = co_await numberSized<bytes>(x);
  co_return room[bytes - 1] + y;
}
template <std::size_t bytes>
Task<> checkSize(int* good) {
  int live = 0;
  int sum = 0;
  for (int i = 0; i < 300; ++i) {
    const Tracked one(live);
    sum += co_await trackedSized<bytes>(one, i % 100);
    if (live != 1) co_return;
  }
  if (sum == 2 * 3 * 4950 + 300) ++*good;
}
/// Deep enough to use up what a thread keeps of a size.
template <std::size_t bytes>
Task<int> deepSized(int depth) {
  volatile char room[bytes]{};
  room[bytes - 1] = 1;
  if (depth == 0) co_return room[bytes - 1];
  const int below = co_await deepSized<bytes>(depth - 1);
  co_return below + room[bytes - 1];
}
template <std::size_t... bytes>
Task<> checkSizes(int* good) {
  (co_await checkSize<bytes>(good), ...);
  int sum = 0;
  ((sum += co_await deepSized<bytes>(400)), ...);
  if (sum == static_cast<int>(sizeof...(bytes)) * 401) ++*good;
}

}  // namespace

TEST_CASE("frames of every size are freed when their tasks have been awaited") {
  int good = 0;
  for (int i = 0; i < 3; ++i) {
    Running running(checkSizes<1, 60, 130, 300, 700, 1000, 1100, 1500, 3000, 9000>(&good));
    CHECK(running.done());
  }
  CHECK(good == 3 * 11);
}

#if LEAT_RECYCLE_FRAMES
namespace {

/// Tells where its frame is.
template <std::size_t bytes, class... Parameters>
Task<> tellPlace(const volatile char** place, Parameters...) {
  volatile char room[bytes]{};
  const std::suspend_never goesOn;
  co_await goesOn;
  room[0] = 1;
  *place = room;
}
template <std::size_t bytes>
Task<> checkPlace(bool* same) {
  int live = 0;
  const Tracked one(live);
  const volatile char* places[6]{};
  for (int i = 0; i < 3; ++i) {
    co_await tellPlace<bytes>(&places[i]);
    co_await tellPlace<bytes>(&places[i + 3], one);
  }
  *same = places[0] == places[1] && places[1] == places[2] && places[3] == places[4] &&
          places[4] == places[5];
}

}  // namespace

TEST_CASE("the frame of a task that was awaited is the next one of its size") {
  bool same[3]{};
  Running small(checkPlace<8>(&same[0]));
  Running middle(checkPlace<300>(&same[1]));
  Running large(checkPlace<900>(&same[2]));
  CHECK(same[0]);
  CHECK(same[1]);
  CHECK(same[2]);
}
#endif

TEST_CASE("a task's frame is there until the expression that awaits it ends") {
  int live = 0;
  int during = -1;
  int after = -1;
  int seen = -1;
  const auto take = [](Tracked) -> Task<int*> {
    static int none = 0;
    co_return &none;
  };
  const auto plain = [](int x) -> Task<int*> { co_return &x; };
  const auto count = [&live](int* in) { return live + *in; };
  const auto body = [&]() -> Task<> {
    const Tracked one(live);
    during = count(co_await take(one));
    after = live;
    seen = *co_await plain(5);
  };
  Running running(body());
  CHECK(during == 3);  // here, in the argument and in the frame
  CHECK(after == 1);
  CHECK(seen == 5);
  CHECK(live == 0);
}
