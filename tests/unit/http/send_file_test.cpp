// SPDX-License-Identifier: MIT
#include <leat/fs.hpp>
#include <leat/http.hpp>
#include <leat/http/send_file.hpp>

#include "../fs/fs_rig.hpp"
#include "http_rig.hpp"

namespace fs = leat::fs;
namespace http = leat::http;
using http::IncomingMessage;
using http::ServerResponse;
using http_rig::ask;
using http_rig::bare;
using http_rig::Client;
using http_rig::closing;
using http_rig::connectTo;
using http_rig::get;
using http_rig::withServer;
using leat::Buffer;
using leat::Task;
using leat::sys::Call;
using leat::testing::FaultInjector;
using leat_test::noise;
using leat_test::put;
using leat_test::TempFolder;

namespace {

constexpr const char* modified = "Sun, 06 Nov 1994 08:49:37 GMT";
// 784111777 seconds, in nanoseconds.
const std::string tag = "W/\"64-ae1b981bc490a00\"";

/// A file of 100 bytes that was last changed then.
std::string prepare() {
  const std::string text = noise(100);
  put("f", text);
  timespec times[2];
  times[0].tv_sec = times[1].tv_sec = 784111777;
  times[0].tv_nsec = times[1].tv_nsec = 0;
  REQUIRE(::utimensat(AT_FDCWD, "f", times, 0) == 0);
  return text;
}
const auto answer = [](IncomingMessage request, ServerResponse response) -> Task<> {
  if (request.url() == "/strong") response.setHeader("ETag", "\"v1\"");
  if (request.url() == "/missing") response.setStatusCode(404);
  http::SendFileOptions options;
  options.contentType = "text/plain";
  options.acceptRanges = request.url() != "/whole";
  co_await http::sendFile(request, response, "f", options);
};
/// What a GET with these fields is answered.
Task<std::string> asked(http::Server server, std::string fields = "", std::string target = "/",
                        std::string method = "GET") {
  std::string back = co_await ask(
      server, method + " " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + closing + "\r\n");
  co_return back;
}
std::string head(const std::string& status, const std::string& fields, bool ranges = true,
                 const std::string& etag = tag) {
  return "HTTP/1.1 " + status + "\r\nETag: " + etag + "\r\nLast-Modified: " + modified + "\r\n" +
         (ranges ? "Accept-Ranges: bytes\r\n" : "") + fields + "Connection: close\r\n";
}
std::string sent(const std::string& body, const std::string& range = "", bool ranges = true,
                 const std::string& etag = tag) {
  return head(range.empty() ? "200 OK" : "206 Partial Content",
              (range.empty() ? "" : "Content-Range: bytes " + range + "/100\r\n") +
                  "Content-Type: text/plain\r\nContent-Length: " + std::to_string(body.size()) +
                  "\r\n",
              ranges, etag) +
         "\r\n" + body;
}

}  // namespace

