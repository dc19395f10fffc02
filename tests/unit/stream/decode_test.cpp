// SPDX-License-Identifier: MIT
// Text out of streams of bytes: characters that are cut, the rest at the end, and how both ends go.
#include "stream_rig.hpp"

#include <leat/stream/decode.hpp>

#include <memory>

using namespace leat;
using leat_test::leavesNothing;
using leat_test::outcome;
using leat_test::Token;
using leat_test::turns;

namespace {

using Texts = std::vector<std::string>;

/// Gives pieces of so many bytes, one per turn.
struct Pieces {
  std::string text;
  std::size_t size;
  Token token{};
  std::size_t at = 0;
  Promise<std::optional<Buffer>> read() {
    co_await turns(1);
    std::optional<Buffer> piece;
    if (at < text.size()) piece = Buffer::from(text.substr(at, size));
    at += size;
    co_return piece;
  }
};
Readable<Buffer> pieces(std::string text, std::size_t size, Token token = {}) {
  return Readable<Buffer>(Pieces{std::move(text), size, std::move(token)});
}
/// Is pushed to from outside, and counts how often it is destroyed.
struct Manual {
  std::shared_ptr<int> destroys;
  Token token{};
  void read(Readable<Buffer>&) {}
  void destroy() { ++*destroys; }
};
const std::string mixed = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z";

}  // namespace

TEST_CASE("setEncoding gives the same text whatever the pieces of bytes are") {
  leavesNothing([](Token token) -> Task<> {
    for (std::size_t size = 1; size <= mixed.size() + 1; ++size) {
      const Readable<std::string> text = pieces(mixed, size, token).setEncoding("utf8");
      const Texts all = co_await text.toArray();
      std::string joined;
      for (const std::string& each : all) {
        CHECK(!each.empty());
        CHECK(Buffer::from(each).toString() == each);
        joined += each;
      }
      CHECK(joined == mixed);
      if (size == 1) CHECK(all == Texts{"a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "z"});
    }
    const auto hex = co_await pieces("abc", 1).setEncoding("hex").toArray();
    CHECK(hex == Texts{"61", "62", "63"});
    const auto base64 = co_await pieces("abcd", 2).setEncoding(BufferEncoding::base64).toArray();
    CHECK(base64 == Texts{"YWJj", "ZA=="});
  });
}

TEST_CASE("what is left of a character at the end comes as the replacement character") {
  leavesNothing([](Token) -> Task<> {
    const auto all = co_await pieces("a\xe2\x82", 1).setEncoding().toArray();
    CHECK(all == Texts{"a", "\xef\xbf\xbd"});
    const auto staged = co_await pieces("a\xe2\x82", 1).pipe(TextDecoderStream()).toArray();
    CHECK(staged == all);
    const auto none = co_await pieces("", 1).setEncoding().toArray();
    CHECK(none.empty());
  });
}

TEST_CASE("what was buffered before setEncoding is text too, and an ended stream gives its end") {
  leavesNothing([](Token) -> Task<> {
    const Readable<Buffer> source([](Readable<Buffer>&) {});
    source.push("before ");
    source.push("and ");
    co_await turns(2);
    const auto text = source.setEncoding();
    source.push("after");
    source.push(nullptr);
    const std::string all = co_await consumers::text(text);
    CHECK(all == "before and after");
    CHECK(source.readableEnded());
    const auto late = co_await source.setEncoding().toArray();
    CHECK(late.empty());
    const Readable<Buffer> gone([](Readable<Buffer>&) {});
    gone.destroy();
    co_await gone.closed();
    const std::string told = co_await outcome(gone.setEncoding().toArray());
    CHECK(told == "ERR_STREAM_PREMATURE_CLOSE");
  });
}

TEST_CASE("an error of the bytes is that of the text, and only its") {
  leavesNothing([](Token token) -> Task<> {
    auto destroys = std::make_shared<int>(0);
    const Readable<Buffer> source(Manual{destroys, token});
    const auto text = source.setEncoding();
    source.push("some");
    const auto first = co_await text.next();
    CHECK(first == "some");
    source.destroy(std::runtime_error("broken"));
    const std::string told = co_await outcome(text.toArray());
    CHECK(told == "broken");
    CHECK(*destroys == 1);
    // An unknown name is told at once.
    const Readable<Buffer> other(Manual{destroys, token});
    CHECK_THROWS_AS(other.setEncoding("utf-9"), TypeError);
    other.destroy();
  });
}

TEST_CASE("to destroy the text destroys the bytes, with the error") {
  leavesNothing([](Token token) -> Task<> {
    auto destroys = std::make_shared<int>(0);
    for (const bool fails : {false, true}) {
      const Readable<Buffer> source(Manual{destroys, token});
      const auto text = source.setEncoding();
      std::string told;
      text.on<"error">([&told](const std::exception& error) { told = error.what(); });
      if (fails) {
        text.destroy(std::runtime_error("enough"));
      } else {
        text.destroy();
      }
      CHECK(source.destroyed());
      co_await text.closed();
      co_await source.closed();
      CHECK(told == (fails ? "enough" : ""));
      CHECK((source.errored() != nullptr) == fails);
    }
    CHECK(*destroys == 2);
    const Readable<Buffer> source(Manual{destroys, token});
    const auto text = source.setEncoding();
    source.destroy();
    co_await text.closed();
    CHECK(!text.errored());
  });
}

TEST_CASE("the bytes are asked only as far as the text is read") {
  leavesNothing([](Token token) -> Task<> {
    auto reads = std::make_shared<int>(0);
    const Readable<Buffer> source(
        [reads, token](std::size_t) {
          ++*reads;
          return std::optional<Buffer>(Buffer::from("x"));
        },
        {.highWaterMark = 4});
    const auto text = source.setEncoding();
    const auto first = co_await text.next();
    CHECK(first == "x");
    co_await turns(5);
    const int before = *reads;
    CHECK(before < 20);
    co_await turns(5);
    CHECK(*reads == before);
    text.destroy();
  });
}

TEST_CASE("the end of the text leaves the writing side of a duplex alone") {
  leavesNothing([](Token token) -> Task<> {
    auto written = std::make_shared<std::string>();
    struct Both {
      std::shared_ptr<std::string> written;
      Token token;
      std::optional<Buffer> read() { return std::nullopt; }
      void write(const Buffer& chunk) { *written += chunk.toString(); }
    };
    const Duplex<Buffer> both(Both{written, token});
    const auto none = co_await both.setEncoding().toArray();
    CHECK(none.empty());
    CHECK(!both.destroyed());
    co_await both.end("goes on");
    CHECK(*written == "goes on");
  });
}

TEST_CASE("a text that nobody reads goes with the loop") {
  leat_test::leavesNothingWithin(3, [](Token token) {
    auto destroys = std::make_shared<int>(0);
    const Readable<Buffer> source(Manual{destroys, token});
    source.push("some");
    source.setEncoding().on<"data">([token](const std::string&) {});
  });
}
