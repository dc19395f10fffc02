// SPDX-License-Identifier: MIT
// A small Redis: one thread, one loop, one coroutine for each client. redis-cli and redis-benchmark
// take it for the real one. Usage: mini_redis [--port PORT]; 0 is any free port.
#include <leat.hpp>

#include <fnmatch.h>
#include <strings.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <deque>
#include <set>
#include <unordered_map>
#include <variant>

using namespace std::literals;
using Args = std::span<const std::string_view>;  // of a command; its name comes first
using Clock = std::chrono::steady_clock;
using Failure = std::invalid_argument;  // what a client did wrong, in the words of Redis
using List = std::deque<std::string>;
using std::string_view, std::string;

constexpr long long maxArguments = 1 << 20, maxCommand = 512 << 20, maxSeconds = 1LL << 32;
constexpr size_t usualBuffer = 16 << 10;
constexpr size_t maxLine = 64 << 10, maxReplies = 64 << 10, maxUnread = 32 << 20;

bool is(string_view text, string_view word) {
  return text.size() == word.size() && strncasecmp(text.data(), word.data(), word.size()) == 0;
}

long long number(string_view text, long long least = INT64_MIN, long long most = INT64_MAX,
                 const char* otherwise = "ERR value is not an integer or out of range") {
  long long value = 0;
  const auto [stop, error] = std::from_chars(text.begin(), text.end(), value);
  const bool padded = text.starts_with("-0") || (text.starts_with('0') && text != "0");
  if (error != std::errc() || stop != text.end() || padded || value < least || value > most)
    throw Failure(otherwise);
  return value;
}

// ---- the data ----

struct Hash : std::hash<string_view> {
  using is_transparent = void;
};
struct Entry {
  ~Entry() { leat::clearTimeout(timer); }
  std::variant<string, List> value;
  Clock::time_point deadline;  // while the timer is active
  leat::Timeout timer;
};
std::unordered_map<string, Entry, Hash, std::equal_to<>> entries;

template <class T>
T* find(string_view key) {
  const auto at = entries.find(key);
  if (at == entries.end()) return nullptr;
  if (T* value = std::get_if<T>(&at->second.value)) return value;
  throw Failure("WRONGTYPE Operation against a key holding the wrong kind of value");
}

Entry& obtain(string_view key) {
  const auto at = entries.find(key);
  return at != entries.end() ? at->second : entries[string(key)];
}

void assign(string_view key, string_view value) {
  Entry& entry = obtain(key);
  entry.value.emplace<string>(value);
  leat::clearTimeout(entry.timer);
}

/// Removes a key when it is time. A timer waits 24 days at most; then comes another one.
void expireAt(string_view key, Clock::time_point deadline) {
  auto& [name, entry] = *entries.find(key);
  const auto due = [&name, deadline] {
    Clock::now() < deadline ? expireAt(name, deadline) : void(entries.erase(name));
  };
  entry.deadline = deadline;
  leat::clearTimeout(entry.timer);
  const auto rest = std::min<Clock::duration>(deadline - Clock::now(), 24h * 24);
  entry.timer = leat::setTimeout(due, rest).unref();
}

/// Throws: Failure.
std::chrono::milliseconds lifetime(string_view text, bool seconds, const string& command) {
  const long long count = number(text), most = seconds ? maxSeconds : maxSeconds * 1000;
  if (count < -most || count > most || (count <= 0 && command == "set"))
    throw Failure("ERR invalid expire time in '" + command + "' command");
  return std::chrono::milliseconds(seconds ? count * 1000 : count);
}

// ---- a client ----

class Client;
std::set<std::pair<string, Client*>> subscriptions;

class Client {
 public:
  explicit Client(leat::net::Socket socket) : socket_(std::move(socket)) {}
  ~Client() {
    for (const auto& channel : channels_) subscriptions.erase({channel, this});
  }
  leat::Task<> serve() {
    try {
      while (!closing_) execute(co_await next());
    } catch (const Failure& failure) {  // not the protocol
      line('-', "ERR Protocol error: "s + failure.what());
    } catch (const leat::Error&) {  // the client has gone, or the server stops
    }
    (void)socket_.end(out_);
  }

