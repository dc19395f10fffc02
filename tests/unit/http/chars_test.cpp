// SPDX-License-Identifier: MIT
// Texts that are looked at many bytes at a time are judged as byte by byte.
#include <leat/http/detail/head_parser.hpp>
#include <leat/http/detail/outgoing_fields.hpp>

#include <leat_test.hpp>
#include <string>

using namespace leat::http::detail;

namespace {

bool all(const std::string& text, bool (*fits)(char)) {
  for (const char c : text)
    if (!fits(c)) return false;
  return true;
}
bool fitsToken(char c) { return is(charToken, c); }
bool fitsText(char c) { return isText(c); }

}  // namespace

TEST_CASE("one wrong byte is found wherever it stands, in texts of every length") {
  for (std::size_t size = 0; size <= 50; ++size) {
    const std::string usual(size, 'a');
    CHECK(isToken(usual) == (size > 0));
    CHECK(isText(usual));
    for (std::size_t at = 0; at < size; ++at) {
      for (int c = 0; c < 256; ++c) {
        std::string text = usual;
        text[at] = static_cast<char>(c);
        if (isToken(text) != all(text, fitsToken) || isText(text) != all(text, fitsText))
          FAIL("byte " << c << " at " << at << " of " << size);
      }
    }
  }
}
TEST_CASE("hosts are judged alike, long or short, with a port or without") {
  for (const char* tail : {"", ":", ":8", ":65535", ":x", ":1:2", ":80 "}) {
    for (std::size_t size = 0; size <= 40; ++size) {
      for (int c = 0; c < 256; ++c) {
        for (const std::size_t at : {std::size_t{0}, size / 2, size - 1}) {
          if (at >= size) continue;
          std::string name(size, 'a');
          name[at] = static_cast<char>(c);
          // In front of a bracket, and a colon within, other rules hold.
          if (c == '[' || c == ':') continue;
          std::string port = tail;
          const bool digits =
              port.size() < 2 || port.find_first_not_of("0123456789", 1) == port.npos;
          bool known = true;
          for (const char each : name) known = known && is(charHost, each);
          if (isHost(name + port) != (known && digits))
            FAIL("byte " << c << " at " << at << " of " << size << " in front of '" << port << "'");
        }
      }
    }
  }
}
TEST_CASE("names are known in every case of their letters, and no others are") {
  const auto known = [](std::string name) {
    return isName(name, "host") || isName(name, "trailer") || isName(name, "connection") ||
           isName(name, "content-length") || isName(name, "transfer-encoding");
  };
  for (const std::string name :
       {"host", "trailer", "connection", "content-length", "transfer-encoding"}) {
    std::string upper;
    for (const char c : name) upper += c == '-' ? c : static_cast<char>(c - 32);
    CHECK(known(name));
    CHECK(known(upper));
    CHECK_FALSE(known(name + "x"));
    CHECK_FALSE(known(name.substr(1)));
    for (std::size_t at = 0; at < name.size(); ++at) {
      for (int c = 0x21; c < 0x7f; ++c) {
        std::string other = name;
        other[at] = static_cast<char>(c);
        if (is(charToken, static_cast<char>(c)) && known(other) != equalsLower(other, name))
          FAIL(other);
      }
    }
  }
}
TEST_CASE("short texts are copied whole, and nothing behind them") {
  for (std::size_t size = 0; size <= 40; ++size) {
    std::string from;
    for (std::size_t i = 0; i < size; ++i) from += static_cast<char>('a' + i % 26);
    std::string to(size + 2, '.');
    CHECK(copyText(to.data() + 1, from) == to.data() + 1 + size);
    CHECK(to == "." + from + ".");
  }
}
