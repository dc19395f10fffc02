// SPDX-License-Identifier: MIT
// A message on its way out: its head, how its body is framed, and the rules of both. Node: OutgoingMessage.
#pragma once

#include <leat/http/detail/outgoing_fields.hpp>
#include <leat/http/detail/put_text.hpp>
#include <leat/http/methods.hpp>

#include <string>

namespace leat::inline LEAT_ABI::http::detail {

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
  OutgoingFields fields;

  /// Behind the status. Until the head is fixed: as they were set.
  std::string_view words() const noexcept {
    if (!reason_.empty() || !headSet()) return reason_;
    const std::string_view known = statusText(status);
    return known.empty() ? std::string_view("unknown") : known;
  }
  /// Empty: the usual words for the status.
  void setReason(std::string_view words) {
    reason_ = words;
    mark(hasReason);
  }
  void setSendDate(bool send) noexcept { mark(isUndated, !send); }
  /// Throws: as `OutgoingFields::add`.
  void addTrailer(std::string_view name, std::string_view value) {
    trailers_.add(name, value);
    mark(hasTrailers);
  }
  void dropTrailers() noexcept {
    trailers_.clear();
    mark(hasTrailers, false);
  }
  bool headSet() const noexcept { return has(isSet); }
  bool ended() const noexcept { return has(isEnded); }
  bool hasBody() const noexcept { return !has(isBare); }
  std::uint64_t bodySent() const noexcept { return bodySent_; }
  /// The connection closes behind this.
  bool last() const noexcept { return has(isLast); }
  void setLast() noexcept { mark(isLast); }
  /// The connection is said to close, and left to the peer.
  void setParting() noexcept { mark(isParting); }
  /// What the request allows: `HTTP/1.0`, HEAD, whether the connection may stay.
  void answerTo(std::string_view method, const Head& head) noexcept {
    if (head.minorVersion == 0) mark(isOld | isLeaving);
    if (!head.keepAlive) mark(isLeaving);
    if (method == "HEAD") mark(isBare);
  }
  void checkHead(std::string_view verb) const {
    if (headSet()) [[unlikely]]
      throwHeadersSent(verb);
  }
  /// From here on the head is what it is. Throws: RangeError ERR_HTTP_INVALID_STATUS_CODE, TypeError
  /// ERR_INVALID_CHAR.
  void fixHead() {
    const bool asMost = status == 200 && !has(said | hasReason | hasLength | isChunked | isSet);
    if (!asMost || fields.mayHave(readSizes)) return fixOther();
    mark(isSet);
  }

  // ---- what is sent ----

