// Properties of every host codec: how large the error is, what happens at the edges, and what the bytes mean.
#include "quant/codec.h"
#include "quant/iq4.h"
#include "quant/mxfp4.h"
#include "tests/quant/adversarial.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>

using namespace vkq;

namespace {

using T = TensorType;
constexpr uint64_t kElements = 1024;

std::vector<TypeInfo> codecTypes(bool quantized_only = false) {
	std::vector<TypeInfo> types;
	for (const TypeInfo& info : allTypes())
		if (info.has_codec && (info.quantized || !quantized_only)) types.push_back(info);
	return types;
}

std::vector<std::byte> encode(T type, const std::vector<float>& x, const float* importance = nullptr) {
	std::vector<std::byte> bytes(*typeBytes(type, x.size()));
	encodeRow(type, x.data(), x.size(), importance, bytes.data());
	return bytes;
}

std::vector<float> decode(T type, const std::vector<std::byte>& bytes, uint64_t elements) {
	std::vector<float> x(elements);
	decodeRow(type, bytes.data(), elements, x.data());
	return x;
}

double relativeError(const std::vector<float>& x, const std::vector<float>& y) {
	double error = 0, power = 0;
	for (size_t i = 0; i < x.size(); ++i) {
		error += (double(x[i]) - y[i]) * (double(x[i]) - y[i]);
		power += double(x[i]) * x[i];
	}
	return power > 0 ? std::sqrt(error / power) : error > 0 ? INFINITY : 0;
}

std::vector<float> rowNamed(std::string_view name) {
	for (auto& row : adversarial::rows(kElements))
		if (row.name == name) return row.values;
	ADD_FAILURE() << "no adversarial row is named " << name;
	return std::vector<float>(kElements);
}

// --- the meaning of bytes, bit by bit, as the format's description has it -------------------------------------------

float halfAt(const uint8_t* b) { return halfToFloat(uint16_t(b[0] | b[1] << 8)); }

int nibbleOf32(const uint8_t* packed, uint64_t i) { return i < 16 ? packed[i] & 15 : packed[i - 16] >> 4; }
int bitOf32(const uint8_t* packed, uint64_t i) { return packed[i / 8] >> (i % 8) & 1; }

struct ScaleAndMinimum { int scale, minimum; };
ScaleAndMinimum sixBits(const uint8_t* s, uint64_t j) {
	if (j < 4) return {s[j] & 63, s[j + 4] & 63};
	return {(s[j + 4] & 15) | s[j - 4] >> 6 << 4, s[j + 4] >> 4 | s[j] >> 6 << 4};
}

using Meaning = std::function<float(const uint8_t* block, uint64_t element)>;

const std::map<T, Meaning> kMeanings = {
	{T::Q4_0, [](const uint8_t* b, uint64_t e) { return halfAt(b) * float(nibbleOf32(b + 2, e) - 8); }},
	{T::Q4_1, [](const uint8_t* b, uint64_t e) { return halfAt(b) * float(nibbleOf32(b + 4, e)) + halfAt(b + 2); }},
	{T::Q5_0, [](const uint8_t* b, uint64_t e) { return halfAt(b) * float((nibbleOf32(b + 6, e) | bitOf32(b + 2, e) << 4) - 16); }},
	{T::Q5_1, [](const uint8_t* b, uint64_t e) { return halfAt(b) * float(nibbleOf32(b + 8, e) | bitOf32(b + 4, e) << 4) + halfAt(b + 2); }},
	{T::Q8_0, [](const uint8_t* b, uint64_t e) { return halfAt(b) * float(int8_t(b[2 + e])); }},
	{T::Q2_K, [](const uint8_t* b, uint64_t e) {
		const int q = b[16 + 32 * (e / 128) + e % 32] >> 2 * (e % 128 / 32) & 3;
		return halfAt(b + 80) * float(b[e / 16] & 15) * float(q) - halfAt(b + 82) * float(b[e / 16] >> 4);
	}},
	{T::Q3_K, [](const uint8_t* b, uint64_t e) {
		const uint64_t j = e / 16;
		const int low = b[32 + 32 * (e / 128) + e % 32] >> 2 * (e % 128 / 32) & 3, high = b[e % 32] >> e / 32 & 1;
		const uint8_t* s = b + 96;
		const int scale = (j < 8 ? s[j] & 15 : s[j - 8] >> 4) | (s[8 + j % 4] >> 2 * (j / 4) & 3) << 4;
		return halfAt(b + 108) * float(scale - 32) * float(low - (high ? 0 : 4));
	}},
	{T::Q4_K, [](const uint8_t* b, uint64_t e) {
		const auto [scale, minimum] = sixBits(b + 4, e / 32);
		const int q = b[16 + 32 * (e / 64) + e % 32] >> (e % 64 < 32 ? 0 : 4) & 15;
		return halfAt(b) * float(scale) * float(q) - halfAt(b + 2) * float(minimum);
	}},
	{T::Q5_K, [](const uint8_t* b, uint64_t e) {
		const auto [scale, minimum] = sixBits(b + 4, e / 32);
		const int q = (b[48 + 32 * (e / 64) + e % 32] >> (e % 64 < 32 ? 0 : 4) & 15) | (b[16 + e % 32] >> e / 32 & 1) << 4;
		return halfAt(b) * float(scale) * float(q) - halfAt(b + 2) * float(minimum);
	}},
	{T::Q6_K, [](const uint8_t* b, uint64_t e) {
		const uint64_t half = e / 128, quarter = e % 128 / 32, l = e % 32;
		const int low = b[64 * half + 32 * (quarter % 2) + l] >> 4 * (quarter / 2) & 15;
		const int high = b[128 + 32 * half + l] >> 2 * quarter & 3;
		return halfAt(b + 208) * float(int8_t(b[192 + e / 16])) * float((low | high << 4) - 32);
	}},
	{T::IQ4_NL, [](const uint8_t* b, uint64_t e) { return halfAt(b) * float(kIq4Values[nibbleOf32(b + 2, e)]); }},
	{T::IQ4_XS, [](const uint8_t* b, uint64_t e) {
		const uint64_t j = e / 32;
		const int scale = (b[4 + j / 2] >> 4 * (j % 2) & 15) | ((b[2] | b[3] << 8) >> 2 * j & 3) << 4;
		return halfAt(b) * float(scale - 32) * float(kIq4Values[nibbleOf32(b + 8 + 16 * j, e % 32)]);
	}},
	{T::MXFP4, [](const uint8_t* b, uint64_t e) { return std::ldexp(float(kMxfp4Values[nibbleOf32(b + 1, e)]), int(b[0]) - 128); }},
};

}  // namespace

