// SPDX-License-Identifier: MIT
#include <leat/loop/sleep.hpp>
#include <leat/loop/timers.hpp>
#include <leat/stream/lines.hpp>

#include "pieces.hpp"

using namespace leat;
using leat_test::passInPieces;

namespace {

using Lines = std::vector<std::string>;

leat_test::Output<std::string> split(std::string_view text, const LineOptions& options = {}) {
  return passInPieces<std::string>([&] { return LineSplitter(options); }, text);
}

/// The same rules, one character after the other.
Lines reference(std::string_view text, bool carriageReturn) {
  Lines lines;
  std::string line;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool both = text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n';
    if (text[i] == '\n' || both || (carriageReturn && text[i] == '\r')) {
      lines.push_back(line);
      line.clear();
      i += both;
    } else {
      line += text[i];
    }
  }
  if (!line.empty()) lines.push_back(line);
  return lines;
}

}  // namespace

TEST_CASE("lines end at a newline, with or without a carriage return, wherever the pieces end") {
  CHECK(split("a\nbc\r\n\nd").items == Lines{"a", "bc", "", "d"});
  CHECK(split("a\r\rb\r").items == Lines{"a\r\rb\r"});
  CHECK(split("a\r\r\nb\n").items == Lines{"a\r", "b"});
  CHECK(split("\n\r\n").items == Lines{"", ""});
  CHECK(split("\r\n").items == Lines{""});
  CHECK(split("").items == Lines{});
}

TEST_CASE("a lone carriage return ends a line where that is wanted") {
  LineOptions options;
  options.carriageReturn = true;
  CHECK(split("a\rb\r\nc\n\rd\r\r\n\ne", options).items ==
        Lines{"a", "b", "c", "", "d", "", "", "e"});
  CHECK(split("a\r", options).items == Lines{"a"});
  CHECK(split("\r\r", options).items == Lines{"", ""});
}

TEST_CASE("lines of random texts are those of a simple splitter") {
  std::uint32_t state = 20240611;
  const auto next = [&state] { return (state = state * 1664525 + 1013904223) >> 16; };
  for (int round = 0; round < 60; ++round) {
    std::string text;
    for (std::uint32_t i = next() % 40; i > 0; --i) text += "ab\r\n\r\nc\n"[next() % 8];
    LineOptions options;
    for (const bool carriageReturn : {false, true}) {
      options.carriageReturn = carriageReturn;
      CHECK(split(text, options).items == reference(text, carriageReturn));
    }
  }
}

TEST_CASE("what is no UTF-8 in a line becomes U+FFFD, or stays") {
  const std::string text = "\xc3\xa9\n\xe2\x82\nx\xff\n\xf0\x9f\x98\x80";
  CHECK(split(text).items ==
        Lines{"\xc3\xa9", "\xef\xbf\xbd", "x\xef\xbf\xbd", "\xf0\x9f\x98\x80"});
  LineOptions options;
  options.keepInvalidUtf8 = true;
  CHECK(split(text, options).items == Lines{"\xc3\xa9", "\xe2\x82", "x\xff", "\xf0\x9f\x98\x80"});
}

TEST_CASE("a byte order mark in front of the first line is dropped where that is wanted") {
  const std::string mark = "\xef\xbb\xbf";
  CHECK(split(mark + "a\n" + mark + "b").items == Lines{mark + "a", mark + "b"});
  LineOptions options;
  options.stripBom = true;
  CHECK(split(mark + "a\n" + mark + "b", options).items == Lines{"a", mark + "b"});
  CHECK(split(mark, options).items == Lines{});
  CHECK(split(mark + "\n", options).items == Lines{""});
  options.keepInvalidUtf8 = true;
  CHECK(split("\xef\xbb", options).items == Lines{"\xef\xbb"});
  options.maxLength = 2;
  CHECK(split(mark + "ab\r\n" + "cd", options).items == Lines{"ab", "cd"});
  CHECK(split(mark + "abc", options).error ==
        "RangeError [ERR_OUT_OF_RANGE]: line 1 is longer than 2 bytes (maxLength)");
}

