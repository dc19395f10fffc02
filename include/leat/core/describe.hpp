// SPDX-License-Identifier: MIT
// An exception in words, for reports to a person: type, code, message and causes.
#pragma once

#include <leat/core/error.hpp>

#include <cxxabi.h>

#include <cstdlib>
#include <string>
#include <typeinfo>

namespace leat::inline LEAT_ABI {

/// "AbortError: The operation was aborted [ABORT_ERR]", with a line for each cause and for each part of
/// an AggregateError, indented. Works for exceptions of any type.
LEAT_INLINE std::string describe(std::exception_ptr error);

namespace detail {

LEAT_INLINE std::string typeName(const std::type_info& type);

#if LEAT_BODIES
LEAT_INLINE std::string typeName(const std::type_info& type) {
  int status = 0;
  char* name = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
  std::string result = status == 0 ? name : type.name();
  std::free(name);
  return result;
}

LEAT_INLINE void describeInto(std::string& out, const std::exception_ptr& error, int depth) {
  const std::string indent(static_cast<std::size_t>(depth) * 2, ' ');
  if (!error || depth > 8) {
    out += error ? "..." : "no exception";
    return;
  }
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    out.append(e.name()).append(": ").append(e.message());
    if (!e.code().empty() && e.message().find(e.code()) == std::string_view::npos)
      out.append(" [").append(e.code()).append("]");
    if (const auto* all = dynamic_cast<const AggregateError*>(&e)) {
      for (const std::exception_ptr& part : all->errors()) {
        out.append("\n").append(indent).append("  - ");
        describeInto(out, part, depth + 1);
      }
    }
    if (e.cause()) {
      out.append("\n").append(indent).append("  cause: ");
      describeInto(out, e.cause(), depth + 1);
    }
  } catch (const std::exception& e) {
    out.append(typeName(typeid(e))).append(": ").append(e.what());
  } catch (const char* text) {
    out.append("const char*: ").append(text == nullptr ? "null" : text);
  } catch (const std::string& text) {
    out.append("std::string: ").append(text);
  } catch (int number) {
    out.append("int: ").append(std::to_string(number));
  } catch (...) {
    const std::type_info* type = abi::__cxa_current_exception_type();
    out.append(type == nullptr ? std::string("foreign exception") : typeName(*type));
  }
}
#endif

}  // namespace detail

#if LEAT_BODIES
LEAT_INLINE std::string describe(std::exception_ptr error) {
  std::string out;
  detail::describeInto(out, error, 0);
  return out;
}
#endif

}  // namespace leat::inline LEAT_ABI
