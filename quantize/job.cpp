#include "quantize/job.h"

#include "core/text.h"
#include "quantize/journal.h"

#include <fmt/format.h>

#include <chrono>
#include <optional>

namespace vkq {

namespace {

using Clock = std::chrono::steady_clock;

/// How long finished tensors may wait for the journal: what an interruption can cost.
constexpr std::chrono::seconds kJournalInterval{2};

/// FNV-1a: stable between runs, which std::hash does not promise.
class Fingerprint {
public:
	void add(const void* bytes, size_t count) {
		for (size_t i = 0; i < count; ++i) hash_ = (hash_ ^ static_cast<const uint8_t*>(bytes)[i]) * 0x100000001b3;
	}
	template <class T>
	void addValue(const T& value) { add(&value, sizeof value); }
	std::string text() const { return fmt::format("{:016x}", hash_); }

private:
	uint64_t hash_ = 0xcbf29ce484222325;
};

void addFile(const std::filesystem::path& path, Fingerprint& print) {
	std::error_code error;
	const auto time = std::filesystem::last_write_time(path, error);
	if (!error) print.addValue(time.time_since_epoch().count());
	const auto size = std::filesystem::file_size(path, error);
	if (!error) print.addValue(size);
}

/// Everything that decides the output's bytes.
std::string fingerprintOf(const ModelSource& source, const std::filesystem::path& input, const QuantizePlan& plan) {
	Fingerprint print;
	const auto header = ggufHeader(plan.metadata, plan.layout);
	print.add(header.data(), header.size());
	print.addValue(source.storedBytes());
	std::error_code ignored;
	if (std::filesystem::is_directory(input, ignored)) {
		std::vector<std::filesystem::path> files;
		for (const auto& entry : std::filesystem::directory_iterator(input, ignored)) files.push_back(entry.path());
		std::sort(files.begin(), files.end());
		for (const auto& file : files) addFile(file, print);
	} else {
		addFile(input, print);
	}
	for (const TensorJob& job : plan.jobs) {
		print.addValue(job.search);
		if (job.importance) print.add(job.importance->data(), job.importance->size() * sizeof(float));
	}
	return print.text();
}

/// The files of one level: one, or as many shards as the user wants.
Result<std::vector<GgufShard>> layOutFiles(const ModelSource& source, const JobLevel& level, const QuantizePlan& plan, bool keep_split) {
	std::vector<uint32_t> shard_of;
	if (keep_split) {
		for (const TensorJob& job : plan.jobs) shard_of.push_back(source.tensors()[job.source].shard);
		// Pruned layers may have emptied a shard: numbers close up.
		std::vector<uint32_t> used(shard_of);
		std::sort(used.begin(), used.end());
		used.erase(std::unique(used.begin(), used.end()), used.end());
		for (uint32_t& shard : shard_of) shard = uint32_t(std::lower_bound(used.begin(), used.end(), shard) - used.begin());
	} else if (level.options.split_max_bytes) {
		shard_of = shardsBySize(plan.layout.tensors, level.options.split_max_bytes, plan.layout.alignment);
	}
	if (!shard_of.empty() && (keep_split || shard_of.back() > 0)) {
		std::filesystem::path prefix = level.output;
		if (prefix.extension() == ".gguf") prefix.replace_extension();
		return layOutShards(prefix, plan.metadata, plan.layout.tensors, shard_of);
	}
	GgufShard whole{level.output, plan.metadata, plan.layout, {}};
	for (size_t i = 0; i < plan.jobs.size(); ++i) whole.tensors.push_back(i);
	return std::vector<GgufShard>{std::move(whole)};
}

/// One level being written, with its journal if the job can be resumed.
class LevelWriter {
public:
	static Result<LevelWriter> open(const ModelSource& source, const std::filesystem::path& input, const JobLevel& level, const QuantizePlan& plan, const JobOptions& options) {
		VKQ_TRY(std::vector<GgufShard> shards, layOutFiles(source, level, plan, options.keep_split));
		LevelWriter result;
		for (const GgufShard& shard : shards) result.files.push_back(shard.path);
		if (options.resume) {
			VKQ_TRY(result.journal_, Journal::open(shards[0].path, fingerprintOf(source, input, plan), plan.jobs.size()));
			if (result.journal_->continues()) {
				auto resumed = GgufWriter::resume(shards, options.force);
				if (resumed) {
					result.writer_ = std::move(resumed).value();
					result.done = result.journal_->finished();
					for (size_t i = 0; i < result.done.size(); ++i)
						if (result.done[i]) result.writer_->alreadyWritten(i, plan.layout.tensors[i].bytes);
					return result;
				}
				if (resumed.error().code == ErrorCode::kExists) return std::move(resumed).error();
				// The temporary file is gone or is another's: the journal's word is worth nothing without it.
				result.journal_->remove();
				VKQ_TRY(result.journal_, Journal::open(shards[0].path, fingerprintOf(source, input, plan), plan.jobs.size()));
			}
		}
		VKQ_TRY(result.writer_, GgufWriter::create(std::move(shards), options.force));
		if (options.resume) result.writer_->keepPartial();
		return result;
	}

