// SPDX-License-Identifier: MIT
// RESP2, the protocol of Redis: cuts the bytes of a client into commands, and words the replies.
#pragma once

#include <strings.h>

#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace resp {

using Args = std::span<const std::string_view>;

/// What a client did wrong, in the words of Redis.
struct Failure : std::runtime_error {
  using runtime_error::runtime_error;
};
inline Failure wrongArity(std::string_view command) {
  return Failure("ERR wrong number of arguments for '" + std::string(command) + "' command");
}

// The limits of Redis; but that of a bulk string holds for all strings of a command together.
constexpr std::size_t maxLine = 64 << 10;
constexpr std::int64_t maxArguments = 1 << 20;
constexpr std::int64_t maxCommand = 512 << 20;
constexpr std::size_t usualBuffer = 16 << 10;

inline bool is(std::string_view text, std::string_view word) {
  return text.size() == word.size() && strncasecmp(text.data(), word.data(), word.size()) == 0;
}

/// An integer as Redis takes it: no blanks, no plus sign, no leading zeros.
inline std::optional<std::int64_t> toInteger(std::string_view text) {
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.begin(), text.end(), value);
  const bool padded = text.starts_with("-0") || (text.starts_with('0') && text.size() > 1);
  if (error != std::errc() || stop != text.end() || padded) return std::nullopt;
  return value;
}
/// Throws: Failure.
inline std::int64_t integer(std::string_view text) {
  if (const auto value = toInteger(text)) return *value;
  throw Failure("ERR value is not an integer or out of range");
}
inline std::int64_t integer(std::string_view text, std::int64_t least, std::int64_t most,
                            const char* outside) {
  const std::int64_t value = integer(text);
  if (value < least || value > most) throw Failure(outside);
  return value;
}

// ---- from bytes to commands ----

/// Cuts what a client sends into commands, in place: arguments are views.
class Requests {
 public:
  /// Where more bytes go. The command that `next` gave is gone.
  std::span<char> room();
  void received(std::size_t count) { end_ += count; }
  /// The next command, its name first. Empty while bytes are missing. Throws: Failure; then there is
  /// no next one.
  Args next();

 private:
  bool line(std::string_view& line);
  bool argument();
  void splitWords(std::string_view line);
  void moveTo(std::size_t capacity);

  std::vector<char> bytes_ = std::vector<char>(usualBuffer);
  std::size_t begin_ = 0;  // of the command in progress
  std::size_t at_ = 0;     // of what was not looked at
  std::size_t end_ = 0;
  std::vector<std::string_view> args_;
  std::int64_t missing_ = 0;  // arguments of the command in progress
  std::int64_t length_ = -1;  // of the next one, when it is known
};

inline std::span<char> Requests::room() {
  if (begin_ == end_) {
    begin_ = at_ = end_ = 0;
    if (bytes_.size() > usualBuffer) moveTo(usualBuffer);
  } else if (end_ == bytes_.size()) {
    moveTo(std::max(usualBuffer, 2 * (end_ - begin_)));
  }
  return std::span(bytes_).subspan(end_);
}

/// The command in progress, to the front of another buffer.
inline void Requests::moveTo(std::size_t capacity) {
  std::vector<char> fresh(capacity);
  const char* old = bytes_.data() + begin_;
  std::copy(old, old + (end_ - begin_), fresh.data());
  for (auto& arg : args_) arg = {fresh.data() + (arg.data() - old), arg.size()};
  at_ -= begin_;
  end_ -= begin_;
  begin_ = 0;
  bytes_.swap(fresh);
}

inline Args Requests::next() {
  if (missing_ == 0) args_.clear();
  while (missing_ > 0 || args_.empty()) {
    if (missing_ > 0) {
      if (!argument()) return {};
      continue;
    }
    begin_ = at_;
    std::string_view text;
    if (!line(text)) return {};
    if (text.starts_with('*')) {
      missing_ = std::max<std::int64_t>(toInteger(text.substr(1)).value_or(INT64_MAX), 0);
      if (missing_ > maxArguments) throw Failure("ERR Protocol error: invalid multibulk length");
    } else {
      splitWords(text);
    }
  }
  return args_;
}

inline bool Requests::line(std::string_view& line) {
  const std::string_view rest(bytes_.data() + at_, end_ - at_);
  const std::size_t size = rest.find('\n');
  if (size == rest.npos) {
    if (rest.size() <= maxLine) return false;
    throw Failure(missing_ > 0          ? "ERR Protocol error: too big bulk count string"
                  : rest.front() == '*' ? "ERR Protocol error: too big mbulk count string"
                                        : "ERR Protocol error: too big inline request");
  }
  line = rest.substr(0, size - (size > 0 && rest[size - 1] == '\r' ? 1 : 0));
  at_ += size + 1;
  return true;
}

