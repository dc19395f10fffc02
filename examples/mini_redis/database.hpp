// SPDX-License-Identifier: MIT
// The keys of mini_redis: strings and lists, each of which may have a timer that removes it.
#pragma once

#include <leat/timers.hpp>

#include <fnmatch.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>

#include "resp.hpp"

using Clock = std::chrono::steady_clock;
using List = std::deque<std::string>;

/// Whether a name fits a pattern with * ? [a-z].
inline bool matches(std::string_view pattern, std::string_view name) {
  return fnmatch(std::string(pattern).c_str(), std::string(name).c_str(), 0) == 0;
}

/// Finds strings by views of them.
struct ViewHash : std::hash<std::string_view> {
  using is_transparent = void;
};

struct Entry {
  ~Entry() { leat::clearTimeout(timer); }
  bool expires() const { return timer.active(); }
  std::variant<std::string, List> value;
  Clock::time_point deadline;  // if it expires
  leat::Timeout timer;
};

class Database : public std::unordered_map<std::string, Entry, ViewHash, std::equal_to<>> {
 public:
  /// The value of a key, or null. Throws: Failure when it is of another kind.
  template <class T>
  T* get(std::string_view key) {
    const auto at = find(key);
    if (at == end()) return nullptr;
    if (T* value = std::get_if<T>(&at->second.value)) return value;
    throw resp::Failure("WRONGTYPE Operation against a key holding the wrong kind of value");
  }
  Entry& obtain(std::string_view key) {
    const auto at = find(key);
    return at != end() ? at->second : (*this)[std::string(key)];
  }
  void set(std::string_view key, std::string_view value) {
    Entry& entry = obtain(key);
    entry.value.emplace<std::string>(value);
    leat::clearTimeout(entry.timer);
  }
  /// Of a key that is there.
  void expireAt(std::string_view key, Clock::time_point deadline) {
    auto& [name, entry] = *find(key);
    entry.deadline = deadline;
    startTimer(name, entry);
  }
  bool remove(std::string_view key) {
    const auto at = find(key);
    if (at == end()) return false;
    erase(at);
    return true;
  }

 private:
  /// A timer can wait 24 days: a deadline behind that takes several.
  void startTimer(const std::string& key, Entry& entry) {
    constexpr Clock::duration longest = std::chrono::hours(24 * 24);
    const auto due = [this, &key, &entry] {
      Clock::now() < entry.deadline ? startTimer(key, entry) : void(remove(key));
    };
    leat::clearTimeout(entry.timer);
    entry.timer = leat::setTimeout(due, std::min(entry.deadline - Clock::now(), longest)).unref();
  }
};
