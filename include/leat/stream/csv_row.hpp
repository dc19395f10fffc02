// SPDX-License-Identifier: MIT
// CsvRow: the fields of a row in one block of memory.
#pragma once

#include <leat/base/ref.hpp>
#include <leat/core/error.hpp>

#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

namespace leat::inline LEAT_ABI {

class CsvRow;

namespace detail {

/// Anything with fields to be walked over: a row, a vector of strings.
template <class Range>
concept CsvFields = requires(const Range& range) {
  { *range.begin() } -> std::convertible_to<std::string_view>;
  requires std::is_lvalue_reference_v<decltype(*range.begin())> ||
               std::same_as<std::remove_cvref_t<decltype(*range.begin())>, std::string_view>;
  range.end();
} && !std::convertible_to<const Range&, std::string_view>;

/// Where a field is, counted from the first character of its row.
struct CsvField {
  std::uint32_t begin;
  std::uint32_t end;
};

class CsvColumns;

/// Behind it: the places of the fields, and then the characters.
struct CsvBlock {
  Ref<CsvColumns> columns;
  std::uint32_t count;
  std::uint32_t room;  // characters

  static CsvBlock* make(std::size_t count, std::size_t room) {
    void* const place = ::operator new(sizeof(CsvBlock) + count * sizeof(CsvField) + room);
    return ::new (place)
        CsvBlock{{}, static_cast<std::uint32_t>(count), static_cast<std::uint32_t>(room)};
  }
  static void free(CsvBlock* block) noexcept {
    block->~CsvBlock();
    ::operator delete(block);
  }
  CsvField* fields() noexcept { return reinterpret_cast<CsvField*>(this + 1); }
  char* text() noexcept { return reinterpret_cast<char*>(fields() + count); }
};

[[noreturn]] LEAT_NOINLINE inline void throwNoField(std::size_t index, std::size_t size) {
  throw RangeError(SharedText({"the row has no field ", Decimal(static_cast<long long>(index)),
                               ": it has ", Decimal(static_cast<long long>(size))})
                       .view());
}
[[noreturn]] LEAT_NOINLINE inline void throwNoColumn(std::string_view name) {
  throw RangeError(SharedText({"the row has no field \"", name, "\""}).view());
}

}  // namespace detail

/// The fields of a row, as text that is not to be changed. One allocation; copying copies it.
///
/// Thread: rows may be handed over. Lifetime: views of fields are valid as long as the row, also when it
/// is moved.
class CsvRow {
 public:
  class Iterator;

  /// No fields.
  CsvRow() noexcept = default;
  CsvRow(std::initializer_list<std::string_view> fields) { assign(fields); }
  /// Of anything that has fields to be walked over, which become std::string_view.
  template <detail::CsvFields Range>
    requires(!std::same_as<Range, CsvRow>)
  explicit CsvRow(const Range& fields) {
    assign(fields);
  }
  CsvRow(const CsvRow& other);
  CsvRow(CsvRow&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  CsvRow& operator=(CsvRow other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~CsvRow() {
    if (block_ != nullptr) detail::CsvBlock::free(block_);
  }

  std::size_t size() const noexcept { return block_ == nullptr ? 0 : block_->count; }
  bool empty() const noexcept { return size() == 0; }
  /// Throws: RangeError ERR_OUT_OF_RANGE when there is none.
  template <std::integral Index>
  std::string_view operator[](Index index) const {
    if (!std::cmp_less(index, size()) || std::cmp_less(index, 0)) [[unlikely]]
      detail::throwNoField(static_cast<std::size_t>(index), size());
    return field(static_cast<std::size_t>(index));
  }
  /// By the name of the column, where the file has a header or the reader was given the names.
  /// Throws: RangeError ERR_OUT_OF_RANGE when there is no such column, or the row is too short for it.
  std::string_view operator[](std::string_view name) const {
    const std::optional<std::string_view> found = get(name);
    if (!found) [[unlikely]]
      detail::throwNoColumn(name);
    return *found;
  }
  /// The same, or nothing.
  std::optional<std::string_view> get(std::string_view name) const noexcept;
  bool has(std::string_view name) const noexcept { return get(name).has_value(); }
  /// The names of the columns, or null. Lifetime: as long as any row of the file.
  const CsvRow* columns() const noexcept;

  Iterator begin() const noexcept;
  Iterator end() const noexcept;

  /// Whether the fields are the same; the names of the columns do not matter.
  friend bool operator==(const CsvRow& a, const CsvRow& b) noexcept {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i)
      if (a.field(i) != b.field(i)) return false;
    return true;
  }

  /// Internal.
  explicit CsvRow(detail::CsvBlock* block) noexcept : block_(block) {}
  std::string_view field(std::size_t index) const noexcept {
    const detail::CsvField at = block_->fields()[index];
    return {block_->text() + at.begin, at.end - at.begin};
  }

 private:
  template <class Range>
  void assign(const Range& fields);

  detail::CsvBlock* block_ = nullptr;
};

/// The fields of a row, one after the other.
class CsvRow::Iterator {
 public:
  using value_type = std::string_view;
  using difference_type = std::ptrdiff_t;
  Iterator() noexcept = default;
  Iterator(const CsvRow& row, std::size_t index) noexcept : row_(&row), index_(index) {}
  std::string_view operator*() const noexcept { return row_->field(index_); }
  Iterator& operator++() noexcept {
    ++index_;
    return *this;
  }
  Iterator operator++(int) noexcept {
    Iterator old = *this;
    ++index_;
    return old;
  }
  bool operator==(const Iterator&) const noexcept = default;

