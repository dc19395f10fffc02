// SPDX-License-Identifier: MIT
// A message on its way out: its head, how its body is framed, and the rules of both. Node: OutgoingMessage.
#pragma once

#include <leat/http/detail/outgoing_fields.hpp>
#include <leat/http/methods.hpp>

#include <charconv>
#include <cstring>

namespace leat::inline LEAT_ABI::http::detail {

LEAT_INLINE void appendNumber(std::string& out, std::uint64_t number, int base = 10);

#if LEAT_BODIES
LEAT_INLINE void appendNumber(std::string& out, std::uint64_t number, int base) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number, base);
  out.append(digits, end.ptr);
}
#endif

/// A literal, whose size is known.
template <std::size_t size>
LEAT_ALWAYS_INLINE inline void put(std::string& out, const char (&text)[size]) {
  out.append(text, size - 1);
}

/// Writes a head in one go, into room for all of it.
class HeadWriter {
 public:
  HeadWriter(std::string& out, std::size_t most) : out_(out), begin_(out.size()) {
    if (most <= sizeof local_) {
      at_ = local_;
    } else {
      out_.resize(begin_ + most);
      at_ = out_.data() + begin_;
      inPlace_ = true;
    }
  }
  HeadWriter(const HeadWriter&) = delete;
  HeadWriter& operator=(const HeadWriter&) = delete;
  /// Throws std::bad_alloc where the room was not there before.
  void finish() {
    if (inPlace_) {
      out_.resize(static_cast<std::size_t>(at_ - out_.data()));
    } else {
      out_.append(local_, static_cast<std::size_t>(at_ - local_));
    }
  }

  template <std::size_t size>
  LEAT_ALWAYS_INLINE void put(const char (&text)[size]) noexcept {
    std::memcpy(at_, text, size - 1);
    at_ += size - 1;
  }
  void put(std::string_view text) noexcept { at_ = copyText(at_, text); }
  void number(std::uint64_t number) noexcept {
    at_ = std::to_chars(at_, at_ + mostDigits, number).ptr;
  }
  static constexpr std::size_t mostDigits = 20;

 private:
  std::string& out_;
  const std::size_t begin_;
  char* at_;
  bool inPlace_ = false;
  // Room that need not be cleared first.
  char local_[1024];
};

/// Of a connection that stays; 0: who knows how long.
LEAT_INLINE void writeKept(HeadWriter& out, unsigned seconds) noexcept;

