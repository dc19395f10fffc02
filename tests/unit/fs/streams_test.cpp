// SPDX-License-Identifier: MIT
// Files as streams: what is read and written, what is told and when, and that each file is closed once.
#include "fs_rig.hpp"

#include <leat/core/scope.hpp>
#include <leat/events.hpp>
#include <leat/stream.hpp>

#include <limits>
#include <random>

namespace fs = leat::fs;
using leat::AbortController;
using leat::operator""_e;
using leat::Buffer;
using leat::Readable;
using leat::run;
using leat::Task;
using leat::sys::Call;
using leat::testing::FaultInjector;
using leat_test::Gate;
using leat_test::get;
using leat_test::put;
using leat_test::TempFolder;

namespace {

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    text[i] = static_cast<char>('a' + i * i % 23 + i / 4096 % 3);
  return text;
}
std::string text(const std::exception_ptr& error) {
  if (!error) return "ok";
  try {
    std::rethrow_exception(error);
  } catch (const leat::Error& e) {
    return std::string(e.code().empty() ? e.message() : e.code());
  } catch (const std::exception& e) {
    return e.what();
  }
}
template <class A>
Task<std::string> outcome(A awaitable) {
  std::exception_ptr error;
  try {
    co_await std::move(awaitable);
  } catch (...) {
    error = std::current_exception();
  }
  co_return text(error);
}

/// Writes down the events of a file's stream, word by word.
template <class S>
void note(std::string& trace, const S& stream) {
  const auto tell = [&trace](const std::string& word) {
    trace += (trace.empty() ? "" : " ") + word;
  };
  stream.template on<"open">(
      [tell](int fd) { tell(fd >= 0 ? "open" : "open without a descriptor"); });
  stream.template on<"ready">([tell] { tell("ready"); });
  if constexpr (S::hasReadable) {
    stream.template on<"end">([tell] { tell("end"); });
  } else {
    stream.template on<"finish">([tell] { tell("finish"); });
  }
  stream.template on<"error">([tell](const std::exception_ptr& error) { tell(text(error)); });
  stream.template on<"close">([tell] { tell("close"); });
}
template <class S>
void noteData(std::string& trace, const S& stream) {
  stream.template on<"data">(
      [&trace](const Buffer& chunk) { trace += " data" + std::to_string(chunk.size()); });
}

/// What a stream reads; its chunks are no larger than the mark.
Task<std::string> readAll(fs::ReadStream stream) {
  std::string all;
  while (auto chunk = co_await stream.next()) {
    CHECK(chunk->size() > 0);
    CHECK(chunk->size() <= stream.readableHighWaterMark());
    all += chunk->toString();
  }
  CHECK(stream.bytesRead() == all.size());
  CHECK(stream.destroyed());
  CHECK(stream.pending());
  co_return all;
}

}  // namespace

TEST_CASE("a file of any size is read in pieces of the mark") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    constexpr std::size_t mark = 1000;
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, mark - 1, mark, mark + 1, 10 * mark}) {
      const std::string whole = pattern(size);
      put("f", whole);
      const std::string got = co_await readAll(fs::createReadStream("f", {.highWaterMark = mark}));
      CHECK((got == whole));
    }
    const std::string large = pattern(5'000'003);
    put("large", large);
    const std::string got = co_await readAll(fs::createReadStream("large"));
    CHECK((got == large));
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a file of any size is written, in chunks of any size") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    constexpr std::size_t mark = 1000;
    std::minstd_rand random(7);
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, mark - 1, mark, mark + 1, std::size_t{3'000'001}}) {
      const std::string whole = pattern(size);
      auto stream = fs::createWriteStream("f", {.highWaterMark = mark});
      for (std::size_t at = 0; at < size;) {
        const std::size_t some = std::min(size - at, random() % (size / 50 + 2));
        co_await stream.write(std::string_view(whole).substr(at, some));
        at += some;
      }
      co_await stream.end();
      CHECK(stream.bytesWritten() == size);
      co_await stream.closed();
      CHECK(stream.pending());
      CHECK((get("f") == whole));
    }
  };
  CHECK(run(main) == 0);
}

