// SPDX-License-Identifier: MIT
#include "fs_rig.hpp"

#include <thread>

namespace fs = leat::fs;
using leat::asResult;
using leat::Buffer;
using leat::run;
using leat::Task;
using leat_test::codeOf;
using leat_test::get;
using leat_test::messageOf;
using leat_test::put;
using leat_test::TempFolder;
using leat_test::thrownBy;

TEST_CASE("whole files are written, appended to and read") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    co_await fs::writeFile("f", "one", {.mode = 0600});
    co_await fs::appendFile("f", Buffer::from(" two"));
    co_await fs::appendFile("g", "new", {.flush = true});
    const Buffer bytes = co_await fs::readFile("f");
    CHECK(bytes == "one two");
    const std::string text = co_await fs::readFile("g", "utf8");
    CHECK(text == "new");
    co_await fs::writeFile("f", "cut");
    CHECK(get("f") == "cut");
    auto exclusive = co_await asResult(fs::writeFile("f", "x", {.flag = "wx"}));
    CHECK(messageOf(exclusive) == "EEXIST: file already exists, open 'f'");
    co_await fs::writeFile("f", "XY", {.flag = "r+", .flush = true});
    CHECK(get("f") == "XYt");
    co_await fs::writeFile("empty", "");
    const Buffer nothing = co_await fs::readFile("empty");
    CHECK(nothing.empty());
    co_await fs::truncate("f", 2);
    CHECK(get("f") == "XY");
    co_await fs::truncate("f");
    CHECK(get("f").empty());
    const auto stats = co_await fs::stat("f");
    CHECK((stats.mode & 07777) == 0600);
  };
  CHECK(run(main) == 0);
}

TEST_CASE("files larger than a piece come whole, and any bytes stay as they are") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    std::string big(std::size_t{9} << 20, '\0');
    for (std::size_t i = 0; i < big.size(); ++i) big[i] = static_cast<char>(i * 31 >> 3);
    co_await fs::writeFile("big", big);
    const std::string back = co_await fs::readFile("big", "utf8");
    CHECK((back == big));
  };
  CHECK(run(main) == 0);
}

TEST_CASE("files without a size are read to their end") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    const std::string status = co_await fs::readFile("/proc/self/status", "utf8");
    CHECK(status.starts_with("Name:"));
    CHECK(status.ends_with("\n"));
    const auto stats = co_await fs::stat("/proc/self/status");
    CHECK(stats.size == 0);
    const Buffer null = co_await fs::readFile("/dev/null");
    CHECK(null.empty());
    REQUIRE(::mkfifo("pipe", 0600) == 0);
    std::string sent(300'000, 'p');
    std::thread writer([&] { put("pipe", sent); });
    const std::string received = co_await fs::readFile("pipe", "utf8");
    writer.join();
    CHECK((received == sent));
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a long read ends when nobody waits for it any more") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    leat_test::Gate gate(leat::sys::Call::read);
    const leat::AbortController nobody;
    leat::Promise<Buffer> reading =
        leat::spawn(leat::withSignal(nobody.signal(), fs::readFile("/dev/zero")));
    co_await gate.reached();
    nobody.abort();
    auto endless = co_await asResult(reading);
    CHECK(codeOf(endless) == "ABORT_ERR");
    gate.open();
    co_await folder.awaitClosed();
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a file that shrinks while it is read is as long as what was there") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    put("f", std::string(100, 'x'));
    leat_test::Gate gate(leat::sys::Call::read);
    leat::Promise<Buffer> reading = fs::readFile("f");
    co_await gate.reached();
    std::filesystem::resize_file("f", 40);
    gate.open();
    const Buffer shorter = co_await reading;
    CHECK(shorter.size() == 40);
  };
  CHECK(run(main) == 0);
}

