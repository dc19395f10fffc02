// SPDX-License-Identifier: MIT
// stdin_, stdout_, stderr_: the standard streams of the process, whatever they are connected to. Their
// descriptors are other programs' too, so nothing about them is changed: not even O_NONBLOCK.
#pragma once

#include <leat/loop/blocking.hpp>
#include <leat/loop/wait_fd.hpp>
#include <leat/stream/readable.hpp>
#include <leat/stream/writable.hpp>
#include <leat/sys/file_calls.hpp>

#include <sys/ioctl.h>

namespace leat::inline LEAT_ABI {

namespace detail {

LEAT_INLINE bool isTerminal(int fd) noexcept;

#if LEAT_BODIES
LEAT_INLINE bool isTerminal(int fd) noexcept {
  // More than the kernel's termios has: <termios.h> would bring its many macros.
  alignas(8) char settings[256];
  return sys::ioctl(fd, TCGETS, settings) == 0;
}
#endif

// ---- reading ----

/// What reads standard input. Kept by the stream and by what it waits for.
struct InputState : Counted<InputState> {
  explicit InputState(int number) noexcept : fd(number) {}
  const int fd;
  // Files and the like are always ready, and read on the blocking pool.
  bool isFile = false;
  // The wait that is in progress.
  std::optional<AbortController> waiting;
  void stop();
  /// Paused, it does not hold the loop. What a file gives is on its way.
  void pause(ReadableCore& side);
};

#if LEAT_BODIES
LEAT_INLINE void InputState::stop() {
  if (!waiting) return;
  const AbortController wait = *std::exchange(waiting, std::nullopt);
  wait.abort();
}

LEAT_INLINE void InputState::pause(ReadableCore& side) {
  if (!waiting) return;
  stop();
  side.flags.clear(ReadFlag::Reading);
}

/// Bytes of what was ready just now, without waiting where the kernel can promise that: others may read
/// from it too. -EAGAIN: they did.
LEAT_ON_USE std::ptrdiff_t readReady(int fd, Buffer& bytes) {
  std::ptrdiff_t count = sys::readCached(fd, bytes.data(), bytes.size(), -1);
  if (count == -EOPNOTSUPP || count == -ENOSYS || count == -EINVAL || count == -ESPIPE)
    count = sys::read(fd, bytes.data(), bytes.size());
  return count;
}

/// The next bytes, nothing at the end. False: it is a file.
LEAT_ON_USE Task<bool> readWhenReady(Ref<InputState> state, AbortController stop, Buffer& bytes) {
  for (;;) {
    const WaitFdOptions options{stop, true};
    bool ready = true;
    try {
      (void)co_await wait(state->fd, Ready::Readable, options);
    } catch (const SystemError& error) {
      if (error.number() != EPERM) throw;
      ready = false;
    }
    if (!ready) co_return false;
    const std::ptrdiff_t count = readReady(state->fd, bytes);
    if (count == -EAGAIN) continue;
    if (count < 0) throw SystemError(static_cast<int>(-count), "read");
    bytes = bytes.subarray(0, count);
    co_return true;
  }
}

/// On a thread of the pool: bytes where the descriptor stands.
struct FileInput {
  std::string operator()() const {
    std::string bytes(size, '\0');
    const std::ptrdiff_t count = sys::read(fd, bytes.data(), bytes.size());
    if (count < 0) throw SystemError(static_cast<int>(-count), "read");
    bytes.resize(static_cast<std::size_t>(count));
    return bytes;
  }
  int fd;
  std::size_t size;
};

LEAT_ON_USE Task<Buffer> readInput(Ref<InputState> state, AbortController stop, std::size_t size) {
  if (!state->isFile) {
    Buffer bytes = Buffer::allocUnsafe(size);
    state->waiting.emplace(stop);
    state->isFile = !co_await readWhenReady(state, stop, bytes);
    state->waiting.reset();
    // A little in a large block is copied, so that the block can go.
    if (!state->isFile) co_return bytes.size() < size / 2 ? Buffer::from(bytes) : bytes;
  }
  const FileInput read{state->fd, size};
  std::string bytes = co_await blocking(read);
  co_return Buffer::adopt(std::move(bytes));
}

LEAT_ON_USE
Promise<> pumpInput(Readable<Buffer> self, Ref<InputState> state, std::size_t size) {
  const AbortController stop;
  std::exception_ptr error;
  Buffer bytes;
  try {
    bytes = co_await readInput(state, stop, size);
  } catch (...) {
    error = std::current_exception();
  }
  // Paused or destroyed: who goes on reading reads anew.
  if (stop.signal().aborted() || self.destroyed()) co_return;
  if (error) {
    state->waiting.reset();
    self.core().fail(error);
  } else if (bytes.empty()) {
    self.push(nullptr);
    // The end is seen even if nobody reads, once all that came has been read.
    (void)self.read(0);
  } else {
    self.push(std::move(bytes));
  }
}

template <class = void>
struct InputBytes {
  void read(Readable<Buffer>& self, std::size_t size) {
    ReadableCore& side = self.readSide();
    if (side.flags.any(ReadFlag::Paused) && !side.flags.any(ReadFlag::ReadableListening) &&
        side.readableListeners() == 0) {
      // Not read ahead. Who resumes it asks again.
      side.flags.clear(ReadFlag::Reading);
      return;
    }
    (void)pumpInput(self, state, size);
  }
  void destroy() { state->stop(); }
  Ref<InputState> state;
};

// ---- writing ----

/// Writes all of it, as Node does: a program that ends has written what it wrote. Also to what another
/// program has made non-blocking.
LEAT_INLINE void writeWhole(int fd, const Buffer& bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const std::ptrdiff_t count = sys::write(fd, bytes.data() + at, bytes.size() - at);
    if (count >= 0) {
      at += static_cast<std::size_t>(count);
      continue;
    }
    int error = static_cast<int>(count);
    if (error == -EAGAIN) error = sys::waitFor(fd, POLLOUT);
    if (error < 0) throw SystemError(-error, "write");
  }
}

struct OutputBytes {
  void write(const Buffer& bytes) const { writeWhole(fd, bytes); }
  int fd;
};

/// The standard streams of a loop, each made when first asked for.
class LEAT_API StandardStreams : public LoopPart {
 public:
  StandardStreams(const void* k, EventLoop&) noexcept : LoopPart(k) {}
  Ref<InputState> input;
  std::optional<Readable<Buffer>> in;
  std::optional<Writable<Buffer>> out[2];

