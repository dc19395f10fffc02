// SPDX-License-Identifier: MIT
// What a parser of HTTP tells of a connection, as a text that can be compared.
#pragma once

#include <leat/http/detail/parser.hpp>

#include <string>
#include <utility>

namespace http_rig {

using leat::http::detail::FieldParts;
using leat::http::detail::Head;
using leat::http::detail::MessageKind;
using leat::http::detail::ParseEvent;
using leat::http::detail::Parser;
using leat::http::detail::ParserOptions;

inline std::string fieldsOf(const Head& head) {
  std::string text;
  for (const FieldParts& parts : head.fields) {
    const auto field = head.field(parts);
    text += "[" + std::string(field.name) + "=" + std::string(field.value) + "]";
  }
  return text;
}

/// Gives what is in `input` to `tell`, which says whether it goes on; whether it does behind it.
template <class Tell>
bool parseAll(Parser& parser, Head& head, std::string_view input, Tell tell) {
  for (;;) {
    if (parser.needsHead()) {
      head.clear();
      parser.useHead(head);
    }
    const ParseEvent event = parser.next(input);
    if (event == ParseEvent::More) return true;
    if (!tell(event)) return false;
  }
}

/// What a parser tells of a connection, in words; the pieces of a body are joined.
class Listener {
 public:
  explicit Listener(ParserOptions options = {}) : parser_(options), kind_(options.kind) {}
  void take(std::string_view input) {
    if (over_) return;
    over_ = !parseAll(parser_, head_, input, [this](ParseEvent event) { return tell(event); });
  }
  void finish() {
    if (!over_) tell(parser_.finish());
  }
  Parser& parser() { return parser_; }
  /// Of a message that has not ended.
  const std::string& body() const { return body_; }
  std::string told;
  bool noBody = false;

 private:
  bool tell(ParseEvent event) {
    const Head& head = head_;
    switch (event) {
      case ParseEvent::More:
        break;
      case ParseEvent::Head:
        if (kind_ == MessageKind::Request) {
          told += std::string(head.view(head.method)) + " " + std::string(head.view(head.target));
        } else {
          told += std::to_string(head.status) + " '" + std::string(head.view(head.reason)) + "'";
        }
        told += std::string(head.minorVersion == 1 ? "" : " 1.0") +
                (head.keepAlive ? "" : " close") + (head.upgrade ? " upgrade " : " ") +
                fieldsOf(head);
        if (noBody) parser_.skipBody();
        break;
      case ParseEvent::Body:
        body_ += parser_.body();
        break;
      case ParseEvent::End:
        told += " body(" + std::exchange(body_, {}) + ")" + fieldsOf(parser_.trailers()) + "; ";
        break;
      case ParseEvent::Stopped:
        told += "stopped";
        return false;
      case ParseEvent::Failed:
        told += "FAILED " + std::string(leat::http::ParseError(parser_.fault()).what());
        return false;
    }
    return true;
  }
  Parser parser_;
  Head head_;
  MessageKind kind_;
  std::string body_;
  bool over_ = false;
};

}  // namespace http_rig
