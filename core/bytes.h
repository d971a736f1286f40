// Bounds-checked reading of little-endian bytes and products that cannot overflow silently: the two things that every
// parser of untrusted files needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

namespace vkq {

using Bytes = std::span<const std::byte>;

/// a*b, or nothing when it does not fit 64 bits.
inline std::optional<uint64_t> checkedMul(uint64_t a, uint64_t b) {
	uint64_t product;
	if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
	return product;
}

/// a+b, or nothing when it does not fit 64 bits.
inline std::optional<uint64_t> checkedAdd(uint64_t a, uint64_t b) {
	uint64_t sum;
	if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
	return sum;
}

/// The smallest multiple of `alignment` (a power of two) that is >= value. The caller has checked that it does not overflow.
constexpr uint64_t alignUp(uint64_t value, uint64_t alignment) { return (value + alignment - 1) & ~(alignment - 1); }

constexpr uint64_t divideUp(uint64_t value, uint64_t by) { return value / by + (value % by != 0); }

/// Reads a byte span front to back. A read past the end yields nothing and leaves the position where it was.
/// Hosts are little-endian (asserted at compile time below), so values are copied as they lie.
class ByteReader {
public:
	explicit ByteReader(Bytes bytes, uint64_t position = 0) : bytes_(bytes), position_(position <= bytes.size() ? position : bytes.size()) {}

	uint64_t position() const { return position_; }
	uint64_t remaining() const { return bytes_.size() - position_; }

	template <class T>
	std::optional<T> read() {
		static_assert(std::is_trivially_copyable_v<T>);
		if (remaining() < sizeof(T)) return std::nullopt;
		T value;
		std::memcpy(&value, bytes_.data() + position_, sizeof(T));
		position_ += sizeof(T);
		return value;
	}

	std::optional<Bytes> readBytes(uint64_t count) {
		if (remaining() < count) return std::nullopt;
		Bytes bytes = bytes_.subspan(position_, count);
		position_ += count;
		return bytes;
	}

	std::optional<std::string_view> readChars(uint64_t count) {
		auto bytes = readBytes(count);
		if (!bytes) return std::nullopt;
		return std::string_view(reinterpret_cast<const char*>(bytes->data()), bytes->size());
	}

private:
	Bytes bytes_;
	uint64_t position_;
};

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "GGUF and safetensors are read as they lie: little-endian hosts only");

}  // namespace vkq
