// SPDX-License-Identifier: MIT
// A small Redis: one thread, one loop, one coroutine for each client. redis-cli and redis-benchmark
// talk to it as to the real one. Usage: mini_redis [--port PORT], where 0 is any free port.
#include <leat.hpp>
#include <leat/loop/signals.hpp>
#include <leat/net/server.hpp>

#include <csignal>
#include <strings.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <climits>
#include <cstdio>
#include <deque>
#include <memory>
#include <set>
#include <stdexcept>
#include <unordered_map>
#include <variant>
#include <vector>

namespace {

using namespace std::literals;
using Args = std::span<const std::string_view>;  // of a command; the first one is its name
using List = std::deque<std::string>;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::size_t usualBuffer = 16 << 10;
constexpr std::size_t maxLine = 64 << 10;        // an inline command, or a line with a length
constexpr std::size_t maxRequest = 512 << 20;    // all arguments of a command
constexpr long long maxArguments = 1 << 20;
constexpr std::size_t maxBatch = 64 << 10;       // replies that are made before they are sent
constexpr std::size_t maxUnread = 32 << 20;      // messages that a subscriber leaves unread
constexpr milliseconds maxTimer = 24h * 24;      // the longest that setTimeout can wait

/// The error that a command ends with.
struct ErrorReply : std::runtime_error {
  using runtime_error::runtime_error;
};
/// A client that does not speak the protocol: it is told, and its connection closed.
struct ProtocolError : std::runtime_error {
  using runtime_error::runtime_error;
};

bool is(std::string_view text, std::string_view word) {
  return text.size() == word.size() && strncasecmp(text.data(), word.data(), word.size()) == 0;
}

std::optional<long long> toInteger(std::string_view text) {
  long long value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  const bool padded = text.starts_with("-0") || (text.size() > 1 && text.starts_with('0'));
  if (error != std::errc() || stop != end || padded) return std::nullopt;
  return value;
}

long long integer(std::string_view text) {
  if (const auto value = toInteger(text)) return *value;
  throw ErrorReply("ERR value is not an integer or out of range");
}

// ---- the protocol ----

/// Cuts the bytes of a client into commands, in place: arguments are views into the buffer.
class Requests {
 public:
  /// Room for more bytes; what `next` gave is gone.
  std::span<char> room();
  void received(std::size_t count) { end_ += count; }
  /// The next whole command, or nothing while bytes are missing. Throws: ProtocolError.
  Args next();

 private:
  bool start();
  bool argument();
  void split(std::string_view line);
  std::optional<std::string_view> line(const char* tooLong);
  void moveTo(std::size_t capacity);