TEST_CASE("many chunks that wait are written in order, more than the system takes at once") {
  const TempFolder folder;
  std::string whole;
  const auto main = [&]() -> Task<> {
    auto stream = fs::createWriteStream("f");
    for (int i = 0; i < 3000; ++i) {
      const std::string line = std::to_string(i) + "\n";
      whole += line;
      stream.write(line);
    }
    co_await stream.end("last");
    CHECK(stream.bytesWritten() == whole.size() + 4);
  };
  CHECK(run(main) == 0);
  CHECK((get("f") == whole + "last"));
}

TEST_CASE("while a chunk of a pipe is written more come, unless somebody waits for each") {
  const TempFolder folder;
  constexpr int chunks = 60;
  constexpr std::size_t size = 20'000;
  const auto source = [n = 0]() mutable -> std::optional<Buffer> {
    if (n == chunks) return std::nullopt;
    return Buffer::alloc(size, static_cast<char>('a' + n++ % 26));
  };
  std::string whole;
  for (int n = 0; n < chunks; ++n) whole += std::string(size, static_cast<char>('a' + n % 26));
  const auto writes = [](const FaultInjector& injector) {
    // `write` wakes loops too.
    return injector.count(Call::writev) + injector.count(Call::pwritev);
  };
  for (const bool watched : {false, true}) {
    int drains = 0;
    FaultInjector injector;
    const auto main = [&]() -> Task<> {
      const auto sink = fs::createWriteStream("f");
      if (watched) sink.on<"drain">([&] { ++drains; });
      co_await leat::pipeline(Readable<Buffer>(source), sink);
      CHECK(sink.bytesWritten() == whole.size());
    };
    CHECK(run(main) == 0);
    CHECK((get("f") == whole));
    if (watched) {
      CHECK(writes(injector) == chunks);
    } else {
      CHECK(writes(injector) > 0);
      CHECK(writes(injector) < chunks / 2);
    }
    // One for each but the last, after which comes the end.
    CHECK(drains == (watched ? chunks - 1 : 0));
  }
}

TEST_CASE("a worker goes on with what comes while it writes, without the loop's thread") {
  const TempFolder folder;
  constexpr int chunks = 40;
  constexpr std::size_t size = 10'000;
  int given = 0;
  bool writing = false;
  const auto source = [&]() -> Task<std::optional<Buffer>> {
    while (given == chunks / 2 && !writing) co_await leat::sleep(0);
    if (given == chunks) co_return std::nullopt;
    co_return Buffer::alloc(size, static_cast<char>('a' + given++ % 26));
  };
  bool kept = false;
  const auto once = [&]() -> Task<> {
    given = 0;
    writing = false;
    const auto sink = fs::createWriteStream("f");
    // What comes before the file is open is written together.
    while (sink.pending()) co_await leat::sleep(0);
    Gate gate(Call::writev);
    bool ended = false;
    leat::pipeline(Readable<Buffer>(source), sink,
                   [&](const std::exception_ptr& error) { ended = !error; });
    co_await gate.reached();
    CHECK(given < chunks);
    writing = true;
    for (int i = 0; i < 5000 && given < chunks; ++i) co_await leat::sleep(1);
    CHECK(given == chunks);
    // The last one is on its way.
    co_await leat::sleep(1);
    gate.open();
    // The loop stands still: nobody but the worker can see to the rest.
    for (int i = 0; i < 1000 && sink.bytesWritten() < chunks * size; ++i) ::usleep(1000);
    kept = sink.bytesWritten() == chunks * size;
    CHECK_FALSE(ended);
    co_await sink.closed();
    CHECK(ended);
  };
  // A worker whose turn takes too long, because the machine pauses, leaves the rest for another turn.
  for (int tries = 0; tries < 20 && !kept; ++tries) {
    CHECK(run(once) == 0);
    CHECK(get("f").size() == chunks * size);
  }
  CHECK(kept);
}

