// SPDX-License-Identifier: MIT
// What is set for an answer: it is refused, or it comes out of the parser of a client as it was set, and nothing else does.
// Parts of the input are separated by NUL: the reason, a body, names and values in turn; behind an empty name there are
// trailers.
#include <leat/http/detail/outgoing_message.hpp>

#include "fuzz.hpp"
#include "parser_listener.hpp"

namespace {

using leat::http::detail::OutgoingMessage;

constexpr std::string_view date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";

std::string_view takePart(std::string_view& input) {
  const std::size_t end = input.find('\0');
  const std::string_view part = input.substr(0, end);
  input = end == std::string_view::npos ? std::string_view() : input.substr(end + 1);
  return part;
}

/// The answer, or what it was refused with.
struct Answer {
  std::string text;
  std::string reason;
  std::string body;
  std::string fields;
  std::string trailers;
  bool refused = false;
};
Answer answerOf(std::string_view input) {
  Answer answer;
  OutgoingMessage message;
  message.answerTo("GET", http_rig::Head());
  try {
    const std::string_view reason = takePart(input);
    message.setReason(reason);
    answer.reason = reason.empty() ? "OK" : reason;
    answer.body = takePart(input);
    bool behind = false;
    while (!input.empty()) {
      const std::string_view name = takePart(input);
      const std::string_view value = takePart(input);
      if (name.empty() && !behind) {
        behind = true;
        continue;
      }
      behind ? message.addTrailer(name, value) : message.fields.add(name, value);
      // Blanks around a value are none of it.
      const auto trimmed = std::string(leat::http::detail::trimBlanks(value));
      (behind ? answer.trailers : answer.fields) += "[" + std::string(name) + "=" + trimmed + "]";
    }
    message.fixHead();
    leat::http::detail::TextBuffer text;
    message.writeHead(text, date, {.seconds = 5}, std::nullopt);
    if (!answer.body.empty()) {
      message.beginPiece(text, answer.body.size());
      text.append(answer.body);
      message.endPiece(text);
    }
    message.end(text);
    answer.text = std::string_view(text);
  } catch (const leat::Error&) {
    answer.refused = true;
  }
  return answer;
}

}  // namespace

void fuzz::run(std::string_view input) {
  const Answer answer = answerOf(input);
  if (answer.refused) return;
  http_rig::ParserOptions options;
  options.kind = http_rig::MessageKind::Response;
  options.maxHeadSize = 1 << 20;
  options.maxFields = 1 << 16;
  http_rig::Parser parser(options);
  http_rig::Head head;
  parser.useHead(head);
  std::string_view left = answer.text;
  const auto failed = [&](const char* what) {
    fail(what, answer.text, leat::http::detail::textOf(parser.fault()).message);
  };
  if (parser.next(left) != http_rig::ParseEvent::Head) failed("a client can read the head");
  same("the reason", head.view(head.reason), answer.reason);
  // Behind those that were set are the server's own.
  const std::string fields = http_rig::fieldsOf(head);
  same("the fields", fields.substr(0, answer.fields.size()), answer.fields);
  std::string body;
  http_rig::ParseEvent event;
  while ((event = parser.next(left)) == http_rig::ParseEvent::Body) body += parser.body();
  if (event == http_rig::ParseEvent::More) event = parser.finish();
  if (event != http_rig::ParseEvent::End) failed("the answer has an end");
  same("the body", body, answer.body);
  const bool chunked = head.framing == leat::http::detail::Framing::Chunked;
  same("the trailers", http_rig::fieldsOf(parser.trailers()), chunked ? answer.trailers : "");
  same("what is behind the answer", left, "");
}
