// SPDX-License-Identifier: MIT
// Uses something of every public header of leat through the one header that scripts/amalgamate makes, and
// prints a line for each.
#include <leat.hpp>

#include <cstdio>
#include <string>

namespace {

void used(const char* header, bool works) {
  std::printf("%s %s\n", header, works ? "works" : "FAILS");
}

leat::Task<int> twice(int number) { co_return 2 * number; }

leat::AsyncGenerator<int> upTo(int last) {
  for (int number = 1; number <= last; ++number) co_yield number;
}

leat::Task<> echo(leat::net::Socket socket) {
  const std::string line = co_await socket.readUntil("\n");
  co_await socket.write(line);
  co_await socket.end();
}

leat::Task<> coroutines() {
  used("task", co_await twice(21) == 42);
  const auto both = co_await leat::all(twice(1), twice(2));
  used("promise", std::get<0>(both) + std::get<1>(both) == 6);
  int sum = 0;
  auto numbers = upTo(4);
  while (auto number = co_await numbers.next()) sum += *number;
  used("generator", sum == 10);
  int ended = 0;
  co_await leat::scoped([&](leat::TaskScope& scope) -> leat::Task<> {
    scope.spawn([](int& count) -> leat::Task<> {
      co_await leat::sleep(1);
      ++count;
    }(ended));
    co_return;
  });
  used("scope", ended == 1);
  leat::Mutex mutex;
  const auto held = co_await mutex.lock();
  used("sync", mutex.locked());
  leat::AbortController controller;
  controller.abort();
  const auto aborted =
      co_await leat::asResult(leat::sleep(60'000, {.signal = controller.signal()}));
  used("abort", !aborted);
  leat::AsyncLocalStorage<int> storage;
  used("async_hooks", storage.run(7, [&] { return *storage.getStore(); }) == 7);
}

leat::Task<> streams() {
  std::string joined;
  const leat::Writable<std::string> sink([&joined](const std::string& line) { joined += line; });
  const leat::Readable<leat::Buffer> source = leat::readableFrom(leat::Buffer::from("le\nat\n"));
  const leat::LineSplitter split;
  co_await leat::pipeline(source, split, sink);
  used("stream", sink.writableFinished());
  used("transforms", joined == "leat");
}

leat::Task<> others() {
  const leat::http::Server server = leat::http::createServer(
      [](const leat::http::IncomingMessage&, const leat::http::ServerResponse& response) {
        response.end("leat");
      });
  co_await server.listen({.host = "127.0.0.1"});
  const leat::net::Socket client =
      co_await leat::net::connect({.port = server.address().port(), .host = "127.0.0.1"});
  co_await client.write("GET / HTTP/1.0\r\n\r\n");
  const std::string head = co_await client.readUntil("\r\n\r\n");
  const leat::Buffer body = co_await client.read();
  used("http", head.starts_with("HTTP/1.1 200 OK") && body == "leat");
  client.destroy();
  co_await server.close();
  const leat::worker_threads::Worker<int, int> worker(
      [](const leat::worker_threads::MessagePort<int, int>& port) { port.postMessage(7); });
  const std::optional<int> message = co_await worker.next();
  used("worker_threads", message == 7);
  used("url", leat::URL("http://a/b?c").search() == "?c");
  (void)co_await worker.exited();
  leat::performance::mark("leat");
  used("perf_hooks", leat::performance::measure("all", "leat").duration >= 0);
}

leat::Task<> modules() {
  used("buffer", leat::Buffer::from("6c656174", "hex") == "leat");
  used("string_decoder", leat::StringDecoder("hex").write(leat::Buffer::from("a")) == "61");
  leat::EventEmitter emitter;
  std::string heard;
  emitter.on("word", [&heard](const std::string& word) { heard = word; });
  used("events", emitter.emit("word", std::string("leat")) && heard == "leat");
  co_await streams();
  int ticks = 0;
  leat::nextTick([&ticks] { ++ticks; });
  co_await leat::sleep(1);
  used("timers", ticks == 1);
  used("process", leat::process::pid() > 0);
  used("loop", co_await leat::blocking([] { return 5; }) == 5);
  leat::WorkStealingPool pool({.threads = 1});
  used("pool", co_await pool.run(twice, 2) == 4);
  const auto found = co_await leat::dns::lookup("127.0.0.1");
  used("dns", found.family == 4);
  const leat::Buffer name = co_await leat::fs::readFile("/proc/self/comm");
  used("fs", name.size() > 1);
  auto later = leat::promisify<int>([](auto callback) { callback(std::exception_ptr(), 3); });
  used("util", co_await later() == 3);
  const auto server = co_await leat::net::listen(echo, {.port = 0, .host = "127.0.0.1"});
  auto client = co_await leat::net::connect({.port = server.address().port(), .host = "127.0.0.1"});
  co_await client.write("hello\n");
  const std::string line = co_await client.readUntil("\n");
  used("net", line == "hello\n");
  co_await client.end();
  co_await server.close();
}

leat::Task<> program() {
  co_await coroutines();
  co_await modules();
  co_await others();
}

}  // namespace

int main() { return leat::run(program); }
