// Every product of every weight type against a float64 product of what quant/codec.h decodes, within bounds that follow from
// single-precision summation: |error| <= (number of roundings on the longest path) * 2^-24 * sum of |terms|.
#include "kernels/device_layout.h"
#include "kernels/load_probe.h"
#include "kernels/product.h"

#include "core/bytes.h"
#include "core/half.h"
#include "quant/codec.h"
#include "shaders/shader_code.h"
#include "shaders/shared/product.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>
#include <set>

using namespace vkq;
using namespace vkq::vk;

namespace {

// The driver compiles each pipeline at its first dispatch, which is nearly all of these tests' time: what is run is chosen for the shader code that
// it reaches, and every variant has its device through all tests.

std::vector<TensorType> allCodedTypes() {
	std::vector<TensorType> types;
	for (const TypeInfo& info : allTypes())
		if (info.has_codec) types.push_back(info.type);
	return types;
}

/// Whole-vector loads take a driver that they are not meant for seconds to compile.
bool slowToCompile(const Kernels& kernels) { return kernels.variant.stream && !streamsFaster(*kernels.device); }

/// All types; for the variants that differ from another only in how inputs reach the lanes, one of each way of coding.
std::vector<TensorType> codedTypes(const Kernels& kernels) {
	const std::string_view variant = kernels.variant.name;
	if (slowToCompile(kernels)) return {TensorType::F16, TensorType::Q6_K};
	if (variant == "software-narrow" || variant == "gpu-plain") return {TensorType::F32, TensorType::BF16, TensorType::Q8_0, TensorType::Q3_K, TensorType::Q5_1, TensorType::Q6_K, TensorType::MXFP4};
	std::vector<TensorType> types = allCodedTypes();
	// Floats are the business of the variant without packed bytes.
	if (kernels.variant.dot) std::erase_if(types, [](TensorType type) { return !hasIntegerProduct(type); });
	return types;
}

/// Variants with cooperative matrices are another's for few vectors.
bool onlyMany(const Kernels& kernels) { return kernels.variant.cooperative; }

/// Random file bytes of a matrix: every bit of codes and block scales is random, F16 scales are of ordinary size.
std::vector<std::byte> randomRows(TensorType type, uint64_t columns, uint64_t rows, std::mt19937& random) {
	const TypeInfo& info = typeInfo(type);
	std::vector<std::byte> bytes(*typeBytes(type, columns) * rows);
	std::normal_distribution<float> normal;
	if (!info.quantized) {
		for (uint64_t i = 0; i < columns * rows; ++i) {
			const float value = normal(random);
			const uint16_t half = type == TensorType::F16 ? floatToHalf(value) : floatToBfloat(value);
			if (type == TensorType::F32) std::memcpy(bytes.data() + 4 * i, &value, 4);
			else std::memcpy(bytes.data() + 2 * i, &half, 2);
		}
		return bytes;
	}
	for (std::byte& byte : bytes) byte = std::byte(random());
	std::vector<uint32_t> half_scales;   // byte offsets of F16 values in a block
	switch (type) {
		case TensorType::Q4_1: case TensorType::Q5_1: case TensorType::Q4_K: case TensorType::Q5_K: half_scales = {0, 2}; break;
		case TensorType::Q2_K: half_scales = {80, 82}; break;
		case TensorType::Q3_K: half_scales = {108}; break;
		case TensorType::Q6_K: half_scales = {208}; break;
		case TensorType::MXFP4: break;
		default: half_scales = {0};
	}
	std::uniform_real_distribution<float> scale(0.001f, 0.01f);
	for (uint64_t at = 0; at < bytes.size(); at += info.block_bytes) {
		for (const uint32_t offset : half_scales) {
			const uint16_t half = floatToHalf(random() % 2 ? scale(random) : -scale(random));
			std::memcpy(bytes.data() + at + offset, &half, 2);
		}
		if (type == TensorType::MXFP4) bytes[at] = std::byte(120 + random() % 12);
	}
	return bytes;
}

std::vector<float> randomVectors(uint64_t elements, std::mt19937& random) {
	std::normal_distribution<float> normal;
	std::vector<float> x(elements);
	for (float& value : x) value = normal(random);
	return x;
}

/// Inputs in 8 bits or as floats: as the variant has a type's products, or the other way, which is run with fewer shapes.
enum class Arithmetic { Usual, Other };

struct ProductTest : testing::TestWithParam<std::string_view> {
	static std::unique_ptr<Device> device;
	Kernels kernels;
	std::mt19937 random{7};

