// Writes a source to a GGUF file, matrices in one unquantized type: what the conversion tests compare and hand to the peer.
#pragma once

#include "core/half.h"
#include "ggufio/gguf_layout.h"
#include "ggufio/gguf_writer.h"
#include "ggufio/model_source.h"

#include <cstring>
#include <filesystem>
#include <vector>

namespace vkq::test {

/// All rows of a tensor, matrices as `type` (F16, BF16 or F32), the rest as it is.
inline Result<std::vector<std::byte>> rowsAs(const ModelSource& source, size_t tensor, TensorType type) {
	const TensorInfo& info = source.tensors()[tensor];
	std::vector<std::byte> stored(info.bytes);
	VKQ_CHECK(source.readRows(tensor, 0, info.rows(), stored.data()));
	if (info.dimensions == 1 || info.name.find("ffn_gate_inp") != std::string::npos || info.type == type) return stored;
	std::vector<std::byte> out(*typeBytes(type, info.elements()));
	for (size_t i = 0; i < info.elements(); ++i) {
		float value;
		uint16_t half;
		if (info.type == TensorType::F32) {
			std::memcpy(&value, stored.data() + 4 * i, 4);
		} else {
			std::memcpy(&half, stored.data() + 2 * i, 2);
			value = info.type == TensorType::F16 ? halfToFloat(half) : bfloatToFloat(half);
		}
		half = type == TensorType::F16 ? floatToHalf(value) : floatToBfloat(value);
		if (type == TensorType::F32) std::memcpy(out.data() + 4 * i, &value, 4);
		else std::memcpy(out.data() + 2 * i, &half, 2);
	}
	return out;
}

inline Result<void> writeSource(const ModelSource& source, TensorType type, const std::filesystem::path& output) {
	Metadata metadata = source.metadata();
	metadata.set("general.name", std::string("test"));   // the reference knows some families by it, and expects their tokens then
	metadata.set("general.file_type", uint32_t(type == TensorType::F32 ? 0 : type == TensorType::F16 ? 1 : 32));
	std::vector<std::vector<std::byte>> data;
	std::vector<TensorInfo> tensors(source.tensors().begin(), source.tensors().end());
	for (size_t i = 0; i < tensors.size(); ++i) {
		VKQ_TRY(std::vector<std::byte> bytes, rowsAs(source, i, type));
		if (bytes.size() != tensors[i].bytes) tensors[i].type = type;
		else if (tensors[i].dimensions > 1 && tensors[i].name.find("ffn_gate_inp") == std::string::npos) tensors[i].type = type;
		data.push_back(std::move(bytes));
	}
	VKQ_TRY(GgufLayout layout, layOutGguf(metadata, std::move(tensors)));
	VKQ_TRY(GgufWriter writer, GgufWriter::create(output, metadata, std::move(layout), true));
	for (size_t i = 0; i < data.size(); ++i) VKQ_CHECK(writer.write(i, 0, data[i]));
	return writer.finish();
}

}  // namespace vkq::test
