// SPDX-License-Identifier: MIT

// What the ways to do an operation on files cost, one by one: by the calling thread with the calls that
// block, by it with those that never wait, by a worker of the blocking pool and back, through a ring. The
// table of fs/detail/file_request.hpp and docs/files.md come from this. /in_flight: so many at a time.

#include <leat/fs.hpp>
#include <leat/loop/detail/uring_ring.hpp>
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace {

namespace sys = leat::sys;
namespace uring = leat::sys::uring;
using leat::detail::BlockingJob;
using leat::detail::BlockingPool;
using leat::detail::UringRing;

constexpr std::size_t small = 1024;
constexpr std::size_t big = std::size_t{64} << 20;
constexpr std::size_t page = 4096;

void require(long result, const char* what) {
  if (result >= 0) return;
  errno = static_cast<int>(-result);
  ::perror(what);
  std::exit(1);
}

/// Files to work on, which go with the program.
class Files {
 public:
  Files() : folder_((std::getenv("TMPDIR") != nullptr ? std::getenv("TMPDIR") : "/tmp")) {
    folder_ += "/leat-fs-ways-XXXXXX";
    require(sys::mkdtemp(folder_.data()), "mkdtemp");
    for (int i = 0; i < 64; ++i) {
      names.push_back(folder_ + "/" + std::to_string(i));
      write(names.back(), small);
    }
    names.push_back(folder_ + "/big");
    write(names.back(), big);
    bigName = names.back();
  }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;
  ~Files() {
    for (const std::string& name : names) sys::unlink(name.c_str());
    sys::rmdir(folder_.c_str());
  }
  const char* next() { return names[at_++ % 64].c_str(); }

  std::vector<std::string> names;
  std::string bigName;

 private:
  static void write(const std::string& name, std::size_t size) {
    const std::string bytes(size, 'x');
    const sys::UniqueFd file(sys::open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600));
    require(file.get(), "open");
    for (std::size_t done = 0; done < size;) {
      const ssize_t n = sys::write(file.get(), bytes.data() + done, size - done);
      require(n, "write");
      done += static_cast<std::size_t>(n);
    }
    require(sys::fsync(file.get()), "fsync");
  }
  std::string folder_;
  std::size_t at_ = 0;
};
Files& files() {
  static Files made;
  return made;
}

// ---- what is done: `blocking` as a worker would, `atOnce` without waiting, false where it cannot ----

struct Stat {
  static void blocking(std::byte*) {
    struct ::statx found;
    require(sys::statx(AT_FDCWD, files().next(), 0, found), "statx");
  }
  static bool atOnce(std::byte*) {
    struct ::statx found;
    const sys::UniqueFd file(sys::openCached(files().next(), O_PATH, false));
    return file && sys::statx(file.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, found) == 0;
  }
};

struct ReadFile {
  static void blocking(std::byte* to) {
    const sys::UniqueFd file(sys::open(files().next(), O_RDONLY));
    struct ::statx found;
    require(sys::statx(file.get(), "", AT_EMPTY_PATH, found), "statx");
    require(sys::read(file.get(), to, found.stx_size), "read");
  }
  static bool atOnce(std::byte* to) {
    const sys::UniqueFd file(sys::openCached(files().next(), O_RDONLY | O_NONBLOCK, true));
    struct ::statx found;
    constexpr int flags = AT_EMPTY_PATH | AT_STATX_DONT_SYNC;
    return file && sys::statx(file.get(), "", flags, found) == 0 &&
           sys::readCached(file.get(), to, found.stx_size, 0) == small;
  }
};

int bigFile() {
  static const sys::UniqueFd file(sys::open(files().bigName.c_str(), O_RDWR));
  return file.get();
}
off_t place(std::size_t size) {
  static std::uint32_t state = 1;
  state = state * 1664525U + 1013904223U;
  return static_cast<off_t>((state >> 8) % (big / size) * size);
}

