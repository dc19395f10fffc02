// SPDX-License-Identifier: MIT
// The head of a message, and the trailers behind a body, out of text that may end anywhere.
#pragma once

#include <leat/base/ip_text.hpp>
#include <leat/http/detail/head.hpp>
#include <leat/http/detail/target.hpp>
#include <leat/http/methods.hpp>
#include <leat/http/parse_fault.hpp>

namespace leat::inline LEAT_ABI::http::detail {

enum class MessageKind : unsigned char { Request, Response };

/// Reads line after line. Whatever is wrong is found at one certain byte, so that it makes no difference in
/// which pieces the text comes.
///
/// Grammar: RFC 9112. Refused though some accept it: LF without CR, folded lines, blanks before the colon,
/// several blanks in the start line.
class HeadParser {
 public:
  enum class Outcome : unsigned char { More, Done, Failed };

  HeadParser(MessageKind kind, unsigned maxFields, bool requireHost) noexcept
      : maxFields_(maxFields == 0 ? ~0U : maxFields), kind_(kind), requireHost_(requireHost) {}

  /// A new head begins, which goes to `head`: what its parts say is true of the text that is parsed.
  void start(Head& head) noexcept {
    head_ = &head;
    at_ = 0;
    lines_ = Lines::Start;
    known_ = namesOfSize;
    said_ = 0;
  }
  /// Fields only.
  void startTrailers(Head& head) noexcept {
    head_ = &head;
    at_ = 0;
    lines_ = Lines::Trailers;
    known_ = 0;
  }
  /// `text` begins with all it was given since `start`.
  Outcome parse(std::string_view text);
  /// Where the head ends, when it is done.
  std::size_t size() const noexcept { return at_; }
  ParseFault fault() const noexcept { return fault_; }

 private:
  enum class Lines : unsigned char { Start, Fields, Trailers };
  /// What the fields have said that the message depends on. Of most requests: a host, and no more.
  enum Said : unsigned {
    saidHost = 1,
    saidClose = 2,  // the words of `Connection`
    saidKeepAlive = 4,
    saidUpgrade = 8,
    saidConnection = saidClose | saidKeepAlive | saidUpgrade,
    saidProtocol = 16,  // the field `Upgrade`
    saidLength = 32,
    saidChunked = 64,  // the last coding
    saidOther = 128,
    saidEncoding = saidChunked | saidOther,
    saidHostInTarget = 256,
  };
  void say(unsigned what, unsigned of) noexcept { said_ = (said_ & ~of) | what; }

  Outcome fail(ParseFault fault) noexcept {
    fault_ = fault;
    return Outcome::Failed;
  }
  HeadPart part(const char* from, const char* to) const noexcept {
    return {static_cast<std::uint32_t>(from - begin_), static_cast<std::uint32_t>(to - from)};
  }
  /// `at` is behind the text of a line: goes behind its CR and LF.
  LEAT_ALWAYS_INLINE Outcome endLine(const char*& at) noexcept {
    if (end_ - at >= 2 && at[0] == '\r' && at[1] == '\n') [[likely]] {
      at += 2;
      return Outcome::Done;
    }
    return otherEnd(at);
  }
  LEAT_NOINLINE Outcome otherEnd(const char* at) noexcept {
    if (at == end_) return Outcome::More;
    if (*at != '\r') return fail(*at == '\n' ? ParseFault::BareLf : ParseFault::Character);
    if (at + 1 == end_) return Outcome::More;
    return fail(ParseFault::BareCr);
  }

  Outcome startLine(const char*& line) noexcept;
  Outcome requestLine(const char*& line) noexcept;
  Outcome otherMethod(const char*& at) noexcept;
  Outcome statusLine(const char*& line) noexcept;
  Outcome version(const char*& at) noexcept;
  bool isTarget(std::string_view method, std::string_view target) noexcept;
  Outcome fieldLines(const char*& line);
  Outcome lastLine(const char*& line) noexcept;
  /// Bits of the sizes of names that `field` knows.
  static constexpr std::uint32_t namesOfSize =
      1U << 4 | 1U << 6 | 1U << 7 | 1U << 10 | 1U << 14 | 1U << 17;
  ParseFault field(std::string_view name, std::string_view value) noexcept;
  ParseFault contentLength(std::string_view value) noexcept;
  ParseFault transferEncoding(std::string_view value) noexcept;
  ParseFault host(std::string_view value) noexcept;
  ParseFault otherHost(std::string_view value) noexcept;
  void connection(std::string_view value) noexcept;
  Outcome finish() noexcept;

