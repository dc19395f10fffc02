// SPDX-License-Identifier: MIT
// The methods of TypedEmitter for a handle: copies of it are the same emitter.
#pragma once

#include <leat/events/emitter_methods.hpp>

namespace leat::inline LEAT_ABI {

/// Base of a handle whose object is a TypedEmitter. `Self` has `emitter()`, which gives it, also of a const
/// handle, and `EmitterType`. Only the object itself emits.
template <class Self>
class EmitterHandle : public detail::EmitterMethods<EmitterHandle<Self>> {
 public:
  template <FixedString name, class S = Self>
  using Kept = typename S::EmitterType::template Kept<name>;

  /// Of the events that somebody listens to, in the order in which that began.
  std::vector<std::string_view> eventNames() const { return emitter().eventNames(); }
  void setMaxListeners(int count) const { emitter().setMaxListeners(count); }
  int getMaxListeners() const { return emitter().getMaxListeners(); }
  /// Internal.
  template <class F>
  static bool withEvent(std::string_view name, F&& f) {
    return Self::EmitterType::withEvent(name, std::forward<F>(f));
  }

 private:
  friend class detail::EmitterMethods<EmitterHandle>;

  /// By the methods of the object, which may have its own.
  template <FixedString name, bool once, bool front, class F>
  Listener attach(F&& listener) const {
    auto& object = emitter();
    if constexpr (once && front) {
      return object.template prependOnceListener<name>(std::forward<F>(listener));
    } else if constexpr (once) {
      return object.template once<name>(std::forward<F>(listener));
    } else if constexpr (front) {
      return object.template prependListener<name>(std::forward<F>(listener));
    } else {
      return object.template on<name>(std::forward<F>(listener));
    }
  }
  template <FixedString name>
  const auto& eventSlot() const {
    return emitter().template eventSlot<name>();
  }
  template <FixedString name>
  void clearEvent() const {
    emitter().template removeAllListeners<name>();
  }
  void clearEvents() const { emitter().removeAllListeners(); }
  auto& emitter() const { return static_cast<const Self&>(*this).emitter(); }
};

}  // namespace leat::inline LEAT_ABI
