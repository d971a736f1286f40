// Which part of a product a workgroup does: shared by product.comp and product_tiled.comp. Declares push constants and bindings.

layout(push_constant, scalar) uniform Push { ProductPush push; };
layout(binding = 0, scalar) readonly buffer Weights { uint weights[]; };
layout(binding = 1, scalar) readonly buffer Input { uint x[]; };   // floats, or activations in 8 bits
layout(binding = 2, scalar) buffer Output { float y[]; };
layout(binding = 3, scalar) readonly buffer Routing { uint routing[]; };   // not read with VKQ_ROUTE_NONE

/// The columns [first, count) of the workgroup's expert are its work, kColumns of them at most.
struct Work {
	uint expert, first, count;
};

/// `columns`: how many a workgroup does. Nothing is to be done where first >= count.
Work findWork(uint columns) {
	if (push.routing == VKQ_ROUTE_SLOTS) return Work(routing[gl_WorkGroupID.z], gl_WorkGroupID.z, push.count);
	const uint first = gl_WorkGroupID.y * columns;
	if (push.routing == VKQ_ROUTE_LISTS) return Work(gl_WorkGroupID.z, first, routing[gl_WorkGroupID.z * push.list_stride]);
	return Work(0u, first, push.count);
}

/// The vector of y that column `column` < count is.
uint outputVector(Work work, uint column) {
	return push.routing == VKQ_ROUTE_LISTS ? routing[work.expert * push.list_stride + 1u + column] : column;
}

/// The vector of x that belongs to a vector of y.
uint inputVector(uint output_vector) { return push.routing == VKQ_ROUTE_NONE ? output_vector : output_vector / push.slots_per_x; }

/// Where row `row` of the workgroup's expert is in this piece; >= push.piece_rows if it is not.
uint pieceRow(Work work, uint row) { return row < push.rows ? work.expert * push.rows - push.piece_first + row : 0xffffffffu; }
