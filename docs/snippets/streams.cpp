// SPDX-License-Identifier: MIT
// The regions of docs/streams.md, and a main that runs them.
#include <leat.hpp>

#include <cstdlib>
#include <string>
#include <vector>

using namespace leat;

void check(bool holds) {
  if (!holds) std::abort();
}

// [source]
/// Asked for more when there is room: what `read` gives is the next chunk, nothing is the end.
struct Countdown {
  std::optional<int> read() { return left > 0 ? std::optional<int>(left--) : std::nullopt; }
  int left;
};

/// The same by pushing, as in Node: as many as there is room for.
struct CountdownByPush {
  void read(Readable<int>& self) {
    while (left > 0)
      if (!self.push(left--)) return;
    self.push(nullptr);
  }
  int left;
};
// [/source]

// [sink]
struct Total {
  void write(int item) { sum += item; }  // done when it returns; a coroutine when that has ended
  void final() { finished = true; }      // all is written
  void destroy() {}                      // the last call, also after an error
  long& sum;
  bool& finished;
};
// [/sink]

// [transform]
/// Pairs become sums; an odd one at the end comes alone.
struct Pairs {
  std::optional<int> transform(int item) {
    if (!first) {
      first = item;
      return std::nullopt;
    }
    const int sum = *first + item;
    first.reset();
    return sum;
  }
  std::optional<int> flush() { return first; }
  std::optional<int> first;
};
// [/transform]

Task<> rows() {
  long sum = 0;
  bool finished = false;
  // [pipeline]
  const Readable<int> source(Countdown{5});
  const Transform<int> pairs(Pairs{});
  const Writable<int> sink(Total{sum, finished});
  co_await pipeline(source, pairs, sink);  // throws what any of them fails with
  // [/pipeline]
  check(sum == 15 && finished);
  const Readable<int> pushed(CountdownByPush{3});
  const std::vector<int> all = co_await pushed.toArray();
  check(all.size() == 3);
}

Task<> events() {
  int count = 0;
  bool ended = false;
  const Readable<int> source(Countdown{3});
  // [events]
  source.on<"data">([&](int item) { count += item; });  // from here on it flows
  source.on<"end">([&] { ended = true; });
  source.on<"error">([](const std::exception& error) { std::puts(error.what()); });
  // [/events]
  co_await source.closed();
  check(count == 6 && ended);
}

Task<> reading() {
  int sum = 0;
  const Readable<int> source(Countdown{3});
  // [next]
  while (auto item = co_await source.next()) sum += *item;
  // [/next]
  check(sum == 6);
}

Task<> early() {
  const Readable<int> source(Countdown{1000});
  {
    // [iterator]
    const auto items = source.iterator();  // destroys the stream when it goes before the end
    while (auto item = co_await items.next())
      if (*item < 998) break;
    // [/iterator]
  }
  check(source.destroyed());
}

Task<> writing() {
  std::string text;
  const Writable<Buffer> sink([&text](const Buffer& bytes) { text += bytes.view(); });
  // [write]
  for (int i = 0; i < 3; ++i) co_await sink.write("line\n");  // waits when the sink has enough
  co_await sink.end("last\n");                                // goes on when all is written
  // [/write]
  check(text == "line\nline\nline\nlast\n");
}

// [generators]
AsyncGenerator<int> numbers() {
  for (int i = 1; i <= 4; ++i) {
    co_await nextImmediate();
    co_yield i;
  }
}
AsyncGenerator<std::string> asText(ChunkIterator<int> items) {
  while (auto item = co_await items.next()) co_yield std::to_string(*item);
}
Task<> collect(ChunkIterator<std::string> texts) {
  std::string all;
  while (auto text = co_await texts.next()) all += *text;
  check(all == "1234");
}
Task<> generators() { co_await pipeline(numbers, asText, collect); }
// [/generators]

Task<int> lookUp(int id) {
  co_await nextImmediate();
  co_return id * 100;
}
Task<> operators() {
  const std::vector<int> ids{1, 2, 3, 4};
  // [operators]
  const std::vector<int> found = co_await readableFrom(ids)
                                     .filter([](int id) { return id != 2; })
                                     .map(lookUp, {.concurrency = 2})
                                     .toArray();
  // [/operators]
  check(found.size() == 3 && found[2] == 400);
}

Task<> files() {
  const std::string folder = co_await fs::mkdtemp("/tmp/leat-docs-");
  const std::string from = folder + "/a";
  const std::string to = folder + "/b";
  co_await fs::writeFile(from, "text");
  // [files]
  const auto in = fs::createReadStream(from, {.highWaterMark = 256 * 1024});
  co_await pipeline(in, fs::createWriteStream(to));
  // [/files]
  check(in.bytesRead() == 4);
  co_await fs::rm(folder, {.recursive = true});
}

Task<> program() {
  co_await rows();
  co_await events();
  co_await reading();
  co_await early();
  co_await writing();
  co_await generators();
  co_await operators();
  co_await files();
}

int main() { return run(program); }
