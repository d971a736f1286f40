// Reads safetensors files: a JSON header that says where each tensor lies, then the bytes.
//
// Checked before anything is used: the header's size (at most 100 MB, as in the format's own implementation) and syntax,
// names given once, types, shapes whose product fits, byte ranges that have the shape's size and cover the data without a
// hole or an overlap. An Error names the file, the tensor and the reason. Thread rules: const use from many threads.
#pragma once

#include "core/bytes.h"
#include "core/result.h"
#include "ggufio/mapped_file.h"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vkq {

enum class SafetensorsType { Bool, U8, I8, F8_E4M3, F8_E5M2, F8_E8M0, U16, I16, F16, BF16, U32, I32, F32, U64, I64, F64 };

std::string_view safetensorsTypeName(SafetensorsType type);
uint32_t safetensorsTypeBytes(SafetensorsType type);   // of one element

struct SafetensorsTensor {
	std::string name;
	SafetensorsType type = SafetensorsType::F32;
	std::vector<uint64_t> shape;   // row-major: the last is contiguous; empty for a scalar
	uint64_t begin = 0;            // bytes from the start of the file
	uint64_t bytes = 0;

	uint64_t elements() const { return bytes / safetensorsTypeBytes(type); }
	/// Length of the last dimension (1 for a scalar), and how many of those there are.
	uint64_t rowElements() const { return shape.empty() ? 1 : shape.back(); }
	uint64_t rowBytes() const { return rowElements() * safetensorsTypeBytes(type); }
	uint64_t rows() const { return rowBytes() ? bytes / rowBytes() : 0; }
};

class SafetensorsFile {
public:
	static Result<SafetensorsFile> open(const std::filesystem::path& path);

	/// Parses a file image in memory: for tests and fuzzers. The bytes must outlive the result. `name` stands for the file in errors.
	static Result<SafetensorsFile> parse(Bytes image, std::string name);

	const std::string& name() const { return name_; }
	uint64_t fileBytes() const { return image_.size(); }
	std::span<const SafetensorsTensor> tensors() const { return tensors_; }   // in the order of their bytes
	const SafetensorsTensor* find(std::string_view name) const;

	/// The tensor's bytes where they lie; reading may fault pages in.
	Bytes data(const SafetensorsTensor& tensor) const { return image_.subspan(tensor.begin, tensor.bytes); }
	/// kIo when pages had gone when they were touched through data() (MappedFile::intact()).
	Result<void> intact() const { return map_.intact(); }
	/// Copies part of a tensor. A file cut short meanwhile is kIo at once.
	Result<void> read(const SafetensorsTensor& tensor, uint64_t first_byte, uint64_t bytes, std::byte* out) const;
	/// Page-cache hints; no effect on correctness.
	void willNeed(const SafetensorsTensor& tensor, uint64_t first_byte, uint64_t bytes) const;
	void doneWith(const SafetensorsTensor& tensor, uint64_t first_byte, uint64_t bytes) const;

private:
	MappedFile map_;      // empty for a parsed image
	Bytes image_;
	std::string name_;
	std::vector<SafetensorsTensor> tensors_;
	std::vector<uint32_t> by_name_;   // indices of tensors_, sorted by name
};

}  // namespace vkq