inline bool Requests::argument() {
  if (length_ < 0) {
    std::string_view text;
    if (!line(text)) return false;
    if (!text.starts_with('$'))
      throw Failure("ERR Protocol error: expected '$', got '" + std::string(text, 0, 1) + "'");
    length_ = toInteger(text.substr(1)).value_or(-1);
    if (length_ < 0 || length_ > maxCommand - static_cast<std::int64_t>(at_ - begin_))
      throw Failure("ERR Protocol error: invalid bulk length");
  }
  const auto size = static_cast<std::size_t>(length_);
  if (end_ - at_ < size + 2) return false;
  args_.emplace_back(bytes_.data() + at_, size);
  at_ += size + 2;
  length_ = -1;
  --missing_;
  return true;
}

/// A command as a person types it: words, or anything in quotes.
inline void Requests::splitWords(std::string_view line) {
  for (;;) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    if (line.empty()) return;
    const bool quoted = line[0] == '"' || line[0] == '\'';
    const std::size_t end =
        quoted ? line.find(line[0], 1) : std::min(line.find_first_of(" \t"), line.size());
    if (end == line.npos) throw Failure("ERR Protocol error: unbalanced quotes in request");
    args_.push_back(quoted ? line.substr(1, end - 1) : line.substr(0, end));
    line.remove_prefix(quoted ? end + 1 : end);
  }
}

// ---- from values to replies ----

/// Collects replies.
class Replies {
 public:
  void status(std::string_view text) { line('+', text); }
  void error(std::string_view text);  // begins with the error's code
  void integer(std::integral auto value) { number(':', value); }
  void array(std::size_t size) { number('*', size); }
  void null() { line('$', "-1"); }
  void bulk(std::string_view bytes) {
    number('$', bytes.size());
    text_.append(bytes).append("\r\n", 2);
  }
  void bulkOrNull(const std::string* bytes) { bytes != nullptr ? bulk(*bytes) : null(); }
  /// An array of bulk strings.
  void list(const auto& strings) {
    array(static_cast<std::size_t>(std::size(strings)));
    for (std::string_view string : strings) bulk(string);
  }

  std::string_view text() const { return text_; }
  void clear() {
    text_.clear();
    if (text_.capacity() > maxLine * 4) text_.shrink_to_fit();
  }

 private:
  void line(char kind, std::string_view text) { (text_ += kind).append(text).append("\r\n", 2); }
  void number(char kind, std::integral auto value) {
    char digits[24];
    line(kind, {digits, std::to_chars(digits, digits + sizeof digits, value).ptr});
  }
  std::string text_;
};

inline void Replies::error(std::string_view text) {
  std::string clean(text);
  std::replace_if(clean.begin(), clean.end(), [](char c) { return c == '\r' || c == '\n'; }, ' ');
  line('-', clean);
}

// ---- commands by name ----

template <class Client>
struct Command {
  std::string_view name;
  std::ptrdiff_t arity;  // with the name; negative: at least so many
  void (Client::*run)(Args);
};

inline Failure unknownCommand(Args args) {
  std::string list;
  for (std::string_view arg : args.subspan(1))
    if (list.size() < 128) list.append("'").append(arg, 0, 128 - list.size()).append("' ");
  return Failure("ERR unknown command '" + std::string(args[0], 0, 128) +
                 "', with args beginning with: " + list);
}

inline Failure notWhileSubscribed(std::string_view name) {
  std::string small(name);
  std::transform(small.begin(), small.end(), small.begin(),
                 [](char c) { return static_cast<char>(c | 32); });
  return Failure("ERR Can't execute '" + small +
                 "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / " +
                 "QUIT / RESET are allowed in this context");
}

/// Looked for in order: the frequent ones come first. Throws: Failure.
template <class Client, std::size_t count_>
const Command<Client>& findCommand(std::span<const Command<Client>, count_> commands, Args args) {
  for (const Command<Client>& command : commands) {
    if (!is(args[0], command.name)) continue;
    const std::ptrdiff_t count = std::ssize(args);
    const std::ptrdiff_t arity = command.arity;
    if (arity < 0 ? count < -arity : count != arity) throw wrongArity(command.name);
    return command;
  }
  throw unknownCommand(args);
}

}  // namespace resp
