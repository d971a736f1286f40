#include "tools/vkquant_mix.h"

#include "core/text.h"
#include "core/units.h"
#include "quant/metadata_keys.h"
#include "quantize/recipe.h"
#include "tools/progress_bar.h"
#include "tools/vkquant_calibration.h"
#include "tools/vkquant_device_fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace vkq::tools {

namespace {

/// The plan that candidates are counted from: every open tensor in one plain type, which suits rows of any model.
constexpr std::string_view kPlainType = "Q4_0";

QuantizeOptions plainOptions(const QuantizeOptions& options) {
	QuantizeOptions plain = options;
	plain.mixture.target = *findFileType(kPlainType);
	plain.mixture.pure = true;
	return plain;
}

/// Tensors whose type is the user's word.
Result<std::vector<bool>> pinnedJobs(const QuantizePlan& plan, const MixtureOptions& mixture) {
	VKQ_TRY(std::vector<bool> pinned, namedByOverrides(plan, mixture));
	for (size_t j = 0; j < pinned.size(); ++j) {
		const TensorInfo& tensor = plan.layout.tensors[j];
		const bool output = tensor.name == "output.weight" && (mixture.output_type || mixture.leave_output_tensor);
		const bool embedding = tensor.name.ends_with("token_embd.weight") && mixture.embedding_type;
		pinned[j] = pinned[j] || output || embedding;
	}
	return pinned;
}

/// Bytes that all tensors but the open ones take, by the measure that the budget counts in.
struct Measure {
	std::function<uint64_t(const MixTensor&, const MixOption&)> bytes;
	uint64_t fixed = 0, allowed = 0;
	std::string budget;
};

uint64_t openBytes(const QuantizePlan& plan, const std::vector<MixTensor>& tensors, bool padded) {
	uint64_t sum = 0;
	for (const MixTensor& tensor : tensors) {
		const MixOption* plain = tensor.find(plan.jobs[tensor.job].to);
		sum += padded && plain ? plain->file_bytes : plan.layout.tensors[tensor.job].bytes;
	}
	return sum;
}

Measure fileMeasure(const QuantizePlan& plan, const std::vector<MixTensor>& tensors, uint64_t allowed) {
	return {[](const MixTensor&, const MixOption& option) { return option.file_bytes; }, plan.layout.file_bytes - openBytes(plan, tensors, true), allowed, formatBytes(allowed)};
}

Measure bitsMeasure(const QuantizePlan& plan, const std::vector<MixTensor>& tensors, double bits) {
	const auto bytes = [&plan](const MixTensor& tensor, const MixOption& option) { return *typeBytes(option.type, plan.layout.tensors[tensor.job].elements()); };
	return {bytes, plan.tensor_bytes - openBytes(plan, tensors, false), uint64_t(std::floor(bits * double(plan.weights) / 8)), fmt::format("{:.2f} bits a weight", bits)};
}

Error tooSmall(const ModelSource& source, const Measure& measure, uint64_t smallest, const QuantizePlan& plan, bool bits) {
	const auto amount = [&](uint64_t bytes) { return bits ? fmt::format("{:.3f} bits a weight", std::ceil(8e3 * double(bytes) / double(plan.weights)) / 1e3) : fmt::format("{} ({} bytes)", formatBytes(bytes), formatExact(bytes)); };
	return fail(ErrorCode::kDoesNotFit, fmt::format("{} cannot be made as small as {}: with every tensor in its smallest type it has {}", source.name(), measure.budget, amount(smallest)),
	            fmt::format("allow that much; or give up layers (--prune-layers){}", measure.fixed > smallest / 2 ? ", or types that you named: they take most of it" : ", or start from a smaller model"));
}

/// The level's types as chosen, and what says so.
void apply(const ChosenMix& mix, QuantizeOptions& options) {
	std::vector<RecipeEntry> entries;
	for (size_t i = 0; i < mix.tensors.size(); ++i) entries.push_back({mix.tensors[i].name, mix.tensors[i].options[mix.choice.chosen[i]].type});
	for (auto& line : recipeLines(entries)) options.mixture.overrides.push_back(std::move(line));
}

uint64_t weightsOf(const std::map<TensorType, uint64_t>& weights, TensorType type) {
	const auto found = weights.find(type);
	return found == weights.end() ? 0 : found->second;
}

}  // namespace

Result<FileTypeInfo> nearestFileType(const ModelSource& source, const QuantizePlan& plan, const QuantizeOptions& options) {
	std::map<TensorType, uint64_t> weights;
	for (size_t j = 0; j < plan.jobs.size(); ++j) weights[plan.jobs[j].to] += plan.layout.tensors[j].elements();
	uint64_t most = 0;
	for (const FileTypeInfo& type : allFileTypes())
		if (typeInfo(type.base).quantized) most = std::max(most, weightsOf(weights, type.base));
	const FileTypeInfo* nearest = nullptr;
	uint64_t smallest_difference = UINT64_MAX;
	for (const FileTypeInfo& type : allFileTypes()) {
		const bool mixture_of_users = type.output_type || type.embedding_type;   // _L: another's number
		if (!typeInfo(type.base).quantized || mixture_of_users || type.file_type == FileType::Q2_K_S || weightsOf(weights, type.base) != most) continue;
		QuantizeOptions fixed = options;
		fixed.mixture.overrides.clear();
		fixed.mixture.target = type;
		fixed.mixture.pure = false;
		fixed.imatrix = nullptr;
		VKQ_TRY(const QuantizePlan other, planQuantization(source, fixed));
		const uint64_t difference = other.tensor_bytes > plan.tensor_bytes ? other.tensor_bytes - plan.tensor_bytes : plan.tensor_bytes - other.tensor_bytes;
		if (difference < smallest_difference) smallest_difference = difference, nearest = &type;
	}
	return nearest ? *nearest : *findFileType("Q8_0");
}

