// SPDX-License-Identifier: MIT
// How long a server says that it keeps a connection.
#pragma once

#include <leat/http/detail/chars.hpp>
#include <leat/http/incoming_message.hpp>

#include <charconv>

namespace leat::inline LEAT_ABI::http::detail {

#if LEAT_BODIES
/// The `timeout` of a Keep-Alive field, in ms; -1 for none.
LEAT_INLINE int keepAliveMs(const Head& head) noexcept {
  std::string_view list = MessageHeaders(head).get("keep-alive").value_or(std::string_view());
  constexpr std::string_view name = "timeout=";
  while (!list.empty()) {
    const std::string_view member = takeMember(list);
    if (member.size() <= name.size() || !equalsLower(member.substr(0, name.size()), name)) continue;
    int seconds = -1;
    const auto [end, error] =
        std::from_chars(member.data() + name.size(), member.data() + member.size(), seconds);
    if (error == std::errc() && end == member.data() + member.size() && seconds >= 0)
      return seconds > 1'000'000 ? 1'000'000'000 : seconds * 1000;
  }
  return -1;
}
#endif

}  // namespace leat::inline LEAT_ABI::http::detail
