// SPDX-License-Identifier: MIT
// Buffer: bytes in shared storage. Copies and slices refer to the same bytes.
#pragma once

#include <leat/core/error.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace leat::inline LEAT_ABI {

namespace detail {

/// What the handles of some bytes share. Counted atomically: buffers travel between threads.
class BufferStorage {
 public:
  using Dispose = void (*)(BufferStorage&) noexcept;

  explicit BufferStorage(Dispose dispose, std::uint32_t blockSize = 0) noexcept
      : blockSize_(blockSize), dispose_(dispose) {}
  BufferStorage(const BufferStorage&) = delete;
  BufferStorage& operator=(const BufferStorage&) = delete;

  void retain() noexcept { count_.fetchAdd(1, relaxed); }
  void release() noexcept {
    if (count_.fetchSub(1, acqRel) == 1) dispose_(*this);
  }
  /// Whether the caller's is the only handle; then what the others wrote is visible.
  bool unique() const noexcept { return count_.load(acquire) == 1; }

  /// A storage with `size` bytes behind it, in one block; short ones in recycled memory.
  static Ref<BufferStorage> withBytes(std::size_t size);
  std::byte* bytesBehind() noexcept { return reinterpret_cast<std::byte*>(this + 1); }

 protected:
  ~BufferStorage() = default;

 private:
  static void disposeBlock(BufferStorage& storage) noexcept;

  Atomic<std::uint32_t> count_{1};
  const std::uint32_t blockSize_;  // 0 when the block came from the heap
  const Dispose dispose_;
};
static_assert(sizeof(BufferStorage) == 16);

/// A string or vector that was taken over.
template <class Container>
struct BufferContainer final : BufferStorage {
  explicit BufferContainer(Container&& c) : BufferStorage(disposeThis), container(std::move(c)) {}
  static void disposeThis(BufferStorage& storage) noexcept {
    delete &static_cast<BufferContainer&>(storage);
  }
  Container container;
};

/// An owner of bytes in one piece: std::string, std::vector<std::byte>, std::vector<char>, ...
template <class C>
concept ByteContainer = requires(C& c) {
  typename C::allocator_type;
  requires sizeof(*c.data()) == 1 && !std::is_const_v<std::remove_reference_t<decltype(*c.data())>>;
  c.size();
};

}  // namespace detail

/// Bytes in shared storage. A Buffer is a handle: copying it is one atomic increment, and what is
/// written through one handle is seen through all that overlap.
///
/// Node: `Buffer`. Short ones come from recycled blocks of their own instead of a pool of 8 KiB, so a
/// slice that is kept never keeps more than the buffer that it was cut from.
/// Lifetime: pointers and views are valid while any handle of the same storage is held.
/// Thread: handles may be copied, handed over and dropped on any thread; the bytes are not guarded.
class Buffer {
 public:
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

  /// `size` zeros. Throws: RangeError ERR_OUT_OF_RANGE.
  static Buffer alloc(std::size_t size);
  /// `size` bytes with anything in them, perhaps old secrets. Throws: RangeError ERR_OUT_OF_RANGE.
  static Buffer allocUnsafe(std::size_t size);
  /// A copy of the bytes.
  static Buffer from(std::string_view text) { return copyOf(text.data(), text.size()); }
  static Buffer from(std::span<const std::byte> bytes) {
    return copyOf(bytes.data(), bytes.size());
  }
  static Buffer from(std::span<const std::uint8_t> bytes) {
    return copyOf(bytes.data(), bytes.size());
  }
  static Buffer from(const Buffer& other) { return copyOf(other.data_, other.size_); }
  /// These bytes; of each number the lowest eight bits. Node: `Buffer.of(...)`, `Buffer.from([...])`.
  template <std::integral... Bytes>
  static Buffer of(Bytes... bytes);
  /// Takes over the bytes of a string or a vector of bytes; nothing is copied.
  template <detail::ByteContainer Container>
    requires(!std::is_lvalue_reference_v<Container>)
  static Buffer adopt(Container&& container);
  /// The bytes of several, one after the other, in a new buffer.
  template <class Range>
    requires requires(const Range& r) {
      { *r.begin() } -> std::same_as<const Buffer&>;
      r.end();
    }
  static Buffer concat(const Range& buffers);
  /// The same, cut off at `totalLength` bytes, or filled up with zeros.
  template <class Range>
    requires requires(const Range& r) {
      { *r.begin() } -> std::same_as<const Buffer&>;
      r.end();
    }
  static Buffer concat(const Range& buffers, std::size_t totalLength);
  template <std::same_as<Buffer>... Buffers>
    requires(sizeof...(Buffers) >= 2)
  static Buffer concat(const Buffers&... buffers);
  /// -1, 0 or 1: the order of the bytes as unsigned numbers, a shorter one first.
  static int compare(const Buffer& a, const Buffer& b) noexcept;

