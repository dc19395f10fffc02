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
#include <map>
#include <set>
#include <unordered_map>
#include <variant>

using namespace std::literals;
using std::size_t, std::string, std::string_view, Clock = std::chrono::steady_clock;
using Args = std::span<const string_view>;  // of a command; its name comes first
using Failure = std::invalid_argument;      // what a client did wrong, in the words of Redis
using List = std::deque<string>;

constexpr long long maxArguments = 1 << 20, maxBulk = 512 << 20, maxSeconds = 1LL << 32;
constexpr size_t maxLine = 64 << 10, maxReplies = 64 << 10, maxUnread = 32 << 20;

bool is(string_view text, string_view word) {
  return text.size() == word.size() && strncasecmp(text.data(), word.data(), word.size()) == 0;
}

long long number(string_view text, long long least = INT64_MIN, long long most = INT64_MAX,
                 const char* otherwise = "ERR value is not an integer or out of range") {
  long long value = 0;
  const auto [stop, error] = std::from_chars(text.begin(), text.end(), value);
  const bool padded = text.starts_with("-0") || (text.starts_with('0') && text != "0");
  if (error == std::errc() && stop == text.end() && !padded && value >= least && value <= most)
    return value;
  throw Failure(otherwise);
}

Failure wrongArity(string_view command) {
  return Failure("ERR wrong number of arguments for '"s.append(command).append("' command"));
}

// ---- the data ----

struct Entry {
  ~Entry() { leat::clearTimeout(timer); }
  std::variant<string, List> value;
  Clock::time_point deadline;  // while the timer is active
  leat::Timeout timer;
};
struct Hash : std::hash<string_view> {
  using is_transparent = void;
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

// ---- clients ----

std::set<std::pair<string, struct Client*>> subscriptions;

struct Client {
  leat::net::Socket socket;
  std::set<string> channels{};
  string out{};  // replies
  bool closing = false;
  std::vector<char> in = std::vector<char>(16 << 10);
  size_t at = 0, end = 0, wanted = 0;  // of the bytes in there; how many a command has at least
  std::vector<string_view> args{};

  ~Client() {
    for (const auto& channel : channels) subscriptions.erase({channel, this});
  }

  /// Cuts out the next command, in place. False while bytes are missing. Throws: Failure.
  bool next() {
    string_view rest(&in[at], end - at), line;
    args.clear();
    if (rest.size() < wanted || !cutLine(rest, line)) return false;
    if (!line.starts_with('*')) {
      for (size_t size; !line.empty(); line.remove_prefix(std::min(size + 1, line.size())))
        if ((size = std::min(line.find(' '), line.size())) > 0)
          args.push_back(line.substr(0, size));
    } else {
      auto missing = number(line.substr(1), INT64_MIN, maxArguments, "invalid multibulk length");
      for (; missing > 0; --missing) {
        wanted = end - at - rest.size() + 6 * missing;  // "$0\r\n\r\n"
        if (!cutLine(rest, line)) return false;
        if (!line.starts_with('$')) throw Failure("expected '$', got '"s.append(line, 0, 1) + "'");
        const size_t size = number(line.substr(1), 0, maxBulk - wanted, "invalid bulk length");
        wanted += size;
        if (rest.size() < size + 2) return false;
        args.push_back(rest.substr(0, size));
        rest.remove_prefix(size + 2);
      }
    }
    at = end - rest.size(), wanted = 0;
    return true;
  }
  static bool cutLine(string_view& rest, string_view& line) {
    const size_t size = rest.find('\n');
    if (size == rest.npos && rest.size() > maxLine) throw Failure("too big inline request");
    if (size == rest.npos) return false;
    line = rest.substr(0, size - (size > 0 && rest[size - 1] == '\r'));
    rest.remove_prefix(size + 1);
    return true;
  }
  /// Where the next bytes go. Doubles a buffer that a command has filled.
  std::span<char> room() {
    std::copy(&in[at], &in[end], in.data());
    end -= std::exchange(at, 0);
    if (end == 0 || end == in.size()) in.resize(std::max<size_t>(16 << 10, 2 * end));
    return std::span(in).subspan(end);
  }

  void line(char kind, string_view text) { out.append(1, kind).append(text).append("\r\n"); }
  void ok() { line('+', "OK"); }
  void null() { line('$', "-1"); }
  void integer(long long value) { line(':', std::to_string(value)); }
  void array(size_t size) { line('*', std::to_string(size)); }
  void bulk(string_view bytes) {
    line('$', std::to_string(bytes.size()));
    out.append(bytes).append("\r\n");
  }
  void text(const string* bytes) { bytes ? bulk(*bytes) : null(); }
  void strings(const auto& all) {
    array(static_cast<size_t>(std::ssize(all)));
    for (const auto& one : all) bulk(one);
  }
};

// ---- commands ----

void ping(Client& c, Args a) { a.size() > 1 ? c.bulk(a[1]) : c.line('+', "PONG"); }
void echo(Client& c, Args a) { c.bulk(a[1]); }
void get(Client& c, Args a) { c.text(find<string>(a[1])); }
void set(Client& c, Args a) {
  bool nx = false, xx = false;
  long long rest = 0, unit = 0;  // in milliseconds
  for (size_t i = 3; i < a.size(); ++i) {
    if (is(a[i], "nx") && !xx)
      nx = true;
    else if (is(a[i], "xx") && !nx)
      xx = true;
    else if ((is(a[i], "ex") || is(a[i], "px")) && unit == 0 && i + 1 < a.size())
      unit = is(a[i], "ex") ? 1000 : 1, rest = number(a[++i]);
    else
      throw Failure("ERR syntax error");
  }
  if (unit > 0 && (rest <= 0 || rest > maxLifetime / unit))
    throw Failure("ERR invalid expire time in 'set' command");
  if (entries.contains(a[1]) ? nx : xx) return c.null();
  assign(a[1], a[2]);
  if (unit > 0) expireIn(a[1], rest * unit * 1ms);
  c.ok();
}
