// SPDX-License-Identifier: MIT
// A message that comes and one that is sent: what the handles of both share, and what they ask of their connection.
#pragma once

#include <leat/core/abort.hpp>
#include <leat/http/detail/body_queue.hpp>
#include <leat/http/detail/date.hpp>
#include <leat/http/detail/outgoing_message.hpp>
#include <leat/net/socket.hpp>
#include <leat/stream/readable.hpp>
#include <leat/stream/writable.hpp>

namespace leat::inline LEAT_ABI::http::detail {

using leat::detail::Counted;
using leat::detail::Ref;

class Exchange;

/// The peer has gone; without memory to say so, that.
LEAT_INLINE std::exception_ptr connectionReset() noexcept;

#if LEAT_BODIES
LEAT_INLINE std::exception_ptr connectionReset() noexcept {
  return leat::detail::errorOfMade([] { return Error("aborted", "ECONNRESET"); });
}
#endif

/// A wait for room. Not by a write of nothing: the answer may have ended, and behind the end that would destroy the
/// socket.
inline net::WriteResult roomIn(const net::Socket& socket) {
  return {Ref<net::detail::Connection>(&socket.connection()), net::detail::Sent::Taken};
}

/// The connection, as its exchanges see it. It outlives them.
class ExchangeOwner : public Counted<ExchangeOwner> {
 public:
  virtual ~ExchangeOwner() = default;
  /// What is appended there is sent in its turn.
  virtual TextBuffer& lane(Exchange& exchange) = 0;
  /// Something was appended: it is sent at the end of this tick, at the latest.
  virtual void flushSoon() = 0;
  /// Sends what is there now.
  virtual void flush() = 0;
  virtual bool isFirst(const Exchange& exchange) noexcept = 0;
  virtual void answered(Exchange& exchange) = 0;
  /// There is room for more of a body, or nobody wants it.
  virtual void readOn() noexcept = 0;
  /// The head of what is sent, into its lane, which it gives. `whole`: the size of all of the body, if it is known.
  virtual TextBuffer& writeHead(Exchange& exchange, std::optional<std::size_t> whole) = 0;
  /// Head and body, if it is an answer as most are; then it has ended. Else false, and nothing has happened.
  virtual bool answerWhole(Exchange&, std::string_view) { return false; }
  /// The last handle has gone before it was over.
  virtual void dropped(Exchange& exchange) noexcept = 0;
  /// Nothing else can be done for this request.
  virtual void destroy(const std::exception_ptr& error) = 0;
  /// Takes over one that nobody has any more: deletes it, or keeps it for another.
  virtual void recycle(Exchange& exchange) noexcept = 0;
  net::Socket socket;
  /// The option `joinDuplicateHeaders` of what comes.
  bool joinsDuplicates = false;
  /// One of its exchanges has been corked.
  bool corks = false;

 protected:
  explicit ExchangeOwner(net::Socket s) noexcept : socket(std::move(s)) {}
};

class Exchange : public Counted<Exchange>, public leat::detail::FrameAllocated {
 public:
  Exchange() noexcept = default;
  /// The last count gives it to its owner, who may use it for another one.
  void release() noexcept {
    if (!releaseUnlessLast()) giveBack();
  }
  /// For another one; the memory stays.
  void clear() noexcept;
  /// It has more memory than is worth keeping.
  bool isLarge() const noexcept {
    const std::size_t most = head.memory() | out.memory() | waiting.capacity();
    return Head::isMuch(special_ ? most | trailers_.memory() : most);
  }
  /// Its head has come.
  void begin(Ref<ExchangeOwner> owner) noexcept { owner_ = std::move(owner); }

  // ---- what comes: the request, or a client's answer ----

