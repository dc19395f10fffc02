// SPDX-License-Identifier: MIT
// What the setters of a URL do to its parts (WHATWG URL, section 6.1). What does not fit changes nothing.
#pragma once

#include <leat/url/detail/parser.hpp>

namespace leat::inline LEAT_ABI::detail::url {

/// With a port behind it unless it has to be the name alone. The fault is for names that only leat does not take.
LEAT_INLINE Fault changeHost(Record& record, std::string_view value, bool nameOnly);

#if LEAT_BODIES
LEAT_INLINE void changeProtocol(Record& record, std::string_view value) {
  std::string memory, text(cleaned(value, memory));
  text += ':';
  const std::size_t end = schemeEnd(text);
  if (end == std::string_view::npos) return;
  std::string scheme = lowerCase(std::string_view(text).substr(0, end));
  if (isSpecial(scheme) != isSpecial(record.scheme)) return;
  if (scheme == "file" && (record.hasCredentials() || record.port >= 0)) return;
  if (record.scheme == "file" && record.host.empty()) return;
  record.scheme = std::move(scheme);
  if (specialPort(record.scheme) == record.port) record.port = -1;
}

LEAT_INLINE void changeCredentials(Record& record, std::string Record::* which,
                                   std::string_view value) {
  if (!record.mayHaveCredentials()) return;
  std::string encoded;
  appendEncoded(encoded, wellFormed(value), inUserinfo);
  record.*which = std::move(encoded);
}

LEAT_INLINE void changePort(Record& record, std::string_view value) {
  if (!record.mayHaveCredentials()) return;
  std::string memory;
  const std::string_view text = cleaned(value, memory);
  if (text.empty()) {
    record.port = -1;
  } else if (const std::string_view digits = digitsInFront(text); !digits.empty()) {
    setPort(record, digits);
  }
}

LEAT_INLINE Fault changeHost(Record& record, std::string_view value, bool nameOnly) {
  if (record.opaque) return Fault::None;
  const bool special = isSpecial(record.scheme);
  std::string memory;
  std::string_view text = cleaned(value, memory);
  text = text.substr(0, text.find_first_of(special ? "/\\?#" : "/?#"));
  if (record.scheme == "file") {
    if (!text.empty()) return setFileHost(record, text);
    record.host.clear();
    return Fault::None;
  }
  const std::size_t colon = portColon(text);
  const bool hasColon = colon != std::string_view::npos;
  const std::string_view name = text.substr(0, colon);
  if (hasColon && nameOnly) return Fault::None;
  if (name.empty() && (hasColon || special || record.hasCredentials() || record.port >= 0))
    return Fault::NoHost;
  std::string host;
  if (const Fault fault = parseHost(name, special, host); fault != Fault::None) return fault;
  record.host = std::move(host);
  record.hasHost = true;
  if (!hasColon) return Fault::None;
  const std::string_view digits = digitsInFront(text.substr(colon + 1));
  if (!digits.empty()) setPort(record, digits);
  return Fault::None;
}

LEAT_INLINE void changePath(Record& record, std::string_view value) {
  if (record.opaque) return;
  std::string memory;
  std::string_view text = cleaned(value, memory);
  const bool special = isSpecial(record.scheme);
  record.path.clear();
  if (text.empty() && !special) {
    if (!record.hasHost) record.path = "/";
    return;
  }
  if (text.starts_with('/') || (special && text.starts_with('\\'))) text.remove_prefix(1);
  appendSegments(record, text);
}

LEAT_INLINE void changeQuery(Record& record, std::string_view value) {
  record.query.clear();
  record.hasQuery = !value.empty();
  if (value.starts_with('?')) value.remove_prefix(1);
  std::string memory;
  const std::string_view text = cleaned(value, memory);
  appendEncoded(record.query, text, isSpecial(record.scheme) ? inSpecialQuery : inQuery);
  stripOpaquePath(record);
}

LEAT_INLINE void changeFragment(Record& record, std::string_view value) {
  record.fragment.clear();
  record.hasFragment = !value.empty();
  if (value.starts_with('#')) value.remove_prefix(1);
  std::string memory;
  appendEncoded(record.fragment, cleaned(value, memory), inFragment);
  stripOpaquePath(record);
}
#endif

}  // namespace leat::inline LEAT_ABI::detail::url
