// SPDX-License-Identifier: MIT
// A router whose routes are the events of an emitter: "GET /users" is a name that is known at run time.

#include <leat/events.hpp>
#include <leat/loop.hpp>
#include <leat/timers.hpp>

#include <cstdio>
#include <string>

using namespace leat;

// [router]
struct Request {
  std::string method;
  std::string path;
};

/// Handlers answer through it; copies are the same answer.
struct Response {
  explicit Response(std::string l) : line(std::move(l)) {}
  void send(int status, const std::string& body) const {
    std::printf("%s -> %d %s\n", line.c_str(), status, body.c_str());
  }
  std::string line;
};

class Router : public EventEmitter {
 public:
  Router() : EventEmitter({.captureRejections = true}) {
    // What a coroutine of a handler throws.
    on("error", [](const std::exception& error) { std::printf("failed: %s\n", error.what()); });
  }
  void handle(const Request& request) {
    const std::string route = request.method + " " + request.path;
    const Response response(route);
    if (!emit(route, request, response)) response.send(404, "nothing here");
  }
};
// [/router]

Task<> serve() {
  // [routes]
  Router router;
  router.on("GET /", [](const Request&, const Response& response) { response.send(200, "hello"); });
  router.on("GET /slow", [](const Request& request, const Response& response) -> Task<> {
    co_await sleep(100);
    response.send(200, "done with " + request.path);
  });
  router.on("GET /bad", [](const Request&) -> Task<> {
    co_await sleep(1);
    throw Error("the handler threw");
  });
  const Listener login = router.once("POST /setup", [](const Request&, const Response& response) {
    response.send(201, "only once");
  });
  // [/routes]

  for (const auto& route : router.eventNames())
    if (route != "error") std::printf("route %s\n", route.c_str());
  router.handle({"GET", "/"});
  router.handle({"GET", "/bad"});
  router.handle({"GET", "/slow"});
  router.handle({"POST", "/setup"});
  std::printf("setup is %s\n", login.active() ? "there" : "gone");
  router.handle({"POST", "/setup"});
  co_await sleep(200);
}

int main() { return run(serve); }
