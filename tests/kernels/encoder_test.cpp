// Device encoders against the host oracle: the same bytes, on every type, source and kind of data.
#include "core/half.h"
#include "kernels/encoder.h"
#include "quant/codec.h"
#include "tests/quant/adversarial.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

using namespace vkq;
using namespace vkq::vk;

namespace {

struct Rows {
	uint32_t rows, row_elements;
	std::vector<float> values;
};

Rows gaussian(uint32_t rows, uint32_t row_elements, float deviation, uint32_t seed) {
	std::mt19937 random(seed);
	std::normal_distribution<float> normal(0, deviation);
	Rows result{rows, row_elements, std::vector<float>(size_t(rows) * row_elements)};
	for (float& value : result.values) value = normal(random);
	return result;
}

/// Source bytes, and the values as they come back from them.
std::vector<std::byte> toSource(TensorType type, std::vector<float>& values) {
	const size_t size = typeInfo(type).block_bytes;
	std::vector<std::byte> bytes(values.size() * size);
	for (size_t i = 0; i < values.size(); ++i) {
		if (type == TensorType::F32) {
			std::memcpy(&bytes[i * 4], &values[i], 4);
			continue;
		}
		const uint16_t bits = type == TensorType::F16 ? floatToHalf(values[i]) : floatToBfloat(values[i]);
		values[i] = type == TensorType::F16 ? halfToFloat(bits) : bfloatToFloat(bits);
		std::memcpy(&bytes[i * 2], &bits, 2);
	}
	return bytes;
}

struct Outcome {
	std::vector<std::byte> bytes;
	uint64_t repaired = 0;
};

/// How a slab's weights lie in memory. Shaders are made for it: each pair of case and form is a pipeline for the driver to compile.
struct Form {
	TensorType type;
	bool odd = false;   // begins in the middle of a word
};
constexpr Form kWide{TensorType::F32};
constexpr Form kNarrow[] = {{TensorType::F16}, {TensorType::BF16}, {TensorType::F16, true}, {TensorType::BF16, true}};

struct EncoderTest : testing::Test {
	static inline std::unique_ptr<Device> device;
	static void SetUpTestSuite() {
		auto opened = Device::open({}, true);
		if (!opened) opened = Device::open();   // the validation layer is optional
		ASSERT_TRUE(opened.ok()) << opened.error().message;
		device = std::move(opened).value();
	}
	static void TearDownTestSuite() {
		if (!device) return;
		EXPECT_EQ(device->instance().validationMessages(), 0u);
		device.reset();
	}

	/// The source binding begins `shift` bytes before the rows, or two more where they begin in the middle of a word.
	static Result<Outcome> encode(TensorType target, Form form, const Rows& rows, const std::vector<std::byte>& bytes, const std::vector<float>& importance, Search search, uint32_t shift = 0) {
		if (form.odd) shift += 2;
		const uint64_t out_bytes = *typeBytes(target, rows.values.size());
		VKQ_TRY(const Encoder encoder, Encoder::create(*device, target, form.type, !importance.empty(), search));
		const uint32_t out_shift = shift ? encoder.outputAlignment() : 0;
		VKQ_TRY(auto in, Buffer::create(*device, bytes.size() + shift + 4, MemoryUse::Upload));
		VKQ_TRY(auto out, Buffer::create(*device, out_bytes + out_shift + 16, MemoryUse::Download));
		VKQ_TRY(auto notes, Buffer::create(*device, encoder.notesBytes(rows.rows, rows.row_elements), MemoryUse::Download));
		std::memcpy(in.mapped() + shift, bytes.data(), bytes.size());
		std::memset(out.mapped(), 0xee, out.bytes());
		clearNotes(notes.mapped());
		EncodeSlab slab{.source = in, .source_offset = shift, .output = out, .output_offset = out_shift, .notes = notes, .rows = rows.rows, .row_elements = rows.row_elements};
		Buffer weights;
		if (!importance.empty()) {
			VKQ_TRY(weights, Buffer::create(*device, importance.size() * 4, MemoryUse::Upload));
			std::memcpy(weights.mapped(), importance.data(), importance.size() * 4);
			slab.importance = weights;
		}
		VKQ_TRY(auto commands, CommandBuffer::create(*device));
		VKQ_CHECK(commands.begin());
		VKQ_CHECK(encoder.record(commands, slab));
		VKQ_CHECK(commands.submitAndWait());
		for (uint32_t i = 0; i < 16; ++i) EXPECT_EQ(out.mapped()[out_shift + out_bytes + i], std::byte{0xee}) << "wrote past the end";
		Outcome outcome;
		VKQ_TRY(outcome.repaired, encoder.repair(notes.mapped(), in.mapped() + shift, importance.empty() ? nullptr : importance.data(), rows.rows, rows.row_elements,
		                                         out.mapped() + out_shift));
		outcome.bytes.assign(out.mapped() + out_shift, out.mapped() + out_shift + out_bytes);
		return outcome;
	}

