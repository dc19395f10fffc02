// SPDX-License-Identifier: MIT
// The exceptions of the library, with Node's names and codes. Texts are counted so that copying an
// exception never throws.
#pragma once

#include <leat/base/ref.hpp>
#include <leat/base/result.hpp>
#include <leat/core/frame_allocator.hpp>

#include <cstring>
#include <exception>
#include <initializer_list>
#include <string_view>

namespace leat::inline LEAT_ABI {

namespace detail {

/// An immutable, counted string, terminated by zero.
class SharedText {
 public:
  SharedText() noexcept = default;
  SharedText(std::string_view text) : SharedText({text}) {}
  SharedText(std::initializer_list<std::string_view> parts);
  SharedText(const SharedText& other) noexcept;
  SharedText& operator=(SharedText other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~SharedText();
  const char* data() const noexcept { return block_ == nullptr ? "" : block_->text(); }
  std::string_view view() const noexcept { return data(); }

 private:
  struct Block {
    Atomic<unsigned> count{1};
    char* text() noexcept { return reinterpret_cast<char*>(this + 1); }
  };
  Block* block_ = nullptr;
};

/// A decimal number in place, for messages.
class Decimal {
 public:
  explicit Decimal(long long number) noexcept;
  operator std::string_view() const noexcept { return {digits_ + first_, sizeof digits_ - first_}; }

 private:
  char digits_[24];
  std::size_t first_ = sizeof digits_;
};

}  // namespace detail

/// Base of every exception that the library throws. Node: `Error`.
class LEAT_API Error : public std::exception {
 public:
  /// `code` is Node's, such as `ERR_INVALID_ARG_VALUE`; `cause` may be null.
  explicit Error(std::string_view message, std::string_view code = {},
                 std::exception_ptr cause = nullptr)
      : message_(message), code_(code), cause_(std::move(cause)) {}

  const char* what() const noexcept override { return message_.data(); }
  std::string_view message() const noexcept { return message_.view(); }
  std::string_view code() const noexcept { return code_.view(); }
  /// Node's name of the class, as printed before the message.
  virtual std::string_view name() const noexcept { return "Error"; }
  std::exception_ptr cause() const noexcept { return cause_; }

 private:
  detail::SharedText message_;
  detail::SharedText code_;
  std::exception_ptr cause_;
};

/// An argument of the wrong kind or a call in the wrong state. Node: `TypeError`.
class LEAT_API TypeError : public Error {
 public:
  explicit TypeError(std::string_view message, std::string_view code = "ERR_INVALID_ARG_VALUE")
      : Error(message, code) {}
  std::string_view name() const noexcept override { return "TypeError"; }
};

/// A number outside of its range. Node: `RangeError`.
class LEAT_API RangeError : public Error {
 public:
  explicit RangeError(std::string_view message, std::string_view code = "ERR_OUT_OF_RANGE")
      : Error(message, code) {}
  std::string_view name() const noexcept override { return "RangeError"; }
};

/// An operation was aborted by a signal; `cause()` is the signal's reason. Node: `AbortError`.
class LEAT_API AbortError : public Error {
 public:
  explicit AbortError(std::exception_ptr cause = nullptr)
      : AbortError("The operation was aborted", std::move(cause)) {}
  explicit AbortError(std::string_view message, std::exception_ptr cause = nullptr)
      : Error(message, "ABORT_ERR", std::move(cause)) {}
  std::string_view name() const noexcept override { return "AbortError"; }
};

/// The reason of a signal made by `AbortSignal::timeout`, and what `withTimeout` throws.
class LEAT_API TimeoutError : public Error {
 public:
  explicit TimeoutError(std::string_view message = "The operation was aborted due to timeout",
                        std::string_view code = "TIMEOUT_ERR")
      : Error(message, code) {}
  std::string_view name() const noexcept override { return "TimeoutError"; }
};

/// Several failures as one: `any`, and connecting to each address of a host. Node: `AggregateError`.
class LEAT_API AggregateError : public Error {
 public:
  /// Copies the `count` errors.
  AggregateError(const std::exception_ptr* errors, std::size_t count,
                 std::string_view message = "All promises were rejected",
                 std::string_view code = {});
  std::string_view name() const noexcept override { return "AggregateError"; }

