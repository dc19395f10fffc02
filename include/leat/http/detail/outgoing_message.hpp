// SPDX-License-Identifier: MIT
// A message on its way out: its head, how its body is framed, and the rules of both. Node: OutgoingMessage.
#pragma once

#include <leat/http/detail/outgoing_fields.hpp>
#include <leat/http/methods.hpp>

#include <charconv>
#include <cstring>

namespace leat::inline LEAT_ABI::http::detail {

/// To a std::string or a TextBuffer.
template <class Text>
void appendNumber(Text& out, std::uint64_t number, int base = 10) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number, base);
  out.append(std::string_view(digits, static_cast<std::size_t>(end.ptr - digits)));
}

// A head is written in one go into room for all of it: these copy, and give the place behind.

/// A literal, whose size is known.
template <std::size_t size>
LEAT_ALWAYS_INLINE inline char* put(char* to, const char (&text)[size]) noexcept {
  std::memcpy(to, text, size - 1);
  return to + size - 1;
}
/// What is seldom short.
LEAT_ALWAYS_INLINE inline char* put(char* to, std::string_view text) noexcept {
  if (!text.empty()) std::memcpy(to, text.data(), text.size());
  return to + text.size();
}
/// At most 20 digits.
LEAT_INLINE char* putNumber(char* to, std::uint64_t number) noexcept;
/// Of a connection that stays; 0: who knows how long.
LEAT_INLINE char* putKept(char* to, unsigned seconds) noexcept;

#if LEAT_BODIES
LEAT_INLINE char* putNumber(char* to, std::uint64_t number) noexcept {
  if (number >= 10 && number < 100) {
    *to++ = static_cast<char>('0' + number / 10);
    *to++ = static_cast<char>('0' + number % 10);
    return to;
  }
  return std::to_chars(to, to + 20, number).ptr;
}

LEAT_INLINE char* putKept(char* to, unsigned seconds) noexcept {
  to = put(to, "Connection: keep-alive\r\n");
  if (seconds == 0) return to;
  to = putNumber(put(to, "Keep-Alive: timeout="), seconds);
  return put(to, "\r\n");
}
#endif

/// The peer could not tell where the message ends.
[[noreturn]] LEAT_NOINLINE inline void throwFraming(std::string_view what) {
  throw TypeError(leat::detail::SharedText({"The head of the message is ambiguous: ", what}).view(),
                  "ERR_HTTP_INVALID_HEADER_VALUE");
}
[[noreturn]] LEAT_NOINLINE inline void throwHeadersSent(std::string_view verb) {
  throw Error(
      leat::detail::SharedText({"Cannot ", verb, " headers after they are sent to the client"})
          .view(),
      "ERR_HTTP_HEADERS_SENT");
}
[[noreturn]] LEAT_NOINLINE inline void throwStatus(int status) {
  throw RangeError(leat::detail::SharedText({"Invalid status code: ",
                                             leat::detail::Decimal(static_cast<long long>(status))})
                       .view(),
                   "ERR_HTTP_INVALID_STATUS_CODE");
}
inline Error writeAfterEnd() { return Error("write after end", "ERR_STREAM_WRITE_AFTER_END"); }

/// What a server answers or a client asks, as text; where it goes is the caller's.
class OutgoingMessage {
 public:
  // ---- the head ----

  int status = 200;
  std::string reason;
  OutgoingFields fields;
  OutgoingFields trailers;
  bool sendDate = true;

