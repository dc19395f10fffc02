// SPDX-License-Identifier: MIT
// What the handles of a server share, and its connections: from bytes to requests, and from answers to bytes.
#pragma once

#include <leat/events/typed_emitter.hpp>
#include <leat/http/detail/parser.hpp>
#include <leat/http/server_response.hpp>
#include <leat/loop/timers.hpp>
#include <leat/net/server.hpp>
#include <leat/process/process.hpp>

namespace leat::inline LEAT_ABI::http {

/// Node's names and defaults. Times are milliseconds; 0 is none.
struct ServerOptions {
  /// Of a head, with its line ends: more is answered 431.
  std::uint32_t maxHeaderSize = 16 * 1024;
  /// More fields are answered 431.
  unsigned maxHeadersCount = 2000;
  /// For all of a head to come, from the connection or the first byte of a later request: then 408.
  int headersTimeout = 60'000;
  /// The same of a whole request.
  int requestTimeout = 300'000;
  /// How often both are looked at.
  int connectionsCheckingInterval = 30'000;
  /// How long a connection without a request stays.
  int keepAliveTimeout = 5'000;
  /// How long one on which nothing is sent or received stays.
  int timeout = 0;
  /// Then the connection closes; what comes nevertheless is answered 503. 0: no limit.
  unsigned maxRequestsPerSocket = 0;
  /// More connections are closed at once. 0: no limit.
  std::size_t maxConnections = 0;
  /// Whether a request of HTTP/1.1 without Host is answered 400.
  bool requireHostHeader = true;
  /// Whether a client that has ended its side still gets its answer.
  bool httpAllowHalfOpen = false;
  bool noDelay = true;
  bool keepAlive = false;
};

namespace detail {

class ServerConnection;

using ServerEvents = TypedEmitter<Event<"request", IncomingMessage, ServerResponse>,
                                  Event<"connection", net::Socket>,
                                  Event<"checkContinue", IncomingMessage, ServerResponse>,
                                  Event<"checkExpectation", IncomingMessage, ServerResponse>,
                                  Event<"upgrade", IncomingMessage, net::Socket, Buffer>,
                                  Event<"connect", IncomingMessage, net::Socket, Buffer>,
                                  Event<"clientError", std::exception_ptr, net::Socket>,
                                  Event<"dropRequest", IncomingMessage, net::Socket>,
                                  Event<"handlerError", std::exception_ptr>, Event<"close">>;

/// Kept by its handles, by its connections and, while it listens, by the loop.
class ServerCore : public Counted<ServerCore>, private leat::detail::LoopOwned {
 public:
  explicit ServerCore(const ServerOptions& o) : LoopOwned(onLoopEnd), options(o) {}
  ~ServerCore() { checking.close(); }
  void keep() {
    if (LoopOwned::linked()) return;
    retain();
    leat::detail::threadState.queue->own(*this);
  }
  void letGo() noexcept {
    if (!LoopOwned::linked()) return;
    LoopOwned::unlink();
    release();
  }
  inline void checkDeadlines();
  inline void closeIdle();
  inline void closeAll();
  /// What a handler threw. Unlike in Node it ends one request, not the process.
  void report(std::exception_ptr error);

  const ServerOptions options;
  ServerEvents events;
  leat::detail::List<ServerConnection> connections;
  std::optional<net::Server> listener;
  Timeout checking;
  bool closing = false;

