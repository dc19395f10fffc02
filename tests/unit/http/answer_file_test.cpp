// SPDX-License-Identifier: MIT
// Files that the kernel sends as the body of an answer: what anybody can see is what there is when every byte is read and
// written.
#include <leat/fs.hpp>
#include <leat/http.hpp>
#include <leat/stream.hpp>

#include "../fs/fs_rig.hpp"
#include "http_rig.hpp"

namespace fs = leat::fs;
namespace http = leat::http;
using http::IncomingMessage;
using http::ServerResponse;
using http_rig::ask;
using http_rig::Client;
using http_rig::closing;
using http_rig::connectTo;
using http_rig::get;
using http_rig::kept;
using http_rig::ok;
using http_rig::withServer;
using leat::Buffer;
using leat::Task;
using leat::operator""_e;
using leat::sys::Call;
using leat::testing::FaultInjector;
using leat_test::noise;
using leat_test::put;
using leat_test::TempFolder;

namespace {

constexpr std::size_t wholeSize = 5'000'011;

std::string textOf(const std::exception_ptr& error) {
  try {
    if (error) std::rethrow_exception(error);
  } catch (const leat::Error& e) {
    return std::string(e.code());
  }
  return "ok";
}

/// How bytes go: the kernel may move them, or somebody wants to know of each "drain".
enum class Way { kernel, chunks };

/// All that can be seen of a download.
struct Seen {
  std::string source, sink, told, answer;
  std::uint64_t bytesRead = 0, bytesWritten = 0;
};
struct Plan {
  std::optional<std::size_t> length = wholeSize;
  fs::ReadStreamOptions reading{};
  std::string ask = get("/", closing);
  bool endless = false;  // the source does not end the answer
};

template <class S>
void record(std::string& trace, const S& stream) {
  const auto tell = [&trace](const std::string& word) { trace += word + " "; };
  if constexpr (S::hasReadable) {
    stream.template on<"end">([tell] { tell("end"); });
  } else {
    stream.template on<"pipe">([tell](const auto&) { tell("pipe"); });
    stream.template on<"unpipe">([tell](const auto&) { tell("unpipe"); });
    stream.template on<"finish">([tell] { tell("finish"); });
  }
  stream.template on<"error">([tell](const std::exception_ptr& error) { tell(textOf(error)); });
  stream.template on<"close">([tell] { tell("close"); });
}

/// Answers with the file "f".
Task<> answerBy(Way way, const Plan& plan, Seen& seen, IncomingMessage, ServerResponse response) {
  if (plan.length) response.setHeader("Content-Length", std::to_string(*plan.length));
  const leat::net::Socket socket = response.socket();
  const auto source = fs::createReadStream("f", plan.reading);
  const auto sink = response.stream();
  record(seen.source, source);
  record(seen.sink, sink);
  if (way == Way::chunks) sink.on<"drain">([] {});
  leat::PipelineOptions options;
  options.end = !plan.endless;
  const auto done = co_await leat::asResult(leat::pipeline(options, source, sink));
  seen.told = done.ok() ? "ok" : textOf(done.error());
  if (plan.endless) sink.end("behind");
  co_await source.closed();
  co_await sink.closed();
  seen.bytesRead = source.bytesRead();
  seen.bytesWritten = socket.bytesWritten();
}
/// `receive(client, answer)` is a coroutine.
template <class Receive>
Seen downloadBy(Way way, const Plan& plan, Receive receive) {
  Seen seen;
  bool done = false;
  const auto handler = [&](IncomingMessage request, ServerResponse response) -> Task<> {
    co_await answerBy(way, plan, seen, std::move(request), std::move(response));
    done = true;
  };
  withServer(handler, [&](http::Server server) -> Task<> {
    const Client client = co_await connectTo(server);
    client.send(plan.ask);
    co_await receive(client, seen.answer);
    while (!done) co_await leat::sleep(1);
  });
  return seen;
}
Task<> receiveAll(const Client& client, std::string& answer) {
  std::string all = co_await client.rest();
  answer = std::move(all);
}
/// Both ways; they must not differ.
template <class Receive>
Seen download(const Plan& plan, Receive receive, bool moved = true) {
  FaultInjector calls;
  const Seen slow = downloadBy(Way::chunks, plan, receive);
  CHECK(calls.count(Call::sendfile) == 0);
  Seen fast = downloadBy(Way::kernel, plan, receive);
  CHECK((calls.count(Call::sendfile) > 0) == moved);
  CHECK(fast.source == slow.source);
  CHECK(fast.sink == slow.sink);
  CHECK(fast.told == slow.told);
  CHECK(fast.bytesRead == slow.bytesRead);
  CHECK(fast.bytesWritten == slow.bytesWritten);
  CHECK((fast.answer == slow.answer));
  return fast;
}
std::string answerOf(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nConnection: close\r\n\r\n" + body;
}

}  // namespace

