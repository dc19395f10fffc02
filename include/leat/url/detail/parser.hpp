// SPDX-License-Identifier: MIT
// The basic URL parser (WHATWG URL, section 4.4), by whole parts where the standard goes from character to
// character: what ends a part never depends on what is in it.
#pragma once

#include <leat/url/detail/record.hpp>

namespace leat::inline LEAT_ABI::detail::url {

/// How long the scheme in front of the first colon is; npos when there is none.
LEAT_INLINE std::size_t schemeEnd(std::string_view text) noexcept;
LEAT_INLINE std::string lowerCase(std::string_view text);
/// The text as UTF-8 without tabs and ends of lines, which URLs may be broken with anywhere.
LEAT_INLINE std::string_view cleaned(std::string_view text, std::string& memory);
LEAT_INLINE std::string_view withoutControlsAround(std::string_view text) noexcept;
/// Where the port of "host:port" begins: the first colon that is not in brackets.
LEAT_INLINE std::size_t portColon(std::string_view text) noexcept;
/// The digits in front, which are the port unless it is the scheme's own. False when they are too large.
LEAT_INLINE bool setPort(Record& record, std::string_view digits) noexcept;
LEAT_INLINE std::string_view digitsInFront(std::string_view text) noexcept;
/// Not empty. A file on this machine has no host.
LEAT_INLINE Fault setFileHost(Record& record, std::string_view text);

#if LEAT_BODIES
LEAT_INLINE std::size_t schemeEnd(std::string_view text) noexcept {
  if (text.empty() || !isLetter(text[0])) return std::string_view::npos;
  std::size_t at = 1;
  while (at < text.size() && is(schemeByte, text[at])) ++at;
  return at < text.size() && text[at] == ':' ? at : std::string_view::npos;
}

LEAT_INLINE std::string lowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = lowered(c);
  return lower;
}

LEAT_INLINE std::string_view cleaned(std::string_view text, std::string& memory) {
  if (utf8Prefix(octets(text), text.size()) != text.size()) text = memory = wellFormed(text);
  if (!hasAny(lineBreak, text)) return text;
  std::string without;
  for (const char c : text)
    if (!is(lineBreak, c)) without += c;
  return memory = std::move(without);
}

LEAT_INLINE std::string_view withoutControlsAround(std::string_view text) noexcept {
  const auto isOut = [](char c) { return static_cast<unsigned char>(c) <= 0x20; };
  while (!text.empty() && isOut(text.front())) text.remove_prefix(1);
  while (!text.empty() && isOut(text.back())) text.remove_suffix(1);
  return text;
}

LEAT_INLINE std::size_t portColon(std::string_view text) noexcept {
  bool inside = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '[') inside = true;
    if (text[at] == ']') inside = false;
    if (text[at] == ':' && !inside) return at;
  }
  return std::string_view::npos;
}

LEAT_INLINE bool setPort(Record& record, std::string_view digits) noexcept {
  int port = 0;
  for (const char c : digits) {
    port = port * 10 + (c - '0');
    if (port > 65535) return false;
  }
  record.port = specialPort(record.scheme) == port ? -1 : port;
  return true;
}

LEAT_INLINE std::string_view digitsInFront(std::string_view text) noexcept {
  std::size_t size = 0;
  while (size < text.size() && isDigit(text[size])) ++size;
  return text.substr(0, size);
}

LEAT_INLINE Fault setFileHost(Record& record, std::string_view text) {
  std::string host;
  const Fault fault = parseHost(text, true, host);
  if (fault == Fault::None) record.host = host == "localhost" ? std::string() : std::move(host);
  return fault;
}
#endif

/// Finds the parts of a reference, in order; what is left of it is `rest_`.
class ReferenceParser {
 public:
  /// `base` may be null. `out` is new.
  ReferenceParser(Record& out, std::string_view input, const Record* base) noexcept
      : out_(out), rest_(input), base_(base) {}

  Fault parse() {
    if (const std::size_t hash = rest_.find('#'); hash != std::string_view::npos) {
      out_.hasFragment = true;
      appendEncoded(out_.fragment, rest_.substr(hash + 1), inFragment);
      rest_ = rest_.substr(0, hash);
    }
    const std::size_t end = schemeEnd(rest_);
    if (end == std::string_view::npos) return parseWithoutScheme();
    setScheme(lowerCase(rest_.substr(0, end)));
    rest_.remove_prefix(end + 1);
    if (out_.scheme == "file") return parseFile();
    if (special_) {
      const bool relative = base_ != nullptr && base_->scheme == out_.scheme;
      return relative && !rest_.starts_with("//") ? parseRelative() : parseAuthority();
    }
    if (rest_.starts_with("//")) return parseAuthority();
    if (rest_.starts_with('/')) return parsePathStart();
    out_.opaque = true;
    appendEncoded(out_.path, rest_.substr(0, rest_.find('?')), inControls);
    return parseQuery();
  }

 private:
  void setScheme(std::string scheme) {
    out_.scheme = std::move(scheme);
    special_ = isSpecial(out_.scheme);
  }
  bool isSlash(std::size_t at) const noexcept {
    return at < rest_.size() && (rest_[at] == '/' || (special_ && rest_[at] == '\\'));
  }
  bool hasFileBase() const noexcept { return base_ != nullptr && base_->scheme == "file"; }

