// SPDX-License-Identifier: MIT
// http.IncomingMessage: a message that came, with its body.
#pragma once

#include <leat/http/detail/exchange.hpp>
#include <leat/http/http_error.hpp>
#include <leat/stream/readable.hpp>

namespace leat::inline LEAT_ABI::http {

namespace detail {

/// How Node joins fields of one name (RFC 9110 section 5.3): with commas, cookies with semicolons, and of
/// those that make no list only the first. Node gives each Set-Cookie, whose values may have commas, in an array.
enum class Joining : unsigned char { First, Comma, Semicolon };

constexpr Joining joiningOf(std::string_view name) noexcept {
  constexpr std::string_view first[] = {"age",
                                        "authorization",
                                        "content-length",
                                        "content-type",
                                        "etag",
                                        "expires",
                                        "from",
                                        "host",
                                        "if-modified-since",
                                        "if-unmodified-since",
                                        "last-modified",
                                        "location",
                                        "max-forwards",
                                        "proxy-authorization",
                                        "referer",
                                        "retry-after",
                                        "server",
                                        "set-cookie",
                                        "user-agent"};
  for (const std::string_view each : first)
    if (equalsLower(name, each)) return Joining::First;
  return equalsLower(name, "cookie") ? Joining::Semicolon : Joining::Comma;
}

}  // namespace detail

/// The fields of a message. Lifetime: of the message; so are the views it gives.
class MessageHeaders {
 public:
  /// `joinDuplicates`: see `joined`.
  explicit MessageHeaders(const detail::Head& head, bool joinDuplicates = false) noexcept
      : head_(&head), joinDuplicates_(joinDuplicates) {}

  /// Of the first field of that name, without regard to case; nothing when there is none.
  std::optional<std::string_view> get(std::string_view name) const noexcept {
    for (const detail::FieldView field : *this)
      if (detail::equalsIgnoringCase(field.name, name)) return field.value;
    return std::nullopt;
  }
  bool has(std::string_view name) const noexcept { return get(name).has_value(); }
  /// Those of one name in one, as Node joins them; empty when there is none. Of names that make no list, such as
  /// "content-type", the first, unless the option `joinDuplicateHeaders` was set; of "set-cookie" always the first: `all`
  /// gives each.
  std::string joined(std::string_view name) const {
    detail::Joining joining = detail::joiningOf(name);
    if (joinDuplicates_ && joining == detail::Joining::First &&
        !detail::equalsLower(name, "set-cookie"))
      joining = detail::Joining::Comma;
    std::string all;
    bool any = false;
    for (const detail::FieldView field : *this) {
      if (!detail::equalsIgnoringCase(field.name, name)) continue;
      if (any && joining == detail::Joining::First) break;
      if (any) all += joining == detail::Joining::Semicolon ? "; " : ", ";
      all += field.value;
      any = true;
    }
    return all;
  }
  /// Each of them. Node: `headersDistinct`.
  std::vector<std::string_view> all(std::string_view name) const {
    std::vector<std::string_view> values;
    for (const detail::FieldView field : *this)
      if (detail::equalsIgnoringCase(field.name, name)) values.push_back(field.value);
    return values;
  }
  std::size_t size() const noexcept { return head_->fields.size(); }

  /// In the order, and the case, in which they came. Node: `rawHeaders`.
  class Iterator {
   public:
    Iterator(const detail::Head& head, std::size_t at) noexcept : head_(&head), at_(at) {}
    detail::FieldView operator*() const noexcept { return head_->field(head_->fields[at_]); }
    Iterator& operator++() noexcept {
      ++at_;
      return *this;
    }
    bool operator==(const Iterator& other) const noexcept { return at_ == other.at_; }

   private:
    const detail::Head* head_;
    std::size_t at_;
  };
  Iterator begin() const noexcept { return {*head_, 0}; }
  Iterator end() const noexcept { return {*head_, size()}; }

 private:
  const detail::Head* head_;
  bool joinDuplicates_;
};

/// A request that a server got, or the answer that a client got. Copies are handles to the same one. Its body is
/// received only as fast as it is read; one that nobody has begun to read is thrown away when the server's answer
/// has ended, that of a client when the last handle goes.
///
/// Node: `http.IncomingMessage`. Thread: the loop's. Lifetime: views are valid as long as there is a handle.
class IncomingMessage {
 public:
  using LoopBound = void;
  explicit IncomingMessage(detail::ExchangeHandle exchange) noexcept
      : exchange_(std::move(exchange)) {}

  std::string_view method() const noexcept { return head().view(head().method); }
  /// The target as it came, such as "/a?b=c"; a whole URL when it was asked for as of a proxy. Node: `url`.
  std::string_view url() const noexcept { return head().view(head().target); }
  /// Of an answer; 0 of a request.
  int statusCode() const noexcept { return head().status; }
  /// Of an answer: the words that came behind the code.
  std::string_view statusMessage() const noexcept { return head().view(head().reason); }
  std::string_view httpVersion() const noexcept { return head().minorVersion == 1 ? "1.1" : "1.0"; }
  /// The host that a target says, as that of a whole URL or of CONNECT, replaces the value of Host, where that field came
  /// (RFC 9112 section 3.2.2).
  MessageHeaders headers() const noexcept {
    return MessageHeaders(head(), exchange_->owner().joinsDuplicates);
  }
  /// Of the first field of that name, without regard to case; nothing when there is none.
  std::optional<std::string_view> header(std::string_view name) const noexcept {
    return headers().get(name);
  }
  /// What came behind a chunked body; none before its end.
  MessageHeaders trailers() const noexcept {
    return MessageHeaders(exchange_->trailers(), exchange_->owner().joinsDuplicates);
  }
  const net::Socket& socket() const noexcept { return exchange_->owner().socket; }
  /// Whether all of it has come. Node: `complete`.
  bool complete() const noexcept { return exchange_->body.ended(); }
  /// Aborts when the client goes before it has its answer; at a client, when the server goes before all of it
  /// has come.
  AbortSignal signal() const { return exchange_->signal(); }

