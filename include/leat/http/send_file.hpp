// SPDX-License-Identifier: MIT
// A file as an answer: ranges, conditional requests, and the bytes by the kernel.
#pragma once

#include <leat/fs/files.hpp>
#include <leat/fs/paths.hpp>
#include <leat/fs/streams.hpp>
#include <leat/http/detail/conditions.hpp>
#include <leat/http/server_response.hpp>
#include <leat/stream/pipeline.hpp>

namespace leat::inline LEAT_ABI::http {

/// Options of `sendFile`.
struct SendFileOptions {
  /// The Content-Type; none is sent when this is empty, unless the answer has one already.
  std::string_view contentType{};
  /// Whether parts of the file may be asked for.
  bool acceptRanges = true;
  /// Ends it; the connection is then closed.
  SignalRef signal{};
};

namespace detail {

/// Opens what is a file. Nothing else is opened: a pipe would keep a thread waiting.
LEAT_ON_USE
Task<fs::FileHandle> openToSend(std::string path);
/// Says what the answer is going to be, but for its body; which bytes that has, and that it has none where
/// the range is `Nowhere`.
LEAT_INLINE ByteRange writeFileHead(const IncomingMessage& request, const ServerResponse& response,
                                    const fs::Stats& file, std::string_view type, bool ranges);

#if LEAT_BODIES
/// What HttpError a file that cannot be opened makes.
LEAT_INLINE HttpError fileError(const SystemError& error) {
  switch (error.number()) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:
      return HttpError(404, error.message(), error.code());
    case EACCES:
    case EPERM:
      return HttpError(403, error.message(), error.code());
    default:
      return HttpError(500, error.message(), error.code());
  }
}

/// Weak, for a file may change twice within what its clock can tell.
LEAT_INLINE std::string fileTag(const fs::Stats& file) {
  std::string tag = "W/\"";
  appendNumber(tag, static_cast<std::uint64_t>(file.size), 16);
  tag += '-';
  appendNumber(tag, static_cast<std::uint64_t>(file.mtimeNs), 16);
  return tag += '"';
}

LEAT_ON_USE_BODY
Task<fs::FileHandle> openToSend(std::string path) {
  try {
    const fs::Stats found = co_await fs::stat(path);
    if (found.isFile()) {
      fs::FileHandle file = co_await fs::open(path);
      co_return file;
    }
  } catch (const SystemError& error) {
    throw fileError(error);
  }
  throw HttpError(404, leat::detail::SharedText({"no file: '", path, "'"}).view(), "ENOENT");
}

LEAT_INLINE ByteRange writeFileHead(const IncomingMessage& request, const ServerResponse& response,
                                    const fs::Stats& file, std::string_view type, bool ranges) {
  constexpr ByteRange none{ByteRange::Kind::Nowhere, 0, 0};
  const auto offer = [&response](std::string_view name, std::string_view value) {
    if (!value.empty() && !response.hasHeader(name)) response.setHeader(name, value);
  };
  const auto number = [](std::int64_t value) { return std::to_string(value); };
  char date[32];
  const std::int64_t now = sys::realtimeNs() / 1'000'000'000;
  const std::int64_t changed = file.mtimeNs / 1'000'000'000;
  // No answer tells of a change that is still to come (section 8.8.2.1).
  Validators version{{}, changed < now ? changed : now, now};
  offer("ETag", fileTag(file));
  offer("Last-Modified", writeDate(date, version.modified));
  if (ranges) offer("Accept-Ranges", "bytes");
  const std::string etag(*response.getHeader("ETag"));
  version.etag = etag;
  ByteRange range;
  // An answer that says something else than "here it is" is that, whatever the conditions.
  if (response.statusCode() == 200) {
    const Verdict verdict = judge(request.headers(), version);
    if (verdict != Verdict::Send) {
      response.setStatusCode(verdict == Verdict::Failed ? 412 : 304);
      return none;
    }
    if (ranges && request.method() == "GET" && rangeHolds(request.headers(), version))
      range = readRange(request.header("range").value_or(std::string_view()), file.size);
    if (range.kind == ByteRange::Kind::Nowhere) {
      response.setStatusCode(416).setHeader("Content-Range", "bytes */" + number(file.size));
      return none;
    }
    if (range.kind == ByteRange::Kind::Part)
      response.setStatusCode(206).setHeader(
          "Content-Range",
          "bytes " + number(range.first) + "-" + number(range.last) + "/" + number(file.size));
  }
  if (range.kind == ByteRange::Kind::Whole) range.last = file.size - 1;
  offer("Content-Type", type);
  response.setHeader("Content-Length", number(range.last + 1 - range.first));
  return range;
}
#endif

/// A template of its parameter, so that the pipeline is made when it is used.
template <class Response>
Task<> sendFile(IncomingMessage request, Response response, std::string path, std::string type,
                bool ranges, Ref<leat::detail::AbortState> signal) {
  const bool head = request.method() == "HEAD";
  if (!head && request.method() != "GET") {
    response.setHeader("Allow", "GET, HEAD").setStatusCode(405).end();
    co_return;
  }
  fs::FileHandle file = co_await openToSend(std::move(path));
  const fs::Stats known = co_await file.stat();
  const ByteRange range = writeFileHead(request, response, known, type, ranges);
  if (head || range.kind == ByteRange::Kind::Nowhere || known.size == 0) {
    co_await response.end();
    co_return;
  }
  fs::ReadStreamOptions part;
  part.start = range.first;
  part.end = range.last;
  const fs::ReadStream source = fs::createReadStream(std::move(file), part);
  co_await pipeline(PipelineOptions{.signal = SignalRef(signal.get())}, source, response);
}

}  // namespace detail

/// Answers a GET or HEAD with a file: 200, or as the request asks 206 of one range, 304, 412 or 416. Other
/// methods are answered 405. The path is opened as it is given: what of a request becomes a path is the caller's
/// to decide.
///
/// ETag (weak, of size and time), Last-Modified and Accept-Ranges are set unless the answer has them; a strong ETag
/// of the caller's own makes If-Range hold for more than dates. With a status other than 200 the whole file goes,
/// whatever the request asks. Several ranges in one request are answered with the whole file (RFC 9110 section
/// 14.2). The bytes go by the kernel (see `pipeline`). A file that becomes shorter meanwhile costs the connection.
///
/// Node: none; `send` of npm. RFC 9110 sections 13 and 14. Completes: when all was given to the system. Lifetime: copies
/// what it is given. Throws: HttpError 404 (no file), 403, 500 with the code of the system, for the server to
/// answer; as `pipeline`. Cancel: AbortError; the connection is closed.
LEAT_ON_USE
Task<> sendFile(const IncomingMessage& request, const ServerResponse& response,
                std::string_view path, SendFileOptions options = {});

#if LEAT_BODIES
LEAT_ON_USE_BODY
Task<> sendFile(const IncomingMessage& request, const ServerResponse& response,
                std::string_view path, SendFileOptions options) {
  return detail::sendFile(request, response, std::string(path), std::string(options.contentType),
                          options.acceptRanges,
                          detail::Ref<leat::detail::AbortState>(options.signal.state()));
}
#endif

}  // namespace leat::inline LEAT_ABI::http
