// SPDX-License-Identifier: MIT
// Who keeps a stream, and what happens to it when its user, its implementation or its loop lets go.
#include <leat/loop/next_tick.hpp>
#include <leat/loop/run.hpp>
#include <leat/loop/sleep.hpp>
#include <leat/process/process.hpp>
#include <leat/stream.hpp>

#include <leat_test.hpp>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace leat;

namespace {

/// What listeners and implementations hold; afterwards nothing may.
using Token = std::shared_ptr<int>;

/// `begin(token)` runs in a loop, which ends when nothing is left to do, or at once.
template <class F>
void keepsNothing(F begin) {
  const Token token = std::make_shared<int>(0);
  CHECK(run([&] { begin(token); }) == 0);
  CHECK(token.use_count() == 1);
  {
    EventLoop loop;
    begin(token);
    CHECK(token.use_count() > 1);
  }
  CHECK(token.use_count() == 1);
}
template <class F>
void runs(F main) {
  CHECK(run(main) == 0);
}
template <class F>
void later(int immediates, F f) {
  setImmediate([immediates, f] { immediates > 1 ? later(immediates - 1, f) : f(); });
}

std::string text(const std::exception_ptr& error) {
  if (!error) return "none";
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return std::string(e.code().empty() ? e.message() : e.code());
  } catch (const std::exception& e) {
    return e.what();
  }
}
/// Waits, and checks what came of it: "ok", or an error.
template <class A>
Task<> gives(A awaitable, const char* word) {
  std::string came = "ok";
  try {
    (void)co_await std::move(awaitable);
  } catch (...) {
    came = text(std::current_exception());
  }
  CHECK(came == word);
}
std::runtime_error boom() { return std::runtime_error("boom"); }

Readable<int> manual(Token token = nullptr) {
  return Readable<int>([token](Readable<int>&) {});
}
Readable<int> counting(int n, Token token = nullptr) {
  return Readable<int>([n, token, i = 0](Readable<int>& self) mutable {
    if (i < n) {
      self.push(++i);
    } else {
      self.push(nullptr);
    }
  });
}
/// Takes what it is written, never or in an immediate.
Writable<int> stuck(Token token = nullptr) {
  return Writable<int>([token](int, StreamCallback) {});
}
Writable<int> slow(Token token = nullptr) {
  return Writable<int>([token](int, StreamCallback done) { setImmediate([done] { done(); }); });
}
/// Makes a stream hold itself.
template <class S>
void listenToItself(const S& s, const Token& token) {
  s.template on<"close">([s, token] {});
  s.template on<"error">([s, token] {});
  if constexpr (S::hasReadable) s.template on<"end">([s, token] {});
  if constexpr (S::hasWritable) s.template on<"finish">([s, token] {});
}

}  // namespace

TEST_CASE("a stream goes with its last handle") {
  runs([] {
    const Token token = std::make_shared<int>(0);
    std::optional<Readable<int>> r(manual(token));
    std::optional<Writable<int>> w(slow(token));
    std::optional<PassThrough<int>> p(std::in_place);
    p->on<"end">([token] {});
    const Readable<int> other = *r;
    CHECK(token.use_count() == 4);
    r.reset();
    CHECK(token.use_count() == 4);
    w.reset();
    p.reset();
    CHECK(token.use_count() == 2);
  });
}

TEST_CASE("a stream that is closed has let its listeners go") {
  runs([] {
    const auto token = std::make_shared<int>(0);
    {
      const Readable<int> r = counting(2, token);
      listenToItself(r, token);
      r.on<"data">([r, token] {});
      const Writable<int> w([token](int) {});
      listenToItself(w, token);
      w.end(1);
      const Duplex<int> d = PassThrough<int>();
      listenToItself(d, token);
      d.on<"drain">([d, token] {});
      d.on<"pipe">([d, token] {});
      d.destroy();
    }
    CHECK(token.use_count() > 1);
    later(2, [token] { CHECK(token.use_count() == 1); });
  });
}

