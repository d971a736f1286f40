// Builds GGUF images byte by byte, correct or wrong on purpose, independently of the writer.
#pragma once

#include "ggufio/metadata.h"
#include "quant/format.h"

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace vkq::test {

struct GgufImage {
	std::vector<std::byte> bytes;

	template <class T>
	GgufImage& put(T value) {
		const auto* raw = reinterpret_cast<const std::byte*>(&value);
		bytes.insert(bytes.end(), raw, raw + sizeof(T));
		return *this;
	}
	GgufImage& raw(std::string_view text) {
		const auto* first = reinterpret_cast<const std::byte*>(text.data());
		bytes.insert(bytes.end(), first, first + text.size());
		return *this;
	}
	GgufImage& text(std::string_view text) { return put<uint64_t>(text.size()).raw(text); }

	GgufImage& header(uint64_t tensors, uint64_t entries, uint32_t version = 3) {
		return raw("GGUF").put<uint32_t>(version).put<uint64_t>(tensors).put<uint64_t>(entries);
	}
	GgufImage& key(std::string_view key, MetaType type) { return text(key).put<uint32_t>(uint32_t(type)); }
	GgufImage& array(std::string_view name, MetaType element, uint64_t count) {
		return key(name, MetaType::Array).put<uint32_t>(uint32_t(element)).put<uint64_t>(count);
	}
	GgufImage& tensor(std::string_view name, std::vector<uint64_t> ne, TensorType type, uint64_t offset) {
		return tensorOfId(name, std::move(ne), uint32_t(type), offset);
	}
	GgufImage& tensorOfId(std::string_view name, std::vector<uint64_t> ne, uint32_t type, uint64_t offset) {
		text(name).put<uint32_t>(uint32_t(ne.size()));
		for (uint64_t n : ne) put(n);
		return put(type).put(offset);
	}
	GgufImage& pad(size_t alignment = 32) {
		bytes.resize((bytes.size() + alignment - 1) / alignment * alignment);
		return *this;
	}
	GgufImage& zeros(size_t count) {
		bytes.resize(bytes.size() + count);
		return *this;
	}
};

/// A small valid file with every kind of value and three tensors: 2 x F32, 1 x Q4_K.
inline GgufImage smallImage(uint32_t version = 3) {
	GgufImage image;
	image.header(3, 15, version);
	image.key("general.architecture", MetaType::String).text("llama");
	image.key("a.u8", MetaType::U8).put<uint8_t>(200);
	image.key("a.i8", MetaType::I8).put<int8_t>(-7);
	image.key("a.u16", MetaType::U16).put<uint16_t>(60000);
	image.key("a.i16", MetaType::I16).put<int16_t>(-300);
	image.key("a.u32", MetaType::U32).put<uint32_t>(4000000000u);
	image.key("a.i32", MetaType::I32).put<int32_t>(-5);
	image.key("a.f32", MetaType::F32).put<float>(1.5f);
	image.key("a.bool", MetaType::Bool).put<uint8_t>(1);
	image.key("a.u64", MetaType::U64).put<uint64_t>(uint64_t(1) << 60);
	image.key("a.i64", MetaType::I64).put<int64_t>(-9);
	image.key("a.f64", MetaType::F64).put<double>(0.25);
	image.array("a.strings", MetaType::String, 3).text("one").text("").text("a text longer than any small buffer would hold");
	image.array("a.floats", MetaType::F32, 2).put<float>(1.0f).put<float>(2.0f);
	image.array("a.bools", MetaType::Bool, 3).put<uint8_t>(0).put<uint8_t>(1).put<uint8_t>(1);
	image.tensor("token_embd.weight", {256, 2}, TensorType::Q4_K, 0);   // 288 bytes
	image.tensor("blk.0.attn_norm.weight", {5}, TensorType::F32, 288);  // 20 bytes, padded to 32
	image.tensor("output_norm.weight", {5}, TensorType::F32, 320);
	image.pad();
	for (int i = 0; i < 352; ++i) image.put<uint8_t>(uint8_t(i));
	return image;
}

}  // namespace vkq::test