  Head head;
  BodyQueue body;
  const Head& trailers() const noexcept { return trailers_; }
  /// Takes them if there are any, and gives what it had.
  void takeTrailers(Head& from) noexcept {
    if (from.fields.empty()) return;
    std::swap(trailers_, from);
    special_ = true;
  }
  /// Made when it is first asked for.
  const AbortSignal& signal() {
    special_ = true;
    if (!controller_) controller_.emplace();
    if (gone_) controller_->abort(gone_);
    return controller_->signal();
  }
  /// The peer, or the connection, is no longer there.
  void leave(const std::exception_ptr& error) noexcept {
    lose(error);
    tellGone();
  }
  /// The same, before listeners are told.
  void lose(const std::exception_ptr& error) noexcept {
    if (gone_) return;
    special_ = true;
    gone_ = error;
    body.fail(error);
    turn_.set();
    finished_.set();
  }
  void tellGone() noexcept {
    if (controller_ && !done()) controller_->abort(gone_);
  }
  /// What the streams fail with from here on is no "error" that somebody must listen for, as in Node. Who waits is
  /// told.
  void hush() noexcept {
    special_ = quiet_ = true;
    if (reader.core != nullptr) reader.core->flags.set(leat::detail::StreamFlag::Quiet);
    if (writer.core != nullptr) writer.core->flags.set(leat::detail::StreamFlag::Quiet);
  }
  bool gone() const noexcept { return static_cast<bool>(gone_); }
  /// Why it is gone nobody has been told, and must be.
  bool untold = false;
  [[noreturn]] void throwGone() {
    untold = false;
    std::rethrow_exception(gone_);
  }
  const std::exception_ptr& whyGone() const noexcept { return gone_; }
  void dumpBody() noexcept {
    body.dump();
    owner_->readOn();
  }

  // ---- what is sent: the answer, or a client's request ----

  OutgoingMessage out;
  TextBuffer waiting;  // what was answered before its turn
  bool sentContinue = false;
  bool expectsContinue = false;
  ExchangeOwner& owner() const noexcept { return *owner_; }
  bool done() const noexcept { return out.ended(); }
  bool write(std::string_view bytes) { return put(bytes, nullptr); }
  bool write(const Buffer& bytes) { return put(bytes.view(), &bytes); }
  void end(std::string_view bytes);
  /// Until as many `uncork`, or its end, nothing is sent.
  void cork();
  void uncork();
  unsigned corked() const noexcept { return done() ? 0 : corks_; }
  void sendHead(std::optional<std::size_t> whole);
  /// Instead of what the handler would have said.
  void fail(int status);
  /// Its turn has come.
  void letGo() noexcept { turn_.set(); }
  auto turn() noexcept { return turn_.wait(); }
  /// All has been given to the socket.
  void finished() noexcept {
    sent_ = true;
    finished_.set();
  }
  bool sent() const noexcept { return sent_; }
  auto finish() noexcept { return finished_.wait(); }

  // ---- both as streams, which hold this; this holds them until the exchange is over ----

  template <class State>
  struct MadeStream {
    leat::detail::StreamCore* core = nullptr;
    State* side = nullptr;
  };
  MadeStream<leat::detail::ReadableState<Buffer>> reader;
  MadeStream<leat::detail::WritableState<Buffer>> writer;
  void keepReader(const Readable<Buffer>& stream) {
    special_ = true;
    reader = {&stream.core(), &stream.readSide()};
    if (quiet_) hush();
    if (!over()) keptReader_ = stream;
  }
  void keepWriter(const Writable<Buffer>& stream) {
    special_ = true;
    writer = {&stream.core(), &stream.writeSide()};
    if (quiet_) hush();
    if (!over()) keptWriter_ = stream;
  }
  /// If it is over.
  void dropStreams() noexcept {
    if (special_ && (keptReader_ || keptWriter_) && over()) dropKept();
  }
  LEAT_NOINLINE void dropKept() noexcept {
    const Ref<Exchange> alive(this);
    const auto readable = std::exchange(keptReader_, std::nullopt);
    const auto writable = std::exchange(keptWriter_, std::nullopt);
  }
  bool over() const noexcept { return gone() || (done() && body.over()); }

