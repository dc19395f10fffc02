// SPDX-License-Identifier: MIT
// What every emitter has, whatever its events are: the limit that warns of leaks, the capture of
// rejections, and an anchor that tells those who come later whether it is still there.
#pragma once

#include <leat/base/function.hpp>
#include <leat/core/callback.hpp>
#include <leat/core/out_of_range.hpp>
#include <leat/core/promise_then.hpp>
#include <leat/events/detail/listeners.hpp>
#include <leat/loop/warn.hpp>

#include <vector>

namespace leat::inline LEAT_ABI {

namespace detail {

LEAT_API inline constinit Atomic<int> defaultMaxListenersValue{10};
LEAT_API inline constinit Atomic<bool> defaultCaptureRejections{false};

/// Of an emitter without the types of its events.
struct EmitterOps {
  std::string_view kind;
  /// Throws: `error` itself when nobody listens, or when there is no such event.
  void (*emitError)(EmitterBase&, const std::exception_ptr& error);
  /// The listener is gone, and so is perhaps the last one of its event.
  void (*removed)(EmitterBase&, SlotBase&, std::string_view name, const Listener&);
};

struct EmitterAnchor : Counted<EmitterAnchor> {
  using Rejection = Function<void(const std::exception_ptr&, std::string_view)>;
  explicit EmitterAnchor(EmitterBase& e) noexcept : emitter(&e) {}
  bool present() const noexcept { return emitter != nullptr; }
  EmitterBase* emitter;
  Ref<CallbackBlock<Rejection>> onRejection;
  // Told, as the last act, when listeners have come or gone. It may destroy the emitter.
  void (*changed)(EmitterBase&) noexcept = nullptr;
};

}  // namespace detail

/// Options of an emitter.
struct EmitterOptions {
  /// What a coroutine that listens throws goes to `error`, or to `onRejection`.
  bool captureRejections = detail::defaultCaptureRejections.load(detail::relaxed);
};

namespace detail {

class EmitterBase {
 public:
  EmitterBase(const EmitterBase&) = delete;
  EmitterBase& operator=(const EmitterBase&) = delete;

  /// How many listeners an event may have before a warning tells of a leak, once per event; 0: as many as
  /// come. Node: `setMaxListeners`. Throws: RangeError ERR_OUT_OF_RANGE.
  void setMaxListeners(int count);
  int getMaxListeners() const noexcept {
    return maxListeners_ < 0 ? defaultMaxListenersValue.load(relaxed) : maxListeners_;
  }
  bool captureRejections() const noexcept { return capture_; }
  /// Takes the place of `error` for captured rejections: `f(error, event)`, in a tick.
  /// Node: `emitter[Symbol.for('nodejs.rejection')]`.
  template <class F>
  void onRejection(F&& f) {
    anchor()->onRejection = makeRef<CallbackBlock<EmitterAnchor::Rejection>>(std::forward<F>(f));
  }

  /// Internal: tells whether this is still there.
  const Ref<EmitterAnchor>& anchor() {
    if (!anchor_) anchor_ = makeRef<EmitterAnchor>(*this);
    return anchor_;
  }
  /// Internal: a listener leaves. Throws: what listeners for "removeListener" throw.
  void remove(ListenerRecord& record);
  /// Internal: a captured rejection, in a tick of its own.
  static void rejected(EmitterAnchor& anchor, const std::exception_ptr& error,
                       std::string_view event);

 protected:
  EmitterBase(const EmitterOps& ops, EmitterOptions options) noexcept
      : ops_(&ops), capture_(options.captureRejections) {}
  ~EmitterBase() { end(); }
  /// The first thing in the destructor of a derived class.
  void end() noexcept {
    if (anchor_) anchor_->emitter = nullptr;
    anchor_ = nullptr;
  }
  /// After the listeners for "newListener" have been told.
  void add(SlotBase& slot, ListenerRecord& record, ListenerRecord::Call call, bool front,
           std::string_view name);
  /// Newest first when somebody listens for "removeListener", else all at once.
  void removeAll(SlotBase& slot, bool told);

 private:
  /// `anchor` was taken before the change, which may have ended the emitter.
  static void noteChange(const Ref<EmitterAnchor>& anchor) noexcept {
    if (anchor && anchor->changed != nullptr && anchor->emitter != nullptr)
      anchor->changed(*anchor->emitter);
  }
  void warnOfLeak(ListenerBlock& block);

  const EmitterOps* ops_;
  Ref<EmitterAnchor> anchor_;
  int maxListeners_ = -1;
  unsigned lastBorn_ = 0;
  bool capture_;
};

/// Tells whether an emitter has outlived a call of its listeners.
class Survival {
 public:
  explicit Survival(EmitterBase& emitter) : anchor_(emitter.anchor()) {}
  explicit operator bool() const noexcept { return anchor_->emitter != nullptr; }

