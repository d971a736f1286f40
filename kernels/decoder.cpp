#include "kernels/decoder.h"

#include "kernels/grid.h"
#include "shaders/shared/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <optional>
#include <utility>

namespace vkq {

namespace {

constexpr uint32_t kPart = 32;   // elements an invocation decodes

constexpr std::pair<TensorType, ShaderId> kShaders[] = {
	{TensorType::Q4_0, ShaderId::decode_q4_0}, {TensorType::Q4_1, ShaderId::decode_q4_1},     {TensorType::Q5_0, ShaderId::decode_q5_0},
	{TensorType::Q5_1, ShaderId::decode_q5_1}, {TensorType::Q8_0, ShaderId::decode_q8_0},     {TensorType::Q2_K, ShaderId::decode_q2_k},
	{TensorType::Q3_K, ShaderId::decode_q3_k}, {TensorType::Q4_K, ShaderId::decode_q4_k},     {TensorType::Q5_K, ShaderId::decode_q5_k},
	{TensorType::Q6_K, ShaderId::decode_q6_k}, {TensorType::IQ4_NL, ShaderId::decode_iq4_nl}, {TensorType::IQ4_XS, ShaderId::decode_iq4_xs},
	{TensorType::MXFP4, ShaderId::decode_mxfp4},
};

std::optional<ShaderId> findShader(TensorType type) {
	for (const auto& [of, shader] : kShaders)
		if (of == type) return shader;
	return std::nullopt;
}

}  // namespace

bool Decoder::supports(TensorType type) { return findShader(type).has_value(); }

Result<Decoder> Decoder::create(vk::Device& device, TensorType type) {
	const auto shader = findShader(type);
	if (!shader) return fail(ErrorCode::kUnsupported, fmt::format("there is no shader that decodes {}", typeName(type)));
	VKQ_TRY(const vk::Pipeline* pipeline, device.pipeline({.shader = *shader, .constants = {workgroupSize(device)}}));
	return Decoder(device, type, *pipeline);
}

uint64_t Decoder::maxElements() const {
	const uint64_t slack = std::max<uint64_t>(device_->limits().storage_alignment, 16) * 2;   // views begin at aligned offsets
	const uint64_t elements = (std::min<uint64_t>(device_->limits().storage_range, UINT32_MAX) - slack) / sizeof(float);
	return elements - elements % typeInfo(type_).block_elements;
}

void Decoder::record(vk::CommandBuffer& commands, const DecodeSlab& slab) const {
	assert(slab.elements % typeInfo(type_).block_elements == 0 && slab.elements <= maxElements() && slab.output_offset % 4 == 0);
	const shader::DecodePush push{uint32_t(slab.elements / kPart), uint32_t(slab.blocks_offset), uint32_t(slab.output_offset / 4)};
	commands.dispatch(*pipeline_, {slab.blocks, slab.output}, push, grid(*device_, push.parts));
}

}  // namespace vkq
