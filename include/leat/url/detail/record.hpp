// SPDX-License-Identifier: MIT
// The parts of a URL while they are found or changed (WHATWG URL, section 4.1), and its text made of them.
#pragma once

#include <leat/url/detail/host.hpp>

namespace leat::inline LEAT_ABI::detail::url {

/// Of the schemes that are special, and -1 for file, which has no ports.
LEAT_INLINE std::optional<int> specialPort(std::string_view scheme) noexcept;

#if LEAT_BODIES
LEAT_INLINE std::optional<int> specialPort(std::string_view scheme) noexcept {
  if (scheme == "https" || scheme == "wss") return 443;
  if (scheme == "http" || scheme == "ws") return 80;
  if (scheme == "file") return -1;
  if (scheme == "ftp") return 21;
  return std::nullopt;
}
#endif
inline bool isSpecial(std::string_view scheme) noexcept { return specialPort(scheme).has_value(); }

struct Record {
  std::string scheme, username, password, host, path, query, fragment;
  int port = -1;
  bool hasHost = false;
  /// The path is a text without segments, such as that of mailto:a.
  bool opaque = false;
  bool hasQuery = false;
  bool hasFragment = false;

  bool hasCredentials() const noexcept { return !username.empty() || !password.empty(); }
  bool mayHaveCredentials() const noexcept { return !host.empty() && scheme != "file"; }
};

/// A letter, and ':' or '|'.
inline bool isDriveLetter(std::string_view text) noexcept {
  return text.size() == 2 && isLetter(text[0]) && (text[1] == ':' || text[1] == '|');
}
inline bool startsWithDriveLetter(std::string_view text) noexcept {
  return isDriveLetter(text.substr(0, 2)) &&
         (text.size() == 2 || std::string_view("/\\?#").find(text[2]) != std::string_view::npos);
}

/// Takes the last segment away, but for the drive letter of a file.
LEAT_INLINE void shortenPath(Record& record) noexcept;
/// Adds the segments of `text`, which begins behind a slash; dots go up, or nowhere.
LEAT_INLINE void appendSegments(Record& record, std::string_view text);

#if LEAT_BODIES
/// How many dots a segment is, which may be written %2e; 0 for what has other characters.
LEAT_INLINE int dotsOf(std::string_view segment) noexcept {
  int dots = 0;
  while (!segment.empty()) {
    const bool encoded =
        segment.size() > 2 && segment[0] == '%' && segment[1] == '2' && lowered(segment[2]) == 'e';
    if (!encoded && segment[0] != '.') return 0;
    segment.remove_prefix(encoded ? 3 : 1);
    ++dots;
  }
  return dots;
}

LEAT_INLINE void shortenPath(Record& record) noexcept {
  std::string& path = record.path;
  if (record.scheme == "file" && path.size() == 3 && isLetter(path[1]) && path[2] == ':') return;
  const std::size_t slash = path.rfind('/');
  if (slash != std::string::npos) path.erase(slash);
}

LEAT_INLINE void appendSegments(Record& record, std::string_view text) {
  const std::string_view slashes = isSpecial(record.scheme) ? "/\\" : "/";
  for (bool last = false; !last;) {
    const std::size_t end = text.find_first_of(slashes);
    const std::string_view segment = text.substr(0, end);
    last = end == std::string_view::npos;
    if (!last) text.remove_prefix(end + 1);
    const int dots = dotsOf(segment);
    if (dots == 1 || dots == 2) {
      if (dots == 2) shortenPath(record);
      if (last) record.path += '/';
      continue;
    }
    const bool drive = record.scheme == "file" && record.path.empty() && isDriveLetter(segment);
    record.path += '/';
    appendEncoded(record.path, segment, inPath);
    if (drive) record.path.back() = ':';
  }
}
#endif

/// Blanks at the end of an opaque path stay only in front of a query or a fragment.
inline void stripOpaquePath(Record& record) noexcept {
  if (!record.opaque || record.hasQuery || record.hasFragment) return;
  while (record.path.ends_with(' ')) record.path.pop_back();
}

/// Where the parts are in the text of a URL.
struct Places {
  std::size_t protocolEnd = 0;
  std::size_t usernameEnd = 0;
  std::size_t passwordEnd = 0;
  std::size_t hostBegin = 0;
  std::size_t hostEnd = 0;
  std::size_t portEnd = 0;
  std::size_t pathBegin = 0;
  std::size_t pathEnd = 0;
  std::size_t queryEnd = 0;
  bool opaque = false;
};

/// The text (WHATWG URL, section 4.5).
LEAT_INLINE std::string compose(const Record& record, Places& places);

#if LEAT_BODIES
LEAT_INLINE std::string compose(const Record& record, Places& places) {
  std::string out;
  out.reserve(record.scheme.size() + record.username.size() + record.password.size() +
              record.host.size() + record.path.size() + record.query.size() +
              record.fragment.size() + 16);
  out.append(record.scheme) += ':';
  places.protocolEnd = places.usernameEnd = places.passwordEnd = places.hostBegin = out.size();
  if (record.hasHost) {
    out.append("//").append(record.username);
    places.usernameEnd = out.size();
    if (!record.password.empty()) (out += ':').append(record.password);
    places.passwordEnd = out.size();
    if (record.hasCredentials()) out += '@';
    places.hostBegin = out.size();
    out.append(record.host);
  }
  places.hostEnd = out.size();
  if (record.port >= 0) (out += ':').append(Decimal(record.port));
  places.portEnd = out.size();
  // Or the path would be read as a host.
  if (!record.hasHost && !record.opaque && record.path.starts_with("//")) out.append("/.");
  places.pathBegin = out.size();
  out.append(record.path);
  places.pathEnd = out.size();
  if (record.hasQuery) (out += '?').append(record.query);
  places.queryEnd = out.size();
  if (record.hasFragment) (out += '#').append(record.fragment);
  places.opaque = record.opaque;
  return out;
}
#endif

}  // namespace leat::inline LEAT_ABI::detail::url
