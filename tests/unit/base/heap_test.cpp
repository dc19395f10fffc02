// SPDX-License-Identifier: MIT
// The heap, against a sorted container.
#include <leat_test.hpp>

#include <leat/base/heap.hpp>

#include <set>
#include <utility>
#include <vector>

namespace {

struct Entry {
  int key;
  int id;
};
std::vector<std::size_t> positions;

struct Traits {
  static bool before(const Entry& a, const Entry& b) noexcept {
    return a.key != b.key ? a.key < b.key : a.id < b.id;
  }
  static void moved(Entry& entry, std::size_t position) noexcept {
    positions[static_cast<std::size_t>(entry.id)] = position;
  }
};
using Heap = leat::detail::Heap<Entry, Traits>;

}  // namespace

TEST_CASE("the heap keeps its smallest entry first through pushes, removals and changes of keys") {
  constexpr int ids = 300;
  positions.assign(ids, 0);
  Heap heap;
  std::set<std::pair<int, int>> model;
  std::vector<int> keys(ids, -1);
  unsigned random = 1;
  const auto next = [&](unsigned limit) {
    random = random * 1664525 + 1013904223;
    return static_cast<int>((random >> 16) % limit);
  };
  for (int step = 0; step < 20'000; ++step) {
    const int id = next(ids);
    int& key = keys[static_cast<std::size_t>(id)];
    const std::size_t position = positions[static_cast<std::size_t>(id)];
    if (key >= 0) {
      REQUIRE(heap[position].id == id);
      model.erase({key, id});
    }
    const int fresh = next(1000);
    if (key < 0) {
      heap.push({fresh, id});
      key = fresh;
    } else if (next(3) == 0) {
      heap.removeAt(position);
      key = -1;
    } else {
      heap.update(position, {fresh, id});
      key = fresh;
    }
    if (key >= 0) model.insert({key, id});
    if (step % 5000 == 4999) {
      heap.removeIf([&](const Entry& entry) {
        if (entry.id % 2 == 0) return false;
        model.erase({entry.key, entry.id});
        keys[static_cast<std::size_t>(entry.id)] = -1;
        return true;
      });
    }
    REQUIRE(heap.size() == model.size());
    if (!model.empty()) {
      REQUIRE(heap[0].key == model.begin()->first);
      REQUIRE(heap[0].id == model.begin()->second);
    }
  }
  while (!heap.empty()) {
    REQUIRE(heap[0].id == model.begin()->second);
    heap.removeAt(0);
    model.erase(model.begin());
  }
}
