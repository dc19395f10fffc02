// SPDX-License-Identifier: MIT
// The listeners of one event. They stand in a block that is never changed while an emit goes through it:
// whoever adds or removes then makes a copy. So an emit calls exactly those that were there when it began,
// as in Node, and costs no more than a loop over the block.
#pragma once

#include <leat/base/listener.hpp>
#include <leat/core/frame_allocator.hpp>
#include <leat/events/event.hpp>

#include <cstddef>
#include <cstring>
#include <new>

namespace leat::inline LEAT_ABI::detail {

class EmitterBase;
class SlotBase;

/// One registration. Its callable lives as long as a block holds it, or somebody calls it.
struct ListenerRecord : Registration {
  /// The callable in the form that its slot calls; the slot knows the type.
  using Call = void (*)();

  LEAT_INLINE void off() final;
  bool active() const noexcept final { return slot != nullptr; }
  void addUse() noexcept {
    if (uses++ == 0) retain();
  }
  void dropUse() noexcept {
    if (--uses > 0) return;
    drop();
    release();
  }
  /// Lets go of the callable, which may own a handle to this.
  virtual void drop() noexcept = 0;
  /// Whether the callable is `other`; `kind` is the address that stands for the callable's type.
  virtual bool same(const void* kind, const void* other) const noexcept = 0;

  // Where it is registered; null when removed.
  EmitterBase* emitter = nullptr;
  SlotBase* slot = nullptr;
  // Without the part that removes a listener for once.
  Call plain = nullptr;
  unsigned uses = 0;
  bool once = false;
  bool fired = false;
};

struct ListenerEntry {
  ListenerRecord::Call call;
  ListenerRecord* record;
};

/// Counted by its slot and by the emits that go through it. Entries are only added to one that is in an
/// emit, behind those that the emit will call.
class ListenerBlock {
 public:
  static ListenerBlock* make(unsigned capacity) {
    return ::new (allocateFrame(bytes(capacity))) ListenerBlock(capacity);
  }
  /// A copy without the entry at `skipped` (or with all) and room for `capacity`.
  ListenerBlock* copy(unsigned wanted, unsigned skipped) const {
    ListenerBlock* made = make(wanted);
    made->name = name;
    made->born = born;
    made->warned = warned;
    for (unsigned i = 0; i < size; ++i)
      if (i != skipped) made->insert(made->size, entries()[i]);
    return made;
  }
  ListenerEntry* entries() noexcept { return reinterpret_cast<ListenerEntry*>(this + 1); }
  const ListenerEntry* entries() const noexcept {
    return reinterpret_cast<const ListenerEntry*>(this + 1);
  }
  bool pinned() const noexcept { return refs > 1; }
  void insert(unsigned at, const ListenerEntry& added) noexcept {
    std::memmove(entries() + at + 1, entries() + at, (size - at) * sizeof(ListenerEntry));
    entries()[at] = added;
    ++size;
    added.record->addUse();
  }
  void erase(unsigned at) noexcept {
    ListenerRecord* record = entries()[at].record;
    --size;
    std::memmove(entries() + at, entries() + at + 1, (size - at) * sizeof(ListenerEntry));
    record->dropUse();
  }
  void release() noexcept {
    if (--refs == 0) dispose();
  }

  unsigned refs = 1;
  unsigned size = 0;
  const unsigned capacity;
  // When the event got its first listener, among the events of the emitter.
  unsigned born = 0;
  std::string_view name;
  bool warned = false;

 private:
  explicit ListenerBlock(unsigned room) noexcept : capacity(room) {}
  static constexpr std::size_t bytes(unsigned room) noexcept {
    return sizeof(ListenerBlock) + room * sizeof(ListenerEntry);
  }
  LEAT_NOINLINE void dispose() noexcept {
    for (unsigned i = 0; i < size; ++i) entries()[i].record->dropUse();
    freeFrame(this, bytes(capacity));
  }
};

class BlockPin {
 public:
  explicit BlockPin(ListenerBlock& block) noexcept : block_(block) { ++block_.refs; }
  BlockPin(const BlockPin&) = delete;
  BlockPin& operator=(const BlockPin&) = delete;
  ~BlockPin() { block_.release(); }