  bool headSet() const noexcept { return headSet_; }
  bool ended() const noexcept { return ended_; }
  bool hasBody() const noexcept { return hasBody_; }
  std::uint64_t bodySent() const noexcept { return bodySent_; }
  /// The connection closes behind this.
  bool last() const noexcept { return last_; }
  void setLast() noexcept { last_ = true; }
  /// What the request allows: `HTTP/1.0`, HEAD, whether the connection may stay.
  void answerTo(std::string_view method, const Head& head) noexcept {
    old_ = head.minorVersion == 0;
    keepAlive_ = head.keepAlive && !old_;
    hasBody_ = method != "HEAD";
  }
  void checkHead(std::string_view verb) const {
    if (headSet_) [[unlikely]]
      throwHeadersSent(verb);
  }
  /// From here on the head is what it is. Throws: RangeError ERR_HTTP_INVALID_STATUS_CODE, TypeError
  /// ERR_INVALID_CHAR.
  void fixHead() {
    if (headSet_) return;
    if (status < 100 || status > 999) [[unlikely]]
      throwStatus(status);
    if (!reason.empty() && !isText(reason))
      throw TypeError("Invalid character in statusMessage", "ERR_INVALID_CHAR");
    said_ = Said();
    bodyLength_.reset();
    chunked_ = false;
    if (fields.mayHave(readSizes)) readFields();
    headSet_ = true;
    if (status != 200 && isBodiless(status)) hasBody_ = false;
  }

  // ---- what is sent ----

  /// `date`: the field, with its line end. `seconds`: of the Keep-Alive field, 0 for none. `whole`: the size of
  /// all of the body, if it is known. `kept`: the date and the fields of a connection that stays, as they would be written, if that
  /// is at hand.
  void writeHead(TextBuffer& out, std::string_view date, unsigned seconds,
                 std::optional<std::size_t> whole, std::string_view kept = {});
  /// The same of a client.
  void writeRequest(TextBuffer& out, std::string_view method, std::string_view target,
                    std::optional<std::size_t> whole);
  bool headWritten() const noexcept { return headWritten_; }
  /// A piece of the body, with what is around it: all of it or nothing. Throws: as `beginPiece`, std::bad_alloc.
  LEAT_ALWAYS_INLINE void writePiece(TextBuffer& out, std::string_view bytes) {
    constexpr std::size_t around = 24;
    (void)out.room(bytes.size() + around);
    beginPiece(out, bytes.size());
    out.endAt(copyText(out.room(0), bytes));
    endPiece(out);
  }
  /// In front of and behind a piece of the body. Throws: Error ERR_HTTP_CONTENT_LENGTH_MISMATCH.
  void beginPiece(TextBuffer& out, std::size_t size) {
    if (bodyLength_ && size > bodyLeft()) throwMismatch(bodySent_ + size);
    bodySent_ += size;
    if (chunked_) beginChunk(out, size);
  }
  void endPiece(TextBuffer& out) const {
    if (chunked_) out.append("\r\n");
  }
  /// Throws: Error ERR_HTTP_CONTENT_LENGTH_MISMATCH when less came than was said.
  void end(TextBuffer& out) {
    ended_ = true;
    if (hasBody_ && bodyLength_ && (bodySent_ != *bodyLength_ || lent_)) throwMismatch(bodySent_);
    if (chunked_) endChunks(out);
  }
  /// Nothing more can be sent.
  void giveUp() noexcept { ended_ = true; }
  /// For another message; the memory stays.
  void clear() noexcept {
    status = 200;
    reason.clear();
    fields.clear();
    trailers.clear();
    sendDate = keepAlive_ = hasBody_ = true;
    said_ = Said();
    bodyLength_.reset();
    bodySent_ = 0;
    old_ = last_ = headSet_ = headWritten_ = chunked_ = ended_ = lent_ = request_ = false;
  }

  // ---- a body that somebody else sends, behind the head ----

  /// How much of it there may be: none unless its size is known and nothing stands between its pieces.
  std::uint64_t mayLend() const noexcept {
    return headWritten_ && hasBody_ && !ended_ && !chunked_ && bodyLength_ ? bodyLeft() : 0;
  }
  /// Until it is taken back nothing else may be written.
  void lend() noexcept { lent_ = true; }
  void takeBack(std::uint64_t sent) noexcept {
    lent_ = false;
    bodySent_ += sent;
  }