TEST(Codecs, ExistForEveryTypeOfTheTableThatSaysSo) {
	EXPECT_EQ(codecTypes().size(), 16u);
	for (const TypeInfo& info : codecTypes()) EXPECT_EQ(decode(info.type, encode(info.type, std::vector<float>(256)), 256), std::vector<float>(256)) << info.name;
}

TEST(Codecs, DecodeEveryByteAsTheFormatDescribesIt) {
	for (const TypeInfo& info : codecTypes(true)) {
		const Meaning& meaning = kMeanings.at(info.type);
		adversarial::Random random(uint64_t(info.type));
		std::vector<std::byte> bytes(info.block_bytes);
		std::vector<float> decoded(info.block_elements);
		// Each byte takes each of its values, among others that change.
		for (uint32_t round = 0; round < 256 * 4; ++round) {
			for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = std::byte(i % 4 == round % 4 ? round / 4 + i * 67 : random.next());
			decodeRow(info.type, bytes.data(), info.block_elements, decoded.data());
			const auto* block = reinterpret_cast<const uint8_t*>(bytes.data());
			for (uint32_t e = 0; e < info.block_elements; ++e) {
				const float expected = meaning(block, e);
				ASSERT_TRUE(decoded[e] == expected || (std::isnan(decoded[e]) && std::isnan(expected)))
					<< info.name << " element " << e << ": " << decoded[e] << " is not " << expected;
			}
		}
	}
}

TEST(Codecs, NeedNoAlignment) {
	for (const TypeInfo& info : codecTypes()) {
		const auto x = rowNamed("normal weights");
		const auto bytes = encode(info.type, x);
		std::vector<std::byte> shifted(bytes.size() + 1);
		encodeRow(info.type, x.data(), x.size(), nullptr, shifted.data() + 1);
		EXPECT_EQ(std::memcmp(shifted.data() + 1, bytes.data(), bytes.size()), 0) << info.name;
		std::vector<float> y(x.size());
		decodeRow(info.type, shifted.data() + 1, x.size(), y.data());
		EXPECT_EQ(y, decode(info.type, bytes, x.size())) << info.name;
	}
}

