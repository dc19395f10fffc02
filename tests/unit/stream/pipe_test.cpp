// SPDX-License-Identifier: MIT
// What may happen while a chunk is on its way through a pipe. Most chunks go a short way, from the second
// on: whatever comes in between must end that.
#include "stream_rig.hpp"

#include <memory>

namespace {

using leat::Buffer;
using leat::Readable;
using leat::Task;
using leat::Transform;
using leat::Writable;
using leat_test::leavesNothing;
using leat_test::leavesNothingWithin;
using leat_test::Token;
using leat_test::turns;
using Ints = std::vector<int>;

/// What a sink has got, and what it does at a chunk.
struct Taken {
  Ints got;
  int at = 0;
  leat::Function<void()> act;
};
using TakenRef = std::shared_ptr<Taken>;

Readable<int> manual(Token token) {
  return Readable<int>([token](Readable<int>&) {});
}
/// Acts once, when the chunk is written.
Writable<int> acting(TakenRef taken, Token token) {
  return Writable<int>([taken, token](int chunk) {
    taken->got.push_back(chunk);
    if (chunk == taken->at) std::exchange(taken->act, nullptr)();
  });
}
TakenRef takenAt(int at) {
  auto taken = std::make_shared<Taken>();
  taken->at = at;
  return taken;
}
/// Takes chunks, and answers when it is told.
struct Slow {
  std::vector<leat::StreamCallback> answers;
  leat::Function<void()> act;
};
Writable<int> slow(std::shared_ptr<Slow> kept, std::size_t mark, Token token) {
  return Writable<int>(
      [kept, token](int, leat::StreamCallback done) {
        kept->answers.push_back(std::move(done));
        if (kept->act) std::exchange(kept->act, nullptr)();
      },
      {.highWaterMark = mark});
}

}  // namespace

TEST_CASE("a sink that nobody else holds is unpiped in its write, and lives until that returns") {
  leavesNothing([](Token token) -> Task<> {
    const Readable<int> source = manual(token);
    const TakenRef taken = takenAt(3);
    int more = 0;
    {
      const auto seen = token;
      const Writable<int> sink([taken, seen, &more](int chunk) {
        taken->got.push_back(chunk);
        if (chunk == taken->at) std::exchange(taken->act, nullptr)();
        // Its own members are still there.
        more += *seen + 1;
      });
      source.pipe(sink);
    }
    co_await turns(1);
    source.push(1);
    source.push(2);
    taken->act = [source] { source.unpipe(); };
    CHECK(source.push(3));
    CHECK(source.isPaused());
    CHECK(source.listenerCount<"data">() == 0);
    source.push(4);
    CHECK(source.readableLength() == 1);
    CHECK(taken->got == Ints{1, 2, 3});
    CHECK(more == 3);
  });
}

TEST_CASE("the source and the sink go with the pipe that is taken away in the write") {
  leavesNothing([](Token token) -> Task<> {
    const TakenRef taken = takenAt(3);
    const auto source = std::make_shared<Readable<int>>(manual(token));
    source->pipe(Transform<int>([token](int x) { return x; })).pipe(acting(taken, token));
    co_await turns(1);
    source->push(1);
    source->push(2);
    taken->act = [source] {
      source->unpipe();
      *source = Readable<int>();
    };
    source->push(3);
    CHECK(taken->got == Ints{1, 2, 3});
  });
}

TEST_CASE("a source that is destroyed in the write of its sink gives no more") {
  leavesNothing([](Token token) -> Task<> {
    const Readable<int> source = manual(token);
    const TakenRef taken = takenAt(3);
    source.pipe(acting(taken, token));
    co_await turns(1);
    source.push(1);
    source.push(2);
    taken->act = [source] {
      source.destroy();
      CHECK_FALSE(source.push(4));
    };
    source.push(3);
    CHECK_FALSE(source.push(5));
    CHECK(taken->got == Ints{1, 2, 3});
    co_await turns(1);
    CHECK(source.destroyed());
  });
}

