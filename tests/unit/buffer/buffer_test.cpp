// SPDX-License-Identifier: MIT
#include <leat/buffer.hpp>

#include <pthread.h>

#include <array>
#include <list>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <leat_test.hpp>

using leat::Buffer;
using leat_test::containsText;

TEST_CASE("an empty buffer has no storage") {
  const Buffer none;
  CHECK(none.empty());
  CHECK(none.size() == 0);
  CHECK(none.length() == 0);
  CHECK(none.data() == nullptr);
  CHECK(none.begin() == none.end());
  CHECK(none.toString().empty());
  CHECK_FALSE(none.unique());
  CHECK(Buffer::alloc(0).data() == nullptr);
  CHECK(Buffer::allocUnsafe(0).data() == nullptr);
  CHECK(Buffer::from("").data() == nullptr);
  CHECK(Buffer::adopt(std::string()).data() == nullptr);
  CHECK(Buffer::of().data() == nullptr);
  CHECK(none.subarray(0, 10).empty());
  CHECK(none == Buffer::alloc(0));
}

TEST_CASE("alloc gives zeros, whatever the size") {
  for (const std::size_t size : {1UL, 7UL, 1000UL, 1008UL, 1009UL, 1024UL, 4096UL, 100000UL}) {
    // Dirty the memory that alloc may get next.
    {
      Buffer dirty = Buffer::allocUnsafe(size);
      for (std::uint8_t& byte : dirty) byte = 0xa5;
    }
    const Buffer buffer = Buffer::alloc(size);
    REQUIRE(buffer.size() == size);
    bool zero = true;
    for (const std::uint8_t byte : buffer) zero = zero && byte == 0;
    CHECK(zero);
    CHECK(buffer.unique());
  }
}

TEST_CASE("a size that no memory has is a RangeError, as a negative one is in Node") {
  REQUIRE_THROWS_AS(Buffer::alloc(SIZE_MAX), leat::RangeError);
  const std::string words = "The value of \"size\" is out of range. It must be >= 0 && <= " +
                            std::to_string(Buffer::maxSize) + ". Received ";
  REQUIRE_THROWS_WITH(Buffer::alloc(-1), words + "-1");
  REQUIRE_THROWS_WITH(Buffer::allocUnsafe(-4294967297), words + "-4_294_967_297");
  REQUIRE_THROWS_WITH(Buffer::allocUnsafeSlow(SIZE_MAX), words + "18_446_744_073_709_551_615");
}

TEST_CASE("from copies text, bytes, numbers and buffers") {
  std::string text = "hello";
  const Buffer ofText = Buffer::from(text);
  text[0] = 'j';
  CHECK(ofText == "hello");
  const std::vector<std::byte> bytes{std::byte{1}, std::byte{2}};
  CHECK(Buffer::from(bytes) == Buffer::of(1, 2));
  const std::array<std::uint8_t, 3> numbers{3, 4, 255};
  CHECK(Buffer::from(numbers) == Buffer::of(3, 4, 255));
  const Buffer copy = Buffer::from(ofText);
  CHECK(copy == ofText);
  CHECK(copy.data() != ofText.data());
  CHECK(Buffer::from(std::string_view("a\0b", 3)).size() == 3);
  CHECK(Buffer::of(1, 257, -1) == Buffer::of(1, 1, 255));
}

TEST_CASE("from takes over what it is given for good") {
  std::vector<std::uint8_t> bytes(2000, 7);
  const void* const place = bytes.data();
  const Buffer taken = Buffer::from(std::move(bytes));
  CHECK(taken.data() == place);
  CHECK(taken.size() == 2000);
  std::string text(100, 'x');
  const void* const textPlace = text.data();
  CHECK(Buffer::from(std::move(text)).data() == textPlace);
  const std::string kept(100, 'y');
  CHECK(static_cast<const void*>(Buffer::from(kept).data()) != kept.data());
  CHECK(kept.size() == 100);
  const std::vector<int> numbers{1, 256, -1, 65};
  CHECK(Buffer::from(numbers) == Buffer::of(1, 0, 255, 65));
  CHECK(Buffer::from(std::list<long>()).empty());
}

TEST_CASE("a buffer and its slices let the bytes go with the last of them") {
  // A container that tells when it is destroyed.
  struct Bytes : std::vector<char> {
    explicit Bytes(int* alive) : std::vector<char>(64, 'b'), alive_(alive) { ++*alive_; }
    Bytes(Bytes&& other) noexcept
        : std::vector<char>(std::move(other)), alive_(std::exchange(other.alive_, nullptr)) {}
    Bytes(const Bytes&) = delete;
    Bytes& operator=(const Bytes&) = delete;
    ~Bytes() {
      if (alive_ != nullptr) --*alive_;
    }
    int* alive_;
  };
  int alive = 0;
  Buffer last;
  {
    const Buffer whole = Buffer::from(Bytes(&alive));
    const Buffer copy = whole;
    last = copy.subarray(10, 20).slice(1, 2);
    CHECK(alive == 1);
  }
  CHECK(alive == 1);
  CHECK(last == "b");
  {
    const auto entries = last.entries();
    last = Buffer();
    CHECK(alive == 1);
    for (const auto [index, byte] : entries) CHECK((index == 0 && byte == 'b'));
  }
  CHECK(alive == 0);
}

