// SPDX-License-Identifier: MIT
// Backpressure, drawn: a source that could give any number of items feeds a sink that takes a while for each.
// The source is asked only when there is room, so no more than the marks of the streams is ever buffered.
// The second picture is of a source that does not listen: it pushes everything at once.
#include <leat.hpp>

#include <cstdio>
#include <string>

using namespace leat;

struct Picture {
  std::size_t most = 0;
  int taken = 0;
  /// One line per sixth item: what waits in front of the sink.
  void draw(std::size_t waiting) {
    if (waiting > most) most = waiting;
    if (++taken % 6 != 0) return;
    std::printf("%3d taken |%s %zu waiting\n", taken, std::string(waiting, '#').c_str(), waiting);
  }
};

// [streams]
struct Polite {
  void read(Readable<int>& self) {
    while (next < 30)
      if (!self.push(next++)) return;  // it has enough, and calls read when there is room
    self.push(nullptr);
  }
  int next = 0;
};

struct Rude {
  void read(Readable<int>& self) {
    while (next < 30) (void)self.push(next++);
    self.push(nullptr);
  }
  int next = 0;
};

template <class Source>
Task<> show(const char* title, Source source) {
  std::puts(title);
  Picture picture;
  const Readable<int> items(source, {.highWaterMark = 4});
  const Transform<int> doubled([](int item) { return item * 2; }, {.highWaterMark = 2});
  const auto takesItsTime = [&](int) -> Task<> {
    co_await nextImmediate();
    picture.draw(items.readableLength() + doubled.readableLength() + doubled.writableLength());
  };
  const Writable<int> slow(takesItsTime, {.highWaterMark = 2});
  co_await pipeline(items, doubled, slow);
  std::printf("at most %zu waited\n\n", picture.most);
}
// [/streams]

Task<> program() {
  co_await show("a source that stops when push() is false, marks 4, 2 and 2:", Polite());
  co_await show("one that does not:", Rude());
}

int main() { return run(program); }
