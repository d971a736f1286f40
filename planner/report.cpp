#include "planner/report.h"

#include "core/units.h"
#include "planner/device_layout.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

namespace vkq {

namespace {

std::string cacheName(const Candidate& c) {
	std::string k(typeName(c.k_type)), v(typeName(c.v_type));
	std::string name = k == v ? k : k + "/" + v;
	std::transform(name.begin(), name.end(), name.begin(), [](char letter) { return char(letter >= 'A' && letter <= 'Z' ? letter + 32 : letter); });
	return name;
}

std::string lossText(const Candidate& c) {
	if (c.measured) return fmt::format("{:+.2f} %*", 100.0 * (c.measured->perplexity_ratio - 1));
	const PublishedQuality* quality = c.quality;
	if (!quality || !quality->perplexity_increase) return "-";
	if (*quality->perplexity_increase == 0) return "0";
	return fmt::format("+{:.1f} %", 100.0 * *quality->perplexity_increase / kPublishedBasePerplexity);
}

std::string fitText(const Candidate& c) {
	if (!c.plan.fits) return "no";
	uint32_t offloaded = c.plan.output_offloaded;
	for (const LayerRange& range : c.plan.layers) offloaded += range.offloaded;
	if (offloaded) return "with host";
	return c.plan.layers.size() > 1 ? "split" : "yes";
}

/// Bytes of each kind in one heap; the gap is what alignment and granularity add.
struct Usage {
	uint64_t weights = 0, k = 0, v = 0, scratch = 0, staging = 0, gap = 0;
};

std::vector<Usage> usageOfHeaps(const Plan& plan) {
	std::vector<Usage> usage(plan.heaps.size());
	// Scratch buffers overlay each other: their extent in a block counts, not their sum.
	std::map<uint32_t, std::pair<uint64_t, uint64_t>> arenas;
	for (const Placement& p : plan.placements) {
		Usage& heap = usage[plan.blocks[p.block].heap];
		switch (p.what) {
			case What::Weight: heap.weights += p.bytes; break;
			case What::KCache: heap.k += p.bytes; break;
			case What::VCache: heap.v += p.bytes; break;
			case What::Staging: heap.staging += p.bytes; break;
			case What::Scratch: {
				const auto [arena, fresh] = arenas.try_emplace(p.block, p.offset, p.offset + p.bytes);
				if (!fresh) arena->second = {std::min(arena->second.first, p.offset), std::max(arena->second.second, p.offset + p.bytes)};
				break;
			}
		}
	}
	for (const auto& [block, extent] : arenas) usage[plan.blocks[block].heap].scratch += extent.second - extent.first;
	for (size_t i = 0; i < usage.size(); ++i) {
		Usage& u = usage[i];
		const uint64_t sum = u.weights + u.k + u.v + u.scratch + u.staging;
		u.gap = plan.heaps[i].planned - std::min(plan.heaps[i].planned, sum);
	}
	return usage;
}

std::string table(const std::vector<std::vector<std::string>>& rows, size_t left_columns) {
	std::vector<size_t> widths;
	for (const auto& row : rows) {
		widths.resize(std::max(widths.size(), row.size()));
		for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
	}
	std::string text;
	for (const auto& row : rows) {
		std::string line;
		for (size_t i = 0; i < row.size(); ++i) {
			line += i ? "  " : "";
			line += i < left_columns ? fmt::format("{:<{}}", row[i], widths[i]) : fmt::format("{:>{}}", row[i], widths[i]);
		}
		line.erase(line.find_last_not_of(' ') + 1);
		text += line + "\n";
	}
	return text;
}

nlohmann::ordered_json nothingOr(bool there, double value) { return there ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr); }

}  // namespace

std::string adviceTable(const Advice& advice) {
	bool speeds = false;
	for (const Candidate& c : advice.candidates) speeds = speeds || c.speed;
	std::vector<std::vector<std::string>> rows{{"type", "cache", "file size", "bits/w", "loss", "weights", "KV cache", "workspace", "total", "fits", "max context"}};
	if (speeds) rows.front().push_back("tokens/s");
	for (const Candidate& c : advice.candidates) {
		const uint64_t weights = c.plan.weight_bytes + c.plan.offloaded_weight_bytes;
		rows.push_back({c.type, cacheName(c), formatBytes(c.file_bytes), fmt::format("{:.2f}", c.bits_per_weight), lossText(c), formatBytes(weights),
		                formatBytes(c.kvBytes()), formatBytes(c.workspaceBytes()), formatBytes(c.totalBytes()), fitText(c),
		                c.max_context ? formatExact(c.max_context) : "-"});
		if (speeds) rows.back().push_back(c.speed ? fmt::format("{:.{}f}", c.speed->full_context, c.speed->full_context < 10 ? 1 : 0) : "-");
	}
	const bool measured = std::any_of(advice.candidates.begin(), advice.candidates.end(), [](const Candidate& c) { return c.measured.has_value(); });
	return table(rows, 2) + fmt::format("\nloss: perplexity, {}{}\n", kLossSource, measured ? "; * measured on this model" : "");
}

