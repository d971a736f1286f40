#include "tools/vkquant_calibration.h"

#include "core/text.h"
#include "eval/sensitivity.h"
#include "infer/tokenizer.h"
#include "tools/progress_bar.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace vkq::tools {

namespace {

constexpr uint32_t kContext = 256;      // tokens a chunk
constexpr unsigned kRounds = 2;
/// A choice whose error is further than this factor from the measured type's is measured anew: neighbours, a bit apart, differ by 4.
constexpr double kFar = 6.0;

/// The option that is measured: the chosen one, or the roughest of those within half of its bytes' reach where that is the source's own type.
const MixOption& probed(const MixTensor& tensor, size_t chosen) {
	const MixOption* option = &tensor.options[chosen];
	for (const MixOption& other : tensor.options)
		if (option->error == 0 && other.error > 0) option = &other;   // the finest that rounds at all: options rise in bytes
	return *option;
}

}  // namespace

Result<void> calibrate(const ModelSource& source, const MixRequest& request, const MixSurroundings& surroundings, Search search, ChosenMix& mix,
                       const std::function<Result<void>()>& choose) {
	VKQ_TRY(const std::string text, readText(request.calibration));
	VKQ_TRY(const Tokenizer tokenizer, Tokenizer::fromMetadata(source.metadata(), source.name()));
	VKQ_TRY(const TextChunks chunks, cutChunks(tokenizer, text, kContext, request.calibration_chunks));
	SensitivityOptions options;
	options.session.validation = surroundings.validation;
	if (!surroundings.device.empty()) options.session.devices = {surroundings.device};

	std::vector<double> measured_error(mix.tensors.size(), 0);
	for (unsigned round = 0; round < kRounds; ++round) {
		std::vector<SensitivityProbe> probes;
		std::vector<std::pair<size_t, const MixOption*>> what;
		for (size_t i = 0; i < mix.tensors.size(); ++i) {
			const MixTensor& tensor = mix.tensors[i];
			const MixOption& option = probed(tensor, mix.choice.chosen[i]);
			if (option.error == 0) continue;   // nothing to choose from
			if (measured_error[i] > 0 && std::abs(std::log(option.error / measured_error[i])) < std::log(kFar)) continue;
			what.emplace_back(i, &option);
			probes.push_back({tensor.source, [&source, &tensor, type = option.type, search, &surroundings] { return roundedTensor(source, tensor, type, search, surroundings.threads); }});
		}
		if (probes.empty()) break;
		ProgressBar bar(surroundings.quiet);
		const auto progress = [&](size_t done, size_t count, std::string_view name, double kld) {
			bar.update(done, count, printable(name), fmt::format("KLD {:.2e}", kld));
			return !interrupted();
		};
		VKQ_TRY(const std::vector<double> klds, measureSensitivity(source, chunks, probes, options, progress));
		for (size_t p = 0; p < probes.size(); ++p) {
			const auto& [i, option] = what[p];
			mix.tensors[i].sensitivity = std::max(klds[p], 0.0) / option->error;
			measured_error[i] = option->error;
		}
		VKQ_CHECK(choose());
	}
	return {};
}

}  // namespace vkq::tools
