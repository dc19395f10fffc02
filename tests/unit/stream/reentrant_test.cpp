// SPDX-License-Identifier: MIT
// Implementations that use their own stream while they are called.
#include "stream_rig.hpp"

#include <memory>

namespace {

using leat::Buffer;
using leat::Readable;
using leat_test::Token;

}  // namespace

TEST_CASE("a source that reads its own stream when it is asked leaves less for the others") {
  leat_test::leavesNothing([](const Token& token) {
    const auto taken = std::make_shared<std::string>();
    const auto read = [taken, token](Readable<Buffer>& self, std::size_t) {
      if (auto chunk = self.read(5)) *taken += chunk->toString() + ".";
    };
    const Readable<Buffer> source(read, {.highWaterMark = 2});
    const auto rest = std::make_shared<std::string>();
    source.on<"data">([rest](const Buffer& chunk) { *rest += chunk.toString() + "."; });
    source.push(Buffer::from("abcdefg"));
    source.push(Buffer::from("h"));
    leat::setImmediate([source, taken, rest, token] {
      CHECK(source.readableLength() == 0);
      // What the source has read is told, as "data", like all else.
      CHECK(*taken == "abcde.");
      CHECK(*rest == "abcde.fg.h.");
    });
  });
}

TEST_CASE("a source of items that reads its own stream when it is asked leaves nothing to read") {
  leat_test::leavesNothing([](const Token& token) {
    int asked = 0;
    const auto read = [token, asked](Readable<int>& self, std::size_t) mutable {
      if (++asked == 1) self.read();
    };
    const Readable<int> source(read);
    source.unshift(1);
    CHECK_FALSE(source.read());
    CHECK(source.readableLength() == 0);
    source.push(2);
    CHECK(source.read() == 2);
  });
}
