// SPDX-License-Identifier: MIT
// What a Socket keeps: its connection, or none.
#pragma once

#include <leat/net/detail/connection.hpp>

namespace leat::inline LEAT_ABI::net::detail {

/// Used where there is no connection it throws Error ERR_SOCKET_CLOSED.
class ConnectionHandle {
 public:
  ConnectionHandle() noexcept = default;
  explicit ConnectionHandle(Ref<Connection> connection) noexcept
      : connection_(std::move(connection)) {}

  Connection& operator*() const { return *ref(); }
  Connection* operator->() const { return ref().get(); }
  operator const Ref<Connection>&() const { return ref(); }
  explicit operator bool() const noexcept { return static_cast<bool>(connection_); }
  friend bool operator==(const ConnectionHandle& a, const ConnectionHandle& b) noexcept {
    return a.connection_ == b.connection_;
  }

 private:
  const Ref<Connection>& ref() const {
    if (!connection_) [[unlikely]]
      leat::detail::throwError(
          "Socket is closed: it refers to no connection, as one that was made without a value or "
          "moved "
          "from",
          "ERR_SOCKET_CLOSED");
    return connection_;
  }
  Ref<Connection> connection_;
};

}  // namespace leat::inline LEAT_ABI::net::detail
