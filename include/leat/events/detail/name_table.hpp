// SPDX-License-Identifier: MIT
// The events of an EventEmitter by name. An event is there while somebody listens to it.
#pragma once

#include <leat/base/list.hpp>
#include <leat/events/detail/listeners.hpp>
#include <leat/events/event_args.hpp>

#include <cstdint>

namespace leat::inline LEAT_ABI::detail {

struct NamedSlot : ListenerSlot<const Emission&>, ListNode {
  NamedSlot(std::string_view n, std::uint32_t h) : name(n), hash(h), isError(n == "error") {}
  const std::string name;
  const std::uint32_t hash;
  const bool isError;
  NamedSlot* chain = nullptr;
};

/// Names are short: two words and the length tell most of them apart.
LEAT_ALWAYS_INLINE inline std::uint32_t hashName(std::string_view name) noexcept {
  constexpr std::uint64_t factor = 0x9E3779B97F4A7C15u;
  const std::size_t size = name.size();
  const char* at = name.data();
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  if (size >= 8) {
    std::memcpy(&first, at, 8);
    std::memcpy(&last, at + size - 8, 8);
    for (std::size_t i = 8; i + 8 < size; i += 8) {
      std::uint64_t middle;
      std::memcpy(&middle, at + i, 8);
      first = (first ^ middle) * factor;
    }
  } else if (size >= 4) {
    std::uint32_t word;
    std::memcpy(&word, at, 4);
    first = word;
    std::memcpy(&word, at + size - 4, 4);
    last = word;
  } else if (size > 0) {
    first = static_cast<unsigned char>(at[0]);
    last = (std::uint64_t{static_cast<unsigned char>(at[size / 2])} << 8) |
           static_cast<unsigned char>(at[size - 1]);
  }
  std::uint64_t mixed = (first ^ size) * factor;
  mixed = (mixed ^ (mixed >> 32) ^ last) * factor;
  return static_cast<std::uint32_t>(mixed >> 32);
}

/// A hash table with chains; its first eight places are part of it.
class NameTable {
 public:
  /// A slot that is in the table no more.
  class Taken {
   public:
    Taken() noexcept = default;
    explicit Taken(NamedSlot& slot) noexcept : slot_(&slot) {}
    Taken(Taken&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}
    Taken& operator=(Taken&&) = delete;
    ~Taken() { delete slot_; }
    NamedSlot& operator*() const noexcept { return *slot_; }

   private:
    NamedSlot* slot_ = nullptr;
  };

  NameTable() noexcept = default;
  NameTable(const NameTable&) = delete;
  NameTable& operator=(const NameTable&) = delete;
  ~NameTable();

  LEAT_ALWAYS_INLINE NamedSlot* find(std::string_view name) const noexcept {
    const std::uint32_t hash = hashName(name);
    for (NamedSlot* slot = places_[hash & mask_]; slot != nullptr; slot = slot->chain)
      if (slot->hash == hash && same(slot->name, name)) return slot;
    return nullptr;
  }
  /// Made when there is none.
  NamedSlot& get(std::string_view name);
  Taken take(NamedSlot& slot) noexcept;
  /// In the order in which they were made.
  template <class F>
  void each(F&& f) const {
    auto& order = const_cast<List<NamedSlot>&>(order_);
    for (NamedSlot* slot = order.first(); slot != nullptr; slot = order.after(*slot)) f(*slot);
  }

 private:
  static constexpr std::uint32_t fewest = 8;
  /// Of a length that the compiler knows this is a comparison of words.
  LEAT_ALWAYS_INLINE static bool same(const std::string& kept, std::string_view name) noexcept {
    return kept.size() == name.size() && std::memcmp(kept.data(), name.data(), name.size()) == 0;
  }
  void insert(NamedSlot& slot) noexcept {
    NamedSlot*& place = places_[slot.hash & mask_];
    slot.chain = std::exchange(place, &slot);
  }
  void grow();

  NamedSlot* own_[fewest] = {};
  NamedSlot** places_ = own_;
  std::uint32_t mask_ = fewest - 1;
  std::uint32_t size_ = 0;
  List<NamedSlot> order_;
};

#if LEAT_BODIES
LEAT_INLINE NameTable::~NameTable() {
  while (!order_.empty()) take(order_.front());
  if (places_ != own_) delete[] places_;
}

LEAT_INLINE NamedSlot& NameTable::get(std::string_view name) {
  if (NamedSlot* slot = find(name)) return *slot;
  if (size_ > mask_) grow();
  auto* slot = new NamedSlot(name, hashName(name));
  insert(*slot);
  order_.pushBack(*slot);
  ++size_;
  return *slot;
}

LEAT_INLINE NameTable::Taken NameTable::take(NamedSlot& slot) noexcept {
  NamedSlot** at = &places_[slot.hash & mask_];
  while (*at != &slot) at = &(*at)->chain;
  *at = slot.chain;
  slot.unlink();
  --size_;
  return Taken(slot);
}

LEAT_INLINE void NameTable::grow() {
  const std::uint32_t count = (mask_ + 1) * 2;
  auto** places = new NamedSlot*[count]();
  NamedSlot** before = std::exchange(places_, places);
  mask_ = count - 1;
  each([this](NamedSlot& slot) { insert(slot); });
  if (before != own_) delete[] before;
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
