// SPDX-License-Identifier: MIT
// Bytes of a socket for an object that is no coroutine: a protocol with many connections that are idle.
#pragma once

#include <leat/core/abort.hpp>
#include <leat/net/socket.hpp>

namespace leat::inline LEAT_ABI::detail {

/// One receive at a time, in the context in which it was made; when the signal of that is aborted, the socket is
/// destroyed. Lifetime: the owner keeps the socket. Destroyed, it gives up what it waits for.
class SocketInlet : private net::detail::Receiver {
 public:
  using Came = void (*)(SocketInlet& inlet, int result) noexcept;
  SocketInlet(const net::Socket& socket, Came came)
      : Receiver{onReceived},
        came_(came),
        connection_(&socket.connection()),
        context_(currentContext()) {
    if (AbortState* const around = ambientSignal())
      stop_ = AbortSignal(Ref<AbortState>(around)).onAbort([this, state = around] {
        connection_->destroyAll(std::make_exception_ptr(AbortError(state->reason)));
      });
  }
  SocketInlet(const SocketInlet&) = delete;
  SocketInlet& operator=(const SocketInlet&) = delete;
  ~SocketInlet() {
    if (waiting_) connection_->abandonReceive();
  }

  /// How many bytes came, 0 at the end, -errno. -EAGAIN: `came` will be told. Throws: Error ERR_WRONG_THREAD,
  /// ERR_READ_IN_PROGRESS.
  int read(std::span<std::byte> into) {
    connection_->checkThread();
    connection_->checkNotReceiving();
    if (const std::size_t count = connection_->takeUnread(into)) return static_cast<int>(count);
    if (connection_->readableEnded()) return 0;
    if (connection_->closed()) return -ECANCELED;
    const int result = connection_->receiveNow(into.data(), into.size());
    if (result != -EAGAIN) return result;
    waiting_ = true;
    connection_->receive(*this, into.data(), into.size());
    return -EAGAIN;
  }
  /// The socket is somebody else's from here on: the signal leaves it alone.
  void leave() noexcept { stop_.off(); }
  /// Of a result that is no bytes: the end is told to the socket, an error destroys it. Throws: the error.
  void settle(int result) {
    if (result == 0) return connection_->endReading();
    if (result == -ECANCELED)
      connection_->throwGone("Premature close", "ERR_STREAM_PREMATURE_CLOSE");
    connection_->fail(result, "read");
  }

 private:
  static void onReceived(Receiver& receiver, int result) noexcept {
    auto& self = static_cast<SocketInlet&>(receiver);
    self.waiting_ = false;
    const ContextScope scope(self.context_);
    self.came_(self, result);
  }

  const Came came_;
  net::detail::Connection* const connection_;
  const ContextRef context_;
  AbortRegistration stop_;
  bool waiting_ = false;
};

}  // namespace leat::inline LEAT_ABI::detail
