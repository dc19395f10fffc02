// SPDX-License-Identifier: MIT

// Files, with the programs of rivals/fs. A fourth argument names the back end.

#include <leat/core/combinators.hpp>
#include <leat/fs.hpp>
#include <leat/loop/run.hpp>

#include <string>
#include <vector>

#include "bench.hpp"
#include "files.h"

namespace {

using leat::Buffer;
using leat::Promise;
namespace fs = leat::fs;

long sum = 0;

struct Names {
  explicit Names(int kind) : of(filesCount) {
    char name[fileNameSize];
    for (int i = 0; i < filesCount; ++i) of[static_cast<std::size_t>(i)] = fileName(name, kind, i);
  }
  std::vector<std::string> of;
};

Promise<Buffer> readOne(const std::string& name) { co_return co_await fs::readFile(name); }
Promise<fs::Stats> statOne(const std::string& name) { co_return co_await fs::stat(name); }
Promise<> writeOne(const std::string& name, Buffer data) {
  co_await fs::writeFile(name, std::move(data));
}

Promise<> readAll(const Names& names) {
  std::vector<Promise<Buffer>> reads;
  reads.reserve(names.of.size());
  for (const std::string& name : names.of) reads.push_back(readOne(name));
  for (const Buffer& each : co_await leat::all(std::move(reads)))
    sum += static_cast<long>(each.size());
}
Promise<> readEach(const Names& names) {
  for (const std::string& name : names.of) {
    const Buffer bytes = co_await fs::readFile(name);
    sum += static_cast<long>(bytes.size());
  }
}
Promise<> statAll(const Names& names) {
  std::vector<Promise<fs::Stats>> stats;
  stats.reserve(statsCount);
  for (std::size_t i = 0; i < statsCount; ++i)
    stats.push_back(statOne(names.of[i % names.of.size()]));
  for (const fs::Stats& each : co_await leat::all(std::move(stats))) sum += each.size;
}
Promise<> statEach(const Names& names) {
  for (const std::string& name : names.of) {
    const fs::Stats stats = co_await fs::stat(name);
    sum += stats.size;
  }
}
Promise<> writeAll(const Names& names) {
  const Buffer data = Buffer::alloc(int{smallSize});
  std::vector<Promise<>> writes;
  writes.reserve(names.of.size());
  for (const std::string& name : names.of) writes.push_back(writeOne(name, data));
  co_await leat::all(std::move(writes));
}

Promise<> readBig() {
  const Buffer whole = co_await fs::readFile(bigName);
  sum += whole[whole.size() - 1];
}
Promise<> writeBig(Buffer data) { co_await fs::writeFile(bigCopyName, std::move(data)); }

Promise<> readSome(fs::FileHandle file, std::uint32_t* state, long* left) {
  const Buffer page = Buffer::allocUnsafe(int{pageSize});
  while (*left > 0) {
    --*left;
    const auto got =
        co_await file.read(page, {.position = static_cast<std::int64_t>(nextPage(state))});
    if (got.bytesRead != pageSize) std::abort();
    sum += page[0];
  }
}
Promise<> readRandom() {
  auto file = co_await fs::open(bigName);
  forgetPages(file.fd());
  std::uint32_t state = 1;
  long left = randomReads;
  std::vector<Promise<>> readers;
  for (int i = 0; i < inFlight; ++i) readers.push_back(readSome(file, &state, &left));
  co_await leat::all(std::move(readers));
}

template <class Main>
void inLoop(Main main) {
  const int code = leat::run(main);
  if (code != 0) std::exit(code);
}

void writeNew(const char* name, void (*prepare)()) {
  const Names writes(writeKind);
  benchAfter(name, filesCount, prepare, [&] { inLoop([&] { return writeAll(writes); }); });
}
void removeWritten() { removeFiles(writeKind); }

void cached(int count, char** arguments) {
  makeSmallFiles();
  const Names reads(readKind);
  // The first run of each makes threads and warms caches, in every program alike.
  const auto measure = [](const char* name, long operations, auto main) {
    inLoop(main);
    bench(name, operations, [&] { inLoop(main); });
  };
  measure("read_1000_files", filesCount, [&] { return readAll(reads); });
  measure("read_files_one_by_one", filesCount, [&] { return readEach(reads); });
  measure("stat_10000_files", statsCount, [&] { return statAll(reads); });
  measure("stat_files_one_by_one", filesCount, [&] { return statEach(reads); });
  enterFolder(count, arguments, 2);
  writeNew("write_1000_files_memory", removeWritten);
  removeWritten();
}

void disk() {
  writeNew("write_1000_files_disk", enterNewFolder);
  makeBigFile();
  inLoop(readBig);
  bench("read_1GiB_per_MiB", bigMiB, [] { inLoop(readBig); });
  bench("random_4KiB_cold", randomReads, [] { inLoop(readRandom); });
  unlink(bigName);
  // Not zeros, of which there might be but one page, again and again.
  const Buffer data = Buffer::alloc(bigSize, 'z');
  benchAfter(
      "write_1GiB_per_MiB", bigMiB, [] { unlink(bigCopyName); },
      [&] { inLoop([&] { return writeBig(data); }); });
  unlink(bigCopyName);
}

}  // namespace

int main(int count, char** arguments) {
  if (count > 4) setenv("LEAT_BACKEND", arguments[4], 1);
  enterFolder(count, arguments, 1);
  if (isPart(count, arguments, "cached")) cached(count, arguments);
  if (isPart(count, arguments, "disk")) disk();
  keep(sum);
}