TEST_CASE("short buffers come back in recycled blocks, each one's own") {
  // Two that live at once never share, whatever was freed before.
  std::vector<Buffer> many;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 500; ++i) {
      many.push_back(Buffer::allocUnsafe(i % 60 + 1));
      many.back().fill(i);
    }
    for (int i = 0; i < 500; ++i) {
      const Buffer& each = many[static_cast<std::size_t>(i)];
      CHECK(each == std::string(static_cast<std::size_t>(i % 60 + 1), static_cast<char>(i)));
      CHECK(each.unique());
    }
    many.clear();
  }
#if LEAT_RECYCLE_FRAMES
  const void* place = nullptr;
  {
    const Buffer first = Buffer::allocUnsafe(100);
    place = first.data();
  }
  CHECK(Buffer::allocUnsafe(100).data() == place);
  CHECK(Buffer::from(std::string_view("abc"), "latin1").unique());
#endif
  const Buffer slow = Buffer::allocUnsafeSlow(100);
  CHECK(slow.size() == 100);
  CHECK(slow.unique());
}

TEST_CASE("adopt takes over a string or a vector without copying") {
  std::string text(1000, 'x');
  const void* const place = text.data();
  const Buffer buffer = Buffer::adopt(std::move(text));
  CHECK(buffer.data() == place);
  CHECK(buffer.size() == 1000);
  CHECK(buffer == std::string(1000, 'x'));

  std::vector<std::byte> bytes(2000, std::byte{7});
  const void* const bytesPlace = bytes.data();
  Buffer adopted = Buffer::adopt(std::move(bytes));
  CHECK(adopted.data() == bytesPlace);
  CHECK(adopted[1999] == 7);
  CHECK(Buffer::adopt(std::string("short")) == "short");
  CHECK(Buffer::adopt(std::vector<unsigned char>{1, 2, 3}) == Buffer::of(1, 2, 3));
  CHECK(Buffer::adopt(std::vector<char>{'a', 'b'}) == "ab");
}

TEST_CASE("copies and slices of a buffer are the same bytes") {
  Buffer buffer = Buffer::from("hello world");
  const Buffer copy = buffer;
  Buffer world = buffer.subarray(6);
  CHECK(copy.data() == buffer.data());
  CHECK(world.data() == buffer.data() + 6);
  world[0] = 'W';
  CHECK(buffer == "hello World");
  CHECK(copy == "hello World");
  CHECK_FALSE(world.unique());
}

TEST_CASE("a slice keeps the bytes after the buffer has gone") {
  Buffer slice;
  {
    const Buffer buffer = Buffer::from("some longer text that does not fit into any small block");
    slice = buffer.subarray(5, 11);
  }
  CHECK(slice == "longer");
  CHECK(slice.unique());
  slice = slice.subarray(1, 3);
  CHECK(slice == "on");
  slice = Buffer();
  CHECK(slice.data() == nullptr);
}

TEST_CASE("a buffer that was moved from is empty") {
  Buffer buffer = Buffer::from("text");
  const Buffer other = std::move(buffer);
  CHECK(buffer.empty());  // NOLINT: that is the point
  CHECK(buffer.data() == nullptr);
  CHECK(other.unique());
  Buffer third = Buffer::from("old");
  third = Buffer(other);
  CHECK(third == "text");
  const Buffer& same = third;
  third = same;
  CHECK(third == "text");
  const Buffer part = std::move(third).subarray(1);
  CHECK(part == "ext");
  CHECK(third.empty());
}

TEST_CASE("subarray takes positions as Node does") {
  const Buffer b = Buffer::from("hello");
  CHECK(b.subarray() == "hello");
  CHECK(b.subarray(-3, -1) == "ll");
  CHECK(b.subarray(3, 1).empty());
  CHECK(b.subarray(9).empty());
  CHECK(b.subarray(-99, 99) == "hello");
  CHECK(b.subarray(1, 3) == "el");
  CHECK(b.subarray(0, -5).empty());
  CHECK(b.subarray(PTRDIFF_MIN, PTRDIFF_MAX) == "hello");
  CHECK(b.subarray(PTRDIFF_MAX).empty());
  CHECK(b.subarray(2, 2).data() == nullptr);
}

