// SPDX-License-Identifier: MIT
// Buffer: bytes in shared storage. Copies and slices refer to the same bytes. Here is the whole class,
// and what sockets and files need of it; encodings, numbers, searching and filling have headers of
// their own, and <leat/buffer.hpp> has all.
#pragma once

#include <leat/buffer/arguments.hpp>
#include <leat/buffer/storage.hpp>
#include <leat/buffer/utf8.hpp>

#include <bit>
#include <span>

namespace leat::inline LEAT_ABI {

class Buffer;
class BufferKeys;
class BufferEntries;

namespace detail {

template <class Range>
concept BufferRange = requires(const Range& r) {
  { *r.begin() } -> std::same_as<const Buffer&>;
  r.end();
};

/// Numbers wider than a byte, such as those of a std::vector<int>; characters are none.
template <class Range>
concept NumberRange = requires(const Range& r) {
  requires std::integral<std::remove_cvref_t<decltype(*r.begin())>> && sizeof(*r.begin()) > 1;
  requires !requires { typename Range::traits_type; };
  r.end();
  r.size();
};

}  // namespace detail

/// Bytes in shared storage. A Buffer is a handle: copying it is one atomic increment, and what is
/// written through one handle is seen through all that overlap.
///
/// Node: `Buffer`. Text is std::string and std::string_view in UTF-8. Every std::string that comes out of
/// a buffer is UTF-8: what is none, a lone surrogate too, is U+FFFD in it. Short buffers come from
/// recycled blocks of their own instead of a pool of 8 KiB, so a slice that is kept never keeps more than
/// the buffer that it was cut from.
/// Lifetime: pointers and views are valid while any handle of the same storage is held.
/// Thread: handles may be copied, handed over and dropped on any thread; the bytes are not guarded.
/// Throws: where an argument is wrong, TypeError and RangeError with Node's code and words.
class Buffer {
  using Integer = detail::Integer;            // any integral type; {} is Node's undefined
  using EncodingName = detail::EncodingName;  // "hex", "UTF-8", BufferEncoding::latin1, ...

 public:
  /// Node: `buffer.constants.MAX_LENGTH`.
  static constexpr std::size_t maxSize = PTRDIFF_MAX - 1024;

  /// No bytes and no storage.
  Buffer() noexcept = default;
  Buffer(const Buffer&) noexcept = default;
  Buffer(Buffer&& other) noexcept
      : storage_(std::move(other.storage_)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer other) noexcept {
    storage_ = std::move(other.storage_);
    data_ = other.data_;
    size_ = other.size_;
    return *this;
  }

  /// `size` zeros, or the bytes that `fill` makes of them.
  static Buffer alloc(Integer size);
  template <class Value, class... Encoding>
  static Buffer alloc(Integer size, const Value& value, const Encoding&... encoding);
  /// `size` bytes with anything in them, perhaps old secrets.
  static Buffer allocUnsafe(Integer size);
  /// The same, never from recycled memory.
  static Buffer allocUnsafeSlow(Integer size);
  /// A copy of the bytes. Those of a text stay as they are, UTF-8 or not.
  static Buffer from(std::string_view text) { return copyOf(text.data(), text.size()); }
  static Buffer from(std::span<const std::byte> bytes) {
    return copyOf(bytes.data(), bytes.size());
  }
  static Buffer from(std::span<const std::uint8_t> bytes) {
    return copyOf(bytes.data(), bytes.size());
  }
  static Buffer from(const Buffer& other) { return copyOf(other.data_, other.size_); }
  /// The bytes that the text stands for: what is no hex or base64 ends it or is skipped, as in Node.
  static Buffer from(std::string_view text, EncodingName encoding);
  /// Takes over the bytes of a string or a vector of bytes; nothing is copied.
  template <detail::ByteContainer Container>
    requires(!std::is_lvalue_reference_v<Container>)
  static Buffer from(Container&& container) {
    return adopt(std::move(container));
  }
  template <detail::ByteContainer Container>
    requires(!std::is_lvalue_reference_v<Container>)
  static Buffer adopt(Container&& container);
  /// Of each number the lowest eight bits. Node: `Buffer.from([...])`.
  template <detail::NumberRange Range>
  static Buffer from(const Range& numbers);
  template <std::integral... Bytes>
  static Buffer of(Bytes... bytes);
  /// The bytes of several, one after the other, in a new buffer; cut off at `totalLength` bytes, or filled
  /// up with zeros.
  template <detail::BufferRange Range>
  static Buffer concat(const Range& buffers, Integer totalLength = {});
  template <std::same_as<Buffer>... Buffers>
    requires(sizeof...(Buffers) >= 2)
  static Buffer concat(const Buffers&... buffers);
  /// -1, 0 or 1: the order of the bytes as unsigned numbers, a shorter one first.
  static int compare(const Buffer& a, const Buffer& b) noexcept;
  /// How many bytes `from` would give; of an encoding that is none, as of utf8.
  static std::size_t byteLength(std::string_view text, EncodingName encoding = "utf8") noexcept;
  static bool isEncoding(std::string_view name) noexcept;