 private:
  const CsvRow* row_ = nullptr;
  std::size_t index_ = 0;
};

namespace detail {

/// The names of the columns, shared by the rows of a file.
class CsvColumns : public SharedCounted<CsvColumns> {
 public:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  explicit CsvColumns(CsvRow names);
  const CsvRow& names() const noexcept { return names_; }
  /// The first of this name.
  std::size_t find(std::string_view name) const noexcept {
    for (std::size_t at = hash(name) & mask_; table_[at] != 0; at = (at + 1) & mask_)
      if (names_.field(table_[at] - 1) == name) return table_[at] - 1;
    return none;
  }
  /// The second column of a name that is there twice, or `none`.
  std::size_t repeated() const noexcept { return repeated_; }

 private:
  static std::size_t hash(std::string_view name) noexcept {
    std::uint64_t h = name.size();
    for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x9e3779b97f4a7c15u;
    return static_cast<std::size_t>(h >> 32);
  }

  CsvRow names_;
  std::vector<std::uint32_t> table_;  // columns, counted from 1; half of it is empty
  std::size_t mask_ = 1;
  std::size_t repeated_ = none;
};

#if LEAT_BODIES
LEAT_INLINE CsvColumns::CsvColumns(CsvRow names) : names_(std::move(names)) {
  while (mask_ < 2 * names_.size()) mask_ = 2 * mask_ + 1;
  table_.resize(mask_ + 1);
  for (std::size_t i = 0; i < names_.size(); ++i) {
    const std::string_view name = names_.field(i);
    if (find(name) != none) {
      if (repeated_ == none) repeated_ = i;
      continue;
    }
    std::size_t at = hash(name) & mask_;
    while (table_[at] != 0) at = (at + 1) & mask_;
    table_[at] = static_cast<std::uint32_t>(i + 1);
  }
}
#endif

}  // namespace detail

template <class Range>
void CsvRow::assign(const Range& fields) {
  std::size_t count = 0, room = 0;
  for (const std::string_view field : fields) {
    ++count;
    room += field.size();
  }
  if (room > 0xffffffffu || count > 0xffffffffu)
    throw RangeError("a row of CSV has less than 4 GiB");
  if (count == 0) return;
  block_ = detail::CsvBlock::make(count, room);
  detail::CsvField* place = block_->fields();
  std::uint32_t at = 0;
  for (const std::string_view field : fields) {
    if (!field.empty()) std::memcpy(block_->text() + at, field.data(), field.size());
    const std::uint32_t end = at + static_cast<std::uint32_t>(field.size());
    *place++ = {at, end};
    at = end;
  }
}

#if LEAT_BODIES
LEAT_INLINE CsvRow::CsvRow(const CsvRow& other) {
  if (other.block_ == nullptr) return;
  block_ = detail::CsvBlock::make(other.block_->count, other.block_->room);
  block_->columns = other.block_->columns;
  std::memcpy(static_cast<void*>(block_->fields()), other.block_->fields(),
              block_->count * sizeof(detail::CsvField) + block_->room);
}

LEAT_INLINE std::optional<std::string_view> CsvRow::get(std::string_view name) const noexcept {
  if (block_ == nullptr || !block_->columns) return std::nullopt;
  const std::size_t column = block_->columns->find(name);
  if (column >= block_->count) return std::nullopt;
  return field(column);
}

LEAT_INLINE const CsvRow* CsvRow::columns() const noexcept {
  return block_ == nullptr || !block_->columns ? nullptr : &block_->columns->names();
}

LEAT_INLINE CsvRow::Iterator CsvRow::begin() const noexcept { return Iterator(*this, 0); }

LEAT_INLINE CsvRow::Iterator CsvRow::end() const noexcept { return Iterator(*this, size()); }
#endif

}  // namespace leat::inline LEAT_ABI
