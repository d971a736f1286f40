#include "kernels/attention.h"

#include "core/bytes.h"
#include "kernels/product.h"
#include "kernels/workgroup.h"
#include "quant/device_layout.h"
#include "shaders/shared/transformer.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace vkq {

namespace {

constexpr uint32_t kMostRows = 8;        // queries that share each load of K and V; more would not fit registers
constexpr uint32_t kMostStreamRows = 4;  // of attention_stream.comp, whose lanes have a row's whole result
constexpr uint32_t kSharedPerRow = 4;    // bytes a position and row in shared memory

/// Rows that the workgroup's shared memory has room for, a power of two.
uint32_t rowsFor(const vk::Device& device, uint32_t rows, uint32_t head_dim, uint32_t tile, uint32_t lanes) {
	uint32_t wanted = std::min(kMostRows, std::bit_ceil(rows));
	const auto bytes = [&](uint32_t n) { return n * (head_dim * 4 + tile * kSharedPerRow + lanes * 16) + 256; };
	while (wanted > 1 && bytes(wanted) > device.limits().shared_bytes) wanted /= 2;
	return wanted;
}

/// Whether attention_stream.comp can read these: rows of V must be whole vectors of eight words, and blocks whole.
bool streams(const vk::Device& device, const Attention& a) {
	constexpr uint32_t kSubgroup = 8;
	if (!a.whole_vectors || device.limits().subgroup != kSubgroup || a.head_dim % 8 != 0) return false;
	const auto codes = deviceLayout(a.values[0].type, a.head_dim, 1, 1), key_codes = deviceLayout(a.keys[0].type, a.head_dim, kKeyInterleave, kKeyInterleave);
	return codes && key_codes && codes->row_words[0] % 8 == 0;
}

}  // namespace

Result<void> recordAttention(vk::Device& device, vk::CommandBuffer& commands, const Attention& a) {
	assert(a.head_dim % 4 == 0 && a.query_stride % 4 == 0 && a.heads % a.kv_heads == 0 && a.splits > 0);
	const uint32_t lanes = workgroupLanes(device, 64), group = a.heads / a.kv_heads;
	const uint32_t tile = std::max(kKeyInterleave, lanes);
	const bool stream = streams(device, a);
	const uint32_t rows = stream ? std::min(kMostStreamRows, std::bit_ceil(a.tokens * group)) : rowsFor(device, a.tokens * group, a.head_dim, tile, lanes);
	// What the last dispatch puts out. 8 bits come with it where heads are whole blocks, else a pass over the floats makes them.
	const bool heads_are_blocks = a.head_dim % 32 == 0;
	const ActivationOutput output = heads_are_blocks ? a.output : ActivationOutput{a.output.floats};
	const ActivationOutput first_output = a.splits > 1 ? ActivationOutput{a.splits_buffer} : output;
	VKQ_TRY(const vk::Pipeline* pipeline,
	        device.pipeline({stream ? ShaderId::attention_stream : ShaderId::attention, {lanes, 1, 1, a.head_dim, rows, group, tile, uint32_t(a.keys[0].type), uint32_t(a.values[0].type),
	                                               first_output.constant()}}));

	// Pieces of K and V may be cut at different heads: each run of heads that lies in one of both is a dispatch.
	for (uint32_t head = 0, k = 0, v = 0; head < a.kv_heads;) {
		while (head >= a.keys[k].first_head + a.keys[k].heads) ++k;
		while (head >= a.values[v].first_head + a.values[v].heads) ++v;
		const CachePiece &keys = a.keys[k], &values = a.values[v];
		const uint32_t end = std::min(keys.first_head + keys.heads, values.first_head + values.heads);
		const DeviceLayout key_layout = deviceLayout(keys.type, a.head_dim, uint64_t(keys.heads) * keys.cells, kKeyInterleave).value();
		const DeviceLayout value_layout = deviceLayout(values.type, a.head_dim, uint64_t(values.heads) * values.cells, 1).value();
		assert(keys.cells == values.cells);
		const shader::AttentionPush push{
			.query_stride = a.query_stride,
			.output_stride = a.heads * a.head_dim,
			.first_head = head,
			.heads = a.heads,
			.cells = keys.cells,
			.window = a.window,
			.softcap = a.softcap,
			.key_high_word = uint32_t(key_layout.plane_offset[1] / 4),
			.key_scale_word = uint32_t(key_layout.plane_offset[2] / 4),
			.value_high_word = uint32_t(value_layout.plane_offset[1] / 4),
			.value_scale_word = uint32_t(value_layout.plane_offset[2] / 4),
			.splits = a.splits,
			.key_first_row = (head - keys.first_head) * keys.cells,
			.value_first_row = (head - values.first_head) * values.cells,
			.query_address = {uint32_t(a.query.address), uint32_t(a.query.address >> 32)},
			.key_address = {uint32_t(keys.buffer.address), uint32_t(keys.buffer.address >> 32)},
			.value_address = {uint32_t(values.buffer.address), uint32_t(values.buffer.address >> 32)},
			.last_octet = std::max(a.head_dim / 8, 1u) - 1,
			.last_value_row = values.heads * values.cells - 1,
		};
		commands.dispatch(*pipeline, {a.step_input, a.query, keys.buffer, values.buffer, first_output.floats, first_output.quantizedOr(a.query)}, push,
		                  {uint32_t(divideUp(a.tokens * group, rows)), end - head, a.splits});
		head = end;
	}
	if (a.splits > 1) {
		commands.barrier();
		VKQ_TRY(const vk::Pipeline* merge, device.pipeline({ShaderId::attention_merge, {workgroupLanes(device, 64), 1, 1, a.head_dim, output.constant()}}));
		const shader::AttentionMergePush push{a.heads, a.splits, a.heads * a.head_dim, a.tokens};
		commands.dispatch(*merge, {a.splits_buffer, output.floats, output.quantizedOr(a.splits_buffer)}, push, {a.heads, a.tokens});
	}
	if (heads_are_blocks || !a.output.quantized.buffer) return {};
	commands.barrier();
	return quantizeActivations(device, commands, {output.floats}, a.heads * a.head_dim, a.tokens, a.output.quantized, a.output.packed_bytes);
}

}  // namespace vkq