TEST_CASE("a source or a sink that has failed and is not destroyed gives and takes no more") {
  leavesNothing([](Token token) -> Task<> {
    const auto bad = std::make_shared<bool>(false);
    const auto read = [bad, token](Readable<int>&) {
      if (*bad) throw std::runtime_error("source");
    };
    const Readable<int> source(read, {.autoDestroy = false});
    const TakenRef taken = takenAt(0);
    source.on<"error">([] {});
    source.pipe(acting(taken, token));
    co_await turns(1);
    source.push(1);
    source.push(2);
    *bad = true;
    co_await turns(1);
    CHECK(source.errored());
    CHECK_FALSE(source.push(3));
    CHECK(taken->got == Ints{1, 2});
    source.destroy();

    const Readable<int> other = manual(token);
    const Writable<int> sink(
        [taken, token](int chunk) {
          taken->got.push_back(chunk);
          if (chunk == 13) throw std::runtime_error("sink");
        },
        {.autoDestroy = false});
    sink.on<"error">([] {});
    other.pipe(sink);
    co_await turns(1);
    other.push(11);
    other.push(12);
    other.push(13);
    CHECK(other.isPaused());
    sink.write(14);
    CHECK(sink.writableLength() == 1);
    for (const int more : {15, 16}) {
      other.resume();
      other.push(more);
    }
    CHECK(taken->got == Ints{1, 2, 11, 12, 13});
    CHECK(sink.writableLength() == 3);
    co_await turns(1);
    other.destroy();
    sink.destroy();
  });
}

TEST_CASE("what is pushed while a source is paused waits, and what comes then goes behind it") {
  leavesNothing([](Token token) -> Task<> {
    const Readable<int> source = manual(token);
    const TakenRef taken = takenAt(3);
    source.pipe(acting(taken, token));
    co_await turns(1);
    source.push(1);
    source.push(2);
    taken->act = [source] { source.pause(); };
    source.push(3);
    source.push(4);
    CHECK(taken->got == Ints{1, 2, 3});
    source.resume();
    source.push(5);
    CHECK(taken->got == Ints{1, 2, 3});
    co_await turns(1);
    CHECK(taken->got == Ints{1, 2, 3, 4, 5});
    source.destroy();
  });
}

TEST_CASE("a sink that has been ended is given a chunk: its error, and the pipe goes") {
  leavesNothing([](Token token) -> Task<> {
    const Readable<int> source = manual(token);
    const TakenRef taken = takenAt(0);
    const Writable<int> sink = acting(taken, token);
    const auto told = std::make_shared<std::string>();
    sink.on<"error">([told](const std::exception_ptr& error) { *told = leat_test::text(error); });
    source.pipe(sink);
    co_await turns(1);
    source.push(1);
    source.push(2);
    sink.end();
    source.push(3);
    CHECK(taken->got == Ints{1, 2});
    CHECK(source.isPaused());
    co_await turns(1);
    CHECK(*told == "ERR_STREAM_WRITE_AFTER_END");
    CHECK(source.listenerCount<"data">() == 0);
    source.destroy();
  });
}

TEST_CASE("a source that ends gives what comes after as an error") {
  leavesNothing([](Token token) -> Task<> {
    const Readable<int> source([token](Readable<int>&) {}, {.autoDestroy = false});
    const TakenRef taken = takenAt(0);
    const auto told = std::make_shared<std::string>();
    source.on<"error">([told](const std::exception_ptr& error) { *told = leat_test::text(error); });
    source.pipe(acting(taken, token));
    co_await turns(1);
    source.push(1);
    source.push(2);
    source.push(nullptr);
    CHECK_FALSE(source.push(3));
    CHECK(*told == "ERR_STREAM_PUSH_AFTER_EOF");
    CHECK(taken->got == Ints{1, 2});
    source.destroy();
  });
}

