// SPDX-License-Identifier: MIT
// A chunked body, beside a decoder that reads RFC 9112 section 7.1 in the simplest way there is.
#include "http_messages.hpp"

namespace {

bool isText(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return c == '\t' || (byte >= 0x20 && byte != 0x7f);
}

/// Up to the last chunk, which is the one without data; behind it there are trailers.
class Decoder {
 public:
  explicit Decoder(std::string_view input) : input_(input) {
    while (!over_) chunk();
  }
  std::string body;
  bool failed = false;

 private:
  /// Whether there is a byte, which `fits`.
  template <class Fits>
  bool next(Fits fits) {
    if (input_.empty()) {
      over_ = true;
      return false;
    }
    if (!fits(input_.front())) return false;
    input_.remove_prefix(1);
    return true;
  }
  bool expect(char c) {
    const bool there = next([c](char each) { return each == c; });
    if (!there && !over_) over_ = failed = true;
    return there;
  }
  void chunk() {
    std::uint64_t size = 0;
    bool any = false;
    const auto digit = [&](char c) {
      const std::size_t value = std::string_view("0123456789abcdef")
                                    .find(c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c);
      if (value == std::string_view::npos || size >= std::uint64_t{1} << 56) return false;
      size = size * 16 + value;
      return any = true;
    };
    while (next(digit)) {
    }
    if (over_) return;
    if (!any) {
      over_ = failed = true;
      return;
    }
    if (next([](char c) { return c == ';'; }))
      while (next(isText)) {
      }
    if (over_ || !expect('\r') || !expect('\n')) return;
    if (size == 0) {
      over_ = true;
      return;
    }
    const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(size, input_.size()));
    body += input_.substr(0, taken);
    input_.remove_prefix(taken);
    if (taken < size) {
      over_ = true;
    } else if (expect('\r')) {
      expect('\n');
    }
  }
  std::string_view input_;
  bool over_ = false;
};

constexpr std::string_view head =
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

/// The body as it comes, whether it ends or not; what a parser says of trailers is not looked at.
class Body {
 public:
  explicit Body(const fuzz::Pieces& pieces) {
    parser_.useHead(head_);
    take(head);
    for (const std::string_view piece : pieces) take(piece);
  }
  std::string text;
  bool failed = false;

 private:
  void take(std::string_view input) {
    while (!over_) {
      const http_rig::ParseEvent event = parser_.next(input);
      if (event == http_rig::ParseEvent::More) return;
      if (event == http_rig::ParseEvent::Body) text += parser_.body();
      over_ = event == http_rig::ParseEvent::End || event == http_rig::ParseEvent::Failed;
      using leat::http::detail::ParseFault;
      failed = parser_.fault() == ParseFault::ChunkSize || parser_.fault() == ParseFault::ChunkEnd;
    }
  }
  http_rig::Parser parser_;
  http_rig::Head head_;
  bool over_ = false;
};

}  // namespace

void fuzz::run(std::string_view input) {
  parseInPieces(std::string(head) + std::string(input), http_rig::MessageKind::Request);
  const Decoder wanted(input);
  for (const Pieces& pieces : {whole(input), cut(input)}) {
    const Body found(pieces);
    same("the body", found.text, wanted.body);
    same("whether the chunks are right", found.failed ? "no" : "yes", wanted.failed ? "no" : "yes");
  }
}
