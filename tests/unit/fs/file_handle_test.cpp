// SPDX-License-Identifier: MIT
#include "fs_rig.hpp"

#include <leat/loop/with_timeout.hpp>

#include <sys/stat.h>

namespace fs = leat::fs;
using leat::AbortController;
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

TEST_CASE("a file is read and written at positions and where it stands") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    put("f", "0123456789");
    auto file = co_await fs::open("f", "r+");
    CHECK(file.fd() >= 0);
    const auto first = co_await file.read({.length = 3});
    CHECK(first.bytesRead == 3);
    CHECK(first.buffer == "012");
    const auto at = co_await file.read(Buffer::alloc(4), {.offset = 1, .length = 2, .position = 7});
    CHECK(at.bytesRead == 2);
    CHECK(at.buffer.toString() == std::string("\0"
                                              "78\0",
                                              4));
    const auto next = co_await file.read(Buffer::alloc(100));
    CHECK(next.bytesRead == 7);
    const auto end = co_await file.read();
    CHECK(end.bytesRead == 0);
    CHECK(end.buffer.size() == 16384);
    const auto nothing = co_await file.read(Buffer(), {.length = 0});
    CHECK(nothing.bytesRead == 0);
    const auto written = co_await file.write("AB", 2);
    CHECK(written.bytesWritten == 2);
    CHECK(written.buffer == "AB");
    co_await file.write("end");
    const Buffer part = Buffer::from("xyz");
    co_await file.write(part, {.offset = 1, .length = 1, .position = 0});
    CHECK(get("f") == "y1AB456789end");
    co_await file.close();
  };
  CHECK(run(main) == 0);
}

TEST_CASE("vectors fill and empty buffers in order, more than the system takes at once too") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    auto file = co_await fs::open("f", "w+");
    std::vector<Buffer> parts;
    std::string whole;
    for (int i = 0; i < 3000; ++i) {
      parts.push_back(Buffer::from(std::to_string(i) + ","));
      whole += std::to_string(i) + ",";
    }
    const auto written = co_await file.writev(parts);
    CHECK(written.bytesWritten == whole.size());
    CHECK(get("f") == whole);
    std::vector<Buffer> into;
    for (int i = 0; i < 2000; ++i) into.push_back(Buffer::alloc(4));
    const auto read = co_await file.readv(into, 2);
    CHECK(read.bytesRead == 8000);
    CHECK(read.buffers.size() == 2000);
    CHECK(Buffer::concat(read.buffers) == std::string_view(whole).substr(2, 8000));
    const auto none = co_await file.writev(std::vector<Buffer>());
    CHECK(none.bytesWritten == 0);
    std::vector<Buffer> two;
    two.push_back(Buffer::from("<"));
    two.push_back(Buffer::from(">"));
    co_await file.writev(two, 0);
    CHECK(get("f").substr(0, 4) == "<>1,");
    const auto rest = co_await file.readv(two, static_cast<std::int64_t>(whole.size()) - 1);
    CHECK(rest.bytesRead == 1);
  };
  CHECK(run(main) == 0);
}

TEST_CASE("positions go beyond 32 bits") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    auto file = co_await fs::open("sparse", "w+");
    const std::int64_t far = (std::int64_t{1} << 33) + 5;
    co_await file.write("far", far);
    const auto stats = co_await file.stat();
    CHECK(stats.size == far + 3);
    const auto back = co_await file.read({.length = 3, .position = far});
    CHECK(back.buffer == "far");
    co_await file.truncate((std::int64_t{1} << 32) + 1);
    const auto cut = co_await fs::stat("sparse");
    CHECK(cut.size == (std::int64_t{1} << 32) + 1);
    auto whole = co_await asResult(fs::readFile("sparse"));
    CHECK(codeOf(whole) == "ERR_FS_FILE_TOO_LARGE");
    CHECK(messageOf(whole) == "File size (4294967297) is greater than 2 GiB");
  };
  CHECK(run(main) == 0);
}