  // ---- the handles: without one nobody can answer ----

  void addHandle() noexcept { ++handles_; }
  /// With the count that it has.
  LEAT_ALWAYS_INLINE void dropHandle() noexcept {
    if (--handles_ > 0) return releaseNotLast();
    dropLastHandle();
  }
  bool handled() const noexcept { return handles_ > 0; }
  /// The socket is somebody else's.
  void handOver() noexcept { out.giveUp(); }
  /// Nobody answers any more. Whether somebody had to.
  bool abandoned() noexcept;

 private:
  LEAT_NOINLINE void giveBack() noexcept {
    if (const Ref<ExchangeOwner> owner = std::move(owner_)) {
      owner->recycle(*this);
    } else {
      delete this;
    }
  }
  LEAT_NOINLINE void dropLastHandle() noexcept {
    if (!over() || untold) owner_->dropped(*this);
    release();
  }
  void clearSpecial() noexcept;
  bool put(std::string_view bytes, const Buffer* whole);
  bool hasRoom() const noexcept { return !owner_->socket.writableNeedDrain(); }
  /// From this size on a Buffer goes to the socket as it is.
  static constexpr std::size_t large = 16 * 1024;

  Ref<ExchangeOwner> owner_;
  ManualResetEvent turn_;
  ManualResetEvent finished_;
  unsigned handles_ = 0;
  unsigned corks_ = 0;
  bool sent_ = false;
  /// Any of what follows, or of the streams, has been used: most requests do without.
  bool special_ = false;
  bool quiet_ = false;
  std::exception_ptr gone_;
  std::optional<AbortController> controller_;
  std::optional<Readable<Buffer>> keptReader_;
  std::optional<Writable<Buffer>> keptWriter_;
  Head trailers_;
};

#if LEAT_BODIES
LEAT_INLINE void Exchange::clear() noexcept {
  head.clear();
  body.clear();
  out.clear();
  waiting.clear();
  sentContinue = expectsContinue = sent_ = untold = false;
  turn_.reset();
  finished_.reset();
  if (special_) clearSpecial();
}

LEAT_INLINE void Exchange::clearSpecial() noexcept {
  special_ = quiet_ = false;
  trailers_.clear();
  reader = {};
  writer = {};
  controller_.reset();
  keptReader_.reset();
  keptWriter_.reset();
  gone_ = nullptr;
  corks_ = 0;
}
#endif

/// Some that are over, for those that come.
class SpareExchanges {
 public:
  SpareExchanges() noexcept = default;
  SpareExchanges(const SpareExchanges&) = delete;
  SpareExchanges& operator=(const SpareExchanges&) = delete;
  ~SpareExchanges() {
    while (count_ > 0) delete spares_[--count_];
  }
  Ref<Exchange> take() {
    if (count_ == 0) return leat::detail::makeRef<Exchange>();
    return Ref<Exchange>::adopt(spares_[--count_]);
  }
  /// One with a count, which nobody has.
  void put(Exchange& exchange) noexcept {
    const bool large = exchange.isLarge();
    // What it lets go may end others, which come here.
    exchange.clear();
    if (large || count_ == most) return delete &exchange;
    spares_[count_++] = &exchange;
  }

