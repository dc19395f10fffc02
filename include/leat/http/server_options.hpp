// SPDX-License-Identifier: MIT
// How a server of HTTP treats its connections.
#pragma once

#include <leat/base/config.hpp>

#include <cstddef>
#include <cstdint>

namespace leat::inline LEAT_ABI::http {

/// Node's names and defaults. Times are milliseconds; 0 is none, less is RangeError ERR_OUT_OF_RANGE.
struct ServerOptions {
  /// Of a head, with its line ends: more is answered 431. 0: 16 KiB.
  std::uint32_t maxHeaderSize = 16 * 1024;
  /// More fields are answered 431. 0: no limit but that of the head.
  unsigned maxHeadersCount = 2000;
  /// For all of a head to come, from the connection or the first byte of a later request: then 408.
  int headersTimeout = 60'000;
  /// The same of a whole request.
  int requestTimeout = 300'000;
  /// How often both are looked at, and whether a client that is not read, as it waits for many answers or for a body to
  /// be taken, is still there.
  int connectionsCheckingInterval = 30'000;
  /// How long a connection without a request stays.
  int keepAliveTimeout = 5'000;
  /// How long one on which nothing is sent or received stays.
  int timeout = 0;
  /// The answer to the last of them says that the connection closes; what comes nevertheless is "dropRequest" and
  /// answered 503. 0: no limit.
  unsigned maxRequestsPerSocket = 0;
  /// More connections are closed at once. 0: no limit.
  std::size_t maxConnections = 0;
  /// Whether a request of HTTP/1.1 without Host is answered 400.
  bool requireHostHeader = true;
  /// Whether `headers().joined(name)` joins with ", " also fields that make no list, of which it else gives the first.
  bool joinDuplicateHeaders = false;
  /// Whether a client that has ended its side still gets its answer.
  bool httpAllowHalfOpen = false;
  bool noDelay = true;
  bool keepAlive = false;
};

}  // namespace leat::inline LEAT_ABI::http