TEST_CASE(
    "a sink that is destroyed while chunks of a pipe wait writes what is in flight, no more") {
  const TempFolder folder;
  std::uint64_t written = 0;
  const auto main = [&]() -> Task<> {
    auto sink = fs::createWriteStream("f");
    co_await sink.write("first");
    int pushed = 0;
    const auto source = [&](Readable<Buffer>& self) {
      self.push(Buffer::alloc(20'000, 'x'));
      if (++pushed == 9) sink.destroy();
    };
    const Readable<Buffer> reading(source);
    std::string told;
    leat::pipeline(reading, sink, [&](const std::exception_ptr& error) { told = text(error); });
    co_await sink.closed();
    written = sink.bytesWritten();
    CHECK(sink.pending());
    co_await leat::sleep(0);
    CHECK(told == "ERR_STREAM_DESTROYED");
  };
  CHECK(run(main) == 0);
  CHECK(written == get("f").size());
  CHECK(written >= 5);
  CHECK(written < 9 * 20'000);
}

TEST_CASE("memory of chunks that nobody holds is used again, and only that") {
  const TempFolder folder;
  constexpr std::size_t size = 65536;
  const std::string whole = pattern(40 * size);
  put("f", whole);
  std::vector<Buffer> kept;
  const auto main = [&]() -> Task<> {
    const auto source = fs::createReadStream("f");
    int n = 0;
    std::string all;
    while (const auto chunk = co_await source.next()) {
      all += chunk->view();
      if (n++ % 3 == 0) kept.push_back(*chunk);
    }
    CHECK((all == whole));
#if LEAT_RECYCLE_FRAMES
    const auto shelf = leat::detail::ChunkShelf::ofLoop();
    Buffer chunk = leat::detail::ChunkShelf::chunkOf(shelf.get(), size);
    const void* const place = chunk.data();
    chunk = Buffer();
    // Of the heap it would be the next of its size.
    const Buffer other = Buffer::allocUnsafe(size + 16);
    CHECK(other.data() != place);
    CHECK(leat::detail::ChunkShelf::chunkOf(shelf.get(), size).data() == place);
#endif
  };
  CHECK(run(main) == 0);
  // They outlive the loop, and end wherever.
  for (std::size_t i = 0; i < kept.size(); ++i) {
    CHECK((kept[i].view() == whole.substr(3 * i * size, size)));
  }
  leat::sys::Thread thread;
  const auto drop = [](void* chunks) -> void* {
    static_cast<std::vector<Buffer>*>(chunks)->clear();
    return nullptr;
  };
  CHECK(thread.start(drop, &kept) == 0);
  thread.join();
}

TEST_CASE("start and end say which bytes are read, the last one included") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    const std::string whole = pattern(1000);
    put("f", whole);
    struct Part {
      std::int64_t start, end;
      std::size_t from, count;
    };
    constexpr std::int64_t none = fs::wholeLength;
    for (const Part part :
         {Part{0, 0, 0, 1}, Part{0, none, 0, 1000}, Part{10, 19, 10, 10}, Part{999, none, 999, 1},
          Part{1000, none, 1000, 0}, Part{2000, 3000, 1000, 0}, Part{990, 5000, 990, 10},
          Part{fs::currentPosition, 6, 0, 7}, Part{63, 128, 63, 66}}) {
      for (const std::size_t mark : {std::size_t{1}, std::size_t{64}, std::size_t{4096}}) {
        fs::ReadStreamOptions options;
        options.start = part.start;
        options.end = part.end;
        options.highWaterMark = mark;
        const std::string got = co_await readAll(fs::createReadStream("f", options));
        INFO(part.start << " to " << part.end << " by " << mark);
        CHECK((got == whole.substr(part.from, part.count)));
      }
    }
  };
  CHECK(run(main) == 0);
}

TEST_CASE("start and end that cannot be are refused") {
  const TempFolder folder;
  const auto main = [] {
    put("f", "text");
    CHECK(leat_test::thrownBy([] { return fs::createReadStream("f", {.start = 5, .end = 4}); }) ==
          "ERR_OUT_OF_RANGE: The value of \"start\" is out of range. It must be <= \"end\" (here: "
          "4). Received 5");
    CHECK(leat_test::thrownBy([] { return fs::createReadStream("f", {.start = -2}); }) ==
          "ERR_OUT_OF_RANGE: The value of \"start\" is out of range. It must be >= 0 && <= "
          "9007199254740991. Received -2");
    CHECK(leat_test::thrownBy([] { return fs::createWriteStream("f", {.start = -2}); }) ==
          "ERR_OUT_OF_RANGE: The value of \"start\" is out of range. It must be >= 0 && <= "
          "9007199254740991. Received -2");
    constexpr std::int64_t most = 9007199254740991;
    const std::string beyond = "is out of range. It must be >= 0 && <= 9007199254740991. Received ";
    const std::pair<std::int64_t, std::string> values[] = {
        {most + 1, "9_007_199_254_740_992"},
        {std::numeric_limits<std::int64_t>::max(), "9_223_372_036_854_775_807"}};
    for (const auto& [given, shown] : values) {
      const std::int64_t value = given;
      const std::string told = beyond + shown;
      CHECK(leat_test::thrownBy([&] { return fs::createReadStream("f", {.end = value}); }) ==
            "ERR_OUT_OF_RANGE: The value of \"end\" " + told);
      CHECK(leat_test::thrownBy([&] { return fs::createReadStream("f", {.start = value}); }) ==
            "ERR_OUT_OF_RANGE: The value of \"start\" " + told);
      CHECK(leat_test::thrownBy([&] { return fs::createWriteStream("f", {.start = value}); }) ==
            "ERR_OUT_OF_RANGE: The value of \"start\" " + told);
    }
    CHECK(get("f") == "text");
  };
  CHECK(run(main) == 0);
}

TEST_CASE("an end far behind that of the file is no end") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    put("f", "text");
    const std::string got =
        co_await readAll(fs::createReadStream("f", {.start = 1, .end = 9007199254740991}));
    CHECK(got == "ext");
  };
  CHECK(run(main) == 0);
}

