// SPDX-License-Identifier: MIT
// Intrusive doubly linked lists. A node knows how to leave whatever list it is in, so that an awaiter
// destroyed early unlinks itself without knowing the queue.
#pragma once

#include <leat/base/config.hpp>

#include <type_traits>

namespace leat::inline LEAT_ABI::detail {

struct ListLinks {
  ListLinks* prev_;  // says nothing while the other is null
  ListLinks* next_ = nullptr;
};

/// A link; unlinked when the pointer to the next one is null. Leaves its list when destroyed.
class ListNode : private ListLinks {
 public:
  constexpr ListNode() noexcept = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { unlink(); }

  bool linked() const noexcept { return next_ != nullptr; }
  void unlink() noexcept {
    if (next_ == nullptr) return;
    prev_->next_ = next_;
    next_->prev_ = prev_;
    next_ = nullptr;
  }

 private:
  template <class>
  friend class List;
};

/// A circle through the list itself, which therefore has an address.
/// T derives from ListNode. The list does not own its nodes; destroyed, it lets go of them.
template <class T>
class List {
 public:
  List() noexcept { head_.prev_ = head_.next_ = &head_; }
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() { clear(); }

  bool empty() const noexcept { return head_.next_ == &head_; }
  T& front() noexcept { return node(head_.next_); }
  T& back() noexcept { return node(head_.prev_); }
  /// The node after `at`, or null at the end.
  T* after(T& at) noexcept {
    ListLinks* next = links(at).next_;
    return next == &head_ ? nullptr : &node(next);
  }
  T* first() noexcept { return empty() ? nullptr : &front(); }

  void pushBack(T& added) noexcept { insertBefore(head_, links(added)); }
  void pushFront(T& added) noexcept { insertBefore(*head_.next_, links(added)); }
  T& popFront() noexcept {
    ListLinks& at = *head_.next_;
    head_.next_ = at.next_;
    at.next_->prev_ = &head_;
    at.next_ = nullptr;
    return node(&at);
  }
  T& popBack() noexcept {
    T& last = back();
    last.unlink();
    return last;
  }
  /// Moves every node of `other` behind the nodes of this list.
  void append(List& other) noexcept {
    if (other.empty()) return;
    ListLinks* first = other.head_.next_;
    ListLinks* last = other.head_.prev_;
    other.head_.next_ = other.head_.prev_ = &other.head_;
    first->prev_ = head_.prev_;
    head_.prev_->next_ = first;
    last->next_ = &head_;
    head_.prev_ = last;
  }
  void clear() noexcept {
    while (!empty()) popFront();
  }
  /// Linear; for statistics and tests.
  unsigned long size() const noexcept {
    unsigned long count = 0;
    for (const ListLinks* n = head_.next_; n != &head_; n = n->next_) ++count;
    return count;
  }

 private:
  static T& node(ListLinks* at) noexcept { return static_cast<T&>(static_cast<ListNode&>(*at)); }
  static ListLinks& links(ListNode& at) noexcept { return at; }
  static void insertBefore(ListLinks& place, ListLinks& added) noexcept {
    // Not one pointer after the other: g++ would store both as one vector, which is slower to load from.
    ListLinks* before = place.prev_;
    added.next_ = &place;
    before->next_ = &added;
    added.prev_ = before;
    place.prev_ = &added;
  }

  ListLinks head_;
};

}  // namespace leat::inline LEAT_ABI::detail