TEST_CASE("what a source pushes while it is asked comes when it has answered") {
  leavesNothing([](Token token) -> Task<> {
    const TakenRef taken = takenAt(0);
    const auto there = std::make_shared<Ints>();
    const auto read = [taken, there, token, at = 0](Readable<int>& self) mutable {
      if (at == 6) return;
      if (++at == 4) {
        // Nothing is left when this comes.
        leat::setImmediate([self] { self.push(4); });
      } else {
        self.push(at);
      }
      there->push_back(static_cast<int>(taken->got.size()));
    };
    const Readable<int> source(read, {.highWaterMark = 1});
    source.pipe(acting(taken, token));
    co_await turns(3);
    CHECK(taken->got == Ints{1, 2, 3, 4, 5, 6});
    CHECK(*there == Ints{0, 0, 1, 2, 4, 4});
    source.push(7);
    CHECK(taken->got.back() == 7);
    source.destroy();
  });
}

TEST_CASE("a source that the end of the loop has let go gives nothing to its pipe") {
  leavesNothingWithin(3, [](Token token) {
    struct PushesAtEnd {
      Readable<int> source;
      Token token;
      explicit PushesAtEnd(Readable<int> s, Token t) : source(std::move(s)), token(std::move(t)) {}
      PushesAtEnd(const PushesAtEnd&) = delete;
      PushesAtEnd& operator=(const PushesAtEnd&) = delete;
      ~PushesAtEnd() { source.push(9); }
    };
    const TakenRef taken = takenAt(0);
    const Readable<int> before = manual(token);
    const Readable<int> source = manual(token);
    const Readable<int> after = manual(token);
    for (const Readable<int>& each : {before, after}) {
      const auto held = std::make_shared<PushesAtEnd>(source, token);
      each.on<"end">([held, each] {});
    }
    source.pipe(acting(taken, token));
    leat::setImmediate([source, taken] {
      source.push(1);
      source.push(2);
      CHECK(taken->got == Ints{1, 2});
    });
  });
}

TEST_CASE("a sink that is destroyed in its write is given no more") {
  leavesNothing([](Token token) -> Task<> {
    const Readable<int> source = manual(token);
    const TakenRef taken = takenAt(3);
    const Writable<int> sink = acting(taken, token);
    source.pipe(sink);
    co_await turns(1);
    source.push(1);
    source.push(2);
    taken->act = [sink] { sink.destroy(); };
    source.push(3);
    // The pipe waits for a "drain", which will not come.
    CHECK(source.isPaused());
    CHECK(sink.listenerCount<"drain">() == 1);
    CHECK_FALSE(sink.write(4));
    CHECK(taken->got == Ints{1, 2, 3});
    co_await turns(1);
    CHECK(source.listenerCount<"data">() == 0);
    source.push(5);
    CHECK(taken->got == Ints{1, 2, 3});
    CHECK(source.readableLength() == 1);
  });
}

TEST_CASE("who listens in the write of a sink is told of the next chunk, as the pipe is") {
  leavesNothing([](Token token) -> Task<> {
    for (const bool front : {false, true}) {
      const Readable<int> source = manual(token);
      const TakenRef taken = takenAt(3);
      const auto heard = std::make_shared<Ints>();
      source.pipe(acting(taken, token));
      co_await turns(1);
      source.push(1);
      source.push(2);
      taken->act = [source, heard, front] {
        const auto hear = [heard](int chunk) { heard->push_back(chunk); };
        front ? source.prependListener<"data">(hear) : source.on<"data">(hear);
      };
      source.push(3);
      source.push(4);
      source.push(5);
      CHECK(taken->got == Ints{1, 2, 3, 4, 5});
      CHECK(*heard == Ints{4, 5});
      source.destroy();
    }
  });
}

TEST_CASE("a second sink that comes in the write of the first is given the next chunk") {
  leavesNothing([](Token token) -> Task<> {
    const Readable<int> source = manual(token);
    const TakenRef first = takenAt(3);
    const TakenRef second = takenAt(5);
    const Writable<int> late = acting(second, token);
    source.pipe(acting(first, token));
    co_await turns(1);
    source.push(1);
    source.push(2);
    first->act = [source, late] { source.pipe(late); };
    source.push(3);
    source.push(4);
    // And goes again in its own.
    second->act = [source, late] { source.unpipe(late); };
    source.push(5);
    source.push(6);
    source.push(7);
    CHECK(first->got == Ints{1, 2, 3, 4, 5, 6, 7});
    CHECK(second->got == Ints{4, 5});
    source.destroy();
  });
}

