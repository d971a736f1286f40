#include "tools/vkquant_summary.h"

#include "core/text.h"
#include "core/units.h"
#include "tools/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace vkq::tools {

namespace {

/// "Q4_K 30, Q6_K 7, F32 13": how many tensors have which type, the heaviest type first.
std::string typeMix(const QuantizePlan& plan) {
	std::map<TensorType, std::pair<uint64_t, size_t>> mix;
	for (const TensorInfo& tensor : plan.layout.tensors) {
		mix[tensor.type].first += tensor.bytes;
		++mix[tensor.type].second;
	}
	std::vector<std::pair<TensorType, std::pair<uint64_t, size_t>>> order(mix.begin(), mix.end());
	std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.second.first > b.second.first; });
	std::string text;
	for (const auto& [type, count] : order) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", typeName(type), count.second);
	return text;
}

std::string levelName(const JobLevel& level) {
	if (!level.name.empty()) return level.name;
	return level.options.copy ? "COPY" : std::string(level.options.mixture.target.name);
}

void printSizes(const VkquantSummary& summary) {
	Table table({{"level"}, {"before", Align::Right}, {"after", Align::Right}, {"share", Align::Right}, {"bits/weight", Align::Right}, {"tensors"}});
	for (size_t i = 0; i < summary.plans.size(); ++i) {
		const QuantizePlan& plan = summary.plans[i];
		table.add({levelName(summary.levels[i]), formatBytes(summary.source.storedBytes()), formatBytes(plan.layout.file_bytes),
		           fmt::format("{:.1f} %", 100.0 * double(plan.layout.file_bytes) / double(std::max<uint64_t>(1, summary.source.storedBytes()))),
		           fmt::format("{:.2f}", plan.bitsPerWeight()), typeMix(plan)});
	}
	fmt::print("{}", table.text());
	if (summary.mix) fmt::print("{}", mixText(*summary.mix));
	for (const QuantizePlan& plan : summary.plans) {
		if (const auto& missing = plan.imatrix.missing; !missing.empty())
			fmt::print("{}: {} tensors are not in the importance matrix and are encoded without: {}{}\n", plan.target.name, missing.size(),
			           fmt::join(missing.begin(), missing.begin() + std::min<std::ptrdiff_t>(3, std::ptrdiff_t(missing.size())), ", "), missing.size() > 3 ? ", ..." : "");
		const auto fallbacks = std::count_if(plan.jobs.begin(), plan.jobs.end(), [](const TensorJob& job) { return job.fell_back; });
		if (fallbacks) fmt::print("{}: {} tensors have rows that are no multiple of the block and take a fallback type\n", plan.target.name, fallbacks);
	}
}

/// Per tensor, worst first: what the encoding cost.
void printDistortions(const VkquantSummary& summary) {
	constexpr size_t kShown = 8;
	for (size_t i = 0; i < summary.plans.size(); ++i) {
		const QuantizePlan& plan = summary.plans[i];
		const auto& distortions = summary.result->report.distortions[i];
		std::vector<size_t> order;
		for (size_t t = 0; t < plan.jobs.size(); ++t)
			if (!plan.jobs[t].copies()) order.push_back(t);
		std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return distortions[a].relativeRmse() > distortions[b].relativeRmse(); });
		fmt::print("\nverified {}: {} tensors decoded on the device and compared", levelName(summary.levels[i]), order.size());
		fmt::print("{}\n", order.size() > kShown ? fmt::format("; the {} with the largest error (--json has all):", kShown) : ":");
		Table table({{"tensor"}, {"type"}, {"RMSE", Align::Right}, {"relative", Align::Right}, {"largest", Align::Right}, {"cosine", Align::Right}});
		for (size_t n = 0; n < std::min(kShown, order.size()); ++n) {
			const Distortion& d = distortions[order[n]];
			table.add({printable(plan.layout.tensors[order[n]].name, 48), std::string(typeName(plan.jobs[order[n]].to)), fmt::format("{:.3g}", d.rmse()),
			           fmt::format("{:.3f} %", 100 * d.relativeRmse()), fmt::format("{:.3g}", d.maxError()), fmt::format("{:.6f}", d.cosine())});
		}
		fmt::print("{}", table.text(2));
	}
}

}  // namespace

