// SPDX-License-Identifier: MIT

// As fs_ways.cpp, of the operations that change names, rights and sizes, and of the few that only look and
// are not there. What belongs together, as mkdir and rmdir, is measured together: two operations, two
// hops, two requests; items_per_second counts each.

#include <benchmark/benchmark.h>

#include "tools/ways.hpp"

namespace {

using namespace ways;

/// Some files in a folder, which go with the program.
class Folder {
 public:
  static constexpr int count = 64;
  Folder() : path(makeFolder()) {
    for (int i = 0; i < count; ++i) makeFile(name(i), 0);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  /// Also what an operation left that did not end.
  ~Folder() {
    for (int i = 0; i < count; ++i) {
      sys::unlink(name(i).c_str());
      sys::unlink(spare(i).c_str());
      sys::rmdir(spare(i).c_str());
    }
    sys::rmdir(path.c_str());
  }
  std::string name(int i) const { return path + "/" + std::to_string(i); }
  std::string spare(int i) const { return name(i) + "-spare"; }

  const std::string path;
};
const Folder& folder() {
  static const Folder made;
  return made;
}

/// A file, and a name beside it where nothing is yet.
struct Place {
  explicit Place(std::size_t number)
      : path(folder().name(static_cast<int>(number))),
        spare(folder().spare(static_cast<int>(number))),
        file(sys::open(path.c_str(), O_RDWR)) {
    require(file.get(), "open");
  }
  void took(long r) { result = static_cast<int>(r); }

  const std::string path, spare;
  const sys::UniqueFd file;
  int result = -1;
};

/// What steps have in common.
struct Step {
  using Own = Place;
  static void onPath(uring::Sqe& e, std::uint8_t opcode, const std::string& path) {
    e.opcode = opcode;
    e.fd = AT_FDCWD;
    e.addr = reinterpret_cast<std::uint64_t>(path.c_str());
  }
  static void onPaths(uring::Sqe& e, std::uint8_t opcode, const std::string& from,
                      const std::string& to) {
    onPath(e, opcode, from);
    e.len = static_cast<std::uint32_t>(AT_FDCWD);
    e.off = reinterpret_cast<std::uint64_t>(to.c_str());
  }
};

// ---- what is done ----

struct Open : Step {
  static long act(Place& own) { return sys::open(own.path.c_str(), O_RDONLY); }
  static bool atOnce(Place& own) {
    return static_cast<bool>(
        sys::UniqueFd(sys::openCached(own.path.c_str(), O_RDONLY | O_NONBLOCK, true)));
  }
  static void fill(uring::Sqe& e, Place& own) {
    onPath(e, 18, own.path);
    e.opFlags = O_RDONLY | O_CLOEXEC;
  }
};
/// What the step before it opened.
struct Close : Step {
  static long act(Place& own) { return sys::close(own.result); }
  static void fill(uring::Sqe& e, Place& own) {
    e.opcode = 19;
    e.fd = own.result;
  }
};

/// Of a byte that has just been written, which is part of it.
struct Fsync : Step {
  static void soil(Place& own) { require(sys::pwrite(own.file.get(), "x", 1, 0), "pwrite"); }
  static long act(Place& own) {
    soil(own);
    return sys::fsync(own.file.get());
  }
  static void fill(uring::Sqe& e, Place& own) {
    soil(own);
    e.opcode = 3;
    e.fd = own.file.get();
  }
};
/// No block is taken or given back.
template <off_t size>
struct Ftruncate : Step {
  static long act(Place& own) { return sys::ftruncate(own.file.get(), size); }
  static void fill(uring::Sqe& e, Place& own) {
    e.opcode = 55;
    e.fd = own.file.get();
    e.off = size;
  }
};

template <bool away>
struct Rename : Step {
  static const std::string& from(Place& own) { return away ? own.path : own.spare; }
  static const std::string& to(Place& own) { return away ? own.spare : own.path; }
  static long act(Place& own) { return sys::rename(from(own).c_str(), to(own).c_str()); }
  static void fill(uring::Sqe& e, Place& own) { onPaths(e, 35, from(own), to(own)); }
};
struct Link : Step {
  static long act(Place& own) { return sys::link(own.path.c_str(), own.spare.c_str()); }
  static void fill(uring::Sqe& e, Place& own) { onPaths(e, 39, own.path, own.spare); }
};
struct Symlink : Step {
  static long act(Place& own) { return sys::symlink(own.path.c_str(), own.spare.c_str()); }
  static void fill(uring::Sqe& e, Place& own) {
    onPaths(e, 38, own.path, own.spare);
    e.len = 0;
  }
};
struct Unlink : Step {
  static long act(Place& own) { return sys::unlink(own.spare.c_str()); }
  static void fill(uring::Sqe& e, Place& own) { onPath(e, 36, own.spare); }
};
struct Mkdir : Step {
  static long act(Place& own) { return sys::mkdir(own.spare.c_str(), 0700); }
  static void fill(uring::Sqe& e, Place& own) {
    onPath(e, 37, own.spare);
    e.len = 0700;
  }
};
struct Rmdir : Step {
  static long act(Place& own) { return sys::rmdir(own.spare.c_str()); }
  static void fill(uring::Sqe& e, Place& own) {
    onPath(e, 36, own.spare);
    e.opFlags = AT_REMOVEDIR;
  }
};

/// A ring has nothing of the kind of those below.
struct Chmod : Step {
  static long act(Place& own) { return sys::fchmodat(own.path.c_str(), 0600); }
};
struct Access : Step {
  static long act(Place& own) { return sys::access(own.path.c_str(), R_OK); }
  static bool atOnce(Place& own) {
    constexpr long faccessat2 = 439;
    const sys::UniqueFd file(sys::openCached(own.path.c_str(), O_PATH, false));
    return file && ::syscall(faccessat2, file.get(), "", R_OK, AT_EMPTY_PATH) == 0;
  }
};
struct Statfs : Step {
  static long act(Place& own) {
    struct ::statfs found;
    return sys::statfs(own.path.c_str(), found);
  }
  static bool atOnce(Place& own) {
    struct ::statfs found;
    const sys::UniqueFd file(sys::openCached(own.path.c_str(), O_PATH, false));
    return file && sys::fstatfs(file.get(), found) == 0;
  }
};
/// Of the folder with the files.
struct Readdir : Step {
  static long act(Place&) {
    DIR* stream = nullptr;
    require(sys::opendir(folder().path.c_str(), stream), "opendir");
    const dirent* entry = nullptr;
    long more;
    while ((more = sys::readdir(stream, entry)) > 0) benchmark::DoNotOptimize(entry->d_type);
    require(sys::closedir(stream), "closedir");
    return more;
  }
};

}  // namespace

int main(int argc, char** argv) {
  // Each makes and removes a file of its own, and ext4 is slow after thousands of those.
  constexpr Often few{.inFlight = Folder::count, .one = 32, .many = 1};
  inAllWays<Open, Close>("open+close");
  inAllWays<Fsync>("fsync");
  inAllWays<Ftruncate<4096>, Ftruncate<0>>("ftruncate");
  inAllWays<Rename<true>, Rename<false>>("rename");
  inAllWays<Link, Unlink>("link+unlink");
  inAllWays<Symlink, Unlink>("symlink+unlink", few);
  inAllWays<Mkdir, Rmdir>("mkdir+rmdir", few);
  inAllWays<Chmod>("chmod");
  inAllWays<Access>("access");
  inAllWays<Statfs>("statfs");
  inAllWays<Readdir>("readdir");
  return ways::run(argc, argv);
}