 private:
  /// The next command as soon as it is there; its arguments are views into the buffer.
  leat::Task<Args> next() {
    begin_ = at_, args_.clear();
    if (out_.size() > maxReplies) co_await flush();
    string_view line = co_await this->line();
    if (!line.starts_with('*')) co_return words(line);
    auto missing = number(line.substr(1), INT64_MIN, maxArguments, "invalid multibulk length");
    for (; missing > 0; --missing) {
      line = co_await this->line();
      if (!line.starts_with('$')) throw Failure("expected '$', got '"s.append(line, 0, 1) + "'");
      const auto most = maxCommand - static_cast<long long>(at_ - begin_);
      const auto size = static_cast<size_t>(number(line.substr(1), 0, most, "invalid bulk length"));
      while (end_ - at_ < size + 2) co_await more();
      args_.emplace_back(&in_[at_], size);
      at_ += size + 2;
    }
    co_return args_;
  }
  leat::Task<string_view> line() {
    size_t size;
    while ((size = string_view(&in_[at_], end_ - at_).find('\n')) == string_view::npos) {
      if (end_ - at_ > maxLine) throw Failure("too big inline request");
      co_await more();
    }
    const string_view line(&in_[at_], size);
    at_ += size + 1;
    co_return line.substr(0, size - line.ends_with('\r'));
  }
  Args words(string_view line) {
    while (!line.empty()) {
      const size_t size = std::min(line.find(' '), line.size());
      if (size > 0) args_.push_back(line.substr(0, size));
      line.remove_prefix(std::min(size + 1, line.size()));
    }
    return args_;
  }
  /// Everything is answered: sends the replies and waits for more bytes.
  leat::Task<> more() {
    co_await flush();
    if (begin_ == end_) begin_ = at_ = end_ = 0;
    if (end_ + 1 >= in_.size()) {
      std::vector<char> larger(std::max(usualBuffer, 2 * (end_ - begin_)));
      const char* old = &in_[begin_];
      std::copy(old, old + (end_ - begin_), larger.data());
      for (auto& arg : args_) arg = {larger.data() + (arg.data() - old), arg.size()};
      at_ -= begin_, end_ -= begin_, begin_ = 0;
      in_.swap(larger);
    }
    const size_t count = co_await socket_.read(std::span(in_).subspan(end_));
    if (count == 0) throw leat::Error("the client has ended");
    end_ += count;
  }
  /// Waits while the client does not read.
  leat::Task<> flush() {
    const auto room = socket_.write(out_);
    out_.clear();
    if (!room) co_await room;
  }
  void execute(Args args);
  void receive(Args message) {
    strings(std::array{"message"sv, message[1], message[2]});
    (void)socket_.write(std::exchange(out_, {}));
    if (socket_.writableLength() > maxUnread) socket_.destroy();
  }

  // ---- replies ----

  void line(char kind, string_view text) { out_.append(1, kind).append(text).append("\r\n"); }
  void ok() { line('+', "OK"); }
  void null() { line('$', "-1"); }
  void integer(long long value) { line(':', std::to_string(value)); }
  void array(size_t size) { line('*', std::to_string(size)); }
  void bulk(string_view bytes) {
    line('$', std::to_string(bytes.size()));
    out_.append(bytes).append("\r\n");
  }
  void text(const string* bytes) { bytes ? bulk(*bytes) : null(); }
  void strings(const auto& all) {
    array(static_cast<size_t>(std::ssize(all)));
    for (const auto& one : all) bulk(one);
  }

  // ---- commands ----