TEST_CASE("a file is an answer, whole or one range of it") {
  const TempFolder folder;
  const std::string text = prepare();
  withServer(answer, [&](http::Server server) -> Task<> {
    std::string back = co_await asked(server);
    CHECK(back == sent(text));
    back = co_await asked(server, "", "/", "HEAD");
    CHECK(back == sent(text).substr(0, sent(text).size() - 100));
    back = co_await asked(server, "Range: bytes=10-19\r\n");
    CHECK(back == sent(text.substr(10, 10), "10-19"));
    back = co_await asked(server, "Range: bytes=-1\r\n");
    CHECK(back == sent(text.substr(99), "99-99"));
    back = co_await asked(server, "Range: bytes=0-\r\n");
    CHECK(back == sent(text, "0-99"));
    // Several, none, and not of a GET.
    for (const char* none : {"bytes=0-1,3-4", "lines=1-2", "bytes=2-1"}) {
      back = co_await asked(server, "Range: " + std::string(none) + "\r\n");
      CHECK(back == sent(text));
    }
    back = co_await asked(server, "Range: bytes=0-1\r\n", "/", "HEAD");
    CHECK(back == sent(text).substr(0, sent(text).size() - 100));
    back = co_await asked(server, "Range: bytes=100-\r\n");
    CHECK(back == head("416 Range Not Satisfiable", "Content-Range: bytes */100\r\n") +
                      "Content-Length: 0\r\n\r\n");
    back = co_await asked(server, "Range: bytes=0-1\r\n", "/whole");
    CHECK(back == sent(text, "", false));
  });
}
TEST_CASE("conditions of a request for a file are kept to") {
  const TempFolder folder;
  const std::string text = prepare();
  withServer(answer, [&](http::Server server) -> Task<> {
    const std::string notModified = head("304 Not Modified", "") + "\r\n";
    const std::string failed = head("412 Precondition Failed", "") + "Content-Length: 0\r\n\r\n";
    std::string back = co_await asked(server, "If-None-Match: " + tag + "\r\n");
    CHECK(back == notModified);
    back = co_await asked(server, "If-None-Match: " + tag + "\r\n", "/", "HEAD");
    CHECK(back == notModified);
    back = co_await asked(server, "If-None-Match: \"x\"\r\n");
    CHECK(back == sent(text));
    back = co_await asked(server, "If-Modified-Since: " + std::string(modified) + "\r\n");
    CHECK(back == notModified);
    back = co_await asked(server, "If-Match: \"x\"\r\n");
    CHECK(back == failed);
    back = co_await asked(server, "If-Unmodified-Since: Sat, 05 Nov 1994 08:49:37 GMT\r\n");
    CHECK(back == failed);
    // If-Range: the weak tag does not do, the date does, and so does a strong tag.
    const std::string range = "Range: bytes=0-9\r\nIf-Range: ";
    back = co_await asked(server, range + tag + "\r\n");
    CHECK(back == sent(text));
    back = co_await asked(server, range + modified + "\r\n");
    CHECK(back == sent(text.substr(0, 10), "0-9"));
    back = co_await asked(server, range + "\"v1\"\r\n", "/strong");
    CHECK(back == sent(text.substr(0, 10), "0-9", true, "\"v1\""));
    back = co_await asked(server, range + "\"v2\"\r\n", "/strong");
    CHECK(back == sent(text, "", true, "\"v1\""));
    back = co_await asked(server, "If-None-Match: \"v1\"\r\n", "/strong");
    CHECK(back == head("304 Not Modified", "", true, "\"v1\"") + "\r\n");
    // An answer of another kind is that.
    back = co_await asked(server, "Range: bytes=0-9\r\nIf-None-Match: *\r\n", "/missing");
    CHECK(back == sent(text).replace(9, 6, "404 Not Found"));
  });
}
TEST_CASE("the tag of a file changes with it") {
  const TempFolder folder;
  (void)prepare();
  withServer(answer, [&](http::Server server) -> Task<> {
    put("f", noise(101));
    const std::string back = co_await asked(server, "If-None-Match: " + tag + "\r\n");
    CHECK(back.starts_with("HTTP/1.1 200 OK\r\nETag: W/\"65-"));
    put("f", "");
    const std::string empty = co_await asked(server);
    CHECK(empty.find("Content-Length: 0\r\n") != empty.npos);
  });
}
TEST_CASE("what is no file, or not for a GET, is told with a status") {
  const TempFolder folder;
  (void)prepare();
  std::filesystem::create_directory("d");
  REQUIRE(::mkfifo("pipe", 0666) == 0);
  const auto named = [](IncomingMessage request, ServerResponse response) -> Task<> {
    co_await http::sendFile(request, response, request.url().substr(1));
  };
  withServer(named, [&](http::Server server) -> Task<> {
    const std::string none =
        "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    for (const char* target : {"/none", "/d", "/pipe", "/f/x"}) {
      const std::string back = co_await asked(server, "", target);
      CHECK(back == none);
    }
    {
      FaultInjector calls;
      calls.fail(Call::statx, EACCES, 1, 1000);
      const std::string back = co_await asked(server, "", "/f");
      CHECK(back.substr(0, 24) == "HTTP/1.1 403 Forbidden\r\n");
    }
    const std::string back = co_await asked(server, "", "/f", "POST");
    CHECK(back ==
          "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\nConnection: close\r\n"
          "Content-Length: 0\r\n\r\n");
  });
}
TEST_CASE("a large file goes by the kernel, and an abort ends it") {
  const TempFolder folder;
  const std::string text = noise(9'000'000);
  put("f", text);
  FaultInjector calls;
  withServer(answer, [&](http::Server server) -> Task<> {
    const std::string back = co_await asked(server, "Range: bytes=1000-\r\n");
    CHECK((back.ends_with("\r\n\r\n" + text.substr(1000))));
    CHECK(calls.count(Call::sendfile) > 0);
  });
  leat::AbortController controller;
  std::string told;
  const auto aborted = [&](IncomingMessage request, ServerResponse response) -> Task<> {
    http::SendFileOptions options;
    options.signal = controller;
    try {
      co_await http::sendFile(request, response, "f", options);
    } catch (const leat::Error& error) {
      told = error.code();
    }
  };
  withServer(aborted, [&](http::Server server) -> Task<> {
    const Client client = co_await connectTo(server);
    client.send(get("/"));
    const Buffer first = co_await client.socket.read(1000);
    CHECK(first.size() > 0);
    controller.abort();
    const std::string rest = co_await client.rest();
    CHECK(rest.size() < text.size());
    CHECK(told == "ABORT_ERR");
  });
}
