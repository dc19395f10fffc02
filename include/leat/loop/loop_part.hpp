// SPDX-License-Identifier: MIT
// What a module keeps for each loop: made when first asked for, destroyed with the loop, after the
// coroutines and callbacks that may use it.
#pragma once

#include <leat/base/list.hpp>

namespace leat::inline LEAT_ABI::detail {

struct LoopPart : ListNode {
  explicit LoopPart(const void* k) noexcept : kind(k) {}
  virtual ~LoopPart() = default;
  /// `leat::run` has run the loop to its end, and has not told "exit" yet.
  virtual void runEnds() noexcept {}
  /// The loop ends: before anything of it is destroyed.
  virtual void loopEnds() noexcept {}
  const void* const kind;
};

/// Its address tells the kinds of parts apart, also across shared libraries: the part is LEAT_API too, as
/// nothing made of a hidden type is visible.
template <class Part>
LEAT_API inline constexpr char loopPartKind = 0;

class LoopParts {
 public:
  LoopParts() noexcept = default;
  LoopParts(const LoopParts&) = delete;
  LoopParts& operator=(const LoopParts&) = delete;

  /// The part of this type; `Part(args...)` is made when there is none.
  template <class Part, class... Args>
  Part& get(Args&... args) {
    if (Part* part = find<Part>()) return *part;
    auto* part = new Part(&loopPartKind<Part>, args...);
    parts_.pushBack(*part);
    return *part;
  }
  template <class Part>
  Part* find() noexcept {
    for (LoopPart* part = parts_.first(); part != nullptr; part = parts_.after(*part))
      if (part->kind == &loopPartKind<Part>) return static_cast<Part*>(part);
    return nullptr;
  }
  bool empty() const noexcept { return parts_.empty(); }
  void tellRunEnds() noexcept {
    for (LoopPart* part = parts_.first(); part != nullptr; part = parts_.after(*part))
      part->runEnds();
  }
  void tellEnd() noexcept {
    for (LoopPart* part = parts_.first(); part != nullptr; part = parts_.after(*part))
      part->loopEnds();
  }
  /// Destroys the parts that there are now. Their destructors may make new ones.
  void clear() noexcept {
    for (unsigned long left = parts_.size(); left > 0 && !parts_.empty(); --left)
      delete &parts_.popFront();
  }

 private:
  List<LoopPart> parts_;
};

}  // namespace leat::inline LEAT_ABI::detail