TEST_CASE("errors are worded as Node's") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    std::filesystem::create_directory("d");
    put("f", "x");
    auto missing = co_await asResult(fs::open("nope/f"));
    CHECK(messageOf(missing) == "ENOENT: no such file or directory, open 'nope/f'");
    try {
      missing.value();
    } catch (const leat::SystemError& error) {
      CHECK(error.code() == "ENOENT");
      CHECK(error.number() == ENOENT);
      CHECK(error.syscall() == "open");
      CHECK(error.path() == "nope/f");
    }
    auto empty = co_await asResult(fs::readFile(""));
    CHECK(messageOf(empty) == "ENOENT: no such file or directory, open ''");
    auto aFolder = co_await asResult(fs::readFile("d"));
    CHECK(messageOf(aFolder) == "EISDIR: illegal operation on a directory, read");
    auto into = co_await asResult(fs::writeFile("d", "x"));
    CHECK(messageOf(into) == "EISDIR: illegal operation on a directory, open 'd'");
    auto under = co_await asResult(fs::readFile("f/x"));
    CHECK(messageOf(under) == "ENOTDIR: not a directory, open 'f/x'");
    auto both = co_await asResult(fs::rename("nope", "other"));
    CHECK(messageOf(both) == "ENOENT: no such file or directory, rename 'nope' -> 'other'");
    const std::string name(300, 'n');
    auto tooLong = co_await asResult(fs::stat(name));
    CHECK(codeOf(tooLong) == "ENAMETOOLONG");
  };
  CHECK(run(main) == 0);
}

TEST_CASE("arguments that cannot be are refused at the call") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    using std::string_view_literals::operator""sv;
    const std::string start = "ERR_INVALID_ARG_VALUE: The argument '";
    const std::string middle =
        "' must be a string, Uint8Array, or URL without null bytes. Received ";
    CHECK(thrownBy([] { return fs::open("a\0b\n'c\x01"sv); }) ==
          start + "path" + middle + "\"a\\x00b\\n'c\\x01\"");
    CHECK(thrownBy([] { return fs::rename("a", "b\0"sv); }) ==
          start + "newPath" + middle + "'b\\x00'");
    CHECK(thrownBy([] { return fs::copyFile("a\0"sv, "b"); }) ==
          start + "src" + middle + "'a\\x00'");
    CHECK(thrownBy([] { return fs::mkdtemp("\0"sv); }) == start + "prefix" + middle + "'\\x00'");
    CHECK(thrownBy([] { return fs::open("a", "zz"); }) ==
          start + "flags' is invalid. Received 'zz'");
    CHECK(thrownBy([] { return fs::access("a", 8); }) ==
          "ERR_OUT_OF_RANGE: mode is out of range: >= 0 && <= 7");
    CHECK(thrownBy([] { return fs::copyFile("a", "b", 8); }) ==
          "ERR_OUT_OF_RANGE: mode is out of range: >= 0 && <= 7");
    CHECK(thrownBy([] { return fs::readFile("a", "latin9"); }) ==
          start + "encoding' is invalid encoding. Received 'latin9'");
    const std::string received = thrownBy([] { return fs::open(std::string(200, 'a') + '\0'); });
    CHECK(received == start + "path" + middle + "'" + std::string(127, 'a') + "...");
    co_await leat::sleep(1);
  };
  CHECK(run(main) == 0);
}

TEST_CASE("every spelling of a flag is Node's") {
  CHECK(fs::Flags("r").value() == O_RDONLY);
  CHECK(fs::Flags("rs+").value() == (O_RDWR | O_SYNC));
  CHECK(fs::Flags("sr+").value() == (O_RDWR | O_SYNC));
  CHECK(fs::Flags("w").value() == (O_WRONLY | O_CREAT | O_TRUNC));
  CHECK(fs::Flags("xw").value() == (O_WRONLY | O_CREAT | O_TRUNC | O_EXCL));
  CHECK(fs::Flags("wx+").value() == (O_RDWR | O_CREAT | O_TRUNC | O_EXCL));
  CHECK(fs::Flags("a").value() == (O_WRONLY | O_CREAT | O_APPEND));
  CHECK(fs::Flags("ax+").value() == (O_RDWR | O_CREAT | O_APPEND | O_EXCL));
  CHECK(fs::Flags("as+").value() == (O_RDWR | O_CREAT | O_APPEND | O_SYNC));
  CHECK(fs::Flags(O_PATH).value() == O_PATH);
}
