// Parameters of the encode shaders, and the notes that they leave for the host.
#ifndef VKQ_SHADERS_ENCODE_H
#define VKQ_SHADERS_ENCODE_H
#include "interface.h"

VKQ_SHARED_BEGIN

// What the source binding holds: a specialization constant.
const uint kSourceF32 = 0;
const uint kSourceF16 = 1;
const uint kSourceBf16 = 2;

struct EncodePush {
	uint units;               // blocks, or super-blocks, of this dispatch
	uint source_word;         // where the slab begins in the source binding, 32-bit words
	uint output_unit;         // where it begins in the output binding, in the format's store units (words, halves or bytes)
	uint row_elements;
	uint importance_word;     // where the row's importance begins in its binding, 32-bit words
	uint rows;
};
VKQ_PUSH_SIZE(EncodePush, 24);

// What a device cannot promise it tells the host, which encodes those blocks itself (kernels/encoder.h).
struct EncodeNote {
	uint unit;                // block or super-block of the slab
	uint reasons;             // bits: see below
};

const uint kNoteUncertain = 1;    // a device may round otherwise here: subnormal intermediates, values out of a search's range
const uint kNoteSource = 2;       // a NaN or an infinity among the weights
const uint kNoteScale = 4;        // a scale that is not finite as a half

const uint kNoteCapacity = 4096;
const uint kNoteHeaderBytes = 8;  // uint count (may exceed the capacity: then all of the slab is in doubt), uint padding; then the notes

VKQ_SHARED_END

#endif
