// SPDX-License-Identifier: MIT
// From a host in text to the addresses that it stands for.
#pragma once

#include <leat/dns/lookup.hpp>
#include <leat/net/address.hpp>

#include <vector>

namespace leat::inline LEAT_ABI::net::detail {

/// In the resolver's order; an IP address stands for itself. `family` is 0, 4 or 6.
/// Throws: SystemError (ENOTFOUND, EAI_AGAIN), AbortError.
LEAT_ON_USE
Task<std::vector<SocketAddress>> resolveHost(std::string host, int port, int family,
                                             leat::detail::Ref<leat::detail::AbortState> signal);

#if LEAT_BODIES
LEAT_ON_USE_BODY
Task<std::vector<SocketAddress>> resolveHost(std::string host, int port, int family,
                                             leat::detail::Ref<leat::detail::AbortState> signal) {
  std::vector<SocketAddress> addresses;
  if (isIP(host) != 0) {
    addresses.emplace_back(host, port);
    co_return addresses;
  }
  const dns::LookupOptions options{
      .family = family, .all = true, .signal = SignalRef(signal.get())};
  const dns::LookupResult found = co_await dns::lookup(host, options);
  for (const dns::LookupAddress& entry : found) addresses.emplace_back(entry.address, port);
  co_return addresses;
}
#endif

}  // namespace leat::inline LEAT_ABI::net::detail
