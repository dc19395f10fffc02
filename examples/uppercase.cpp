// SPDX-License-Identifier: MIT
// uppercase: copies a file in capitals, and tells how far it is. A source, a transform, a counter and a sink
// in one pipeline: it holds a few chunks, however large the file is, and ends, fails and cleans up as one.
// Without arguments it makes a small file in a temporary folder.
#include <leat.hpp>

#include <cstdio>
#include <string>

using namespace leat;

// [pipeline]
Buffer toUpper(Buffer chunk) {
  for (std::byte& each : chunk.bytes()) {
    const auto letter = static_cast<unsigned char>(each);
    if (letter >= 'a' && letter <= 'z') each = static_cast<std::byte>(letter - 'a' + 'A');
  }
  return chunk;
}

/// Passes on what comes, and says so for each quarter of the whole.
struct Progress {
  Buffer transform(Buffer chunk) {
    done += chunk.size();
    while (quarter < 4 && done * 4 >= total * (quarter + 1))
      std::printf("%zu of 4 quarters\n", ++quarter);
    return chunk;
  }
  std::size_t total;
  std::size_t done = 0;
  std::size_t quarter = 0;
};

Task<> uppercase(std::string from, std::string to) {
  const auto stats = co_await fs::stat(from);
  const Transform<Buffer> upper(toUpper);
  const Transform<Buffer> progress(Progress{static_cast<std::size_t>(stats.size)});
  co_await pipeline(fs::createReadStream(from), upper, progress, fs::createWriteStream(to));
}
// [/pipeline]

Task<> demo() {
  const std::string folder = co_await fs::mkdtemp("/tmp/leat-uppercase-");
  const std::string from = folder + "/from.txt";
  const std::string to = folder + "/to.txt";
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "the quick brown fox\n";
  co_await fs::writeFile(from, text);
  co_await uppercase(from, to);
  const std::string made = co_await fs::readFile(to, "utf8");
  std::printf("%zu bytes: %s", made.size(), made.substr(0, 20).c_str());
  co_await fs::writeFile(from, "");
  try {
    co_await uppercase(from, folder + "/no/such/folder");
  } catch (const Error& error) {
    std::printf("%.*s: every stream of the pipeline is closed\n",
                static_cast<int>(error.code().size()), error.code().data());
  }
  co_await fs::rm(folder, {.recursive = true});
}

int main(int argc, char** argv) {
  if (argc != 3) return run(demo);
  return run([argv] { return uppercase(argv[1], argv[2]); });
}