  std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  std::size_t length() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

  /// The bytes as numbers, as in Node. The index is not checked.
  std::uint8_t& operator[](std::size_t index) const noexcept { return begin()[index]; }
  std::uint8_t* begin() const noexcept { return reinterpret_cast<std::uint8_t*>(data_); }
  std::uint8_t* end() const noexcept { return begin() + size_; }
  /// The buffer itself, its indices, and pairs of index and byte, each for a range-based `for`.
  Buffer values() const { return *this; }
  BufferKeys keys() const noexcept;
  BufferEntries entries() const;

  /// Views of the bytes. A temporary must be asked by name, as the view may outlive it.
  std::string_view view() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }
  std::span<std::byte> bytes() const noexcept { return {data_, size_}; }
  operator std::string_view() const& noexcept { return view(); }
  operator std::string_view() const&& = delete;
  operator std::span<std::byte>() const& noexcept { return bytes(); }
  operator std::span<std::byte>() const&& = delete;
  operator std::span<const std::byte>() const& noexcept { return {data_, size_}; }
  operator std::span<const std::byte>() const&& = delete;
  /// The bytes as text. `std::string(buffer)` has them as they are, whether UTF-8 or not.
  std::string toString() const { return detail::wellFormed(view()); }
  std::string toString(EncodingName encoding, Integer start = 0, Integer end = {}) const;
  /// `<Buffer 68 65>`; of more than `most` bytes, how many more.
  std::string inspect(std::size_t most = 50) const;
  /// What `JSON.stringify` gives: `{"type":"Buffer","data":[104,101]}`.
  std::string toJSON() const;

  /// The same bytes from `start` to before `end`. Negative positions count from the end; what lies
  /// outside is cut off.
  Buffer subarray(Integer start = 0, Integer end = {}) const& { return cut(*this, start, end); }
  Buffer subarray(Integer start = 0, Integer end = {}) && {
    return cut(std::move(*this), start, end);
  }
  Buffer slice(Integer start = 0, Integer end = {}) const { return cut(*this, start, end); }
  bool equals(std::string_view other) const noexcept { return view() == other; }
  bool equals(const Buffer& other) const noexcept { return view() == other.view(); }
  int compare(const Buffer& other) const noexcept { return compare(*this, other); }
  /// The order of a part of this and a part of `target`.
  int compare(const Buffer& target, Integer targetStart, Integer targetEnd = {},
              Integer sourceStart = {}, Integer sourceEnd = {}) const;
  /// Copies the bytes from `sourceStart` to before `sourceEnd`, as many as `target` has room for behind
  /// `targetStart`; how many that were. They may overlap.
  std::size_t copy(std::span<std::byte> target, Integer targetStart = 0, Integer sourceStart = 0,
                   Integer sourceEnd = {}) const;

  // In buffer/search.hpp:

  /// Where `value` stands first at or behind `offset`, or -1. A number is searched by its lowest eight
  /// bits. A negative offset counts from the end. In utf16le only even places are looked at.
  std::ptrdiff_t indexOf(int value, Integer offset = {}) const noexcept;
  std::ptrdiff_t indexOf(std::string_view value, Integer offset = {},
                         EncodingName encoding = "utf8") const;
  std::ptrdiff_t indexOf(std::string_view value, EncodingName encoding) const;
  std::ptrdiff_t indexOf(const Buffer& value, Integer offset = {},
                         EncodingName encoding = "utf8") const;
  /// Where `value` stands last, beginning at or before `offset`, or -1.
  std::ptrdiff_t lastIndexOf(int value, Integer offset = {}) const noexcept;
  std::ptrdiff_t lastIndexOf(std::string_view value, Integer offset = {},
                             EncodingName encoding = "utf8") const;
  std::ptrdiff_t lastIndexOf(std::string_view value, EncodingName encoding) const;
  std::ptrdiff_t lastIndexOf(const Buffer& value, Integer offset = {},
                             EncodingName encoding = "utf8") const;
  template <class Value, class... More>
  bool includes(const Value& value, const More&... offsetAndEncoding) const {
    return indexOf(value, offsetAndEncoding...) >= 0;
  }
  /// Repeats a byte, the bytes of a text or a buffer from `offset` to before `end`. Gives itself.
  Buffer fill(int value, Integer offset = {}, Integer end = {}) const;
  Buffer fill(std::string_view value, Integer offset = {}, Integer end = {},
              EncodingName encoding = "utf8") const;
  Buffer fill(std::string_view value, Integer offset, EncodingName encoding) const;
  Buffer fill(std::string_view value, EncodingName encoding) const;
  Buffer fill(const Buffer& value, Integer offset = {}, Integer end = {}) const;
  /// Turns the bytes of each number of 2, 4 or 8 bytes round. Gives itself.
  Buffer swap16() const;
  Buffer swap32() const;
  Buffer swap64() const;

