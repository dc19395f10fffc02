// SPDX-License-Identifier: MIT
// An error that a client is answered with.
#pragma once

#include <leat/core/error.hpp>

namespace leat::inline LEAT_ABI::http {

/// What a handler throws to answer with a status of its own: `throw http::HttpError(404, "no such item")`. The
/// message is for whoever catches it; the client gets the status alone. Node: none; `http-errors` of npm.
class LEAT_API HttpError : public Error {
 public:
  explicit HttpError(int status, std::string_view message = {}, std::string_view code = "ERR_HTTP")
      : Error(message, code), status_(status) {}
  int status() const noexcept { return status_; }
  std::string_view name() const noexcept override { return "HttpError"; }

 private:
  int status_;
};

}  // namespace leat::inline LEAT_ABI::http
