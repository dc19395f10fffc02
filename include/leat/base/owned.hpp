// SPDX-License-Identifier: MIT
// A pointer to an object that goes with it. <memory> costs 0.1 s a translation unit: it brings streams and locales.
#pragma once

#include <leat/base/config.hpp>

#include <type_traits>
#include <utility>

namespace leat::inline LEAT_ABI::detail {

/// The only handle to an object of `new`, or null.
template <class T>
class Owned {
 public:
  constexpr Owned() noexcept = default;
  constexpr Owned(decltype(nullptr)) noexcept {}
  explicit Owned(T* object) noexcept : object_(object) {}
  Owned(Owned&& other) noexcept : object_(other.leak()) {}
  template <class U>
    requires(!std::is_same_v<T, U> && std::is_convertible_v<U*, T*>)
  Owned(Owned<U>&& other) noexcept : object_(other.leak()) {
    static_assert(std::has_virtual_destructor_v<T>);
  }
  Owned& operator=(Owned&& other) noexcept {
    delete std::exchange(object_, other.leak());
    return *this;
  }
  ~Owned() {
    static_assert(sizeof(T) > 0);
    delete object_;
  }

  /// The caller deletes it.
  [[nodiscard]] T* leak() noexcept { return std::exchange(object_, nullptr); }
  /// It is null before the object goes.
  void reset() noexcept { delete leak(); }

  T* get() const noexcept { return object_; }
  T* operator->() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }

 private:
  T* object_ = nullptr;
};

template <class T, class... Args>
Owned<T> makeOwned(Args&&... args) {
  return Owned<T>(new T(std::forward<Args>(args)...));
}

}  // namespace leat::inline LEAT_ABI::detail