	/// Expects the oracle's bytes; returns the share of blocks that the host had to encode.
	static double expectOracle(TensorType target, Form form, Rows rows, const std::vector<float>& importance = {}, Search search = Search::kReference, uint32_t shift = 0) {
		const auto bytes = toSource(form.type, rows.values);
		const auto outcome = encode(target, form, rows, bytes, importance, search, shift);
		EXPECT_TRUE(outcome.ok()) << (outcome.ok() ? "" : outcome.error().message);
		if (!outcome.ok()) return 1;
		const TypeInfo& type = typeInfo(target);
		const uint64_t row_bytes = *typeBytes(target, rows.row_elements);
		std::vector<std::byte> expected(outcome->bytes.size());
		for (uint32_t row = 0; row < rows.rows; ++row)
			encodeRow(target, rows.values.data() + size_t(row) * rows.row_elements, rows.row_elements, importance.empty() ? nullptr : importance.data(), expected.data() + row * row_bytes, search);
		uint64_t different = 0, first = 0;
		const uint64_t blocks = rows.values.size() / type.block_elements;
		for (uint64_t block = 0; block < blocks; ++block)
			if (std::memcmp(&expected[block * type.block_bytes], &outcome->bytes[block * type.block_bytes], type.block_bytes) != 0 && different++ == 0) first = block;
		std::string detail;
		if (different)
			for (uint32_t i = 0; i < type.block_bytes; ++i)
				detail += fmt::format("{}{:02x}/{:02x}", i % 16 ? " " : "\n", int(expected[first * type.block_bytes + i]), int(outcome->bytes[first * type.block_bytes + i]));
		EXPECT_EQ(different, 0u) << typeName(target) << " from " << typeName(form.type) << (form.odd ? ", odd" : "") << ": of " << blocks << " blocks; block " << first << " expected/got:" << detail;
		return double(outcome->repaired) / double(blocks);
	}
};

struct Case {
	TensorType target;
	bool importance;
	Search search = Search::kReference;
};

std::vector<Case> cases() {
	std::vector<Case> all;
	for (const TypeInfo& type : allTypes())
		for (const Search search : {Search::kReference, Search::kBest}) {
			if (search == Search::kBest && !hasBestSearch(type.type)) continue;
			if (!Encoder::supports(type.type, TensorType::F16, search)) continue;
			all.push_back({type.type, false, search});
			if (usesImportance(type.type, search)) all.push_back({type.type, true, search});
		}
	return all;
}

/// Columns matter very differently, some not at all.
std::vector<float> importanceFor(const Case& which, uint32_t row_elements) {
	std::vector<float> importance;
	if (!which.importance) return importance;
	std::mt19937 random(3);
	std::lognormal_distribution<float> spread(-2.0f, 1.5f);
	for (uint32_t i = 0; i < row_elements; ++i) importance.push_back(i % 61 == 7 ? 0.0f : spread(random));
	return importance;
}

struct EncodeEveryType : EncoderTest, testing::WithParamInterface<Case> {
	/// Every case reads F32, which holds whatever data a test thinks of. The 16-bit forms differ from it in one include that all shaders
	/// share (include/encode/source.glsl), and compiling is what this test costs: each case without importance takes one of them, in turn.
	/// VKQ_LONG_TESTS=1 asks for all pairs.
	static std::vector<Form> forms() {
		const char* all = std::getenv("VKQ_LONG_TESTS");
		if (all && *all == '1') return {kWide, kNarrow[0], kNarrow[1], kNarrow[2], kNarrow[3]};
		if (GetParam().importance) return {kWide};
		return {kWide, kNarrow[(uint32_t(GetParam().target) + (GetParam().search == Search::kBest)) % 4]};
	}
};

}  // namespace

TEST_P(EncodeEveryType, EqualsTheHostOnRandomWeights) {
	for (const Form form : forms()) {
		const double repaired = expectOracle(GetParam().target, form, gaussian(37, 1024, 0.02f, 7), importanceFor(GetParam(), 1024), GetParam().search);
		EXPECT_LT(repaired, 0.01) << "ordinary weights should not need the host";
	}
}

TEST_P(EncodeEveryType, EqualsTheHostOnAdversarialRows) {
	constexpr uint32_t kElements = 1024;
	std::vector<adversarial::Row> importances{{"none", {}}};
	if (GetParam().importance) importances = adversarial::importances(kElements);
	const auto all = adversarial::rows(kElements);
	for (const adversarial::Row& importance : importances) {
		SCOPED_TRACE(importance.name);
		for (const Form form : forms()) {
			Rows rows{0, kElements, {}};
			std::vector<std::byte> encoded(*typeBytes(GetParam().target, kElements));
			for (adversarial::Row row : all) {
				toSource(form.type, row.values);
				encodeRow(GetParam().target, row.values.data(), kElements, GetParam().importance ? importance.values.data() : nullptr, encoded.data(), GetParam().search);
				if (!scalesAreFinite(GetParam().target, encoded.data(), kElements)) continue;   // is refused
				++rows.rows;
				rows.values.insert(rows.values.end(), row.values.begin(), row.values.end());
			}
			EXPECT_GT(rows.rows + 3, all.size());
			expectOracle(GetParam().target, form, rows, importance.values, GetParam().search);
		}
	}
}

