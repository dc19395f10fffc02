// SPDX-License-Identifier: MIT
// file_copy: copies a file and tells how far it is, on stderr and only on a terminal. What has been copied is
// removed when the copy fails or is interrupted by SIGINT.
//     file_copy FROM TO
// Without arguments it copies a file that it makes in a temporary folder.
#include <leat.hpp>
#include <leat/transforms.hpp>

#include <csignal>
#include <cstdio>
#include <string>

using namespace leat;

// [copy]
/// Copies; `progress(bytes)` is called for every percent.
template <class Progress>
Task<> copy(std::string from, std::string to, AbortSignal stop, Progress progress) {
  const auto stats = co_await fs::stat(from);
  const auto percent = static_cast<std::uint64_t>(stats.size) / 100 + 1;
  const ByteCounter counter(percent, progress);
  const PipelineOptions options{.signal = stop};
  std::exception_ptr error;
  try {
    co_await pipeline(options, fs::createReadStream(from), counter, fs::createWriteStream(to));
  } catch (...) {
    error = std::current_exception();
  }
  if (!error) co_return;
  co_await fs::rm(to, {.force = true});
  std::rethrow_exception(error);
}
// [/copy]

Task<int> onTerminal(std::string from, std::string to) {
  const AbortController stop;
  const auto onInt = onceSignal("SIGINT", [stop] { stop.abort(); });
  const auto err = process::stderr_();
  const bool shows = err.isTTY();
  const auto progress = [err, shows](std::uint64_t bytes) {
    if (shows) err.write("\r" + std::to_string(bytes >> 10) + " KiB");
  };
  auto copied = co_await asResult(copy(from, to, stop.signal(), progress));
  if (shows) err.write("\n");
  if (!copied) err.write("file_copy: " + describe(copied.error()) + "\n");
  co_return copied ? 0 : 1;
}

Task<> demo() {
  const std::string folder = co_await fs::mkdtemp("/tmp/leat-file-copy-");
  const std::string from = folder + "/from";
  const std::string to = folder + "/to";
  std::string bytes(1 << 20, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7);
  co_await fs::writeFile(from, bytes);
  const AbortController stop;
  std::uint64_t told = 0;
  const auto quarters = [&told](std::uint64_t done) {
    if (done >= told + (256 << 10) || done == 1 << 20)
      std::printf("%llu KiB\n", static_cast<unsigned long long>((told = done) >> 10));
  };
  co_await copy(from, to, stop.signal(), quarters);
  const Buffer made = co_await fs::readFile(to);
  std::puts(made.view() == bytes ? "the same" : "not the same");
  const auto interrupt = [stop](std::uint64_t) { stop.abort(); };
  auto again = co_await asResult(copy(from, to, stop.signal(), interrupt));
  std::printf("interrupted: %s\n", describe(again.error()).c_str());
  auto left = co_await asResult(fs::access(to));
  std::puts(left ? "something is left" : "nothing is left");
  co_await fs::rm(folder, {.recursive = true});
}

int main(int argc, char** argv) {
  if (argc != 3) return run(demo);
  return run([argv] { return onTerminal(argv[1], argv[2]); });
}