	static void SetUpTestSuite() {
		auto opened = Device::open({}, true);
		if (!opened) opened = Device::open();   // the validation layer is optional
		ASSERT_TRUE(opened.ok()) << opened.error().message;
		device = std::move(opened).value();
	}
	static void TearDownTestSuite() { device.reset(); }
	void SetUp() override {
		ASSERT_TRUE(device);
		auto created = Kernels::create(*device, GetParam());
		if (!created) GTEST_SKIP() << created.error().message;
		kernels = *created;
	}
	void TearDown() override {
		if (!device) return;
		EXPECT_EQ(device->instance().validationMessages(), 0u);
	}

	bool isInteger(TensorType type, uint32_t count, Arithmetic arithmetic) const {
		return hasIntegerProduct(type) && usesIntegerProduct(kernels, type, count) == (arithmetic == Arithmetic::Usual);
	}

	template <class T>
	Buffer upload(std::span<const T> values) {
		auto buffer = Buffer::create(*device, std::max<uint64_t>(values.size_bytes(), 4), MemoryUse::Upload);
		EXPECT_TRUE(buffer.ok());
		std::memcpy(buffer->mapped(), values.data(), values.size_bytes());
		return std::move(buffer).value();
	}
	Buffer download(uint64_t bytes) {
		auto buffer = Buffer::create(*device, bytes, MemoryUse::Download);
		EXPECT_TRUE(buffer.ok());
		return std::move(buffer).value();
	}

	struct Weights {
		TensorType type;
		uint32_t columns, rows, experts;
		std::vector<float> values;     // what the file's bytes mean
		std::vector<Buffer> buffers;   // one a piece
		Matrix matrix;
	};

	/// A random matrix on the device, in pieces of at most `piece_rows` rows.
	Weights weights(TensorType type, uint32_t columns, uint32_t rows, uint32_t experts = 1, uint32_t piece_rows = UINT32_MAX) {
		Weights w{type, columns, rows, experts, {}, {}, {type, columns, rows, experts, {}}};
		const uint64_t all = uint64_t(rows) * experts, row_bytes = *typeBytes(type, columns);
		const auto file = randomRows(type, columns, all, random);
		w.values.resize(all * columns);
		for (uint64_t row = 0; row < all; ++row) decodeRow(type, file.data() + row * row_bytes, columns, w.values.data() + row * columns);
		for (uint64_t first = 0; first < all;) {
			uint64_t count = std::min<uint64_t>(piece_rows, all - first);
			if (piece_rows < rows) count = std::min(count, rows - first % rows);   // parts of an expert do not reach into the next
			const auto layout = deviceLayout(type, columns, count, kernels.variant.interleave);
			EXPECT_TRUE(layout);
			std::vector<std::byte> packed(layout->bytes);
			repackRows(type, *layout, columns, kernels.variant.interleave, 0, count, file.data() + first * row_bytes, packed.data());
			w.buffers.push_back(upload<std::byte>(packed));
			w.matrix.pieces.push_back({w.buffers.back(), first, count});
			first += count;
		}
		return w;
	}

	/// y of one row and one vector, and the bound of its error.
	/// Cooperative matrices (`half`) round both factors to 11 bits.
	static std::pair<double, double> reference(const Weights& w, uint64_t row, std::span<const float> x, bool half = false) {
		const float* values = w.values.data() + row * w.columns;
		double sum = 0, magnitude = 0, rounded = 0;
		for (uint32_t first = 0; first < w.columns; first += 32) {
			const uint32_t end = std::min(first + 32, w.columns);
			float low = 0, high = 0;
			for (uint32_t k = first; k < end; ++k) {
				low = std::min(low, values[k]);
				high = std::max(high, values[k]);
			}
			for (uint32_t k = first; k < end; ++k) {
				sum += double(values[k]) * x[k];
				rounded += std::abs(double(values[k]) * x[k]);
				// Block-coded weights are scale * code + minimum: each term is as large as the block's range.
				const double term = typeInfo(w.type).quantized ? 2.0 * (double(high) - low) : std::abs(double(values[k]));
				magnitude += term * std::abs(double(x[k]));
			}
		}
		// Float arithmetic: a chain of `columns` additions, and a handful of roundings before.
		return {sum, (w.columns + 8) * 0x1p-24 * magnitude + (half ? 0x1.01p-10 * rounded : 0) + 1e-30};
	}

	static void expectProduct(const Weights& w, uint64_t matrix_row, std::span<const float> x, float got, const std::string& where, bool half = false) {
		const auto [expected, bound] = reference(w, matrix_row, x, half);
		EXPECT_LE(std::abs(got - expected), bound) << typeName(w.type) << " " << where << ": " << got << " for " << expected;
	}

