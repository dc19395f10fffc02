// SPDX-License-Identifier: MIT
// The arguments of an event whose name is known at run time only: what is emitted is brought to a few
// kinds, and each listener takes them as the types that it names.
#pragma once

#include <leat/core/describe.hpp>
#include <leat/events/detail/unhandled.hpp>

#include <limits>
#include <vector>

namespace leat::inline LEAT_ABI {

namespace detail {

/// What is emitted as one of these reaches a listener that names another type of the same kind.
enum class ArgKind : unsigned char {
  Bool,
  Integer,   // long long
  Unsigned,  // unsigned long long
  Number,    // double
  Text,      // std::string_view
  Other,     // a type that listeners name exactly
};

struct ArgType {
  ArgKind kind;
  const std::type_info& type;
  /// Makes an exception_ptr of it, where it is an exception.
  std::exception_ptr (*asException)(const void* value);
  /// Copies it, for EventValue; null where it cannot be copied.
  void* (*copy)(const void* value);
  void (*destroy)(void* value) noexcept;
};

template <class T>
constexpr ArgKind argKindOf() noexcept {
  if constexpr (std::is_same_v<T, bool>) return ArgKind::Bool;
  if constexpr (std::is_same_v<T, long long>) return ArgKind::Integer;
  if constexpr (std::is_same_v<T, unsigned long long>) return ArgKind::Unsigned;
  if constexpr (std::is_same_v<T, double>) return ArgKind::Number;
  if constexpr (std::is_same_v<T, std::string_view>) return ArgKind::Text;
  return ArgKind::Other;
}

/// The type in which an argument travels.
template <class X>
auto normalType() {
  using T = std::decay_t<X>;
  if constexpr (std::is_same_v<T, bool>) {
    return std::type_identity<bool>();
  } else if constexpr (std::is_integral_v<T>) {
    constexpr bool big = std::is_unsigned_v<T> && sizeof(T) == sizeof(long long);
    return std::type_identity<std::conditional_t<big, unsigned long long, long long>>();
  } else if constexpr (std::is_floating_point_v<T>) {
    return std::type_identity<double>();
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    return std::type_identity<std::string_view>();
  } else {
    return std::type_identity<T>();
  }
}
template <class X>
using NormalType = typename decltype(normalType<X>())::type;

/// How a value of the normal type T is kept when it outlives the emit.
template <class T>
using KeptType = std::conditional_t<std::is_same_v<T, std::string_view>, std::string, T>;

template <class T>
LEAT_API inline constexpr ArgType argType{
    argKindOf<T>(), typeid(KeptType<T>),
    [] {
      std::exception_ptr (*made)(const void*) = nullptr;
      if constexpr (std::is_same_v<T, std::exception_ptr>) {
        made = [](const void* value) { return *static_cast<const std::exception_ptr*>(value); };
      } else if constexpr (isException<T>) {
        made = [](const void* value) { return wholeReason(*static_cast<const T*>(value)); };
      }
      return made;
    }(),
    [] {
      void* (*made)(const void*) = nullptr;
      if constexpr (std::is_copy_constructible_v<T>)
        made = [](const void* value) -> void* {
          return new KeptType<T>(*static_cast<const T*>(value));
        };
      return made;
    }(),
    [](void* value) noexcept { delete static_cast<KeptType<T>*>(value); }};

/// An argument on its way: it refers to what the emit holds.
struct EventArg {
  const void* value;
  const ArgType* type;
  template <class T>
  const T& as() const noexcept {
    return *static_cast<const T*>(value);
  }
  template <class T>
  bool is() const noexcept {
    return type == &argType<T> || (type->kind == ArgKind::Other && type->type == typeid(T));
  }
};

/// An emit with all that listeners may ask of it.
struct Emission {
  std::string_view name;
  const EventArg* args;
  std::size_t size;
};

}  // namespace detail

/// An argument of an event, kept. What `once` and `on` give for events of an EventEmitter.
class EventValue {
 public:
  EventValue() noexcept = default;
  /// Internal. Throws: TypeError ERR_INVALID_ARG_TYPE when it cannot be copied.
  explicit EventValue(const detail::EventArg& arg);
  /// Throws: TypeError ERR_INVALID_ARG_TYPE when it is none.
  template <class T>
  T as() const;
  /// Whether `as<T>()` gives a value.
  template <class T>
  bool is() const;
  const std::type_info& type() const noexcept { return block_ ? block_->type->type : typeid(void); }

 private:
  struct Block : detail::Counted<Block> {
    Block(void* v, const detail::ArgType& t) noexcept : value(v), type(&t) {}
    ~Block() { type->destroy(value); }
    void* value;
    const detail::ArgType* type;
    std::string_view text;
  };
  detail::EventArg arg() const noexcept;
  detail::Ref<Block> block_;
};

/// All arguments of an event, kept: `args[0].as<std::string>()`. A listener that takes one of these is
/// called for events with any arguments. Node: `(...args) => {}`.
class EventArgs {
 public:
  EventArgs() noexcept = default;
  /// Internal.
  explicit EventArgs(const detail::Emission& emission) {
    values_.reserve(emission.size);
    for (std::size_t i = 0; i < emission.size; ++i) values_.emplace_back(emission.args[i]);
  }
  std::size_t size() const noexcept { return values_.size(); }
  bool empty() const noexcept { return values_.empty(); }
  const EventValue& operator[](std::size_t i) const { return values_[i]; }
  auto begin() const noexcept { return values_.begin(); }
  auto end() const noexcept { return values_.end(); }