std::string alternativesText(const Candidate& candidate) {
	std::string text;
	for (const Alternative& a : alternativesOf(candidate)) {
		text += fmt::format("{}: ", a.name);
		if (!a.plan.fits) text += a.plan.missing ? fmt::format("{} are missing", formatBytes(a.plan.missing)) : a.plan.reason;
		else if (a.speed) text += fmt::format("{:.0f} tokens/s expected", a.speed->full_context);
		else text += "fits";
		uint32_t offloaded = a.plan.output_offloaded;
		for (const LayerRange& range : a.plan.layers) offloaded += range.offloaded;
		if (a.plan.fits && offloaded) text += fmt::format(", {} of weights read from host memory", formatBytes(a.plan.offloaded_weight_bytes));
		text += "\n";
	}
	return text;
}

std::string recommendationLine(const Advice& advice) {
	if (advice.recommended) return fmt::format("recommended: {}\n", advice.candidates[*advice.recommended].type);
	const Candidate& smallest = advice.candidates[advice.smallest];
	if (smallest.plan.missing == 0) return fmt::format("recommended: none ({})\n", smallest.plan.reason);
	return fmt::format("recommended: none (the smallest, {}, needs {}: {} are missing)\n", smallest.type, formatBytes(smallest.totalBytes()),
	                   formatBytes(smallest.plan.missing));
}

std::string heapBars(const Request& request, const Plan& plan) {
	constexpr size_t kWidth = 48;
	const std::vector<Usage> usage = usageOfHeaps(plan);
	std::string text;
	for (size_t i = 0; i < plan.heaps.size(); ++i) {
		const Heap& heap = plan.heaps[i];
		if (heap.planned == 0) continue;
		const bool bounded = heap.available != UINT64_MAX;
		const uint64_t scale = std::max(heap.planned, bounded ? heap.available : heap.planned);
		const Usage& u = usage[i];
		const std::array<std::pair<char, uint64_t>, 4> parts{{{'W', u.weights}, {'K', u.k + u.v}, {'S', u.scratch + u.gap}, {'U', u.staging}}};
		std::string bar;
		uint64_t running = 0;
		for (const auto& [letter, bytes] : parts) {
			running += bytes;
			const size_t end = size_t(std::llround(double(running) / double(scale) * kWidth));
			bar.resize(std::max(bar.size(), end), letter);
		}
		bar.resize(kWidth, '.');
		text += fmt::format("{:<20} [{}] {}\n", heap.name, bar,
		                    bounded ? fmt::format("{} of {}", formatBytes(heap.planned), formatBytes(heap.available)) : formatBytes(heap.planned));
		if (heap.device != kNone && request.reserve) text += fmt::format("{:<20}  ({} of {} are reserved)\n", "", formatBytes(request.reserve),
		                                                                  formatBytes(request.devices[heap.device].available));
	}
	return text + "W weights  K key/value cache  S scratch  U upload and read-back  . free\n";
}

