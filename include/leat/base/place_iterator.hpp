// SPDX-License-Identifier: MIT
// Walking through a list that may change meanwhile, as the iterators of JavaScript do.
#pragma once

#include <leat/base/config.hpp>

#include <cstddef>
#include <iterator>
#include <type_traits>

namespace leat::inline LEAT_ABI::detail {

/// Keeps a place in the list, not an element; `list[place]` gives a `Reference`. At its end when the place is
/// not below the size that the list has then.
template <class List, class Reference>
class PlaceIterator {
 public:
  using value_type = std::remove_cvref_t<Reference>;
  using difference_type = std::ptrdiff_t;

  PlaceIterator() noexcept = default;
  explicit PlaceIterator(const List& list) noexcept : list_(&list) {}
  Reference operator*() const noexcept { return (*list_)[at_]; }
  auto operator->() const noexcept
    requires std::is_lvalue_reference_v<Reference>
  {
    return &**this;
  }
  PlaceIterator& operator++() noexcept {
    ++at_;
    return *this;
  }
  PlaceIterator operator++(int) noexcept {
    const PlaceIterator before = *this;
    ++at_;
    return before;
  }
  friend bool operator==(const PlaceIterator&, const PlaceIterator&) noexcept = default;
  bool operator==(std::default_sentinel_t) const noexcept { return at_ >= list_->size(); }

 private:
  const List* list_ = nullptr;
  std::size_t at_ = 0;
};

}  // namespace leat::inline LEAT_ABI::detail