TEST_CASE("streams whose listeners hold them are dropped with the loop") {
  keepsNothing([](Token token) {
    const Readable<int> r = manual(token);
    listenToItself(r, token);
    r.on<"data">([r, token] {});
    r.on<"readable">([r, token] {});
    const Writable<int> w = stuck(token);
    listenToItself(w, token);
    w.write(1, [w, token] {});
    w.write(2, [w, token] {});
    w.end([w, token] {});
    const PassThrough<int> p;
    listenToItself(p, token);
    p.on<"pipe">([p, r, token] {});
    r.push(1);
    r.once<"error">([w, p, token] {});
  });
}

TEST_CASE("pipes are dropped with the loop") {
  keepsNothing([](Token token) {
    const Readable<int> r = manual(token);
    const PassThrough<int> p;
    const Writable<int> w = stuck(token);
    r.pipe(p).pipe(w);
    r.pipe(w);
    for (int i = 0; i < 40; i++) r.push(i);
    // In a circle.
    const Transform<int> circle([token](int, TransformCallback<int, int>) {});
    circle.pipe(circle);
    circle.write(1);
    circle.write(2);
  });
}

TEST_CASE("pipes of a source that is destroyed, or of a sink, are dropped with the loop") {
  keepsNothing([](Token token) {
    const Readable<int> r = manual(token);
    r.pipe(stuck(token));
    r.destroy();
    const Writable<int> w = stuck(token);
    manual(token).pipe(w);
    w.write(1);
    w.destroy();
    const Readable<int> failed = manual(token);
    failed.on<"error">([] {});
    failed.pipe(stuck(token));
    failed.destroy(boom());
  });
}

TEST_CASE("a pipe that has ended leaves nothing, while the loop goes on") {
  runs([] {
    const auto token = std::make_shared<int>(0);
    {
      const Readable<int> r = counting(20, token);
      const Writable<int> w = slow(token);
      const PassThrough<int> p;
      p.on<"data">([token] {});
      r.pipe(p).pipe(w);
      listenToItself(w, token);
    }
    CHECK(token.use_count() > 3);
    later(40, [token] { CHECK(token.use_count() == 1); });
  });
}

TEST_CASE("a listener that comes after a pipe has gone is called, and not the pipe") {
  runs([] {
    const Readable<int> r = manual();
    const auto sum = std::make_shared<int>(0);
    for (int i = 0; i < 4; i++) {
      {
        const Writable<int> w([](int) {});
        r.pipe(w);
        r.push(1);
        r.unpipe(w);
      }
      r.removeAllListeners<"data">();
      r.on<"data">([sum](int n) { *sum += n; });
      r.resume();
    }
    setImmediate([r, sum] {
      r.push(10);
      CHECK(*sum == 14);
      r.destroy();
    });
  });
}

TEST_CASE("chunks that cannot be copied go through a pipe, but not to two listeners") {
  using Box = std::unique_ptr<int>;
  runs([] {
    const Readable<Box> r([](Readable<Box>&) {});
    const auto taken = std::make_shared<std::vector<int>>();
    const Writable<Box> w([taken](Box box) { taken->push_back(*box); });
    r.pipe(w);
    setImmediate([r, w, taken] {
      r.push(std::make_unique<int>(1));
      CHECK(*taken == std::vector<int>{1});
      r.on<"data">([](const Box&) {});
      CHECK_THROWS_AS(r.push(std::make_unique<int>(2)), TypeError);
      r.destroy();
    });
  });
}

TEST_CASE("chunks that cannot be copied go through the pipe that is left of several") {
  using Box = std::unique_ptr<int>;
  runs([] {
    const Readable<Box> r([](Readable<Box>&) {});
    const auto taken = std::make_shared<std::vector<int>>();
    const auto sink = [taken](int times) {
      return Writable<Box>([taken, times](Box box) { taken->push_back(*box * times); });
    };
    const Writable<Box> first = sink(1), second = sink(10), third = sink(100);
    for (const auto& each : {first, second, third}) r.pipe(each);
    r.unpipe(third);
    r.unpipe(first);
    setImmediate([r, taken, second] {
      r.push(std::make_unique<int>(1));
      CHECK(*taken == std::vector<int>{10});
      r.unpipe(second);
      r.on<"data">([taken](const Box& box) { taken->push_back(*box); });
      r.resume();
      setImmediate([r, taken] {
        r.push(std::make_unique<int>(2));
        CHECK(*taken == std::vector<int>{10, 2});
        r.destroy();
      });
    });
  });
}

