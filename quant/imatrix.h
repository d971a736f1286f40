// Importance matrices: per tensor and input column, the mean square of what the matrix was multiplied with.
// Two file forms are read (GGUF and legacy .dat); the GGUF form is written by eval/imatrix.
#pragma once

#include "core/bytes.h"
#include "core/result.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace vkq {

struct Imatrix {
	std::string file;                                        // as given by the user: goes into the output's metadata
	std::vector<std::string> datasets;
	uint32_t chunks = 0;
	std::map<std::string, std::vector<float>> importance;    // tensor name -> ne0 (x experts) weights
};

/// Legacy form from bytes (the GGUF form lives in ggufio/imatrix_file.h, which also opens either).
Result<Imatrix> parseLegacyImatrix(Bytes image, std::string name);

}  // namespace vkq
