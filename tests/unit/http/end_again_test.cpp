// SPDX-License-Identifier: MIT
// What comes behind the end of a message, or of its head.
#include "client_rig.hpp"
#include "code_thrown_by.hpp"

using namespace leat;
using namespace http_rig;
namespace http = leat::http;

TEST_CASE("an answer may be ended again without bytes, and not with them", "[http]") {
  std::vector<std::string> codes;
  int awaited = 0;
  const auto handler = [&](IncomingMessage, ServerResponse response) -> Task<> {
    response.end("x");
    response.end();
    response.end(std::string_view());
    codes.push_back(leat_test::codeThrownBy([&] { response.end("y"); }));
    codes.push_back(leat_test::codeThrownBy([&] { response.write("y"); }));
    codes.push_back(leat_test::codeThrownBy([&] { response.write(""); }));
    co_await response.end();
    ++awaited;
  };
  std::string answers;
  int reported = 0;
  withServer(handler, [&](http::Server server) -> Task<> {
    server.on("handlerError"_e, [&](const std::exception_ptr&) { ++reported; });
    answers = co_await ask(server, get("/") + get("/", closing));
  });
  CHECK(answers == kept("x") + ok("x"));
  CHECK(reported == 0);
  CHECK(awaited == 2);
  const std::string late = "ERR_STREAM_WRITE_AFTER_END";
  CHECK(codes == std::vector<std::string>(6, late));
}

TEST_CASE("a request may be ended again without bytes, and not with them", "[http][client]") {
  withAnswers({answerOf("a")}, [](Scripted& server) -> Task<> {
    const ClientRequest request = http::request(Request("POST", server.url()));
    request.end("x");
    request.end();
    CHECK(leat_test::codeThrownBy([&] { request.end("y"); }) == "ERR_STREAM_WRITE_AFTER_END");
    CHECK(leat_test::codeThrownBy([&] { request.write("y"); }) == "ERR_STREAM_WRITE_AFTER_END");
    std::string text;
    text = co_await textOf(request);
    CHECK(text == "a");
    co_await request.end();
    CHECK(server.saidBy(0).ends_with("Content-Length: 1\r\n\r\nx"));
  });
}

TEST_CASE("behind an answer that has no body and says that it is chunked the connection closes",
          "[http]") {
  const auto handler = [](const IncomingMessage& request, const ServerResponse& response) {
    response.setStatusCode(std::stoi(std::string(request.url().substr(1))));
    response.setHeader("Transfer-Encoding", "chunked");
    response.end();
  };
  for (const auto& [status, words] :
       {std::pair("204", "204 No Content"), std::pair("304", "304 Not Modified")}) {
    std::string answers;
    withServer(handler, [&](http::Server server) -> Task<> {
      answers = co_await ask(server, get("/" + std::string(status)) + get("/200"));
    });
    CHECK(answers == "HTTP/1.1 " + std::string(words) +
                         "\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
  }
}
