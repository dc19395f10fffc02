// SPDX-License-Identifier: MIT
#pragma once

// The ways to do an operation on files, for fs_ways.cpp and fs_ways_rest.cpp. An operation is a row of steps, each of
// them one request: a hop of its own, or one of the ring. A step is a struct with
//   Own      what each that is in flight has for itself, made of its number; `took(long)` is told each result
//   act      does it as a worker would: the result, or -errno
//   atOnce   of the first step: does all of them without waiting, false where it cannot
//   fill     makes it a request to a ring
// of which a way needs only its own. Items are steps.

#include <leat/fs.hpp>
#include <leat/loop/detail/uring_ring.hpp>
#include <benchmark/benchmark.h>

#include <sched.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

namespace ways {

namespace sys = leat::sys;
namespace uring = leat::sys::uring;

inline long require(long result, const char* what) {
  if (result >= 0) return result;
  errno = static_cast<int>(-result);
  ::perror(what);
  std::exit(1);
}

/// A new folder among the temporary files.
inline std::string makeFolder() {
  const char* const place = std::getenv("TMPDIR");
  std::string folder = std::string(place != nullptr ? place : "/tmp") + "/leat-fs-ways-XXXXXX";
  require(sys::mkdtemp(folder.data()), "mkdtemp");
  return folder;
}
inline void makeFile(const std::string& name, std::size_t size) {
  const std::string bytes(size, 'x');
  const sys::UniqueFd file(sys::open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600));
  require(file.get(), "open");
  for (std::size_t done = 0; done < size;)
    done += static_cast<std::size_t>(
        require(sys::write(file.get(), bytes.data() + done, size - done), "write"));
  require(sys::fsync(file.get()), "fsync");
}

template <class... Steps>
using OwnOf = typename std::tuple_element_t<0, std::tuple<Steps...>>::Own;

template <class... Steps>
std::vector<std::unique_ptr<OwnOf<Steps...>>> owners(std::size_t inFlight) {
  std::vector<std::unique_ptr<OwnOf<Steps...>>> made;
  for (std::size_t i = 0; i < inFlight; ++i) made.push_back(std::make_unique<OwnOf<Steps...>>(i));
  return made;
}
template <class... Steps>
void count(benchmark::State& state, std::size_t inFlight) {
  state.SetItemsProcessed(static_cast<std::int64_t>(sizeof...(Steps) * inFlight) *
                          state.iterations());
}

/// No failure: other kernels, file systems and containers have fewer ways.
inline void skip(benchmark::State& state, const char* why) {
  for (auto _ : state) {
  }
  state.SetLabel(why);
}

// ---- by the calling thread ----

template <class Step, class Own>
void once(Own& own) {
  own.took(require(Step::act(own), "the call"));
}
template <class... Steps>
void blocks(benchmark::State& state) {
  OwnOf<Steps...> own(0);
  (once<Steps>(own), ...);
  for (auto _ : state) (once<Steps>(own), ...);
  count<Steps...>(state, 1);
}

/// What is in memory may be out of reach for a moment.
template <class Step, class Own>
bool soonAtOnce(Own& own) {
  for (int tries = 0; tries < 100; ++tries)
    if (Step::atOnce(own)) return true;
  return false;
}
template <class... Steps>
void atOnce(benchmark::State& state) {
  using First = std::tuple_element_t<0, std::tuple<Steps...>>;
  OwnOf<Steps...> own(0);
  (once<Steps>(own), ...);
  if (!soonAtOnce<First>(own)) return skip(state, "it cannot be done at once here");
  for (auto _ : state) benchmark::DoNotOptimize(soonAtOnce<First>(own));
  count<Steps...>(state, 1);
}

// ---- by workers ----

template <class Own>
struct Hop : leat::detail::BlockingJob {
  using Act = long (*)(Own&);
  Hop(const Act* a, unsigned n, leat::LoopRef l, Own& o, std::size_t& all)
      : BlockingJob(operations), acts(a), steps(n), loop(std::move(l)), own(o), ended(all) {}
  void start() { require(leat::detail::BlockingPool::shared().submit(*this), "pthread_create"); }
  static void run(BlockingJob& job) noexcept {
    auto& self = static_cast<Hop&>(job);
    self.own.took(require(self.acts[self.step](self.own), "the call"));
  }
  static void done(BlockingJob& job) noexcept {
    auto& self = static_cast<Hop&>(job);
    self.loop.postJob(self.back);
  }
  static void dispose(BlockingJob&) noexcept {}
  static constexpr Operations operations{run, done, dispose};

