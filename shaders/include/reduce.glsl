// Sums and maxima over a workgroup: in the subgroup, and through shared memory where there are several.
// Every lane must call; every lane gets the result. Each call begins with a barrier: the readers of the one before are done by then.
#extension GL_KHR_shader_subgroup_arithmetic : require

const uint kMostSubgroups = 64u;
shared float reduce_parts[kMostSubgroups];

float workgroupSum(float value) {
	value = subgroupAdd(value);
	if (gl_NumSubgroups == 1u) return value;
	barrier();
	if (subgroupElect()) reduce_parts[gl_SubgroupID] = value;
	barrier();
	value = 0.0;
	for (uint i = 0; i < gl_NumSubgroups; ++i) value += reduce_parts[i];
	return value;
}

float workgroupMax(float value) {
	value = subgroupMax(value);
	if (gl_NumSubgroups == 1u) return value;
	barrier();
	if (subgroupElect()) reduce_parts[gl_SubgroupID] = value;
	barrier();
	value = reduce_parts[0];
	for (uint i = 1; i < gl_NumSubgroups; ++i) value = max(value, reduce_parts[i]);
	return value;
}
