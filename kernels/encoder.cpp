#include "kernels/encoder.h"

#include "core/half.h"
#include "kernels/grid.h"
#include "quant/codec.h"
#include "shaders/shared/encode.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstring>
#include <optional>
#include <vector>

namespace vkq {

namespace {

/// Of which spans a search with importance needs the sum of squares.
enum class Sums { None, Rows, SuperBlocks };

/// The shaders of one search. Super-blocks have two of each: their invocations meet in a subgroup, or in shared memory where subgroups
/// hold fewer than eight.
struct Shaders {
	uint32_t invocations;  // a block
	Sums sums;
	std::array<ShaderId, 2> plain;
	std::optional<std::array<ShaderId, 2>> importance;
};

struct Format {
	TensorType type;
	uint32_t store_unit;   // bytes
	Shaders reference;
	std::optional<Shaders> best = {};
};

#define BLOCKS(name) std::array{ShaderId::encode_##name, ShaderId::encode_##name}
#define SUPER_BLOCKS(name) std::array{ShaderId::encode_##name, ShaderId::encode_##name##_shared}
const Format kFormats[] = {
	{TensorType::Q4_0, 2, {1, Sums::Rows, BLOCKS(q4_0), BLOCKS(q4_0_importance)}, Shaders{1, Sums::None, BLOCKS(best_q4_0), BLOCKS(best_q4_0_importance)}},
	{TensorType::Q4_1, 4, {1, Sums::Rows, BLOCKS(q4_1), BLOCKS(q4_1_importance)}, Shaders{1, Sums::None, BLOCKS(best_q4_1), BLOCKS(best_q4_1_importance)}},
	{TensorType::Q5_0, 2, {1, Sums::Rows, BLOCKS(q5_0), BLOCKS(q5_0_importance)}, Shaders{1, Sums::None, BLOCKS(best_q5_0), BLOCKS(best_q5_0_importance)}},
	{TensorType::Q5_1, 4, {1, Sums::Rows, BLOCKS(q5_1), BLOCKS(q5_1_importance)}, Shaders{1, Sums::None, BLOCKS(best_q5_1), BLOCKS(best_q5_1_importance)}},
	{TensorType::Q8_0, 2, {1, Sums::None, BLOCKS(q8_0), {}}, Shaders{1, Sums::None, BLOCKS(best_q8_0), BLOCKS(best_q8_0_importance)}},
	{TensorType::IQ4_NL, 2, {1, Sums::None, BLOCKS(iq4_nl), BLOCKS(iq4_nl_importance)}, Shaders{1, Sums::None, BLOCKS(best_iq4_nl), BLOCKS(best_iq4_nl_importance)}},
	{TensorType::MXFP4, 1, {1, Sums::None, BLOCKS(mxfp4), {}}, Shaders{1, Sums::None, BLOCKS(best_mxfp4), BLOCKS(best_mxfp4_importance)}},
	{TensorType::Q2_K, 4, {8, Sums::SuperBlocks, SUPER_BLOCKS(q2_k), SUPER_BLOCKS(q2_k_importance)}, Shaders{8, Sums::None, SUPER_BLOCKS(best_q2_k), SUPER_BLOCKS(best_q2_k_importance)}},
	{TensorType::Q3_K, 2, {8, Sums::SuperBlocks, SUPER_BLOCKS(q3_k), SUPER_BLOCKS(q3_k_importance)}, Shaders{8, Sums::None, SUPER_BLOCKS(best_q3_k), SUPER_BLOCKS(best_q3_k_importance)}},
	{TensorType::Q4_K, 4, {8, Sums::SuperBlocks, SUPER_BLOCKS(q4_k), SUPER_BLOCKS(q4_k_importance)}, Shaders{8, Sums::None, SUPER_BLOCKS(best_q4_k), SUPER_BLOCKS(best_q4_k_importance)}},
	{TensorType::Q5_K, 4, {8, Sums::SuperBlocks, SUPER_BLOCKS(q5_k), SUPER_BLOCKS(q5_k_importance)}, Shaders{8, Sums::None, SUPER_BLOCKS(best_q5_k), SUPER_BLOCKS(best_q5_k_importance)}},
	{TensorType::Q6_K, 2, {8, Sums::None, SUPER_BLOCKS(q6_k), SUPER_BLOCKS(q6_k_importance)}, Shaders{8, Sums::None, SUPER_BLOCKS(best_q6_k), SUPER_BLOCKS(best_q6_k_importance)}},
	{TensorType::IQ4_XS, 4, {8, Sums::SuperBlocks, SUPER_BLOCKS(iq4_xs), SUPER_BLOCKS(iq4_xs_importance)}, Shaders{8, Sums::None, SUPER_BLOCKS(best_iq4_xs), SUPER_BLOCKS(best_iq4_xs_importance)}},
};

constexpr uint32_t kSuperBlockLanes = 8;

const Format* findFormat(TensorType type) {
	for (const Format& format : kFormats)
		if (format.type == type) return &format;
	return nullptr;
}

/// What encodes `type` with `search`: null where there are no shaders for it.
const Shaders* findShaders(TensorType type, Search search) {
	const Format* format = findFormat(type);
	if (!format) return nullptr;
	if (search == Search::kReference || !hasBestSearch(type)) return &format->reference;
	return format->best ? &*format->best : nullptr;
}

uint32_t sourceBytes(TensorType source) { return typeInfo(source).block_bytes; }

/// Subgroups serve when their size is known and holds whole super-blocks.
bool exchangesInSubgroup(const vk::Device& device) {
	const auto& limits = device.limits();
	const bool known = device.features().subgroup_ballot && (device.features().subgroup_size_control || limits.min_subgroup == limits.max_subgroup);
	return known && limits.subgroup % kSuperBlockLanes == 0 && limits.subgroup <= 128;
}

float sourceValue(TensorType type, const std::byte* source, uint64_t index) {
	if (type == TensorType::F32) {
		float value;
		std::memcpy(&value, source + index * 4, 4);
		return value;
	}
	uint16_t bits;
	std::memcpy(&bits, source + index * 2, 2);
	return type == TensorType::F16 ? halfToFloat(bits) : bfloatToFloat(bits);
}

struct NotesHeader {
	uint32_t count, padding;
};
static_assert(sizeof(NotesHeader) == shader::kNoteHeaderBytes);

}  // namespace

void clearNotes(std::byte* notes) { std::memset(notes, 0, sizeof(NotesHeader)); }

bool Encoder::supports(TensorType target, TensorType source, Search search) {
	return findShaders(target, search) && (source == TensorType::F32 || source == TensorType::F16 || source == TensorType::BF16);
}

Result<Encoder> Encoder::create(vk::Device& device, TensorType target, TensorType source, bool importance, Search search) {
	if (!supports(target, source, search) || (importance && !findShaders(target, search)->importance))
		return fail(ErrorCode::kUnsupported, fmt::format("there is no shader that encodes {} from {}{}{}", typeName(target), typeName(source), importance ? " with importance" : "",
		                                                 search == Search::kBest ? " with the best search" : ""));
	Encoder encoder(device, target, source, importance, search);
	VKQ_CHECK(encoder.pipeline(encoder.shader(), false));
	if (!device.info().software()) VKQ_CHECK(encoder.selfTest());
	return encoder;
}

Result<const vk::Pipeline*> Encoder::pipeline(ShaderId shader, bool odd_source) const {
	const uint32_t source = source_ == TensorType::F32 ? shader::kSourceF32 : source_ == TensorType::F16 ? shader::kSourceF16 : shader::kSourceBf16;
	vk::PipelineSpec spec;
	spec.shader = shader;
	spec.constants = {workgroupSize(*device_), 1, 1, /* kCorrectedDivision */ !device_->info().software(), /* kSource */ source, /* kOddSource */ odd_source,
	                  /* kSubgroupIsSuperBlock */ device_->limits().subgroup == kSuperBlockLanes};
	if (exchangesInSubgroup(*device_) && device_->features().subgroup_size_control) spec.subgroup = device_->limits().subgroup;
	return device_->pipeline(spec);
}

ShaderId Encoder::shader() const {
	const Shaders& shaders = *findShaders(target_, search_);
	return (importance_ ? *shaders.importance : shaders.plain)[exchangesInSubgroup(*device_) ? 0 : 1];
}

uint32_t Encoder::outputAlignment() const { return findFormat(target_)->store_unit; }

uint64_t Encoder::notesBytes(uint32_t rows, uint32_t row_elements) const {
	const Sums sums = importance_ ? findShaders(target_, search_)->sums : Sums::None;
	const uint64_t spans = sums == Sums::None ? 1 : sums == Sums::Rows ? rows : uint64_t(rows) * row_elements / 256;   // one: no array is empty
	return shader::kNoteHeaderBytes + uint64_t(shader::kNoteCapacity) * sizeof(shader::EncodeNote) + spans * sizeof(float);
}

uint32_t Encoder::maxRows(uint32_t row_elements) const {
	const TypeInfo& type = typeInfo(target_);
	const uint64_t row = std::max<uint64_t>(uint64_t(row_elements) * sourceBytes(source_), uint64_t(row_elements) / type.block_elements * type.block_bytes);
	const uint64_t slack = std::max<uint64_t>(device_->limits().storage_alignment, 16) * 2;   // views begin at aligned offsets
	const uint64_t range = std::min<uint64_t>(device_->limits().storage_range, UINT32_MAX);   // shaders count elements in 32 bits
	return uint32_t(std::max<uint64_t>(1, (range - slack) / row));
}

Result<void> Encoder::record(vk::CommandBuffer& commands, const EncodeSlab& slab) const {
	const Format& format = *findFormat(target_);
	const Shaders& shaders = *findShaders(target_, search_);
	const TypeInfo& type = typeInfo(target_);
	assert(slab.rows > 0 && slab.row_elements > 0 && slab.row_elements % type.block_elements == 0);
	assert(slab.source_offset % sourceBytes(source_) == 0 && slab.output_offset % format.store_unit == 0 && slab.importance_offset % 4 == 0);
	const bool odd = slab.source_offset % 4 != 0;
	VKQ_TRY(const vk::Pipeline* encode, pipeline(shader(), odd));
	const uint64_t elements = uint64_t(slab.rows) * slab.row_elements;
	shader::EncodePush push{};
	push.units = uint32_t(elements / type.block_elements);
	push.source_word = uint32_t(slab.source_offset / 4);
	push.output_unit = uint32_t(slab.output_offset / format.store_unit);
	push.row_elements = slab.row_elements;
	push.importance_word = uint32_t(slab.importance_offset / 4);
	const vk::Groups groups = grid(*device_, uint64_t(push.units) * shaders.invocations);
	if (!importance_) {
		commands.dispatch(*encode, {slab.source, slab.output, slab.notes}, push, groups);
		return {};
	}
	if (shaders.sums != Sums::None) {
		VKQ_TRY(const vk::Pipeline* sums, pipeline(ShaderId::encode_sums, odd));
		shader::EncodePush spans = push;
		spans.row_elements = shaders.sums == Sums::Rows ? slab.row_elements : type.block_elements;
		spans.units = uint32_t(elements / spans.row_elements);
		commands.dispatch(*sums, {slab.source, slab.notes}, spans, grid(*device_, spans.units));
		commands.barrier();
	}
	commands.dispatch(*encode, {slab.source, slab.output, slab.notes, slab.importance}, push, groups);
	return {};
}

Result<void> Encoder::selfTest() const {
	// Rows of different magnitudes, near to normal, from a generator of whole numbers: the same everywhere.
	constexpr uint32_t kRows = 16, kColumns = 1024;
	uint32_t state = 1;
	const auto uniform = [&] { return float((state = state * 1664525u + 1013904223u) >> 8) * 0x1p-24f; };
	std::vector<float> weights(kRows * kColumns), columns(kColumns);
	std::vector<std::byte> source(weights.size() * sourceBytes(source_));
	for (size_t i = 0; i < weights.size(); ++i) {
		const float value = std::ldexp(uniform() + uniform() + uniform() + uniform() - 2, -int(i / kColumns));
		if (source_ == TensorType::F32) {
			std::memcpy(&source[i * 4], &value, 4);
		} else {
			const uint16_t bits = source_ == TensorType::F16 ? floatToHalf(value) : floatToBfloat(value);
			std::memcpy(&source[i * 2], &bits, 2);
		}
		weights[i] = sourceValue(source_, source.data(), i);
	}
	for (float& column : columns) column = uniform();
	const float* importance = importance_ ? columns.data() : nullptr;

	const uint64_t row_bytes = *typeBytes(target_, kColumns);
	VKQ_TRY(const vk::Buffer in, vk::Buffer::create(*device_, source.size(), vk::MemoryUse::Upload));
	VKQ_TRY(const vk::Buffer out, vk::Buffer::create(*device_, kRows * row_bytes, vk::MemoryUse::Download));
	VKQ_TRY(const vk::Buffer notes, vk::Buffer::create(*device_, notesBytes(kRows, kColumns), vk::MemoryUse::Download));
	VKQ_TRY(const vk::Buffer matrix, vk::Buffer::create(*device_, columns.size() * sizeof(float), vk::MemoryUse::Upload));
	std::memcpy(in.mapped(), source.data(), source.size());
	std::memcpy(matrix.mapped(), columns.data(), columns.size() * sizeof(float));
	clearNotes(notes.mapped());
	VKQ_TRY(auto commands, vk::CommandBuffer::create(*device_));
	VKQ_CHECK(commands.begin());
	VKQ_CHECK(record(commands, {.source = in, .output = out, .notes = notes, .importance = matrix, .rows = kRows, .row_elements = kColumns}));
	VKQ_CHECK(commands.submitAndWait());
	VKQ_CHECK(repair(notes.mapped(), in.mapped(), importance, kRows, kColumns, out.mapped()));

	const TypeInfo& type = typeInfo(target_);
	std::vector<std::byte> expected(row_bytes);
	uint64_t different = 0;
	for (uint32_t row = 0; row < kRows; ++row) {
		encodeRow(target_, weights.data() + row * kColumns, kColumns, importance, expected.data(), search_);
		for (uint64_t at = 0; at < row_bytes; at += type.block_bytes)
			different += std::memcmp(expected.data() + at, out.mapped() + row * row_bytes + at, type.block_bytes) != 0;
	}
	if (different == 0) return {};
	return fail(ErrorCode::kUnsupported,
	            fmt::format("device '{}' ({}) encodes {} otherwise than the host: {} of {} blocks differ in a test", device_->info().name, device_->info().driver, type.name,
	                        different, kRows * kColumns / type.block_elements),
	            "encode on the host (vkquant --route host), or choose another device");
}

Result<uint64_t> Encoder::repair(std::byte* notes, const std::byte* source, const float* importance, uint32_t rows, uint32_t row_elements, std::byte* output) const {
	NotesHeader header;
	std::memcpy(&header, notes, sizeof header);
	clearNotes(notes);
	if (header.count == 0) return uint64_t(0);

	const TypeInfo& type = typeInfo(target_);
	const uint64_t blocks_in_row = row_elements / type.block_elements;
	const uint64_t blocks = rows * blocks_in_row;
	std::vector<uint64_t> doubtful;
	if (header.count <= shader::kNoteCapacity) {
		for (uint32_t i = 0; i < header.count; ++i) {
			shader::EncodeNote note;
			std::memcpy(&note, notes + sizeof header + i * sizeof note, sizeof note);
			if (note.unit < blocks) doubtful.push_back(note.unit);
		}
		std::sort(doubtful.begin(), doubtful.end());   // the first fault is reported, whatever order the device noted it in
	} else {
		doubtful.resize(blocks);
		for (uint64_t i = 0; i < blocks; ++i) doubtful[i] = i;
	}

	// Blocks are independent, but for those that need the whole row's sum.
	const uint64_t span = importance && findShaders(target_, search_)->sums == Sums::Rows ? blocks_in_row : 1;
	for (uint64_t& block : doubtful) block -= block % span;
	doubtful.erase(std::unique(doubtful.begin(), doubtful.end()), doubtful.end());

	const uint64_t elements = span * type.block_elements;
	std::vector<float> x(elements);
	for (const uint64_t block : doubtful) {
		const uint64_t row = block / blocks_in_row, column = block % blocks_in_row * type.block_elements;
		for (uint64_t i = 0; i < elements; ++i) {
			x[i] = sourceValue(source_, source, block * type.block_elements + i);
			if (!std::isfinite(x[i]))
				return fail(ErrorCode::kInvalidData, fmt::format("row {}, column {} is {}", row, column + i, std::isnan(x[i]) ? "not a number" : "infinite"));
		}
		std::byte* const at = output + block * type.block_bytes;
		encodeRow(target_, x.data(), elements, importance ? importance + column : nullptr, at, search_);
		if (!scalesAreFinite(target_, at, elements))
			return fail(ErrorCode::kInvalidData, fmt::format("row {}, columns {} to {}: weights up to {:g} give a {} scale that is not finite", row, column,
			                                                 column + elements - 1, std::fabs(*std::max_element(x.begin(), x.end(), [](float a, float b) { return std::fabs(a) < std::fabs(b); })),
			                                                 type.name));
	}
	return uint64_t(doubtful.size()) * span;
}

}  // namespace vkq
