// vkquant's types chosen under a budget: candidates and errors from quantize/mix.h, sensitivities measured by eval/ where there is a
// calibration text, memory from planner/, the choice from quantize/budget.h, and the result as the overrides of an ordinary level.
#pragma once

#include "core/result.h"
#include "quantize/job.h"
#include "quantize/mix.h"
#include "tools/common.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vkq::tools {

/// What the user allows; one of the three budgets.
struct MixRequest {
	std::optional<uint64_t> file_bytes;      // --target-size: header and padding included
	std::optional<double> bits_per_weight;   // --target-bpw: of all tensors, without header and padding
	std::optional<std::string> device;       // --fit: memory of the card as vkplan --vram takes it, or "auto"
	std::string text;                        // the budget as typed: names the output

	uint32_t context = 0;                    // --ctx, --kv: what must fit beside the weights. 0: as the runtime's default
	TensorType k_type = TensorType::F16, v_type = TensorType::F16;

	std::string calibration;                 // a text; empty: sensitivities are the priors
	uint32_t calibration_chunks = 4;
};

/// How a level came to its types.
struct ChosenMix {
	std::string budget;                      // "3.20 GiB", "4.50 bits a weight", "8.00 GiB at 8,192 tokens of q8_0 cache"
	uint64_t allowed = 0, used = 0;          // bytes: of the file, of its tensors, or of the device
	std::vector<MixTensor> tensors;
	BudgetChoice choice;                     // of these
	bool measured = false;                   // costs are nats of mean divergence on the calibration text
};

struct MixSurroundings {
	std::string device;                      // --device, for measuring
	bool validation = false, quiet = false;
	unsigned threads = 0;
};

/// Chooses, and makes `level` an ordinary level: overrides for every open tensor, the nearest file type, a note in the metadata. Overrides, output and
/// embedding types and a left output tensor that the level has already are the user's word and stay.
/// kDoesNotFit names the smallest that is possible.
Result<ChosenMix> chooseMix(const ModelSource& source, const MixRequest& request, const MixSurroundings& surroundings, JobLevel& level);

/// The file type that a mixture of `tensors` is nearest to: its base is the type that holds most weights, its size the nearest of those with that
/// base. Always a quantized one.
Result<FileTypeInfo> nearestFileType(const ModelSource& source, const QuantizePlan& plan, const QuantizeOptions& options);

Json mixJson(const ChosenMix& mix);
std::string mixText(const ChosenMix& mix);

}  // namespace vkq::tools