	GgufWriter& writer() { return *writer_; }

	Result<void> tensorDone(size_t index) {
		if (!journal_) return {};
		unnoted_.push_back(index);
		return Clock::now() - noted_ < kJournalInterval ? Result<void>{} : note();
	}

	/// What is finished reaches the disk and the journal.
	Result<void> note() {
		if (!journal_ || unnoted_.empty()) return {};
		VKQ_CHECK(writer_->sync());
		VKQ_CHECK(journal_->add(unnoted_));
		unnoted_.clear();
		noted_ = Clock::now();
		return {};
	}

	Result<void> finish() {
		VKQ_CHECK(writer_->finish());
		if (journal_) journal_->remove();
		return {};
	}

	std::vector<bool> done;
	std::vector<std::filesystem::path> files;

private:
	std::optional<GgufWriter> writer_;
	std::optional<Journal> journal_;
	std::vector<size_t> unnoted_;
	Clock::time_point noted_ = Clock::now();
};

Result<void> checkOutputs(const std::filesystem::path& input, const std::vector<JobLevel>& levels) {
	for (size_t i = 0; i < levels.size(); ++i) {
		std::error_code ignored;
		if (std::filesystem::equivalent(input, levels[i].output, ignored))
			return fail(ErrorCode::kUsage, fmt::format("input and output are the same file: {}", quote(input.string())));
		for (size_t j = 0; j < i; ++j)
			if (levels[i].output == levels[j].output)
				return fail(ErrorCode::kUsage, fmt::format("two levels would be written to the same file: {}", quote(levels[i].output.string())));
	}
	return {};
}

}  // namespace

Result<std::vector<QuantizePlan>> planLevels(const ModelSource& source, const std::vector<JobLevel>& levels) {
	std::vector<QuantizePlan> plans;
	for (const JobLevel& level : levels) {
		VKQ_TRY(QuantizePlan plan, planQuantization(source, level.options));
		plans.push_back(std::move(plan));
	}
	return plans;
}

Result<JobResult> runJob(const ModelSource& source, const std::filesystem::path& input, vk::Device* device, const std::vector<JobLevel>& levels,
                         const std::vector<QuantizePlan>& plans, const JobOptions& options) {
	VKQ_CHECK(checkOutputs(input, levels));
	std::vector<LevelWriter> writers;
	writers.reserve(levels.size());
	JobResult result;
	for (size_t i = 0; i < levels.size(); ++i) {
		VKQ_TRY(LevelWriter writer, LevelWriter::open(source, input, levels[i], plans[i], options));
		result.files.push_back(writer.files);
		writers.push_back(std::move(writer));
	}

	std::vector<PipelineOutput> outputs;
	for (size_t i = 0; i < levels.size(); ++i) {
		LevelWriter& level = writers[i];
		outputs.push_back({&plans[i], &level.writer(), level.done, [&level](size_t index) { return level.tensorDone(index); }});
		for (const bool done : level.done) result.resumed_tensors += done;
	}
	auto report = runPipeline(source, device, outputs, options.pipeline);
	if (!report) {
		// Best effort: what is done stays worth resuming from, whatever went wrong.
		for (LevelWriter& writer : writers) (void)writer.note();
		return std::move(report).error();
	}
	result.report = std::move(report).value();
	for (LevelWriter& writer : writers) VKQ_CHECK(writer.finish());
	return result;
}

}  // namespace vkq
