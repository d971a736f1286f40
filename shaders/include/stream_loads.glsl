// Whole-vector loads on software devices whose compilers keep in scalar registers what is the same in all lanes.
//
// A lane reads the eight neighbouring words of its group of lanes, at an address that is the same for all, and picks its own by its number.
// The lanes' numbers are constants there, so that picking is a shuffle of eight scalars from consecutive addresses, which becomes one load
// of a vector; a load from each lane's own address would be a gather, ten times as dear. Pointers, because a binding's loads are checked
// against its size one by one, which keeps them apart. kernels/load_probe.h measures whether a driver does all this.
//
// An address that is the same for all lanes is read even where no lane is active: in the body of a loop that has just ended, after a return, on
// the other side of a condition. So every address must be within bounds whatever the control flow: clamp what counts, by a bound that is
// not known at compile time (a clamp that the loop's own condition implies is optimized away).
//
// Needs GL_EXT_buffer_reference, GL_EXT_buffer_reference_uvec2, GL_KHR_shader_subgroup_basic.

struct EightWords { uvec4 low, high; };
layout(buffer_reference, scalar, buffer_reference_align = 16) readonly buffer StreamWords { EightWords eights[]; };

uint pickOwn(EightWords eight) {
	const uint lane = gl_SubgroupInvocationID;
	const uvec4 four = (lane & 4u) != 0u ? eight.high : eight.low;
	const uvec2 two = (lane & 2u) != 0u ? four.zw : four.xy;
	return (lane & 1u) != 0u ? two.y : two.x;
}
