// SPDX-License-Identifier: MIT
#include <leat/stream/byte_counter.hpp>

#include "pieces.hpp"

using namespace leat;
using leat_test::pass;
using leat_test::passInPieces;
using leat_test::piecesOf;

TEST_CASE("a byte counter passes bytes on as they are, and counts them") {
  CHECK(run([]() -> Task<> {
          ByteCounter counter;
          CHECK(counter.bytes() == 0);
          const ByteCounter copy = counter;
          co_await counter.write("abc");
          CHECK(counter.bytes() == 3);
          co_await counter.write("de");
          counter.end();
          std::string text;
          while (auto chunk = co_await counter.next()) text += chunk->view();
          CHECK(text == "abcde");
          CHECK(copy.bytes() == 5);
        }) == 0);
}

TEST_CASE("a byte counter tells when a multiple was reached or passed, and the end") {
  const auto told = [](const std::vector<Buffer>& pieces) {
    std::vector<std::uint64_t> counts;
    const auto output = pass<Buffer>(
        [&] { return ByteCounter(4, [&](std::uint64_t bytes) { counts.push_back(bytes); }); },
        pieces);
    CHECK(output.error == "");
    CHECK(Buffer::concat(output.items) == Buffer::concat(pieces));
    return counts;
  };
  using Counts = std::vector<std::uint64_t>;
  const std::string text = "0123456789abcd";
  CHECK(told(piecesOf(text, 1)) == Counts{4, 8, 12, 14});
  CHECK(told(piecesOf(text, 2)) == Counts{4, 8, 12, 14});
  CHECK(told(piecesOf(text, 3)) == Counts{6, 9, 12, 14});
  CHECK(told(piecesOf(text, 14)) == Counts{14});
  CHECK(told(piecesOf("01234567", 4)) == Counts{4, 8});
  CHECK(told(piecesOf("01", 1)) == Counts{2});
  CHECK(told({}) == Counts{});
}

TEST_CASE("what the callback of a byte counter throws is the stream's error") {
  const auto output = pass<Buffer>(
      [] { return ByteCounter(1, [](std::uint64_t) { throw Error("enough", "E_ENOUGH"); }); },
      piecesOf("ab", 1));
  CHECK(output.error == "Error [E_ENOUGH]: enough");
}
