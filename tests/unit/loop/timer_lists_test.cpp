// SPDX-License-Identifier: MIT
// Node's timer structure: its order by example, and against a plain model of Node's algorithm.
#include <leat_test.hpp>

#include <leat/loop/timer_lists.hpp>

#include <algorithm>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace {

using leat::detail::TimerLists;
using leat::detail::TimerNode;

struct Named : TimerNode {
  explicit Named(const char* text) : name(text) {}
  std::string name;
};

/// Processes at `now` and tells the names in order; "|" where the queues are drained.
std::string fired(TimerLists& lists, std::int64_t now) {
  std::string order;
  lists.process(
      now,
      [&](TimerNode& timer) {
        CHECK_FALSE(timer.linked());
        order += static_cast<Named&>(timer).name;
        return true;
      },
      [&] { order += '|'; });
  return order;
}

}  // namespace

TEST_CASE("timers of one duration fire in the order of their start, drained in between") {
  TimerLists lists;
  Named a("a"), b("b"), c("c");
  CHECK(lists.nextExpiry() == TimerLists::never);
  lists.insert(a, 5, 100);
  lists.insert(b, 5, 100);
  lists.insert(c, 5, 101);
  CHECK(lists.nextExpiry() == 105);
  CHECK(fired(lists, 104).empty());
  CHECK(fired(lists, 105) == "a|b");
  CHECK(lists.nextExpiry() == 106);
  CHECK(fired(lists, 106) == "c");
  CHECK(lists.nextExpiry() == TimerLists::never);
}

TEST_CASE("a late loop empties the due timers of one list before the next list") {
  TimerLists lists;
  Named five("5a"), six("6"), fiveLate("5b");
  lists.insert(five, 5, 0);
  lists.insert(six, 6, 0);
  lists.insert(fiveLate, 5, 10);
  CHECK(fired(lists, 20) == "5a|5b|6");
}

TEST_CASE("of two lists with the same expiry the one made first fires first") {
  TimerLists lists;
  Named a("a"), b("b"), c("c");
  lists.insert(a, 10, 0);
  lists.insert(b, 5, 5);
  CHECK(fired(lists, 10) == "a|b");
  // A list that was put off counts as made when it was put off.
  Named early("early"), late("late");
  lists.insert(early, 10, 100);
  lists.insert(late, 10, 105);
  lists.insert(c, 4, 111);
  CHECK(fired(lists, 110) == "early");
  CHECK(lists.nextExpiry() == 115);
  CHECK(fired(lists, 115) == "c|late");
}

TEST_CASE("a list that clearing left empty is made anew, unless the timer did not hold the loop") {
  for (const bool refed : {true, false}) {
    TimerLists lists;
    Named first("first"), other("other"), again("again");
    lists.insert(first, 10, 0);
    lists.remove(first, refed);
    CHECK_FALSE(first.linked());
    lists.insert(other, 7, 3);
    lists.insert(again, 10, 0);
    // The kept list is older than `other`'s, the new one younger.
    CHECK(fired(lists, 10) == (refed ? "other|again" : "again|other"));
  }
}

TEST_CASE("starting a waiting timer again moves it to the end of its time") {
  TimerLists lists;
  Named a("a"), b("b");
  lists.insert(a, 10, 0);
  lists.insert(b, 10, 1);
  lists.insert(a, 10, 5);
  CHECK(fired(lists, 14) == "b");
  CHECK(fired(lists, 15) == "a");
  lists.insert(a, 10, 20);
  lists.insert(a, 3, 20);
  CHECK(fired(lists, 23) == "a");
  CHECK(fired(lists, 40).empty());
}