  std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  std::size_t length() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

  /// The bytes as numbers, as in Node. The index is not checked.
  std::uint8_t& operator[](std::size_t index) const noexcept { return begin()[index]; }
  std::uint8_t* begin() const noexcept { return reinterpret_cast<std::uint8_t*>(data_); }
  std::uint8_t* end() const noexcept { return begin() + size_; }

  /// Views of the bytes. A temporary must be asked by name, as the view may outlive it.
  std::string_view view() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }
  std::span<std::byte> bytes() const noexcept { return {data_, size_}; }
  operator std::string_view() const& noexcept { return view(); }
  operator std::string_view() const&& = delete;
  operator std::span<std::byte>() const& noexcept { return bytes(); }
  operator std::span<std::byte>() const&& = delete;
  operator std::span<const std::byte>() const& noexcept { return bytes(); }
  operator std::span<const std::byte>() const&& = delete;
  /// The bytes as they are. Node: decodes UTF-8 and replaces what is none; here nothing is changed.
  std::string toString() const { return std::string(view()); }

  /// The same bytes from `start` to before `end`. Negative positions count from the end; what lies
  /// outside is cut off.
  Buffer subarray(std::ptrdiff_t start = 0, std::ptrdiff_t end = PTRDIFF_MAX) const& {
    return cut(*this, start, end);
  }
  Buffer subarray(std::ptrdiff_t start = 0, std::ptrdiff_t end = PTRDIFF_MAX) && {
    return cut(std::move(*this), start, end);
  }
  bool equals(std::string_view other) const noexcept { return view() == other; }
  bool equals(const Buffer& other) const noexcept { return view() == other.view(); }
  int compare(const Buffer& other) const noexcept { return compare(*this, other); }
  /// Where `value` stands first at or behind `offset`, or -1. A number is searched by its lowest eight
  /// bits. A negative offset counts from the end.
  std::ptrdiff_t indexOf(int value, std::ptrdiff_t offset = 0) const noexcept;
  std::ptrdiff_t indexOf(std::string_view value, std::ptrdiff_t offset = 0) const noexcept;
  std::ptrdiff_t indexOf(const Buffer& value, std::ptrdiff_t offset = 0) const noexcept {
    return indexOf(value.view(), offset);
  }
  template <class V>
  bool includes(const V& value, std::ptrdiff_t offset = 0) const noexcept {
    return indexOf(value, offset) >= 0;
  }
  /// Copies the bytes from `sourceStart` to before `sourceEnd`, as many as `target` has room for behind
  /// `targetStart`; how many that were. They may overlap.
  /// Throws: RangeError ERR_OUT_OF_RANGE when `sourceStart` lies behind the end.
  std::size_t copy(std::span<std::byte> target, std::size_t targetStart = 0,
                   std::size_t sourceStart = 0, std::size_t sourceEnd = SIZE_MAX) const;

  /// The same bytes, wherever they are stored. Node's `==` asks whether it is the same object.
  friend bool operator==(const Buffer& a, const Buffer& b) noexcept { return a.equals(b); }
  friend bool operator==(const Buffer& a, std::string_view b) noexcept { return a.equals(b); }

  /// Internal: bytes of a storage. The count is the caller's.
  Buffer(detail::Ref<detail::BufferStorage> storage, std::byte* data, std::size_t size) noexcept
      : storage_(std::move(storage)), data_(data), size_(size) {}
  /// Internal: whether no other handle has a part of the storage, so that it may be written anew.
  bool unique() const noexcept { return storage_ && storage_->unique(); }

 private:
  static constexpr std::size_t maxSize = PTRDIFF_MAX - 1024;
  static void checkSize(std::size_t size);
  static Buffer copyOf(const void* bytes, std::size_t size);
  static Buffer cut(Buffer whole, std::ptrdiff_t start, std::ptrdiff_t end) noexcept;
  /// `offset`, counted from the end when negative, between 0 and the size.
  std::size_t position(std::ptrdiff_t offset) const noexcept;

  detail::Ref<detail::BufferStorage> storage_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

namespace detail {

[[noreturn]] LEAT_NOINLINE inline void throwOutOfRange(std::string_view argument, std::size_t most,
                                                       std::size_t received) {
  const Decimal limit(static_cast<long long>(most));
  const Decimal got(static_cast<long long>(received));
  throw RangeError(SharedText{"The value of \"", argument,
                              "\" is out of range. It must be >= 0 && <= ", limit, ". Received ",
                              got}
                       .view());
}

inline Ref<BufferStorage> BufferStorage::withBytes(std::size_t size) {
  const std::size_t block = sizeof(BufferStorage) + size;
  const bool recycled = block <= frameGrain * frameClasses;
  void* memory = recycled ? allocateFrame(block) : ::operator new(block);
  const auto recorded = recycled ? static_cast<std::uint32_t>(block) : 0;
  return Ref<BufferStorage>::adopt(::new (memory) BufferStorage(disposeBlock, recorded));
}

inline void BufferStorage::disposeBlock(BufferStorage& storage) noexcept {
  const std::uint32_t block = storage.blockSize_;
  storage.~BufferStorage();
  if (block != 0) {
    freeFrame(&storage, block);
  } else {
    ::operator delete(&storage);
  }
}

}  // namespace detail

