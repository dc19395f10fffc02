// SPDX-License-Identifier: MIT
// The steps that the operations of fs are made of. All block: they run on a worker.
#pragma once

#include <leat/fs/detail/file_request.hpp>
#include <leat/fs/detail/known_places.hpp>
#include <leat/fs/stats.hpp>
#include <leat/sys/fd.hpp>

namespace leat::inline LEAT_ABI::detail {

// ---- texts of paths ----

LEAT_INLINE std::string joinedPath(std::string_view folder, std::string_view name);

#if LEAT_BODIES
/// Without "." and ".." and doubled slashes, as Node's path.normalize does; a slash at the end goes too.
LEAT_INLINE std::string normalizedPath(std::string_view path) {
  const bool absolute = path.starts_with('/');
  std::string result;
  std::size_t fixed = 0;  // what ".." cannot take away
  while (!path.empty()) {
    const std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(part.size() < path.size() ? part.size() + 1 : path.size());
    if (part.empty() || part == ".") continue;
    if (part == ".." && result.size() > fixed) {
      const std::size_t slash = result.rfind('/');
      result.resize(slash == std::string::npos || slash < fixed ? fixed : slash);
      continue;
    }
    if (part == ".." && absolute) continue;
    if (!result.empty()) result += '/';
    result += part;
    if (part == "..") fixed = result.size();
  }
  if (absolute) return "/" + result;
  return result.empty() ? std::string(".") : result;
}

LEAT_INLINE std::string joinedPath(std::string_view folder, std::string_view name) {
  std::string whole(folder);
  if (!whole.empty() && !name.empty()) whole += '/';
  whole += name;
  return normalizedPath(whole);
}

/// The folder that holds it, as Node's path.dirname.
LEAT_INLINE std::string_view folderOf(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  path = path.substr(0, slash == 0 ? 1 : slash);
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return path;
}
#endif
inline std::string_view nameOf(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return path.substr(path.rfind('/') + 1);
}

// ---- what is there ----

/// 0 or -errno.
inline int statPath(const std::string& path, bool follow, struct ::statx& found) noexcept {
  return sys::statx(AT_FDCWD, path.c_str(), follow ? 0 : AT_SYMLINK_NOFOLLOW, found);
}
inline int statFd(int fd, struct ::statx& found) noexcept {
  return sys::statx(fd, "", AT_EMPTY_PATH, found);
}
inline bool sameFile(const struct ::statx& a, const struct ::statx& b) noexcept {
  return a.stx_ino == b.stx_ino && a.stx_dev_major == b.stx_dev_major &&
         a.stx_dev_minor == b.stx_dev_minor;
}

/// So that the loop's thread may do the same at once the next time.
[[gnu::cold]] LEAT_INLINE void learnDeviceOf(const std::string& path, bool follow) noexcept;

#if LEAT_BODIES
[[gnu::cold]] LEAT_INLINE void learnDeviceOf(const std::string& path, bool follow) noexcept {
  if (noCachedOpens.load(relaxed)) return;
  const sys::UniqueFd file(
      sys::openCached(path.c_str(), follow ? O_PATH : O_PATH | O_NOFOLLOW, false));
  struct ::statx found;
  if (file && statFd(file.get(), found) == 0) (void)learnDevice(file.get(), deviceKeyOf(found));
}

LEAT_INLINE void learnFolder(const std::string& path, int fd,
                             const struct ::statx& found) noexcept {
  const std::uint64_t key = folderKey(path);
  if (!S_ISREG(found.stx_mode) || plainFolders.recall(key) != KnownPlaces::Answer::unknown) return;
  const std::uint64_t device = deviceKeyOf(found);
  if (learnDevice(fd, device) && waitingDevices.recall(device) != KnownPlaces::Answer::yes)
    plainFolders.tell(key, true);
}
#endif

/// S_IFMT bits for a DT_ number.
inline unsigned modeOfEntry(unsigned type) noexcept { return type << 12; }

/// A stream of a folder's entries.
class FolderStream {
 public:
  FolderStream() noexcept = default;
  FolderStream(const FolderStream&) = delete;
  FolderStream& operator=(const FolderStream&) = delete;
  ~FolderStream() { (void)close(); }
  bool isOpen() const noexcept { return stream_ != nullptr; }
  /// 0 or -errno.
  int open(const char* path, bool follow = true) noexcept {
    return follow ? sys::opendir(path, stream_) : sys::opendirNoFollow(path, stream_);
  }
  int close() noexcept {
    DIR* const stream = std::exchange(stream_, nullptr);
    return stream == nullptr ? 0 : sys::closedir(stream);
  }
  /// 1 and the next entry that is neither "." nor "..", 0 at the end, or -errno.
  int next(const dirent*& entry) noexcept {
    for (;;) {
      const int more = sys::readdir(stream_, entry);
      if (more <= 0) return more;
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") return 1;
    }
  }

