// SPDX-License-Identifier: MIT
// A small Redis: one thread, one loop, one coroutine for each client. redis-cli and redis-benchmark
// take it for the real one. Usage: mini_redis [--port PORT]; 0 is any free port.
#include <leat.hpp>
#include <leat/loop/signals.hpp>
#include <leat/net/server.hpp>

#include <fnmatch.h>
#include <strings.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <climits>
#include <cstdio>
#include <deque>
#include <set>
#include <unordered_map>
#include <variant>
#include <vector>

namespace {

using Args = std::span<const std::string_view>;  // a command; its name comes first
using List = std::deque<std::string>;

constexpr std::size_t usualBuffer = 16 << 10;
constexpr std::size_t maxLine = 64 << 10;
constexpr std::size_t maxReplies = 64 << 10;  // collected before they are sent
constexpr std::size_t maxUnread = 32 << 20;   // by a subscriber
constexpr long long maxArguments = 1 << 20;   // of a command
constexpr long long maxBulk = 512 << 20;      // all arguments of a command
constexpr long long maxTimer = INT_MAX;       // setTimeout waits 24 days at most

/// What a client did wrong, as it is told.
struct Failure {
  std::string text;
};

template <class... Parts>
std::string join(const Parts&... parts) {
  std::string joined;
  (joined.append(parts), ...);
  return joined;
}

bool is(std::string_view text, std::string_view word) {
  return text.size() == word.size() && strncasecmp(text.data(), word.data(), word.size()) == 0;
}

bool matches(std::string_view pattern, const std::string& name) {
  return fnmatch(std::string(pattern).c_str(), name.c_str(), 0) == 0;
}

long long number(std::string_view text, long long least = LLONG_MIN, long long most = LLONG_MAX,
                 const char* otherwise = "ERR value is not an integer or out of range") {
  long long value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  const bool padded = text.starts_with("-0") || (text.size() > 1 && text[0] == '0');
  if (error == std::errc() && stop == end && !padded && value >= least && value <= most) return value;
  throw Failure{otherwise};
}

long long nowMs() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

/// Cuts the bytes of a client into commands, in place: arguments are views into the buffer.
class Requests {
 public:
  /// Where more bytes go. What `next` gave is gone.
  std::span<char> room() {
    if (begin_ == end_) begin_ = at_ = end_ = 0;
    if (end_ == buffer_.size() || (end_ == 0 && buffer_.size() > usualBuffer)) resize();
    return std::span(buffer_).subspan(end_);
  }
  void received(std::size_t count) { end_ += count; }

  /// The next command; empty while bytes are missing.
  Args next() {
    if (missing_ == 0) args_.clear();
    while (missing_ > 0 || args_.empty()) {
      if (missing_ == 0) begin_ = at_;
      const auto bytes = length_ < 0 ? line() : argument();
      if (!bytes) return {};
      if (length_ >= 0) {
        args_.push_back(*bytes);
        length_ = -1;
        --missing_;
      } else if (missing_ > 0) {
        length_ = lengthFrom(*bytes);
      } else if (bytes->starts_with('*')) {
        missing_ = std::max(0LL, number(bytes->substr(1), LLONG_MIN, maxArguments,
                                        "ERR Protocol error: invalid multibulk length"));
      } else {
        splitWords(*bytes);
      }
    }
    return args_;
  }

 private:
  std::optional<std::string_view> line() {
    const std::string_view rest(buffer_.data() + at_, end_ - at_);
    const std::size_t size = rest.find('\n');
    if (std::min(size, rest.size()) > maxLine)
      throw Failure{missing_ > 0 ? "ERR Protocol error: too big bulk count string"
                                 : "ERR Protocol error: too big inline request"};
    if (size == rest.npos) return std::nullopt;
    at_ += size + 1;
    return rest.substr(0, size > 0 && rest[size - 1] == '\r' ? size - 1 : size);
  }
  std::optional<std::string_view> argument() {
    const auto size = static_cast<std::size_t>(length_);
    if (end_ - at_ < size + 2) return std::nullopt;
    return std::string_view(buffer_.data() + std::exchange(at_, at_ + size + 2), size);
  }
  long long lengthFrom(std::string_view line) const {
    if (!line.starts_with('$'))
      throw Failure{join("ERR Protocol error: expected '$', got '", line.substr(0, 1), "'")};
    const auto used = static_cast<long long>(at_ - begin_);
    return number(line.substr(1), 0, maxBulk - used, "ERR Protocol error: invalid bulk length");
  }
  void splitWords(std::string_view line) {
    while (!line.empty()) {
      const std::size_t size = std::min(line.find_first_of(" \t"), line.size());
      if (size > 0) args_.push_back(line.substr(0, size));
      line.remove_prefix(std::min(size + 1, line.size()));
    }
  }
  /// Room for as much again as has come of a command.
  void resize() {
    std::vector<char> fresh(std::max(usualBuffer, 2 * (end_ - begin_)));
    const char* old = buffer_.data() + begin_;
    std::copy(old, old + (end_ - begin_), fresh.data());
    for (auto& arg : args_) arg = {fresh.data() + (arg.data() - old), arg.size()};
    at_ -= begin_;
    end_ -= std::exchange(begin_, 0);
    buffer_.swap(fresh);
  }

