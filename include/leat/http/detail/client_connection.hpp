// SPDX-License-Identifier: MIT
// A connection of a client, which one request after the other uses.
#pragma once

#include <leat/http/detail/client_call.hpp>
#include <leat/http/detail/keep_alive.hpp>
#include <leat/http/detail/parser.hpp>
#include <leat/http/detail/woken.hpp>

namespace leat::inline LEAT_ABI::http::detail {

/// Kept by the coroutine that reads, and by its agent while it is free.
class ClientConnection : public Counted<ClientConnection>, public leat::detail::ListNode {
 public:
  ClientConnection(AgentCore& agent, AgentPlace& p, net::Socket s)
      : socket(std::move(s)),
        place(p),
        agent_(&agent),
        held_(&agent),
        parser_({.kind = MessageKind::Response,
                 .maxHeadSize = headLimit(agent.options.maxHeaderSize),
                 .maxFields = agent.options.maxHeadersCount}) {}

  net::Socket socket;
  AgentPlace& place;

  /// The next request is this one's.
  void assign(const Ref<ClientCall>& call);
  /// Whose request it was asks no more.
  void close() noexcept {
    call_ = nullptr;
    socket.destroy();
  }
  /// There may be room for more of the body.
  void wake() noexcept { wake_.set(); }
  /// Nobody wants what still comes.
  void leaveAlone() noexcept {
    if (agent_ != nullptr) agent_->leaveAlone(*this);
  }
  /// The request has been sent whole.
  void requestEnded() {
    if (answered_) settle();
  }
  /// All that was given to the socket.
  void sent() {
    sending_ = false;
    if (answered_ && call_) settle();
  }
  bool usable() const noexcept { return !socket.destroyed() && !socket.readableEnded(); }
  void setFree(bool free) noexcept {
    // Also one whose first request was given up before it had it.
    if (free) used_ = true;
    held_ = Ref<AgentCore>(free ? nullptr : agent_);
  }
  /// Closes, and is no longer its agent's.
  void agentGone() noexcept {
    agent_ = nullptr;
    held_ = nullptr;
    socket.destroy();
  }
  /// How long the server keeps it, as it said in its last answer; -1 when it did not.
  int serverKeepsMs() const noexcept { return serverKeepsMs_; }

  LEAT_ON_USE
  static Task<> serve(Ref<ClientConnection> self);

 private:
  bool mayRead() const noexcept { return !call_ || !call_->exchange().body.full(); }
  void take(std::string_view input);
  void leave(std::string_view rest);
  bool head(std::string_view rest);
  void ended();
  void peerEnded();
  void settle();
  void gone(const std::exception_ptr& error) noexcept;