template <std::size_t size>
struct Read {
  static void blocking(std::byte* to) {
    require(sys::pread(bigFile(), to, size, place(size)), "pread");
  }
  static bool atOnce(std::byte* to) {
    return sys::readCached(bigFile(), to, size, place(size)) == size;
  }
};
struct Write {
  static void blocking(std::byte* from) {
    require(sys::pwrite(bigFile(), from, page, place(page)), "pwrite");
  }
};

/// No failure: other kernels, file systems and containers have fewer ways.
void skip(benchmark::State& state, const char* why) {
  for (auto _ : state) {
  }
  state.SetLabel(why);
}

template <class What>
void blocks(benchmark::State& state) {
  std::vector<std::byte> bytes(std::size_t{1} << 20);
  What::blocking(bytes.data());
  for (auto _ : state) What::blocking(bytes.data());
}
/// What is in memory may be out of reach for a moment.
template <class What>
bool soonAtOnce(std::byte* bytes) {
  for (int tries = 0; tries < 100; ++tries)
    if (What::atOnce(bytes)) return true;
  return false;
}
template <class What>
void atOnce(benchmark::State& state) {
  std::vector<std::byte> bytes(std::size_t{1} << 20);
  What::blocking(bytes.data());
  if (!soonAtOnce<What>(bytes.data())) return skip(state, "it cannot be done at once here");
  for (auto _ : state) benchmark::DoNotOptimize(soonAtOnce<What>(bytes.data()));
}

// ---- by workers ----

struct Hop : BlockingJob {
  using Body = void (*)(std::byte*);
  Hop(Body b, leat::LoopRef l, std::size_t room)
      : BlockingJob(operations), body(b), loop(std::move(l)), bytes(room) {}
  static void run(BlockingJob& job) noexcept {
    auto& self = static_cast<Hop&>(job);
    self.body(self.bytes.data());
  }
  static void done(BlockingJob& job) noexcept {
    auto& self = static_cast<Hop&>(job);
    self.loop.postJob(self.back);
  }
  static void dispose(BlockingJob&) noexcept {}
  static constexpr Operations operations{run, done, dispose};

  struct Back : leat::detail::PostedJob {
    explicit Back(long& count) noexcept : PostedJob(act), ended(count) {}
    static void act(PostedJob& job, bool) noexcept { ++static_cast<Back&>(job).ended; }
    long& ended;
  };
  static inline long ended = 0;
  Body body;
  leat::LoopRef loop;
  std::vector<std::byte> bytes;
  Back back{ended};
};

template <class What>
void byWorker(benchmark::State& state) {
  leat::EventLoop loop;
  loop.hold();
  const long inFlight = state.range(0);
  std::vector<std::unique_ptr<Hop>> hops;
  for (long i = 0; i < inFlight; ++i)
    hops.push_back(std::make_unique<Hop>(What::blocking, loop.ref(), std::size_t{1} << 20));
  long total = 0;
  for (auto _ : state) {
    Hop::ended = 0;
    for (auto& hop : hops) require(BlockingPool::shared().submit(*hop), "pthread_create");
    while (Hop::ended < inFlight) loop.runOnce(-1);
    total += inFlight;
  }
  state.SetItemsProcessed(total);
  loop.letGo();
}

// ---- through a ring ----

/// A request of one kind; `memory` is its own.
template <std::size_t size>
struct RingRead {
  static constexpr std::size_t room = size;
  static void fill(uring::Sqe& e, std::byte* memory) {
    e.opcode = uring::opRead;
    e.fd = bigFile();
    e.addr = reinterpret_cast<std::uint64_t>(memory);
    e.len = size;
    e.off = static_cast<std::uint64_t>(place(size));
  }
};
struct RingWrite {
  static constexpr std::size_t room = page;
  static void fill(uring::Sqe& e, std::byte* memory) {
    RingRead<page>::fill(e, memory);
    e.opcode = 23;
  }
};
struct RingStat {
  static constexpr std::size_t room = sizeof(struct ::statx);
  static void fill(uring::Sqe& e, std::byte* memory) {
    e.opcode = 21;
    e.fd = AT_FDCWD;
    e.addr = reinterpret_cast<std::uint64_t>(files().next());
    e.len = STATX_BASIC_STATS | STATX_BTIME;
    e.off = reinterpret_cast<std::uint64_t>(memory);
  }
};