	/// The vectors that the device's 8-bit activations stand for; checks that they are as near as they can be.
	std::vector<float> dequantize(const Buffer& quantized, std::span<const float> x, uint32_t columns) {
		const auto* words = reinterpret_cast<const uint32_t*>(quantized.mapped());
		const uint32_t code_words = kernels.variant.dot ? VKQ_ACTIVATION_BYTE_WORDS : VKQ_ACTIVATION_PAIR_WORDS;
		std::vector<float> result(x.size());
		const uint64_t blocks = columns / 32;
		for (uint64_t vector = 0; vector < x.size() / columns; ++vector) {
			const uint32_t* from = words + vector * blocks * (code_words + 2);
			for (uint64_t block = 0; block < blocks; ++block) {
				const uint32_t *meta = from + blocks * code_words + block * 2, *coded = from + block * code_words;
				int codes[32];
				for (uint32_t p = 0; p < code_words; ++p) {
					if (kernels.variant.dot) {
						for (uint32_t i = 0; i < 4; ++i) codes[8 * (p / 2) + p % 2 + 2 * i] = int8_t(coded[p] >> (8 * i));
						continue;
					}
					const int second = int16_t(coded[p] & 0xffff), first = int16_t((coded[p] - uint32_t(second)) >> 16);
					const uint32_t element = 8 * (p / 4) + p % 4;
					codes[element] = first;
					codes[element + 4] = second;
				}
				float scale;
				std::memcpy(&scale, meta, 4);
				const uint64_t at = vector * columns + block * 32;
				for (uint32_t i = 0; i < 32; ++i) {
					result[at + i] = scale * float(codes[i]);
					EXPECT_LE(std::abs(result[at + i] - x[at + i]), scale * 0.5001f);
				}
				EXPECT_EQ(int16_t(meta[1] & 0xffff), std::accumulate(codes, codes + 16, 0));
				EXPECT_EQ(int16_t(meta[1] >> 16), std::accumulate(codes + 16, codes + 32, 0));
			}
		}
		return result;
	}

	/// Multiplies `count` vectors and compares every row (or `rows_checked` of them) of every vector.
	void checkMultiply(const Weights& w, uint32_t count, Arithmetic arithmetic = Arithmetic::Usual, bool accumulate = false) {
		const bool integer = isInteger(w.type, count, arithmetic);
		const auto x = randomVectors(uint64_t(count) * w.columns, random);
		const Buffer x_buffer = upload<float>(x);
		const uint64_t outputs = uint64_t(count) * w.rows;
		Buffer y = download(outputs * 4);
		auto* out = reinterpret_cast<float*>(y.mapped());
		std::fill(out, out + outputs, accumulate ? 1.0f : NAN);
		auto commands = CommandBuffer::create(*device);
		ASSERT_TRUE(commands.ok() && commands->begin().ok());
		Vectors input{x_buffer};
		Buffer quantized;
		if (integer) {
			quantized = download(quantizedActivationBytes(w.columns, count));
			ASSERT_TRUE(quantizeActivations(kernels, *commands, input, w.columns, count, quantized).ok());
			commands->barrier();
			input = {quantized, 0, true};
		}
		const auto recorded = multiply(kernels, *commands, Product{&w.matrix, {y}, accumulate}, input, count);
		ASSERT_TRUE(recorded.ok()) << recorded.error().message;
		ASSERT_TRUE(commands->submitAndWait().ok());
		const auto used = integer ? dequantize(quantized, x, w.columns) : x;
		const bool half = kernels.variant.cooperative && !integer && count > 8 && typeInfo(w.type).quantized;
		for (uint32_t v = 0; v < count; ++v)
			for (uint32_t row = 0; row < w.rows; ++row) {
				const float got = accumulate ? out[uint64_t(v) * w.rows + row] - 1.0f : out[uint64_t(v) * w.rows + row];
				const auto [expected, bound] = reference(w, row, std::span(used).subspan(uint64_t(v) * w.columns, w.columns), half);
				ASSERT_LE(std::abs(got - expected), bound + (accumulate ? (std::abs(expected) + 2) * 0x1p-23 : 0))
					<< typeName(w.type) << (integer ? " 8 bits" : " floats") << " vector " << v << " row " << row << ": " << got << " for " << expected;
			}
	}
};

std::unique_ptr<Device> ProductTest::device;

std::string variantTestName(const testing::TestParamInfo<std::string_view>& info) {
	std::string name(info.param);
	std::replace(name.begin(), name.end(), '-', '_');
	return name;
}

std::vector<std::string_view> variantNames() {
	std::vector<std::string_view> names;
	for (const Variant& variant : allVariants()) names.push_back(variant.name);
	return names;
}

}  // namespace