TEST_CASE("the last handles go inside of listeners") {
  struct Kept {
    std::optional<Readable<int>> r;
    std::optional<Writable<int>> w;
  };
  runs([] {
    const auto token = std::make_shared<int>(0);
    const auto kept = std::make_shared<Kept>();
    const auto seen = std::make_shared<int>(0);
    kept->r.emplace(manual(token));
    kept->r->on<"data">([kept, seen](int n) {
      *seen += n;
      kept->r.reset();
    });
    kept->w.emplace(slow(token));
    kept->w->write(1, [kept] { kept->w.reset(); });
    kept->w->on<"drain">([kept] { kept->w.reset(); });
    setImmediate([kept] { kept->r->push(5); });
    later(3, [kept, token, seen] {
      CHECK(*seen == 5);
      CHECK(!kept->r);
      CHECK(!kept->w);
      CHECK(token.use_count() == 1);
    });
  });
}

TEST_CASE("the last handle goes while listeners are added and removed") {
  keepsNothing([](Token token) {
    const auto made = [token] {
      return std::make_unique<Readable<int>>([held = token](Readable<int>&) {});
    };
    auto handle = made();
    handle->on<"newListener">([&handle] { handle.reset(); });
    handle->on<"data">([](int) {});
    CHECK(!handle);
    handle = made();
    handle->on<"newListener">([&handle] { handle.reset(); });
    handle->once<"readable">([] {});
    CHECK(!handle);
    for (const bool all : {false, true}) {
      handle = made();
      handle->on<"readable">([] {});
      handle->on<"removeListener">([&handle] { handle.reset(); });
      if (all) {
        handle->removeAllListeners();
      } else {
        handle->removeAllListeners<"readable">();
      }
      CHECK(!handle);
    }
  });
}

TEST_CASE("what is added while all listeners are removed goes too") {
  keepsNothing([](Token token) {
    const Readable<int> r([held = token](Readable<int>&) {});
    int removed = 0;
    r.on<"close">([] {});
    r.on<"removeListener">([r, &removed] {
      ++removed;
      r.on<"close">([] {});
      r.on<"removeListener">([] {});
    });
    r.removeAllListeners();
    CHECK(removed == 2);
    CHECK(r.eventNames().empty());
  });
}

TEST_CASE("a stream is destroyed by any of its listeners, and let go in them") {
  runs([] {
    const auto token = std::make_shared<int>(0);
    const auto closed = std::make_shared<int>(0);
    const auto dropIn = [&](auto event, auto make) {
      const auto kept = std::make_shared<std::optional<decltype(make())>>(make());
      (*kept)->on(event, [kept, token] {
        if (!*kept) return;
        (*kept)->destroy();
        kept->reset();
      });
      (*kept)->template on<"close">([closed, token] { ++*closed; });
    };
    const auto source = [token] {
      const Readable<int> r = counting(3, token);
      setImmediate([r] { r.resume(); });
      return r;
    };
    dropIn("data"_e, source);
    dropIn("resume"_e, source);
    dropIn("end"_e, source);
    dropIn("readable"_e, [token] { return counting(3, token); });
    const auto sink = [token] {
      const Writable<int> w([token](int, StreamCallback done) { nextTick([done] { done(); }); },
                            {.highWaterMark = 1});
      w.write(1);
      return w;
    };
    const auto ended = [sink] {
      const Writable<int> w = sink();
      w.end();
      return w;
    };
    dropIn("drain"_e, sink);
    dropIn("prefinish"_e, ended);
    dropIn("finish"_e, ended);
    dropIn("close"_e, ended);
    later(5, [token, closed] {
      CHECK(*closed == 8);
      CHECK(token.use_count() == 1);
    });
  });
}

