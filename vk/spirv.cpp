#include "vk/spirv.h"

#include <algorithm>
#include <map>

namespace vkq::vk {

namespace {

// Opcodes, decorations and storage classes of the SPIR-V specification, sections 3.7, 3.20 and 3.49.
enum : uint32_t {
	kOpTypeInt = 21, kOpTypeFloat = 22, kOpTypeVector = 23, kOpTypeArray = 28, kOpTypeStruct = 30, kOpTypePointer = 32,
	kOpConstant = 43, kOpVariable = 59, kOpDecorate = 71, kOpMemberDecorate = 72,
	kDecorationBlock = 2, kDecorationBufferBlock = 3, kDecorationArrayStride = 6, kDecorationBinding = 33, kDecorationOffset = 35,
	kClassUniform = 2, kClassPushConstant = 9, kClassStorageBuffer = 12,
};

struct Type {
	uint32_t op = 0;
	uint32_t bytes = 0;                // of scalars and vectors
	uint32_t element = 0, length = 0;  // arrays: element type, constant id of the length; pointers: pointee
	std::vector<uint32_t> members;     // structs
	std::vector<uint32_t> offsets;
	uint32_t stride = 0;
};

struct Module {
	std::map<uint32_t, Type> types;
	std::map<uint32_t, uint32_t> constants;

	uint32_t sizeOf(uint32_t id) const {
		const auto found = types.find(id);
		if (found == types.end()) return 0;
		const Type& type = found->second;
		if (type.op == kOpTypeArray) {
			const auto length = constants.find(type.length);
			return length == constants.end() ? 0 : type.stride * length->second;
		}
		if (type.op == kOpTypeStruct) {
			uint32_t end = 0;
			for (size_t i = 0; i < type.members.size(); ++i)
				end = std::max(end, (i < type.offsets.size() ? type.offsets[i] : 0) + sizeOf(type.members[i]));
			return end;
		}
		return type.bytes;
	}
};

}  // namespace

Result<ShaderInterface> reflect(std::span<const uint32_t> words) {
	if (words.size() < 5 || words[0] != 0x07230203) return fail(ErrorCode::kMalformed, "a compiled shader is not SPIR-V");
	Module module;
	std::map<uint32_t, uint32_t> binding_of;
	struct Variable { uint32_t id, pointer, storage; };
	std::vector<Variable> variables;

	for (size_t at = 5; at < words.size();) {
		const uint32_t count = words[at] >> 16, op = words[at] & 0xffff;
		if (count == 0 || at + count > words.size()) return fail(ErrorCode::kMalformed, "a compiled shader is cut short");
		const auto operand = [&](uint32_t i) { return i < count ? words[at + i] : 0; };
		Type& target = module.types[operand(1)];
		switch (op) {
			case kOpTypeInt:
			case kOpTypeFloat: target.op = op; target.bytes = operand(2) / 8; break;
			case kOpTypeVector: {
				const uint32_t component = module.sizeOf(operand(2));
				module.types[operand(1)].op = op;
				module.types[operand(1)].bytes = component * operand(3);
				break;
			}
			case kOpTypeArray: target.op = op; target.element = operand(2); target.length = operand(3); break;
			case kOpTypeStruct: target.op = op; target.members.assign(words.begin() + at + 2, words.begin() + at + count); break;
			case kOpTypePointer: target.op = op; target.element = operand(3); break;
			case kOpConstant: module.constants[operand(2)] = operand(3); break;
			case kOpVariable: variables.push_back({operand(2), operand(1), operand(3)}); break;
			case kOpDecorate:
				if (operand(2) == kDecorationBinding) binding_of[operand(1)] = operand(3);
				if (operand(2) == kDecorationArrayStride) target.stride = operand(3);
				break;
			case kOpMemberDecorate:
				if (operand(3) == kDecorationOffset) {
					if (operand(2) > 1024) return fail(ErrorCode::kMalformed, "a compiled shader has an impossible struct");
					if (target.offsets.size() <= operand(2)) target.offsets.resize(operand(2) + 1);
					target.offsets[operand(2)] = operand(4);
				}
				break;
			default: break;
		}
		at += count;
	}

	ShaderInterface interface;
	for (const Variable& variable : variables) {
		if (variable.storage == kClassPushConstant) interface.push_bytes = module.sizeOf(module.types[variable.pointer].element);
		const auto binding = binding_of.find(variable.id);
		if (binding == binding_of.end() || binding->second > 64) continue;
		if (interface.bindings.size() <= binding->second) interface.bindings.resize(binding->second + 1, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER);
		if (variable.storage == kClassUniform) interface.bindings[binding->second] = VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER;
	}
	return interface;
}

}  // namespace vkq::vk
