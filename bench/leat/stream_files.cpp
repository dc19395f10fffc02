// SPDX-License-Identifier: MIT

// Files through streams, with the programs of rivals/streams: one is copied, one is changed on its way, one
// goes to a socket, and one is split into rows. `stream_files FOLDER`, where `source` and `rows.csv` are.

#include <leat/fs.hpp>
#include <leat/loop/run.hpp>
#include <leat/net.hpp>
#include <leat/stream.hpp>
#include <leat/transforms.hpp>

#include <sys/socket.h>

#include <string>
#include <thread>

#include "bench.hpp"

namespace {

using namespace leat;

/// With vector instructions, as in the rival's loop.
#if !defined(__clang__)
[[gnu::optimize("O3")]]
#endif
void upperCase(std::span<std::byte> bytes) {
  for (std::byte& each : bytes) {
    const auto c = static_cast<unsigned char>(each);
    each = static_cast<std::byte>(c - ((c >= 'a') & (c <= 'z')) * 32);
  }
}

Task<> copy(const std::string& folder) {
  co_await pipeline(fs::createReadStream(folder + "/source"),
                    fs::createWriteStream(folder + "/copy"));
}

Task<> upper(const std::string& folder) {
  const auto change = [](Buffer chunk) {
    upperCase(chunk.bytes());
    return chunk;
  };
  const Transform<> changed(change);
  const auto source = fs::createReadStream(folder + "/source");
  co_await pipeline(source, changed, fs::createWriteStream(folder + "/upper"));
}

/// The peer is a thread that receives and drops.
void drop(int fd) {
  static char bytes[1 << 18];
  while (::recv(fd, bytes, sizeof bytes, 0) > 0) {
  }
  ::close(fd);
}

Task<> send(const std::string& folder) {
  std::thread peer;
  const auto accept = [&](net::Socket socket) -> Task<> {
    const auto source = fs::createReadStream(folder + "/source");
    co_await pipeline(source, Writable<Buffer>(socket));
  };
  auto server = co_await net::listen(accept, {});
  peer = std::thread([port = server.address().port()] {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) std::abort();
    drop(fd);
  });
  const auto join = [&] { peer.join(); };
  co_await blocking(join);
  co_await server.close();
}

long rows = 0;

Task<> csv(const std::string& folder) {
  CsvReader reader;
  const Writable<CsvRow> sink([](const CsvRow& row) { rows += row.size() > 0; });
  const auto source = fs::createReadStream(folder + "/rows.csv", {.highWaterMark = 256 * 1024});
  co_await pipeline(source, reader, sink);
}

void measure(const char* name, int mebibytes, Task<> (*task)(const std::string&),
             const std::string& folder) {
  const auto once = [&]() -> Task<> { co_await task(folder); };
  const auto clear = [&] {
    for (const char* made : {"/copy", "/upper"}) ::unlink((folder + made).c_str());
  };
  const auto body = [&] {
    if (leat::run(once) != 0) std::abort();
  };
  benchAfter(name, mebibytes, clear, body);
  clear();
}

}  // namespace

int main(int, char** arguments) {
  const std::string folder = arguments[1];
  const std::string only = arguments[2] != nullptr ? arguments[2] : "";
  const auto wanted = [&](const char* name) { return only.empty() || only == name; };
  if (wanted("copy")) measure("copy_1GiB_per_MiB", 1024, copy, folder);
  if (wanted("upper")) measure("upper_1GiB_per_MiB", 1024, upper, folder);
  if (wanted("send")) measure("send_1GiB_per_MiB", 1024, send, folder);
  if (wanted("csv")) measure("csv_256MiB_per_MiB", 256, csv, folder);
  // Of one alone.
  if (!only.empty()) reportPeak((only + "_peak").c_str());
  keep(rows);
}
