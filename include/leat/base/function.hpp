// SPDX-License-Identifier: MIT
// A move-only callable. <functional> costs 0.2 s a translation unit and std::function wants copies.
#pragma once

#include <leat/base/config.hpp>

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace leat::inline LEAT_ABI {

template <class Signature>
class Function;

/// Owns a callable, inline when it has at most four words and moves without throwing.
/// Calling an empty Function is undefined; test it first.
template <class R, class... Args>
class Function<R(Args...)> {
 public:
  Function() noexcept = default;
  Function(decltype(nullptr)) noexcept {}
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, Function> &&
             std::is_invocable_r_v<R, std::decay_t<F>&, Args...>)
  Function(F&& callable) {
    using Callable = std::decay_t<F>;
    if constexpr (fits<Callable>) {
      ::new (static_cast<void*>(storage_)) Callable(std::forward<F>(callable));
    } else {
      ::new (static_cast<void*>(storage_)) Callable*(new Callable(std::forward<F>(callable)));
    }
    operations_ = &Holder<Callable>::operations;
  }
  Function(Function&& other) noexcept { take(other); }
  Function& operator=(Function&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  ~Function() { reset(); }

  R operator()(Args... args) { return operations_->call(storage_, std::forward<Args>(args)...); }
  explicit operator bool() const noexcept { return operations_ != nullptr; }
  void reset() noexcept {
    if (operations_ != nullptr) std::exchange(operations_, nullptr)->destroy(storage_);
  }

 private:
  static constexpr std::size_t capacity = 4 * sizeof(void*);
  template <class Callable>
  static constexpr bool fits =
      sizeof(Callable) <= capacity && alignof(Callable) <= alignof(std::max_align_t) &&
      std::is_nothrow_move_constructible_v<Callable>;

  struct Operations {
    R (*call)(void*, Args&&...);
    void (*move)(void* to, void* from) noexcept;
    void (*destroy)(void*) noexcept;
  };
  template <class Callable>
  struct Holder {
    static Callable& get(void* storage) noexcept {
      if constexpr (fits<Callable>) {
        return *std::launder(static_cast<Callable*>(storage));
      } else {
        return **std::launder(static_cast<Callable**>(storage));
      }
    }
    static R call(void* storage, Args&&... args) {
      return static_cast<R>(get(storage)(std::forward<Args>(args)...));
    }
    static void move(void* to, void* from) noexcept {
      if constexpr (fits<Callable>) {
        ::new (to) Callable(std::move(get(from)));
        get(from).~Callable();
      } else {
        ::new (to) Callable*(&get(from));
      }
    }
    static void destroy(void* storage) noexcept {
      if constexpr (fits<Callable>) {
        get(storage).~Callable();
      } else {
        delete &get(storage);
      }
    }
    static constexpr Operations operations{call, move, destroy};
  };

  void take(Function& other) noexcept {
    operations_ = std::exchange(other.operations_, nullptr);
    if (operations_ != nullptr) operations_->move(storage_, other.storage_);
  }

  const Operations* operations_ = nullptr;
  alignas(std::max_align_t) std::byte storage_[capacity];
};

}  // namespace leat::inline LEAT_ABI
