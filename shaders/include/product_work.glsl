// Which part of a product a workgroup does: shared by product.comp and product_tiled.comp. Declares push constants and bindings. Needs kInterleave.

layout(push_constant, scalar) uniform Push { ProductPush push; };
layout(binding = 0, scalar) readonly buffer Weights { uint weights[]; };
layout(binding = 1, scalar) readonly buffer Input { uint x[]; };   // floats, or activations in 8 bits
layout(binding = 2, scalar) buffer Output { float y[]; };
layout(binding = 3, scalar) readonly buffer Routing { uint routing[]; };   // not read with VKQ_ROUTE_NONE

/// The workgroup's matrix: up to three of one type lie side by side in a dispatch.
struct Matrix {
	uint group;                         // of the workgroup, among the matrix's in x
	uint first_row, rows;
	uint piece_first, piece_rows;
	uint codes, high, scales, super;    // where its planes start, words
	uint y, y_stride;
};
Matrix matrix;                          // findWork() finds it

Matrix wholeMatrix(ProductPart part) { return Matrix(gl_WorkGroupID.x - part.first_group, 0u, part.rows, 0u, part.piece_rows, part.weights_word, 0u, 0u, 0u, part.y_word, part.rows); }

void findMatrix() {
	if (gl_WorkGroupID.x >= push.third.first_group) matrix = wholeMatrix(push.third);
	else if (gl_WorkGroupID.x >= push.second.first_group) matrix = wholeMatrix(push.second);
	else matrix = Matrix(gl_WorkGroupID.x, push.first_row, push.rows, push.piece_first, push.piece_rows, push.weights_word, 0u, 0u, 0u, push.y_word, push.y_stride);
	// deviceLayout() of quant/device_layout.h: planes of whole groups of rows are aligned as they are.
	const uint padded_rows = (matrix.piece_rows + kInterleave - 1u) / kInterleave * kInterleave;
	matrix.high = matrix.codes + padded_rows * push.row_words;
	matrix.scales = matrix.high + padded_rows * push.row_high_words;
	matrix.super = matrix.scales + padded_rows * push.row_scale_words;
}

/// The columns [first, count) of the workgroup's expert are its work, kColumns of them at most.
struct Work {
	uint expert, first, count;
};

/// `columns`: how many a workgroup does. Nothing is to be done where first >= count.
Work findWork(uint columns) {
	findMatrix();
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

/// Where row `row` of the workgroup's expert is in this piece; >= matrix.piece_rows if it is not.
uint pieceRow(Work work, uint row) { return row < matrix.rows ? work.expert * matrix.rows - matrix.piece_first + row : 0xffffffffu; }
