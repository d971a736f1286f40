#include "kernels/encoder.h"

#include "core/half.h"
#include "quant/codec.h"
#include "shaders/shared/encode.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <vector>

namespace vkq {

namespace {

/// How the invocations of a super-block meet: in a subgroup, or through shared memory where subgroups are smaller than eight.
enum class Work { Block, SuperBlock };

struct Variant {
	TensorType type;
	bool importance;
	Work work;
	uint32_t store_unit;   // bytes
	ShaderId subgroup;
	ShaderId shared;       // the same as `subgroup` where blocks do not exchange
};

constexpr Variant kVariants[] = {
	{TensorType::Q4_K, false, Work::SuperBlock, 4, ShaderId::encode_q4_k, ShaderId::encode_q4_k_shared},
	{TensorType::Q5_K, false, Work::SuperBlock, 4, ShaderId::encode_q5_k, ShaderId::encode_q5_k_shared},
};

constexpr uint32_t kSuperBlockLanes = 8;

const Variant* findVariant(TensorType type, bool importance) {
	for (const Variant& variant : kVariants)
		if (variant.type == type && variant.importance == importance) return &variant;
	return nullptr;
}

uint32_t sourceBytes(TensorType source) { return typeInfo(source).block_bytes; }

uint32_t workgroupSize(const vk::Device& device) { return std::max(64u, device.limits().subgroup); }

/// Subgroups serve when their size is known and holds whole super-blocks.
bool exchangesInSubgroup(const vk::Device& device) {
	const auto& limits = device.limits();
	const bool known = device.features().subgroup_size_control || limits.min_subgroup == limits.max_subgroup;
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

bool Encoder::supports(TensorType target, TensorType source) {
	return findVariant(target, false) && (source == TensorType::F32 || source == TensorType::F16 || source == TensorType::BF16);
}

Result<Encoder> Encoder::create(vk::Device& device, TensorType target, TensorType source, bool importance) {
	if (!supports(target, source) || !findVariant(target, importance))
		return fail(ErrorCode::kUnsupported, fmt::format("there is no shader that encodes {} from {}{}", typeName(target), typeName(source), importance ? " with importance" : ""));
	Encoder encoder(device, target, source, importance);
	VKQ_CHECK(encoder.pipeline(false));
	return encoder;
}

Result<const vk::Pipeline*> Encoder::pipeline(bool odd_source) const {
	const Variant& variant = *findVariant(target_, importance_);
	const bool in_subgroup = exchangesInSubgroup(*device_);
	const uint32_t source = source_ == TensorType::F32 ? shader::kSourceF32 : source_ == TensorType::F16 ? shader::kSourceF16 : shader::kSourceBf16;
	vk::PipelineSpec spec;
	spec.shader = in_subgroup ? variant.subgroup : variant.shared;
	spec.constants = {workgroupSize(*device_), 1, 1, /* kCorrectedDivision */ !device_->info().software(), /* kSource */ source, /* kOddSource */ odd_source,
	                  /* kSubgroupIsSuperBlock */ device_->limits().subgroup == kSuperBlockLanes};
	if (in_subgroup) spec.subgroup = device_->limits().subgroup;
	return device_->pipeline(spec);
}

uint32_t Encoder::outputAlignment() const { return findVariant(target_, importance_)->store_unit; }

uint64_t Encoder::notesBytes(uint32_t) const { return shader::kNoteHeaderBytes + uint64_t(shader::kNoteCapacity) * sizeof(shader::EncodeNote); }

uint32_t Encoder::maxRows(uint32_t row_elements) const {
	const TypeInfo& type = typeInfo(target_);
	const uint64_t row = std::max<uint64_t>(uint64_t(row_elements) * sourceBytes(source_), uint64_t(row_elements) / type.block_elements * type.block_bytes);
	const uint64_t slack = std::max<uint64_t>(device_->limits().storage_alignment, 16) * 2;   // views begin at aligned offsets
	const uint64_t range = std::min<uint64_t>(device_->limits().storage_range, UINT32_MAX);   // shaders count elements in 32 bits
	return uint32_t(std::max<uint64_t>(1, (range - slack) / row));
}

Result<void> Encoder::record(vk::CommandBuffer& commands, const EncodeSlab& slab) const {
	const Variant& variant = *findVariant(target_, importance_);
	const TypeInfo& type = typeInfo(target_);
	assert(slab.rows > 0 && slab.row_elements > 0 && slab.row_elements % type.block_elements == 0);
	assert(slab.source_offset % sourceBytes(source_) == 0 && slab.output_offset % variant.store_unit == 0 && slab.importance_offset % 4 == 0);
	VKQ_TRY(const vk::Pipeline* made, pipeline(slab.source_offset % 4 != 0));
	shader::EncodePush push{};
	push.units = uint32_t(uint64_t(slab.rows) * slab.row_elements / type.block_elements);
	push.source_word = uint32_t(slab.source_offset / 4);
	push.output_unit = uint32_t(slab.output_offset / variant.store_unit);
	push.row_elements = slab.row_elements;
	push.importance_word = uint32_t(slab.importance_offset / 4);
	push.rows = slab.rows;

	const uint64_t invocations = uint64_t(push.units) * (variant.work == Work::SuperBlock ? kSuperBlockLanes : 1);
	const uint32_t groups = uint32_t((invocations + workgroupSize(*device_) - 1) / workgroupSize(*device_));
	const uint32_t groups_x = std::min(groups, std::min(device_->limits().workgroup_count[0], 32768u));
	const vk::Groups grid{groups_x, (groups + groups_x - 1) / groups_x};
	if (importance_) commands.dispatch(*made, {slab.source, slab.output, slab.notes, slab.importance}, push, grid);
	else commands.dispatch(*made, {slab.source, slab.output, slab.notes}, push, grid);
	return {};
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

	std::vector<float> x(type.block_elements);
	for (const uint64_t block : doubtful) {
		const uint64_t row = block / blocks_in_row, column = block % blocks_in_row * type.block_elements;
		for (uint32_t i = 0; i < type.block_elements; ++i) {
			x[i] = sourceValue(source_, source, block * type.block_elements + i);
			if (!std::isfinite(x[i]))
				return fail(ErrorCode::kInvalidData, fmt::format("row {}, column {} is {}", row, column + i, std::isnan(x[i]) ? "not a number" : "infinite"));
		}
		std::byte* const at = output + block * type.block_bytes;
		encodeRow(target_, x.data(), type.block_elements, importance ? importance + column : nullptr, at);
		if (!scalesAreFinite(target_, at, type.block_elements))
			return fail(ErrorCode::kInvalidData, fmt::format("row {}, columns {} to {}: weights up to {:g} give a {} scale that is not finite", row, column,
			                                                 column + type.block_elements - 1, std::fabs(*std::max_element(x.begin(), x.end(), [](float a, float b) { return std::fabs(a) < std::fabs(b); })),
			                                                 type.name));
	}
	return uint64_t(doubtful.size());
}

}  // namespace vkq