TEST_CASE("a pipe whose listener is taken away is given no more") {
  leavesNothing([](Token token) -> Task<> {
    for (const bool all : {false, true}) {
      const Readable<int> source = manual(token);
      const TakenRef taken = takenAt(3);
      const auto listener = std::make_shared<leat::Listener>();
      source.on<"newListener">([listener](std::string_view name, const leat::Listener& came) {
        if (name == "data") *listener = came;
      });
      source.pipe(acting(taken, token));
      co_await turns(1);
      source.push(1);
      source.push(2);
      taken->act = [source, listener, all] {
        all ? source.removeAllListeners<"data">() : listener->off();
      };
      source.push(3);
      CHECK(source.push(4));
      CHECK(taken->got == Ints{1, 2, 3});
      CHECK(source.readableLength() == 1);
      // Who comes then is told, and not the pipe.
      const auto heard = std::make_shared<Ints>();
      source.on<"data">([heard](int chunk) { heard->push_back(chunk); });
      co_await turns(1);
      source.push(5);
      CHECK(*heard == Ints{4, 5});
      CHECK(taken->got == Ints{1, 2, 3});
      *listener = leat::Listener();
      source.destroy();
    }
  });
}

TEST_CASE("a pipe all of whose listeners were taken away leaves nothing in its source") {
  leavesNothing([](Token token) -> Task<> {
    for (const bool another : {false, true}) {
      const Readable<int> source = manual(token);
      const TakenRef taken = takenAt(0);
      const Writable<int> first = acting(taken, token);
      const Writable<int> sink = acting(taken, token);
      if (another) source.pipe(first);
      source.pipe(sink);
      co_await turns(1);
      source.push(1);
      sink.removeAllListeners();
      source.unpipe(sink);
      source.removeAllListeners();
      // That of the pipe that is left, which its source keeps.
      CHECK((source.readSide().direct != nullptr) == another);
      CHECK((source.readSide().directListener != nullptr) == another);
      // Who comes then is told, and not the pipe.
      const auto heard = std::make_shared<Ints>();
      source.on<"data">([heard](int chunk) { heard->push_back(chunk); });
      source.resume();
      co_await turns(1);
      source.push(2);
      CHECK(*heard == Ints{2});
      CHECK(taken->got == (another ? Ints{1, 1} : Ints{1}));
      source.unpipe();
      source.destroy();
    }
  });
}

TEST_CASE("a sink whose write throws does not remember the pipe") {
  leavesNothing([](Token token) -> Task<> {
    const Readable<> source([token](Readable<>&) {});
    const Writable<> sink(
        [token](const Buffer&, const leat::StreamCallback&) { throw std::runtime_error("write"); });
    source.pipe(sink);
    co_await turns(1);
    CHECK_THROWS_WITH(source.push(Buffer::from("a")), "write");
    CHECK(sink.writeSide().feeder == nullptr);
    source.destroy();
    sink.destroy();
  });
}

TEST_CASE("a pipe that goes while its sink becomes full still waits for a drain, as in Node") {
  leavesNothing([](Token token) -> Task<> {
    const Readable<int> source = manual(token);
    const auto kept = std::make_shared<Slow>();
    const Writable<int> sink = slow(kept, 2, token);
    source.pipe(sink);
    co_await turns(1);
    CHECK(source.push(1));
    kept->answers.back()();
    co_await turns(1);
    sink.cork();
    source.push(2);
    sink.uncork();
    CHECK(sink.listenerCount<"drain">() == 0);
    kept->answers.back()();
    co_await turns(1);
    kept->act = [source, sink] {
      source.unpipe(sink);
      // Now it is full.
      CHECK_FALSE(sink.write(10));
    };
    source.push(3);
    CHECK(sink.listenerCount<"drain">() == 1);
    CHECK(sink.listenerCount<"unpipe">() == 0);
    kept->answers.back()();
    kept->answers.back()();
    co_await turns(1);
    // Nobody listens: it is not resumed.
    CHECK(source.isPaused());
    source.destroy();
    sink.destroy();
    kept->answers.clear();
  });
}

