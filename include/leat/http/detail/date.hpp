// SPDX-License-Identifier: MIT
// The Date field, and what often stands behind it, written once a second.
#pragma once

#include <leat/http/detail/http_date.hpp>
#include <leat/http/detail/put_text.hpp>
#include <leat/http/detail/text_buffer.hpp>
#include <leat/loop/loop_part.hpp>
#include <leat/sys/calls.hpp>

#include <string_view>

namespace leat::inline LEAT_ABI::http::detail {

/// Of the loop.
class LEAT_API DateCache : public leat::detail::LoopPart {
 public:
  explicit DateCache(const void* k) noexcept : LoopPart(k) {}
  struct Fields {
    /// "Date: ...", with the end of its line.
    std::string_view date;
    /// The same, and behind it the fields of a connection that stays.
    std::string_view kept;
  };
  /// `nowMs`: of the loop; the time of day is asked for when it moves. `keepAlive`: of a connection that stays.
  const Fields& fields(std::int64_t nowMs, KeepAlive keepAlive) {
    if (nowMs != nowMs_ || keepAlive != keepAlive_) refresh(nowMs, keepAlive);
    return fields_;
  }

 private:
  LEAT_NOINLINE void refresh(std::int64_t nowMs, KeepAlive keepAlive) {
    const std::int64_t second = sys::realtimeNs() / 1'000'000'000;
    if (second != second_ || keepAlive != keepAlive_) write(second, keepAlive);
    nowMs_ = nowMs;
  }
  void write(std::int64_t second, KeepAlive keepAlive) {
    // Where there is no memory, it is written again.
    nowMs_ = second_ = -1;
    char date[32];
    text_.clear();
    text_.append("Date: ");
    text_.append(writeDate(date, second));
    text_.append("\r\n");
    const std::size_t dateSize = text_.size();
    text_.endAt(putKept(text_.room(96), keepAlive));
    fields_ = {std::string_view(text_).substr(0, dateSize), text_};
    second_ = second;
    keepAlive_ = keepAlive;
  }

  std::int64_t nowMs_ = -1;
  std::int64_t second_ = -1;
  KeepAlive keepAlive_;
  TextBuffer text_;
  Fields fields_;
};

}  // namespace leat::inline LEAT_ABI::http::detail
