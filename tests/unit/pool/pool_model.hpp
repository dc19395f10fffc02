// SPDX-License-Identifier: MIT
#pragma once
// Every schedule of a few threads: an operation on a word of the model is a point where another thread may go
// on. The threads are stacks that one real thread changes between; the schedules are walked depth first, those with at
// most so many switches away from a thread that could have gone on (Musuvathi and Qadeer, 2007: most faults
// need two). ModelAtomics are sequentially consistent; with DelayedAtomics stores stay in a buffer of their thread
// as long as nothing empties it, which is the worst that x86 does. What still weaker orders need is told beside the algorithms.

#include <ucontext.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include <leat/base/atomic.hpp>

namespace leat_test {

/// What a step touches: any word, when there is none here.
struct Touch {
  const void* word = nullptr;
  bool writes = true;
  bool meets(const Touch& other) const {
    if (word == nullptr || other.word == nullptr) return true;
    return word == other.word && (writes || other.writes);
  }
};

/// Runs one schedule after the other.
class Explorer {
 public:
  using Body = std::function<void()>;
  static constexpr unsigned unbounded = 1'000'000;
  /// Of schedules that differ only in the order of steps next to each other that do not touch the same word, or
  /// only read it, one: by sleep sets (Godefroid, 1996). Without a bound on preemptions; and besides the words the
  /// threads may share nothing in which that order can be seen.
  struct Distinct {};
  /// A number of preemptions, or Distinct.
  struct Bound {
    Bound(unsigned most) : preemptions(most) {}
    Bound(Distinct) : preemptions(unbounded), distinct(true) {}
    unsigned preemptions;
    bool distinct = false;
  };

  explicit Explorer(Bound bound) : most_(bound.preemptions), distinct_(bound.distinct) {}

  static Explorer*& current() {
    static Explorer* explorer = nullptr;
    return explorer;
  }

  /// Calls `make` for each schedule: it gives the threads' bodies, and what to check in the end. Gives the
  /// number of schedules. Throws: std::runtime_error when all threads wait for each other.
  template <class Make>
  std::size_t explore(Make make) {
    current() = this;
    const struct Ended {
      ~Ended() { current() = nullptr; }
    } ended;
    std::size_t schedules = 0;
    path_.clear();
    do {
      std::function<void()> check;
      bodies_ = make(check);
      runOnce();
      check();
      schedules += redundant_ ? 0 : 1;
    } while (nextPath());
    return schedules;
  }

  /// Before each operation of a word.
  void step(Touch touch = {}) {
    if (turn_ < 0) return;
    threads_[static_cast<std::size_t>(turn_)].next = touch;
    changeTo(choose(turn_));
  }
  /// The number of the thread that goes on, -1 outside of a schedule.
  static int self() { return current() == nullptr ? -1 : current()->turn_; }
  /// The thread waits until `ready`, which others make true by what they do to that word.
  void await(const std::function<bool()>& ready, const void* word) {
    Thread& self = threads_[static_cast<std::size_t>(turn_)];
    self.waiting = ready;
    self.next = {word, false};
    changeTo(choose(turn_));
    self.waiting = nullptr;
    if (stuck_) throw Stuck();
  }

 private:
  struct Stuck {};
  struct Choice {
    std::size_t taken;
    std::size_t of;
  };
  struct Thread {
    static constexpr std::size_t stackSize = 256 * 1024;
    std::unique_ptr<char[]> stack{new char[stackSize]};
    ucontext_t context{};
    bool finished = false;
    // What it would do next was tried instead of what was done, and nothing done since has to do with it.
    bool asleep = false;
    Touch next;
    std::function<bool()> waiting;
  };

