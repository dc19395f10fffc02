// SPDX-License-Identifier: MIT
// When a connection of a server reads, and how long it is kept.
#pragma once

#include <leat/http/detail/server_connection.hpp>
#include <leat/http/detail/woken.hpp>
#include <leat/loop/spawn.hpp>

namespace leat::inline LEAT_ABI::http::detail {

#if LEAT_BODIES
/// A wait of its own, for one that is given up destroys the socket.
LEAT_ON_USE_BODY
Task<> ServerConnection::tellDrained(Ref<ServerConnection> self) {
  try {
    const net::WriteResult full = roomIn(self->socket);
    co_await full;
  } catch (const Error&) {
    // It has closed, which others are told.
  }
  self->draining_ = false;
  self->wake_.set();
}
#endif

/// A template of its parameter, so that what it races is made when it is used.
template <class Self>
Task<> ServerConnection::untilWoken(Ref<Self> self) {
  self->wake_.reset();
  if (self->socket.writableNeedDrain() && !std::exchange(self->draining_, true)) {
    // To abort it would destroy the socket, which may be somebody else's by then.
    const leat::detail::ContextScope nothing{leat::detail::ContextRef()};
    (void)spawn(tellDrained(self));
  }
  co_await wokenOrClosed(self->wake_, self->socket);
}

#if LEAT_BODIES
LEAT_ON_USE_BODY
void ServerConnection::start() {
  retain();
  leat::detail::threadState.queue->own(kept_);
  read(-EAGAIN);
}

LEAT_INLINE void ServerConnection::over(const std::exception_ptr& error) noexcept {
  if (!kept_.linked()) return;
  kept_.unlink();
  gone(error);
  release();
}

LEAT_INLINE void ServerConnection::onLoopEnd(leat::detail::LoopOwned& owned) noexcept {
  ServerConnection& self = static_cast<Kept&>(owned).connection;
  self.gone(nullptr);
  self.release();
}

/// `rest` is not parsed yet; what is answered by now is sent.
LEAT_ALWAYS_INLINE inline void ServerConnection::took(std::string_view rest) {
  if (mode_ == Mode::Requests && !rest.empty()) rest_.assign(rest);
  if (!messageComes_ && !(parser_.idle() && rest_.empty())) {
    messageComes_ = true;
    begun_ = came_;
  }
  taking_ = false;
  flush();
  if (mode_ == Mode::Requests && exchanges_.empty()) watch();
}

/// `input` may be memory of the loop, which others use as soon as a handler runs.
LEAT_INLINE void ServerConnection::take(std::string_view input) {
  const Ref<ServerConnection> alive(this);
  taking_ = true;
  EventLoop& loop = EventLoop::current();
  came_ = loop.startTime();
  dates_ = &loop.parts().get<DateCache>();
  bool borrowed = true;
  std::string own;
  while (mode_ == Mode::Requests && !socket.destroyed()) {
    if (out_.size() >= flushAt) flush();
    if (!mayRead()) {
      stopped_ = true;
      break;
    }
    if (parser_.needsHead() && !input.empty()) prepare();
    const ParseEvent event = parser_.next(input);
    if (event == ParseEvent::More || event == ParseEvent::Stopped) break;
    if (event == ParseEvent::Failed) {
      const ParseError error(parser_.fault());
      refuse(std::make_exception_ptr(error), error.status());
      break;
    }
    if (event == ParseEvent::Body) {
      current_->body.push(parser_.body());
    } else if (event == ParseEvent::End) {
      ended();
    } else {
      if (borrowed && !input.empty()) {
        own = input;
        input = own;
        borrowed = false;
      }
      begin(input);
    }
  }
  took(input);
}

LEAT_ON_USE_BODY
void ServerConnection::read(int came) noexcept {
  const Ref<ServerConnection> alive(this);
  try {
    for (;;) {
      const std::span<std::byte> scratch = EventLoop::current().scratch();
      if (came > 0) {
        if (mode_ == Mode::Requests)
          take({reinterpret_cast<const char*>(scratch.data()), static_cast<std::size_t>(came)});
      } else if (came == -ECANCELED) {
        // The socket was closed here.
        return over(socket.errored());
      } else if (came != -EAGAIN) {
        inlet_.settle(came);
        peerEnded();
        break;
      }
      if (mode_ == Mode::Upgraded || socket.destroyed()) break;
      if (!mayRead()) return (void)spawn(readLater(alive));
      came = -EAGAIN;
      if (std::exchange(stopped_, false)) {
        take(std::exchange(rest_, {}));
        continue;
      }
      came = inlet_.read(scratch);
      if (came == -EAGAIN) return;
    }
    // What is still to be answered, or sent, needs the connection.
    if (mode_ != Mode::Upgraded) return (void)spawn(untilClosed(alive));
    over(nullptr);
  } catch (...) {
    over(std::current_exception());
  }
}

LEAT_ON_USE_BODY
void ServerConnection::onCame(leat::detail::SocketInlet& inlet, int came) noexcept {
  static_cast<Inlet&>(inlet).connection.read(came);
}

LEAT_ON_USE_BODY
Task<> ServerConnection::readLater(Ref<ServerConnection> self) {
  try {
    while (!self->mayRead() && self->mode_ != Mode::Upgraded && !self->socket.destroyed())
      co_await untilWoken(self);
    self->read(-EAGAIN);
  } catch (...) {
    self->over(std::current_exception());
  }
}

LEAT_ON_USE_BODY
Task<> ServerConnection::untilClosed(Ref<ServerConnection> self) {
  try {
    co_await self->socket.closed();
    self->over(self->socket.errored());
  } catch (...) {
    self->over(std::current_exception());
  }
}
#endif

}  // namespace leat::inline LEAT_ABI::http::detail
