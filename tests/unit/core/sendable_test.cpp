// SPDX-License-Identifier: MIT
#include <leat.hpp>

#include <leat_test.hpp>
#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

using leat::isSendable;

namespace {
struct Mine {
  using LoopBound = void;
};
struct Tree : std::vector<Tree> {};

// Made of themselves by way of others.
struct Json : std::variant<std::nullptr_t, double, std::string, std::vector<Json>,
                           std::map<std::string, Json>> {};
struct Folder : std::map<std::string, Folder> {};
struct Branches : std::vector<std::shared_ptr<Branches>> {};
struct Links : std::shared_ptr<Links> {};
struct Odd;
struct Even : std::vector<std::shared_ptr<Odd>> {};
struct Odd : std::vector<Even> {};
template <class Leaf>
struct JsonWith : std::variant<std::vector<JsonWith<Leaf>>, std::map<std::string, JsonWith<Leaf>>,
                               std::string, Leaf> {};
template <class Leaf>
struct FolderWith : std::map<std::string, std::pair<FolderWith<Leaf>, Leaf>> {};

// No variant, but with a member of that name.
struct Outcome {
  bool valueless_by_exception() const { return value.valueless_by_exception(); }
  std::variant<int, std::string> value;
};

// Of which their author has said something.
struct Pinned : std::vector<int> {};
struct Freed : Mine {};
template <class T>
struct Boxes : std::vector<T> {};
struct Shelf : std::map<int, std::vector<Shelf>> {};
}  // namespace

template <>
inline constexpr bool leat::isSendable<Pinned> = false;
template <>
inline constexpr bool leat::isSendable<Freed> = true;
template <class T>
inline constexpr bool leat::isSendable<Boxes<T>> = leat::isSendable<T> && sizeof(T) > 1;
template <>
inline constexpr bool leat::isSendable<std::vector<Shelf>> = false;

TEST_CASE("types that are made of themselves are sendable when what else they hold is") {
  STATIC_REQUIRE(isSendable<Json>);
  STATIC_REQUIRE(isSendable<std::vector<Json>>);
  STATIC_REQUIRE(isSendable<const Json*>);
  STATIC_REQUIRE(isSendable<Folder>);
  STATIC_REQUIRE(isSendable<Branches>);
  STATIC_REQUIRE(isSendable<Links>);
  STATIC_REQUIRE(isSendable<Even>);
  STATIC_REQUIRE(isSendable<JsonWith<double>>);
  STATIC_REQUIRE(isSendable<FolderWith<Json>>);
  STATIC_REQUIRE_FALSE(isSendable<JsonWith<leat::Promise<int>>>);
  STATIC_REQUIRE_FALSE(isSendable<FolderWith<leat::Promise<int>>>);
  STATIC_REQUIRE_FALSE(isSendable<FolderWith<const Mine*>>);
  STATIC_REQUIRE_FALSE(isSendable<FolderWith<std::shared_ptr<Mine>>>);
}

TEST_CASE("a class with valueless_by_exception that is no variant is sendable") {
  STATIC_REQUIRE(isSendable<Outcome>);
  STATIC_REQUIRE(isSendable<std::optional<Outcome>>);
}

TEST_CASE("what the author of a type says of it counts for what holds it, too") {
  STATIC_REQUIRE_FALSE(isSendable<Pinned>);
  STATIC_REQUIRE_FALSE(isSendable<const Pinned*>);
  STATIC_REQUIRE_FALSE(isSendable<FolderWith<Pinned>>);
  STATIC_REQUIRE(isSendable<Freed>);
  STATIC_REQUIRE(isSendable<const Freed*>);
  STATIC_REQUIRE(isSendable<std::tuple<Freed&, std::vector<Freed>>>);
  STATIC_REQUIRE(isSendable<Boxes<int>>);
  STATIC_REQUIRE_FALSE(isSendable<std::map<int, Boxes<char>>>);
  STATIC_REQUIRE_FALSE(isSendable<Boxes<Mine*>>);
  STATIC_REQUIRE_FALSE(isSendable<Shelf>);
}

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