TEST_CASE("a timer that fires next is not put off by being started again in the drain before") {
  TimerLists lists;
  Named a("a"), b("b"), c("c"), other("o");
  Named* again = &b;
  const auto passAt = [&](std::int64_t now) {
    std::string order;
    lists.process(
        now,
        [&](TimerNode& timer) {
          order += static_cast<Named&>(timer).name;
          return true;
        },
        [&] {
          order += '|';
          if (again != nullptr) lists.insert(*again, 5, now);
        });
    return order;
  };
  const auto begin = [&](std::int64_t now) {
    for (Named* timer : {&a, &b, &c}) lists.insert(*timer, 5, now);
    lists.insert(other, 6, now);
  };
  begin(0);
  SECTION("as in Node it fires in its turn, and once") {
    CHECK(passAt(10) == "a|b|c|o");
    again = nullptr;
    CHECK(passAt(14).empty());
    CHECK(passAt(15) == "b");
  }
  SECTION("but one behind it is put off") {
    again = &c;
    CHECK(passAt(10) == "a|b|o");
    CHECK(passAt(15) == "c");
  }
  SECTION("and the first of another list, for which nothing is chosen before the drain") {
    again = &other;
    CHECK(passAt(10) == "a|b|c|");
    CHECK(lists.nextExpiry() == 15);
  }
  SECTION("and one that was cleared and started is another timer") {
    std::string order;
    lists.process(
        10,
        [&](TimerNode& timer) {
          order += static_cast<Named&>(timer).name;
          return true;
        },
        [&] {
          order += '|';
          lists.remove(b);
          lists.insert(b, 5, 10);
          lists.insert(b, 5, 10);
        });
    CHECK(order == "a||c|o");
    lists.remove(b);
  }
}

TEST_CASE("a timer started in a callback waits for another pass, however late the loop is") {
  TimerLists lists;
  Named a("a"), b("b");
  std::string order;
  lists.insert(a, 1, 0);
  const auto fire = [&](TimerNode& timer) {
    order += static_cast<Named&>(timer).name;
    if (&timer == &a) lists.insert(b, 1, 50);
    return true;
  };
  lists.process(50, fire, [] {});
  CHECK(order == "a");
  CHECK(lists.nextExpiry() == 51);
  lists.process(51, fire, [] {});
  CHECK(order == "ab");
}

TEST_CASE("a timer cleared by a callback or by a drain of the same pass does not fire") {
  TimerLists lists;
  Named a("a"), b("b"), c("c"), d("d");
  std::string order;
  for (Named* timer : {&a, &b, &c}) lists.insert(*timer, 5, 0);
  lists.insert(d, 6, 0);
  bool drained = false;
  lists.process(
      10,
      [&](TimerNode& timer) {
        order += static_cast<Named&>(timer).name;
        if (&timer == &a) lists.remove(b);
        return true;
      },
      [&] {
        if (!drained) lists.remove(c);
        drained = true;
      });
  CHECK(order == "ad");
}

TEST_CASE("after a callback that threw the next timer fires without a drain") {
  TimerLists lists;
  Named a("a"), b("b"), c("c"), d("d");
  for (Named* timer : {&a, &b}) lists.insert(*timer, 5, 0);
  for (Named* timer : {&c, &d}) lists.insert(*timer, 6, 0);
  std::string order;
  lists.process(
      10,
      [&](TimerNode& timer) {
        order += static_cast<Named&>(timer).name;
        return &timer != &a && &timer != &c;
      },
      [&] { order += '|'; });
  CHECK(order == "ab|cd");
}

TEST_CASE("timers may be destroyed while they wait, in callbacks, and after their lists") {
  auto lists = std::make_unique<TimerLists>();
  auto a = std::make_unique<Named>("a");
  auto b = std::make_unique<Named>("b");
  auto survivor = std::make_unique<Named>("s");
  Named trigger("t"), last("l");
  lists->insert(trigger, 5, 0);
  lists->insert(*a, 5, 0);
  lists->insert(last, 5, 0);
  lists->insert(*b, 7, 0);
  lists->insert(*survivor, 70, 0);
  std::string order;
  lists->process(
      10,
      [&](TimerNode& timer) {
        order += static_cast<Named&>(timer).name;
        a.reset();
        b.reset();
        return true;
      },
      [] {});
  CHECK(order == "tl");
  lists.reset();
  CHECK_FALSE(survivor->linked());
}

TEST_CASE("a list made again while the old one is being processed keeps its place") {
  TimerLists lists;
  Named a("a"), b("b"), c("c");
  lists.insert(a, 5, 0);
  lists.process(
      5,
      [&](TimerNode& timer) {
        lists.removeFiring(timer);
        lists.insert(b, 5, 5);
        lists.insert(c, 3, 7);
        return true;
      },
      [] {});
  CHECK(fired(lists, 10) == "b|c");
}

