// SPDX-License-Identifier: MIT
// A small Redis: one thread, one loop, one coroutine for each client. redis-cli and redis-benchmark
// take it for the real one. Usage: mini_redis [--port PORT]; 0 is any free port.
#include <leat.hpp>

#include <csignal>
#include <cstdio>
#include <set>

#include "mini_redis/database.hpp"
#include "mini_redis/resp.hpp"

using namespace std::literals;
using resp::Args, resp::Failure, resp::is, std::string, std::string_view;

constexpr std::size_t maxReplies = 64 << 10, maxUnread = 32 << 20;  // bytes, of one client
constexpr std::int64_t maxSeconds = std::int64_t{1} << 32;          // of a lifetime

class Client;
Database database;
std::set<std::pair<string, Client*>> subscriptions;

/// One connection: what it has asked, and what it is answered.
class Client : resp::Replies {
 public:
  explicit Client(leat::net::Socket socket) : socket_(std::move(socket)) {}
  ~Client() {
    for (const string& channel : channels_) subscriptions.erase({channel, this});
  }
  static leat::Task<> serve(leat::net::Socket socket);

 private:
  static const resp::Command<Client> commands[];
  void execute(Args args);

  void ping(Args a) {
    if (a.size() > 2) throw resp::wrongArity("ping");
    if (!channels_.empty()) return list(std::array{"pong"sv, a.size() > 1 ? a[1] : ""sv});
    a.size() > 1 ? bulk(a[1]) : status("PONG");
  }
  void echo(Args a) { bulk(a[1]); }
  void get(Args a) { bulkOrNull(database.get<string>(a[1])); }
  void set(Args a) {
    bool nx = false, xx = false;
    std::int64_t rest = 0;  // in milliseconds
    for (std::size_t i = 3; i < a.size(); ++i) {
      const int unit = is(a[i], "ex") ? 1000 : is(a[i], "px") ? 1 : 0;
      if (unit > 0 && rest == 0 && i + 1 < a.size()) {
        rest = unit * resp::integer(a[++i], 1, maxSeconds * 1000 / unit,
                                    "ERR invalid expire time in 'set' command");
      } else if (is(a[i], "nx") && !xx) {
        nx = true;
      } else if (is(a[i], "xx") && !nx) {
        xx = true;
      } else {
        throw Failure("ERR syntax error");
      }
    }
    if (database.contains(a[1]) ? nx : xx) return null();
    database.set(a[1], a[2]);
    if (rest > 0) database.expireAt(a[1], Clock::now() + rest * 1ms);
    status("OK");
  }
  void del(Args a) {
    const auto remove = [](string_view key) { return database.remove(key); };
    integer(std::count_if(a.begin() + 1, a.end(), remove));
  }
  void exists(Args a) {
    const auto there = [](string_view key) { return database.contains(key); };
    integer(std::count_if(a.begin() + 1, a.end(), there));
  }
  void incr(Args a) {
    const string* text = database.get<string>(a[1]);
    const long long value = text ? resp::integer(*text) : 0;
    if (value == INT64_MAX) throw Failure("ERR increment or decrement would overflow");
    database.obtain(a[1]).value = std::to_string(value + 1);
    integer(value + 1);
  }
  void expire(Args a) {
    const auto rest =
        resp::integer(a[2], -maxSeconds, maxSeconds, "ERR invalid expire time in 'expire' command");
    if (!database.contains(a[1])) return integer(0);
    rest > 0 ? database.expireAt(a[1], Clock::now() + rest * 1s) : void(database.remove(a[1]));
    integer(1);
  }
  void ttl(Args a) {
    const auto at = database.find(a[1]);
    if (at == database.end()) return integer(-2);
    const auto rest = at->second.deadline - Clock::now() + 500ms;
    integer(at->second.expires() ? rest / 1s : -1);
  }
  void mset(Args a) {
    if (a.size() % 2 == 0) throw resp::wrongArity("mset");
    for (; a.size() > 1; a = a.subspan(2)) database.set(a[1], a[2]);
    status("OK");
  }
  void mget(Args a) {
    array(a.size() - 1);
    for (string_view key : a.subspan(1)) {
      const auto at = database.find(key);
      bulkOrNull(at != database.end() ? std::get_if<string>(&at->second.value) : nullptr);
    }
  }
  void push(Args a) {
    if (!database.get<List>(a[1])) database.obtain(a[1]).value = List();
    List& list = *database.get<List>(a[1]);
    const bool left = is(a[0], "lpush");
    for (string_view item : a.subspan(2)) left ? list.emplace_front(item) : list.emplace_back(item);
    integer(list.size());
  }
  void lrange(Args a) {
    std::int64_t first = resp::integer(a[2]), last = resp::integer(a[3]);
    const List* items = database.get<List>(a[1]);
    const std::int64_t size = items ? std::ssize(*items) : 0;
    first = std::max<std::int64_t>(first < 0 ? first + size : first, 0);
    last = std::min(last < 0 ? last + size : last, size - 1);
    if (first > last) return array(0);
    list(std::ranges::subrange(items->begin() + first, items->begin() + last + 1));
  }
  void keys(Args a) {
    std::vector<string_view> found;
    for (const auto& [key, entry] : database)
      if (matches(a[1], key)) found.push_back(key);
    list(found);
  }
  void dbsize(Args) { integer(database.size()); }
  void flushall(Args) { database.clear(), status("OK"); }
  void command(Args) { array(0); }
  void info(Args) {
    const string backend(leat::EventLoop::current().backend());
    bulk("# Server\r\nredis_version:7.0.0\r\nleat_backend:" + backend + "\r\n");
  }
  void config(Args a) {
    static constexpr std::pair<string_view, string_view> settings[] = {{"appendonly", "no"},
                                                                       {"save", ""}};
    if (!is(a[1], "get"))
      throw Failure("ERR unknown subcommand '" + string(a[1]) + "'. Try CONFIG HELP.");
    if (a.size() < 3) throw resp::wrongArity("config|get");
    std::vector<string_view> found;
    for (const auto& [name, value] : settings)
      if (matches(a[2], name)) found.insert(found.end(), {name, value});
    list(found);
  }
  void subscribe(Args a) {
    for (string_view channel : a.subspan(1)) {
      subscriptions.emplace(channel, this);
      channels_.emplace(channel);
      confirm("subscribe", channel);
    }
  }
  void unsubscribe(Args a) {
    std::vector<string> names(a.begin() + 1, a.end());
    if (names.empty()) names.assign(channels_.begin(), channels_.end());
    if (names.empty()) return confirm("unsubscribe", std::nullopt);
    for (const string& channel : names) {
      subscriptions.erase({channel, this});
      channels_.erase(channel);
      confirm("unsubscribe", channel);
    }
  }
  void confirm(string_view what, std::optional<string_view> channel) {
    array(3);
    bulk(what);
    channel ? bulk(*channel) : null();
    integer(channels_.size());
  }
  void publish(Args a) {
    auto to = subscriptions.lower_bound({string(a[1]), nullptr});
    int count = 0;
    for (; to != subscriptions.end() && to->first == a[1]; ++to, ++count) to->second->receive(a);
    integer(count);
  }
  void receive(Args a) {
    list(std::array{"message"sv, a[1], a[2]});
    (void)socket_.write(text());
    clear();
    if (socket_.writableLength() > maxUnread) socket_.destroy();
  }
  void shutdown(Args) { leaving_ = true, std::raise(SIGTERM); }

