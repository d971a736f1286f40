#include "quant/format.h"

#include "core/bytes.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cctype>

namespace vkq {

namespace {

using T = TensorType;

//                      type        name       elements bytes quantized codec
constexpr TypeInfo kTypes[] = {
	{T::F32,     "F32",     1,   4,   false, true},
	{T::F16,     "F16",     1,   2,   false, true},
	{T::Q4_0,    "Q4_0",    32,  18,  true,  true},
	{T::Q4_1,    "Q4_1",    32,  20,  true,  true},
	{T::Q5_0,    "Q5_0",    32,  22,  true,  true},
	{T::Q5_1,    "Q5_1",    32,  24,  true,  true},
	{T::Q8_0,    "Q8_0",    32,  34,  true,  true},
	{T::Q8_1,    "Q8_1",    32,  36,  true,  false},
	{T::Q2_K,    "Q2_K",    256, 84,  true,  true},
	{T::Q3_K,    "Q3_K",    256, 110, true,  true},
	{T::Q4_K,    "Q4_K",    256, 144, true,  true},
	{T::Q5_K,    "Q5_K",    256, 176, true,  true},
	{T::Q6_K,    "Q6_K",    256, 210, true,  true},
	{T::Q8_K,    "Q8_K",    256, 292, true,  false},
	{T::IQ2_XXS, "IQ2_XXS", 256, 66,  true,  false},
	{T::IQ2_XS,  "IQ2_XS",  256, 74,  true,  false},
	{T::IQ3_XXS, "IQ3_XXS", 256, 98,  true,  false},
	{T::IQ1_S,   "IQ1_S",   256, 50,  true,  false},
	{T::IQ4_NL,  "IQ4_NL",  32,  18,  true,  true},
	{T::IQ3_S,   "IQ3_S",   256, 110, true,  false},
	{T::IQ2_S,   "IQ2_S",   256, 82,  true,  false},
	{T::IQ4_XS,  "IQ4_XS",  256, 136, true,  true},
	{T::I8,      "I8",      1,   1,   false, false},
	{T::I16,     "I16",     1,   2,   false, false},
	{T::I32,     "I32",     1,   4,   false, false},
	{T::I64,     "I64",     1,   8,   false, false},
	{T::F64,     "F64",     1,   8,   false, false},
	{T::IQ1_M,   "IQ1_M",   256, 56,  true,  false},
	{T::BF16,    "BF16",    1,   2,   false, true},
	{T::TQ1_0,   "TQ1_0",   256, 54,  true,  false},
	{T::TQ2_0,   "TQ2_0",   256, 66,  true,  false},
	{T::MXFP4,   "MXFP4",   32,  17,  true,  true},
	{T::NVFP4,   "NVFP4",   64,  36,  true,  false},
	{T::Q1_0,    "Q1_0",    128, 18,  true,  false},
	{T::Q2_0,    "Q2_0",    64,  18,  true,  false},
};

}  // namespace

std::span<const TypeInfo> allTypes() { return kTypes; }

std::optional<TensorType> typeFromId(uint32_t id) {
	for (const TypeInfo& info : kTypes)
		if (uint32_t(info.type) == id) return info.type;
	return std::nullopt;
}

const TypeInfo& typeInfo(TensorType type) {
	for (const TypeInfo& info : kTypes)
		if (info.type == type) return info;
	assert(!"not an enumerator of TensorType");
	return kTypes[0];
}

std::optional<TensorType> typeFromName(std::string_view name) {
	auto same = [](char a, char b) { return std::toupper(static_cast<unsigned char>(a)) == std::toupper(static_cast<unsigned char>(b)); };
	for (const TypeInfo& info : kTypes)
		if (std::equal(name.begin(), name.end(), info.name.begin(), info.name.end(), same)) return info.type;
	return std::nullopt;
}

std::optional<uint64_t> typeBytes(TensorType type, uint64_t elements) {
	const TypeInfo& info = typeInfo(type);
	if (elements % info.block_elements != 0) return std::nullopt;
	auto bytes = checkedMul(elements / info.block_elements, info.block_bytes);
	if (!bytes || *bytes > uint64_t(INT64_MAX)) return std::nullopt;
	return bytes;
}

}  // namespace vkq
