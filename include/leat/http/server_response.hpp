// SPDX-License-Identifier: MIT
// http.ServerResponse: the answer to a request.
#pragma once

#include <leat/http/detail/answer_sink.hpp>
#include <leat/http/incoming_message.hpp>

#include <initializer_list>

namespace leat::inline LEAT_ABI::http {

/// What `write` gives: Node's answer as a bool, and a wait for room.
class ResponseWrite {
 public:
  ResponseWrite(detail::Ref<detail::Exchange> exchange, bool room) noexcept
      : exchange_(std::move(exchange)), room_(room) {}
  /// False: enough waits.
  operator bool() const noexcept { return room_; }
  /// Goes on when there is room. Throws: Error ECONNRESET when the client has gone.
  LEAT_ON_USE
  auto operator co_await() const { return detail::roomOf(exchange_).operator co_await(); }

 private:
  detail::Ref<detail::Exchange> exchange_;
  bool room_;
};
/// What `end` gives: a wait that may be left out.
class ResponseEnd {
 public:
  explicit ResponseEnd(detail::Ref<detail::Exchange> exchange) noexcept
      : exchange_(std::move(exchange)) {}
  /// Goes on when all of the answer was given to the system. Throws: as the wait of a write.
  LEAT_ON_USE
  auto operator co_await() const { return detail::endOf(exchange_).operator co_await(); }

 private:
  detail::Ref<detail::Exchange> exchange_;
};

/// The answer. Copies are handles to the same one. When the last handle of a request and its answer goes
/// before the answer has ended, the client gets 500, or, once the head was sent, the connection closes.
///
/// A body that is given to `end` as a whole has a Content-Length; one that is written in pieces is chunked, or
/// ends with the connection for HTTP/1.0. What is written for HEAD, 204 and 304 is not sent.
///
/// Node: `http.ServerResponse`. Thread: the loop's.
class ServerResponse {
 public:
  using LoopBound = void;
  explicit ServerResponse(detail::ExchangeHandle exchange) noexcept
      : exchange_(std::move(exchange)) {}

  // ---- the head ----

  /// Node: `statusCode`, 200 unless it is set. Throws when the head is sent: RangeError
  /// ERR_HTTP_INVALID_STATUS_CODE.
  int statusCode() const noexcept { return out().status; }
  const ServerResponse& setStatusCode(int status) const {
    out().checkHead("set");
    out().status = status;
    return *this;
  }
  /// Empty: Node's words for the code.
  const ServerResponse& setStatusMessage(std::string_view words) const {
    out().checkHead("set");
    out().reason = words;
    return *this;
  }
  /// In the place of those that have the name, without regard to case. Throws: Error
  /// ERR_HTTP_HEADERS_SENT, TypeError ERR_INVALID_HTTP_TOKEN, ERR_INVALID_CHAR.
  const ServerResponse& setHeader(std::string_view name, std::string_view value) const {
    out().checkHead("set");
    out().fields.set(name, value);
    return *this;
  }
  /// A field for each value.
  const ServerResponse& setHeader(std::string_view name,
                                  std::initializer_list<std::string_view> values) const {
    out().checkHead("set");
    out().fields.remove(name);
    for (const std::string_view value : values) out().fields.add(name, value);
    return *this;
  }
  const ServerResponse& appendHeader(std::string_view name, std::string_view value) const {
    out().checkHead("append");
    out().fields.add(name, value);
    return *this;
  }
  /// Of the first one; valid until a header is set.
  std::optional<std::string_view> getHeader(std::string_view name) const noexcept {
    return out().fields.get(name);
  }
  bool hasHeader(std::string_view name) const noexcept { return getHeader(name).has_value(); }
  void removeHeader(std::string_view name) const {
    out().checkHead("remove");
    out().fields.remove(name);
  }
  /// The head is what it is from here on; it goes with the first piece of the body, or with `flushHeaders`.
  /// Throws: as `setHeader`, RangeError ERR_HTTP_INVALID_STATUS_CODE.
  const ServerResponse& writeHead(int status,
                                  std::initializer_list<HeaderField> headers = {}) const {
    return writeHead(status, std::string_view(), headers);
  }
  const ServerResponse& writeHead(int status, std::string_view words,
                                  std::initializer_list<HeaderField> headers = {}) const {
    out().checkHead("write");
    out().status = status;
    if (!words.empty()) out().reason = words;
    for (const HeaderField& field : headers) out().fields.set(field.name, field.value);
    out().fixHead();
    return *this;
  }
  void flushHeaders() const {
    exchange_->sendHead(std::nullopt);
    exchange_->owner().flushSoon();
  }
  bool headersSent() const noexcept { return out().headSet(); }
  const ServerResponse& setSendDate(bool send) const {
    out().sendDate = send;
    return *this;
  }

