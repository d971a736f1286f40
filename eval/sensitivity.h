// How far a model's answers move when one of its tensors changes: measured, tensor by tensor, in one live session.
//
// The original's log-probabilities on a calibration text are kept. Each probe puts other values in a tensor's place (the tensor rounded to some
// type, mostly), runs the text, takes the mean divergence, and puts the original back. All other tensors stay as they are, so that small
// effects are seen through no noise but the text's choice.
#pragma once

#include "core/result.h"
#include "eval/text_chunks.h"
#include "ggufio/model_source.h"
#include "infer/session.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace vkq {

struct SensitivityOptions {
	SessionOptions session;                  // its context is set by the chunks
	uint64_t memory = 256 << 20;             // bytes of log-probabilities that are kept: what exceeds them is measured at fewer positions
};

struct SensitivityProbe {
	size_t tensor = 0;                       // of the source
	/// The whole tensor in its own type, with other values. Called once, when its turn comes.
	std::function<Result<std::vector<std::byte>>()> values;
};

/// Told after each probe; false stops with kInterrupted.
using ProbeProgress = std::function<bool(size_t done, size_t probes, std::string_view tensor, double kld)>;

/// Mean divergence in nats of each probe, in order. All positions of a chunk count from its first quarter's end.
Result<std::vector<double>> measureSensitivity(const ModelSource& source, const TextChunks& chunks, std::span<const SensitivityProbe> probes,
                                               const SensitivityOptions& options, const ProbeProgress& progress = {});

}  // namespace vkq
