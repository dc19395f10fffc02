// SPDX-License-Identifier: MIT
// What the methods of a socket give to be awaited.
#pragma once

#include <leat/net/detail/connection_handle.hpp>
#include <leat/net/detail/socket_awaiters.hpp>

namespace leat::inline LEAT_ABI::net {

/// A read that starts when it is awaited.
class [[nodiscard("a read does nothing until it is awaited")]] ReadOperation {
 public:
  ReadOperation(detail::ConnectionRef connection, void* data, std::size_t size,
                SignalRef signal) noexcept
      : connection_(std::move(connection)), signal_(signal.state()), data_(data), size_(size) {}
  detail::ReadAwaiter operator co_await() && noexcept {
    return detail::ReadAwaiter(std::move(connection_), data_, size_, signal_.get());
  }

 private:
  detail::ConnectionRef connection_;
  leat::detail::Ref<leat::detail::AbortState> signal_;
  void* data_;
  std::size_t size_;
};

/// A read into memory of the loop, of which the reader gets a copy of the right size.
class [[nodiscard("a read does nothing until it is awaited")]] ReadBufferOperation {
 public:
  class Awaiter : public detail::ReadAwaiter {
   public:
    Awaiter(detail::ConnectionRef connection, std::span<std::byte> scratch,
            leat::detail::AbortState* signal) noexcept
        : ReadAwaiter(std::move(connection), scratch.data(), scratch.size(), signal),
          scratch_(scratch) {}
    Buffer await_resume();

   private:
    std::span<std::byte> scratch_;
  };
  ReadBufferOperation(detail::ConnectionRef connection, std::size_t size, SignalRef signal) noexcept
      : connection_(std::move(connection)), signal_(signal.state()), size_(size) {}
  /// Throws: Error ERR_WRONG_THREAD.
  Awaiter operator co_await() &&;

 private:
  detail::ConnectionRef connection_;
  leat::detail::Ref<leat::detail::AbortState> signal_;
  std::size_t size_;
};

#if LEAT_BODIES
LEAT_INLINE Buffer ReadBufferOperation::Awaiter::await_resume() {
  const std::size_t count = ReadAwaiter::await_resume();
  return Buffer::from(std::span<const std::byte>(scratch_.data(), count));
}

LEAT_INLINE ReadBufferOperation::Awaiter ReadBufferOperation::operator co_await() && {
  connection_->checkThread();
  const std::span<std::byte> scratch = connection_->loop().scratch();
  const std::size_t size = size_ < scratch.size() ? size_ : scratch.size();
  return Awaiter(std::move(connection_), scratch.first(size), signal_.get());
}
#endif

/// What `write` gives: Node's answer as a bool, and a wait for room.
class WriteResult {
 public:
  WriteResult(detail::ConnectionRef connection, detail::Sent sent) noexcept
      : connection_(std::move(connection)), sent_(sent) {}
  operator bool() const noexcept { return sent_ == detail::Sent::Taken; }
  detail::EventAwaiter operator co_await() const noexcept {
    return detail::EventAwaiter(connection_, detail::SocketEvent::Drain, true,
                                sent_ == detail::Sent::Refused);
  }

 private:
  detail::ConnectionRef connection_;
  detail::Sent sent_;
};

/// What `end` and `closed` give: a wait that may be left out.
class SocketEnd {
 public:
  SocketEnd(detail::ConnectionRef connection, detail::SocketEvent event) noexcept
      : connection_(std::move(connection)), event_(event) {}
  detail::EventAwaiter operator co_await() const noexcept {
    // What a coroutine does to clean up is not to be cancelled.
    return detail::EventAwaiter(connection_, event_, event_ != detail::SocketEvent::Finish);
  }

 private:
  detail::ConnectionRef connection_;
  detail::SocketEvent event_;
};

}  // namespace leat::inline LEAT_ABI::net
