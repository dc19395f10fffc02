// SPDX-License-Identifier: MIT
#include "fs_rig.hpp"

#include <leat/loop/with_timeout.hpp>

#include <algorithm>

namespace fs = leat::fs;
using leat::AbortController;
using leat::asResult;
using leat::run;
using leat::Task;
using leat_test::codeOf;
using leat_test::Gate;
using leat_test::messageOf;
using leat_test::put;
using leat_test::TempFolder;

namespace {

using Names = std::vector<std::string>;

/// d/{a,b/{c,e/f},l -> b}
void makeTree() {
  std::filesystem::create_directories("d/b/e");
  for (const char* name : {"d/a", "d/b/c", "d/b/e/f"}) put(name, name);
  std::filesystem::create_symlink("b", "d/l");
}

Task<Names> namesOf(fs::Dir dir) {
  Names names;
  while (auto entry = co_await dir.next()) names.push_back(entry->parentPath + "/" + entry->name);
  std::sort(names.begin(), names.end());
  co_return names;
}

}  // namespace

TEST_CASE("folders are made, one or all that are missing") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    const auto one = co_await fs::mkdir("d", {.mode = 0700});
    CHECK_FALSE(one);
    const auto many = co_await fs::mkdir("d/x/y/z/", {.recursive = true});
    CHECK(many == "d/x");
    const auto none = co_await fs::mkdir("d/x/y", {.recursive = true});
    CHECK_FALSE(none);
    auto again = co_await asResult(fs::mkdir("d"));
    CHECK(messageOf(again) == "EEXIST: file already exists, mkdir 'd'");
    put("f", "x");
    auto overFile = co_await asResult(fs::mkdir("f", {.recursive = true}));
    CHECK(messageOf(overFile) == "EEXIST: file already exists, mkdir 'f'");
    auto underFile = co_await asResult(fs::mkdir("f/x/y", {.recursive = true}));
    CHECK(messageOf(underFile) == "ENOTDIR: not a directory, mkdir 'f/x/y'");
    auto empty = co_await asResult(fs::mkdir("", {.recursive = true}));
    CHECK(messageOf(empty) == "ENOENT: no such file or directory, mkdir ''");
    const auto made = co_await fs::stat("d");
    CHECK((made.mode & 07777) == 0700);
    co_await fs::rmdir("d/x/y/z");
    auto full = co_await asResult(fs::rmdir("d"));
    CHECK(messageOf(full) == "ENOTEMPTY: directory not empty, rmdir 'd'");
    const std::string temporary = co_await fs::mkdtemp("d/t-");
    CHECK(temporary.size() == 10);
    CHECK(std::filesystem::is_directory(temporary));
    std::string deep = "deep";
    for (int i = 0; i < 300; ++i) deep += "/deep";
    const auto first = co_await fs::mkdir(deep, {.recursive = true});
    CHECK(first == "deep");
    co_await fs::rm("deep", {.recursive = true});
    CHECK_FALSE(std::filesystem::exists("deep"));
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a folder is listed, with kinds and with what lies below") {
  const TempFolder folder;
  makeTree();
  const auto main = []() -> Task<> {
    const Names names = co_await fs::readdir("d");
    CHECK(names == Names{"a", "b", "l"});
    const Names all = co_await fs::readdir("d", {.recursive = true});
    CHECK(all == Names{"a", "b", "l", "b/c", "b/e", "b/e/f"});
    const auto entries = co_await fs::readdir("d", fs::withFileTypes, {.recursive = true});
    REQUIRE(entries.size() == 6);
    CHECK((entries[0].name == "a" && entries[0].isFile() && entries[0].parentPath == "d"));
    CHECK((entries[1].name == "b" && entries[1].isDirectory()));
    CHECK((entries[2].name == "l" && entries[2].isSymbolicLink()));
    CHECK((entries[5].name == "f" && entries[5].parentPath == "d/b/e"));
    auto missing = co_await asResult(fs::readdir("no"));
    CHECK(messageOf(missing) == "ENOENT: no such file or directory, scandir 'no'");
    auto file = co_await asResult(fs::readdir("d/a"));
    CHECK(messageOf(file) == "ENOTDIR: not a directory, scandir 'd/a'");
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a Dir that fetches no entries at once is refused") {
  const TempFolder folder;
  const auto main = [] {
    CHECK(
        leat_test::thrownBy([] { return fs::opendir(".", {.bufferSize = 0}); }) ==
        "ERR_OUT_OF_RANGE: The value of \"options.bufferSize\" is out of range. It must be >= 1 && "
        "<= 4294967295. Received 0");
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a Dir gives its entries one at a time") {
  const TempFolder folder;
  makeTree();
  const auto main = [&]() -> Task<> {
    {
      auto dir = co_await fs::opendir("d", {.bufferSize = 1});
      CHECK(dir.path() == "d");
      const Names names = co_await namesOf(dir);
      CHECK(names == Names{"d/a", "d/b", "d/l"});
      const auto behind = co_await dir.read();
      CHECK_FALSE(behind);
      co_await dir.close();
      auto closed = co_await asResult(dir.next());
      CHECK(codeOf(closed) == "ERR_DIR_CLOSED");
      auto twice = co_await asResult(dir.close());
      CHECK(codeOf(twice) == "ERR_DIR_CLOSED");
      CHECK(messageOf(twice) == "Directory handle was closed");
      auto deep = co_await fs::opendir("d", {.recursive = true});
      const Names all = co_await namesOf(deep);
      CHECK(all == Names{"d/a", "d/b", "d/b/c", "d/b/e", "d/b/e/f", "d/l"});
      auto dropped = co_await fs::opendir("d");
      auto missing = co_await asResult(fs::opendir("no"));
      CHECK(messageOf(missing) == "ENOENT: no such file or directory, opendir 'no'");
    }
    co_await folder.awaitClosed();
  };
  CHECK(run(main) == 0);
}

TEST_CASE("an aborted read of a Dir loses no entry") {
  const TempFolder folder;
  for (int i = 0; i < 100; ++i) put("f" + std::to_string(i), "");
  const auto main = []() -> Task<> {
    auto dir = co_await fs::opendir(".");
    std::size_t aborted = 0;
    {
      Gate gate(leat::sys::Call::readdir);
      auto nothing =
          co_await asResult(leat::withSignal(leat::AbortSignal::timeout(10), dir.next()));
      if (codeOf(nothing) == "ABORT_ERR") ++aborted;
    }
    CHECK(aborted == 1);
    const Names all = co_await namesOf(dir);
    CHECK(all.size() == 100);
  };
  CHECK(run(main) == 0);
}

TEST_CASE("rm removes files, trees and links, and what is not there only when forced") {
  const TempFolder folder;
  makeTree();
  put("outside", "x");
  std::filesystem::create_directory("kept");
  put("kept/file", "x");
  std::filesystem::create_directory_symlink("../kept", "d/link");
  const auto main = []() -> Task<> {
    auto aFolder = co_await asResult(fs::rm("d"));
    CHECK(messageOf(aFolder) == "Path is a directory: rm returned EISDIR (is a directory) d");
    CHECK(codeOf(aFolder) == "ERR_FS_EISDIR");
    co_await fs::rm("d", {.recursive = true});
    CHECK_FALSE(std::filesystem::exists("d"));
    CHECK(std::filesystem::exists("kept/file"));
    co_await fs::rm("outside");
    auto gone = co_await asResult(fs::rm("outside"));
    CHECK(messageOf(gone) == "ENOENT: no such file or directory, lstat 'outside'");
    co_await fs::rm("outside", {.force = true});
    co_await fs::rm("none", {.recursive = true, .force = true});
    std::filesystem::create_directory_symlink("kept", "l");
    co_await fs::rm("l", {.recursive = true});
    CHECK(std::filesystem::exists("kept/file"));
  };
  CHECK(run(main) == 0);
}

TEST_CASE("rm tries again what is busy") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    leat::testing::FaultInjector injector;
    makeTree();
    injector.fail(leat::sys::Call::unlink, EBUSY, 1, 2);
    auto once = co_await asResult(fs::rm("d", {.recursive = true}));
    CHECK(codeOf(once) == "EBUSY");
    injector.fail(leat::sys::Call::unlink, EBUSY, 1, 2);
    const std::int64_t start = leat::sys::monotonicNs();
    co_await fs::rm("d", {.recursive = true, .maxRetries = 2, .retryDelay = 10});
    CHECK(injector.blown() == 2);
    CHECK(leat::sys::monotonicNs() - start >= 30'000'000);
    CHECK_FALSE(std::filesystem::exists("d"));
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a folder in a place where none can be made is an error, also recursively") {
  const TempFolder folder;
  std::filesystem::create_directory("gone");
  std::filesystem::current_path("gone");
  std::filesystem::remove("../gone");
  const auto main = []() -> Task<> {
    auto inProc = co_await asResult(fs::mkdir("/proc/nowhere/y", {.recursive = true}));
    CHECK(codeOf(inProc) == "ENOENT");
    auto inGone = co_await asResult(fs::mkdir("./a/b", {.recursive = true}));
    CHECK(codeOf(inGone) == "ENOENT");
  };
  CHECK(run(main) == 0);
  std::filesystem::current_path(folder.path());
}

