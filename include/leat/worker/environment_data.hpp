// SPDX-License-Identifier: MIT
// setEnvironmentData: values that a thread hands down to the workers that it starts.
#pragma once

#include <leat/core/describe.hpp>
#include <leat/loop/event_loop.hpp>
#include <leat/worker/detail/port_lane.hpp>

#include <map>
#include <optional>
#include <typeinfo>

namespace leat::inline LEAT_ABI {

namespace detail {

/// Shared by threads that only read it.
struct EnvironmentValue : SharedCounted<EnvironmentValue> {
  explicit EnvironmentValue(const std::type_info& t) noexcept : type(t) {}
  virtual ~EnvironmentValue() = default;
  const std::type_info& type;
};
template <class T>
struct EnvironmentValueOf final : EnvironmentValue {
  explicit EnvironmentValueOf(T&& v) : EnvironmentValue(typeid(T)), value(std::move(v)) {}
  const T value;
};
using EnvironmentMap = std::map<std::string, Ref<EnvironmentValue>, std::less<>>;

struct LEAT_API EnvironmentPart final : LoopPart {
  explicit EnvironmentPart(const void* k) noexcept : LoopPart(k) {}
  EnvironmentMap values;
  static EnvironmentMap& current() {
    return EventLoop::current().parts().get<EnvironmentPart>().values;
  }
};

}  // namespace detail

namespace worker_threads {

/// Keeps a value under a name, for this thread and for the workers that it starts from now on. It is not
/// changed any more, and read by several threads at once.
///
/// Node: `setEnvironmentData(key, value)`. Throws: Error ERR_NO_LOOP.
template <class T>
void setEnvironmentData(std::string_view key, T value) {
  static_assert(isMessage<T>,
                "what goes to a worker owns what it holds and is no handle of a loop");
  leat::detail::Ref<leat::detail::EnvironmentValue> made =
      leat::detail::Ref<leat::detail::EnvironmentValue>::adopt(
          new leat::detail::EnvironmentValueOf<T>(std::move(value)));
  leat::detail::EnvironmentPart::current().insert_or_assign(std::string(key), std::move(made));
}
/// A literal is kept as a std::string.
inline void setEnvironmentData(std::string_view key, const char* text) {
  setEnvironmentData(key, std::string(text));
}
/// Forgets the name. Node: `setEnvironmentData(key)`.
inline void setEnvironmentData(std::string_view key) {
  leat::detail::EnvironmentMap& values = leat::detail::EnvironmentPart::current();
  if (const auto found = values.find(key); found != values.end()) values.erase(found);
}
/// A copy of what was set here, or by the thread that started this worker before it did; nothing when
/// there is none. Node: `getEnvironmentData(key)`.
///
/// Throws: TypeError ERR_INVALID_ARG_TYPE when it has another type; Error ERR_NO_LOOP.
template <class T>
std::optional<T> getEnvironmentData(std::string_view key) {
  const leat::detail::EnvironmentMap& values = leat::detail::EnvironmentPart::current();
  const auto found = values.find(key);
  if (found == values.end()) return std::nullopt;
  const leat::detail::EnvironmentValue& value = *found->second;
  if (value.type != typeid(T))
    leat::detail::throwTypeError(
        leat::detail::SharedText({"getEnvironmentData: '", key, "' is of type ",
                                  leat::detail::typeName(value.type), ", not ",
                                  leat::detail::typeName(typeid(T))})
            .view(),
        "ERR_INVALID_ARG_TYPE");
  return static_cast<const leat::detail::EnvironmentValueOf<T>&>(value).value;
}

}  // namespace worker_threads
}  // namespace leat::inline LEAT_ABI