TEST_P(ProductTest, EveryTypeTimesOneVector) {
	if (onlyMany(kernels)) GTEST_SKIP() << "another variant's";
	for (const TensorType type : codedTypes(kernels)) {
		const Weights w = weights(type, 512, 70);
		checkMultiply(w, 1);
	}
}

// The arithmetic that the variant is not for: unpacking is the same as above, so that one type of each way of coding does.
TEST_P(ProductTest, TheOtherArithmetic) {
	const std::string_view variant = kernels.variant.name;
	if (variant != "software" && variant != "gpu" && variant != "software-stream") GTEST_SKIP() << "another variant's";
	if (slowToCompile(kernels)) GTEST_SKIP() << "this driver takes seconds to compile it";
	for (const TensorType type : {TensorType::Q4_1, TensorType::Q8_0, TensorType::Q2_K, TensorType::Q3_K, TensorType::Q5_K, TensorType::Q6_K, TensorType::IQ4_XS, TensorType::MXFP4}) {
		const Weights w = weights(type, 512, 37);
		checkMultiply(w, 1, Arithmetic::Other);
	}
	checkMultiply(weights(TensorType::Q4_K, 256, 37), 6, Arithmetic::Other);
}

// Lanes have 1, 2, 4 or 8 vectors. Types take turns, others in each variant; devices without tiles multiply prompts with 8.
TEST_P(ProductTest, EveryTypeTimesAFewVectors) {
	if (onlyMany(kernels)) GTEST_SKIP() << "another variant's";
	const std::vector<TensorType> types = codedTypes(kernels), all = allCodedTypes();
	const auto variants = variantNames();
	const size_t turn = size_t(std::find(variants.begin(), variants.end(), GetParam()) - variants.begin());
	for (const TensorType type : types) {
		const size_t place = size_t(std::find(all.begin(), all.end(), type) - all.begin());
		const uint32_t few[] = {2, 3, 7};
		const Weights w = weights(type, 256, 37);
		checkMultiply(w, few[(place + turn) % 3]);
		if (!kernels.variant.tiled && (place + turn) % 3 != 2 && kernels.variant.broadcast) checkMultiply(w, 11);
	}
}

TEST_P(ProductTest, EveryCountOfVectorsUpToNine) {
	const Weights w = weights(TensorType::Q4_K, 256, 40);
	for (uint32_t count = 1; count <= 9; ++count) checkMultiply(w, count);
}

// More than the tiles of devices with shared memory take at once, and tiles that are not full.
TEST_P(ProductTest, EveryTypeTimesManyVectors) {
	if (!kernels.variant.tiled) GTEST_SKIP() << "the same as a few";
	for (const TensorType type : codedTypes(kernels)) {
		const Weights w = weights(type, 256, 69);
		checkMultiply(w, 67);
	}
}

TEST_P(ProductTest, OneRow) {
	for (const TensorType type : {TensorType::F16, TensorType::Q6_K}) checkMultiply(weights(type, 256, 1), 1);
}

TEST_P(ProductTest, OddColumnsOfFloats) {
	std::vector<TensorType> types{TensorType::F16};
	if (!slowToCompile(kernels)) types.insert(types.end(), {TensorType::F32, TensorType::BF16});
	for (const TensorType type : types)
		for (const uint32_t columns : {1u, 2u, 7u, 31u, 33u, 47u, 50u, 127u, 321u}) {
			const Weights w = weights(type, columns, 9);
			checkMultiply(w, 1);
			checkMultiply(w, 12);
		}
}

TEST_P(ProductTest, OddCountsOfBlocks) {
	for (const TensorType type : codedTypes(kernels)) {
		if (typeInfo(type).block_elements != 32) continue;
		for (const uint32_t columns : {32u, 96u, 160u, 288u}) {
			const Weights w = weights(type, columns, 19);
			checkMultiply(w, 1);
		}
	}
}

TEST_P(ProductTest, HugeRows) {
	for (const TensorType type : {TensorType::F16, TensorType::Q4_K, TensorType::Q6_K}) {
		const Weights w = weights(type, 65536, 3);
		checkMultiply(w, 1);
	}
}

TEST_P(ProductTest, ZeroInputGivesZero) {
	const Weights w = weights(TensorType::Q4_K, 256, 8);
	const Buffer x = upload<float>(std::vector<float>(256, 0.0f));
	Buffer quantized = download(quantizedActivationBytes(256, 1)), y = download(8 * 4);
	std::fill_n(reinterpret_cast<float*>(y.mapped()), 8, NAN);
	auto commands = CommandBuffer::create(*device);
	ASSERT_TRUE(commands.ok() && commands->begin().ok());
	ASSERT_TRUE(quantizeActivations(kernels, *commands, {x}, 256, 1, quantized).ok());
	commands->barrier();
	ASSERT_TRUE(multiply(kernels, *commands, Product{&w.matrix, {y}}, {quantized, 0, true}, 1).ok());
	ASSERT_TRUE(commands->submitAndWait().ok());
	for (int i = 0; i < 8; ++i) EXPECT_EQ(reinterpret_cast<float*>(y.mapped())[i], 0.0f);
}

