// SPDX-License-Identifier: MIT
// The body of an answer as a sink: of chunks, and of files that the kernel sends.
#pragma once

#include <leat/http/detail/exchange.hpp>
#include <leat/net/socket_taker.hpp>

namespace leat::inline LEAT_ABI::http::detail {

LEAT_ON_USE
Task<> roomOf(Ref<Exchange> exchange);
LEAT_ON_USE
Task<> endOf(Ref<Exchange> exchange);

#if LEAT_BODIES
LEAT_ON_USE_BODY
Task<> roomOf(Ref<Exchange> exchange) {
  const bool waits = !exchange->owner().isFirst(*exchange) && !exchange->sent();
  if (waits && !exchange->gone()) co_await exchange->turn();
  if (exchange->gone() && !exchange->sent()) exchange->throwGone();
  exchange->owner().flush();
  try {
    const net::WriteResult room = roomIn(exchange->owner().socket);
    co_await room;
  } catch (...) {
    exchange->hush();
    if (exchange->gone()) exchange->throwGone();
    throw;
  }
}

LEAT_ON_USE_BODY
Task<> endOf(Ref<Exchange> exchange) {
  co_await exchange->finish();
  // What happened behind the answer is none of its.
  if (exchange->gone() && !exchange->sent()) exchange->throwGone();
}
#endif

/// Sends no more of a body than its head has promised: what is too much comes by chunks, and is refused.
class BodyTaker final : public leat::detail::DirectTaker {
 public:
  BodyTaker(leat::detail::Owned<leat::detail::DirectTaker> socket, std::uint64_t left) noexcept
      : socket_(std::move(socket)), left_(left) {}
  ssize_t take(int from, std::int64_t& at, std::size_t most) noexcept override {
    if (left_ == 0) return -EFBIG;
    const ssize_t n =
        socket_->take(from, at, most < left_ ? most : static_cast<std::size_t>(left_));
    if (n > 0) left_ -= static_cast<std::uint64_t>(n);
    return n;
  }

 private:
  const leat::detail::Owned<leat::detail::DirectTaker> socket_;
  std::uint64_t left_;
};

template <class = void>
class AnswerSink : private leat::detail::DirectSink {
 public:
  explicit AnswerSink(ExchangeHandle e) noexcept : exchange(e.ref()), handle(std::move(e)) {}
  AnswerSink(AnswerSink&&) noexcept = default;
  AnswerSink& operator=(AnswerSink&&) = delete;
  ~AnswerSink() {
    if (exchange) exchange->writer = {};
  }
  Task<> write(Buffer chunk) {
    (void)exchange->write(chunk);
    return roomOf(exchange);
  }
  Task<> final() {
    exchange->end({});
    return endOf(exchange);
  }
  void destroy(std::exception_ptr error) {
    if (!exchange->done()) exchange->owner().destroy(error);
    // The exchange may keep the stream, which is nobody who can answer.
    handle = ExchangeHandle();
  }
  leat::detail::DirectSink* directSink() noexcept { return this; }
  Ref<Exchange> exchange;
  ExchangeHandle handle;

 private:
  /// Only a body whose size the head tells: chunks have lines between them.
  leat::detail::Owned<leat::detail::DirectTaker> beginTaking() override {
    const std::uint64_t left = exchange->out.mayLend();
    if (left == 0 || exchange->gone() || exchange->corked() > 0 ||
        !exchange->owner().isFirst(*exchange))
      return nullptr;
    exchange->owner().flush();
    leat::detail::Owned<leat::detail::DirectTaker> socket =
        leat::detail::takerOf(exchange->owner().socket);
    if (!socket) return nullptr;
    auto taker = leat::detail::makeOwned<BodyTaker>(std::move(socket), left);
    exchange->out.lend();
    return taker;
  }
  void endTaking(std::size_t count, ssize_t answer) override {
    exchange->out.takeBack(count);
    leat::detail::noteTaken(exchange->owner().socket.connection(), count, answer);
  }
  bool takesPipesOnWorker() override { return false; }
};

}  // namespace leat::inline LEAT_ABI::http::detail
