// SPDX-License-Identifier: MIT
// The side of leat: parses what each line of a file holds, and prints what it gave. parity.js is its other side.

#include <leat/http/detail/parser.hpp>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "parser_listener.hpp"

namespace {

using namespace leat::http::detail;

std::string unhex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}
std::string hex(std::string_view bytes) {
  constexpr const char* digits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text += digits[static_cast<unsigned char>(c) >> 4];
    text += digits[static_cast<unsigned char>(c) & 15];
  }
  return text;
}
std::string fields(const Head& head) {
  std::string text;
  for (const FieldParts& parts : head.fields)
    text += hex(head.view(parts.name)) + "=" + hex(head.view(parts.value)) + ";";
  return text;
}

class Side {
 public:
  explicit Side(MessageKind kind)
      : parser_(options(kind)), request_(kind == MessageKind::Request) {}
  void take(std::string_view input) {
    if (over_) return;
    (void)http_rig::parseAll(parser_, head_, input, [this](ParseEvent event) {
      tell(event);
      return !over_;
    });
  }
  std::string finish() {
    if (!over_) tell(parser_.finish());
    close();
    return text_ + (text_.find('#') == std::string::npos ? "#ok" : "");
  }

 private:
  static ParserOptions options(MessageKind kind) {
    ParserOptions o;
    o.kind = kind;
    return o;
  }
  void close() {
    if (!std::exchange(open_, false)) return;
    text_ += hex(std::exchange(body_, {})) + ",";
  }
  void tell(ParseEvent event) {
    const Head& head = head_;
    switch (event) {
      case ParseEvent::More:
        break;
      case ParseEvent::Head:
        if (request_) {
          text_ += std::string(head.view(head.method)) + "," + hex(head.view(head.target));
        } else {
          text_ += std::to_string(head.status) + "," + hex(head.view(head.reason));
        }
        text_ += ",1." + std::to_string(head.minorVersion) + (keepsAlive() ? ",keep" : ",close") +
                 (upgrades() ? ",upgrade," : ",,") + fields(head) + ",";
        open_ = true;
        if (upgrades()) {
          close();
          text_ += "#upgrade";
          over_ = true;
        }
        break;
      case ParseEvent::Body:
        body_ += parser_.body();
        break;
      case ParseEvent::End:
        close();
        text_ += fields(parser_.trailers()) + "|";
        break;
      case ParseEvent::Stopped:
      case ParseEvent::Failed:
        close();
        text_ += "#" + std::string(textOf(parser_.fault()).code) + " " +
                 std::string(textOf(parser_.fault()).message);
        over_ = true;
        break;
    }
  }
  bool keepsAlive() {
    const Head& head = head_;
    return head.keepAlive && head.framing != Framing::UntilClose;
  }
  bool upgrades() {
    const Head& head = head_;
    return request_ ? head.upgrade || head.view(head.method) == "CONNECT" : head.status == 101;
  }
  Parser parser_;
  Head head_;
  bool request_;
  std::string text_;
  std::string body_;
  bool open_ = false;
  bool over_ = false;
};

}  // namespace

/// FILE: lines of `request` or `response`, the bytes in hex, and where they are cut, with commas or '-'.
int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::ifstream file(argv[1]);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string kind, bytes, cuts;
    words >> kind >> bytes >> cuts;
    const std::string text = unhex(bytes == "-" ? "" : bytes);
    Side side(kind == "request" ? MessageKind::Request : MessageKind::Response);
    std::size_t from = 0;
    std::istringstream places(cuts == "-" ? "" : cuts);
    for (std::string place; std::getline(places, place, ',');) {
      const std::size_t to = std::stoul(place);
      side.take(std::string_view(text).substr(from, to - from));
      from = to;
    }
    side.take(std::string_view(text).substr(from));
    std::cout << side.finish() << "\n";
  }
}
