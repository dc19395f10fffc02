// SPDX-License-Identifier: MIT
#include <leat/loop/run.hpp>
#include <leat/worker/environment_data.hpp>
#include <leat/worker/worker.hpp>

#include <leat_test.hpp>
#include <string>
#include <thread>

using leat::run;
using leat::Task;
using leat::worker_threads::getEnvironmentData;
using leat::worker_threads::MessagePort;
using leat::worker_threads::setEnvironmentData;
using leat::worker_threads::Worker;

TEST_CASE("environment data go to the workers that are started later, and to theirs") {
  run([]() -> Task<> {
    setEnvironmentData("name", "owl");
    setEnvironmentData("number", 7);
    CHECK(getEnvironmentData<std::string>("name") == "owl");
    const Worker<std::string> worker([](MessagePort<std::string> parent) -> Task<> {
      const auto name = getEnvironmentData<std::string>("name");
      setEnvironmentData("name", "of the worker");
      setEnvironmentData("number");
      const Worker<std::string> inner([](MessagePort<std::string> outer) {
        outer.postMessage(*getEnvironmentData<std::string>("name") +
                          (getEnvironmentData<int>("number") ? " and a number" : ""));
      });
      const auto there = co_await inner.next();
      parent.postMessage(*name + ", " + *there);
    });
    setEnvironmentData("name", "too late");
    const auto told = co_await worker.next();
    CHECK(told == "owl, of the worker");
    CHECK(getEnvironmentData<std::string>("name") == "too late");
    CHECK(getEnvironmentData<int>("number") == 7);
  });
}

TEST_CASE("environment data have a type, or are not there") {
  run([] {
    CHECK_FALSE(getEnvironmentData<int>("number").has_value());
    setEnvironmentData("number", 7);
    setEnvironmentData("number", 8);
    CHECK(getEnvironmentData<int>("number") == 8);
    CHECK_THROWS_AS(getEnvironmentData<long>("number"), leat::TypeError);
    setEnvironmentData("number");
    setEnvironmentData("number");
    CHECK_FALSE(getEnvironmentData<int>("number").has_value());
  });
  run([] { CHECK_FALSE(getEnvironmentData<int>("number").has_value()); });
  std::thread([] { CHECK_THROWS_AS(setEnvironmentData("a", 1), leat::Error); }).join();
}
