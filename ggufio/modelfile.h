// Ollama's Modelfile: what to run, how to phrase a chat, what to sample with.
//
// Commands (any case) stand at the start of a line: FROM, PARAMETER, TEMPLATE, SYSTEM, MESSAGE, ADAPTER, LICENSE. Values run to
// the end of the line, or between "..." or """...""", which may span lines. Lines that begin with # are comments.
#pragma once

#include "core/result.h"
#include "ggufio/metadata.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vkq {

struct Modelfile {
	std::string from;                                               // as written: a path, or a name in Ollama's library
	std::optional<std::string> chat_template;                       // TEMPLATE: Go's, not Jinja
	std::optional<std::string> system;
	std::vector<std::pair<std::string, std::string>> parameters;    // in order; "stop" may repeat, of others the last counts
	std::vector<std::pair<std::string, std::string>> messages;      // role, content
	std::vector<std::string> adapters, licenses;

	/// The last value of that name.
	std::optional<std::string_view> parameter(std::string_view name) const;
	bool operator==(const Modelfile&) const = default;
};

/// Errors name `name` and the line.
Result<Modelfile> parseModelfile(std::string_view text, std::string_view name);
Result<Modelfile> readModelfile(const std::filesystem::path& path);

/// The text that parseModelfile() reads back. kUnsupported for values that the format cannot hold (""" inside).
Result<std::string> modelfileText(const Modelfile& modelfile);

/// For a model with this metadata in the file `gguf` (a name relative to the Modelfile): TEMPLATE and stop tokens by the markers
/// in its chat template, SYSTEM from the message that the template has by default, PARAMETERs from general.sampling.*.
/// What is not known is left out; Ollama then does as it sees fit.
Modelfile modelfileFor(const Metadata& metadata, const std::string& gguf);

}  // namespace vkq