 private:
  ListenerBlock& block_;
};

/// The listeners of an event, whatever its arguments are. An event without any has no block.
class SlotBase {
 public:
  SlotBase() noexcept = default;
  SlotBase(const SlotBase&) = delete;
  SlotBase& operator=(const SlotBase&) = delete;
  ~SlotBase() { clear(); }

  bool empty() const noexcept { return block_ == nullptr; }
  unsigned size() const noexcept { return block_ == nullptr ? 0 : block_->size; }
  ListenerBlock* block() const noexcept { return block_; }
  /// The newest listener with this callable, or null.
  ListenerRecord* find(const void* kind, const void* callable) const noexcept;
  unsigned count(const void* kind, const void* callable) const noexcept;

  void add(EmitterBase& emitter, ListenerRecord& record, ListenerRecord::Call call, bool front);
  void take(ListenerRecord& record);
  /// Takes all of them.
  void clear() noexcept;

 private:
  friend class EmitterBase;
  ListenerBlock* block_ = nullptr;
};

/// The listeners of an event whose arguments are passed as these.
template <class... Passed>
class ListenerSlot : public SlotBase {
 public:
  /// Calls the listener at `first` and those behind it that have the same Call, up to `end`: many of one closure
  /// type are one loop without a call through a pointer for each. Gives the entry behind them.
  using Call = const ListenerEntry* (*)(const ListenerEntry* first, const ListenerEntry* end,
                                        Passed...);

  /// Calls one listener, registered or not.
  static void callOne(ListenerRecord& record, ListenerRecord::Call call, Passed... args) {
    const ListenerEntry alone{call, &record};
    (void)reinterpret_cast<Call>(call)(&alone, &alone + 1, static_cast<Passed>(args)...);
  }

  /// False when there are none. Throws: what a listener throws, and those behind it are not called.
  LEAT_ALWAYS_INLINE bool emit(Passed... args) const {
    ListenerBlock* const listeners = block();
    if (listeners == nullptr) return false;
    const BlockPin pin(*listeners);
    const ListenerEntry* entry = listeners->entries();
    const ListenerEntry* const end = entry + listeners->size;
    do {
      entry = reinterpret_cast<Call>(entry->call)(entry, end, static_cast<Passed>(args)...);
    } while (entry != end);
    return true;
  }
};

#if LEAT_BODIES
LEAT_INLINE ListenerRecord* SlotBase::find(const void* kind, const void* callable) const noexcept {
  for (unsigned i = size(); i > 0; --i) {
    ListenerRecord* record = block_->entries()[i - 1].record;
    if (record->same(kind, callable)) return record;
  }
  return nullptr;
}

LEAT_INLINE unsigned SlotBase::count(const void* kind, const void* callable) const noexcept {
  unsigned found = 0;
  for (unsigned i = 0; i < size(); ++i)
    if (block_->entries()[i].record->same(kind, callable)) ++found;
  return found;
}

LEAT_INLINE void SlotBase::add(EmitterBase& emitter, ListenerRecord& record,
                               ListenerRecord::Call call, bool front) {
  const unsigned count = size();
  if (block_ == nullptr) {
    block_ = ListenerBlock::make(1);
  } else if (count == block_->capacity || (front && block_->pinned())) {
    ListenerBlock* grown = block_->copy(count < 2 ? 4 : count * 2, count);
    std::exchange(block_, grown)->release();
  }
  block_->insert(front ? 0 : count, ListenerEntry{call, &record});
  record.emitter = &emitter;
  record.slot = this;
}

LEAT_INLINE void SlotBase::take(ListenerRecord& record) {
  unsigned at = 0;
  while (block_->entries()[at].record != &record) ++at;
  record.slot = nullptr;
  record.emitter = nullptr;
  // The callable goes last: its destructor may come back here.
  if (block_->size == 1) return std::exchange(block_, nullptr)->release();
  ListenerBlock* const before = block_;
  if (before->pinned()) block_ = before->copy(before->size, at);
  // Down to one Node keeps no list, and forgets that it has warned.
  if (before->size == 2) block_->warned = false;
  if (block_ == before) return before->erase(at);
  before->release();
}

LEAT_INLINE void SlotBase::clear() noexcept {
  ListenerBlock* all = std::exchange(block_, nullptr);
  if (all == nullptr) return;
  for (unsigned i = 0; i < all->size; ++i) {
    ListenerRecord& record = *all->entries()[i].record;
    record.slot = nullptr;
    record.emitter = nullptr;
  }
  all->release();
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
