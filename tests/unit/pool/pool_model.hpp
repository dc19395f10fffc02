// SPDX-License-Identifier: MIT
#pragma once
// Every schedule of a few threads: an operation on a word of the model is a point where another thread may go
// on. The threads are real ones that run one at a time; the schedules are walked depth first, those with at
// most so many switches away from a thread that could have gone on (Musuvathi and Qadeer, 2007: most faults
// need two). ModelAtomics are sequentially consistent; with DelayedAtomics stores stay in a buffer of their thread
// as long as nothing empties it, which is the worst that x86 does. What still weaker orders need is told beside the algorithms.

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include <leat/base/atomic.hpp>

namespace leat_test {

/// Runs one schedule after the other.
class Explorer {
 public:
  using Body = std::function<void()>;

  explicit Explorer(unsigned preemptions) : most_(preemptions) {}

  static Explorer*& current() {
    static Explorer* explorer = nullptr;
    return explorer;
  }

  /// Calls `make` for each schedule: it gives the threads' bodies, and what to check in the end. Gives the
  /// number of schedules. Throws: std::runtime_error when all threads wait for each other.
  template <class Make>
  std::size_t explore(Make make) {
    current() = this;
    std::size_t schedules = 0;
    path_.clear();
    do {
      std::function<void()> check;
      std::vector<Body> bodies = make(check);
      runOnce(bodies);
      check();
      ++schedules;
    } while (nextPath());
    current() = nullptr;
    return schedules;
  }

  /// Before each operation of a word.
  void step() {
    if (mine() < 0) return;
    yieldTo(choose(mine()), mine());
  }
  /// The number of the thread that goes on, -1 outside of a schedule.
  static int self() { return mine(); }
  /// The thread waits until `ready`, which others make true.
  void await(const std::function<bool()>& ready) {
    const int self = mine();
    while (!ready()) {
      waiting_[static_cast<std::size_t>(self)] = ready;
      yieldTo(choose(self), self);
      waiting_[static_cast<std::size_t>(self)] = nullptr;
      if (stuck_) throw Stuck();
    }
  }

 private:
  struct Stuck {};
  struct Choice {
    std::size_t taken;
    std::size_t of;
  };
  static int& mine() {
    static thread_local int number = -1;
    return number;
  }

  void runOnce(std::vector<Body>& bodies) {
    const std::size_t count = bodies.size();
    depth_ = 0;
    preemptions_ = 0;
    stuck_ = false;
    finished_.assign(count, false);
    waiting_.assign(count, nullptr);
    turn_ = -1;
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < count; ++i)
      threads.emplace_back([this, i, &bodies] {
        mine() = static_cast<int>(i);
        waitForTurn(mine());
        try {
          bodies[i]();
        } catch (const Stuck&) {
        }
        finished_[i] = true;
        const int next = choose(-1);
        const std::lock_guard<std::mutex> lock(mutex_);
        turn_ = next;
        changed_.notify_all();
      });
    {
      const int first = choose(-1);
      const std::lock_guard<std::mutex> lock(mutex_);
      turn_ = first;
      changed_.notify_all();
    }
    for (std::thread& each : threads) each.join();
    if (stuck_) throw std::runtime_error("all threads wait: a wake-up was lost");
  }
  /// Which thread goes on after a step of `self`; -2 when all have ended.
  int choose(int self) {
    std::vector<int> able;
    bool left = false;
    for (std::size_t i = 0; i < finished_.size(); ++i) {
      if (finished_[i]) continue;
      left = true;
      if (!stuck_ && waiting_[i] && !waiting_[i]()) continue;
      // To go on with the same one comes first.
      able.insert(static_cast<int>(i) == self ? able.begin() : able.end(), static_cast<int>(i));
    }
    if (!left) return -2;
    if (able.empty()) {
      // They are let go one by one, each out of its wait.
      stuck_ = true;
      return choose(self);
    }
    const bool preempting = able.front() == self;
    if (stuck_ || (preempting && preemptions_ == most_)) return able.front();
    if (depth_ == path_.size()) path_.push_back({0, able.size()});
    const std::size_t taken = path_[depth_++].taken;
    if (preempting && taken > 0) ++preemptions_;
    return able[taken];
  }
  bool nextPath() {
    while (!path_.empty() && path_.back().taken + 1 == path_.back().of) path_.pop_back();
    if (path_.empty()) return false;
    ++path_.back().taken;
    return true;
  }
  void yieldTo(int next, int self) {
    if (next == self) return;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      turn_ = next;
      changed_.notify_all();
    }
    waitForTurn(self);
  }
  void waitForTurn(int self) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return turn_ == self; });
  }

  const unsigned most_;
  unsigned preemptions_ = 0;
  std::vector<Choice> path_;
  std::size_t depth_ = 0;
  bool stuck_ = false;
  std::vector<bool> finished_;
  std::vector<std::function<bool()>> waiting_;
  int turn_ = -1;
  std::mutex mutex_;
  std::condition_variable changed_;
};

/// The words of the pool's algorithms in the model.
struct ModelAtomics {
  template <class T>
  class Word {
   public:
    Word() = default;
    explicit Word(T value) : value_(value) {}
    T load(int = 0) const { return step(), value_; }
    void store(T value, int = 0) { step(), value_ = value; }
    T exchange(T value, int = 0) { return step(), std::exchange(value_, value); }
    T fetchAdd(T change, int = 0) { return step(), std::exchange(value_, value_ + change); }
    T fetchSub(T change, int = 0) { return step(), std::exchange(value_, value_ - change); }
    bool compareExchange(T& expected, T desired, int = 0) {
      step();
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
