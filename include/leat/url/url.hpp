// SPDX-License-Identifier: MIT
// URL (WHATWG URL, section 6.1).
#pragma once

#include <leat/base/owned.hpp>
#include <leat/url/detail/changes.hpp>
#include <leat/url/invalid_url_error.hpp>
#include <leat/url/search_params.hpp>

#include <type_traits>

namespace leat::inline LEAT_ABI {

/// An absolute URL. Texts are UTF-8; what is none becomes U+FFFD.
///
/// Differs: the host of http, https, ws, wss, ftp and file is taken in ASCII only, an international name as
/// punycode; whether the characters that punycode stands for may be in a name is not looked at.
///
/// Node: `URL`; where Node 20 is not what the standard says, the standard holds (docs/url.md).
/// Lifetime: views are valid until the URL is changed, moved or gone; what `searchParams()` gives of
/// a named URL as long as the URL, also when it is moved. Thread: a plain value.
class URL {
 public:
  /// Throws: InvalidURLError (ERR_INVALID_URL).
  explicit URL(std::string_view input) { check(read(input), input, std::nullopt); }
  /// `input` may be relative to the base.
  URL(std::string_view input, std::string_view base) { check(read(input, base), input, base); }
  URL(std::string_view input, const URL& base) { check(read(input, base), input, base.href()); }
  URL(const URL& other) : href_(other.href_), places_(other.places_) {}
  URL(URL&& other) noexcept;
  URL& operator=(const URL& other);
  URL& operator=(URL&& other);
  ~URL() = default;

  /// Whether it would be one.
  static bool canParse(std::string_view input) { return parse(input).has_value(); }
  static bool canParse(std::string_view input, std::string_view base) {
    return parse(input, base).has_value();
  }
  static bool canParse(std::string_view input, const URL& base) {
    return parse(input, base).has_value();
  }
  /// Nothing where the constructor throws.
  static std::optional<URL> parse(std::string_view input);
  static std::optional<URL> parse(std::string_view input, std::string_view base);
  static std::optional<URL> parse(std::string_view input, const URL& base);

  /// All of it: "https://user:secret@example.org:8080/a/b?c=d#e".
  std::string_view href() const noexcept { return href_; }
  std::string toString() const { return href_; }
  std::string toJSON() const { return href_; }
  /// "https:", in lower case.
  std::string_view protocol() const noexcept { return view(0, places_.protocolEnd); }
  std::string_view username() const noexcept;
  std::string_view password() const noexcept;
  /// "example.org:8080"; without the port when it is the scheme's own.
  std::string_view host() const noexcept { return view(places_.hostBegin, places_.portEnd); }
  std::string_view hostname() const noexcept { return view(places_.hostBegin, places_.hostEnd); }
  /// "8080", or nothing when it is the scheme's own.
  std::string_view port() const noexcept;
  std::string_view pathname() const noexcept { return view(places_.pathBegin, places_.pathEnd); }
  /// "?c=d", or nothing.
  std::string_view search() const noexcept;
  /// "#e", or nothing.
  std::string_view hash() const noexcept;
  /// "https://example.org:8080"; of a blob that of its URL; "null" for schemes that have none, file too.
  std::string origin() const;

  /// Throws: InvalidURLError; then nothing has changed.
  URL& setHref(std::string_view href);
  // As in Node, these leave alone what the value does not fit: a port of https that is no number, the host of
  // mailto. Each takes the value with or without the ':', '?' or '#' that the getter gives.
  URL& setProtocol(std::string_view protocol);
  URL& setUsername(std::string_view username);
  URL& setPassword(std::string_view password);
  /// Throws: InvalidURLError for an international name, which Node would take.
  URL& setHost(std::string_view host);
  /// Throws: as `setHost`.
  URL& setHostname(std::string_view hostname);
  /// Empty: the scheme's own.
  URL& setPort(std::string_view port);
  URL& setPort(int port) { return setPort(detail::Decimal(port)); }
  URL& setPathname(std::string_view pathname);
  URL& setSearch(std::string_view search);
  URL& setHash(std::string_view hash);