TEST_P(ProductTest, AddsToWhatIsThere) {
	const Weights w = weights(TensorType::Q4_K, 256, 33);
	checkMultiply(w, 1, Arithmetic::Usual, true);
	checkMultiply(w, 10, Arithmetic::Usual, true);
}

TEST_P(ProductTest, MatricesInPiecesGiveWholeResults) {
	const uint32_t step = kernels.variant.interleave * 2;
	const Weights w = weights(TensorType::Q6_K, 256, step * 2 + 5, 1, step);
	EXPECT_EQ(w.matrix.pieces.size(), 3u);
	checkMultiply(w, 1);
	checkMultiply(w, 9);
}

TEST_P(ProductTest, VectorsMayLieApart) {
	const Weights w = weights(TensorType::Q4_0, 64, 10);
	const auto x = randomVectors(3 * 100, random);
	const Buffer x_buffer = upload<float>(x);
	Buffer y = download(3 * 17 * 4);
	auto commands = CommandBuffer::create(*device);
	ASSERT_TRUE(commands.ok() && commands->begin().ok());
	ASSERT_TRUE(multiply(kernels, *commands, Product{&w.matrix, {y, 17}}, {x_buffer, 100}, 3).ok());
	ASSERT_TRUE(commands->submitAndWait().ok());
	for (uint32_t v = 0; v < 3; ++v)
		for (uint32_t row = 0; row < 10; ++row)
			expectProduct(w, row, std::span(x).subspan(v * 100, 64), reinterpret_cast<float*>(y.mapped())[v * 17 + row], "apart");
}

// Few tokens go slot by slot, many are grouped by expert; pieces are whole experts, or parts of one.
TEST_P(ProductTest, TokensGoToTheirExperts) {
	constexpr uint32_t kExperts = 6, kPlaces = 2, kColumns = 256;
	// Whole-vector loads are for experts that begin with a group of rows.
	const uint32_t even = kernels.variant.interleave * 2, odd = even + 3;
	constexpr Arithmetic kUsual = Arithmetic::Usual, kOther = Arithmetic::Other;
	struct Case { TensorType type; uint32_t tokens, rows, piece_experts; Arithmetic arithmetic; bool shared_input; };
	for (const Case& c : {Case{TensorType::Q4_K, 1, even, kExperts, kUsual, true}, {TensorType::Q4_K, 5, odd, 1, kUsual, false}, {TensorType::Q4_K, 3, odd, 2, kOther, true},
	                      {TensorType::F16, 8, even, 2, kUsual, true}, {TensorType::Q4_K, 40, even, kExperts, kUsual, true}, {TensorType::Q4_K, 9, odd, 1, kUsual, false},
	                      {TensorType::Q4_K, 33, odd, 4, kOther, false}, {TensorType::F16, 12, odd, kExperts, kUsual, true}}) {
		if (c.arithmetic == kOther && slowToCompile(kernels)) continue;
		const uint32_t rows = c.rows;
		const bool integer = isInteger(c.type, c.tokens, c.arithmetic);
		const Weights w = weights(c.type, kColumns, rows, kExperts, rows * c.piece_experts);
		std::vector<uint32_t> chosen;
		for (uint32_t token = 0; token < c.tokens; ++token) {
			const uint32_t first = random() % (kExperts - 1);   // the last expert is often chosen by nobody
			chosen.push_back(first);
			chosen.push_back((first + 1) % (kExperts - 1));
		}
		const uint32_t slots = c.tokens * kPlaces, slots_per_x = c.shared_input ? kPlaces : 1, vectors = slots / slots_per_x;
		const auto x = randomVectors(uint64_t(vectors) * kColumns, random);
		const Buffer x_buffer = upload<float>(x), chosen_buffer = upload<uint32_t>(chosen);
		Buffer lists = download(kExperts * (1 + c.tokens) * 4), y = download(uint64_t(slots) * rows * 4), quantized;
		std::fill_n(reinterpret_cast<float*>(y.mapped()), uint64_t(slots) * rows, NAN);
		const ExpertRouting routing{chosen_buffer, lists, c.tokens, kPlaces};

		auto commands = CommandBuffer::create(*device);
		ASSERT_TRUE(commands.ok() && commands->begin().ok());
		Vectors input{x_buffer};
		if (integer) {
			quantized = download(quantizedActivationBytes(kColumns, vectors));
			ASSERT_TRUE(quantizeActivations(kernels, *commands, input, kColumns, vectors, quantized).ok());
			input = {quantized, 0, true};
		}
		if (needsExpertLists(c.tokens)) {
			ASSERT_TRUE(groupExperts(kernels, *commands, routing, kExperts).ok());
		}
		commands->barrier();
		ASSERT_TRUE(multiplyExperts(kernels, *commands, Product{&w.matrix, {y}}, routing, input, slots_per_x).ok());
		ASSERT_TRUE(commands->submitAndWait().ok());

		const auto used = integer ? dequantize(quantized, x, kColumns) : x;
		for (uint32_t slot = 0; slot < slots; ++slot)
			for (uint32_t row = 0; row < rows; ++row)
				expectProduct(w, uint64_t(chosen[slot]) * rows + row, std::span(used).subspan(uint64_t(slot / slots_per_x) * kColumns, kColumns),
				              reinterpret_cast<float*>(y.mapped())[uint64_t(slot) * rows + row], "tokens " + std::to_string(c.tokens) + " slot " + std::to_string(slot),
				              kernels.variant.cooperative && typeInfo(c.type).quantized && !integer && c.tokens > 8);
	}
}