  static StandardStreams& current() {
    EventLoop& loop = EventLoop::current();
    return loop.parts().get<StandardStreams>(loop);
  }
};

LEAT_ON_USE Readable<Buffer> makeInput(const Ref<InputState>& state) {
  StreamOptions options;
  options.highWaterMark = 64 * 1024;
  Readable<Buffer> stream(InputBytes<>{state}, options);
  stream.on<"pause">([state, side = &stream.readSide()] { state->pause(*side); });
  return stream;
}

LEAT_ON_USE Writable<Buffer> makeOutput(int fd) {
  Writable<Buffer> stream(OutputBytes{fd});
  stream.core().flags.set(StreamFlag::Shared);
  return stream;
}
#endif

}  // namespace detail

namespace process {

/// What `stdin_` gives: a Readable with what is asked of a descriptor.
class InputStream : public Readable<Buffer> {
 public:
  /// Internal.
  InputStream(const Readable<Buffer>& stream, leat::detail::Ref<leat::detail::InputState> state)
      : Readable<Buffer>(stream), state_(std::move(state)) {}
  int fd() const noexcept { return state_->fd; }
  /// Whether it is a terminal.
  bool isTTY() const noexcept { return leat::detail::isTerminal(fd()); }
  /// Also lets go of the loop.
  const InputStream& pause() const {
    Readable<Buffer>::pause();
    state_->pause(readSide());
    return *this;
  }

 private:
  leat::detail::Ref<leat::detail::InputState> state_;
};

/// What `stdout_` and `stderr_` give: a Writable with what is asked of a descriptor.
class OutputStream : public Writable<Buffer> {
 public:
  OutputStream(const Writable<Buffer>& stream, int fd) : Writable<Buffer>(stream), fd_(fd) {}
  int fd() const noexcept { return fd_; }
  /// Whether it is a terminal; then it has a size, else that is empty.
  bool isTTY() const noexcept { return leat::detail::isTerminal(fd_); }
  std::optional<unsigned> columns() const noexcept;
  std::optional<unsigned> rows() const noexcept;

 private:
  std::optional<unsigned> size(unsigned short ::winsize::* of) const noexcept;
  int fd_;
};

/// Standard input as a stream, the same at each call: a file, a pipe, a terminal, a socket. It is read when
/// somebody listens, pipes or waits, and holds the loop then, until it has ended or `pause()`.
///
/// Node: `process.stdin`. The descriptor is never closed. Of several loops each has a stream of its own
/// that takes what it can get. Throws: Error ERR_NO_LOOP.
LEAT_ON_USE
InputStream stdin_();

#if LEAT_BODIES
LEAT_INLINE std::optional<unsigned> OutputStream::size(
    unsigned short ::winsize::* of) const noexcept {
  ::winsize window{};
  if (sys::ioctl(fd_, TIOCGWINSZ, &window) != 0) return std::nullopt;
  return window.*of;
}

LEAT_INLINE std::optional<unsigned> OutputStream::columns() const noexcept {
  return size(&::winsize::ws_col);
}

LEAT_INLINE std::optional<unsigned> OutputStream::rows() const noexcept {
  return size(&::winsize::ws_row);
}

LEAT_ON_USE_BODY
InputStream stdin_() {
  constexpr int fd = 0;
  auto& all = leat::detail::StandardStreams::current();
  if (!all.in) {
    all.input = leat::detail::makeRef<leat::detail::InputState>(fd);
    all.in = leat::detail::makeInput(all.input);
  }
  return InputStream(*all.in, all.input);
}
#endif

}  // namespace process

namespace detail {

#if LEAT_BODIES
LEAT_ON_USE process::OutputStream standardOutput(int fd) {
  auto& out = StandardStreams::current().out[fd - 1];
  if (!out || out->destroyed() || out->writableEnded()) out = makeOutput(fd);
  return process::OutputStream(*out, fd);
}
#endif

}  // namespace detail

namespace process {

/// Standard output as a stream, the same at each call, until it has been ended, destroyed or has failed:
/// then there is a new one. What is written has been written when `write` returns, whatever it is
/// connected to: a pipe whose reader is slow stops the loop meanwhile.
///
/// `pipe` into it does not end it, so that several sources may follow each other; `pipeline` does. A reader that is gone is an "error" EPIPE: loops ignore SIGPIPE, unless the program has chosen otherwise.
/// Node: `process.stdout`. The descriptor is never closed. Throws: Error ERR_NO_LOOP.
LEAT_ON_USE
OutputStream stdout_();
/// Standard error, in the same way. Node: `process.stderr`.
LEAT_ON_USE
OutputStream stderr_();

#if LEAT_BODIES
LEAT_ON_USE_BODY
OutputStream stdout_() { return leat::detail::standardOutput(1); }

LEAT_ON_USE_BODY
OutputStream stderr_() { return leat::detail::standardOutput(2); }
#endif

}  // namespace process
}  // namespace leat::inline LEAT_ABI