  // In buffer/encoding.hpp:

  /// Writes a text, no part of a character; how many bytes that were.
  std::size_t write(std::string_view text, Integer offset = {}, Integer length = {},
                    EncodingName encoding = "utf8") const;
  std::size_t write(std::string_view text, Integer offset, EncodingName encoding) const;
  std::size_t write(std::string_view text, EncodingName encoding) const;

  // In buffer/numbers.hpp: the number at `offset`, and writing one there, which gives the place behind it.

  std::int8_t readInt8(Integer offset = 0) const;
  std::uint8_t readUInt8(Integer offset = 0) const;
  std::int16_t readInt16LE(Integer offset = 0) const;
  std::uint16_t readUInt16LE(Integer offset = 0) const;
  std::int32_t readInt32LE(Integer offset = 0) const;
  std::uint32_t readUInt32LE(Integer offset = 0) const;
  std::int64_t readBigInt64LE(Integer offset = 0) const;
  std::uint64_t readBigUInt64LE(Integer offset = 0) const;
  float readFloatLE(Integer offset = 0) const;
  double readDoubleLE(Integer offset = 0) const;
  std::int16_t readInt16BE(Integer offset = 0) const;
  std::uint16_t readUInt16BE(Integer offset = 0) const;
  std::int32_t readInt32BE(Integer offset = 0) const;
  std::uint32_t readUInt32BE(Integer offset = 0) const;
  std::int64_t readBigInt64BE(Integer offset = 0) const;
  std::uint64_t readBigUInt64BE(Integer offset = 0) const;
  float readFloatBE(Integer offset = 0) const;
  double readDoubleBE(Integer offset = 0) const;
  std::int64_t readIntLE(Integer offset, Integer byteLength) const;
  std::uint64_t readUIntLE(Integer offset, Integer byteLength) const;
  std::int64_t readIntBE(Integer offset, Integer byteLength) const;
  std::uint64_t readUIntBE(Integer offset, Integer byteLength) const;

  std::size_t writeInt8(Integer value, Integer offset = 0) const;
  std::size_t writeUInt8(Integer value, Integer offset = 0) const;
  std::size_t writeInt16LE(Integer value, Integer offset = 0) const;
  std::size_t writeUInt16LE(Integer value, Integer offset = 0) const;
  std::size_t writeInt32LE(Integer value, Integer offset = 0) const;
  std::size_t writeUInt32LE(Integer value, Integer offset = 0) const;
  std::size_t writeBigInt64LE(Integer value, Integer offset = 0) const;
  std::size_t writeBigUInt64LE(Integer value, Integer offset = 0) const;
  std::size_t writeFloatLE(double value, Integer offset = 0) const;
  std::size_t writeDoubleLE(double value, Integer offset = 0) const;
  std::size_t writeInt16BE(Integer value, Integer offset = 0) const;
  std::size_t writeUInt16BE(Integer value, Integer offset = 0) const;
  std::size_t writeInt32BE(Integer value, Integer offset = 0) const;
  std::size_t writeUInt32BE(Integer value, Integer offset = 0) const;
  std::size_t writeBigInt64BE(Integer value, Integer offset = 0) const;
  std::size_t writeBigUInt64BE(Integer value, Integer offset = 0) const;
  std::size_t writeFloatBE(double value, Integer offset = 0) const;
  std::size_t writeDoubleBE(double value, Integer offset = 0) const;
  std::size_t writeIntLE(Integer value, Integer offset, Integer byteLength) const;
  std::size_t writeUIntLE(Integer value, Integer offset, Integer byteLength) const;
  std::size_t writeIntBE(Integer value, Integer offset, Integer byteLength) const;
  std::size_t writeUIntBE(Integer value, Integer offset, Integer byteLength) const;

