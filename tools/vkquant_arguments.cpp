#include "tools/vkquant_arguments.h"

#include "core/text.h"
#include "core/units.h"
#include "ggufio/imatrix_file.h"
#include "quantize/recipe.h"
#include "quantize/settings_text.h"
#include "tools/common.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace vkq::tools {

namespace {

/// Options as the user typed them.
struct Texts {
	std::vector<std::string> words;   // INPUT [OUTPUT] TYPE [TYPE...]
	std::string imatrix, output_type, embedding_type, prune_layers, split_max_size, tensor_type_file, route = "auto", search = "reference";
	std::vector<std::string> include_weights, exclude_weights, tensor_types, override_kv;
	bool pure = false, leave_output = false, allow_requantize = false;
	std::string target_size, target_bpw, fit, cache = "f16", calibration, recipe, recipe_from;
	uint32_t context = 0, calibration_chunks = 4;

	bool budget() const { return !target_size.empty() || !target_bpw.empty() || !fit.empty(); }
	bool anyRecipe() const { return !recipe.empty() || !recipe_from.empty(); }
};

bool isLevel(std::string_view word) { return findFileType(word) != nullptr || word == "COPY" || word == "copy"; }

std::string levelNames() {
	std::string names;
	for (const FileTypeInfo& info : allFileTypes()) names += (names.empty() ? "" : ", ") + std::string(info.name);
	return names;
}

std::string levelTable() {
	std::string table = "\nTypes:\n";
	for (const FileTypeInfo& info : allFileTypes()) table += fmt::format("  {:<10} {}\n", info.name, info.description);
	return table + "  COPY       every tensor as it is\n";
}

Result<std::optional<TensorType>> parseType(const std::string& text, const char* option) {
	if (text.empty()) return std::optional<TensorType>();
	const auto type = typeFromName(text);
	if (!type || !typeInfo(*type).has_codec) return fail(ErrorCode::kUsage, fmt::format("{}: {} is no type that can be written", option, quote(text)));
	return std::optional<TensorType>(*type);
}

/// Splits INPUT [OUTPUT] TYPE... The word after INPUT is an output unless it is a type. With a budget or a recipe types may be left out.
Result<std::vector<std::string>> parseWords(Texts& texts, VkquantArguments& arguments, std::optional<std::filesystem::path>& output) {
	auto& words = texts.words;
	if (words.size() > 2) {   // llama-quantize's trailing thread count
		unsigned threads = 0;
		const std::string& last = words.back();
		const auto [end, error] = std::from_chars(last.data(), last.data() + last.size(), threads);
		if (error == std::errc() && end == last.data() + last.size()) {
			arguments.job.pipeline.threads = threads;
			words.pop_back();
		}
	}
	const bool untyped = texts.budget() || texts.anyRecipe();
	if (words.size() < 2 && !untyped) return fail(ErrorCode::kUsage, "say which TYPE to make, or a budget (--target-size, --target-bpw, --fit)", "types: " + levelNames());
	arguments.input = words[0];
	size_t first = 1;
	if (words.size() > 1 && !isLevel(words[1])) {
		if (words.size() == 2 && !untyped) return fail(ErrorCode::kUsage, fmt::format("{} is no file type", quote(words[1])), "types: " + levelNames());
		output = words[1];
		first = 2;
	}
	std::vector<std::string> types(words.begin() + std::ptrdiff_t(first), words.end());
	for (const std::string& type : types)
		if (!isLevel(type)) return fail(ErrorCode::kUsage, fmt::format("{} is no file type", quote(type)), "types: " + levelNames());
	return types;
}

Result<MixRequest> mixRequest(const Texts& texts, bool keep_split) {
	MixRequest request;
	const int budgets = !texts.target_size.empty() + !texts.target_bpw.empty() + !texts.fit.empty();
	if (budgets > 1) return fail(ErrorCode::kUsage, "--target-size, --target-bpw and --fit are three ways to say how much: give one");
	if (texts.anyRecipe()) return fail(ErrorCode::kUsage, "a recipe names the types, a budget has them chosen: give one of the two");
	if (texts.pure) return fail(ErrorCode::kUsage, "--pure wants one type for all tensors, a budget has them chosen");
	if (!texts.target_size.empty()) {
		VKQ_TRY(request.file_bytes, parseBytes(texts.target_size, kGiB));
		if (keep_split || !texts.split_max_size.empty()) return fail(ErrorCode::kUsage, "--target-size is the size of one file: it cannot be split", "--target-bpw goes with splits");
		request.text = texts.target_size;
	}
	if (!texts.target_bpw.empty()) {
		double bits = 0;
		const char* last = texts.target_bpw.data() + texts.target_bpw.size();
		const auto [end, error] = std::from_chars(texts.target_bpw.data(), last, bits);
		if (error != std::errc() || end != last || !(bits > 0 && bits <= 32)) return fail(ErrorCode::kUsage, fmt::format("--target-bpw: {} is no number of bits a weight", quote(texts.target_bpw)), "for example: --target-bpw 4.5");
		request.bits_per_weight = bits;
		request.text = texts.target_bpw + "bpw";
	}
	if (!texts.fit.empty()) {
		if (keep_split) return fail(ErrorCode::kUsage, "--fit plans tensors in the order of a whole file: --keep-split does not go with it");
		request.device = request.text = texts.fit;
		request.context = texts.context;
		const size_t slash = std::min(texts.cache.find('/'), texts.cache.size());
		const std::string k = texts.cache.substr(0, slash), v = slash < texts.cache.size() ? texts.cache.substr(slash + 1) : k;
		for (const auto& [name, type] : {std::pair(&k, &request.k_type), std::pair(&v, &request.v_type)}) {
			const auto found = typeFromName(*name);
			if (!found) return fail(ErrorCode::kUsage, fmt::format("--kv: {} is no type of KV cache", quote(*name)), "types: f16, q8_0, q5_1, q5_0, q4_1, q4_0, iq4_nl; or keys/values");
			*type = *found;
		}
	}
	request.calibration = texts.calibration;
	request.calibration_chunks = texts.calibration_chunks;
	return request;
}

/// The mixture of an existing file, as lines.
Result<std::vector<MixtureOptions::Override>> recipeOf(const std::filesystem::path& path) {
	VKQ_TRY(const GgufFile file, GgufFile::open(path));
	std::vector<RecipeEntry> entries;
	for (const TensorInfo& tensor : file.tensors()) {
		if (!canQuantize({tensor.name, tensor.dimensions, tensor.ne, tensor.type})) continue;
		if (!typeInfo(tensor.type).has_codec)
			return fail(ErrorCode::kUnsupported, fmt::format("{}: tensor {} is {}, which cannot be written here", quote(path.string()), quote(tensor.name), typeName(tensor.type)));
		entries.push_back({tensor.name, tensor.type});
	}
	if (entries.empty()) return fail(ErrorCode::kInvalidData, fmt::format("{} has no tensor whose type could be copied", quote(path.string())));
	return recipeLines(entries);
}

Result<void> takeRecipe(const Texts& texts, QuantizeOptions& options) {
	if (!texts.recipe.empty() && !texts.recipe_from.empty()) return fail(ErrorCode::kUsage, "--recipe and --recipe-from exclude each other");
	std::vector<MixtureOptions::Override> lines;
	if (!texts.recipe.empty()) {
		VKQ_TRY(lines, readTensorTypeFile(texts.recipe));
	} else if (!texts.recipe_from.empty()) {
		VKQ_TRY(lines, recipeOf(texts.recipe_from));
	}
	options.mixture.overrides.insert(options.mixture.overrides.end(), lines.begin(), lines.end());
	return {};
}

Result<void> checkMixOptions(const Texts& texts, size_t types) {
	const bool budget = texts.budget();
	if (budget && types) return fail(ErrorCode::kUsage, "a TYPE names the types, a budget has them chosen: give one of the two");
	if (!texts.calibration.empty() && !budget) return fail(ErrorCode::kUsage, "--calibration serves a budget: --target-size, --target-bpw or --fit");
	if ((texts.context || texts.cache != "f16") && texts.fit.empty()) return fail(ErrorCode::kUsage, "--ctx and --kv say what must fit beside the weights: they need --fit");
	return {};
}

/// OUTPUT may be a file (one level) or a folder; without it files go beside the input.
Result<std::filesystem::path> outputFor(const VkquantArguments& arguments, const std::optional<std::filesystem::path>& output, const std::string& level, size_t levels) {
	const std::filesystem::path beside = defaultOutput(arguments.input, level);
	if (!output) return beside;
	std::error_code ignored;
	if (std::filesystem::is_directory(*output, ignored)) return *output / beside.filename();
	if (levels > 1) return fail(ErrorCode::kUsage, fmt::format("{} levels need a folder to go to, and {} is none", levels, quote(output->string())));
	return *output;
}

Result<void> readImatrix(const Texts& texts, VkquantArguments& arguments) {
	if (!texts.include_weights.empty() && !texts.exclude_weights.empty()) return fail(ErrorCode::kUsage, "--include-weights and --exclude-weights exclude each other");
	if (texts.imatrix.empty()) {
		if (!texts.include_weights.empty() || !texts.exclude_weights.empty()) return fail(ErrorCode::kUsage, "--include-weights and --exclude-weights need --imatrix");
		return {};
	}
	VKQ_TRY(arguments.imatrix, openImatrix(texts.imatrix));
	const auto named = [](const std::string& tensor, const std::vector<std::string>& names) {
		return std::any_of(names.begin(), names.end(), [&](const std::string& name) { return tensor.find(name) != std::string::npos; });
	};
	std::erase_if(arguments.imatrix->importance, [&](const auto& entry) {
		if (!texts.include_weights.empty()) return !named(entry.first, texts.include_weights);
		return named(entry.first, texts.exclude_weights);
	});
	return {};
}

Result<QuantizeOptions> commonOptions(const Texts& texts, const VkquantArguments& arguments) {
	QuantizeOptions options;
	options.mixture.pure = texts.pure;
	options.mixture.leave_output_tensor = texts.leave_output;
	options.allow_requantize = texts.allow_requantize;
	options.search = *searchFromName(texts.search);
	options.imatrix = arguments.imatrix ? &*arguments.imatrix : nullptr;
	VKQ_TRY(options.mixture.output_type, parseType(texts.output_type, "--output-tensor-type"));
	VKQ_TRY(options.mixture.embedding_type, parseType(texts.embedding_type, "--token-embedding-type"));
	for (const std::string& text : texts.tensor_types) {
		VKQ_TRY(auto entry, parseTensorType(text));
		options.mixture.overrides.push_back(std::move(entry));
	}
	if (!texts.tensor_type_file.empty()) {
		VKQ_TRY(auto entries, readTensorTypeFile(texts.tensor_type_file));
		options.mixture.overrides.insert(options.mixture.overrides.end(), entries.begin(), entries.end());
	}
	for (const std::string& text : texts.override_kv) {
		VKQ_TRY(MetaEntry entry, parseOverrideKv(text));
		options.override_kv.set(std::move(entry.key), std::move(entry.value));
	}
	if (!texts.prune_layers.empty()) {
		VKQ_TRY(options.prune_layers, parseLayers(texts.prune_layers));
	}
	if (!texts.split_max_size.empty()) {
		VKQ_TRY(options.split_max_bytes, parseBytes(texts.split_max_size, kGiB));
	}
	if (arguments.job.keep_split && options.split_max_bytes) return fail(ErrorCode::kUsage, "--keep-split and --split-max-size exclude each other");
	return options;
}

Result<void> interpret(Texts& texts, VkquantArguments& arguments) {
	std::optional<std::filesystem::path> output;
	VKQ_TRY(const std::vector<std::string> types, parseWords(texts, arguments, output));
	VKQ_CHECK(readImatrix(texts, arguments));
	VKQ_CHECK(checkMixOptions(texts, types.size()));
	if (texts.budget()) {
		VKQ_TRY(arguments.mix, mixRequest(texts, arguments.job.keep_split));
	}
	VKQ_TRY(QuantizeOptions common, commonOptions(texts, arguments));
	if (texts.anyRecipe()) VKQ_CHECK(takeRecipe(texts, common));
	if (!arguments.recipe_out.empty() && types.size() > 1) return fail(ErrorCode::kUsage, "--recipe-out writes the types of one level");
	if (texts.route == "device") arguments.job.pipeline.route = Route::Device;
	if (texts.route == "host") arguments.job.pipeline.route = Route::Host;
	if (types.empty()) {
		JobLevel level;
		level.options = common;
		level.name = arguments.mix ? arguments.mix->text : "recipe";
		arguments.recipe_alone = !arguments.mix;
		// A budget may be typed with anything that a file's name should not have.
		std::string label = level.name;
		std::erase_if(label, [](unsigned char c) { return !std::isalnum(c) && c != '.' && c != '_' && c != '-'; });
		VKQ_TRY(level.output, outputFor(arguments, output, arguments.mix && arguments.mix->device ? "fit-" + label : label, 1));
		arguments.levels.push_back(std::move(level));
	}
	for (const std::string& type : types) {
		JobLevel level;
		level.options = common;
		if (const FileTypeInfo* info = findFileType(type)) level.options.mixture.target = *info;
		else level.options.copy = true;
		VKQ_TRY(level.output, outputFor(arguments, output, level.options.copy ? "COPY" : std::string(level.options.mixture.target.name), types.size()));
		arguments.levels.push_back(std::move(level));
	}
	return {};
}

}  // namespace

