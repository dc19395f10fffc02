// SPDX-License-Identifier: MIT
// What the handles of a server share, and its connections.
#pragma once

#include <leat/core/describe.hpp>
#include <leat/core/scope.hpp>
#include <leat/events/emitter_handle.hpp>
#include <leat/http/detail/parser.hpp>
#include <leat/http/incoming_message.hpp>
#include <leat/http/server_options.hpp>
#include <leat/http/server_response.hpp>
#include <leat/loop/next_tick.hpp>
#include <leat/loop/timers.hpp>
#include <leat/net/server.hpp>
#include <leat/net/socket_inlet.hpp>
#include <leat/process/process.hpp>

namespace leat::inline LEAT_ABI::http {

namespace detail {

class ServerConnection;

class ServerCore;

using ServerEmitter = TypedEmitter<
    Event<"request", IncomingMessage, ServerResponse>, Event<"connection", net::Socket>,
    Event<"checkContinue", IncomingMessage, ServerResponse>,
    Event<"checkExpectation", IncomingMessage, ServerResponse>,
    Event<"upgrade", IncomingMessage, net::Socket, Buffer>,
    Event<"connect", IncomingMessage, net::Socket, Buffer>,
    Event<"clientError", std::exception_ptr, net::Socket>,
    Event<"dropRequest", IncomingMessage, net::Socket>, Event<"handlerError", std::exception_ptr>,
    Event<"listening">, Event<"close">, Event<"error", std::exception_ptr>>;

/// The listeners of a server, kept in a form that deals with what they throw (see ServerListener).
class ServerEvents : public ServerEmitter {
 public:
  explicit ServerEvents(ServerCore& core) noexcept : core_(&core) {}

  template <FixedString name, class F>
  Listener on(F&& f) {
    return ServerEmitter::on<name>(keep<name>(std::forward<F>(f)));
  }
  template <FixedString name, class F>
  Listener once(F&& f) {
    return ServerEmitter::once<name>(keep<name>(std::forward<F>(f)));
  }
  template <FixedString name, class F>
  Listener prependListener(F&& f) {
    return ServerEmitter::prependListener<name>(keep<name>(std::forward<F>(f)));
  }
  template <FixedString name, class F>
  Listener prependOnceListener(F&& f) {
    return ServerEmitter::prependOnceListener<name>(keep<name>(std::forward<F>(f)));
  }

 private:
  template <FixedString name, class F>
  decltype(auto) keep(F&& f);

  ServerCore* core_;  // whose part this is
};

/// Kept by its handles, by its connections and, while it listens, by the loop.
class ServerCore : public Counted<ServerCore>, private leat::detail::LoopOwned {
 public:
  explicit ServerCore(const ServerOptions& o) : LoopOwned(onLoopEnd), options(o), events(*this) {}
  ~ServerCore() {
    checking.close();
    leaving.close();
  }
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
  void checkDeadlines();
  void closeIdle();
  void closeAll();
  /// The exception of a handler, which is being handled. Unlike in Node it ends one request, not the process.
  void handlerFailed(Exchange& exchange);
  void report(std::exception_ptr error);
  /// A handler let go of it, which is a mistake that nothing else tells of.
  void unanswered(const Exchange& exchange) noexcept;
  /// The same of a listener that was called with these.
  void listenerFailed(const IncomingMessage& request, const ServerResponse&) {
    handlerFailed(*request.exchange());
  }
  void listenerFailed(const IncomingMessage&, const net::Socket& socket, const Buffer&) {
    listenerFailed(socket);
  }
  void listenerFailed(const std::exception_ptr&, const net::Socket& socket) {
    listenerFailed(socket);
  }
  void listenerFailed(const net::Socket& socket) {
    report(std::current_exception());
    socket.destroy();
  }
  void listenerFailed(const IncomingMessage&, const net::Socket&) {
    report(std::current_exception());
  }
  /// No more connections.
  LEAT_ON_USE
  net::Server::Closing stop();

  const ServerOptions options;
  const KeepAlive keepAlive{static_cast<unsigned>(options.keepAliveTimeout) / 1000,
                            options.maxRequestsPerSocket};
  ServerEvents events;
  leat::detail::List<ServerConnection> connections;
  std::optional<net::Server> listener;
  Timeout checking;
  Timeout leaving;  // closes what is idle when the port was handed over
  std::optional<AbortRegistration> stopSignal;
  SpareExchanges spares;
  TextBuffer spareOut;  // of a connection that has nothing to send
  unsigned closes = 0;
  bool closing = false;
  /// While a listener is being kept: what it captures of this server does not count (see ServerHandle).
  bool keepsListener = false;

