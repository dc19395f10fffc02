// SPDX-License-Identifier: MIT
// http.ServerResponse: the answer to a request.
#pragma once

#include <leat/http/outgoing_handle.hpp>

namespace leat::inline LEAT_ABI::http {

/// The answer. Copies are handles to the same one. When the last handle of a request and its answer goes
/// before the answer has ended, the client gets 500, or, once the head was sent, the connection closes; the server
/// tells of it as "handlerError" or as a warning, Error ERR_HTTP_UNANSWERED.
///
/// A body that is given to `end` as a whole has a Content-Length; one that is written in pieces is chunked, or
/// ends with the connection for HTTP/1.0. What is written for HEAD, 204 and 304 is not sent.
///
/// Node: `http.ServerResponse`. Thread: the loop's.
class ServerResponse : public detail::OutgoingHandle<ServerResponse> {
 public:
  using LoopBound = void;
  explicit ServerResponse(detail::ExchangeHandle exchange) noexcept
      : OutgoingHandle(std::move(exchange)) {}

  // ---- the head ----

  /// Node: `statusCode`, 200 unless it is set. Throws when the head is sent: RangeError
  /// ERR_HTTP_INVALID_STATUS_CODE.
  int statusCode() const noexcept { return out().status; }
  const ServerResponse& setStatusCode(int status) const {
    out().checkHead("set");
    out().status = status;
    return *this;
  }
  /// As it was set; from when the head is sent on, what is sent. Valid until it is set again.
  std::string_view statusMessage() const noexcept { return out().words(); }
  /// Empty: Node's words for the code.
  const ServerResponse& setStatusMessage(std::string_view words) const {
    out().checkHead("set");
    out().setReason(words);
    return *this;
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
    if (!words.empty()) out().setReason(words);
    for (const HeaderField& field : headers) out().fields.set(field.name, field.value);
    out().fixHead();
    return *this;
  }
  void flushHeaders() const {
    exchange()->sendHead(std::nullopt);
    exchange()->owner().flushSoon();
  }
  const ServerResponse& setSendDate(bool send) const {
    out().setSendDate(send);
    return *this;
  }

  // ---- in front of the head ----

  /// "100 Continue": the client may send its body.
  void writeContinue() const {
    exchange()->sentContinue = true;
    interim("HTTP/1.1 100 Continue\r\n\r\n");
  }
  void writeProcessing() const { interim("HTTP/1.1 102 Processing\r\n\r\n"); }
  /// "103 Early Hints" with these fields. Throws: as `setHeader`.
  void writeEarlyHints(std::initializer_list<HeaderField> headers) const {
    detail::OutgoingFields fields;
    for (const HeaderField& field : headers) fields.add(field.name, field.value);
    detail::TextBuffer text;
    text.append("HTTP/1.1 103 Early Hints\r\n");
    fields.writeTo(text);
    text.append("\r\n");
    interim(text);
  }

 private:
  void interim(std::string_view text) const {
    out().checkHead("write");
    if (exchange()->gone()) return;
    exchange()->owner().lane(*exchange()).append(text);
    exchange()->owner().flushSoon();
  }
};

}  // namespace leat::inline LEAT_ABI::http
