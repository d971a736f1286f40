// What a format's file gives to the table in codec.cpp, and the loops over blocks that all formats share.
// Internal to quant/: everyone else uses codec.h.
#pragma once

#include "core/half.h"
#include "quant/format.h"

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

// Functions so marked are compiled more than once, the widest form that the machine has chosen when the program starts. No
// form contracts multiply and add, so all give the same bytes. Elsewhere than GCC on x86-64 Linux the plain form is all there is.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define VKQ_SIMD_CLONES __attribute__((target_clones("avx2", "default")))
// Long plain loops gain from AVX-512 as well (F16: 2.5 times), blocks of 32 do not.
#define VKQ_WIDE_SIMD_CLONES __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define VKQ_SIMD_CLONES
#define VKQ_WIDE_SIMD_CLONES
#endif

namespace vkq {

struct Codec {
	TensorType type;
	bool uses_importance;
	void (*encode)(const float* x, uint64_t row_elements, const float* importance, std::byte* out);
	void (*decode)(const std::byte* in, uint64_t elements, float* out);
	bool (*finite)(const std::byte* in, uint64_t elements);
};

/// A format's encoder for Search::kBest (quant/best_*.cpp): rows as for encodeRow(). Decoding is the codec's.
struct BestEncoder {
	TensorType type;
	bool uses_importance;
	void (*encode)(const float* x, uint64_t row_elements, const float* importance, std::byte* out);
};

extern const Codec kF32Codec, kF16Codec, kBf16Codec;
extern const Codec kQ4_0Codec, kQ4_1Codec, kQ5_0Codec, kQ5_1Codec, kQ8_0Codec;
extern const Codec kQ2_KCodec, kQ3_KCodec, kQ4_KCodec, kQ5_KCodec, kQ6_KCodec;
extern const BestEncoder kBestQ2_K, kBestQ3_K, kBestQ4_K, kBestQ5_K, kBestQ6_K;
extern const Codec kIq4NlCodec, kIq4XsCodec, kMxfp4Codec;

extern const BestEncoder kBestQ4_0, kBestQ4_1, kBestQ5_0, kBestQ5_1, kBestQ8_0;
extern const BestEncoder kBestIq4Nl, kBestIq4Xs, kBestMxfp4;

/// Elements of the block that Block lays out: 32, or 256 for a super-block. Every Block has `static constexpr int kElements`.
/// Blocks are built in a local and copied, so that neither file images nor buffers need any alignment.
template <class Block, void (*kEncode)(const float* x, const float* importance, Block& block)>
void encodeBlocks(const float* x, uint64_t row_elements, const float* importance, std::byte* out) {
	for (uint64_t i = 0; i < row_elements; i += Block::kElements, out += sizeof(Block)) {
		Block block;
		kEncode(x + i, importance ? importance + i : nullptr, block);
		std::memcpy(out, &block, sizeof(Block));
	}
}

template <class Block, void (*kDecode)(const Block& block, float* out)>
void decodeBlocks(const std::byte* in, uint64_t elements, float* out) {
	for (uint64_t i = 0; i < elements; i += Block::kElements, in += sizeof(Block)) {
		Block block;
		std::memcpy(&block, in, sizeof(Block));
		kDecode(block, out + i);
	}
}

inline bool halfIsFinite(uint16_t half) { return (half & 0x7c00) != 0x7c00; }

/// True if the named binary16 members of every block are finite.
template <class Block, uint16_t Block::*... kScales>
bool scalesFinite(const std::byte* in, uint64_t elements) {
	for (uint64_t i = 0; i < elements; i += Block::kElements, in += sizeof(Block)) {
		Block block;
		std::memcpy(&block, in, sizeof(Block));
		if (!(halfIsFinite(block.*kScales) && ...)) return false;
	}
	return true;
}

/// Cuts the fraction off. What does not fit an int becomes INT32_MIN, as the reference's machine instruction has it.
inline int32_t truncateToInt(float value) {
	return value >= -0x1p31f && value < 0x1p31f ? int32_t(value) : INT32_MIN;
}

/// The value of largest magnitude, with its sign; the first of equals.
inline float signedExtreme(const float* x, int count, float* magnitude = nullptr) {
	float extreme = 0, largest = 0;
	for (int i = 0; i < count; ++i) {
		const float size = std::fabs(x[i]);
		if (size > largest) largest = size, extreme = x[i];
	}
	if (magnitude) *magnitude = largest;
	return extreme;
}

/// signedExtreme() of a block of 32 in a form without branches: the largest magnitude (floats of one sign order as their
/// bits do), then the first weight that has it.
inline float signedExtreme32(const float* x) {
	uint32_t largest = 0;
	for (int j = 0; j < 32; ++j) {
		const uint32_t magnitude = std::bit_cast<uint32_t>(x[j]) & 0x7fffffff;
		largest = magnitude > largest ? magnitude : largest;
	}
	int32_t first = 31;
	for (int32_t j = 0; j < 32; ++j) {
		const int32_t candidate = (std::bit_cast<uint32_t>(x[j]) & 0x7fffffff) == largest ? j : 31;
		first = candidate < first ? candidate : first;
	}
	return largest == 0 ? 0.0f : x[first];  // never negative zero
}

/// A whole number that is ordered as floats are, negative zero below zero; and back (the map is its own inverse).
inline int32_t orderedBits(float value) {
	const int32_t bits = std::bit_cast<int32_t>(value);
	return bits ^ (bits >> 31 & 0x7fffffff);
}
inline float fromOrderedBits(int32_t key) { return std::bit_cast<float>(key ^ (key >> 31 & 0x7fffffff)); }

/// The first of 32 that equals `value`, which tells the sign of a zero.
inline float firstEqual32(const float* x, float value) {
	int32_t first = 31;
	for (int32_t j = 0; j < 32; ++j) {
		const int32_t candidate = x[j] == value ? j : 31;
		first = candidate < first ? candidate : first;
	}
	return x[first];
}

}  // namespace vkq
