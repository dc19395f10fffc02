// SPDX-License-Identifier: MIT
// The connections of a client: which are free, and who waits for one.
#pragma once

#include <leat/base/fifo.hpp>
#include <leat/base/list.hpp>
#include <leat/base/ref.hpp>
#include <leat/core/microtask_queue.hpp>
#include <leat/http/agent_options.hpp>

#include <compare>
#include <map>
#include <string>
#include <vector>

namespace leat::inline LEAT_ABI::http::detail {

using leat::detail::Counted;
using leat::detail::Ref;

class ClientCall;
class ClientConnection;

/// Where connections go; requests of one place share them.
struct ClientPlace {
  std::string host;
  std::string socketPath;
  std::string localAddress;
  /// Through a proxy, to this host and port.
  std::string tunnelTo;
  int port = 80;
  int family = 0;
  bool operator==(const ClientPlace&) const = default;
  auto operator<=>(const ClientPlace&) const = default;
};

/// The connections to one place.
struct AgentPlace {
  std::vector<Ref<ClientConnection>> free;
  leat::detail::Fifo<Ref<ClientCall>> waiting;
  const ClientPlace* where = nullptr;
  /// Used, free, or being made.
  unsigned open = 0;
};

/// Kept by its handles and by requests that are not over. Connections that are free go with it.
class AgentCore : public Counted<AgentCore>, private leat::detail::LoopOwned {
 public:
  /// Makes a connection for a request, for which `place` counts it already.
  using Open = void (*)(AgentCore& agent, AgentPlace& place, const Ref<ClientCall>& call);

  /// Tells a connection when all that it was given has been sent.
  using Drain = void (*)(ClientConnection& connection);

  AgentCore(const AgentOptions& o, Open opens, Drain drains);
  ~AgentCore();

  const AgentOptions options;

  /// Gives it a connection as soon as there is one. `fresh`: none that was used before.
  void add(const Ref<ClientCall>& call, bool fresh = false);
  /// The answer is whole and the connection may be used again.
  void takeBack(ClientConnection& connection);
  /// Nobody wants what is left of the answer.
  void leaveAlone(ClientConnection& connection) noexcept;
  /// It was counted, and is no more.
  void lost(AgentPlace& place) noexcept;
  void lost(const ClientConnection& connection) noexcept;
  void drain(ClientConnection& connection) { drain_(connection); }
  /// Closes those that are free.
  void destroyFree() noexcept;

  struct Counts {
    std::size_t sockets = 0;
    std::size_t freeSockets = 0;
    std::size_t requests = 0;
  };
  Counts counts() const noexcept;

 private:
  using Places = std::map<ClientPlace, AgentPlace>;

  bool mayOpen(const AgentPlace& place) const noexcept {
    return (options.maxSockets == 0 || place.open < options.maxSockets) &&
           (options.maxTotalSockets == 0 || total_ < options.maxTotalSockets);
  }
  void open(AgentPlace& place, const Ref<ClientCall>& call) {
    ++place.open;
    ++total_;
    open_(*this, place, call);
  }
  AgentPlace& placeOf(const ClientCall& call);
  bool evict(const AgentPlace* but) noexcept;
  Ref<ClientConnection> takeFree(AgentPlace& place) noexcept;
  static Ref<ClientCall> takeWaiting(AgentPlace& place) noexcept;
  int idleMs(const ClientConnection& connection) const noexcept;
  static void onLoopEnd(leat::detail::LoopOwned& owned) noexcept;

  const Open open_;
  const Drain drain_;
  Places places_;
  leat::detail::List<ClientConnection> leftAlone_;  // they do not hold the loop
  std::size_t total_ = 0;
};

}  // namespace leat::inline LEAT_ABI::http::detail