  void ping(Args a) { a.size() > 1 ? bulk(a[1]) : line('+', "PONG"); }
  void echo(Args a) { bulk(a[1]); }
  void get(Args a) { text(find<string>(a[1])); }
  void set(Args a) {
    bool nx = false, xx = false;
    auto rest = 0ms;
    for (size_t i = 3; i < a.size(); ++i) {
      const bool ex = is(a[i], "ex");
      if (is(a[i], "nx") && !xx)
        nx = true;
      else if (is(a[i], "xx") && !nx)
        xx = true;
      else if ((ex || is(a[i], "px")) && rest == 0ms && i + 1 < a.size())
        rest = lifetime(a[++i], ex, "set");
      else
        throw Failure("ERR syntax error");
    }
    if (entries.contains(a[1]) ? nx : xx) return null();
    assign(a[1], a[2]);
    if (rest > 0ms) expireAt(a[1], Clock::now() + rest);
    ok();
  }
  void del(Args a) {
    integer(std::count_if(a.begin() + 1, a.end(),
                          [](auto key) { return entries.erase(string(key)) > 0; }));
  }
  void exists(Args a) {
    integer(std::count_if(a.begin() + 1, a.end(), [](auto key) { return entries.contains(key); }));
  }
  void incr(Args a) {
    const string* text = find<string>(a[1]);
    const long long value = text ? number(*text) : 0;
    if (value == INT64_MAX) throw Failure("ERR increment or decrement would overflow");
    obtain(a[1]).value = std::to_string(value + 1);
    integer(value + 1);
  }
  void expire(Args a) {
    const auto rest = lifetime(a[2], true, "expire");
    const auto at = entries.find(a[1]);
    if (at == entries.end()) return integer(0);
    rest > 0ms ? expireAt(a[1], Clock::now() + rest) : void(entries.erase(at));
    integer(1);
  }
  void ttl(Args a) {
    const auto at = entries.find(a[1]);
    if (at == entries.end()) return integer(-2);
    const auto rest = at->second.deadline - Clock::now() + 500ms;
    integer(at->second.timer.active() ? rest / 1s : -1);
  }
  void mset(Args a) {
    if (a.size() % 2 == 0) throw wrongArity("mset");
    for (; a.size() > 1; a = a.subspan(2)) assign(a[1], a[2]);
    ok();
  }
  void mget(Args a) {
    array(a.size() - 1);
    for (auto key : a.subspan(1)) {
      const auto at = entries.find(key);
      text(at == entries.end() ? nullptr : std::get_if<string>(&at->second.value));
    }
  }
  void push(Args a) {
    if (!find<List>(a[1])) obtain(a[1]).value = List();
    List& list = *find<List>(a[1]);
    for (auto item : a.subspan(2))
      is(a[0], "lpush") ? list.emplace_front(item) : list.emplace_back(item);
    integer(std::ssize(list));
  }
  void lrange(Args a) {
    long long first = number(a[2]), last = number(a[3]);
    const List* list = find<List>(a[1]);
    const long long size = list ? std::ssize(*list) : 0;
    first = std::max(first < 0 ? first + size : first, 0LL);
    last = std::min(last < 0 ? last + size : last, size - 1);
    if (first > last) return array(0);
    strings(std::ranges::subrange(list->begin() + first, list->begin() + last + 1));
  }
  void keys(Args a) {
    std::vector<string_view> found;
    for (const auto& [key, entry] : entries)
      if (fnmatch(string(a[1]).c_str(), key.c_str(), 0) == 0) found.push_back(key);
    strings(found);
  }
  void dbsize(Args) { integer(std::ssize(entries)); }
  void flushall(Args) { entries.clear(), ok(); }
  void command(Args) { array(0); }
  void info(Args) {
    const string_view backend = leat::EventLoop::current().backend();
    bulk("# Server\r\nredis_version:7.0.0\r\nleat_backend:"s.append(backend).append("\r\n"));
  }
  void config(Args a) {
    if (!is(a[1], "get"))
      throw Failure("ERR unknown subcommand '"s.append(a[1]) + "'. Try CONFIG HELP.");
    if (a.size() < 3) throw wrongArity("config|get");
    strings(std::array{a[2], is(a[2], "save") ? ""sv : "no"sv});
  }
  void subscribe(Args a) {
    for (auto channel : a.subspan(1)) {
      channels_.emplace(channel), subscriptions.emplace(channel, this);
      array(3), bulk("subscribe"), bulk(channel), integer(std::ssize(channels_));
    }
  }
  void unsubscribe(Args a) {
    std::vector<string> names(a.begin() + 1, a.end());
    if (a.size() == 1) names.assign(channels_.begin(), channels_.end());
    for (const auto& channel : names) {
      channels_.erase(channel), subscriptions.erase({channel, this});
      array(3), bulk("unsubscribe"), bulk(channel), integer(std::ssize(channels_));
    }
    if (names.empty()) array(3), bulk("unsubscribe"), null(), integer(0);
  }
  void publish(Args a) {
    auto to = subscriptions.lower_bound({string(a[1]), nullptr});
    long long count = 0;
    for (; to != subscriptions.end() && to->first == a[1]; ++to, ++count) to->second->receive(a);
    integer(count);
  }
  void shutdown(Args) { closing_ = true, std::raise(SIGTERM); }