// As the projections of a layer do: weights in one buffer, in another order than the products, outputs in another. What each gives alone is the oracle. The fourth
// lies elsewhere and is a dispatch of its own.
TEST_P(ProductTest, MatricesOfOneTypeShareADispatch) {
	if (slowToCompile(kernels)) GTEST_SKIP() << "this driver takes seconds to compile it";
	constexpr uint32_t kColumns = 256, kExperts = 2, kMostTokens = 67;
	struct Case {
		uint32_t experts, tokens;
		std::vector<uint32_t> rows;
	};
	for (const Case& c : {Case{1, 1, {70, 37, 8, 64}}, {1, 3, {70, 37, 8, 64}}, {1, kMostTokens, {70, 37, 8, 64}}, {kExperts, 1, {64, 64, 64, 64}}, {kExperts, 11, {64, 64, 64, 64}}}) {
		std::vector<Weights> alone;
		for (const uint32_t rows : c.rows) alone.push_back(weights(TensorType::Q5_K, kColumns, rows, c.experts));
		std::vector<Matrix> matrices;
		for (const Weights& w : alone) matrices.push_back(w.matrix);
		Buffer together = download(1 << 18), outputs = download(8 * kMostTokens * 128 * 4);
		uint64_t end = 0;
		for (const size_t i : {2, 0, 1}) {
			const Buffer& own = alone[i].buffers[0];
			ASSERT_LE(end + own.bytes(), together.bytes());
			std::memcpy(together.mapped() + end, own.mapped(), own.bytes());
			matrices[i].pieces[0].view = {together, end, own.bytes()};
			end = alignUp(end + own.bytes(), 256);
		}
		const bool lists = c.experts > 1 && needsExpertLists(c.tokens);
		const bool integer = !lists && isInteger(TensorType::Q5_K, c.experts > 1 ? 1 : c.tokens, Arithmetic::Usual);
		const Buffer x = upload<float>(randomVectors(uint64_t(c.tokens) * kColumns, random));
		std::vector<uint32_t> chosen(c.tokens);
		for (uint32_t& expert : chosen) expert = random() % c.experts;
		const Buffer chosen_buffer = upload<uint32_t>(chosen);
		Buffer list_buffer = download(kExperts * (1 + c.tokens) * 4), quantized = download(quantizedActivationBytes(kColumns, c.tokens));
		const ExpertRouting routing{chosen_buffer, list_buffer, c.tokens, 1};
		std::memset(outputs.mapped(), 0, outputs.bytes());
		const auto output = [&](size_t i) { return vk::BufferView(outputs, i * kMostTokens * 128 * 4, uint64_t(c.tokens) * c.rows[i % 4] * 4); };

		auto commands = CommandBuffer::create(*device);
		ASSERT_TRUE(commands.ok() && commands->begin().ok());
		Vectors input{x};
		if (integer) {
			ASSERT_TRUE(quantizeActivations(kernels, *commands, input, kColumns, c.tokens, quantized).ok());
			input = {quantized, 0, true};
		}
		if (lists) {
			ASSERT_TRUE(groupExperts(kernels, *commands, routing, kExperts).ok());
		}
		commands->barrier();
		const auto record = [&](std::span<const Product> products) {
			return c.experts > 1 ? multiplyExperts(kernels, *commands, products, routing, input, 1) : multiply(kernels, *commands, products, input, c.tokens);
		};
		std::vector<Product> joined;
		for (size_t i = 0; i < 4; ++i) {
			const Product separate{&alone[i].matrix, {output(i)}};
			ASSERT_TRUE(record(std::span(&separate, 1)).ok());
			joined.push_back({&matrices[i], {output(4 + (i + 2) % 4)}});   // not in their order
			joined.back().y.view.bytes = output(i).bytes;
		}
		ASSERT_TRUE(record(joined).ok());
		ASSERT_TRUE(commands->submitAndWait().ok());
		for (size_t i = 0; i < 4; ++i) {
			const auto *expected = reinterpret_cast<const float*>(outputs.mapped() + output(i).offset), *got = reinterpret_cast<const float*>(outputs.mapped() + joined[i].y.view.offset);
			EXPECT_NE(expected[0], 0.0f);
			for (uint64_t at = 0; at < uint64_t(c.tokens) * c.rows[i]; ++at) {
				ASSERT_EQ(got[at], expected[at]) << "experts " << c.experts << " tokens " << c.tokens << " matrix " << i << " at " << at;
			}
		}
	}
}

