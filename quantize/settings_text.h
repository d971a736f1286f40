// The texts in which users give settings, with the reference's meaning: REGEX=TYPE, KEY=TYPE:VALUE, layer lists.
#pragma once

#include "core/result.h"
#include "ggufio/metadata.h"
#include "quant/mixture.h"

#include <filesystem>
#include <string_view>
#include <vector>

namespace vkq {

/// "attn_q=q8_0". The pattern is lower-cased, as the reference does.
Result<MixtureOptions::Override> parseTensorType(std::string_view text);

/// A file of such entries separated by white space; '#' starts a comment until the line's end.
Result<std::vector<MixtureOptions::Override>> readTensorTypeFile(const std::filesystem::path& path);

/// "general.name=str:Orator", int, float, bool or str. Integers become u32 of their absolute value: the reference's rule.
Result<MetaEntry> parseOverrideKv(std::string_view text);

/// "3,5,7" -> sorted, unique.
Result<std::vector<uint32_t>> parseLayers(std::string_view text);

}  // namespace vkq