 private:
  struct Said {
    bool connection = false;
    bool length = false;
    bool encoding = false;
    bool trailer = false;
    bool date = false;
  };
  /// Of the names that `readField` knows.
  static constexpr std::uint32_t readSizes =
      OutgoingFields::sizeBit(4) | OutgoingFields::sizeBit(7) | OutgoingFields::sizeBit(10) |
      OutgoingFields::sizeBit(14) | OutgoingFields::sizeBit(17);
  void readFields();
  void readField(const FieldView& field);
  /// Of a body with a length.
  std::uint64_t bodyLeft() const noexcept { return lent_ ? 0 : *bodyLength_ - bodySent_; }
  char* putFields(char* at) const noexcept;
  void readEncoding(std::string_view codings);
  char* putConnection(char* at, unsigned seconds) const noexcept;
  static void beginChunk(TextBuffer& out, std::size_t size);
  void endChunks(TextBuffer& out) const;
  char* putFraming(char* at, std::optional<std::size_t> whole) noexcept;
  [[noreturn]] LEAT_NOINLINE void throwMismatch(std::uint64_t sent) const {
    using leat::detail::Decimal;
    if (request_ && !said_.length && bodyLength_ == 0)
      throw Error("The head was sent without a Content-Length: no body can follow",
                  "ERR_HTTP_CONTENT_LENGTH_MISMATCH");
    throw Error(leat::detail::SharedText(
                    {request_ ? "Request" : "Response", " body's content-length of ",
                     Decimal(static_cast<long long>(sent)),
                     " byte(s) does not match the content-length of ",
                     Decimal(static_cast<long long>(*bodyLength_)), " byte(s) set in header"})
                    .view(),
                "ERR_HTTP_CONTENT_LENGTH_MISMATCH");
  }

  Said said_;
  std::optional<std::uint64_t> bodyLength_;
  std::uint64_t bodySent_ = 0;
  bool old_ = false;
  bool keepAlive_ = true;
  bool hasBody_ = true;
  bool last_ = false;
  bool headSet_ = false;
  bool headWritten_ = false;
  bool chunked_ = false;
  bool ended_ = false;
  bool lent_ = false;
  bool request_ = false;
};

#if LEAT_BODIES
/// A client refuses whatever is behind chunked, and what is no list of codings (RFC 9112 section 6.1).
LEAT_INLINE void OutgoingMessage::readEncoding(std::string_view codings) {
  bool more = true;
  while (more) {
    more = codings.find(',') != std::string_view::npos;
    const std::string_view coding = takeMember(codings);
    if (chunked_ || !isToken(coding.substr(0, coding.find_first_of("; \t"))))
      throwFraming("Transfer-Encoding is no list of codings, or does not end with chunked");
    chunked_ = equalsLower(coding, "chunked");
  }
}

LEAT_INLINE void OutgoingMessage::readFields() {
  for (std::size_t i = 0; i < fields.size(); ++i) readField(fields[i]);
  if (said_.length && said_.encoding) throwFraming("Content-Length beside Transfer-Encoding");
}

/// What the framing, and the fields that come by themselves, depend on.
LEAT_INLINE void OutgoingMessage::readField(const FieldView& field) {
  switch (field.name.size()) {
    case 4:
      if (isName(field.name, "date")) said_.date = true;
      break;
    case 7:
      if (isName(field.name, "trailer")) said_.trailer = true;
      break;
    case 10:
      if (!isName(field.name, "connection")) break;
      said_.connection = true;
      for (std::string_view list = field.value; !list.empty();)
        if (equalsLower(takeMember(list), "close")) last_ = true;
      break;
    case 14: {
      if (!isName(field.name, "content-length")) break;
      if (said_.length) throwFraming("Content-Length a second time");
      said_.length = true;
      std::uint64_t length = 0;
      const char* const end = field.value.data() + field.value.size();
      const auto [read, error] = std::from_chars(field.value.data(), end, length);
      if (error != std::errc() || read != end) throwFraming("Content-Length is no number");
      bodyLength_ = length;
      break;
    }
    case 17:
      if (!isName(field.name, "transfer-encoding")) break;
      said_.encoding = true;
      readEncoding(field.value);
      // Else it ends with the connection.
      if (!chunked_) last_ = true;
      break;
    default:
      break;
  }
}