TEST_P(ProductTest, PiecesMayBePartsOfAnExpert) {
	const uint32_t step = kernels.variant.interleave;
	const Weights w = weights(TensorType::Q8_0, 64, step * 3, 2, step * 2);
	ASSERT_EQ(w.matrix.pieces.size(), 4u);
	const std::vector<uint32_t> chosen{1, 0};
	const auto x = randomVectors(2 * 64, random);
	const Buffer x_buffer = upload<float>(x), chosen_buffer = upload<uint32_t>(chosen);
	Buffer y = download(2 * w.rows * 4);
	auto commands = CommandBuffer::create(*device);
	ASSERT_TRUE(commands.ok() && commands->begin().ok());
	ASSERT_TRUE(multiplyExperts(kernels, *commands, Product{&w.matrix, {y}}, {chosen_buffer, chosen_buffer, 2, 1}, {x_buffer}, 1).ok());
	ASSERT_TRUE(commands->submitAndWait().ok());
	for (uint32_t slot = 0; slot < 2; ++slot)
		for (uint32_t row = 0; row < w.rows; ++row)
			expectProduct(w, uint64_t(chosen[slot]) * w.rows + row, std::span(x).subspan(slot * 64, 64), reinterpret_cast<float*>(y.mapped())[slot * w.rows + row], "part");
}

// Larger than one binding of the smallest devices (128 MiB).
TEST_P(ProductTest, MatricesBeyondOneBinding) {
	if (GetParam() != "software" && GetParam() != "software-stream" && GetParam() != "gpu") GTEST_SKIP() << "the same addresses as another variant's";
	constexpr uint32_t kColumns = 4096, kRows = 40000, kPiece = 14016;
	Matrix matrix{TensorType::F16, kColumns, kRows, 1, {}};
	std::vector<Buffer> buffers;
	const std::vector<uint32_t> marked{0, kPiece - 1, kPiece, 30001, kRows - 1};
	for (uint64_t first = 0; first < kRows; first += kPiece) {
		const uint64_t count = std::min<uint64_t>(kPiece, kRows - first);
		const uint32_t interleave = kernels.variant.interleave;
		const auto layout = deviceLayout(TensorType::F16, kColumns, count, interleave);
		ASSERT_TRUE(layout);
		auto buffer = Buffer::create(*device, layout->bytes, MemoryUse::Upload);
		if (!buffer) GTEST_SKIP() << buffer.error().message;
		std::memset(buffer->mapped(), 0, layout->bytes);   // fresh memory is not zero on every device
		for (const uint32_t row : marked) {
			if (row < first || row >= first + count) continue;
			const uint64_t in_piece = row - first, last_word = layout->row_words[0] - 1;
			const uint64_t word = (in_piece / interleave * layout->row_words[0] + last_word) * interleave + in_piece % interleave;
			const uint16_t pair[2] = {0, floatToHalf(float(row % 1000 + 1))};
			std::memcpy(buffer->mapped() + word * 4, pair, 4);
		}
		matrix.pieces.push_back({*buffer, first, count});
		buffers.push_back(std::move(*buffer));
	}
	const Buffer x = upload<float>(std::vector<float>(kColumns, 1.0f));
	Buffer y = download(kRows * 4);
	auto commands = CommandBuffer::create(*device);
	ASSERT_TRUE(commands.ok() && commands->begin().ok());
	ASSERT_TRUE(multiply(kernels, *commands, Product{&matrix, {y}}, {x}, 1).ok());
	ASSERT_TRUE(commands->submitAndWait().ok());
	const auto* out = reinterpret_cast<const float*>(y.mapped());
	for (uint32_t row = 0; row < kRows; ++row) {
		const bool is_marked = std::find(marked.begin(), marked.end(), row) != marked.end();
		ASSERT_EQ(out[row], is_marked ? float(row % 1000 + 1) : 0.0f) << row;
	}
}

