// SPDX-License-Identifier: MIT
// A connection of a server: from bytes to requests, and from answers to bytes.
#pragma once

#include <leat/http/detail/server_core.hpp>
#include <leat/sys/calls.hpp>

#include <poll.h>

namespace leat::inline LEAT_ABI::http::detail {

// ---- requests ----

#if LEAT_BODIES
LEAT_INLINE ServerConnection::ServerConnection(Ref<ServerCore> server, net::Socket s, Came came)
    : ExchangeOwner(std::move(s)),
      LoopTimer(onLate),
      server_(std::move(server)),
      parser_({.kind = MessageKind::Request,
               .maxHeadSize = headLimit(server_->options.maxHeaderSize),
               .maxFields = server_->options.maxHeadersCount,
               .requireHost = server_->options.requireHostHeader}),
      inlet_(*this, came),
      came_(EventLoop::current().startTime()),
      begun_(came_) {
  joinsDuplicates = server_->options.joinDuplicateHeaders;
  server_->connections.pushBack(*this);
  if (server_->options.timeout > 0)
    (void)socket.setTimeout(server_->options.timeout, [this] { socket.destroy(); });
}

LEAT_INLINE void ServerConnection::ended() {
  messageComes_ = false;
  const Ref<Exchange> exchange = std::exchange(current_, nullptr);
  exchange->takeTrailers(parser_.trailers());
  exchange->body.end();
  exchange->dropStreams();
}

/// For the next request, of which nothing has come.
LEAT_INLINE void ServerConnection::prepare() {
  if (!next_) next_ = server_->spares.take();
  parser_.useHead(next_->head);
}

LEAT_INLINE void ServerConnection::begin(std::string_view& input) {
  Exchange& exchange = *next_;
  exchange.begin(Ref<ExchangeOwner>(this));
  const Head& head = exchange.head;
  exchange.out.answerTo(head.view(head.method), head);
  if (!messageComes_) begun_ = came_;
  messageComes_ = true;
  ++requests_;
  if (out_.empty() && out_.capacity() < server_->spareOut.capacity()) server_->spareOut.swap(out_);
  const bool connects = head.view(head.method) == "CONNECT";
  if (connects || (head.upgrade && server_->events.listenerCount<"upgrade">() > 0))
    return upgrade(input);
  if (!parser_.complete()) {
    current_ = std::move(next_);
    exchanges_.push(Ref<Exchange>(current_));
    return dispatch(exchange);
  }
  // Without a body that was all of it.
  parser_.takeEnd();
  exchange.body.beNone();
  exchanges_.push(std::move(next_));
  dispatch(exchange);
  messageComes_ = false;
}

LEAT_INLINE void ServerConnection::upgrade(std::string_view& input) {
  parser_.stop();
  next_->body.beNone();
  upgrading_ = std::move(next_);
  exchanges_.push(Ref<Exchange>(upgrading_));
  rest_.assign(std::exchange(input, {}));
  if (isFirst(*upgrading_)) handOver();
}

LEAT_INLINE void ServerConnection::dispatch(Exchange& exchange) {
  ServerCore& server = *server_;
  const Head& head = exchange.head;
  const unsigned most = server.options.maxRequestsPerSocket;
  if (most > 0 && requests_ >= most) exchange.out.setParting();
  if (most > 0 && requests_ > most) return drop(exchange);
  const IncomingMessage request{ExchangeHandle(exchange)};
  const ServerResponse response{request.exchange()};
  if (head.hasExpect && head.minorVersion == 1) {
    const std::string_view expected = *request.header("expect");
    if (!equalsLower(expected, "100-continue")) {
      if (!server.events.emit<"checkExpectation">(request, response)) response.writeHead(417).end();
      return;
    }
    exchange.expectsContinue = true;
    if (server.events.emit<"checkContinue">(request, response)) return;
    response.writeContinue();
  }
  server.events.emit<"request">(request, response);
}

LEAT_INLINE void ServerConnection::drop(Exchange& exchange) {
  const ExchangeHandle handle(exchange);
  server_->events.emit<"dropRequest">(IncomingMessage(handle), socket);
  exchange.fail(503);
}

/// Upgrade and CONNECT, in their turn: from here on the bytes are not ours.
LEAT_INLINE void ServerConnection::handOver() {
  const ExchangeHandle handle(std::exchange(upgrading_, nullptr));
  exchanges_.clear();
  mode_ = Mode::Upgraded;
  inlet_.leave();
  flush();
  handle->handOver();
  const IncomingMessage request(handle);
  Buffer bytes = Buffer::from(std::string_view(std::exchange(rest_, {})));
  stopWatch();
  dropTimeout();
  wake_.set();
  const bool known = request.method() == "CONNECT"
                         ? server_->events.emit<"connect">(request, socket, std::move(bytes))
                         : server_->events.emit<"upgrade">(request, socket, std::move(bytes));
  if (!known) socket.destroy();
}

/// Not a message, or too late: whatever was asked for before has no answer either.
LEAT_INLINE void ServerConnection::refuse(const std::exception_ptr& error, int status) {
  // What a listener says comes behind what was answered, and nothing of the others behind that.
  if (server_->events.listenerCount<"clientError">() > 0) flush();
  mode_ = Mode::Lingers;
  rest_.clear();
  if (server_->events.emit<"clientError">(error, socket)) {
    out_.clear();
  } else {
    answerBare(status);
  }
  leaveAll(error);
}

/// In front of or behind the answer to a request it would be taken for something else.
LEAT_INLINE void ServerConnection::answerBare(int status) {
  const bool alone =
      exchanges_.empty() || (exchanges_.size() == 1 && current_ && !current_->out.headWritten());
  if (!alone) return socket.destroy();
  out_.append("HTTP/1.1 ");
  appendNumber(out_, static_cast<std::uint64_t>(status));
  out_.append(" ");
  out_.append(statusText(status));
  out_.append("\r\nConnection: close\r\n\r\n");
  endSoon();
}

LEAT_INLINE void ServerConnection::peerEnded() {
  const ParseEvent event = parser_.finish();
  if (event == ParseEvent::Failed && mode_ == Mode::Requests) {
    const ParseError error(parser_.fault());
    refuse(std::make_exception_ptr(error), error.status());
  }
  flush();
  if (exchanges_.empty() || mode_ == Mode::Lingers) {
    (void)socket.end();
  } else if (server_->options.httpAllowHalfOpen) {
    exchanges_[exchanges_.size() - 1]->out.setLast();
  } else {
    (void)socket.end();
    leaveAll(connectionReset());
  }
}

// ---- answering ----

LEAT_ALWAYS_INLINE inline const DateCache::Fields& ServerConnection::fieldsFor(Exchange& exchange) {
  // A body that was not asked for may come, or not: nobody can know where the next request begins.
  const bool unasked = exchange.expectsContinue && !exchange.sentContinue;
  // Behind the last answer of a server that closes comes nothing.
  if (unasked || (server_->closing && exchanges_.size() == 1 && isFirst(exchange)))
    exchange.out.setLast();
  if (taking_) return dates_->fields(came_, server_->keepAlive);
  EventLoop& loop = EventLoop::current();
  return loop.parts().get<DateCache>().fields(loop.startTime(), server_->keepAlive);
}

LEAT_INLINE TextBuffer& ServerConnection::writeAnswer(Exchange& exchange,
                                                      std::optional<std::size_t> whole) {
  const DateCache::Fields& known = fieldsFor(exchange);
  TextBuffer& out = lane(exchange);
  exchange.out.writeHead(out, known.date, server_->keepAlive, whole, known.kept);
  return out;
}

LEAT_INLINE bool ServerConnection::answerNow(Exchange& exchange, std::string_view body) {
  const DateCache::Fields& known = fieldsFor(exchange);
  if (!exchange.out.writeUsual(lane(exchange), known.kept, body)) return false;
  goOn(exchange);
  return true;
}

LEAT_INLINE void ServerConnection::goOn(Exchange& exchange) {
  const Ref<ServerConnection> alive(this);
  try {
    tellNext(exchange);
  } catch (const std::bad_alloc&) {
    // An answer that waited is lost: those behind it would be taken for it.
    socket.destroy(std::current_exception());
    throw;
  }
}

LEAT_ALWAYS_INLINE inline void ServerConnection::tellNext(Exchange& exchange) {
  if (!exchange.body.over() && !exchange.body.claimed()) exchange.dumpBody();
  while (!exchanges_.empty() && exchanges_.front()->done()) {
    const Ref<Exchange> first = exchanges_.pop();
    first->finished();
    if (first->out.last() || (server_->closing && exchanges_.empty())) {
      endSoon();
      // Behind the last answer there is none.
      leaveAll(connectionReset());
    } else if (!exchanges_.empty()) {
      Exchange& next = *exchanges_.front();
      // What is in front of it does not wait for it.
      if (corks && corked() && !out_.empty()) flushOut();
      out_.append(std::exchange(next.waiting, {}));
      next.letGo();
    }
    // What goes with them may end other answers.
    first->dropStreams();
  }
  wake_.set();
  if (upgrading_ && isFirst(*upgrading_)) return handOver();
  if (taking_) return;
  if (exchanges_.empty() && mode_ == Mode::Requests) watch();
  flushSoon();
}

/// The last answer was written: it is sent, and what the client still says is thrown away for a while, for to
/// close with bytes unread would reset the connection and lose the answer.
LEAT_INLINE void ServerConnection::endSoon() {
  mode_ = Mode::Lingers;
  rest_.clear();
  flush();
  (void)socket.end();
  watch();
  wake_.set();
}

LEAT_INLINE void ServerConnection::startFlush() {
  if (taking_ || flushing_ || out_.empty()) return;
  flushing_ = true;
  retain();
  leat::detail::threadState.queue->pushTick(flushJob_);
}

LEAT_INLINE void ServerConnection::onFlush(leat::detail::Job& job,
                                           leat::detail::JobAction action) noexcept {
  ServerConnection& self = static_cast<FlushJob&>(job).connection;
  const auto held = Ref<ServerConnection>::adopt(&self);
  self.flushing_ = false;
  if (action == leat::detail::JobAction::Run) self.flush();
}

LEAT_INLINE void ServerConnection::sendOut() {
  if (out_.empty() || (corks && corked())) return;
  flushOut();
}

LEAT_INLINE void ServerConnection::flushOut() {
  constexpr std::size_t kept = 16 * 1024;
  try {
    if (!socket.destroyed()) (void)socket.write(std::string_view(out_));
  } catch (const std::bad_alloc&) {
    // Some of it may have been sent.
    socket.destroy(std::current_exception());
  }
  out_.clear();
  if (out_.capacity() > kept) out_ = {};
  // Connections that are idle need none.
  if (exchanges_.empty() && server_->spareOut.capacity() < out_.capacity())
    server_->spareOut.swap(out_);
}

// ---- the end ----

/// From now on it may stay so long without a request, or linger. A timer that runs already goes on: when it
/// fires, what is left is waited for.
LEAT_INLINE void ServerConnection::watch() {
  since_ = EventLoop::current().startTime();
  if (!watched_) wait(mayStayMs());
}

LEAT_INLINE int ServerConnection::mayStayMs() noexcept {
  const ServerOptions& options = server_->options;
  const int most = options.keepAliveTimeout;
  const bool parting =
      options.maxRequestsPerSocket > 0 && requests_ >= options.maxRequestsPerSocket && idle();
  // Also without a limit of its own nobody lingers for ever.
  constexpr int lingerMs = 5'000;
  if (mode_ == Mode::Lingers || parting) return most > 0 ? most : lingerMs;
  return requests_ > 0 && idle() ? most : 0;
}

/// 0: for ever.
LEAT_INLINE void ServerConnection::wait(int ms) {
  if (ms <= 0 || socket.destroyed()) return;
  watched_ = true;
  EventLoop::current().arm(*this, ms);
}

LEAT_INLINE void ServerConnection::onLate(leat::detail::LoopTimer& timer,
                                          leat::detail::JobAction action) noexcept {
  auto& self = static_cast<ServerConnection&>(timer);
  self.watched_ = false;
  if (action != leat::detail::JobAction::Run) return;
  const int most = self.mayStayMs();
  if (most == 0) return;
  // While something is on its way, nobody is late.
  if (self.unsent()) return self.watch();
  const std::int64_t left = self.since_ + most - EventLoop::current().startTime();
  if (left > 0) return self.wait(static_cast<int>(left));
  self.socket.destroy();
}

LEAT_INLINE void ServerConnection::closeWhenDone() {
  // One without a first request has it on its way.
  if (mode_ != Mode::Requests || messageComes_ || !idle()) return;
  if (unsent()) return endSoon();
  socket.destroy();
}

LEAT_INLINE void ServerConnection::check(std::int64_t now) {
  if (mode_ != Mode::Requests || socket.destroyed()) return;
  const ServerOptions& options = server_->options;
  // Unless it has left, it is not the client who keeps it waiting.
  if (!mayRead()) {
    const int left = sys::poll(socket.fd(), POLLRDHUP);
    if (left > 0 && (left & (POLLERR | POLLHUP)) != 0) return socket.destroy(connectionReset());
    if (left <= 0) begun_ = now;
    // An end that would be read, if there was room for another request.
    const bool full = !current_ && !upgrading_ && exchanges_.size() >= maxWaiting;
    if (left > 0 && full && !options.httpAllowHalfOpen) {
      endSoon();
      return leaveAll(connectionReset());
    }
  }
  if (!messageComes_) return;
  const std::int64_t waited = now - begun_;
  const bool headLate = !current_ && options.headersTimeout > 0 && waited >= options.headersTimeout;
  if (!headLate && (options.requestTimeout == 0 || waited < options.requestTimeout)) return;
  const Ref<ServerConnection> alive(this);
  refuse(std::make_exception_ptr(Error("Request timeout", "ERR_HTTP_REQUEST_TIMEOUT")), 408);
}

LEAT_INLINE void ServerConnection::gone(const std::exception_ptr& error) noexcept {
  ListNode::unlink();
  stopWatch();
  next_ = upgrading_ = nullptr;
  if (current_ || !exchanges_.empty()) leaveAll(error ? error : connectionReset());
}

/// Who is told may end other answers: by then nothing of those is sent any more.
LEAT_INLINE void ServerConnection::leaveAll(const std::exception_ptr& error) noexcept {
  if (current_) current_->lose(error);
  for (std::size_t i = 0; i < exchanges_.size(); ++i) exchanges_[i]->lose(error);
  if (const Ref<Exchange> exchange = std::exchange(current_, nullptr)) {
    exchange->hush();
    exchange->tellGone();
    exchange->dropStreams();
  }
  while (!exchanges_.empty()) {
    const Ref<Exchange> exchange = exchanges_.pop();
    exchange->hush();
    exchange->tellGone();
    exchange->dropStreams();
  }
}
#endif

// ---- all of them ----

template <class F>
void ServerCore::forEach(F f) {
  std::vector<Ref<ServerConnection>> all;
  for (ServerConnection* each = connections.first(); each != nullptr;
       each = connections.after(*each))
    all.emplace_back(each);
  for (const auto& connection : all) f(*connection);
}

#if LEAT_BODIES
LEAT_INLINE void ServerCore::checkDeadlines() {
  const std::int64_t now = EventLoop::current().startTime();
  forEach([now](ServerConnection& connection) { connection.check(now); });
}

LEAT_INLINE void ServerCore::closeIdle() {
  forEach([](ServerConnection& connection) { connection.closeWhenDone(); });
}

LEAT_INLINE void ServerCore::closeAll() {
  forEach([](ServerConnection& connection) { connection.socket.destroy(); });
}
#endif

}  // namespace leat::inline LEAT_ABI::http::detail
