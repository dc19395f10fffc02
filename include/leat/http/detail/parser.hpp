// SPDX-License-Identifier: MIT
// Messages of HTTP/1.1 (RFC 9112) out of the bytes of a connection, piece by piece.
#pragma once

#include <leat/http/detail/head_parser.hpp>

#include <utility>

namespace leat::inline LEAT_ABI::http::detail {

struct ParserOptions {
  MessageKind kind = MessageKind::Request;
  /// Bytes of a head with its line ends, and of trailers. Beyond them: 431.
  std::uint32_t maxHeadSize = 16 * 1024;
  /// 0: no limit but that of their bytes.
  unsigned maxFields = 2000;
  /// Of all chunk extensions of a body together. Beyond them: 413.
  std::uint32_t maxExtensions = 16 * 1024;
  bool requireHost = true;
};

/// What has come.
enum class ParseEvent : unsigned char {
  More,     // nothing yet: all input was used
  Head,     // `head()`
  Body,     // `body()`, a piece of the input
  End,      // of the message, with `trailers()`
  Stopped,  // what is left of the input is not HTTP
  Failed,   // `fault()`; nothing more is read
};

/// Gives one event after the other; a body is passed on without a copy. In which pieces the bytes come makes
/// no difference to what is told of them.
class Parser {
 public:
  explicit Parser(ParserOptions options = {}) noexcept
      : options_(options), lines_(options.kind, options.maxFields, options.requireHost) {}

  /// Where the head of the next message goes. Before its first byte, and again for each message.
  void useHead(Head& head) noexcept {
    head_ = &head;
    if (!trailers_.text.empty() || !trailers_.fields.empty()) trailers_.clear();
    needsHead_ = false;
  }
  bool needsHead() const noexcept { return needsHead_; }
  /// Takes what it has used from the front of `input`.
  ParseEvent next(std::string_view& input);
  /// The peer ends. `End`: of a body that goes on until then. `More`: no message was begun. Else `Failed`.
  ParseEvent finish() noexcept;

  Head& head() noexcept { return *head_; }
  std::string_view body() const noexcept { return body_; }
  Head& trailers() noexcept { return trailers_; }
  ParseFault fault() const noexcept { return fault_; }
  /// Between messages: not a byte of the next one has come.
  bool idle() const noexcept { return state_ == State::Before; }

  /// Nothing is missing but to tell of the end.
  bool complete() const noexcept { return state_ == State::Complete; }
  /// The `End` that `next` would give.
  void takeEnd() noexcept { (void)endMessage(); }
  /// After `Head`: there is no body, whatever it says, as in an answer to HEAD.
  void skipBody() noexcept {
    if (state_ != State::Failed) state_ = State::Complete;
  }
  /// After `Head`: another protocol begins.
  void stop() noexcept { state_ = State::Stopped; }

 private:
  enum class State : unsigned char {
    Before,  // empty lines are ignored (RFC 9112 section 2.2)
    BeforeLf,
    Head,
    Length,
    UntilClose,
    ChunkSize,
    ChunkExtension,
    ChunkLine,  // the LF of its line
    ChunkData,
    ChunkCr,
    ChunkLf,
    Trailers,
    Complete,
    Closing,  // nothing may follow (RFC 9112 section 9.6)
    Stopped,
    Failed,
  };
  using Outcome = HeadParser::Outcome;

  ParseEvent fail(ParseFault fault) noexcept {
    fault_ = fault;
    state_ = State::Failed;
    return ParseEvent::Failed;
  }
  /// Of lines that are not done.
  static ParseEvent eventOf(Outcome outcome) noexcept {
    return outcome == Outcome::More ? ParseEvent::More : ParseEvent::Failed;
  }
  void skip(std::string_view& input, State next) noexcept {
    state_ = next;
    input.remove_prefix(1);
  }
  Outcome lines(Head& head, std::string_view& input);
  ParseEvent headLines(std::string_view& input);
  ParseEvent afterHead() noexcept;
  ParseEvent endMessage() noexcept {
    state_ = keepAlive_ ? State::Before : State::Closing;
    needsHead_ = true;
    return ParseEvent::End;
  }
  ParseEvent trailerLines(std::string_view& input);
  ParseEvent data(std::string_view& input, State next) noexcept;
  bool chunkLine(std::string_view& input) noexcept;
  bool chunkSizeChar(char c) noexcept;
  bool expect(std::string_view& input, char c, State next) noexcept;
  void endChunkLine() noexcept;