  void runOnce() {
    depth_ = 0;
    preemptions_ = 0;
    stuck_ = false;
    redundant_ = false;
    chosen_ = false;
    begun_ = 0;
    threads_.resize(bodies_.size());
    for (Thread& each : threads_) {
      each.finished = each.asleep = false;
      each.next = {};
      each.waiting = nullptr;
      ::getcontext(&each.context);
      each.context.uc_stack.ss_sp = each.stack.get();
      each.context.uc_stack.ss_size = Thread::stackSize;
      each.context.uc_link = nullptr;
      ::makecontext(&each.context, &threadMain, 0);
    }
    changeTo(choose(-1));
    if (stuck_) throw std::runtime_error("all threads wait: a wake-up was lost");
  }
  static void threadMain() { current()->runThread(); }
  void runThread() {
    const auto self = static_cast<std::size_t>(turn_);
    try {
      bodies_[self]();
    } catch (const Stuck&) {
    }
    threads_[self].finished = true;
    changeTo(choose(-1));
  }
  /// Which thread goes on after a step of `self`; -1 when all have ended.
  int choose(int self) {
    if (begun_ < threads_.size()) {
      // Each up to its first step, before anything is chosen: what it does next is known then.
      return static_cast<int>(begun_++);
    }
    if (!std::exchange(chosen_, true)) self = -1;
    std::vector<int> able;
    bool left = false;
    for (std::size_t i = 0; i < threads_.size(); ++i) {
      Thread& each = threads_[i];
      if (each.finished) continue;
      left = true;
      if (!stuck_ && each.waiting && !each.waiting()) continue;
      // To go on with the same one comes first.
      able.insert(static_cast<int>(i) == self ? able.begin() : able.end(), static_cast<int>(i));
    }
    if (!left) return -1;
    if (able.empty()) {
      // They are let go one by one, each out of its wait.
      stuck_ = true;
      return choose(self);
    }
    const bool preempting = able.front() == self;
    if (stuck_ || redundant_ || (preempting && preemptions_ == most_)) return able.front();
    if (distinct_) return chooseAwake(able);
    const std::size_t taken = nextChoice(able.size());
    if (preempting && taken > 0) ++preemptions_;
    return able[taken];
  }
  int chooseAwake(std::vector<int>& able) {
    const auto thread = [this](int number) -> Thread& {
      return threads_[static_cast<std::size_t>(number)];
    };
    const int any = able.front();
    std::erase_if(able, [&](int each) { return thread(each).asleep; });
    if (able.empty()) {
      // Wherever it goes from here, an equal one was there before; it is not cut off, for no function under test
      // expects an exception.
      redundant_ = true;
      return any;
    }
    const std::size_t taken = nextChoice(able.size());
    for (std::size_t i = 0; i < taken; ++i) thread(able[i]).asleep = true;
    const Touch& done = thread(able[taken]).next;
    for (Thread& each : threads_) each.asleep = each.asleep && !each.next.meets(done);
    return able[taken];
  }
  std::size_t nextChoice(std::size_t of) {
    if (of == 1) return 0;
    if (depth_ == path_.size()) path_.push_back({0, of});
    return path_[depth_++].taken;
  }
  bool nextPath() {
    while (!path_.empty() && path_.back().taken + 1 == path_.back().of) path_.pop_back();
    if (path_.empty()) return false;
    ++path_.back().taken;
    return true;
  }
  void changeTo(int next) {
    if (next == turn_) return;
    ucontext_t& from = turn_ < 0 ? home_ : threads_[static_cast<std::size_t>(turn_)].context;
    turn_ = next;
    ::swapcontext(&from, next < 0 ? &home_ : &threads_[static_cast<std::size_t>(next)].context);
  }

  const unsigned most_;
  const bool distinct_;
  unsigned preemptions_ = 0;
  std::vector<Choice> path_;
  std::size_t depth_ = 0;
  bool stuck_ = false;
  bool redundant_ = false;
  bool chosen_ = false;
  std::size_t begun_ = 0;
  std::vector<Body> bodies_;
  std::vector<Thread> threads_;
  int turn_ = -1;
  ucontext_t home_{};
};

/// The words of the pool's algorithms in the model.
struct ModelAtomics {
  template <class T>
  class Word {
   public:
    Word() = default;
    explicit Word(T value) : value_(value) {}
    T load(int = 0) const { return step(false), value_; }
    void store(T value, int = 0) { step(true), value_ = value; }
    T exchange(T value, int = 0) { return step(true), std::exchange(value_, value); }
    T fetchAdd(T change, int = 0) { return step(true), std::exchange(value_, value_ + change); }
    T fetchSub(T change, int = 0) { return step(true), std::exchange(value_, value_ - change); }
    bool compareExchange(T& expected, T desired, int = 0) {
      step(true);
      if (value_ == expected) {
        value_ = desired;
        return true;
      }
      expected = value_;
      return false;
    }
    T peek() const { return value_; }