TEST_CASE("a stream is destroyed by its own implementation, whose user has let go") {
  runs([] {
    const auto token = std::make_shared<int>(0);
    const auto closed = std::make_shared<int>(0);
    const auto watch = [token, closed](const auto& s) {
      s.template on<"close">([token, closed] { ++*closed; });
    };
    {
      const Readable<int> r([token](Readable<int>& self) {
        self.push(1);
        self.destroy();
        self.push(2);
      });
      watch(r);
      r.resume();
      const Writable<int> w([token](Writable<int>& self, int, StreamCallback done) {
        self.destroy();
        done();
        done();
      });
      watch(w);
      w.write(1);
      const Transform<int> t([token](int n, Transform<int>& self) {
        self.destroy();
        self.push(n);
      });
      watch(t);
      t.write(1);
      t.write(2);
      struct Ender {
        Token token;
        void write(int) {}
        void final(Writable<int>& self, StreamCallback done) {
          self.destroy();
          done();
        }
        void destroy(Writable<int>& self) { self.destroy(); }
      };
      const Writable<int> e(Ender{token});
      watch(e);
      e.end();
    }
    later(3, [token, closed] {
      CHECK(*closed == 4);
      CHECK(token.use_count() == 1);
    });
  });
}

TEST_CASE("what listeners throw comes out of push and write, and the stream goes on") {
  runs([]() -> Task<> {
    const Readable<int> r = manual();
    r.on<"data">([](int n) {
      if (n == 1) throw boom();
    });
    const PassThrough<int> p;
    std::vector<int> passed;
    p.on<"data">([&passed](int n) {
      if (n == 1) throw boom();
      passed.push_back(n);
    });
    co_await sleep(1);
    CHECK_THROWS_WITH(r.push(1), "boom");
    CHECK(r.push(2));
    r.push(nullptr);
    CHECK(p.write(0));
    CHECK_THROWS_WITH(p.write(1), "boom");
    CHECK(passed == std::vector<int>{0});
    CHECK_FALSE(p.errored());
    p.destroy();
    co_await p.closed();
    co_await r.closed();
    CHECK(r.readableEnded());
  });
}

TEST_CASE("a coroutine that reads is still pending when the stream is destroyed") {
  runs([]() -> Task<> {
    const auto token = std::make_shared<int>(0);
    const auto gate = leat::Promise<>::withResolvers();
    int ended = 0;
    const auto source = [token, &ended, &gate]() -> Task<std::optional<int>> {
      co_await gate.promise;
      ended++;
      co_return *token;
    };
    const auto sink = [token, &ended, &gate](int) -> Task<> {
      co_await gate.promise;
      ended++;
      throw boom();
    };
    const auto transform = [token, &ended, &gate](int n) -> Task<int> {
      co_await gate.promise;
      ended++;
      co_return n;
    };
    {
      const Readable<int> r(source);
      r.resume();
      const Writable<int> w(sink);
      w.write(1);
      const Transform<int> t(transform);
      t.resume();
      t.write(1);
      co_await sleep(1);
      r.destroy();
      w.destroy();
      t.destroy();
    }
    CHECK(ended == 0);
    gate.resolve();
    co_await sleep(10);
    CHECK(ended == 3);
    // Those of source, sink and transform.
    CHECK(token.use_count() == 4);
  });
}

TEST_CASE("coroutines of implementations that are pending when the loop ends are dropped") {
  keepsNothing([](Token token) {
    const auto forever = [](Token held) -> Promise<> {
      auto never = Promise<>::withResolvers();
      const Token kept = held;
      co_await never.promise;
    };
    struct Source {
      Token token;
      std::function<Promise<>(Token)> wait;
      Task<std::optional<int>> read() {
        co_await wait(token);
        co_return std::nullopt;
      }
    };
    struct Sink {
      Token token;
      std::function<Promise<>(Token)> wait;
      Task<> write(int) { co_await wait(token); }
      Task<> destroy() { co_await wait(token); }
    };
    struct Maker {
      Token token;
      std::function<Promise<>(Token)> wait;
      Task<> construct() { co_await wait(token); }
      int transform(int n) { return n; }
    };
    const Readable<int> r(Source{token, forever});
    r.on<"data">([r] {});
    const Writable<int> w(Sink{token, forever});
    w.write(1);
    const Writable<int> destroyed(Sink{token, forever});
    destroyed.destroy();
    destroyed.on<"close">([destroyed, token] {});
    const Transform<int> t(Maker{token, forever});
    t.write(1);
    r.pipe(t).pipe(w);
  });
}

