// SPDX-License-Identifier: MIT
// Listeners of one closure type that stand beside each other are called by one loop: nobody can tell.
#include <leat/events.hpp>
#include <leat_test.hpp>

#include <random>
#include <stdexcept>
#include <string>
#include <vector>

using namespace leat;

namespace {

using Numbers = TypedEmitter<Event<"data", int>>;

/// Two closure types, each with a name of its own.
auto small(std::vector<std::string>& told, int id) {
  return [&told, id](int value) { told.push_back("s" + std::to_string(id + value)); };
}
auto large(std::vector<std::string>& told, int id) {
  return [&told, id](int value) { told.push_back("L" + std::to_string(id + value)); };
}

}  // namespace

TEST_CASE("listeners of several closure types are called in the order of their registration") {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    Numbers typed;
    EventEmitter named;
    typed.setMaxListeners(0);
    named.setMaxListeners(0);
    std::vector<std::string> byType, byName, expected, again;
    for (int i = 0; i < 12; ++i) {
      const bool isSmall = random() % 2 == 0, front = random() % 4 == 0, once = random() % 4 == 0;
      const auto add = [&](auto&& listener, auto& emitter, auto event) {
        if (once)
          front ? emitter.prependOnceListener(event, listener) : emitter.once(event, listener);
        else
          front ? emitter.prependListener(event, listener) : emitter.on(event, listener);
      };
      isSmall ? add(small(byType, i), typed, "data"_e) : add(large(byType, i), typed, "data"_e);
      isSmall ? add(small(byName, i), named, "data") : add(large(byName, i), named, "data");
      const std::string line = (isSmall ? "s" : "L") + std::to_string(i + 100);
      expected.insert(front ? expected.begin() : expected.end(), line);
      if (!once) again.insert(front ? again.begin() : again.end(), line);
    }
    typed.emit<"data">(100);
    named.emit("data", 100);
    CHECK(byType == expected);
    CHECK(byName == expected);
    byType.clear();
    typed.emit<"data">(100);
    CHECK(byType == again);
  }
}

TEST_CASE("of listeners of one type, one added during an emit waits, one removed is called") {
  Numbers emitter;
  std::string told;
  std::vector<Listener> all;
  const auto listener = [&](int id) {
    return [&, id](int) {
      told += std::to_string(id);
      if (id == 0) {
        all[2].off();
        emitter.on<"data">([&](int) { told += "+"; });
      }
    };
  };
  for (int i = 0; i < 4; ++i) all.push_back(emitter.on<"data">(listener(i)));
  emitter.emit<"data">(1);
  CHECK(told == "0123");
  all[0].off();
  told.clear();
  emitter.emit<"data">(1);
  CHECK(told == "13+");
}

TEST_CASE("what one of several listeners of a type throws ends the emit") {
  Numbers emitter;
  std::string told;
  const auto listener = [&](int id) {
    return [&, id](int value) {
      told += std::to_string(id);
      if (id == value) throw std::runtime_error("enough");
    };
  };
  for (int i = 0; i < 4; ++i) emitter.on<"data">(listener(i));
  CHECK_THROWS_WITH(emitter.emit<"data">(2), "enough");
  CHECK(told == "012");
  told.clear();
  emitter.emit<"data">(9);
  CHECK(told == "0123");
}

TEST_CASE("a listener of a type emits again, and may end the emitter") {
  std::string told;
  auto emitter = std::make_unique<Numbers>();
  const auto listener = [&](int id) {
    return [&, id](int depth) {
      told += std::to_string(id) + "." + std::to_string(depth) + " ";
      if (id == 1 && depth < 2) emitter->emit<"data">(depth + 1);
      if (id == 1 && depth == 2) emitter.reset();
    };
  };
  for (int i = 0; i < 3; ++i) emitter->on<"data">(listener(i));
  emitter->emit<"data">(1);
  CHECK(told == "0.1 1.1 0.2 1.2 2.2 2.1 ");
}