TEST_CASE("flags and start say where is written") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    put("f", "0123456789");
    auto appended = fs::createWriteStream("f", {.flags = "a"});
    appended.write("ab");
    co_await appended.end("c");
    CHECK(get("f") == "0123456789abc");
    auto inside = fs::createWriteStream("f", {.flags = "r+", .start = 3});
    inside.write("AB");
    while (inside.bytesWritten() < 2) co_await leat::sleep(1);
    co_await inside.end("C");
    CHECK(get("f") == "012ABC6789abc");
    auto emptied = fs::createWriteStream("f", {.mode = 0600});
    co_await emptied.end("new");
    CHECK(get("f") == "new");
    auto flushed = fs::createWriteStream("g", {.mode = 0600, .flush = true});
    FaultInjector calls;
    flushed.end("x");
    co_await flushed.closed();
    CHECK(calls.count(Call::fsync) + calls.count(Call::io_uring_enter) > 0);
    CHECK(get("g") == "x");
    CHECK((std::filesystem::status("g").permissions() & std::filesystem::perms::all) ==
          (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  };
  CHECK(run(main) == 0);
}

TEST_CASE("the events of files come in Node's order") {
  const TempFolder folder;
  std::string read, written, destroyed;
  const auto main = [&]() -> Task<> {
    auto sink = fs::createWriteStream("f");
    CHECK(sink.pending());
    CHECK(sink.path() == "f");
    note(written, sink);
    sink.end("hello");
    co_await sink.closed();
    auto source = fs::createReadStream("f");
    CHECK(source.path() == "f");
    note(read, source);
    noteData(read, source);
    co_await source.closed();
    auto gone = fs::createReadStream("f");
    note(destroyed, gone);
    gone.destroy();
    co_await gone.closed();
  };
  CHECK(run(main) == 0);
  CHECK(written == "open ready finish close");
  CHECK(read == "open ready data5 end close");
  CHECK(destroyed == "open ready close");
}

