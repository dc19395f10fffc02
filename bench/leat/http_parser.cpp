// SPDX-License-Identifier: MIT

// The parser alone: one request after the other out of one piece of memory, as a connection would give them, and a field
// of each is asked for. Prints `name ns`.

#include <leat/http/detail/parser.hpp>
#include <leat/http/incoming_message.hpp>

#include <cstdlib>
#include <string>

#include "bench.hpp"
#include "request.h"

namespace {

using namespace leat::http::detail;

constexpr int inOnePiece = 32;
constexpr int pieces = 20'000;

}  // namespace

int main() {
  std::string text;
  for (int i = 0; i < inOnePiece; ++i) text += benchRequest;
  bench("parse_request_500_B", long{inOnePiece} * pieces, [&] {
    Parser parser;
    Head head;
    std::size_t hosts = 0;
    for (int i = 0; i < pieces; ++i) {
      for (std::string_view input = text; !input.empty();) {
        head.clear();
        parser.useHead(head);
        if (parser.next(input) != ParseEvent::Head) std::abort();
        hosts += leat::http::MessageHeaders(head).get("host")->size();
        if (parser.next(input) != ParseEvent::End) std::abort();
      }
    }
    keep(hosts);
  });
}
