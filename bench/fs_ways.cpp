// SPDX-License-Identifier: MIT

// What the ways to read, write and `stat` files cost, one by one: by the calling thread with the calls
// that block, by it with those that never wait, by a worker of the blocking pool and back, through a ring.
// The table of fs/detail/file_request.hpp and docs/files.md come from this and from fs_ways_rest.cpp.
// A number at the end: so many at a time.

#include <benchmark/benchmark.h>

#include "tools/ways.hpp"

namespace {

using namespace ways;

constexpr std::size_t small = 1024;
constexpr std::size_t big = std::size_t{64} << 20;
constexpr std::size_t page = 4096;

/// Files to work on, which go with the program.
class Files {
 public:
  Files() : folder_(makeFolder()) {
    for (int i = 0; i < 64; ++i) {
      names.push_back(folder_ + "/" + std::to_string(i));
      makeFile(names.back(), small);
    }
    names.push_back(folder_ + "/big");
    makeFile(names.back(), big);
    bigName = names.back();
  }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;
  ~Files() {
    for (const std::string& name : names) sys::unlink(name.c_str());
    sys::rmdir(folder_.c_str());
  }

  std::vector<std::string> names;
  std::string bigName;

 private:
  std::string folder_;
};
Files& files() {
  static Files made;
  return made;
}
int bigFile() {
  static const sys::UniqueFd file(sys::open(files().bigName.c_str(), O_RDWR));
  return file.get();
}

/// Memory, and which file or place is next.
template <std::size_t size>
struct Room {
  explicit Room(std::size_t number) : bytes(size), file(number), state(++seeds * 2654435761U) {}
  void took(long) {}
  const char* next() { return files().names[file++ % 64].c_str(); }
  off_t place() {
    state = state * 1664525U + 1013904223U;
    return static_cast<off_t>((state >> 8) % (big / size) * size);
  }
  std::vector<std::byte> bytes;
  std::size_t file;
  std::uint32_t state;
  static inline std::uint32_t seeds = 0;
};

// ---- what is done ----

struct Stat {
  using Own = Room<sizeof(struct ::statx)>;
  static struct ::statx& found(Own& own) {
    return *reinterpret_cast<struct ::statx*>(own.bytes.data());
  }
  static long act(Own& own) { return sys::statx(AT_FDCWD, own.next(), 0, found(own)); }
  static bool atOnce(Own& own) {
    const sys::UniqueFd file(sys::openCached(own.next(), O_PATH, false));
    return file && sys::statx(file.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, found(own)) == 0;
  }
  static void fill(uring::Sqe& e, Own& own) {
    e.opcode = 21;
    e.fd = AT_FDCWD;
    e.addr = reinterpret_cast<std::uint64_t>(own.next());
    e.len = STATX_BASIC_STATS | STATX_BTIME;
    e.off = reinterpret_cast<std::uint64_t>(own.bytes.data());
  }
};

struct ReadFile {
  using Own = Room<small>;
  static long act(Own& own) {
    const sys::UniqueFd file(sys::open(own.next(), O_RDONLY));
    struct ::statx found;
    require(sys::statx(file.get(), "", AT_EMPTY_PATH, found), "statx");
    return sys::read(file.get(), own.bytes.data(), found.stx_size);
  }
  static bool atOnce(Own& own) {
    const sys::UniqueFd file(sys::openCached(own.next(), O_RDONLY | O_NONBLOCK, true));
    struct ::statx found;
    constexpr int flags = AT_EMPTY_PATH | AT_STATX_DONT_SYNC;
    return file && sys::statx(file.get(), "", flags, found) == 0 &&
           sys::readCached(file.get(), own.bytes.data(), found.stx_size, 0) == small;
  }
};

template <std::size_t size>
struct Read {
  using Own = Room<size>;
  static long act(Own& own) { return sys::pread(bigFile(), own.bytes.data(), size, own.place()); }
  static bool atOnce(Own& own) {
    return sys::readCached(bigFile(), own.bytes.data(), size, own.place()) == size;
  }
  static void fill(uring::Sqe& e, Own& own) {
    e.opcode = uring::opRead;
    e.fd = bigFile();
    e.addr = reinterpret_cast<std::uint64_t>(own.bytes.data());
    e.len = size;
    e.off = static_cast<std::uint64_t>(own.place());
  }
};
struct Write {
  using Own = Room<page>;
  static long act(Own& own) { return sys::pwrite(bigFile(), own.bytes.data(), page, own.place()); }
  static void fill(uring::Sqe& e, Own& own) {
    Read<page>::fill(e, own);
    e.opcode = 23;
  }
};

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

template <auto way>
void addCold(const char* name) {
  // Few, so that hardly a page is met twice.
  benchmark::RegisterBenchmark(name, cold<way>)->Arg(64)->Iterations(20)->UseRealTime();
}

}  // namespace

int main(int argc, char** argv) {
  inAllWays<Stat>("stat");
  inAllWays<ReadFile>("readFile");
  inAllWays<Read<page>>("read_4KiB");
  inAllWays<Read<65536>>("read_64KiB");
  inAllWays<Read<1048576>>("read_1MiB", {.inFlight = 16});
  inAllWays<Write>("write_4KiB");
  addCold<byWorker<Read<page>>>("byWorker/read_4KiB_cold");
  addCold<throughRing<Read<page>>>("throughRing/read_4KiB_cold");
  return ways::run(argc, argv);
}
