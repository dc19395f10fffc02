// SPDX-License-Identifier: MIT
// What can be wrong with a message, with the codes of Node's parser where it has one.
#pragma once

#include <leat/http/http_error.hpp>

namespace leat::inline LEAT_ABI::http {

namespace detail {

enum class ParseFault : unsigned char {
  None,
  Method,
  Target,
  Constant,
  Version,
  UnknownVersion,
  Status,
  FieldName,
  Character,
  BareCr,
  BareLf,
  HeadTooLarge,
  TooManyFields,
  ContentLength,
  SecondLength,
  TransferEncoding,
  EncodingOfOld,
  Host,
  NoHost,
  ChunkSize,
  ChunkEnd,
  ExtensionsTooLarge,
  Premature,
  AfterClose,
};

struct FaultText {
  std::string_view code;
  std::string_view message;
  /// What a server answers.
  int status;
};

// NOLINTNEXTLINE(readability-function-size): a table
constexpr FaultText textOf(ParseFault fault) noexcept {
  switch (fault) {
    case ParseFault::None:
      break;
    case ParseFault::Method:
      return {"HPE_INVALID_METHOD", "Invalid method encountered", 400};
    case ParseFault::Target:
      return {"HPE_INVALID_URL", "Invalid request target", 400};
    case ParseFault::Constant:
      return {"HPE_INVALID_CONSTANT", "Expected HTTP/", 400};
    case ParseFault::Version:
      return {"HPE_INVALID_VERSION", "Invalid HTTP version", 400};
    case ParseFault::UnknownVersion:
      return {"HPE_INVALID_VERSION", "HTTP version is neither 1.0 nor 1.1", 505};
    case ParseFault::Status:
      return {"HPE_INVALID_STATUS", "Invalid status code", 400};
    case ParseFault::FieldName:
      return {"HPE_INVALID_HEADER_TOKEN", "Invalid header token", 400};
    case ParseFault::Character:
      return {"HPE_INVALID_HEADER_TOKEN", "Invalid header value char", 400};
    case ParseFault::BareCr:
      return {"HPE_LF_EXPECTED", "Missing expected LF after CR", 400};
    case ParseFault::BareLf:
      return {"HPE_CR_EXPECTED", "Missing expected CR before LF", 400};
    case ParseFault::HeadTooLarge:
      return {"HPE_HEADER_OVERFLOW", "Header overflow", 431};
    case ParseFault::TooManyFields:
      return {"HPE_HEADER_OVERFLOW", "Too many header fields", 431};
    case ParseFault::ContentLength:
      return {"HPE_INVALID_CONTENT_LENGTH", "Invalid Content-Length", 400};
    case ParseFault::SecondLength:
      return {"HPE_UNEXPECTED_CONTENT_LENGTH",
              "Content-Length a second time, or beside Transfer-Encoding", 400};
    case ParseFault::TransferEncoding:
      return {"HPE_INVALID_TRANSFER_ENCODING",
              "Transfer-Encoding does not end with chunked, or has it twice", 400};
    case ParseFault::EncodingOfOld:
      return {"HPE_INVALID_TRANSFER_ENCODING", "Transfer-Encoding in a message of HTTP/1.0", 400};
    case ParseFault::Host:
      return {"HPE_INVALID_HOST", "Invalid Host, or a second one", 400};
    case ParseFault::NoHost:
      return {"HPE_INVALID_HOST", "Missing Host", 400};
    case ParseFault::ChunkSize:
      return {"HPE_INVALID_CHUNK_SIZE", "Invalid character in chunk size, or too large", 400};
    case ParseFault::ChunkEnd:
      return {"HPE_STRICT", "Expected CR LF after chunk data", 400};
    case ParseFault::ExtensionsTooLarge:
      return {"HPE_CHUNK_EXTENSIONS_OVERFLOW", "Chunk extensions overflow", 413};
    case ParseFault::Premature:
      return {"HPE_INVALID_EOF_STATE", "Message ends before it is complete", 400};
    case ParseFault::AfterClose:
      return {"HPE_CLOSED_CONNECTION", "Data after `Connection: close`", 400};
  }
  return {"HPE_OK", "", 400};
}

}  // namespace detail

/// A message that was refused. `code()` is that of Node's parser, `status()` what a server answers: 400, 413,
/// 431 or 505. Node: the error of `clientError`.
class LEAT_API ParseError : public HttpError {
 public:
  explicit ParseError(detail::ParseFault fault)
      : HttpError(detail::textOf(fault).status,
                  leat::detail::SharedText({"Parse Error: ", detail::textOf(fault).message}).view(),
                  detail::textOf(fault).code) {}
  std::string_view name() const noexcept override { return "ParseError"; }
};

}  // namespace leat::inline LEAT_ABI::http