 private:
  Ref<EmitterAnchor> anchor_;
};

/// The handle of a listener whose emitter went before it could be added. Its callable may own the handle.
inline Listener neverAdded(ListenerRecord& record, Listener handle) noexcept {
  record.drop();
  return handle;
}

/// A Survival of an emitter that is an object; a handle keeps its own.
template <class E>
auto survivalOf(E& emitter) {
  if constexpr (std::is_base_of_v<EmitterBase, E>) {
    return Survival(emitter);
  } else {
    return true;
  }
}

inline void emitLeakWarning(std::string text) {
  warnLater("MaxListenersExceededWarning", std::move(text));
}

LEAT_INLINE void checkMaxListeners(int count);

/// Puts an event that somebody listens to among others of its emitter, in the order in which that began.
LEAT_INLINE void noteHeard(std::vector<SlotBase*>& found, SlotBase& slot);
LEAT_INLINE std::vector<std::string_view> namesOf(const std::vector<SlotBase*>& slots);

#if LEAT_BODIES
LEAT_INLINE void checkMaxListeners(int count) {
  if (count >= 0) return;
  throwOutOfRange("setMaxListeners", ">= 0", IntegerText(count));
}

LEAT_INLINE void noteHeard(std::vector<SlotBase*>& found, SlotBase& slot) {
  if (slot.empty()) return;
  auto at = found.end();
  while (at != found.begin() && (*(at - 1))->block()->born > slot.block()->born) --at;
  found.insert(at, &slot);
}

LEAT_INLINE std::vector<std::string_view> namesOf(const std::vector<SlotBase*>& slots) {
  std::vector<std::string_view> names;
  for (const SlotBase* each : slots) names.push_back(each->block()->name);
  return names;
}

LEAT_INLINE void EmitterBase::setMaxListeners(int count) {
  checkMaxListeners(count);
  maxListeners_ = count;
}

LEAT_INLINE void EmitterBase::add(SlotBase& slot, ListenerRecord& record, ListenerRecord::Call call,
                                  bool front, std::string_view name) {
  const bool first = slot.empty();
  slot.add(*this, record, call, front);
  ListenerBlock& block = *slot.block();
  if (first) {
    block.name = name;
    block.born = ++lastBorn_;
    return noteChange(Ref<EmitterAnchor>(anchor_));
  }
  const int most = getMaxListeners();
  if (most > 0 && block.size > static_cast<unsigned>(most) && !block.warned) warnOfLeak(block);
  noteChange(Ref<EmitterAnchor>(anchor_));
}

LEAT_INLINE void EmitterBase::removeAll(SlotBase& slot, bool told) {
  if (slot.empty()) return;
  if (!told) {
    const Ref<EmitterAnchor> anchor = anchor_;
    slot.clear();
    return noteChange(anchor);
  }
  // The block stays as it is; its listeners are there or not.
  ListenerBlock& block = *slot.block();
  const BlockPin pin(block);
  for (unsigned i = block.size; i > 0; --i) block.entries()[i - 1].record->off();
}

LEAT_INLINE void EmitterBase::warnOfLeak(ListenerBlock& block) {
  block.warned = true;
  std::string text = "Possible EventEmitter memory leak detected. ";
  text.append(std::to_string(block.size)).append(" ").append(block.name);
  text.append(" listeners added to [").append(ops_->kind).append("]. MaxListeners is ");
  text.append(std::to_string(getMaxListeners()));
  emitLeakWarning(text.append(". Use emitter.setMaxListeners() to increase limit"));
}

LEAT_INLINE void EmitterBase::remove(ListenerRecord& record) {
  SlotBase& slot = *record.slot;
  const std::string_view name = slot.block()->name;
  const Listener handle{Ref<Registration>(&record)};
  // The callable may own the emitter: it goes when all is done.
  record.addUse();
  struct DropUse {
    ~DropUse() { record.dropUse(); }
    ListenerRecord& record;
  } const use{record};
  slot.take(record);
  // Also when a listener for "removeListener" throws.
  struct NoteChange {
    ~NoteChange() { noteChange(anchor); }
    const Ref<EmitterAnchor> anchor;
  } const note{anchor_};
  ops_->removed(*this, slot, name, handle);
}

LEAT_INLINE void ListenerRecord::off() {
  if (slot != nullptr) emitter->remove(*this);
}

LEAT_INLINE void EmitterBase::rejected(EmitterAnchor& anchor, const std::exception_ptr& error,
                                       std::string_view event) {
  if (anchor.emitter == nullptr) std::rethrow_exception(error);
  // It may put another in its own place.
  if (const auto handler = anchor.onRejection; handler && handler->callable)
    return handler->callable(error, event);
  EmitterBase& self = *anchor.emitter;
  // An `error` listener that rejects too would go round in a circle.
  struct CaptureOff {
    explicit CaptureOff(EmitterAnchor& a) noexcept
        : anchor(a), before(std::exchange(a.emitter->capture_, false)) {}
    ~CaptureOff() {
      if (anchor.emitter != nullptr) anchor.emitter->capture_ = before;
    }
    EmitterAnchor& anchor;
    const bool before;
  } const off(anchor);
  self.ops_->emitError(self, error);
}
#endif

}  // namespace detail
}  // namespace leat::inline LEAT_ABI
