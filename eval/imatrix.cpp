#include "eval/imatrix.h"

#include "infer/input_observer.h"
#include "kernels/sum_squares.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <set>

namespace vkq {

namespace {

/// The weights that share an input.
std::span<const std::string_view> weightsOf(ProductInput input) {
	static constexpr std::array<std::string_view, 4> kAttention{"attn_q", "attn_k", "attn_v", "attn_qkv"};
	static constexpr std::array<std::string_view, 1> kOutput{"attn_output"}, kDown{"ffn_down"}, kExpertsDown{"ffn_down_exps"};
	static constexpr std::array<std::string_view, 3> kFeedForward{"ffn_gate", "ffn_up", "ffn_gate_inp"};
	static constexpr std::array<std::string_view, 2> kExperts{"ffn_gate_exps", "ffn_up_exps"};
	switch (input) {
		case ProductInput::Attention: return kAttention;
		case ProductInput::AttentionOutput: return kOutput;
		case ProductInput::FeedForward: return kFeedForward;
		case ProductInput::Down: return kDown;
		case ProductInput::Experts: return kExperts;
		case ProductInput::ExpertsDown: return kExpertsDown;
	}
	return {};
}

/// Owns a small buffer that the host sees for each input of each layer.
class Collector : public InputObserver {
public:
	Result<void> record(const Kernels& kernels, vk::CommandBuffer& commands, const ObservedInput& input) override {
		Entry& entry = entries_[{input.layer, input.input}];
		if (!entry.buffer) {
			const uint64_t floats = sumSquaresFloats(input.columns, input.experts);
			VKQ_TRY(entry.buffer, vk::Buffer::create(*kernels.device, floats * sizeof(float), vk::MemoryUse::Download));
			std::memset(entry.buffer.mapped(), 0, entry.buffer.bytes());
			entry.columns = input.columns;
			entry.experts = input.experts;
			entry.totals.resize(floats);
		}
		return recordSumSquares(*kernels.device, commands, {.x = input.x, .chosen = input.chosen, .sums = entry.buffer, .columns = input.columns, .slots = input.slots,
		                                                   .slots_per_row = input.slots_per_row, .experts = input.experts});
	}

	/// Adds what the device has summed to the totals. The device must be idle.
	Result<void> take() {
		for (auto& [key, entry] : entries_) {
			float* sums = reinterpret_cast<float*>(entry.buffer.mapped());
			for (size_t i = 0; i < entry.totals.size(); ++i) {
				if (!std::isfinite(sums[i]))
					return fail(ErrorCode::kInvalidData, fmt::format("layer {}: the input of {} is not finite", key.first, weightsOf(key.second)[0]), "the model is damaged");
				entry.totals[i] += sums[i];
			}
			std::memset(sums, 0, entry.buffer.bytes());
		}
		return {};
	}

	void put(const ModelSource& source, ImatrixSums& result) const {
		std::set<std::string_view> names;
		for (const TensorInfo& tensor : source.tensors()) names.insert(tensor.name);
		for (const auto& [key, entry] : entries_) {
			const size_t sums = size_t(entry.columns) * entry.experts;
			for (const std::string_view weight : weightsOf(key.second)) {
				const std::string name = fmt::format("blk.{}.{}.weight", key.first, weight);
				if (!names.contains(name)) continue;
				result.entries[name] = {{entry.totals.begin(), entry.totals.begin() + std::ptrdiff_t(sums)}, {entry.totals.begin() + std::ptrdiff_t(sums), entry.totals.end()}};
			}
		}
	}

private:
	struct Entry {
		vk::Buffer buffer;
		uint32_t columns = 0, experts = 0;
		std::vector<double> totals;   // as the buffer: sums, then counts
	};
	std::map<std::pair<uint32_t, ProductInput>, Entry> entries_;
};

}  // namespace

Result<ImatrixSums> collectImatrix(Session& session, const ModelSource& source, const TextChunks& chunks, const EvalProgress& progress) {
	Collector collector;
	struct Detach {
		Session& session;
		~Detach() { session.observe(nullptr); }
	} const detach{session};
	session.observe(&collector);
	ImatrixSums result;
	result.chunk_count = chunks.count();
	result.chunk_size = chunks.context;
	for (uint32_t chunk = 0; chunk < chunks.count(); ++chunk) {
		VKQ_CHECK(session.rewind(0));
		const auto tokens = chunks.chunk(chunk);
		VKQ_CHECK(session.feedAll(tokens, tokens.size(), [](size_t, std::span<const float>) { return true; }));
		VKQ_CHECK(collector.take());
		if (progress && !progress(chunk + 1, chunks.count(), 0)) return fail(ErrorCode::kInterrupted, "interrupted");
	}
	collector.put(source, result);
	return result;
}

}  // namespace vkq
