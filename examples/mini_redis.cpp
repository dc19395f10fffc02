// SPDX-License-Identifier: MIT
// A small Redis: one thread, one loop, one coroutine for each client. redis-cli and redis-benchmark
// take it for the real one. Usage: mini_redis [--port PORT]; 0 is any free port.
#include <leat.hpp>

#include <fnmatch.h>
#include <strings.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <deque>
#include <ranges>
#include <set>
#include <unordered_map>
#include <variant>

using namespace std::literals;
using leat::EventLoop, leat::net::listen, std::ranges::count_if, std::views::transform;
using std::int64_t, std::size_t, std::string, std::string_view, std::chrono::steady_clock;
using Args = std::span<string>;      // the name of a command and what follows it
using Failure = std::runtime_error;  // what a client did wrong, in the words of Redis
using List = std::deque<string>;
constexpr size_t maxLine = 64 << 10, maxReplies = 64 << 10, maxUnread = 32 << 20;  // bytes
constexpr int64_t maxArguments = 1 << 20, maxBulk = 512 << 20, maxSeconds = 1LL << 32;
bool is(const string& text, const char* word) { return strcasecmp(text.c_str(), word) == 0; }
int64_t integer(string_view text, int64_t least = INT64_MIN, int64_t most = INT64_MAX,
                const char* otherwise = "ERR value is not an integer or out of range") {
  int64_t value = 0;
  const bool whole = std::from_chars(text.begin(), text.end(), value).ptr == text.end();
  const bool plain = value != 0 ? text[text[0] == '-'] != '0' : text == "0";
  if (whole && plain && value >= least && value <= most) return value;
  throw Failure(otherwise);
}

struct Entry {
  std::variant<string, List> value = {};
  steady_clock::time_point deadline = {};
  leat::ScopedTimeout timer = {};  // if it is to expire: removes it
};
std::unordered_map<string, Entry> database;
bool has(const string& key) { return database.contains(key); }
bool erase(const string& key) { return database.erase(key) > 0; }
template <class T, bool strict = true>
T* find(const string& key) {
  const auto at = database.find(key);
  if (at == database.end()) return nullptr;
  if (T* value = std::get_if<T>(&at->second.value); value || !strict) return value;
  throw Failure("WRONGTYPE Operation against a key holding the wrong kind of value");
}
/// Whether the key was there. It may take several timers: one waits 24 days at most.
bool expireAt(string key, steady_clock::time_point deadline) {
  const auto rest = std::min<steady_clock::duration>(deadline - steady_clock::now(), 24h * 24);
  if (rest <= 0s || !has(key)) return erase(key);
  database[key].deadline = deadline;
  database[key].timer = leat::setTimeout(expireAt, rest, key, deadline).unref();
  return true;
}

/// One connection: what it has asked, and what it is answered.
struct Client {
  leat::net::Socket socket;
  leat::net::SocketReader reader{socket};
  string out = {};  // replies that were not sent yet
  std::vector<string> args = {};
  std::set<string> channels = {};
  static inline std::set<Client*> subscribers;
  ~Client() { subscribers.erase(this); }
  Client& put(auto head, auto text) { return ((out += head) += text) += "\r\n", *this; }
  Client& integer(auto value) { return put(":", std::to_string(value)); }
  Client& array(auto size) { return put("*", std::to_string(size)); }
  Client& bulk(string_view text) { return put("$", std::to_string(text.size())).put("", text); }
  Client& bulk(const string* text) { return text ? bulk(*text) : put("$", "-1"); }
  void list(auto&& items) {
    array(std::ranges::distance(items));
    for (const auto& item : items) bulk(item);
  }
  void error(string text) {
    std::ranges::replace_if(text, [](char c) { return c == '\r' || c == '\n'; }, ' ');
    put("-", text);
  }
  leat::net::WriteResult send() { return socket.write(std::exchange(out, {})); }
  /// Sends what is to be said to all that was understood, and receives.
  leat::Task<> more() {
    co_await send();
    const bool received = co_await reader.more();
    if (!received) throw leat::Error("the client has gone");
  }
};