 private:
  DIR* stream_ = nullptr;
};

struct FolderEntry {
  std::string name;
  unsigned mode;  // S_IFMT bits, or 0
};

/// All entries, by the bytes of their names, as Node has them. What the file system tells no kind of is
/// asked for. 0 or -errno.
LEAT_INLINE int listFolder(const std::string& path, std::vector<FolderEntry>& sorted,
                           bool follow = true);

#if LEAT_BODIES
LEAT_INLINE int listFolder(const std::string& path, std::vector<FolderEntry>& sorted, bool follow) {
  std::vector<FolderEntry> found;
  FolderStream stream;
  if (const int error = stream.open(path.c_str(), follow)) return error;
  const dirent* entry = nullptr;
  int more;
  while ((more = stream.next(entry)) > 0) {
    found.push_back(FolderEntry{entry->d_name, modeOfEntry(entry->d_type)});
    struct ::statx known;
    if (entry->d_type == DT_UNKNOWN && statPath(path + '/' + entry->d_name, false, known) == 0)
      found.back().mode = known.stx_mode & S_IFMT;
  }
  if (more < 0) return more;
  std::vector<FolderEntry*> order;
  order.reserve(found.size());
  for (FolderEntry& one : found) order.push_back(&one);
  const auto compare = [](const void* a, const void* b) {
    return (*static_cast<FolderEntry* const*>(a))
        ->name.compare((*static_cast<FolderEntry* const*>(b))->name);
  };
  if (!order.empty()) ::qsort(order.data(), order.size(), sizeof(FolderEntry*), compare);
  sorted.reserve(found.size());
  for (FolderEntry* one : order) sorted.push_back(std::move(*one));
  return 0;
}
#endif

/// A folder that a walk has still to read, and what its entries are called in the result.
struct FolderVisit {
  std::string path;
  std::string prefix;  // of names, "" or ending in a slash
};

// ---- bytes ----

constexpr std::size_t fileChunk = std::size_t{4} << 20;
constexpr std::int64_t fileLimit = 0x7fffffff;

[[noreturn]] LEAT_NOINLINE inline void throwTooLarge(std::int64_t size) {
  throw RangeError(SharedText{"File size (", Decimal(size), ") is greater than 2 GiB"}.view(),
                   "ERR_FS_FILE_TOO_LARGE");
}

LEAT_INLINE Buffer readWhole(const FileRequest& request, int fd);
LEAT_INLINE void writeWhole(const FileRequest& request, int fd, std::string_view bytes);
/// Waits for a writer, as `open` would have: one that writes nothing yet is enough.
[[gnu::cold]] LEAT_INLINE void awaitWriter(const FileRequest& request, int fd);
/// What `openPathCached` opened and left may be a pipe without a writer. What else is no plain file is
/// opened anew.
[[gnu::cold]] LEAT_INLINE void settleOpened(FileRequest& request);

#if LEAT_BODIES
/// Reads from the current position until `size` bytes, or the end. Throws: SystemError.
LEAT_INLINE std::size_t readUpTo(const FileRequest& request, int fd, std::byte* data,
                                 std::size_t size) {
  std::size_t done = 0;
  while (done < size && !request.left()) {
    const std::size_t want = size - done < fileChunk ? size - done : fileChunk;
    const ssize_t n = sys::read(fd, data + done, want);
    if (n < 0) throwFile(static_cast<int>(n), "read");
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

/// The rest of a file whose size says nothing: of /proc, of a pipe, of a device.
LEAT_INLINE Buffer readUnsized(const FileRequest& request, int fd) {
  Buffer whole = Buffer::allocUnsafe(65536);
  std::size_t size = 0;
  while (!request.left()) {
    size += readUpTo(request, fd, whole.data() + size, whole.size() - size);
    if (size < whole.size()) break;
    constexpr auto most = static_cast<std::size_t>(fileLimit) + 1;
    if (size == most) throwTooLarge(fileLimit + 1);
    Buffer bigger = Buffer::allocUnsafe(size < most / 2 ? 2 * size : most);
    (void)whole.copy(bigger.bytes());
    whole = std::move(bigger);
  }
  return std::move(whole).subarray(0, static_cast<std::ptrdiff_t>(size));
}

/// The rest of a file of which `known` is known.
LEAT_INLINE Buffer readRest(const FileRequest& request, int fd, const struct ::statx& known) {
  const auto size = S_ISREG(known.stx_mode) ? static_cast<std::int64_t>(known.stx_size) : 0;
  if (size > fileLimit) throwTooLarge(size);
  if (size == 0) return readUnsized(request, fd);
  Buffer whole = Buffer::allocUnsafe(static_cast<std::size_t>(size));
  sys::adviseHugePages(whole.data(), whole.size());
  const std::size_t got = readUpTo(request, fd, whole.data(), whole.size());
  return std::move(whole).subarray(0, static_cast<std::ptrdiff_t>(got));
}

LEAT_INLINE Buffer readWhole(const FileRequest& request, int fd) {
  struct ::statx known;
  if (const int error = statFd(fd, known)) throwFile(error, "fstat");
  return readRest(request, fd, known);
}

LEAT_INLINE void writeWhole(const FileRequest& request, int fd, std::string_view bytes) {
  while (!bytes.empty() && !request.left()) {
    const ssize_t n =
        sys::write(fd, bytes.data(), bytes.size() < fileChunk ? bytes.size() : fileChunk);
    if (n < 0) throwFile(static_cast<int>(n), "write");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

/// Opens, or throws the SystemError of `open`.
LEAT_INLINE sys::UniqueFd openFile(const std::string& path, int flags, unsigned mode = 0666) {
  const int fd = sys::open(path.c_str(), flags, mode);
  if (fd < 0) throwFile(fd, "open", path);
  return sys::UniqueFd(fd);
}

[[gnu::cold]] LEAT_INLINE void awaitWriter(const FileRequest& request, int fd) {
  int ends[2];
  if (const int error = sys::pipe2(ends, O_CLOEXEC)) throwFile(error, "open", request.path);
  const sys::UniqueFd out(ends[0]);
  const sys::UniqueFd in(ends[1]);
  while (!request.left() && !sys::hadWriter(fd, in.get())) {
  }
}

[[gnu::cold]] LEAT_INLINE void settleOpened(FileRequest& request) {
  struct ::statx known;
  sys::UniqueFd& file = request.opened;
  if (statFd(file.get(), known) != 0 || !(S_ISREG(known.stx_mode) || S_ISFIFO(known.stx_mode)))
    return file.reset();
  if (S_ISFIFO(known.stx_mode)) awaitWriter(request, file.get());
  (void)sys::fcntl(file.get(), F_SETFL, O_RDONLY);
}

/// The file of the request, open.
LEAT_INLINE sys::UniqueFd openRequested(FileRequest& request) {
  if (request.opened) settleOpened(request);
  if (request.opened) return std::move(request.opened);
  return openFile(request.path, request.flags, request.mode);
}
#endif
inline void closeFile(sys::UniqueFd& file) {
  if (const int error = sys::close(file.release())) throwFile(error, "close");
}

}  // namespace leat::inline LEAT_ABI::detail
