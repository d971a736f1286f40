#include "kernels/device_layout.h"

#include "core/bytes.h"
#include "core/half.h"
#include "shaders/shared/product.h"

#include <array>
#include <bit>
#include <cassert>
#include <cstring>
#include <vector>

namespace vkq {

namespace {

uint16_t load16(const uint8_t* at) { return uint16_t(at[0] | at[1] << 8); }
uint32_t load32(const uint8_t* at) { return uint32_t(load16(at)) | uint32_t(load16(at + 2)) << 16; }

/// A row's words, plane after plane.
struct RowPlanes {
	uint32_t* low;
	uint32_t* high;
	uint8_t* scales;     // little-endian contents of the words
	uint32_t* super;
};

/// Element e of a block of 32 that pair p's first code is; the second is e + 4.
constexpr uint32_t pairElement(uint32_t p) { return 8 * (p / 4) + p % 4; }

/// Packs 32 codes: `low_bits` of each into low[32 * low_bits / 32 ...], the `high_bits` above them into high.
template <uint32_t low_bits, uint32_t high_bits>
void packBlock(const uint8_t* codes, uint32_t* low, uint32_t* high) {
	constexpr uint32_t kLowMask = (1u << low_bits) - 1, kHighMask = (1u << high_bits) - 1;
	constexpr uint32_t kLowPairs = 16 / low_bits;    // pairs a word
	for (uint32_t word = 0; word < 16 / kLowPairs; ++word) {
		uint32_t packed = 0;
		for (uint32_t i = 0; i < kLowPairs; ++i) {
			const uint32_t e = pairElement(word * kLowPairs + i);
			packed |= ((codes[e] & kLowMask) | (codes[e + 4] & kLowMask) << 16) << (low_bits * i);
		}
		low[word] = packed;
	}
	if constexpr (high_bits > 0) {
		constexpr uint32_t kHighPairs = 16 / high_bits;
		for (uint32_t word = 0; word < 16 / kHighPairs; ++word) {
			uint32_t packed = 0;
			for (uint32_t i = 0; i < kHighPairs; ++i) {
				const uint32_t e = pairElement(word * kHighPairs + i);
				packed |= ((uint32_t(codes[e]) >> low_bits & kHighMask) | (uint32_t(codes[e + 4]) >> low_bits & kHighMask) << 16) << (high_bits * i);
			}
			high[word] = packed;
		}
	}
}

/// Packs the 256 codes of super-block `index`.
template <uint32_t low_bits, uint32_t high_bits>
void packSuperBlock(const uint8_t* codes, uint64_t index, const RowPlanes& to) {
	for (uint64_t b = 0; b < 8; ++b)
		packBlock<low_bits, high_bits>(codes + 32 * b, to.low + (8 * index + b) * low_bits, high_bits ? to.high + (8 * index + b) * high_bits : nullptr);
}

/// Nibbles of a block of 32: byte j has elements j and j + 16.
void nibbles(const uint8_t* bytes, uint8_t* codes) {
	for (uint32_t j = 0; j < 16; ++j) {
		codes[j] = bytes[j] & 15;
		codes[j + 16] = bytes[j] >> 4;
	}
}

/// The types of 32 elements a block: scale bytes, then `high_bytes` of fifth bits, then nibbles.
template <uint32_t scale_bytes, bool fifth_bit>
void unpackNibbleBlock(const uint8_t* block, uint64_t index, const RowPlanes& to) {
	std::memcpy(to.scales + index * scale_bytes, block, scale_bytes);
	uint8_t codes[32];
	nibbles(block + scale_bytes + (fifth_bit ? 4 : 0), codes);
	if constexpr (fifth_bit) {
		const uint32_t bits = load32(block + scale_bytes);
		for (uint32_t i = 0; i < 32; ++i) codes[i] |= uint8_t((bits >> i & 1) << 4);
		packBlock<4, 1>(codes, to.low + 4 * index, to.high + index);
	} else {
		packBlock<4, 0>(codes, to.low + 4 * index, nullptr);
	}
}

void unpackQ8_0(const uint8_t* block, uint64_t index, const RowPlanes& to) {
	std::memcpy(to.scales + index * 2, block, 2);
	uint8_t codes[32];
	for (uint32_t i = 0; i < 32; ++i) codes[i] = block[2 + i] ^ 0x80;   // signed -> offset by 128
	packBlock<8, 0>(codes, to.low + 8 * index, nullptr);
}

void twoBitCodes(const uint8_t* bytes, uint8_t* codes) {
	for (uint32_t half = 0; half < 2; ++half)
		for (uint32_t part = 0; part < 4; ++part)
			for (uint32_t l = 0; l < 32; ++l) codes[128 * half + 32 * part + l] = bytes[32 * half + l] >> (2 * part) & 3;
}

void unpackQ2_K(const uint8_t* block, uint64_t index, const RowPlanes& to) {
	uint8_t codes[256];
	twoBitCodes(block + 16, codes);
	packSuperBlock<2, 0>(codes, index, to);
	std::memcpy(to.scales + 16 * index, block, 16);
	to.super[index] = load32(block + 80);
}

void unpackQ3_K(const uint8_t* block, uint64_t index, const RowPlanes& to) {
	uint8_t codes[256];
	twoBitCodes(block + 32, codes);
	for (uint32_t e = 0; e < 256; ++e) codes[e] |= uint8_t((block[e % 32] >> (e / 32) & 1) << 2);
	packSuperBlock<2, 1>(codes, index, to);
	const uint8_t* packed = block + 96;
	for (uint32_t j = 0; j < 16; ++j) {
		const uint32_t low = j < 8 ? packed[j] & 15 : packed[j - 8] >> 4;
		const uint32_t high = packed[8 + j % 4] >> (2 * (j / 4)) & 3;
		to.scales[16 * index + j] = uint8_t(int(low | high << 4) - 32);
	}
	to.super[index] = std::bit_cast<uint32_t>(halfToFloat(load16(block + 108)));
}

/// Q4_K and Q5_K: 6-bit scales and minimums, nibbles in chunks of 64, a fifth bit in Q5_K.
template <bool fifth_bit>
void unpackAffineSuperBlock(const uint8_t* block, uint64_t index, const RowPlanes& to) {
	const uint8_t* packed = block + 4;
	for (uint32_t j = 0; j < 8; ++j) {
		const bool plain = j < 4;
		to.scales[16 * index + 2 * j] = uint8_t(plain ? packed[j] & 63 : (packed[j + 4] & 15) | packed[j - 4] >> 6 << 4);
		to.scales[16 * index + 2 * j + 1] = uint8_t(plain ? packed[j + 4] & 63 : packed[j + 4] >> 4 | packed[j] >> 6 << 4);
	}
	to.super[index] = load32(block);
	const uint8_t* low = block + (fifth_bit ? 48 : 16);
	const uint8_t* high = block + 16;
	uint8_t codes[256];
	for (uint32_t chunk = 0; chunk < 4; ++chunk)
		for (uint32_t l = 0; l < 32; ++l) {
			codes[64 * chunk + l] = low[32 * chunk + l] & 15;
			codes[64 * chunk + 32 + l] = low[32 * chunk + l] >> 4;
			if constexpr (fifth_bit) {
				codes[64 * chunk + l] |= uint8_t((high[l] >> (2 * chunk) & 1) << 4);
				codes[64 * chunk + 32 + l] |= uint8_t((high[l] >> (2 * chunk + 1) & 1) << 4);
			}
		}
	packSuperBlock<4, fifth_bit ? 1 : 0>(codes, index, to);
}

void unpackQ6_K(const uint8_t* block, uint64_t index, const RowPlanes& to) {
	uint8_t codes[256];
	for (uint32_t half = 0; half < 2; ++half) {
		const uint8_t* low = block + 64 * half;
		const uint8_t* high = block + 128 + 32 * half;
		uint8_t* out = codes + 128 * half;
		for (uint32_t l = 0; l < 32; ++l) {
			out[l] = uint8_t((low[l] & 15) | (high[l] & 3) << 4);
			out[l + 32] = uint8_t((low[l + 32] & 15) | (high[l] >> 2 & 3) << 4);
			out[l + 64] = uint8_t(low[l] >> 4 | (high[l] >> 4 & 3) << 4);
			out[l + 96] = uint8_t(low[l + 32] >> 4 | high[l] >> 6 << 4);
		}
	}
	packSuperBlock<4, 2>(codes, index, to);
	std::memcpy(to.scales + 16 * index, block + 192, 16);
	to.super[index] = std::bit_cast<uint32_t>(halfToFloat(load16(block + 208)));
}

void unpackIQ4_XS(const uint8_t* block, uint64_t index, const RowPlanes& to) {
	const uint32_t high = load16(block + 2);
	for (uint32_t b = 0; b < 8; ++b) {
		const uint32_t scale = (block[4 + b / 2] >> (4 * (b % 2)) & 15u) | (high >> (2 * b) & 3) << 4;
		to.scales[8 * index + b] = uint8_t(int(scale) - 32);
		uint8_t codes[32];
		nibbles(block + 8 + 16 * b, codes);
		packBlock<4, 0>(codes, to.low + (8 * index + b) * 4, nullptr);
	}
	to.super[index] = std::bit_cast<uint32_t>(halfToFloat(load16(block)));
}

using UnpackBlock = void (*)(const uint8_t* block, uint64_t index, const RowPlanes& to);

/// Null for floats, whose words are the file's.
UnpackBlock unpackerOf(TensorType type) {
	switch (type) {
		case TensorType::Q4_0: case TensorType::IQ4_NL: return unpackNibbleBlock<2, false>;
		case TensorType::Q4_1: return unpackNibbleBlock<4, false>;
		case TensorType::Q5_0: return unpackNibbleBlock<2, true>;
		case TensorType::Q5_1: return unpackNibbleBlock<4, true>;
		case TensorType::MXFP4: return unpackNibbleBlock<1, false>;
		case TensorType::Q8_0: return unpackQ8_0;
		case TensorType::Q2_K: return unpackQ2_K;
		case TensorType::Q3_K: return unpackQ3_K;
		case TensorType::Q4_K: return unpackAffineSuperBlock<false>;
		case TensorType::Q5_K: return unpackAffineSuperBlock<true>;
		case TensorType::Q6_K: return unpackQ6_K;
		case TensorType::IQ4_XS: return unpackIQ4_XS;
		default: return nullptr;
	}
}

}  // namespace

DeviceCoding deviceCoding(TensorType type) {
	switch (type) {
		case TensorType::F32: return {VKQ_CODES_F32};
		case TensorType::F16: return {VKQ_CODES_F16};
		case TensorType::BF16: return {VKQ_CODES_BF16};
		case TensorType::Q4_0: return {VKQ_CODES_4, VKQ_SCALES_F16, 8};
		case TensorType::Q4_1: return {VKQ_CODES_4, VKQ_SCALES_F16_MINIMUM};
		case TensorType::Q5_0: return {VKQ_CODES_5, VKQ_SCALES_F16, 16};
		case TensorType::Q5_1: return {VKQ_CODES_5, VKQ_SCALES_F16_MINIMUM};
		case TensorType::Q8_0: return {VKQ_CODES_8, VKQ_SCALES_F16, 128};
		case TensorType::IQ4_NL: return {VKQ_CODES_4, VKQ_SCALES_F16, 0, VKQ_TABLE_IQ4};
		case TensorType::MXFP4: return {VKQ_CODES_4, VKQ_SCALES_EXPONENT, 0, VKQ_TABLE_E2M1};
		case TensorType::Q2_K: return {VKQ_CODES_2, VKQ_SCALES_NIBBLES_16};
		case TensorType::Q3_K: return {VKQ_CODES_3, VKQ_SCALES_SIGNED_16, 4};
		case TensorType::Q4_K: return {VKQ_CODES_4, VKQ_SCALES_BYTES_32};
		case TensorType::Q5_K: return {VKQ_CODES_5, VKQ_SCALES_BYTES_32};
		case TensorType::Q6_K: return {VKQ_CODES_6, VKQ_SCALES_SIGNED_16, 32};
		case TensorType::IQ4_XS: return {VKQ_CODES_4, VKQ_SCALES_SIGNED_32, 0, VKQ_TABLE_IQ4};
		default: assert(!"a type that has no codec has no device layout"); return {};
	}
}

void repackRows(TensorType type, const DeviceLayout& layout, uint64_t columns, uint32_t interleave, uint64_t first, uint64_t count,
                const std::byte* rows, std::byte* out) {
	assert(first % interleave == 0 && first + count <= layout.padded_rows);
	const TypeInfo& info = typeInfo(type);
	const UnpackBlock unpack = unpackerOf(type);
	const uint64_t blocks = columns / info.block_elements, row_bytes = blocks * info.block_bytes;
	std::array<uint64_t, kPlanes> plane_start{};
	uint64_t words = 0;
	for (uint32_t plane = 0; plane < kPlanes; ++plane) {
		plane_start[plane] = words;
		words += layout.row_words[plane];
	}
	// One group of rows, each with its planes' words in order; then the words are interleaved.
	std::vector<uint32_t> group(words * interleave);
	for (uint64_t row = first; row < first + count; row += interleave) {
		std::fill(group.begin(), group.end(), 0u);
		for (uint64_t r = 0; r < interleave && row + r < first + count; ++r) {
			const auto* in = reinterpret_cast<const uint8_t*>(rows) + (row - first + r) * row_bytes;
			uint32_t* start = group.data() + r * words;
			const RowPlanes planes{start, start + plane_start[1], reinterpret_cast<uint8_t*>(start + plane_start[2]), start + plane_start[3]};
			if (unpack) {
				for (uint64_t b = 0; b < blocks; ++b) unpack(in + b * info.block_bytes, b, planes);
			} else {
				std::memcpy(start, in, row_bytes);
			}
		}
		for (uint32_t plane = 0; plane < kPlanes; ++plane) {
			auto* to = reinterpret_cast<uint32_t*>(out + layout.plane_offset[plane]) + row * layout.row_words[plane];
			for (uint64_t w = 0; w < layout.row_words[plane]; ++w)
				for (uint64_t r = 0; r < interleave; ++r) *to++ = group[r * words + plane_start[plane] + w];
		}
	}
}

}  // namespace vkq