std::string explain(const Candidate& c) {
	const Hyperparameters& h = c.request.model;
	const Plan& plan = c.plan;
	std::string text = fmt::format("{} with a {} cache, {} tokens of context, steps of up to {} tokens\n\n", c.type, cacheName(c),
	                               formatExact(c.request.context), formatExact(c.request.batch));

	std::map<TensorType, std::pair<uint64_t, uint64_t>> by_type;   // elements, file bytes
	for (const TensorInfo& tensor : c.request.tensors) {
		by_type[tensor.type].first += tensor.elements();
		by_type[tensor.type].second += tensor.bytes;
	}
	text += "weights, by tensor type\n";
	for (const auto& [type, sums] : by_type) {
		text += fmt::format("  {:<6} {:>16} elements x {:>2} bytes / {:>3} = {}\n", typeName(type), formatExact(sums.first), typeInfo(type).block_bytes,
		                    typeInfo(type).block_elements, formatBytes(sums.second));
	}
	if (!h.tied_embeddings) text += fmt::format("  the embedding table is read from the mapped file, {} that the device does not hold\n", formatBytes(plan.mapped_bytes));
	text += fmt::format("  on the device, rows padded and planes aligned: {}{}\n\n", formatBytes(plan.weight_bytes),
	                    plan.offloaded_weight_bytes ? fmt::format("; in host memory: {}", formatBytes(plan.offloaded_weight_bytes)) : "");

	uint32_t sliding = 0;
	for (uint32_t i = 0; i < h.n_layer; ++i) sliding += h.slides(i);
	const auto line = [&](uint32_t layers, uint32_t window, std::string_view note) {
		const uint64_t cells = cacheCells(c.request.context, c.request.batch, window);
		const uint64_t k = typeBytes(c.k_type, h.head_dim).value_or(0), v = typeBytes(c.v_type, h.head_dim).value_or(0);
		return fmt::format("  {} layers{} x {} cells x {} heads x ({} + {} bytes of {} elements) = {}\n", layers, note, formatExact(cells), h.n_head_kv, k, v,
		                   h.head_dim, formatBytes(layers * cells * h.n_head_kv * (k + v)));
	};
	text += "key/value cache\n";
	if (h.n_layer > sliding) text += line(h.n_layer - sliding, 0, "");
	if (sliding) text += line(sliding, h.sliding_window, fmt::format(" with a window of {}", h.sliding_window));

	text += "\nscratch, of the largest step; buffers that are never alive together share memory\n";
	for (const ScratchBuffer& buffer : scratchBuffers(h, {c.request.batch, c.request.logit_rows, c.request.context, true, c.request.float_inputs})) {
		text += fmt::format("  {:<18} {:>12}{}\n", scratchName(buffer.id), formatBytes(buffer.bytes), buffer.host_visible ? "  (read by the host)" : "");
	}
	text += fmt::format("  together {}; staging {}\n\n", formatBytes(plan.scratch_bytes), formatBytes(plan.staging_bytes));
	for (const LayerRange& range : plan.layers) {
		text += fmt::format("layers {} to {} on {}{}\n", range.first, range.first + range.count - 1, c.request.devices[range.device].name,
		                    range.offloaded ? fmt::format(", the weights of the last {} in host memory", range.offloaded) : "");
	}
	if (c.speed) {
		text += fmt::format("speed: {} of weights a token / ({:.0f} % of peak bandwidth) + {} layers x {:.0f} microseconds = {:.1f} tokens/s, {:.1f} at full context\n",
		                    formatBytes(c.speed->weight_bytes), kBandwidthShare * 100, h.n_layer, kLayerSeconds * 1e6, c.speed->empty_context, c.speed->full_context);
		if (c.speed->offloaded_bytes) text += fmt::format("       {} of these cross the bus for every token: that is what the host costs\n", formatBytes(c.speed->offloaded_bytes));
	}
	if (!plan.fits) text += plan.reason + "\n";
	return text;
}

nlohmann::ordered_json planJson(const Request& request, const Plan& plan) {
	nlohmann::ordered_json json{{"fits", plan.fits}};
	if (!plan.fits) json["reason"] = plan.reason, json["missing_bytes"] = plan.missing;
	json["weight_bytes"] = plan.weight_bytes;
	json["offloaded_weight_bytes"] = plan.offloaded_weight_bytes;
	json["k_cache_bytes"] = plan.k_bytes;
	json["v_cache_bytes"] = plan.v_bytes;
	json["scratch_bytes"] = plan.scratch_bytes;
	json["staging_bytes"] = plan.staging_bytes;
	json["mapped_bytes"] = plan.mapped_bytes;
	json["device_bytes"] = plan.deviceBytes();
	json["host_bytes"] = plan.hostBytes();
	const std::vector<Usage> usage = usageOfHeaps(plan);
	for (size_t i = 0; i < plan.heaps.size(); ++i) {
		const Heap& heap = plan.heaps[i];
		nlohmann::ordered_json entry{{"name", heap.name}, {"host", heap.device == kNone}};
		entry["available_bytes"] = heap.available == UINT64_MAX ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(heap.available);
		entry["planned_bytes"] = heap.planned;
		entry["weight_bytes"] = usage[i].weights;
		entry["cache_bytes"] = usage[i].k + usage[i].v;
		entry["scratch_bytes"] = usage[i].scratch;
		entry["staging_bytes"] = usage[i].staging;
		entry["alignment_bytes"] = usage[i].gap;
		json["heaps"].push_back(std::move(entry));
	}
	json["layers"] = nlohmann::ordered_json::array();
	for (const LayerRange& range : plan.layers) {
		json["layers"].push_back({{"device", request.devices[range.device].name}, {"first", range.first}, {"count", range.count}, {"offloaded", range.offloaded}});
	}
	return json;
}

