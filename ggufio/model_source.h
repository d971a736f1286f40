// Where weights come from: one face for a GGUF file and for a Hugging Face directory.
//
// tensors() are GGUF names, shapes and storage types, in the order in which the reference writes them; metadata() is what
// the output's header starts from. Rows are read as stored (F32, F16, BF16 or, for GGUF, any type).
#pragma once

#include "core/bytes.h"
#include "core/result.h"
#include "ggufio/gguf_reader.h"
#include "ggufio/metadata.h"

#include <memory>

namespace vkq {

class ModelSource {
public:
	virtual ~ModelSource() = default;

	virtual const Metadata& metadata() const = 0;
	virtual std::span<const TensorInfo> tensors() const = 0;   // shard: of a split GGUF; offset is of no concern here
	virtual uint64_t storedBytes() const = 0;                  // size of the input file(s)
	virtual std::string name() const = 0;                      // for messages
	/// What was odd but usable, a sentence each, for the user to read.
	virtual std::span<const std::string> warnings() const { return {}; }

	/// The tensor as it lies in memory-mapped storage: zero copy. Empty when the source has to compute it
	/// (permuted, stacked, offset, converted); then readRows() is the way.
	virtual Bytes mapped(size_t tensor) const = 0;

	/// Copies rows [first_row, first_row + rows) to `out`, rows * rowBytes() long. Safe from several threads.
	virtual Result<void> readRows(size_t tensor, uint64_t first_row, uint64_t rows, std::byte* out) const = 0;

	/// kIo, naming the file, when bytes that mapped() handed out turned out to be gone (MappedFile::intact()). Whoever uses mapped()
	/// asks before what came of it is kept. Safe from several threads.
	virtual Result<void> intact() const { return {}; }

	/// Page-cache hints, rows as above. May do nothing.
	virtual void willNeed(size_t tensor, uint64_t first_row, uint64_t rows) const = 0;
	virtual void doneWith(size_t tensor, uint64_t first_row, uint64_t rows) const = 0;
};

/// Processing order, which is also the reference's order of writing: by layer number (tensors of no layer first), then name, bytewise.
bool tensorComesBefore(const TensorInfo& a, const TensorInfo& b);

enum class TensorOrder {
	Processing,   // tensorComesBefore
	Stored,       // shard after shard, as they lie in the files: for outputs that keep the input's split
};

/// A GGUF file (or split) as a source.
Result<std::unique_ptr<ModelSource>> openGgufSource(const std::filesystem::path& path, TensorOrder order = TensorOrder::Processing);

/// A directory, a .safetensors file or a model.safetensors.index.json (ggufio/huggingface.h).
Result<std::unique_ptr<ModelSource>> openHuggingFaceSource(const std::filesystem::path& path);

/// Looks at what `path` is and opens it by one of the above.
Result<std::unique_ptr<ModelSource>> openModelSource(const std::filesystem::path& path);

}  // namespace vkq