TEST_CASE("everything a handle knows: whole files, mode, owner, times, sync") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    auto file = co_await fs::open("f", "w+", 0600);
    co_await file.writeFile("hello ");
    co_await file.appendFile(Buffer::from("world"));
    co_await file.sync();
    co_await file.datasync();
    const std::string behind = co_await file.readFile("utf8");
    CHECK(behind.empty());
    auto reader = co_await fs::open("f");
    const std::string text = co_await reader.readFile("UTF-8");
    CHECK(text == "hello world");
    const Buffer rest = co_await reader.readFile();
    CHECK(rest.empty());
    co_await file.truncate(5);
    co_await file.chmod(0640);
    co_await file.utimes(1.5, 1234567890);
    co_await file.chown(::getuid(), ::getgid());
    const auto stats = co_await file.stat();
    CHECK((stats.mode & 07777) == 0640);
    CHECK(stats.isFile());
    CHECK(stats.size == 5);
    CHECK(stats.atimeNs == 1'500'000'000);
    CHECK(stats.mtimeMs == 1234567890e3);
    CHECK(stats.uid == ::getuid());
    co_await file.truncate();
    CHECK(get("f").empty());
  };
  CHECK(run(main) == 0);
}

TEST_CASE("close waits for what is in flight, and what comes later finds the file closed") {
  const TempFolder folder;
  std::string trace;
  const auto main = [&]() -> Task<> {
    put("f", "text");
    auto file = co_await fs::open("f");
    const auto copy = file;
    Gate gate(leat::sys::Call::pread);
    Promise<fs::ReadResult> reading = file.read({.length = 4, .position = 0});
    reading.then([&](const fs::ReadResult& r) { trace += "read " + r.buffer.toString() + " "; });
    co_await gate.reached();
    Promise<> closing = file.close();
    closing.then([&] { trace += "closed "; });
    CHECK(file.fd() == -1);
    CHECK(copy.fd() == -1);
    co_await leat::sleep(5);
    CHECK(trace.empty());
    auto late = co_await asResult(copy.stat());
    CHECK(messageOf(late) == "file closed");
    CHECK(codeOf(late) == "EBADF");
    Promise<> second = copy.close();
    second.then([&] { trace += "closed "; });
    co_await leat::sleep(5);
    CHECK(trace.empty());
    gate.open();
    co_await closing;
    co_await second;
    co_await file.close();
  };
  CHECK(run(main) == 0);
  CHECK(trace == "read text closed closed ");
}

TEST_CASE("a file is closed when its last handle goes, and not before") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    put("f", "text");
    {
      auto file = co_await fs::open("f");
      auto other = file;
      file = co_await fs::open("f");
      const auto read = co_await other.read({.length = 4});
      CHECK(read.buffer == "text");
      // An operation that has not begun holds the file too.
      auto waiting = fs::open("f");
      auto unused = other.stat();
    }
    co_await folder.awaitClosed();
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a cancelled open or read leaves nothing open and its late result is discarded") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    put("f", "text");
    AbortController controller;
    {
      Gate gate(leat::sys::Call::open);
      Promise<fs::FileHandle> opening = fs::open("f", "r", 0666, {.signal = controller});
      co_await gate.reached();
      controller.abort(leat::Error("enough"));
      auto opened = co_await asResult(opening);
      CHECK(codeOf(opened) == "ABORT_ERR");
    }
    co_await folder.awaitClosed();
    auto file = co_await fs::open("f");
    auto before = co_await asResult(file.stat({.signal = controller}));
    CHECK(codeOf(before) == "ABORT_ERR");
    {
      Gate gate(leat::sys::Call::read);
      auto ambient = co_await asResult(
          leat::withSignal(leat::AbortSignal::timeout(20), file.read({.length = 4})));
      CHECK(codeOf(ambient) == "ABORT_ERR");
    }
    AbortController aborted;
    aborted.abort();
    co_await leat::withSignal(aborted.signal(), file.close());
    co_await folder.awaitClosed();
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a loop that ends with operations in flight leaves no descriptor behind") {
  const TempFolder folder;
  put("f", "text");
  for (const auto call : {leat::sys::Call::open, leat::sys::Call::read, leat::sys::Call::close}) {
    Gate gate(call);
    {
      leat::EventLoop loop;
      auto running = leat::spawn([]() -> Task<> {
        auto file = co_await fs::open("f");
        co_await file.read();
        co_await file.close();
      }());
      for (int i = 0; i < 20; ++i) loop.runOnce(1);
    }
    gate.open();
    folder.checkClosed();
  }
}

