// SPDX-License-Identifier: MIT
// The errors of streams, with Node's codes and texts.
#pragma once

#include <leat/core/error.hpp>

namespace leat::inline LEAT_ABI::detail {

LEAT_NOINLINE inline std::exception_ptr streamError(std::string_view text, std::string_view code) {
  return std::make_exception_ptr(Error(text, code));
}
inline std::exception_ptr pushAfterEof() {
  return streamError("stream.push() after EOF", "ERR_STREAM_PUSH_AFTER_EOF");
}
inline std::exception_ptr unshiftAfterEnd() {
  return streamError("stream.unshift() after end event", "ERR_STREAM_UNSHIFT_AFTER_END_EVENT");
}
inline std::exception_ptr streamWriteAfterEnd() {
  return streamError("write after end", "ERR_STREAM_WRITE_AFTER_END");
}
inline std::exception_ptr streamDestroyed(std::string_view call) {
  return streamError(SharedText({"Cannot call ", call, " after a stream was destroyed"}).view(),
                     "ERR_STREAM_DESTROYED");
}
inline std::exception_ptr streamFinished(std::string_view call) {
  return streamError(SharedText({"Cannot call ", call, " after a stream was finished"}).view(),
                     "ERR_STREAM_ALREADY_FINISHED");
}
inline std::exception_ptr prematureClose() {
  return streamError("Premature close", "ERR_STREAM_PREMATURE_CLOSE");
}
inline std::exception_ptr calledTwice() {
  return streamError("Callback called multiple times", "ERR_MULTIPLE_CALLBACK");
}

/// Whether the error is an Error with this code.
LEAT_INLINE bool hasCode(const std::exception_ptr& error, std::string_view code) noexcept;

#if LEAT_BODIES
LEAT_INLINE bool hasCode(const std::exception_ptr& error, std::string_view code) noexcept {
  if (!error) return false;
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return e.code() == code;
  } catch (...) {
    return false;
  }
}

/// Whether its name is AbortError: several errors together have only the code.
LEAT_INLINE bool namesAbort(const std::exception_ptr& error) noexcept {
  if (!error) return false;
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return e.name() == "AbortError";
  } catch (...) {
    return false;
  }
}

/// Two errors of one thing. Node: aggregateTwoErrors.
LEAT_INLINE std::exception_ptr joinErrors(std::exception_ptr inner, std::exception_ptr outer) {
  if (!inner || !outer || inner == outer) return inner ? inner : outer;
  const std::exception_ptr both[] = {outer, inner};
  try {
    std::rethrow_exception(outer);
  } catch (const Error& e) {
    return std::make_exception_ptr(AggregateError(both, 2, e.message(), e.code()));
  } catch (const std::exception& e) {
    return std::make_exception_ptr(AggregateError(both, 2, e.what()));
  } catch (...) {
    return outer;
  }
}
#endif

}  // namespace leat::inline LEAT_ABI::detail
