// SPDX-License-Identifier: MIT
// A queue in one block that is used in a circle; it grows, and pops and pushes at both ends.
#pragma once

#include <leat/base/config.hpp>

#include <cstddef>
#include <new>
#include <utility>

namespace leat::inline LEAT_ABI::detail {

/// First in, first out. T moves without throwing. Callers check `empty()`.
template <class T>
class Fifo {
 public:
  Fifo() noexcept = default;
  Fifo(const Fifo&) = delete;
  Fifo& operator=(const Fifo&) = delete;
  ~Fifo() {
    clear();
    ::operator delete(items_, std::align_val_t(alignof(T)));
  }

  bool empty() const noexcept { return count_ == 0; }
  std::size_t size() const noexcept { return count_; }
  T& front() noexcept { return items_[first_]; }
  T& operator[](std::size_t i) noexcept { return items_[place(i)]; }
  const T& operator[](std::size_t i) const noexcept { return items_[place(i)]; }
  void push(T&& item) {
    if (count_ == room_) grow();
    ::new (static_cast<void*>(&items_[place(count_)])) T(std::move(item));
    ++count_;
  }
  void pushFront(T&& item) {
    if (count_ == room_) grow();
    first_ = place(room_ - 1);
    ::new (static_cast<void*>(&items_[first_])) T(std::move(item));
    ++count_;
  }
  T pop() noexcept {
    T item = std::move(items_[first_]);
    drop();
    return item;
  }
  void drop() noexcept {
    items_[first_].~T();
    first_ = place(1);
    if (--count_ == 0 && room_ > keptRoom) [[unlikely]]
      giveBack();
  }
  void clear() noexcept {
    while (count_ > 0) drop();
  }

 private:
  // An empty queue keeps no more than this.
  static constexpr std::size_t keptRoom = 256;
  std::size_t place(std::size_t i) const noexcept { return (first_ + i) & (room_ - 1); }
  LEAT_NOINLINE void giveBack() noexcept {
    ::operator delete(std::exchange(items_, nullptr), std::align_val_t(alignof(T)));
    first_ = room_ = 0;
  }
  LEAT_NOINLINE void grow() {
    const std::size_t room = room_ == 0 ? 4 : room_ * 2;
    T* const items =
        static_cast<T*>(::operator new(room * sizeof(T), std::align_val_t(alignof(T))));
    for (std::size_t i = 0; i < count_; ++i) {
      T& old = (*this)[i];
      ::new (static_cast<void*>(&items[i])) T(std::move(old));
      old.~T();
    }
    ::operator delete(std::exchange(items_, items), std::align_val_t(alignof(T)));
    first_ = 0;
    room_ = room;
  }

  T* items_ = nullptr;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  // A power of two, or none.
  std::size_t room_ = 0;
};

}  // namespace leat::inline LEAT_ABI::detail
