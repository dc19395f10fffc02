// SPDX-License-Identifier: MIT
#include "fs_rig.hpp"

namespace fs = leat::fs;
namespace stdfs = std::filesystem;
using leat::AbortController;
using leat::asResult;
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

void makeTreeToCopy() {
  stdfs::create_directories("a/in/deep");
  stdfs::create_directories("a/out");
  put("a/in/deep/f", "f");
  put("a/out/never", "x");
  put("a/last", "last");
  stdfs::permissions("a/in", stdfs::perms(0750));
}

}  // namespace

TEST_CASE("cp copies what its filter wants, and does not look into folders that it refuses") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    makeTreeToCopy();
    std::string asked;
    auto filter = [&](const std::string& src, const std::string& dest) {
      asked += src + ">" + dest + " ";
      return src != "a/out";
    };
    co_await fs::cp("a", "new/b", filter, {.recursive = true});
    CHECK(asked ==
          "a>new/b a/in>new/b/in a/in/deep>new/b/in/deep a/in/deep/f>new/b/in/deep/f "
          "a/last>new/b/last a/out>new/b/out ");
    CHECK(get("new/b/in/deep/f") == "f");
    CHECK(get("new/b/last") == "last");
    CHECK_FALSE(stdfs::exists("new/b/out"));
    const auto in = co_await fs::stat("new/b/in");
    CHECK((in.mode & 07777) == 0750);
  };
  CHECK(run(main) == 0);
}

TEST_CASE("the options of cp hold with a filter too") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    makeTreeToCopy();
    const auto every = [](std::string_view, std::string_view) { return true; };
    auto flat = co_await asResult(fs::cp("a", "b", every));
    CHECK(codeOf(flat) == "ERR_FS_EISDIR");
    stdfs::create_symlink("last", "a/link");
    co_await fs::utimes("a/last", 100, 200);
    co_await fs::cp("a", "b", every,
                    {.recursive = true, .preserveTimestamps = true, .verbatimSymlinks = true});
    const auto last = co_await fs::stat("b/last");
    CHECK(last.mtimeMs == 200e3);
    CHECK(stdfs::read_symlink("b/link") == "last");
    put("b/last", "other");
    stdfs::remove("b/link");
    co_await fs::cp("a", "b", every, {.recursive = true, .force = false});
    CHECK(get("b/last") == "other");
    auto exists = co_await asResult(
        fs::cp("a/last", "b/last", every, {.force = false, .errorOnExist = true}));
    CHECK(codeOf(exists) == "ERR_FS_CP_EEXIST");
    auto exclusive = co_await asResult(
        fs::cp("a/in", "a/in/deep/x", every, {.recursive = true, .mode = fs::COPYFILE_EXCL}));
    CHECK(codeOf(exclusive) == "ERR_FS_CP_EINVAL");
    co_await fs::cp("a/link", "followed", every, {.dereference = true});
    CHECK_FALSE(stdfs::is_symlink("followed"));
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a filter of cp may be a coroutine, and is asked one at a time") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    makeTreeToCopy();
    int open = 0;
    int most = 0;
    auto filter = [&](std::string src, std::string) -> Task<bool> {
      most = std::max(most, ++open);
      co_await leat::sleep(1);
      --open;
      co_return src.find("out") == std::string::npos;
    };
    co_await fs::cp("a", "b", filter, {.recursive = true});
    CHECK(most == 1);
    CHECK(get("b/in/deep/f") == "f");
    CHECK_FALSE(stdfs::exists("b/out"));
    auto promised = [](const std::string& src, const std::string&) -> Promise<bool> {
      co_return src != "a/last";
    };
    Promise<> copying = fs::cp("a", "c", promised, {.recursive = true});
    co_await copying;
    CHECK(get("c/out/never") == "x");
    CHECK_FALSE(stdfs::exists("c/last"));
  };
  CHECK(run(main) == 0);
}

