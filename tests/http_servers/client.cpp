// SPDX-License-Identifier: MIT
// A client for real servers: client [NAME=VALUE...], an option of http::AgentOptions each. Each line of standard input is a
// request, its words separated by tabs; an empty line sends those that have come, all at once. For each of them a line of
// JSON says what it got. While it waits for a line the loop stands still: what happens meanwhile it learns afterwards.

#include <leat.hpp>
#include <leat/http.hpp>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

namespace {

using namespace leat;

/// What a line asks for.
struct Wish {
  std::string url;
  std::string method = "GET";
  std::string body;
  std::string pieces;  // their number: the body is sent so often, one by one
  std::string upload;  // a file whose bytes are the body
  std::string save;    // a file for the body of the answer
  std::string trailer;
  std::string socketPath;
  std::string target;
  std::string redirect;
  bool fetched = false;  // by http::fetch
  bool dropped = false;  // nobody reads the answer
  bool flushed = false;  // the head goes first
  bool echoes = false;   // on the socket, behind an upgrade
  http::Headers fields;
};

/// What it got, as the members of a JSON object.
class Report {
 public:
  void add(std::string_view name, std::string_view text) {
    key(name);
    quote(text);
  }
  void add(std::string_view name, int number) {
    key(name);
    text_ += std::to_string(number);
  }
  template <class Fields>
  void fields(std::string_view name, const Fields& all) {
    key(name);
    text_ += "[";
    for (const auto& field : all) {
      if (text_.back() != '[') text_ += ", ";
      text_ += "[";
      quote(field.name);
      text_ += ", ";
      quote(field.value);
      text_ += "]";
    }
    text_ += "]";
  }
  void error(const std::exception_ptr& what) {
    try {
      std::rethrow_exception(what);
    } catch (const Error& e) {
      add("error", std::string(e.code()) + " " + e.what());
    } catch (const std::exception& e) {
      add("error", e.what());
    }
  }
  /// Events, in their order.
  std::string events;
  std::string text() {
    add("events", events);
    return "{" + text_ + "}";
  }

 private:
  void key(std::string_view name) {
    if (!text_.empty()) text_ += ", ";
    quote(name);
    text_ += ": ";
  }
  void quote(std::string_view text) {
    constexpr char digits[] = "0123456789abcdef";
    text_ += '"';
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte >= ' ' && byte < 0x7f && c != '"' && c != '\\') {
        text_ += c;
      } else {
        text_ += "\\u00";
        text_ += digits[byte >> 4];
        text_ += digits[byte & 15];
      }
    }
    text_ += '"';
  }
  std::string text_;
};

void setWord(Wish& wish, const std::string& name, const std::string& value) {
  const std::pair<const char*, std::string Wish::*> texts[] = {
      {"url", &Wish::url},          {"method", &Wish::method},     {"body", &Wish::body},
      {"pieces", &Wish::pieces},    {"upload", &Wish::upload},     {"save", &Wish::save},
      {"trailer", &Wish::trailer},  {"socket", &Wish::socketPath}, {"target", &Wish::target},
      {"redirect", &Wish::redirect}};
  const std::pair<const char*, bool Wish::*> flags[] = {{"fetch", &Wish::fetched},
                                                        {"drop", &Wish::dropped},
                                                        {"flush", &Wish::flushed},
                                                        {"echo", &Wish::echoes}};
  for (const auto& [known, member] : texts)
    if (name == known) return void(wish.*member = value);
  for (const auto& [known, member] : flags)
    if (name == known) return void(wish.*member = true);
  const std::size_t colon = value.find(": ");
  if (name != "field" || colon == value.npos) {
    std::fprintf(stderr, "client: no word %s=%s\n", name.c_str(), value.c_str());
    std::exit(2);
  }
  wish.fields.append(value.substr(0, colon), value.substr(colon + 2));
}

Wish wishOf(const std::string& line) {
  Wish wish;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t end = std::min(line.find('\t', at), line.size());
    const std::string word = line.substr(at, end - at);
    const std::size_t sign = word.find('=');
    setWord(wish, word.substr(0, sign), sign == word.npos ? "" : word.substr(sign + 1));
    at = end + 1;
  }
  return wish;
}

http::Request requestOf(const Wish& wish, const http::Agent& agent) {
  http::Request request(wish.method, wish.url);
  request.setAgent(agent).setSocketPath(wish.socketPath).setTarget(wish.target);
  for (const auto& field : wish.fields) request.appendHeader(field.name, field.value);
  if (wish.redirect == "manual") request.setRedirect(http::Redirect::Manual);
  if (wish.redirect == "error") request.setRedirect(http::Redirect::Error);
  return request;
}

/// The head and the body of an answer, of a fetch or of a request.
template <class Answer>
Task<> readAnswer(Answer answer, const Wish& wish, Report& report) {
  report.fields("fields", answer.headers());
  if (!wish.save.empty()) {
    co_await pipeline(answer, fs::createWriteStream(wish.save));
  } else {
    std::string text;
    while (const std::optional<Buffer> piece = co_await answer.next()) {
      text += piece->view();
      if (report.events.ends_with("piece")) continue;
      report.events += " piece";
    }
    report.add("body", text);
  }
}