 private:
  // As many as one connection may have waiting.
  static constexpr std::size_t most = 32;
  Exchange* spares_[most];
  std::size_t count_ = 0;
};

#if LEAT_BODIES
LEAT_INLINE void Exchange::sendHead(std::optional<std::size_t> whole) {
  if (out.headWritten()) return;
  out.fixHead();
  owner_->writeHead(*this, whole);
}

LEAT_INLINE bool Exchange::put(std::string_view bytes, const Buffer* whole) {
  if (done()) throw writeAfterEnd();
  if (gone_) return false;
  sendHead(std::nullopt);
  if (bytes.empty()) {
    owner_->flushSoon();
    return hasRoom();
  }
  TextBuffer& lane = owner_->lane(*this);
  if (out.hasBody()) {
    if (whole != nullptr && bytes.size() >= large && corks_ == 0 && owner_->isFirst(*this)) {
      out.beginPiece(lane, bytes.size());
      owner_->flush();
      if (!gone_) (void)owner_->socket.write(*whole);
      out.endPiece(lane);
    } else {
      out.writePiece(lane, bytes);
    }
  }
  owner_->flushSoon();
  return hasRoom() && lane.size() < large;
}

LEAT_INLINE void Exchange::end(std::string_view bytes) {
  if (done()) {
    if (bytes.empty()) return;
    throw writeAfterEnd();
  }
  if (gone_) return out.giveUp();
  if (!out.headWritten()) {
    out.fixHead();
    if (owner_->answerWhole(*this, bytes)) return;
  }
  TextBuffer& lane =
      out.headWritten() ? owner_->lane(*this) : owner_->writeHead(*this, bytes.size());
  if (!bytes.empty() && out.hasBody()) out.writePiece(lane, bytes);
  try {
    out.end(lane);
  } catch (...) {
    // Nobody can say where the next answer begins.
    owner_->destroy(std::current_exception());
    throw;
  }
  owner_->answered(*this);
}

LEAT_INLINE void Exchange::cork() {
  // What was there before does not wait.
  if (corks_ == 0 && !done() && !gone_ && owner_->isFirst(*this)) owner_->flush();
  special_ = true;
  ++corks_;
  owner_->corks = true;
}

LEAT_INLINE void Exchange::uncork() {
  if (corks_ > 0 && --corks_ == 0 && !done() && !gone_) owner_->flushSoon();
}

LEAT_INLINE void Exchange::fail(int status) {
  if (done() || gone_) return;
  if (out.headWritten() || out.headSet()) return owner_->destroy(nullptr);
  out.fields.clear();
  out.dropTrailers();
  out.setReason({});
  out.status = status;
  out.setLast();
  end({});
}

LEAT_INLINE bool Exchange::abandoned() noexcept {
  const leat::detail::MicrotaskQueue* const queue = leat::detail::threadState.queue;
  if (queue == nullptr || queue->closing() || queue->stopped()) return false;
  if (done()) {
    // Whoever had begun to read the body is gone too, and what comes behind it waits.
    dumpBody();
    return false;
  }
  if (gone() || owner_->socket.destroyed()) return false;
  const Ref<Exchange> alive(this);
  try {
    fail(500);
  } catch (...) {
    owner_->destroy(std::current_exception());
  }
  return true;
}
#endif

/// A count of those who can answer.
class ExchangeHandle {
 public:
  ExchangeHandle() noexcept = default;
  explicit ExchangeHandle(Exchange& exchange) noexcept : exchange_(&exchange) {
    exchange.addHandle();
  }
  explicit ExchangeHandle(Ref<Exchange> exchange) noexcept : exchange_(std::move(exchange)) {
    exchange_->addHandle();
  }
  ExchangeHandle(const ExchangeHandle& other) noexcept : exchange_(other.exchange_) {
    if (exchange_) exchange_->addHandle();
  }
  ExchangeHandle(ExchangeHandle&& other) noexcept : exchange_(std::move(other.exchange_)) {}
  ExchangeHandle& operator=(ExchangeHandle other) noexcept {
    std::swap(exchange_, other.exchange_);
    return *this;
  }
  LEAT_ALWAYS_INLINE ~ExchangeHandle() {
    if (Exchange* const exchange = exchange_.leak()) exchange->dropHandle();
  }
  Exchange* operator->() const noexcept { return exchange_.get(); }
  Exchange& operator*() const noexcept { return *exchange_; }
  const Ref<Exchange>& ref() const noexcept { return exchange_; }

 private:
  Ref<Exchange> exchange_;
};

}  // namespace leat::inline LEAT_ABI::http::detail
