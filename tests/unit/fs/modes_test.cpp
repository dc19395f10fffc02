// SPDX-License-Identifier: MIT
#include "fs_rig.hpp"

namespace fs = leat::fs;
using leat::asResult;
using leat::Buffer;
using leat::Promise;
using leat::run;
using leat::Task;
using leat_test::codeOf;
using leat_test::Gate;
using leat_test::get;
using leat_test::messageOf;
using leat_test::put;
using leat_test::TempFolder;
using leat_test::thrownBy;

namespace {

unsigned modeOf(const char* path) {
  struct ::stat found;
  REQUIRE(::stat(path, &found) == 0);
  return found.st_mode & 07777u;
}

}  // namespace

TEST_CASE("rights are numbers or octal texts, wherever they are given") {
  const TempFolder folder;
  const mode_t before = ::umask(022);
  const auto main = []() -> Task<> {
    {
      auto file = co_await fs::open("opened", "w", "640");
      co_await file.chmod("0604");
      CHECK(modeOf("opened") == 0604);
      co_await file.chmod(0644);
      CHECK(modeOf("opened") == 0644);
    }
    co_await fs::open("numbered", "w", 0600);
    CHECK(modeOf("numbered") == 0600);
    co_await fs::writeFile("written", "x", {.mode = "0700"});
    CHECK(modeOf("written") == 0700);
    const std::string text = "750";
    co_await fs::appendFile("appended", "x", {.mode = text});
    CHECK(modeOf("appended") == 0750);
    co_await fs::mkdir("made", {.mode = "0711"});
    CHECK(modeOf("made") == 0711);
    co_await fs::chmod("written", "00000755");
    CHECK(modeOf("written") == 0755);
    co_await fs::chmod("written", 0L);
    CHECK(modeOf("written") == 0);
  };
  CHECK(run(main) == 0);
  ::umask(before);
}

TEST_CASE("rights that cannot be are refused in Node's words") {
  const std::string_view text =
      "ERR_INVALID_ARG_VALUE: The argument 'mode' must be a 32-bit unsigned integer or an octal "
      "string. Received ";
  const std::string_view range =
      "ERR_OUT_OF_RANGE: The value of \"mode\" is out of range. It must be >= 0 && <= 4294967295. "
      "Received ";
  const auto told = [](auto mode) { return thrownBy([&] { return fs::FileMode(mode); }); };
  for (const std::string wrong : {"abc", "08", "0o644", "-1", "644 ", "9"})
    CHECK(told(wrong) == std::string(text) + "'" + wrong + "'");
  CHECK(told("") == std::string(text) + "''");
  CHECK(told(std::string("6\0", 2)) == std::string(text) + "'6\\x00'");
  CHECK(told(-1) == std::string(range) + "-1");
  CHECK(told(-5'000'000'000) == std::string(range) + "-5_000_000_000");
  CHECK(told(1LL << 32) == std::string(range) + "4294967296");
  CHECK(told(1LL << 33) == std::string(range) + "8_589_934_592");
  CHECK(told("777777777777") == std::string(range) + "68_719_476_735");
  CHECK(told(std::string(40, '7')) == std::string(range) + "'" + std::string(40, '7') + "'");
  CHECK(fs::FileMode("37777777777").value() == 0xffffffff);
  CHECK(fs::FileMode("000000000000000000000000644").value() == 0644);
  static_assert(fs::FileMode(0xffffffffu).value() == 0xffffffff);
  static_assert(!std::is_constructible_v<fs::FileMode, bool>);
  static_assert(!std::is_constructible_v<fs::FileMode, double>);
  static_assert(std::is_trivially_destructible_v<fs::WriteFileOptions>);
}

TEST_CASE("files are written with an encoding, which is utf8") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    co_await fs::writeFile("f", "wörds", "utf8");
    co_await fs::appendFile("f", " and more", "UTF-8", {.flush = true});
    CHECK(get("f") == "wörds and more");
    const auto refused = thrownBy([] { return fs::writeFile("f", "x", "rot13"); });
    CHECK(refused ==
          "ERR_INVALID_ARG_VALUE: The argument 'encoding' is invalid encoding. Received 'rot13'");
    CHECK(thrownBy([] { return fs::appendFile("f", "x", "rot13"); }) == refused);
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a handle stands in the place of a path, and goes on from where it is") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    put("f", "hello");
    auto file = co_await fs::open("f", "r+");
    co_await file.read({.length = 1});
    const std::string text = co_await fs::readFile(file, "utf8");
    CHECK(text == "ello");
    co_await fs::writeFile(file, "tail");
    co_await fs::appendFile(file, Buffer::from("."));
    co_await fs::writeFile(file, Buffer::from("."));
    co_await fs::appendFile(file, "!");
    CHECK(get("f") == "hellotail..!");
    const Buffer rest = co_await fs::readFile(file);
    CHECK(rest.empty());
    co_await file.close();
    auto closed = co_await asResult(fs::readFile(file));
    CHECK(codeOf(closed) == "EBADF");
  };
  CHECK(run(main) == 0);
}

TEST_CASE("all that close a file while it is used wait for the same, and get the same error") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    REQUIRE(::mkfifo("pipe", 0600) == 0);
    auto file = co_await fs::open("pipe", "r+");
    Promise<fs::ReadResult> reading = file.read({.length = 1});
    std::string ended;
    std::vector<Promise<>> closes;
    for (int i = 0; i < 3; ++i) closes.push_back(file.close());
    for (Promise<>& each : closes) each.catch_([&](const std::exception_ptr&) { ended += "x"; });
    co_await leat::sleep(5);
    CHECK(ended.empty());
    leat::testing::FaultInjector injector;
    injector.fail(leat::sys::Call::close, EIO);
    put("pipe", "!");
    const auto read = co_await reading;
    CHECK(read.buffer == "!");
    for (Promise<>& each : closes) {
      auto outcome = co_await asResult(each);
      CHECK(messageOf(outcome) == "EIO: i/o error, close");
    }
    CHECK(ended == "xxx");
    CHECK(injector.count(leat::sys::Call::close) == 1);
    // It is closed all the same.
    co_await file.close();
  };
  CHECK(run(main) == 0);
}