TEST_CASE("without autoClose the file stays open until destroy") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    put("f", "text");
    const long before = TempFolder::openFiles();
    std::string trace;
    auto source = fs::createReadStream("f", {.autoClose = false});
    note(trace, source);
    source.resume();
    co_await leat::finished(source);
    co_await leat::sleep(1);
    CHECK_FALSE(source.destroyed());
    CHECK_FALSE(source.pending());
    CHECK(TempFolder::openFiles() == before + 1);
    source.close();
    co_await source.closed();
    CHECK(trace == "open ready end close");
    std::string wrote;
    auto sink = fs::createWriteStream("g", {.autoClose = false});
    note(wrote, sink);
    co_await sink.end("x");
    co_await leat::sleep(1);
    CHECK_FALSE(sink.destroyed());
    CHECK(TempFolder::openFiles() >= before + 1);
    sink.destroy();
    co_await sink.closed();
    CHECK(wrote == "open ready finish close");
    CHECK(sink.pending());
    co_await folder.awaitClosed();
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a stream of an open file reads on where that stands, and closes it") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    put("f", "0123456789");
    auto file = co_await fs::open("f", "r+");
    co_await file.read({.length = 3});
    const auto copy = file;
    std::string trace;
    auto source = fs::createReadStream(std::move(file));
    CHECK_FALSE(source.pending());
    CHECK(source.path().empty());
    note(trace, source);
    const std::string got = co_await readAll(source);
    CHECK(got == "3456789");
    co_await source.closed();
    CHECK(trace == "end close");
    CHECK(copy.fd() == -1);
    auto kept = co_await fs::open("f", "r+");
    auto sink = fs::createWriteStream(kept, {.autoClose = false, .start = 1});
    co_await sink.end("AB");
    CHECK(kept.fd() >= 0);
    const std::string all = co_await kept.readFile("utf8");
    CHECK(all == "0AB3456789");
    co_await kept.close();
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a stream of a descriptor closes it, or leaves it to others") {
  const TempFolder folder;
  put("f", "0123456789");
  const auto openFile = [] { return ::open("f", O_RDWR | O_CLOEXEC); };
  const auto isOpen = [](int fd) { return ::fcntl(fd, F_GETFD) >= 0; };
  int dropped = -1;
  int kept = openFile();
  const auto main = [&]() -> Task<> {
    // A device that is known is read by the loop, another one by workers.
    {
      (void)co_await fs::open("f", "r");
    }
    const int closed = openFile();
    auto source = fs::createReadStream("ignored", {.fd = closed});
    const std::string all = co_await readAll(source);
    CHECK(all == "0123456789");
    co_await source.closed();
    CHECK_FALSE(isOpen(closed));
    dropped = openFile();
    {
      (void)fs::createReadStream("", {.fd = dropped});
    }
    auto lent = fs::createReadStream("", {.fd = kept, .autoClose = false, .start = 8});
    std::string end;
    lent.on<"data">([&end](const Buffer& chunk) { end += chunk.toString(); });
    co_await leat::finished(lent);
    CHECK(end == "89");
    auto sink = fs::createWriteStream("", {.fd = kept, .autoClose = false, .start = 1});
    co_await sink.end(Buffer::from("AB"));
    // It goes in the background.
    for (int i = 0; i < 5000 && isOpen(dropped); ++i) co_await leat::sleep(1);
  };
  CHECK(run(main) == 0);
  CHECK_FALSE(isOpen(dropped));
  CHECK(isOpen(kept));
  ::close(kept);
  CHECK(get("f") == "0AB3456789");
}

TEST_CASE("a descriptor that was lent is closed by destroy and by close") {
  const TempFolder folder;
  put("f", "text");
  const auto main = [&]() -> Task<> {
    const int first = ::open("f", O_RDWR | O_CLOEXEC);
    auto source = fs::createReadStream("", {.fd = first, .autoClose = false});
    source.destroy();
    co_await source.closed();
    CHECK(::fcntl(first, F_GETFD) < 0);
    const int second = ::open("f", O_RDWR | O_CLOEXEC);
    auto sink = fs::createWriteStream("", {.fd = second, .autoClose = false});
    co_await sink.end(Buffer::from("TE"));
    sink.close();
    co_await sink.closed();
    CHECK(::fcntl(second, F_GETFD) < 0);
  };
  CHECK(run(main) == 0);
  CHECK(get("f") == "TExt");
}

TEST_CASE("close has a file closed also when it cannot be written") {
  const TempFolder folder;
  put("f", "text");
  const auto main = [&]() -> Task<> {
    for (const bool failsBefore : {false, true}) {
      const int kept = ::open("f", O_RDONLY | O_CLOEXEC);
      auto sink = fs::createWriteStream("", {.fd = kept, .autoClose = false});
      std::string trace;
      note(trace, sink);
      sink.write("x");
      if (failsBefore) {
        while (!sink.errored()) co_await leat::sleep(1);
        CHECK_FALSE(sink.destroyed());
      }
      sink.close([&] { trace += " told"; });
      co_await sink.closed();
      CHECK(trace == "EBADF close told");
      CHECK(::fcntl(kept, F_GETFD) < 0);
    }
  };
  CHECK(run(main) == 0);
}