TEST_CASE("a buffer converts to views, a temporary only by name") {
  Buffer buffer = Buffer::from("views");
  const std::string_view text = buffer;
  const std::span<std::byte> bytes = buffer;
  const std::span<const std::byte> constBytes = buffer;
  CHECK(text == "views");
  CHECK(bytes.size() == 5);
  CHECK(static_cast<const void*>(constBytes.data()) == text.data());
  CHECK(std::string(buffer) == "views");
  CHECK(buffer.toString() == "views");
  CHECK(Buffer::from("x").view() == "x");
  bytes[0] = std::byte{'V'};
  CHECK(buffer[0] == 'V');
  STATIC_REQUIRE(std::is_convertible_v<Buffer&, std::string_view>);
  STATIC_REQUIRE(std::is_convertible_v<const Buffer&, std::span<const std::byte>>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<Buffer, std::string_view>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<const Buffer, std::span<std::byte>>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<Buffer, std::span<const std::byte>>);
}

TEST_CASE("buffers compare as their bytes") {
  const Buffer hello = Buffer::from("hello");
  CHECK(hello == Buffer::from("hello"));
  CHECK(hello != Buffer::from("hellp"));
  CHECK(hello == "hello");
  CHECK("hello" == hello);
  CHECK(hello == std::string("hello"));
  CHECK(hello.subarray(1) == "ello");
  CHECK(hello.equals(Buffer::from("hello")));
  CHECK_FALSE(hello.equals("hell"));
  CHECK(Buffer::compare(hello, Buffer::from("hell")) == 1);
  CHECK(Buffer::compare(Buffer::from("hell"), hello) == -1);
  CHECK(hello.compare(Buffer::from("hello")) == 0);
  CHECK(Buffer::from("\x01").compare(Buffer::from("\xff")) == -1);
  CHECK(Buffer().compare(hello) == -1);
  CHECK(Buffer().compare(Buffer()) == 0);
}

TEST_CASE("concat joins, cuts off and fills up") {
  const std::vector<Buffer> parts{Buffer::from("ab"), Buffer(), Buffer::from("cde")};
  CHECK(Buffer::concat(parts) == "abcde");
  CHECK(Buffer::concat(parts, 3) == "abc");
  CHECK(Buffer::concat(parts, 7) == std::string_view("abcde\0\0", 7));
  CHECK(Buffer::concat(parts, 0).empty());
  CHECK(Buffer::concat(std::vector<Buffer>()).empty());
  CHECK(Buffer::concat(std::list<Buffer>{parts[2], parts[0]}) == "cdeab");
  CHECK(Buffer::concat(parts[0], parts[2], parts[0]) == "abcdeab");
  const Buffer alone = Buffer::concat(std::vector<Buffer>{parts[0]});
  CHECK(alone.data() != parts[0].data());
}

TEST_CASE("concat refuses lengths that cannot be, but not for nothing") {
  const std::vector<Buffer> parts{Buffer::from("ab")};
  CHECK_THROWS_WITH(
      Buffer::concat(parts, -1),
      containsText("The value of \"length\" is out of range. It must be >= 0 && <= "));
  CHECK(Buffer::concat(std::vector<Buffer>(), -1).empty());
}

TEST_CASE("parts of buffers compare") {
  const Buffer a = Buffer::from("xxhello"), b = Buffer::from("hello!!");
  CHECK(a.compare(b, 0, 5, 2) == 0);
  CHECK(a.compare(b, 0, 6, 2) == -1);
  CHECK(a.compare(b, 5, 5, 2, 2) == 0);
  CHECK(a.compare(b, 5, 5) == 1);
  CHECK(a.compare(b, 0, {}, 7) == -1);
  CHECK_THROWS_WITH(
      a.compare(b, 0, 8),
      "The value of \"targetEnd\" is out of range. It must be >= 0 && <= 7. Received 8");
  CHECK_THROWS_WITH(
      a.compare(b, 0, {}, 0, -1),
      "The value of \"sourceEnd\" is out of range. It must be >= 0 && <= 7. Received -1");
}

TEST_CASE("a buffer is walked through by values, keys and entries") {
  const Buffer b = Buffer::from("abc");
  std::string seen;
  for (const std::uint8_t byte : Buffer::from("abc").values()) seen += static_cast<char>(byte);
  for (const std::size_t key : b.keys()) seen += static_cast<char>('0' + key);
  for (auto [index, byte] : Buffer(b).entries()) byte = static_cast<std::uint8_t>('x' + index);
  CHECK(seen == "abc012");
  CHECK(b == "xyz");
  for (const auto entry : Buffer().entries()) FAIL("an entry of nothing: " << entry.index);
}

