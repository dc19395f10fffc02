// SPDX-License-Identifier: MIT
#include "fs_rig.hpp"

#include <leat/loop/with_timeout.hpp>

#include <set>

namespace fs = leat::fs;
namespace stdfs = std::filesystem;
using leat::AbortController;
using leat::asResult;
using leat::Promise;
using leat::run;
using leat::Task;
using leat_test::codeOf;
using leat_test::messageOf;
using leat_test::put;
using leat_test::TempFolder;

namespace {

/// Takes events until `wanted` ("rename f") came; false when it does not come.
Task<bool> seen(fs::Watcher watcher, std::string wanted) {
  for (;;) {
    auto event = co_await asResult(leat::withTimeout(10'000, watcher.next()));
    if (!event.ok() || !event.value()) co_return false;
    const fs::WatchEvent& e = *event.value();
    if (std::string(e.eventType) + " " + e.filename == wanted) co_return true;
  }
}

/// The names in the events up to that of `last`.
Task<std::set<std::string>> namesUpTo(fs::Watcher watcher, std::string last) {
  std::set<std::string> names;
  while (names.count(last) == 0) {
    const auto event = co_await watcher.next();
    names.insert(event->filename);
  }
  co_return names;
}

/// How many files and folders the system watches for this process.
int watches() {
  int count = 0;
  for (const auto& entry : stdfs::directory_iterator("/proc/self/fdinfo")) {
    const std::string about = leat_test::get(entry.path().string());
    for (std::size_t at = 0; (at = about.find("inotify wd:", at)) != std::string::npos; ++at)
      ++count;
  }
  return count;
}

/// Events in "d", of which the system loses the last ones.
void moreThanIsKept() {
  long most = 0;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> most;
  INFO("so many events that they cannot be lost in a test: fs.inotify.max_queued_events");
  REQUIRE(most > 0);
  REQUIRE(most <= 4'000'000);
  put("d/a", "");
  put("d/b", "");
  // Two files in turn: what is told twice in a row is told once.
  for (long i = 0; i <= most; ++i) ::utimensat(AT_FDCWD, i % 2 == 0 ? "d/a" : "d/b", nullptr, 0);
}

/// Takes events until there is an error, and gives its code.
Promise<std::string> codeOfEnd(fs::Watcher watcher) {
  for (;;) {
    auto event = co_await asResult(watcher.next());
    if (!event.ok()) co_return codeOf(event);
  }
}

}  // namespace

TEST_CASE("what happens in a folder is told, also what came while nobody waited") {
  const TempFolder folder;
  stdfs::create_directory("d");
  const auto main = [&]() -> Task<> {
    {
      auto watcher = co_await fs::watch("d");
      put("d/f", "");
      stdfs::rename("d/f", "d/g");
      const bool made = co_await seen(watcher, "rename f");
      CHECK(made);
      const bool moved = co_await seen(watcher, "rename g");
      CHECK(moved);
      Promise<bool> waiting = seen(watcher, "change g");
      co_await leat::sleep(10);
      put("d/g", "more");
      const bool changed = co_await waiting;
      CHECK(changed);
      stdfs::remove("d/g");
      const bool removed = co_await seen(watcher, "rename g");
      CHECK(removed);
    }
    co_await folder.awaitClosed();
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a file is watched by its name") {
  const TempFolder folder;
  stdfs::create_directory("d");
  put("d/f", "");
  const auto main = []() -> Task<> {
    auto watcher = co_await fs::watch("d/f");
    put("d/f", "text");
    const bool changed = co_await seen(watcher, "change f");
    CHECK(changed);
    stdfs::remove("d/f");
    const bool removed = co_await seen(watcher, "rename f");
    CHECK(removed);
    auto missing = co_await asResult(fs::watch("d/f"));
    CHECK(messageOf(missing) == "ENOENT: no such file or directory, watch 'd/f'");
  };
  CHECK(run(main) == 0);
}

TEST_CASE(
    "a recursive watch sees folders that were there, that are new, and not those moved away") {
  const TempFolder folder;
  stdfs::create_directories("d/old/deep");
  const auto main = []() -> Task<> {
    auto watcher = co_await fs::watch("d", {.recursive = true});
    put("d/old/deep/f", "x");
    const bool deep = co_await seen(watcher, "rename old/deep/f");
    CHECK(deep);
    stdfs::create_directories("d/new/inner");
    put("d/new/inner/g", "x");
    const bool told = co_await seen(watcher, "rename new/inner/g");
    CHECK(told);
    put("d/new/inner/h", "x");
    const bool later = co_await seen(watcher, "rename new/inner/h");
    CHECK(later);
    stdfs::rename("d/old", "away");
    const bool moved = co_await seen(watcher, "rename old");
    CHECK(moved);
    put("away/deep/unseen", "x");
    put("d/last", "x");
    const std::set<std::string> names = co_await namesUpTo(watcher, "last");
    CHECK(names.count("old/deep/unseen") == 0);
  };
  CHECK(run(main) == 0);
}

TEST_CASE(
    "when the system loses events a watch says so, and a recursive one looks again for folders") {
  const TempFolder folder;
  stdfs::create_directories("d/moved/deep");
  stdfs::create_directories("d/stays");
  const auto main = [&]() -> Task<> {
    auto watcher = co_await fs::watch("d", {.recursive = true});
    auto plain = co_await fs::watch("d");
    moreThanIsKept();
    stdfs::create_directories("d/lost/deep");
    stdfs::rename("d/moved", "away");
    stdfs::rename("d/stays", "d/renamed");
    const bool overflow = co_await seen(watcher, "rename ");
    CHECK(overflow);
    const bool alsoPlain = co_await seen(plain, "rename ");
    CHECK(alsoPlain);
    put("d/renamed/f", "x");
    const bool renamed = co_await seen(watcher, "rename renamed/f");
    CHECK(renamed);
    put("d/lost/deep/f", "x");
    const bool found = co_await seen(watcher, "rename lost/deep/f");
    CHECK(found);
    put("away/deep/unseen", "x");
    put("d/last", "x");
    const std::set<std::string> names = co_await namesUpTo(watcher, "last");
    CHECK(names.count("moved/deep/unseen") == 0);
    CHECK(watches() == 4 + 1);
    const bool plainGoesOn = co_await seen(plain, "rename last");
    CHECK(plainGoesOn);
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a recursive watch that lost events and cannot see all folders keeps those it had") {
  const TempFolder folder;
  stdfs::create_directories("d/one/deep");
  stdfs::create_directories("d/two");
  const auto main = [&]() -> Task<> {
    auto watcher = co_await fs::watch("d", {.recursive = true});
    moreThanIsKept();
    {
      leat::testing::FaultInjector faults;
      faults.fail(leat::sys::Call::inotify_add_watch, ENOSPC, 2);
      const std::string code = co_await codeOfEnd(watcher);
      CHECK(code == "ENOSPC");
    }
    put("d/one/deep/f", "x");
    const bool deep = co_await seen(watcher, "rename one/deep/f");
    CHECK(deep);
    put("d/two/f", "x");
    const bool flat = co_await seen(watcher, "rename two/f");
    CHECK(flat);
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a recursive watch looks again for folders also when nobody waits for it any more") {
  const TempFolder folder;
  stdfs::create_directories("d/one/deep");
  const auto main = [&]() -> Task<> {
    auto watcher = co_await fs::watch("d", {.recursive = true});
    moreThanIsKept();
    stdfs::create_directories("d/lost/deep");
    {
      leat_test::Gate gate(leat::sys::Call::inotify_add_watch);
      AbortController controller;
      const auto waits = [&watcher] { return codeOfEnd(watcher); };
      Promise<std::string> waiting = leat::withSignal(controller.signal(), waits);
      co_await gate.reached();
      controller.abort();
      const std::string code = co_await waiting;
      CHECK(code == "ABORT_ERR");
    }
    for (int i = 0; i < 5000 && watches() < 5; ++i) co_await leat::sleep(1);
    CHECK(watches() == 5);
    for (const char* name : {"one/deep/f", "lost/deep/f"}) {
      put(std::string("d/") + name, "x");
      const bool told = co_await seen(watcher, std::string("rename ") + name);
      CHECK(told);
    }
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a watch ends by close, by its signal, and not by the signal of a wait") {
  const TempFolder folder;
  stdfs::create_directory("d");
  const auto main = [&]() -> Task<> {
    {
      auto watcher = co_await fs::watch("d");
      auto late =
          co_await asResult(leat::withSignal(leat::AbortSignal::timeout(10), watcher.next()));
      CHECK(codeOf(late) == "ABORT_ERR");
      put("d/f", "");
      const bool goesOn = co_await seen(watcher, "rename f");
      CHECK(goesOn);
      const auto toTheEnd = [](fs::Watcher w) -> Promise<int> {
        int events = 0;
        while (auto event = co_await w.next()) ++events;
        co_return events;
      };
      Promise<int> waiting = toTheEnd(watcher);
      co_await leat::sleep(5);
      watcher.close();
      (void)co_await waiting;
      const auto behind = co_await watcher.next();
      CHECK_FALSE(behind);
      AbortController controller;
      auto other = co_await fs::watch("d", {.signal = controller});
      Promise<std::optional<fs::WatchEvent>> next = other.next();
      co_await leat::sleep(5);
      controller.abort(leat::Error("the user left"));
      auto aborted = co_await asResult(next);
      CHECK(codeOf(aborted) == "ABORT_ERR");
      auto again = co_await asResult(other.next());
      CHECK(codeOf(again) == "ABORT_ERR");
    }
    co_await folder.awaitClosed();
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a watch that is not persistent does not hold the loop") {
  const TempFolder folder;
  stdfs::create_directory("d");
  bool ended = false;
  leat::EventLoop loop;
  auto running = leat::spawn([](bool& end) -> Task<> {
    auto watcher = co_await fs::watch("d", {.persistent = false});
    (void)co_await watcher.next();
    end = true;
  }(ended));
  loop.run();
  CHECK_FALSE(ended);
}

TEST_CASE("a link in the place of a folder is told of, and not followed") {
  const TempFolder folder;
  stdfs::create_directories("d");
  stdfs::create_directories("outside/deep");
  const auto main = []() -> Task<> {
    auto watcher = co_await fs::watch("d", {.recursive = true});
    // Nothing is looked at before somebody waits: by then both are links.
    for (const char* target : {"../outside", "."}) {
      const std::string name = *target == '.' && target[1] == '\0' ? "d/self" : "d/out";
      stdfs::create_directory(name);
      stdfs::remove(name);
      stdfs::create_directory_symlink(target, name);
    }
    put("outside/deep/f", "x");
    put("d/last", "x");
    const auto names = co_await namesUpTo(watcher, "last");
    CHECK(names == std::set<std::string>{"out", "self", "last"});
  };
  CHECK(run(main) == 0);
}
