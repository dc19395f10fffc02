// SPDX-License-Identifier: MIT
// A system call that failed, worded as Node words it.
#pragma once

#include <leat/core/error.hpp>
#include <leat/sys/errno.hpp>

namespace leat::inline LEAT_ABI {

/// Node: the error of a failed system call, with `code`, `errno`, `syscall`, `path`, `dest`, `address`
/// and `port`.
class LEAT_API SystemError : public Error {
 public:
  /// "ENOENT: no such file or directory, open 'x'", and "-> 'y'" when there is a second path. An empty
  /// path is shown too; a view of nothing is none.
  SystemError(int number, std::string_view syscall, std::string_view path = {},
              std::string_view dest = {})
      : SystemError(number, syscall, fileText(number, syscall, path, dest)) {
    path_ = path;
    dest_ = dest;
  }
  /// "connect ECONNREFUSED 127.0.0.1:80"; with port 0 or, of a Unix socket, -1: "connect ENOENT /path". With
  /// `text`: "listen EADDRINUSE: address already in use 127.0.0.1:80".
  static SystemError ofAddress(int number, std::string_view syscall, std::string_view address,
                               int port, bool text = false);
  /// With a code that is no errno: "getaddrinfo ENOTFOUND host".
  static SystemError ofHost(std::string_view code, std::string_view syscall, std::string_view host);

  /// With a code and a text of the library's own: "Path is a directory: rm returned EISDIR (is a
  /// directory) x".
  static SystemError ofFile(int number, std::string_view syscall, std::string_view path,
                            std::string_view code, std::string_view text, std::string_view reason);

  /// The system's number, positive; 0 when the code is none of its. Node's `errno` is its negative.
  int number() const noexcept { return number_; }
  std::string_view syscall() const noexcept { return syscall_.view(); }
  std::string_view path() const noexcept { return path_.view(); }
  std::string_view dest() const noexcept { return dest_.view(); }
  std::string_view address() const noexcept { return address_.view(); }
  /// -1 when there is none.
  int port() const noexcept { return port_; }

 private:
  SystemError(int number, std::string_view syscall, const detail::SharedText& text,
              std::string_view code = {})
      : Error(text.view(), code.empty() ? sys::errorName(number) : code),
        number_(number),
        syscall_(syscall) {}
  static detail::SharedText fileText(int number, std::string_view syscall, std::string_view path,
                                     std::string_view dest);

  int number_;
  int port_ = -1;
  detail::SharedText syscall_;
  detail::SharedText path_;
  detail::SharedText dest_;
  detail::SharedText address_;
};

#if LEAT_BODIES
LEAT_INLINE detail::SharedText SystemError::fileText(int number, std::string_view syscall,
                                                     std::string_view path, std::string_view dest) {
  return {sys::errorName(number),
          ": ",
          sys::errorText(number),
          ", ",
          syscall,
          path.data() == nullptr ? "" : " '",
          path,
          path.data() == nullptr ? "" : "'",
          dest.data() == nullptr ? "" : " -> '",
          dest,
          dest.data() == nullptr ? "" : "'"};
}

LEAT_INLINE SystemError SystemError::ofAddress(int number, std::string_view syscall,
                                               std::string_view address, int port, bool text) {
  const detail::Decimal digits(port);
  const std::string_view shownPort = port <= 0 ? std::string_view() : digits;
  const detail::SharedText message{syscall,
                                   " ",
                                   sys::errorName(number),
                                   text ? ": " : "",
                                   text ? sys::errorText(number) : "",
                                   address.empty() ? "" : " ",
                                   address,
                                   port <= 0 ? "" : ":",
                                   shownPort};
  SystemError error(number, syscall, message);
  error.address_ = address;
  if (port > 0) error.port_ = port;
  return error;
}

LEAT_INLINE SystemError SystemError::ofHost(std::string_view code, std::string_view syscall,
                                            std::string_view host) {
  const detail::SharedText text{syscall, " ", code, host.empty() ? "" : " ", host};
  SystemError error(0, syscall, text, code);
  error.address_ = host;
  return error;
}

LEAT_INLINE SystemError SystemError::ofFile(int number, std::string_view syscall,
                                            std::string_view path, std::string_view code,
                                            std::string_view text, std::string_view reason) {
  const detail::SharedText message{text, ": ",   syscall, " returned ", sys::errorName(number),
                                   " (", reason, ") ",    path};
  SystemError error(number, syscall, message, code);
  error.path_ = path;
  return error;
}
#endif

}  // namespace leat::inline LEAT_ABI