#if LEAT_BODIES
LEAT_INLINE void writeKept(HeadWriter& out, unsigned seconds) noexcept {
  out.put("Connection: keep-alive\r\n");
  if (seconds == 0) return;
  out.put("Keep-Alive: timeout=");
  out.number(seconds);
  out.put("\r\n");
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
    if (status < 100 || status > 999)
      throw RangeError(
          leat::detail::SharedText(
              {"Invalid status code: ", leat::detail::Decimal(static_cast<long long>(status))})
              .view(),
          "ERR_HTTP_INVALID_STATUS_CODE");
    if (!reason.empty() && !isText(reason))
      throw TypeError("Invalid character in statusMessage", "ERR_INVALID_CHAR");
    said_ = readFields();
    headSet_ = true;
    if (isBodiless(status)) hasBody_ = false;
  }

  // ---- what is sent ----

  /// `date`: the field, with its line end. `seconds`: of the Keep-Alive field, 0 for none. `whole`: the size of
  /// all of the body, if it is known. `kept`: the date and the fields of a connection that stays, as they would be written, if that
  /// is at hand.
  void writeHead(std::string& out, std::string_view date, unsigned seconds,
                 std::optional<std::size_t> whole, std::string_view kept = {});
  /// The same of a client.
  void writeRequest(std::string& out, std::string_view method, std::string_view target,
                    std::optional<std::size_t> whole);
  bool headWritten() const noexcept { return headWritten_; }
  /// In front of and behind a piece of the body. Throws: Error ERR_HTTP_CONTENT_LENGTH_MISMATCH.
  void beginPiece(std::string& out, std::size_t size) {
    if (bodyLength_ && size > bodyLeft()) throwMismatch(bodySent_ + size);
    bodySent_ += size;
    if (!chunked_) return;
    appendNumber(out, size, 16);
    put(out, "\r\n");
  }
  void endPiece(std::string& out) const {
    if (chunked_) put(out, "\r\n");
  }
  /// Throws: Error ERR_HTTP_CONTENT_LENGTH_MISMATCH when less came than was said.
  void end(std::string& out) {
    ended_ = true;
    if (hasBody_ && bodyLength_ && (bodySent_ != *bodyLength_ || lent_)) throwMismatch(bodySent_);
    if (!chunked_) return;
    put(out, "0\r\n");
    trailers.writeTo(out);
    put(out, "\r\n");
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
  Said readFields();
  void readField(const FieldView& field, Said& said);
  /// Of a body with a length.
  std::uint64_t bodyLeft() const noexcept { return lent_ ? 0 : *bodyLength_ - bodySent_; }
  void writeFields(HeadWriter& out) const noexcept;
  void readEncoding(std::string_view codings);
  void writeConnection(HeadWriter& out, unsigned seconds) const noexcept;
  void writeFraming(HeadWriter& out, std::optional<std::size_t> whole) noexcept;
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

LEAT_INLINE OutgoingMessage::Said OutgoingMessage::readFields() {
  Said said;
  bodyLength_.reset();
  chunked_ = false;
  for (std::size_t i = 0; i < fields.size(); ++i) readField(fields[i], said);
  if (said.length && said.encoding) throwFraming("Content-Length beside Transfer-Encoding");
  return said;
}

/// What the framing, and the fields that come by themselves, depend on.
LEAT_INLINE void OutgoingMessage::readField(const FieldView& field, Said& said) {
  switch (field.name.size()) {
    case 4:
      if (isName(field.name, "date")) said.date = true;
      break;
    case 7:
      if (isName(field.name, "trailer")) said.trailer = true;
      break;
    case 10:
      if (!isName(field.name, "connection")) break;
      said.connection = true;
      for (std::string_view list = field.value; !list.empty();)
        if (equalsLower(takeMember(list), "close")) last_ = true;
      break;
    case 14: {
      if (!isName(field.name, "content-length")) break;
      if (said.length) throwFraming("Content-Length a second time");
      said.length = true;
      std::uint64_t length = 0;
      const char* const end = field.value.data() + field.value.size();
      const auto [read, error] = std::from_chars(field.value.data(), end, length);
      if (error != std::errc() || read != end) throwFraming("Content-Length is no number");
      bodyLength_ = length;
      break;
    }
    case 17:
      if (!isName(field.name, "transfer-encoding")) break;
      said.encoding = true;
      readEncoding(field.value);
      // Else it ends with the connection.
      if (!chunked_) last_ = true;
      break;
    default:
      break;
  }
}

LEAT_INLINE void OutgoingMessage::writeHead(std::string& text, std::string_view date,
                                            unsigned seconds, std::optional<std::size_t> whole,
                                            std::string_view kept) {
  headWritten_ = true;
  // More than all that is not counted here has.
  constexpr std::size_t rest = 256;
  HeadWriter out(text, rest + reason.size() + fields.bytes() + date.size() + kept.size());
  if (status == 200 && reason.empty()) {
    out.put("HTTP/1.1 200 OK\r\n");
  } else {
    out.put("HTTP/1.1 ");
    out.number(static_cast<std::uint64_t>(status));
    out.put(" ");
    const std::string_view words = reason.empty() ? statusText(status) : std::string_view(reason);
    out.put(words.empty() ? std::string_view("unknown") : words);
    out.put("\r\n");
  }
  writeFields(out);
  const bool framed = said_.length || said_.encoding || !hasBody_ || !old_ || whole;
  if (!framed || !keepAlive_) last_ = true;
  const bool dated = sendDate && !said_.date;
  if (!kept.empty() && dated && !last_ && !said_.connection) {
    out.put(kept);
  } else {
    if (dated) out.put(date);
    if (!said_.connection) writeConnection(out, seconds);
  }
  writeFraming(out, whole);
  out.put("\r\n");
  out.finish();
}

LEAT_INLINE void OutgoingMessage::writeFields(HeadWriter& out) const noexcept {
  const std::string_view whole = fields.whole();
  out.put(whole);
  if (whole.empty())
    for (std::size_t i = 0; i < fields.size(); ++i) out.put(fields.line(i));
}

LEAT_INLINE void OutgoingMessage::writeRequest(std::string& text, std::string_view method,
                                               std::string_view target,
                                               std::optional<std::size_t> whole) {
  // No request ends with its connection (RFC 9112 section 6.3).
  if (said_.encoding && !chunked_) throwFraming("Transfer-Encoding does not end with chunked");
  headWritten_ = request_ = true;
  // More than all that is not counted here has.
  constexpr std::size_t rest = 128;
  HeadWriter out(text, rest + method.size() + target.size() + fields.bytes());
  out.put(method);
  out.put(" ");
  out.put(target);
  out.put(" HTTP/1.1\r\n");
  writeFields(out);
  if (!said_.connection) writeConnection(out, 0);
  // Of these nobody expects a body; without one they are not framed.
  if (isUnframed(method) && whole == std::size_t{0}) {
    if (!said_.encoding && !said_.length) bodyLength_ = 0;
  } else {
    writeFraming(out, whole);
  }
  out.put("\r\n");
  out.finish();
}

LEAT_INLINE void OutgoingMessage::writeConnection(HeadWriter& out,
                                                  unsigned seconds) const noexcept {
  if (last_) return out.put("Connection: close\r\n");
  writeKept(out, seconds);
}

LEAT_INLINE void OutgoingMessage::writeFraming(HeadWriter& out,
                                               std::optional<std::size_t> whole) noexcept {
  if (!hasBody_) {
    chunked_ = false;
    return;
  }
  if (said_.length || said_.encoding) return;
  if (whole && !said_.trailer && trailers.empty()) {
    out.put("Content-Length: ");
    out.number(*whole);
    out.put("\r\n");
    bodyLength_ = *whole;
  } else if (!old_) {
    out.put("Transfer-Encoding: chunked\r\n");
    chunked_ = true;
  }
}
#endif

}  // namespace leat::inline LEAT_ABI::http::detail
