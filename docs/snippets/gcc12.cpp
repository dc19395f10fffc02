// SPDX-License-Identifier: MIT
// The regions that docs/gcc12-pitfalls.md shows, and a main that runs them.
#include <leat.hpp>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

using namespace leat;

void check(bool holds) {
  if (!holds) std::abort();
}

// Own something, and are aggregates.
struct Query {
  std::string text;
  int limit = 10;
};
struct Pair {
  std::string first;
  std::string second;
};

Task<std::string> find(Query query) {
  co_await sleep(1);
  co_return query.text + std::to_string(query.limit);
}
Task<std::string> name(int id) {
  co_await sleep(1);
  co_return "n" + std::to_string(id);
}
Task<int> sum(std::vector<int> numbers) {
  co_await sleep(1);
  int total = 0;
  for (int number : numbers) total += number;
  co_return total;
}
Task<bool> more(int& left) {
  co_await sleep(1);
  co_return left-- > 0;
}

Task<> closures() {
  const std::string text = "captured";
  std::size_t size = 0;
  // [closure]
  auto work = [text, &size]() -> Task<> {
    co_await sleep(1);
    size = text.size();
  };
  co_await withTimeout(1000, moved(work));  // or `work` itself, which is copied
  // [/closure]
  check(size == 8);

  // [trivial]
  co_await withTimeout(1000, [&size]() -> Task<> {  // references, pointers and numbers only: safe
    co_await sleep(1);
    size = 1;
  });
  // [/trivial]
  check(size == 1);
}

Task<> aggregates() {
  // [aggregate]
  Query query{.text = "owl", .limit = 3};
  const std::string found = co_await find(std::move(query));
  // [/aggregate]
  check(found == "owl3");

  // [list]
  std::vector<int> numbers{1, 2, 3};
  const int total = co_await sum(std::move(numbers));
  // [/list]
  check(total == 6);

  // [parts]
  std::string first = co_await name(1);
  std::string second = co_await name(2);
  const Pair both{std::move(first), std::move(second)};
  // [/parts]
  check(both.first == "n1" && both.second == "n2");
}

Task<> choices(bool owls) {
  // [choice]
  std::string found;
  if (owls) {
    found = co_await name(1);
  } else {
    found = "none";
  }
  // [/choice]
  check(found == "n1");
}

// [condition]
Task<int> drain(int& left) {
  int rounds = 0;  // a local variable: without one g++ 12 cuts the body off
  while (co_await more(left)) ++rounds;
  co_return rounds;
}
// [/condition]

// [handler]
Task<std::string> nameOrReport(int id) {
  std::exception_ptr failure;
  try {
    co_return co_await name(id);
  } catch (...) {
    failure = std::current_exception();  // the language forbids co_await in a handler
  }
  co_await sleep(1);
  co_return describe(failure);
}
// [/handler]

Task<> program() {
  co_await closures();
  co_await aggregates();
  co_await choices(true);
  int left = 3;
  check(co_await drain(left) == 3);
  check(co_await nameOrReport(4) == "n4");
}

int main() { return run(program); }