  /// Always the same object; what changes there changes `search()`, and the other way round.
  URLSearchParams& searchParams() &;
  /// Of a const or temporary URL: a list of its own.
  URLSearchParams searchParams() const& { return URLSearchParams(search()); }

  friend bool operator==(const URL& a, const URL& b) noexcept { return a.href_ == b.href_; }

 private:
  using Fault = detail::url::Fault;
  using Record = detail::url::Record;
  using Refusal = detail::url::Refusal;

  URL() noexcept = default;
  Refusal read(std::string_view input, const Record* base = nullptr);
  Refusal read(std::string_view input, std::string_view base);
  Refusal read(std::string_view input, const URL& base);
  static void check(Refusal refusal, std::string_view input, std::optional<std::string_view> base) {
    if (refusal.fault != Fault::None) throw InvalidURLError(input, base, refusal);
  }

  std::string_view view(std::size_t from, std::size_t to) const noexcept {
    return {href_.data() + from, to - from};
  }
  std::string_view scheme() const noexcept {
    return protocol().substr(0, places_.protocolEnd - (places_.protocolEnd == 0 ? 0 : 1));
  }
  bool hasHost() const noexcept { return places_.hostBegin > places_.protocolEnd; }
  Record record() const;
  void put(const Record& record) { href_ = detail::url::compose(record, places_); }
  template <class... Value>
  URL& change(void (*how)(Record&, Value...), std::type_identity_t<Value>... value);
  URL& changeHost(std::string_view value, bool nameOnly);
  static void changeToParams(URL& url, const URLSearchParams& params);
  void readParams() {
    if (params_) params_->entries_ = URLSearchParams(search()).entries_;
  }