Task<> fetchIt(const Wish& wish, const http::Agent& agent, Report& report) {
  http::Request request = requestOf(wish, agent);
  if (!wish.upload.empty()) {
    request.setBody(fs::createReadStream(wish.upload));
  } else if (!wish.body.empty()) {
    request.setBody(wish.body);
  }
  const http::Response answer = co_await http::fetch(request);
  report.add("status", answer.status());
  report.add("url", answer.url());
  report.add("redirected", answer.redirected() ? 1 : 0);
  co_await readAnswer(answer, wish, report);
}

Task<> sendBody(http::ClientRequest request, const Wish& wish) {
  if (request.getHeader("expect")) {
    const auto goesOn = std::make_shared<ManualResetEvent>();
    request.once("continue"_e, [goesOn] { goesOn->set(); });
    request.once("response"_e, [goesOn] { goesOn->set(); });
    co_await goesOn->wait();
  }
  if (!wish.upload.empty()) {
    co_await pipeline(fs::createReadStream(wish.upload), request);
    co_return;
  }
  if (!wish.trailer.empty()) request.addTrailers({{"X-Sum", wish.trailer}});
  const int pieces = std::atoi(wish.pieces.c_str());
  for (int i = 0; i < pieces; ++i) co_await request.write(wish.body);
  request.end(pieces > 0 ? std::string() : wish.body);
}

Task<> sendGently(http::ClientRequest request, const Wish& wish, Report& report) {
  try {
    co_await sendBody(request, wish);
  } catch (...) {
    report.events += " not-sent";
  }
}

/// What comes back for "ping" on a socket that was handed over.
Task<std::string> echoOf(net::Socket socket, Buffer first) {
  co_await socket.write("ping");
  std::string text(first.view());
  while (text.size() < 4) text += (co_await socket.read()).view();
  socket.destroy();
  co_return text;
}

void listen(const http::ClientRequest& request, Report& report) {
  const auto note = [&report](const char* event) {
    return [&report, event] { report.events += std::string(" ") + event; };
  };
  request.on("continue"_e, note("continue"));
  request.on("response"_e, note("response"));
  request.on("finish"_e, note("finish"));
  request.on("close"_e, note("close"));
  request.on("information"_e, [&report](const http::Information& information) {
    report.events += " " + std::to_string(information.statusCode());
    report.fields("hints" + std::to_string(information.statusCode()), information.headers());
  });
}

Task<> askFor(const Wish& wish, const http::Agent& agent, Report& report) {
  const http::ClientRequest request = http::request(requestOf(wish, agent));
  ManualResetEvent closed;
  request.on("close"_e, [&] { closed.set(); });
  listen(request, report);
  std::optional<Task<std::string>> echo;
  const auto onSocket = [&](const http::IncomingMessage&, const net::Socket& socket,
                            const Buffer& first) { echo.emplace(echoOf(socket, first)); };
  if (wish.echoes) {
    request.on("upgrade"_e, onSocket);
    request.on("connect"_e, onSocket);
  }
  if (wish.flushed) request.flushHeaders();
  const auto sent = spawn(sendGently(request, wish, report));
  std::exception_ptr error;
  try {
    std::optional<http::IncomingMessage> answer = co_await request.response();
    report.add("status", answer->statusCode());
    report.add("reason", answer->statusMessage());
    report.add("version", answer->httpVersion());
    if (wish.dropped) {
      answer->resume();
    } else if (echo) {
      const std::string text = co_await std::move(*echo);
      report.add("echo", text);
    } else {
      co_await readAnswer(*answer, wish, report);
      report.fields("trailers", answer->trailers());
    }
  } catch (...) {
    error = std::current_exception();
  }
  co_await sent;
  co_await closed.wait();
  report.add("reused", request.reusedSocket() ? 1 : 0);
  if (error) report.error(error);
}

Task<> fulfil(Wish wish, http::Agent agent) {
  Report report;
  try {
    if (wish.fetched) {
      co_await fetchIt(wish, agent, report);
    } else {
      co_await askFor(wish, agent, report);
    }
  } catch (...) {
    report.error(std::current_exception());
  }
  report.add("free", static_cast<int>(agent.freeSockets()));
  std::cout << report.text() << std::endl;
}

http::AgentOptions options;

void setOption(std::string_view argument) {
  const std::size_t sign = argument.find('=');
  const std::string_view name = argument.substr(0, sign);
  const std::string value(argument.substr(sign + 1));
  const int number = std::atoi(value.c_str());
  if (name == "maxSockets") {
    options.maxSockets = static_cast<unsigned>(number);
  } else if (name == "keepAlive") {
    options.keepAlive = number != 0;
  } else if (name == "retry") {
    options.retry = number != 0;
  } else if (name == "timeout") {
    options.timeout = number;
  } else if (name == "proxy") {
    options.proxy = value;
  } else if (name == "proxyTunnel") {
    options.proxyTunnel = number != 0;
  } else {
    std::fprintf(stderr, "client: no option %s\n", value.c_str());
    std::exit(2);
  }
}

Task<> ask() {
  const http::Agent agent(options);
  std::vector<Task<>> wishes;
  for (std::string line; std::getline(std::cin, line);) {
    if (!line.empty()) {
      wishes.push_back(fulfil(wishOf(line), agent));
      continue;
    }
    std::vector<Task<>> all = std::exchange(wishes, {});
    co_await Promise<>::all(std::move(all));
  }
}

}  // namespace

int main(int count, char** arguments) {
  for (int i = 1; i < count; ++i) setOption(arguments[i]);
  return run(ask);
}