TEST_P(EncodeEveryType, EqualsTheHostOnBlocksThatAreAlmostFlat) {
	// Fits so close that errors are rounding noise, offsets that dwarf the scale, and grids that a code hits exactly.
	std::mt19937 random(11);
	Rows rows{64, 512, std::vector<float>(64 * 512)};
	for (uint32_t row = 0; row < rows.rows; ++row) {
		const float unit = std::ldexp(1.0f, -int(row % 23)), offset = float(int(row % 7) - 3) * std::ldexp(1.0f, int(row % 11) - 5);
		for (uint32_t i = 0; i < 512; ++i) rows.values[row * 512 + i] = offset + unit * float(int(random() % (2 + row % 33)) - int(row % 5));
	}
	expectOracle(GetParam().target, kWide, rows, importanceFor(GetParam(), 512), GetParam().search);
}

TEST_P(EncodeEveryType, TakesRowsThatBeginAnywhereInTheFile) {
	for (const Form form : forms())
		for (const uint32_t shift : {0u, 4u, 12u, 28u}) expectOracle(GetParam().target, form, gaussian(3, 256, 1.0f, shift), importanceFor(GetParam(), 256), GetParam().search, shift);
}

TEST_P(EncodeEveryType, PassesItsSelfTest) {
	for (const Form form : forms()) {
		if (form.odd) continue;   // its own rows begin where words do
		const auto encoder = Encoder::create(*device, GetParam().target, form.type, GetParam().importance, GetParam().search);
		ASSERT_TRUE(encoder.ok());
		const auto passed = encoder->selfTest();
		EXPECT_TRUE(passed.ok()) << passed.error().message;
	}
}

TEST_P(EncodeEveryType, NamesTheWeightThatIsNotANumber) {
	for (const Form form : forms())
		for (const float bad : {NAN, INFINITY, -INFINITY}) {
			Rows rows = gaussian(5, 512, 0.02f, 1);
			rows.values[3 * 512 + 301] = bad;
			const auto outcome = encode(GetParam().target, form, rows, toSource(form.type, rows.values), importanceFor(GetParam(), 512), GetParam().search);
			ASSERT_FALSE(outcome.ok());
			EXPECT_EQ(outcome.error().code, ErrorCode::kInvalidData);
			EXPECT_EQ(outcome.error().message, std::isnan(bad) ? "row 3, column 301 is not a number" : "row 3, column 301 is infinite");
		}
}

TEST_P(EncodeEveryType, RefusesScalesThatDoNotFitAHalf) {
	if (GetParam().target == TensorType::MXFP4) GTEST_SKIP() << "its scale is a power of two of eight bits";
	for (const adversarial::Row& row : adversarial::overflowingRows(512)) {
		Rows rows{1, 512, row.values};
		const auto outcome = encode(GetParam().target, kWide, rows, toSource(TensorType::F32, rows.values), importanceFor(GetParam(), 512), GetParam().search);
		ASSERT_FALSE(outcome.ok()) << row.name;
		EXPECT_EQ(outcome.error().code, ErrorCode::kInvalidData);
		EXPECT_NE(outcome.error().message.find("row 0, column"), std::string::npos) << outcome.error().message;
	}
}

TEST_F(EncoderTest, EncodesASlabOnTheHostWhenThereAreMoreNotesThanRoom) {
	// Every block is in doubt: weights that a flushing device would lose.
	expectOracle(TensorType::Q8_0, kWide, gaussian(40, 8192, 1e-36f, 5));
}

TEST_F(EncoderTest, SlabsKeepWithinWhatABindingSees) {
	const auto encoder = Encoder::create(*device, TensorType::Q4_K, TensorType::F32, false);
	ASSERT_TRUE(encoder.ok());
	for (const uint32_t row : {256u, 4096u, 1u << 20}) {
		EXPECT_LE(uint64_t(encoder->maxRows(row)) * row * 4, device->limits().storage_range);
		EXPECT_GE(encoder->maxRows(row), 1u);
	}
}

TEST_F(EncoderTest, RefusesPairsWithoutAShader) {
	EXPECT_FALSE(Encoder::supports(TensorType::F16, TensorType::F32));
	EXPECT_FALSE(Encoder::supports(TensorType::Q4_K, TensorType::Q8_0));
	EXPECT_EQ(Encoder::create(*device, TensorType::Q8_0, TensorType::F16, true).error().code, ErrorCode::kUnsupported);
}

INSTANTIATE_TEST_SUITE_P(Types, EncodeEveryType, testing::ValuesIn(cases()), [](const auto& entry) {
	return std::string(typeName(entry.param.target)) + (entry.param.search == Search::kBest ? "_best" : "") + (entry.param.importance ? "_importance" : "");
});
