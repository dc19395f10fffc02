// SPDX-License-Identifier: MIT
// LineSplitter: bytes in any pieces to whole lines. Node: the `line` events of readline, as a Transform.
#pragma once

#include <leat/stream/splitter.hpp>

#include <string>

namespace leat::inline LEAT_ABI {

/// Options of LineSplitter.
struct LineOptions {
  /// Bytes that a line may have without its end: more is RangeError ERR_OUT_OF_RANGE, as soon as they have
  /// come. Not more than this and a chunk is kept.
  std::size_t maxLength = std::size_t{16} << 20;
  /// Whether a lone "\r" ends a line too, besides "\n" and "\r\n".
  bool carriageReturn = false;
  /// Whether bytes that are no UTF-8 stay in the lines as they are. Else they become U+FFFD.
  bool keepInvalidUtf8 = false;
  /// Whether a byte order mark in front of the first line is dropped.
  bool stripBom = false;
};

namespace detail {

inline constexpr std::string_view byteOrderMark = "\xef\xbb\xbf";

class LineParser {
 public:
  explicit LineParser(const LineOptions& options, bool skipBlank = false) noexcept
      : options_(options), skipBlank_(skipBlank) {}

  void feed(Buffer&& chunk) {
    chunk_ = std::move(chunk);
    at_ = 0;
    newline_ = 0;
    newlineKnown_ = false;
  }
  void end() noexcept { ended_ = true; }
  bool next(std::string& line) {
    while (cut(line))
      if (!skipBlank_ || line.find_first_not_of(" \t\r") != line.npos) return true;
    return false;
  }

 private:
  bool cut(std::string& line);
  bool cutLast(std::string& line);
  std::size_t findEnd(std::string_view text);
  void finish(std::string& line, bool newline);
  void keep(std::string_view rest);
  [[noreturn]] void throwTooLong() const;

  const LineOptions options_;
  const bool skipBlank_;
  bool ended_ = false;
  bool skipNewline_ = false;  // the "\n" behind a "\r" that has ended a line
  bool newlineKnown_ = false;
  std::size_t at_ = 0;
  std::size_t newline_ = 0;  // the first "\n" at or behind at_, or the end
  std::size_t lines_ = 0;    // given so far
  Buffer chunk_;
  std::string pending_;
};

#if LEAT_BODIES
/// Where the line ends that begins at `at_`, or the end of the text.
LEAT_INLINE std::size_t LineParser::findEnd(std::string_view text) {
  // Where "\r" counts too, the "\n" found once serves until it is passed: else a text without any would
  // be searched to its end for each line.
  if (!newlineKnown_ || newline_ < at_) {
    newline_ = text.find('\n', at_);
    if (newline_ == text.npos) newline_ = text.size();
    newlineKnown_ = true;
  }
  if (!options_.carriageReturn) return newline_;
  const std::size_t found = text.substr(0, newline_).find('\r', at_);
  return found == text.npos ? newline_ : found;
}

LEAT_INLINE bool LineParser::cut(std::string& line) {
  const std::string_view text = chunk_.view();
  if (skipNewline_ && at_ < text.size()) {
    skipNewline_ = false;
    if (text[at_] == '\n') ++at_;
  }
  const std::size_t end = findEnd(text);
  if (end == text.size()) {
    keep(text.substr(at_));
    return ended_ && cutLast(line);
  }
  const std::string_view part = text.substr(at_, end - at_);
  at_ = end + 1;
  if (pending_.empty()) {
    line.assign(part);
  } else {
    line = std::move(pending_.append(part));
    pending_.clear();
  }
  skipNewline_ = text[end] == '\r';
  finish(line, !skipNewline_);
  return true;
}

/// The line that no "\n" ends; a byte order mark alone is none.
LEAT_INLINE bool LineParser::cutLast(std::string& line) {
  if (pending_.empty()) return false;
  line = std::move(pending_);
  pending_.clear();
  const bool mark = lines_ == 0 && options_.stripBom && line == byteOrderMark;
  finish(line, false);
  return !mark;
}

LEAT_INLINE void LineParser::finish(std::string& line, bool newline) {
  if (newline && !line.empty() && line.back() == '\r') line.pop_back();
  if (lines_ == 0 && options_.stripBom && line.starts_with(byteOrderMark))
    line.erase(0, byteOrderMark.size());
  if (line.size() > options_.maxLength) throwTooLong();
  ++lines_;
  if (options_.keepInvalidUtf8 || utf8Prefix(octets(line), line.size()) == line.size()) return;
  line = wellFormed(line);
}

/// Keeps the beginning of a line, as long as it may become one.
LEAT_INLINE void LineParser::keep(std::string_view rest) {
  pending_.append(rest);
  chunk_ = Buffer();
  at_ = newline_ = 0;
  std::size_t size = pending_.size();
  // The last "\r" may belong to the end of the line.
  if (size > 0 && pending_.back() == '\r') --size;
  if (lines_ == 0 && options_.stripBom) {
    if (byteOrderMark.starts_with(pending_)) return;
    if (pending_.starts_with(byteOrderMark)) size -= byteOrderMark.size();
  }
  if (size > options_.maxLength) throwTooLong();
}

LEAT_INLINE void LineParser::throwTooLong() const {
  throw RangeError(
      SharedText({"line ", Decimal(static_cast<long long>(lines_ + 1)), " is longer than ",
                  Decimal(static_cast<long long>(options_.maxLength)), " bytes (maxLength)"})
          .view());
}
#endif

}  // namespace detail

/// Cuts bytes into lines at "\n" and "\r\n". A last line without an end is given too.
///
/// Lines are UTF-8, see LineOptions. Throws, as the stream's error: RangeError ERR_OUT_OF_RANGE, naming
/// line and limit. Node: `readline.createInterface({input})`, whose lone "\r" is an option here.
class LineSplitter : public Transform<Buffer, std::string> {
 public:
  explicit LineSplitter(LineOptions lines = {}, const DuplexOptions& options = {})
      : LineSplitter(detail::makeRef<State>(options, lines)) {}

 private:
  using State = detail::SplitterState<std::string, detail::LineParser>;
  explicit LineSplitter(const detail::Ref<State>& state)
      : Transform(detail::Ref<detail::StreamCore>(state), *state) {}
};

}  // namespace leat::inline LEAT_ABI