Result<ChosenMix> chooseMix(const ModelSource& source, const MixRequest& request, const MixSurroundings& surroundings, JobLevel& level) {
	QuantizeOptions& options = level.options;
	options.override_kv.set(std::string(kRecipeKey), fmt::format("{} {}, sensitivity {}", request.device ? "fit" : request.file_bytes ? "target-size" : "target-bpw", request.text,
	                                                             !request.calibration.empty() ? "measured" : options.imatrix ? "from importance" : "from priors"));
	const QuantizeOptions plain = plainOptions(options);
	VKQ_TRY(const QuantizePlan plan, planQuantization(source, plain));
	VKQ_TRY(const std::vector<bool> pinned, pinnedJobs(plan, options.mixture));
	ChosenMix mix;
	mix.tensors = openTensors(source, plan, options, [&](size_t job) { return pinned[job]; });
	mix.measured = !request.calibration.empty();

	std::optional<DeviceFit> device;
	Measure measure;
	if (request.device) {
		VKQ_TRY(device, DeviceFit::create(source, plan, mix.tensors, request, surroundings.device));
		device->capTensorsOfTheHost(mix.tensors);
		measure = {[&](const MixTensor& tensor, const MixOption& option) { return device->bytes(tensor, option); }, device->fixedBytes(), device->available(), device->description()};
	} else {
		measure = request.file_bytes ? fileMeasure(plan, mix.tensors, *request.file_bytes) : bitsMeasure(plan, mix.tensors, *request.bits_per_weight);
	}
	const auto items = [&] { return budgetItems(mix.tensors, measure.bytes); };
	// Whether it can be done at all is known before anything is measured.
	if (const uint64_t smallest = measure.fixed + smallestBytes(items()); !device && smallest > measure.allowed) return tooSmall(source, measure, smallest, plan, bool(request.bits_per_weight));

	const uint32_t layers = mixtureModel(source.metadata()).layers;
	const bool tied = std::none_of(plan.layout.tensors.begin(), plan.layout.tensors.end(), [](const TensorInfo& tensor) { return tensor.name == "output.weight"; });
	for (MixTensor& tensor : mix.tensors) tensor.sensitivity = priorSensitivity(tensor.name, layers, tied);
	{
		ProgressBar bar(surroundings.quiet);
		SampleOptions sample{.search = options.search, .threads = surroundings.threads, .interrupted = &interruptFlag(), .progress = {}};
		sample.progress = [&](size_t done, size_t tensors, std::string_view name) { bar.update(done, tensors, "sampling", printable(name)); };
		VKQ_CHECK(sampleErrors(source, mix.tensors, sample));
	}
	const auto choose = [&]() -> Result<void> {
		if (device) {
			VKQ_TRY(mix.choice, device->choose(mix.tensors));
		} else {
			VKQ_TRY(mix.choice, chooseWithin(items(), measure.allowed - measure.fixed));
		}
		return {};
	};
	VKQ_CHECK(choose());
	if (mix.measured) VKQ_CHECK(calibrate(source, request, surroundings, options.search, mix, choose));

	apply(mix, options);
	options.mixture.target = plain.mixture.target;
	VKQ_TRY(const QuantizePlan chosen, planQuantization(source, options));
	VKQ_TRY(options.mixture.target, nearestFileType(source, chosen, options));
	// A file that is mostly unquantized says so; its rules are never asked, for every tensor has its line.
	std::map<TensorType, uint64_t> weights;
	for (const TensorInfo& tensor : chosen.layout.tensors) weights[tensor.type] += tensor.elements();
	const auto most = std::max_element(weights.begin(), weights.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
	for (const FileTypeInfo& type : allFileTypes())
		if (!typeInfo(type.base).quantized && type.base == most->first) options.override_kv.set("general.file_type", uint32_t(type.file_type));

	mix.budget = measure.budget;
	mix.allowed = measure.allowed;
	mix.used = device ? device->usedBytes() : measure.fixed + mix.choice.bytes;
	return mix;
}

std::string mixText(const ChosenMix& mix) {
	std::string text = fmt::format("chosen for {}: {} of {} bytes used ({:.2f} %)", mix.budget, formatExact(mix.used), formatExact(mix.allowed), 100 * double(mix.used) / double(std::max<uint64_t>(1, mix.allowed)));
	if (mix.measured) text += fmt::format("; expected mean divergence {:.5f}", mix.choice.cost);
	const double gap = mix.choice.cost > 0 ? (mix.choice.cost - mix.choice.bound) / mix.choice.cost : 0;
	text += gap > 0 ? fmt::format("; within {:.2g} % of the best choice there is\n", 100 * gap) : "; no other choice is better\n";
	return text;
}

Json mixJson(const ChosenMix& mix) {
	Json tensors = Json::array();
	for (size_t i = 0; i < mix.tensors.size(); ++i) {
		const MixTensor& tensor = mix.tensors[i];
		const MixOption& option = tensor.options[mix.choice.chosen[i]];
		Json options = Json::object();
		for (const MixOption& each : tensor.options) options[std::string(typeName(each.type))] = each.error;
		tensors.push_back({{"name", tensor.name}, {"type", typeName(option.type)}, {"sensitivity", tensor.sensitivity}, {"error", option.error}, {"cost", tensor.sensitivity * option.error}, {"errors", std::move(options)}});
	}
	return {{"budget", mix.budget}, {"allowed_bytes", mix.allowed}, {"used_bytes", mix.used}, {"measured", mix.measured}, {"cost", mix.choice.cost}, {"bound", mix.choice.bound}, {"tensors", std::move(tensors)}};
}

}  // namespace vkq::tools
