// SPDX-License-Identifier: MIT
// A file that the kernel moves to a sink: on a worker, until somebody comes in between, and for a moment at
// a time, so that the counts of bytes go on and other work has its turn.
#pragma once

#include <leat/fs/file_handle.hpp>
#include <leat/stream/direct.hpp>

namespace leat::inline LEAT_ABI::detail {

/// A file as a sink.
class FileTaker final : public DirectTaker {
 public:
  FileTaker(Ref<FileState> file, std::int64_t position) noexcept
      : file_(std::move(file)), position_(position) {
    file_.begin();
  }
  ssize_t take(int from, std::int64_t& at, std::size_t most) noexcept override {
    return sys::copy_file_range(from, place(at), file_.fd(), place(position_), most);
  }
  ssize_t takePiped(int pipe, std::size_t most) noexcept override {
    return sys::splice(pipe, file_.fd(), place(position_), most);
  }

 private:
  static off_t* place(std::int64_t& at) noexcept {
    static_assert(std::is_same_v<off_t, std::int64_t>);
    return at < 0 ? nullptr : &at;
  }
  FileUse file_;
  std::int64_t position_;
};

/// How many bytes went, and what the last call answered.
struct MoveResult {
  std::size_t count = 0;
  ssize_t last = 0;
};

class MoveFileJob final : public FileJob<MoveResult> {
 public:
  /// From `position` on; at most `most` bytes, unless that is negative.
  MoveFileJob(Ref<FileState> from, std::int64_t position, std::int64_t most,
              Owned<DirectTaker> taker)
      : FileJob(nullptr, FileCall::copyFile, std::move(from)), taker_(std::move(taker)) {
    request.position = position;
    request.length = most;
  }

 private:
  void call() noexcept override { result().emplace(move()); }
  MoveResult move() noexcept;
  void told() noexcept override {
    taker_.reset();
    FileJob::told();
  }

  Owned<DirectTaker> taker_;
};

#if LEAT_BODIES
LEAT_INLINE MoveResult MoveFileJob::move() noexcept {
  constexpr std::int64_t turnNs = 50'000'000;
  constexpr std::size_t largest = std::size_t{1} << 30;
  // Larger where calls are short, as with file systems that only note who has the same bytes.
  std::size_t piece = std::size_t{1} << 20;
  const std::int64_t start = sys::monotonicNs();
  std::int64_t before = start;
  MoveResult moved;
  while (!request.left()) {
    const auto done = static_cast<std::int64_t>(moved.count);
    std::size_t most = piece;
    if (request.length >= 0 && request.length - done < static_cast<std::int64_t>(piece))
      most = static_cast<std::size_t>(request.length - done);
    if (most == 0) break;
    moved.last = taker_->take(request.file.fd(), request.position, most);
    if (moved.last <= 0) break;
    moved.count += static_cast<std::size_t>(moved.last);
    const std::int64_t now = sys::monotonicNs();
    if (now - start >= turnNs) break;
    if (now - before < turnNs / 100 && piece < largest) piece *= 2;
    before = now;
  }
  return moved;
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