 private:
  std::vector<EventValue> values_;
};

namespace detail {

/// Whether an argument is what a listener's parameter of the (decayed) type T takes.
template <class T>
LEAT_ALWAYS_INLINE inline bool fitsParameter(const EventArg& arg) noexcept {
  if constexpr (std::is_same_v<T, bool>) {
    return arg.type->kind == ArgKind::Bool;
  } else if constexpr (std::is_integral_v<T>) {
    using Limits = std::numeric_limits<T>;
    if (arg.type->kind == ArgKind::Integer) {
      const long long value = arg.as<long long>();
      if constexpr (std::is_unsigned_v<T>)
        return value >= 0 && static_cast<unsigned long long>(value) <= Limits::max();
      else
        return value >= Limits::min() && value <= Limits::max();
    }
    return arg.type->kind == ArgKind::Unsigned &&
           arg.as<unsigned long long>() <= static_cast<unsigned long long>(Limits::max());
  } else if constexpr (std::is_floating_point_v<T>) {
    return arg.type->kind == ArgKind::Number || arg.type->kind == ArgKind::Integer ||
           arg.type->kind == ArgKind::Unsigned;
  } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>) {
    return arg.type->kind == ArgKind::Text;
  } else if constexpr (std::is_same_v<T, std::exception_ptr>) {
    return arg.type->asException != nullptr;
  } else if constexpr (std::is_same_v<T, EventValue>) {
    return true;
  } else {
    return arg.is<T>();
  }
}

/// The argument as T. It fits.
template <class T>
LEAT_ALWAYS_INLINE inline decltype(auto) parameterOf(const EventArg& arg) {
  if constexpr (std::is_same_v<T, bool>) {
    return bool{arg.as<bool>()};
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(arg.as<long long>());  // the bits of an unsigned one are the same
  } else if constexpr (std::is_floating_point_v<T>) {
    if (arg.type->kind == ArgKind::Number) return static_cast<T>(arg.as<double>());
    if (arg.type->kind == ArgKind::Integer) return static_cast<T>(arg.as<long long>());
    return static_cast<T>(arg.as<unsigned long long>());
  } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>) {
    return T(arg.as<std::string_view>());
  } else if constexpr (std::is_same_v<T, std::exception_ptr>) {
    return arg.type->asException(arg.value);
  } else if constexpr (std::is_same_v<T, EventValue>) {
    return EventValue(arg);
  } else {
    return arg.as<T>();
  }
}

/// The name of a type in messages.
inline std::string argTypeName(const std::type_info& type) {
  if (type == typeid(std::string) || type == typeid(std::string_view)) return "std::string";
  return typeName(type);
}

/// Throws: TypeError ERR_INVALID_ARG_TYPE.
[[noreturn]] LEAT_NOINLINE inline void throwArgMismatch(const Emission& emission,
                                                        const std::type_info* const* taken,
                                                        std::size_t count) {
  std::string text = "Event '" + std::string(emission.name) + "' was emitted with (";
  for (std::size_t i = 0; i < emission.size; ++i)
    text += (i == 0 ? "" : ", ") + argTypeName(emission.args[i].type->type);
  text += "), but a listener takes (";
  for (std::size_t i = 0; i < count; ++i) text += (i == 0 ? "" : ", ") + argTypeName(*taken[i]);
  throw TypeError(text + ")", "ERR_INVALID_ARG_TYPE");
}

}  // namespace detail

#if LEAT_BODIES
LEAT_INLINE EventValue::EventValue(const detail::EventArg& arg) {
  if (arg.type->copy == nullptr)
    detail::throwTypeError("an argument of type " + detail::typeName(arg.type->type) +
                               " cannot be kept: it is not copyable",
                           "ERR_INVALID_ARG_TYPE");
  block_ = detail::makeRef<Block>(arg.type->copy(arg.value), *arg.type);
  if (arg.type->kind == detail::ArgKind::Text)
    block_->text = *static_cast<const std::string*>(block_->value);
}

LEAT_INLINE detail::EventArg EventValue::arg() const noexcept {
  if (block_->type->kind == detail::ArgKind::Text) return {&block_->text, block_->type};
  return {block_->value, block_->type};
}
#endif

template <class T>
bool EventValue::is() const {
  return block_ && detail::fitsParameter<T>(arg());
}

template <class T>
T EventValue::as() const {
  if (!is<T>())
    detail::throwTypeError("the argument of an event is a " + detail::argTypeName(type()) +
                               ", not a " + detail::argTypeName(typeid(T)),
                           "ERR_INVALID_ARG_TYPE");
  return detail::parameterOf<T>(arg());
}

}  // namespace leat::inline LEAT_ABI
