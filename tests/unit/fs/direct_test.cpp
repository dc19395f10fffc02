// SPDX-License-Identifier: MIT
// Files that the kernel moves from a stream to another: what anybody can see is what there is when every
// byte is read and written, and it stays so whatever comes in between.
#include "fs_rig.hpp"

#include <leat/stream.hpp>

#include <sys/resource.h>

#include <random>

namespace fs = leat::fs;
using leat::AbortController;
using leat::Buffer;
using leat::run;
using leat::Task;
using leat::sys::Call;
using leat::testing::FaultInjector;
using leat_test::Gate;
using leat_test::get;
using leat_test::noise;
using leat_test::put;
using leat_test::TempFolder;

namespace {

constexpr std::size_t mebi = std::size_t{1} << 20;

std::string textOf(const std::exception_ptr& error) {
  if (!error) return "ok";
  try {
    std::rethrow_exception(error);
  } catch (const leat::SystemError& e) {
    return std::string(e.message());
  } catch (const leat::Error& e) {
    return std::string(e.code().empty() ? e.message() : e.code());
  } catch (const std::exception& e) {
    return e.what();
  }
}
template <class A>
Task<std::string> outcomeOf(A awaitable) {
  std::exception_ptr error;
  try {
    co_await std::move(awaitable);
  } catch (...) {
    error = std::current_exception();
  }
  co_return textOf(error);
}

/// The events of a stream that have nothing to do with how its bytes move.
template <class S>
void record(std::string& trace, const S& stream) {
  const auto tell = [&trace](const std::string& word) {
    trace += (trace.empty() ? "" : " ") + word;
  };
  stream.template on<"open">([tell](int) { tell("open"); });
  stream.template on<"ready">([tell] { tell("ready"); });
  if constexpr (S::hasReadable) {
    stream.template on<"end">([tell] { tell("end"); });
  } else {
    stream.template on<"pipe">([tell](const auto&) { tell("pipe"); });
    stream.template on<"unpipe">([tell](const auto&) { tell("unpipe"); });
    stream.template on<"finish">([tell] { tell("finish"); });
  }
  stream.template on<"error">([tell](const std::exception_ptr& error) { tell(textOf(error)); });
  stream.template on<"close">([tell] { tell("close"); });
}

/// How bytes go: the kernel may move them, or somebody wants to know of each "drain".
enum class Way { kernel, chunks };

void choose(Way way, const fs::WriteStream& sink) {
  if (way == Way::chunks) sink.on<"drain">([] {});
}

/// All that can be seen of a copy.
struct Seen {
  std::string source, sink, told, file;
  std::uint64_t bytesRead = 0, bytesWritten = 0;
  bool operator==(const Seen&) const = default;
};

struct Plan {
  std::string from = "from", to = "to";
  fs::ReadStreamOptions reading{};
  fs::WriteStreamOptions writing{};
  bool row = true;  // pipeline, else pipe
};

Task<Seen> copyBy(Way way, Plan plan) {
  Seen seen;
  auto source = fs::createReadStream(plan.from, plan.reading);
  auto sink = fs::createWriteStream(plan.to, plan.writing);
  record(seen.source, source);
  record(seen.sink, sink);
  choose(way, sink);
  if (plan.row) {
    seen.told = co_await outcomeOf(leat::pipeline(source, sink));
  } else {
    source.pipe(sink);
  }
  co_await sink.closed();
  co_await source.closed();
  seen.bytesRead = source.bytesRead();
  seen.bytesWritten = sink.bytesWritten();
  if (!plan.to.starts_with("/dev/")) seen.file = get(plan.to);
  co_return seen;
}

/// Both ways, from the same beginning. Gives what was seen.
template <class Prepare>
Task<Seen> copyBothWays(Plan plan, Prepare prepare) {
  FaultInjector calls;
  prepare();
  const Seen slow = co_await copyBy(Way::chunks, plan);
  CHECK(calls.count(Call::copy_file_range) == 0);
  prepare();
  Seen fast = co_await copyBy(Way::kernel, plan);
  CHECK(calls.count(Call::copy_file_range) > 0);
  CHECK(fast.source == slow.source);
  CHECK(fast.sink == slow.sink);
  CHECK(fast.told == slow.told);
  CHECK(fast.bytesRead == slow.bytesRead);
  CHECK(fast.bytesWritten == slow.bytesWritten);
  CHECK((fast.file == slow.file));
  co_return fast;
}

}  // namespace