TEST_CASE("cp looks at nothing that its filter refuses, and throws what its filter throws") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    makeTreeToCopy();
    const auto none = [](std::string_view, std::string_view) { return false; };
    co_await fs::cp("nowhere", "b", none);
    CHECK_FALSE(stdfs::exists("b"));
    auto picky = [](const std::string& src, const std::string&) {
      if (src == "a/last") throw leat::Error("not this");
      return true;
    };
    auto thrown = co_await asResult(fs::cp("a", "b", picky, {.recursive = true}));
    CHECK(messageOf(thrown) == "not this");
    CHECK(stdfs::exists("b/in/deep/f"));
    CHECK_FALSE(stdfs::exists("b/out"));
    auto rejecting = [](std::string, std::string) -> Task<bool> {
      co_await leat::sleep(0);
      throw leat::Error("later");
    };
    auto later = co_await asResult(fs::cp("a", "c", rejecting, {.recursive = true}));
    CHECK(messageOf(later) == "later");
    CHECK_FALSE(stdfs::exists("c"));
    const auto every = [](std::string_view, std::string_view) { return true; };
    auto missing = co_await asResult(fs::cp("nowhere", "c", every));
    CHECK(messageOf(missing) == "ENOENT: no such file or directory, lstat 'nowhere'");
  };
  CHECK(run(main) == 0);
}

TEST_CASE("an abort ends a filtered copy, wherever it is") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    makeTreeToCopy();
    AbortController before;
    before.abort();
    int asked = 0;
    auto counting = [&](std::string_view, std::string_view) { return ++asked > 0; };
    auto never = co_await asResult(fs::cp("a", "b", counting, {.signal = before}));
    CHECK(codeOf(never) == "ABORT_ERR");
    CHECK(asked == 0);

    AbortController during;
    auto aborting = [&](std::string_view src, std::string_view) {
      ++asked;
      if (src == "a/in") during.abort();
      return src == "a";
    };
    auto inFilter =
        co_await asResult(fs::cp("a", "b", aborting, {.recursive = true, .signal = during}));
    CHECK(codeOf(inFilter) == "ABORT_ERR");
    CHECK(asked == 2);

    auto waiting = [](std::string, std::string) -> Task<bool> {
      co_await leat::sleep(60'000);
      co_return true;
    };
    auto byOption =
        co_await asResult(fs::cp("a", "c", waiting, {.signal = leat::AbortSignal::timeout(5)}));
    CHECK(codeOf(byOption) == "ABORT_ERR");
    auto byContext = co_await asResult(
        leat::withSignal(leat::AbortSignal::timeout(5), fs::cp("a", "c", waiting)));
    CHECK(codeOf(byContext) == "ABORT_ERR");
    CHECK_FALSE(stdfs::exists("c"));
    {
      const auto every = [](std::string_view, std::string_view) { return true; };
      Gate gate(leat::sys::Call::copy_file_range);
      AbortController copying;
      Promise<> left = fs::cp("a", "d", every, {.recursive = true, .signal = copying});
      co_await gate.reached();
      copying.abort();
      auto outcome = co_await asResult(left);
      CHECK(codeOf(outcome) == "ABORT_ERR");
    }
    co_await folder.awaitClosed();
    CHECK_FALSE(stdfs::exists("d/last"));
  };
  CHECK(run(main) == 0);
}

TEST_CASE("cp refuses options that cannot be, with a filter and without") {
  const auto every = [](std::string_view, std::string_view) { return true; };
  const auto main = [&] {
    const std::string_view pair =
        "ERR_INCOMPATIBLE_OPTION_PAIR: Option \"dereference\" cannot be used in combination with "
        "option \"verbatimSymlinks\"";
    CHECK(thrownBy([] {
            return fs::cp("a", "b", {.dereference = true, .verbatimSymlinks = true});
          }) == pair);
    CHECK(thrownBy([&] {
            return fs::cp("a", "b", every, {.dereference = true, .verbatimSymlinks = true});
          }) == pair);
    CHECK(thrownBy([&] {
            return fs::cp("a", "b", every, {.mode = 8});
          }).starts_with("ERR_OUT_OF_RANGE: mode is out of range"));
    CHECK(thrownBy([&] {
            return fs::cp("a", std::string_view("b\0c", 3), every);
          }).starts_with("ERR_INVALID_ARG_VALUE: The argument 'dest' must be a string"));
  };
  CHECK(run(main) == 0);
}
