// SPDX-License-Identifier: MIT
// Event and CustomEvent: what an EventTarget dispatches.
#pragma once

#include <leat/base/ref.hpp>
#include <leat/events/event.hpp>
#include <leat/loop/clock.hpp>

#include <vector>

namespace leat::inline LEAT_ABI {

class EventTarget;

/// Options of an Event.
struct EventInit {
  bool bubbles = false;
  bool cancelable = false;
  bool composed = false;
};

namespace detail {
/// Tells an event whether its target is still there.
struct TargetAnchor : Counted<TargetAnchor> {
  explicit TargetAnchor(EventTarget& t) noexcept : target(&t) {}
  bool present() const noexcept { return target != nullptr; }
  EventTarget* target;
};

/// Whether this very event is being dispatched: a copy is not.
class Dispatched {
 public:
  Dispatched() noexcept = default;
  Dispatched(const Dispatched&) noexcept {}
  Dispatched& operator=(const Dispatched&) noexcept { return *this; }
  Dispatched& operator=(bool on) noexcept {
    on_ = on;
    return *this;
  }
  operator bool() const noexcept { return on_; }

 private:
  bool on_ = false;
};
}  // namespace detail

/// What an EventTarget dispatches. Listeners take it as `Event<>&`. There is one target and no tree, so
/// bubbles, composed and stopPropagation change nothing, as in Node.
///
/// Node: `Event`.
template <>
struct Event<> {
 public:
  static constexpr int NONE = 0;
  static constexpr int CAPTURING_PHASE = 1;
  static constexpr int AT_TARGET = 2;
  static constexpr int BUBBLING_PHASE = 3;

  explicit Event(std::string_view type, EventInit init = {})
      : type_(type), init_(init), time_(detail::monotonicNs()) {}
  Event(const Event&) = default;
  Event& operator=(const Event&) = default;
  virtual ~Event() = default;

  const std::string& type() const noexcept { return type_; }
  /// Null before it is dispatched, and when the target is no more.
  EventTarget* target() const noexcept { return target_ ? target_->target : nullptr; }
  EventTarget* srcElement() const noexcept { return target(); }
  /// Null unless it is being dispatched.
  EventTarget* currentTarget() const noexcept { return dispatched_ ? target() : nullptr; }
  /// The current target, if there is one.
  std::vector<EventTarget*> composedPath() const {
    if (EventTarget* const current = currentTarget()) return {current};
    return {};
  }
  int eventPhase() const noexcept { return dispatched_ ? AT_TARGET : NONE; }
  bool bubbles() const noexcept { return init_.bubbles; }
  bool cancelable() const noexcept { return init_.cancelable; }
  bool composed() const noexcept { return init_.composed; }
  /// Whether the runtime has made it: never, as signals have no events.
  static constexpr bool isTrusted() noexcept { return false; }
  /// Milliseconds of the monotonic clock at which it was made.
  double timeStamp() const noexcept { return static_cast<double>(time_) / 1e6; }

  /// Has `dispatchEvent` give false, if the event is cancelable.
  void preventDefault() noexcept { prevented_ = true; }
  bool defaultPrevented() const noexcept { return init_.cancelable && prevented_; }
  bool returnValue() const noexcept { return !defaultPrevented(); }
  void stopPropagation() noexcept { stopped_ = true; }
  bool cancelBubble() const noexcept { return stopped_; }
  /// No listener behind this one is called.
  void stopImmediatePropagation() noexcept { stopped_ = stoppedNow_ = true; }
  /// Does nothing while it is being dispatched.
  void initEvent(std::string_view type, bool bubbles = false, bool cancelable = false) {
    if (dispatched_) return;
    type_ = type;
    init_.bubbles = bubbles;
    init_.cancelable = cancelable;
  }

 private:
  friend class EventTarget;

  std::string type_;
  EventInit init_;
  detail::Ref<detail::TargetAnchor> target_;
  std::int64_t time_;
  detail::Dispatched dispatched_;
  bool prevented_ = false;
  bool stopped_ = false;
  bool stoppedNow_ = false;
};

/// An event that carries a value. Listeners take it as `CustomEvent<T>&`, or as `Event<>&`.
///
/// Node: `CustomEvent`.
template <class T>
struct CustomEvent : Event<> {
  CustomEvent(std::string_view type, T detail, EventInit init = {})
      : Event<>(type, init), detail_(std::move(detail)) {}
  const T& detail() const noexcept { return detail_; }

 private:
  T detail_;
};

}  // namespace leat::inline LEAT_ABI