TEST_CASE("a file that the kernel copies is told of as one that is read and written") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    const std::string whole = noise(3 * mebi + 17);
    put("from", whole);
    const auto nothing = [] {};
    for (const bool row : {true, false}) {
      Plan plan;
      plan.row = row;
      const Seen seen = co_await copyBothWays(plan, nothing);
      CHECK((seen.file == whole));
      CHECK(seen.bytesWritten == whole.size());
      CHECK(seen.source == "open ready end close");
      CHECK(seen.sink ==
            (row ? "pipe open ready unpipe finish close" : "pipe open ready finish unpipe close"));
    }
  };
  CHECK(run(main) == 0);
}

TEST_CASE("the kernel keeps to start and end, and writes where it shall") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    const std::string whole = noise(2 * mebi + 5);
    put("from", whole);
    std::minstd_rand random(5);
    for (int round = 0; round < 24; ++round) {
      Plan plan;
      plan.row = round % 2 == 0;
      plan.reading.highWaterMark = random() % 70'000 + 1;
      plan.writing.highWaterMark = random() % 70'000 + 1;
      const std::size_t start = random() % whole.size();
      std::size_t count = random() % (whole.size() - start) + 1;
      if (count < 200'000) count = std::min(whole.size() - start, std::size_t{200'000});
      if (random() % 3 != 0) plan.reading.start = static_cast<std::int64_t>(start);
      if (random() % 3 != 0) plan.reading.end = static_cast<std::int64_t>(start + count - 1);
      const std::size_t from = plan.reading.start < 0 ? 0 : start;
      const std::string part =
          plan.reading.end < 0 ? whole.substr(from) : whole.substr(from, start + count - from);
      std::string expected = part;
      if (random() % 3 == 0) {
        plan.writing.flags = "r+";
        plan.writing.start = static_cast<std::int64_t>(random() % 5000);
        const auto at = static_cast<std::size_t>(plan.writing.start);
        expected = std::string(6000, '.');
        expected.resize(std::max(expected.size(), at + part.size()));
        expected.replace(at, part.size(), part);
      }
      // Of a little the kernel moves nothing.
      if (part.size() < 2 * plan.reading.highWaterMark) continue;
      const auto prepare = [] { put("to", std::string(6000, '.')); };
      const Seen seen = co_await copyBothWays(plan, prepare);
      INFO("round " << round);
      CHECK((seen.file == expected));
      CHECK(seen.bytesRead == part.size());
    }
  };
  CHECK(run(main) == 0);
}