   private:
    void step(bool writes) const {
      if (Explorer::current() != nullptr) Explorer::current()->step({this, writes});
    }
    T value_{};
  };
  static void fence() {}
  static void lightFence() {}
  static void heavyFence() {}
};

/// The stores that the threads have made and that others do not see yet, oldest first.
class StoreBuffers {
 public:
  struct Store {
    const void* word;
    std::function<void()> perform;
  };
  static StoreBuffers& all() {
    static StoreBuffers buffers;
    return buffers;
  }
  std::deque<Store>* mine() {
    const int self = Explorer::self();
    return self < 0 || static_cast<std::size_t>(self) >= stores_.size()
               ? nullptr
               : &stores_[static_cast<std::size_t>(self)];
  }
  void flush(std::deque<Store>& stores) {
    for (; !stores.empty(); stores.pop_front()) stores.front().perform();
  }
  void flushAll() {
    for (std::deque<Store>& each : stores_) flush(each);
  }
  /// The threads: at its end a store is seen by all.
  std::vector<Explorer::Body> of(std::vector<Explorer::Body> bodies) {
    stores_.assign(bodies.size(), {});
    for (Explorer::Body& each : bodies)
      each = [this, body = std::move(each)] {
        body();
        Explorer::current()->step();
        flush(*mine());
      };
    return bodies;
  }

 private:
  std::vector<std::deque<Store>> stores_;
};

/// Words whose stores are delayed, but for those with seqCst. `Heavy`: whether the heavy fence empties the
/// buffers of the others, too.
template <bool Heavy>
struct DelayedAtomics {
  template <class T>
  class Word {
   public:
    Word() = default;
    explicit Word(T value) : value_(value) {}
    T load(int = 0) const {
      step();
      if (auto* stores = StoreBuffers::all().mine()) {
        // The newest of its own; they are few.
        const auto own = std::find_if(stores->rbegin(), stores->rend(),
                                      [this](const auto& store) { return store.word == this; });
        if (own != stores->rend()) return pending_;
      }
      return value_;
    }
    void store(T value, int order = leat::detail::seqCst) {
      step();
      auto* stores = StoreBuffers::all().mine();
      if (stores == nullptr || order == leat::detail::seqCst) {
        fence();
        value_ = value;
        return;
      }
      // Each word is stored to by one thread only, as those of the pool are.
      pending_ = value;
      stores->push_back({this, [this, value] { value_ = value; }});
    }
    T fetchAdd(T change, int = 0) {
      begin();
      return std::exchange(value_, value_ + change);
    }
    T fetchSub(T change, int = 0) {
      begin();
      return std::exchange(value_, value_ - change);
    }
    bool compareExchange(T& expected, T desired, int = 0) {
      begin();
      if (value_ == expected) {
        value_ = desired;
        return true;
      }
      expected = value_;
      return false;
    }
    T peek() const { return value_; }

   private:
    static void step() {
      if (Explorer::current() != nullptr) Explorer::current()->step();
    }
    /// Of an operation that reads and writes at once.
    static void begin() {
      step();
      fence();
    }
    T value_{};
    T pending_{};
  };
  static void fence() {
    if (auto* stores = StoreBuffers::all().mine()) StoreBuffers::all().flush(*stores);
  }
  static void lightFence() {}
  static void heavyFence() {
    fence();
    if (Heavy) StoreBuffers::all().flushAll();
  }
};

}  // namespace leat_test
