#include "tools/vkquant_arguments.h"

#include "core/text.h"
#include "core/units.h"
#include "ggufio/imatrix_file.h"
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

/// Splits INPUT [OUTPUT] TYPE... The word after INPUT is an output unless it is a type.
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
	if (words.size() < 2) return fail(ErrorCode::kUsage, "say which TYPE to make", "types: " + levelNames());
	arguments.input = words[0];
	size_t first = 1;
	if (!isLevel(words[1])) {
		if (words.size() == 2) return fail(ErrorCode::kUsage, fmt::format("{} is no file type", quote(words[1])), "types: " + levelNames());
		output = words[1];
		first = 2;
	}
	std::vector<std::string> types(words.begin() + std::ptrdiff_t(first), words.end());
	for (const std::string& type : types)
		if (!isLevel(type)) return fail(ErrorCode::kUsage, fmt::format("{} is no file type", quote(type)), "types: " + levelNames());
	return types;
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
	VKQ_TRY(const QuantizeOptions common, commonOptions(texts, arguments));
	if (texts.route == "device") arguments.job.pipeline.route = Route::Device;
	if (texts.route == "host") arguments.job.pipeline.route = Route::Host;
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
	          "vkquant model-f16.gguf Q6_K --device 0 --verify --json"});
	app.add_option("INPUT [OUTPUT] TYPE", texts.words, "the model, where to write (a file, or a folder), and one or more types")->required();
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
