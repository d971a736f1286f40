// Which file type, cache type and context to take: candidates, each with its plan, and the one to recommend.
#pragma once

#include "planner/file_types.h"
#include "planner/quality.h"
#include "planner/solve.h"
#include "planner/speed.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vkq {

/// In every case a candidate that needs no host memory for weights comes before one that does; among those that do, types that lose
/// no more than Q4_K_M before others, then the one that leaves the fewest bytes on the host.
enum class Goal {
	Quality,   // the best file type that fits at the wanted context
	Context,   // the longest context, among types that lose no more than Q4_K_M
	Speed,     // the most tokens/s, among types that lose no more than Q4_K_M
};

struct AdviceRequest {
	Request base;                              // all but `tensors` and the types; base.context is the wanted one
	std::vector<TensorInfo> source;            // as they are, or F16 when there is no file
	std::vector<FileTypeInfo> types;           // to be considered, any order
	std::optional<std::string> as_is;          // the source's own file type, when it is quantized already: the only candidate then
	std::vector<TensorType> cache_types;       // K and V alike; empty: base.k_type and base.v_type only
	std::map<std::string, MeasuredQuality> measured;   // by file type; shown in place of the published figures
	Goal goal = Goal::Quality;
};

struct Candidate {
	std::string type;                          // file type
	TensorType k_type, v_type;
	uint64_t file_bytes = 0;                   // tensor data of the file
	double bits_per_weight = 0;
	const PublishedQuality* quality = nullptr; // may be null
	std::optional<MeasuredQuality> measured;
	Request request;                           // what was solved
	Plan plan;
	uint32_t max_context = 0;                  // tokens, at most the trained context; 0: not even the shortest fits
	std::optional<Speed> speed;

	uint64_t kvBytes() const { return plan.k_bytes + plan.v_bytes; }
	uint64_t workspaceBytes() const { return plan.scratch_bytes + plan.staging_bytes; }
	uint64_t totalBytes() const { return plan.deviceBytes() + plan.hostBytes(); }
};

struct Advice {
	std::vector<Candidate> candidates;         // best quality first; for each type the cache types in the order given
	std::optional<size_t> recommended;
	size_t smallest = 0;                       // the candidate with the smallest total, for "none"
	std::string why;                           // one sentence
};

Result<Advice> advise(const AdviceRequest& request);

/// The candidate laid out in another way, to compare with.
struct Alternative {
	std::string name;                          // "GPU 0 alone", "all of them"
	Plan plan;
	std::optional<Speed> speed;
};

/// With several devices: each alone, then all together. Empty with one.
std::vector<Alternative> alternativesOf(const Candidate& candidate);

}  // namespace vkq
