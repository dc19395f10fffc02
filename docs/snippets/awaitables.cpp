// SPDX-License-Identifier: MIT
// The regions that docs/writing-an-awaitable.md shows, and a main that runs them.
#include <leat.hpp>

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

using namespace leat;

void check(bool holds) {
  if (!holds) std::abort();
}

// A library with callbacks, as one finds them.
void measure(int sensor, std::function<void(const char* error, double value)> done) {
  setTimeout([sensor, done] { sensor < 0 ? done("no such sensor", 0) : done(nullptr, 20.5); }, 1);
}

void readSensor(int sensor, std::function<void(std::exception_ptr error, double value)> done) {
  const auto read = [sensor, done] {
    sensor < 0 ? done(std::make_exception_ptr(Error("no such sensor")), 0) : done(nullptr, 20.5);
  };
  setTimeout(read, 1);
}

// [callback]
Promise<double> temperature(int sensor) {
  auto [promise, resolve, reject] = Promise<double>::withResolvers();
  measure(sensor, [resolve = resolve, reject = reject](const char* error, double value) {
    if (error != nullptr) {
      reject(Error(error, "ERR_SENSOR"));
    } else {
      resolve(value);
    }
  });
  return promise;
}
// [/callback]

// [client]
// Replies come in any order; each belongs to the request with its number.
class Client {
 public:
  Task<std::string> request(std::string text) {
    Pending pending(*this);
    send(pending.number, text);
    co_await pending.arrived.wait();
    co_return std::move(pending.reply);
  }
  void onReply(int number, std::string reply) {
    auto found = waiting_.find(number);
    if (found == waiting_.end()) return;  // nobody waits for it any more
    found->second->reply = std::move(reply);
    found->second->arrived.set();
  }
  std::size_t waiting() const { return waiting_.size(); }

 private:
  // Lives in the frame of the request, and takes itself out however that ends.
  struct Pending {
    explicit Pending(Client& c) : client(c), number(++c.last_) { c.waiting_[number] = this; }
    ~Pending() { client.waiting_.erase(number); }
    Client& client;
    const int number;
    ManualResetEvent arrived;
    std::string reply;
  };
  void send(int number, const std::string& text);
  std::map<int, Pending*> waiting_;
  int last_ = 0;
};
// [/client]

void Client::send(int number, const std::string& text) {
  if (text != "lost") setTimeout([this, number, text] { onReply(number, "re: " + text); }, 5);
}

std::string hash(const std::string& text) {
  return text.empty() ? throw Error("empty") : "#" + text;
}

// [thread]
// What both sides own. The thread may end later than the coroutine.
struct Job {
  explicit Job(std::string text) : work([text = std::move(text)] { return hash(text); }) {}
  ~Job() { ::close(done); }
  std::packaged_task<std::string()> work;
  const int done = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
};

Task<std::string> hashOnThread(std::string text) {
  auto job = std::make_shared<Job>(std::move(text));
  auto result = job->work.get_future();
  auto body = [job] {
    job->work();
    ::eventfd_write(job->done, 1);
  };
  std::thread(std::move(body)).detach();
  co_await wait(job->done, Ready::Readable);
  co_return result.get();  // ready; throws what the work threw
}
// [/thread]

// [type]
// Opens once; everybody who waits passes. Copies are the same gate, as they are the same promise.
class Gate {
 public:
  void open() const { parts_.resolve(); }
  auto operator co_await() const { return parts_.promise.operator co_await(); }

 private:
  Promise<>::Resolvers parts_ = Promise<>::withResolvers();
};
static_assert(Awaitable<const Gate&>);
// [/type]

// [post]
// A thread that is not the loop's says something to it: the closure carries plain values only.
void listenTo(int count, LoopRef loop, void (*heard)(int)) {
  auto body = [count, loop = std::move(loop), heard] {
    for (int i = 0; i < count; ++i)
      if (!loop.post([heard, i] { heard(i); })) return;  // the loop has ended
  };
  std::thread(std::move(body)).detach();
}
// [/post]

Task<> bothWays() {
  std::string made;
  // [promisify]
  auto temperatureOf = promisify<double>(readSensor);
  const double warm = co_await temperatureOf(1);  // what comes as an error is thrown

  auto hashThen = callbackify(hashOnThread);  // for callers without coroutines
  hashThen("x", [&made](std::exception_ptr error, std::optional<std::string> hash) {
    if (!error) made = *hash;
  });
  // [/promisify]
  check(warm == 20.5);
  const auto bad = co_await asResult(temperatureOf(-1));
  check(!bad);
  while (made.empty()) co_await sleep(1);
  check(made == "#x");
}

int heardSoFar = 0;

Task<> program() {
  const double warm = co_await temperature(1);
  check(warm == 20.5);
  auto bad = co_await asResult(temperature(-1));
  check(!bad);

  Client client;
  auto [a, b] = co_await all(client.request("a"), client.request("b"));
  check(a == "re: a" && b == "re: b");
  // [use]
  AbortController stop;
  setTimeout([stop] { stop.abort(); }, 10);
  auto reply = co_await asResult(withSignal(stop.signal(), client.request("lost")));
  check(!reply && client.waiting() == 0);
  // [/use]

  const std::string made = co_await hashOnThread("x");
  check(made == "#x");
  auto threw = co_await asResult(hashOnThread(""));
  check(!threw);

  co_await bothWays();

  Gate gate;
  setTimeout([gate] { gate.open(); }, 1);
  co_await gate;
  co_await all(gate, gate);

  listenTo(3, EventLoop::current().ref(), [](int) { ++heardSoFar; });
  while (heardSoFar < 3) co_await sleep(1);
}

int main() { return run(program); }
