// SPDX-License-Identifier: MIT
// Backpressure, drawn: a source that could give any number of bytes feeds a sink that takes a turn of the loop
// for each chunk. The source is asked only when there is room, so no more than the marks of the streams is ever
// buffered. The second picture is of a source that does not listen: it pushes all at once.
#include <leat.hpp>

#include <algorithm>
#include <cstdio>
#include <string>

using namespace leat;

constexpr std::size_t kib = 1024;

// [streams]
struct Polite {
  void read(Readable<Buffer>& self) {
    while (left > 0) {
      --left;
      if (!self.push(Buffer::alloc(kib)))
        return;  // it has enough, and calls read when there is room
    }
    self.push(nullptr);
  }
  int left = 32;
};

struct Rude {
  void read(Readable<Buffer>& self) {
    for (; left > 0; --left) (void)self.push(Buffer::alloc(kib));
    self.push(nullptr);
  }
  int left = 32;
};

template <class Source>
Task<> show(const char* title, Source source) {
  std::puts(title);
  const Readable<Buffer> from(source, {.highWaterMark = 4 * kib});
  const auto takesATurn = [](const Buffer&) -> Task<> { co_await nextImmediate(); };
  const Writable<Buffer> slow(takesATurn, {.highWaterMark = 2 * kib});
  const auto piped = pipeline(from, slow);
  std::size_t most = 0;
  for (int turn = 0; !slow.writableFinished(); ++turn) {
    const std::size_t bytes = from.readableLength() + slow.writableLength();
    most = std::max(most, bytes);
    if (turn % 4 == 0)
      std::printf("turn %2d |%-32s %5zu bytes\n", turn, std::string(bytes / kib, '#').c_str(),
                  bytes);
    co_await nextImmediate();
  }
  co_await piped;
  std::printf("at most %zu bytes\n\n", most);
}
// [/streams]

Task<> program() {
  co_await show("a source that stops when push() is false, marks 4096 and 2048 bytes:", Polite());
  co_await show("one that does not:", Rude());
}

int main() { return run(program); }
