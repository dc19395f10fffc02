// SPDX-License-Identifier: MIT
// What a server's answer and a client's request have in common.
#pragma once

#include <leat/http/detail/answer_sink.hpp>

#include <concepts>
#include <initializer_list>
#include <string>

namespace leat::inline LEAT_ABI::http {

/// What `write` gives: Node's answer as a bool, and a wait for room.
class ResponseWrite {
 public:
  ResponseWrite(detail::Ref<detail::Exchange> exchange, bool room) noexcept
      : exchange_(std::move(exchange)), room_(room) {}
  /// False: enough waits.
  operator bool() const noexcept { return room_; }
  /// Goes on when there is room. Throws: Error ECONNRESET when the peer has gone.
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
  /// Goes on when all of it is with the socket, in its turn. Throws: as the wait of a write.
  LEAT_ON_USE
  auto operator co_await() const { return detail::endOf(exchange_).operator co_await(); }

 private:
  detail::Ref<detail::Exchange> exchange_;
};

namespace detail {

/// Base of a handle of a message that is sent. Node: `http.OutgoingMessage`.
template <class Self>
class OutgoingHandle {
 public:
  explicit OutgoingHandle(ExchangeHandle exchange) noexcept : exchange_(std::move(exchange)) {}

  // ---- the head ----

  /// In the place of those that have the name, without regard to case. Throws: Error
  /// ERR_HTTP_HEADERS_SENT, TypeError ERR_INVALID_HTTP_TOKEN, ERR_INVALID_CHAR.
  const Self& setHeader(std::string_view name, std::string_view value) const {
    out().checkHead("set");
    out().fields.set(name, value);
    return self();
  }
  /// A number: `setHeader("Content-Length", 5)`.
  template <std::integral N>
    requires(!std::is_same_v<N, bool> && !std::is_same_v<N, char>)
  const Self& setHeader(std::string_view name, N value) const {
    return setHeader(name, std::string_view(std::to_string(value)));
  }
  /// A field for each value.
  const Self& setHeader(std::string_view name,
                        std::initializer_list<std::string_view> values) const {
    out().checkHead("set");
    out().fields.remove(name);
    for (const std::string_view value : values) out().fields.add(name, value);
    return self();
  }
  const Self& appendHeader(std::string_view name, std::string_view value) const {
    out().checkHead("append");
    out().fields.add(name, value);
    return self();
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
  bool headersSent() const noexcept { return out().headSet(); }

  // ---- the body ----

  /// As a bool: false when enough waits to be sent. Awaited: goes on when there is room.
  /// Throws: Error ERR_STREAM_WRITE_AFTER_END, ERR_HTTP_CONTENT_LENGTH_MISMATCH when it is more than the
  /// Content-Length that was set; RangeError ERR_HTTP_INVALID_STATUS_CODE.
  ResponseWrite write(std::string_view bytes) const {
    return {exchange_.ref(), exchange_->write(bytes)};
  }
  ResponseWrite write(const Buffer& bytes) const {
    return {exchange_.ref(), exchange_->write(bytes)};
  }
  /// Until as many `uncork`, or the end, nothing is sent, nor flushed: what is written waits in memory, however much it is,
  /// and a `co_await` of it waits for what was sent before, not for itself. What is written in one tick goes in one piece also without it.
  void cork() const { exchange_->cork(); }
  void uncork() const { exchange_->uncork(); }
  /// How many `uncork` are missing.
  unsigned writableCorked() const noexcept { return exchange_->corked(); }
  /// Fields behind a chunked body, in its `end`. Throws: as `setHeader`.
  void addTrailers(std::initializer_list<HeaderField> trailers) const {
    for (const HeaderField& field : trailers) out().addTrailer(field.name, field.value);
  }
  /// Without bytes it may be called again, which does nothing. Throws: as `write`; also when less was written than the
  /// Content-Length.
  ResponseEnd end(std::string_view bytes = {}) const {
    // It keeps the exchange, also where this handle goes meanwhile.
    Ref<Exchange> exchange = exchange_.ref();
    exchange->end(bytes);
    return ResponseEnd(std::move(exchange));
  }
  ResponseEnd end(const Buffer& bytes) const { return end(bytes.view()); }
  /// The body as a stream, for its events and for `pipe`; the same one until it has ended. `pipeline` and
  /// `pipe` take the message itself.
  LEAT_ON_USE
  Writable<Buffer> stream() const {
    const auto made = exchange_->writer;
    if (made.core != nullptr)
      return Writable<Buffer>(Ref<leat::detail::StreamCore>(made.core), *made.side);
    const Writable<Buffer> stream{AnswerSink<>(exchange_)};
    exchange_->keepWriter(stream);
    return stream;
  }
  /// Closes the connection. Node: `destroy`.
  void destroy(std::exception_ptr error = nullptr) const { exchange_->owner().destroy(error); }

  bool writableEnded() const noexcept { return out().ended(); }
  const net::Socket& socket() const noexcept { return exchange_->owner().socket; }
  const ExchangeHandle& exchange() const noexcept { return exchange_; }

 protected:
  OutgoingMessage& out() const noexcept { return exchange_->out; }

 private:
  const Self& self() const noexcept { return static_cast<const Self&>(*this); }
  ExchangeHandle exchange_;
};

}  // namespace detail

}  // namespace leat::inline LEAT_ABI::http
