// SPDX-License-Identifier: MIT
// line_filter: prints the lines that hold a text, with their numbers, as grep -n does.
//     generate | line_filter TEXT | head
// It holds a few lines, however many come, and ends well when the next program has had enough.
// Without arguments it filters a few lines of its own.
#include <leat.hpp>
#include <leat/transforms.hpp>

#include <cstdio>
#include <string>

using namespace leat;

// [filter]
struct Matching {
  std::optional<Buffer> transform(const std::string& line) {
    ++number;
    if (line.find(wanted) == line.npos) return std::nullopt;
    return Buffer::from(std::to_string(number) + ":" + line + "\n");
  }
  std::string wanted;
  std::size_t number = 0;
};

Task<> filter(Readable<Buffer> from, std::string wanted) {
  const LineSplitter lines({.keepInvalidUtf8 = true});
  const Transform<std::string, Buffer> matching(Matching{std::move(wanted)});
  try {
    co_await pipeline(from, lines, matching, process::stdout_());
  } catch (const SystemError& error) {
    if (error.code() != "EPIPE") throw;  // nobody reads any more: nothing is left to do
  }
}
// [/filter]

Task<> demo() {
  std::string text;
  for (int i = 1; i <= 30; ++i) text += "line " + std::to_string(i * 7) + "\r\n";
  co_await filter(readableFrom(text), "4");
}

int main(int argc, char** argv) {
  if (argc != 2) return run(demo);
  return run([argv] { return filter(process::stdin_(), argv[1]); });
}
