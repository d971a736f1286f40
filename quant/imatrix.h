// Importance matrices: per tensor and input column, the mean square of what the matrix was multiplied with.
// Two file forms are read (GGUF and legacy .dat); the GGUF form is written by eval/imatrix.
#pragma once

#include "core/bytes.h"
#include "core/result.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vkq {

struct Imatrix {
	std::string file;                                        // as given by the user: goes into the output's metadata
	std::vector<std::string> datasets;
	uint32_t chunks = 0;
	std::map<std::string, std::vector<float>> importance;    // tensor name -> ne0 (x experts) weights
};

/// Legacy form from bytes (the GGUF form lives in ggufio/imatrix_file.h, which also opens either). All numbers little-endian:
///
///   i32 entries; each: i32 length, name, i32 calls, i32 values, values * f32
///   then, in newer files: i32 chunks, i32 length, data set
///
/// What is stored are sums over calls: importance = value / calls (value itself when calls is 0). Errors: kMalformed.
Result<Imatrix> parseLegacyImatrix(Bytes image, std::string name);

/// A tensor that is going to be encoded with importance if there is one for it.
struct ImatrixUse {
	std::string_view tensor;
	uint64_t columns = 0;        // ne0
	uint64_t slices = 1;         // ne2: experts, each with columns of its own
	bool required = false;       // without importance the result would be useless (needsImportance() in mixture.h)
};

/// What a user should hear of but need not act upon.
struct ImatrixFindings {
	std::vector<std::string> missing;   // tensors that will be encoded without importance
	std::vector<std::string> ignored;   // token embeddings whose entry is of another size
	uint64_t used = 0;
};

/// Looks at everything before the first tensor is encoded: kInvalidData names all entries together that are of the wrong size,
/// hold a value that is negative or not finite, or are missing though required.
Result<ImatrixFindings> checkImatrix(const Imatrix& imatrix, std::span<const ImatrixUse> uses);

}  // namespace vkq
