#include "tools/vkplan_llama_cpp.h"

#include "planner/llama_cpp.h"
#include "tools/common.h"
#include "tools/table.h"

#include <fmt/format.h>

#include <algorithm>

namespace vkq::tools {

namespace {

struct Row {
	std::string type;
	LlamaCppMemory memory;
	bool fits = false;
	uint32_t max_context = 0;
};

Result<std::vector<Row>> rowsOf(const AdviceRequest& request, uint64_t available) {
	const Hyperparameters& h = request.base.model;
	const LlamaCppRun run{request.base.context, request.base.batch, request.base.k_type, request.base.v_type};
	std::vector<Row> rows;
	const auto add = [&](std::string type, const std::vector<TensorInfo>& tensors) {
		Row row{std::move(type), llamaCppMemory(h, tensors, run)};
		row.fits = row.memory.deviceBytes() <= available;
		row.max_context = llamaCppLargestContext(h, tensors, run, available, std::max(h.n_ctx_train, request.base.context));
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

Json jsonOf(const std::vector<Row>& rows, const Row* best, uint64_t available) {
	Json json{{"runtime", "llama.cpp"}, {"available_bytes", available}, {"candidates", Json::array()}};
	for (const Row& row : rows) {
		const LlamaCppMemory& m = row.memory;
		json["candidates"].push_back({{"type", row.type}, {"weight_bytes", m.weights}, {"cache_bytes", m.cache}, {"compute_bytes", m.compute},
		                              {"device_bytes", m.deviceBytes()}, {"host_weight_bytes", m.host_weights}, {"host_output_bytes", m.host_output},
		                              {"fits", row.fits}, {"max_context", row.max_context}});
	}
	json["recommended"] = best ? Json(best->type) : Json(nullptr);
	return json;
}

}  // namespace

Result<int> planForLlamaCpp(const AdviceRequest& request, std::string_view model, bool json) {
	if (request.base.devices.size() != 1) {
		return fail(ErrorCode::kUsage, "--runtime llama.cpp predicts one device with all layers on it", "plan each device by itself, or leave --runtime out");
	}
	const uint64_t all = request.base.devices.front().available, available = all - std::min(all, request.base.reserve);
	const auto rows = rowsOf(request, available);
	if (!rows) return rows.error();
	const auto best = std::find_if(rows->begin(), rows->end(), [](const Row& row) { return row.fits; });
	const int code = best == rows->end() ? kPlanDoesNotFit : kDone;
	if (json) {
		printJson(jsonOf(*rows, best == rows->end() ? nullptr : &*best, available));
		return code;
	}

	Table table({{"type"}, {"weights", Align::Right}, {"KV cache", Align::Right}, {"compute", Align::Right}, {"total", Align::Right}, {"fits"}, {"max context", Align::Right}});
	for (const Row& row : *rows) {
		table.add({row.type, formatBytes(row.memory.weights), formatBytes(row.memory.cache), formatBytes(row.memory.compute), formatBytes(row.memory.deviceBytes()),
		           row.fits ? "yes" : "no", row.max_context ? formatExact(row.max_context) : "-"});
	}
	fmt::print("{} as llama.cpp (Vulkan, flash attention, all layers on the device) would hold it: {} tokens, steps of {}; {} to give\n\n{}\n", model,
	           formatExact(request.base.context), formatExact(request.base.batch), formatBytes(available), table.text());
	if (best != rows->end()) {
		fmt::print("recommended: {}\n", best->type);
		return code;
	}
	const auto smallest = std::min_element(rows->begin(), rows->end(), [](const Row& a, const Row& b) { return a.memory.deviceBytes() < b.memory.deviceBytes(); });
	const uint64_t needed = smallest->memory.deviceBytes();
	fmt::print("recommended: none (the smallest, {}, needs {}: {} are missing)\n", smallest->type, formatBytes(needed), formatBytes(needed - available));
	return code;
}

}  // namespace vkq::tools
