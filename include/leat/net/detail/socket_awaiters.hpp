// SPDX-License-Identifier: MIT
// What a coroutine waits in for a socket: bytes, room to send, the end.
#pragma once

#include <leat/net/detail/connection_send.hpp>

namespace leat::inline LEAT_ABI::net::detail {

using leat::detail::AbortState;
using leat::detail::CancelHooks;
using leat::detail::Continuation;

using ConnectionRef = Ref<Connection>;

/// Waits for a receive. Completes without suspending when there are bytes.
class ReadAwaiter : private Receiver, private Job {
 public:
  ReadAwaiter(ConnectionRef connection, void* data, std::size_t size, AbortState* signal) noexcept
      : Receiver{onReceived},
        Job(onAborted),
        connection_(std::move(connection)),
        hooks_(*this, signal),
        data_(data),
        size_(size) {}
  ~ReadAwaiter() {
    if (waiting_) connection_->abandonReceive();
  }

  bool await_ready();
  void await_suspend(std::coroutine_handle<> handle);
  /// How many bytes came.
  std::size_t await_resume();

 private:
  struct Hooks : CancelHooks {
    Hooks(ReadAwaiter& o, AbortState* signal) noexcept : CancelHooks(onCancel, signal), owner(o) {}
    static void onCancel(CancelHooks& hooks) noexcept {
      static_cast<Hooks&>(hooks).owner.connection_->cancelReceive();
    }
    ReadAwaiter& owner;
  };
  static void onReceived(Receiver& receiver, int result) noexcept {
    auto& self = static_cast<ReadAwaiter&>(receiver);
    self.waiting_ = false;
    self.hooks_.disarm();
    self.result_ = result;
    self.continuation_.resume();
  }
  static void onAborted(Job& job, JobAction action) noexcept {
    if (action == JobAction::Run) static_cast<ReadAwaiter&>(job).continuation_.resumeFromQueue();
  }

  ConnectionRef connection_;
  Continuation continuation_;
  Hooks hooks_;
  void* data_;
  std::size_t size_;
  int result_ = -EAGAIN;
  bool waiting_ = false;
};

enum class SocketEvent : unsigned char { Drain, Finish, Close };

/// Waits for something other than bytes.
class EventAwaiter : private Waiter {
 public:
  /// `ambient` = false: the signal of the context does not end the wait.
  EventAwaiter(ConnectionRef connection, SocketEvent event, bool ambient = true,
               bool refused = false) noexcept
      : connection_(std::move(connection)), event_(event), ambient_(ambient), refused_(refused) {}

  bool await_ready() const;
  void await_suspend(std::coroutine_handle<> handle) { wait(handle, list(), ambient_); }
  void await_resume();

 private:
  List<Waiter>& list() noexcept;
  [[noreturn]] void abortWrite();

  ConnectionRef connection_;
  SocketEvent event_;
  bool ambient_;
  bool refused_;
};

#if LEAT_BODIES
LEAT_INLINE bool ReadAwaiter::await_ready() {
  Connection& connection = *connection_;
  connection.checkThread();
  connection.checkNotReceiving();
  if (!hooks_.check()) return true;
  if (!connection.unread.empty()) {
    result_ = static_cast<int>(connection.takeUnread({static_cast<std::byte*>(data_), size_}));
    return true;
  }
  if (connection.readableEnded() || connection.closed()) return true;
  if (size_ == 0) {
    result_ = 0;
    return true;
  }
  result_ = connection.receiveNow(data_, size_);
  return result_ != -EAGAIN;
}

LEAT_INLINE void ReadAwaiter::await_suspend(std::coroutine_handle<> handle) {
  continuation_.capture(handle);
  if (!hooks_.arm()) return connection_->loop().queue().pushMicrotask(*this);
  waiting_ = true;
  connection_->receive(*this, data_, size_);
}

LEAT_INLINE std::size_t ReadAwaiter::await_resume() {
  Connection& connection = *connection_;
  if (result_ > 0) return static_cast<std::size_t>(result_);
  if (result_ == 0) {
    if (size_ > 0) connection.endReading();
    return 0;
  }
  if (result_ != -EAGAIN && result_ != -ECANCELED) connection.fail(result_, "read");
  if (hooks_.fired()) hooks_.throwAborted();
  if (connection.readableEnded() && !connection.error()) return 0;
  if (result_ == -ECANCELED) connection.throwGone("Premature close", "ERR_STREAM_PREMATURE_CLOSE");
  connection.throwGone("Cannot call read after a stream was destroyed", "ERR_STREAM_DESTROYED");
}

LEAT_INLINE bool EventAwaiter::await_ready() const {
  const Connection& connection = *connection_;
  connection.checkThread();
  switch (event_) {
    case SocketEvent::Drain:
      return refused_ || connection.closed() || !connection.needDrain();
    case SocketEvent::Finish:
      return connection.closed() || connection.writableFinished();
    case SocketEvent::Close:
      break;
  }
  return connection.closeEmitted();
}

LEAT_INLINE void EventAwaiter::await_resume() {
  const Connection& connection = *connection_;
  if (event_ == SocketEvent::Drain && cancelled() && connection.unsent() > 0) abortWrite();
  finish();
  if (event_ == SocketEvent::Close) return;
  if (!refused_ && (!connection.closed() || connection.writableFinished())) return;
  if (event_ == SocketEvent::Drain) connection.throwUnwritable();
  connection.throwGone("Cannot call end after a stream was destroyed", "ERR_STREAM_DESTROYED");
}

/// The peer would see a part of what was to be sent.
LEAT_INLINE void EventAwaiter::abortWrite() {
  std::exception_ptr reason;
  try {
    finish();
  } catch (const AbortError& aborted) {
    reason = aborted.cause();
  }
  const auto error = std::make_exception_ptr(AbortError(
      "The operation was aborted; the socket was destroyed, as part of a write was sent", reason));
  connection_->destroy(error);
  std::rethrow_exception(error);
}

LEAT_INLINE List<Waiter>& EventAwaiter::list() noexcept {
  switch (event_) {
    case SocketEvent::Drain:
      return connection_->drainWaiters();
    case SocketEvent::Finish:
      return connection_->finishWaiters();
    case SocketEvent::Close:
      break;
  }
  return connection_->closeWaiters();
}
#endif

}  // namespace leat::inline LEAT_ABI::net::detail
