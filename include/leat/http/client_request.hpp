// SPDX-License-Identifier: MIT
// http.ClientRequest: a request on its way, and its answer.
#pragma once

#include <leat/events/emitter_handle.hpp>
#include <leat/http/outgoing_handle.hpp>
#include <leat/http/request.hpp>

namespace leat::inline LEAT_ABI::http {

/// A request that a client sends. Copies are handles to the same one. Nothing is sent before the end of the tick
/// in which it is made; without `end` it never ends. When the last handle goes before `end`, it is given up.
/// `co_await request` gives the answer.
///
/// Events: "response" (IncomingMessage), "information" (Information), "continue", "upgrade" and "connect"
/// (IncomingMessage, net::Socket, Buffer), "socket" (net::Socket), "timeout", "finish", "error"
/// (std::exception_ptr), "close". An error goes to whoever waits for the answer, else to "error", else to whoever
/// asks next; with a listener of "response" and none of "error", and when nobody asks, it is uncaught.
///
/// A body that is given to `end` as a whole has a Content-Length; one that is written in pieces is chunked.
///
/// Node: `http.ClientRequest`. Thread: the loop's.
class ClientRequest : public EmitterHandle<ClientRequest>,
                      public detail::OutgoingHandle<ClientRequest> {
 public:
  using LoopBound = void;
  using EmitterType = detail::ClientEvents;
  explicit ClientRequest(detail::ExchangeHandle exchange) noexcept
      : OutgoingHandle(std::move(exchange)) {}

  const std::string& method() const noexcept { return call().options.method; }
  /// What is asked for, such as "/a?b=c".
  const std::string& path() const noexcept { return call().options.target; }
  const std::string& host() const noexcept { return call().options.place.host; }
  /// Whether another request has used the connection before.
  bool reusedSocket() const noexcept { return call().reusedSocket; }

  /// The answer, when its head has come; also later. Throws: what the request fails with, such as
  /// SystemError ECONNREFUSED, Error ECONNRESET ("socket hang up"), ParseError, the reason of its signal.
  /// Cancel: by the ambient signal that was there when the request was made, or its own, which stop it.
  Promise<IncomingMessage> response() const { return call().response(exchange()); }
  LEAT_ON_USE
  auto operator co_await() const { return response().operator co_await(); }

  /// The head, before there is a body.
  void flushHeaders() const {
    const bool none = detail::isUnframed(method());
    exchange()->sendHead(none ? std::optional<std::size_t>(0) : std::nullopt);
    exchange()->owner().flushSoon();
  }
  /// "timeout" when nothing was sent or received for so long, once there is a connection; it only tells, as in
  /// Node. Milliseconds; 0 turns it off. Throws: RangeError ERR_OUT_OF_RANGE as `Socket::setTimeout`.
  template <Duration D>
  const ClientRequest& setTimeout(D timeout) const {
    call().setTimeout(net::detail::idleMs(timeout));
    return *this;
  }
  template <Duration D, class F>
  const ClientRequest& setTimeout(D timeout, F&& onTimeout) const {
    (void)this->template once<"timeout">(std::forward<F>(onTimeout));
    return setTimeout(timeout);
  }
  detail::ClientEvents& emitter() const noexcept { return call().emitter(); }

 private:
  detail::ClientCall& call() const noexcept {
    return static_cast<detail::ClientCall&>(exchange()->owner());
  }
};

namespace detail {

LEAT_INLINE void setHost(ClientPlace& place, const URL& url);

#if LEAT_BODIES
LEAT_INLINE void setHost(ClientPlace& place, const URL& url) {
  place.host = url.hostname();
  if (place.host.starts_with('[')) place.host = place.host.substr(1, place.host.size() - 2);
  const std::string port(url.port());
  place.port = port.empty() ? 80 : std::stoi(port);
}

/// The host, the user of the URL and that of the proxy, unless the fields have them. Node: `setHost`, `auth`.
LEAT_INLINE void addOwnFields(OutgoingFields& fields, const URL& url, const AgentOptions& agent,
                              bool direct) {
  if (!fields.get("host")) fields.add("Host", url.host());
  const std::string user = basicAuthorization(url);
  if (!user.empty() && !fields.get("authorization")) fields.add("Authorization", user);
  if (agent.proxy.empty() || agent.proxyTunnel || direct) return;
  const std::string proxys = basicAuthorization(URL(agent.proxy));
  if (!proxys.empty() && !fields.get("proxy-authorization"))
    fields.add("Proxy-Authorization", proxys);
}

LEAT_INLINE ClientCallOptions callOptions(const Request& request, const Agent& agent) {
  const URL& url = request.url();
  ClientCallOptions options;
  options.method = request.method();
  setHost(options.place, url);
  options.place.socketPath = request.socketPath();
  options.place.localAddress = request.localAddress();
  options.place.family = request.family();
  options.joinDuplicateHeaders = request.joinDuplicateHeaders();
  options.target = request.target();
  if (options.target.empty())
    options.target = std::string(url.pathname()) + std::string(url.search());
  if (agent.options().proxy.empty() || !request.socketPath().empty()) return options;
  const URL proxy(agent.options().proxy);
  if (agent.options().proxyTunnel) {
    options.place.tunnelTo = std::string(url.hostname()) + ":" + std::to_string(options.place.port);
  } else if (request.target().empty()) {
    options.target = std::string(url.origin()) + options.target;
  }
  setHost(options.place, proxy);
  return options;
}
#endif

}  // namespace detail

/// Begins a request; its `end` is the caller's. The body of `request` is sent by `fetch` alone.
///
/// Node: `http.request`. Throws: Error ERR_NO_LOOP; what goes wrong later is the request's.
/// Cancel: the ambient signal, and that of the request, stop it.
LEAT_ON_USE
ClientRequest request(const Request& what);
LEAT_ON_USE
ClientRequest request(std::string_view url);
/// A request without a body, which has ended. Node: `http.get`.
LEAT_ON_USE
ClientRequest get(const Request& what);
LEAT_ON_USE
ClientRequest get(std::string_view url);

#if LEAT_BODIES
LEAT_ON_USE_BODY
ClientRequest request(const Request& what) {
  const Agent agent = what.agent() ? *what.agent() : globalAgent();
  const auto call =
      leat::detail::makeRef<detail::ClientCall>(agent.core(), detail::callOptions(what, agent));
  ClientRequest made{
      detail::ExchangeHandle(leat::detail::Ref<detail::Exchange>(&call->exchange()))};
  detail::OutgoingFields& fields = made.exchange()->out.fields;
  fields = what.fields();
  detail::addOwnFields(fields, what.url(), agent.options(), !what.socketPath().empty());
  if (what.signal()) call->follow(*what.signal());
  call->startSoon();
  return made;
}

LEAT_ON_USE_BODY
ClientRequest request(std::string_view url) { return request(Request(url)); }

LEAT_ON_USE_BODY
ClientRequest get(const Request& what) {
  ClientRequest made = request(what);
  made.end();
  return made;
}

LEAT_ON_USE_BODY
ClientRequest get(std::string_view url) { return get(Request(url)); }
#endif

}  // namespace leat::inline LEAT_ABI::http