  std::string href_;
  detail::url::Places places_;
  detail::Owned<URLSearchParams> params_;
};

#if LEAT_BODIES
LEAT_INLINE URL::URL(URL&& other) noexcept
    : href_(std::exchange(other.href_, {})),
      places_(std::exchange(other.places_, {})),
      params_(std::move(other.params_)) {
  if (params_) params_->url_ = this;
}

LEAT_INLINE URL& URL::operator=(const URL& other) {
  href_ = other.href_;
  places_ = other.places_;
  readParams();
  return *this;
}

LEAT_INLINE URL& URL::operator=(URL&& other) {
  if (this == &other) return *this;
  href_ = std::exchange(other.href_, {});
  places_ = std::exchange(other.places_, {});
  other.readParams();
  readParams();
  return *this;
}

LEAT_INLINE detail::url::Refusal URL::read(std::string_view input, const Record* base) {
  Record found;
  const Fault fault = detail::url::parseReference(found, input, base);
  if (fault == Fault::None) put(found);
  return {fault};
}

LEAT_INLINE detail::url::Refusal URL::read(std::string_view input, std::string_view base) {
  Record found;
  const Fault fault = detail::url::parseReference(found, base, nullptr);
  if (fault != Fault::None) return {fault, true};
  return read(input, &found);
}

LEAT_INLINE detail::url::Refusal URL::read(std::string_view input, const URL& base) {
  const Record found = base.record();
  return read(input, &found);
}

LEAT_INLINE std::optional<URL> URL::parse(std::string_view input) {
  URL url;
  if (url.read(input).fault != Fault::None) return std::nullopt;
  return url;
}

LEAT_INLINE std::optional<URL> URL::parse(std::string_view input, std::string_view base) {
  URL url;
  if (url.read(input, base).fault != Fault::None) return std::nullopt;
  return url;
}

LEAT_INLINE std::optional<URL> URL::parse(std::string_view input, const URL& base) {
  URL url;
  if (url.read(input, base).fault != Fault::None) return std::nullopt;
  return url;
}

LEAT_INLINE std::string_view URL::username() const noexcept {
  return hasHost() ? view(places_.protocolEnd + 2, places_.usernameEnd) : std::string_view();
}

LEAT_INLINE std::string_view URL::password() const noexcept {
  const bool any = places_.passwordEnd > places_.usernameEnd;
  return any ? view(places_.usernameEnd + 1, places_.passwordEnd) : std::string_view();
}

LEAT_INLINE std::string_view URL::port() const noexcept {
  const bool any = places_.portEnd > places_.hostEnd;
  return any ? view(places_.hostEnd + 1, places_.portEnd) : std::string_view();
}

LEAT_INLINE std::string_view URL::search() const noexcept {
  const bool any = places_.queryEnd > places_.pathEnd + 1;
  return any ? view(places_.pathEnd, places_.queryEnd) : std::string_view();
}

LEAT_INLINE std::string_view URL::hash() const noexcept {
  const bool any = href_.size() > places_.queryEnd + 1;
  return any ? view(places_.queryEnd, href_.size()) : std::string_view();
}

LEAT_INLINE std::string URL::origin() const {
  if (protocol() == "blob:") {
    const std::optional<URL> inner = parse(pathname());
    const bool http = inner && (inner->protocol() == "http:" || inner->protocol() == "https:");
    return http ? inner->origin() : "null";
  }
  if (protocol() == "file:" || !detail::url::isSpecial(scheme())) return "null";
  return std::string(protocol()).append("//").append(host());
}

LEAT_INLINE detail::url::Record URL::record() const {
  Record record;
  record.scheme = scheme();
  record.username = username();
  record.password = password();
  record.host = hostname();
  record.hasHost = hasHost();
  for (const char c : port()) record.port = (record.port < 0 ? 0 : record.port * 10) + (c - '0');
  record.path = pathname();
  record.opaque = places_.opaque;
  record.hasQuery = places_.queryEnd > places_.pathEnd;
  if (record.hasQuery) record.query = view(places_.pathEnd + 1, places_.queryEnd);
  record.hasFragment = href_.size() > places_.queryEnd;
  if (record.hasFragment) record.fragment = view(places_.queryEnd + 1, href_.size());
  return record;
}

LEAT_INLINE URL& URL::setHref(std::string_view href) {
  check(read(href), href, std::nullopt);
  readParams();
  return *this;
}
#endif

template <class... Value>
URL& URL::change(void (*how)(Record&, Value...), std::type_identity_t<Value>... value) {
  Record changed = record();
  how(changed, value...);
  put(changed);
  return *this;
}

#if LEAT_BODIES
LEAT_INLINE URL& URL::setProtocol(std::string_view protocol) {
  return change(detail::url::changeProtocol, protocol);
}

LEAT_INLINE URL& URL::setUsername(std::string_view username) {
  return change(detail::url::changeCredentials, &Record::username, username);
}

LEAT_INLINE URL& URL::setPassword(std::string_view password) {
  return change(detail::url::changeCredentials, &Record::password, password);
}

LEAT_INLINE URL& URL::changeHost(std::string_view value, bool nameOnly) {
  Record changed = record();
  const Fault fault = detail::url::changeHost(changed, value, nameOnly);
  if (fault == Fault::International) throw InvalidURLError(value, std::nullopt, {fault});
  if (fault == Fault::None) put(changed);
  return *this;
}

LEAT_INLINE URL& URL::setHost(std::string_view host) { return changeHost(host, false); }

LEAT_INLINE URL& URL::setHostname(std::string_view hostname) { return changeHost(hostname, true); }

LEAT_INLINE URL& URL::setPort(std::string_view port) {
  return change(detail::url::changePort, port);
}

LEAT_INLINE URL& URL::setPathname(std::string_view pathname) {
  return change(detail::url::changePath, pathname);
}

LEAT_INLINE URL& URL::setSearch(std::string_view search) {
  change(detail::url::changeQuery, search);
  readParams();
  return *this;
}

LEAT_INLINE URL& URL::setHash(std::string_view hash) {
  return change(detail::url::changeFragment, hash);
}

LEAT_INLINE URLSearchParams& URL::searchParams() & {
  if (!params_) {
    params_ = detail::makeOwned<URLSearchParams>(search());
    params_->url_ = this;
    params_->changed_ = changeToParams;
  }
  return *params_;
}

LEAT_INLINE void URL::changeToParams(URL& url, const URLSearchParams& params) {
  Record changed = url.record();
  changed.query = params.toString();
  changed.hasQuery = !changed.query.empty();
  stripOpaquePath(changed);
  url.put(changed);
}
#endif

}  // namespace leat::inline LEAT_ABI