  Head* head_ = nullptr;
  const char* begin_ = nullptr;
  const char* end_ = nullptr;
  std::size_t at_ = 0;       // where the next line begins
  std::uint32_t known_ = 0;  // `namesOfSize`; in trailers none
  unsigned said_ = 0;
  unsigned maxFields_;
  MessageKind kind_;
  bool requireHost_;
  Lines lines_ = Lines::Start;
  ParseFault fault_ = ParseFault::None;
};

// ---- the start line ----

#if LEAT_BODIES
LEAT_ALWAYS_INLINE inline HeadParser::Outcome HeadParser::startLine(const char*& line) noexcept {
  const char* at = line;
  const Outcome outcome = kind_ == MessageKind::Request ? requestLine(at) : statusLine(at);
  if (outcome != Outcome::Done) return outcome;
  line = at;
  lines_ = Lines::Fields;
  return outcome;
}

LEAT_ALWAYS_INLINE inline HeadParser::Outcome HeadParser::requestLine(const char*& at) noexcept {
  const char* const method = at;
  const bool isGet = end_ - at >= 4 && std::memcmp(at, "GET ", 4) == 0;
  if (isGet) [[likely]] {
    at += 3;
  } else {
    const Outcome outcome = otherMethod(at);
    if (outcome != Outcome::Done) return outcome;
  }
  head_->method = part(method, at);
  const char* const target = ++at;
  if (!skipTarget(at, end_)) return at == end_ ? Outcome::More : fail(ParseFault::Target);
  head_->target = part(target, at);
  if (!isGet || *target != '/') [[unlikely]]
    if (!isTarget({method, head_->method.size}, {target, head_->target.size}))
      return fail(ParseFault::Target);
  ++at;
  constexpr std::string_view usual = "HTTP/1.1\r\n";
  if (end_ - at >= 10 && std::memcmp(at, usual.data(), usual.size()) == 0) [[likely]] {
    at += usual.size();
    head_->minorVersion = 1;
    return Outcome::Done;
  }
  const Outcome outcome = version(at);
  if (outcome != Outcome::Done) return outcome;
  if (at != end_ && *at != '\r' && *at != '\n') return fail(ParseFault::Version);
  return endLine(at);
}

LEAT_INLINE HeadParser::Outcome HeadParser::otherMethod(const char*& at) noexcept {
  const char* const method = at;
  while (at != end_ && *at != ' ') {
    if (!is(charToken, *at) || at - method >= static_cast<std::ptrdiff_t>(longestMethod))
      return fail(ParseFault::Method);
    ++at;
  }
  if (at == end_) return Outcome::More;
  return isMethod({method, static_cast<std::size_t>(at - method)}) ? Outcome::Done
                                                                   : fail(ParseFault::Method);
}

/// The path of a server, or a whole URL; for some methods something else.
LEAT_INLINE bool HeadParser::isTarget(std::string_view method, std::string_view target) noexcept {
  if (target.empty()) return false;
  const bool connects = method == "CONNECT";
  if (!connects && (target.front() == '/' || (method == "OPTIONS" && target == "*"))) return true;
  said_ = saidHostInTarget;
  const std::string_view authority = connects ? target : authorityOfUrl(target);
  if (authority.empty() || authority.front() == ':' || !isHost(authority)) return false;
  return !connects || hasPort(authority);
}

LEAT_INLINE HeadParser::Outcome HeadParser::version(const char*& at) noexcept {
  constexpr std::string_view usual = "HTTP/1.1";
  if (end_ - at >= 8 && std::string_view(at, 8) == usual) [[likely]] {
    at += 8;
    head_->minorVersion = 1;
    return Outcome::Done;
  }
  constexpr std::string_view form = "HTTP/0.0";
  for (std::size_t i = 0; i < form.size(); ++i, ++at) {
    if (at == end_) return Outcome::More;
    if (form[i] == '0' ? !leat::detail::isDigit(*at) : *at != form[i])
      return fail(i < 5 ? ParseFault::Constant : ParseFault::Version);
  }
  if (at[-3] != '1' || at[-1] > '1') return fail(ParseFault::UnknownVersion);
  head_->minorVersion = static_cast<std::uint8_t>(at[-1] - '0');
  return Outcome::Done;
}

LEAT_INLINE HeadParser::Outcome HeadParser::statusLine(const char*& at) noexcept {
  const Outcome outcome = version(at);
  if (outcome != Outcome::Done) return outcome;
  unsigned status = 0;
  for (int i = 0; i < 4; ++i, ++at) {
    if (at == end_) return Outcome::More;
    if (i == 0 ? *at != ' ' : !leat::detail::isDigit(*at)) return fail(ParseFault::Status);
    if (i > 0) status = status * 10 + static_cast<unsigned>(*at - '0');
    if (i == 1 && status == 0) return fail(ParseFault::Status);
  }
  head_->status = static_cast<std::uint16_t>(status);
  if (at == end_) return Outcome::More;
  // Without a reason some leave the blank out too.
  if (*at == ' ')
    ++at;
  else if (*at != '\r' && *at != '\n')
    return fail(ParseFault::Status);
  const char* const reason = at;
  at = endOfText(at, end_);
  head_->reason = part(reason, at);
  return endLine(at);
}

// ---- fields ----

/// What the message itself depends on.
LEAT_ALWAYS_INLINE inline ParseFault HeadParser::field(std::string_view name,
                                                       std::string_view value) noexcept {
  // Of these each request has one.
  if (name.size() == 4) return isName(name, "host") ? host(value) : ParseFault::None;
  switch (name.size()) {
    case 6:
      if (isName(name, "expect")) head_->hasExpect = true;
      break;
    case 7:
      if (isName(name, "upgrade") && !value.empty()) said_ |= saidProtocol;
      break;
    case 10:
      if (isName(name, "connection")) connection(value);
      break;
    case 14:
      if (isName(name, "content-length")) return contentLength(value);
      break;
    case 17:
      if (isName(name, "transfer-encoding")) return transferEncoding(value);
      break;
    default:
      break;
  }
  return ParseFault::None;
}

LEAT_ALWAYS_INLINE inline HeadParser::Outcome HeadParser::fieldLines(const char*& line) {
  const char* const end = end_;
  for (const char* at = line;; line = at) {
    if (at != end && *at == '\r') return endLine(line);
    if (!skipName(at, end)) {
      if (at == end) return Outcome::More;
      return at == line ? lastLine(line) : fail(ParseFault::FieldName);
    }
    const auto nameSize = static_cast<std::uint32_t>(at - line);
    if (nameSize == 0) return fail(ParseFault::FieldName);
    ++at;
    if (end - at >= 2 && *at == ' ' && at[1] > ' ') [[likely]] {
      ++at;
    } else {
      while (at != end && isBlank(*at)) ++at;
    }
    const char* const value = at;
    at = endOfText(at, end);
    const char* valueEnd = at;
    const Outcome ended = endLine(at);
    if (ended != Outcome::Done) [[unlikely]]
      return ended;
    // No other text is less.
    while (valueEnd != value && static_cast<unsigned char>(valueEnd[-1]) <= ' ') --valueEnd;
    const auto valueSize = static_cast<std::uint32_t>(valueEnd - value);
    if (head_->fields.size() >= maxFields_) return fail(ParseFault::TooManyFields);
    const auto offset = [this](const char* p) { return static_cast<std::uint32_t>(p - begin_); };
    head_->fields.push({{offset(line), nameSize}, {offset(value), valueSize}});
    if (nameSize < 32 && (known_ >> nameSize & 1) != 0) {
      const ParseFault fault = field({line, nameSize}, {value, valueSize});
      if (fault != ParseFault::None) return fail(fault);
    }
  }
}

/// The empty one, or what is no line at all.
LEAT_INLINE HeadParser::Outcome HeadParser::lastLine(const char*& line) noexcept {
  return *line == '\r' || *line == '\n' ? endLine(line) : fail(ParseFault::FieldName);
}

LEAT_INLINE ParseFault HeadParser::contentLength(std::string_view value) noexcept {
  if ((said_ & (saidLength | saidEncoding)) != 0) return ParseFault::SecondLength;
  constexpr std::uint64_t most = std::uint64_t{1} << 62;
  std::uint64_t length = 0;
  for (const char c : value) {
    if (!leat::detail::isDigit(c) || length > most / 10) return ParseFault::ContentLength;
    length = length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (value.empty() || length > most) return ParseFault::ContentLength;
  head_->contentLength = length;
  head_->hasLength = true;
  said_ |= saidLength;
  return ParseFault::None;
}

LEAT_INLINE ParseFault HeadParser::transferEncoding(std::string_view value) noexcept {
  if ((said_ & saidLength) != 0) return ParseFault::SecondLength;
  if (head_->minorVersion == 0) return ParseFault::EncodingOfOld;
  if (value.empty() || value.back() == ',') return ParseFault::TransferEncoding;
  while (!value.empty()) {
    const std::string_view coding = takeMember(value);
    // Whatever is behind it, the body would no longer end with it.
    if (coding.empty() || (said_ & saidChunked) != 0) return ParseFault::TransferEncoding;
    if (!isToken(coding.substr(0, coding.find_first_of("; \t"))))
      return ParseFault::TransferEncoding;
    say(equalsLower(coding, "chunked") ? saidChunked : saidOther, saidEncoding);
  }
  return ParseFault::None;
}

LEAT_ALWAYS_INLINE inline ParseFault HeadParser::host(std::string_view value) noexcept {
  if (kind_ == MessageKind::Response) return ParseFault::None;
  if ((said_ & (saidHost | saidHostInTarget)) != 0) [[unlikely]]
    return otherHost(value);
  said_ |= saidHost;
#if defined(__SSE2__)
  // What is behind it in the text is read, too, and does not count.
  if (value.size() <= 16 && end_ - value.data() >= 16 &&
      isUsualHost(loadBytes(value.data()), (1U << value.size()) - 1)) [[likely]]
    return ParseFault::None;
#endif
  return isHost(value) ? ParseFault::None : ParseFault::Host;
}

/// A second one, or behind a target that says its host, which is read in the place of this one (RFC 9112 section 3.2.2).
LEAT_INLINE ParseFault HeadParser::otherHost(std::string_view value) noexcept {
  if ((said_ & saidHost) != 0 || !isHost(value)) return ParseFault::Host;
  said_ |= saidHost;
  const std::string_view target(begin_ + head_->target.at, head_->target.size);
  const std::string_view url = authorityOfUrl(target);
  const std::string_view authority = url.empty() ? target : url;
  head_->fields[head_->fields.size() - 1].value =
      part(authority.data(), authority.data() + authority.size());
  return ParseFault::None;
}

LEAT_INLINE void HeadParser::connection(std::string_view value) noexcept {
  while (!value.empty()) {
    const std::string_view word = takeMember(value);
    if (equalsLower(word, "close")) said_ |= saidClose;
    if (equalsLower(word, "keep-alive")) said_ |= saidKeepAlive;
    if (equalsLower(word, "upgrade")) said_ |= saidUpgrade;
  }
}

LEAT_INLINE HeadParser::Outcome HeadParser::finish() noexcept {
  const bool old = head_->minorVersion == 0;
  const bool close = (said_ & saidClose) != 0;
  head_->keepAlive =
      (said_ & saidConnection) == 0 ? !old : !close && (!old || (said_ & saidKeepAlive) != 0);
  // HTTP/1.0 knows no other protocols (RFC 9110 section 7.8).
  constexpr unsigned upgrade = saidProtocol | saidUpgrade;
  head_->upgrade = (said_ & upgrade) == upgrade && !old;
  if (kind_ == MessageKind::Request) {
    if ((said_ & saidOther) != 0) return fail(ParseFault::TransferEncoding);
    if ((said_ & saidHost) == 0 && !old && requireHost_) return fail(ParseFault::NoHost);
  }
  if (kind_ == MessageKind::Response && isBodiless(head_->status)) {
    head_->framing = Framing::None;
  } else if ((said_ & saidChunked) != 0) {
    head_->framing = Framing::Chunked;
  } else if (head_->hasLength) {
    head_->framing = head_->contentLength > 0 ? Framing::Length : Framing::None;
  } else {
    head_->framing = kind_ == MessageKind::Request ? Framing::None : Framing::UntilClose;
  }
  return Outcome::Done;
}

LEAT_INLINE HeadParser::Outcome HeadParser::parse(std::string_view text) {
  begin_ = text.data();
  end_ = begin_ + text.size();
  const char* at = begin_ + at_;
  Outcome outcome = Outcome::Done;
  if (lines_ == Lines::Start) outcome = startLine(at);
  if (outcome == Outcome::Done) outcome = fieldLines(at);
  at_ = static_cast<std::size_t>(at - begin_);
  if (outcome != Outcome::Done || lines_ == Lines::Trailers) return outcome;
  // As most requests are: no answer says its host.
  if (said_ == saidHost && head_->minorVersion == 1) [[likely]] {
    head_->keepAlive = true;
    head_->upgrade = false;
    head_->framing = Framing::None;
    return Outcome::Done;
  }
  return finish();
}
#endif

}  // namespace leat::inline LEAT_ABI::http::detail
