// SPDX-License-Identifier: MIT
// A heap of four-way branching whose entries know where they are, so that a key can change in place.
#pragma once

#include <leat/base/config.hpp>

#include <cstddef>
#include <new>
#include <type_traits>

namespace leat::inline LEAT_ABI::detail {

/// Entries are small and trivially copyable. `Traits::before(a, b)` orders them; `Traits::moved(entry,
/// position)` is told wherever an entry comes to rest.
template <class Entry, class Traits>
class Heap {
 public:
  static_assert(std::is_trivially_copyable_v<Entry>);

  Heap() noexcept = default;
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;
  ~Heap() { ::operator delete(entries_); }

  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }
  /// In no order but that the smallest stands at 0.
  Entry& operator[](std::size_t position) noexcept { return entries_[position]; }

  /// Sees to it that so many entries fit. Throws std::bad_alloc, and then has not changed.
  void reserve(std::size_t count) {
    while (capacity_ < count) grow();
  }
  /// Throws std::bad_alloc, and then has not changed.
  void push(const Entry& entry) {
    if (size_ == capacity_) grow();
    ++size_;
    siftUp(size_ - 1, entry);
  }
  void removeAt(std::size_t position) noexcept {
    const Entry last = entries_[--size_];
    if (position < size_) update(position, last);
  }
  /// Puts `entry` in the place of the one at `position`, and moves it to where it belongs.
  void update(std::size_t position, const Entry& entry) noexcept {
    if (position > 0 && Traits::before(entry, entries_[(position - 1) / 4])) {
      siftUp(position, entry);
    } else {
      siftDown(position, entry);
    }
  }
  /// Removes every entry for which `gone(entry)` answers true. Linear.
  template <class Gone>
  void removeIf(Gone gone) noexcept {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < size_; ++i)
      if (!gone(entries_[i])) entries_[kept++] = entries_[i];
    size_ = kept;
    for (std::size_t i = kept; i-- > 0;) {
      const Entry entry = entries_[i];
      siftDown(i, entry);
    }
  }

 private:
  void place(std::size_t position, const Entry& entry) noexcept {
    entries_[position] = entry;
    Traits::moved(entries_[position], position);
  }
  void siftUp(std::size_t position, const Entry entry) noexcept {
    while (position > 0) {
      const std::size_t parent = (position - 1) / 4;
      if (!Traits::before(entry, entries_[parent])) break;
      place(position, entries_[parent]);
      position = parent;
    }
    place(position, entry);
  }
  void siftDown(std::size_t position, const Entry entry) noexcept {
    for (;;) {
      std::size_t child = position * 4 + 1;
      if (child >= size_) break;
      const std::size_t end = child + 4 < size_ ? child + 4 : size_;
      std::size_t least = child;
      while (++child < end)
        if (Traits::before(entries_[child], entries_[least])) least = child;
      if (!Traits::before(entries_[least], entry)) break;
      place(position, entries_[least]);
      position = least;
    }
    place(position, entry);
  }
  void grow() {
    const std::size_t capacity = capacity_ == 0 ? 16 : capacity_ * 2;
    auto* entries = static_cast<Entry*>(::operator new(capacity * sizeof(Entry)));
    for (std::size_t i = 0; i < size_; ++i)
      ::new (static_cast<void*>(entries + i)) Entry(entries_[i]);
    ::operator delete(entries_);
    entries_ = entries;
    capacity_ = capacity;
  }

  Entry* entries_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace leat::inline LEAT_ABI::detail
