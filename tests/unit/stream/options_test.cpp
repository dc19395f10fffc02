// SPDX-License-Identifier: MIT
// The marks of streams whose options say nothing.
#include "stream_rig.hpp"

#include <leat/fs/streams.hpp>

using namespace leat;
using leat_test::leavesNothing;
using leat_test::Token;

namespace {

/// Puts the marks back.
struct DefaultMarks {
  DefaultMarks() = default;
  DefaultMarks(const DefaultMarks&) = delete;
  DefaultMarks& operator=(const DefaultMarks&) = delete;
  ~DefaultMarks() {
    setDefaultHighWaterMark(bytes);
    setDefaultHighWaterMark<int>(items);
  }
  const std::size_t bytes = getDefaultHighWaterMark();
  const std::size_t items = getDefaultHighWaterMark<int>();
};
template <class T>
Readable<T> unread(StreamOptions options = {}) {
  return Readable<T>([](Readable<T>&) {}, options);
}
template <class T>
Writable<T> unwritten(StreamOptions options = {}) {
  return Writable<T>([](const T&, StreamCallback) {}, options);
}

}  // namespace

TEST_CASE("the marks are Node's until they are set") {
  const DefaultMarks kept;
  CHECK(getDefaultHighWaterMark() == 16 * 1024);
  CHECK(getDefaultHighWaterMark<Buffer>() == 16 * 1024);
  CHECK(getDefaultHighWaterMark<int>() == 16);
  CHECK(getDefaultHighWaterMark<std::string>() == 16);
  leavesNothing([](Token) {
    CHECK(unread<Buffer>().readableHighWaterMark() == 16 * 1024);
    CHECK(unwritten<int>().writableHighWaterMark() == 16);
  });
}

TEST_CASE("a default mark is that of all streams of its kind that are made from then on") {
  const DefaultMarks kept;
  leavesNothing([](Token) {
    const auto before = unread<Buffer>();
    const auto itemsBefore = unwritten<int>();
    setDefaultHighWaterMark(1000);
    CHECK(getDefaultHighWaterMark() == 1000);
    CHECK(getDefaultHighWaterMark<int>() == 16);
    CHECK(before.readableHighWaterMark() == 16 * 1024);
    CHECK(unread<Buffer>().readableHighWaterMark() == 1000);
    CHECK(unwritten<Buffer>().writableHighWaterMark() == 1000);
    setDefaultHighWaterMark<int>(3);
    CHECK(getDefaultHighWaterMark<std::string>() == 3);
    CHECK(getDefaultHighWaterMark() == 1000);
    CHECK(itemsBefore.writableHighWaterMark() == 16);
    CHECK(unread<std::string>().readableHighWaterMark() == 3);
    const Transform<Buffer, int> both([](const Buffer& chunk) { return int(chunk.size()); });
    CHECK(both.writableHighWaterMark() == 1000);
    CHECK(both.readableHighWaterMark() == 3);
    const PassThrough<int> through;
    CHECK(through.writableHighWaterMark() == 3);
    const auto [here, there] = duplexPair();
    CHECK(here.writableHighWaterMark() == 1000);
    // Who says what it wants has that, and so have those with a default of their own.
    CHECK(unread<Buffer>({.highWaterMark = 7}).readableHighWaterMark() == 7);
    CHECK(readableFrom(std::vector<int>(2)).readableHighWaterMark() == 1);
    const auto file = fs::createReadStream("/dev/null");
    CHECK(file.readableHighWaterMark() == 64 * 1024);
    file.destroy();
    setDefaultHighWaterMark(0);
    CHECK(unread<Buffer>().readableHighWaterMark() == 0);
  });
}

TEST_CASE("a sink with a default mark has enough when that is reached") {
  const DefaultMarks kept;
  leavesNothing([](Token) {
    setDefaultHighWaterMark(4);
    setDefaultHighWaterMark<int>(2);
    const auto bytes = unwritten<Buffer>();
    CHECK(bytes.write("123"));
    CHECK_FALSE(bytes.write("4"));
    const auto items = unwritten<int>();
    CHECK(items.write(1));
    CHECK_FALSE(items.write(2));
    const auto from = unread<int>();
    CHECK(from.push(1));
    CHECK_FALSE(from.push(2));
  });
}