TEST(Codecs, EncodeBlocksIndependentlyOfTheirNeighbours) {
	const auto x = rowNamed("magnitudes differ from group to group");
	const auto importance = adversarial::importances(kElements)[2].values;
	for (const TypeInfo& info : codecTypes()) {
		const bool row_couples = info.type == T::Q4_0 || info.type == T::Q4_1 || info.type == T::Q5_0 || info.type == T::Q5_1;
		for (const float* weights : {static_cast<const float*>(nullptr), importance.data()}) {
			if (weights && row_couples) continue;  // these weigh by the whole row's mean square
			const auto whole = encode(info.type, x, weights);
			std::vector<std::byte> parts(whole.size());
			for (uint64_t at = 0; at < kElements; at += 256)
				encodeRow(info.type, x.data() + at, 256, weights ? weights + at : nullptr, parts.data() + *typeBytes(info.type, at));
			EXPECT_EQ(parts, whole) << info.name << (weights ? " with importance" : "");
		}
	}
}

TEST(Codecs, EncodeTheTailOfARowAsItsBeginning) {
	// Eight blocks are searched together and the ninth alone.
	for (const T type : {T::Q4_0, T::Q4_1, T::Q5_0, T::Q5_1, T::IQ4_NL})
		for (const auto& row : adversarial::rows(256))
			for (const auto& importance : adversarial::importances(256)) {
				std::vector<float> x, weights;
				for (int i = 0; i < 9; ++i) {
					x.insert(x.end(), row.values.begin(), row.values.begin() + 32);
					weights.insert(weights.end(), importance.values.begin(), importance.values.begin() + 32);
				}
				const auto bytes = encode(type, x, weights.data());
				const size_t block = typeInfo(type).block_bytes;
				for (size_t at = block; at < bytes.size(); at += block)
					ASSERT_EQ(std::memcmp(bytes.data(), bytes.data() + at, block), 0) << typeName(type) << ", " << row.name << ", " << importance.name;
			}
}

TEST(Codecs, IgnoreImportanceOnlyWhereTheySay) {
	const auto x = rowNamed("normal weights");
	const auto importance = adversarial::importances(kElements)[2].values;
	for (const TypeInfo& info : codecTypes()) EXPECT_EQ(encode(info.type, x, importance.data()) != encode(info.type, x), usesImportance(info.type)) << info.name;
}

TEST(Codecs, KeepZerosZero) {
	for (const char* name : {"zeros", "negative zeros"})
		for (const TypeInfo& info : codecTypes())
			for (const auto& importance : adversarial::importances(kElements)) {
				const auto y = decode(info.type, encode(info.type, rowNamed(name), importance.values.data()), kElements);
				EXPECT_TRUE(std::all_of(y.begin(), y.end(), [](float v) { return v == 0; })) << info.name << ", " << name << ", " << importance.name;
			}
}

// Relative root mean square errors of normal weights lie just below these; an encoder that lost a bit would double its own.
TEST(Codecs, LoseNoMoreThanTheirBitsAllow) {
	const std::map<T, double> bounds = {
		{T::F32, 0},        {T::F16, 0.0003},   {T::BF16, 0.0025},  {T::Q8_0, 0.0065},  {T::Q6_K, 0.021},   {T::Q5_K, 0.041},  {T::Q5_1, 0.045},
		{T::Q5_0, 0.050},   {T::Q4_K, 0.082},   {T::Q4_1, 0.092},   {T::IQ4_NL, 0.082}, {T::IQ4_XS, 0.083}, {T::Q4_0, 0.100},  {T::MXFP4, 0.14},
		{T::Q3_K, 0.165},   {T::Q2_K, 0.32},
	};
	for (const char* name : {"normal weights", "normal weights stored as halves", "normal weights stored as bfloats"}) {
		const auto x = rowNamed(name);
		for (const TypeInfo& info : codecTypes()) {
			const double error = relativeError(x, decode(info.type, encode(info.type, x), kElements));
			EXPECT_LE(error, bounds.at(info.type)) << info.name << ", " << name;
			EXPECT_GE(error, bounds.at(info.type) * (info.quantized ? 0.5 : 0)) << info.name << ": the bound is too loose";
		}
	}
}

TEST(Codecs, StayFiniteAndBoundedOnAdversarialRows) {
	for (const auto& row : adversarial::rows(kElements)) {
		const float largest = std::fabs(*std::max_element(row.values.begin(), row.values.end(), [](float a, float b) { return std::fabs(a) < std::fabs(b); }));
		for (const TypeInfo& info : codecTypes()) {
			const auto bytes = encode(info.type, row.values);
			ASSERT_TRUE(scalesAreFinite(info.type, bytes.data(), kElements)) << info.name << ", " << row.name;
			for (const float v : decode(info.type, bytes, kElements)) {
				// Scales are halves or powers of two: below their smallest nothing more is promised than being of that size.
				ASSERT_LE(std::fabs(v), largest * 1.6f + 0x1p-14f) << info.name << ", " << row.name;
			}
		}
	}
}