  struct Errors {
    const std::exception_ptr* first;
    std::size_t count;
    const std::exception_ptr* begin() const noexcept { return first; }
    const std::exception_ptr* end() const noexcept { return first + count; }
    std::size_t size() const noexcept { return count; }
    const std::exception_ptr& operator[](std::size_t i) const noexcept { return first[i]; }
  };
  /// In the order of the inputs. Lives as long as this exception.
  Errors errors() const noexcept { return {errors_->items, errors_->count}; }

 private:
  struct Block : detail::SharedCounted<Block> {
    Block(const std::exception_ptr* from, std::size_t n);
    ~Block() { delete[] items; }
    std::exception_ptr* items;
    std::size_t count;
  };
  detail::Ref<Block> errors_;
};

namespace detail {

#if LEAT_BODIES
LEAT_INLINE SharedText::SharedText(std::initializer_list<std::string_view> parts) {
  std::size_t size = 0;
  for (std::string_view part : parts) size += part.size();
  if (size == 0) return;
  block_ = ::new (::operator new(sizeof(Block) + size + 1)) Block;
  char* out = block_->text();
  for (std::string_view part : parts) {
    if (!part.empty()) std::memcpy(out, part.data(), part.size());
    out += part.size();
  }
  *out = '\0';
}

LEAT_INLINE SharedText::SharedText(const SharedText& other) noexcept : block_(other.block_) {
  if (block_ != nullptr) block_->count.fetchAdd(1, relaxed);
}

LEAT_INLINE SharedText::~SharedText() {
  if (block_ != nullptr && block_->count.fetchSub(1, acqRel) == 1) ::operator delete(block_);
}

LEAT_INLINE Decimal::Decimal(long long number) noexcept {
  const bool negative = number < 0;
  auto rest = static_cast<unsigned long long>(number);
  if (negative) rest = 0 - rest;
  do {
    digits_[--first_] = static_cast<char>('0' + rest % 10);
    rest /= 10;
  } while (rest != 0);
  if (negative) digits_[--first_] = '-';
}
#endif

/// Out of line and cold, so that the checks in front of them stay small.
[[noreturn]] LEAT_NOINLINE inline void throwTypeError(std::string_view message,
                                                      std::string_view code) {
  throw TypeError(message, code);
}
[[noreturn]] LEAT_NOINLINE inline void throwError(std::string_view message, std::string_view code) {
  throw Error(message, code);
}

/// The exception that `make()` gives; what that threw when there was no memory for it.
template <class Make>
std::exception_ptr errorOfMade(Make make) noexcept {
  try {
    return std::make_exception_ptr(make());
  } catch (...) {
    return std::current_exception();
  }
}

#if LEAT_BODIES
LEAT_ON_USE_BODY
[[noreturn]] LEAT_NOINLINE void throwNoValue() {
  throwError("a coroutine that is to give a value ended without co_return",
             "ERR_MISSING_CO_RETURN");
}
LEAT_ON_USE_BODY
LEAT_NOINLINE std::exception_ptr nullReason() noexcept {
  return errorOfMade([] { return TypeError("the reason is a null std::exception_ptr"); });
}
#endif

}  // namespace detail

#if LEAT_BODIES
LEAT_INLINE AggregateError::Block::Block(const std::exception_ptr* from, std::size_t n)
    : items(new std::exception_ptr[n]), count(n) {
  for (std::size_t i = 0; i < n; ++i) items[i] = from[i];
}

LEAT_INLINE AggregateError::AggregateError(const std::exception_ptr* errors, std::size_t count,
                                           std::string_view message, std::string_view code)
    : Error(message, code), errors_(detail::makeRef<Block>(errors, count)) {}
#endif

}  // namespace leat::inline LEAT_ABI
