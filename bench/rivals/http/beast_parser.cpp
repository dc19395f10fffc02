// SPDX-License-Identifier: MIT

// Boost.Beast's parser over the same request as leat/http_parser.cpp. Prints `name ns`.

#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http.hpp>

#include <cstdlib>
#include <string>

#include "bench.hpp"
#include "request.h"

namespace {

constexpr int inOnePiece = 32;
constexpr int pieces = 2'000;

}  // namespace

int main() {
  namespace http = boost::beast::http;
  std::string text;
  for (int i = 0; i < inOnePiece; ++i) text += benchRequest;
  bench("parse_request_500_B", long{inOnePiece} * pieces, [&] {
    std::size_t hosts = 0;
    for (int i = 0; i < pieces; ++i) {
      for (std::size_t at = 0; at < text.size();) {
        http::request_parser<http::empty_body> parser;
        boost::system::error_code error;
        at += parser.put(boost::asio::buffer(text.data() + at, text.size() - at), error);
        if (error || !parser.is_done()) std::abort();
        hosts += parser.get()[http::field::host].size();
      }
    }
    keep(hosts);
  });
}