inline void Buffer::checkSize(std::size_t size) {
  if (size > maxSize) detail::throwOutOfRange("size", maxSize, size);
}

inline Buffer Buffer::allocUnsafe(std::size_t size) {
  if (size == 0) return {};
  checkSize(size);
  auto storage = detail::BufferStorage::withBytes(size);
  std::byte* bytes = storage->bytesBehind();
  return Buffer(std::move(storage), bytes, size);
}

inline Buffer Buffer::alloc(std::size_t size) {
  Buffer buffer = allocUnsafe(size);
  if (size != 0) std::memset(buffer.data_, 0, size);
  return buffer;
}

inline Buffer Buffer::copyOf(const void* bytes, std::size_t size) {
  Buffer buffer = allocUnsafe(size);
  if (size != 0) std::memcpy(buffer.data_, bytes, size);
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

template <class Range>
  requires requires(const Range& r) {
    { *r.begin() } -> std::same_as<const Buffer&>;
    r.end();
  }
Buffer Buffer::concat(const Range& buffers) {
  std::size_t total = 0;
  for (const Buffer& part : buffers) {
    if (part.size_ > maxSize - total) checkSize(SIZE_MAX);
    total += part.size_;
  }
  return concat(buffers, total);
}

template <class Range>
  requires requires(const Range& r) {
    { *r.begin() } -> std::same_as<const Buffer&>;
    r.end();
  }
Buffer Buffer::concat(const Range& buffers, std::size_t totalLength) {
  Buffer whole = allocUnsafe(totalLength);
  std::size_t at = 0;
  for (const Buffer& part : buffers) at += part.copy(whole.bytes(), at);
  if (at < totalLength) std::memset(whole.data_ + at, 0, totalLength - at);
  return whole;
}

template <std::same_as<Buffer>... Buffers>
  requires(sizeof...(Buffers) >= 2)
Buffer Buffer::concat(const Buffers&... buffers) {
  const Buffer* const parts[] = {&buffers...};
  Buffer whole = allocUnsafe((buffers.size_ + ...));
  std::size_t at = 0;
  for (const Buffer* part : parts) at += part->copy(whole.bytes(), at);
  return whole;
}

inline int Buffer::compare(const Buffer& a, const Buffer& b) noexcept {
  const int order = a.view().compare(b.view());
  return (order > 0) - (order < 0);
}

inline std::size_t Buffer::position(std::ptrdiff_t offset) const noexcept {
  const auto size = static_cast<std::ptrdiff_t>(size_);
  if (offset < 0) offset = offset < -size ? 0 : offset + size;
  return static_cast<std::size_t>(offset < size ? offset : size);
}

inline Buffer Buffer::cut(Buffer whole, std::ptrdiff_t start, std::ptrdiff_t end) noexcept {
  const std::size_t first = whole.position(start);
  const std::size_t last = whole.position(end);
  if (first >= last) return {};
  return Buffer(std::move(whole.storage_), whole.data_ + first, last - first);
}

inline std::ptrdiff_t Buffer::indexOf(int value, std::ptrdiff_t offset) const noexcept {
  const std::size_t from = position(offset);
  if (from == size_) return -1;
  const void* found = std::memchr(data_ + from, value & 255, size_ - from);
  return found == nullptr ? -1 : static_cast<const std::byte*>(found) - data_;
}

inline std::ptrdiff_t Buffer::indexOf(std::string_view value,
                                      std::ptrdiff_t offset) const noexcept {
  const std::size_t from = position(offset);
  if (value.empty()) return static_cast<std::ptrdiff_t>(from);
  if (from == size_) return -1;
  const void* found = ::memmem(data_ + from, size_ - from, value.data(), value.size());
  return found == nullptr ? -1 : static_cast<const std::byte*>(found) - data_;
}

inline std::size_t Buffer::copy(std::span<std::byte> target, std::size_t targetStart,
                                std::size_t sourceStart, std::size_t sourceEnd) const {
  if (sourceStart > size_) detail::throwOutOfRange("sourceStart", size_, sourceStart);
  if (sourceEnd > size_) sourceEnd = size_;
  if (targetStart >= target.size() || sourceStart >= sourceEnd) return 0;
  const std::size_t room = target.size() - targetStart;
  const std::size_t wanted = sourceEnd - sourceStart;
  const std::size_t count = wanted < room ? wanted : room;
  std::memmove(target.data() + targetStart, data_ + sourceStart, count);
  return count;
}

}  // namespace leat::inline LEAT_ABI