TEST_CASE("a line that is too long fails the stream, named by its number and the limit") {
  LineOptions options;
  options.maxLength = 3;
  const char* const error =
      "RangeError [ERR_OUT_OF_RANGE]: line 2 is longer than 3 bytes (maxLength)";
  CHECK(split("abc\nabcd\n", options).error == error);
  CHECK(split("abc\r\nabc\r", options).error == error);
  CHECK(split("abc\r\nabc\r\nabc", options).items == Lines{"abc", "abc", "abc"});
  // Without an end it fails as soon as it is too long.
  const auto endless = leat_test::pass<std::string>(
      [&] {
        LineSplitter lines(options);
        lines.write("a\nabc");
        lines.write("de");
        return lines;
      },
      std::vector<Buffer>{});
  CHECK(endless.error == error);
}

TEST_CASE("lines are cut as they are read, not before") {
  CHECK(run([]() -> Task<> {
          std::string text;
          for (int i = 0; i < 1000; ++i) text += "line\n";
          DuplexOptions options;
          options.readableHighWaterMark = 4;
          LineSplitter lines({}, options);
          bool written = false;
          lines.write(Buffer::from(text), [&](const std::exception_ptr&) { written = true; });
          lines.end();
          std::size_t count = 0;
          while (auto line = co_await lines.next()) {
            CHECK(*line == "line");
            CHECK(lines.readableLength() <= 4);
            if (++count == 500) {
              co_await nextImmediate();
              CHECK_FALSE(written);
            }
          }
          CHECK(count == 1000);
          CHECK(written);
        }) == 0);
}

TEST_CASE("the chunk whose last line fills the buffer is answered when there is room again") {
  CHECK(run([]() -> Task<> {
          DuplexOptions options;
          options.readableHighWaterMark = 4;
          LineSplitter lines({}, options);
          bool written = false;
          lines.write(Buffer::from("a\nb\nc\nd\n"),
                      [&](const std::exception_ptr&) { written = true; });
          co_await nextImmediate();
          CHECK(lines.readableLength() == 4);
          CHECK_FALSE(written);
          const auto line = co_await lines.next();
          CHECK(line == "a");
          co_await nextImmediate();
          CHECK(written);
          lines.destroy();
          co_await lines.closed();
        }) == 0);
}

TEST_CASE("lines wait while a listener pauses, and none are cut once it has destroyed the stream") {
  CHECK(run([]() -> Task<> {
          LineSplitter lines;
          int count = 0;
          bool paused = false;
          lines.on<"data">([&](const std::string&) {
            CHECK_FALSE(paused);
            if (++count == 20) {
              paused = true;
              lines.pause();
              setImmediate([&] {
                paused = false;
                lines.resume();
              });
            }
            if (count == 50) lines.destroy();
          });
          std::string text;
          for (int i = 0; i < 1000; ++i) text += "line\n";
          lines.write(text);
          co_await lines.closed();
          // As in Node what is buffered may still be given out.
          CHECK(count >= 50);
          CHECK(count <= 50 + 17);
        }) == 0);
}

TEST_CASE("lines that are piped all arrive, with each mark") {
  for (const std::size_t mark : {std::size_t{0}, std::size_t{1}, std::size_t{16}}) {
    CHECK(run([mark]() -> Task<> {
            std::string text;
            for (int i = 0; i < 200; ++i) text += std::to_string(i) + "\n";
            DuplexOptions options;
            options.readableHighWaterMark = mark;
            LineSplitter lines({}, options);
            int count = 0;
            Writable<std::string> sink([&](const std::string& line, StreamCallback done) {
              CHECK(line == std::to_string(count++));
              if (count % 3 == 0) {
                setImmediate(done);
              } else {
                done();
              }
            });
            lines.pipe(sink);
            for (Buffer& piece : leat_test::piecesOf(text, 97)) co_await lines.write(piece);
            lines.end();
            co_await sink.closed();
            CHECK(count == 200);
          }) == 0);
  }
}