  /// Back on the loop's thread.
  struct Back : leat::detail::PostedJob {
    explicit Back(Hop& h) noexcept : PostedJob(act), hop(h) {}
    static void act(PostedJob& job, bool) noexcept {
      Hop& hop = static_cast<Back&>(job).hop;
      if (++hop.step < hop.steps) return hop.start();
      hop.step = 0;
      ++hop.ended;
    }
    Hop& hop;
  };
  const Act* acts;
  unsigned steps;
  unsigned step = 0;
  leat::LoopRef loop;
  Own& own;
  std::size_t& ended;
  Back back{*this};
};

template <class... Steps>
void byWorker(benchmark::State& state) {
  using Each = Hop<OwnOf<Steps...>>;
  constexpr typename Each::Act acts[] = {Steps::act...};
  const auto inFlight = static_cast<std::size_t>(state.range(0));
  leat::EventLoop loop;
  loop.hold();
  std::size_t ended = 0;
  const auto owns = owners<Steps...>(inFlight);
  std::vector<std::unique_ptr<Each>> hops;
  for (const auto& own : owns)
    hops.push_back(std::make_unique<Each>(acts, sizeof...(Steps), loop.ref(), *own, ended));
  for (auto _ : state) {
    ended = 0;
    for (const auto& hop : hops) hop->start();
    while (ended < inFlight) loop.runOnce(-1);
  }
  // A worker lets go of a job after it has told the loop.
  for (const auto& hop : hops)
    while (hop->useCount() > 1) ::sched_yield();
  count<Steps...>(state, inFlight);
  loop.letGo();
}

// ---- through a ring ----

template <class... Steps>
class RingWay {
 public:
  explicit RingWay(std::size_t inFlight) : owns_(owners<Steps...>(inFlight)) {}
  /// Null, or why it cannot be.
  const char* open() {
    if (ring_.open(256, 512) != 0) return ring_.mode();
    const long result = all(1);
    if (result == -EINVAL || result == -EOPNOTSUPP) return "the kernel has no such request";
    return result == -EPERM || result == -EACCES ? "the request is not permitted" : nullptr;
  }
  /// The operation of the first `inFlight`, once: 0, or the first error.
  long all(std::size_t inFlight) {
    for (const Fill fill : fills) {
      for (std::size_t i = 0; i < inFlight; ++i) {
        uring::Sqe& entry = *ring_.next();
        fill(entry, *owns_[i]);
        entry.userData = i;
      }
      if (const long error = collect(inFlight); error < 0) return error;
    }
    return 0;
  }

 private:
  using Fill = void (*)(uring::Sqe&, OwnOf<Steps...>&);
  static constexpr Fill fills[] = {Steps::fill...};

  long collect(std::size_t wanted) {
    long error = 0;
    for (std::size_t got = 0; got < wanted;) {
      require(ring_.enter(static_cast<unsigned>(wanted - got), -1), "io_uring_enter");
      for (; const uring::Cqe* const completion = ring_.peek(); ++got) {
        if (completion->res < 0) error = completion->res;
        owns_[completion->userData]->took(completion->res);
        ring_.pop();
      }
    }
    return error;
  }

  std::vector<std::unique_ptr<OwnOf<Steps...>>> owns_;
  leat::detail::UringRing ring_;
};

template <class... Steps>
void throughRing(benchmark::State& state) {
  const auto inFlight = static_cast<std::size_t>(state.range(0));
  RingWay<Steps...> way(inFlight);
  if (const char* const why = way.open()) return skip(state, why);
  for (auto _ : state) require(way.all(inFlight), "the request");
  count<Steps...>(state, inFlight);
}

// ---- which there are ----

/// How many are in flight at a time, when not one, and how many times at most, where that is not left to
/// the time: with one, and with many.
struct Often {
  int inFlight = 64;
  long one = 0, many = 0;
};

template <class... Steps>
void inAllWays(const std::string& name, Often often = {}) {
  using First = std::tuple_element_t<0, std::tuple<Steps...>>;
  const auto add = [&](const char* way, void (*measure)(benchmark::State&), int inFlight) {
    auto& added = *benchmark::RegisterBenchmark((way + ("/" + name)).c_str(), measure);
    added.UseRealTime();
    if (inFlight > 0) added.Arg(inFlight);
    if (const long most = inFlight > 1 ? often.many : often.one) added.Iterations(most);
  };
  add("blocks", blocks<Steps...>, 0);
  if constexpr (requires { First::atOnce; }) add("atOnce", atOnce<Steps...>, 0);
  for (const int inFlight : {1, often.inFlight}) add("byWorker", byWorker<Steps...>, inFlight);
  if constexpr (requires { First::fill; })
    for (const int inFlight : {1, often.inFlight})
      add("throughRing", throughRing<Steps...>, inFlight);
}

inline int run(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace ways
