#include "ggufio/file_kind.h"

#include <algorithm>
#include <cctype>
#include <string>

namespace vkq {

namespace {

std::string lowered(std::string_view text) {
	std::string out(text);
	std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return char(std::tolower(c)); });
	return out;
}

}  // namespace

FileKind identifyFile(Bytes image) {
	if (image.empty()) return FileKind::Empty;
	const std::string_view head(reinterpret_cast<const char*>(image.data()), std::min<size_t>(image.size(), 4096));
	if (head.starts_with("GGUF")) return FileKind::Gguf;
	if (head.starts_with("lmgg") || head.starts_with("tjgg") || head.starts_with("fmgg")) return FileKind::OldGgml;
	if (head.starts_with("PK\x03\x04") || head.starts_with("PK\x05\x06")) return FileKind::Zip;
	if (head.starts_with("version https://git-lfs")) return FileKind::LfsPointer;
	if (head.size() >= 2 && head[0] == '\x80' && head[1] >= 2 && head[1] <= 5) return FileKind::Pickle;
	if (head.size() >= 9 && head[8] == '{') {
		const uint64_t header_bytes = *ByteReader(image).read<uint64_t>();
		if (header_bytes >= 2 && header_bytes <= (uint64_t(1) << 40)) return FileKind::Safetensors;
	}
	const size_t text = head.find_first_not_of(" \t\r\n");
	if (text != head.npos) {
		const std::string start = lowered(head.substr(text, 64));
		if (start.starts_with("<!doctype") || start.starts_with("<html") || start.starts_with("<?xml")) return FileKind::Html;
		if (start[0] == '{' || start[0] == '[') return FileKind::Json;
	}
	if (head.size() >= 4 && head.find_first_not_of('\0') == head.npos) return FileKind::Zeros;
	return FileKind::Unknown;
}

std::string_view describeFile(FileKind kind) {
	switch (kind) {
	case FileKind::Gguf: return "a GGUF file";
	case FileKind::Safetensors: return "a safetensors file";
	case FileKind::Zip: return "a zip archive (PyTorch checkpoints are)";
	case FileKind::Pickle: return "a Python pickle (old PyTorch checkpoints are)";
	case FileKind::Html: return "a web page";
	case FileKind::LfsPointer: return "a Git LFS pointer, not the file itself";
	case FileKind::Json: return "JSON text";
	case FileKind::OldGgml: return "a GGML file from before GGUF";
	case FileKind::Zeros: return "a file that begins with zeros";
	case FileKind::Empty: return "an empty file";
	case FileKind::Unknown: break;
	}
	return "no file of a known kind";
}

std::string_view hintForFile(FileKind kind) {
	switch (kind) {
	case FileKind::Zip:
	case FileKind::Pickle: return "look for the model's .safetensors or .gguf files: pickles can run code and are not read";
	case FileKind::Html: return "the download gave a page instead of the file: a log-in or an acceptance of terms may be missing";
	case FileKind::LfsPointer: return "run `git lfs pull` in the repository, or download the file itself";
	case FileKind::OldGgml: return "convert the original model again: this form has not been read by anything since 2023";
	case FileKind::Zeros: return "a program that wrote it was interrupted: make or download it again";
	case FileKind::Empty: return "download or make it again";
	default: return {};
	}
}

}  // namespace vkq
