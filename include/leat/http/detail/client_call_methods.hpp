// SPDX-License-Identifier: MIT
// What a request of a client does, where its agent and its connection are known.
#pragma once

#include <leat/http/detail/client_connection.hpp>
#include <leat/http/parse_fault.hpp>

namespace leat::inline LEAT_ABI::http::detail {

#if LEAT_BODIES
LEAT_INLINE ClientCall::ClientCall(Ref<AgentCore> agentOf, ClientCallOptions o)
    : ExchangeOwner(net::Socket()),
      options(std::move(o)),
      agent(std::move(agentOf)),
      exchange_(leat::detail::makeRef<Exchange>()),
      context_(leat::detail::currentContext()) {
  exchange_->begin(Ref<ExchangeOwner>(this));
  joinsDuplicates = options.joinDuplicateHeaders;
  if (!agent->options.keepAlive) exchange_->out.setLast();
  if (leat::detail::AbortState* const around = leat::detail::ambientSignal())
    follow(AbortSignal(Ref<leat::detail::AbortState>(around)));
}
#endif

template <class F>
void ClientCall::tell(F&& f) noexcept {
  const leat::detail::ContextScope scope(context_);
  try {
    f();
  } catch (...) {
    leat::detail::LateReport::start(std::current_exception());
  }
}

#if LEAT_BODIES
LEAT_INLINE void ClientCall::follow(const AbortSignal& signal) {
  // Whoever listens now is told in a microtask, and the tick that sends may come before.
  if (signal.aborted()) {
    if (!refused_) refused_ = signal.reason();
    return;
  }
  signals_.push_back(signal.onAbort([this, signal] { fail(signal.reason()); }));
}

LEAT_INLINE Promise<IncomingMessage> ClientCall::response(const ExchangeHandle& handle) {
  if (responded_) return Promise<IncomingMessage>::resolve(IncomingMessage(handle));
  if (handle->gone()) {
    handle->untold = false;
    return Promise<IncomingMessage>::reject(handle->whyGone());
  }
  if (!pending_) pending_.emplace(Promise<IncomingMessage>::withResolvers());
  return pending_->promise;
}

LEAT_INLINE void ClientCall::setTimeout(std::int32_t ms) {
  timeoutMs_ = ms;
  if (connection_ == nullptr) return;
  (void)socket.setTimeout(ms, [this] { tell([this] { events_.emit<"timeout">(); }); });
}

// ---- sending ----

LEAT_INLINE void ClientCall::later() noexcept {
  if (quiet() || std::exchange(soonQueued_, true)) return;
  retain();
  leat::detail::threadState.queue->pushTick(soon_);
}

LEAT_INLINE void ClientCall::onSoon(leat::detail::Job& job,
                                    leat::detail::JobAction action) noexcept {
  ClientCall& self = static_cast<SoonJob&>(job).call;
  const auto held = Ref<ClientCall>::adopt(&self);
  self.soonQueued_ = false;
  if (action != leat::detail::JobAction::Run) {
    self.ended_ = nullptr;
    return self.fail(nullptr);
  }
  if (!std::exchange(self.started_, true)) self.start();
  self.sendOut();
  self.tellAll();
}

/// Who calls `end` or `destroy` hears of it afterwards, as in Node.
LEAT_INLINE void ClientCall::tellAll() noexcept {
  if (std::exchange(tellsFinish_, false)) tell([this] { events_.emit<"finish">(); });
  if (const auto error = std::exchange(tellsError_, nullptr)) {
    const bool heard = events_.listenerCount<"error">() > 0;
    // Who holds it may still ask.
    ended_->untold = !heard && ended_->handled() && events_.listenerCount<"response">() == 0;
    if (!ended_->untold) {
      ended_->hush();
      tell([&] { events_.emit<"error">(error); });
    }
  }
  if (std::exchange(tellsClose_, false)) tell([this] { events_.emit<"close">(); });
  if (!over()) return;
  events_.removeAllListeners();
  ended_ = nullptr;
  // An agent may keep this for a while, and what is a user's goes where nobody is surprised by it.
  context_ = leat::detail::ContextRef();
}

LEAT_INLINE void ClientCall::startSoon() { later(); }

LEAT_INLINE void ClientCall::start() noexcept {
  if (over()) return;
  if (refused_) return fail(std::exchange(refused_, nullptr));
  try {
    // The server is waited for before there is a body.
    if (exchange_->out.fields.get("expect")) exchange_->sendHead(std::nullopt);
    const Ref<AgentCore> mine = agent;
    mine->add(Ref<ClientCall>(this));
  } catch (...) {
    fail(std::current_exception());
  }
}

LEAT_INLINE void ClientCall::connected(ClientConnection& connection, const net::Socket& s,
                                       bool reused) {
  const Ref<ClientCall> alive(this);
  connection_ = &connection;
  socket = s;
  reusedSocket = reused;
  if (timeoutMs_ > 0) setTimeout(timeoutMs_);
  out_.append(std::exchange(exchange_->waiting, {}));
  exchange_->letGo();
  tell([this] { events_.emit<"socket">(socket); });
  if (over()) return;
  if (requestDone()) return requestEnded();
  sendOut();
}

LEAT_INLINE void ClientCall::sendOut() {
  if (connection_ == nullptr || out_.empty()) return;
  if (corks && exchange_ && exchange_->corked() > 0) return;
  if (reusedSocket && !retried_ && isIdempotent(options.method) && exchange_->out.bodySent() == 0)
    sent_.append(out_);
  if (!socket.destroyed()) (void)socket.write(std::string_view(out_));
  out_.clear();
}

LEAT_INLINE void ClientCall::requestEnded() {
  if (connection_ == nullptr) return;
  const Ref<ClientCall> alive(this);
  sendOut();
  exchange_->finished();
  if (!std::exchange(finished_, true)) {
    tellsFinish_ = true;
    later();
  }
  if (connection_ != nullptr) connection_->requestEnded();
}

LEAT_INLINE bool ClientCall::takeRetry() noexcept {
  if (over() || retried_ || !reusedSocket || sent_.empty() || !requestDone() ||
      exchange_->out.bodySent() > 0 || !agent->options.retry || quiet())
    return false;
  retried_ = true;
  connection_ = nullptr;
  out_.clear();
  exchange_->waiting = std::exchange(sent_, {});
  try {
    const Ref<AgentCore> mine = agent;
    mine->add(Ref<ClientCall>(this), true);
    return true;
  } catch (...) {
    return false;
  }
}

// ---- the answer ----

LEAT_INLINE void ClientCall::inform(Head&& head) {
  const Information information(leat::detail::makeRef<SharedHead>(std::move(head)),
                                joinsDuplicates);
  if (information.statusCode() == 100) tell([this] { events_.emit<"continue">(); });
  tell([&] { events_.emit<"information">(information); });
}

LEAT_INLINE void ClientCall::respond() {
  const Ref<ClientCall> alive(this);
  sent_.clear();
  responded_ = true;
  // When nobody takes it, its body is thrown away.
  const ExchangeHandle handle(exchange_);
  const IncomingMessage message(handle);
  if (const auto asked = std::exchange(pending_, std::nullopt)) asked->resolve(message);
  tell([&] { events_.emit<"response">(message); });
}

LEAT_INLINE bool ClientCall::handOver(std::string_view rest) {
  const Ref<ClientCall> alive(this);
  connection_ = nullptr;
  responded_ = true;
  const ExchangeHandle handle(exchange_);
  const IncomingMessage message(handle);
  handle->handOver();
  handle->body.end();
  if (timeoutMs_ > 0) (void)socket.setTimeout(0, [] {});
  bool known = false;
  const Buffer bytes = Buffer::from(rest);
  tell([&] {
    known = options.method == "CONNECT" ? events_.emit<"connect">(message, socket, bytes)
                                        : events_.emit<"upgrade">(message, socket, bytes);
  });
  if (const auto asked = std::exchange(pending_, std::nullopt)) {
    if (!known && !bytes.empty()) socket.unshift(bytes);
    known = true;
    asked->resolve(message);
  }
  complete();
  return known;
}

// ---- the end ----

LEAT_INLINE void ClientCall::complete() {
  if (over()) return;
  connection_ = nullptr;
  if (!requestDone()) {
    exchange_->leave(std::make_exception_ptr(
        Error("The server has answered, and closed before all of the request was sent", "EPIPE")));
    exchange_->hush();
  }
  end();
}

/// Whoever waits for the answer is told, or listens for errors; else whoever asks next, and if nobody does, it is
/// uncaught.
LEAT_INLINE void ClientCall::fail(const std::exception_ptr& why) noexcept {
  if (over()) return;
  const Ref<ClientCall> alive(this);
  const std::exception_ptr error =
      why ? why
          : std::make_exception_ptr(Error(responded_ ? "aborted" : "socket hang up", "ECONNRESET"));
  connecting.abort(error);
  if (ClientConnection* const connection = std::exchange(connection_, nullptr)) connection->close();
  exchange_->leave(error);
  if (responded_ || pending_) exchange_->hush();
  if (!quiet() && !responded_) {
    if (const auto asked = std::exchange(pending_, std::nullopt)) {
      asked->reject(error);
    } else {
      tellsError_ = error;
    }
  }
  end();
}

/// Whoever holds it can still ask for what there is.
LEAT_INLINE void ClientCall::end() noexcept {
  const Ref<ClientCall> alive(this);
  const Ref<Exchange> exchange = std::exchange(exchange_, nullptr);
  if (!exchange) return;
  signals_.clear();
  agent = nullptr;
  exchange->dropStreams();
  if (quiet()) {
    events_.removeAllListeners();
    return;
  }
  // Until it has been told.
  ended_ = exchange;
  tellsClose_ = true;
  later();
}

LEAT_INLINE void ClientCall::wakeConnection() noexcept {
  if (connection_ != nullptr) connection_->wake();
}

LEAT_INLINE void ClientCall::leftAlone(Exchange& exchange) noexcept {
  const Ref<ClientCall> alive(this);
  if (std::exchange(exchange.untold, false) && !quiet())
    leat::detail::LateReport::start(exchange.whyGone());
  if (over()) return;
  if (!exchange.done()) {
    // Nobody can end it, as those who held it know.
    fail(std::make_exception_ptr(
        Error("The request was given up before its end", "ERR_HTTP_REQUEST_DROPPED")));
    tellsError_ = nullptr;
  } else if (responded_) {
    if (socket.writableLength() == 0 && connection_ != nullptr) connection_->leaveAlone();
    exchange.dumpBody();
  }
}
#endif

}  // namespace leat::inline LEAT_ABI::http::detail