  static Failure wrongArity(string_view name) {
    return Failure("ERR wrong number of arguments for '"s.append(name) + "' command");
  }
  struct Command {
    string_view name;
    long arity;  // with the name; negative: at least
    void (Client::*run)(Args);
  };
  static const Command commands[];

  leat::net::Socket socket_;
  std::set<string> channels_;
  string out_;  // replies not sent yet
  std::vector<char> in_ = std::vector<char>(usualBuffer);
  size_t begin_ = 0, at_ = 0, end_ = 0;  // in there: the command, what was not looked at, the end
  std::vector<string_view> args_;
  bool closing_ = false;
};

const Client::Command Client::commands[] = {{"get", 2, &Client::get},
                                            {"set", -3, &Client::set},
                                            {"ping", -1, &Client::ping},
                                            {"echo", 2, &Client::echo},
                                            {"del", -2, &Client::del},
                                            {"exists", -2, &Client::exists},
                                            {"incr", 2, &Client::incr},
                                            {"expire", 3, &Client::expire},
                                            {"ttl", 2, &Client::ttl},
                                            {"mset", -3, &Client::mset},
                                            {"mget", -2, &Client::mget},
                                            {"lpush", -3, &Client::push},
                                            {"rpush", -3, &Client::push},
                                            {"lrange", 4, &Client::lrange},
                                            {"keys", 2, &Client::keys},
                                            {"dbsize", 1, &Client::dbsize},
                                            {"flushall", -1, &Client::flushall},
                                            {"command", -1, &Client::command},
                                            {"info", -1, &Client::info},
                                            {"config", -2, &Client::config},
                                            {"subscribe", -2, &Client::subscribe},
                                            {"unsubscribe", -1, &Client::unsubscribe},
                                            {"publish", 3, &Client::publish},
                                            {"shutdown", -1, &Client::shutdown}};

void Client::execute(Args args) try {
  if (args.empty()) return;
  const auto* command =
      std::ranges::find_if(commands, [&](auto& c) { return is(args[0], c.name); });
  if (command == std::end(commands)) {
    string text =
        "ERR unknown command '"s.append(args[0], 0, 128) + "', with args beginning with: ";
    for (auto arg : args.subspan(1)) text.append("'").append(arg, 0, 128).append("' ");
    throw Failure(text);
  }
  const long count = std::ssize(args);
  if (command->arity < 0 ? count < -command->arity : count != command->arity)
    throw wrongArity(command->name);
  (this->*command->run)(args);
} catch (const Failure& failure) {
  line('-', failure.what());
}

leat::Task<> serve(leat::net::Socket socket) {
  Client client(std::move(socket));
  co_await client.serve();
}

leat::Task<> listen(int port) {
  leat::AbortController stopping;
  const auto handler = [&](leat::net::Socket socket) {
    return leat::withSignal(stopping.signal(), serve(std::move(socket)));
  };
  const auto server =
      co_await leat::net::listen(handler, {.port = port, .host = "127.0.0.1"}, {.noDelay = true});
  std::printf("listening on %d\n", server.address().port());
  std::fflush(stdout);
  co_await leat::nextSignal(SIGTERM, SIGINT);
  (void)server.close();
  stopping.abort();  // who waits for a client ends; what was written is still sent, for a second
  leat::setTimeout([] { leat::EventLoop::current().stop(); }, 1s).unref();
}

int main(int argc, char** argv) {
  const int port = argc == 3 && argv[1] == "--port"sv ? std::atoi(argv[2]) : 6379;
  return leat::run([port] { return listen(port); });
}