void printSummary(const VkquantSummary& summary) {
	printSizes(summary);
	if (!summary.result) return;
	const JobResult& result = *summary.result;
	const PipelineReport& report = result.report;
	if (!report.distortions.empty()) printDistortions(summary);

	const uint64_t encoded = report.device_weights + report.host_weights;
	fmt::print("\n{} in {}: {:.2f} GB/s read, {} weights/s, {} search", result.files.size() == 1 ? "done" : fmt::format("{} levels done", result.files.size()), formatSeconds(report.seconds),
	           double(report.source_bytes) / 1e9 / std::max(report.seconds, 1e-9), formatCount(uint64_t(double(encoded) / std::max(report.seconds, 1e-9))), searchName(summary.levels.front().options.search));
	if (summary.device && encoded)
		fmt::print("; {:.0f} % encoded on {}{}", 100.0 * double(report.device_weights) / double(encoded), summary.device->info().name, report.zero_copy ? ", read in place" : "");
	fmt::print("\n");
	if (report.repaired_blocks) fmt::print("{} blocks that this device may round otherwise were encoded on the host\n", formatExact(report.repaired_blocks));
	if (result.resumed_tensors) fmt::print("{} tensors were on disk from an earlier run\n", result.resumed_tensors);
	for (const auto& files : result.files)
		for (const auto& file : files) fmt::print("{}\n", printable(file.string()));
}

Json summaryJson(const VkquantSummary& summary) {
	Json json{{"source", summary.source.name()}, {"source_bytes", summary.source.storedBytes()}};
	if (summary.device) json["device"] = {{"name", summary.device->info().name}, {"driver", summary.device->info().driver}, {"uuid", summary.device->info().uuidText()}};
	if (summary.result) {
		const PipelineReport& report = summary.result->report;
		json["seconds"] = report.seconds;
		json["written_bytes"] = report.written_bytes;
		json["device_weights"] = report.device_weights;
		json["host_weights"] = report.host_weights;
		json["repaired_blocks"] = report.repaired_blocks;
		json["read_in_place"] = report.zero_copy;
		json["resumed_tensors"] = summary.result->resumed_tensors;
	}
	json["levels"] = Json::array();
	for (size_t i = 0; i < summary.plans.size(); ++i) {
		const QuantizePlan& plan = summary.plans[i];
		Json level{{"level", levelName(summary.levels[i])}, {"search", searchName(summary.levels[i].options.search)}, {"file_bytes", plan.layout.file_bytes}, {"tensor_bytes", plan.tensor_bytes}, {"weights", plan.weights}, {"bits_per_weight", plan.bitsPerWeight()}};
		if (summary.result)
			for (const auto& file : summary.result->files[i]) level["files"].push_back(file.string());
		for (size_t t = 0; t < plan.jobs.size(); ++t) {
			const TensorInfo& tensor = plan.layout.tensors[t];
			Json entry{{"name", tensor.name}, {"from", typeName(plan.jobs[t].from)}, {"to", typeName(plan.jobs[t].to)}, {"bytes", tensor.bytes}, {"importance", plan.jobs[t].importance != nullptr},
			           {"search", searchName(plan.jobs[t].search)}};
			if (summary.result && !summary.result->report.distortions.empty() && !plan.jobs[t].copies()) {
				const Distortion& d = summary.result->report.distortions[i][t];
				entry["rmse"] = d.rmse();
				entry["relative_rmse"] = d.relativeRmse();
				entry["max_error"] = d.maxError();
				entry["cosine"] = d.cosine();
			}
			level["tensors"].push_back(std::move(entry));
		}
		if (!summary.levels[i].name.empty()) level["file_type"] = summary.levels[i].options.mixture.target.name;
		if (summary.mix) level["mix"] = mixJson(*summary.mix);
		json["levels"].push_back(std::move(level));
	}
	return json;
}

}  // namespace vkq::tools
