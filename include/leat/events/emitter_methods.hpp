// SPDX-License-Identifier: MIT
// Both forms of the methods of an emitter whose events the compiler knows, `on<"name">(f)` and
// `on("name"_e, f)`, for handles: copies of a handle are the same emitter.
#pragma once

#include <leat/events/typed_emitter.hpp>

namespace leat::inline LEAT_ABI::detail {

/// Base of `Self`, which has, of a const handle:
///   template <FixedString name, bool once, bool front, class F> Listener attach(F&&) const;
///   template <FixedString name> const auto& eventSlot() const;  // derives from SlotBase, has `Handle`
///   template <FixedString name> void clearEvent() const;
///   void clearEvents() const;
template <class Self>
class EmitterMethods {
 public:
  using LoopBound = void;
  using EmitterKind = TypedEmitterKind;

  template <FixedString name, class F>
  Listener on(F&& listener) const {
    return self().template attach<name, false, false>(std::forward<F>(listener));
  }
  template <FixedString name, class F>
  Listener on(EventName<name>, F&& listener) const {
    return self().template attach<name, false, false>(std::forward<F>(listener));
  }
  template <FixedString name, class F>
  Listener addListener(F&& listener) const {
    return self().template attach<name, false, false>(std::forward<F>(listener));
  }
  template <FixedString name, class F>
  Listener addListener(EventName<name>, F&& listener) const {
    return self().template attach<name, false, false>(std::forward<F>(listener));
  }
  template <FixedString name, class F>
  Listener once(F&& listener) const {
    return self().template attach<name, true, false>(std::forward<F>(listener));
  }
  template <FixedString name, class F>
  Listener once(EventName<name>, F&& listener) const {
    return self().template attach<name, true, false>(std::forward<F>(listener));
  }
  template <FixedString name, class F>
  Listener prependListener(F&& listener) const {
    return self().template attach<name, false, true>(std::forward<F>(listener));
  }
  template <FixedString name, class F>
  Listener prependListener(EventName<name>, F&& listener) const {
    return self().template attach<name, false, true>(std::forward<F>(listener));
  }
  template <FixedString name, class F>
  Listener prependOnceListener(F&& listener) const {
    return self().template attach<name, true, true>(std::forward<F>(listener));
  }
  template <FixedString name, class F>
  Listener prependOnceListener(EventName<name>, F&& listener) const {
    return self().template attach<name, true, true>(std::forward<F>(listener));
  }
  /// Node's `on("name", f)`: here the compiler knows the names, and says so.
  template <class F>
  Listener on(std::string_view, F&&) const {
    return nameAtRunTime<F>();
  }
  template <class F>
  Listener once(std::string_view, F&&) const {
    return nameAtRunTime<F>();
  }

  template <FixedString name, class F>
  void off(const F& listener) const {
    if (ListenerRecord* found = findListener(self().template eventSlot<name>(), listener))
      found->off();
  }
  template <FixedString name, class F>
  void off(EventName<name>, const F& listener) const {
    this->template off<name>(listener);
  }
  template <FixedString name, class F>
  void removeListener(const F& listener) const {
    this->template off<name>(listener);
  }
  template <FixedString name, class F>
  void removeListener(EventName<name>, const F& listener) const {
    this->template off<name>(listener);
  }
  template <FixedString name>
  void removeAllListeners() const {
    self().template clearEvent<name>();
  }
  template <FixedString name>
  void removeAllListeners(EventName<name>) const {
    self().template clearEvent<name>();
  }
  void removeAllListeners() const { self().clearEvents(); }

  template <FixedString name>
  std::size_t listenerCount() const {
    return self().template eventSlot<name>().size();
  }
  template <FixedString name>
  std::size_t listenerCount(EventName<name>) const {
    return self().template eventSlot<name>().size();
  }
  /// How many of them equal this one.
  template <FixedString name, class F>
  std::size_t listenerCount(const F& listener) const {
    return countListeners(self().template eventSlot<name>(), listener);
  }
  template <FixedString name, class F>
  std::size_t listenerCount(EventName<name>, const F& listener) const {
    return countListeners(self().template eventSlot<name>(), listener);
  }
  /// Copies; call them, or remove them by `off()`.
  template <FixedString name>
  auto listeners() const {
    return handlesOf(self().template eventSlot<name>(), false);
  }
  template <FixedString name>
  auto listeners(EventName<name>) const {
    return handlesOf(self().template eventSlot<name>(), false);
  }
  /// Those for once remove themselves when called. Node: `rawListeners`.
  template <FixedString name>
  auto rawListeners() const {
    return handlesOf(self().template eventSlot<name>(), true);
  }
  template <FixedString name>
  auto rawListeners(EventName<name>) const {
    return handlesOf(self().template eventSlot<name>(), true);
  }

 private:
  template <class Slot>
  static auto handlesOf(const Slot& slot, bool raw) {
    return listenersOf<std::vector<typename Slot::Handle>>(slot, raw);
  }
  const Self& self() const noexcept { return static_cast<const Self&>(*this); }
};

}  // namespace leat::inline LEAT_ABI::detail
