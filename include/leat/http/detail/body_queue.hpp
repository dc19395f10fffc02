// SPDX-License-Identifier: MIT
// The body of a message that comes: what was received and nobody has taken yet.
#pragma once

#include <leat/base/fifo.hpp>
#include <leat/buffer/buffer.hpp>
#include <leat/core/event.hpp>
#include <leat/core/task.hpp>

#include <optional>

namespace leat::inline LEAT_ABI::http::detail {

class BodyQueue {
 public:
  /// As much waits before the sender is slowed down. Node: the mark of a Readable.
  static constexpr std::size_t mark = 64 * 1024;
  /// What a piece takes besides its bytes, which may be a single one.
  static constexpr std::size_t pieceCost = 64;

  void push(std::string_view bytes) {
    if (dumped_ || over()) return;
    buffered_ += bytes.size() + pieceCost;
    chunks_.push(Buffer::from(bytes));
    ready_.set();
  }
  void end() noexcept {
    ended_ = true;
    ready_.set();
  }
  /// There is none, and nobody has asked for it yet.
  void beNone() noexcept { ended_ = true; }
  /// It will not come whole. What has come can still be read.
  void fail(std::exception_ptr error) noexcept {
    if (over()) return;
    error_ = std::move(error);
    ready_.set();
  }
  /// Nobody wants it. Who asks for it later is told.
  void dump() noexcept {
    dumped_ = dumped_ || !ended_ || !chunks_.empty();
    buffered_ = 0;
    chunks_.clear();
    ready_.set();
  }
  /// For another message.
  void clear() noexcept {
    chunks_.clear();
    buffered_ = 0;
    if (error_) error_ = nullptr;
    ended_ = dumped_ = claimed_ = false;
  }
  /// Somebody reads it, or will.
  void claim() noexcept { claimed_ = true; }
  bool claimed() const noexcept { return claimed_; }
  bool dumped() const noexcept { return dumped_; }
  bool ended() const noexcept { return ended_; }
  bool over() const noexcept { return ended_ || error_; }
  bool full() const noexcept { return buffered_ >= mark; }

  /// There is a chunk, or the end.
  bool ready() const noexcept { return !chunks_.empty() || over() || dumped_; }
  auto wait() noexcept {
    ready_.reset();
    return ready_.wait();
  }
  /// Empty at the end. Throws: what it failed with; Error ERR_HTTP_BODY_DUMPED.
  std::optional<Buffer> take() {
    if (!chunks_.empty()) {
      Buffer chunk = chunks_.pop();
      buffered_ -= chunk.size() + pieceCost;
      return chunk;
    }
    if (error_) std::rethrow_exception(error_);
    if (dumped_)
      throw Error("The body was thrown away, as nobody had asked for it when the answer ended",
                  "ERR_HTTP_BODY_DUMPED");
    return std::nullopt;
  }

 private:
  leat::detail::Fifo<Buffer> chunks_;
  ManualResetEvent ready_;
  std::size_t buffered_ = 0;
  std::exception_ptr error_;
  bool ended_ = false;
  bool dumped_ = false;
  bool claimed_ = false;
};

}  // namespace leat::inline LEAT_ABI::http::detail