TEST_CASE("an operation that is never awaited does nothing") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    {
      auto never = fs::writeFile("f", "x");
    }
    co_await leat::sleep(5);
    auto stats = co_await asResult(fs::stat("f"));
    CHECK(messageOf(stats) == "ENOENT: no such file or directory, stat 'f'");
    auto twice = fs::writeFile("f", "x");
    co_await std::move(twice);
    auto again = co_await asResult(std::move(twice));
    CHECK(codeOf(again) == "ERR_TASK_CONSUMED");
  };
  CHECK(run(main) == 0);
}

TEST_CASE("parts of buffers are checked as in Node") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    auto file = co_await fs::open("f", "w+");
    const auto reading = [&](fs::TransferOptions options) {
      return thrownBy([&] { return file.read(Buffer::alloc(4), options); });
    };
    const auto writing = [&](fs::TransferOptions options) {
      return thrownBy([&] { return file.write(Buffer::alloc(4), options); });
    };
    const std::string range = "ERR_OUT_OF_RANGE: The value of ";
    CHECK(reading({.length = 9}) ==
          range + "\"length\" is out of range. It must be <= 4. Received 9");
    CHECK(reading({.offset = 9}) ==
          range + "\"length\" is out of range. It must be >= 0. Received -5");
    CHECK(reading({.offset = -1}) ==
          range +
              "\"offset\" is out of range. It must be >= 0 && <= 9007199254740991. Received -1");
    CHECK(writing({.offset = 9}) ==
          range + "\"offset\" is out of range. It must be <= 4. Received 9");
    CHECK(writing({.offset = 2, .length = 3}) ==
          range + "\"length\" is out of range. It must be <= 2. Received 3");
    CHECK(thrownBy([&] { return file.read(Buffer(), {.length = 3}); }) ==
          "ERR_INVALID_ARG_VALUE: The argument 'buffer' is empty and cannot be written. Received "
          "<Buffer >");
    CHECK(thrownBy([&] { return file.readFile("foo"); }) ==
          "ERR_INVALID_ARG_VALUE: The argument 'encoding' is invalid encoding. Received 'foo'");
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a pipe that gave something to a read into many buffers is not read once more") {
  const TempFolder folder;
  REQUIRE(::mkfifo("pipe", 0666) == 0);
  const auto main = []() -> Task<> {
    auto pipe = co_await fs::open("pipe", "r+");
    co_await pipe.write(std::string(1024, 'x'));
    std::vector<Buffer> rooms;
    for (int i = 0; i < 1500; ++i) rooms.push_back(Buffer::alloc(1));
    const auto got = co_await leat::withTimeout(10'000, pipe.readv(rooms));
    CHECK(got.bytesRead == 1024);
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a part of a buffer that read makes by itself is checked before it is added up") {
  const TempFolder folder;
  put("f", "abc");
  const auto main = []() -> Task<> {
    const auto file = co_await fs::open("f");
    const auto tried = [&](fs::TransferOptions part) -> Task<std::string> {
      auto result = co_await asResult([&]() -> Task<> { co_await file.read(part); }());
      co_return messageOf(result);
    };
    const std::string below = co_await tried({.offset = -5, .length = 3});
    CHECK(below ==
          "The value of \"offset\" is out of range. It must be >= 0 && <= 9007199254740991. "
          "Received -5");
    const std::string beyond = co_await tried({.offset = INT64_MAX, .length = INT64_MAX});
    CHECK(beyond.find("\"length\" is out of range") != std::string::npos);
  };
  CHECK(run(main) == 0);
}
