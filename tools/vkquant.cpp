// vkquant INPUT [OUTPUT] TYPE...: quantizes a model on a Vulkan device.

#include "core/units.h"
#include "ggufio/model_source.h"
#include "quantize/job.h"
#include "tools/common.h"
#include "tools/progress_bar.h"
#include "tools/vkquant_arguments.h"
#include "tools/vkquant_summary.h"
#include "vk/device.h"

#include <fmt/format.h>

using namespace vkq;
using namespace vkq::tools;

namespace {

Result<void> quantize(VkquantArguments& arguments) {
	VKQ_TRY(const auto source, openModelSource(arguments.input));
	VKQ_TRY(const std::vector<QuantizePlan> plans, planLevels(*source, arguments.levels));
	VkquantSummary summary{*source, arguments.levels, plans};

	std::unique_ptr<vk::Device> device;
	std::optional<JobResult> result;
	if (!arguments.dry_run) {
		if (arguments.job.pipeline.route != Route::Host) {
			VKQ_TRY(device, vk::Device::open(arguments.device, arguments.validation));
			summary.device = device.get();
		}
		ProgressBar bar(arguments.quiet || arguments.json);
		arguments.job.pipeline.interrupted = &interruptFlag();
		arguments.job.pipeline.progress = [&bar](const Progress& p) {
			bar.update(p.bytes_done, p.bytes_total, p.name, fmt::format("{} weights/s", formatCount(uint64_t(double(p.weights_done) / std::max(p.seconds, 1e-9)))));
		};
		VKQ_TRY(result, runJob(*source, arguments.input, device.get(), arguments.levels, plans, arguments.job));
		summary.result = &*result;
	}
	if (arguments.json) printJson(summaryJson(summary));
	else if (!arguments.quiet) printSummary(summary);
	return {};
}

int vkquant(int argc, char** argv) {
	VkquantArguments arguments;
	if (const auto code = parseVkquant(argc, argv, arguments)) return *code;
	catchInterrupts();
	if (auto done = quantize(arguments); !done) return report("vkquant", done.error());
	return kDone;
}

}  // namespace

int main(int argc, char** argv) {
	return run("vkquant", [&] { return vkquant(argc, argv); });
}
