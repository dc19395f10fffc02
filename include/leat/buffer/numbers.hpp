// SPDX-License-Identifier: MIT
// Numbers in the bytes of a Buffer, at any place and in either order.
#pragma once

#include <leat/buffer/buffer.hpp>

namespace leat::inline LEAT_ABI {

namespace detail {

/// A number of `bytes` bytes does not begin at `offset` in `size`.
[[noreturn, gnu::cold]] LEAT_NOINLINE inline void throwNoPlace(Integer offset, std::size_t size,
                                                               std::size_t bytes) {
  if (bytes > size)
    throwRange("Attempt to access memory outside buffer bounds", "ERR_BUFFER_OUT_OF_BOUNDS");
  const Decimal last(static_cast<long long>(size - bytes));
  throwOutOfRange("offset", {">= 0 and <= ", last}, offset);
}

/// `value` does not fit into `bytes` bytes.
[[noreturn, gnu::cold]] LEAT_NOINLINE inline void throwNoFit(Integer value, unsigned bytes,
                                                             bool isSigned, bool big) {
  const unsigned bits = 8 * bytes - (isSigned ? 1 : 0);
  const std::string_view n = big ? "n" : "";
  const Decimal power(bits);
  const auto whole = static_cast<long long>(std::uint64_t{1} << (bits & 63));
  if (bytes > 4) {
    const SharedText below{"< 2", n, " ** ", power, n};
    const SharedText from =
        isSigned ? SharedText{"-(2", n, " ** ", power, n, ")"} : SharedText{"0", n};
    throwOutOfRange("value", {">= ", from.view(), " and ", below.view()}, value, big);
  }
  const Decimal least(isSigned ? -whole : 0), most(whole - 1);
  throwOutOfRange("value", {">= ", least, " and <= ", most}, value, big);
}

inline void checkFit(Integer value, unsigned bytes, bool isSigned, bool big = false) {
  const unsigned bits = 8 * bytes - (isSigned ? 1 : 0);
  const std::uint64_t most = ~std::uint64_t{0} >> (64 - bits);
  const std::int64_t least = isSigned ? -static_cast<std::int64_t>(most) - 1 : 0;
  if (!value.between(least, most)) [[unlikely]]
    throwNoFit(value, bytes, isSigned, big);
}

/// The bits of a number, as one word.
template <class Number>
using WordOf = std::conditional_t<
    sizeof(Number) == 1, std::uint8_t,
    std::conditional_t<sizeof(Number) == 2, std::uint16_t,
                       std::conditional_t<sizeof(Number) == 4, std::uint32_t, std::uint64_t>>>;

/// The bytes of the word turned round when `order` is not the machine's.
template <std::endian order, class Word>
Word inOrder(Word word) noexcept {
  if constexpr (order == std::endian::native) return word;
  if constexpr (sizeof(Word) == 2) return __builtin_bswap16(word);
  if constexpr (sizeof(Word) == 4) return __builtin_bswap32(word);
  if constexpr (sizeof(Word) == 8) return __builtin_bswap64(word);
  return word;
}

}  // namespace detail

inline std::size_t Buffer::placeOf(Integer offset, std::size_t bytes) const {
  if (bytes > size_ || !offset.zeroTo(size_ - bytes)) [[unlikely]]
    detail::throwNoPlace(offset, size_, bytes);
  return offset.bits();
}

template <class Number, std::endian order>
Number Buffer::readNumber(Integer offset) const {
  detail::WordOf<Number> word;
  std::memcpy(&word, data_ + placeOf(offset, sizeof word), sizeof word);
  return std::bit_cast<Number>(detail::inOrder<order>(word));
}

inline std::int8_t Buffer::readInt8(Integer offset) const {
  return readNumber<std::int8_t>(offset);
}
inline std::uint8_t Buffer::readUInt8(Integer offset) const {
  return readNumber<std::uint8_t>(offset);
}
inline std::int16_t Buffer::readInt16LE(Integer offset) const {
  return readNumber<std::int16_t, std::endian::little>(offset);
}
inline std::uint16_t Buffer::readUInt16LE(Integer offset) const {
  return readNumber<std::uint16_t, std::endian::little>(offset);
}
inline std::int16_t Buffer::readInt16BE(Integer offset) const {
  return readNumber<std::int16_t, std::endian::big>(offset);
}
inline std::uint16_t Buffer::readUInt16BE(Integer offset) const {
  return readNumber<std::uint16_t, std::endian::big>(offset);
}
inline std::int32_t Buffer::readInt32LE(Integer offset) const {
  return readNumber<std::int32_t, std::endian::little>(offset);
}
inline std::uint32_t Buffer::readUInt32LE(Integer offset) const {
  return readNumber<std::uint32_t, std::endian::little>(offset);
}
inline std::int32_t Buffer::readInt32BE(Integer offset) const {
  return readNumber<std::int32_t, std::endian::big>(offset);
}
inline std::uint32_t Buffer::readUInt32BE(Integer offset) const {
  return readNumber<std::uint32_t, std::endian::big>(offset);
}
inline std::int64_t Buffer::readBigInt64LE(Integer offset) const {
  return readNumber<std::int64_t, std::endian::little>(offset);
}
inline std::uint64_t Buffer::readBigUInt64LE(Integer offset) const {
  return readNumber<std::uint64_t, std::endian::little>(offset);
}
inline std::int64_t Buffer::readBigInt64BE(Integer offset) const {
  return readNumber<std::int64_t, std::endian::big>(offset);
}
inline std::uint64_t Buffer::readBigUInt64BE(Integer offset) const {
  return readNumber<std::uint64_t, std::endian::big>(offset);
}
inline float Buffer::readFloatLE(Integer offset) const {
  return readNumber<float, std::endian::little>(offset);
}
inline float Buffer::readFloatBE(Integer offset) const {
  return readNumber<float, std::endian::big>(offset);
}
inline double Buffer::readDoubleLE(Integer offset) const {
  return readNumber<double, std::endian::little>(offset);
}
inline double Buffer::readDoubleBE(Integer offset) const {
  return readNumber<double, std::endian::big>(offset);
}

template <std::endian order, class Number>
std::size_t Buffer::storeNumber(Number number, Integer offset) const {
  const std::size_t at = placeOf(offset, sizeof number);
  const auto word = detail::inOrder<order>(std::bit_cast<detail::WordOf<Number>>(number));
  std::memcpy(data_ + at, &word, sizeof word);
  return at + sizeof word;
}

template <class Number, std::endian order>
std::size_t Buffer::writeNumber(Integer value, Integer offset) const {
  constexpr unsigned bytes = sizeof(Number);
  detail::checkFit(value, bytes, std::is_signed_v<Number>, bytes == 8);
  return storeNumber<order>(static_cast<Number>(value.bits()), offset);
}

inline std::size_t Buffer::writeInt8(Integer value, Integer offset) const {
  return writeNumber<std::int8_t>(value, offset);
}
inline std::size_t Buffer::writeUInt8(Integer value, Integer offset) const {
  return writeNumber<std::uint8_t>(value, offset);
}
inline std::size_t Buffer::writeInt16LE(Integer value, Integer offset) const {
  return writeNumber<std::int16_t, std::endian::little>(value, offset);
}
inline std::size_t Buffer::writeUInt16LE(Integer value, Integer offset) const {
  return writeNumber<std::uint16_t, std::endian::little>(value, offset);
}
inline std::size_t Buffer::writeInt16BE(Integer value, Integer offset) const {
  return writeNumber<std::int16_t, std::endian::big>(value, offset);
}
inline std::size_t Buffer::writeUInt16BE(Integer value, Integer offset) const {
  return writeNumber<std::uint16_t, std::endian::big>(value, offset);
}
inline std::size_t Buffer::writeInt32LE(Integer value, Integer offset) const {
  return writeNumber<std::int32_t, std::endian::little>(value, offset);
}
inline std::size_t Buffer::writeUInt32LE(Integer value, Integer offset) const {
  return writeNumber<std::uint32_t, std::endian::little>(value, offset);
}
inline std::size_t Buffer::writeInt32BE(Integer value, Integer offset) const {
  return writeNumber<std::int32_t, std::endian::big>(value, offset);
}
inline std::size_t Buffer::writeUInt32BE(Integer value, Integer offset) const {
  return writeNumber<std::uint32_t, std::endian::big>(value, offset);
}
inline std::size_t Buffer::writeBigInt64LE(Integer value, Integer offset) const {
  return writeNumber<std::int64_t, std::endian::little>(value, offset);
}
inline std::size_t Buffer::writeBigUInt64LE(Integer value, Integer offset) const {
  return writeNumber<std::uint64_t, std::endian::little>(value, offset);
}
inline std::size_t Buffer::writeBigInt64BE(Integer value, Integer offset) const {
  return writeNumber<std::int64_t, std::endian::big>(value, offset);
}
inline std::size_t Buffer::writeBigUInt64BE(Integer value, Integer offset) const {
  return writeNumber<std::uint64_t, std::endian::big>(value, offset);
}
inline std::size_t Buffer::writeFloatLE(double value, Integer offset) const {
  return storeNumber<std::endian::little>(static_cast<float>(value), offset);
}
inline std::size_t Buffer::writeFloatBE(double value, Integer offset) const {
  return storeNumber<std::endian::big>(static_cast<float>(value), offset);
}
inline std::size_t Buffer::writeDoubleLE(double value, Integer offset) const {
  return storeNumber<std::endian::little>(value, offset);
}
inline std::size_t Buffer::writeDoubleBE(double value, Integer offset) const {
  return storeNumber<std::endian::big>(value, offset);
}

// ---- of so many bytes ----

#if LEAT_BODIES
namespace detail {

/// How many bytes a number of variable length has.
LEAT_INLINE unsigned checkedByteLength(Integer byteLength) {
  if (byteLength.bits() == 0 || !byteLength.zeroTo(6)) [[unlikely]]
    throwOutOfRange("byteLength", {">= 1 and <= 6"}, byteLength);
  return static_cast<unsigned>(byteLength.bits());
}

LEAT_INLINE std::uint64_t loadBytes(const std::byte* at, unsigned count, bool little) noexcept {
  std::uint64_t number = 0;
  for (unsigned i = 0; i < count; ++i)
    number = number << 8 | static_cast<std::uint64_t>(at[little ? count - 1 - i : i]);
  return number;
}

/// The highest of the bytes decides the sign.
LEAT_INLINE std::int64_t withSign(std::uint64_t number, Integer byteLength) noexcept {
  const unsigned unused = 64 - 8 * static_cast<unsigned>(byteLength.bits());
  return static_cast<std::int64_t>(number << unused) >> unused;
}

LEAT_INLINE void storeBytes(std::byte* at, std::uint64_t number, unsigned count,
                            bool little) noexcept {
  for (unsigned i = 0; i < count; ++i, number >>= 8)
    at[little ? i : count - 1 - i] = static_cast<std::byte>(number & 255);
}

}  // namespace detail

LEAT_INLINE std::uint64_t Buffer::readUIntLE(Integer offset, Integer byteLength) const {
  const unsigned count = detail::checkedByteLength(byteLength);
  return detail::loadBytes(data_ + placeOf(offset, count), count, true);
}
LEAT_INLINE std::int64_t Buffer::readIntLE(Integer offset, Integer byteLength) const {
  return detail::withSign(readUIntLE(offset, byteLength), byteLength);
}
LEAT_INLINE std::uint64_t Buffer::readUIntBE(Integer offset, Integer byteLength) const {
  const unsigned count = detail::checkedByteLength(byteLength);
  return detail::loadBytes(data_ + placeOf(offset, count), count, false);
}
LEAT_INLINE std::int64_t Buffer::readIntBE(Integer offset, Integer byteLength) const {
  return detail::withSign(readUIntBE(offset, byteLength), byteLength);
}

LEAT_INLINE std::size_t Buffer::storeInteger(Integer value, Integer offset, Integer byteLength,
                                             bool isSigned, bool little) const {
  const unsigned count = detail::checkedByteLength(byteLength);
  detail::checkFit(value, count, isSigned);
  const std::size_t at = placeOf(offset, count);
  detail::storeBytes(data_ + at, value.bits(), count, little);
  return at + count;
}
LEAT_INLINE std::size_t Buffer::writeUIntLE(Integer value, Integer offset,
                                            Integer byteLength) const {
  return storeInteger(value, offset, byteLength, false, true);
}
LEAT_INLINE std::size_t Buffer::writeIntLE(Integer value, Integer offset,
                                           Integer byteLength) const {
  return storeInteger(value, offset, byteLength, true, true);
}
LEAT_INLINE std::size_t Buffer::writeUIntBE(Integer value, Integer offset,
                                            Integer byteLength) const {
  return storeInteger(value, offset, byteLength, false, false);
}
LEAT_INLINE std::size_t Buffer::writeIntBE(Integer value, Integer offset,
                                           Integer byteLength) const {
  return storeInteger(value, offset, byteLength, true, false);
}
#endif

// Node's other spelling.

inline std::uint8_t Buffer::readUint8(Integer offset) const { return readUInt8(offset); }
inline std::size_t Buffer::writeUint8(Integer value, Integer offset) const {
  return writeUInt8(value, offset);
}
inline std::uint16_t Buffer::readUint16LE(Integer offset) const { return readUInt16LE(offset); }
inline std::size_t Buffer::writeUint16LE(Integer value, Integer offset) const {
  return writeUInt16LE(value, offset);
}
inline std::uint32_t Buffer::readUint32LE(Integer offset) const { return readUInt32LE(offset); }
inline std::size_t Buffer::writeUint32LE(Integer value, Integer offset) const {
  return writeUInt32LE(value, offset);
}
inline std::uint64_t Buffer::readBigUint64LE(Integer offset) const {
  return readBigUInt64LE(offset);
}
inline std::size_t Buffer::writeBigUint64LE(Integer value, Integer offset) const {
  return writeBigUInt64LE(value, offset);
}
inline std::uint16_t Buffer::readUint16BE(Integer offset) const { return readUInt16BE(offset); }
inline std::size_t Buffer::writeUint16BE(Integer value, Integer offset) const {
  return writeUInt16BE(value, offset);
}
inline std::uint32_t Buffer::readUint32BE(Integer offset) const { return readUInt32BE(offset); }
inline std::size_t Buffer::writeUint32BE(Integer value, Integer offset) const {
  return writeUInt32BE(value, offset);
}
inline std::uint64_t Buffer::readBigUint64BE(Integer offset) const {
  return readBigUInt64BE(offset);
}
inline std::size_t Buffer::writeBigUint64BE(Integer value, Integer offset) const {
  return writeBigUInt64BE(value, offset);
}
inline std::uint64_t Buffer::readUintLE(Integer offset, Integer byteLength) const {
  return readUIntLE(offset, byteLength);
}
inline std::size_t Buffer::writeUintLE(Integer value, Integer offset, Integer byteLength) const {
  return writeUIntLE(value, offset, byteLength);
}
inline std::uint64_t Buffer::readUintBE(Integer offset, Integer byteLength) const {
  return readUIntBE(offset, byteLength);
}
inline std::size_t Buffer::writeUintBE(Integer value, Integer offset, Integer byteLength) const {
  return writeUIntBE(value, offset, byteLength);
}

}  // namespace leat::inline LEAT_ABI