TEST_CASE("a source that is resumed while its sink is full waits for no drain after a chunk") {
  leavesNothing([](Token token) -> Task<> {
    const Readable<int> source = manual(token);
    const auto kept = std::make_shared<Slow>();
    const Writable<int> sink = slow(kept, 3, token);
    source.pipe(sink);
    co_await turns(1);
    for (int i = 1; i <= 3; ++i) source.push(i);
    CHECK(source.isPaused());
    for (const std::size_t i : {0u, 1u}) leat::StreamCallback(kept->answers[i])();
    CHECK(sink.writableLength() == 1);
    source.resume();
    co_await turns(1);
    source.push(4);
    CHECK(sink.writableLength() == 2);
    CHECK(sink.writableNeedDrain());
    CHECK_FALSE(source.isPaused());
    source.on<"data">([] {});
    source.pause();
    // A pipe that waits resumes the others when it goes.
    source.unpipe(sink);
    CHECK(source.isPaused());
    source.destroy();
    sink.destroy();
    kept->answers.clear();
  });
}

TEST_CASE(
    "what a listener throws at the end of a row of streams comes out of push, and nothing is "
    "kept") {
  leavesNothing([](Token token) -> Task<> {
    const Readable<int> source = manual(token);
    const Transform<int> middle([token](int x) { return x * 2; });
    const auto heard = std::make_shared<Ints>();
    middle.on<"data">([heard, token](int chunk) {
      heard->push_back(chunk);
      if (chunk == 6) throw std::runtime_error("listener");
    });
    source.pipe(middle);
    co_await turns(1);
    source.push(1);
    source.push(2);
    CHECK_THROWS_AS(source.push(3), std::runtime_error);
    // The chunk was never answered: the next ones wait.
    source.push(4);
    CHECK(middle.writableLength() == 2);
    CHECK(*heard == Ints{2, 4, 6});
  });
}

TEST_CASE("a sink that writes to itself, corks itself or ends in its write does that in order") {
  leavesNothing([](Token token) -> Task<> {
    const Readable<int> source = manual(token);
    const TakenRef taken = takenAt(2);
    const Writable<int> sink = acting(taken, token);
    const auto told = std::make_shared<std::string>();
    sink.on<"drain">([told] { *told += "drain."; });
    sink.on<"finish">([told] { *told += "finish."; });
    source.pipe(sink);
    co_await turns(1);
    source.push(1);
    taken->act = [sink] {
      CHECK(sink.writableLength() == 1);
      sink.write(20);
      CHECK(sink.writableLength() == 2);
    };
    source.push(2);
    source.push(3);
    CHECK(taken->got == Ints{1, 2, 20, 3});
    taken->at = 4;
    taken->act = [sink] { sink.cork(); };
    source.push(4);
    source.push(5);
    CHECK(taken->got == Ints{1, 2, 20, 3, 4});
    sink.uncork();
    CHECK(taken->got == Ints{1, 2, 20, 3, 4, 5});
    taken->at = 6;
    taken->act = [sink] { sink.end(); };
    source.push(6);
    CHECK(sink.writableEnded());
    co_await turns(1);
    CHECK(taken->got.back() == 6);
    CHECK(*told == "finish.");
    source.destroy();
  });
}

TEST_CASE("each turn in which a sink of items is written has its tick, which the end waits for") {
  leavesNothing([](Token token) -> Task<> {
    const Readable<int> source = manual(token);
    const TakenRef taken = takenAt(0);
    const Writable<int> sink = acting(taken, token);
    const auto told = std::make_shared<std::string>();
    sink.on<"prefinish">([told] { *told += "prefinish "; });
    sink.on<"finish">([told] { *told += "finish "; });
    source.pipe(sink);
    co_await turns(1);
    source.push(1);
    source.push(2);
    co_await turns(1);
    leat::nextTick([told] {
      *told += "1 ";
      leat::nextTick([told] { *told += "3 "; });
    });
    source.push(3);
    sink.end();
    leat::nextTick([told] { *told += "2 "; });
    co_await turns(1);
    CHECK(*told == "prefinish 1 2 3 finish ");
    source.destroy();
  });
}