std::optional<int> parseVkquant(int argc, char** argv, VkquantArguments& arguments) {
	CLI::App app("", "vkquant");
	Texts texts;
	describe(app, "Quantizes a model on a Vulkan device: GGUF (F32, F16, BF16) or a Hugging Face folder in, GGUF out, byte for byte what llama-quantize writes (or better: --search best).",
	         {"vkquant model-f16.gguf Q4_K_M", "vkquant Llama-3.2-1B/ Q4_K_M Q5_K_M Q8_0      # three levels in one pass",
	          "vkquant model-f16.gguf out.gguf Q4_K_M --imatrix imatrix.gguf", "vkquant model-f16.gguf Q4_K_M --tensor-type 'attn_v=q6_k' --dry-run",
	          "vkquant model-f16.gguf Q6_K --device 0 --verify --json",
	          "vkquant model-f16.gguf --target-size 3.2GiB --calibration text.txt --recipe-out mix.txt",
	          "vkquant model-f16.gguf --fit 8GiB --ctx 8192 --kv q8_0"});
	app.add_option("INPUT", texts.words, "INPUT [OUTPUT] TYPE ...: the model, where to write (a file, or a folder), and one or more types (none with a budget or a whole recipe)")->required();
	app.add_flag("--force", arguments.job.force, "overwrite existing outputs");
	app.add_option("--search", texts.search, "reference: llama-quantize's bytes; best: search further, less error at the same size")
		->check(CLI::IsMember({"reference", "best"}))->capture_default_str();
	app.add_flag("--dry-run", arguments.dry_run, "print the exact sizes and types, write nothing");
	app.add_flag("--verify", arguments.job.pipeline.verify, "decode every tensor again and report its error");
	app.add_flag("--resume", arguments.job.resume, "keep what is done when interrupted; the same command continues it");
	app.add_flag("--modelfile", arguments.modelfile, "write an Ollama Modelfile beside each output");
	app.add_option("--device", arguments.device, "Vulkan device by index, name or UUID (see vkinfo --devices)");
	app.add_option("--route", texts.route, "where to encode: auto measures, device, host")->check(CLI::IsMember({"auto", "device", "host"}))->capture_default_str();
	app.add_option("--threads", arguments.job.pipeline.threads, "host threads (default: all)");
	app.add_flag("--validation", arguments.validation, "turn Vulkan's validation layer on");
	app.add_flag("--quiet,-q", arguments.quiet, "no progress and no summary");
	app.add_flag("--json", arguments.json, "the summary as JSON");
	const char* matrix = "Importance matrix";
	app.add_option("--imatrix", texts.imatrix, "importance matrix (GGUF or legacy form)")->group(matrix);
	app.add_option("--include-weights", texts.include_weights, "use it only for tensors whose names contain this (repeatable)")->group(matrix)->allow_extra_args(false);
	app.add_option("--exclude-weights", texts.exclude_weights, "do not use it for tensors whose names contain this (repeatable)")->group(matrix)->allow_extra_args(false);
	const char* types = "Types of single tensors";
	app.add_option("--tensor-type", texts.tensor_types, "REGEX=TYPE for tensors whose names match (repeatable, first match wins)")->group(types)->allow_extra_args(false);
	app.add_option("--tensor-type-file", texts.tensor_type_file, "a file of such entries")->group(types);
	app.add_option("--output-tensor-type", texts.output_type, "type of output.weight")->group(types);
	app.add_option("--token-embedding-type", texts.embedding_type, "type of the token embedding")->group(types);
	app.add_flag("--leave-output-tensor", texts.leave_output, "keep output.weight as it is")->group(types);
	app.add_flag("--pure", texts.pure, "one type for all tensors instead of the mixture")->group(types);
	app.add_flag("--allow-requantize", texts.allow_requantize, "accept an already quantized source (costs quality)")->group(types);
	const char* budget = "Types chosen under a budget (instead of TYPE)";
	app.add_option("--target-size", texts.target_size, "size of the file, header and all: 3.2GiB (a bare number is GiB)")->group(budget);
	app.add_option("--target-bpw", texts.target_bpw, "bits a weight over all tensors: 4.5")->group(budget);
	app.add_option("--fit", texts.fit, "memory of the card on which weights, cache and workspace must fit: 8GiB; auto: this machine's")->group(budget);
	app.add_option("--ctx", texts.context, "with --fit: tokens of context (default: the model's own, at most 4096)")->group(budget)->check(CLI::Range(1u, 1u << 30));
	app.add_option("--kv", texts.cache, "with --fit: type of the KV cache, or keys/values: q8_0, q8_0/q4_0")->group(budget)->capture_default_str();
	app.add_option("--calibration", texts.calibration, "measure how much every tensor matters, on this text (the original must fit the device)")->group(budget);
	app.add_option("--calibration-chunks", texts.calibration_chunks, "chunks of 256 tokens of it that are used")->group(budget)->check(CLI::Range(2u, 1000u))->capture_default_str();
	const char* recipes = "Recipes";
	app.add_option("--recipe", texts.recipe, "a file of REGEX=TYPE lines, as --recipe-out writes; TYPE may be left out if it names every tensor")->group(recipes);
	app.add_option("--recipe-from", texts.recipe_from, "the types of another GGUF's tensors")->group(recipes);
	app.add_option("--recipe-out", arguments.recipe_out, "write the types that were used (llama-quantize takes it as --tensor-type-file)")->group(recipes);
	const char* file = "Output file";
	app.add_option("--override-kv", texts.override_kv, "KEY=TYPE:VALUE metadata, TYPE int, float, bool or str (repeatable)")->group(file)->allow_extra_args(false);
	app.add_option("--prune-layers", texts.prune_layers, "leave these layers out: 3,4,5")->group(file);
	app.add_flag("--keep-split", arguments.job.keep_split, "write the shards that the input has")->group(file);
	app.add_option("--split-max-size", texts.split_max_size, "split the output into files of at most this size (GiB unless a unit is given)")->group(file);
	app.footer(levelTable() + app.get_footer());
	if (const auto code = parseArguments(app, argc, argv)) return code;
	if (auto done = interpret(texts, arguments); !done) return report("vkquant", done.error());
	return std::nullopt;
}

}  // namespace vkq::tools
