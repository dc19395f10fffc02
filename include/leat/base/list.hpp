// SPDX-License-Identifier: MIT
// Intrusive doubly linked lists. A node knows how to leave whatever list it is in, so that an awaiter
// destroyed early unlinks itself without knowing the queue.
#pragma once

#include <leat/base/config.hpp>

#include <type_traits>

namespace leat::inline LEAT_ABI::detail {

/// A link; unlinked when both pointers are null. Leaves its list when destroyed.
class ListNode {
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
    next_ = prev_ = nullptr;
  }

 private:
  template <class>
  friend class List;
  ListNode* prev_ = nullptr;
  ListNode* next_ = nullptr;
};

/// A circle through `head_`, lazily closed so that an empty list is constant-initialised.
/// T derives from ListNode. The list does not own its nodes; destroyed, it lets go of them.
template <class T>
class List {
 public:
  constexpr List() noexcept = default;
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() { clear(); }

  bool empty() const noexcept { return head_.next_ == nullptr || head_.next_ == &head_; }
  T& front() noexcept { return static_cast<T&>(*head_.next_); }
  T& back() noexcept { return static_cast<T&>(*head_.prev_); }
  /// The node after `node`, or null at the end.
  T* after(T& node) noexcept {
    ListNode* next = static_cast<ListNode&>(node).next_;
    return next == &head_ ? nullptr : static_cast<T*>(next);
  }
  /// The list of which `node` is the only one, or null. Found through the neighbours, which are both
  /// the head of that list then.
  static List* ifOnly(T& node) noexcept {
    ListNode& links = node;
    return links.next_ == links.prev_ ? reinterpret_cast<List*>(links.next_) : nullptr;
  }
  T* first() noexcept { return empty() ? nullptr : &front(); }

  void pushBack(T& node) noexcept { insertBefore(close(), node); }
  void pushFront(T& node) noexcept { insertBefore(*close().next_, node); }
  T& popFront() noexcept {
    ListNode& node = *head_.next_;
    head_.next_ = node.next_;
    node.next_->prev_ = &head_;
    node.next_ = node.prev_ = nullptr;
    return static_cast<T&>(node);
  }
  /// Moves every node of `other` behind the nodes of this list.
  void append(List& other) noexcept {
    if (other.empty()) return;
    ListNode& head = close();
    ListNode* first = other.head_.next_;
    ListNode* last = other.head_.prev_;
    other.head_.next_ = other.head_.prev_ = nullptr;
    first->prev_ = head.prev_;
    head.prev_->next_ = first;
    last->next_ = &head;
    head.prev_ = last;
  }
  void clear() noexcept {
    while (!empty()) popFront();
    head_.next_ = head_.prev_ = nullptr;
  }
  /// Linear; for statistics and tests.
  unsigned long size() const noexcept {
    unsigned long count = 0;
    if (!empty())
      for (const ListNode* n = head_.next_; n != &head_; n = n->next_) ++count;
    return count;
  }

 private:
  ListNode& close() noexcept {
    if (head_.next_ == nullptr) head_.next_ = head_.prev_ = &head_;
    return head_;
  }
  static void insertBefore(ListNode& place, ListNode& node) noexcept {
    node.prev_ = place.prev_;
    node.next_ = &place;
    place.prev_->next_ = &node;
    place.prev_ = &node;
  }

  ListNode head_;
};

}  // namespace leat::inline LEAT_ABI::detail