  std::uint8_t readUint8(Integer offset = 0) const;
  std::size_t writeUint8(Integer value, Integer offset = 0) const;
  std::uint16_t readUint16LE(Integer offset = 0) const;
  std::size_t writeUint16LE(Integer value, Integer offset = 0) const;
  std::uint32_t readUint32LE(Integer offset = 0) const;
  std::size_t writeUint32LE(Integer value, Integer offset = 0) const;
  std::uint64_t readBigUint64LE(Integer offset = 0) const;
  std::size_t writeBigUint64LE(Integer value, Integer offset = 0) const;
  std::uint16_t readUint16BE(Integer offset = 0) const;
  std::size_t writeUint16BE(Integer value, Integer offset = 0) const;
  std::uint32_t readUint32BE(Integer offset = 0) const;
  std::size_t writeUint32BE(Integer value, Integer offset = 0) const;
  std::uint64_t readBigUint64BE(Integer offset = 0) const;
  std::size_t writeBigUint64BE(Integer value, Integer offset = 0) const;
  std::uint64_t readUintLE(Integer offset, Integer byteLength) const;
  std::size_t writeUintLE(Integer value, Integer offset, Integer byteLength) const;
  std::uint64_t readUintBE(Integer offset, Integer byteLength) const;
  std::size_t writeUintBE(Integer value, Integer offset, Integer byteLength) const;

  /// The same bytes, wherever they are stored. Node's `==` asks whether it is the same object.
  friend bool operator==(const Buffer& a, const Buffer& b) noexcept { return a.equals(b); }
  friend bool operator==(const Buffer& a, std::string_view b) noexcept { return a.equals(b); }

  /// Internal: bytes of a storage. The count is the caller's.
  Buffer(detail::Ref<detail::BufferStorage> storage, std::byte* data, std::size_t size) noexcept
      : storage_(std::move(storage)), data_(data), size_(size) {}
  /// Internal: whether no other handle has a part of the storage, so that it may be written anew.
  bool unique() const noexcept { return storage_ && storage_->unique(); }

 private:
  using MakeStorage = detail::Ref<detail::BufferStorage> (*)(std::size_t);
  static Buffer make(std::size_t size, MakeStorage storage);
  static Buffer copyOf(const void* bytes, std::size_t size);
  static Buffer cut(Buffer whole, Integer start, Integer end) noexcept;
  static std::size_t added(std::size_t total, std::size_t size);
  void append(std::size_t& at, const Buffer& part) const noexcept;
  std::ptrdiff_t find(std::string_view value, Integer offset, bool forward,
                      bool units) const noexcept;
  void fillWith(std::size_t have, std::size_t offset, std::size_t end) const noexcept;
  std::size_t placeOf(Integer offset, std::size_t bytes) const;
  template <class Number, std::endian order = std::endian::native>
  Number readNumber(Integer offset) const;
  template <class Number, std::endian order = std::endian::native>
  std::size_t writeNumber(Integer value, Integer offset) const;
  template <std::endian order, class Number>
  std::size_t storeNumber(Number number, Integer offset) const;
  std::size_t storeInteger(Integer value, Integer offset, Integer byteLength, bool isSigned,
                           bool little) const;