TEST_CASE("a read of a folder that is under way when it is closed gets its entry") {
  const TempFolder folder;
  makeTree();
  const auto main = []() -> Task<> {
    const fs::Dir dir = co_await fs::opendir("d", {.bufferSize = 1});
    auto first = leat::spawn(dir.next());
    auto second = leat::spawn(dir.next());
    co_await dir.close();
    const auto one = co_await std::move(first);
    const auto two = co_await std::move(second);
    CHECK(one);
    CHECK(two);
    auto after = co_await asResult(dir.next());
    CHECK(codeOf(after) == "ERR_DIR_CLOSED");
    auto again = co_await asResult(dir.close());
    CHECK(codeOf(again) == "ERR_DIR_CLOSED");
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a close of a folder that is not awaited closes nothing") {
  const TempFolder folder;
  makeTree();
  const auto main = []() -> Task<> {
    const fs::Dir dir = co_await fs::opendir("d");
    {
      auto dropped = dir.close();
    }
    const auto entry = co_await dir.next();
    CHECK(entry);
    co_await dir.close();
  };
  CHECK(run(main) == 0);
}

TEST_CASE("rm that waits to try again leaves its worker when it is aborted") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    leat::testing::FaultInjector injector;
    const unsigned workers = leat::detail::BlockingPool::shared().maxThreads();
    injector.fail(leat::sys::Call::unlink, EBUSY, 1, workers);
    const AbortController aborter;
    std::vector<leat::Promise<>> removals;
    for (unsigned i = 0; i < workers; ++i) {
      const std::string name = "f" + std::to_string(i);
      put(name, "x");
      fs::RmOptions options{.recursive = true, .maxRetries = 1, .retryDelay = 600'000};
      options.signal = aborter;
      removals.push_back(leat::spawn(fs::rm(name, options)));
    }
    while (injector.blown() < workers) co_await leat::sleep(1);
    aborter.abort();
    for (auto& removal : removals) {
      auto ended = co_await asResult(std::move(removal));
      CHECK(codeOf(ended) == "ABORT_ERR");
    }
    auto written = co_await asResult(leat::withTimeout(60'000, fs::writeFile("free", "x")));
    CHECK(written.ok());
  };
  CHECK(run(main) == 0);
}
