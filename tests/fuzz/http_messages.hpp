// SPDX-License-Identifier: MIT
// A parser over an input in several ways of cutting it.
#pragma once

#include "fuzz.hpp"
#include "parser_listener.hpp"

namespace fuzz {

inline std::string told(const Pieces& pieces, http_rig::ParserOptions options, bool bodiless) {
  http_rig::Listener listener(options);
  listener.noBody = bodiless;
  for (const std::string_view piece : pieces) {
    // In memory of its own, so that a read behind its end is seen.
    const std::vector<char> copy(piece.begin(), piece.end());
    listener.take({copy.data(), copy.size()});
  }
  listener.finish();
  return listener.told + "(" + listener.body() + ")";
}

/// In which pieces the bytes come makes no difference to what is told of them, also at the limits.
inline void parseInPieces(std::string_view input, http_rig::MessageKind kind) {
  http_rig::ParserOptions wide;
  wide.kind = kind;
  http_rig::ParserOptions narrow = wide;
  narrow.maxHeadSize = 64;
  narrow.maxFields = 3;
  narrow.maxExtensions = 8;
  narrow.requireHost = false;
  for (const http_rig::ParserOptions& options : {wide, narrow}) {
    for (const bool bodiless : {false, true}) {
      if (bodiless && kind == http_rig::MessageKind::Request) continue;
      const std::string all = told(whole(input), options, bodiless);
      same("cut at random places", told(cut(input), options, bodiless), all);
      same("byte by byte", told(bytewise(input), options, bodiless), all);
    }
  }
}

}  // namespace fuzz