void ping(Client& c, Args a) { a.size() > 1 ? c.bulk(a[1]) : c.put("+", "PONG"); }
void echo(Client& c, Args a) { c.bulk(a[1]); }
void get(Client& c, Args a) { c.bulk(find<string>(a[1])); }
void mget(Client& c, Args a) { c.list(a.subspan(1) | transform(find<string, false>)); }
void del(Client& c, Args a) { c.integer(count_if(a.subspan(1), erase)); }
void exists(Client& c, Args a) { c.integer(count_if(a.subspan(1), has)); }
void dbsize(Client& c, Args) { c.integer(database.size()); }
void flushall(Client& c, Args) { database.clear(), c.put("+", "OK"); }
void command(Client& c, Args) { c.array(0); }
void info(Client& c, Args) { c.bulk("leat_backend:"s.append(EventLoop::current().backend())); }
void quit(Client&, Args) { std::raise(SIGTERM), throw leat::Error("leaving"); }
void set(Client& c, Args a) {
  const char* invalid = "ERR invalid expire time in 'set' command";
  int64_t ms = 0, nx = 0, xx = 0;
  for (size_t i = 3; i < a.size(); ++i) {
    const int unit = is(a[i], "ex") ? 1000 : is(a[i], "px") ? 1 : 0;
    nx |= is(a[i], "nx"), xx |= is(a[i], "xx");
    if (unit ? ms || i + 1 == a.size() : (nx && xx) || !(is(a[i], "nx") || is(a[i], "xx")))
      throw Failure("ERR syntax error");
    if (unit) integer(a[++i]), ms = unit * integer(a[i], 1, maxSeconds * 1000 / unit, invalid);
  }
  if ((nx || xx) && has(a[1]) != xx) return void(c.bulk(nullptr));
  database[a[1]] = Entry{std::move(a[2])};
  if (ms > 0) expireAt(a[1], steady_clock::now() + ms * 1ms);
  c.put("+", "OK");
}
void mset(Client& c, Args a) {
  if (a.size() % 2 == 0) throw Failure("ERR wrong number of arguments for 'mset' command");
  for (size_t i = 1; i < a.size(); i += 2) database[a[i]] = Entry{std::move(a[i + 1])};
  c.put("+", "OK");
}
void incr(Client& c, Args a) {
  const string* text = find<string>(a[1]);
  const int64_t value = text ? integer(*text) : 0;
  if (value == INT64_MAX) throw Failure("ERR increment or decrement would overflow");
  database[a[1]].value = std::to_string(value + 1), c.integer(value + 1);
}
void ttl(Client& c, Args a) {
  const auto at = database.find(a[1]);
  if (at == database.end()) return void(c.integer(-2));
  const auto rest = at->second.deadline - steady_clock::now() + 500ms;
  c.integer(at->second.timer->active() ? rest / 1s : -1);
}
void push(Client& c, Args a) {
  List* items = find<List>(a[1]);
  if (!items) items = &database[a[1]].value.emplace<List>();
  for (auto& item : a.subspan(2))
    items->insert(is(a[0], "lpush") ? items->begin() : items->end(), item);
  c.integer(items->size());
}
void lrange(Client& c, Args a) {
  const List none, *found = find<List>(a[1]), &items = found ? *found : none;
  const int64_t from = integer(a[2]), to = integer(a[3]), size = std::ssize(items);
  const int64_t first = std::max<int64_t>(from < 0 ? from + size : from, 0);
  const int64_t count = std::min(to < 0 ? to + size : to, size - 1) - first + 1;
  count <= 0 ? void(c.array(0)) : c.list(std::views::counted(items.begin() + first, count));
}
void keys(Client& c, Args a) {
  const auto fits = [&](const string& key) { return !fnmatch(a[1].c_str(), key.c_str(), 0); };
  c.list(std::views::keys(database) | std::views::filter(fits));
}
void config(Client& c, Args a) {  // what redis-benchmark asks for
  if (!is(a[1], "get") || !(is(a[2], "save") || is(a[2], "appendonly"))) return void(c.array(0));
  c.array(2).bulk(a[2]).bulk(is(a[2], "save") ? "" : "no");
}
void subscribe(Client& c, Args a) {
  for (Client::subscribers.insert(&c); const string& name : a.subspan(1)) {
    c.channels.insert(name), c.array(3).bulk("subscribe").bulk(name).integer(c.channels.size());
  }
}
void publish(Client& c, Args a) {
  c.integer(count_if(Client::subscribers, [&](Client* to) {
    if (!to->channels.contains(a[1])) return false;
    to->array(3).bulk("message").bulk(a[1]).bulk(a[2]).send();
    if (to->socket.writableLength() > maxUnread) to->socket.destroy();
    return true;
  }));
}
void expire(Client& c, Args a) {
  const char* invalid = "ERR invalid expire time in 'expire' command";
  const auto rest = 1s * (integer(a[2]), integer(a[2], -maxSeconds, maxSeconds, invalid));
  c.integer(int{expireAt(a[1], steady_clock::now() + rest)});
}
using Command = std::tuple<string, int, void (*)(Client&, Args)>;
// clang-format off: name, arity (-2: two or more), what it does
const std::vector<Command> commands = {
    {"get", 2, get}, {"set", -3, set}, {"mget", -2, mget}, {"mset", -3, mset}, {"del", -2, del},
    {"exists", -2, exists}, {"incr", 2, incr}, {"expire", 3, expire}, {"ttl", 2, ttl},
    {"lpush", -3, push}, {"rpush", -3, push}, {"lrange", 4, lrange}, {"keys", 2, keys},
    {"dbsize", 1, dbsize}, {"flushall", -1, flushall}, {"ping", -1, ping}, {"echo", 2, echo},
    {"command", -1, command}, {"info", -1, info}, {"config", 3, config},
    {"subscribe", -2, subscribe}, {"publish", 3, publish}, {"shutdown", -1, quit}};