TEST_CASE("implementations that keep their callbacks are dropped with the loop") {
  struct Sink {
    Token token;
    std::optional<StreamCallback> kept{};
    void write(int, StreamCallback done) { kept.emplace(std::move(done)); }
  };
  struct Maker {
    Token token;
    std::optional<TransformCallback<int, int>> kept{};
    void transform(int, TransformCallback<int, int> done) { kept.emplace(std::move(done)); }
  };
  struct Waits {
    Token token;
    std::optional<StreamCallback> made{};
    std::optional<StreamCallback> ended{};
    void construct(StreamCallback done) { made.emplace(std::move(done)); }
    void write(int) {}
    void destroy(const std::exception_ptr&, StreamCallback done) { ended.emplace(std::move(done)); }
  };
  keepsNothing([](Token token) {
    const Writable<int> w(Sink{token});
    w.write(1);
    const Transform<int> t(Maker{token});
    t.write(1);
    const Writable<int> waits(Waits{token});
    waits.destroy();
    const auto echo = [](ChunkIterator<int> in) -> AsyncGenerator<int> {
      while (auto chunk = co_await in.next()) co_yield *chunk;
    };
    const auto made = duplexFrom(echo);
    made.write(1, [token] {});
  });
}

TEST_CASE("a callback that outlives its loop does nothing") {
  std::optional<StreamCallback> kept;
  const Token token = std::make_shared<int>(0);
  runs([&] {
    const Writable<int> w([&kept, token](int, StreamCallback done) { kept.emplace(done); });
    w.write(1);
  });
  CHECK(token.use_count() == 1);
  (*kept)();
  (*kept)(std::runtime_error("late"));
}

TEST_CASE("coroutines that wait for a stream are dropped with the loop") {
  keepsNothing([](Token token) {
    const auto reads = [](Readable<int> r, Token kept) -> Task<> {
      int& count = *kept;
      while (co_await r.next()) ++count;
    };
    const auto writes = [](Writable<int> w, Token kept) -> Task<> {
      while (true) {
        *kept += 1;
        co_await w.write(1);
      }
    };
    const auto ends = [](Writable<int> w, Token kept) -> Task<> {
      *kept += 1;
      co_await w.end();
    };
    const auto closes = [](Readable<int> r, Token kept) -> Task<> {
      *kept += 1;
      co_await r.closed();
    };
    const Readable<int> r = manual(token);
    spawn(reads(r, token));
    spawn(reads(r, token));
    spawn(closes(r, token));
    const Writable<int> w = stuck(token);
    spawn(writes(w, token));
    spawn(ends(w, token));
  });
}

TEST_CASE("next is cancelled by a signal, and nothing is lost") {
  runs([]() -> Task<> {
    const Readable<int> r = manual();
    AbortController abort;
    auto waits = spawn(gives(r.next(abort.signal()), "ABORT_ERR"));
    co_await yield();
    abort.abort();
    co_await waits;
    co_await gives(r.next(abort.signal()), "ABORT_ERR");
    // It listens for "readable" no longer.
    co_await sleep(1);
    CHECK(r.readableFlowing() == std::nullopt);
    // A chunk that comes in the same breath as the signal stays.
    AbortController second;
    auto again = spawn(gives(r.next(second.signal()), "ABORT_ERR"));
    co_await sleep(1);
    r.push(7);
    second.abort();
    co_await again;
    const auto chunk = co_await r.next();
    CHECK(chunk == 7);
    CHECK_FALSE(r.destroyed());
  });
}

TEST_CASE("next that is made and not awaited reads nothing") {
  runs([]() -> Task<> {
    const Readable<int> r = counting(2);
    {
      [[maybe_unused]] const NextChunk<int> unused = r.next();
    }
    CHECK_FALSE(r.readableDidRead());
    const auto chunk = co_await r.next();
    CHECK(chunk == 1);
  });
}

TEST_CASE("who waits for a chunk is told when the stream is destroyed") {
  runs([]() -> Task<> {
    const Readable<int> plain = manual();
    const Readable<int> failed = manual();
    auto first = spawn(gives(plain.next(), "ERR_STREAM_PREMATURE_CLOSE"));
    auto second = spawn(gives(failed.next(), "boom"));
    auto third = spawn(gives(failed.next(), "boom"));
    auto closing = spawn(gives(failed.closed(), "ok"));
    co_await yield();
    plain.destroy();
    failed.destroy(boom());
    co_await first;
    co_await second;
    co_await third;
    co_await closing;
    co_await gives(failed.next(), "boom");
    co_await gives(plain.next(), "ERR_STREAM_PREMATURE_CLOSE");
  });
}