TEST_CASE("open files are read and written on from where they stand, and stay there") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    const std::string whole = noise(mebi);
    put("from", whole);
    put("to", "0123456789");
    auto from = co_await fs::open("from", "r");
    auto to = co_await fs::open("to", "r+");
    co_await from.read({.length = 3});
    co_await to.read({.length = 4});
    FaultInjector calls;
    fs::ReadStreamOptions some;
    some.autoClose = false;
    some.end = 799'999;
    auto source = fs::createReadStream(from, some);
    auto sink = fs::createWriteStream(to, {.autoClose = false});
    source.pipe(sink);
    co_await leat::finished(sink);
    CHECK(calls.count(Call::copy_file_range) > 0);
    CHECK(source.bytesRead() == 800'000);
    const auto next = co_await from.read({.length = 5});
    CHECK(next.buffer.toString().substr(0, 5) == whole.substr(800'003, 5));
    co_await to.write("end");
    co_await from.close();
    co_await to.close();
    CHECK((get("to") == "0123" + whole.substr(3, 800'000) + "end"));
  };
  CHECK(run(main) == 0);
}

TEST_CASE("what the kernel does not copy is read and written") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    const std::string whole = noise(400'000);
    put("from", whole);
    Plan plan;
    const auto nothing = [] {};
    const auto prepare = [] { put("to", "head "); };
    plan.writing.flags = "a";
    Seen seen = co_await copyBothWays(plan, prepare);
    CHECK(seen.told == "ok");
    CHECK((seen.file == "head " + whole));
    plan = Plan();
    plan.to = "/dev/null";
    seen = co_await copyBothWays(plan, nothing);
    CHECK(seen.bytesWritten == whole.size());
    plan.to = "/dev/full";
    plan.writing.flags = "w";
    FaultInjector calls;
    seen = co_await copyBy(Way::kernel, plan);
    CHECK(seen.told == "ENOSPC: no space left on device, write");
    CHECK(seen.bytesWritten == 0);
    // Its files have no size, and give nothing to the kernel itself.
    plan = Plan();
    plan.from = "/proc/version";
    plan.reading.highWaterMark = 16;
    plan.writing.highWaterMark = 1;
    seen = co_await copyBothWays(plan, nothing);
    CHECK(seen.file == get("/proc/version"));
    CHECK(seen.file.size() > 16);
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a file that is copied to itself is what it would be by reading and writing") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    const std::string whole = noise(500'000);
    const auto prepare = [&] { put("same", whole); };
    Plan plan;
    plan.from = plan.to = "same";
    plan.writing.flags = "r+";
    Seen seen = co_await copyBothWays(plan, prepare);
    CHECK((seen.file == whole));
    plan.reading.start = 100'000;
    plan.reading.end = 399'999;
    seen = co_await copyBothWays(plan, prepare);
    CHECK((seen.file == whole.substr(100'000, 300'000) + whole.substr(300'000)));
    plan.reading.start = 0;
    plan.reading.end = 299'999;
    plan.writing.start = 400'000;
    seen = co_await copyBothWays(plan, prepare);
    CHECK((seen.file == whole.substr(0, 400'000) + whole.substr(0, 300'000)));
  };
  CHECK(run(main) == 0);
}

// ---- failures ----

TEST_CASE("whatever the kernel answers, the copy goes on by reading and writing") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    const std::string whole = noise(2 * mebi);
    put("from", whole);
    for (const int error : {EXDEV, ENOSYS, EIO, ENOSPC, EBADF}) {
      for (const long nth : {1, 2}) {
        FaultInjector calls;
        calls.fail(Call::copy_file_range, error, nth, 1000);
        const Seen seen = co_await copyBy(Way::kernel, Plan());
        INFO(error << " at " << nth);
        CHECK(calls.blown() > 0);
        CHECK(seen.told == "ok");
        CHECK((seen.file == whole));
        CHECK(seen.bytesRead == whole.size());
        CHECK(seen.bytesWritten == whole.size());
        CHECK(seen.sink == "pipe open ready unpipe finish close");
      }
    }
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a file that may not grow ends the copy with the same error at the same byte") {
  const TempFolder folder;
  struct Limit {
    explicit Limit(rlim_t bytes) {
      REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
      const rlimit now{bytes, before.rlim_max};
      REQUIRE(::setrlimit(RLIMIT_FSIZE, &now) == 0);
    }
    Limit(const Limit&) = delete;
    Limit& operator=(const Limit&) = delete;
    ~Limit() { ::setrlimit(RLIMIT_FSIZE, &before); }
    rlimit before{};
  };
  const auto main = []() -> Task<> {
    const std::string whole = noise(5 * mebi);
    put("from", whole);
    for (const std::size_t most : {2 * mebi, 2 * mebi + 12'345}) {
      const Limit limit(most);
      const Seen slow = co_await copyBy(Way::chunks, Plan());
      const Seen fast = co_await copyBy(Way::kernel, Plan());
      for (const Seen& seen : {slow, fast}) {
        CHECK(seen.told == "EFBIG: file too large, write");
        CHECK(seen.source == "open ready EFBIG: file too large, write close");
        CHECK(seen.sink == "pipe open ready unpipe EFBIG: file too large, write close");
        CHECK(seen.bytesWritten == most);
        CHECK(seen.bytesRead > most);
        CHECK((seen.file == whole.substr(0, most)));
      }
    }
  };
  CHECK(run(main) == 0);
}

TEST_CASE("whatever system call fails, a copy is whole or tells one error, and closes its files") {
  const TempFolder folder;
  const std::string whole = noise(300'000);
  put("from", whole);
  long failed = 0;
  const auto body = [&](FaultInjector& injector) {
    Seen seen;
    const auto main = [&]() -> Task<> {
      seen = co_await copyBy(Way::kernel, Plan());
      co_await folder.awaitClosed();
    };
    const int code = run(main);
    INFO(leat::sys::name(injector.lastBlown()));
    CHECK(code == 0);
    if (seen.told == "ok") {
      CHECK((seen.file == whole));
    } else {
      ++failed;
      CHECK(seen.told.starts_with("EIO"));
    }
  };
  for (const Call call :
       {Call::open, Call::openat2, Call::close, Call::read, Call::preadv2, Call::pread, Call::write,
        Call::writev, Call::pwritev, Call::statx, Call::copy_file_range})
    leat::testing::fuse(body, EIO, leat::testing::calls(call));
  CHECK(failed >= 4);
}

// ---- what comes in between ----

namespace {

/// A copy that stands still inside of the kernel, until `gate` is opened.
struct Halted {
  explicit Halted(std::size_t size = 3 * mebi)
      : whole(noise(size)), gate((put("from", whole), Call::copy_file_range)) {}
  Task<> reach(bool flush = false) {
    source = fs::createReadStream("from");
    sink = fs::createWriteStream("to", {.flush = flush});
    record(read, source);
    record(written, sink);
    source.pipe(sink);
    co_await gate.reached();
  }
  /// Nothing more is told after this.
  Task<> over() {
    gate.open();
    source.destroy();
    sink.destroy();
    co_await source.closed();
    co_await sink.closed();
  }
  std::string whole, read, written;
  Gate gate;
  fs::ReadStream source;
  fs::WriteStream sink;
};

}  // namespace

TEST_CASE("a source that is destroyed while the kernel moves closes when that is done") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    Halted copy;
    co_await copy.reach();
    const long before = TempFolder::openFiles();
    copy.source.destroy(std::runtime_error("enough"));
    co_await leat::sleep(5);
    CHECK(copy.read == "open ready");
    CHECK(TempFolder::openFiles() == before);
    copy.gate.open();
    co_await copy.source.closed();
    CHECK(copy.read == "open ready enough close");
    co_await copy.sink.end("tail");
    co_await copy.sink.closed();
    const auto moved = copy.sink.bytesWritten() - 4;
    CHECK(moved == copy.source.bytesRead());
    CHECK((get("to") == copy.whole.substr(0, moved) + "tail"));
    co_await copy.over();
  };
  CHECK(run(main) == 0);
}

TEST_CASE(
    "a sink that is destroyed while the kernel moves closes when that is done, and the source "
    "stays") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    Halted copy;
    // The disk is slower than the next read would be.
    co_await copy.reach(true);
    copy.sink.destroy();
    co_await leat::sleep(5);
    CHECK(copy.written == "pipe open ready");
    copy.gate.open();
    co_await copy.sink.closed();
    CHECK(copy.written == "pipe open ready close unpipe");
    const auto moved = copy.sink.bytesWritten();
    CHECK((get("to") == copy.whole.substr(0, moved)));
    // It is paused, and goes on where the sink stopped.
    CHECK(copy.source.isPaused());
    CHECK_FALSE(copy.source.destroyed());
    std::string rest;
    while (auto chunk = co_await copy.source.next()) rest += chunk->toString();
    CHECK((rest == copy.whole.substr(moved)));
    co_await copy.source.closed();
    co_await copy.over();
  };
  CHECK(run(main) == 0);
}

TEST_CASE(
    "a pipeline that is aborted while the kernel moves destroys both, with all that came counted") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    const std::string whole = noise(5 * mebi);
    put("from", whole);
    Gate gate(Call::copy_file_range);
    AbortController controller;
    Seen seen;
    auto source = fs::createReadStream("from");
    auto sink = fs::createWriteStream("to");
    record(seen.source, source);
    record(seen.sink, sink);
    auto piped = leat::pipeline({.signal = controller}, source, sink);
    co_await gate.reached();
    controller.abort();
    co_await leat::sleep(5);
    CHECK(seen.source == "open ready");
    gate.open();
    const std::string told = co_await outcomeOf(piped);
    CHECK(told == "ABORT_ERR");
    co_await source.closed();
    co_await sink.closed();
    CHECK(seen.source == "open ready ABORT_ERR close");
    CHECK(seen.sink == "pipe open ready unpipe ABORT_ERR close");
    CHECK(source.bytesRead() >= sink.bytesWritten());
    CHECK((get("to") == whole.substr(0, sink.bytesWritten())));
  };
  CHECK(run(main) == 0);
}

TEST_CASE(
    "a source that is paused while the kernel moves stands still after that, until it is resumed") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    Halted copy;
    co_await copy.reach();
    copy.source.pause();
    const std::uint64_t halted = copy.sink.bytesWritten();
    copy.gate.open();
    // The move that is in flight.
    while (copy.sink.bytesWritten() == halted) co_await leat::sleep(1);
    const std::uint64_t before = copy.sink.bytesWritten();
    co_await leat::sleep(10);
    CHECK(copy.sink.bytesWritten() == before);
    CHECK(copy.source.isPaused());
    CHECK((get("to") == copy.whole.substr(0, before)));
    copy.source.resume();
    co_await copy.sink.closed();
    CHECK((get("to") == copy.whole));
    CHECK(copy.source.bytesRead() == copy.whole.size());
    CHECK(copy.sink.bytesWritten() == copy.whole.size());
    co_await copy.over();
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a pipe that is taken away while the kernel moves leaves the rest to whoever reads") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    Halted copy;
    co_await copy.reach();
    copy.source.unpipe(copy.sink);
    CHECK(copy.written == "pipe open ready unpipe");
    copy.gate.open();
    std::string rest;
    while (auto chunk = co_await copy.source.next()) rest += chunk->toString();
    co_await copy.sink.end("tail");
    const auto moved = copy.sink.bytesWritten() - 4;
    CHECK(copy.source.bytesRead() == copy.whole.size());
    CHECK(moved + rest.size() == copy.whole.size());
    CHECK((rest == copy.whole.substr(moved)));
    co_await copy.sink.closed();
    CHECK((get("to") == copy.whole.substr(0, moved) + "tail"));
    co_await copy.over();
  };
  CHECK(run(main) == 0);
}

