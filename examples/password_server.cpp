// SPDX-License-Identifier: MIT
// password_server: a server that hashes passwords on the pool while it goes on answering pings. At most eight
// passwords wait for a worker; who comes then waits for room. Its clients are part of the program.
#include <leat.hpp>

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

using namespace leat;

/// Slow on purpose, and nothing else: NO real password hash. Use scrypt or Argon2 of a library.
std::string slowHash(const std::string& password) {
  std::uint64_t hash = 14695981039346656037U;
  for (int round = 0; round < 6'000'000; ++round)
    for (const char each : password)
      hash = (hash ^ static_cast<unsigned char>(each)) * 1099511628211U;
  char text[17];
  std::snprintf(text, sizeof text, "%016" PRIx64, hash);
  return text;
}

// [serve]
Task<> serve(net::Socket socket, WorkStealingPool& pool) {
  for (;;) {
    std::string line = co_await socket.readUntil("\n", 256);
    if (line.empty()) break;
    line.pop_back();
    std::string answer = "pong";
    if (line != "ping") answer = co_await pool.run(slowHash, line);
    co_await socket.write(answer + "\n");
  }
  co_await socket.end();
}
// [/serve]

Task<std::string> ask(int port, std::string line) {
  auto socket = co_await net::connect({.port = port, .host = "127.0.0.1"});
  co_await socket.write(line + "\n");
  std::string answer = co_await socket.readUntil("\n");
  co_await socket.end();
  co_return answer;
}

/// Asks one ping after the other until it is told to stop; gives how many were answered.
Task<int> pinger(int port, const bool& stop) {
  auto socket = co_await net::connect({.port = port, .host = "127.0.0.1"});
  int answered = 0;
  while (!stop) {
    co_await socket.write("ping\n");
    if (co_await socket.readUntil("\n") == "pong\n") ++answered;
  }
  co_await socket.end();
  co_return answered;
}

Task<> demo() {
  WorkStealingPool pool({.maxQueued = 8});
  const auto onConnection = [&pool](net::Socket socket) { return serve(socket, pool); };
  auto server = co_await net::listen(onConnection, {.host = "127.0.0.1"});
  const int port = server.address().port();
  bool stop = false;
  auto pings = spawn(pinger(port, stop));
  const std::vector<std::string> passwords{"hunter2", "correct horse", "swordfish", "xyzzy"};
  std::vector<Promise<std::string>> answers;
  for (const std::string& each : passwords) answers.push_back(spawn(ask(port, each)));
  const auto hashes = co_await all(std::move(answers));
  stop = true;
  for (std::size_t i = 0; i < hashes.size(); ++i)
    std::printf("%-14s %s", passwords[i].c_str(), hashes[i].c_str());
  const int answered = co_await pings;
  std::fprintf(stderr, "%d pings were answered meanwhile\n", answered);
  std::printf("pings meanwhile: %s\n", answered >= 10 ? "answered" : "they had to wait");
  co_await server.close();
}

int main() { return run(demo); }
