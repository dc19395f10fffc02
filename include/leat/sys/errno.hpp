// SPDX-License-Identifier: MIT
// Names and texts of errors of the system, worded as Node's: those of `util.getSystemErrorMap()`.
#pragma once

#include <leat/base/config.hpp>

#include <errno.h>

namespace leat::inline LEAT_ABI::sys {

// clang-format off
#define LEAT_ERRNO_TABLE(X)                                                                     \
  X(E2BIG, "argument list too long")                                                            \
  X(EACCES, "permission denied")                                                                \
  X(EADDRINUSE, "address already in use")                                                       \
  X(EADDRNOTAVAIL, "address not available")                                                     \
  X(EAFNOSUPPORT, "address family not supported")                                               \
  X(EAGAIN, "resource temporarily unavailable")                                                 \
  X(EALREADY, "connection already in progress")                                                 \
  X(EBADF, "bad file descriptor")                                                               \
  X(EBUSY, "resource busy or locked")                                                           \
  X(ECANCELED, "operation canceled")                                                            \
  X(ECHILD, "no child processes")                                                               \
  X(ECONNABORTED, "software caused connection abort")                                           \
  X(ECONNREFUSED, "connection refused")                                                         \
  X(ECONNRESET, "connection reset by peer")                                                     \
  X(EDESTADDRREQ, "destination address required")                                               \
  X(EDOM, "argument out of domain")                                                             \
  X(EDQUOT, "disk quota exceeded")                                                              \
  X(EEXIST, "file already exists")                                                              \
  X(EFAULT, "bad address in system call argument")                                              \
  X(EFBIG, "file too large")                                                                    \
  X(EHOSTDOWN, "host is down")                                                                  \
  X(EHOSTUNREACH, "host is unreachable")                                                        \
  X(EILSEQ, "illegal byte sequence")                                                            \
  X(EINPROGRESS, "operation in progress")                                                       \
  X(EINTR, "interrupted system call")                                                           \
  X(EINVAL, "invalid argument")                                                                 \
  X(EIO, "i/o error")                                                                           \
  X(EISCONN, "socket is already connected")                                                     \
  X(EISDIR, "illegal operation on a directory")                                                 \
  X(ELOOP, "too many symbolic links encountered")                                               \
  X(EMFILE, "too many open files")                                                              \
  X(EMLINK, "too many links")                                                                   \
  X(EMSGSIZE, "message too long")                                                               \
  X(ENAMETOOLONG, "name too long")                                                              \
  X(ENETDOWN, "network is down")                                                                \
  X(ENETRESET, "network dropped connection on reset")                                           \
  X(ENETUNREACH, "network is unreachable")                                                      \
  X(ENFILE, "file table overflow")                                                              \
  X(ENOBUFS, "no buffer space available")                                                       \
  X(ENODATA, "no data available")                                                               \
  X(ENODEV, "no such device")                                                                   \
  X(ENOENT, "no such file or directory")                                                        \
  X(ENOEXEC, "exec format error")                                                               \
  X(ENOMEM, "not enough memory")                                                                \
  X(ENONET, "machine is not on the network")                                                    \
  X(ENOPROTOOPT, "protocol not available")                                                      \
  X(ENOSPC, "no space left on device")                                                          \
  X(ENOSYS, "function not implemented")                                                         \
  X(ENOTCONN, "socket is not connected")                                                        \
  X(ENOTDIR, "not a directory")                                                                 \
  X(ENOTEMPTY, "directory not empty")                                                           \
  X(ENOTSOCK, "socket operation on non-socket")                                                 \
  X(ENOTSUP, "operation not supported on socket")                                               \
  X(ENOTTY, "inappropriate ioctl for device")                                                   \
  X(ENXIO, "no such device or address")                                                         \
  X(EOVERFLOW, "value too large for defined data type")                                         \
  X(EPERM, "operation not permitted")                                                           \
  X(EPIPE, "broken pipe")                                                                       \
  X(EPROTO, "protocol error")                                                                   \
  X(EPROTONOSUPPORT, "protocol not supported")                                                  \
  X(EPROTOTYPE, "protocol wrong type for socket")                                               \
  X(ERANGE, "result too large")                                                                 \
  X(EREMOTEIO, "remote I/O error")                                                              \
  X(EROFS, "read-only file system")                                                             \
  X(ESHUTDOWN, "cannot send after transport endpoint shutdown")                                 \
  X(ESOCKTNOSUPPORT, "socket type not supported")                                               \
  X(ESPIPE, "invalid seek")                                                                     \
  X(ESRCH, "no such process")                                                                   \
  X(ETIMEDOUT, "connection timed out")                                                          \
  X(ETXTBSY, "text file is busy")                                                               \
  X(EUNATCH, "protocol driver not attached")                                                    \
  X(EXDEV, "cross-device link not permitted")
// clang-format on

/// "ENOENT"; "UNKNOWN" for a number without a name.
constexpr const char* errorName(int number) noexcept {
  switch (number) {
#define LEAT_ERRNO_NAME(name, text) \
  case name:                        \
    return #name;
    LEAT_ERRNO_TABLE(LEAT_ERRNO_NAME)
#undef LEAT_ERRNO_NAME
    default:
      return "UNKNOWN";
  }
}

/// "no such file or directory".
constexpr const char* errorText(int number) noexcept {
  switch (number) {
#define LEAT_ERRNO_TEXT(name, text) \
  case name:                        \
    return text;
    LEAT_ERRNO_TABLE(LEAT_ERRNO_TEXT)
#undef LEAT_ERRNO_TEXT
    default:
      return "unknown error";
  }
}

#undef LEAT_ERRNO_TABLE

}  // namespace leat::inline LEAT_ABI::sys
