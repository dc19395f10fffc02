// SPDX-License-Identifier: MIT
// ByteCounter: passes bytes on and counts them.
#pragma once

#include <leat/stream/transform.hpp>

namespace leat::inline LEAT_ABI {

namespace detail {

struct ByteCount : Counted<ByteCount> {
  std::uint64_t bytes = 0;
};

/// `F` is called with the number of bytes so far.
template <class F>
class CountBytes {
 public:
  CountBytes(Ref<ByteCount> count, std::uint64_t every, F&& progress)
      : count_(std::move(count)), every_(every == 0 ? 1 : every), progress_(std::move(progress)) {}

  Buffer transform(Buffer chunk) {
    const std::uint64_t before = count_->bytes;
    count_->bytes += chunk.size();
    if (before / every_ != count_->bytes / every_) tell();
    return chunk;
  }
  void flush() {
    if (told_ != count_->bytes) tell();
  }

 private:
  void tell() {
    told_ = count_->bytes;
    (void)progress_(told_);
  }

  Ref<ByteCount> count_;
  std::uint64_t every_;
  std::uint64_t told_ = 0;
  F progress_;
};

}  // namespace detail

/// Passes bytes on and counts them.
class ByteCounter : public Transform<> {
 public:
  explicit ByteCounter(const DuplexOptions& options = {})
      : ByteCounter(UINT64_MAX, [](std::uint64_t) {}, options) {}
  /// Calls `progress(bytes)` with the number of bytes so far, whenever a chunk has reached or passed a
  /// multiple of `every` bytes, once for a chunk, and at the end when bytes have come since. What it throws
  /// is the stream's error.
  template <class F>
    requires std::is_invocable_v<F&, std::uint64_t>
  ByteCounter(std::uint64_t every, F progress, const DuplexOptions& options = {})
      : ByteCounter(detail::makeRef<detail::ByteCount>(), every, std::move(progress), options) {}

  /// So far: those that were taken, though perhaps not read yet.
  std::uint64_t bytes() const noexcept { return count_->bytes; }

 private:
  template <class F>
  ByteCounter(const detail::Ref<detail::ByteCount>& count, std::uint64_t every, F&& progress,
              const DuplexOptions& options)
      : Transform(detail::CountBytes<F>(count, every, std::move(progress)), options),
        count_(count) {}
  detail::Ref<detail::ByteCount> count_;
};

}  // namespace leat::inline LEAT_ABI
