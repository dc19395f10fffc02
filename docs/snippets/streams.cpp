// SPDX-License-Identifier: MIT
// The regions of docs/streams.md, and a main that runs them.
#include <leat.hpp>
#include <leat/stream/pool_map.hpp>

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

std::size_t countLetters(const std::string& line) { return line.size(); }

Task<> onThePool() {
  const std::vector<std::string> lines{"a", "few", "lines"};
  std::vector<std::size_t> counts;
  const auto source = readableFrom(lines);
  const Writable<std::size_t> sink([&](std::size_t count) { counts.push_back(count); });
  // [pool]
  // Eight lines are counted at once, on the workers of the pool; the counts keep the order of the lines.
  co_await pipeline(source, poolMap(countLetters, {.concurrency = 8}), sink);
  // [/pool]
  check((counts == std::vector<std::size_t>{1, 3, 5}));
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

Task<> decoding() {
  const std::string folder = co_await fs::mkdtemp("/tmp/leat-docs-");
  const std::string file = folder + "/a";
  co_await fs::writeFile(file, "\xc3\xa4\xe2\x82\xac");
  std::string all;
  const Writable<std::string> sink([&all](const std::string& text) { all += text; });
  // [decode]
  // Two bytes at a time: characters are cut, and come whole.
  const auto bytes = fs::createReadStream(file, {.highWaterMark = 2});
  const Readable<std::string> text = bytes.setEncoding("utf8");
  while (auto piece = co_await text.next()) all += *piece;
  // The same as a stage.
  co_await pipeline(fs::createReadStream(file), TextDecoderStream("utf8"), sink);
  // [/decode]
  check(all == "\xc3\xa4\xe2\x82\xac\xc3\xa4\xe2\x82\xac");
  co_await fs::rm(folder, {.recursive = true});
}

// [compose]
AsyncGenerator<int> squares(ChunkIterator<int> items) {
  while (auto item = co_await items.next()) {
    const int square = *item * *item;
    co_yield square;
  }
}
/// One stage out of three.
Duplex<std::string, int> squaresAsText() {
  const Transform<int> plusOne([](int item) { return item + 1; });
  return compose(plusOne, squares, asText);
}
// [/compose]

Task<> composing() {
  const auto row = squaresAsText();
  row.write(1);
  row.end(2);
  const std::string all = co_await consumers::text(row);
  check(all == "49");
  int sum = 0;
  {
    // [duplexFrom]
    const auto squared = duplexFrom(squares);  // it reads what is written; what it yields is read
    squared.write(2);
    squared.end(3);
    while (auto item = co_await squared.next()) sum += *item;
    // [/duplexFrom]
  }
  check(sum == 13);
}

Task<> pairs() {
  std::string asked, answer;
  // [duplexPair]
  const auto [client, server] = duplexPair();
  client.end("question");
  asked = co_await consumers::text(server);
  server.end("answer");
  answer = co_await consumers::text(client);
  // [/duplexPair]
  check(asked == "question" && answer == "answer");
}

Task<> branches() {
  long sum = 0;
  bool finished = false;
  const Readable<int> source(Countdown{5});
  const Writable<int> total(Total{sum, finished});
  // [tee]
  const auto [forList, forTotal] = tee(source);
  const auto totalled = pipeline(forTotal, total);
  const std::vector<int> list = co_await forList.toArray();
  co_await totalled;
  // [/tee]
  check(list.size() == 5 && sum == 15);
}

Task<> program() {
  co_await decoding();
  co_await composing();
  co_await pairs();
  co_await branches();
  co_await rows();
  co_await events();
  co_await reading();
  co_await early();
  co_await writing();
  co_await generators();
  co_await operators();
  co_await onThePool();
  co_await files();
}

int main() { return run(program); }