nlohmann::ordered_json adviceJson(const Advice& advice) {
	nlohmann::ordered_json json{{"candidates", nlohmann::ordered_json::array()}};
	for (const Candidate& c : advice.candidates) {
		nlohmann::ordered_json entry{{"type", c.type}, {"k_type", typeName(c.k_type)}, {"v_type", typeName(c.v_type)}};
		entry["file_bytes"] = c.file_bytes;
		entry["bits_per_weight"] = c.bits_per_weight;
		const bool published = c.quality && c.quality->perplexity_increase;
		entry["published_perplexity_increase"] = nothingOr(published, published ? *c.quality->perplexity_increase : 0);
		entry["measured"] = c.measured ? nlohmann::ordered_json{{"perplexity_ratio", c.measured->perplexity_ratio}, {"mean_kld", c.measured->mean_divergence}}
		                               : nlohmann::ordered_json(nullptr);
		entry["total_bytes"] = c.totalBytes();
		entry["max_context"] = c.max_context;
		entry["tokens_per_second"] = c.speed ? nlohmann::ordered_json{{"empty_context", c.speed->empty_context}, {"full_context", c.speed->full_context}}
		                                     : nlohmann::ordered_json(nullptr);
		entry["plan"] = planJson(c.request, c.plan);
		json["candidates"].push_back(std::move(entry));
	}
	json["loss_source"] = kLossSource;
	json["recommended"] = advice.recommended ? nlohmann::ordered_json(advice.candidates[*advice.recommended].type) : nlohmann::ordered_json(nullptr);
	json["recommended_index"] = advice.recommended ? nlohmann::ordered_json(*advice.recommended) : nlohmann::ordered_json(nullptr);
	json["why"] = advice.why;
	json["alternatives"] = nlohmann::ordered_json::array();
	if (advice.recommended) {
		for (const Alternative& a : alternativesOf(advice.candidates[*advice.recommended])) {
			json["alternatives"].push_back({{"name", a.name}, {"fits", a.plan.fits}, {"missing_bytes", a.plan.missing},
			                                {"tokens_per_second", a.speed ? nlohmann::ordered_json(a.speed->full_context) : nlohmann::ordered_json(nullptr)}});
		}
	}
	if (!advice.recommended) {
		const Candidate& smallest = advice.candidates[advice.smallest];
		json["smallest"] = {{"type", smallest.type}, {"total_bytes", smallest.totalBytes()}, {"missing_bytes", smallest.plan.missing}};
	}
	return json;
}

std::string thumbTable(const ThumbAnswer& answer) {
	std::vector<std::vector<std::string>> rows{{"type", "bytes/weight", "with overhead", "fits"}};
	for (const ThumbRow& row : answer.rows) {
		rows.push_back({std::string(row.type), fmt::format("{:.3f}", row.bytes_per_weight), formatBytes(row.bytes), row.fits ? "yes" : "no"});
	}
	return table(rows, 1);
}

std::string recommendationLine(const ThumbAnswer& answer) {
	if (answer.recommended) return fmt::format("recommended: {}\n", answer.rows[*answer.recommended].type);
	return fmt::format("recommended: none (the smallest, {}, needs {}: {} are missing)\n", answer.rows.back().type, formatBytes(answer.rows.back().bytes),
	                   formatBytes(answer.missing));
}

nlohmann::ordered_json thumbJson(const ThumbAnswer& answer) {
	nlohmann::ordered_json json{{"candidates", nlohmann::ordered_json::array()}};
	for (const ThumbRow& row : answer.rows) {
		json["candidates"].push_back({{"type", row.type}, {"bytes_per_weight", row.bytes_per_weight}, {"total_bytes", row.bytes}, {"fits", row.fits}});
	}
	json["recommended"] = answer.recommended ? nlohmann::ordered_json(answer.rows[*answer.recommended].type) : nlohmann::ordered_json(nullptr);
	if (!answer.recommended) json["smallest"] = {{"type", answer.rows.back().type}, {"total_bytes", answer.rows.back().bytes}, {"missing_bytes", answer.missing}};
	return json;
}

}  // namespace vkq