  /// `date`: the field, with its line end. `keepAlive`: of a connection that stays. `whole`: the size of
  /// all of the body, if it is known. `kept`: the date and the fields of a connection that stays, as they would be written, if that
  /// is at hand.
  void writeHead(TextBuffer& out, std::string_view date, KeepAlive keepAlive,
                 std::optional<std::size_t> whole, std::string_view kept = {});
  /// The same of a client.
  void writeRequest(TextBuffer& out, std::string_view method, std::string_view target,
                    std::optional<std::size_t> whole);
  /// An answer from its first byte to its last, if it is as most are; else false. `kept`: as above.
  bool writeUsual(TextBuffer& out, std::string_view kept, std::string_view body);
  bool headWritten() const noexcept { return has(isWritten); }
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
    if (has(hasLength) && size > bodyLeft()) throwMismatch(bodySent_ + size);
    bodySent_ += size;
    if (has(isChunked)) beginChunk(out, size);
  }
  void endPiece(TextBuffer& out) const {
    if (has(isChunked)) out.append("\r\n");
  }
  /// Throws: Error ERR_HTTP_CONTENT_LENGTH_MISMATCH when less came than was said.
  void end(TextBuffer& out) {
    mark(isEnded);
    if (hasBody() && has(hasLength) && (bodySent_ != bodyLength_ || has(isLent)))
      throwMismatch(bodySent_);
    if (has(isChunked)) endChunks(out);
  }
  /// Nothing more can be sent.
  void giveUp() noexcept { mark(isEnded); }
  /// For another message; the memory stays.
  void clear() noexcept {
    status = 200;
    fields.clear();
    bodySent_ = 0;
    if (has(hasReason | hasTrailers)) {
      reason_.clear();
      trailers_.clear();
    }
    flags_ = 0;
  }
  /// Sizes or-ed together of what may have grown since `clear`.
  std::size_t memory() const noexcept {
    const std::size_t most = fields.memory();
    return has(hasReason | hasTrailers) ? most | trailers_.memory() | reason_.capacity() : most;
  }

  // ---- a body that somebody else sends, behind the head ----

  /// How much of it there may be: none unless its size is known and nothing stands between its pieces.
  std::uint64_t mayLend() const noexcept {
    return (flags_ & (isWritten | hasLength | isBare | isEnded | isChunked)) ==
                   (isWritten | hasLength)
               ? bodyLeft()
               : 0;
  }
  /// Until it is taken back nothing else may be written.
  void lend() noexcept { mark(isLent); }
  void takeBack(std::uint64_t sent) noexcept {
    mark(isLent, false);
    bodySent_ += sent;
  }

 private:
  enum Flag : unsigned {
    isSet = 1U << 0,  // the head is what it is
    isWritten = 1U << 1,
    isEnded = 1U << 2,
    hasLength = 1U << 3,
    // Most messages have none of these.
    isOld = 1U << 4,
    isLeaving = 1U << 5,  // the request does not let the connection stay
    isLast = 1U << 6,
    isBare = 1U << 7,  // has no body
    isUndated = 1U << 8,
    isChunked = 1U << 9,
    isLent = 1U << 10,
    isRequest = 1U << 11,
    hasReason = 1U << 12,
    hasTrailers = 1U << 13,
    // Fields that were set.
    saidConnection = 1U << 14,
    saidLength = 1U << 15,
    saidEncoding = 1U << 16,
    saidTrailer = 1U << 17,
    saidDate = 1U << 18,
    isParting = 1U << 19,  // says that the connection closes
  };
  static constexpr unsigned said =
      saidConnection | saidLength | saidEncoding | saidTrailer | saidDate;
  static constexpr unsigned usual = isSet | isWritten | isEnded | hasLength;
  bool has(unsigned flags) const noexcept { return (flags_ & flags) != 0; }
  void mark(unsigned flags, bool on = true) noexcept {
    flags_ = on ? flags_ | flags : flags_ & ~flags;
  }
  /// Of the names that `readField` knows.
  static constexpr std::uint32_t readSizes =
      OutgoingFields::sizeBit(4) | OutgoingFields::sizeBit(7) | OutgoingFields::sizeBit(10) |
      OutgoingFields::sizeBit(14) | OutgoingFields::sizeBit(17);
  void fixOther();
  void readFields();
  void readField(const FieldView& field);
  void setLength(std::uint64_t length) noexcept {
    bodyLength_ = length;
    mark(hasLength);
  }
  /// Of a body with a length.
  std::uint64_t bodyLeft() const noexcept { return has(isLent) ? 0 : bodyLength_ - bodySent_; }
  char* putFields(char* at) const noexcept;
  void readEncoding(std::string_view codings);
  char* putConnection(char* at, KeepAlive keepAlive) const noexcept;
  static void beginChunk(TextBuffer& out, std::size_t size);
  void endChunks(TextBuffer& out) const;
  char* putFraming(char* at, std::optional<std::size_t> whole) noexcept;
  [[noreturn]] LEAT_NOINLINE void throwMismatch(std::uint64_t sent) const {
    using leat::detail::Decimal;
    if (has(isRequest) && !has(saidLength) && has(hasLength) && bodyLength_ == 0)
      throw Error("The head was sent without a Content-Length: no body can follow",
                  "ERR_HTTP_CONTENT_LENGTH_MISMATCH");
    throw Error(leat::detail::SharedText(
                    {has(isRequest) ? "Request" : "Response", " body's content-length of ",
                     Decimal(static_cast<long long>(sent)),
                     " byte(s) does not match the content-length of ",
                     Decimal(static_cast<long long>(bodyLength_)), " byte(s) set in header"})
                    .view(),
                "ERR_HTTP_CONTENT_LENGTH_MISMATCH");
  }

  unsigned flags_ = 0;
  std::uint64_t bodyLength_ = 0;  // with `hasLength`
  std::uint64_t bodySent_ = 0;
  std::string reason_;
  OutgoingFields trailers_;
};

#if LEAT_BODIES
/// A client refuses whatever is behind chunked, and what is no list of codings (RFC 9112 section 6.1).
LEAT_INLINE void OutgoingMessage::readEncoding(std::string_view codings) {
  bool more = true;
  while (more) {
    more = codings.find(',') != std::string_view::npos;
    const std::string_view coding = takeMember(codings);
    if (has(isChunked) || !isToken(coding.substr(0, coding.find_first_of("; \t"))))
      throwFraming("Transfer-Encoding is no list of codings, or does not end with chunked");
    mark(isChunked, equalsLower(coding, "chunked"));
  }
}

LEAT_INLINE void OutgoingMessage::fixOther() {
  if (headSet()) return;
  if (status < 100 || status > 999) throwStatus(status);
  if (!isText(reason_)) throw TypeError("Invalid character in statusMessage", "ERR_INVALID_CHAR");
  // What was said when it could not be fixed.
  mark(said | hasLength | isChunked, false);
  if (fields.mayHave(readSizes)) readFields();
  mark(isSet);
  if (!isBodiless(status)) return;
  mark(isBare);
  // A client that waits for what was announced must not take the next answer for it. Node: the same.
  if (has(saidEncoding)) mark(isLast);
}

LEAT_INLINE void OutgoingMessage::readFields() {
  for (std::size_t i = 0; i < fields.size(); ++i) readField(fields[i]);
  if (has(saidLength) && has(saidEncoding)) throwFraming("Content-Length beside Transfer-Encoding");
}

