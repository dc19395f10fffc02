// SPDX-License-Identifier: MIT
// The writing side of files under streams. Node: the WriteStream of lib/internal/fs/streams.js.
#pragma once

#include <leat/fs/detail/stream_file.hpp>
#include <leat/fs/detail/write_queue.hpp>

namespace leat::inline LEAT_ABI::detail {

/// When the stream is told that its chunk is written.
enum class WriteTold { Already, WhenTaken, WhenWritten };

struct FileWriteState : StreamCore, WritableState<Buffer>, WriteRoom, private Job {
  explicit FileWriteState(const fs::WriteStreamOptions& options)
      : StreamCore(writeStreamOps, options.emitClose, options.autoClose),
        WritableState<Buffer>(static_cast<StreamCore&>(*this), options.highWaterMark),
        Job(onTurn),
        queue(makeRef<WriteQueue>(static_cast<WriteRoom&>(*this))) {
    this->attach(nullptr, this);
    this->hasWritev = true;
    file.position = options.start;
  }
  ~FileWriteState() override { queue->leave(); }
  void took(std::size_t count) noexcept {
    file.bytes += count;
    if (file.position != fs::currentPosition) file.position += static_cast<std::int64_t>(count);
  }
  /// Those that a worker has written and not told of, too.
  std::uint64_t bytesWritten() const noexcept { return file.bytes + queue->written(); }
  LEAT_INLINE void roomCame() final;
  /// Begins to write what waits, unless that is going on.
  virtual void startWriting() = 0;
  /// The same in company with what comes until then, when there is enough or a turn brings no more: a
  /// worker that is called for each chunk costs more than it saves.
  void gather();

  StreamFile file;
  // What is to be written next, while a worker is at what came before.
  const Ref<WriteQueue> queue;
  WriteTold told = WriteTold::Already;
  bool gathering = false;

 private:
  static void onTurn(Job& job, JobAction action) noexcept;
  std::size_t gathered_ = 0;
  Ref<StreamCore> kept_;
};

/// Writes what waits until there is nothing more.
LEAT_ON_USE
Promise<> writeStreamFile(Ref<StreamCore> stream, FileWriteState& state);

#if LEAT_BODIES
LEAT_INLINE void FileWriteState::roomCame() {
  if (told != WriteTold::WhenTaken) return;
  told = WriteTold::Already;
  const Ref<StreamCore> alive(this);
  this->onWrite(nullptr);
}

LEAT_INLINE void FileWriteState::gather() {
  if (gathering || std::exchange(file.busy, true)) return;
  gathering = true;
  gathered_ = queue->waiting();
  if (kept_) return;
  kept_ = Ref<StreamCore>(this);
  EventLoop::current().pushPending(*this);
}

LEAT_INLINE void FileWriteState::onTurn(Job& job, JobAction action) noexcept {
  auto& self = static_cast<FileWriteState&>(job);
  const Ref<StreamCore> alive = std::move(self.kept_);
  if (action != JobAction::Run || !self.gathering) return;
  const std::size_t waiting = self.queue->waiting();
  if (std::exchange(self.gathered_, waiting) == waiting) return self.startWriting();
  self.kept_ = alive;
  EventLoop::current().pushPending(self);
}

LEAT_ON_USE_BODY
Promise<> writeStreamFile(Ref<StreamCore> stream, FileWriteState& state) {
  StreamFile& file = state.file;
  std::exception_ptr error;
  if (stream->destroyed()) error = streamDestroyed("write");
  while (!error && !state.queue->empty()) {
    try {
      auto job = makeRef<WriteFileJob>(file.handle->state(), file.position, state.queue);
      fs::Operation<bool> writing(Ref<FileJob<bool>>(std::move(job)), SignalRef());
      const bool stuck = co_await std::move(writing);
      if (stuck)
        error = streamError(
            SharedText({"write failed: the system takes none of the bytes for '", file.path, "'"})
                .view(),
            "ERR_SYSTEM_ERROR");
    } catch (...) {
      error = std::current_exception();
    }
    state.took(state.queue->settle());
    if (!error && stream->destroyed()) error = streamDestroyed("write");
  }
  state.queue->clear();
  const bool waited = std::exchange(state.told, WriteTold::Already) != WriteTold::Already;
  const bool gone = stream->destroyed();
  if (!gone) file.busy = false;
  if (state.behind()) state.endBehind(waited ? nullptr : error);
  if (waited) state.onWrite(error);
  if (gone) (void)streamFileIdle(*stream, file, nullptr);
}

template <class = void>
class FileWriteStream final : public FileWriteState, private DirectSink {
 public:
  FileWriteStream(std::string_view path, std::optional<fs::FileHandle> handle,
                  const fs::WriteStreamOptions& options)
      : FileWriteState(options) {
    file.path = path;
    file.flags = options.flags;
    file.mode = options.mode;
    file.flush = options.flush;
    file.handle = std::move(handle);
    if (AbortState* signal = options.signal.state())
      this->abortBy(AbortSignal(Ref<AbortState>(signal)));
    // Nothing is opened, and emptied, for a signal that is aborted.
    if (!this->destroyed()) this->startConstruction();
  }

 private:
  void callConstruct() override {
    if (file.handle) return StreamCore::onConstructed(nullptr);
    (void)openStreamFile(Ref<StreamCore>(this), file);
  }
  bool callWrite(Buffer&& chunk) override {
    constexpr std::size_t enough = WriteQueue::most / 2;
    // Where nobody sees when a chunk is written, the next may come meanwhile.
    const bool unseen = this->feeder != nullptr && this->feeder->alone();
    const std::size_t waiting = queue->put(std::move(chunk), unseen);
    const bool room = unseen && waiting < WriteQueue::most;
    if (!room) told = unseen ? WriteTold::WhenTaken : WriteTold::WhenWritten;
    if (unseen && !this->behind()) this->beginBehind();
    if (unseen && waiting < enough) {
      this->gather();
    } else {
      this->startWriting();
    }
    return room;
  }
  void callWritev(std::vector<Buffer>&& chunks) override {
    for (Buffer& each : chunks) (void)queue->put(std::move(each));
    told = WriteTold::WhenWritten;
    this->startWriting();
  }
  void startWriting() override {
    if (std::exchange(file.busy, true) && !gathering) return;
    gathering = false;
    (void)writeStreamFile(Ref<StreamCore>(this), *this);
  }
  void callFinal() override {}
  DirectSink* directSink() noexcept override { return this; }
  Owned<DirectTaker> beginTaking() override {
    if (!file.handle || file.handle->fd() < 0) return nullptr;
    auto taker = makeOwned<FileTaker>(file.handle->state(), file.position);
    file.busy = true;
    return taker;
  }
  void endTaking(std::size_t count, ssize_t) override {
    this->took(count);
    (void)streamFileIdle(*this, file, nullptr);
  }
  void callDestroy(std::exception_ptr error) override {
    queue->stop();
    destroyStreamFile(*this, file, std::move(error));
  }
  void letGo() noexcept override {
    const Ref<StreamCore> alive(this);
    file.openSlot.clear();
    file.readySlot.clear();
    WritableState<Buffer>::letGo();
    StreamCore::dropListeners();
  }
};
#endif

}  // namespace leat::inline LEAT_ABI::detail
