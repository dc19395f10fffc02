// SPDX-License-Identifier: MIT
// Reading what comes in pieces of a protocol's own: lines and counted bytes, many from one receive.
#pragma once

#include <leat/net/socket.hpp>

#include <optional>

namespace leat::inline LEAT_ABI::net {

/// Keeps what it has received of a socket until it is taken. Taking never waits, so that a server can
/// answer all that came in one receive with one write: `while (!(line = reader.line())) co_await
/// reader.more();`
///
/// Node: no counterpart; what a `data` listener that collects chunks does.
/// Lifetime: views are valid until the next `more()`. Bytes left at the end are lost with it.
class SocketReader {
 public:
  explicit SocketReader(Socket socket) noexcept : socket_(std::move(socket)) {}

  /// What was received and not taken.
  std::string_view unread() const noexcept {
    return {bytes_.data() + position_, bytes_.size() - position_};
  }
  /// Takes a line, without its LF or CRLF; nothing when its end is not there yet.
  /// Throws: RangeError ERR_OUT_OF_RANGE when the first `limit` bytes hold no end; they stay.
  std::optional<std::string_view> line(std::size_t limit = 65536);
  /// Takes `count` bytes; nothing when there are not so many yet.
  std::optional<std::string_view> bytes(std::size_t count);
  /// Receives what is there, at least one byte; false at the end of the stream.
  /// Cancel: AbortError; nothing is lost. Throws: as `Socket::read`.
  LEAT_ON_USE
  Task<bool> more();

 private:
  static constexpr std::size_t keptCapacity = 65536;

  Socket socket_;
  std::string bytes_;
  std::size_t position_ = 0;
  std::size_t searched_ = 0;  // of `unread()`: how much holds no LF
};

#if LEAT_BODIES
LEAT_INLINE std::optional<std::string_view> SocketReader::line(std::size_t limit) {
  const std::string_view rest = unread();
  const std::size_t feed = rest.find('\n', searched_);
  const std::size_t end = feed == rest.npos ? feed : feed + 1;
  if (feed == rest.npos) searched_ = rest.size();
  detail::checkLimit("SocketReader::line", rest.size(), end, limit);
  if (feed == rest.npos) return std::nullopt;
  position_ += end;
  searched_ = 0;
  const bool carriageReturn = feed > 0 && rest[feed - 1] == '\r';
  return std::string_view(rest.data(), feed - (carriageReturn ? 1 : 0));
}

LEAT_INLINE std::optional<std::string_view> SocketReader::bytes(std::size_t count) {
  const std::string_view rest = unread();
  if (rest.size() < count) return std::nullopt;
  position_ += count;
  searched_ = 0;
  return std::string_view(rest.data(), count);
}

LEAT_ON_USE_BODY
Task<bool> SocketReader::more() {
  bytes_.erase(0, std::exchange(position_, 0));
  // The memory of one large message is not kept for the connection's life.
  if (bytes_.empty() && bytes_.capacity() > keptCapacity) bytes_.shrink_to_fit();
  const Buffer chunk = co_await socket_.read();
  bytes_ += chunk.view();
  co_return !chunk.empty();
}
#endif

}  // namespace leat::inline LEAT_ABI::net