TEST_CASE("indexOf finds bytes and texts as Node does") {
  const Buffer b = Buffer::from("hello");
  CHECK(b.indexOf('l') == 2);
  CHECK(b.indexOf('l', 3) == 3);
  CHECK(b.indexOf('l', 4) == -1);
  CHECK(b.indexOf('l', -2) == 3);
  CHECK(b.indexOf('l', -100) == 2);
  CHECK(b.indexOf(256 + 108) == 2);
  CHECK(b.indexOf(111, 5) == -1);
  CHECK(b.indexOf(104, -9) == 0);
  CHECK(b.indexOf("lo") == 3);
  CHECK(b.indexOf("lo", 4) == -1);
  CHECK(b.indexOf("hello!") == -1);
  CHECK(b.indexOf("") == 0);
  CHECK(b.indexOf("", 3) == 3);
  CHECK(b.indexOf("", 9) == 5);
  CHECK(b.indexOf(Buffer::from("ell")) == 1);
  CHECK(b.includes("ell"));
  CHECK_FALSE(b.includes('x'));
  CHECK(Buffer().indexOf("") == 0);
  CHECK(Buffer().indexOf("a") == -1);
  CHECK(Buffer().indexOf('a') == -1);
  CHECK(Buffer::from(std::string_view("a\0b\r\n", 5)).indexOf("\r\n") == 3);
  CHECK(Buffer::of(1, 200, 3).indexOf(200) == 1);
}

TEST_CASE("copy moves as many bytes as there is room for") {
  const Buffer b = Buffer::from("hello");
  Buffer target = Buffer::from("...");
  CHECK(b.copy(target) == 3);
  CHECK(target == "hel");
  CHECK(b.copy(target, 1, 2, 100) == 2);
  CHECK(target == "hll");
  CHECK(b.copy(target, 5) == 0);
  CHECK(b.copy(target, 1, 2, 1) == 0);
  CHECK(b.copy(target, 0, 5) == 0);
  CHECK_THROWS_AS(b.copy(target, 0, 6), leat::RangeError);
  CHECK_THROWS_WITH(
      b.copy(target, 0, 9),
      "The value of \"sourceStart\" is out of range. It must be >= 0 && <= 5. Received 9");
  const Buffer whole = Buffer::from("abcdef");
  CHECK(whole.copy(whole, 2) == 4);
  CHECK(whole == "ababcd");
}

namespace {

/// Hands its buffer round: copies, slices, reads and drops, while others do the same.
void* useShared(void* argument) {
  const Buffer mine = *static_cast<const Buffer*>(argument);
  long sum = 0;
  for (int i = 0; i < 20000; ++i) {
    const Buffer copy = mine;
    Buffer slice = copy.subarray(i % 16);
    const Buffer rest = std::move(slice);
    sum += rest[0];
  }
  return reinterpret_cast<void*>(sum);
}

struct HandedOver {
  Buffer buffer;
};

/// Takes the last handles of buffers that the other thread made and wrote.
void* dropHanded(void* argument) {
  auto& handed = *static_cast<std::vector<HandedOver>*>(argument);
  long sum = 0;
  for (HandedOver& entry : handed) {
    const Buffer mine = std::move(entry.buffer);
    sum += mine[0];
  }
  return reinterpret_cast<void*>(sum);
}

}  // namespace

TEST_CASE("handles of a buffer may be copied and dropped on any thread") {
  const Buffer shared = Buffer::from("0123456789abcdef");
  pthread_t threads[3];
  Buffer handles[3] = {shared, shared, shared};
  for (int i = 0; i < 3; ++i)
    REQUIRE(::pthread_create(&threads[i], nullptr, useShared, &handles[i]) == 0);
  (void)useShared(&handles[0]);
  long sums[3];
  for (int i = 0; i < 3; ++i) {
    void* result = nullptr;
    REQUIRE(::pthread_join(threads[i], &result) == 0);
    sums[i] = reinterpret_cast<long>(result);
  }
  CHECK(sums[0] == sums[1]);
  CHECK(sums[1] == sums[2]);
  CHECK(shared == "0123456789abcdef");
  for (Buffer& handle : handles) handle = Buffer();
  CHECK(shared.unique());
}

TEST_CASE("a buffer may be freed on another thread than it was made on") {
  std::vector<HandedOver> handed;
  for (int i = 0; i < 300; ++i)
    handed.push_back(HandedOver{Buffer::from(std::string(static_cast<std::size_t>(i + 1), 'a'))});
  for (int i = 0; i < 50; ++i) handed.push_back(HandedOver{Buffer::adopt(std::string(500, 'a'))});
  pthread_t thread;
  REQUIRE(::pthread_create(&thread, nullptr, dropHanded, &handed) == 0);
  void* result = nullptr;
  REQUIRE(::pthread_join(thread, &result) == 0);
  CHECK(reinterpret_cast<long>(result) == 350L * 'a');
  for (const HandedOver& entry : handed) CHECK(entry.buffer.empty());
}