  /// Waits for a piece of the body; empty at its end. Throws: Error ECONNRESET ("aborted") when the client
  /// goes before, ERR_HTTP_BODY_DUMPED. Cancel: AbortError; nothing is lost.
  LEAT_ON_USE
  Task<std::optional<Buffer>> next() const;
  /// All of the body. Throws: as `next`; HttpError 413 ERR_HTTP_BODY_TOO_LARGE when it is more than `limit` bytes:
  /// what is left of it is then thrown away.
  LEAT_ON_USE
  Task<std::string> text(std::size_t limit = defaultLimit) const;
  LEAT_ON_USE
  Task<Buffer> bytes(std::size_t limit = defaultLimit) const;
  /// The body as a stream, for its events and for `pipe`; the same one until the answer has ended. `pipeline`,
  /// `compose`, `finished` and `pipe` take the request itself.
  LEAT_ON_USE
  Readable<Buffer> stream() const;
  /// Throws the body away. Node: `resume()` without a listener.
  void resume() const noexcept { exchange_->dumpBody(); }
  /// Closes the connection. Node: `destroy`.
  void destroy(std::exception_ptr error = nullptr) const { exchange_->owner().destroy(error); }

  static constexpr std::size_t defaultLimit = 1024 * 1024;
  const detail::ExchangeHandle& exchange() const noexcept { return exchange_; }

 private:
  const detail::Head& head() const noexcept { return exchange_->head; }
  detail::ExchangeHandle exchange_;
};

namespace detail {

LEAT_ON_USE
Task<std::optional<Buffer>> nextOfBody(ExchangeHandle exchange);

#if LEAT_BODIES
LEAT_ON_USE_BODY
Task<std::optional<Buffer>> nextOfBody(ExchangeHandle exchange) {
  exchange->body.claim();
  while (!exchange->body.ready()) co_await exchange->body.wait();
  const bool wasFull = exchange->body.full();
  std::optional<Buffer> chunk = exchange->body.take();
  if (wasFull && !exchange->body.full()) exchange->owner().readOn();
  co_return chunk;
}

LEAT_ON_USE Task<std::string> textOfBody(ExchangeHandle exchange, std::size_t limit) {
  std::string text;
  for (std::optional<Buffer> chunk;;) {
    chunk = co_await nextOfBody(exchange);
    if (!chunk) break;
    if (chunk->size() > limit - text.size()) {
      exchange->dumpBody();
      throw HttpError(
          413,
          leat::detail::SharedText({"The body of the message is larger than ",
                                    leat::detail::Decimal(static_cast<long long>(limit)), " bytes"})
              .view(),
          "ERR_HTTP_BODY_TOO_LARGE");
    }
    text += chunk->view();
  }
  co_return text;
}

LEAT_ON_USE Task<Buffer> bytesOfBody(ExchangeHandle exchange, std::size_t limit) {
  std::string text = co_await textOfBody(std::move(exchange), limit);
  co_return Buffer::adopt(std::move(text));
}
#endif

}  // namespace detail

namespace detail {

template <class = void>
struct BodySource {
  explicit BodySource(ExchangeHandle e) noexcept : exchange(e.ref()), handle(std::move(e)) {}
  BodySource(BodySource&&) noexcept = default;
  BodySource& operator=(BodySource&&) = delete;
  ~BodySource() {
    if (exchange) exchange->reader = {};
  }
  Ref<Exchange> exchange;
  ExchangeHandle handle;
  Task<std::optional<Buffer>> read() { return nextOfBody(handle); }
  void destroy(std::exception_ptr error) {
    // Node: the connection goes with a request that is destroyed before its end.
    if (!exchange->body.over()) exchange->owner().destroy(error);
    // The exchange may keep the stream, which is nobody who can answer.
    handle = ExchangeHandle();
  }
};

}  // namespace detail

#if LEAT_BODIES
LEAT_ON_USE_BODY
Readable<Buffer> IncomingMessage::stream() const {
  const auto made = exchange_->reader;
  if (made.core != nullptr)
    return Readable<Buffer>(leat::detail::Ref<leat::detail::StreamCore>(made.core), *made.side);
  exchange_->body.claim();
  const Readable<Buffer> stream{detail::BodySource<>(exchange_)};
  exchange_->keepReader(stream);
  return stream;
}

LEAT_ON_USE_BODY
Task<std::optional<Buffer>> IncomingMessage::next() const { return detail::nextOfBody(exchange_); }

LEAT_ON_USE_BODY
Task<std::string> IncomingMessage::text(std::size_t limit) const {
  return detail::textOfBody(exchange_, limit);
}

LEAT_ON_USE_BODY
Task<Buffer> IncomingMessage::bytes(std::size_t limit) const {
  return detail::bytesOfBody(exchange_, limit);
}
#endif

}  // namespace leat::inline LEAT_ABI::http