TEST(Codecs, ReproduceWhatTheyCanRepresent) {
	const auto check = [](T type, const std::vector<float>& x) { EXPECT_EQ(decode(type, encode(type, x), x.size()), x) << typeName(type); };
	check(T::Q8_0, rowNamed("whole numbers up to 127"));
	std::vector<float> levels(256), ramp(256);
	for (int i = 0; i < 256; ++i) {
		levels[size_t(i)] = float(i % 16 - 8) * 0.25f;
		ramp[size_t(i)] = float(i % 16) * 0.5f;
	}
	for (const T type : {T::Q4_0, T::Q5_0, T::F16, T::BF16, T::F32}) check(type, levels);
	for (const T type : {T::Q4_1, T::F16}) check(type, ramp);
}

TEST(Codecs, FindScalesThatAreNotFinite) {
	for (const auto& row : adversarial::overflowingRows(kElements))
		for (const TypeInfo& info : codecTypes()) {
			if (info.type == T::F32 || info.type == T::BF16 || info.type == T::MXFP4) continue;
			const auto bytes = encode(info.type, row.values);
			EXPECT_FALSE(scalesAreFinite(info.type, bytes.data(), kElements)) << info.name << ", " << row.name;
		}
	const auto x = rowNamed("normal weights");
	for (const TypeInfo& info : codecTypes()) EXPECT_TRUE(scalesAreFinite(info.type, encode(info.type, x).data(), kElements));
	// In the last block of a row, too.
	auto bytes = encode(T::Q4_1, x);
	bytes[bytes.size() - 17] = std::byte(0x7c);  // the high byte of the last block's minimum
	bytes[bytes.size() - 18] = std::byte(0);
	EXPECT_FALSE(scalesAreFinite(T::Q4_1, bytes.data(), kElements));
	auto floats = encode(T::BF16, x);
	floats[2046] = std::byte(0x80), floats[2047] = std::byte(0x7f);
	EXPECT_FALSE(scalesAreFinite(T::BF16, floats.data(), kElements));
	auto powers = encode(T::MXFP4, x);
	powers[17 * 31] = std::byte(0xff);
	EXPECT_FALSE(scalesAreFinite(T::MXFP4, powers.data(), kElements));
}

TEST(Q4K, EncodesAllZeroBlockToZeroScale) {
	const auto bytes = encode(T::Q4_K, std::vector<float>(256));
	EXPECT_TRUE(std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte(0); }));
}

TEST(Q6K, EncodesAllZeroBlockToZeroBytes) {
	const auto bytes = encode(T::Q6_K, std::vector<float>(256));
	EXPECT_TRUE(std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte(0); }));
}

TEST(Iq4, PicksTheUpperOfTwoEquallyNearValues) {
	for (int i = 0; i < 15; ++i) {
		const float low = kIq4Values[i], high = kIq4Values[i + 1], middle = (low + high) / 2;
		std::vector<float> x(32, middle);
		x[0] = std::nextafter(middle, -1000.0f);
		x[1] = std::nextafter(middle, 1000.0f);
		x[2] = NAN;
		uint8_t codes[32];
		nearestIq4Codes(x.data(), 1.0f, codes);
		EXPECT_EQ(codes[0], i);
		EXPECT_EQ(codes[1], i + 1);
		EXPECT_EQ(codes[2], 15);
		EXPECT_EQ(codes[3], i + 1);
	}
}

TEST(Mxfp4, ExponentFollowsTheSinglePrecisionLogarithm) {
	auto expected = [](float magnitude) { return uint8_t(int(std::floor(float(std::log2(double(magnitude))))) + 125); };
	for (int power = -148; power <= 127; ++power) {
		float magnitude = std::ldexp(1.0f, power);
		for (int i = 0; i < 200 && magnitude > 0; ++i, magnitude = std::nextafter(magnitude, 0.0f)) ASSERT_EQ(mxfp4Exponent(magnitude), expected(magnitude)) << magnitude;
	}
	adversarial::Random random(3);
	for (int i = 0; i < 100000; ++i) {
		const float magnitude = std::bit_cast<float>(random.below(0x7f800000));
		if (magnitude > 0) {
			ASSERT_EQ(mxfp4Exponent(magnitude), expected(magnitude)) << magnitude;
		}
	}
	EXPECT_EQ(mxfp4Exponent(0), 0);
}

TEST(Mxfp4, ScaleIsHalfOfTheExponentsPower) {
	for (int e = 0; e < 255; ++e) EXPECT_EQ(mxfp4Scale(uint8_t(e)), std::ldexp(1.0f, e - 128)) << e;
}
