// SPDX-License-Identifier: MIT
// grep: prints the lines that hold a text, of a file or of all in a folder and below it. Many files are
// searched at once, and their lines are printed in the order of their names.
// Without arguments it makes a small tree in a temporary folder and searches that.
#include <leat.hpp>

#include <unistd.h>

#include <cstdio>
#include <deque>
#include <string>

using namespace leat;

/// The files below a path, or itself. Links are not followed.
AsyncGenerator<std::string> filesBelow(std::string path) {
  auto entries = co_await asResult(fs::readdir(path, fs::withFileTypes));
  if (!entries) {  // a file, or what reading it as one has an error for
    co_yield path;
    co_return;
  }
  for (const fs::Dirent& entry : entries.value()) {
    const std::string inner = path + "/" + entry.name;
    if (entry.isFile()) co_yield inner;
    if (!entry.isDirectory()) continue;
    auto files = filesBelow(inner);
    while (auto file = co_await files.next()) co_yield *file;
  }
}

std::string matches(const std::string& text, const std::string& path, const Buffer& content) {
  std::string lines;
  std::string_view rest = content.view();
  if (rest.find('\0') != rest.npos) return lines;  // no text file
  for (int number = 1; !rest.empty(); ++number) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    if (line.find(text) != line.npos)
      lines += path + ":" + std::to_string(number) + ":" + std::string(line) + "\n";
    rest.remove_prefix(line.size() < rest.size() ? line.size() + 1 : line.size());
  }
  return lines;
}

// [search]
Task<std::string> searchFile(std::string text, std::string path) {
  const Buffer content = co_await fs::readFile(path);
  co_return co_await blocking(matches, text, path, content);  // on a thread of the pool
}
Promise<Result<std::string>> search(std::string text, std::string path) {
  co_return co_await asResult(searchFile(text, path));
}

/// Gives grep's exit code: 0 when there is such a line, 1 when there is none, 2 after an error.
Task<int> grep(std::string text, std::string root) {
  int code = 1;
  bool more = true;
  auto files = filesBelow(root);
  std::deque<Promise<Result<std::string>>> searches;
  while (more || !searches.empty()) {
    if (more && searches.size() < 32) {
      auto path = co_await files.next();
      more = path.has_value();
      if (more) searches.push_back(search(text, *path));
      continue;
    }
    auto found = co_await std::move(searches.front());  // others may have ended before
    searches.pop_front();
    if (!found) std::fprintf(stderr, "grep: %s\n", describe(found.error()).c_str());
    if (found) std::fputs(found->c_str(), stdout);
    code = !found ? 2 : code == 1 && !found->empty() ? 0 : code;
  }
  co_return code;
}
// [/search]

Task<int> searchOwnTree() {
  const std::string root = co_await fs::mkdtemp("/tmp/leat-grep-");
  co_await fs::mkdir(root + "/mill/wheel", {.recursive = true});
  co_await fs::writeFile(root + "/mill/sluice", "Water waits.\nThe leat is full.\n");
  co_await fs::writeFile(root + "/mill/wheel/shaft", "oak\n\niron; the leat turns it");
  co_await fs::writeFile(root + "/mill/wheel/photo", std::string("a leat\0\1\2", 9));
  co_await fs::symlink("sluice", root + "/mill/again");
  for (char day = 'a'; day <= 'z'; ++day) {
    const char* const text = day == 'k' ? "a leat is dug\n" : "rain\n";
    co_await fs::writeFile(root + "/" + day, text);
  }
  int code = 2;
  if (::chdir(root.c_str()) == 0) code = co_await grep("leat", ".");
  co_await fs::rm(root, {.recursive = true});
  co_return code;
}

Task<int> program(int count, char** arguments) {
  if (count == 3) co_return co_await grep(arguments[1], arguments[2]);
  if (count == 1) co_return co_await searchOwnTree();
  std::fprintf(stderr, "usage: grep TEXT PATH\n");
  co_return 2;
}

int main(int count, char** arguments) {
  return run([&] { return program(count, arguments); });
}