  leat::net::Socket socket_;
  resp::Requests requests_;
  std::set<string> channels_;
  bool leaving_ = false;
};

const resp::Command<Client> Client::commands[] = {  // the frequent ones first
                                                    // clang-format off
    {"get", 2, &Client::get}, {"set", -3, &Client::set}, {"del", -2, &Client::del},
    {"mget", -2, &Client::mget}, {"mset", -3, &Client::mset}, {"incr", 2, &Client::incr},
    {"exists", -2, &Client::exists}, {"expire", 3, &Client::expire}, {"ttl", 2, &Client::ttl},
    {"lpush", -3, &Client::push}, {"rpush", -3, &Client::push}, {"lrange", 4, &Client::lrange},
    {"keys", 2, &Client::keys}, {"dbsize", 1, &Client::dbsize}, {"flushall", -1, &Client::flushall},
    {"ping", -1, &Client::ping}, {"echo", 2, &Client::echo}, {"info", -1, &Client::info},
    {"command", -1, &Client::command}, {"config", -2, &Client::config}, {"publish", 3, &Client::publish},
    {"subscribe", -2, &Client::subscribe}, {"unsubscribe", -1, &Client::unsubscribe},
    {"shutdown", -1, &Client::shutdown}};
// clang-format on

void Client::execute(Args args) try {
  const auto run = resp::findCommand(std::span(commands), args).run;
  if (!channels_.empty() && run != &Client::subscribe && run != &Client::unsubscribe &&
      run != &Client::ping)
    throw resp::notWhileSubscribed(args[0]);
  (this->*run)(args);
} catch (const Failure& failure) {
  error(failure.what());
}

leat::Task<> Client::serve(leat::net::Socket socket) {
  Client client(std::move(socket));
  try {
    while (!client.leaving_) {
      const Args args = client.requests_.next();
      if (!args.empty()) client.execute(args);
      if (!args.empty() && client.text().size() < maxReplies) continue;
      const auto room = client.socket_.write(client.text());
      client.clear();
      if (!room) co_await room;
      if (!args.empty()) continue;
      const std::size_t count = co_await client.socket_.read(client.requests_.room());
      if (count == 0) break;
      client.requests_.received(count);
    }
  } catch (const Failure& failure) {  // not the protocol
    client.error(failure.what());
  } catch (const leat::Error&) {  // the client has gone, or the server stops
  }
  (void)client.socket_.end(client.text());
}

leat::Task<> listen(int port) {
  leat::AbortController stopping;
  const auto handler = [&](leat::net::Socket socket) {
    return leat::withSignal(stopping.signal(), Client::serve(std::move(socket)));
  };
  const auto server =
      co_await leat::net::listen(handler, {.port = port, .host = "127.0.0.1"}, {.noDelay = true});
  std::printf("listening on %d\n", server.address().port());
  std::fflush(stdout);
  co_await leat::nextSignal(SIGTERM, SIGINT);
  (void)server.close();
  stopping.abort();  // who waits for a client ends; what was written is still sent, for 5 s
  leat::setTimeout([] { leat::EventLoop::current().stop(); }, 5s).unref();
}

int main(int argc, char** argv) {
  const int port = argc == 3 && argv[1] == "--port"sv ? std::atoi(argv[2]) : 6379;
  return leat::run([port] { return listen(port); });
}
