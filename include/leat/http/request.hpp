// SPDX-License-Identifier: MIT
// http.Request: what a client is going to ask.
#pragma once

#include <leat/http/agent.hpp>
#include <leat/loop/duration.hpp>

#include <variant>

namespace leat::inline LEAT_ABI::http {

/// What `fetch` does with an answer that sends it elsewhere.
enum class Redirect : unsigned char { Follow, Error, Manual };

/// A request as a value: copies are requests of their own. For `http::request`, `http::get` and `fetch`.
///
/// Node: the options of `http.request`, and `Request` of fetch.
class Request {
 public:
  using LoopBound = void;
  using Body = std::variant<std::monostate, Buffer, Readable<Buffer>>;

  /// A GET. Throws: TypeError ERR_INVALID_URL, ERR_INVALID_PROTOCOL unless it is "http:".
  LEAT_ON_USE
  explicit Request(std::string_view url) : Request("GET", url) {}
  /// Throws: also TypeError ERR_INVALID_HTTP_TOKEN of a method that is none.
  LEAT_ON_USE
  Request(std::string_view method, std::string_view url) : url_(url) {
    detail::checkProtocol(url_);
    setMethod(method);
  }

  const std::string& method() const noexcept { return method_; }
  const URL& url() const noexcept { return url_; }
  /// Is made upper case, as in Node. Throws: TypeError ERR_INVALID_HTTP_TOKEN.
  Request& setMethod(std::string_view method) {
    if (!detail::isToken(method))
      throw TypeError(
          leat::detail::SharedText({"Method must be a valid HTTP token [\"", method, "\"]"}).view(),
          "ERR_INVALID_HTTP_TOKEN");
    method_.clear();
    for (const char c : method)
      method_.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c);
    return *this;
  }
  LEAT_ON_USE
  Request& setUrl(std::string_view url) {
    URL parsed(url);
    detail::checkProtocol(parsed);
    url_ = std::move(parsed);
    return *this;
  }
  /// In the place of those that have the name. Throws: TypeError ERR_INVALID_HTTP_TOKEN, ERR_INVALID_CHAR.
  Request& setHeader(std::string_view name, std::string_view value) {
    fields_.set(name, value);
    return *this;
  }
  Request& appendHeader(std::string_view name, std::string_view value) {
    fields_.add(name, value);
    return *this;
  }
  Request& removeHeader(std::string_view name) noexcept {
    fields_.remove(name);
    return *this;
  }
  /// Valid until a header is set.
  std::optional<std::string_view> header(std::string_view name) const noexcept {
    return fields_.get(name);
  }
  /// Sent by `fetch`, with a Content-Length.
  Request& setBody(std::string_view bytes) {
    body_ = Buffer::from(bytes);
    return *this;
  }
  Request& setBody(Buffer bytes) {
    body_ = std::move(bytes);
    return *this;
  }
  /// Sent by `fetch` in chunks, as fast as the server takes them. It can be sent only once.
  Request& setBody(Readable<Buffer> stream) {
    body_ = std::move(stream);
    return *this;
  }
  Request& clearBody() noexcept {
    body_ = std::monostate();
    return *this;
  }
  const Body& body() const noexcept { return body_; }
  /// Whose connections are used; by default those of `globalAgent`.
  Request& setAgent(const Agent& agent) {
    agent_ = agent;
    return *this;
  }
  const std::optional<Agent>& agent() const noexcept { return agent_; }
  /// Stops it, and what of its answer has not come.
  Request& setSignal(const AbortSignal& signal) {
    signal_ = signal;
    return *this;
  }
  const std::optional<AbortSignal>& signal() const noexcept { return signal_; }
  /// A Unix socket, in place of the URL's host and port; also of those that a redirect names, as with a dispatcher
  /// of Node's fetch: who asks there gets their names as Host. `Redirect::Manual` leaves that to you.
  Request& setSocketPath(std::string_view path) {
    socketPath_ = path;
    return *this;
  }
  const std::string& socketPath() const noexcept { return socketPath_; }
  /// An address of this machine to connect from, and 4 or 6 for addresses of one family only.
  Request& setLocalAddress(std::string_view address) {
    localAddress_ = address;
    return *this;
  }
  const std::string& localAddress() const noexcept { return localAddress_; }
  /// Throws: RangeError ERR_OUT_OF_RANGE.
  Request& setFamily(int family) {
    if (family != 0 && family != 4 && family != 6)
      throw RangeError(
          leat::detail::SharedText({"The family of addresses is 4, 6 or 0 for both, not ",
                                    leat::detail::Decimal(static_cast<long long>(family))})
              .view());
    family_ = family;
    return *this;
  }
  int family() const noexcept { return family_; }
  /// In place of the URL's path and query, as it is sent: "*" for OPTIONS, "host:port" for CONNECT. Throws:
  /// TypeError ERR_UNESCAPED_CHARACTERS.
  Request& setTarget(std::string_view target) {
    for (const char c : target)
      if (static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) >= 0x7f)
        throw TypeError("Request path contains unescaped characters", "ERR_UNESCAPED_CHARACTERS");
    target_ = target;
    return *this;
  }
  const std::string& target() const noexcept { return target_; }
  /// Whether `headers().joined(name)` of the answer joins with ", " also fields that make no list, of which it else gives
  /// the first.
  Request& setJoinDuplicateHeaders(bool join) noexcept {
    joinDuplicateHeaders_ = join;
    return *this;
  }
  bool joinDuplicateHeaders() const noexcept { return joinDuplicateHeaders_; }
  Request& setRedirect(Redirect redirect) noexcept {
    redirect_ = redirect;
    return *this;
  }
  Redirect redirect() const noexcept { return redirect_; }

  /// Internal.
  const detail::OutgoingFields& fields() const noexcept { return fields_; }

 private:
  std::string method_;
  URL url_;
  std::string target_;
  std::string socketPath_;
  std::string localAddress_;
  detail::OutgoingFields fields_;
  Body body_;
  std::optional<Agent> agent_;
  std::optional<AbortSignal> signal_;
  int family_ = 0;
  bool joinDuplicateHeaders_ = false;
  Redirect redirect_ = Redirect::Follow;
};

}  // namespace leat::inline LEAT_ABI::http