  std::size_t capacity_ = usualBuffer;
  std::unique_ptr<char[]> buffer_ = std::make_unique_for_overwrite<char[]>(capacity_);
  std::size_t begin_ = 0;  // of the command in progress
  std::size_t at_ = 0;     // of what was not looked at
  std::size_t end_ = 0;
  std::vector<std::string_view> args_;
  long long missing_ = 0;  // arguments of the command in progress
  long long length_ = -1;  // of the argument in progress
};

std::span<char> Requests::room() {
  if (begin_ == end_) begin_ = at_ = end_ = 0;
  if (end_ == 0 && capacity_ > usualBuffer) moveTo(usualBuffer);
  if (end_ == capacity_) moveTo(begin_ > 0 ? capacity_ : 2 * capacity_);
  return {buffer_.get() + end_, capacity_ - end_};
}

void Requests::moveTo(std::size_t capacity) {
  auto fresh = std::make_unique_for_overwrite<char[]>(capacity);
  const char* from = buffer_.get() + begin_;
  std::copy(from, from + (end_ - begin_), fresh.get());
  for (auto& arg : args_) arg = {fresh.get() + (arg.data() - from), arg.size()};
  at_ -= begin_;
  end_ -= std::exchange(begin_, 0);
  capacity_ = capacity;
  buffer_ = std::move(fresh);
}

Args Requests::next() {
  do {
    if (missing_ == 0 && !start()) return {};
    while (missing_ > 0)
      if (!argument()) return {};
  } while (args_.empty());  // an empty line, or no arguments
  return args_;
}

bool Requests::start() {
  begin_ = at_;
  args_.clear();
  if (at_ == end_) return false;
  const bool isArray = buffer_[at_] == '*';
  const auto text = line(isArray ? "too big mbulk count string" : "too big inline request");
  if (!text) return false;
  if (!isArray) return split(*text), true;
  missing_ = std::max(toInteger(text->substr(1)).value_or(LLONG_MAX), 0LL);
  if (missing_ > maxArguments) throw ProtocolError("invalid multibulk length");
  return true;
}

bool Requests::argument() {
  if (length_ < 0) {
    const auto text = line("too big bulk count string");
    if (!text) return false;
    if (!text->starts_with('$'))
      throw ProtocolError("expected '$', got '" + std::string(text->substr(0, 1)) + "'");
    length_ = toInteger(text->substr(1)).value_or(-1);
    if (length_ < 0 || static_cast<std::size_t>(length_) + at_ - begin_ > maxRequest)
      throw ProtocolError("invalid bulk length");
  }
  const auto size = static_cast<std::size_t>(length_);
  if (end_ - at_ < size + 2) return false;
  args_.emplace_back(&buffer_[at_], size);
  at_ += size + 2;
  length_ = -1;
  --missing_;
  return true;
}

std::optional<std::string_view> Requests::line(const char* tooLong) {
  const std::string_view rest(&buffer_[at_], end_ - at_);
  const std::size_t size = rest.find('\n');
  if (std::min(size, rest.size()) > maxLine) throw ProtocolError(tooLong);
  if (size == rest.npos) return std::nullopt;
  at_ += size + 1;
  return rest.substr(0, size > 0 && rest[size - 1] == '\r' ? size - 1 : size);
}

/// The words of a command as a person types it.
void Requests::split(std::string_view line) {
  for (;;) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    if (line.empty()) return;
    const bool quoted = line[0] == '"' || line[0] == '\'';
    const std::size_t end = quoted ? line.find(line[0], 1) : std::min(line.find_first_of(" \t"), line.size());
    if (end == line.npos) throw ProtocolError("unbalanced quotes in request");
    args_.push_back(line.substr(quoted, end - quoted));
    line.remove_prefix(end + quoted);
  }
}

/// The replies of a batch.
class Replies {
 public:
  void status(std::string_view text) { line('+', text); }
  void error(std::string_view text) { line('-', text); }
  void integer(long long value) { line(':', std::to_string(value)); }
  void array(std::size_t size) { line('*', std::to_string(size)); }
  void null() { text += "$-1\r\n"; }
  void bulk(std::string_view bytes) {
    line('$', std::to_string(bytes.size()));
    text.append(bytes).append("\r\n");
  }
  std::string text;

 private:
  void line(char kind, std::string_view rest) { (text += kind).append(rest).append("\r\n"); }
};

// ---- the data ----

struct Hash : std::hash<std::string_view> {
  using is_transparent = void;
};
template <class T>
using Map = std::unordered_map<std::string, T, Hash, std::equal_to<>>;

struct Entry {
  ~Entry() { leat::clearTimeout(timer); }
  std::variant<std::string, List> value;
  std::optional<Clock::time_point> deadline;
  leat::Timeout timer;
};

class Database {
 public:
  Entry* find(std::string_view key);
  /// The value of a key, or null. Throws: ErrorReply when it is of the other kind.
  template <class T>
  T* find(std::string_view key);
  Entry& obtain(std::string_view key);
  bool erase(std::string_view key);
  void expire(std::string_view key, milliseconds rest);

 private:
  void arm(const std::string& key, Entry& entry);
  Map<Entry> entries_;
};

