// SPDX-License-Identifier: MIT
// Many threads push, one pops: the way into a loop from outside. A lock-free stack that the consumer
// takes whole and reverses, so that a push is one exchange loop and a batch costs one atomic.
#pragma once

#include <leat/base/atomic.hpp>

namespace leat::inline LEAT_ABI::detail {

struct MpscNode {
  MpscNode* mpscNext = nullptr;
};

template <class T>
class MpscQueue {
 public:
  /// Any thread. True when the queue was empty, so that the caller wakes the consumer.
  bool push(T& node) noexcept {
    MpscNode* head = head_.load(relaxed);
    do {
      node.mpscNext = head;
    } while (!head_.compareExchange(head, &node, acqRel));
    return head == nullptr;
  }
  /// The consumer. The nodes in order of arrival, linked by `mpscNext`.
  T* takeAll() noexcept {
    MpscNode* node = head_.exchange(nullptr, acqRel);
    MpscNode* ordered = nullptr;
    while (node != nullptr) {
      MpscNode* next = node->mpscNext;
      node->mpscNext = ordered;
      ordered = node;
      node = next;
    }
    return static_cast<T*>(ordered);
  }
  bool empty() const noexcept { return head_.load(seqCst) == nullptr; }

 private:
  // Null: nothing waits. Else: the newest node, linked towards the oldest. Producers push, only the
  // consumer takes, and it takes all, so there is no ABA.
  Atomic<MpscNode*> head_{nullptr};
};

}  // namespace leat::inline LEAT_ABI::detail