// ---- failures ----

TEST_CASE("a file that cannot be opened is one error, and the stream closes") {
  const TempFolder folder;
  std::string missing, directory, there, refused, open;
  const auto main = [&]() -> Task<> {
    put("f", "text");
    std::filesystem::create_directory("d");
    note(missing, fs::createReadStream("none"));
    note(directory, fs::createWriteStream("d"));
    note(there, fs::createWriteStream("f", {.flags = "wx"}));
    note(refused, fs::createWriteStream("f/g"));
    auto stays = fs::createReadStream("none", {.autoClose = false});
    note(open, stays);
    co_await leat::sleep(20);
    CHECK_FALSE(stays.destroyed());
    stays.destroy();
    const std::string awaited = co_await outcome(readAll(fs::createReadStream("none")));
    CHECK(awaited == "ENOENT");
    const std::string written = co_await outcome(fs::createWriteStream("d").end("x"));
    CHECK(written == "EISDIR");
  };
  CHECK(run(main) == 0);
  CHECK(missing == "ENOENT close");
  CHECK(directory == "EISDIR close");
  CHECK(there == "EEXIST close");
  CHECK(refused == "ENOTDIR close");
  CHECK(open == "ENOENT close");
  CHECK(get("f") == "text");
}

TEST_CASE("an error of opening that nobody listens to is an uncaught exception") {
  const TempFolder folder;
  CHECK(run([] { (void)fs::createReadStream("none"); }) == 1);
}

TEST_CASE("a full disk and a folder that is read are errors of the stream") {
  const TempFolder folder;
  std::string full, directory;
  const auto main = [&]() -> Task<> {
    auto sink = fs::createWriteStream("/dev/full", {.flags = "w"});
    note(full, sink);
    std::string told;
    sink.write("one", [&](const std::exception_ptr& error) { told += "1" + text(error) + " "; });
    sink.write("two", [&](const std::exception_ptr& error) { told += "2" + text(error) + " "; });
    sink.end([&](const std::exception_ptr& error) { told += "e" + text(error); });
    co_await sink.closed();
    CHECK(told == "1ENOSPC 2ENOSPC eENOSPC");
    CHECK(sink.bytesWritten() == 0);
    auto source = fs::createReadStream(".");
    note(directory, source);
    source.resume();
    co_await source.closed();
  };
  CHECK(run(main) == 0);
  CHECK(full == "open ready ENOSPC close");
  CHECK(directory == "open ready EISDIR close");
}

TEST_CASE("a signal that is aborted opens nothing; one that aborts closes the file") {
  const TempFolder folder;
  std::string before, during;
  const auto main = [&]() -> Task<> {
    put("f", "text");
    AbortController aborted;
    aborted.abort();
    auto sink = fs::createWriteStream("f", {.signal = aborted});
    note(before, sink);
    co_await sink.closed();
    CHECK(get("f") == "text");
    AbortController controller;
    auto source = fs::createReadStream("f", {.signal = controller});
    note(during, source);
    source.on<"ready">([&] { controller.abort(); });
    co_await source.closed();
  };
  CHECK(run(main) == 0);
  CHECK(before == "ABORT_ERR close");
  CHECK(during == "open ready ABORT_ERR close");
}

// ---- destroyed while something is in flight ----

TEST_CASE("a read that is in flight ends before its file is closed") {
  const TempFolder folder;
  std::string trace;
  const auto main = [&]() -> Task<> {
    put("f", "text");
    const long before = TempFolder::openFiles();
    Gate gate(Call::pread);
    auto source = fs::createReadStream("f", {.start = 0});
    note(trace, source);
    noteData(trace, source);
    co_await gate.reached();
    CHECK(trace == "open ready");
    source.destroy(std::runtime_error("enough"));
    co_await leat::sleep(5);
    CHECK(trace == "open ready");
    CHECK(TempFolder::openFiles() == before + 1);
    gate.open();
    co_await source.closed();
    CHECK(TempFolder::openFiles() == before);
  };
  CHECK(run(main) == 0);
  CHECK(trace == "open ready enough close");
}

