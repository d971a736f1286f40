#include "tools/vkplan_llama_cpp.h"

#include "planner/llama_cpp.h"
#include "tools/common.h"
#include "tools/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>

namespace vkq::tools {

namespace {

struct Row {
	std::string type;
	LlamaCppMemory memory;
	bool fits = false;
	uint32_t max_context = 0;
};

struct Target {
	std::vector<std::string> names;
	std::vector<uint64_t> available;   // bytes, the reserve taken off
	std::vector<double> split;         // proportions; empty with one device

	uint64_t all() const { return std::accumulate(available.begin(), available.end(), uint64_t(0)); }
};

/// "3,1": a proportion each device.
Result<std::vector<double>> parseSplit(const std::string& text, size_t devices) {
	std::vector<double> split;
	const char *at = text.data(), *end = at + text.size();
	double sum = 0;
	while (at <= end) {
		double part = 0;
		const auto [next, error] = std::from_chars(at, end, part, std::chars_format::fixed);
		if (error != std::errc{} || !(part >= 0 && part < 1e9) || (next != end && *next != ',')) {
			return fail(ErrorCode::kUsage, fmt::format("--tensor-split: '{}' is no list of proportions", text), "for example --tensor-split 3,1");
		}
		split.push_back(part), sum += part;
		at = next + 1;
	}
	if (split.size() != devices || sum <= 0) {
		return fail(ErrorCode::kUsage, fmt::format("--tensor-split: {} proportions, {} above 0, for {} devices", split.size(), sum > 0 ? "some" : "none", devices), "one for each device, for example --tensor-split 3,1");
	}
	return split;
}

Result<Target> targetOf(const Request& request, const std::string& split) {
	Target target;
	for (const DeviceSpec& device : request.devices) {
		target.names.push_back(device.name);
		target.available.push_back(device.available - std::min(device.available, request.reserve));
		if (request.devices.size() > 1) target.split.push_back(double(device.available));   // what is free decides there
	}
	if (!split.empty()) {
		auto parsed = parseSplit(split, request.devices.size());
		if (!parsed) return parsed.error();
		if (request.devices.size() > 1) target.split = std::move(*parsed);
	}
	return target;
}

Result<std::vector<Row>> rowsOf(const AdviceRequest& request, const Target& target) {
	const Hyperparameters& h = request.base.model;
	const LlamaCppRun run{request.base.context, request.base.batch, request.base.k_type, request.base.v_type, target.split};
	std::vector<Row> rows;
	const auto add = [&](std::string type, const std::vector<TensorInfo>& tensors) {
		Row row{std::move(type), llamaCppMemory(h, tensors, run)};
		row.fits = row.memory.fits(target.available);
		row.max_context = llamaCppLargestContext(h, tensors, run, target.available, std::max(h.n_ctx_train, request.base.context));
		rows.push_back(std::move(row));
	};
	if (request.as_is) {
		add(*request.as_is, request.source);
		return rows;
	}
	std::vector<FileTypeInfo> types = request.types;
	std::stable_sort(types.begin(), types.end(), [](const FileTypeInfo& a, const FileTypeInfo& b) { return qualityRank(a.name) < qualityRank(b.name); });
	for (const FileTypeInfo& type : types) {
		auto tensors = tensorsAs(mixtureModel(h), request.source, type);
		if (!tensors) return tensors.error();
		add(std::string(type.name), *tensors);
	}
	return rows;
}

Json jsonOf(const std::vector<Row>& rows, const Row* best, const Target& target) {
	Json json{{"runtime", "llama.cpp"}, {"available_bytes", target.all()}, {"candidates", Json::array()}};
	for (const Row& row : rows) {
		const LlamaCppDevice m = row.memory.total();
		Json devices = Json::array();
		for (size_t i = 0; i < target.names.size(); ++i) {
			const LlamaCppDevice& d = row.memory.devices[i];
			devices.push_back({{"name", target.names[i]}, {"available_bytes", target.available[i]}, {"layers", d.layers}, {"head", d.head}, {"weight_bytes", d.weights},
			                   {"cache_bytes", d.cache}, {"compute_bytes", d.compute}, {"device_bytes", d.bytes()}});
		}
		json["candidates"].push_back({{"type", row.type}, {"weight_bytes", m.weights}, {"cache_bytes", m.cache}, {"compute_bytes", m.compute},
		                              {"device_bytes", m.bytes()}, {"host_weight_bytes", row.memory.host_weights}, {"host_output_bytes", row.memory.host_output},
		                              {"fits", row.fits}, {"max_context", row.max_context}, {"devices", devices}});
	}
	json["recommended"] = best ? Json(best->type) : Json(nullptr);
	return json;
}

/// What each device takes of it.
std::string devicesText(const Row& row, const Target& target) {
	std::string text = fmt::format("{}, device by device\n", row.type);
	for (size_t i = 0; i < target.names.size(); ++i) {
		const LlamaCppDevice& d = row.memory.devices[i];
		text += fmt::format("  {}: {} layers{}; weights {} + cache {} + compute {} = {} of {}\n", target.names[i], d.layers, d.head ? " and the head" : "", formatBytes(d.weights),
		                    formatBytes(d.cache), formatBytes(d.compute), formatBytes(d.bytes()), formatBytes(target.available[i]));
	}
	return text + "\n";
}

/// Bytes by which it does not fit, summed over devices.
uint64_t missing(const Row& row, const Target& target) {
	uint64_t sum = 0;
	for (size_t i = 0; i < target.available.size(); ++i) sum += row.memory.devices[i].bytes() - std::min(row.memory.devices[i].bytes(), target.available[i]);
	return sum;
}

}  // namespace

Result<int> planForLlamaCpp(const AdviceRequest& request, std::string_view model, const std::string& split, bool json) {
	const auto target = targetOf(request.base, split);
	if (!target) return target.error();
	const auto rows = rowsOf(request, *target);
	if (!rows) return rows.error();
	const auto best = std::find_if(rows->begin(), rows->end(), [](const Row& row) { return row.fits; });
	const int code = best == rows->end() ? kPlanDoesNotFit : kDone;
	if (json) {
		printJson(jsonOf(*rows, best == rows->end() ? nullptr : &*best, *target));
		return code;
	}

	Table table({{"type"}, {"weights", Align::Right}, {"KV cache", Align::Right}, {"compute", Align::Right}, {"total", Align::Right}, {"fits"}, {"max context", Align::Right}});
	for (const Row& row : *rows) {
		const LlamaCppDevice m = row.memory.total();
		table.add({row.type, formatBytes(m.weights), formatBytes(m.cache), formatBytes(m.compute), formatBytes(m.bytes()), row.fits ? "yes" : "no",
		           row.max_context ? formatExact(row.max_context) : "-"});
	}
	const bool several = target->names.size() > 1;
	fmt::print("{} as llama.cpp (Vulkan, flash attention, all layers on {}) would hold it: {} tokens, steps of {}; {} to give\n\n{}\n", model,
	           several ? "devices" : "the device", formatExact(request.base.context), formatExact(request.base.batch), formatBytes(target->all()), table.text());
	const auto smallest = std::min_element(rows->begin(), rows->end(), [](const Row& a, const Row& b) { return a.memory.total().bytes() < b.memory.total().bytes(); });
	if (several) fmt::print("{}", devicesText(best == rows->end() ? *smallest : *best, *target));
	if (best != rows->end()) fmt::print("recommended: {}\n", best->type);
	else fmt::print("recommended: none (the smallest, {}, needs {}: {} are missing)\n", smallest->type, formatBytes(smallest->memory.total().bytes()), formatBytes(missing(*smallest, *target)));
	return code;
}

}  // namespace vkq::tools
