// SPDX-License-Identifier: MIT
// Listeners of the process and of its signals, with Node's rules of adding and removing during an emit.
#pragma once

#include <leat/base/listener.hpp>
#include <leat/core/callback.hpp>
#include <leat/loop/event_loop.hpp>

#include <optional>
#include <vector>

namespace leat::inline LEAT_ABI {

namespace detail {

template <class F, class... All>
auto keepWithout(F&& f) {
  static_assert(std::is_invocable_v<std::decay_t<F>&>,
                "a listener takes the arguments of its event, or fewer of them from the left");
  return [kept = keepCallback<>(std::forward<F>(f))](const All&...) mutable { (void)kept(); };
}

/// `f` in the form in which a list keeps it: it may take fewer arguments than the event has.
template <class A, class F>
auto keepListener(std::type_identity<void(A)>, F&& f) {
  if constexpr (std::is_invocable_v<std::decay_t<F>&, const A&>) {
    return keepCallback<const A&>(std::forward<F>(f));
  } else {
    return keepWithout<F, A>(std::forward<F>(f));
  }
}
template <class A, class B, class F>
auto keepListener(std::type_identity<void(A, B)>, F&& f) {
  if constexpr (std::is_invocable_v<std::decay_t<F>&, const A&, const B&>) {
    return keepCallback<const A&, const B&>(std::forward<F>(f));
  } else if constexpr (std::is_invocable_v<std::decay_t<F>&, const A&>) {
    return [kept = keepCallback<const A&>(std::forward<F>(f))](const A& a, const B&) mutable {
      (void)kept(a);
    };
  } else {
    return keepWithout<F, A, B>(std::forward<F>(f));
  }
}

/// The part of a listener that does not depend on the arguments. Held by its list and by handles.
struct ListenerBase : ListNode, Registration {
  using Removed = void (*)(void* owner, int tag) noexcept;

  explicit ListenerBase(bool once) : home(EventLoop::current().ref()), onlyOnce(once) {}
  /// Throws: Error ERR_WRONG_THREAD.
  LEAT_INLINE void off() override;
  bool active() const noexcept override { return linked(); }
  /// Leaves its list, and tells the list's owner.
  void remove() noexcept {
    if (!linked()) return;
    const Ref<ListenerBase> listsOwn = Ref<ListenerBase>::adopt(this);
    unlink();
    if (removed != nullptr) removed(owner, tag);
    letGo();
  }
  /// Removed, and in no emit any more, it lets go of its callable, which may own a handle to it.
  void letGo() noexcept {
    if (!linked() && emits == 0) drop();
  }
  virtual void drop() noexcept = 0;

  const LoopRef home;
  ContextRef context = currentContext();
  Removed removed = nullptr;
  void* owner = nullptr;
  int tag = 0;
  // Those that will still call it.
  unsigned emits = 0;
  const bool onlyOnce;
  bool called = false;
};

/// The listeners of one event. Lives as long as the loop, or shorter.
template <class... Args>
class ListenerList {
 public:
  ListenerList() noexcept = default;
  ~ListenerList() {
    while (!listeners_.empty()) {
      const auto listener = Ref<Node>::adopt(&listeners_.popFront());
      listener->letGo();
    }
  }

  bool empty() const noexcept { return listeners_.empty(); }
  std::size_t size() const noexcept { return listeners_.size(); }

  /// The list holds a count of its own.
  template <class F>
  Ref<ListenerBase> add(F&& f, bool once) {
    auto kept = keepListener(std::type_identity<void(Args...)>(), std::forward<F>(f));
    auto* node = new NodeWith<decltype(kept)>(std::move(kept), once);
    listeners_.pushBack(*node);
    return Ref<ListenerBase>(node);
  }
  /// Calls those that were there at the start, in order. False when there was none.
  /// Throws: what a listener throws, and then those behind it are not called.
  bool emit(const Args&... args) {
    if (listeners_.empty()) return false;
    const Present present(listeners_);
    for (const Ref<Node>& node : present.nodes) {
      if (node->onlyOnce) {
        if (std::exchange(node->called, true)) continue;
        node->remove();
      }
      ContextScope scope(node->context);
      node->call(args...);
    }
    return true;
  }
  void removeAll() noexcept {
    while (!listeners_.empty()) listeners_.back().remove();
  }

 private:
  struct Node : ListenerBase {
    using ListenerBase::ListenerBase;
    virtual void call(const Args&... args) = 0;
  };
  template <class F>
  struct NodeWith final : Node {
    NodeWith(F&& f, bool once) : Node(once), callable(std::move(f)) {}
    void call(const Args&... args) override { (void)(*callable)(args...); }
    void drop() noexcept override {
      [[maybe_unused]] const std::optional<F> last = std::move(callable);
      callable.reset();
    }
    std::optional<F> callable;
  };
  /// Those that an emit calls, whatever is removed meanwhile.
  struct Present {
    explicit Present(List<Node>& listeners) {
      for (Node* node = listeners.first(); node != nullptr; node = listeners.after(*node)) {
        nodes.emplace_back(node);
        ++node->emits;
      }
    }
    ~Present() {
      for (const Ref<Node>& node : nodes) {
        --node->emits;
        node->letGo();
      }
    }
    std::vector<Ref<Node>> nodes;
  };

  List<Node> listeners_;
};

#if LEAT_BODIES
LEAT_INLINE void ListenerBase::off() {
  if (!home.alive()) return;
  if (!home.isCurrent())
    throwError(
        "a listener was removed on a thread that does not run its event loop; use LoopRef::post to "
        "go there",
        "ERR_WRONG_THREAD");
  remove();
}
#endif

}  // namespace detail

}  // namespace leat::inline LEAT_ABI