// clang-format on

void execute(Client& c, Args a) try {
  for (const int size = static_cast<int>(a.size()); const auto& [name, arity, run] : commands) {
    if (!is(a[0], name.c_str())) continue;
    if (arity < 0 ? size < -arity : size != arity)
      throw Failure("ERR wrong number of arguments for '" + name + "' command");
    return run(c, a);
  }
  string text = "ERR unknown command '" + a[0].substr(0, 128) + "', with args beginning with: ";
  for (const string& arg : a.subspan(1))
    if (text.size() < 300) text += "'" + arg.substr(0, 128) + "' ";
  throw Failure(text);
} catch (const Failure& failure) {
  c.error(failure.what());
}

leat::Task<> serve(leat::net::Socket socket) {
  Client c{socket};
  try {
    for (std::optional<string_view> text;; c.args.clear()) {
      while (!(text = c.reader.line(maxLine))) co_await c.more();
      if (text->starts_with('*')) {
        auto left = integer(text->substr(1), INT64_MIN, maxArguments, "invalid multibulk length");
        for (; left > 0; --left) {
          while (!(text = c.reader.line(maxLine))) co_await c.more();
          if (!text->starts_with('$'))
            throw Failure("expected '$', got '"s.append(*text, 0, 1) + "'");
          const auto size = size_t(integer(text->substr(1), 0, maxBulk, "invalid bulk length"));
          while (c.reader.unread().size() < size + 2) co_await c.more();
          c.args.emplace_back(c.reader.bytes(size + 2)->substr(0, size));
        }
      } else {  // as a person types it
        for (const auto word : std::views::split(*text, ' '))
          if (!word.empty()) c.args.emplace_back(word.begin(), word.end());
      }
      if (!c.args.empty()) execute(c, c.args);
      if (c.out.size() > maxReplies) co_await c.send();
    }
  } catch (const Failure& failure) {  // not the protocol
    c.error("ERR Protocol error: "s + failure.what());
  } catch (const leat::RangeError&) {
    c.error("ERR Protocol error: too big inline request");
  } catch (const leat::Error&) {  // the client has gone, or the server stops
  }
  (void)socket.end(c.out);
}

leat::Task<> start(int port, leat::AbortController stopping) {
  auto server = co_await listen(serve, {.port = port, .host = "127.0.0.1"}, {.noDelay = true});
  std::printf("listening on %d\n", server.address().port()), std::fflush(stdout);
  co_await leat::nextSignal(SIGTERM, SIGINT);
  (void)server.close();
  stopping.abort();  // who waits for a client ends; what was written is still sent, for 5 s
  leat::setTimeout([] { EventLoop::current().stop(); }, 5s).unref();
}

int main(int argc, char** argv) try {
  const bool asked = argc == 3 && argv[1] == "--port"sv;
  if (argc > 1 && !asked) throw Failure("usage: mini_redis [--port PORT]");
  const int port = asked ? int(integer(argv[2], 0, 65535, "--port: no number to 65535")) : 6379;
  leat::AbortController stopping;
  return leat::run([&] { return leat::withSignal(stopping.signal(), start(port, stopping)); });
} catch (const Failure& failure) {
  return std::fprintf(stderr, "%s\n", failure.what()), 2;
}
