// SPDX-License-Identifier: MIT
// A request of a client, until its answer has come whole: what its handles, its agent and its connection share.
#pragma once

#include <leat/events/typed_emitter.hpp>
#include <leat/http/detail/agent_core.hpp>
#include <leat/http/detail/exchange.hpp>
#include <leat/http/incoming_message.hpp>
#include <leat/loop/event_loop.hpp>

namespace leat::inline LEAT_ABI::http {

namespace detail {

/// The head of an Information, for all its copies.
struct SharedHead : leat::detail::SharedCounted<SharedHead> {
  explicit SharedHead(Head&& h) : head(std::move(h)) {}
  const Head head;
};

}  // namespace detail

/// An answer in front of the answer, with a status below 200. Copies share it.
class Information {
 public:
  /// Internal.
  explicit Information(leat::detail::Ref<detail::SharedHead> shared,
                       bool joinDuplicates = false) noexcept
      : shared_(std::move(shared)), joinDuplicates_(joinDuplicates) {}
  int statusCode() const noexcept { return head().status; }
  std::string_view statusMessage() const noexcept { return head().view(head().reason); }
  /// Lifetime: of this.
  MessageHeaders headers() const noexcept { return MessageHeaders(head(), joinDuplicates_); }

 private:
  const detail::Head& head() const noexcept { return shared_->head; }
  leat::detail::Ref<detail::SharedHead> shared_;
  bool joinDuplicates_;
};

namespace detail {

using ClientEvents =
    TypedEmitter<Event<"response", IncomingMessage>, Event<"information", Information>,
                 Event<"continue">, Event<"upgrade", IncomingMessage, net::Socket, Buffer>,
                 Event<"connect", IncomingMessage, net::Socket, Buffer>,
                 Event<"socket", net::Socket>, Event<"timeout">, Event<"finish">, Event<"close">>;

struct ClientCallOptions {
  std::string method;
  std::string target;
  ClientPlace place;
  bool joinDuplicateHeaders = false;
};

class ClientCall final : public ExchangeOwner, public leat::detail::FrameAllocated {
 public:
  ClientCall(Ref<AgentCore> agentOf, ClientCallOptions o);
  // Not inlined, for then g++ 12 believes that two counts may both be the last.
  LEAT_NOINLINE ~ClientCall() override {}

  const ClientCallOptions options;
  /// For who listens. When all is over nobody is kept.
  ClientEvents& emitter() noexcept {
    if (over()) later();
    return events_;
  }
  /// Null when it is over.
  Ref<AgentCore> agent;
  /// Stops what connects for it.
  const AbortController connecting;
  bool reusedSocket = false;
  /// What was not sent when the whole answer has come is not sent any more. Node: as its fetch.
  bool endsWithAnswer = false;

  /// Connects at the end of this tick, or takes a connection that is free.
  void startSoon();
  /// Aborts with the signal; of one that is aborted already nothing is sent.
  void follow(const AbortSignal& signal);
  bool over() const noexcept { return !exchange_; }
  Exchange& exchange() const noexcept { return *exchange_; }
  /// Node: what `once(request, "response")` gives, or rejects with.
  Promise<IncomingMessage> response(const ExchangeHandle& handle);
  /// "timeout" when nothing was sent or received for so long.
  void setTimeout(std::int32_t ms);

  // ---- its connection ----

  void connected(ClientConnection& connection, const net::Socket& s, bool reused);
  void inform(Head&& head);
  void respond();
  /// The socket is the listener's from here on. False: there is none.
  bool handOver(std::string_view rest);
  bool requestDone() const noexcept { return exchange_ && exchange_->done(); }
  bool keepsAlive() const noexcept {
    return exchange_ && !exchange_->out.last() &&
           (!endsWithAnswer || (requestDone() && socket.writableLength() == 0));
  }
  /// On a connection that the server had closed already, and which may be asked again.
  bool takeRetry() noexcept;
  /// All has been said.
  void complete();
  /// The request fails, or, when its answer has begun, the answer.
  void fail(const std::exception_ptr& error) noexcept;

  // ---- as its exchange sees it ----

  // All that is virtual is defined here: else each file would have the whole class.
  TextBuffer& lane(Exchange& exchange) override {
    return connection_ != nullptr ? out_ : exchange.waiting;
  }
  void flushSoon() override { startFlush(); }
  void flush() override { sendOut(); }
  bool isFirst(const Exchange&) noexcept override { return connection_ != nullptr; }
  void answered(Exchange&) override { requestEnded(); }
  void readOn() noexcept override { wakeConnection(); }
  TextBuffer& writeHead(Exchange& exchange, std::optional<std::size_t> whole) override {
    TextBuffer& out = lane(exchange);
    exchange.out.writeRequest(out, options.method, options.target, whole);
    return out;
  }
  void dropped(Exchange& exchange) noexcept override { leftAlone(exchange); }
  void destroy(const std::exception_ptr& error) override { fail(error); }
  void recycle(Exchange& exchange) noexcept override { delete &exchange; }

 private:
  struct SoonJob : leat::detail::Job {
    explicit SoonJob(ClientCall& c) noexcept : Job(onSoon), call(c) {}
    ClientCall& call;
  };
  static void onSoon(leat::detail::Job& job, leat::detail::JobAction action) noexcept;
  /// Starts, sends, and tells, in the next tick.
  void later() noexcept;
  void tellAll() noexcept;
  void startFlush() noexcept {
    if (connection_ != nullptr && !out_.empty()) later();
  }
  void start() noexcept;
  void sendOut();
  void requestEnded();
  void wakeConnection() noexcept;
  void leftAlone(Exchange& exchange) noexcept;
  /// Nobody can be told any more.
  static bool quiet() noexcept {
    const leat::detail::MicrotaskQueue* const queue = leat::detail::threadState.queue;
    return queue == nullptr || queue->closing();
  }
  /// What a listener throws is as in Node uncaught, and stops nothing here.
  template <class F>
  void tell(F&& f) noexcept;
  void end() noexcept;

  ClientEvents events_;
  Ref<Exchange> exchange_;
  ClientConnection* connection_ = nullptr;  // which holds this meanwhile
  leat::detail::ContextRef context_;
  std::optional<Promise<IncomingMessage>::Resolvers> pending_;
  std::vector<AbortRegistration> signals_;
  std::exception_ptr refused_;  // why it is not to be sent
  TextBuffer out_;
  TextBuffer sent_;  // to be sent again
  SoonJob soon_{*this};
  std::int32_t timeoutMs_ = 0;
  bool soonQueued_ = false;
  bool started_ = false;
  bool responded_ = false;
  bool retried_ = false;
  bool finished_ = false;
  // What listeners are told in the next tick.
  bool tellsFinish_ = false;
  bool tellsClose_ = false;
  std::exception_ptr tellsError_;
  Ref<Exchange> ended_;
};

}  // namespace detail

}  // namespace leat::inline LEAT_ABI::http