TEST_CASE("write and end that are awaited throw what the stream fails with") {
  runs([]() -> Task<> {
    const Writable<int> w([](int, StreamCallback done) { setImmediate([done] { done(boom()); }); },
                          {.highWaterMark = 1});
    auto waiting = spawn(gives(w.write(1), "boom"));
    auto ending = spawn(gives(w.end(), "boom"));
    co_await waiting;
    co_await ending;
    co_await gives(w.write(2), "boom");
    co_await gives(w.end(), "boom");

    const Writable<int> destroyed = stuck();
    auto stays = spawn(gives(destroyed.end(1), "ERR_STREAM_PREMATURE_CLOSE"));
    co_await yield();
    destroyed.destroy();
    co_await stays;
    co_await gives(destroyed.write(1), "ERR_STREAM_WRITE_AFTER_END");

    // A chunk that waits, of a stream that is destroyed before anybody waits for room, and closes later.
    const Writable<int> soon([](int, const StreamCallback&) {}, {.highWaterMark = 1});
    soon.write(1);
    const auto kept = soon.write(2);
    CHECK_FALSE(kept);
    soon.destroy();
    co_await gives(kept, "ERR_STREAM_DESTROYED");
  });
}

TEST_CASE("a null exception_ptr that is emitted as the error of a stream is that of any emitter") {
  runs([] {
    const Readable<int> stream([](Readable<int>&) {});
    CHECK_THROWS_WITH(stream.emit<"error">(std::exception_ptr()), "Unhandled error. (null)");
    int told = 0;
    stream.on<"error">([&told](const std::exception_ptr& error) { told += error ? 10 : 1; });
    stream.emit<"error">(std::exception_ptr());
    CHECK(told == 1);
    CHECK(!stream.errored());
    stream.once<"error">([](const std::exception&) { FAIL("there is none"); });
    CHECK_THROWS_AS(stream.emit<"error">(std::exception_ptr()), TypeError);
  });
}

TEST_CASE("an error that nobody waits for is an uncaught exception") {
  std::vector<std::string> uncaught;
  const auto listens = [&uncaught] {
    process::on<"uncaughtException">(
        [&uncaught](std::exception_ptr error) { uncaught.push_back(text(error)); });
  };
  runs([&] {
    listens();
    manual().destroy(boom());
    Writable<int>([](int) { throw boom(); }).write(1);
    Transform<int>([](int) -> int { throw boom(); }).write(1);
  });
  CHECK(uncaught == std::vector<std::string>{"boom", "boom", "boom"});
  uncaught.clear();
  // Those that are listened to, or whose stream a coroutine waits for or has waited for, are not.
  runs([&]() -> Task<> {
    listens();
    const Readable<int> heard = manual();
    heard.on<"error">([] {});
    heard.destroy(boom());
    const Readable<int> waited = manual();
    auto reading = spawn(gives(waited.next(), "boom"));
    co_await yield();
    waited.destroy(boom());
    co_await reading;
    const Readable<int> before = manual();
    before.push(1);
    (void)co_await before.next();
    before.destroy(boom());
    co_await sleep(1);
    co_await gives(before.next(), "boom");
  });
  CHECK(uncaught.empty());
}

TEST_CASE("an error that was thrown before its event comes is told to listeners alone") {
  std::vector<std::string> uncaught;
  std::vector<std::string> order;
  runs([&]() -> Task<> {
    process::on<"uncaughtException">(
        [&uncaught](std::exception_ptr error) { uncaught.push_back(text(error)); });
    {
      const Writable<int> failing([](int) { throw boom(); });
      co_await gives(failing.write(1), "boom");
      const Writable<int> destroyed = stuck();
      destroyed.destroy(boom());
      co_await gives(destroyed.write(1), "boom");
      const Writable<int> kept([](int, const StreamCallback& done) { done(boom()); },
                               {.autoDestroy = false});
      co_await gives(kept.write(1), "boom");
      co_await sleep(1);
    }
    CHECK(uncaught.empty());
    // node: `errored` after the write, "error" and "close" after that.
    const Writable<int> heard([](int) { throw boom(); });
    heard.on<"error">(
        [&order](const std::exception_ptr& error) { order.push_back("error " + text(error)); });
    heard.on<"close">([&order] { order.push_back("close"); });
    co_await gives(heard.write(1), "boom");
    order.push_back("thrown");
    co_await sleep(1);
  });
  CHECK(uncaught.empty());
  CHECK(order == std::vector<std::string>{"thrown", "error boom", "close"});
}

