// SPDX-License-Identifier: MIT
// fetch: asks for a URL and follows where the answer sends it.
#pragma once

#include <leat/http/client_request.hpp>
#include <leat/stream/pipeline.hpp>

namespace leat::inline LEAT_ABI::http {

/// What `fetch` gives. Copies are handles to the same one.
///
/// Node: `Response` of fetch.
class Response {
 public:
  using LoopBound = void;
  Response(IncomingMessage message, std::string url, bool redirected) noexcept
      : message_(std::move(message)), url_(std::move(url)), redirected_(redirected) {}

  int status() const noexcept { return message_.statusCode(); }
  std::string_view statusText() const noexcept { return message_.statusMessage(); }
  /// The status is one of 200 to 299.
  bool ok() const noexcept { return status() >= 200 && status() <= 299; }
  /// Where it came from in the end, without a fragment.
  const std::string& url() const noexcept { return url_; }
  bool redirected() const noexcept { return redirected_; }
  /// Node: `Headers`, which can be made of them: `http::Headers(response.headers())`.
  MessageHeaders headers() const noexcept { return message_.headers(); }
  std::optional<std::string_view> header(std::string_view name) const noexcept {
    return message_.header(name);
  }

  /// All of the body. Throws: what broke the connection, Error ERR_HTTP_BODY_DUMPED; HttpError
  /// ERR_HTTP_BODY_TOO_LARGE when it is more than `limit` bytes.
  LEAT_ON_USE
  Task<std::string> text(std::size_t limit = defaultLimit) const { return message_.text(limit); }
  LEAT_ON_USE
  Task<Buffer> bytes(std::size_t limit = defaultLimit) const { return message_.bytes(limit); }
  /// Waits for a piece of the body; empty at its end.
  LEAT_ON_USE
  Task<std::optional<Buffer>> next() const { return message_.next(); }
  /// The body, as it comes. `pipeline` takes the response itself. Node: `body`.
  LEAT_ON_USE
  Readable<Buffer> stream() const { return message_.stream(); }
  /// Node's client of HTTP, for what is not here.
  const IncomingMessage& message() const noexcept { return message_; }

  static constexpr std::size_t defaultLimit = 64 * 1024 * 1024;