  const ParserOptions options_;
  HeadParser lines_;
  Head* head_ = nullptr;
  Head trailers_;
  std::string_view body_;
  std::uint64_t left_ = 0;  // of the body, or of the chunk
  std::uint32_t extensions_ = 0;
  State state_ = State::Before;
  ParseFault fault_ = ParseFault::None;
  bool anyDigit_ = false;
  bool keepAlive_ = true;
  bool needsHead_ = true;
};

#if LEAT_BODIES
LEAT_INLINE ParseEvent Parser::next(std::string_view& input) {
  if (state_ == State::Before && !input.empty() && input.front() > '\r') [[likely]]
    return headLines(input);
  for (;;) {
    if (state_ == State::Complete) return endMessage();
    if (state_ == State::Stopped) return ParseEvent::Stopped;
    if (state_ == State::Failed) return ParseEvent::Failed;
    if (input.empty()) return ParseEvent::More;
    switch (state_) {
      case State::Before:
        if (input.front() == '\r') {
          skip(input, State::BeforeLf);
          break;
        }
        if (input.front() == '\n') return fail(ParseFault::BareLf);
        [[fallthrough]];
      case State::Head:
        return headLines(input);
      case State::Closing:
        if (input.front() != '\r' && input.front() != '\n') return fail(ParseFault::AfterClose);
        input.remove_prefix(1);
        break;
      case State::BeforeLf:
        if (input.front() != '\n') return fail(ParseFault::BareCr);
        skip(input, State::Before);
        break;
      case State::Length:
        return data(input, State::Complete);
      case State::UntilClose:
        body_ = std::exchange(input, {});
        return ParseEvent::Body;
      case State::ChunkData:
        return data(input, State::ChunkCr);
      case State::Trailers:
        return trailerLines(input);
      default:
        if (!chunkLine(input)) return ParseEvent::Failed;
    }
  }
}

/// Lines that came in one piece are parsed where they are, and then copied; others are gathered first.
LEAT_ALWAYS_INLINE inline Parser::Outcome Parser::lines(Head& head, std::string_view& input) {
  const std::size_t before = head.text.size();
  const std::size_t left = options_.maxHeadSize - before;
  const std::string_view usable(input.data(), input.size() < left ? input.size() : left);
  if (before > 0) head.text.append(usable);
  const Outcome outcome = lines_.parse(before > 0 ? std::string_view(head.text) : usable);
  if (outcome == Outcome::Failed) {
    fail(lines_.fault());
    return outcome;
  }
  const std::size_t end = outcome == Outcome::Done ? lines_.size() : before + usable.size();
  if (before > 0) {
    head.text.cut(end);
  } else {
    head.text.append({usable.data(), end});
  }
  input.remove_prefix(end - before);
  if (outcome == Outcome::More && end >= options_.maxHeadSize) {
    fail(ParseFault::HeadTooLarge);
    return Outcome::Failed;
  }
  return outcome;
}

LEAT_INLINE ParseEvent Parser::headLines(std::string_view& input) {
  if (state_ == State::Before) {
    lines_.start(*head_);
    state_ = State::Head;
  }
  const Outcome outcome = lines(*head_, input);
  return outcome == Outcome::Done ? afterHead() : eventOf(outcome);
}

LEAT_INLINE ParseEvent Parser::afterHead() noexcept {
  keepAlive_ = head_->keepAlive;
  switch (head_->framing) {
    case Framing::None:
      state_ = State::Complete;
      break;
    case Framing::Length:
      state_ = State::Length;
      left_ = head_->contentLength;
      break;
    case Framing::Chunked:
      state_ = State::ChunkSize;
      left_ = 0;
      extensions_ = 0;
      anyDigit_ = false;
      break;
    case Framing::UntilClose:
      state_ = State::UntilClose;
      break;
  }
  return ParseEvent::Head;
}

LEAT_INLINE ParseEvent Parser::data(std::string_view& input, State next) noexcept {
  body_ = input.substr(0, left_ < input.size() ? static_cast<std::size_t>(left_) : input.size());
  input.remove_prefix(body_.size());
  left_ -= body_.size();
  if (left_ == 0) state_ = next;
  return ParseEvent::Body;
}

LEAT_INLINE ParseEvent Parser::trailerLines(std::string_view& input) {
  const Outcome outcome = lines(trailers_, input);
  return outcome == Outcome::Done ? endMessage() : eventOf(outcome);
}

// ---- chunks ----

/// What is between the data of chunks. False: it is wrong.
LEAT_INLINE bool Parser::chunkLine(std::string_view& input) noexcept {
  switch (state_) {
    case State::ChunkSize: {
      const char c = input.front();
      input.remove_prefix(1);
      return chunkSizeChar(c);
    }
    case State::ChunkExtension: {
      const char* const end = endOfText(input.data(), input.data() + input.size());
      const auto count = static_cast<std::size_t>(end - input.data());
      input.remove_prefix(count);
      // They say nothing that anybody uses, and cost to read.
      if (count > options_.maxExtensions - extensions_) {
        fail(ParseFault::ExtensionsTooLarge);
        return false;
      }
      extensions_ += static_cast<std::uint32_t>(count);
      return input.empty() || expect(input, '\r', State::ChunkLine);
    }
    case State::ChunkLine:
      if (!expect(input, '\n', State::ChunkData)) return false;
      endChunkLine();
      return true;
    case State::ChunkCr:
      return expect(input, '\r', State::ChunkLf);
    default:
      if (!expect(input, '\n', State::ChunkSize)) return false;
      left_ = 0;
      anyDigit_ = false;
      return true;
  }
}

LEAT_INLINE bool Parser::chunkSizeChar(char c) noexcept {
  constexpr std::uint64_t most = std::uint64_t{1} << 56;
  const char lower = lowered(c);
  if (leat::detail::isHexDigit(c) && left_ < most) {
    left_ = left_ * 16 + static_cast<std::uint64_t>(lower <= '9' ? lower - '0' : lower - 'a' + 10);
    anyDigit_ = true;
  } else if (anyDigit_ && c == '\r') {
    state_ = State::ChunkLine;
  } else if (anyDigit_ && c == ';') {
    state_ = State::ChunkExtension;
  } else {
    fail(ParseFault::ChunkSize);
    return false;
  }
  return true;
}

LEAT_INLINE void Parser::endChunkLine() noexcept {
  if (left_ > 0) return;
  state_ = State::Trailers;
  lines_.startTrailers(trailers_);
}

LEAT_INLINE bool Parser::expect(std::string_view& input, char c, State next) noexcept {
  if (input.front() != c) {
    fail(state_ == State::ChunkExtension ? ParseFault::ChunkSize : ParseFault::ChunkEnd);
    return false;
  }
  input.remove_prefix(1);
  state_ = next;
  return true;
}

LEAT_INLINE ParseEvent Parser::finish() noexcept {
  switch (state_) {
    case State::Before:
    case State::BeforeLf:
    case State::Closing:
      return ParseEvent::More;
    case State::Complete:
    case State::UntilClose:
      state_ = State::Closing;
      return ParseEvent::End;
    case State::Stopped:
      return ParseEvent::Stopped;
    case State::Failed:
      return ParseEvent::Failed;
    default:
      return fail(ParseFault::Premature);
  }
}
#endif

}  // namespace leat::inline LEAT_ABI::http::detail