TEST_CASE("a list made again with an earlier start is due earlier") {
  TimerLists lists;
  Named a("a"), b("b"), c("c");
  lists.insert(c, 20, 0);
  lists.insert(a, 5, 30);
  lists.remove(a);
  lists.insert(b, 5, 3);
  CHECK(lists.nextExpiry() == 8);
  CHECK(fired(lists, 8) == "b");
  CHECK(fired(lists, 20) == "c");
}

TEST_CASE(
    "a pass may give up the list it works on, with so many others that their memory is reused") {
  TimerLists lists;
  std::vector<std::unique_ptr<Named>> others;
  for (int i = 0; i < 400; ++i) others.push_back(std::make_unique<Named>("o"));
  Named a("a"), b("b");
  lists.insert(a, 5, 0);
  lists.insert(b, 6, 0);
  std::string order;
  lists.process(
      10,
      [&](TimerNode& timer) {
        order += static_cast<Named&>(timer).name;
        lists.removeFiring(timer);
        for (std::size_t i = 0; i < 400; ++i)
          lists.insert(*others[i], 100 + static_cast<int>(i), 10);
        for (std::size_t i = 0; i < 400; ++i) lists.remove(*others[i]);
        for (std::size_t i = 0; i < 400; ++i)
          lists.insert(*others[i], 1000 + static_cast<int>(i), 10);
        return true;
      },
      [&] { order += '|'; });
  CHECK(order == "a|b");
  CHECK(lists.nextExpiry() == 1010);
}

TEST_CASE("many durations come and go without the structure growing for ever or losing one") {
  TimerLists lists;
  std::vector<std::unique_ptr<Named>> timers;
  for (int i = 0; i < 5000; ++i) timers.push_back(std::make_unique<Named>("x"));
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 5000; ++i)
      lists.insert(*timers[static_cast<std::size_t>(i)], 1 + i * 7919 % 100'003, round);
    CHECK(lists.nextExpiry() == 1 + round);
    for (int i = 4999; i >= 0; --i)
      if (i % 10 != 0) lists.remove(*timers[static_cast<std::size_t>(i)]);
    std::vector<int> due;
    lists.process(
        200'000,
        [&](TimerNode& timer) {
          due.push_back(timer.durationMs);
          return true;
        },
        [] {});
    CHECK(due.size() == 500);
    CHECK(std::is_sorted(due.begin(), due.end()));
    CHECK(lists.nextExpiry() == TimerLists::never);
  }
}

// ---- the model ----

namespace {

/// Node 20's algorithm written down with ordinary containers, without any of our shortcuts.
class Model {
 public:
  struct Timer;
  struct List {
    std::int64_t expiry;
    std::int64_t id;
    int msecs;
    std::list<Timer*> timers;
  };
  struct Timer {
    int msecs = 0;
    std::int64_t start = 0;
    List* list = nullptr;
  };

  void insert(Timer& timer, int msecs, std::int64_t start) {
    unlink(timer);
    timer.msecs = msecs;
    timer.start = start;
    auto found = map_.find(msecs);
    if (found == map_.end()) {
      lists_.push_back(std::make_unique<List>(List{start + msecs, nextId_++, msecs, {}}));
      queue_.push_back(lists_.back().get());
      found = map_.emplace(msecs, lists_.back().get()).first;
    }
    timer.list = found->second;
    timer.list->timers.push_back(&timer);
  }
  void remove(Timer& timer, bool refed) {
    if (timer.list == nullptr) return;
    if (chosen_ == &timer) chosen_ = nullptr;
    unlink(timer);
    if (refed) giveUp(timer.msecs);
  }
  void removeFiring(Timer& timer, bool refed) {
    if (timer.list == nullptr && refed) giveUp(timer.msecs);
  }
  std::int64_t nextExpiry() const { return queue_.empty() ? TimerLists::never : peek()->expiry; }
  template <class Fire, class Between>
  void process(std::int64_t now, Fire fire, Between between) {
    while (!pass(now, fire, between)) {
    }
  }