// The last expert of a tensor of 590 GB, of which only that expert's piece is there.
TEST_P(ProductTest, PiecesFarBeyondFourGiB) {
	constexpr uint32_t kExperts = 4000;
	constexpr uint32_t kExpertRows = 1000000;
	const uint32_t rows = kernels.variant.interleave * 2;
	const Weights w = weights(TensorType::Q4_K, 256, rows);
	// The piece holds the expert's first rows.
	Matrix matrix{TensorType::Q4_K, 256, kExpertRows, kExperts, {{w.buffers[0], uint64_t(kExperts - 1) * kExpertRows, rows}}};
	const std::vector<uint32_t> chosen{kExperts - 1, 7};
	const auto x = randomVectors(2 * 256, random);
	const Buffer x_buffer = upload<float>(x), chosen_buffer = upload<uint32_t>(chosen);
	Buffer y = download(2ull * kExpertRows * 4);
	auto* out = reinterpret_cast<float*>(y.mapped());
	out[kExpertRows] = -1.0f;
	auto commands = CommandBuffer::create(*device);
	ASSERT_TRUE(commands.ok() && commands->begin().ok());
	ASSERT_TRUE(multiplyExperts(kernels, *commands, Product{&matrix, {y}}, {chosen_buffer, chosen_buffer, 2, 1}, {x_buffer}, 1).ok());
	ASSERT_TRUE(commands->submitAndWait().ok());
	for (uint32_t row = 0; row < rows; ++row) expectProduct(w, row, std::span(x).first(256), out[row], "far");
	EXPECT_EQ(out[kExpertRows], -1.0f) << "an expert that this piece does not hold";
}

INSTANTIATE_TEST_SUITE_P(Variants, ProductTest, testing::ValuesIn(variantNames()), variantTestName);

TEST(Variant, WholeVectorLoadsAreMeasuredAndKeepTheLayout) {
	auto device = Device::open();
	ASSERT_TRUE(device.ok()) << device.error().message;
	const auto declared = chooseVariant((*device)->info()), measured = measureVariant(**device), again = measureVariant(**device);
	ASSERT_TRUE(declared.ok() && measured.ok() && again.ok());
	EXPECT_FALSE(declared->stream);
	EXPECT_EQ(measured->interleave, declared->interleave);
	EXPECT_EQ(measured->name, again->name);
	EXPECT_TRUE((*device)->info().software() || measured->name == declared->name);
	const auto named = measureVariant(**device, declared->name);
	ASSERT_TRUE(named.ok());
	EXPECT_EQ(named->name, declared->name);
}

TEST(Variant, NamesAreUnique) {
	std::set<std::string_view> names;
	for (const Variant& variant : allVariants()) EXPECT_TRUE(names.insert(variant.name).second);
}

TEST(Variant, SoftwareDevicesGetTheSoftwareOne) {
	DeviceInfo info;
	info.kind = DeviceKind::Software;
	info.limits.subgroup = info.limits.max_subgroup = 8;
	info.limits.workgroup_invocations = 1024;
	info.features.subgroup_ballot = true;
	EXPECT_EQ(chooseVariant(info)->name, "software");
	info.limits.subgroup = 4;
	EXPECT_EQ(chooseVariant(info)->name, "software-narrow");
	EXPECT_EQ(chooseVariant(info, "software").error().code, ErrorCode::kUnsupported);
	info.kind = DeviceKind::Discrete;
	info.limits.subgroup = 32;
	EXPECT_EQ(chooseVariant(info)->name, "gpu");
	info.cooperative_shapes = {{16, 16, 16, true, true, false}};
	info.features.cooperative_matrix = info.features.float16 = true;
	const bool built = !shaderCode(ShaderId::product_cooperative).words.empty();
	EXPECT_EQ(chooseVariant(info)->name, built ? "gpu-matrix" : "gpu");
	info.cooperative_shapes = {{16, 16, 16, true, false, true}};   // half-precision sums do not do
	EXPECT_EQ(chooseVariant(info)->name, "gpu");
	info.features.integer_dot_product = true;
	EXPECT_EQ(chooseVariant(info)->name, "gpu") << "not declared to be fast";
	info.features.integer_dot_accelerated = true;
	EXPECT_EQ(chooseVariant(info)->name, "gpu-dot");
	info.features.subgroup_ballot = false;
	EXPECT_EQ(chooseVariant(info)->name, "gpu-plain");
	EXPECT_EQ(chooseVariant(info, "fastest").error().code, ErrorCode::kUsage);
}
