// SPDX-License-Identifier: MIT
// du: walks a tree of files and adds up what is in each folder, several folders at once.
// Without an argument it makes a small tree in a temporary folder first, and removes it again.
#include <leat.hpp>

#include <cstdio>
#include <string>
#include <vector>

using namespace leat;

struct Totals {
  long long bytes = 0;
  long files = 0;
  long folders = 0;
};

// [walk]
/// What is in a folder and below it. Folders beside each other are walked at the same time.
Promise<Totals> walk(std::string folder) {
  Totals totals;
  totals.folders = 1;
  std::vector<Promise<Totals>> below;
  auto dir = co_await fs::opendir(folder);
  while (auto entry = co_await dir.next()) {
    std::string path = folder + "/" + entry->name;
    if (entry->isDirectory()) {
      below.push_back(walk(std::move(path)));
    } else if (entry->isFile()) {
      const auto stats = co_await fs::stat(path);
      totals.bytes += stats.size;
      ++totals.files;
    }
  }
  const auto inner = co_await all(below);
  for (const Totals& each : inner) {
    totals.bytes += each.bytes;
    totals.files += each.files;
    totals.folders += each.folders;
  }
  co_return totals;
}
// [/walk]

Task<> makeTree(std::string root) {
  co_await fs::mkdir(root + "/src/detail", {.recursive = true});
  co_await fs::mkdir(root + "/empty");
  co_await fs::writeFile(root + "/README", "a tree to walk\n");
  co_await fs::writeFile(root + "/src/main.cpp", std::string(1200, '/'));
  co_await fs::writeFile(root + "/src/detail/part.hpp", std::string(800, '/'));
  co_await fs::symlink("main.cpp", root + "/src/link.cpp");
}

Task<> report(std::string root) {
  const auto names = co_await fs::readdir(root, fs::withFileTypes);
  for (const fs::Dirent& entry : names) {
    if (!entry.isDirectory()) continue;
    const Totals part = co_await walk(root + "/" + entry.name);
    std::printf("%8lld  %s\n", part.bytes, entry.name.c_str());
  }
  const Totals whole = co_await walk(root);
  std::printf("%8lld  in %ld files and %ld folders\n", whole.bytes, whole.files, whole.folders);
  auto missing = co_await asResult(walk(root + "/none"));
  std::printf("%s\n", missing.ok() ? "?" : "what is not there is an error");
}

Task<> program(const char* given) {
  if (given != nullptr) {
    co_await report(given);
    co_return;
  }
  const std::string root = co_await fs::mkdtemp("/tmp/leat-du-");
  co_await makeTree(root);
  co_await report(root);
  co_await fs::rm(root, {.recursive = true});
}

int main(int, char** arguments) {
  return run([&] { return program(arguments[1]); });
}
