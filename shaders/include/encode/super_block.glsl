// Eight neighbouring invocations share a super-block, 32 weights each: what they tell one another.
//
// All functions must be called by all invocations of the workgroup together. Three ways, all with the same results:
//   subgroups of eight     (software devices)   the driver's own reductions
//   larger subgroups       shuffles among eight neighbours; needs a size that is a multiple of eight
//   EXCHANGE_SHARED        shared memory and barriers: for devices without shuffles, or with subgroups of four

const uint kLanes = 8u;   // invocations a super-block

#ifdef EXCHANGE_SHARED

shared uint exchange_slots[gl_WorkGroupSize.x];

#define EXCHANGE_REDUCE(start, combine)                                    \
	barrier();                                                             \
	exchange_slots[gl_LocalInvocationIndex] = own;                         \
	barrier();                                                             \
	const uint first = gl_LocalInvocationIndex & ~(kLanes - 1u);           \
	uint all = exchange_slots[first];                                      \
	for (uint i = 1u; i < kLanes; ++i) {                                   \
		const uint other = exchange_slots[first + i];                      \
		all = combine;                                                     \
	}

uint superOr(uint own) {
	EXCHANGE_REDUCE(0u, all | other)
	return all;
}

float superMaxPositive(float value) {
	const uint own = floatBitsToUint(value);
	EXCHANGE_REDUCE(0u, max(all, other))
	return uintBitsToFloat(all);
}

uint superMin(uint own) {
	EXCHANGE_REDUCE(0u, min(all, other))
	return all;
}

/// The value of the invocation whose lane number is `lane`.
uint superRead(uint own, uint lane) {
	barrier();
	exchange_slots[gl_LocalInvocationIndex] = own;
	barrier();
	return exchange_slots[(gl_LocalInvocationIndex & ~(kLanes - 1u)) | lane];
}

float superBroadcast(float own, uint lane) { return uintBitsToFloat(superRead(floatBitsToUint(own), lane)); }

uint superReadXor(uint own, uint mask) { return superRead(own, (gl_LocalInvocationIndex & (kLanes - 1u)) ^ mask); }

uint superLane() { return gl_LocalInvocationIndex & (kLanes - 1u); }

#else

layout(constant_id = 6) const bool kSubgroupIsSuperBlock = true;   // the subgroup has exactly eight invocations

uint superLane() { return gl_SubgroupInvocationID & (kLanes - 1u); }

uint superOr(uint own) {
	if (kSubgroupIsSuperBlock) return subgroupOr(own);
	own |= subgroupShuffleXor(own, 1u);
	own |= subgroupShuffleXor(own, 2u);
	return own | subgroupShuffleXor(own, 4u);
}

float superMaxPositive(float own) {
	if (kSubgroupIsSuperBlock) return subgroupMax(own);
	own = max(own, subgroupShuffleXor(own, 1u));
	own = max(own, subgroupShuffleXor(own, 2u));
	return max(own, subgroupShuffleXor(own, 4u));
}

uint superMin(uint own) {
	if (kSubgroupIsSuperBlock) return subgroupMin(own);
	own = min(own, subgroupShuffleXor(own, 1u));
	own = min(own, subgroupShuffleXor(own, 2u));
	return min(own, subgroupShuffleXor(own, 4u));
}

uint superRead(uint own, uint lane) { return subgroupShuffle(own, (gl_SubgroupInvocationID & ~(kLanes - 1u)) | lane); }

/// As superRead(), of a lane that is a constant.
float superBroadcast(float own, uint lane) {
	if (kSubgroupIsSuperBlock) return subgroupBroadcast(own, lane);
	return uintBitsToFloat(superRead(floatBitsToUint(own), lane));
}

uint superReadXor(uint own, uint mask) { return subgroupShuffleXor(own, mask); }

#endif

/// Sum over the eight, in pairs, fours and eight. All get the same bits.
float superSum(float own) {
	precise float sum = own + uintBitsToFloat(superReadXor(floatBitsToUint(own), 1u));
	sum = sum + uintBitsToFloat(superReadXor(floatBitsToUint(sum), 2u));
	sum = sum + uintBitsToFloat(superReadXor(floatBitsToUint(sum), 4u));
	return sum;
}

/// The value of largest magnitude among the eight, with its sign; the first of equals.
float superExtreme(uint lane, float own) {
	const float size = uintBitsToFloat(floatBitsToUint(own) & 0x7fffffffu);
	const float largest = superMaxPositive(size);
	const uint holder = superMin(size == largest ? lane : kLanes - 1u);
	return uintBitsToFloat(superRead(floatBitsToUint(own), holder));
}

/// Which super-block this invocation works on: by subgroup, for its neighbours must be those that it can exchange with.
uint superBlockIndex() {
	const uint group = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
#ifdef EXCHANGE_SHARED
	const uint invocation = gl_LocalInvocationIndex;
#else
	const uint invocation = gl_SubgroupID * gl_SubgroupSize + gl_SubgroupInvocationID;
#endif
	return (group * gl_WorkGroupSize.x + invocation) / kLanes;
}
