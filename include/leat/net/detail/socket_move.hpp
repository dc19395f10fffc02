// SPDX-License-Identifier: MIT
// What comes by a socket and goes on inside of the kernel, through a pipe: the loop does it where the sink
// never waits, a worker where it may.
#pragma once

#include <leat/loop/blocking.hpp>
#include <leat/net/socket_taker.hpp>

namespace leat::inline LEAT_ABI::detail {

/// A pipe that is empty between two moves.
class PassingPipe {
 public:
  /// False where there is none.
  bool open() noexcept {
    int fds[2];
    if (out_ || sys::pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) return static_cast<bool>(out_);
    out_ = sys::UniqueFd(fds[0]);
    in_ = sys::UniqueFd(fds[1]);
    // As much as it can hold else.
    (void)sys::fcntl(in_.get(), F_SETPIPE_SZ, static_cast<int>(wanted));
    return true;
  }
  int in() const noexcept { return in_.get(); }
  int out() const noexcept { return out_.get(); }
  /// What was left in it. 0 or -errno: then it is closed.
  int drain(std::size_t count, Buffer& rest) noexcept {
    int error = 0;
    try {
      rest = Buffer::allocUnsafe(count);
    } catch (...) {
      error = -ENOMEM;
    }
    for (std::size_t done = 0; done < count && error == 0;) {
      const ssize_t n = sys::read(out(), rest.data() + done, count - done);
      if (n <= 0) error = n < 0 ? static_cast<int>(n) : -EIO;
      done += static_cast<std::size_t>(n);
    }
    if (error == 0) return 0;
    out_.reset();
    in_.reset();
    rest = Buffer();
    return error;
  }
  static constexpr std::size_t wanted = std::size_t{1} << 18;

 private:
  sys::UniqueFd out_, in_;
};

/// The pipe of a loop.
class LEAT_API LoopPipe final : public LoopPart, public PassingPipe {
 public:
  explicit LoopPipe(const void* part) noexcept : LoopPart(part) {}
};

/// What came of a move.
struct PassedOn {
  std::size_t count = 0;
  // Received, and not taken.
  Buffer rest;
  // -errno: of the pipe; of a socket that is broken.
  int error = 0;
  int broken = 0;
  bool none() const noexcept { return count == 0 && rest.empty() && error == 0 && broken == 0; }
  /// What the socket answered: has `take(pipe, most)` take what came. False: that is the end of the move.
  template <class Take>
  bool pass(ssize_t came, PassingPipe& pipe, Take&& take) {
    if (came <= 0) {
      if (breaksSocket(came)) broken = static_cast<int>(came);
      return false;
    }
    for (auto left = static_cast<std::size_t>(came); left > 0;) {
      const ssize_t n = take(pipe.out(), left);
      if (n <= 0) {
        error = pipe.drain(left, rest);
        return false;
      }
      left -= static_cast<std::size_t>(n);
      count += static_cast<std::size_t>(n);
    }
    return true;
  }
};

/// A move on a worker, until nothing more has come for a moment, the sink takes no more, or somebody comes
/// in between.
struct SocketMove : SharedCounted<SocketMove> {
  PassedOn operator()() noexcept;

  sys::UniqueFd from;
  Owned<DirectTaker> taker;
  PassingPipe pipe;
  Atomic<bool> stop{false};
  static constexpr ssize_t muchFrom = 32768;
};

/// What has come goes to a sink that never waits; the rest is to be written.
LEAT_INLINE PassedOn passOn(net::detail::Connection& from, PassingPipe& pipe, DirectSink& sink);

#if LEAT_BODIES
LEAT_INLINE PassedOn SocketMove::operator()() noexcept {
  constexpr std::int64_t turnNs = 50'000'000;
  const std::int64_t start = sys::monotonicNs();
  PassedOn passed;
  // More is waited for only while much comes: a peer that trickles holds no worker.
  bool much = true;
  while (!stop.load(relaxed) && sys::monotonicNs() - start < turnNs) {
    const ssize_t came = sys::splice(from.get(), pipe.in(), nullptr, PassingPipe::wanted);
    if (came == -EAGAIN && std::exchange(much, false) &&
        sys::poll(from.get(), POLLIN, SocketTaker::soonMs) > 0)
      continue;
    if (came >= muchFrom) much = true;
    const auto take = [&](int out, std::size_t size) { return taker->takePiped(out, size); };
    if (!passed.pass(came, pipe, take)) break;
  }
  taker.reset();
  return passed;
}

LEAT_INLINE PassedOn passOn(net::detail::Connection& from, PassingPipe& pipe, DirectSink& sink) {
  // As much as a socket takes in a row.
  constexpr int most = 4;
  PassedOn passed;
  const auto take = [&](int out, std::size_t size) { return sink.takeNow(out, size); };
  for (int i = 0; i < most; ++i)
    if (!passed.pass(from.receivePiped(pipe.in(), PassingPipe::wanted), pipe, take)) break;
  return passed;
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