 private:
  /// processTimers; false when a callback threw, and Node calls it again.
  template <class Fire, class Between>
  bool pass(std::int64_t now, Fire& fire, Between& between) {
    bool ran = false;
    while (!queue_.empty()) {
      List* list = peek();
      if (list->expiry > now) return true;
      if (ran) between();
      ran = true;
      if (!listOnTimeout(*list, now, fire, between)) return false;
    }
    return true;
  }
  template <class Fire, class Between>
  bool listOnTimeout(List& list, std::int64_t now, Fire& fire, Between& between) {
    bool ran = false;
    while (!list.timers.empty()) {
      Timer* timer = list.timers.front();
      if (now - timer->start < list.msecs) {
        list.expiry = std::max(timer->start + list.msecs, now + 1);
        list.id = nextId_++;
        return true;
      }
      if (ran) {
        chosen_ = timer;
        between();
        // Cleared, it is passed over; refreshed, it fires all the same. What has got another duration,
        // which a refresh cannot do, is not asked of Node.
        const bool passedOver = std::exchange(chosen_, nullptr) == nullptr;
        if (passedOver || timer->msecs != list.msecs) continue;
      }
      ran = true;
      unlink(*timer);
      if (!fire(*timer)) return false;
    }
    const auto found = map_.find(list.msecs);
    if (found != map_.end() && found->second == &list) {
      map_.erase(found);
      dequeue(&list);
    }
    return true;
  }
  void giveUp(int msecs) {
    const auto found = map_.find(msecs);
    if (found == map_.end() || !found->second->timers.empty()) return;
    dequeue(found->second);
    map_.erase(found);
  }
  static void unlink(Timer& timer) {
    if (timer.list != nullptr) timer.list->timers.remove(&timer);
    timer.list = nullptr;
  }
  List* peek() const {
    return *std::min_element(queue_.begin(), queue_.end(), [](List* a, List* b) {
      return a->expiry != b->expiry ? a->expiry < b->expiry : a->id < b->id;
    });
  }
  void dequeue(List* list) { queue_.erase(std::find(queue_.begin(), queue_.end(), list)); }

  std::map<int, List*> map_;
  std::vector<List*> queue_;
  std::vector<std::unique_ptr<List>> lists_;
  std::int64_t nextId_ = 0;
  Timer* chosen_ = nullptr;
};

/// A program of timers whose callbacks and drains start, clear, refresh, repeat and throw, as its seed
/// says. It writes down everything that can be seen.
struct Shape {
  unsigned timers = 40;
  unsigned burst = 6;       // so many acts between two passes, at most
  unsigned durations = 60;  // and a third of the timers with one of 6
  bool held = false;  // none is started again while it waits, all hold the loop, and it takes time
};
template <class Lists, class Timer>
class Program {
 public:
  explicit Program(unsigned seed, Shape shape = {}) : shape_(shape), random_(seed) {
    for (unsigned i = 0; i < shape.timers; ++i) timers_.push_back(std::make_unique<Entry>());
  }
  std::string run(int steps) {
    for (int i = 0; i < steps; ++i) step();
    return trace_;
  }