 private:
  static void onLoopEnd(LoopOwned& owned) noexcept { static_cast<ServerCore&>(owned).release(); }
};

/// One connection. Its coroutine reads; whoever answers writes.
class ServerConnection final : public ExchangeOwner,
                               public leat::detail::ListNode,
                               private leat::detail::LoopTimer {
 public:
  ServerConnection(Ref<ServerCore> server, net::Socket s);
  ~ServerConnection() override {
    stopWatch();
    dropTimeout();
  }

  std::string& lane(Exchange& exchange) override {
    return isFirst(exchange) ? out_ : exchange.waiting;
  }
  bool isFirst(const Exchange& exchange) noexcept override {
    return !exchanges_.empty() && exchanges_.front().get() == &exchange;
  }
  void flushSoon() override;
  void flush() override;
  void answered(Exchange& exchange) override;
  void readOn() noexcept override { wake_.set(); }
  unsigned keepAliveSeconds() const noexcept override {
    return static_cast<unsigned>(server_->options.keepAliveTimeout) / 1000;
  }
  void destroy(const std::exception_ptr& error) override { socket.destroy(error); }

  LEAT_ON_USE
  static Task<> serve(Ref<ServerConnection> self);
  /// Nobody waits for an answer, and nothing of a request has come.
  bool idle() noexcept {
    return exchanges_.empty() && parser_.idle() && rest_.empty() && !current_;
  }
  void check(std::int64_t now);
  /// As few requests as possible from here on.
  void closeWhenDone() {
    if (idle()) socket.destroy();
  }

 private:
  enum class Mode : unsigned char {
    Requests,
    Lingers,   // the last answer is on its way; what still comes is thrown away
    Upgraded,  // the socket is somebody else's
  };
  // Requests of one connection that wait for their answers; beyond, it is not read.
  static constexpr std::size_t maxWaiting = 32;
  // What one client may send behind its last request before it is cut off.
  static constexpr int lingerMs = 2'000;

  bool mayRead() noexcept {
    return exchanges_.size() < maxWaiting && !(current_ && current_->body.full());
  }
  void take(std::string_view input);
  bool parse(std::string_view& input, bool borrowed);
  void keep(std::string_view input) {
    const std::string copy(input);
    rest_ = copy;
  }
  void begin(std::string_view& input, bool borrowed);
  void dispatch(const Ref<Exchange>& exchange);
  void handOver(const Ref<Exchange>& exchange, std::string_view rest);
  void refuse(const std::exception_ptr& error, int status);
  void answerBare(int status);
  void leaveAll(const std::exception_ptr& error) noexcept;
  void drop(const Ref<Exchange>& exchange);
  void peerEnded();
  void endSoon();
  void gone(const std::exception_ptr& error) noexcept;
  void watch();
  void stopWatch() noexcept {
    if (watchMs_ > 0) EventLoop::current().disarm(*this);
    watchMs_ = 0;
  }
  /// The socket may be somebody else's from here on.
  void dropTimeout() {
    if (server_->options.timeout > 0 && !socket.destroyed()) (void)socket.setTimeout(0, [] {});
  }
  static void onLate(leat::detail::LoopTimer& timer, leat::detail::JobAction action) noexcept;

  struct FlushJob : leat::detail::Job {
    explicit FlushJob(ServerConnection& c) noexcept : Job(onFlush), connection(c) {}
    ServerConnection& connection;
  };
  static void onFlush(leat::detail::Job& job, leat::detail::JobAction action) noexcept;

  Ref<ServerCore> server_;
  Parser parser_;
  leat::detail::Fifo<Ref<Exchange>> exchanges_;
  Ref<Exchange> current_;  // whose body comes
  std::string out_;
  std::string rest_;  // received and not parsed
  ManualResetEvent wake_;
  FlushJob flushJob_{*this};
  std::int64_t begun_ = 0;  // when the request that comes began, or the connection; ns
  unsigned requests_ = 0;
  int watchMs_ = 0;
  Mode mode_ = Mode::Requests;
  bool taking_ = false;
  bool flushing_ = false;
  bool messageComes_ = true;
};

// ---- reading ----

inline ServerConnection::ServerConnection(Ref<ServerCore> server, net::Socket s)
    : ExchangeOwner(std::move(s)),
      LoopTimer(onLate),
      server_(std::move(server)),
      parser_({.kind = MessageKind::Request,
               .maxHeadSize = server_->options.maxHeaderSize,
               .maxFields = server_->options.maxHeadersCount,
               .requireHost = server_->options.requireHostHeader}),
      begun_(sys::monotonicNs()) {
  server_->connections.pushBack(*this);
  if (server_->options.timeout > 0)
    (void)socket.setTimeout(server_->options.timeout, [this] { socket.destroy(); });
}

template <class>
Task<> ServerConnection::serve(Ref<ServerConnection> self) {
  // Also when the loop ends meanwhile.
  struct Leaving {
    ~Leaving() { connection.gone(error); }
    ServerConnection& connection;
    std::exception_ptr error;
  } leaving{*self, nullptr};
  try {
    while (self->mode_ != Mode::Upgraded) {
      if (self->socket.writableNeedDrain()) {
        const net::WriteResult full = self->socket.write(std::string_view());
        co_await full;
      }
      if (!self->mayRead()) {
        self->wake_.reset();
        co_await self->wake_.wait();
        continue;
      }
      if (!self->rest_.empty()) {
        self->take(std::exchange(self->rest_, {}));
        continue;
      }
      const std::span<std::byte> scratch = EventLoop::current().scratch();
      const std::size_t count = co_await self->socket.read(scratch);
      if (count == 0) {
        self->peerEnded();
        break;
      }
      if (self->mode_ == Mode::Requests)
        self->take({reinterpret_cast<const char*>(scratch.data()), count});
    }
    // The answers that are still to come need the connection.
    while (self->mode_ != Mode::Upgraded && !self->exchanges_.empty() &&
           !self->socket.destroyed()) {
      self->wake_.reset();
      co_await self->wake_.wait();
    }
  } catch (...) {
    leaving.error = std::current_exception();
  }
}

/// `input` may be memory of the loop, which others use as soon as a handler runs.
inline void ServerConnection::take(std::string_view input) {
  const Ref<ServerConnection> alive(this);
  taking_ = true;
  bool borrowed = true;
  std::string own;
  while (mode_ == Mode::Requests && mayRead() && !socket.writableNeedDrain()) {
    const ParseEvent event = parser_.next(input);
    if (event == ParseEvent::More) break;
    if (event == ParseEvent::Head) {
      if (borrowed && !input.empty()) {
        own = input;
        input = own;
        borrowed = false;
      }
      begin(input, borrowed);
    } else if (event == ParseEvent::Body) {
      current_->body.push(parser_.body());
    } else if (event == ParseEvent::End) {
      messageComes_ = false;
      std::swap(current_->trailers, parser_.trailers());
      const Ref<Exchange> ended = std::exchange(current_, nullptr);
      ended->body.end();
      if (ended->done()) ended->dropStreams();
    } else {
      if (event == ParseEvent::Failed) {
        const ParseError error(parser_.fault());
        refuse(std::make_exception_ptr(error), error.status());
      }
      input = {};
      break;
    }
  }
  if (mode_ == Mode::Requests && !input.empty()) rest_.assign(input);
  if (!messageComes_ && !(parser_.idle() && rest_.empty())) {
    messageComes_ = true;
    begun_ = sys::monotonicNs();
  }
  taking_ = false;
  flush();
}

inline void ServerConnection::begin(std::string_view& input, bool) {
  auto exchange = leat::detail::makeRef<Exchange>(Ref<ExchangeOwner>(this));
  std::swap(exchange->head, parser_.head());
  const Head& head = exchange->head;
  exchange->out.answerTo(head.view(head.method), head);
  if (!messageComes_) begun_ = sys::monotonicNs();
  messageComes_ = true;
  ++requests_;
  current_ = exchange;
  exchanges_.push(Ref<Exchange>(exchange));
  if (exchanges_.size() == 1) exchange->letGo();
  watch();
  const bool connects = head.view(head.method) == "CONNECT";
  if (connects || (head.upgrade && server_->events.listenerCount<"upgrade">() > 0)) {
    parser_.stop();
    handOver(exchange, std::exchange(input, {}));
    return;
  }
  dispatch(exchange);
}

inline void ServerConnection::dispatch(const Ref<Exchange>& exchange) {
  ServerCore& server = *server_;
  const Head& head = exchange->head;
  const unsigned most = server.options.maxRequestsPerSocket;
  if (server.closing || (most > 0 && requests_ >= most)) exchange->out.setLast();
  const ExchangeHandle handle(exchange);
  try {
    if (most > 0 && requests_ > most) return drop(exchange);
    const IncomingMessage request(handle);
    const ServerResponse response(handle);
    if (head.hasExpect && head.minorVersion == 1) {
      const std::string_view expected = *request.header("expect");
      if (equalsLower(expected, "100-continue")) {
        exchange->expectsContinue = true;
        if (server.events.listenerCount<"checkContinue">() > 0) {
          server.events.emit<"checkContinue">(request, response);
          return;
        }
        response.writeContinue();
      } else if (server.events.listenerCount<"checkExpectation">() > 0) {
        server.events.emit<"checkExpectation">(request, response);
        return;
      } else {
        response.writeHead(417).end();
        return;
      }
    }
    server.events.emit<"request">(request, response);
  } catch (...) {
    server.report(std::current_exception());
    exchange->fail(500);
  }
}

inline void ServerConnection::drop(const Ref<Exchange>& exchange) {
  const ExchangeHandle handle(exchange);
  server_->events.emit<"dropRequest">(IncomingMessage(handle), socket);
  exchange->fail(503);
}

/// Upgrade and CONNECT: from here on the bytes are not ours.
inline void ServerConnection::handOver(const Ref<Exchange>& exchange, std::string_view rest) {
  mode_ = Mode::Upgraded;
  flush();
  exchange->handOver();
  current_ = nullptr;
  const ExchangeHandle handle(exchange);
  const IncomingMessage request(handle);
  Buffer bytes = Buffer::from(rest);
  stopWatch();
  dropTimeout();
  try {
    const bool known = request.method() == "CONNECT"
                           ? server_->events.emit<"connect">(request, socket, std::move(bytes))
                           : server_->events.emit<"upgrade">(request, socket, std::move(bytes));
    if (!known) socket.destroy();
  } catch (...) {
    server_->report(std::current_exception());
    socket.destroy();
  }
}

/// Not a message, or too late: whatever was asked for before has no answer either.
inline void ServerConnection::refuse(const std::exception_ptr& error, int status) {
  mode_ = Mode::Lingers;
  rest_.clear();
  try {
    if (!server_->events.emit<"clientError">(error, socket)) answerBare(status);
  } catch (...) {
    server_->report(std::current_exception());
    socket.destroy();
  }
  leaveAll(error);
}

/// In front of or behind the answer to a request it would be taken for something else.
inline void ServerConnection::answerBare(int status) {
  const bool alone =
      exchanges_.empty() || (exchanges_.size() == 1 && current_ && !current_->out.headWritten());
  if (!alone) return socket.destroy();
  out_.append("HTTP/1.1 ");
  appendNumber(out_, static_cast<std::uint64_t>(status));
  out_.append(" ").append(statusText(status)).append("\r\nConnection: close\r\n\r\n");
  endSoon();
}

inline void ServerConnection::peerEnded() {
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
    gone(nullptr);
  }
}

// ---- answering ----

inline void ServerConnection::answered(Exchange& exchange) {
  const Ref<ServerConnection> alive(this);
  const Ref<Exchange> kept(&exchange);
  if (!exchange.body.over()) {
    exchange.dumpBody();
  } else {
    exchange.dropStreams();
  }
  while (!exchanges_.empty() && exchanges_.front()->done()) {
    const Ref<Exchange> first = exchanges_.pop();
    first->finished();
    if (first->out.last()) {
      endSoon();
      break;
    }
    if (exchanges_.empty()) break;
    Exchange& next = *exchanges_.front();
    out_.append(std::exchange(next.waiting, {}));
    next.letGo();
  }
  wake_.set();
  if (exchanges_.empty() && mode_ == Mode::Requests) watch();
  flushSoon();
}

/// The last answer was written: it is sent, and what the client still says is thrown away for a while, for to
/// close with bytes unread would reset the connection and lose the answer.
inline void ServerConnection::endSoon() {
  mode_ = Mode::Lingers;
  rest_.clear();
  flush();
  (void)socket.end();
  watch();
  wake_.set();
}

inline void ServerConnection::flushSoon() {
  if (taking_ || flushing_ || out_.empty()) return;
  flushing_ = true;
  retain();
  leat::detail::threadState.queue->pushTick(flushJob_);
}
inline void ServerConnection::onFlush(leat::detail::Job& job,
                                      leat::detail::JobAction action) noexcept {
  ServerConnection& self = static_cast<FlushJob&>(job).connection;
  const auto held = Ref<ServerConnection>::adopt(&self);
  self.flushing_ = false;
  if (action == leat::detail::JobAction::Run) self.flush();
}
inline void ServerConnection::flush() {
  constexpr std::size_t kept = 16 * 1024;
  if (out_.empty()) return;
  if (!socket.destroyed()) (void)socket.write(out_);
  out_.clear();
  if (out_.capacity() > kept) out_.shrink_to_fit();
}

// ---- the end ----

/// How long it may stay without a request, or linger.
inline void ServerConnection::watch() {
  const int ms = mode_ == Mode::Lingers    ? lingerMs
                 : requests_ > 0 && idle() ? server_->options.keepAliveTimeout
                                           : 0;
  stopWatch();
  if (ms <= 0 || socket.destroyed()) return;
  watchMs_ = ms;
  EventLoop::current().arm(*this, ms);
}
inline void ServerConnection::onLate(leat::detail::LoopTimer& timer,
                                     leat::detail::JobAction action) noexcept {
  auto& self = static_cast<ServerConnection&>(timer);
  self.watchMs_ = 0;
  if (action == leat::detail::JobAction::Run) self.socket.destroy();
}

inline void ServerConnection::check(std::int64_t now) {
  constexpr std::int64_t msOfNs = 1'000'000;
  if (mode_ != Mode::Requests || !messageComes_ || socket.destroyed()) return;
  const ServerOptions& options = server_->options;
  const std::int64_t waited = (now - begun_) / msOfNs;
  const bool headLate = !current_ && options.headersTimeout > 0 && waited >= options.headersTimeout;
  if (!headLate && (options.requestTimeout == 0 || waited < options.requestTimeout)) return;
  const Ref<ServerConnection> alive(this);
  refuse(std::make_exception_ptr(Error("Request timeout", "ERR_HTTP_REQUEST_TIMEOUT")), 408);
}

inline void ServerConnection::gone(const std::exception_ptr& error) noexcept {
  ListNode::unlink();
  if (mode_ == Mode::Upgraded && !error) {
    exchanges_.clear();
    return;
  }
  leaveAll(error ? error : std::make_exception_ptr(Error("aborted", "ECONNRESET")));
}

inline void ServerConnection::leaveAll(const std::exception_ptr& error) noexcept {
  if (current_) std::exchange(current_, nullptr)->leave(error);
  while (!exchanges_.empty()) {
    const Ref<Exchange> exchange = exchanges_.pop();
    exchange->leave(error);
    exchange->dropStreams();
  }
}

inline void ServerCore::checkDeadlines() {
  const std::int64_t now = sys::monotonicNs();
  std::vector<Ref<ServerConnection>> all;
  for (ServerConnection* each = connections.first(); each != nullptr;
       each = connections.after(*each))
    all.emplace_back(each);
  for (const auto& connection : all) connection->check(now);
}
inline void ServerCore::closeIdle() {
  std::vector<Ref<ServerConnection>> all;
  for (ServerConnection* each = connections.first(); each != nullptr;
       each = connections.after(*each))
    all.emplace_back(each);
  for (const auto& connection : all) connection->closeWhenDone();
}
inline void ServerCore::closeAll() {
  std::vector<Ref<ServerConnection>> all;
  for (ServerConnection* each = connections.first(); each != nullptr;
       each = connections.after(*each))
    all.emplace_back(each);
  for (const auto& connection : all) connection->socket.destroy();
}
inline void ServerCore::report(std::exception_ptr error) {
  if (events.listenerCount<"handlerError">() > 0) {
    events.emit<"handlerError">(std::move(error));
    return;
  }
  try {
    std::rethrow_exception(std::move(error));
  } catch (const std::exception& e) {
    process::emitWarning(e.what(), {.name = "HttpHandlerError"});
  } catch (...) {
    process::emitWarning("an exception that is no std::exception", {.name = "HttpHandlerError"});
  }
}

}  // namespace detail

}  // namespace leat::inline LEAT_ABI::http
