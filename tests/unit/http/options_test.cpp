// SPDX-License-Identifier: MIT
// Times that a server, an agent and a request are given.

#include "client_rig.hpp"

#include <cmath>

using namespace leat;
using namespace http_rig;
namespace http = leat::http;

namespace {

template <class F>
std::string rangeOf(F&& call) {
  try {
    (void)call();
  } catch (const RangeError& error) {
    return std::string(error.code()) + " " + error.what();
  }
  return "nothing";
}

std::string below(const std::string& name, int number) {
  return "ERR_OUT_OF_RANGE The value of \"" + name +
         "\" is out of range. It must be >= 0 && <= 2147483647. Received " + std::to_string(number);
}

}  // namespace

TEST_CASE("times of a server and of an agent are from 0", "[http]") {
  const auto main = [] {
    const auto server = [](http::ServerOptions options) {
      return rangeOf([&] { return http::createServer(options); });
    };
    CHECK(server({.headersTimeout = -1}) == below("headersTimeout", -1));
    CHECK(server({.requestTimeout = -2}) == below("requestTimeout", -2));
    CHECK(server({.connectionsCheckingInterval = -3}) == below("connectionsCheckingInterval", -3));
    CHECK(server({.keepAliveTimeout = -4}) == below("keepAliveTimeout", -4));
    CHECK(server({.timeout = -5}) == below("timeout", -5));
    CHECK(server({.headersTimeout = 0,
                  .requestTimeout = 0,
                  .connectionsCheckingInterval = 0,
                  .keepAliveTimeout = 0,
                  .timeout = 0}) == "nothing");
    const auto agent = [](http::AgentOptions options) {
      return rangeOf([&] { return http::Agent(options); });
    };
    CHECK(agent({.keepAliveMsecs = -1}) == below("options.keepAliveMsecs", -1));
    CHECK(agent({.timeout = -1}) == below("options.timeout", -1));
    CHECK(agent({.connectTimeout = -1}) == below("options.connectTimeout", -1));
    CHECK(agent({.keepAliveMsecs = 0, .timeout = 0, .connectTimeout = 0}) == "nothing");
  };
  CHECK(leat::run(main) == 0);
}

TEST_CASE("the timeout of a request is a number from 0", "[http]") {
  withAnswers({"HTTP/1.1 204 No Content\r\n\r\n"}, [](Scripted& server) -> Task<> {
    const http::ClientRequest request = http::get(server.url());
    const std::string text =
        "ERR_OUT_OF_RANGE The value of \"msecs\" is out of range. It must be a non-negative finite "
        "number. Received ";
    CHECK(rangeOf([&] { return request.setTimeout(-5); }) == text + "-5");
    CHECK(rangeOf([&] { return request.setTimeout(std::nan("")); }) == text + "NaN");
    request.setTimeout(1e12, [] { FAIL("it was to be the longest that there is"); });
    const auto response = co_await request;
    CHECK(response.statusCode() == 204);
    request.destroy();
  });
}