 private:
  IncomingMessage message_;
  std::string url_;
  bool redirected_;
};

namespace detail {

inline constexpr int mostRedirects = 20;

/// Without what is secret, and without a fragment.
LEAT_INLINE std::string shownUrl(const URL& url);

#if LEAT_BODIES
LEAT_INLINE std::string shownUrl(const URL& url) {
  if (url.username().empty() && url.password().empty() && !url.href().ends_with('#') &&
      url.hash().empty())
    return std::string(url.href());
  URL shown(url);
  shown.setUsername("").setPassword("").setHash("");
  return std::string(shown.href());
}
#endif

inline bool isRedirect(int status) noexcept {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/// Also one that does not say where to (WHATWG fetch, HTTP fetch).
[[noreturn]] LEAT_INLINE void throwRedirected(const Request& request, int status,
                                              std::optional<std::string_view> location);

#if LEAT_BODIES
[[noreturn]] LEAT_INLINE void throwRedirected(const Request& request, int status,
                                              std::optional<std::string_view> location) {
  std::string text = "fetch of " + shownUrl(request.url());
  if (location) {
    text.append(": redirected to ").append(*location);
  } else {
    text.append(": status ").append(std::to_string(status)).append(" redirects without a Location");
  }
  throw TypeError(text, "ERR_HTTP_REDIRECT");
}
#endif

/// Where an answer sends the request (WHATWG fetch, HTTP-redirect fetch). Throws: TypeError.
LEAT_INLINE void redirect(Request& request, int status, std::string_view location);

#if LEAT_BODIES
LEAT_INLINE void redirect(Request& request, int status, std::string_view location) {
  const URL from = request.url();
  const URL to(location, from.href());
  const bool elsewhere = from.origin() != to.origin();
  const std::string method = request.method();
  if ((status == 303 && method != "GET" && method != "HEAD") ||
      (status <= 302 && method == "POST")) {
    request.setMethod("GET").clearBody();
    for (const char* name : {"content-encoding", "content-language", "content-location",
                             "content-type", "content-length"})
      request.removeHeader(name);
  } else if (std::holds_alternative<Readable<Buffer>>(request.body())) {
    throw TypeError(leat::detail::SharedText({"fetch of ", shownUrl(from), ": status ",
                                              leat::detail::Decimal(static_cast<long long>(status)),
                                              " wants the body once more, and that was a stream"})
                        .view(),
                    "ERR_HTTP_BODY_USED");
  }
  // What is meant for one server is not another's.
  if (elsewhere)
    for (const char* name : {"authorization", "proxy-authorization", "cookie", "host"})
      request.removeHeader(name);
  request.setUrl(to.href()).setTarget({});
}
#endif

/// Sends a body as fast as it is taken; what goes wrong the request knows. A template of its parameter, so that the
/// pipeline is made when it is used.
template <class Sink>
Task<> sendBody(Sink request, Readable<Buffer> body) {
  try {
    co_await pipeline(body, request);
  } catch (...) {
    request.destroy(std::current_exception());
  }
}

/// Throws: TypeError ERR_HTTP_BODY_USED of a stream of which nobody knows what is left. One that has failed tells why.
LEAT_INLINE void checkBody(const Request& what);

#if LEAT_BODIES
LEAT_INLINE void checkBody(const Request& what) {
  const auto* const body = std::get_if<Readable<Buffer>>(&what.body());
  if (body == nullptr || body->errored()) return;
  if (!body->readableDidRead() && !body->readableEnded() && !body->destroyed()) return;
  throw TypeError(
      leat::detail::SharedText({"fetch of ", shownUrl(what.url()),
                                ": the body is a stream that has been read from, or is closed"})
          .view(),
      "ERR_HTTP_BODY_USED");
}
#endif

LEAT_ON_USE
ClientRequest sent(const Request& what);

#if LEAT_BODIES
LEAT_ON_USE_BODY
ClientRequest sent(const Request& what) {
  checkBody(what);
  const ClientRequest made = request(what);
  static_cast<ClientCall&>(made.exchange()->owner()).endsWithAnswer = true;
  const Request::Body& body = what.body();
  if (const auto* stream = std::get_if<Readable<Buffer>>(&body)) {
    (void)spawn(sendBody(made, *stream));
    // Also a source that gives nothing just then.
    made.template on<"close">([body = *stream] { body.destroy(); });
  } else if (const auto* bytes = std::get_if<Buffer>(&body)) {
    made.end(*bytes);
  } else {
    made.end();
  }
  return made;
}
#endif

template <class What>
Task<Response> fetchAll(What what) {
  for (int count = 0;; ++count) {
    const ClientRequest asked = sent(what);
    const IncomingMessage answer = co_await asked.response();
    const std::optional<std::string_view> location = answer.header("location");
    const int status = answer.statusCode();
    if (status == 101) {
      asked.destroy();
      throw TypeError("fetch of " + shownUrl(what.url()) + ": the server changes the protocol",
                      "ERR_HTTP_UPGRADE");
    }
    const bool redirects = isRedirect(status) && what.redirect() != Redirect::Manual;
    if (redirects && what.redirect() == Redirect::Error) throwRedirected(what, status, location);
    if (!redirects || !location) {
      co_return Response(answer, shownUrl(what.url()), count > 0);
    }
    const std::string where = "fetch of " + shownUrl(what.url());
    if (count == mostRedirects)
      throw TypeError(where + ": more than 20 redirects", "ERR_HTTP_REDIRECT");
    redirect(what, status, *location);
    // What has not come is not worth a wait.
    if (!answer.complete()) answer.destroy();
  }
}

template <class Url>
Task<Response> fetchUrl(Url url) {
  co_return co_await fetchAll(Request(url));
}

}  // namespace detail

/// Asks for a URL: the answer when its head has come, whatever its status. Follows up to 20 redirects; what is
/// meant for one server (Authorization, Cookie) is not given to another.
///
/// Node: `fetch`; bodies are not decoded, there are no cookies, caches and CORS. Throws: what
/// `ClientRequest::response` does, which Node hides in "fetch failed"; TypeError ERR_INVALID_URL,
/// ERR_HTTP_REDIRECT; ERR_HTTP_BODY_USED, before it connects, of a body that is a stream and was read from or sent
/// before. Cancel: the ambient signal, and that of the request, also stop a body that has not come
/// whole.
LEAT_ON_USE
Task<Response> fetch(Request what);
LEAT_ON_USE
Task<Response> fetch(std::string_view url);

#if LEAT_BODIES
LEAT_ON_USE_BODY
Task<Response> fetch(Request what) { return detail::fetchAll(std::move(what)); }

LEAT_ON_USE_BODY
Task<Response> fetch(std::string_view url) { return detail::fetchUrl(std::string(url)); }
#endif

}  // namespace leat::inline LEAT_ABI::http
