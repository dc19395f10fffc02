// SPDX-License-Identifier: MIT
// A message on its way out: its head, how its body is framed, and the rules of both. Node: OutgoingMessage.
#pragma once

#include <leat/http/detail/outgoing_fields.hpp>
#include <leat/http/methods.hpp>

#include <charconv>
#include <cstring>

namespace leat::inline LEAT_ABI::http::detail {

inline void appendNumber(std::string& out, std::uint64_t number, int base = 10) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number, base);
  out.append(digits, end.ptr);
}

/// A literal, whose size is known.
template <std::size_t size>
LEAT_ALWAYS_INLINE inline void put(std::string& out, const char (&text)[size]) {
  out.append(text, size - 1);
}

/// Writes a head in one go, into room for all of it.
class HeadWriter {
 public:
  HeadWriter(std::string& out, std::size_t most) : out_(out), begin_(out.size()) {
    out_.resize(begin_ + most);
    at_ = out_.data() + begin_;
  }
  HeadWriter(const HeadWriter&) = delete;
  HeadWriter& operator=(const HeadWriter&) = delete;
  ~HeadWriter() { out_.resize(static_cast<std::size_t>(at_ - out_.data())); }

  template <std::size_t size>
  LEAT_ALWAYS_INLINE void put(const char (&text)[size]) noexcept {
    std::memcpy(at_, text, size - 1);
    at_ += size - 1;
  }
  void put(std::string_view text) noexcept {
    if (!text.empty()) std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void number(std::uint64_t number) noexcept {
    at_ = std::to_chars(at_, at_ + mostDigits, number).ptr;
  }
  static constexpr std::size_t mostDigits = 20;

 private:
  std::string& out_;
  std::size_t begin_;
  char* at_;
};

/// The client could not tell where the answer ends.
[[noreturn]] LEAT_NOINLINE inline void throwFraming(std::string_view what) {
  throw TypeError(leat::detail::SharedText({"The head of the answer is ambiguous: ", what}).view(),
                  "ERR_HTTP_INVALID_HEADER_VALUE");
}
[[noreturn]] LEAT_NOINLINE inline void throwHeadersSent(std::string_view verb) {
  throw Error(
      leat::detail::SharedText({"Cannot ", verb, " headers after they are sent to the client"})
          .view(),
      "ERR_HTTP_HEADERS_SENT");
}
inline Error writeAfterEnd() { return Error("write after end", "ERR_STREAM_WRITE_AFTER_END"); }

/// What a server answers, as text; where it goes is the caller's.
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
    if (!isText(reason)) throw TypeError("Invalid character in statusMessage", "ERR_INVALID_CHAR");
    said_ = readFields();
    headSet_ = true;
    if (isBodiless(status)) hasBody_ = false;
  }

  // ---- what is sent ----

  /// `date`: the field, with its line end. `seconds`: of the Keep-Alive field, 0 for none. `whole`: the size of all of the body, if it is known.
  void writeHead(std::string& out, std::string_view date, unsigned seconds,
                 std::optional<std::size_t> whole);
  bool headWritten() const noexcept { return headWritten_; }
  /// In front of and behind a piece of the body. Throws: Error ERR_HTTP_CONTENT_LENGTH_MISMATCH.
  void beginPiece(std::string& out, std::size_t size) {
    if (bodyLength_ && size > *bodyLength_ - bodySent_) throwMismatch(bodySent_ + size);
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
    if (hasBody_ && bodyLength_ && bodySent_ != *bodyLength_) throwMismatch(bodySent_);
    if (!chunked_) return;
    put(out, "0\r\n");
    trailers.writeTo(out);
    put(out, "\r\n");
  }
  /// Nothing more can be sent.
  void giveUp() noexcept { ended_ = true; }

 private:
  struct Said {
    bool connection = false;
    bool length = false;
    bool encoding = false;
    bool trailer = false;
    bool date = false;
  };
  Said readFields();
  void readEncoding(std::string_view codings);
  void writeConnection(HeadWriter& out, unsigned seconds) const noexcept;
  void writeFraming(HeadWriter& out, std::optional<std::size_t> whole) noexcept;
  [[noreturn]] LEAT_NOINLINE void throwMismatch(std::uint64_t sent) const {
    using leat::detail::Decimal;
    throw Error(leat::detail::SharedText(
                    {"Response body's content-length of ", Decimal(static_cast<long long>(sent)),
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
};

/// A client refuses whatever is behind chunked, and what is no list of codings (RFC 9112 section 6.1).
inline void OutgoingMessage::readEncoding(std::string_view codings) {
  bool more = true;
  while (more) {
    more = codings.find(',') != std::string_view::npos;
    const std::string_view coding = takeMember(codings);
    if (chunked_ || !isToken(coding.substr(0, coding.find_first_of("; \t"))))
      throwFraming("Transfer-Encoding is no list of codings, or does not end with chunked");
    chunked_ = equalsLower(coding, "chunked");
  }
}

inline OutgoingMessage::Said OutgoingMessage::readFields() {
  Said said;
  bodyLength_.reset();
  chunked_ = false;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const FieldView field = fields[i];
    if (equalsLower(field.name, "connection")) {
      said.connection = true;
      for (std::string_view list = field.value; !list.empty();) {
        const std::string_view word = takeMember(list);
        if (equalsLower(word, "close")) last_ = true;
      }
    } else if (equalsLower(field.name, "content-length")) {
      if (said.length) throwFraming("Content-Length a second time");
      said.length = true;
      std::uint64_t length = 0;
      const auto [end, error] =
          std::from_chars(field.value.data(), field.value.data() + field.value.size(), length);
      if (error != std::errc() || end != field.value.data() + field.value.size())
        throwFraming("Content-Length is no number");
      bodyLength_ = length;
    } else if (equalsLower(field.name, "transfer-encoding")) {
      said.encoding = true;
      readEncoding(field.value);
      // Else it ends with the connection.
      if (!chunked_) last_ = true;
    } else if (equalsLower(field.name, "trailer")) {
      said.trailer = true;
    } else if (equalsLower(field.name, "date")) {
      said.date = true;
    }
  }
  if (said.length && said.encoding) throwFraming("Content-Length beside Transfer-Encoding");
  return said;
}

inline void OutgoingMessage::writeHead(std::string& text, std::string_view date, unsigned seconds,
                                       std::optional<std::size_t> whole) {
  headWritten_ = true;
  // More than all that is not counted here has.
  constexpr std::size_t rest = 256;
  HeadWriter out(text, rest + reason.size() + fields.bytes() + date.size());
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
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const FieldView field = fields[i];
    out.put(field.name);
    out.put(": ");
    out.put(field.value);
    out.put("\r\n");
  }
  if (sendDate && !said_.date) out.put(date);
  const bool framed = said_.length || said_.encoding || !hasBody_ || !old_ || whole;
  if (!framed || !keepAlive_) last_ = true;
  if (!said_.connection) writeConnection(out, seconds);
  writeFraming(out, whole);
  out.put("\r\n");
}

inline void OutgoingMessage::writeConnection(HeadWriter& out, unsigned seconds) const noexcept {
  if (last_) return out.put("Connection: close\r\n");
  out.put("Connection: keep-alive\r\n");
  if (seconds == 0) return;
  out.put("Keep-Alive: timeout=");
  out.number(seconds);
  out.put("\r\n");
}

inline void OutgoingMessage::writeFraming(HeadWriter& out,
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

}  // namespace leat::inline LEAT_ABI::http::detail
