// vkeval compare SOURCE TYPE|FILE... -f TEXT

#include "core/text.h"
#include "core/units.h"
#include "eval/comparison.h"
#include "eval/report_html.h"
#include "tools/version.h"
#include "ggufio/imatrix_file.h"
#include "quantize/job.h"
#include "tools/common.h"
#include "tools/progress_bar.h"
#include "tools/table.h"
#include "tools/vkeval_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

namespace vkq::tools {

namespace {

struct Arguments {
	std::string source, imatrix, report, prompt, memory, keep;
	std::vector<std::string> levels, cache_types, searches{"reference"};
	uint32_t plan_context = 0, predict = 48;
	bool force = false, allow_requantize = false;
	RunOptions run;
};

/// A folder that goes with this object.
class WorkFolder {
public:
	static Result<WorkFolder> create() {
		std::error_code error;
		std::string pattern = (std::filesystem::temp_directory_path(error) / "vkeval-XXXXXX").string();
		if (error || !mkdtemp(pattern.data())) return fail(ErrorCode::kIo, "no temporary folder can be made", "set TMPDIR to a folder that can be written");
		return WorkFolder(pattern);
	}
	WorkFolder(WorkFolder&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
	WorkFolder& operator=(WorkFolder&& other) noexcept {
		std::swap(path_, other.path_);
		return *this;
	}
	~WorkFolder() {
		std::error_code ignored;
		if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
	}
	const std::filesystem::path& path() const { return path_; }

private:
	explicit WorkFolder(std::filesystem::path path) : path_(std::move(path)) {}
	std::filesystem::path path_;
};

/// One model to be measured: a file, given or made.
struct Candidate {
	std::string name;
	std::filesystem::path file;
};

/// Words are file types, which are made into `folder` in one pass, or files.
Result<std::vector<Candidate>> makeLevels(const Arguments& arguments, const ModelSource& source, const Tokenizer& tokenizer, const std::filesystem::path& folder) {
	std::vector<Candidate> candidates;
	std::vector<JobLevel> jobs;
	std::optional<Imatrix> imatrix;
	if (!arguments.imatrix.empty()) {
		VKQ_TRY(imatrix, openImatrix(arguments.imatrix));
	}
	for (const std::string& word : arguments.levels) {
		const FileTypeInfo* type = findFileType(word);
		if (!type) {
			std::error_code ignored;
			if (!std::filesystem::exists(word, ignored)) return fail(ErrorCode::kUsage, fmt::format("{} is neither a file type nor a file", quote(word)), "types are those of vkquant --help");
			VKQ_TRY(const LoadedModel model, openModel(word));
			if (auto same = checkSameVocabulary(*model.tokenizer, tokenizer); !same) return about(word, same.error());
			candidates.push_back({std::filesystem::path(word).filename().string(), word});
			continue;
		}
		for (const std::string& search : arguments.searches) {
			QuantizeOptions options;
			options.mixture.target = *type;
			options.allow_requantize = arguments.allow_requantize;
			options.imatrix = imatrix ? &*imatrix : nullptr;
			options.search = *searchFromName(search);
			const bool best = options.search == Search::kBest;
			jobs.push_back({options, folder / fmt::format("{}{}.gguf", type->name, best ? "-best" : "")});
			candidates.push_back({fmt::format("{}{}", type->name, best ? ", best" : ""), jobs.back().output});
		}
	}
	if (jobs.empty()) return candidates;
	VKQ_TRY(const std::vector<QuantizePlan> plans, planLevels(source, jobs));
	VKQ_TRY(const auto device, vk::Device::open(arguments.run.device));
	ProgressBar bar(arguments.run.quiet || arguments.run.json);
	JobOptions options;
	options.force = arguments.force;
	options.pipeline.interrupted = &interruptFlag();
	options.pipeline.progress = [&bar](const Progress& p) { bar.update(p.bytes_done, p.bytes_total, "quantizing", printable(p.name)); };
	VKQ_CHECK(runJob(source, arguments.source, device.get(), jobs, plans, options));
	return candidates;
}

Result<std::vector<std::pair<TensorType, TensorType>>> cachesOf(const Arguments& arguments) {
	std::vector<std::pair<TensorType, TensorType>> caches;
	if (arguments.cache_types.empty()) {
		VKQ_TRY(const SessionOptions given, sessionOptions(arguments.run));
		caches.emplace_back(given.k_type, given.v_type);
	}
	for (const std::string& name : arguments.cache_types) {
		const size_t slash = std::min(name.find('/'), name.size());
		VKQ_TRY(const TensorType k, cacheType(name.substr(0, slash)));
		VKQ_TRY(const TensorType v, cacheType(slash < name.size() ? name.substr(slash + 1) : name));
		caches.emplace_back(k, v);
	}
	return caches;
}

Json toJson(const ComparedLevel& level) {
	Json json = {{"name", level.name}, {"file_type", level.file_type}, {"cache", level.cache}, {"file_bytes", level.file_bytes}, {"bits_per_weight", level.bits_per_weight},
	             {"planned_bytes", level.planned_bytes}, {"fits", level.fits}, {"on_frontier", level.on_frontier}, {"chosen", level.chosen}};
	if (!level.reason.empty()) json["reason"] = level.reason;
	if (level.divergence) {
		json["quality"] = divergenceJson(*level.divergence);
		json["prompt_tokens_per_second"] = level.prompt_rate;
		json["generation_tokens_per_second"] = level.generation_rate;
	}
	if (level.answer) json["answer"] = {{"text", level.answer->text}, {"tokens", level.answer->tokens}, {"common_tokens", level.answer->common_tokens}, {"parts", level.answer->parts}};
	if (!level.errors.tensors.empty()) {
		Json tensors = Json::array();
		for (const TensorError& error : level.errors.tensors)
			tensors.push_back({{"name", error.name}, {"type", typeName(error.type)}, {"relative_rmse", error.distortion.relativeRmse()}, {"cosine", error.distortion.cosine()}});
		json["tensors"] = std::move(tensors);
	}
	return json;
}

Json toJson(const Comparison& c) {
	Json levels = Json::array();
	for (const ComparedLevel& level : c.levels) levels.push_back(toJson(level));
	Json json = {{"model", c.model}, {"text", c.text}, {"device", c.device}, {"context", c.context}, {"chunks", c.chunks}, {"plan_context", c.plan_context},
	             {"available_bytes", c.available}, {"original", toJson(c.original)}, {"levels", std::move(levels)}, {"recommendation", c.recommendation()}};
	if (!c.prompt.empty()) json["prompt"] = c.prompt;
	if (const ComparedLevel* best = c.recommended()) json["recommended"] = best->name;
	return json;
}

void addRow(Table& table, const ComparedLevel& level, bool original, bool best) {
	std::vector<std::string> cells{(best ? "* " : "  ") + printable(level.name), formatBytes(level.file_bytes), fmt::format("{:.2f}", level.bits_per_weight)};
	if (level.divergence) {
		const Divergence& d = *level.divergence;
		cells.push_back(fmt::format("{:.4f}", d.perplexity.mean));
		cells.push_back(original ? "" : fmt::format("{:+.2f} %", 100 * (d.ratio.mean - 1)));
		cells.push_back(original ? "" : fmt::format("{:.5f}", d.kld.mean));
		cells.push_back(original ? "" : fmt::format("{:.1f} %", 100 * d.same_top.mean));
		cells.push_back(fmt::format("{:.0f}", level.prompt_rate));
		cells.push_back(fmt::format("{:.1f}", level.generation_rate));
	} else {
		cells.insert(cells.end(), 6, "-");
	}
	cells.push_back(level.planned_bytes ? formatBytes(level.planned_bytes) : "-");
	cells.push_back(level.fits ? "yes" : "no");
	table.add(std::move(cells));
}

void print(const Comparison& c) {
	Table table({{"  level"}, {"size", Align::Right}, {"bits/w", Align::Right}, {"perplexity", Align::Right}, {"change", Align::Right}, {"KLD", Align::Right}, {"same top", Align::Right},
	             {"prompt t/s", Align::Right}, {"gen t/s", Align::Right}, {"memory", Align::Right}, {"fits", Align::Right}});
	addRow(table, c.original, true, false);
	for (const ComparedLevel& level : c.levels) addRow(table, level, false, &level == c.recommended());
	fmt::print("{}\n{}\n", table.text(), c.recommendation());
	for (const ComparedLevel& level : c.levels)
		if (!level.reason.empty()) fmt::print("{}: {}\n", level.name, level.reason);
	if (!c.original.answer) return;
	fmt::print("\n{} (the original):\n  {}\n", c.original.name, printable(c.original.answer->text));
	for (const ComparedLevel& level : c.levels) {
		if (!level.answer) continue;
		const std::string_view text = level.answer->text;
		if (!level.answer->parts) fmt::print("{}: the same\n", level.name);
		else
			fmt::print("{} parts at token {}, at >>>:\n  {} >>>{}\n", level.name, level.answer->common_tokens + 1, printable(text.substr(0, level.answer->common_bytes)),
			           printable(text.substr(level.answer->common_bytes)));
	}
}

Result<void> writePage(const std::filesystem::path& path, const std::string& page) {
	const std::filesystem::path partial = path.string() + ".partial";
	std::ofstream out(partial, std::ios::binary);
	out << page;
	out.close();
	std::error_code error;
	if (out.good()) std::filesystem::rename(partial, path, error);
	if (out.good() && !error) return {};
	std::filesystem::remove(partial, error);
	return fail(ErrorCode::kIo, fmt::format("{}: cannot be written", quote(path.string())));
}

Result<Comparison> compare(const Arguments& arguments) {
	VKQ_TRY(const auto caches, cachesOf(arguments));
	if (arguments.levels.empty() && caches.size() < 2) return fail(ErrorCode::kUsage, "say what to compare with: file types, files, or --kv-types", "for example: vkeval compare model-f16.gguf Q8_0 Q4_K_M -f text.txt");
	uint64_t memory = 0;
	if (!arguments.memory.empty()) {
		VKQ_TRY(memory, parseBytes(arguments.memory, kGiB));
	}
	VKQ_TRY(const std::string text, readText(arguments.run.text_file));
	VKQ_TRY(const auto original, openModelSource(arguments.source));
	VKQ_TRY(const Tokenizer tokenizer, Tokenizer::fromMetadata(original->metadata(), original->name()));
	VKQ_TRY(const TextChunks chunks, chunksOfText(tokenizer, text, arguments.run));
	CompareOptions options{.plan_context = arguments.plan_context, .memory = memory, .prompt = arguments.prompt, .predict = arguments.predict};
	options.session.inputs = inputPrecision(arguments.run.inputs);
	if (!arguments.run.device.empty()) options.session.devices = {arguments.run.device};

	VKQ_TRY(const WorkFolder work, WorkFolder::create());
	std::filesystem::path made = work.path();
	if (!arguments.keep.empty()) {
		std::error_code error;
		std::filesystem::create_directories(made = arguments.keep, error);
		if (error) return fail(ErrorCode::kIo, fmt::format("{}: cannot be made: {}", quote(arguments.keep), error.message()));
	}
	VKQ_TRY(const std::vector<Candidate> candidates, makeLevels(arguments, *original, tokenizer, made));
	const bool other_caches = caches.size() > 1;   // the original is measured with them too
	const std::pair plain(TensorType::F16, TensorType::F16);
	const size_t of_original = other_caches ? caches.size() - size_t(std::count(caches.begin(), caches.end(), plain)) : 0;
	const size_t measurements = 1 + of_original + candidates.size() * caches.size();
	size_t measured_levels = 0;
	ProgressBar bar(arguments.run.quiet || arguments.run.json);   // a clock of its own, so that the time left is that of measuring
	const CompareProgress progress = [&](std::string_view stage, double share) {
		bar.update(uint64_t(1000 * (double(measured_levels) + share)), 1000 * measurements, printable(stage), "");
		return !interrupted();
	};

	Comparison comparison{.model = std::filesystem::path(arguments.source).filename().string(), .text = std::filesystem::path(arguments.run.text_file).filename().string(),
	                      .device = {}, .context = chunks.context, .chunks = chunks.count(), .prompt = arguments.prompt, .original = {}, .levels = {}};
	VKQ_TRY(const Session::Planned planned, Session::planOnly(*original, [&] { SessionOptions small = options.session; small.context = chunks.context; return small; }()));
	comparison.device = planned.request.devices[0].name;
	comparison.available = memory ? std::min(memory, planned.request.devices[0].available) : planned.request.devices[0].available;
	comparison.plan_context = arguments.plan_context ? arguments.plan_context : std::min(planned.request.model.n_ctx_train, kDefaultContext);
	auto measured_original = measureOriginal(*original, tokenizer, chunks, options, work.path() / "base.bin", progress);
	if (!measured_original) return about(arguments.source, measured_original.error());
	comparison.original = std::move(measured_original).value();
	++measured_levels;
	VKQ_TRY(const BaseLogits base, BaseLogits::open(work.path() / "base.bin"));

	const auto measure = [&](const ModelSource& source, std::string_view name, const std::pair<TensorType, TensorType>& cache) -> Result<void> {
		CompareOptions level_options = options;
		std::tie(level_options.session.k_type, level_options.session.v_type) = cache;
		auto measured = measureLevel(source, *original, comparison.original, tokenizer, chunks, base, level_options, progress);
		if (!measured) return about(std::string(name), measured.error());
		ComparedLevel level = std::move(measured).value();
		level.name = other_caches ? fmt::format("{}, cache {}", name, level.cache) : std::string(name);
		comparison.levels.push_back(std::move(level));
		++measured_levels;
		return {};
	};
	if (other_caches)
		for (const auto& cache : caches)
			if (cache != plain) VKQ_CHECK(measure(*original, comparison.original.name, cache));
	for (const Candidate& candidate : candidates) {
		VKQ_TRY(const auto source, openModelSource(candidate.file));
		for (const auto& cache : caches) VKQ_CHECK(measure(*source, candidate.name, cache));
	}
	bar.clear();
	comparison.markFrontier();
	return comparison;
}

Result<void> compareCommand(const Arguments& arguments) {
	if (std::error_code ignored; !arguments.report.empty() && !arguments.force && std::filesystem::exists(arguments.report, ignored))
		return fail(ErrorCode::kExists, fmt::format("{} exists already", quote(arguments.report)), "--force replaces it");
	VKQ_TRY(const Comparison comparison, compare(arguments));
	const Json json = toJson(comparison);
	if (!arguments.report.empty()) VKQ_CHECK(writePage(arguments.report, reportHtml(comparison, jsonText(json), kVersion)));
	if (arguments.run.json) printJson(json);
	else {
		print(comparison);
		if (!arguments.report.empty()) fmt::print("\nreport: {}\n", arguments.report);
	}
	return {};
}

}  // namespace

void addCompareCommand(CLI::App& app, EvalCommand& chosen) {
	auto arguments = std::make_shared<Arguments>();
	CLI::App* command = app.add_subcommand("compare", "levels of a model side by side: size, quality, speed, memory");
	command->add_option("SOURCE", arguments->source, "the original: GGUF or Hugging Face folder")->required();
	command->add_option("LEVEL", arguments->levels, "file types (made for the purpose, as vkquant does) or files");
	command->add_option("--imatrix", arguments->imatrix, "importance matrix for the levels that are made");
	command->add_option("--search", arguments->searches, "how levels are made: reference, best, or reference,best for both")->delimiter(',')->check(CLI::IsMember({"reference", "best"}))->capture_default_str();
	command->add_option("--kv-types", arguments->cache_types, "compare these cache types too: f16,q8_0,q8_0/q4_0 (keys/values)")->delimiter(',');
	command->add_option("--prompt", arguments->prompt, "show each level's answer, and where it leaves the original's");
	command->add_option("-n,--predict", arguments->predict, "most tokens of an answer")->check(CLI::Range(1, 4096))->capture_default_str();
	command->add_option("--plan-ctx", arguments->plan_context, "tokens that memory is planned for (0: the model's own, at most 4096)");
	command->add_option("--memory", arguments->memory, "memory of the device that may be used in that plan, such as 8GiB");
	command->add_option("--report", arguments->report, "write a page with plots: FILE.html");
	command->add_option("--keep", arguments->keep, "keep the levels that are made, in this folder");
	command->add_flag("--allow-requantize", arguments->allow_requantize, "make levels of a source that is quantized already");
	command->add_flag("--force", arguments->force, "overwrite the report and kept levels");
	addRunOptions(*command, arguments->run);
	addExamples(*command, {"vkeval compare model-f16.gguf Q8_0 Q5_K_M Q4_K_M -f text.txt --report report.html", "vkeval compare model-f16.gguf mine-Q4_K_M.gguf theirs-Q4_K_M.gguf -f text.txt",
	                       "vkeval compare model-f16.gguf --kv-types f16,q8_0,q8_0/q4_0,q4_0 -f text.txt", "vkeval compare model-f16.gguf Q4_K_M Q3_K_M -f text.txt --memory 8GiB --plan-ctx 32768"});
	command->callback([arguments, &chosen] { chosen = [arguments] { return compareCommand(*arguments); }; });
}

}  // namespace vkq::tools