 private:
  struct Entry : Timer {
    bool refed = true;
    bool repeats = false;
    bool waits = false;
  };
  unsigned next(unsigned limit) {
    random_ = random_ * 1664525 + 1013904223;
    return (random_ >> 16) % limit;
  }
  void note(const char* what, std::int64_t value) { trace_ += what + std::to_string(value) + ' '; }
  int indexOf(const Timer& timer) const {
    for (std::size_t i = 0; i < timers_.size(); ++i)
      if (static_cast<const Timer*>(timers_[i].get()) == &timer) return static_cast<int>(i);
    return -1;
  }
  void step() {
    for (unsigned i = next(shape_.burst); i > 0; --i) act(true);
    now_ += next(4) == 0 ? next(30) : next(4);
    note("now", now_);
    lists_.process(
        now_, [this](Timer& timer) { return fire(static_cast<Entry&>(timer)); },
        [this] {
          trace_ += "| ";
          if (next(3) == 0) act(false);
        });
    note("next", lists_.nextExpiry());
  }
  bool fire(Entry& timer) {
    note("fire", indexOf(timer));
    firing_ = &timer;
    timer.waits = false;
    const std::int64_t started = now_;
    if (next(6) == 0) now_ += next(5);  // a callback that takes its time
    for (unsigned i = next(4); i > 0; --i) act(true);
    // An interval measures from before its callback, unless the callback cleared or restarted it.
    if (firing_ == &timer && timer.repeats && next(8) != 0) startTimer(timer, period_, started);
    firing_ = nullptr;
    return next(10) != 0;
  }
  void act(bool start) {
    Entry& timer = *timers_[next(static_cast<unsigned>(timers_.size()))];
    switch (next(start ? 5 : 4)) {
      case 0:
        if (&timer == firing_) {
          lists_.removeFiring(timer, timer.refed);
          firing_ = nullptr;
        } else {
          clearTimer(timer);
        }
        break;
      case 1:
        if (&timer == firing_) {
          lists_.removeFiring(timer, timer.refed);
          firing_ = nullptr;
        }
        break;
      default:
        if (shape_.held && timer.waits) return clearTimer(timer);
        if (&timer == firing_) firing_ = nullptr;
        timer.refed = shape_.held || next(4) != 0;
        timer.repeats = next(3) == 0;
        startTimer(timer, duration(), now_);
        // The last one started may be taken back before it is in a list.
        if (next(5) == 0) lists_.remove(timer, shape_.held || next(4) != 0), timer.waits = false;
    }
  }
  int duration() {
    const bool any = shape_.held || next(3) == 0;
    return static_cast<int>(1 + next(any ? shape_.durations : 6));
  }
  void startTimer(Entry& timer, int ms, std::int64_t at) {
    lists_.insert(timer, ms, at);
    timer.waits = true;
    if (shape_.held && next(6) == 0) ++now_;
  }
  void clearTimer(Entry& timer) {
    lists_.remove(timer, timer.refed);
    timer.waits = false;
  }

  static constexpr int period_ = 4;
  Shape shape_;
  unsigned random_;
  std::int64_t now_ = 1000;
  std::string trace_;
  std::vector<std::unique_ptr<Entry>> timers_;
  Entry* firing_ = nullptr;
  Lists lists_;
};

}  // namespace

namespace {

void compareWithModel(unsigned seed, int steps, Shape shape) {
  const std::string expected = Program<Model, Model::Timer>(seed, shape).run(steps);
  const std::string actual = Program<TimerLists, TimerNode>(seed, shape).run(steps);
  CAPTURE(seed);
  REQUIRE(expected.size() > 500);
  REQUIRE(expected.find("fire") != std::string::npos);
  const auto differ = std::mismatch(expected.begin(), expected.end(), actual.begin(), actual.end());
  const auto at = static_cast<std::size_t>(differ.first - expected.begin());
  const std::size_t from = at > 200 ? at - 200 : 0;
  REQUIRE(actual.substr(from, 260) == expected.substr(from, 260));
  REQUIRE(actual.size() == expected.size());
}

}  // namespace

// Under AddressSanitizer fewer, which take as long.
constexpr unsigned fewer(unsigned seeds) { return LEAT_ASAN ? (seeds + 3) / 4 : seeds; }

TEST_CASE("random programs of timers see what they would see in Node") {
  for (unsigned seed = 1; seed <= fewer(300); ++seed) compareWithModel(seed, 100, Shape{});
}

TEST_CASE("so do programs that start and clear more timers at once than wait for their lists") {
  for (unsigned seed = 1; seed <= fewer(12); ++seed) {
    compareWithModel(seed, 250, Shape{300, 90, 300});
    compareWithModel(seed, 250, Shape{200, 60, 3});
  }
}

TEST_CASE("so do programs that clear many of the timers that they have just started") {
  for (unsigned seed = 1; seed <= fewer(40); ++seed)
    compareWithModel(seed, 100, Shape{300, 200, 40, true});
  for (unsigned seed = 1; seed <= fewer(3); ++seed)
    compareWithModel(seed, 12, Shape{4000, 6000, 1500, true});
}