/// What the framing, and the fields that come by themselves, depend on.
LEAT_INLINE void OutgoingMessage::readField(const FieldView& field) {
  switch (field.name.size()) {
    case 4:
      if (isName(field.name, "date")) mark(saidDate);
      break;
    case 7:
      if (isName(field.name, "trailer")) mark(saidTrailer);
      break;
    case 10:
      if (!isName(field.name, "connection")) break;
      mark(saidConnection);
      for (std::string_view list = field.value; !list.empty();)
        if (equalsLower(takeMember(list), "close")) mark(isLast);
      break;
    case 14: {
      if (!isName(field.name, "content-length")) break;
      if (has(saidLength)) throwFraming("Content-Length a second time");
      mark(saidLength);
      std::uint64_t length = 0;
      const char* const end = field.value.data() + field.value.size();
      const auto [read, error] = std::from_chars(field.value.data(), end, length);
      if (error != std::errc() || read != end) throwFraming("Content-Length is no number");
      setLength(length);
      break;
    }
    case 17:
      if (!isName(field.name, "transfer-encoding")) break;
      mark(saidEncoding);
      readEncoding(field.value);
      // Else it ends with the connection.
      if (!has(isChunked)) mark(isLast);
      break;
    default:
      break;
  }
}

LEAT_INLINE void OutgoingMessage::writeHead(TextBuffer& text, std::string_view date,
                                            KeepAlive keepAlive, std::optional<std::size_t> whole,
                                            std::string_view kept) {
  // More than all that is not counted here has.
  constexpr std::size_t rest = 256;
  char* at = text.room(rest + reason_.size() + fields.bytes() + date.size() + kept.size());
  mark(isWritten);
  if (status == 200 && !has(hasReason)) {
    at = put(at, "HTTP/1.1 200 OK\r\n");
  } else {
    at = putNumber(put(at, "HTTP/1.1 "), static_cast<std::uint64_t>(status));
    at = put(at, " ");
    at = put(at, words());
    at = put(at, "\r\n");
  }
  at = putFields(at);
  const bool framed = whole || has(saidLength | saidEncoding | isBare) || !has(isOld);
  if (!framed || has(isLeaving)) mark(isLast);
  const bool dated = !has(isUndated | saidDate);
  if (!kept.empty() && dated && !has(isLast | isParting | saidConnection)) {
    at = put(at, kept);
  } else {
    if (dated) at = put(at, date);
    if (!has(saidConnection)) at = putConnection(at, keepAlive);
  }
  text.endAt(put(putFraming(at, whole), "\r\n"));
}

LEAT_ALWAYS_INLINE inline bool OutgoingMessage::writeUsual(TextBuffer& text, std::string_view kept,
                                                           std::string_view body) {
  if (flags_ != isSet || status != 200 || kept.empty()) return false;
  const std::string_view mine = fields.whole();
  if (mine.empty() && !fields.empty()) return false;
  // More than all that is not counted here has.
  constexpr std::size_t rest = 128;
  char* at = text.room(rest + mine.size() + kept.size() + body.size());
  at = put(at, "HTTP/1.1 200 OK\r\n");
  at = put(put(at, mine), kept);
  at = putNumber(put(at, "Content-Length: "), body.size());
  text.endAt(copyText(put(at, "\r\n\r\n"), body));
  bodyLength_ = bodySent_ = body.size();
  flags_ = isSet | isWritten | isEnded | hasLength;
  return true;
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
  if (has(saidEncoding) && !has(isChunked))
    throwFraming("Transfer-Encoding does not end with chunked");
  // More than all that is not counted here has.
  constexpr std::size_t rest = 128;
  char* at = text.room(rest + method.size() + target.size() + fields.bytes());
  mark(isWritten | isRequest);
  at = put(put(at, method), " ");
  at = put(put(at, target), " HTTP/1.1\r\n");
  at = putFields(at);
  if (!has(saidConnection)) at = putConnection(at, {});
  // Of these nobody expects a body; without one they are not framed.
  if (isUnframed(method) && whole == std::size_t{0}) {
    if (!has(saidEncoding | saidLength)) setLength(0);
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
  trailers_.writeTo(out);
  out.append("\r\n");
}

LEAT_INLINE char* OutgoingMessage::putConnection(char* at, KeepAlive keepAlive) const noexcept {
  return has(isLast | isParting) ? put(at, "Connection: close\r\n") : putKept(at, keepAlive);
}

LEAT_INLINE char* OutgoingMessage::putFraming(char* at, std::optional<std::size_t> whole) noexcept {
  if (!hasBody()) {
    mark(isChunked, false);
    return at;
  }
  if (has(saidLength | saidEncoding)) return at;
  if (whole && !has(saidTrailer | hasTrailers)) {
    setLength(*whole);
    return put(putNumber(put(at, "Content-Length: "), *whole), "\r\n");
  }
  if (has(isOld)) return at;
  mark(isChunked);
  return put(at, "Transfer-Encoding: chunked\r\n");
}
#endif

}  // namespace leat::inline LEAT_ABI::http::detail