 private:
  /// What is done to one may end it, and others.
  template <class F>
  void forEach(F f);
  static void onLoopEnd(LoopOwned& owned) noexcept { static_cast<ServerCore&>(owned).release(); }
};

/// One connection. It reads by itself, so that one that is idle has no coroutine; whoever answers writes.
class ServerConnection final : public ExchangeOwner,
                               public leat::detail::ListNode,
                               private leat::detail::LoopTimer {
 public:
  using Came = leat::detail::SocketInlet::Came;
  /// `came` is `onCame<>`, which is instantiated where there is a server.
  ServerConnection(Ref<ServerCore> server, net::Socket s, Came came);
  ~ServerConnection() override {
    stopWatch();
    if (mode_ != Mode::Upgraded) dropTimeout();
  }

  TextBuffer& lane(Exchange& exchange) override {
    return isFirst(exchange) ? out_ : exchange.waiting;
  }
  bool isFirst(const Exchange& exchange) noexcept override {
    return !exchanges_.empty() && exchanges_.front().get() == &exchange;
  }
  // All that is virtual is defined here: else each file would have the whole class.
  void flushSoon() override { startFlush(); }
  void flush() override { sendOut(); }
  void answered(Exchange& exchange) override { goOn(exchange); }
  void readOn() noexcept override { wake_.set(); }
  void recycle(Exchange& exchange) noexcept override { server_->spares.put(exchange); }
  TextBuffer& writeHead(Exchange& exchange, std::optional<std::size_t> whole) override {
    return writeAnswer(exchange, whole);
  }
  bool answerWhole(Exchange& exchange, std::string_view body) override {
    return answerNow(exchange, body);
  }
  void dropped(Exchange& exchange) noexcept override {
    const Ref<Exchange> alive(&exchange);
    if (exchange.abandoned()) server_->unanswered(exchange);
  }
  void destroy(const std::exception_ptr& error) override { socket.destroy(error); }

  /// From here on it keeps itself, until its socket has closed or is somebody else's.
  LEAT_ON_USE
  void start();
  LEAT_ON_USE
  static void onCame(leat::detail::SocketInlet& inlet, int came) noexcept;
  LEAT_ON_USE
  static Task<> tellDrained(Ref<ServerConnection> self);
  /// Something has changed, or the socket has closed.
  template <class Self>
  static Task<> untilWoken(Ref<Self> self);
  /// Nobody waits for an answer, and nothing of a request has come.
  bool idle() noexcept {
    return exchanges_.empty() && parser_.idle() && rest_.empty() && !current_;
  }
  void check(std::int64_t now);
  /// If it is idle. What has been answered is sent.
  void closeWhenDone();

 private:
  enum class Mode : unsigned char {
    Requests,
    Lingers,   // the last answer is on its way; what still comes is thrown away
    Upgraded,  // the socket is somebody else's
  };
  // Answers that are gathered before they are sent.
  static constexpr std::size_t flushAt = 64 * 1024;
  // Requests of one connection that wait for their answers; beyond, it is not read.
  static constexpr std::size_t maxWaiting = 32;

  /// A body as fast as it is taken; another request when there is room for its answer.
  bool mayRead() noexcept {
    if (mode_ != Mode::Requests) return true;
    if (current_) return !current_->body.full();
    return !upgrading_ && exchanges_.size() < maxWaiting && !socket.writableNeedDrain();
  }
  /// What is there is kept back by the answer that would be sent.
  bool corked() noexcept {
    return mode_ == Mode::Requests && !exchanges_.empty() && exchanges_.front()->corked() > 0;
  }
  bool unsent() noexcept {
    return !socket.destroyed() && (!out_.empty() || socket.writableLength() > 0);
  }
  /// What came (see `SocketInlet`), and what comes after it, as long as there is room.
  LEAT_ON_USE
  void read(int came) noexcept;
  /// When there is room again.
  LEAT_ON_USE
  static Task<> readLater(Ref<ServerConnection> self);
  LEAT_ON_USE
  static Task<> untilClosed(Ref<ServerConnection> self);
  void over(const std::exception_ptr& error) noexcept;
  TextBuffer& writeAnswer(Exchange& exchange, std::optional<std::size_t> whole);
  bool answerNow(Exchange& exchange, std::string_view body);
  /// What an answer says of the connection; it is the last one where it must be.
  const DateCache::Fields& fieldsFor(Exchange& exchange);
  void startFlush();
  void sendOut();
  void flushOut();
  void goOn(Exchange& exchange);
  void tellNext(Exchange& exchange);
  void take(std::string_view input);
  void took(std::string_view rest);
  void prepare();
  void begin(std::string_view& input);
  void upgrade(std::string_view& input);
  void dispatch(Exchange& exchange);
  void ended();
  void handOver();
  void refuse(const std::exception_ptr& error, int status);
  void answerBare(int status);
  void leaveAll(const std::exception_ptr& error) noexcept;
  void drop(Exchange& exchange);
  void peerEnded();
  void endSoon();
  void gone(const std::exception_ptr& error) noexcept;
  void watch();
  int mayStayMs() noexcept;
  void wait(int ms);
  void stopWatch() noexcept {
    if (std::exchange(watched_, false)) EventLoop::current().disarm(*this);
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

  struct Inlet : leat::detail::SocketInlet {
    Inlet(ServerConnection& c, Came came) : SocketInlet(c.socket, came), connection(c) {}
    ServerConnection& connection;
  };
  struct Kept : leat::detail::LoopOwned {
    explicit Kept(ServerConnection& c) noexcept : LoopOwned(onLoopEnd), connection(c) {}
    ServerConnection& connection;
  };
  static void onLoopEnd(leat::detail::LoopOwned& owned) noexcept;

  Ref<ServerCore> server_;
  Parser parser_;
  Inlet inlet_;
  Kept kept_{*this};
  leat::detail::Fifo<Ref<Exchange>> exchanges_;
  Ref<Exchange> current_;    // whose body comes
  Ref<Exchange> next_;       // whose head comes
  Ref<Exchange> upgrading_;  // which takes the socket when its turn comes
  TextBuffer out_;
  std::string rest_;  // received and not parsed
  ManualResetEvent wake_;
  FlushJob flushJob_{*this};
  DateCache* dates_ = nullptr;  // of the loop, while something is taken
  // Milliseconds of the loop: when something came; when the request that comes began, or the connection;
  // since when it is idle.
  std::int64_t came_;
  std::int64_t begun_;
  std::int64_t since_ = 0;
  unsigned requests_ = 0;
  bool watched_ = false;
  Mode mode_ = Mode::Requests;
  bool taking_ = false;
  bool stopped_ = false;  // with more to be parsed, or told of, than `rest_`
  bool flushing_ = false;
  bool draining_ = false;
  bool messageComes_ = true;
};

/// Of the exception that is being handled: that of `process::exit()` in a worker, behind which nothing runs.
inline void rethrowIfEnding() {
  const leat::detail::MicrotaskQueue* const queue = leat::detail::threadState.queue;
  if (queue != nullptr && queue->stopped()) throw;
}

#if LEAT_BODIES
/// What a handler meets because its client has gone is no news.
LEAT_INLINE bool isLeaving(const Error& error) noexcept {
  constexpr std::string_view codes[] = {"ABORT_ERR",
                                        "ECONNRESET",
                                        "EPIPE",
                                        "ERR_STREAM_DESTROYED",
                                        "ERR_HTTP_BODY_DUMPED",
                                        "ERR_STREAM_PREMATURE_CLOSE"};
  for (const std::string_view code : codes)
    if (error.code() == code) return true;
  return false;
}

LEAT_INLINE void ServerCore::handlerFailed(Exchange& exchange) {
  int status = 500;
  bool known = false;
  try {
    throw;
  } catch (const HttpError& answer) {
    if (answer.status() >= 400 && answer.status() <= 599) status = answer.status();
    // A fault of the client's is none of the handler's.
    known = status < 500;
  } catch (const Error& error) {
    const bool left = exchange.gone() || exchange.owner().socket.destroyed();
    known = left && (isLeaving(error) || std::current_exception() == exchange.whyGone());
  } catch (...) {
  }
  if (!known) report(std::current_exception());
  exchange.fail(status);
}

LEAT_INLINE void ServerCore::unanswered(const Exchange& exchange) noexcept {
  const std::string_view target = exchange.head.view(exchange.head.target);
  try {
    std::string text = "nobody has answered ";
    text += exchange.head.view(exchange.head.method);
    text += ' ';
    text += target.substr(0, target.find('?'));
    text += ": the last handle of the request and of its answer has gone";
    // Whoever drops a handle may be in the middle of anything.
    nextTick([core = Ref<ServerCore>(this),
              error = std::make_exception_ptr(Error(text, "ERR_HTTP_UNANSWERED"))] {
      core->report(error);
    });
  } catch (const std::bad_alloc&) {
    // The client has its answer.
  }
}

LEAT_INLINE void ServerCore::report(std::exception_ptr error) {
  if (events.listenerCount<"handlerError">() > 0) {
    try {
      events.emit<"handlerError">(std::move(error));
    } catch (...) {
      rethrowIfEnding();
      leat::detail::LateReport::start(std::current_exception());
    }
    return;
  }
  process::emitWarning(describe(error), {.name = "HttpHandlerError"});
}
#endif

}  // namespace detail

}  // namespace leat::inline LEAT_ABI::http
