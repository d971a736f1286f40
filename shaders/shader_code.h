// The compiled shaders, embedded in the library.
#pragma once

#include "shaders/shader_id.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace vkq {

struct ShaderCode {
	std::string_view name;
	std::span<const uint32_t> words;   // SPIR-V; empty when the compiler at build time was too old for this variant
};

const ShaderCode& shaderCode(ShaderId id);

}  // namespace vkq
