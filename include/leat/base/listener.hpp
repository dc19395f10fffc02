// SPDX-License-Identifier: MIT
// The handle that every `on` of the library gives: of an emitter, of `process`, of signals.
#pragma once

#include <leat/base/ref.hpp>

namespace leat::inline LEAT_ABI {

namespace detail {

/// What a handle asks of its listener. Counted plainly; starts at one.
struct Registration {
  Registration() noexcept = default;
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;
  virtual ~Registration() = default;
  /// Takes the listener out of its list; again, it does nothing.
  virtual void off() = 0;
  virtual bool active() const noexcept = 0;
  void retain() noexcept { ++count; }
  void release() noexcept {
    if (--count == 0) delete this;
  }
  unsigned count = 1;
};

}  // namespace detail

/// What `on` and `once` give. Copies are handles to the same listener; dropping them does not remove it,
/// as in Node. See ScopedListener for one that does.
///
/// Thread: that of the emitter. After the end of what it listens to a handle does nothing.
class Listener {
 public:
  using LoopBound = void;

  Listener() noexcept = default;
  explicit Listener(detail::Ref<detail::Registration> registration) noexcept
      : registration_(std::move(registration)) {}

  /// Removes the listener; again, it does nothing. One that is being called, or is about to be in an
  /// emit in progress, still is, as in Node.
  /// Throws: Error ERR_WRONG_THREAD, of listeners that belong to a loop; what a listener for
  /// "removeListener" throws.
  void off() const {
    if (registration_) registration_->off();
  }
  /// Whether it is still there.
  bool active() const noexcept { return registration_ && registration_->active(); }
  friend bool operator==(const Listener& a, const Listener& b) noexcept {
    return a.registration_ == b.registration_;
  }

  /// Internal.
  detail::Registration* registration() const noexcept { return registration_.get(); }

 private:
  detail::Ref<detail::Registration> registration_;
};

}  // namespace leat::inline LEAT_ABI
