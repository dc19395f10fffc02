// SPDX-License-Identifier: MIT
// What a client makes of URLs, and says to a proxy (RFC 9110 section 9.3.6).
#pragma once

#include <leat/buffer/module.hpp>
#include <leat/http/detail/head_parser.hpp>
#include <leat/url/url.hpp>

namespace leat::inline LEAT_ABI::http::detail {

/// Throws: TypeError ERR_INVALID_PROTOCOL.
LEAT_INLINE void checkProtocol(const URL& url);
LEAT_INLINE std::string tunnelRequest(const std::string& target, const std::string& proxy);
/// Throws: Error ERR_PROXY_TUNNEL, ParseError.
LEAT_INLINE void checkTunnel(const std::string& answer, const std::string& target);

#if LEAT_BODIES
LEAT_INLINE void checkProtocol(const URL& url) {
  if (url.protocol() == "http:") return;
  throw TypeError(leat::detail::SharedText(
                      {"Protocol \"", url.protocol(), "\" not supported. Expected \"http:\""})
                      .view(),
                  "ERR_INVALID_PROTOCOL");
}

/// "Basic ..." of a URL with a user, empty without.
LEAT_INLINE std::string basicAuthorization(const URL& url) {
  if (url.username().empty() && url.password().empty()) return {};
  const std::string text =
      leat::detail::url::decoded(url.username()) + ":" + leat::detail::url::decoded(url.password());
  return "Basic " + Buffer::from(text).toString("base64");
}

LEAT_INLINE std::string tunnelRequest(const std::string& target, const std::string& proxy) {
  std::string text = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n";
  const std::string authorization = basicAuthorization(URL(proxy));
  if (!authorization.empty()) text += "Proxy-Authorization: " + authorization + "\r\n";
  return text + "\r\n";
}

LEAT_INLINE void checkTunnel(const std::string& answer, const std::string& target) {
  Head head;
  HeadParser parser(MessageKind::Response, 2000, false);
  parser.start(head);
  const HeadParser::Outcome outcome = parser.parse(answer);
  if (outcome == HeadParser::Outcome::Failed) throw ParseError(parser.fault());
  if (outcome == HeadParser::Outcome::Done && head.status / 100 == 2) return;
  const std::string said = answer.substr(0, answer.find('\r'));
  throw Error("The proxy gives no way to " + target + ": " +
                  (said.empty() ? "it closed the connection" : "\"" + said + "\""),
              "ERR_PROXY_TUNNEL");
}
#endif

}  // namespace leat::inline LEAT_ABI::http::detail
