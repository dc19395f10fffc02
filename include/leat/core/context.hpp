// SPDX-License-Identifier: MIT
// What flows down through awaits and callbacks without being passed: the ambient abort signal and the
// stores of AsyncLocalStorage. A context is immutable and counted atomically; none at all is a null
// pointer and costs a comparison.
#pragma once

#include <leat/base/list.hpp>
#include <leat/base/ref.hpp>
#include <leat/core/resume.hpp>

#include <exception>
#include <new>

namespace leat::inline LEAT_ABI::detail {

/// Who wants to know of an abort. Called once, on the thread that aborts, and unlinked before.
struct AbortListener : ListNode {
  explicit AbortListener(void (*function)(AbortListener&) noexcept) noexcept : notify(function) {}
  void (*notify)(AbortListener&) noexcept;
};

/// What the handles of a signal share. The flag may be read on any thread; all else belongs to the
/// thread of the controller.
struct AbortState : SharedCounted<AbortState> {
  using Dispose = void (*)(AbortState&) noexcept;
  ~AbortState() {
    if (dispose != nullptr) dispose(*this);
  }

  Atomic<unsigned char> aborted{0};
  std::exception_ptr reason;
  // Signals that follow this one are told after all of its listeners, as in Node.
  List<AbortListener> listeners;
  List<AbortListener> followers;
  // What a timeout or a combined signal keeps; freed by `dispose`.
  void* source = nullptr;
  Dispose dispose = nullptr;
};

/// A store of AsyncLocalStorage, type-erased.
struct StoreBase : SharedCounted<StoreBase> {
  virtual ~StoreBase() = default;
};

/// Identity of an AsyncLocalStorage, counted so that an address is not used again while in a context.
struct StoreKey : SharedCounted<StoreKey> {};

class ContextNode {
 public:
  /// A copy of `base` (which may be null) with another signal or none. Null when nothing is left.
  static Ref<ContextNode> withSignal(const ContextNode* base, Ref<AbortState> signal);
  /// A copy of `base` in which `key` has `value`; a null value removes it. Null when nothing is left.
  static Ref<ContextNode> withStore(const ContextNode* base, StoreKey* key, Ref<StoreBase> value);

  void retain() noexcept { count_.fetchAdd(1, relaxed); }
  void release() noexcept {
    if (count_.fetchSub(1, acqRel) == 1) dispose();
  }
  AbortState* signal() const noexcept { return signal_.get(); }
  StoreBase* find(const StoreKey* key) const noexcept;

 private:
  struct Entry {
    Ref<StoreKey> key;
    Ref<StoreBase> value;
  };
  ContextNode() noexcept = default;
  static ContextNode* allocate(std::size_t entries);
  void dispose() noexcept;
  Entry* entries() noexcept { return reinterpret_cast<Entry*>(this + 1); }
  const Entry* entries() const noexcept { return reinterpret_cast<const Entry*>(this + 1); }
  void add(const Ref<StoreKey>& key, const Ref<StoreBase>& value) {
    ::new (static_cast<void*>(entries() + size_++)) Entry{key, value};
  }

  Atomic<unsigned> count_{1};
  unsigned size_ = 0;
  Ref<AbortState> signal_;
};

using ContextRef = Ref<ContextNode>;

/// The context of what runs now.
inline ContextRef currentContext() noexcept { return ContextRef(threadState.context); }
inline AbortState* ambientSignal() noexcept {
  return threadState.context == nullptr ? nullptr : threadState.context->signal();
}
/// Replaces the context of what runs now and gives the one before.
inline ContextRef swapContext(ContextRef next) noexcept {
  return ContextRef::adopt(std::exchange(threadState.context, next.leak()));
}

/// Makes `context` current until the end of the block, whatever replaces it meanwhile.
class ContextScope {
 public:
  explicit ContextScope(ContextRef context) noexcept
      : saved_(std::exchange(threadState.context, context.leak())) {}
  ContextScope(const ContextScope&) = delete;
  ContextScope& operator=(const ContextScope&) = delete;
  ~ContextScope() {
    ContextNode* mine = std::exchange(threadState.context, saved_);
    if (mine != nullptr) mine->release();
  }

 private:
  ContextNode* saved_;
};

/// A coroutine that waits, with the context that it will go on in.
class Continuation {
 public:
  void capture(std::coroutine_handle<> handle) noexcept {
    handle_ = handle;
    context_ = currentContext();
  }
  /// Goes on from an entry of the loop; the caller's context is restored after.
  void resume() noexcept {
    ContextScope scope(std::move(context_));
    run(handle_);
  }
  /// The same from a job of the queues, whose drain is a RunScope.
  void resumeFromQueue() noexcept {
    ContextScope scope(std::move(context_));
    runInScope(handle_);
  }
  std::coroutine_handle<> handle() const noexcept { return handle_; }

 private:
  std::coroutine_handle<> handle_;
  ContextRef context_;
};

inline ContextNode* ContextNode::allocate(std::size_t entries) {
  static_assert(alignof(Entry) <= alignof(ContextNode));
  void* block = ::operator new(sizeof(ContextNode) + entries * sizeof(Entry));
  return ::new (block) ContextNode;
}

inline void ContextNode::dispose() noexcept {
  for (unsigned i = 0; i < size_; ++i) entries()[i].~Entry();
  this->~ContextNode();
  ::operator delete(this);
}

inline ContextRef ContextNode::withSignal(const ContextNode* base, Ref<AbortState> signal) {
  const unsigned size = base == nullptr ? 0 : base->size_;
  if (size == 0 && !signal) return nullptr;
  ContextNode* node = allocate(size);
  node->signal_ = std::move(signal);
  for (unsigned i = 0; i < size; ++i) node->add(base->entries()[i].key, base->entries()[i].value);
  return ContextRef::adopt(node);
}

inline ContextRef ContextNode::withStore(const ContextNode* base, StoreKey* key,
                                         Ref<StoreBase> value) {
  const unsigned size = base == nullptr ? 0 : base->size_;
  ContextNode* node = allocate(size + 1);
  ContextRef result = ContextRef::adopt(node);
  if (base != nullptr) node->signal_ = base->signal_;
  for (unsigned i = 0; i < size; ++i) {
    const Entry& entry = base->entries()[i];
    if (entry.key.get() != key) node->add(entry.key, entry.value);
  }
  if (value) node->add(Ref<StoreKey>(key), value);
  if (node->size_ == 0 && !node->signal_) return nullptr;
  return result;
}

inline StoreBase* ContextNode::find(const StoreKey* key) const noexcept {
  for (unsigned i = 0; i < size_; ++i)
    if (entries()[i].key.get() == key) return entries()[i].value.get();
  return nullptr;
}

}  // namespace leat::inline LEAT_ABI::detail
