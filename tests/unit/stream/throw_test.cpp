// SPDX-License-Identifier: MIT
// What the methods of an implementation throw that answer by a callback.
#include "stream_rig.hpp"

using namespace leat;
using leat_test::leavesNothing;
using leat_test::outcome;
using leat_test::Token;
using leat_test::turns;

namespace {

struct ThrowingWrite {
  bool answers;
  Token token;
  void write(int chunk, const StreamCallback& done) const {
    if (chunk < 2 || answers) done();
    if (chunk == 2) throw std::runtime_error("two");
  }
};
struct ThrowingWritev {
  bool answers;
  Token token;
  void writev(const std::vector<int>& chunks, const StreamCallback& done) const {
    if (answers) done();
    if (chunks.size() == 2) throw std::runtime_error("two");
    if (!answers) done();
  }
};
struct ThrowingOfDuplex {
  bool answers;
  Token token;
  void read(Duplex<int>&) {}
  void writev(const std::vector<int>& chunks, const StreamCallback& done) const {
    ThrowingWritev{answers, token}.writev(chunks, done);
  }
};
struct ThrowingTransform {
  bool answers;
  Token token;
  void transform(int chunk, const TransformCallback<int, int>& done) const {
    if (chunk < 2 || answers) done(nullptr, chunk);
    if (chunk == 2) throw std::runtime_error("two");
  }
};
struct ThrowingWithSelf {
  bool answers;
  Token token;
  void transform(int chunk, Transform<int>&, const TransformCallback<int, int>& done) const {
    ThrowingTransform{answers, token}.transform(chunk, done);
  }
};

/// What comes of two chunks that are written at once, of which the second fails.
template <class S, class I>
Task<std::string> ofTwoChunks(I implementation) {
  const S stream(std::move(implementation));
  std::string told;
  stream.template on<"error">(
      [&told](const std::exception_ptr& error) { told += leat_test::text(error); });
  stream.template on<"close">([&told] { told += " closed"; });
  stream.cork();
  stream.write(1);
  stream.write(2);
  CHECK_NOTHROW(stream.uncork());
  stream.end();
  co_await stream.closed();
  co_return told;
}

template <class S, class I>
void failsAtTwo() {
  for (const bool answers : {false, true}) {
    leavesNothing([answers](Token token) -> Task<> {
      I implementation{answers, token};
      const std::string told = co_await ofTwoChunks<S>(std::move(implementation));
      CHECK(told == "two closed");
      std::vector<int> three{1, 2, 3};
      I another{answers, token};
      S stage(std::move(another));
      if constexpr (!std::is_same_v<I, ThrowingWritev> && !std::is_same_v<I, ThrowingOfDuplex>) {
        const std::string piped = co_await outcome(pipeline(readableFrom(three), stage));
        CHECK(piped == "two");
      }
    });
  }
}

}  // namespace

TEST_CASE("a null exception_ptr that is emitted as the error of a stream is that of any emitter") {
  leavesNothing([](Token) {
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

TEST_CASE("what write(chunk, done) and its like throw is the stream's error, also after done") {
  failsAtTwo<Writable<int>, ThrowingWrite>();
  failsAtTwo<Writable<int>, ThrowingWritev>();
  failsAtTwo<Duplex<int>, ThrowingOfDuplex>();
  failsAtTwo<Transform<int>, ThrowingTransform>();
  failsAtTwo<Transform<int>, ThrowingWithSelf>();
}
