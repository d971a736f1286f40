#include "planner/advise.h"

#include <fmt/format.h>

#include <algorithm>

namespace vkq {

namespace {

constexpr std::string_view kFloor = "Q4_K_M";   // the least that the goals "context" and "speed" accept when they have a choice

Result<Candidate> makeCandidate(const AdviceRequest& request, std::string type, std::vector<TensorInfo> tensors, TensorType k_type, TensorType v_type) {
	Candidate candidate{.type = std::move(type), .k_type = k_type, .v_type = v_type};
	candidate.file_bytes = dataBytes(tensors);
	candidate.bits_per_weight = bitsPerWeight(tensors);
	candidate.quality = publishedQuality(candidate.type);
	if (const auto measured = request.measured.find(candidate.type); measured != request.measured.end()) candidate.measured = measured->second;
	candidate.request = request.base;
	candidate.request.tensors = std::move(tensors);
	candidate.request.k_type = k_type;
	candidate.request.v_type = v_type;
	auto plan = solve(candidate.request);
	if (!plan) return plan.error();
	candidate.plan = std::move(*plan);
	candidate.max_context = largestContext(candidate.request, std::max(request.base.model.n_ctx_train, request.base.context));
	candidate.speed = expectedSpeed(candidate.request, candidate.plan);
	return candidate;
}

double speedOf(const Candidate& candidate) {
	// Without a known bandwidth, fewer bytes are faster.
	return candidate.speed ? candidate.speed->full_context : 1.0 / double(candidate.totalBytes() + 1);
}

std::string runsOn(const Candidate& candidate) {
	const Plan& plan = candidate.plan;
	std::string where;
	for (const LayerRange& range : plan.layers) {
		if (!where.empty()) where += ", ";
		where += plan.layers.size() == 1 && range.offloaded == 0 ? candidate.request.devices[range.device].name
		                                                         : fmt::format("{} layers on {}", range.count, candidate.request.devices[range.device].name);
		if (range.offloaded) where += fmt::format(" ({} of them read from host memory)", range.offloaded);
	}
	return where;
}

std::string reasonFor(const Candidate& best, Goal goal) {
	const std::string cache = best.k_type == best.v_type ? std::string(typeName(best.k_type)) : fmt::format("{}/{}", typeName(best.k_type), typeName(best.v_type));
	switch (goal) {
		case Goal::Quality:
			if (best.plan.offloaded_weight_bytes) {
				const DeviceSpec& device = best.request.devices[best.plan.layers.back().device];
				return fmt::format("nothing fits without the host; {} leaves {} of weights there, which cost {} a token over a bus of {:.0f} GB/s: {}", best.type,
				                   formatBytes(best.plan.offloaded_weight_bytes), formatSeconds(hostSeconds(best.request, best.plan)),
				                   device.host_bandwidth * 1e-9, runsOn(best));
			}
			return fmt::format("{} is the best type that fits {} tokens of {} cache: {} on {}", best.type, formatExact(best.request.context), cache,
			                   formatBytes(best.totalBytes()), runsOn(best));
		case Goal::Context:
			return fmt::format("{} with a {} cache holds the longest context, {} tokens", best.type, cache, formatExact(best.max_context));
		case Goal::Speed:
			return best.speed ? fmt::format("{} with a {} cache is the fastest that is worth it: {:.0f} tokens/s expected", best.type, cache, best.speed->full_context)
			                  : fmt::format("{} with a {} cache reads the fewest bytes a token", best.type, cache);
	}
	return {};
}

}  // namespace

Result<Advice> advise(const AdviceRequest& request) {
	struct Form { std::string type; std::vector<TensorInfo> tensors; };
	std::vector<Form> forms;
	if (request.as_is) {
		forms.push_back({*request.as_is, request.source});
	} else {
		std::vector<FileTypeInfo> types = request.types;
		std::stable_sort(types.begin(), types.end(), [](const FileTypeInfo& a, const FileTypeInfo& b) { return qualityRank(a.name) < qualityRank(b.name); });
		const MixtureModel mixture = mixtureModel(request.base.model);
		for (const FileTypeInfo& type : types) {
			auto tensors = tensorsAs(mixture, request.source, type);
			if (!tensors) return tensors.error();
			forms.push_back({std::string(type.name), std::move(*tensors)});
		}
	}
	if (forms.empty()) return fail(ErrorCode::kUsage, "there is no file type to consider");

	Advice advice;
	for (const Form& form : forms) {
		const auto add = [&](TensorType k_type, TensorType v_type) -> Result<void> {
			auto candidate = makeCandidate(request, form.type, form.tensors, k_type, v_type);
			if (!candidate) return candidate.error();
			advice.candidates.push_back(std::move(*candidate));
			return {};
		};
		if (request.cache_types.empty()) {
			if (auto done = add(request.base.k_type, request.base.v_type); !done) return done.error();
		}
		for (const TensorType type : request.cache_types) {
			if (auto done = add(type, type); !done) return done.error();
		}
	}

	const auto better = [&](const Candidate& a, const Candidate& b) {
		const uint64_t a_away = a.plan.offloaded_weight_bytes, b_away = b.plan.offloaded_weight_bytes;
		if ((a_away == 0) != (b_away == 0)) return a_away == 0;
		const bool a_good = qualityRank(a.type) <= qualityRank(kFloor), b_good = qualityRank(b.type) <= qualityRank(kFloor);
		if ((request.goal != Goal::Quality || a_away) && a_good != b_good) return a_good;
		if (a_away != b_away) return a_away < b_away;
		if (request.goal == Goal::Context && a.max_context != b.max_context) return a.max_context > b.max_context;
		if (request.goal == Goal::Speed && speedOf(a) != speedOf(b)) return speedOf(a) > speedOf(b);
		return false;   // equal: the earlier one, which has the better type
	};
	for (size_t i = 0; i < advice.candidates.size(); ++i) {
		const Candidate& candidate = advice.candidates[i];
		if (candidate.totalBytes() < advice.candidates[advice.smallest].totalBytes()) advice.smallest = i;
		if (!candidate.plan.fits) continue;
		if (!advice.recommended || better(candidate, advice.candidates[*advice.recommended])) advice.recommended = i;
	}
	if (advice.recommended) {
		advice.why = reasonFor(advice.candidates[*advice.recommended], request.goal);
	} else {
		const Candidate& smallest = advice.candidates[advice.smallest];
		advice.why = fmt::format("nothing fits {} tokens; {} comes closest: {}", formatExact(request.base.context), smallest.type, smallest.plan.reason);
	}
	return advice;
}

std::vector<Alternative> alternativesOf(const Candidate& candidate) {
	std::vector<Alternative> alternatives;
	const std::vector<DeviceSpec>& devices = candidate.request.devices;
	if (devices.size() < 2) return alternatives;
	for (const DeviceSpec& device : devices) {
		Request alone = candidate.request;
		alone.devices = {device};
		auto plan = solve(alone);
		if (!plan) continue;   // cannot be: it is the same request on a part of its devices
		const auto speed = expectedSpeed(alone, *plan);
		alternatives.push_back({device.name + " alone", std::move(*plan), speed});
	}
	alternatives.push_back({"all of them", candidate.plan, candidate.speed});
	return alternatives;
}

}  // namespace vkq
