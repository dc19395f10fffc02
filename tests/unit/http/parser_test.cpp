// SPDX-License-Identifier: MIT
#include <leat/http/detail/parser.hpp>

#include "leat_test.hpp"
#include "parser_listener.hpp"

namespace http = leat::http;
using namespace std::string_literals;
using http::detail::Head;
using http::detail::MessageKind;
using http::detail::ParseEvent;
using http::detail::Parser;
using http::detail::ParserOptions;
using http_rig::Listener;

namespace {

constexpr const char* host = "Host: a\r\n";

/// In one piece, and the same at each place where it can be cut in two, and byte by byte.
std::string told(const std::string& text, ParserOptions options = {}, bool ends = false,
                 bool noBody = false) {
  const auto cut = [&](std::size_t size) {
    Listener listener(options);
    listener.noBody = noBody;
    for (std::size_t at = 0; at < text.size(); at += size)
      listener.take(std::string_view(text).substr(at, size));
    if (ends) listener.finish();
    return listener.told;
  };
  const std::string whole = cut(text.size() + 1);
  CHECK(cut(1) == whole);
  for (std::size_t at = 1; at < text.size(); ++at) {
    Listener listener(options);
    listener.noBody = noBody;
    listener.take(std::string_view(text).substr(0, at));
    listener.take(std::string_view(text).substr(at));
    if (ends) listener.finish();
    if (listener.told != whole) CHECK(std::to_string(at) + listener.told == whole);
  }
  return whole;
}
std::string request(const std::string& fields, const std::string& line = "GET / HTTP/1.1") {
  return told(line + "\r\n" + fields + "\r\n");
}
/// Of an answer, with the end of the connection behind it.
std::string answer(const std::string& text, bool noBody = false) {
  ParserOptions options;
  options.kind = MessageKind::Response;
  return told(text, options, true, noBody);
}
std::string chunked(const std::string& body) {
  return told("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body);
}
const std::string chunkedHead = "POST / [Host=a][Transfer-Encoding=chunked]";

}  // namespace

TEST_CASE("a request gives its parts as they came") {
  CHECK(request(
            "hOsT:a.b:80\r\nX-Empty:\r\nX-Blanks: \t a  b\t \r\nx-Odd!#$%&'*+-.^_`|~1: \xff\"\r\n",
            "PROPFIND /a?b=c&d HTTP/1.1") ==
        "PROPFIND /a?b=c&d [hOsT=a.b:80][X-Empty=][X-Blanks=a  b][x-Odd!#$%&'*+-.^_`|~1=\xff\"] "
        "body(); ");
}
TEST_CASE("every method of the list is one, and nothing else") {
  for (const std::string_view method : http::METHODS) {
    if (method == "CONNECT") continue;
    CHECK(request(host, std::string(method) + " / HTTP/1.1") ==
          std::string(method) + " / [Host=a] body(); ");
  }
  for (const char* method : {"get", "GETT", "GE", "FOO", "", "G(T", "UNSUBSCRIBES"})
    CHECK(request(host, method + " / HTTP/1.1"s) ==
          "FAILED Parse Error: Invalid method encountered");
}
TEST_CASE("targets are paths, URLs, the star of OPTIONS and the authority of CONNECT") {
  for (const char* line :
       {"GET / HTTP/1.1", "GET //x HTTP/1.1", "GET /a|b{\"<> HTTP/1.1", "GET http://a/b?c HTTP/1.1",
        "GET HTTP+x.-://[::1]:80/ HTTP/1.1", "GET http://a?b HTTP/1.1", "OPTIONS * HTTP/1.1",
        "CONNECT a:443 HTTP/1.1", "CONNECT [::1]:443 HTTP/1.1"})
    CHECK(request(host, line).find("FAILED") == std::string::npos);
  for (const char* line : {"GET a HTTP/1.1",
                           "GET * HTTP/1.1",
                           "GET  / HTTP/1.1",
                           "GET /#a HTTP/1.1",
                           "GET /\xc3 HTTP/1.1",
                           "GET /\t HTTP/1.1",
                           "GET http:/a HTTP/1.1",
                           "GET http:///a HTTP/1.1",
                           "GET http://u@a/ HTTP/1.1",
                           "GET 1http://a/ HTTP/1.1",
                           "GET ://a/ HTTP/1.1",
                           "CONNECT / HTTP/1.1",
                           "CONNECT a HTTP/1.1",
                           "CONNECT [::1:443 HTTP/1.1",
                           "GET /",
                           "GET ? HTTP/1.1",
                           "GET h_p://a HTTP/1.1",
                           "GET http://:80/ HTTP/1.1",
                           "CONNECT a: HTTP/1.1",
                           "CONNECT :443 HTTP/1.1",
                           "CONNECT [::1] HTTP/1.1",
                           "CONNECT a:65536 HTTP/1.1",
                           "CONNECT http://a:1 HTTP/1.1"})
    CHECK(request(host, line) == "FAILED Parse Error: Invalid request target");
}
TEST_CASE("a target that says its host is its Host (RFC 9112 section 3.2.2)") {
  const auto hostOf = [](const std::string& line, const std::string& fields) {
    const std::string all = request(fields, line);
    const std::size_t at = all.find('[');
    return at == std::string::npos ? all : all.substr(at, all.rfind(']') + 1 - at);
  };
  CHECK(hostOf("GET http://good.example/a HTTP/1.1", "X: 1\r\nHOST: evil.example\r\nY: 2\r\n") ==
        "[X=1][HOST=good.example][Y=2]");
  CHECK(hostOf("POST http://a:81?b://c/ HTTP/1.1", "Host:\r\n") == "[Host=a:81]");
  CHECK(request("Host: b\r\n", "OPTIONS http://[::1]:80 HTTP/1.1") ==
        "OPTIONS http://[::1]:80 [Host=[::1]:80] body(); ");
  CHECK(hostOf("CONNECT a:443 HTTP/1.1", "Host: b\r\n") == "[Host=a:443]");
  CHECK(hostOf("GET http://a/ HTTP/1.0", "Host: b\r\n") == "[Host=a]");
  CHECK(hostOf("GET http://a/ HTTP/1.0", "") == "GET http://a/ 1.0 close  body(); ");
  // A path that looks like one, and what says no host, leave it.
  for (const char* line :
       {"GET /http://a/ HTTP/1.1", "GET //a/ HTTP/1.1", "POST /?http://a/ HTTP/1.1",
        "OPTIONS * HTTP/1.1", "OPTIONS /http://a HTTP/1.1"})
    CHECK(hostOf(line, "Host: b\r\n") == "[Host=b]");
  // Nor does the next request know of it, or a field behind the body.
  CHECK(request("Host: b\r\n\r\nGET / HTTP/1.1\r\nHost: c\r\n", "GET http://a/ HTTP/1.1") ==
        "GET http://a/ [Host=a] body(); GET / [Host=c] body(); ");
  CHECK(told("POST http://a/ HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n"
             "0\r\nHost: c\r\n\r\n") ==
        "POST http://a/ [Host=a][Transfer-Encoding=chunked] body()[Host=c]; ");
}
TEST_CASE("a target that says its host does without no Host, and with no wrong one") {
  for (const char* line : {"GET http://a/ HTTP/1.1", "CONNECT a:1 HTTP/1.1"}) {
    CHECK(request("", line) == "FAILED Parse Error: Missing Host");
    for (const char* bad : {"a b", "u@a", "a\r\nHost: a"})
      CHECK(request("Host: "s + bad + "\r\n", line) ==
            "FAILED Parse Error: Invalid Host, or a second one");
  }
}
TEST_CASE("versions are 1.0 and 1.1") {
  CHECK(request("", "GET / HTTP/1.0") == "GET / 1.0 close  body(); ");
  CHECK(request("Connection: x, Keep-Alive\r\n", "GET / HTTP/1.0") ==
        "GET / 1.0 [Connection=x, Keep-Alive] body(); ");
  for (const char* version : {"HTTP/2.0", "HTTP/0.9", "HTTP/1.2"})
    CHECK(request(host, "GET / "s + version) ==
          "FAILED Parse Error: HTTP version is neither 1.0 nor 1.1");
  for (const char* version : {"HTTP/1.1 ", "HTTP/1.11", "HTTP/x.1", "HTTP/1,1", "HTTP/11"})
    CHECK(request(host, "GET / "s + version) == "FAILED Parse Error: Invalid HTTP version");
  for (const char* version : {"http/1.1", " HTTP/1.1", "HTTPS/1.1"})
    CHECK(request(host, "GET / "s + version) == "FAILED Parse Error: Expected HTTP/");
}
TEST_CASE("a request needs one Host that is one") {
  CHECK(request("") == "FAILED Parse Error: Missing Host");
  ParserOptions lenient;
  lenient.requireHost = false;
  CHECK(told("GET / HTTP/1.1\r\n\r\n", lenient) == "GET /  body(); ");
  for (const char* one : {"", "a", "a:", "a:80", "[::1]", "[::1]:80", "a_b", "%41"})
    CHECK(request("Host: "s + one + "\r\n").find("FAILED") == std::string::npos);
  for (const char* bad :
       {"a b", "a/b", "u@a", "a:b", "[::1", "[::1]x", "a:80:80", "\xc3\xa4", "a\r\nHost: a"})
    CHECK(request("Host: "s + bad + "\r\n") == "FAILED Parse Error: Invalid Host, or a second one");
}
TEST_CASE("what smuggles requests is refused") {
  const auto refused = [](const std::string& fields, const std::string& why) {
    CHECK(request(host + fields) == "FAILED Parse Error: " + why);
  };
  const std::string twice = "Content-Length a second time, or beside Transfer-Encoding";
  refused("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", twice);
  refused("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", twice);
  refused("Content-Length: 1\r\nContent-Length: 1\r\n", twice);
  for (const char* length :
       {"", "+1", "-1", "1 1", "1,1", "0x1", "1.0", "4611686018427387905", "99999999999999999999"})
    refused("Content-Length: "s + length + "\r\n", "Invalid Content-Length");
  for (const char* coding :
       {"", "gzip", "identity", "chunked, gzip", "chunked, chunked", "chunked,", ",chunked",
        "xchunked", "chunked\r\nTransfer-Encoding: chunked", "chunked;a=b", "\"chunked\"",
        "(x), chunked", "chunked\r\nTransfer-Encoding: gzip"})
    refused("Transfer-Encoding: "s + coding + "\r\n",
            "Transfer-Encoding does not end with chunked, or has it twice");
  CHECK(request("Transfer-Encoding: chunked\r\n", "GET / HTTP/1.0") ==
        "FAILED Parse Error: Transfer-Encoding in a message of HTTP/1.0");
  refused(" folded\r\n", "Invalid header token");
  refused("a: b\r\n folded\r\n", "Invalid header token");
  refused("a : b\r\n", "Invalid header token");
  refused("a\r\n", "Invalid header token");
  refused(": b\r\n", "Invalid header token");
  refused("a\"b: c\r\n", "Invalid header token");
  refused("a: b\0c\r\n"s, "Invalid header value char");
  refused("a: b\x7f\r\n", "Invalid header value char");
  refused("a: b\rc\r\n", "Missing expected LF after CR");
  refused("a: b\nc: d\r\n", "Missing expected CR before LF");
  CHECK(told("GET / HTTP/1.1\nHost: a\r\n\r\n") ==
        "FAILED Parse Error: Missing expected CR before LF");
  CHECK(told("GET / HTTP/1.1\r\nHost: a\r\n\n") ==
        "FAILED Parse Error: Missing expected CR before LF");
}
TEST_CASE("a control character is found before its line ends") {
  Listener listener;
  listener.take("\x16\x03\x01");
  CHECK(listener.told == "FAILED Parse Error: Invalid method encountered");
  Listener value;
  value.take("GET / HTTP/1.1\r\na: b\x01");
  CHECK(value.told == "FAILED Parse Error: Invalid header value char");
}
TEST_CASE("codings before chunked are the user's") {
  CHECK(told("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip;q=1 , "
             "Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n") ==
        "POST / [Host=a][Transfer-Encoding=gzip;q=1 , Chunked] body(a); ");
}
TEST_CASE("requests follow each other, with empty lines between them") {
  CHECK(told("\r\n\r\nPOST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\r\nGET /2 "
             "HTTP/1.1\r\n"
             "Host: a\r\nConnection: x\r\n\r\nPUT /3 HTTP/1.1\r\nHost: a\r\ncontent-length: "
             "0\r\n\r\n\n") ==
        "POST /1 [Host=a][Content-Length=3] body(abc); GET /2 [Host=a][Connection=x] "
        "body(); "
        "PUT /3 [Host=a][content-length=0] body(); FAILED Parse Error: Missing expected CR before "
        "LF");
}
TEST_CASE("nothing but empty lines follows a message that closes") {
  const std::string last = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  CHECK(told(last + "\r\n\r\n") == "GET / close [Host=a][Connection=close] body(); ");
  CHECK(told(last + "\r\nG") ==
        "GET / close [Host=a][Connection=close] body(); "
        "FAILED Parse Error: Data after `Connection: close`");
}
TEST_CASE("an upgrade is one when both fields say so") {
  CHECK(request("Host: a\r\nConnection: Foo, Upgrade\r\nUpgrade: b\r\n") ==
        "GET / upgrade [Host=a][Connection=Foo, Upgrade][Upgrade=b] body(); ");
  CHECK(request("Host: a\r\nConnection: upgrade\r\nUpgrade:\r\n") ==
        "GET / [Host=a][Connection=upgrade][Upgrade=] body(); ");
  // Of several fields, which are one list, any will do.
  CHECK(request("Host: a\r\nConnection: upgrade\r\nUpgrade: b\r\nUpgrade: \t\r\n") ==
        "GET / upgrade [Host=a][Connection=upgrade][Upgrade=b][Upgrade=] body(); ");
  CHECK(request("Host: a\r\nUpgrade: b\r\n") == "GET / [Host=a][Upgrade=b] body(); ");
  CHECK(request("Host: a\r\nConnection: upgrade\r\n") ==
        "GET / [Host=a][Connection=upgrade] body(); ");
  CHECK(request("Connection: upgrade, keep-alive\r\nUpgrade: b\r\n", "GET / HTTP/1.0") ==
        "GET / 1.0 [Connection=upgrade, keep-alive][Upgrade=b] body(); ");
}
TEST_CASE("after a stop the rest is not read") {
  Parser parser;
  Head head;
  parser.useHead(head);
  std::string_view input = "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\nrest";
  CHECK(parser.next(input) == ParseEvent::Head);
  parser.stop();
  CHECK(parser.next(input) == ParseEvent::Stopped);
  CHECK(input == "rest");
  CHECK(parser.finish() == ParseEvent::Stopped);
}

TEST_CASE("chunks are joined, their extensions dropped, trailers kept") {
  CHECK(chunked("1\r\na\r\n00a;x=y;z=\"q;\"\r\n0123456789\r\n0\r\nT: u\r\nv: \r\n\r\n") ==
        chunkedHead + " body(a0123456789)[T=u][v=]; ");
  CHECK(chunked("0\r\nT: u\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n") ==
        chunkedHead + " body()[T=u]; GET / [Host=b] body(); ");
  CHECK(chunked("A\r\n0123456789\r\n0000;\r\n\r\n") == chunkedHead + " body(0123456789); ");
}
TEST_CASE("broken chunks are refused") {
  const std::string size = "FAILED Parse Error: Invalid character in chunk size, or too large";
  for (const char* bad :
       {"\r\n", "+1\r\n", "-1\r\n", "0x1\r\n", "1 \r\n", " 1\r\n", "g\r\n", "1 ;a\r\n", ";a\r\n",
        "1\n", "1;a\n", "1;\x01\r\n", "fffffffffffffffff\r\n", "10000000000000000\r\n"})
    CHECK(chunked(bad) == chunkedHead + size);
  for (const char* bad : {"1\ra", "1\r\naa\r\n", "1\r\na\n", "1\r\na\ra", "1;a\ra"})
    CHECK(chunked(bad) == chunkedHead + "FAILED Parse Error: Expected CR LF after chunk data");
  CHECK(chunked("0\r\nT u\r\n\r\n") == chunkedHead + "FAILED Parse Error: Invalid header token");
}
TEST_CASE("limits hold to the byte") {
  ParserOptions options;
  const std::string text = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  options.maxHeadSize = static_cast<std::uint32_t>(text.size());
  CHECK(told(text, options) == chunkedHead);
  options.maxHeadSize -= 1;
  CHECK(told(text, options) == "FAILED Parse Error: Header overflow");
  // What is wrong within the limit comes before it.
  CHECK(told("GET / HTTP/1.1\r\n \r\n" + std::string(100, 'a'), options) ==
        "FAILED Parse Error: Invalid header token");
  options.maxHeadSize += 1;
  const std::string longest = "a:" + std::string(options.maxHeadSize - 6, 'b') + "\r\n\r\n";
  CHECK(told(text + "0\r\n" + longest, options).find("FAILED") == std::string::npos);
  CHECK(told(text + "0\r\n" + longest.substr(0, 2) + "c" + longest.substr(2), options) ==
        chunkedHead + "FAILED Parse Error: Header overflow");
  options.maxExtensions = 6;
  CHECK(told(text + "1;abcd\r\na\r\n0;ef\r\n\r\n", options) == chunkedHead + " body(a); ");
  CHECK(told(text + "1;abcd\r\na\r\n0;efg\r\n\r\n", options) ==
        chunkedHead + "FAILED Parse Error: Chunk extensions overflow");
  options = {};
  options.maxFields = 2;
  CHECK(told("GET / HTTP/1.1\r\nHost: a\r\nb: c\r\n\r\n", options) ==
        "GET / [Host=a][b=c] body(); ");
  CHECK(told("GET / HTTP/1.1\r\nHost: a\r\nb: c\r\nd: e\r\n\r\n", options) ==
        "FAILED Parse Error: Too many header fields");
}
TEST_CASE("a request that is cut short says so, and a connection without one does not") {
  for (const char* text : {"", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"}) {
    Listener listener;
    listener.take(text);
    listener.finish();
    CHECK(listener.told.find("FAILED") == std::string::npos);
  }
  for (const char* text :
       {"G", "GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na"}) {
    Listener listener;
    listener.take(text);
    listener.finish();
    CHECK(listener.told.find("FAILED Parse Error: Message ends before it is complete") !=
          std::string::npos);
  }
}

TEST_CASE("answers give status and reason, and end as their fields say") {
  CHECK(answer("HTTP/1.1 200 O K\r\nContent-Length: 2\r\n\r\nabHTTP/1.1 404\r\nContent-Length: "
               "0\r\n\r\n") ==
        "200 'O K' [Content-Length=2] body(ab); 404 '' [Content-Length=0] body(); ");
  CHECK(answer("HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n") ==
        "200 '' [Transfer-Encoding=chunked] body(a); ");
  CHECK(answer("HTTP/1.0 999 x\r\n\r\nall the rest\r\n") ==
        "999 'x' 1.0 close  body(all the rest\r\n); ");
  CHECK(answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx") ==
        "200 'OK' [Transfer-Encoding=gzip] body(x); ");
}
TEST_CASE("an answer without a body has none, whatever it says") {
  CHECK(answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/1.1 304 x\r\n\r\n", true) ==
        "200 'OK' [Content-Length=5] body(); 304 'x'  body(); ");
}
TEST_CASE("broken answers are refused") {
  for (const char* bad :
       {"HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1\r\n\r\n"})
    CHECK(answer(bad) == "FAILED Parse Error: Invalid status code"s);
  CHECK(answer("HTTP/1.1 200 O\x01\r\n\r\n") == "FAILED Parse Error: Invalid header value char");
  CHECK(answer("ICY 200 OK\r\n\r\n") == "FAILED Parse Error: Expected HTTP/");
  CHECK(answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na") ==
        "200 'OK' [Content-Length=2]FAILED Parse Error: Message ends before it is complete");
}
TEST_CASE("a ParseError has the code of Node's parser and the status of the answer") {
  const http::ParseError error(http::detail::ParseFault::HeadTooLarge);
  CHECK(error.message() == "Parse Error: Header overflow");
  CHECK(error.code() == "HPE_HEADER_OVERFLOW");
  CHECK(error.status() == 431);
}
TEST_CASE("status codes have Node's words") {
  CHECK(http::statusText(404) == "Not Found");
  CHECK(http::statusText(418) == "I'm a Teapot");
  CHECK(http::statusText(299).empty());
}
