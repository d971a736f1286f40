#include "ggufio/model_source.h"

#include "ggufio/file_kind.h"
#include "ggufio/mapped_file.h"

#include <fmt/format.h>

namespace vkq {

Result<std::unique_ptr<ModelSource>> openModelSource(const std::filesystem::path& path) {
	std::error_code ignored;
	if (std::filesystem::is_directory(path, ignored) || path.filename().string().ends_with(".safetensors.index.json")) return openHuggingFaceSource(path);
	VKQ_TRY(const MappedFile file, MappedFile::open(path));
	const FileKind kind = identifyFile(file.bytes());
	if (kind == FileKind::Gguf) return openGgufSource(path);
	if (kind == FileKind::Safetensors) return openHuggingFaceSource(path);
	const std::string looks = kind == FileKind::Unknown ? std::string() : fmt::format("; it looks like {}", describeFile(kind));
	return fail(ErrorCode::kMalformed, fmt::format("{}: neither GGUF nor safetensors{}", path.string(), looks), std::string(hintForFile(kind)));
}

}  // namespace vkq
