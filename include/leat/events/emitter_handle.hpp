// SPDX-License-Identifier: MIT
// The methods of TypedEmitter for a handle: copies of it are the same emitter.
#pragma once

#include <leat/events/typed_emitter.hpp>

namespace leat::inline LEAT_ABI {

/// Base of a handle whose object is a TypedEmitter. `Self` has `emitter()`, which gives it, also of a const
/// handle, and `EmitterType`. Only the object itself emits.
template <class Self>
class EmitterHandle {
 public:
  using LoopBound = void;
  using EmitterKind = detail::TypedEmitterKind;
  template <FixedString name, class S = Self>
  using Kept = typename S::EmitterType::template Kept<name>;

  template <FixedString name, class F>
  Listener on(F&& listener) const {
    return emitter().template on<name>(std::forward<F>(listener));
  }
  template <FixedString name, class F>
  Listener addListener(F&& listener) const {
    return emitter().template on<name>(std::forward<F>(listener));
  }
  template <FixedString name, class F>
  Listener once(F&& listener) const {
    return emitter().template once<name>(std::forward<F>(listener));
  }
  template <FixedString name, class F>
  Listener prependListener(F&& listener) const {
    return emitter().template prependListener<name>(std::forward<F>(listener));
  }
  template <FixedString name, class F>
  Listener prependOnceListener(F&& listener) const {
    return emitter().template prependOnceListener<name>(std::forward<F>(listener));
  }
  template <FixedString name, class F>
  void off(const F& listener) const {
    emitter().template off<name>(listener);
  }
  template <FixedString name, class F>
  void removeListener(const F& listener) const {
    emitter().template off<name>(listener);
  }
  template <FixedString name>
  void removeAllListeners() const {
    emitter().template removeAllListeners<name>();
  }
  void removeAllListeners() const { emitter().removeAllListeners(); }
  template <FixedString name>
  std::size_t listenerCount() const {
    return emitter().template listenerCount<name>();
  }
  template <FixedString name>
  auto listeners() const {
    return emitter().template listeners<name>();
  }

  template <FixedString name, class F>
  Listener on(EventName<name>, F&& listener) const {
    return emitter().template on<name>(std::forward<F>(listener));
  }
  template <FixedString name, class F>
  Listener once(EventName<name>, F&& listener) const {
    return emitter().template once<name>(std::forward<F>(listener));
  }
  template <FixedString name, class F>
  Listener prependListener(EventName<name>, F&& listener) const {
    return emitter().template prependListener<name>(std::forward<F>(listener));
  }
  template <FixedString name, class F>
  void off(EventName<name>, const F& listener) const {
    emitter().template off<name>(listener);
  }
  template <FixedString name>
  std::size_t listenerCount(EventName<name>) const {
    return emitter().template listenerCount<name>();
  }

  /// Node's `on("name", f)`: here the compiler knows the names, and says so.
  template <class F>
  Listener on(std::string_view, F&&) const {
    return detail::nameAtRunTime<F>();
  }
  template <class F>
  Listener once(std::string_view, F&&) const {
    return detail::nameAtRunTime<F>();
  }

  void setMaxListeners(int count) const { emitter().setMaxListeners(count); }
  int getMaxListeners() const { return emitter().getMaxListeners(); }
  /// Internal.
  template <class F>
  static bool withEvent(std::string_view name, F&& f) {
    return Self::EmitterType::withEvent(name, std::forward<F>(f));
  }

 private:
  auto& emitter() const { return static_cast<const Self&>(*this).emitter(); }
};

}  // namespace leat::inline LEAT_ABI
