// SPDX-License-Identifier: MIT
// The side of leat: the same operations as parity.js, under the same names, with the same output.
#include <leat/buffer.hpp>

#include <bit>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

using leat::Buffer;
using Args = std::vector<std::string>;
using Integer = leat::detail::Integer;
using Operation = std::function<std::string(const Args&)>;

namespace {

Buffer bytes(const std::string& word) { return Buffer::from(word == "-" ? "" : word, "hex"); }
std::string text(const std::string& word) { return std::string(bytes(word).view()); }
Integer number(const std::string& word) {
  if (word == "u") return {};
  if (word[0] == '-') return std::stoll(word);
  return std::stoull(word);
}
int small(const std::string& word) { return std::stoi(word); }
std::string name(const std::string& word) { return word == "-" ? "" : word; }
std::string hex(const Buffer& buffer) { return buffer.toString("hex"); }
std::string shown(const std::string& text) { return Buffer::from(text).toString("hex"); }
std::string bits(double value) {
  if (std::isnan(value)) return "nan";
  const Buffer out = Buffer::alloc(8);
  out.writeDoubleBE(value);
  return hex(out);
}
Buffer dotted(const std::string& size) { return Buffer::alloc(std::stoul(size), "."); }
std::string word(bool value) { return value ? "true" : "false"; }

std::vector<std::string> list(const std::string& word) {
  std::vector<std::string> all;
  if (word == "u" || word == "-") return all;
  for (std::size_t at = 0; at <= word.size();) {
    const std::size_t end = std::min(word.find(',', at), word.size());
    all.push_back(word.substr(at, end - at));
    at = end + 1;
  }
  return all;
}

std::string longText(const Args& a) {
  const std::string whole = Buffer::alloc(number(a[0]), bytes(a[1])).toString(name(a[2]));
  return shown(whole) + " " + hex(Buffer::from(whole, name(a[2])));
}

std::string fromNumbers(const Args& a) {
  std::vector<int> numbers;
  for (const std::string& each : list(a[0])) numbers.push_back(small(each));
  return hex(Buffer::from(numbers));
}

std::string write(const Args& a) {
  const Buffer b = dotted(a[0]);
  const std::string value = text(a[1]), encoding = name(a[4]);
  const std::size_t count = a[2] == "u"   ? b.write(value, encoding)
                            : a[3] == "u" ? b.write(value, number(a[2]), encoding)
                                          : b.write(value, number(a[2]), number(a[3]), encoding);
  const std::size_t from = a[2] == "u" ? 0 : std::stoul(a[2]);
  return std::to_string(count) + " " + hex(b.subarray(0, from + count));
}

std::string fillText(const Args& a) {
  const Buffer b = dotted(a[0]);
  if (a[2] == "u") return hex(b.fill(text(a[1]), name(a[4])));
  return hex(b.fill(text(a[1]), number(a[2]), number(a[3]), name(a[4])));
}

std::string fillTextFrom(const Args& a) {
  const Buffer b = dotted(a[0]);
  if (a[2] == "u") return hex(b.fill(text(a[1]), name(a[4])));
  return hex(b.fill(text(a[1]), number(a[2]), name(a[4])));
}

std::string concat(const Args& a) {
  std::vector<Buffer> parts;
  for (const std::string& part : list(a[0])) parts.push_back(bytes(part));
  return hex(Buffer::concat(parts, number(a[1])));
}

std::string copy(const Args& a) {
  const Buffer target = bytes(a[1]);
  const std::size_t count = bytes(a[0]).copy(target, number(a[2]), number(a[3]), number(a[4]));
  return std::to_string(count) + " " + hex(target);
}

std::string copyWithin(const Args& a) {
  const Buffer both = bytes(a[0]);
  const std::size_t count = both.copy(both, number(a[1]), number(a[2]), number(a[3]));
  return std::to_string(count) + " " + hex(both);
}

std::string compareParts(const Args& a) {
  const Buffer mine = bytes(a[0]), target = bytes(a[1]);
  return std::to_string(
      mine.compare(target, number(a[2]), number(a[3]), number(a[4]), number(a[5])));
}

std::string iterate(const Args& a) {
  const Buffer b = bytes(a[0]);
  std::string values, keys, entries;
  const auto add = [](std::string& to, std::size_t value) {
    to += (to.empty() ? "" : ",") + std::to_string(value);
  };
  for (const std::uint8_t byte : b.values()) add(values, byte);
  for (const std::size_t key : b.keys()) add(keys, key);
  for (const auto [index, byte] : b.entries()) {
    add(entries, index);
    add(entries, byte);
  }
  return values + " " + keys + " " + entries;
}

std::string decode(const Args& a) {
  leat::StringDecoder decoder(name(a[0]));
  std::vector<std::string> given = list(a[2]);
  const bool last = a[1] == "endWith" && !given.empty();
  std::string out;
  const bool whole = decoder.encoding() == "utf16le";
  for (std::size_t i = 0; i + (last ? 1 : 0) < given.size(); ++i)
    out += shown(decoder.write(bytes(given[i]))) + (whole ? "" : "|");
  out += shown(last ? decoder.end(bytes(given.back())) : decoder.end());
  return std::string(decoder.encoding()) + " " + out;
}

// clang-format off
#define READ(kind) {#kind, [](const Buffer& b, Integer at, Integer) { return show(b.read##kind(at)); }}
#define READ_WIDE(kind) \
  {#kind, [](const Buffer& b, Integer at, Integer width) { return show(b.read##kind(at, width)); }}
#define WRITE(kind) {#kind, [](const Buffer& b, Integer value, Integer at, Integer) { return b.write##kind(value, at); }}
#define WRITE_WIDE(kind) \
  {#kind, [](const Buffer& b, Integer value, Integer at, Integer width) { return b.write##kind(value, at, width); }}
#define WRITE_FLOAT(kind) {#kind, [](const Buffer& b, double value, Integer at) { return b.write##kind(value, at); }}
#define WHOLE(DO) \
  DO(Int8), DO(UInt8), DO(Uint8), DO(Int16LE), DO(Int16BE), DO(UInt16LE), DO(UInt16BE), DO(Uint16LE), DO(Uint16BE), \
      DO(Int32LE), DO(Int32BE), DO(UInt32LE), DO(UInt32BE), DO(Uint32LE), DO(Uint32BE), DO(BigInt64LE), DO(BigInt64BE), \
      DO(BigUInt64LE), DO(BigUInt64BE), DO(BigUint64LE), DO(BigUint64BE)
#define WIDE(DO) DO(IntLE), DO(IntBE), DO(UIntLE), DO(UIntBE), DO(UintLE), DO(UintBE)
#define FLOATS(DO) DO(FloatLE), DO(FloatBE), DO(DoubleLE), DO(DoubleBE)
// clang-format on

template <class Number>
std::string show(Number value) {
  if constexpr (std::is_floating_point_v<Number>) {
    return bits(value);
  } else {
    return std::to_string(value);
  }
}

using Read = std::string (*)(const Buffer&, Integer, Integer);
const std::map<std::string, Read> reads = {WHOLE(READ), WIDE(READ_WIDE), FLOATS(READ)};
using Write = std::size_t (*)(const Buffer&, Integer, Integer, Integer);
const std::map<std::string, Write> writes = {WHOLE(WRITE), WIDE(WRITE_WIDE)};
using WriteFloat = std::size_t (*)(const Buffer&, double, Integer);
const std::map<std::string, WriteFloat> floatWrites = {FLOATS(WRITE_FLOAT)};

Integer orZero(const std::string& word) { return word == "u" ? Integer(0) : number(word); }

std::string read(const Args& a) { return reads.at(a[0])(bytes(a[1]), orZero(a[2]), number(a[3])); }

std::string writeNumber(const Args& a) {
  const Buffer b = dotted(a[1]);
  const std::size_t end = writes.at(a[0])(b, number(a[2]), orZero(a[3]), number(a[4]));
  return std::to_string(end) + " " + hex(b);
}

std::string writeFloat(const Args& a) {
  const Buffer b = dotted(a[1]);
  const double value = bytes(a[2]).readDoubleBE();
  const std::size_t end = floatWrites.at(a[0])(b, value, orZero(a[3]));
  return std::to_string(end) + " " + (std::isnan(value) ? "nan" : hex(b));
}

// clang-format off
#define GIVE(expression) [](const Args& a) -> std::string { return expression; }
#define SEARCH(method, convert) \
  {#method "Text", GIVE(convert(bytes(a[0]).method(text(a[1]), number(a[2]), name(a[3]))))}, \
  {#method "Buffer", GIVE(convert(bytes(a[0]).method(bytes(a[1]), number(a[2]), name(a[3]))))}, \
  {#method "Number", GIVE(convert(bytes(a[0]).method(small(a[1]), number(a[2]))))}

const std::map<std::string, Operation> operations = {
    {"from", GIVE(hex(Buffer::from(text(a[0]), name(a[1]))))},
    {"plain", GIVE(shown(bytes(a[0]).toString()) + " " + hex(Buffer::from(bytes(a[0]))))},
    {"long", longText}, {"numbers", fromNumbers},
    {"byteLength", GIVE(std::to_string(Buffer::byteLength(text(a[0]), name(a[1]))))},
    {"isEncoding", GIVE(word(Buffer::isEncoding(name(a[0]))))},
    {"alloc", GIVE(hex(Buffer::alloc(number(a[0]))))},
    {"allocText", GIVE(hex(Buffer::alloc(number(a[0]), text(a[1]), name(a[2]))))},
    {"allocNumber", GIVE(hex(Buffer::alloc(number(a[0]), small(a[1]))))},
    {"allocBuffer", GIVE(hex(Buffer::alloc(number(a[0]), bytes(a[1]))))},
    {"toString", GIVE(shown(bytes(a[0]).toString(name(a[1]), number(a[2]), number(a[3]))))},
    {"write", write}, {"fillText", fillText}, {"fillTextFrom", fillTextFrom},
    {"fillNumber", GIVE(hex(dotted(a[0]).fill(small(a[1]), number(a[2]), number(a[3]))))},
    {"fillBuffer", GIVE(hex(dotted(a[0]).fill(bytes(a[1]), number(a[2]), number(a[3]))))},
    {"concat", concat}, {"copy", copy}, {"copyWithin", copyWithin},
    {"compare", GIVE(std::to_string(Buffer::compare(bytes(a[0]), bytes(a[1]))))},
    {"compareParts", compareParts},
    {"equals", GIVE(word(bytes(a[0]).equals(bytes(a[1]))))},
    {"subarray", GIVE(hex(bytes(a[0]).subarray(number(a[1]), number(a[2]))))},
    {"slice", GIVE(hex(bytes(a[0]).slice(number(a[1]), number(a[2]))))},
    {"swap16", GIVE(hex(bytes(a[0]).swap16()))}, {"swap32", GIVE(hex(bytes(a[0]).swap32()))},
    {"swap64", GIVE(hex(bytes(a[0]).swap64()))},
    {"isUtf8", GIVE(word(leat::buffer::isUtf8(bytes(a[0]))))},
    {"isAscii", GIVE(word(leat::buffer::isAscii(bytes(a[0]))))},
    {"transcode", GIVE(hex(leat::buffer::transcode(bytes(a[0]), name(a[1]), name(a[2]))))},
    {"inspect", GIVE(bytes(a[0]).inspect())}, {"json", GIVE(bytes(a[0]).toJSON())},
    {"iterate", iterate}, {"decoder", decode},
    {"atob", GIVE(shown(leat::atob(text(a[0]))))}, {"btoa", GIVE(leat::btoa(text(a[0])))},
    {"read", read}, {"writeNumber", writeNumber}, {"writeFloat", writeFloat},
    SEARCH(indexOf, std::to_string), SEARCH(lastIndexOf, std::to_string), SEARCH(includes, std::to_string),
};
// clang-format on

std::string failure(const leat::Error& error) {
  std::string line = "FAILED " + std::string(error.name()) + " " + std::string(error.code()) + " " +
                     std::string(error.message());
  const std::string most = "<= " + std::to_string(leat::buffer::kMaxLength) + ".";
  const std::size_t at = line.find(most);
  if (at != std::string::npos) line.replace(at, most.size(), "<= MAX.");
  return line;
}

std::string perform(const std::string& line) {
  Args words;
  for (std::size_t at = 0; at <= line.size();) {
    const std::size_t end = std::min(line.find(' ', at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  const Operation& operation = operations.at(words[0]);
  words.erase(words.begin());
  try {
    return operation(words);
  } catch (const leat::Error& error) {
    return failure(error);
  }
}

}  // namespace

int main(int, char** arguments) {
  std::ifstream lines(arguments[1]);
  std::string line;
  while (std::getline(lines, line)) std::printf("%s\n", perform(line).c_str());
}