TEST_CASE("a write that is in flight ends before its file is closed") {
  const TempFolder folder;
  std::string trace;
  const auto main = [&]() -> Task<> {
    const long before = TempFolder::openFiles();
    Gate gate(Call::writev);
    auto sink = fs::createWriteStream("f");
    note(trace, sink);
    std::string told;
    sink.write("one", [&](const std::exception_ptr& error) { told += "1" + text(error) + " "; });
    sink.write("two", [&](const std::exception_ptr& error) { told += "2" + text(error) + " "; });
    co_await gate.reached();
    sink.destroy();
    co_await leat::sleep(5);
    CHECK(trace == "open ready");
    CHECK(TempFolder::openFiles() == before + 1);
    gate.open();
    co_await sink.closed();
    CHECK(TempFolder::openFiles() == before);
    CHECK(told.find("2ERR_STREAM_DESTROYED") != std::string::npos);
  };
  CHECK(run(main) == 0);
  CHECK(trace == "open ready close");
}

TEST_CASE("a stream that is destroyed while its file opens closes it when it has opened") {
  const TempFolder folder;
  std::string trace;
  const auto main = [&]() -> Task<> {
    put("f", "text");
    Gate gate(Call::open);
    auto source = fs::createReadStream("f");
    note(trace, source);
    co_await gate.reached();
    source.destroy();
    co_await leat::sleep(5);
    CHECK(trace.empty());
    gate.open();
    co_await source.closed();
    co_await folder.awaitClosed();
  };
  CHECK(run(main) == 0);
  CHECK(trace == "open ready close");
}

TEST_CASE("a loop that ends with streams in use leaves no file open") {
  const TempFolder folder;
  put("f", pattern(300'000));
  for (int turns = 0; turns < 12; ++turns) {
    leat::EventLoop loop;
    auto source = fs::createReadStream("f", {.highWaterMark = 100});
    auto sink = fs::createWriteStream("g", {.highWaterMark = 50});
    // Both are open: what a worker opens after the end of the loop would not be counted yet.
    for (int i = 0; i < 20'000 && (source.pending() || sink.pending()); ++i) (void)loop.runOnce(1);
    CHECK_FALSE((source.pending() || sink.pending()));
    source.pipe(sink);
    for (int i = 0; i < turns; ++i) (void)loop.runOnce(1);
  }
  folder.checkClosed();
}

// ---- pipelines ----

namespace {

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(c));
  return text;
}
leat::Transform<> upperCase() {
  return leat::Transform<>([](Buffer chunk) {
    std::string text = upper(chunk.toString());
    return Buffer::from(text);
  });
}

}  // namespace

TEST_CASE("file to transform to file is exact, whatever the marks") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    std::minstd_rand random(11);
    for (int round = 0; round < 12; ++round) {
      const std::string whole = pattern(random() % 200'000);
      put("from", whole);
      auto source = fs::createReadStream("from", {.highWaterMark = random() % 9000 + 1});
      auto sink = fs::createWriteStream("to", {.highWaterMark = random() % 9000 + 1});
      auto upperCased = upperCase();
      co_await leat::pipeline(source, upperCased, sink);
      CHECK((get("to") == upper(whole)));
      CHECK(sink.bytesWritten() == whole.size());
    }
  };
  CHECK(run(main) == 0);
}

