// SPDX-License-Identifier: MIT
// http.Agent: the connections that requests share.
#pragma once

#include <leat/http/detail/client_call_methods.hpp>
#include <leat/http/detail/connect.hpp>
#include <leat/loop/loop_part.hpp>
#include <leat/loop/out_of_range.hpp>

namespace leat::inline LEAT_ABI::http {

/// Keeps connections for the next request to the same host and port. Copies are handles to the same one; it lives
/// as long as there is one, or a request of it, and closes its free connections when it goes. Connections that
/// are free do not hold the loop.
///
/// Node: `http.Agent`. Thread: the loop's.
class Agent {
 public:
  using LoopBound = void;
  /// Throws: Error ERR_NO_LOOP; TypeError ERR_INVALID_URL of a proxy; RangeError ERR_OUT_OF_RANGE of a time.
  LEAT_ON_USE
  explicit Agent(const AgentOptions& options = {});

  /// Connections with a request, those without one, and requests that wait for a connection.
  std::size_t sockets() const noexcept { return core_->counts().sockets; }
  std::size_t freeSockets() const noexcept { return core_->counts().freeSockets; }
  std::size_t requests() const noexcept { return core_->counts().requests; }
  const AgentOptions& options() const noexcept { return core_->options; }
  /// Closes the connections that are free. Node also closes those with a request.
  void destroy() const { core_->destroyFree(); }
  friend bool operator==(const Agent& a, const Agent& b) noexcept { return a.core_ == b.core_; }

  /// Internal.
  const detail::Ref<detail::AgentCore>& core() const noexcept { return core_; }

 private:
  detail::Ref<detail::AgentCore> core_;
};

#if LEAT_BODIES
LEAT_ON_USE_BODY
Agent::Agent(const AgentOptions& options)
    : core_(detail::Ref<detail::AgentCore>::adopt(
          new detail::AgentCore(options, &detail::openConnection, &detail::drainConnection))) {
  using leat::detail::checkNotNegative;
  checkNotNegative("options.keepAliveMsecs", options.keepAliveMsecs);
  checkNotNegative("options.timeout", options.timeout);
  checkNotNegative("options.connectTimeout", options.connectTimeout);
  if (options.proxy.empty()) return;
  const URL proxy(options.proxy);
  detail::checkProtocol(proxy);
}
#endif

namespace detail {

class LEAT_API GlobalAgent : public leat::detail::LoopPart {
 public:
  explicit GlobalAgent(const void* k) noexcept : LoopPart(k) {}
  std::optional<Agent> agent;
};

}  // namespace detail

/// The agent of requests that name none: one for each loop. Node: `http.globalAgent`.
LEAT_ON_USE
const Agent& globalAgent();

#if LEAT_BODIES
LEAT_ON_USE_BODY
const Agent& globalAgent() {
  auto& part = EventLoop::current().parts().get<detail::GlobalAgent>();
  if (!part.agent) part.agent.emplace();
  return *part.agent;
}
#endif

}  // namespace leat::inline LEAT_ABI::http
