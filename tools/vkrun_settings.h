// What vkrun was asked for: the command line, completed from a Modelfile. The command line wins.
#pragma once

#include "ggufio/modelfile.h"
#include "infer/sampler.h"
#include "infer/session.h"

#include <optional>
#include <string>
#include <vector>

namespace vkq::tools {

struct RunArguments {
	std::string model, modelfile;
	std::string prompt, prompt_file;
	bool has_prompt = false;                 // -p was given, perhaps empty
	std::optional<std::string> system;
	std::string chat_format;                 // by name
	bool raw = false, json = false, quiet = false, plan_only = false, ignore_end = false, show_control = false, no_thinking = false;

	std::optional<uint32_t> predict, context;
	uint32_t batch = 512;
	std::string kv, kv_k, kv_v, mixing = "auto";
	std::optional<float> temperature, top_p, min_p, repeat_penalty;
	std::optional<int32_t> top_k, repeat_window;
	std::optional<uint64_t> seed;
	std::vector<std::string> stops;

	std::string devices, device_memory, reserve, variant;
	bool offload = false;
	std::string load_cache, save_cache;
};

struct RunSettings {
	std::string model;
	SessionOptions session;
	SamplerOptions sampler;
	std::optional<Modelfile> modelfile;
	std::optional<std::string> system;
	std::vector<std::string> stops;
	uint32_t predict = 0;                    // tokens; 0: until the answer ends
};

/// Parses the command line into `arguments`. A value: the exit code to return at once.
std::optional<int> parseRunArguments(RunArguments& arguments, int argc, char** argv);

/// Reads the Modelfile, if any, and puts both together. kUsage names the option or PARAMETER that makes no sense.
Result<RunSettings> settle(const RunArguments& arguments);

}  // namespace vkq::tools