  // ---- in front of the head ----

  /// "100 Continue": the client may send its body.
  void writeContinue() const {
    exchange_->sentContinue = true;
    interim("HTTP/1.1 100 Continue\r\n\r\n");
  }
  void writeProcessing() const { interim("HTTP/1.1 102 Processing\r\n\r\n"); }
  /// "103 Early Hints" with these fields. Throws: as `setHeader`.
  void writeEarlyHints(std::initializer_list<HeaderField> headers) const {
    detail::OutgoingFields fields;
    for (const HeaderField& field : headers) fields.add(field.name, field.value);
    std::string text = "HTTP/1.1 103 Early Hints\r\n";
    fields.writeTo(text);
    interim(text.append("\r\n"));
  }

  // ---- the body ----

  /// As a bool: false when enough waits to be sent. Awaited: goes on when there is room.
  /// Throws: Error ERR_STREAM_WRITE_AFTER_END, ERR_HTTP_CONTENT_LENGTH_MISMATCH when it is more than the
  /// Content-Length that was set; as `writeHead`.
  ResponseWrite write(std::string_view bytes) const {
    return {exchange_.ref(), exchange_->write(bytes)};
  }
  ResponseWrite write(const Buffer& bytes) const {
    return {exchange_.ref(), exchange_->write(bytes)};
  }
  /// Fields behind a chunked body, in its `end`. Throws: as `setHeader`.
  void addTrailers(std::initializer_list<HeaderField> trailers) const {
    for (const HeaderField& field : trailers) out().trailers.add(field.name, field.value);
  }
  /// Throws: as `write`; also when less was written than the Content-Length.
  ResponseEnd end(std::string_view bytes = {}) const {
    const detail::Ref<detail::Exchange> exchange = exchange_.ref();
    exchange->end(bytes);
    return ResponseEnd(exchange);
  }
  ResponseEnd end(const Buffer& bytes) const { return end(bytes.view()); }
  /// The body as a stream, for its events and for `pipe`; the same one until it has ended. `pipeline` and
  /// `pipe` take the answer itself.
  LEAT_ON_USE
  Writable<Buffer> stream() const;
  /// Closes the connection. Node: `destroy`.
  void destroy(std::exception_ptr error = nullptr) const { exchange_->owner().destroy(error); }

  bool writableEnded() const noexcept { return out().ended(); }
  const net::Socket& socket() const noexcept { return exchange_->owner().socket; }
  const detail::ExchangeHandle& exchange() const noexcept { return exchange_; }

 private:
  detail::OutgoingMessage& out() const noexcept { return exchange_->out; }
  void interim(std::string_view text) const {
    out().checkHead("write");
    if (exchange_->gone()) return;
    exchange_->owner().lane(*exchange_).append(text);
    exchange_->owner().flushSoon();
  }
  detail::ExchangeHandle exchange_;
};

template <class>
Writable<Buffer> ServerResponse::stream() const {
  const auto made = exchange_->writer;
  if (made.core != nullptr)
    return Writable<Buffer>(leat::detail::Ref<leat::detail::StreamCore>(made.core), *made.side);
  const Writable<Buffer> stream{detail::AnswerSink<>(exchange_)};
  exchange_->keepWriter(stream);
  return stream;
}

}  // namespace leat::inline LEAT_ABI::http
