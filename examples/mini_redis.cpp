// SPDX-License-Identifier: MIT
// A small Redis: one thread, one loop, one coroutine for each client. redis-cli and redis-benchmark
// take it for the real one. Usage: mini_redis [--port PORT]; 0 is any free port.
#include "resp.hpp"

#include <leat.hpp>

#include <fnmatch.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <deque>
#include <set>
#include <unordered_map>
#include <variant>

namespace {

using namespace std::literals;
using resp::Args, resp::Failure, resp::is, resp::ok, resp::Rest;
using std::int64_t, std::string, std::string_view;
using std::chrono::milliseconds, Clock = std::chrono::steady_clock;
using List = std::deque<string>;

constexpr std::size_t maxReplies = 64 << 10;  // bytes that are collected before they are sent
constexpr std::size_t maxUnread = 32 << 20;   // bytes that a subscriber may leave unread
constexpr milliseconds maxLifetime = 24h * 365 * 100;
constexpr milliseconds maxTimeout = 24h * 24;  // of setTimeout

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

/// The value of a key, or null. Throws: Failure when it is of another kind.
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

/// Removes the key when it is time; what is too far away for one timer takes several.
void expireAt(string_view key, Clock::time_point deadline) {
  auto& [name, entry] = *entries.find(key);
  const auto due = [&name, deadline] {
    Clock::now() < deadline ? expireAt(name, deadline) : void(entries.erase(name));
  };
  const Clock::duration rest = std::min<Clock::duration>(deadline - Clock::now(), maxTimeout);
  leat::clearTimeout(entry.timer);
  entry.timer = leat::setTimeout(due, rest).unref();
  entry.deadline = deadline;
}

milliseconds lifetime(int64_t count, milliseconds unit, const string& command) {
  if (std::abs(count) <= maxLifetime / unit) return count * unit;
  throw Failure("ERR invalid expire time in '" + command + "' command");
}

// ---- the clients ----

struct Client;
std::set<std::pair<string, Client*>> subscriptions;

struct Client {
  leat::net::Socket socket;
  resp::Requests requests{};
  resp::Replies replies{};
  std::set<string, std::less<>> channels{};
  bool leaving = false;

  ~Client() {
    for (const string& channel : channels) subscriptions.erase({channel, this});
  }
};

// ---- the commands ----

void addStrings(resp::Commands<Client>& redis) {
  redis.on("get", [](string_view key) { return find<string>(key); });
  redis.on("set",
           [](string_view key, string_view value, Rest options) -> std::optional<resp::Status> {
             bool nx = false, xx = false;
             auto rest = 0ms;
             for (; !options.empty(); options = options.subspan(1)) {
             }
             if (entries.contains(key) ? nx : xx) return std::nullopt;
             assign(key, value);
             if (rest > 0ms) expireAt(key, Clock::now() + rest);
             return ok;
           });
  redis.on("mset", [](Args pairs) {
    if (pairs.size() % 2 == 1) throw resp::wrongArity("mset");
    for (; !pairs.empty(); pairs = pairs.subspan(2)) assign(pairs[0], pairs[1]);
    return ok;
  });
  redis.on("mget", [](Args keys) {
    std::vector<const string*> values;
    for (string_view key : keys) {
      const auto at = entries.find(key);
      values.push_back(at == entries.end() ? nullptr : std::get_if<string>(&at->second.value));
    }
    return values;
  });
  redis.on("incr", [](string_view key) {
    const string* text = find<string>(key);
    const int64_t value = text != nullptr ? resp::integer(*text) : 0;
    if (value == INT64_MAX) throw Failure("ERR increment or decrement would overflow");
    obtain(key).value = std::to_string(value + 1);
    return value + 1;
  });
}

void addLists(resp::Commands<Client>& redis) {
  redis.on("lpush", [](string_view key, Args items) {
    List& list = obtainList(key);
    for (string_view item : items) list.emplace_front(item);
    return list.size();
  });
  redis.on("rpush", [](string_view key, Args items) {
    List& list = obtainList(key);
    for (string_view item : items) list.emplace_back(item);
    return list.size();
  });
  redis.on("lrange", [](string_view key, int64_t first, int64_t last) {
    std::vector<string_view> items;
    const List* list = find<List>(key);
    const int64_t size = list != nullptr ? std::ssize(*list) : 0;
    first = std::max(first < 0 ? first + size : first, int64_t{0});
    last = std::min(last < 0 ? last + size : last, size - 1);
    for (; first <= last; ++first) items.push_back((*list)[static_cast<std::size_t>(first)]);
    return items;
  });
}

void addKeys(resp::Commands<Client>& redis) {
  redis.on("del", [](Args keys) {
    return std::count_if(keys.begin(), keys.end(),
                         [](auto key) { return entries.erase(string(key)) > 0; });
  });
  redis.on("exists", [](Args keys) {
    return std::count_if(keys.begin(), keys.end(), [](auto key) { return entries.contains(key); });
  });
  redis.on("expire", [](string_view key, int64_t seconds) {
    const auto rest = lifetime(seconds, 1s, "expire");
    const auto at = entries.find(key);
    if (at == entries.end()) return 0;
    rest > 0ms ? expireAt(key, Clock::now() + rest) : void(entries.erase(at));
    return 1;
  });
  redis.on("ttl", [](string_view key) -> int64_t {
    const auto at = entries.find(key);
    if (at == entries.end()) return -2;
    return at->second.timer.active() ? (at->second.deadline - Clock::now() + 500ms) / 1s : -1;
  });
  redis.on("keys", [](string_view pattern) {
    std::vector<string_view> found;
    for (const auto& [key, entry] : entries)
      if (fnmatch(string(pattern).c_str(), key.c_str(), 0) == 0) found.push_back(key);
    return found;
  });
  redis.on("dbsize", [] { return entries.size(); });
  redis.on("flushall", [](Rest) {
    entries.clear();
    return ok;
  });
}
