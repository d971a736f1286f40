// Metadata of small models, as converters write it.
#pragma once

#include "ggufio/metadata.h"

#include <string>

namespace vkq::test {

/// The keys that every family has: 4 layers of width 256, 4 query and 2 key/value heads, 512 tokens, vocabulary of 1000.
inline Metadata metadataOf(const std::string& arch) {
	Metadata metadata;
	metadata.set("general.architecture", arch);
	metadata.set(arch + ".vocab_size", uint32_t(1000));
	metadata.set(arch + ".context_length", uint32_t(512));
	metadata.set(arch + ".embedding_length", uint32_t(256));
	metadata.set(arch + ".block_count", uint32_t(4));
	metadata.set(arch + ".feed_forward_length", uint32_t(768));
	metadata.set(arch + ".attention.head_count", uint32_t(4));
	metadata.set(arch + ".attention.head_count_kv", uint32_t(2));
	metadata.set(arch + ".attention.layer_norm_rms_epsilon", 1e-6f);
	return metadata;
}

}  // namespace vkq::test
