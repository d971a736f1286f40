#include "quant/file_type.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace vkq {

namespace {

using F = FileType;
using T = TensorType;

constexpr FileTypeInfo kFileTypes[] = {
	{"Q2_K_S",    F::Q2_K_S,    T::Q2_K,   {}, {}, "2 bits everywhere; needs an importance matrix"},
	{"Q2_K",      F::Q2_K,      T::Q2_K,   {}, {}, "2 bits, 3 where it hurts most: the smallest, with a heavy loss"},
	{"Q3_K_S",    F::Q3_K_S,    T::Q3_K,   {}, {}, "3 bits, small, with a marked loss"},
	{"Q3_K_M",    F::Q3_K_M,    T::Q3_K,   {}, {}, "3 bits, 4 and 5 for attention values and feed-forward output"},
	{"Q3_K_L",    F::Q3_K_L,    T::Q3_K,   {}, {}, "3 bits, 5 for attention values and outputs"},
	{"IQ4_XS",    F::IQ4_XS,    T::IQ4_XS, {}, {}, "4 bits on a curved scale, the smallest good 4-bit type"},
	{"MXFP4_MOE", F::MXFP4_MOE, T::MXFP4,  {}, {}, "4-bit floats for experts, Q8_0 for the rest: for mixture-of-experts models"},
	{"IQ4_NL",    F::IQ4_NL,    T::IQ4_NL, {}, {}, "4 bits on a curved scale in blocks of 32"},
	{"Q4_0",      F::Q4_0,      T::Q4_0,   {}, {}, "4 bits, simple and fast; Q4_K_S is better at this size"},
	{"Q4_K_S",    F::Q4_K_S,    T::Q4_K,   {}, {}, "4 bits, small"},
	{"Q4_K_M",    F::Q4_K_M,    T::Q4_K,   {}, {}, "4 bits, 6 where it matters: the usual choice"},
	{"Q4_K_L",    F::Q4_K_M,    T::Q4_K,   T::Q8_0, T::Q8_0, "Q4_K_M with output and token embedding in Q8_0"},
	{"Q4_1",      F::Q4_1,      T::Q4_1,   {}, {}, "4 bits with an offset; Q4_K_M is better at this size"},
	{"Q5_0",      F::Q5_0,      T::Q5_0,   {}, {}, "5 bits, simple; Q5_K_S is better at this size"},
	{"Q5_K_S",    F::Q5_K_S,    T::Q5_K,   {}, {}, "5 bits, small loss"},
	{"Q5_K_M",    F::Q5_K_M,    T::Q5_K,   {}, {}, "5 bits, 6 where it matters: very small loss"},
	{"Q5_K_L",    F::Q5_K_M,    T::Q5_K,   T::Q8_0, T::Q8_0, "Q5_K_M with output and token embedding in Q8_0"},
	{"Q5_1",      F::Q5_1,      T::Q5_1,   {}, {}, "5 bits with an offset; Q5_K_M is better at this size"},
	{"Q6_K",      F::Q6_K,      T::Q6_K,   {}, {}, "6 bits: hard to tell from the original"},
	{"Q8_0",      F::Q8_0,      T::Q8_0,   {}, {}, "8 bits: practically the original"},
	{"F16",       F::F16,       T::F16,    {}, {}, "16-bit floats, for large values less range than BF16"},
	{"BF16",      F::BF16,      T::BF16,   {}, {}, "16-bit floats with the range of 32, as most models are trained"},
	{"F32",       F::F32,       T::F32,    {}, {}, "32-bit floats"},
};

struct Alias {
	std::string_view name;
	F file_type;
};
constexpr Alias kAliases[] = {{"Q3_K", F::Q3_K_M}, {"Q4_K", F::Q4_K_M}, {"Q5_K", F::Q5_K_M}, {"MXFP4", F::MXFP4_MOE}};

bool sameName(std::string_view a, std::string_view b) {
	return std::equal(a.begin(), a.end(), b.begin(), b.end(),
	                  [](unsigned char x, unsigned char y) { return std::toupper(x) == std::toupper(y); });
}

/// The plain one, not an _L mixture.
const FileTypeInfo* findByFileType(F type) {
	for (const FileTypeInfo& info : kFileTypes)
		if (info.file_type == type && !info.output_type) return &info;
	return nullptr;
}

}  // namespace

std::span<const FileTypeInfo> allFileTypes() { return kFileTypes; }

const FileTypeInfo* findFileType(std::string_view name) {
	for (const FileTypeInfo& info : kFileTypes)
		if (sameName(info.name, name)) return &info;
	for (const Alias& alias : kAliases)
		if (sameName(alias.name, name)) return findByFileType(alias.file_type);
	uint32_t number;
	const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
	if (error == std::errc() && end == name.data() + name.size()) return findByFileType(F(number));
	return nullptr;
}

std::string_view fileTypeName(FileType type) {
	const FileTypeInfo* info = findByFileType(type);
	return info ? info->name : "unknown";
}

}  // namespace vkq
