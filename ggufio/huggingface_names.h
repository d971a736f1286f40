// The names and shapes of what each family's layers store, and what GGUF calls them: one table.
//
// Experts are not in it: they are stored one by one or fused, and become stacks (huggingface_tensors.cpp).
#pragma once

#include "ggufio/huggingface_config.h"

#include <span>
#include <string>
#include <string_view>

namespace vkq {

/// Lengths that follow from the config.
enum class Extent { One, Embd, Heads, KvHeads, QkvFused, HeadDim, FeedForward, GateAndUp, Vocab, Experts };

uint64_t extentOf(const HuggingFaceConfig& config, Extent extent);

struct StoredName {
	std::string_view stored;     // behind "model.layers.N." for those of a layer
	std::string_view gguf;       // behind "blk.N."
	Extent rows, columns;        // as stored; a vector is one row
	uint32_t families;           // bits 1 << HuggingFaceFamily
	enum Kind : uint8_t { Plain, Norm, Query, Key, Router } kind = Plain;
	bool optional = false;

	bool isOf(HuggingFaceFamily family) const { return families >> uint32_t(family) & 1; }
	bool vector() const { return rows == Extent::One; }
};

std::span<const StoredName> modelNames();   // embedding, last norm, head
std::span<const StoredName> layerNames();

/// The name as the table has it: without the "language_model." of multimodal wrappers, with "model." in front of a bare
/// model's names, and mixtral's block_sparse_moe called mlp, as newer versions do.
std::string plainName(std::string_view stored, bool bare);

/// Tensors of images' and other towers, buffers that are computed anew, scales that only activations use: left out on purpose.
bool isLeftOut(std::string_view plain_name);

}  // namespace vkq
