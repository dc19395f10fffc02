// SPDX-License-Identifier: MIT
// The regions of docs/files.md, and a main that runs them.
#include <leat.hpp>

#include <cstdlib>
#include <string>

using namespace leat;

void check(bool holds) {
  if (!holds) std::abort();
}

// [copy]
Task<> backUp(std::string from, std::string to) {
  // One file: shares the blocks where it can, and never writes over an older copy.
  co_await fs::copyFile(from + "/settings", from + "/settings.old",
                        fs::COPYFILE_EXCL | fs::COPYFILE_FICLONE);
  // A tree. The filter, which may be a coroutine, is asked before each entry is copied.
  const auto wanted = [](const std::string& src, const std::string&) {
    return !src.ends_with(".tmp");
  };
  co_await fs::cp(from, to, wanted, {.recursive = true, .preserveTimestamps = true});
}
// [/copy]

Task<> copies(const std::string& folder) {
  const std::string from = folder + "/from";
  const std::string to = folder + "/to";
  co_await fs::mkdir(from);
  co_await fs::writeFile(from + "/settings", "a = 1");
  co_await fs::writeFile(from + "/x.tmp", "");
  co_await backUp(from, to);
  const auto names = co_await fs::readdir(to);
  check(names.size() == 2);
  const auto again = co_await asResult(backUp(from, to));
  check(!again);

  // What the page says of links and of what is there.
  co_await fs::symlink("settings", from + "/link");
  co_await fs::symlink("elsewhere", to + "/link");
  co_await fs::writeFile(to + "/settings", "mine");
  co_await fs::cp(from, to, {.recursive = true, .force = false});
  const std::string kept = co_await fs::readFile(to + "/settings", "utf8");
  check(kept == "mine");
  const std::string target = co_await fs::readlink(to + "/link");
  check(target == from + "/settings");
  co_await fs::cp(from, to, {.recursive = true, .verbatimSymlinks = true});
  const std::string verbatim = co_await fs::readlink(to + "/link");
  check(verbatim == "settings");
}

Task<> watching(const std::string& folder) {
  std::string seen;
  // [watch]
  const auto watcher = co_await fs::watch(folder, {.persistent = false, .recursive = true});
  auto tell = [watcher, &seen]() -> Task<> {
    while (auto event = co_await watcher.next()) seen = event->filename;
  };
  (void)spawn(moved(tell));
  // [/watch]
  co_await fs::writeFile(folder + "/new", "");
  while (seen != "new") co_await sleep(1);
  watcher.close();
}

Task<> program() {
  const std::string folder = co_await fs::mkdtemp("/tmp/leat-snippets-");
  co_await copies(folder);
  co_await watching(folder);
  co_await fs::rm(folder, {.recursive = true});
}

int main() { return run(program); }