template <class What>
void throughRing(benchmark::State& state) {
  UringRing ring;
  if (ring.open(256, 512) != 0) return skip(state, ring.mode());
  const auto inFlight = static_cast<std::size_t>(state.range(0));
  std::vector<std::byte> bytes(inFlight * What::room);
  for (auto _ : state) {
    for (std::size_t i = 0; i < inFlight; ++i) {
      uring::Sqe& e = *ring.next();
      What::fill(e, bytes.data() + i * What::room);
      e.userData = 1;
    }
    for (std::size_t got = 0; got < inFlight;) {
      require(ring.enter(static_cast<unsigned>(inFlight - got), -1), "io_uring_enter");
      for (; const uring::Cqe* const completion = ring.peek(); ++got) {
        require(completion->res, "the request");
        ring.pop();
      }
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(inFlight) * state.iterations());
}

// ---- pages that are not in memory ----

void forget() {
  require(-::posix_fadvise(bigFile(), 0, 0, POSIX_FADV_DONTNEED), "posix_fadvise");
  require(-::posix_fadvise(bigFile(), 0, 0, POSIX_FADV_RANDOM), "posix_fadvise");
}
template <auto way>
void cold(benchmark::State& state) {
  require(sys::fsync(bigFile()), "fsync");
  forget();
  way(state);
}

BENCHMARK(blocks<Stat>)->UseRealTime();
BENCHMARK(atOnce<Stat>)->UseRealTime();
BENCHMARK(byWorker<Stat>)->Arg(1)->Arg(64)->UseRealTime();
BENCHMARK(throughRing<RingStat>)->Arg(1)->Arg(64)->UseRealTime();
BENCHMARK(blocks<ReadFile>)->UseRealTime();
BENCHMARK(atOnce<ReadFile>)->UseRealTime();
BENCHMARK(byWorker<ReadFile>)->Arg(1)->Arg(64)->UseRealTime();
BENCHMARK(blocks<Read<4096>>)->UseRealTime();
BENCHMARK(atOnce<Read<4096>>)->UseRealTime();
BENCHMARK(byWorker<Read<4096>>)->Arg(1)->Arg(64)->UseRealTime();
BENCHMARK(throughRing<RingRead<4096>>)->Arg(1)->Arg(64)->UseRealTime();
BENCHMARK(blocks<Read<65536>>)->UseRealTime();
BENCHMARK(atOnce<Read<65536>>)->UseRealTime();
BENCHMARK(byWorker<Read<65536>>)->Arg(1)->Arg(64)->UseRealTime();
BENCHMARK(throughRing<RingRead<65536>>)->Arg(1)->Arg(64)->UseRealTime();
BENCHMARK(blocks<Read<1048576>>)->UseRealTime();
BENCHMARK(atOnce<Read<1048576>>)->UseRealTime();
BENCHMARK(byWorker<Read<1048576>>)->Arg(1)->Arg(16)->UseRealTime();
BENCHMARK(throughRing<RingRead<1048576>>)->Arg(1)->Arg(16)->UseRealTime();
BENCHMARK(blocks<Write>)->UseRealTime();
BENCHMARK(byWorker<Write>)->Arg(1)->Arg(64)->UseRealTime();
BENCHMARK(throughRing<RingWrite>)->Arg(1)->Arg(64)->UseRealTime();
// Few, so that hardly a page is met twice.
BENCHMARK(cold<byWorker<Read<4096>>>)->Arg(64)->Iterations(20)->UseRealTime();
BENCHMARK(cold<throughRing<RingRead<4096>>>)->Arg(64)->Iterations(20)->UseRealTime();

}  // namespace