TEST_CASE("whatever system call fails, a pipeline of files tells one error and leaves nothing") {
  const TempFolder folder;
  const std::string whole = pattern(20'000);
  put("from", whole);
  long failed = 0;
  const auto body = [&](FaultInjector& injector) {
    std::string told;
    int closes = 0, errors = 0;
    const auto main = [&]() -> Task<> {
      auto source = fs::createReadStream("from", {.highWaterMark = 6000});
      auto upperCased = upperCase();
      auto sink = fs::createWriteStream("to", {.flush = true, .highWaterMark = 5000});
      const auto count = [&](const auto& stream) {
        stream.template on<"close">([&] { ++closes; });
        stream.template on<"error">([&](const std::exception_ptr&) { ++errors; });
      };
      count(source);
      count(upperCased);
      count(sink);
      const auto piped = leat::pipeline(source, upperCased, sink);
      told = co_await outcome(piped);
      co_await sink.closed();
      co_await source.closed();
      co_await upperCased.closed();
      co_await folder.awaitClosed();
    };
    const int code = run(main);
    INFO(leat::sys::name(injector.lastBlown()));
    CHECK(code == 0);
    CHECK(closes == 3);
    if (told == "ok") {
      CHECK((get("to") == upper(whole)));
      CHECK(errors == 0);
    } else {
      ++failed;
      CHECK(told == "EIO");
      CHECK(errors >= 1);
      CHECK(errors <= 3);
    }
  };
  const auto failures = [&](std::initializer_list<Call> calls) {
    const long before = failed;
    for (const Call call : calls) leat::testing::fuse(body, EIO, leat::testing::calls(call));
    return failed - before;
  };
  // How many there are depends on how much waits for a write, and on which threads have time.
  CHECK(failures({Call::open, Call::openat2}) > 0);
  CHECK(failures({Call::write, Call::writev, Call::pwrite, Call::pwritev}) > 0);
  CHECK(failures({Call::fsync}) > 0);
  CHECK(failures({Call::close}) > 0);
  // One read that fails at once is made again by the pool; what only asks may fail.
  (void)failures({Call::read, Call::readv, Call::preadv2, Call::pread, Call::preadv, Call::fstatfs,
                  Call::statx});
}

TEST_CASE("a stream ends without an error when its handle is closed by somebody else") {
  const TempFolder folder;
  put("f", leat_test::noise(1 << 20));
  std::string seen;
  const auto main = [&]() -> Task<> {
    auto file = co_await fs::open("f");
    const auto source = fs::createReadStream(file);
    bool begun = false;
    source.on<"data">([&](const Buffer&) {
      if (!std::exchange(begun, true)) source.pause();
    });
    source.on<"error">([&] { seen += "error "; });
    source.on<"end">([&] { seen += "end "; });
    source.on<"close">([&] { seen += "close "; });
    while (!begun) co_await leat::sleep(1);
    co_await file.close();
    source.resume();
    while (seen.empty()) co_await leat::sleep(1);
  };
  CHECK(run(main) == 0);
  CHECK(seen == "close ");
}

TEST_CASE("a file's stream serves all who use it, whoever of them is cancelled") {
  const TempFolder folder;
  std::string told;
  const auto late = []() -> Task<> { co_await leat::sleep(60'000); };
  const auto reads = [&]() -> Task<> {
    REQUIRE(::mkfifo("pipe", 0600) == 0);
    const int end = ::open("pipe", O_RDWR | O_CLOEXEC);
    REQUIRE(end >= 0);
    const auto source = fs::createReadStream("pipe");
    co_await leat::once(source, "open"_e);
    const auto piece = [&]() -> Task<> {
      told += (co_await source.next()).value().toString() + " ";
    };
    for (int i = 0; i < 3; ++i) {
      leat::setTimeout([end] { REQUIRE(::write(end, "piece", 5) == 5); }, 5);
      co_await leat::raceScoped(piece(), late());
      co_await leat::sleep(5);
    }
    CHECK_FALSE(source.destroyed());
    source.destroy();
    CHECK(::write(end, "x", 1) == 1);  // for the read that waits in the pool
    co_await source.closed();
    ::close(end);
  };
  const auto writes = [&]() -> Task<> {
    const auto log = fs::createWriteStream("log", {.flush = true});
    co_await leat::once(log, "open"_e);
    const auto line = [&](std::string_view text) -> Task<> { co_await log.write(text); };
    co_await leat::raceScoped(line("one\n"), late());
    const auto ending = [&]() -> Task<> {
      log.end("three\n");
      co_return;
    };
    co_await leat::sleep(5);
    co_await line("two\n");
    co_await leat::raceScoped(ending(), late());
    co_await log.closed();
    told += get("log");
  };
  const auto main = [&]() -> Task<> {
    co_await reads();
    co_await writes();
  };
  CHECK(run(main) == 0);
  CHECK(told == "piece piece piece one\ntwo\nthree\n");
}