TEST_CASE("a sink of bytes that is written an empty chunk in its write takes it after that") {
  leavesNothing([](Token token) -> Task<> {
    const auto self = std::make_shared<Writable<Buffer>>();
    const auto told = std::make_shared<std::string>();
    *self = Writable<Buffer>([self, told, token](const Buffer& chunk) {
      *told += chunk.toString() + "(";
      if (chunk.toString() == "b") self->write(Buffer(), [told] { *told += "done "; });
      *told += ")";
    });
    const Readable<Buffer> source([token](Readable<Buffer>&) {});
    source.pipe(*self);
    co_await turns(1);
    source.push("a");
    source.push("b");
    source.push("c");
    co_await turns(1);
    CHECK(*told == "a()b()()c()done ");
    *self = Writable<Buffer>();
    source.destroy();
  });
}

TEST_CASE("a sink of bytes that ends itself in its write finishes") {
  leavesNothing([](Token token) -> Task<> {
    const auto self = std::make_shared<Writable<Buffer>>();
    const auto told = std::make_shared<std::string>();
    *self = Writable<Buffer>([self, told, token](const Buffer& chunk) {
      *told += chunk.toString();
      if (*told == "abc") self->end();
    });
    self->on<"finish">([told] { *told += ".finish"; });
    const Readable<Buffer> source([token](Readable<Buffer>&) {});
    source.pipe(*self);
    co_await turns(1);
    source.push("a");
    source.push("b");
    source.push("c");
    co_await turns(1);
    CHECK(*told == "abc.finish");
    *self = Writable<Buffer>();
    source.destroy();
  });
}

TEST_CASE("a source that is asked in the midst of its items may end, fail, or read them itself") {
  leavesNothing([](Token token) -> Task<> {
    const std::pair<std::string, std::string> ways[] = {
        {"end", "-4 -3 -2 -1 1 2 3 4 paused, left 0, mine"},
        {"destroy", "-4 -3 -2 -1 1 2 3 4 5 flowing, left 0, mine"},
        {"throw", "-4 -3 -2 -1 1 2 3 4 5 flowing, left 0, mine"},
        {"read", "-4 -3 -2 -1 1 2 3 4 flowing, left 0, mine 1 2 3 4"},
        // One was on its way, and nobody listened.
        {"unpipe", "-4 -3 -2 -1 paused, left 3, mine"},
        {"pause", "-4 -3 -2 -1 1 paused, left 3, mine"},
    };
    for (const auto& [way, wanted] : ways) {
      CAPTURE(way);
      const TakenRef taken = takenAt(0);
      const auto mine = std::make_shared<Ints>();
      const auto asked = std::make_shared<int>(0);
      const auto read = [way = way, mine, asked, token](Readable<int>& self) {
        const int at = ++*asked;
        if (at < 5) return void(self.push(at));
        // A source that has answered would be asked again.
        if (way == "destroy" || way == "throw") self.push(at);
        if (at > 5) return;
        if (way == "end") self.push(nullptr);
        if (way == "destroy") self.destroy();
        if (way == "throw") throw std::runtime_error("source");
        if (way == "read")
          while (const auto chunk = self.read()) mine->push_back(*chunk);
        if (way == "unpipe") self.unpipe();
        if (way == "pause") self.pause();
      };
      const Readable<int> source(read, {.highWaterMark = 4});
      source.on<"error">([] {});
      // They are there before the pipe, and it is asked again when the first of them goes.
      for (int i = -4; i < 0; ++i) source.push(i);
      source.pipe(acting(taken, token));
      co_await turns(1);
      std::string came;
      for (const int chunk : taken->got) came += std::to_string(chunk) + " ";
      came += source.isPaused() ? "paused, left " : "flowing, left ";
      came += std::to_string(source.readableLength()) + ", mine";
      for (const int chunk : *mine) came += " " + std::to_string(chunk);
      CHECK(came == wanted);
      CHECK(*asked == 5);
      source.destroy();
    }
  });
}