  Fault parseWithoutScheme() {
    if (base_ == nullptr) return Fault::NoBase;
    setScheme(base_->scheme);
    if (!base_->opaque) return out_.scheme == "file" ? parseFile() : parseRelative();
    if (!rest_.empty() || !out_.hasFragment) return Fault::OpaqueBase;
    out_.opaque = true;
    takePathOfBase();
    return Fault::None;
  }

  void takePathOfBase() {
    out_.path = base_->path;
    out_.query = base_->query;
    out_.hasQuery = base_->hasQuery;
  }
  void dropQuery() noexcept {
    out_.query.clear();
    out_.hasQuery = false;
  }

  Fault parseRelative() {
    if (isSlash(0) && isSlash(1)) return parseAuthority();
    out_.username = base_->username;
    out_.password = base_->password;
    out_.host = base_->host;
    out_.hasHost = base_->hasHost;
    out_.port = base_->port;
    if (isSlash(0)) return parsePathStart();
    takePathOfBase();
    if (rest_.empty()) return Fault::None;
    dropQuery();
    if (rest_[0] == '?') return parseQuery();
    shortenPath(out_);
    return parseSegments();
  }

  Fault parseFile() {
    out_.hasHost = true;
    if (isSlash(0) && isSlash(1)) {
      rest_.remove_prefix(2);
      return parseFileHost();
    }
    if (isSlash(0)) {
      rest_.remove_prefix(1);
      if (hasFileBase()) {
        out_.host = base_->host;
        const std::string_view path = base_->path;
        if (!startsWithDriveLetter(rest_) && path.size() > 2 && path[2] == ':' &&
            startsWithDriveLetter(path.substr(1)))
          out_.path = path.substr(0, 3);
      }
      return parseSegments();
    }
    if (!hasFileBase()) return parseSegments();
    out_.host = base_->host;
    takePathOfBase();
    if (rest_.empty()) return Fault::None;
    dropQuery();
    if (rest_[0] == '?') return parseQuery();
    startsWithDriveLetter(rest_) ? out_.path.clear() : shortenPath(out_);
    return parseSegments();
  }

  Fault parseFileHost() {
    const std::string_view host = rest_.substr(0, rest_.find_first_of("/\\?"));
    if (isDriveLetter(host)) return parseSegments();
    rest_.remove_prefix(host.size());
    if (!host.empty())
      if (const Fault fault = setFileHost(out_, host); fault != Fault::None) return fault;
    return parsePathStart();
  }

  Fault parseAuthority() {
    // A special scheme takes any number of slashes, none too.
    for (int slashes = 0; isSlash(0) && (special_ || slashes < 2); ++slashes)
      rest_.remove_prefix(1);
    std::string_view authority = rest_.substr(0, rest_.find_first_of(special_ ? "/\\?" : "/?"));
    rest_.remove_prefix(authority.size());
    if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
      takeCredentials(authority.substr(0, at));
      authority.remove_prefix(at + 1);
      if (authority.empty()) return Fault::NoHost;
    }
    const std::size_t colon = portColon(authority);
    const std::string_view host = authority.substr(0, colon);
    if (host.empty() && (special_ || colon != std::string_view::npos)) return Fault::NoHost;
    out_.hasHost = true;
    if (const Fault fault = parseHost(host, special_, out_.host); fault != Fault::None)
      return fault;
    if (colon != std::string_view::npos && colon + 1 < authority.size()) {
      const std::string_view port = authority.substr(colon + 1);
      if (digitsInFront(port).size() != port.size() || !setPort(out_, port)) return Fault::Port;
    }
    return parsePathStart();
  }
  void takeCredentials(std::string_view text) {
    const std::size_t colon = text.find(':');
    appendEncoded(out_.username, text.substr(0, colon), inUserinfo);
    if (colon != std::string_view::npos)
      appendEncoded(out_.password, text.substr(colon + 1), inUserinfo);
  }

  /// Behind the authority, or where it is none: of a special scheme there is always a path.
  Fault parsePathStart() {
    if (!special_ && !isSlash(0)) return parseQuery();
    if (isSlash(0)) rest_.remove_prefix(1);
    return parseSegments();
  }
  Fault parseSegments() {
    appendSegments(out_, rest_.substr(0, rest_.find('?')));
    return parseQuery();
  }
  Fault parseQuery() {
    const std::size_t mark = rest_.find('?');
    if (mark == std::string_view::npos) return Fault::None;
    out_.hasQuery = true;
    appendEncoded(out_.query, rest_.substr(mark + 1), special_ ? inSpecialQuery : inQuery);
    return Fault::None;
  }

  Record& out_;
  std::string_view rest_;
  const Record* base_;
  bool special_ = false;
};

/// `base` may be null. What `out` is matters only where there is no fault.
inline Fault parseReference(Record& out, std::string_view input, const Record* base) {
  std::string memory;
  return ReferenceParser(out, cleaned(withoutControlsAround(input), memory), base).parse();
}

}  // namespace leat::inline LEAT_ABI::detail::url
