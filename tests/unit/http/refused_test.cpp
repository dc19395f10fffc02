// SPDX-License-Identifier: MIT
// Requests under a signal that was aborted before they are made: nothing of them is sent, wherever they are made.
#include "client_rig.hpp"

#include <leat/timers.hpp>

#include <vector>

using namespace leat;
using namespace http_rig;
namespace http = leat::http;

namespace {

enum class RefusedBy { Fetch, Request, Get };

Task<std::string> refusedAsk(RefusedBy by, Request what) {
  try {
    if (by == RefusedBy::Fetch) {
      what.setBody("amount=100");
      const http::Response response = co_await http::fetch(what);
      co_return "status " + std::to_string(response.status());
    }
    const ClientRequest asked = by == RefusedBy::Get ? http::get(what) : http::request(what);
    if (by == RefusedBy::Request) asked.end("amount=100");
    const IncomingMessage answer = co_await asked.response();
    co_return "status " + std::to_string(answer.statusCode());
  } catch (const Error& error) {
    co_return error.what();
  }
}
/// From a callback of the loop, behind which ticks come before microtasks.
Task<std::string> refusedFromTimer(RefusedBy by, Request what) {
  co_await shielded(sleep(1));
  const std::string told = co_await refusedAsk(by, what);
  co_return told;
}
/// Has a free connection, over which nothing but this came.
Task<> warmUp(const Scripted& server, const Agent& agent) {
  const std::string text = co_await textOf(http::get(Request(server.url()).setAgent(agent)));
  CHECK(text == "warm");
  CHECK(agent.freeSockets() == 1);
}
/// The next request uses that connection.
Task<> onlyWarmUp(const Scripted& server, const Agent& agent) {
  const std::size_t length = server.said.at(0).size();
  const std::string text = co_await textOf(http::get(Request(server.url()).setAgent(agent)));
  CHECK(text == "next");
  CHECK(server.connections() == 1);
  CHECK(server.said.at(0).size() == 2 * length);
}

}  // namespace

TEST_CASE("nothing is sent under an own signal that was aborted before", "[http][abort]") {
  for (const RefusedBy by : {RefusedBy::Fetch, RefusedBy::Request, RefusedBy::Get})
    for (const bool later : {true, false})
      withAnswers(
          {answerOf("warm"), answerOf("next"), answerOf("")}, [&](Scripted& server) -> Task<> {
            const Agent agent;
            co_await warmUp(server, agent);
            Request what("POST", server.url("/pay"));
            what.setAgent(agent).setSignal(AbortSignal::abort(Error("not wanted")));
            Task<std::string> asked = later ? refusedFromTimer(by, what) : refusedAsk(by, what);
            const std::string told = co_await std::move(asked);
            CHECK(told == "not wanted");
            co_await sleep(5);
            co_await onlyWarmUp(server, agent);
          });
}

TEST_CASE("nothing is sent under an ambient signal that was aborted before", "[http][abort]") {
  for (const RefusedBy by : {RefusedBy::Fetch, RefusedBy::Request, RefusedBy::Get})
    withAnswers({answerOf("warm"), answerOf("next"), answerOf("")},
                [&](Scripted& server) -> Task<> {
                  const Agent agent;
                  co_await warmUp(server, agent);
                  Request what("POST", server.url("/pay"));
                  what.setAgent(agent);
                  const AbortController controller;
                  auto asked = spawn(withSignal(controller.signal(), refusedFromTimer(by, what)));
                  controller.abort();
                  const std::string told = co_await std::move(asked);
                  CHECK(told == "This operation was aborted");
                  co_await sleep(5);
                  co_await onlyWarmUp(server, agent);
                });
}

TEST_CASE("a request under an aborted signal tells its error in the next tick", "[http][abort]") {
  withAnswers({answerOf("warm"), answerOf("next"), answerOf("")}, [](Scripted& server) -> Task<> {
    const Agent agent;
    co_await warmUp(server, agent);
    std::vector<std::string> told;
    std::optional<ClientRequest> kept;
    setTimeout(
        [&] {
          kept = http::request(Request("POST", server.url("/pay"))
                                   .setAgent(agent)
                                   .setHeader("Expect", "100-continue")
                                   .setSignal(AbortSignal::abort(Error("not wanted"))));
          const ClientRequest asked = *kept;
          asked.on("socket"_e, [&] { told.push_back("socket"); });
          asked.on("error"_e,
                   [&](const std::exception_ptr& error) { told.push_back(describe(error)); });
          asked.on("close"_e, [&] { told.push_back("close"); });
          (void)asked.write("amount=100");
          nextTick([&] { told.push_back("tick"); });
        },
        1);
    co_await sleep(10);
    CHECK(told == std::vector<std::string>{"Error: not wanted", "close", "tick"});
    co_await onlyWarmUp(server, agent);
  });
}