  std::vector<char> buffer_ = std::vector<char>(usualBuffer);
  std::size_t begin_ = 0;  // of the command in progress
  std::size_t at_ = 0;     // of the bytes not looked at
  std::size_t end_ = 0;
  std::vector<std::string_view> args_;
  long long missing_ = 0;  // arguments
  long long length_ = -1;  // of the next argument, when known
};

struct Hash : std::hash<std::string_view> {
  using is_transparent = void;
};

struct Entry {
  ~Entry() { leat::clearTimeout(timer); }
  std::variant<std::string, List> value;
  long long deadline = 0;  // 0: none
  leat::Timeout timer;
};

class Store {
 public:
  Entry* find(std::string_view key) {
    const auto at = entries.find(key);
    return at == entries.end() ? nullptr : &at->second;
  }
  template <class T>
  T* find(std::string_view key) {
    Entry* entry = find(key);
    if (entry == nullptr) return nullptr;
    if (T* value = std::get_if<T>(&entry->value)) return value;
    throw Failure{"WRONGTYPE Operation against a key holding the wrong kind of value"};
  }
  Entry& obtain(std::string_view key) {
    Entry* entry = find(key);
    return entry != nullptr ? *entry : entries[std::string(key)];
  }
  void set(std::string_view key, std::string_view value) {
    Entry& entry = obtain(key);
    leat::clearTimeout(entry.timer);
    entry.deadline = 0;
    entry.value.emplace<std::string>(value);
  }
  bool remove(std::string_view key) {
    const auto at = entries.find(key);
    return at != entries.end() && (entries.erase(at), true);
  }
  void expire(std::string_view key, long long ms) {
    auto& [name, entry] = *entries.find(key);
    entry.deadline = nowMs() + ms;
    arm(name, entry);
  }
  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> entries;

 private:
  void arm(const std::string& key, Entry& entry) {
    const auto due = [this, &key, &entry] {
      if (nowMs() < entry.deadline) return arm(key, entry);
      remove(key);
    };
    leat::clearTimeout(entry.timer);
    entry.timer = leat::setTimeout(due, std::clamp(entry.deadline - nowMs(), 1LL, maxTimer)).unref();
  }
};

class Client;

/// What all clients share.
struct Redis {
  Store store;
  std::set<std::pair<std::string, Client*>> subscriptions;
  leat::ManualResetEvent stop;
  std::size_t clients = 0;
};

class Client {
 public:
  Client(Redis& redis, leat::net::Socket socket) : redis_(redis), socket_(std::move(socket)) { ++redis_.clients; }
  ~Client() {
    --redis_.clients;
    for (const std::string& channel : channels_) redis_.subscriptions.erase({channel, this});
  }
  /// Until the end of the connection.
  leat::Task<> serve();

 private:
  struct Command {
    std::string_view name;
    int arity;  // with the name; negative: at least
    void (Client::*run)(Args);
  };
  static const Command commands[];

  bool answer();
  void execute(Args args);
  const Command& commandOf(Args args) const;

  // ---- replies ----
  template <class T>
  void line(char kind, T value) {
    char text[24] = {kind};
    char* end = std::to_chars(text + 1, std::end(text), value).ptr;
    replies_.append(text, end).append("\r\n");
  }
  void ok() { replies_ += "+OK\r\n"; }
  void null() { replies_ += "$-1\r\n"; }
  template <class T>
  void integer(T value) { line(':', value); }
  void array(std::size_t size) { line('*', size); }
  void bulk(std::string_view bytes) {
    line('$', bytes.size());
    replies_.append(bytes).append("\r\n");
  }
  void bulk(const std::string* bytes) { bytes != nullptr ? bulk(*bytes) : null(); }
  template <class Strings>
  void strings(const Strings& all) {
    array(all.size());
    for (const auto& one : all) bulk(one);
  }
  void error(std::string text) {
    std::replace_if(text.begin(), text.end(), [](char c) { return c == '\r' || c == '\n'; }, ' ');
    replies_.append("-").append(text).append("\r\n");
  }

  // ---- commands ----
  void ping(Args args) {
    const std::string_view text = args.size() > 1 ? args[1] : "";
    if (!channels_.empty()) return strings(std::array{"pong"sv, text});
    if (args.size() > 1) return bulk(text);
    replies_ += "+PONG\r\n";
  }
  void echo(Args args) { bulk(args[1]); }
  void get(Args args) { bulk(store_.find<std::string>(args[1])); }
  void set(Args args) {
    bool nx = false, xx = false;
    long long ms = 0;
    for (std::size_t i = 3; i < args.size(); ++i) {
      const bool ex = is(args[i], "ex");
      if (is(args[i], "nx") && !xx) {
        nx = true;
      } else if (is(args[i], "xx") && !nx) {
        xx = true;
      } else if ((ex || is(args[i], "px")) && ms == 0 && i + 1 < args.size()) {
        ms = duration(args[++i], ex ? 1000 : 1, 1, "set");
      } else {
        throw Failure{"ERR syntax error"};
      }
    }
    if (store_.find(args[1]) ? nx : xx) return null();
    store_.set(args[1], args[2]);
    if (ms > 0) store_.expire(args[1], ms);
    ok();
  }
