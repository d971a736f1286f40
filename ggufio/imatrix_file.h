// Importance matrices on disk: reads both forms, writes the GGUF one.
//
// GGUF form: metadata general.type = "imatrix", imatrix.datasets (texts), imatrix.chunk_count and imatrix.chunk_size (u32);
// for each weight NAME two F32 tensors: NAME.in_sum2 [ne0, n], the sums over tokens of the squared inputs, and
// NAME.counts [1, n], the tokens summed; n is the number of experts, 1 for a dense weight. Tensors of other names are passed over.
#pragma once

#include "core/bytes.h"
#include "core/result.h"
#include "quant/imatrix.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace vkq {

/// What collecting an importance matrix accumulates.
struct ImatrixSums {
	struct Entry {
		std::vector<float> in_sum2;   // ne0 x n, expert after expert
		std::vector<float> counts;    // n
	};
	std::vector<std::string> datasets;
	uint32_t chunk_count = 0;
	uint32_t chunk_size = 0;                // tokens
	std::map<std::string, Entry> entries;   // by the weight's name
};

/// The GGUF form from a file image. `name` stands for the file in errors.
Result<ImatrixSums> parseImatrixSums(Bytes image, std::string name);

/// importance = in_sum2 / counts; all ones for an expert that saw no token.
Imatrix importanceOf(const ImatrixSums& sums, std::string file);

/// Either form from a file image.
Result<Imatrix> parseImatrix(Bytes image, std::string name);

/// Opens either form.
Result<Imatrix> openImatrix(const std::filesystem::path& path);

/// Writes the GGUF form. Each entry's in_sum2 is a whole number of rows, one per count.
Result<void> writeImatrix(const std::filesystem::path& output, const ImatrixSums& sums, bool overwrite);

}  // namespace vkq
