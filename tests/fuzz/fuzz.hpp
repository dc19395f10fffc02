// SPDX-License-Identifier: MIT
// What the fuzzers have in common: an input as text, where it is cut, and what must be so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace fuzz {

/// Ends the program, which libFuzzer takes for a crash, with what was found.
inline void fail(std::string_view what, std::string_view one, std::string_view other) {
  const auto show = [](const char* name, std::string_view text) {
    std::fprintf(stderr, "  %s: \"", name);
    for (const char c : text)
      std::fprintf(stderr, c >= ' ' && c <= '~' ? "%c" : "\\x%02x", static_cast<unsigned char>(c));
    std::fprintf(stderr, "\"\n");
  };
  std::fprintf(stderr, "NOT SO: %.*s\n", static_cast<int>(what.size()), what.data());
  show("one", one);
  show("other", other);
  std::abort();
}
inline void same(std::string_view what, std::string_view one, std::string_view other) {
  if (one != other) fail(what, one, other);
}

/// Numbers that are made of the input: it is cut at random places, and always at the same ones.
class Random {
 public:
  explicit Random(std::string_view seed, unsigned salt = 0) : state_(0xcbf29ce484222325U + salt) {
    for (const char c : seed) state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    state_ |= 1;
  }
  /// Below `limit`, which is not 0.
  std::size_t below(std::size_t limit) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<std::size_t>((state_ >> 11) % limit);
  }

 private:
  std::uint64_t state_;
};

using Pieces = std::vector<std::string_view>;
inline Pieces whole(std::string_view text) { return {text}; }
inline Pieces bytewise(std::string_view text) {
  Pieces pieces;
  for (std::size_t at = 0; at < text.size(); ++at) pieces.push_back(text.substr(at, 1));
  return pieces;
}
/// Short ones and long ones; others with another salt.
inline Pieces cut(std::string_view text, unsigned salt = 0) {
  Random random(text, salt);
  Pieces pieces;
  while (!text.empty()) {
    const std::size_t size = 1 + random.below(std::size_t{1} << random.below(10));
    pieces.push_back(text.substr(0, size));
    text.remove_prefix(pieces.back().size());
  }
  return pieces;
}

/// What a fuzzer defines.
void run(std::string_view input);

}  // namespace fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