TEST_CASE("who listens for data while the kernel moves gets all that comes after") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    Halted copy;
    co_await copy.reach();
    std::string heard;
    copy.source.on<"data">([&](const Buffer& chunk) { heard += chunk.toString(); });
    copy.gate.open();
    co_await copy.sink.closed();
    CHECK((get("to") == copy.whole));
    CHECK(heard.size() > 0);
    CHECK((heard == copy.whole.substr(copy.whole.size() - heard.size())));
    co_await copy.over();
  };
  CHECK(run(main) == 0);
}

TEST_CASE("what is written to the sink while the kernel moves comes behind that") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    Halted copy;
    co_await copy.reach();
    std::uint64_t at = 0;
    copy.sink.write("between", [&](const std::exception_ptr& error) {
      CHECK(!error);
      at = copy.sink.bytesWritten();
    });
    CHECK(copy.sink.writableLength() == 7);
    copy.gate.open();
    co_await copy.sink.closed();
    REQUIRE(at > 7);
    std::string expected = copy.whole;
    expected.insert(at - 7, "between");
    CHECK((get("to") == expected));
    CHECK(copy.written == "pipe open ready finish unpipe close");
    co_await copy.over();
  };
  CHECK(run(main) == 0);
}

TEST_CASE(
    "a sink that is ended while the kernel moves gets no more, and the source keeps the rest") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    Halted copy;
    co_await copy.reach();
    copy.sink.end("tail");
    copy.gate.open();
    co_await copy.sink.closed();
    const auto moved = copy.sink.bytesWritten() - 4;
    CHECK((get("to") == copy.whole.substr(0, moved) + "tail"));
    CHECK(copy.written == "pipe open ready finish unpipe close");
    CHECK(copy.source.isPaused());
    std::string rest;
    while (auto chunk = co_await copy.source.next()) rest += chunk->toString();
    CHECK((rest == copy.whole.substr(moved)));
    co_await copy.over();
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a second pipe, corks and readers get every byte, though the kernel moved some before") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    Halted copy;
    co_await copy.reach();
    auto second = fs::createWriteStream("second");
    copy.source.pipe(second);
    copy.sink.cork();
    copy.gate.open();
    while (copy.sink.writableLength() == 0) co_await leat::sleep(1);
    copy.sink.uncork();
    co_await copy.sink.closed();
    co_await second.closed();
    CHECK((get("to") == copy.whole));
    const std::string rest = get("second");
    CHECK(rest.size() > 0);
    CHECK((rest == copy.whole.substr(copy.whole.size() - rest.size())));
    co_await copy.over();
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a file that grows while it is copied is copied with what was added") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    Halted copy(mebi);
    co_await copy.reach();
    const std::string more = noise(mebi);
    std::ofstream("from", std::ios::binary | std::ios::app) << more;
    copy.gate.open();
    co_await copy.sink.closed();
    CHECK((get("to") == copy.whole + more));
    CHECK(copy.source.bytesRead() == 2 * mebi);
    co_await copy.over();
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a file that shrinks while it is copied ends where it ends") {
  const TempFolder folder;
  const auto main = [&]() -> Task<> {
    Halted copy;
    co_await copy.reach();
    std::filesystem::resize_file("from", 200'000);
    copy.gate.open();
    co_await copy.sink.closed();
    CHECK((get("to") == copy.whole.substr(0, 200'000)));
    co_await copy.source.closed();
    CHECK(copy.read == "open ready end close");
    co_await copy.over();
  };
  CHECK(run(main) == 0);
}

TEST_CASE("a loop that ends while the kernel moves leaves no file open") {
  const TempFolder folder;
  put("from", noise(3 * mebi));
  for (int turns = 0; turns < 8; ++turns) {
    leat::EventLoop loop;
    auto source = fs::createReadStream("from");
    auto sink = fs::createWriteStream("to");
    for (int i = 0; i < 20'000 && (source.pending() || sink.pending()); ++i) (void)loop.runOnce(1);
    CHECK_FALSE((source.pending() || sink.pending()));
    source.pipe(sink);
    for (int i = 0; i < turns; ++i) (void)loop.runOnce(1);
  }
  folder.checkClosed();
}

TEST_CASE("memory does not grow with the file that the kernel copies") {
  const TempFolder folder;
  const auto main = []() -> Task<> {
    put("from", noise(48 * mebi));
    rusage before{}, after{};
    const auto source = fs::createReadStream("from");
    const auto sink = fs::createWriteStream("to");
    ::getrusage(RUSAGE_SELF, &before);
    co_await leat::pipeline(source, sink);
    ::getrusage(RUSAGE_SELF, &after);
    CHECK(after.ru_maxrss - before.ru_maxrss < 16 * 1024);
    CHECK(sink.bytesWritten() == 48 * mebi);
  };
  CHECK(run(main) == 0);
}