  AgentCore* agent_;     // none when it went before
  Ref<AgentCore> held_;  // unless this is free, for then it holds this
  Parser parser_;
  Ref<ClientCall> call_;
  ManualResetEvent wake_;
  std::string rest_;  // received and not parsed
  int serverKeepsMs_ = -1;
  bool used_ = false;
  bool anyByte_ = false;   // of the answer has come
  bool interim_ = false;   // what comes is in front of the answer
  bool answered_ = false;  // whole
  bool stays_ = false;
  bool sending_ = false;   // what is left of the request
  bool upgraded_ = false;  // the socket is somebody else's
  bool peerEnded_ = false;
  std::size_t thrownAway_ = 0;  // of a body that nobody wants
};

#if LEAT_BODIES
LEAT_INLINE bool isSystemError(const std::exception_ptr& error) noexcept {
  if (!error) return false;
  try {
    std::rethrow_exception(error);
  } catch (const SystemError&) {
    return true;
  } catch (...) {
    return false;
  }
}

LEAT_INLINE void ClientConnection::assign(const Ref<ClientCall>& call) {
  call_ = call;
  anyByte_ = answered_ = stays_ = interim_ = false;
  thrownAway_ = 0;
  const bool reused = std::exchange(used_, true);
  if (!held_) setFree(false);
  if (reused) {
    // What the last request made of it, or the time that it was free, is not this one's.
    socket.ref();
    (void)socket.setTimeout(0, [] {});
  }
  call->connected(*this, socket, reused);
}

// ---- reading ----

LEAT_ON_USE_BODY
Task<> ClientConnection::serve(Ref<ClientConnection> self) {
  // Also when the loop ends meanwhile.
  struct Leaving {
    ~Leaving() { connection.gone(error); }
    ClientConnection& connection;
    std::exception_ptr error;
  } leaving{*self, nullptr};
  try {
    while (!self->upgraded_ && !self->socket.destroyed()) {
      if (!self->mayRead()) {
        self->wake_.reset();
        co_await wokenOrClosed(self->wake_, self->socket);
        continue;
      }
      if (!self->rest_.empty()) {
        const std::string rest = std::exchange(self->rest_, {});
        self->take(rest);
        continue;
      }
      const std::span<std::byte> scratch = EventLoop::current().scratch();
      const std::size_t count = co_await self->socket.read(scratch);
      if (count == 0) {
        self->peerEnded();
        break;
      }
      self->take({reinterpret_cast<const char*>(scratch.data()), count});
    }
    leaving.error = self->socket.errored();
  } catch (...) {
    leaving.error = std::current_exception();
  }
}

/// `input` may be memory of the loop, which others use as soon as a listener runs.
LEAT_INLINE void ClientConnection::take(std::string_view input) {
  const Ref<ClientConnection> alive(this);
  std::string own;
  // Its end may be known already, however much of it waits.
  while (call_ && !answered_ && (input.empty() || mayRead())) {
    anyByte_ = true;
    if (parser_.needsHead()) parser_.useHead(call_->exchange().head);
    const ParseEvent event = parser_.next(input);
    if (event == ParseEvent::More) return;
    if (event == ParseEvent::Failed) {
      const Ref<ClientCall> call = call_;
      return call->fail(std::make_exception_ptr(ParseError(parser_.fault())));
    }
    if (event == ParseEvent::Body) {
      BodyQueue& body = call_->exchange().body;
      // A new connection is cheaper than much that nobody reads.
      if (body.dumped() && (thrownAway_ += parser_.body().size()) > BodyQueue::mark) {
        const Ref<ClientCall> call = call_;
        return call->fail(nullptr);
      }
      body.push(parser_.body());
    } else if (event == ParseEvent::End) {
      if (std::exchange(interim_, false)) continue;
      // What follows nobody asked for.
      if (!input.empty()) stays_ = false;
      return ended();
    } else {
      own.assign(std::exchange(input, {}));
      if (!head(own)) return;
      input = own;
    }
  }
  if (!socket.destroyed() && !input.empty()) leave(input);
}

/// What was not parsed.
LEAT_INLINE void ClientConnection::leave(std::string_view rest) {
  if (call_ && !answered_) {
    rest_.assign(rest);
    return;
  }
  // Nobody asked for that.
  stays_ = false;
  if (call_) return settle();
  socket.destroy();
}

/// False: `rest`, which comes behind it, is not ours.
LEAT_INLINE bool ClientConnection::head(std::string_view rest) {
  const Ref<ClientCall> call = call_;
  Head& head = call->exchange().head;
  if (head.status == 101 || (call->options.method == "CONNECT" && head.status / 100 == 2)) {
    parser_.stop();
    upgraded_ = true;
    call_ = nullptr;
    if (!call->handOver(rest)) socket.destroy();
    return false;
  }
  interim_ = head.status < 200;
  if (interim_) {
    call->inform(std::move(head));
    // A listener may have given the request up.
    if (call_ != call) return false;
    // Also what stands in no text, which has gone.
    head = Head();
    return true;
  }
  const bool bodiless = call->options.method == "HEAD";
  if (bodiless) parser_.skipBody();
  stays_ = head.keepAlive && (bodiless || head.framing != Framing::UntilClose);
  serverKeepsMs_ = keepAliveMs(head);
  call->respond();
  return !socket.destroyed();
}

LEAT_INLINE void ClientConnection::ended() {
  answered_ = true;
  Exchange& exchange = call_->exchange();
  exchange.takeTrailers(parser_.trailers());
  exchange.body.end();
  settle();
}

/// The answer is whole. The next request may come, once this one was sent whole too.
LEAT_INLINE void ClientConnection::settle() {
  const Ref<ClientConnection> alive(this);
  const bool stays = stays_ && call_->keepsAlive() && agent_ != nullptr;
  if (stays && !call_->requestDone()) return;
  // What waits to be sent would stand in front of the next request.
  if (stays && socket.writableLength() > 0) {
    if (!std::exchange(sending_, true)) agent_->drain(*this);
    return;
  }
  const Ref<ClientCall> call = std::exchange(call_, nullptr);
  const Ref<AgentCore> agent(agent_);
  if (!stays) socket.destroy();
  call->complete();
  if (stays && !socket.destroyed()) agent->takeBack(*this);
}

LEAT_INLINE void ClientConnection::peerEnded() {
  peerEnded_ = true;
  if (call_ && !answered_ && parser_.finish() == ParseEvent::End) {
    stays_ = false;
    ended();
  }
  if (!upgraded_) socket.destroy();
}

LEAT_INLINE void ClientConnection::gone(const std::exception_ptr& error) noexcept {
  const Ref<ClientConnection> alive(this);
  const Ref<AgentCore> agent(std::exchange(agent_, nullptr));
  ListNode::unlink();
  held_ = nullptr;
  if (agent) agent->lost(*this);
  const Ref<ClientCall> call = std::exchange(call_, nullptr);
  if (!call) return;
  // What is thrown by a socket that was closed here says nothing.
  const std::exception_ptr reason = isSystemError(error) ? error : socket.errored();
  if (!anyByte_ && (peerEnded_ || isSystemError(error)) && call->takeRetry()) return;
  call->fail(reason);
}

// ---- the agent ----

LEAT_INLINE AgentCore::AgentCore(const AgentOptions& o, Open opens, Drain drains)
    : LoopOwned(onLoopEnd), options(o), open_(opens), drain_(drains) {
  leat::detail::currentQueue().own(*this);
}

LEAT_INLINE Ref<ClientConnection> AgentCore::takeFree(AgentPlace& place) noexcept {
  while (!place.free.empty()) {
    const auto at = options.lifo ? place.free.end() - 1 : place.free.begin();
    Ref<ClientConnection> connection = std::move(*at);
    place.free.erase(at);
    if (connection->usable()) return connection;
    connection->setFree(false);
  }
  return nullptr;
}

LEAT_INLINE Ref<ClientCall> AgentCore::takeWaiting(AgentPlace& place) noexcept {
  while (!place.waiting.empty()) {
    Ref<ClientCall> call = place.waiting.pop();
    if (!call->over()) return call;
  }
  return nullptr;
}

LEAT_INLINE AgentPlace& AgentCore::placeOf(const ClientCall& call) {
  const auto found = places_.try_emplace(call.options.place).first;
  found->second.where = &found->first;
  return found->second;
}

LEAT_INLINE void AgentCore::add(const Ref<ClientCall>& call, bool fresh) {
  // An agent may be older than the loop.
  if (!LoopOwned::linked()) leat::detail::currentQueue().own(*this);
  AgentPlace* place = &placeOf(*call);
  if (!fresh) {
    if (const Ref<ClientConnection> connection = takeFree(*place)) return connection->assign(call);
  }
  // What goes meanwhile may take the place with it, which has nobody yet.
  if (!mayOpen(*place) && evict(fresh ? nullptr : place)) place = &placeOf(*call);
  if (mayOpen(*place)) return open(*place, call);
  place->waiting.push(Ref<ClientCall>(call));
  while (!leftAlone_.empty()) leftAlone_.popFront().socket.ref();
}

/// It holds the loop only for those who wait for a connection.
LEAT_INLINE void AgentCore::leaveAlone(ClientConnection& connection) noexcept {
  if (counts().requests > 0) return;
  connection.unlink();
  leftAlone_.pushBack(connection);
  connection.socket.unref();
}

/// Of all together there are too many: one that is free elsewhere makes room.
LEAT_INLINE bool AgentCore::evict(const AgentPlace* but) noexcept {
  if (options.maxTotalSockets == 0 || total_ < options.maxTotalSockets) return false;
  for (auto& [where, place] : places_) {
    if (&place == but) continue;
    if (const Ref<ClientConnection> connection = takeFree(place)) {
      connection->agentGone();
      lost(place);
      return true;
    }
  }
  return false;
}

LEAT_INLINE int AgentCore::idleMs(const ClientConnection& connection) const noexcept {
  const int said = connection.serverKeepsMs();
  // What is sent in the last second would cross the server's end.
  constexpr int margin = 1'000;
  if (said < 0) return options.timeout;
  const int left = said > margin ? said - margin : -1;
  return options.timeout > 0 && options.timeout < left ? options.timeout : left;
}

LEAT_INLINE void AgentCore::takeBack(ClientConnection& connection) {
  AgentPlace& place = connection.place;
  connection.unlink();
  if (const Ref<ClientCall> call = takeWaiting(place)) return connection.assign(call);
  const int ms = idleMs(connection);
  const bool full = options.maxTotalSockets > 0 && total_ >= options.maxTotalSockets;
  if (full && counts().requests > 0) return connection.socket.destroy();
  if (!options.keepAlive || ms < 0 || place.free.size() >= options.maxFreeSockets)
    return connection.socket.destroy();
  (void)connection.socket.setTimeout(ms, [socket = &connection.socket] { socket->destroy(); });
  connection.socket.unref();
  place.free.emplace_back(&connection);
  connection.setFree(true);
}

LEAT_INLINE void AgentCore::lost(const ClientConnection& connection) noexcept {
  std::vector<Ref<ClientConnection>>& free = connection.place.free;
  for (auto at = free.begin(); at != free.end(); ++at)
    if (at->get() == &connection) {
      free.erase(at);
      break;
    }
  lost(connection.place);
}

LEAT_INLINE void AgentCore::lost(AgentPlace& place) noexcept {
  --place.open;
  --total_;
  const leat::detail::MicrotaskQueue* const queue = leat::detail::threadState.queue;
  if (queue == nullptr || queue->closing()) return;
  const Ref<AgentCore> alive(this);
  if (mayOpen(place))
    if (const Ref<ClientCall> call = takeWaiting(place)) open(place, call);
  if (options.maxTotalSockets == 0) {
    if (place.open == 0 && place.waiting.empty()) places_.erase(places_.find(*place.where));
    return;
  }
  // Others may have waited for this one, and been given up.
  for (auto at = places_.begin(); at != places_.end();) {
    AgentPlace& each = at->second;
    while (!each.waiting.empty() && each.waiting.front()->over()) each.waiting.drop();
    if (!each.waiting.empty() && mayOpen(each)) open(each, each.waiting.pop());
    at = each.open == 0 && each.waiting.empty() ? places_.erase(at) : std::next(at);
  }
}

LEAT_INLINE void AgentCore::destroyFree() noexcept {
  const Ref<AgentCore> alive(this);
  std::vector<Ref<ClientConnection>> all;
  for (auto& [where, place] : places_)
    for (auto& connection : std::exchange(place.free, {})) all.push_back(std::move(connection));
  for (const auto& connection : all) {
    connection->agentGone();
    lost(connection->place);
  }
}

LEAT_INLINE AgentCore::~AgentCore() {
  if (LoopOwned::linked()) LoopOwned::unlink();
  for (auto& [where, place] : places_)
    for (const auto& connection : place.free) connection->agentGone();
}

LEAT_INLINE AgentCore::Counts AgentCore::counts() const noexcept {
  Counts counts;
  for (const auto& [where, place] : places_) {
    counts.freeSockets += place.free.size();
    counts.sockets += place.open - place.free.size();
    for (std::size_t i = 0; i < place.waiting.size(); ++i)
      if (!place.waiting[i]->over()) ++counts.requests;
  }
  return counts;
}

LEAT_INLINE void AgentCore::onLoopEnd(leat::detail::LoopOwned& owned) noexcept {
  auto& self = static_cast<AgentCore&>(owned);
  const Ref<AgentCore> alive(&self);
  for (auto& [where, place] : self.places_)
    while (const Ref<ClientCall> call = takeWaiting(place)) call->fail(nullptr);
}
#endif

}  // namespace leat::inline LEAT_ABI::http::detail
