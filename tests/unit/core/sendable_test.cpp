// SPDX-License-Identifier: MIT
#include <leat.hpp>

#include <leat_test.hpp>
#include <array>
#include <map>
#include <memory>
#include <tuple>
#include <variant>

using leat::isSendable;

namespace {
struct Mine {
  using LoopBound = void;
};
struct Tree : std::vector<Tree> {};
}  // namespace

// The doors to other threads (post, blocking) refuse to compile for what is not sendable.
TEST_CASE("handles of a loop are not sendable, nor are containers of them and pointers to them") {
  STATIC_REQUIRE_FALSE(isSendable<leat::Promise<int>>);
  STATIC_REQUIRE_FALSE(isSendable<leat::Resolver<int>>);
  STATIC_REQUIRE_FALSE(isSendable<leat::Rejecter<int>>);
  STATIC_REQUIRE_FALSE(isSendable<leat::Timeout>);
  STATIC_REQUIRE_FALSE(isSendable<leat::Immediate>);
  STATIC_REQUIRE_FALSE(isSendable<leat::ScopedTimeout>);
  STATIC_REQUIRE_FALSE(isSendable<leat::Interval>);
  STATIC_REQUIRE_FALSE(isSendable<leat::net::Socket>);
  STATIC_REQUIRE_FALSE(isSendable<leat::net::Server>);
  STATIC_REQUIRE_FALSE(isSendable<leat::Mutex*>);
  STATIC_REQUIRE_FALSE(isSendable<const leat::Channel<int>*>);
  STATIC_REQUIRE_FALSE(isSendable<std::vector<std::vector<leat::Promise<void>>>>);
  STATIC_REQUIRE_FALSE(isSendable<std::optional<leat::net::Socket>>);
  STATIC_REQUIRE_FALSE(isSendable<std::array<Mine, 2>>);
  STATIC_REQUIRE_FALSE(isSendable<std::pair<int, Mine>>);
  STATIC_REQUIRE_FALSE(isSendable<std::map<int, leat::Promise<int>>>);
  STATIC_REQUIRE_FALSE(isSendable<std::tuple<int, const Mine>>);
  STATIC_REQUIRE_FALSE(isSendable<std::tuple<Mine&>>);
  STATIC_REQUIRE_FALSE(isSendable<std::variant<std::monostate, Mine>>);
  STATIC_REQUIRE_FALSE(isSendable<std::unique_ptr<leat::net::Socket>>);
  STATIC_REQUIRE_FALSE(isSendable<std::shared_ptr<std::vector<Mine>>>);
  STATIC_REQUIRE_FALSE(isSendable<leat::Promise<int>::Resolvers>);
  STATIC_REQUIRE_FALSE(isSendable<leat::Mutex::Guard>);
  STATIC_REQUIRE_FALSE(isSendable<leat::Semaphore::Permit>);
  STATIC_REQUIRE_FALSE(isSendable<leat::AbortRegistration>);
}

TEST_CASE("values, closures, shared data and signals are sendable") {
  const auto closure = [n = 1] { return n; };
  STATIC_REQUIRE(isSendable<int>);
  STATIC_REQUIRE(isSendable<std::string>);
  STATIC_REQUIRE(isSendable<std::vector<std::string>>);
  STATIC_REQUIRE(isSendable<std::shared_ptr<int>>);
  STATIC_REQUIRE(isSendable<std::unique_ptr<int[]>>);
  STATIC_REQUIRE(isSendable<std::map<std::string, std::pair<int, std::tuple<>>>>);
  STATIC_REQUIRE(isSendable<std::variant<int, std::string>>);
  STATIC_REQUIRE(isSendable<decltype(closure)>);
  STATIC_REQUIRE(isSendable<Tree>);
  STATIC_REQUIRE(isSendable<leat::AbortSignal>);
  STATIC_REQUIRE(isSendable<leat::Buffer>);
  CHECK(closure() == 1);
}
