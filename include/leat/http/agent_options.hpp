// SPDX-License-Identifier: MIT
// How a client of HTTP keeps its connections.
#pragma once

#include <leat/base/config.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace leat::inline LEAT_ABI::http {

/// Node's names and the values of its global agent. Times are milliseconds; less than 0 is RangeError
/// ERR_OUT_OF_RANGE. 0 is no limit where nothing else is said.
struct AgentOptions {
  /// Whether a connection stays for the next request.
  bool keepAlive = true;
  /// How long the peer may be silent before the system asks it whether it is there.
  int keepAliveMsecs = 1'000;
  /// Connections to one host and port; further requests wait for one.
  unsigned maxSockets = 0;
  /// Connections altogether.
  unsigned maxTotalSockets = 0;
  /// Connections without a request that stay for one host and port; 0: none does (Node: 256).
  std::size_t maxFreeSockets = 256;
  /// How long such a one stays; less when the server says so.
  int timeout = 5'000;
  /// Whether of several free connections the one that was used last is taken, or first.
  bool lifo = true;
  /// Whether an idempotent request without a body is sent once more, on a new connection, when the server has
  /// closed a kept one before it answered. Node: left to the caller.
  bool retry = true;
  /// Milliseconds for a connection to be made, with the way through a proxy; 0: as long as the system tries.
  int connectTimeout = 0;
  /// Bytes of an answer's head; more is an error HPE_HEADER_OVERFLOW, and so are more fields. 0: 16 KiB, and no limit of
  /// the fields.
  std::uint32_t maxHeaderSize = 16 * 1024;
  unsigned maxHeadersCount = 2000;
  /// "http://user:password@host:port": requests go there. By default it is asked for the whole URL (RFC 9112
  /// section 3.2.2), with `proxyTunnel` for a way through (CONNECT).
  std::string proxy{};
  bool proxyTunnel = false;
};

}  // namespace leat::inline LEAT_ABI::http
