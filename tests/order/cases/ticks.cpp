// SPDX-License-Identifier: MIT
// Beside ticks.js: how many microtask generations pass until a continuation runs.

#include "../order.hpp"

namespace order {
namespace {

int generation;
int seen;

/// Notes the generation in which it is first called, with anything.
struct Observer {
  template <class... Args>
  void operator()(const Args&...) const {
    if (seen == 0) seen = generation;
  }
};

/// For `catch_`, whose callback must give the type of the promise.
struct CatchObserver {
  int operator()() const {
    Observer()();
    return 0;
  }
};
constexpr CatchObserver caught;

void step() {
  if (generation >= 40) return;
  queueMicrotask([] {
    ++generation;
    step();
  });
}

class Ticks {
 public:
  explicit Ticks(Cases& add) : add_(add) {}
  template <class F>
  void operator()(const char* name, F f) {
    add_(name, [f](Log log) {
      generation = 1;
      seen = 0;
      (void)f(Observer());
      step();
      setImmediate([log] { log(seen); });
    });
  }

 private:
  Cases& add_;
};

Promise<int> P() { return Promise<int>::resolve(1); }
Promise<int> R() { return Promise<int>::reject(error("x")); }
int one() { return 1; }
void nothing() {}
int throwing() { throw error("y"); }

Promise<int> returnOne() { co_return 1; }
Promise<> returnNothing() { co_return; }
Promise<int> throwNow() {
  throw error("x");
  co_return 1;
}
Promise<int> returnP() { co_return P(); }
Promise<int> returnR() { co_return R(); }
Promise<int> returnAwaitP() { co_return co_await P(); }
Promise<int> returnThenable() { co_return Thenable(1); }
Promise<> awaitNothing() { co_await returnNothing(); }
Promise<> awaitAwaitNothing() { co_await awaitNothing(); }
Promise<int> awaitThenOne() {
  co_await yield();
  co_return 1;
}
Promise<int> awaitThenP() {
  co_await yield();
  co_return P();
}
Promise<int> awaitThenThrow() {
  co_await P();
  throw error("x");
}
struct OnLeave {
  OnLeave() = default;
  ~OnLeave() { (void)P(); }
};
Promise<int> awaitRFinally() {
  OnLeave onLeave;
  co_return co_await R();
}

void awaits(Ticks& ticks) {
  ticks("await a value", [](Observer o) -> Promise<> {
    co_await yield();
    o();
  });
  ticks("await P", [](Observer o) -> Promise<> {
    co_await P();
    o();
  });
  ticks("await P held in a variable", [](Observer o) -> Promise<> {
    Promise<int> p = P();
    co_await p;
    o();
  });
  ticks("await R", [](Observer o) -> Promise<> {
    try {
      co_await R();
    } catch (const std::exception&) {
      o();
    }
  });
  ticks("await P twice", [](Observer o) -> Promise<> {
    co_await P();
    co_await P();
    o();
  });
  ticks("await a promise settled later", [](Observer o) -> Promise<> {
    auto later = Promise<int>::withResolvers();
    auto settle = [resolve = later.resolve] { queueMicrotask([resolve] { resolve(1); }); };
    queueMicrotask(settle);
    co_await later.promise;
    o();
  });
  ticks("await async { return 1 }", [](Observer o) -> Promise<> {
    co_await returnOne();
    o();
  });
  ticks("await async {}", [](Observer o) -> Promise<> {
    co_await returnNothing();
    o();
  });
  ticks("await async { throw }", [](Observer o) -> Promise<> {
    try {
      co_await throwNow();
    } catch (const std::exception&) {
      o();
    }
  });
  ticks("await async { return P }", [](Observer o) -> Promise<> {
    co_await returnP();
    o();
  });
  ticks("await async { return R }", [](Observer o) -> Promise<> {
    try {
      co_await returnR();
    } catch (const std::exception&) {
      o();
    }
  });
  ticks("await async { return await P }", [](Observer o) -> Promise<> {
    co_await returnAwaitP();
    o();
  });
  ticks("await async { return thenable }", [](Observer o) -> Promise<> {
    co_await returnThenable();
    o();
  });
  ticks("await async { await async { await async {} } }", [](Observer o) -> Promise<> {
    co_await awaitAwaitNothing();
    o();
  });
  ticks("await Promise.resolve(thenable)", [](Observer o) -> Promise<> {
    co_await Promise<int>::resolve(Thenable(1));
    o();
  });
  ticks("await P.then(f)", [](Observer o) -> Promise<> {
    co_await P().then(one);
    o();
  });
  ticks("await P.finally(f)", [](Observer o) -> Promise<> {
    co_await P().finally(nothing);
    o();
  });
}

void asyncFunctions(Ticks& ticks) {
  ticks("async { return 1 }.then", [](Observer o) { (void)returnOne().then(o); });
  ticks("async { return P }.then", [](Observer o) { (void)returnP().then(o); });
  ticks("async { return R }.catch", [](Observer) { (void)returnR().catch_(caught); });
  ticks("async { await 1; return 1 }.then", [](Observer o) { (void)awaitThenOne().then(o); });
  ticks("async { await 1; return P }.then", [](Observer o) { (void)awaitThenP().then(o); });
  ticks("async { await P; throw }.catch", [](Observer) { (void)awaitThenThrow().catch_(caught); });
  ticks("async { try { await R } finally {} }.catch",
        [](Observer) { (void)awaitRFinally().catch_(caught); });
}

void reactions(Ticks& ticks) {
  ticks("P.then", [](Observer o) { (void)P().then(o); });
  ticks("P.then(f).then", [](Observer o) { (void)P().then(one).then(o); });
  ticks("P.then(f).then(f).then", [](Observer o) { (void)P().then(one).then(one).then(o); });
  ticks("P.then(throw).catch", [](Observer) { (void)P().then(throwing).catch_(caught); });
  ticks("P.then(f, g).then", [](Observer o) { (void)P().then(one, one).then(o); });
  ticks("R.then(f, g).then", [](Observer o) { (void)R().then(one, one).then(o); });
  ticks("P.then(() => P).then", [](Observer o) { (void)P().then(P).then(o); });
  ticks("P.then(() => R).catch", [](Observer) { (void)P().then(R).catch_(caught); });
  ticks("P.then(() => P.then(() => P)).then",
        [](Observer o) { (void)P().then([] { return P().then(P); }).then(o); });
  ticks("P.then(() => thenable).then",
        [](Observer o) { (void)P().then([] { return Thenable(1); }).then(o); });
  ticks("P.then(async { return 1 }).then", [](Observer o) { (void)P().then(returnOne).then(o); });
  ticks("P.catch(f).then", [](Observer o) { (void)P().catch_(one).then(o); });
  ticks("R.then(f).catch", [](Observer) { (void)R().then(one).catch_(caught); });
  ticks("R.then(f).then(f).catch", [](Observer) { (void)R().then(one).then(one).catch_(caught); });
  ticks("R.catch", [](Observer) { (void)R().catch_(caught); });
  ticks("R.catch(f).then", [](Observer o) { (void)R().catch_(one).then(o); });
  ticks("R.catch(() => P).then", [](Observer o) { (void)R().catch_(P).then(o); });
  ticks("P.finally", [](Observer o) { (void)P().finally(o); });
  ticks("P.finally(f).then", [](Observer o) { (void)P().finally(nothing).then(o); });
  ticks("P.finally(() => P).then", [](Observer o) { (void)P().finally(P).then(o); });
  ticks("P.finally(() => R).catch", [](Observer) { (void)P().finally(R).catch_(caught); });
  ticks("P.finally(() => thenable).then",
        [](Observer o) { (void)P().finally([] { return Thenable(1); }).then(o); });
  ticks("P.finally(throw).catch", [](Observer) { (void)P().finally(throwing).catch_(caught); });
  ticks("R.finally(f).catch", [](Observer) { (void)R().finally(nothing).catch_(caught); });
  ticks("R.finally(() => P).catch", [](Observer) { (void)R().finally(P).catch_(caught); });
  ticks("R.finally(throw).catch", [](Observer) { (void)R().finally(throwing).catch_(caught); });
  ticks("P.finally(f).finally(f).then",
        [](Observer o) { (void)P().finally(nothing).finally(nothing).then(o); });
}

void makers(Ticks& ticks) {
  ticks("new Promise(resolve(1)).then",
        [](Observer o) { (void)Promise<int>([](auto resolve) { resolve(1); }).then(o); });
  ticks("new Promise(reject).catch", [](Observer) {
    (void)Promise<int>([](auto, auto reject) { reject(error("x")); }).catch_(caught);
  });
  ticks("new Promise(throw).catch",
        [](Observer) { (void)Promise<int>([](auto) { throw error("x"); }).catch_(caught); });
  ticks("new Promise(resolve(P)).then",
        [](Observer o) { (void)Promise<int>([](auto resolve) { resolve(P()); }).then(o); });
  ticks("new Promise(resolve(R)).catch",
        [](Observer) { (void)Promise<int>([](auto resolve) { resolve(R()); }).catch_(caught); });
  ticks("new Promise(resolve(thenable)).then",
        [](Observer o) { (void)Promise<int>([](auto resolve) { resolve(Thenable(1)); }).then(o); });
  ticks("new Promise(resolve(new Promise(resolve(P)))).then", [](Observer o) {
    const auto inner = [](auto resolve) { resolve(P()); };
    (void)Promise<int>([inner](auto resolve) { resolve(Promise<int>(inner)); }).then(o);
  });
  ticks("resolve(a promise settled later).then", [](Observer o) {
    auto inner = Promise<int>::withResolvers();
    const auto adopt = [p = inner.promise](auto resolve) { resolve(p); };
    (void)Promise<int>(adopt).then(o);
    queueMicrotask([resolve = inner.resolve] {
      queueMicrotask([resolve] { queueMicrotask([resolve] { resolve(1); }); });
    });
  });
  ticks("resolve(P), then resolve(1) is ignored", [](Observer o) {
    (void)Promise<int>([](auto resolve) {
      resolve(P());
      resolve(1);
    }).then(o);
  });
  ticks("resolve(P), then reject is ignored", [](Observer o) {
    (void)Promise<int>([](auto resolve, auto reject) {
      resolve(P());
      reject(error("x"));
    }).then(o);
  });
  ticks("Promise.resolve(P).then", [](Observer o) { (void)Promise<int>::resolve(P()).then(o); });
  ticks("Promise.resolve(thenable).then",
        [](Observer o) { (void)Promise<int>::resolve(Thenable(1)).then(o); });
  ticks("withResolvers, resolved in sync", [](Observer o) {
    auto made = Promise<int>::withResolvers();
    (void)made.promise.then(o);
    made.resolve(1);
  });
}

void combinators(Ticks& ticks) {
  ticks("all([]).then", [](Observer o) { (void)all().then(o); });
  ticks("all([1]).then", [](Observer o) { (void)all(1).then(o); });
  ticks("all([P, P, P]).then", [](Observer o) { (void)all(P(), P(), P()).then(o); });
  ticks("all([P, R]).catch", [](Observer o) { (void)all(P(), R()).then(nothing, o); });
  ticks("all([thenable]).then", [](Observer o) { (void)all(Thenable(1)).then(o); });
  ticks("all([all([P])]).then", [](Observer o) { (void)all(all(P())).then(o); });
  ticks("await all([P, P])", [](Observer o) -> Promise<> {
    co_await all(P(), P());
    o();
  });
  ticks("await all([async { await 1 }])", [](Observer o) -> Promise<> {
    co_await all(awaitThenOne());
    o();
  });
  ticks("await all([async { return 1 }])", [](Observer o) -> Promise<> {
    const auto task = []() -> Task<int> { co_return 1; };
    co_await all(task());
    o();
  });
  ticks("allSettled([]).then", [](Observer o) { (void)allSettled().then(o); });
  ticks("allSettled([P, R]).then", [](Observer o) { (void)allSettled(P(), R()).then(o); });
  ticks("race([P, P]).then", [](Observer o) { (void)race(P(), P()).then(o); });
  ticks("race([R, P]).catch", [](Observer) { (void)race(R(), P()).catch_(caught); });
  ticks("race([thenable, async { await 1 }]).then",
        [](Observer o) { (void)race(Thenable(1), awaitThenOne()).then(o); });
  ticks("any([]).catch", [](Observer) { (void)any(std::vector<Promise<int>>()).catch_(caught); });
  ticks("any([P, R]).then", [](Observer o) { (void)any(P(), R()).then(o); });
  ticks("any([R, P]).then", [](Observer o) { (void)any(R(), P()).then(o); });
  ticks("any([R, R]).catch", [](Observer) { (void)any(R(), R()).catch_(caught); });
}

}  // namespace

void tickCases(Cases& add) {
  add.topic("ticks");
  Ticks ticks(add);
  awaits(ticks);
  asyncFunctions(ticks);
  reactions(ticks);
  makers(ticks);
  combinators(ticks);
  ticks("queueMicrotask", [](Observer o) { queueMicrotask(o); });
  ticks("nextTick comes before the first", [](Observer o) { nextTick(o); });
}

}  // namespace order
