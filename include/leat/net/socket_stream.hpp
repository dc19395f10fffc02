// SPDX-License-Identifier: MIT
// A socket as a stream, for `pipe` and `pipeline`.
#pragma once

#include <leat/net/socket.hpp>
#include <leat/stream/duplex.hpp>
#if LEAT_BODIES
#include <leat/net/detail/socket_move.hpp>
#endif

namespace leat::inline LEAT_ABI {

namespace detail {

/// Node's sockets are not half-open unless they are told to be.
LEAT_INLINE DuplexOptions socketOptions() noexcept;
LEAT_ON_USE
Duplex<Buffer> socketDuplex(net::Socket socket, const DuplexOptions& options);

#if LEAT_BODIES
/// Reads and writes a socket as the streams ask for it.
template <class = void>
class SocketEnds : private DirectSink {
 public:
  explicit SocketEnds(net::Socket s) noexcept : socket(std::move(s)) {}
  DirectSink* directSink() noexcept { return this; }
  Task<> read(Duplex<Buffer>& self) {
    ReadableState<Buffer>& side = self.readSide();
    const DirectWay way = much_ ? directWayOf(side) : DirectWay::None;
    if (way == DirectWay::Later) {
      side.flags.clear(ReadFlag::Reading);
      co_return;
    }
    if (way == DirectWay::Now && socket.connection().receivesElsewhere()) {
      DirectSink& sink = *side.direct->sink().directSink();
      std::optional<PassedOn> passed;
      if (sink.takesNow()) {
        passed = passNow(sink);
        // What is pushed while it is asked for would be the answer to this one question only.
        if (passed) co_await Promise<>::resolve();
      } else if (movable_ && sink.takesPipesOnWorker()) {
        passed = co_await passByWorker(side);
      }
      if (passed) {
        if (passed->error != 0) throw SystemError(-passed->error, "read");
        if (passed->broken != 0) {
          const auto error = net::detail::socketError(-passed->broken, "read");
          if (!socket.destroyed()) socket.connection().destroy(error);
          std::rethrow_exception(error);
        }
        much_ = passed->count + passed->rest.size() >= chunkSize;
        if (passed->count > 0) side.flags.set(ReadFlag::DataEmitted);
        self.push(std::move(passed->rest));
        co_return;
      }
    }
    Buffer bytes = co_await socket.read(chunkSize);
    much_ = bytes.size() >= chunkSize;
    if (!bytes.empty()) {
      self.push(std::move(bytes));
    } else {
      self.push(nullptr);
      // The end is seen even if nobody reads, once all that came has been read.
      (void)self.read(0);
    }
  }
  Task<> write(Buffer chunk) { co_await socket.write(chunk); }
  Task<> writev(std::vector<Buffer> chunks) {
    const std::span<const Buffer> all(chunks);
    co_await socket.writev(all);
  }
  Task<> final() { co_await socket.end(); }
  Task<> destroy(std::exception_ptr error) {
    if (move_) move_->stop.store(true, relaxed);
    // Which has a count of the stream.
    const net::Socket own = std::exchange(socket, net::Socket());
    own.connection().destroy(error);
    co_await own.closed();
  }
  /// It is closed, or the loop ends.
  void letSocketGo() noexcept {
    socket = net::Socket();
    // Else the worker that is at it will be done.
    if (threadState.queue->closing()) taking_ = net::Socket();
  }
  net::Socket socket;

 private:
  using Moving = Ref<SocketMove>;
  /// Whoever is at it stops when nobody waits any more.
  struct Stopper {
    explicit Stopper(Moving m) noexcept : move(std::move(m)) {}
    Stopper(const Stopper&) = delete;
    Stopper& operator=(const Stopper&) = delete;
    ~Stopper() { move->stop.store(true, relaxed); }
    const Moving move;
  };

