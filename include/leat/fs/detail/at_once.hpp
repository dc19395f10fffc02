// SPDX-License-Identifier: MIT
// What the loop's thread does itself, because it is in memory and a way to a worker and back costs more:
// short reads and `stat`. Nothing here waits for a disk. Where something is missing the answer is no, and
// a worker does it all.
#pragma once

#include <leat/fs/detail/worker.hpp>
#include <leat/loop/event_loop.hpp>
#include <leat/sys/uring_calls.hpp>

namespace leat::inline LEAT_ABI::detail {

/// By measurement (bench/fs_ways.cpp): from here on the loop is better off without the copying.
constexpr std::int64_t atOnceSize = 65536;
/// And longer ones are not for the ring, which copies what is in memory on the loop's thread, too.
constexpr std::int64_t ringSize = 262144;

/// What a loop does at once in one turn, so that sockets and timers come to their turn too. What is too
/// much waits for the next turn.
class LEAT_API AtOnce final : public LoopPart, private Job {
 public:
  /// Internal: in LoopParts.
  AtOnce(const void* part, EventLoop& loop) noexcept : LoopPart(part), Job(onTurn), loop_(loop) {}
  ~AtOnce() override {
    while (!waiting_.empty()) waiting_.popFront().release();
  }
  /// Null where there is no memory for it.
  static AtOnce* of(EventLoop& loop) noexcept;

  /// Has `job` called now or in one of the next turns. Keeps a count of it meanwhile.
  using Act = void (*)(BlockingJob&) noexcept;
  void perform(BlockingJob& job, Act act) noexcept;
  /// Of paths; an open file counts for itself.
  Attempts reads, stats;

 private:
  // About half a millisecond.
  static constexpr unsigned perTurn = 64;
  static void onTurn(Job& job, JobAction action) noexcept;
  bool budget() noexcept;

  EventLoop& loop_;
  List<BlockingJob> waiting_;
  Act act_ = nullptr;
  std::uint64_t turn_ = 0;
  unsigned done_ = 0;
  bool queued_ = false;
};

#if LEAT_BODIES
LEAT_INLINE AtOnce* AtOnce::of(EventLoop& loop) noexcept {
  try {
    return &loop.parts().get<AtOnce>(loop);
  } catch (...) {
    return nullptr;
  }
}

LEAT_INLINE bool AtOnce::budget() noexcept {
  const std::uint64_t now = loop_.reactor().stats().turns;
  if (now != turn_) {
    turn_ = now;
    done_ = 0;
  }
  return ++done_ <= perTurn;
}

LEAT_INLINE void AtOnce::perform(BlockingJob& job, Act act) noexcept {
  if (waiting_.empty() && budget()) return act(job);
  job.retain();
  act_ = act;
  waiting_.pushBack(job);
  if (std::exchange(queued_, true)) return;
  loop_.pushPending(*this);
}

LEAT_INLINE void AtOnce::onTurn(Job& job, JobAction action) noexcept {
  auto& self = static_cast<AtOnce&>(job);
  self.queued_ = false;
  if (action != JobAction::Run) return;
  self.turn_ = self.loop_.reactor().stats().turns;
  self.done_ = 0;
  while (!self.waiting_.empty() && self.budget()) {
    BlockingJob& next = self.waiting_.popFront();
    self.act_(next);
    next.release();
  }
  if (self.waiting_.empty()) return;
  self.queued_ = true;
  self.loop_.pushPending(self);
}
#endif

[[gnu::cold]] inline void noteRefusal(FileRequest& request, int error) noexcept {
  if (error == -ENOSYS || error == -EPERM || error == -EINVAL) noCachedOpens.store(true, relaxed);
  request.missed = error == -EAGAIN;
}

/// Reads on until `want` bytes or the end: 0. Else the error, -EAGAIN where some are not in memory. `done`
/// counts those that came.
LEAT_INLINE int readCached(int fd, std::byte* data, std::size_t want, std::int64_t position,
                           std::size_t& done) noexcept;

// ---- stat ----

#if LEAT_BODIES
/// Asks the kernel for what it has of a file. A descriptor of this kind opens nothing.
LEAT_INLINE bool statCached(FileRequest& request, struct ::statx& found) noexcept {
  if (noCachedOpens.load(relaxed)) return false;
  constexpr int namesOnly = O_PATH;
  const int fd =
      sys::openCached(request.path.c_str(),
                      request.call == FileCall::lstat ? namesOnly | O_NOFOLLOW : namesOnly, false);
  if (fd < 0) {
    noteRefusal(request, fd);
    return false;
  }
  const sys::UniqueFd owner(fd);
  if (sys::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, found) != 0) return false;
  const bool local = localDevices.ask(deviceKeyOf(found)) == KnownPlaces::Answer::yes;
  request.missed = !local;
  return local;
}

// ---- reads ----

LEAT_INLINE int readCached(int fd, std::byte* data, std::size_t want, std::int64_t position,
                           std::size_t& done) noexcept {
  while (done < want) {
    const std::int64_t at = position < 0 ? -1 : position + static_cast<std::int64_t>(done);
    const ssize_t n = sys::readCached(fd, data + done, want - done, at);
    if (n == 0) return 0;
    if (n < 0) return static_cast<int>(n);
    done += static_cast<std::size_t>(n);
  }
  return 0;
}

/// Opens a plain file to read. What turns out to be something else is left to the worker, open: to open a
/// pipe twice would end its writer.
LEAT_INLINE bool openPathCached(FileRequest& request, struct ::stat& known) noexcept {
  if (request.flags != O_RDONLY || noCachedOpens.load(relaxed)) return false;
  if (plainFolders.ask(folderKey(request.path)) != KnownPlaces::Answer::yes) return false;
  const int fd = sys::openCached(request.path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY, true);
  if (fd < 0) {
    noteRefusal(request, fd);
    return false;
  }
  request.opened.reset(fd);
  return sys::fstat(fd, known) == 0 && S_ISREG(known.st_mode) &&
         localDevices.ask(deviceKey(known.st_dev)) == KnownPlaces::Answer::yes;
}

/// A whole small file.
LEAT_INLINE bool readPathCached(FileRequest& request, Buffer& whole) {
  struct ::stat known;
  if (!openPathCached(request, known)) return false;
  const std::int64_t size = known.st_size;
  if (size == 0 || size > atOnceSize) return false;
  whole = Buffer::allocUnsafe(static_cast<std::size_t>(size));
  std::size_t got = 0;
  const int error = readCached(request.opened.get(), whole.data(), whole.size(), 0, got);
  if (error != 0) {
    request.missed = true;
    if (error != -EAGAIN) waitingDevices.tell(deviceKey(known.st_dev), true);
    if (error != -EAGAIN) plainFolders.tell(folderKey(request.path), false);
    return false;
  }
  whole = std::move(whole).subarray(0, static_cast<std::ptrdiff_t>(got));
  request.opened.reset();
  return true;
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
