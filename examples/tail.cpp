// SPDX-License-Identifier: MIT
// tail -n +1 -F: prints a file and what is appended to it, until SIGINT. It begins again when the file is
// cut, and goes on with another that takes its name, as with logs that are rotated.
// Without arguments it follows a file that it writes itself, in a temporary folder.
#include <leat.hpp>

#include <csignal>
#include <cstdio>
#include <string>

using namespace leat;

// [follow]
/// What is in the file, then what comes to it. Ends only by an abort.
AsyncGenerator<std::string> follow(std::string folder, std::string name) {
  const std::string path = folder + "/" + name;
  // Of the folder, as that of a file goes where the file goes; and first, so that no change is missed.
  auto watcher = co_await fs::watch(folder);
  auto file = co_await fs::open(path);
  std::int64_t position = 0;
  for (;;) {
    const auto named = co_await asResult(fs::stat(path));  // before the end of the old one is read
    for (;;) {
      auto piece = co_await file.read({.position = position});
      if (piece.bytesRead == 0) break;
      position += static_cast<std::int64_t>(piece.bytesRead);
      co_yield std::string(piece.buffer.view().substr(0, piece.bytesRead));
    }
    const auto own = co_await file.stat();
    if (named && (named->ino != own.ino || named->dev != own.dev)) {
      auto next = co_await asResult(fs::open(path));
      if (next) {
        file = next.value();
        position = 0;
        continue;
      }
    } else if (own.size < position) {
      position = 0;
      continue;
    }
    while (auto event = co_await watcher.next())
      if (event->filename == name || event->filename.empty()) break;  // empty: some were lost
  }
}
// [/follow]

Task<> print(AsyncGenerator<std::string> pieces) {
  while (auto piece = co_await pieces.next()) {
    std::fwrite(piece->data(), 1, piece->size(), stdout);
    std::fflush(stdout);
  }
}
Task<> printUntilSignal(AsyncGenerator<std::string> pieces) {
  co_await raceScoped(print(std::move(pieces)), nextSignal("SIGINT", "SIGTERM"));
}

Task<> printNext(AsyncGenerator<std::string>& pieces) {
  auto piece = co_await pieces.next();
  std::fputs(piece->c_str(), stdout);
}

Task<> followOwn() {
  const std::string folder = co_await fs::mkdtemp("/tmp/leat-tail-");
  const std::string log = folder + "/log";
  co_await fs::writeFile(log, "there before\n");
  auto pieces = follow(folder, "log");
  co_await printNext(pieces);
  co_await fs::appendFile(log, "appended\n");
  co_await printNext(pieces);
  co_await fs::writeFile(log, "cut\n");
  co_await printNext(pieces);
  co_await fs::appendFile(log, "the last of this file\n");
  co_await fs::rename(log, folder + "/log.1");
  co_await fs::writeFile(log, "the first of the next\n");
  co_await printNext(pieces);
  co_await printNext(pieces);
  setTimeout([] { ::raise(SIGINT); }, 10);
  co_await printUntilSignal(std::move(pieces));
  std::puts("SIGINT");
  co_await fs::rm(folder, {.recursive = true});
}

Task<int> program(int count, char** arguments) {
  const std::string path = count < 2 ? "" : arguments[1];
  const std::size_t slash = path.rfind('/') + 1;  // 0 when there is none
  auto work = count < 2 ? followOwn()
                        : printUntilSignal(follow(path.substr(0, slash) + ".", path.substr(slash)));
  auto ended = co_await asResult(std::move(work));
  if (!ended) std::fprintf(stderr, "tail: %s\n", describe(ended.error()).c_str());
  co_return ended ? 0 : 1;
}

int main(int count, char** arguments) {
  return run([&] { return program(count, arguments); });
}