TEST_CASE("a file that the kernel sends as an answer is told of as one that is read and written") {
  const TempFolder folder;
  const std::string whole = noise(wholeSize);
  put("f", whole);
  {
    const Seen seen = download(Plan(), receiveAll);
    CHECK((seen.answer == answerOf(whole)));
    CHECK(seen.told == "ok");
    CHECK(seen.source == "end close ");
    CHECK(seen.sink == "pipe unpipe finish close ");
    CHECK(seen.bytesRead == wholeSize);
  }
  {
    Plan part;
    part.reading.start = 1'000'001;
    part.reading.end = 4'000'000;
    part.length = 3'000'000;
    const Seen seen = download(part, receiveAll);
    CHECK((seen.answer == answerOf(whole.substr(1'000'001, 3'000'000))));
    CHECK(seen.bytesRead == 3'000'000);
  }
  {
    // Something comes behind the file.
    Plan more;
    more.length = wholeSize + 6;
    more.endless = true;
    FaultInjector calls;
    const Seen seen = downloadBy(Way::kernel, more, receiveAll);
    CHECK(calls.count(Call::sendfile) > 0);
    CHECK((seen.answer == answerOf(whole + "behind")));
  }
}
TEST_CASE("a file that has no length to go by is read and written") {
  const TempFolder folder;
  put("f", noise(300'000));
  Plan plan;
  plan.length.reset();
  for (const char* version : {"1.1", "1.0"}) {
    plan.ask = std::string("GET / HTTP/") + version + "\r\nHost: a\r\nConnection: close\r\n\r\n";
    const Seen seen = download(plan, receiveAll, false);
    CHECK(seen.told == "ok");
    CHECK(seen.answer.find("Content-Length") == std::string::npos);
    if (version == std::string("1.0")) CHECK((seen.answer.ends_with("\r\n\r\n" + noise(300'000))));
  }
  plan.length = 300'000;
  plan.ask = "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  const Seen seen = download(plan, receiveAll, false);
  CHECK(seen.answer == "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\nConnection: close\r\n\r\n");
}
TEST_CASE("a client that reads slowly gets all of a file") {
  const TempFolder folder;
  const std::string whole = noise(wholeSize * 2);
  put("f", whole);
  Plan plan;
  plan.length = wholeSize * 2;
  const auto slowly = [](const Client& client, std::string& answer) -> Task<> {
    for (Buffer piece;;) {
      piece = co_await client.socket.read(50'000);
      if (piece.empty()) break;
      answer += piece.view();
      if (answer.size() % 7 == 0) co_await leat::sleep(1);
    }
    answer = http_rig::withoutDate(answer);
  };
  const Seen seen = download(plan, slowly);
  CHECK((seen.answer == answerOf(whole)));
}
TEST_CASE("a file that is not as long as was said costs the connection, whoever sends it") {
  const TempFolder folder;
  put("f", noise(wholeSize));
  for (const std::size_t length : {wholeSize - 1'000'000, wholeSize + 1}) {
    Plan plan;
    plan.length = length;
    for (const Way way : {Way::chunks, Way::kernel}) {
      const Seen seen = downloadBy(way, plan, receiveAll);
      CHECK(seen.told == "ERR_HTTP_CONTENT_LENGTH_MISMATCH");
      CHECK(seen.answer.size() < wholeSize + 200);
      const std::size_t head = seen.answer.find("\r\n\r\n") + 4;
      CHECK((noise(wholeSize).starts_with(seen.answer.substr(head, 1'000'000))));
      // Not a byte more than was said.
      CHECK(seen.answer.size() - head <= length + 20);
    }
  }
}
TEST_CASE("a client that leaves while the kernel sends is an error of the answer") {
  const TempFolder folder;
  put("f", noise(30'000'000));
  Plan plan;
  plan.length = 30'000'000;
  const auto leave = [](const Client& client, std::string&) -> Task<> {
    for (std::size_t got = 0; got < 1'000'000;) {
      const Buffer piece = co_await client.socket.read();
      got += piece.size();
    }
    client.socket.resetAndDestroy();
  };
  for (const Way way : {Way::chunks, Way::kernel}) {
    const Seen seen = downloadBy(way, plan, leave);
    CHECK((seen.told == "ECONNRESET" || seen.told == "EPIPE" ||
           seen.told == "ERR_STREAM_PREMATURE_CLOSE"));
    CHECK(seen.bytesWritten < 30'000'000);
    CHECK(seen.sink.find("finish") == std::string::npos);
  }
}
TEST_CASE("answers around a file that the kernel sends stay in order") {
  const TempFolder folder;
  const std::string whole = noise(wholeSize);
  put("f", whole);
  const auto mixed = [](IncomingMessage request, ServerResponse response) -> Task<> {
    if (request.url() != "/f") {
      response.end(request.url());
      co_return;
    }
    response.setHeader("Content-Length", std::to_string(wholeSize));
    co_await leat::pipeline(fs::createReadStream("f"), response);
  };
  FaultInjector calls;
  withServer(mixed, [&](http::Server server) -> Task<> {
    const std::string back =
        co_await ask(server, get("/1") + get("/f") + get("/2") + get("/f") + get("/3", closing));
    const std::string file = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(wholeSize) +
                             "\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\n" + whole;
    CHECK((back == kept("/1") + file + kept("/2") + file + ok("/3")));
  });
  CHECK(calls.count(Call::sendfile) > 0);
}
TEST_CASE("while the kernel sends a body nobody else writes to it") {
  const TempFolder folder;
  put("f", noise(20'000'000));
  std::string told;
  std::optional<ServerResponse> sending;
  const auto handler = [&](IncomingMessage, ServerResponse response) -> Task<> {
    response.setHeader("Content-Length", "20000000");
    sending = response;
    const auto done = co_await leat::asResult(leat::pipeline(fs::createReadStream("f"), response));
    told += done.ok() ? "ok " : textOf(done.error()) + " ";
  };
  for (const bool ends : {false, true}) {
    told.clear();
    withServer(handler, [&](http::Server server) -> Task<> {
      FaultInjector calls;
      const Client client = co_await connectTo(server);
      client.send(get("/"));
      while (calls.count(Call::sendfile) == 0) co_await leat::sleep(1);
      try {
        if (ends) {
          sending->end();
        } else {
          sending->write(std::string(20'000'000, 'x'));
        }
      } catch (const leat::Error& error) {
        told += std::string(error.code()) + " ";
      }
      sending.reset();
      std::string back = co_await client.until(noise(20'000'000).substr(19'999'000));
      if (!ends) CHECK((back.ends_with(noise(20'000'000))));
      client.socket.destroy();
      while (told.find("ok") == told.npos && std::count(told.begin(), told.end(), ' ') < 2)
        co_await leat::sleep(1);
    });
    CHECK(told.starts_with("ERR_HTTP_CONTENT_LENGTH_MISMATCH "));
  }
}