LEAT_INLINE void OutgoingMessage::writeHead(TextBuffer& text, std::string_view date,
                                            unsigned seconds, std::optional<std::size_t> whole,
                                            std::string_view kept) {
  // More than all that is not counted here has.
  constexpr std::size_t rest = 256;
  char* at = text.room(rest + reason.size() + fields.bytes() + date.size() + kept.size());
  headWritten_ = true;
  if (status == 200 && reason.empty()) {
    at = put(at, "HTTP/1.1 200 OK\r\n");
  } else {
    at = putNumber(put(at, "HTTP/1.1 "), static_cast<std::uint64_t>(status));
    at = put(at, " ");
    const std::string_view words = reason.empty() ? statusText(status) : std::string_view(reason);
    at = put(at, words.empty() ? std::string_view("unknown") : words);
    at = put(at, "\r\n");
  }
  at = putFields(at);
  const bool framed = whole || said_.length || said_.encoding || !hasBody_ || !old_;
  if (!framed || !keepAlive_) last_ = true;
  const bool dated = sendDate && !said_.date;
  if (!kept.empty() && dated && !last_ && !said_.connection) {
    at = put(at, kept);
  } else {
    if (dated) at = put(at, date);
    if (!said_.connection) at = putConnection(at, seconds);
  }
  text.endAt(put(putFraming(at, whole), "\r\n"));
}

LEAT_INLINE char* OutgoingMessage::putFields(char* at) const noexcept {
  const std::string_view whole = fields.whole();
  if (!whole.empty()) return put(at, whole);
  for (std::size_t i = 0; i < fields.size(); ++i) at = put(at, fields.line(i));
  return at;
}

LEAT_INLINE void OutgoingMessage::writeRequest(TextBuffer& text, std::string_view method,
                                               std::string_view target,
                                               std::optional<std::size_t> whole) {
  // No request ends with its connection (RFC 9112 section 6.3).
  if (said_.encoding && !chunked_) throwFraming("Transfer-Encoding does not end with chunked");
  // More than all that is not counted here has.
  constexpr std::size_t rest = 128;
  char* at = text.room(rest + method.size() + target.size() + fields.bytes());
  headWritten_ = request_ = true;
  at = put(put(at, method), " ");
  at = put(put(at, target), " HTTP/1.1\r\n");
  at = putFields(at);
  if (!said_.connection) at = putConnection(at, 0);
  // Of these nobody expects a body; without one they are not framed.
  if (isUnframed(method) && whole == std::size_t{0}) {
    if (!said_.encoding && !said_.length) bodyLength_ = 0;
  } else {
    at = putFraming(at, whole);
  }
  text.endAt(put(at, "\r\n"));
}

LEAT_INLINE void OutgoingMessage::beginChunk(TextBuffer& out, std::size_t size) {
  appendNumber(out, size, 16);
  out.append("\r\n");
}

LEAT_INLINE void OutgoingMessage::endChunks(TextBuffer& out) const {
  out.append("0\r\n");
  trailers.writeTo(out);
  out.append("\r\n");
}

LEAT_INLINE char* OutgoingMessage::putConnection(char* at, unsigned seconds) const noexcept {
  return last_ ? put(at, "Connection: close\r\n") : putKept(at, seconds);
}

LEAT_INLINE char* OutgoingMessage::putFraming(char* at, std::optional<std::size_t> whole) noexcept {
  if (!hasBody_) {
    chunked_ = false;
    return at;
  }
  if (said_.length || said_.encoding) return at;
  if (whole && !said_.trailer && trailers.empty()) {
    bodyLength_ = *whole;
    return put(putNumber(put(at, "Content-Length: "), *whole), "\r\n");
  }
  if (old_) return at;
  chunked_ = true;
  return put(at, "Transfer-Encoding: chunked\r\n");
}
#endif

}  // namespace leat::inline LEAT_ABI::http::detail