TEST_CASE("an error that came when nobody waited any more is uncaught when the stream goes") {
  std::vector<std::string> uncaught;
  runs([&]() -> Task<> {
    process::on<"uncaughtException">(
        [&uncaught](std::exception_ptr error) { uncaught.push_back(text(error)); });
    {
      const Writable<int> written([](int) {});
      co_await gives(written.write(1), "ok");
      written.destroy(boom());
      co_await sleep(1);
      CHECK(uncaught.empty());
    }
    co_await sleep(1);
    CHECK(uncaught == std::vector<std::string>{"boom"});
    {
      // What was thrown is the listener's and not the stream's.
      const Readable<int> read = manual();
      auto reading = spawn(gives(read.next(), "heard"));
      co_await yield();
      read.once<"data">([](int) { throw Error("heard"); });
      read.pause();
      read.push(1);
      co_await reading;
      read.destroy(boom());
      co_await sleep(1);
    }
    co_await sleep(1);
  });
  CHECK(uncaught == std::vector<std::string>{"boom", "boom"});
}

TEST_CASE("an uncaught error of a stream ends the loop like any other") {
  CHECK(run([] {
          manual().destroy(boom());
          setImmediate([] { FAIL("the loop went on"); });
        }) != 0);
}

TEST_CASE("an answer that comes when the stream is long gone does nothing") {
  runs([] {
    const auto answers = std::make_shared<std::vector<StreamCallback>>();
    const auto closed = std::make_shared<int>(0);
    {
      const Writable<int> w([answers](int, StreamCallback done) { answers->push_back(done); });
      w.on<"close">([closed] { ++*closed; });
      w.write(1, [closed](const std::exception_ptr& error) { *closed += error ? 100 : 10; });
      w.write(2);
      w.destroy();
    }
    later(2, [answers, closed] {
      CHECK(*closed == 1);
      REQUIRE(answers->size() == 1);
      answers->front()();
      answers->front()(boom());
      later(1, [answers, closed] {
        CHECK(*closed == 11);
        CHECK(answers->size() == 1);
        answers->clear();
      });
    });
  });
}

TEST_CASE("a signal that outlives its stream does not reach it, and does not keep it") {
  runs([]() -> Task<> {
    const auto token = std::make_shared<int>(0);
    AbortController abort;
    {
      const Readable<int> dropped([token](Readable<int>&) {}, {.signal = abort.signal()});
      const Readable<int> closed([token](Readable<int>&) {}, {.signal = abort.signal()});
      closed.destroy();
    }
    co_await sleep(1);
    CHECK(token.use_count() == 1);
    abort.abort();
  });
}

TEST_CASE("handles without a stream, and streams without a loop, say so") {
  const Readable<int> nothing;
  const Duplex<int> none;
  CHECK_THROWS_WITH(nothing.push(1), leat_test::containsText("this handle has no stream"));
  CHECK_THROWS_WITH(none.end(), leat_test::containsText("this handle has no stream"));
  CHECK_THROWS_WITH(manual(), leat_test::containsText("there is no event loop on this thread"));
}

TEST_CASE("a handle that outlives the loop is only let go") {
  std::optional<Readable<int>> r;
  std::optional<PassThrough<int>> p;
  const Token token = std::make_shared<int>(0);
  runs([&] {
    r.emplace(manual(token));
    p.emplace();
    r->pipe(*p);
    p->on<"data">([token] {});
    r->push(1);
  });
  CHECK(token.use_count() == 2);
  CHECK_FALSE(r->destroyed());
  r.reset();
  CHECK(token.use_count() == 1);
}