  detail::Ref<detail::BufferStorage> storage_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

#if LEAT_BODIES
LEAT_INLINE Buffer Buffer::make(std::size_t size, MakeStorage storage) {
  if (size == 0) return {};
  auto bytes = storage(size);
  std::byte* const first = bytes->bytesBehind();
  return Buffer(std::move(bytes), first, size);
}

LEAT_INLINE Buffer Buffer::allocUnsafe(Integer size) {
  return make(detail::checkedUpTo("size", size, maxSize), detail::BufferStorage::withBytes);
}

LEAT_INLINE Buffer Buffer::allocUnsafeSlow(Integer size) {
  return make(detail::checkedUpTo("size", size, maxSize), detail::BufferStorage::onHeap);
}

LEAT_INLINE Buffer Buffer::alloc(Integer size) {
  Buffer buffer = allocUnsafe(size);
  if (buffer.size_ != 0) std::memset(buffer.data_, 0, buffer.size_);
  return buffer;
}
#endif

template <class Value, class... Encoding>
Buffer Buffer::alloc(Integer size, const Value& value, const Encoding&... encoding) {
  const Buffer buffer = allocUnsafe(size);
  return buffer.size_ == 0 ? buffer : buffer.fill(value, encoding...);
}

#if LEAT_BODIES
LEAT_INLINE Buffer Buffer::copyOf(const void* bytes, std::size_t size) {
  Buffer buffer = allocUnsafe(size);
  if (size != 0) std::memcpy(buffer.data_, bytes, size);
  return buffer;
}
#endif

template <detail::NumberRange Range>
Buffer Buffer::from(const Range& numbers) {
  Buffer buffer = allocUnsafe(numbers.size());
  std::uint8_t* out = buffer.begin();
  for (const auto number : numbers) *out++ = static_cast<std::uint8_t>(number);
  return buffer;
}

template <std::integral... Bytes>
Buffer Buffer::of(Bytes... bytes) {
  Buffer buffer = allocUnsafe(sizeof...(Bytes));
  std::uint8_t* out = buffer.begin();
  ((*out++ = static_cast<std::uint8_t>(bytes)), ...);
  return buffer;
}

template <detail::ByteContainer Container>
  requires(!std::is_lvalue_reference_v<Container>)
Buffer Buffer::adopt(Container&& container) {
  if (container.size() == 0) return {};
  using Storage = detail::BufferContainer<std::remove_cv_t<Container>>;
  auto storage = detail::Ref<Storage>::adopt(new Storage(std::move(container)));
  auto* bytes = reinterpret_cast<std::byte*>(storage->container.data());
  const std::size_t size = storage->container.size();
  return Buffer(std::move(storage), bytes, size);
}

#if LEAT_BODIES
LEAT_INLINE std::size_t Buffer::added(std::size_t total, std::size_t size) {
  if (size > maxSize - total) detail::throwNotUpTo("length", maxSize, SIZE_MAX);
  return total + size;
}

LEAT_INLINE void Buffer::append(std::size_t& at, const Buffer& part) const noexcept {
  const std::size_t room = size_ - at;
  const std::size_t count = part.size_ < room ? part.size_ : room;
  if (count != 0) std::memcpy(data_ + at, part.data_, count);
  at += count;
}
#endif

template <detail::BufferRange Range>
Buffer Buffer::concat(const Range& buffers, Integer totalLength) {
  if (buffers.begin() == buffers.end()) return {};
  std::size_t total = detail::checkedUpTo("length", totalLength, maxSize);
  if (!totalLength.given())
    for (const Buffer& part : buffers) total = added(total, part.size_);
  Buffer whole = allocUnsafe(total);
  std::size_t at = 0;
  for (const Buffer& part : buffers) whole.append(at, part);
  if (at < total) std::memset(whole.data_ + at, 0, total - at);
  return whole;
}

template <std::same_as<Buffer>... Buffers>
  requires(sizeof...(Buffers) >= 2)
Buffer Buffer::concat(const Buffers&... buffers) {
  const Buffer* const parts[] = {&buffers...};
  std::size_t total = 0;
  for (const Buffer* part : parts) total = added(total, part->size_);
  Buffer whole = allocUnsafe(total);
  std::size_t at = 0;
  for (const Buffer* part : parts) whole.append(at, *part);
  return whole;
}

#if LEAT_BODIES
LEAT_INLINE int Buffer::compare(const Buffer& a, const Buffer& b) noexcept {
  const int order = a.view().compare(b.view());
  return (order > 0) - (order < 0);
}

LEAT_INLINE Buffer Buffer::cut(Buffer whole, Integer start, Integer end) noexcept {
  const std::size_t first = start.place(whole.size_, 0);
  const std::size_t last = end.place(whole.size_, whole.size_);
  if (first >= last) return {};
  return Buffer(std::move(whole.storage_), whole.data_ + first, last - first);
}

LEAT_INLINE std::size_t Buffer::copy(std::span<std::byte> target, Integer targetStart,
                                     Integer sourceStart, Integer sourceEnd) const {
  if (targetStart.negative()) detail::throwOutOfRange("targetStart", {">= 0"}, targetStart);
  const std::size_t first = detail::checkedUpTo("sourceStart", sourceStart, size_);
  if (sourceEnd.negative()) detail::throwOutOfRange("sourceEnd", {">= 0"}, sourceEnd);
  const std::size_t last = sourceEnd.place(size_, size_);
  const std::size_t at = targetStart.place(target.size(), 0);
  if (at == target.size() || first >= last) return 0;
  const std::size_t room = target.size() - at;
  const std::size_t count = last - first < room ? last - first : room;
  std::memmove(target.data() + at, data_ + first, count);
  return count;
}
#endif

}  // namespace leat::inline LEAT_ABI