  /// Nothing: there was nothing to pass, or no way.
  std::optional<PassedOn> passNow(DirectSink& sink) {
    net::detail::Connection& connection = socket.connection();
    LoopPipe& pipe = connection.loop().parts().template get<LoopPipe>();
    if (!pipe.open()) return std::nullopt;
    PassedOn passed = passOn(connection, pipe, sink);
    if (passed.none()) return std::nullopt;
    return passed;
  }
  Task<std::optional<PassedOn>> passByWorker(ReadableState<Buffer>& side) {
    const net::Socket own = socket;
    const Moving move = makeRef<SocketMove>();
    move->from = sys::UniqueFd(sys::fcntl(own.fd(), F_DUPFD_CLOEXEC));
    if (!move->from || !move->pipe.open()) co_return std::nullopt;
    const auto run = [move] { return (*move)(); };
    using Call = BlockingCall<std::decay_t<decltype(run)>>;
    auto call = Ref<Call>::adopt(new Call(BlockingJob::Class::quick, run));
    DirectMove between(side);
    // From here on there is no way out but by the end.
    move->taker = between.begin();
    if (!move->taker) co_return std::nullopt;
    between.stopBy(&move->stop);
    move_ = move;
    const Stopper stopper(move);
    PassedOn passed;
    try {
      passed = co_await BlockingAwaiter<Call>(std::move(call), nullptr, false);
    } catch (const SystemError&) {
      // There is no thread: by chunks.
      move->taker.reset();
    }
    move_ = nullptr;
    own.connection().noteReceived(passed.count + passed.rest.size());
    between.end(passed.count);
    // A file that bytes are appended to takes none of them so.
    if (passed.count == 0 && !passed.rest.empty()) movable_ = false;
    if (passed.none()) co_return std::nullopt;
    co_return std::move(passed);
  }

  Owned<DirectTaker> beginTaking() override {
    Owned<DirectTaker> taker = takerOf(socket);
    if (taker) taking_ = socket;
    return taker;
  }
  void endTaking(std::size_t count, ssize_t answer) override {
    noteTaken(std::exchange(taking_, net::Socket()).connection(), count, answer);
  }
  bool takesNow() override { return !socket.destroyed() && socket.connection().sentAll(); }
  bool takesPipesOnWorker() override { return false; }
  ssize_t takeNow(int pipe, std::size_t most) override {
    const ssize_t n = sys::splice(pipe, socket.fd(), nullptr, most);
    noteTaken(socket.connection(), n > 0 ? static_cast<std::size_t>(n) : 0, n);
    return n;
  }

  static constexpr std::size_t chunkSize = 65536;

  // The last read gave all that it was asked for; the kernel has not refused yet.
  bool much_ = false;
  bool movable_ = true;
  Moving move_;
  // While a worker sends to it.
  net::Socket taking_;
};

/// What a socket does with its stream: what is buffered, and who listens, is the socket's.
inline constexpr net::detail::KeptStream socketsStream{
    [](StreamCore& stream) noexcept { stream.release(); },
    [](StreamCore& stream, const std::exception_ptr& error) {
      if (stream.destroyed()) return false;
      stream.destroy(error);
      return true;
    }};

LEAT_INLINE DuplexOptions socketOptions() noexcept {
  DuplexOptions options;
  options.allowHalfOpen = false;
  return options;
}

LEAT_ON_USE_BODY
Duplex<Buffer> socketDuplex(net::Socket socket, const DuplexOptions& options) {
  net::detail::Connection& connection = socket.connection();
  connection.checkThread();
  if (StreamCore* const there = connection.stream())
    return Duplex<Buffer>(Ref<StreamCore>(there),
                          static_cast<DuplexState<Buffer, Buffer>&>(*there));
  Duplex<Buffer> stream(SocketEnds<>(std::move(socket)), options);
  if (!connection.closeEmitted()) {
    stream.core().retain();
    connection.keepStream(stream.core(), socketsStream);
  }
  // What the peer does is seen, though nobody reads yet.
  if (options.readable) (void)stream.read(0);
  return stream;
}
#endif

}  // namespace detail

/// A socket as a stream, when `socket.stream()` shall have options. While it lives, the socket is read and
/// written through it alone, and nobody gets another one. It is received only when there is room, so the
/// peer is slowed down; the end of what is received ends what is sent, unless `allowHalfOpen`. The end or
/// an error of the stream closes the socket.
///
/// Node: `net.Socket` is a stream. Throws: Error ERR_NO_LOOP, ERR_WRONG_THREAD.
template <class S>
  requires std::is_same_v<S, net::Socket>
Duplex<Buffer> duplexFrom(S socket, DuplexOptions options = detail::socketOptions()) {
  return detail::socketDuplex(std::move(socket), options);
}

namespace net {

#if LEAT_BODIES
LEAT_ON_USE_BODY
Duplex<Buffer, Buffer> Socket::stream() const { return duplexFrom(*this); }
#endif

}  // namespace net

}  // namespace leat::inline LEAT_ABI
